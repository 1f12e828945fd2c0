"""A small HAL client for any Pact Broker: settings of a connection, retries, links and templates."""

from __future__ import annotations

import base64
import functools
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, Self
from urllib.parse import quote, urljoin

import httpx

from treaty import distribution
from treaty.errors import ClientError, MissingRelation, NotHal, Refused, Unreachable

Json = dict[str, Any]
HttpSend = Callable[[httpx.Request], httpx.Response]
Query = Sequence[tuple[str, str]]

HAL: Final = "application/hal+json"
JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
_WORTH_ANOTHER_TRY: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_LOST: Final = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
_TIMEOUT: Final = httpx.Timeout(60, connect=10)
_HINTS: Final = {
    301: "The broker has moved: give its new address as --broker-base-url.",
    302: "The broker redirects: give the address that it redirects to as --broker-base-url.",
    307: "The broker redirects: give the address that it redirects to as --broker-base-url.",
    308: "The broker has moved: give its new address as --broker-base-url.",
    401: "Check the credentials: --broker-token, or --broker-username and --broker-password.",
    403: "These credentials lack the permission: use others, or ask who runs the broker for it.",
    404: "Check the names that were given, and the path of --broker-base-url.",
    409: "The broker holds something that contradicts this: its answer says what.",
    429: "The broker asks for fewer requests: wait a little, or give more --retries.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tls:
    """Whom to trust. `certificate` is a file of authorities, which count besides the system's."""

    verify: bool = True
    certificate: str | None = None
    trusts_system_store: bool = True
    client_certificate: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often to try, and the seconds before the second try; the wait doubles up to `longest`."""

    attempts: int = 8
    initial_delay: float = 0.5
    max_delay: float = 5

    def delay_after(self, attempt: int) -> float:
        return min(self.initial_delay * 2.0 ** (attempt - 1), self.max_delay)


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerConnection:
    """Where a broker is and how to speak with it. The usual proxy variables count unless `proxy` is given."""

    base_url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: Tls = field(default_factory=Tls)
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    proxy: str | None = None

    @property
    def url(self) -> str:
        return self.base_url.strip().rstrip("/")


@dataclass(frozen=True, slots=True)
class ResourceLink:
    href: str
    name: str = ""
    title: str = ""

    def fill(self, **values: str) -> str:
        """Expand the template; what has no value goes."""
        return re.sub(r"\{(\w+)\}", lambda found: quote(values.get(found[1], ""), safe=""), self.href)

    def with_query(self, wanted: Mapping[str, str]) -> str:
        """Add a query to what the link has."""
        start = self.fill()
        return start + encode_query(list(wanted.items())).replace("?", "&" if "?" in start else "?", 1)


@dataclass(frozen=True, slots=True)
class HalResource:
    """What a broker answered. `body` is empty when the answer is."""

    url: str
    status: int
    headers: Mapping[str, str]
    text: str
    body: Json

    def links(self, relation: str) -> list[ResourceLink]:
        found = (self.body.get("_links") or {}).get(relation) or []
        return [_link(each, self.url) for each in (found if isinstance(found, list) else [found])]

    def link(self, *relations: str) -> ResourceLink:
        """Find the link of the first of the relations that there is; raises MissingRelation."""
        for relation in relations:
            for link in self.links(relation):
                return link
        raise MissingRelation(relations[0], self.url)

    def has_link(self, *relations: str) -> bool:
        return any(relation in (self.body.get("_links") or {}) for relation in relations)

    def embedded(self, name: str) -> list[Json]:
        found: list[Json] = (self.body.get("_embedded") or {}).get(name) or []
        return found

    @property
    def is_pactflow(self) -> bool:
        return any("pactflow" in name.lower() for name in self.headers)


def _link(link: Json, url: str) -> ResourceLink:
    href = str(link.get("href", ""))
    absolute = href if re.match(r"\w+://", href) else urljoin(url, href)
    return ResourceLink(absolute, name=link.get("name") or "", title=link.get("title") or "")


def _silently(_: str) -> None:
    """Tell nobody."""


class BrokerClient:
    """A Pact Broker, reached through its links.

    Every request raises Unreachable, NotHal or Refused unless it succeeds. `note` hears of tries that failed, `trace`
    of each request and answer; `sleep` waits between tries, and `sending` may stand around each.
    """

    def __init__(
        self,
        connection: BrokerConnection,
        *,
        report_retry: Callable[[str], None] = _silently,
        trace: Callable[[str], None] = _silently,
        sleep: Callable[[float], None] = time.sleep,
        wrap_send: Callable[[HttpSend], HttpSend] = lambda send: send,
    ) -> None:
        self.url = connection.url
        self._connection = connection
        self._note = report_retry
        self._trace = trace
        self._sleep = sleep
        self._send = wrap_send(lambda request: self._session(str(request.url)).send(request))
        self._sessions: dict[str, httpx.Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions.values():
            session.close()

    @functools.cached_property
    def index(self) -> HalResource:
        return self.get(self.url)

    def link(self, *relations: str, **values: str) -> str:
        """Give the URL of a relation of the index."""
        return self.index.link(*relations).fill(**values)

    def url_for(self, *segments: str, query: Query = ()) -> str:
        """Give the URL of a path that clients know by heart."""
        path = "".join(f"/{quote(segment, safe='')}" for segment in segments)
        return self.url + path + encode_query(query)

    def get(self, url: str) -> HalResource:
        return self.send("GET", url)

    def find(self, url: str) -> HalResource | None:
        """Get what may not be there."""
        try:
            return self.get(url)
        except Refused as refused:
            if refused.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def post(self, url: str, body: Json | None = None, *, accept: str = HAL) -> HalResource:
        return self.send("POST", url, body or {}, accept=accept)

    def put(self, url: str, body: Json | None = None) -> HalResource:
        return self.send("PUT", url, body or {})

    def patch(self, url: str, body: Json, *, content_type: str = MERGE_PATCH) -> HalResource:
        return self.send("PATCH", url, body, content_type=content_type)

    def delete(self, url: str) -> HalResource:
        return self.send("DELETE", url)

    def send(
        self, method: str, url: str, body: Json | None = None, *, accept: str = HAL, content_type: str = JSON
    ) -> HalResource:
        headers = {"accept": accept} | ({} if body is None else {"content-type": content_type})
        request = self._request(method, url, headers, body)
        self._trace(f"-> {method} {request.url}" + ("" if body is None else f"\n{_dumped(body)}"))
        answer = self._answer(request)
        self._trace(f"<- {answer.status_code} {answer.reason_phrase}\n{answer.text}".rstrip())
        return _resource(url, answer)

    def _request(self, method: str, url: str, headers: dict[str, str], body: Json | None) -> httpx.Request:
        content = None if body is None else _dumped(body).encode()
        try:
            return self._session(url).build_request(method, _with_dots(url), headers=headers, content=content)
        except httpx.InvalidURL as error:
            raise _bad_url(url, str(error)) from error

    def _answer(self, request: httpx.Request) -> httpx.Response:
        for attempt in self._attempts():
            answer = self._try(request, attempt)
            if answer is not None and (self._is_last(attempt) or not _is_passing(answer.status_code)):
                return answer
            self._sleep(_asked_to_wait(answer) or self._connection.retry_policy.delay_after(attempt))
        raise AssertionError  # the last attempt returned or raised

    def _attempts(self) -> Iterator[int]:
        return iter(range(1, max(self._connection.retry_policy.attempts, 1) + 1))

    def _is_last(self, attempt: int) -> bool:
        return attempt >= self._connection.retry_policy.attempts

    def _try(self, request: httpx.Request, attempt: int) -> httpx.Response | None:
        try:
            return self._sent(request)
        except _LOST as error:
            self._note_failure(error, attempt)
            if self._is_last(attempt) or _is_about_trust(error):
                raise _unreachable(request, error) from error
            return None
        except httpx.RequestError as error:
            raise _bad_url(str(request.url), str(error)) from error

    def _sent(self, request: httpx.Request, hops: int = 5) -> httpx.Response:
        """Send, and follow where reading is redirected; a write that is redirected is an answer to report."""
        answer = self._send(request)
        following = answer.next_request if request.method == "GET" and hops else None
        return self._sent(following, hops - 1) if following else answer

    def _note_failure(self, error: Exception, attempt: int) -> None:
        attempts = max(self._connection.retry_policy.attempts, 1)
        kind = type(error).__name__
        self._note(f"ERROR: Error making request - {kind} {error}, attempt {attempt} of {attempts}")

    def _session(self, url: str) -> httpx.Client:
        """Keep one session a scheme: certificates take long to load, and plain HTTP needs none."""
        scheme = url.partition(":")[0].lower()
        if scheme not in self._sessions:
            self._sessions[scheme] = _set_up(self._connection, secure=scheme == "https")
        return self._sessions[scheme]


def _with_dots(url: str) -> str:
    """Escape path segments that are `.` or `..`: they are names here, and httpx would resolve them."""
    path, mark, rest = url.partition("?")
    return re.sub(r"(?<=/)\.{1,2}(?=/|$)", lambda dots: "%2E" * len(dots[0]), path) + mark + rest


def encode_query(query: Query) -> str:
    """Write a query as brokers group it: the brackets of names stay as they are."""
    return "?" * bool(query) + "&".join(f"{name}={quote(value, safe='')}" for name, value in query)


def _dumped(body: Json) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _set_up(connection: BrokerConnection, *, secure: bool) -> httpx.Client:
    try:
        return _session(connection, secure=secure)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise ClientError(
            f"Could not set up the connection: {error}",
            hint="Check the proxy (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY; NO_PROXY names hosts without) and the headers.",
        ) from error


def _session(connection: BrokerConnection, *, secure: bool) -> httpx.Client:
    return httpx.Client(
        headers={"user-agent": f"treaty/{distribution.version()}"}
        | _authorization(connection)
        | dict(connection.headers),
        verify=_trust(connection.tls) if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        proxy=connection.proxy,
        timeout=_TIMEOUT,
    )


def _authorization(connection: BrokerConnection) -> dict[str, str]:
    """Say who we are at once: brokers need not ask first. A token counts before a name."""
    if connection.token:
        return {"authorization": f"Bearer {connection.token.strip()}"}
    if connection.username:
        pair = f"{connection.username}:{connection.password or ''}"
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _trust(tls: Tls) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False) if tls.trusts_system_store else _trust_nobody()
    try:
        _add_certificates(context, tls)
    except OSError as error:
        raise ClientError(
            f"Could not read the certificates: {error}",
            hint="Give a file in PEM form as --ssl-certificate (or SSL_CERT_FILE).",
        ) from error
    return context


def _trust_nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _add_certificates(context: ssl.SSLContext, tls: Tls) -> None:
    if tls.trusts_system_store:
        context.load_default_certs()
    if tls.certificate:
        context.load_verify_locations(tls.certificate)
    if tls.client_certificate:
        context.load_cert_chain(*tls.client_certificate)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE


def _is_passing(status: int) -> bool:
    """Tell whether the same request may well succeed later."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_ANOTHER_TRY


def _asked_to_wait(answer: httpx.Response | None) -> float | None:
    """Give the seconds that a busy broker asks for, and a fifth more, so that its clients do not come back at once."""
    if answer is None or answer.status_code != HTTPStatus.TOO_MANY_REQUESTS or "retry-after" not in answer.headers:
        return None
    asked = answer.headers["retry-after"]
    seconds = float(asked) if asked.isdigit() else _until(asked)
    return seconds + min(seconds / 5, 60)


def _until(date: str) -> float:
    try:
        return max((parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds(), 0)
    except ValueError:
        return 0


def _is_about_trust(error: Exception) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def _unreachable(request: httpx.Request, error: Exception) -> Unreachable:
    hint = "Is the broker running, and is --broker-base-url (PACT_BROKER_BASE_URL) its address?"
    if _is_about_trust(error):
        hint = "Give the authority that signed the broker's certificate as --ssl-certificate (SSL_CERT_FILE)."
    return Unreachable(f"Error making request to {request.url} {str(error) or type(error).__name__}", hint=hint)


def _bad_url(url: str, reason: str) -> Unreachable:
    hint = "Give an address like https://broker.example.org as --broker-base-url (PACT_BROKER_BASE_URL)."
    return Unreachable(f"Error making request to {url} {reason}", hint=hint)


def _resource(url: str, answer: httpx.Response) -> HalResource:
    if not answer.is_success:
        raise Refused(url, status=answer.status_code, body=answer.text, hint=_hint(answer.status_code))
    return HalResource(url, answer.status_code, answer.headers, answer.text, _body(url, answer))


def _hint(status: int) -> str:
    troubled = "The broker has trouble of its own: try again later, or see its log."
    return troubled if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _HINTS.get(status, "")


def _body(url: str, answer: httpx.Response) -> Json:
    try:
        body = json.loads(answer.text) if answer.text.strip() else {}
    except ValueError:
        body = None
    if isinstance(body, dict):
        return body
    kind = answer.headers.get("content-type", "")
    raise NotHal(
        f"Did not get a valid HAL response body from {url}, content type is '{kind}'.",
        hint="Is --broker-base-url the address of a Pact Broker, with its path if it has one?",
    )
