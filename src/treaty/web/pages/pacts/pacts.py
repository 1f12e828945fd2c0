"""The page of a pact: its interactions, what came of verifying it, and its other versions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from treaty.errors import NotFound
from treaty.model.overview.history import ResultInHistory
from treaty.model.pacts import content
from treaty.model.pacts.interactions import Interaction, indented, interactions
from treaty.model.pacts.pacts import Pact, PactKey
from treaty.model.paging import Page as Part
from treaty.model.verifications import interaction_results
from treaty.model.verifications.interaction_results import Tested
from treaty.store import verifications
from treaty.store.overview import history
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import Found
from treaty.web import urls
from treaty.web.api.pacts.differences import heavy_if_large
from treaty.web.api.pacts.pacts import find_as_said, read_metadata
from treaty.web.http.page_queries import part_of
from treaty.web.http.request import Call
from treaty.web.http.results import Afterwards, Page
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission
from treaty.web.urls import Url

router = Router()

SIZE: Final = 50
"""Interactions on a page."""
OPEN: Final = 5
"""Up to how many interactions are shown open."""
MOST_VERSIONS: Final = Part(1, 15)
MOST_RESULTS: Final = 8
LONGEST_RAW: Final = 200_000
"""Characters of a contract that are shown where it holds no interactions; the whole is found in its JSON."""

LARGEST_REMEMBERED: Final = 256 * 1024
"""Bytes of content that is not taken apart anew for each page of it. The same bytes always say the same."""

Find = Callable[..., Found | None]


@dataclass(frozen=True, slots=True)
class _Entry:
    """An interaction in the list of all, with the page of the list that it is on."""

    interaction: Interaction
    page: int
    result: Tested | None
    """What the newest verification said about it, if that is known."""


@router.page(urls.PACT, permission=Permission.READ, other_urls=urls.OTHER_SPELLINGS_OF_PACT)
def show_pact(call: Call, provider: str, consumer: str, version: str) -> Page | Afterwards:
    """Show the pact of a consumer's version."""
    return _shown(call, pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))


@router.page(urls.PACT_VERSION, permission=Permission.READ)
def show_content(call: Call, provider: str, consumer: str, sha: str) -> Page | Afterwards:
    """Show content in its latest publication."""
    return _shown(call, pacts.find_by_sha(call.db, consumer, provider, sha))


@router.page(urls.PACT_VERSION_WITH_METADATA, permission=Permission.READ)
def show_content_as_said(call: Call, provider: str, consumer: str, sha: str, segment: str) -> Page | Afterwards:
    """Show content in the publication that metadata names."""
    return _shown(call, find_as_said(call, provider, consumer, sha, read_metadata(segment)))


def _declare(url: Url, find: Find, *others: Url) -> None:
    """Declare the page of a pact that is the latest of something."""

    @router.page(url, permission=Permission.READ, other_urls=others)
    def show_latest(call: Call, provider: str, consumer: str, *names: str) -> Page | Afterwards:
        return _shown(call, find(call.db, consumer, provider, *names))


_declare(urls.LATEST_PACT, pacts.find_latest, urls.OTHER_SPELLING_OF_LATEST_PACT)
_declare(urls.LATEST_TAGGED_PACT, pacts.find_latest_tagged)
_declare(urls.LATEST_UNTAGGED_PACT, pacts.find_latest_untagged)
_declare(urls.LATEST_BRANCH_PACT, pacts.find_latest_on_branch)


@dataclass(frozen=True, slots=True)
class _Contract:
    """What a page shows of content."""

    specification: str | None
    plugins: Sequence[str]
    interactions: list[Interaction] | None


def _read(body: bytes) -> _Contract:
    return _remembered(body) if len(body) <= LARGEST_REMEMBERED else _taken_apart(body)


def _taken_apart(body: bytes) -> _Contract:
    document = content.read(body)
    return _Contract(content.specification_of(document), content.plugins_of(document), interactions(document))


_remembered: Final = lru_cache(maxsize=16)(_taken_apart)


def _shown(call: Call, found: Found | None) -> Page | Afterwards:
    if found is None:
        raise NotFound
    pact = found.pact
    results = history.results(call.db, pact, most=MOST_RESULTS)
    facts = {
        "pact": pact,
        "address": call.base_url,
        "versions": history.publications(call.db, pact.consumer, pact.provider, MOST_VERSIONS),
        "results": results,
        "there": _there(call, pact),
    }
    newest = _newest_results(call, pact, results)
    return heavy_if_large(lambda: _page(call, found, facts, newest), found.body)


def _page(call: Call, found: Found, facts: dict[str, object], newest: str | None) -> Page:
    contract = _read(found.body)
    facts = {**facts, "specification": contract.specification, "plugins": contract.plugins}
    if contract.interactions is None:
        raw = indented(content.read(found.body).tree)
        return Page("contract.html", {**facts, "raw": raw[:LONGEST_RAW], "is_cut": len(raw) > LONGEST_RAW})
    return Page("pact.html", {**facts, **_listed(call, contract.interactions, interaction_results.read(newest))})


def _newest_results(call: Call, pact: Pact, results: Sequence[ResultInHistory]) -> str | None:
    """Load what the newest verification said about each interaction."""
    if not results:
        return None
    newest = verifications.find(call.db, pact.consumer, pact.provider, pact.sha, results[0].number)
    return newest.test_results if newest else None


def _there(call: Call, pact: Pact) -> object:
    """Find where the consumer's version stands: its branches, tags and environments."""
    return history.place_of(call.db, pact.consumer_version_id, (pact.consumer, pact.version))


def _listed(call: Call, every: list[Interaction], results: list[Tested]) -> dict[str, object]:
    """Choose the interactions that are looked for, and of them a page."""
    wanted, page = call.option("q"), part_of(call, SIZE)
    said = interaction_results.matched(every, results)
    entries = [_Entry(one, at // SIZE + 1, said.get(one.id)) for at, one in enumerate(every)]
    found = [one for one in entries if wanted is None or one.interaction.has(wanted)]
    return {
        "count": len(every),
        "entries": entries,
        "total": len(found),
        "shown": found[page.offset : page.offset + page.limit],
        "page": page,
        "is_open": len(found) <= OPEN,
        "wanted": wanted,
    }
