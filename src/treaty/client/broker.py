"""Requests to a broker: sending, retrying, following redirects, and errors with a hint."""

from __future__ import annotations

import copy
import functools
import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, Self
from urllib.parse import quote

import httpx

from treaty.client.connection import BrokerConnection, RetryPolicy, choose_proxy, open_session
from treaty.client.failures import ConnectionFailure, Target, diagnose, diagnose_response
from treaty.client.hal import HalResource, Json, Query, ResourceLink, encode_query
from treaty.client.origins import Origin, origin_of, without_userinfo
from treaty.client.redaction import Redactor
from treaty.client.responses import describe_content, describe_refusal, describe_status, find_request_id
from treaty.errors import ForeignOrigin, MissingRelation, NotHal, Refused, Unreachable
from treaty.exact_json import encode, parse_json, serialize
from treaty.outbound_proxies import HttpProxy

HttpSend = Callable[[httpx.Request], httpx.Response]

HAL: Final = "application/hal+json"
JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
_MAX_REDIRECTS: Final = 5
_MAX_EXTRA_DELAY: Final = 60
"""Seconds added to a Retry-After at most."""
_RETRIED_STATUSES: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
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
_PATHS: Final = {
    "pb:publish-contracts": "/contracts/publish",
    "pb:latest-pact-versions": "/pacts/latest",
    "pb:pacticipants": "/pacticipants",
    "pb:pacticipant": "/pacticipants/{pacticipant}",
    "pb:pacticipant-version": "/pacticipants/{pacticipant}/versions/{version}",
    "pb:pacticipant-version-tag": "/pacticipants/{pacticipant}/versions/{version}/tags/{tag}",
    "pb:pacticipant-branch": "/pacticipants/{pacticipant}/branches/{branch}",
    "pb:pacticipant-branch-version": "/pacticipants/{pacticipant}/branches/{branch}/versions/{version}",
    "pb:latest-version": "/pacticipants/{pacticipant}/latest-version",
    "pb:latest-tagged-version": "/pacticipants/{pacticipant}/latest-version/{tag}",
    "pb:provider-pacts-for-verification": "/pacts/provider/{provider}/for-verification",
    "pb:environments": "/environments",
    "pb:environment": "/environments/{uuid}",
    "pb:webhooks": "/webhooks",
    "pb:webhook": "/webhooks/{uuid}",
    "pb:decisions": "/decisions",
    "pb:what-if": "/decisions/what-if",
    "pb:events": "/events",
}
"""The paths of relations of the index, which are the same in all brokers.

A broker leaves out the links that the credentials do not permit to follow. Only a request to their path tells a missing
permission from a broker that is too old for the link.
"""
_NO_SUCH_PATH: Final = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
_SERVER_ERROR_HINT: Final = "The broker failed: try again later, or look into its log{}."
_VERBOSE_HINT: Final = "--verbose shows the whole response."


def _discard(_: str) -> None:
    pass


class BrokerClient:
    """Client of any Pact Broker, used through its links.

    Every request raises Unreachable, NotHal or Refused unless it succeeds. `report_retry` receives a line for each
    failed attempt, `report_warning` each sentence with which the broker warns, once, and `trace` the text of each
    request and response. `sleep` waits between attempts, and `wrap_send` wraps the function that sends each of them.
    """

    def __init__(
        self,
        connection: BrokerConnection,
        *,
        report_retry: Callable[[str], None] = _discard,
        report_warning: Callable[[str], None] = _discard,
        trace: Callable[[str], None] | None = None,
        sleep: Callable[[float], None] | None = None,
        wrap_send: Callable[[HttpSend], HttpSend] = lambda send: send,
    ) -> None:
        self.url = connection.url
        self._connection = connection
        self._report_retry = report_retry
        self._report_warning = report_warning
        self._reported_warnings: set[str] = set()
        self._redactor = Redactor(connection)
        self._trace = trace
        self._sleep = sleep or time.sleep
        self._send_once = wrap_send(lambda request: self._session(request.url).send(request))
        self._sessions: dict[tuple[str, HttpProxy | None], httpx.Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions.values():
            session.close()

    def without_retries(self) -> Self:
        """Return a client with the same sessions that sends each request once, for what helps but is not needed."""
        client = copy.copy(self)
        client._connection = replace(self._connection, retry_policy=RetryPolicy(attempts=1))  # noqa: SLF001 - its own class
        client._report_retry = _discard  # noqa: SLF001 - as above
        return client

    @functools.cached_property
    def index(self) -> HalResource:
        return self.get(self.url)

    def link(self, *relations: str, **values: str) -> str:
        """Return the URL of the index's first of these relations, filled in.

        Raises Refused if the credentials may not follow it, and MissingRelation if the broker does not have it.
        """
        if not self.has_link(*relations, **values):
            raise MissingRelation(relations[0], self.index.url)
        return self.index.link(*relations).fill(**values)

    def has_link(self, *relations: str, **values: str) -> bool:
        """Whether the index has one of the relations. Raises Refused if it lacks them for want of a permission."""
        if self.index.has_link(*relations):
            return True
        try:
            self._follow_unlisted("GET", relations[0], values)
        except (MissingRelation, NotHal):
            return False
        except Refused as refused:
            if refused.is_denied or refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
        return False

    def follow(
        self, method: str, relation: str, values: Mapping[str, str], body: Json | None = None, query: Query = ()
    ) -> HalResource:
        """Send a request to the URL of one of the index's relations, filled in with values.

        Raises MissingRelation if the broker does not have it. If only its link is missing, the request is sent to its
        usual path, so that a missing permission is reported as such.
        """
        if not self.index.has_link(relation):
            return self._follow_unlisted(method, relation, values, body, query)
        return self.send(method, self.index.link(relation).fill(**values) + encode_query(query), body)

    def _follow_unlisted(
        self, method: str, relation: str, values: Mapping[str, str], body: Json | None = None, query: Query = ()
    ) -> HalResource:
        if relation not in _PATHS:
            raise MissingRelation(relation, self.index.url)
        url = ResourceLink(self.url + _PATHS[relation]).fill(**values) + encode_query(query)
        return self.send_unlisted(method, url, body, relation=relation, resource=self.index)

    def send_unlisted(
        self, method: str, url: str, body: Json | str | None = None, *, relation: str, resource: HalResource
    ) -> HalResource:
        """Send a request to the usual path of a relation that a resource lacks.

        Raises MissingRelation if the broker has no such path.
        """
        try:
            return self.send(method, url, body)
        except Refused as refused:
            if refused.status in _NO_SUCH_PATH:
                raise MissingRelation(relation, resource.url) from refused
            raise

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
        self._trace_request(request)
        response = self._send_with_retries(request)
        if response.status_code == HTTPStatus.BAD_REQUEST:
            failure = diagnose_response(response, self._target(response.url))
            if failure:
                raise _unreachable(request.url, failure)
        resource = _parse_response(url, response)
        self._report_warnings(resource.body)
        return resource

    def _report_warnings(self, body: Json) -> None:
        """Report the sentences in `warnings`, with which Treaty names the parts of a request that it ignored.

        Those among the notices are left to the command, which prints all notices.
        """
        warnings, notices = body.get("warnings"), body.get("notices")
        printed = [notice.get("text") for notice in notices if isinstance(notice, dict)] if notices else []
        for warning in warnings if isinstance(warnings, list) else ():
            if isinstance(warning, str) and warning not in self._reported_warnings and warning not in printed:
                self._reported_warnings.add(warning)
                self._report_warning(warning)

    def _build_request(self, method: str, url: str, headers: dict[str, str], body: Json | str | None) -> httpx.Request:
        content = None if body is None else encode(_compact_json(body))
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
            if response is not None and not _is_temporary(response.status_code):
                return response
            if response is not None:
                self._report_attempt(describe_status(response.status_code), attempt)
                if policy.is_last(attempt):
                    return response
            requested_delay = min(_requested_delay(response) or 0, policy.max_requested_delay)
            self._sleep(requested_delay or policy.delay_after(attempt))
        raise AssertionError  # the last attempt returned or raised

    def _report_attempt(self, failure: str, attempt: int) -> None:
        # The wording is the original client's, which log searches of its users rely on.
        attempts = max(self._connection.retry_policy.attempts, 1)
        self._report_retry(f"ERROR: Error making request - {failure}, attempt {attempt} of {attempts}")

    def _attempt(self, request: httpx.Request, attempt: int) -> httpx.Response | None:
        """Send a request; None means that the connection failed and another attempt follows."""
        try:
            return self._send_following_redirects(request)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise _invalid_url(str(request.url), str(error)) from error
        except (httpx.RequestError, UnicodeError) as error:
            # A redirect may lead to another host than the request.
            failure = diagnose(error, self._target(_find_request(error, request).url))
            if failure.is_temporary:
                self._report_attempt(f"{type(error).__name__} {error}", attempt)
            if not failure.is_temporary or self._connection.retry_policy.is_last(attempt):
                raise _unreachable(request.url, failure) from error
            return None

    def _target(self, url: httpx.URL) -> Target:
        proxy = choose_proxy(self._connection, url)
        return Target(url=url, option=self._connection.address_option, proxy=str(proxy) if proxy else None)

    def _send_following_redirects(self, request: httpx.Request, remaining: int = _MAX_REDIRECTS) -> httpx.Response:
        """Follow redirects of reads only: a redirected write could reach another broker, or arrive as a GET."""
        response = self._send_once(request)
        self._trace_response(response)
        next_request = response.next_request if request.method == "GET" and remaining else None
        if next_request is None:
            return response
        next_request.url = without_userinfo(next_request.url)
        self._check_origin(next_request.url, f"The redirect from {request.url}")
        return self._send_following_redirects(next_request, remaining - 1)

    def _trace_request(self, request: httpx.Request) -> None:
        if self._trace:
            body = self._redactor.redact_request(request.content.decode())
            self._trace(f"-> {request.method} {request.url}\n{body}".rstrip())

    def _trace_response(self, response: httpx.Response) -> None:
        if self._trace:
            headers = "".join(f"{name}: {value}\n" for name, value in self._redactor.redact_headers(response.headers))
            body = self._redactor.redact(response.text)
            self._trace(f"<- {response.status_code} {response.reason_phrase}\n{headers}\n{body}".rstrip())

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
    return body if isinstance(body, str) else serialize(body)


def _is_temporary(status: int) -> bool:
    """Whether the same request may succeed later."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _RETRIED_STATUSES


def _requested_delay(response: httpx.Response | None) -> float | None:
    """Return the seconds that a 429 response requests, plus a fifth, so that its clients do not return all at once."""
    if response is None or response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
        return None
    if "retry-after" not in response.headers:
        return None
    seconds = _read_retry_after(response)
    return seconds + min(seconds / 5, _MAX_EXTRA_DELAY)


def _read_retry_after(response: httpx.Response) -> float:
    """Return the seconds in `Retry-After`; 0 if it is missing. RFC 9110: a number of seconds, or a date."""
    retry_after = response.headers.get("retry-after", "0")
    is_number = retry_after.isascii() and retry_after.isdigit()
    return float(retry_after) if is_number else _seconds_until(retry_after)


def _seconds_until(date: str) -> float:
    try:
        until = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return 0
    # The zone -0000 is parsed as none. It means UTC.
    return max(((until if until.tzinfo else until.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds(), 0)


def _find_request(error: Exception, request: httpx.Request) -> httpx.Request:
    """Return the request that failed, which a redirect may have replaced."""
    try:
        return error.request if isinstance(error, httpx.RequestError) else request
    except RuntimeError:  # the error has none
        return request


def _unreachable(url: httpx.URL, failure: ConnectionFailure) -> Unreachable:
    return Unreachable(f"Error making request to {url}: {failure.reason}", hint=failure.hint)


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
    return Unreachable(f"Error making request to {url}: {reason.rstrip('.')}.", hint=hint)


def _parse_response(url: str, response: httpx.Response) -> HalResource:
    status, text = response.status_code, response.text
    if not response.is_success:
        reason = describe_refusal(text, response.headers.get("content-type", ""))
        hint, retry_after = _choose_hint(response), _read_retry_after(response)
        raise Refused(url, status=status, body=text, reason=reason, hint=hint, retry_after=retry_after)
    return HalResource(url, status, response.headers, text, _parse_body(url, response))


def _choose_hint(response: httpx.Response) -> str:
    status, text = response.status_code, response.text
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        request_id = find_request_id(response.headers, text)
        hint = _SERVER_ERROR_HINT.format(f" for the request {request_id}" if request_id else "")
    else:
        permission = _describe_missing_permission(text) if status == HTTPStatus.FORBIDDEN else ""
        hint = permission or _HINTS.get(status, "")
    return hint if text.lstrip().startswith("{") or not text.strip() else f"{hint} {_VERBOSE_HINT}".strip()


def _describe_missing_permission(text: str) -> str | None:
    """Return the hint for missing scopes, applications or permissions; None if the response does not name any."""
    try:
        body = json.loads(text)
        scopes, applications = (" or ".join(body.get(name, ())) for name in ("missingScopes", "missingApplications"))
        permission = body.get("missingPermission")
    except (ValueError, AttributeError, TypeError):
        return None
    if scopes:
        return f"This token lacks the scope {scopes}: use one that has it, or ask the broker's administrator for it."
    if applications:
        return f"This token is not for {applications}: use one that is, or ask the broker's administrator for it."
    if isinstance(permission, str):
        return f"These credentials lack the permission to {permission}: use others, or ask the broker's administrator."
    return None


def _parse_body(url: str, response: httpx.Response) -> Json:
    """Parse the body of a success. Only a write, or a response without content, may have none. Raises NotHal."""
    text = response.text.strip()
    may_be_empty = response.request.method != "GET" or response.status_code == HTTPStatus.NO_CONTENT
    if not text and may_be_empty:
        return {}
    try:
        body = parse_json(text)[0]
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return body
    content_type = response.headers.get("content-type", "")
    raise NotHal(
        f"Did not get a valid HAL response body from {url}, content type is '{content_type}', "
        f"status={response.status_code}: the response {describe_content(text, content_type)}.",
        hint=f"Is --broker-base-url the address of a Pact Broker, with its path if it has one? {_VERBOSE_HINT}",
    )
