"""Deliveries to webhooks: requests, signatures, outcomes, retries and logs."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, quote_plus, urlsplit

from treaty.model.webhooks.failures import DeliveryFailure
from treaty.model.webhooks.named_secrets import NamedSecret, build_values
from treaty.model.webhooks.parameters import DeliveryFacts, WebhookContext
from treaty.model.webhooks.rendering import RenderedRequest, render
from treaty.model.webhooks.secrecy import HARMLESS_HEADERS, is_secret_header, suggests_credential
from treaty.model.webhooks.webhooks import MASK, EncryptedText, WebhookRequest

TRIGGER_TYPE: Final = "resource_creation"
"""The only trigger type of the original broker's events. It is part of the API."""


class DeliveryStatus(Enum):
    """State of a delivery, by the original broker's names."""

    NOT_RUN = "not_run"
    RETRYING = "retrying"
    SUCCESS = "success"
    FAILURE = "failure"

    @property
    def is_open(self) -> bool:
        return self in (DeliveryStatus.NOT_RUN, DeliveryStatus.RETRYING)


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuedDelivery:
    """A delivery to enqueue."""

    uuid: str
    webhook: str
    """The webhook's UUID."""
    event: str
    consumer: str
    consumer_version: str
    provider: str
    verification: int | None
    context: WebhookContext
    facts: DeliveryFacts | None = None
    """Facts to send, for an event without a pact; otherwise they are loaded when the request is built."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggeredWebhook:
    """A delivery as the API and the pages show it."""

    uuid: str
    event: str
    status: DeliveryStatus
    attempts: int
    webhook: str | None
    """The webhook's UUID; None if it has been deleted."""
    request_name: str | None
    consumer: str
    consumer_version: str | None
    provider: str
    triggered_at: datetime
    title: str | None = None
    """The name of the webhook for people; None if it has been deleted."""
    failure: DeliveryFailure | None = None
    """Why the last attempt failed; None after a success, and before the first attempt."""

    def attempts_remaining(self, schedule: Sequence[timedelta]) -> int:
        return max(0, len(schedule) + 1 - self.attempts) if self.status.is_open else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """A recorded attempt of a delivery."""

    success: bool
    status: int | None
    """Status of the response; None if there was none or it must not be shown."""
    milliseconds: int
    created_at: datetime
    logs: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A claimed delivery with everything that its request needs. Secrets are still encrypted."""

    uuid: str
    webhook: str
    request: WebhookRequest
    secret: EncryptedText | None
    facts: DeliveryFacts
    context: WebhookContext
    attempts: int
    triggered_at: datetime
    is_failing: bool
    """Whether the webhook is marked as failing."""
    named_secrets: Mapping[str, NamedSecret] = field(default_factory=dict)
    """All secrets that webhooks may refer to, by name."""

    def is_overdue(self, schedule: Sequence[timedelta], *, at: datetime) -> bool:
        """Whether it waited behind failing deliveries for longer than all its own attempts would have taken.

        Such a delivery is attempted only once. Otherwise the queue of a receiver that is down would grow forever,
        because deliveries wait for earlier ones.
        """
        max_duration = sum(schedule, timedelta()) * 1.25 + timedelta(seconds=60)
        return self.is_failing and at - self.triggered_at > max_duration


# Requests


@dataclass(frozen=True, kw_only=True, slots=True)
class OutgoingRequest:
    """A request with its parameters filled in, ready to send."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    secrets: frozenset[str] = frozenset()
    """Texts to mask wherever the request or its response is shown."""
    named_secrets: frozenset[str] = frozenset()
    """Those of the secrets that are masked even if the settings turn redaction off: others own them."""
    masked_headers: frozenset[str] = frozenset()
    """Lower-case names of the headers whose whole value is masked wherever the request is shown."""


def build_outgoing_request(
    request: WebhookRequest,
    values: Mapping[str, str],
    *,
    user_agent: str,
    trace: str | None = None,
    named_secrets: Mapping[str, str] = MappingProxyType({}),
) -> OutgoingRequest:
    """Build the request to send, whose secrets are decrypted. `trace` is the W3C trace context of its event.

    `named_secrets` are the texts of the secrets that the request uses, by name. Raises UnusableValue if a value would
    change what the request means.
    """
    rendered = render(request, {**values, **build_values(named_secrets)})
    # The webhook's own headers come last, so that they can override these.
    traced = {} if trace is None else {"traceparent": trace}
    headers = {"accept": "*/*", "user-agent": user_agent, **traced, **rendered.headers}
    if rendered.username:
        credentials = base64.b64encode(f"{rendered.username}:{rendered.password}".encode()).decode()
        headers["authorization"] = f"Basic {credentials}"
    # These two must describe the real request, whatever the webhook's headers say.
    headers |= {"host": _authority(rendered.url), "content-length": str(len(rendered.body))}
    return OutgoingRequest(
        method=request.method.upper(),
        url=rendered.url,
        headers=headers,
        body=rendered.body,
        secrets=_collect_secrets(request, rendered, headers.get("authorization", ""))
        | frozenset(named_secrets.values()),
        named_secrets=frozenset(named_secrets.values()),
        masked_headers=frozenset(name for name in headers if _is_masked(name, str(request.headers.get(name, "")))),
    )


def _authority(url: str) -> str:
    authority = urlsplit(url).netloc.rpartition("@")[2]
    return authority if authority.isascii() else authority.encode("idna").decode()


_MIN_SECRET_LENGTH: Final = 4
"""Shorter texts also occur by chance; masking them would make logs unreadable."""


def _is_masked(name: str, template: str) -> bool:
    """Whether the value of a header is masked: an encrypted one, or any one whose name suggests a credential."""
    return is_secret_header(name, template) or (suggests_credential(name) and name not in HARMLESS_HEADERS)


def _collect_secrets(request: WebhookRequest, rendered: RenderedRequest, authorization: str) -> frozenset[str]:
    encrypted = [rendered.headers[name] for name, text in request.headers.items() if is_secret_header(name, str(text))]
    values = [*encrypted, authorization]
    # A receiver may echo the token without its scheme ("Bearer ").
    tokens = [value.rpartition(" ")[2] for value in values]
    # Some services take a token as the user, without a password.
    password = rendered.password or rendered.username
    candidates = (*values, *tokens, password, urlsplit(rendered.url).password or "")
    return frozenset(secret for secret in candidates if len(secret) >= _MIN_SECRET_LENGTH)


def sign_request(outgoing: OutgoingRequest, secret: str, *, delivery: str, at: datetime) -> OutgoingRequest:
    """Sign a request, so that its receiver can verify its origin and reject a replay of an old request."""
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + outgoing.body, hashlib.sha256).hexdigest()
    headers = {
        **outgoing.headers,
        "x-treaty-delivery": delivery,
        "x-treaty-timestamp": timestamp,
        "x-treaty-signature-256": f"sha256={digest}",
    }
    return replace(outgoing, headers=headers, secrets=outgoing.secrets | {secret})


def redact_request(outgoing: OutgoingRequest) -> OutgoingRequest:
    """Mask the secrets of a request, so that it can be shown."""
    secrets = outgoing.secrets
    headers = {name: redact_secrets(value, secrets) for name, value in mask_headers(outgoing).items()}
    body = redact_secrets(outgoing.body.decode("utf-8", "replace"), secrets).encode()
    return OutgoingRequest(
        method=outgoing.method, url=redact_secrets(outgoing.url, secrets), headers=headers, body=body
    )


# Outcomes


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookResponse:
    """A receiver's response."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_truncated: bool = False
    """Whether the body was longer than the limit up to which it is read."""


@dataclass(frozen=True, slots=True)
class NoResponse:
    """Why there is no response."""

    kind: str
    reason: str
    is_final: bool = False
    """Whether every further attempt would fail for the same reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A request and its outcome. The request is None if it could not be built."""

    request: OutgoingRequest | None
    outcome: WebhookResponse | NoResponse
    started_at: datetime
    finished_at: datetime

    @property
    def milliseconds(self) -> int:
        return int((self.finished_at - self.started_at) / timedelta(milliseconds=1))

    @property
    def status(self) -> int | None:
        return self.outcome.status if isinstance(self.outcome, WebhookResponse) else None

    @property
    def is_final(self) -> bool:
        return isinstance(self.outcome, NoResponse) and self.outcome.is_final

    def is_success(self, codes: Sequence[int]) -> bool:
        return self.status in codes


@dataclass(frozen=True, slots=True)
class NextStep:
    """Status of a delivery after an attempt, and the delay before the next one."""

    status: DeliveryStatus
    delay: timedelta | None = None


def decide_next_step(*, success: bool, attempts: int, schedule: Sequence[timedelta]) -> NextStep:
    """Decide what follows an attempt. `attempts` includes this one; `schedule` lists the delays between them."""
    if success:
        return NextStep(DeliveryStatus.SUCCESS)
    if attempts <= len(schedule):
        return NextStep(DeliveryStatus.RETRYING, schedule[attempts - 1])
    return NextStep(DeliveryStatus.FAILURE)


# Logs


@dataclass(frozen=True, kw_only=True, slots=True)
class LogFormatter:
    """Rules for formatting the logs of a webhook's attempts."""

    webhook: str
    base_url: str
    can_show_response: bool
    """Whether logs may show responses, which could come from the internal network."""
    is_redacted: bool

    @property
    def redaction_notice(self) -> str:
        return (
            "For security purposes, the response details are not logged. To enable response logging, configure the "
            f"webhook_host_whitelist property. See {self.base_url}/doc/webhooks#whitelist for more information."
        )


def format_log(attempt: Attempt, context: WebhookContext, formatter: LogFormatter, conclusion: str | None) -> str:
    """Format the log of an attempt as the original broker does. `conclusion` is its last line."""
    before = [("DEBUG", f"Webhook context {json.dumps(dict(context), ensure_ascii=False, separators=(',', ':'))}")]
    before += _request_lines(attempt.request, is_redacted=formatter.is_redacted) if attempt.request else []
    after = [*_outcome_lines(attempt, formatter), ("DEBUG", f"Took {attempt.milliseconds} ms")]
    after += [("INFO", conclusion)] if conclusion else []
    lines = _format_lines(before, attempt.started_at) + _format_lines(after, attempt.finished_at)
    # PostgreSQL does not store null characters.
    text = "\n".join(lines).replace("\0", "")
    if attempt.request is None:
        return text
    return redact_secrets(text, attempt.request.secrets if formatter.is_redacted else attempt.request.named_secrets)


def _format_lines(lines: Sequence[tuple[str, str]], at: datetime) -> list[str]:
    return [f"[{at:%Y-%m-%dT%H:%M:%SZ}] {level}: {text}" for level, text in lines]


def _request_lines(request: OutgoingRequest, *, is_redacted: bool) -> list[tuple[str, str]]:
    shown = mask_headers(request) if is_redacted else request.headers
    headers = [f"{name}: {value}" for name, value in shown.items()]
    body = [request.body.decode("utf-8", "replace")] if request.body else []
    return [("INFO", text) for text in (f"HTTP/1.1 {request.method} {request.url}", *headers, *body)]


def mask_headers(request: OutgoingRequest) -> dict[str, str]:
    """Return the headers of a request, with the mask in place of those that are credentials."""
    return {name: MASK if name in request.masked_headers else value for name, value in request.headers.items()}


_REQUEST_LINE: Final = re.compile(r"\[[^]]+\] INFO: HTTP/1\.1 [A-Za-z]+ \S+://")
_HEADER_LINE: Final = re.compile(r"(\[[^]]+\] INFO: ([!#$%&'*+.^_`|~0-9A-Za-z-]+): )(.*)")


def mask_log(text: str, secrets: frozenset[str]) -> str:
    """Mask the credentials in a log that was formatted by other rules: headers of the request, and secrets anywhere."""
    lines, is_in_headers = [], False
    for line in text.split("\n"):
        header = _HEADER_LINE.fullmatch(line) if is_in_headers else None
        is_in_headers = header is not None or _REQUEST_LINE.match(line) is not None
        lines.append(header[1] + MASK if header and _is_masked(header[2].lower(), header[3]) else line)
    return redact_secrets("\n".join(lines), secrets)


def _outcome_lines(attempt: Attempt, formatter: LogFormatter) -> list[tuple[str, str]]:
    match attempt.outcome:
        case NoResponse() as outcome if formatter.can_show_response or attempt.request is None:
            # If no request could be built, the reason reveals nothing about the network.
            return [("ERROR", f"Error executing webhook {formatter.webhook} {outcome.kind} - {outcome.reason}")]
        case NoResponse():
            return [("ERROR", f"Error executing webhook {formatter.webhook}. {formatter.redaction_notice}")]
        case WebhookResponse() as outcome if formatter.can_show_response:
            return _response_lines(outcome)
        case WebhookResponse():
            return [("INFO", formatter.redaction_notice)]


def _response_lines(response: WebhookResponse) -> list[tuple[str, str]]:
    text, is_text = decode_body(response)
    lines = [f"HTTP/1.1 {response.status} {response.reason}".rstrip()]
    lines += [f"{name}: {value}" for name, value in response.headers]
    log_lines = [("INFO", line) for line in (*lines, text)]
    if response.is_truncated:
        log_lines.append(("DEBUG", f"Only the first {len(response.body)} bytes of the response body were read"))
    if not is_text:
        note = "Note that invalid UTF-8 byte sequences were removed from response body before saving the logs"
        log_lines.append(("DEBUG", note))
    return log_lines


def decode_body(response: WebhookResponse) -> tuple[str, bool]:
    """Decode a response's body without invalid bytes. Also returns whether the whole body was valid UTF-8."""
    text = response.body.decode("utf-8", "ignore")
    return text, len(text.encode()) == len(response.body)


def remove_cut_secret(response: WebhookResponse, secrets: frozenset[str]) -> WebhookResponse:
    """Remove the beginning of a secret at the end of a truncated body, which `redact_secrets` would not recognize."""
    if not response.is_truncated:
        return response
    forms = {form.encode("utf-8", "replace") for secret in secrets for form in _escaped_forms(secret)}
    lengths = (length for form in forms for length in range(_MIN_SECRET_LENGTH, len(form)))
    cut = max((length for length in lengths if response.body[-length:] in {form[:length] for form in forms}), default=0)
    return replace(response, body=response.body[: len(response.body) - cut]) if cut else response


def redact_secrets(text: str, secrets: frozenset[str]) -> str:
    """Mask all secrets in a text, in each form that a request or its response may contain."""
    # The longest first: a secret may contain another one.
    for secret in sorted(secrets, key=len, reverse=True):
        for form in _escaped_forms(secret):
            text = text.replace(form, MASK)
    return text


def _escaped_forms(secret: str) -> list[str]:
    """Return a secret as plain text, and as escaped in JSON, URLs and markup, the longest first."""
    # They take 1 MiB with modules for HTTP, and only deliveries have logs.
    from html import escape  # noqa: PLC0415
    from xml.sax.saxutils import escape as escape_markup  # noqa: PLC0415

    in_json = _escape_in_json(secret)
    in_nested_json = tuple(form for text in in_json for form in _escape_in_json(text))
    in_url = (
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
        quote(secret, errors="replace"),
    )
    in_markup = (escape_markup(secret), escape(secret), escape_markup(secret, {'"': "&quot;", "'": "&#39;"}))
    forms = (secret, *in_json, *in_nested_json, *in_url, *map(_lower_escapes, in_url), *in_markup)
    return sorted(frozenset(forms), key=len, reverse=True)


def _escape_in_json(text: str) -> tuple[str, str]:
    """Escape a text as in a JSON string, with other characters than ASCII escaped and as they are."""
    return json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]


def _lower_escapes(text: str) -> str:
    """Write the hexadecimal digits of a percent-encoded text in lower case, as some servers do."""
    return _PERCENT_ESCAPE.sub(lambda match: match[0].lower(), text)


_PERCENT_ESCAPE: Final = re.compile("%[0-9A-F]{2}")
