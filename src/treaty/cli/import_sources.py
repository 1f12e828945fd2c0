"""Facts of another broker, read through its links with several requests in parallel.

Facts are JSON objects as `POST /import` accepts them. A resource that the broker does not return is skipped and
reported.
"""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from treaty.errors import MissingRelation, NotHal, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from treaty.client import BrokerClient, HalResource, Json

_MAX_ROWS: Final = "1000000"
"""More rows than any pact has. Without a limit, the matrix returns a hundred."""
_FATAL_STATUSES: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
_MAX_READ_AHEAD: Final = 100
"""Maximum number of responses that are fetched before the first of them is used, to bound memory."""
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


@dataclass(slots=True)
class ImportSource:
    """The broker to read facts from. `report` is called with the reason for each skipped resource."""

    broker: BrokerClient
    report: Callable[[str], None]
    renew_claim: Callable[[], None]
    """Called before each response is used, so that a slow source does not let the target's claim expire."""
    parallel: int = 4
    _threads: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(self.parallel, thread_name_prefix="import")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def find(self, name: str, href: str) -> HalResource | None:
        """Fetch a resource; report it and return None if the source does not return it."""
        resource = self._fetch(href)
        if isinstance(resource, Exception):
            self.report(f"{name}: {resource}")
            return None
        return resource

    def find_all(self, named: Sequence[tuple[str, str]]) -> Iterator[HalResource | None]:
        """Fetch resources, given by name and URL, in parallel, and yield them in their order."""
        for start in range(0, len(named), _MAX_READ_AHEAD):
            batch = named[start : start + _MAX_READ_AHEAD]
            for (name, _), resource in zip(
                batch, self._threads.map(self._fetch, [href for _, href in batch]), strict=True
            ):
                self.renew_claim()
                if isinstance(resource, Exception):
                    self.report(f"{name}: {resource}")
                    yield None
                else:
                    yield resource

    def _fetch(self, href: str) -> HalResource | Exception:
        try:
            return self.broker.get(href)
        except Refused as refused:
            if refused.status in _FATAL_STATUSES or refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return refused
        except NotHal as error:
            return error

    def embedded(self, name: str, href: str, kind: str) -> list[Json]:
        """List the embedded resources of all pages of a list."""
        resources: list[Json] = []
        next_href: str | None = href
        while next_href:
            self.renew_claim()
            page = self.find(name, next_href)
            resources += page.embedded(kind) if page else []
            links = page.links("next") if page else []
            next_href = links[0].href if links else None
        return resources

    # Pacticipants and versions

    def pacticipants(self) -> list[Json]:
        return self.embedded("the applications", self.broker.link("pb:pacticipants"), "pacticipants")

    def versions(self, pacticipant: str) -> list[Json]:
        """List the versions of a pacticipant, the oldest first."""
        href = self.broker.url_for("pacticipants", pacticipant, "versions")
        versions = self.embedded(f"the versions of {pacticipant}", href, "versions")
        # A version that is added while the pages are read moves others to the next page, where they appear again.
        return list({version["number"]: version for version in reversed(versions)}.values())

    def branches(self, pacticipant: str) -> dict[str, Json]:
        """List the branches of a pacticipant by name."""
        query = [("page", "1"), ("size", "500")]
        href = self.broker.url_for("pacticipants", pacticipant, "branches", query=query)
        branches = self.embedded(f"the branches of {pacticipant}", href, "branches")
        return {branch["name"]: branch for branch in branches}

    # Pacts and results

    def with_revisions(self, links: Sequence[PactLink]) -> list[PactLink]:
        """Add the numbers of revisions, and their times, from the lists of pacts of each pair.

        The original broker lists a link for each revision in the versions, Treaty their number in these lists.
        """
        pairs = list(dict.fromkeys((link.consumer, link.provider) for link in links))
        named = [
            (f"the list of pacts between {consumer} and {provider}", self._pacts_of(consumer, provider))
            for consumer, provider in pairs
        ]
        listed_pacts: dict[tuple[str, str, str], Json] = {}
        for pair, page in zip(pairs, self.find_all(named), strict=True):
            for pact in page.embedded("pacts") if page else ():
                listed_pacts[*pair, pact["_embedded"]["consumerVersion"]["number"]] = pact
        return [
            _add_revision(link, listed_pacts.get((link.consumer, link.provider, link.version), {})) for link in links
        ]

    def _pacts_of(self, consumer: str, provider: str) -> str:
        return self.broker.url_for("pacts", "provider", provider, "consumer", consumer, "versions")

    def find_overwritten(self, link: PactLink, row: ResultLink) -> Json | None:
        """Fetch an overwritten revision of a pact by its SHA: its version no longer has a link to it."""
        segments = ("pacts", "provider", link.provider, "consumer", link.consumer, "pact-version", row.content.sha)
        pact = self.find(f"an overwritten revision of {link.name}", self.broker.url_for(*segments))
        return {**pact_fact(link, pact, is_current=False), "createdAt": row.pact_created_at} if pact else None

    def list_results(self, links: Sequence[PactLink]) -> Iterator[list[ResultLink]]:
        """List the results of all revisions of each pact. Only the matrix has all of them."""
        named = [(f"the results of {link.name}", self._matrix(link)) for link in links]
        for link, matrix in zip(links, self.find_all(named), strict=True):
            rows = (matrix.body.get("matrix") or []) if matrix else []
            yield [result for row in rows if (result := _result_link(row, link))]

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
