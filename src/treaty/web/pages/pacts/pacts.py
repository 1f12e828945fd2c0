"""The page of a pact: its interactions, what came of verifying it, and its other versions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from treaty.errors import NotFound
from treaty.model.overview.history import ResultInHistory
from treaty.model.pacts import content
from treaty.model.pacts.interactions import Interaction, format_json, read_interactions
from treaty.model.pacts.pacts import Pact, PactKey
from treaty.model.paging import Page as Part
from treaty.model.verifications import interaction_results
from treaty.model.verifications.interaction_results import InteractionResult
from treaty.store import verifications
from treaty.store.overview import history
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import PactWithBody
from treaty.web import urls
from treaty.web.api.pacts.differences import defer_if_large
from treaty.web.api.pacts.pacts import find_with_metadata, read_metadata
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission
from treaty.web.urls import Url

router = Router()

PAGE_SIZE: Final = 50
"""Interactions on a page."""
MAX_OPEN_INTERACTIONS: Final = 5
"""Up to how many interactions are shown open."""
VERSIONS_PAGE: Final = Part(1, 15)
MAX_RESULTS: Final = 8
MAX_RAW_LENGTH: Final = 200_000
"""Characters of a contract that are shown where it holds no interactions; the whole is found in its JSON."""

MAX_CACHED_BYTES: Final = 256 * 1024
"""Bytes of content that is not taken apart anew for each page of it. The same bytes always say the same."""

FindPact = Callable[..., PactWithBody | None]


@dataclass(frozen=True, slots=True)
class _InteractionEntry:
    """An interaction in the list of all, with the page of the list that it is on."""

    interaction: Interaction
    page: int
    result: InteractionResult | None
    """What the newest verification said about it, if that is known."""


@router.page(urls.PACT, permission=Permission.READ, aliases=urls.PACT_ALIASES)
def show_pact(call: Request, provider: str, consumer: str, version: str) -> HtmlPage | AfterCommit:
    """Show the pact of a consumer's version."""
    return _shown(call, pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))


@router.page(urls.PACT_VERSION, permission=Permission.READ)
def show_content(call: Request, provider: str, consumer: str, sha: str) -> HtmlPage | AfterCommit:
    """Show content in its latest publication."""
    return _shown(call, pacts.find_by_sha(call.db, consumer, provider, sha))


@router.page(urls.PACT_VERSION_WITH_METADATA, permission=Permission.READ)
def show_content_as_said(call: Request, provider: str, consumer: str, sha: str, segment: str) -> HtmlPage | AfterCommit:
    """Show content in the publication that metadata names."""
    return _shown(call, find_with_metadata(call, provider, consumer, sha, read_metadata(segment)))


def _declare(url: Url, find: FindPact, *others: Url) -> None:
    """Declare the page of a pact that is the latest of something."""

    @router.page(url, permission=Permission.READ, aliases=others)
    def show_latest(call: Request, provider: str, consumer: str, *names: str) -> HtmlPage | AfterCommit:
        return _shown(call, find(call.db, consumer, provider, *names))


_declare(urls.LATEST_PACT, pacts.find_latest, urls.LATEST_PACT_ALIAS)
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
    return _remembered(body) if len(body) <= MAX_CACHED_BYTES else _taken_apart(body)


def _taken_apart(body: bytes) -> _Contract:
    document = content.parse_document(body)
    return _Contract(
        content.find_specification_version(document), content.list_plugins(document), read_interactions(document)
    )


_remembered: Final = lru_cache(maxsize=16)(_taken_apart)


def _shown(call: Request, found: PactWithBody | None) -> HtmlPage | AfterCommit:
    if found is None:
        raise NotFound
    pact = found.pact
    results = history.list_results(call.db, pact, limit=MAX_RESULTS)
    facts = {
        "pact": pact,
        "address": call.base_url,
        "versions": history.list_publications(call.db, pact.consumer, pact.provider, VERSIONS_PAGE),
        "results": results,
        "there": _there(call, pact),
    }
    newest = _newest_results(call, pact, results)
    return defer_if_large(lambda: _page(call, found, facts, newest), found.body)


def _page(call: Request, found: PactWithBody, facts: dict[str, object], newest: str | None) -> HtmlPage:
    contract = _read(found.body)
    facts = {**facts, "specification": contract.specification, "plugins": contract.plugins}
    if contract.interactions is None:
        raw = format_json(content.parse_document(found.body).tree)
        return HtmlPage("contract.html", {**facts, "raw": raw[:MAX_RAW_LENGTH], "is_cut": len(raw) > MAX_RAW_LENGTH})
    return HtmlPage(
        "pact.html", {**facts, **_listed(call, contract.interactions, interaction_results.parse_results(newest))}
    )


def _newest_results(call: Request, pact: Pact, results: Sequence[ResultInHistory]) -> str | None:
    """Load what the newest verification said about each interaction."""
    if not results:
        return None
    newest = verifications.find(call.db, pact.consumer, pact.provider, pact.sha, results[0].number)
    return newest.test_results if newest else None


def _there(call: Request, pact: Pact) -> object:
    """Find where the consumer's version stands: its branches, tags and environments."""
    return history.load_version_summary(call.db, pact.consumer_version_id, (pact.consumer, pact.version))


def _listed(call: Request, every: list[Interaction], results: list[InteractionResult]) -> dict[str, object]:
    """Choose the interactions that are looked for, and of them a page."""
    wanted, page = call.option("q"), read_rows_page(call, PAGE_SIZE)
    said = interaction_results.match_results(every, results)
    entries = [_InteractionEntry(one, at // PAGE_SIZE + 1, said.get(one.id)) for at, one in enumerate(every)]
    found = [one for one in entries if wanted is None or one.interaction.has(wanted)]
    return {
        "count": len(every),
        "entries": entries,
        "total": len(found),
        "shown": found[page.offset : page.offset + page.limit],
        "page": page,
        "is_open": len(found) <= MAX_OPEN_INTERACTIONS,
        "wanted": wanted,
    }
