"""Facts of another broker, read through its links with several requests in parallel.

Facts are JSON objects as `POST /import` accepts them. A resource that the broker does not return is skipped and
reported.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeVar
from urllib.parse import unquote, urlsplit

from treaty.errors import MissingRelation, NotHal, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from treaty.client import BrokerClient, HalResource, Json, Query

    _Response = HalResource | Exception

Subject = TypeVar("Subject")
Result = TypeVar("Result")

_MAX_ROWS: Final = "1000000"
"""More rows than any pact has. Without a limit, the matrix returns a hundred."""
_FATAL_STATUSES: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
_MAX_READ_AHEAD: Final = 100
"""Maximum number of jobs whose responses are fetched before the first of them is used, to bound memory."""
_MAX_READ_AHEAD_CHARACTERS: Final = 20_000_000
_WAIT_SECONDS: Final = 5.0
"""Seconds to wait for a response at a time; in between, the claim is renewed."""
_RESULT_PATH: Final = re.compile(r"/pact-version/([^/]+)/(?:metadata/[^/]*/)?verification-results/(\d+)$")


class PactLink(NamedTuple):
    """A pact of a consumer version, with the number of its revisions that the source lists."""

    consumer: str
    provider: str
    version: str
    href: str
    revisions: int
    created_at: str = ""
    """Time at which the newest revision was published, if the source's lists contain it."""

    @property
    def marker(self) -> str:
        """Text that changes when the version's pact is published again."""
        return f"{self.revisions} {self.created_at}"

    @property
    def name(self) -> str:
        return f"the pact of {self.consumer} {self.version} with {self.provider}"


class ContentKey(NamedTuple):
    """Key of the content of a pact: its pair, and the SHA by which the source identifies it."""

    consumer: str
    provider: str
    sha: str


class ResultLink(NamedTuple):
    """A verification result in a row of the source's matrix."""

    content: ContentKey
    number: int
    verified_at: str
    href: str
    pact_created_at: str

    @property
    def name(self) -> str:
        return f"result {self.number} for the pact between {self.content.consumer} and {self.content.provider}"


class Request(NamedTuple):
    """A resource to fetch, with its name for the report."""

    name: str
    href: str


@dataclass(slots=True)
class ImportSource:
    """The broker to read facts from. `report` is called with the kind, name and reason for each skipped resource.

    Several threads fetch resources ahead of their use, so that the source is never idle while the target writes.
    """

    broker: BrokerClient
    report: Callable[[str, str, str], None]
    renew_claim: Callable[[], None]
    """Called while responses are awaited, so that a slow source does not let the target's claim expire."""
    parallel: int = 4
    _threads: ThreadPoolExecutor = field(init=False)
    _average_size: float = 0
    """Characters of a response, as an average in which the latest ones weigh most."""

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(self.parallel, thread_name_prefix="import")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def find(self, kind: str, request: Request) -> HalResource | None:
        """Fetch a resource; report it and return None if the source does not return it."""
        ((_, (resource,)),) = self.find_all(kind, [(None, [request])])
        return resource

    def find_optional(
        self, kind: str, jobs: Iterable[tuple[Subject, Request]]
    ) -> Iterator[tuple[Subject, HalResource | None]]:
        """Fetch one resource for each job in parallel; None, without a report, where the source has none."""
        waiting: deque[tuple[Subject, Request, Future[_Response]]] = deque()

        def take() -> tuple[Subject, HalResource | None]:
            subject, request, future = waiting.popleft()
            response = self._wait(future)
            is_missing = isinstance(response, Refused) and response.status == HTTPStatus.NOT_FOUND
            return subject, None if is_missing else self._use(kind, request, response)

        for subject, request in jobs:
            waiting.append((subject, request, self._threads.submit(self._fetch, request.href)))
            if len(waiting) > self._max_read_ahead:
                yield take()
        while waiting:
            yield take()

    def find_all(
        self, kind: str, jobs: Iterable[tuple[Subject, Sequence[Request]]]
    ) -> Iterator[tuple[Subject, list[HalResource | None]]]:
        """Fetch the resources of each job in parallel, and yield them with the job's subject, in the order of jobs."""
        waiting: deque[tuple[Subject, list[tuple[Request, Future[_Response]]]]] = deque()
        for subject, requests in jobs:
            futures = [(request, self._threads.submit(self._fetch, request.href)) for request in requests]
            waiting.append((subject, futures))
            while len(waiting) > self._max_read_ahead:
                yield self._take(kind, *waiting.popleft())
        while waiting:
            yield self._take(kind, *waiting.popleft())

    def _take(
        self, kind: str, subject: Subject, futures: Sequence[tuple[Request, Future[_Response]]]
    ) -> tuple[Subject, list[HalResource | None]]:
        return subject, [self._use(kind, request, self._wait(future)) for request, future in futures]

    @property
    def _max_read_ahead(self) -> int:
        """Number of jobs whose resources are fetched before they are used: fewer of large resources."""
        fitting = int(_MAX_READ_AHEAD_CHARACTERS / max(self._average_size, 1))
        return max(self.parallel + 1, min(_MAX_READ_AHEAD, fitting))

    def _use(self, kind: str, request: Request, response: _Response) -> HalResource | None:
        if isinstance(response, Exception):
            self.report(kind, request.name, str(response))
            return None
        self._average_size = 0.9 * self._average_size + 0.1 * len(response.text)
        return response

    def _wait(self, future: Future[Result]) -> Result:
        while True:
            self.renew_claim()
            try:
                return future.result(timeout=_WAIT_SECONDS)
            except TimeoutError:
                if future.done():
                    raise

    def _fetch(self, href: str) -> _Response:
        try:
            return self.broker.get(href)
        except Refused as refused:
            if refused.status in _FATAL_STATUSES or refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return refused
        except NotHal as error:
            return error

    def pages(self, href: str) -> Iterator[HalResource]:
        """Fetch the pages of a list, each while the one before it is used. Raises Refused if one is not returned."""
        future: Future[HalResource] | None = self._threads.submit(self.broker.get, href)
        while future:
            page = self._wait(future)
            links = page.links("next")
            future = self._threads.submit(self.broker.get, links[0].href) if links else None
            yield page

    def lists(
        self, kind: str, jobs: Sequence[tuple[str, Sequence[Request]]], embedded: str
    ) -> Iterator[tuple[str, list[Json]]]:
        """Fetch lists in parallel, with all of their pages, and yield the embedded resources of each."""
        for subject, responses in self.find_all(kind, jobs):
            resources: list[Json] = []
            for response in responses:
                page = response
                while page:
                    resources += page.embedded(embedded)
                    links = page.links("next")
                    page = self.find(kind, Request(f"a page of {subject}", links[0].href)) if links else None
            yield subject, resources

    # Pacticipants and versions

    def pacticipants(self) -> list[Json]:
        request = Request("the applications", self.broker.link("pb:pacticipants"))
        ((_, resources),) = self.lists("pacticipants", [("the applications", [request])], "pacticipants")
        return resources

    def versions(self, pacticipants: Sequence[str]) -> Iterator[tuple[str, list[Json]]]:
        """List the versions of each pacticipant, the oldest first."""
        jobs = [(name, [Request(f"the versions of {name}", self._of(name, "versions"))]) for name in pacticipants]
        for name, versions in self.lists("versions", jobs, "versions"):
            # A version that is added while the pages are read moves others to the next page, where they appear again.
            yield name, list({version["number"]: version for version in reversed(versions)}.values())

    def branches(self, pacticipants: Sequence[str]) -> dict[str, dict[str, Json]]:
        """List the branches of pacticipants by name."""
        query = [("page", "1"), ("size", "500")]
        jobs = [
            (name, [Request(f"the branches of {name}", self._of(name, "branches", query=query))])
            for name in pacticipants
        ]
        return {
            name: {branch["name"]: branch for branch in branches}
            for name, branches in self.lists("versions", jobs, "branches")
        }

    def _of(self, pacticipant: str, kind: str, query: Query = ()) -> str:
        return self.broker.url_for("pacticipants", pacticipant, kind, query=query)

    # Pacts and results

    def with_revisions(self, links: Sequence[PactLink]) -> list[PactLink]:
        """Add the numbers of revisions, and their times, from the lists of pacts of each pair.

        The original broker lists a link for each revision in the versions, Treaty their number in these lists.
        """
        pairs = dict.fromkeys((link.consumer, link.provider) for link in links)
        jobs = [
            (pair, [Request(f"the list of pacts between {pair[0]} and {pair[1]}", self._pacts_of(*pair))])
            for pair in pairs
        ]
        listed_pacts: dict[tuple[str, str, str], Json] = {}
        for pair, (page,) in self.find_all("pacts", jobs):
            for pact in page.embedded("pacts") if page else ():
                listed_pacts[*pair, pact["_embedded"]["consumerVersion"]["number"]] = pact
        return [
            _add_revision(link, listed_pacts.get((link.consumer, link.provider, link.version), {})) for link in links
        ]

    def _pacts_of(self, consumer: str, provider: str) -> str:
        return self.broker.url_for("pacts", "provider", provider, "consumer", consumer, "versions")

    def find_overwritten(
        self, revisions: Sequence[tuple[PactLink, ResultLink]]
    ) -> Iterator[tuple[PactLink, Json | None]]:
        """Fetch overwritten revisions of pacts by their SHAs: their versions no longer have links to them."""
        jobs = [((link, row), [self._overwritten_request(link, row.content.sha)]) for link, row in revisions]
        for (link, row), (pact,) in self.find_all("pacts", jobs):
            fact = {**pact_fact(link, pact, is_current=False), "createdAt": row.pact_created_at} if pact else None
            yield link, fact

    def _overwritten_request(self, link: PactLink, sha: str) -> Request:
        segments = ("pacts", "provider", link.provider, "consumer", link.consumer, "pact-version", sha)
        return Request(f"an overwritten revision of {link.name}", self.broker.url_for(*segments))

    def list_results(self, links: Sequence[PactLink]) -> Iterator[tuple[PactLink, list[ResultLink]]]:
        """List the results of all revisions of each pact. Only the matrix has all of them."""
        jobs = [(link, [Request(f"the results of {link.name}", self._matrix(link))]) for link in links]
        for link, (matrix,) in self.find_all("results", jobs):
            rows = (matrix.body.get("matrix") or []) if matrix else []
            yield link, [result for row in rows if (result := _result_link(row, link))]

    def _matrix(self, link: PactLink) -> str:
        selectors = [("pacticipant", link.consumer), ("version", link.version), ("pacticipant", link.provider)]
        query = [*((f"q[][{name}]", value) for name, value in selectors), ("limit", _MAX_ROWS)]
        return self.broker.url_for("matrix", query=query)


def pact_links(pacticipant: str, version: Json) -> list[PactLink]:
    """List the pacts of a version. The source lists a pact once for each of its revisions."""
    links = (version.get("_links") or {}).get("pb:pact-versions") or []
    hrefs = Counter(link["href"] for link in links)
    return [
        PactLink(pacticipant, provider, version["number"], href, count)
        for href, count in hrefs.items()
        if (provider := _segment_after(href, "provider")) is not None
    ]


def _add_revision(link: PactLink, listed: Json) -> PactLink:
    revisions = max(link.revisions, listed.get("revision") or 1)
    return link._replace(revisions=revisions, created_at=listed.get("createdAt") or "")


def _segment_after(href: str, word: str) -> str | None:
    """Return the segment after a word in a pact's URL. Only the last segments count: the base URL may have the word."""
    segments = urlsplit(href).path.split("/")[-7:]  # pacts, provider, its name, consumer, its name, version, its number
    return unquote(segments[segments.index(word) + 1]) if word in segments[:-1] else None


def pact_fact(link: PactLink, pact: HalResource, *, is_current: bool) -> Json:
    try:
        sha = pact.link("pb:pact-version").name
    except MissingRelation:
        sha = ""  # brokers older than the link; their results cannot be assigned
    return {
        "kind": "pact",
        "consumer": link.consumer,
        "provider": link.provider,
        "version": link.version,
        "createdAt": pact.body.get("createdAt"),
        "content": pact.text,
        "sha": sha,
        "isCurrent": is_current,
        "marker": link.marker,
    }


def _result_link(row: Json, link: PactLink) -> ResultLink | None:
    result = row.get("verificationResult")
    is_of_pair = row["consumer"]["name"] == link.consumer and row["provider"]["name"] == link.provider
    if not result or not is_of_pair:
        return None
    href = result["_links"]["self"]["href"]
    parts = _RESULT_PATH.search(urlsplit(href).path)
    if parts is None:
        return None
    content = ContentKey(link.consumer, link.provider, unquote(parts[1]))
    return ResultLink(content, int(parts[2]), result["verifiedAt"], href, row["pact"]["createdAt"])


def recorded_times(results: Iterable[ResultLink]) -> dict[ResultLink, str]:
    """Estimate when each result was recorded: not before those with lower numbers for the same content.

    `verificationDate` may be any time that the client stated; the numbers are the order in which results arrived.
    """
    latest: dict[ContentKey, str] = {}
    times: dict[ResultLink, str] = {}
    for result in sorted(results, key=lambda result: result.number):
        latest[result.content] = max(result.verified_at, latest.get(result.content, ""))
        times[result] = latest[result.content]
    return times


def select_members(body: Json, *names: str) -> dict[str, Any]:
    """Return those of the named members that a body has."""
    return {name: body[name] for name in names if body.get(name) is not None}


def select_times(body: Json) -> dict[str, Any]:
    """Return the times of a resource. Without `updatedAt`, it was never changed since its creation."""
    created = body.get("createdAt")
    return {"createdAt": created, "updatedAt": body.get("updatedAt") or created}
