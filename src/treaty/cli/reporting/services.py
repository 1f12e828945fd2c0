"""Requests to GitHub, GitLab and Bitbucket: retries, rate limits, pages, and errors with a next step."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import httpx

from treaty.cli.reporting.facts import Report
from treaty.client.connection import BrokerConnection, choose_proxy, open_session
from treaty.client.failures import Target, diagnose
from treaty.client.origins import origin_of, without_userinfo
from treaty.client.redaction import Redactor
from treaty.client.responses import describe_content, describe_refusal
from treaty.errors import ClientError, ForeignOrigin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Json = Any

_MAX_PAGES: Final = 100
_MAX_REDIRECTS: Final = 3
_KEPT_METHOD: Final = {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}
"""Redirects after which a write is sent again as it is."""


class ServiceError(ClientError):
    """A service could not be reached, or refused a request. `status` is None without a response."""

    def __init__(self, text: str, *, hint: str = "", status: int | None = None) -> None:
        super().__init__(text, hint=hint)
        self.status = status

    @property
    def is_denied(self) -> bool:
        """Whether the token is valid, but lacks a permission."""
        return self.status == HTTPStatus.FORBIDDEN


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful response."""

    body: Json
    headers: Mapping[str, str]


class ServiceClient:
    """Client of one service's API. Its token is sent to the origin of the API, and to no other.

    `hints` are next steps by status. With `print_write`, nothing is sent: reads are empty, and writes are printed.
    """

    def __init__(
        self,
        name: str,
        connection: BrokerConnection,
        *,
        hints: Mapping[int, str],
        print_write: Callable[[str], None] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self.name = name
        self.url = connection.url
        self._connection = connection
        self._hints = hints
        self._print_write = print_write
        self._sleep = sleep or time.sleep
        self._redactor = Redactor(connection)
        self._session: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            self._session.close()

    @property
    def is_dry_run(self) -> bool:
        return self._print_write is not None

    def get(self, path: str, **query: str | int) -> Json:
        return self.send("GET", path, query=query).body

    def send(self, method: str, path: str, body: Json = None, *, query: Mapping[str, str | int] | None = None) -> Reply:
        """Send a request to a path of the API, or to a URL from one of its responses. Raises ServiceError."""
        url = self._resolve(path)
        if self._print_write is not None:
            if method != "GET":
                text = "" if body is None else "\n" + json.dumps(body, indent=2, ensure_ascii=False)
                self._print_write(f"{method} {url}{text}")
            return Reply({}, {})
        response = self._send_with_retries(method, url.copy_merge_params(dict(query)) if query else url, body)
        if not response.is_success:
            raise self._refusal(method, response)
        return Reply(self._parse(response), response.headers)

    def list_pages(
        self, path: str, read_items: Callable[[Json], Sequence[Json]], next_url: Callable[[Reply], str | None]
    ) -> Iterator[Json]:
        """Yield the items of all pages."""
        url = path
        for _ in range(_MAX_PAGES):
            reply = self.send("GET", url)
            yield from read_items(reply.body) or ()
            following = next_url(reply)
            if following is None:
                return
            url = following
        # Creating a comment without having seen all of them could duplicate it.
        raise ServiceError(f"{self.name} has more than {_MAX_PAGES} pages of {path.partition('?')[0]}.")

    def _resolve(self, path: str) -> httpx.URL:
        """Return the URL of a path. Raises ForeignOrigin for a URL that would send the token to another origin."""
        url = without_userinfo(httpx.URL(path if re.match(r"\w+://", path) else f"{self.url}/{path}"))
        base = origin_of(httpx.URL(self.url))
        if not base.shares_credentials_with(origin_of(url)):
            text = f"A link of {self.name} leads to {url}, but the token is for {base} only. It was not sent there."
            raise ForeignOrigin(
                text, hint=f"Check the address of {self.name}'s API ({self._connection.address_option})."
            )
        return url

    def _send_with_retries(self, method: str, url: httpx.URL, body: Json) -> httpx.Response:
        policy = self._connection.retry_policy
        for attempt in range(1, max(policy.attempts, 1) + 1):
            response = self._attempt(method, url, body, is_last=policy.is_last(attempt))
            delay = policy.delay_after(attempt)
            if response is not None:
                limit = _requested_delay(response, now=time.time())
                is_temporary = response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or limit is not None
                if not is_temporary or policy.is_last(attempt):
                    return response
                if limit is not None and limit > policy.max_requested_delay:
                    raise self._rate_limit(limit, response.status_code)
                delay = delay if limit is None else limit
            self._sleep(delay)
        raise AssertionError  # the last attempt returned or raised

    def _attempt(self, method: str, url: httpx.URL, body: Json, *, is_last: bool) -> httpx.Response | None:
        """Send a request; None means that the connection failed and another attempt follows."""
        try:
            return self._follow_redirects(method, url, body)
        except (httpx.RequestError, UnicodeError) as error:
            proxy = choose_proxy(self._connection, url)
            target = Target(url=url, option=self._connection.address_option, proxy=str(proxy) if proxy else None)
            failure = diagnose(error, target)
            if failure.is_temporary and not is_last:
                return None
            hint = f"Check the address of {self.name}'s API ({self._connection.address_option}) and the proxy."
            raise ServiceError(f"{self.name} cannot be reached: {failure.reason}", hint=hint) from error

    def _follow_redirects(
        self, method: str, url: httpx.URL, body: Json, remaining: int = _MAX_REDIRECTS
    ) -> httpx.Response:
        """Follow redirects, as after renaming a repository, if they keep the method."""
        response = self._open().request(method, url, json=body)
        follows = method == "GET" or response.status_code in _KEPT_METHOD
        if not response.has_redirect_location or not follows or not remaining:
            return response
        target = self._resolve(str(url.join(response.headers["location"])))
        return self._follow_redirects(method, target, body, remaining - 1)

    def _open(self) -> httpx.Client:
        if self._session is None:
            url = httpx.URL(self.url)
            proxy = choose_proxy(self._connection, url)
            self._session = open_session(self._connection, proxy, is_secure=url.scheme == "https")
        return self._session

    def _rate_limit(self, seconds: float, status: int) -> ServiceError:
        text = f"{self.name} limits requests, and would accept the next one in {seconds / 60:.0f} minutes."
        return ServiceError(text, hint="Run the command again then, or use a token with a higher limit.", status=status)

    def _refusal(self, method: str, response: httpx.Response) -> ServiceError:
        url, status = response.request.url, response.status_code
        reason = self._redactor.redact(describe_refusal(response.text, response.headers.get("content-type", "")))
        text = f"{self.name} refused {method} {url.copy_with(query=None)} with the status {status}: {reason}"
        if response.has_redirect_location:
            return ServiceError(text, hint="It has moved: give the new name of the repository.", status=status)
        is_fault = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        hint = f"Try again later: {self.name} has a fault." if is_fault else self._hints.get(status, "")
        return ServiceError(text, hint=hint, status=status)

    def _parse(self, response: httpx.Response) -> Json:
        if not response.text.strip():
            return None
        try:
            return response.json()
        except (ValueError, RecursionError) as error:
            content = describe_content(response.text, response.headers.get("content-type", ""))
            hint = f"Check the address of {self.name}'s API ({self._connection.address_option})."
            raise ServiceError(f"{self.name} returned no JSON: the response {content}.", hint=hint) from error


def next_link(reply: Reply) -> str | None:
    """Return the URL of the next page in a header Link, as GitHub and GitLab send it."""
    match = re.search(r'<([^<>]+)>\s*;[^,<]*\brel="?next"?', reply.headers.get("link", ""))
    return match[1] if match else None


def _requested_delay(response: httpx.Response, *, now: float) -> float | None:
    """Return the seconds until a rate limit ends; None for other responses.

    GitHub uses 403 for rate limits, too, and then sends the time at which the limit ends, in seconds since 1970.
    """
    if response.status_code not in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}:
        return None
    retry_after, remaining = response.headers.get("retry-after", ""), response.headers.get("x-ratelimit-remaining")
    if retry_after.isdigit():
        return float(retry_after)
    reset = response.headers.get("x-ratelimit-reset") or response.headers.get("ratelimit-reset") or ""
    is_limit = remaining == "0" or response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    if is_limit and reset.isdigit():
        return max(0, float(reset) - now)
    is_secondary = "rate limit" in response.text.lower()
    return 60 if is_limit or is_secondary else None


# Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The places that were written to: sentences for people, and URLs for programs."""

    lines: tuple[str, ...] = ()
    comment_url: str = ""
    check_url: str = ""
    denied: tuple[ServiceError, ...] = ()
    """Parts that the token may not write."""

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            lines=self.lines + other.lines,
            comment_url=self.comment_url or other.comment_url,
            check_url=self.check_url or other.check_url,
            denied=self.denied + other.denied,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A report to write, and its comment. Without `creates_comment`, only an existing comment is updated."""

    report: Report
    comment: str
    marker: str
    creates_comment: bool


# Comments


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    id: int
    body: str
    url: str
    """The URL of its page."""


class Comments(Protocol):
    """The comments of a pull request.

    `list_own` lists comments of the caller only: everyone can write a comment with the marker, and edit it later.
    """

    def list_own(self) -> Sequence[Comment]: ...

    def create(self, body: str, /) -> Comment: ...

    def update(self, comment: Comment, body: str, /) -> None: ...

    def delete(self, comment: Comment, /) -> None: ...


def deliver_comment(comments: Comments, delivery: Delivery) -> Outcome:
    """Create the comment, or update the one that exists. Without permission, the outcome has the refusal."""
    try:
        return _write_comment(comments, delivery)
    except ServiceError as error:
        if not error.is_denied:
            raise
        return Outcome(denied=(error,))


def _write_comment(comments: Comments, delivery: Delivery) -> Outcome:
    """Create the comment with a marker, or update the one that exists.

    Two jobs may create it at the same time. So the comments are listed again after creating, and only the oldest one is
    left, whose text is that of the job which finished last.
    """
    existing = _find_marked(comments, delivery.marker)
    if existing:
        return _keep_oldest(comments, existing, delivery.comment)
    if not delivery.creates_comment:
        return Outcome(lines=("All answers are yes, and there is no earlier comment, so none was written.",))
    created = comments.create(delivery.comment)
    written = _find_marked(comments, delivery.marker)
    if len(written) > 1:
        return _keep_oldest(comments, written, delivery.comment)
    return _describe_comment("Created", created.url)


def _find_marked(comments: Comments, marker: str) -> list[Comment]:
    # Services may remove or normalize white space around the text.
    marked = (comment for comment in comments.list_own() if comment.body.lstrip().startswith(marker))
    return sorted(marked, key=lambda comment: comment.id)


def _keep_oldest(comments: Comments, marked: Sequence[Comment], body: str) -> Outcome:
    oldest, *others = marked
    if oldest.body.strip() != body.strip():
        comments.update(oldest, body)
    for other in others:
        try:
            comments.delete(other)
        except ServiceError as error:
            if error.status != HTTPStatus.NOT_FOUND:  # the other job has deleted it
                raise
    return _describe_comment("Updated", oldest.url)


def _describe_comment(verb: str, url: str) -> Outcome:
    return Outcome(lines=(f"{verb} the comment {url}".rstrip(),), comment_url=url)
