"""Requests to a broker: sending, retrying, following redirects, and errors with a hint."""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, Self
from urllib.parse import quote

import httpx

from treaty.client.connection import BrokerConnection, RetryPolicy, choose_proxy, open_session
from treaty.client.hal import HalResource, Json, Query, encode_query
from treaty.client.origins import Origin, origin_of, without_userinfo
from treaty.errors import ForeignOrigin, NotHal, Refused, Unreachable
from treaty.outbound_proxies import HttpProxy

HttpSend = Callable[[httpx.Request], httpx.Response]

HAL: Final = "application/hal+json"
JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
_MAX_REDIRECTS: Final = 5
_MAX_EXTRA_DELAY: Final = 60
"""Seconds added to a Retry-After at most."""
_RETRIED_STATUSES: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_CONNECTION_ERRORS: Final = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
_HINTS: Final = {
    301: "The broker has moved: give its new address as --broker-base-url.",
    302: "The broker redirects: give the address that it redirects to as --broker-base-url.",
    307: "The broker redirects: give the address that it redirects to as --broker-base-url.",
    308: "The broker has moved: give its new address as --broker-base-url.",
    401: "Check the credentials: --broker-token, or --broker-username and --broker-password.",
    403: "These credentials lack the permission: use others, or ask the broker's administrator for it.",
    404: "Check the names, and the path of --broker-base-url.",
    407: "The proxy requires credentials: write them in its address, as in HTTP_PROXY=http://user:password@host:port.",
    409: "The request conflicts with data in the broker; its response gives the reason.",
    429: "The broker limits requests: wait a little, or give more --retries.",
}
_SERVER_ERROR_HINT: Final = "The broker failed: try again later, or look into its log."


def _discard(_: str) -> None:
    pass


class BrokerClient:
    """Client of any Pact Broker, used through its links.

    Every request raises Unreachable, NotHal or Refused unless it succeeds. `report_retry` receives a line for each
    failed attempt, `trace` the text of each request and response. `sleep` waits between attempts, and `wrap_send`
    wraps the function that sends each of them.
    """

    def __init__(
        self,
        connection: BrokerConnection,
        *,
        report_retry: Callable[[str], None] = _discard,
        trace: Callable[[str], None] = _discard,
        sleep: Callable[[float], None] = time.sleep,
        wrap_send: Callable[[HttpSend], HttpSend] = lambda send: send,
    ) -> None:
        self.url = connection.url
        self._connection = connection
        self._report_retry = report_retry
        self._trace = trace
        self._sleep = sleep
        self._send_once = wrap_send(lambda request: self._session(request.url).send(request))
        self._sessions: dict[tuple[str, HttpProxy | None], httpx.Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions.values():
            session.close()

    @functools.cached_property
    def index(self) -> HalResource:
        return self.get(self.url)

    def link(self, *relations: str, **values: str) -> str:
        """Return the URL of the index's first of these relations, filled in. Raises MissingRelation."""
        return self.index.link(*relations).fill(**values)

    def url_for(self, *segments: str, query: Query = ()) -> str:
        """Return the URL of a path that has no link, or that the original client also builds itself."""
        path = "".join(f"/{quote(segment, safe='')}" for segment in segments)
        return self.url + path + encode_query(query)

    def get(self, url: str) -> HalResource:
        return self.send("GET", url)

    def find(self, url: str) -> HalResource | None:
        """Return a resource, or None if it does not exist."""
        try:
            return self.get(url)
        except Refused as refused:
            if refused.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def post(self, url: str, body: Json | None = None, *, accept: str = HAL) -> HalResource:
        return self.send("POST", url, body or {}, accept=accept)

    def put(self, url: str, body: Json | str | None = None) -> HalResource:
        return self.send("PUT", url, body or {})

    def patch(self, url: str, body: Json | str, *, content_type: str = MERGE_PATCH) -> HalResource:
        return self.send("PATCH", url, body, content_type=content_type)

    def delete(self, url: str) -> HalResource:
        return self.send("DELETE", url)

    def send(
        self, method: str, url: str, body: Json | str | None = None, *, accept: str = HAL, content_type: str = JSON
    ) -> HalResource:
        """Send a request. A body that is a text is JSON already."""
        headers = {"accept": accept} | ({} if body is None else {"content-type": content_type})
        request = self._build_request(method, url, headers, body)
        self._trace(f"-> {method} {request.url}" + ("" if body is None else f"\n{_compact_json(body)}"))
        response = self._send_with_retries(request)
        self._trace(f"<- {response.status_code} {response.reason_phrase}\n{response.text}".rstrip())
        return _parse_response(url, response)

    def _build_request(self, method: str, url: str, headers: dict[str, str], body: Json | str | None) -> httpx.Request:
        # A surrogate that is no pair has no bytes in UTF-8; as an escape sequence, it is valid JSON.
        content = None if body is None else _compact_json(body).encode(errors="backslashreplace")
        try:
            request_url = without_userinfo(httpx.URL(_escape_dot_segments(url)))
            self._check_origin(request_url, "A link in the broker's responses")
            return self._session(request_url).build_request(method, request_url, headers=headers, content=content)
        except httpx.InvalidURL as error:
            raise _invalid_url(url, str(error)) from error

    def check_origin(self, url: str, source: str) -> None:
        """Raise ForeignOrigin if a URL from some source, which the error names, is at another origin."""
        self._check_origin(httpx.URL(url), source)

    def _check_origin(self, url: httpx.URL, source: str) -> None:
        """Raise ForeignOrigin if a request to a URL would send the credentials to another origin."""
        if self._connection.has_credentials and not self._origin.shares_credentials_with(origin_of(url)):
            raise _foreign_origin(self._connection, url, source)

    @functools.cached_property
    def _origin(self) -> Origin:
        return origin_of(httpx.URL(self.url))

    def _send_with_retries(self, request: httpx.Request) -> httpx.Response:
        policy = self._connection.retry_policy
        for attempt in range(1, max(policy.attempts, 1) + 1):
            response = self._attempt(request, attempt)
            if response is not None and (policy.is_last(attempt) or not _is_temporary(response.status_code)):
                return response
            requested_delay = min(_requested_delay(response) or 0, policy.max_requested_delay)
            self._sleep(requested_delay or policy.delay_after(attempt))
        raise AssertionError  # the last attempt returned or raised

    def _attempt(self, request: httpx.Request, attempt: int) -> httpx.Response | None:
        """Send a request; None means that the connection failed and another attempt follows."""
        try:
            return self._send_following_redirects(request)
        except _CONNECTION_ERRORS as error:
            policy = self._connection.retry_policy
            # The wording is the original client's, which log searches of its users rely on.
            self._report_retry(
                f"ERROR: Error making request - {type(error).__name__} {error}, "
                f"attempt {attempt} of {max(policy.attempts, 1)}"
            )
            if policy.is_last(attempt) or _is_untrusted_certificate(error):
                raise _unreachable(request, error) from error
            return None
        except httpx.RequestError as error:
            raise _invalid_url(str(request.url), str(error)) from error

    def _send_following_redirects(self, request: httpx.Request, remaining: int = _MAX_REDIRECTS) -> httpx.Response:
        """Follow redirects of reads only: a redirected write could reach another broker, or arrive as a GET."""
        response = self._send_once(request)
        next_request = response.next_request if request.method == "GET" and remaining else None
        if next_request is None:
            return response
        next_request.url = without_userinfo(next_request.url)
        self._check_origin(next_request.url, f"The redirect from {request.url}")
        return self._send_following_redirects(next_request, remaining - 1)

    def _session(self, url: httpx.URL) -> httpx.Client:
        """Return the session for a URL's scheme and proxy: links may differ in these from the base URL."""
        key = url.scheme, choose_proxy(self._connection, url)
        if key not in self._sessions:
            self._sessions[key] = open_session(self._connection, key[1], is_secure=url.scheme == "https")
        return self._sessions[key]


def check_links(connection: BrokerConnection) -> None:
    """Raise ForeignOrigin if links of a broker's index lead to another origin, and there are credentials.

    For Pact's own verifier, which follows links itself, and publishes results with the credentials wherever a link
    leads. Other errors are left to it.
    """
    if connection.has_credentials:
        once = replace(connection, retry_policy=RetryPolicy(attempts=1))
        with suppress(Unreachable, Refused, NotHal), BrokerClient(once) as broker:
            for relation in broker.index.body.get("_links") or {}:
                for link in broker.index.links(relation):
                    broker.check_origin(link.href, f"The link {relation} of {broker.url}")


def _escape_dot_segments(url: str) -> str:
    """Escape path segments that are `.` or `..`: they are names of branches or tags, and httpx would resolve them."""
    path, mark, rest = url.partition("?")
    return re.sub(r"(?<=/)\.{1,2}(?=/|$)", lambda dots: "%2E" * len(dots[0]), path) + mark + rest


def _compact_json(body: Json | str) -> str:
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _is_temporary(status: int) -> bool:
    """Whether the same request may succeed later."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _RETRIED_STATUSES


def _requested_delay(response: httpx.Response | None) -> float | None:
    """Return the seconds that a 429 response requests, plus a fifth, so that its clients do not return all at once."""
    if response is None or response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
        return None
    retry_after = response.headers.get("retry-after")
    if retry_after is None:
        return None
    # RFC 9110: a number of seconds, or a date.
    is_number = retry_after.isascii() and retry_after.isdigit()
    seconds = float(retry_after) if is_number else _seconds_until(retry_after)
    return seconds + min(seconds / 5, _MAX_EXTRA_DELAY)


def _seconds_until(date: str) -> float:
    try:
        until = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return 0
    # The zone -0000 is parsed as none. It means UTC.
    return max(((until if until.tzinfo else until.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds(), 0)


def _is_untrusted_certificate(error: Exception) -> bool:
    # httpx wraps the ssl module's error in a ConnectError, which has the text but not the type.
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def _unreachable(request: httpx.Request, error: Exception) -> Unreachable:
    hint = "Is the broker running, and is --broker-base-url (PACT_BROKER_BASE_URL) its address?"
    if _is_untrusted_certificate(error):
        hint = "Give the authority that signed the broker's certificate as --ssl-certificate (SSL_CERT_FILE)."
    return Unreachable(f"Error making request to {request.url} {str(error) or type(error).__name__}", hint=hint)


def _foreign_origin(connection: BrokerConnection, url: httpx.URL, source: str) -> ForeignOrigin:
    option = connection.address_option
    return ForeignOrigin(
        f"{source} leads to {url}, but the credentials are for {origin_of(httpx.URL(connection.url))} only. "
        "They were not sent there.",
        hint=f"If both addresses are the same broker's, give the one in its links as {option}, or correct the links: "
        "set the broker's address (treaty serve --base-url, or PACT_BROKER_BASE_URL of the original broker), or let "
        "its proxy send X-Forwarded-Host and X-Forwarded-Proto.",
    )


def _invalid_url(url: str, reason: str) -> Unreachable:
    hint = "Give an address like https://broker.example.org as --broker-base-url (PACT_BROKER_BASE_URL)."
    return Unreachable(f"Error making request to {url} {reason}", hint=hint)


def _parse_response(url: str, response: httpx.Response) -> HalResource:
    status = response.status_code
    if not response.is_success:
        raise Refused(url, status=status, body=response.text, hint=_choose_hint(status, response.text))
    return HalResource(url, status, response.headers, response.text, _parse_body(url, response))


def _choose_hint(status: int, text: str) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _SERVER_ERROR_HINT
    if status == HTTPStatus.FORBIDDEN:
        return _find_missing_scope(text) or _HINTS[status]
    return _HINTS.get(status, "")


def _find_missing_scope(text: str) -> str | None:
    """Return the hint for a token whose scopes or applications do not suffice; None for another reason."""
    try:
        body = json.loads(text)
        scopes, applications = (" or ".join(body.get(name, ())) for name in ("missingScopes", "missingApplications"))
    except (ValueError, AttributeError, TypeError):
        return None
    if scopes:
        return f"This token lacks the scope {scopes}: use one that has it, or ask the broker's administrator for it."
    if applications:
        return f"This token is not for {applications}: use one that is, or ask the broker's administrator for it."
    return None


def _parse_body(url: str, response: httpx.Response) -> Json:
    try:
        body = json.loads(response.text) if response.text.strip() else {}
    except ValueError:
        body = None
    if isinstance(body, dict):
        return body
    content_type = response.headers.get("content-type", "")
    raise NotHal(
        f"Did not get a valid HAL response body from {url}, content type is '{content_type}'.",
        hint="Is --broker-base-url the address of a Pact Broker, with its path if it has one?",
    )
