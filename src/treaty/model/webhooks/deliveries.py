"""Deliveries: what is owed to webhooks, the requests that are sent, what came of them, and when to try again."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final
from urllib.parse import quote, quote_plus, urlsplit

from treaty.model.webhooks.parameters import DeliveryFacts, WebhookContext
from treaty.model.webhooks.rendering import render
from treaty.model.webhooks.webhooks import MASK, EncryptedText, WebhookRequest

TRIGGER_TYPE: Final = "resource_creation"


class DeliveryStatus(Enum):
    """How far a delivery has come."""

    NOT_RUN = "not_run"
    RETRYING = "retrying"
    SUCCESS = "success"
    FAILURE = "failure"

    @property
    def is_open(self) -> bool:
        return self in (DeliveryStatus.NOT_RUN, DeliveryStatus.RETRYING)


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuedDelivery:
    """A delivery that an event gives rise to."""

    uuid: str
    webhook: str
    """Its uuid."""
    event: str
    consumer: str
    consumer_version: str
    provider: str
    verification: int | None
    context: WebhookContext


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggeredWebhook:
    """What an event meant for a webhook."""

    uuid: str
    event: str
    status: DeliveryStatus
    attempts: int
    webhook: str | None
    """The webhook's uuid, while there is one."""
    request_name: str | None
    consumer: str
    consumer_version: str | None
    provider: str
    triggered_at: datetime

    def attempts_remaining(self, schedule: Sequence[timedelta]) -> int:
        return max(0, len(schedule) + 1 - self.attempts) if self.status.is_open else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One attempt, as it is told afterwards."""

    success: bool
    status: int | None
    """Of the response."""
    milliseconds: int
    created_at: datetime
    logs: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """All that it takes to send what is owed. Secrets are still sealed."""

    uuid: str
    webhook: str
    request: WebhookRequest
    secret: EncryptedText | None
    facts: DeliveryFacts
    context: WebhookContext
    attempts: int
    triggered_at: datetime
    is_failing: bool
    """Whether its webhook is marked as failing."""

    def is_overdue(self, schedule: Sequence[timedelta], *, at: datetime) -> bool:
        """Whether it had to wait, behind others that failed, for longer than all its attempts would have taken."""
        longest = sum(schedule, timedelta()) * 1.25 + timedelta(seconds=60)
        return self.is_failing and at - self.triggered_at > longest


# The request


@dataclass(frozen=True, kw_only=True, slots=True)
class OutgoingRequest:
    """A request as it is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    secrets: frozenset[str] = frozenset()
    """What must not be told."""


def build_outgoing_request(
    request: WebhookRequest, values: Mapping[str, str], *, user_agent: str, trace: str | None = None
) -> OutgoingRequest:
    """Build the request to send, whose secrets are decrypted. `trace` is the W3C trace context of its event.

    Raises UnusableValue if a value would change what the request means.
    """
    rendered = render(request, values)
    traced = {} if trace is None else {"traceparent": trace}
    headers = {"accept": "*/*", "user-agent": user_agent, **traced, **rendered.headers}
    if rendered.username:
        credentials = base64.b64encode(f"{rendered.username}:{rendered.password}".encode()).decode()
        headers["authorization"] = f"Basic {credentials}"
    headers |= {"host": _authority(rendered.url), "content-length": str(len(rendered.body))}
    return OutgoingRequest(
        method=request.method.upper(),
        url=rendered.url,
        headers=headers,
        body=rendered.body,
        secrets=_secrets(rendered.url, headers, rendered.password),
    )


def _authority(url: str) -> str:
    authority = urlsplit(url).netloc.rpartition("@")[2]
    return authority if authority.isascii() else authority.encode("idna").decode()


_HIDDEN: Final = re.compile("authorization|token", re.IGNORECASE)
_LEAST_SECRET: Final = 4
"""Shorter texts stand everywhere by chance."""


def _secrets(url: str, headers: Mapping[str, str], password: str) -> frozenset[str]:
    hidden = [value for name, value in headers.items() if _HIDDEN.search(name)]
    words = [value.rpartition(" ")[2] for value in hidden]
    return frozenset(
        one for one in (*hidden, *words, password, urlsplit(url).password or "") if len(one) >= _LEAST_SECRET
    )


def sign_request(outgoing: OutgoingRequest, secret: str, *, delivery: str, at: datetime) -> OutgoingRequest:
    """Sign a request, so that its receiver can tell that it comes from here and is not an old one."""
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
    """Put stars in the place of all secrets of a request, for it to be shown."""
    secrets = outgoing.secrets
    shown = {name: redact_secrets(redact_header(name, value), secrets) for name, value in outgoing.headers.items()}
    body = redact_secrets(outgoing.body.decode("utf-8", "replace"), secrets).encode()
    return replace(outgoing, url=redact_secrets(outgoing.url, secrets), headers=shown, body=body, secrets=frozenset())


# What came of it


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookResponse:
    """What a receiver answered."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_truncated: bool = False
    """Whether there was more than is read."""


@dataclass(frozen=True, slots=True)
class NoResponse:
    """Why there is no answer."""

    kind: str
    reason: str
    is_final: bool = False
    """Whether every further attempt would fail for the same reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A request, and what came of it; without a request there was nothing that could be sent."""

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
    """What becomes of a delivery after an attempt: its status, and the delay before the next attempt."""

    status: DeliveryStatus
    delay: timedelta | None = None


def decide_next_step(*, success: bool, attempts: int, schedule: Sequence[timedelta]) -> NextStep:
    """Decide what follows an attempt. `attempts` counts those made, this one included."""
    if success:
        return NextStep(DeliveryStatus.SUCCESS)
    if attempts <= len(schedule):
        return NextStep(DeliveryStatus.RETRYING, schedule[attempts - 1])
    return NextStep(DeliveryStatus.FAILURE)


# Logs


@dataclass(frozen=True, kw_only=True, slots=True)
class LogFormatter:
    """How attempts are told: by which rules, and about which webhook."""

    webhook: str
    base_url: str
    can_show_response: bool
    """Whether what came back may be shown: only where the receivers are known."""
    is_redacted: bool

    @property
    def redaction_notice(self) -> str:
        return (
            "For security purposes, the response details are not logged. To enable response logging, configure the "
            f"webhook_host_whitelist property. See {self.base_url}/doc/webhooks#whitelist for more information."
        )


def format_log(attempt: Attempt, context: WebhookContext, teller: LogFormatter, ending: str | None) -> str:
    """Write the log of an attempt; `ending` says what follows from it."""
    lines = [("DEBUG", f"Webhook context {json.dumps(dict(context), ensure_ascii=False, separators=(',', ':'))}")]
    lines += _request_lines(attempt.request, is_redacted=teller.is_redacted) if attempt.request else []
    start = _stamped(lines, attempt.started_at)
    after = _outcome_lines(attempt, teller)
    after += [("DEBUG", f"Took {attempt.milliseconds} ms")]
    after += [("INFO", ending)] if ending else []
    text = "\n".join(start + _stamped(after, attempt.finished_at)).replace("\0", "")
    return redact_secrets(text, attempt.request.secrets) if attempt.request and teller.is_redacted else text


def _stamped(lines: Sequence[tuple[str, str]], at: datetime) -> list[str]:
    return [f"[{at:%Y-%m-%dT%H:%M:%SZ}] {level}: {text}" for level, text in lines]


def _request_lines(request: OutgoingRequest, *, is_redacted: bool) -> list[tuple[str, str]]:
    headers = [
        f"{name}: {redact_header(name, value) if is_redacted else value}" for name, value in request.headers.items()
    ]
    body = [request.body.decode("utf-8", "replace")] if request.body else []
    return [("INFO", text) for text in (f"HTTP/1.1 {request.method} {request.url}", *headers, *body)]


def redact_header(name: str, value: str) -> str:
    """Show a header that was sent, but no token."""
    return MASK if _HIDDEN.search(name) else value


def _outcome_lines(attempt: Attempt, teller: LogFormatter) -> list[tuple[str, str]]:
    match attempt.outcome:
        case NoResponse() as outcome if teller.can_show_response or attempt.request is None:
            # Without a request, the reason reveals nothing about the network.
            return [("ERROR", f"Error executing webhook {teller.webhook} {outcome.kind} - {outcome.reason}")]
        case NoResponse():
            return [("ERROR", f"Error executing webhook {teller.webhook}. {teller.redaction_notice}")]
        case WebhookResponse() as outcome if teller.can_show_response:
            return _response_lines(outcome)
        case WebhookResponse():
            return [("INFO", teller.redaction_notice)]


def _response_lines(response: WebhookResponse) -> list[tuple[str, str]]:
    text, is_whole = decode_body(response)
    lines = [f"HTTP/1.1 {response.status} {response.reason}".rstrip()]
    lines += [f"{name}: {value}" for name, value in response.headers]
    found = [("INFO", line) for line in (*lines, text)]
    if response.is_truncated:
        found.append(("DEBUG", f"Only the first {len(response.body)} bytes of the response body were read"))
    if not is_whole:
        note = "Note that invalid UTF-8 byte sequences were removed from response body before saving the logs"
        found.append(("DEBUG", note))
    return found


def decode_body(response: WebhookResponse) -> tuple[str, bool]:
    """Read a response's body as text, and say whether all of it was text."""
    text = response.body.decode("utf-8", "ignore")
    return text, len(text.encode()) == len(response.body)


def redact_secrets(text: str, secrets: frozenset[str]) -> str:
    """Put stars in the place of secrets, wherever they stand."""
    for secret in sorted(secrets, key=len, reverse=True):
        for form in _escaped_forms(secret):
            text = text.replace(form, MASK)
    return text


def _escaped_forms(secret: str) -> frozenset[str]:
    """List how a secret is written in the parts of a request."""
    in_json = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    in_url = (quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"))
    return frozenset((secret, *in_json, *in_url))
