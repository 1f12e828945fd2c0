"""The page of a pact: its interactions with their results, and its other versions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from treaty.model.overview.history import ResultInHistory
from treaty.model.pacts import content, documents
from treaty.model.pacts.interactions import Interaction, format_json, read_interactions
from treaty.model.pacts.pacts import Pact, PactKey
from treaty.model.paging import Page
from treaty.model.verifications.interaction_results import InteractionResult, match_results, parse_results
from treaty.store import verifications
from treaty.store.overview import history
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import PactWithBody
from treaty.web import urls
from treaty.web.api.pacts.differences import defer_if_large
from treaty.web.api.pacts.pacts import find_with_metadata, read_metadata, require
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage
from treaty.web.http.router import Router
from treaty.web.pages.pacts.running_pacts import list_running_pacts
from treaty.web.security.permissions import Permission
from treaty.web.urls import Url

router = Router()

PAGE_SIZE: Final = 50
"""Interactions on a page."""
MAX_OPEN_INTERACTIONS: Final = 5
"""Interactions are expanded if there are at most this many."""
VERSIONS_PAGE: Final = Page(1, 15)
"""Versions in the sidebar."""
MAX_RESULTS: Final = 8
"""Verification results in the sidebar."""
MAX_RAW_LENGTH: Final = 200_000
"""Characters shown of a contract without interactions; its JSON has all of them."""
MAX_CACHED_BYTES: Final = 256 * 1024
"""Bytes of the largest content whose parsed form is cached. Paging and searching would otherwise parse it each time."""

FindPact = Callable[..., PactWithBody | None]


@dataclass(frozen=True, slots=True)
class _InteractionEntry:
    """An interaction in the table of contents."""

    interaction: Interaction
    page: int
    """Number of the page that shows it."""
    result: InteractionResult | None
    """Its result in the latest verification, if the verifier reported one."""


@router.page(urls.PACT, permission=Permission.READ, aliases=urls.PACT_ALIASES)
def show_pact(request: Request, provider: str, consumer: str, version: str) -> HtmlPage | AfterCommit:
    """Show the pact of a consumer version."""
    return _show(request, pacts.find(request.db, PactKey(consumer=consumer, version=version, provider=provider)))


@router.page(urls.PACT_VERSION, permission=Permission.READ)
def show_content(request: Request, provider: str, consumer: str, sha: str) -> HtmlPage | AfterCommit:
    """Show a content in its latest publication."""
    return _show(request, pacts.find_by_sha(request.db, consumer, provider, sha))


@router.page(urls.PACT_VERSION_WITH_METADATA, permission=Permission.READ)
def show_content_as_said(
    request: Request, provider: str, consumer: str, sha: str, segment: str
) -> HtmlPage | AfterCommit:
    """Show a content in the publication that the metadata identifies."""
    return _show(request, find_with_metadata(request, provider, consumer, sha, read_metadata(segment)))


def _add_latest_page(url: Url, find: FindPact, *aliases: Url) -> None:
    @router.page(url, permission=Permission.READ, aliases=aliases)
    def show_latest(request: Request, provider: str, consumer: str, *names: str) -> HtmlPage | AfterCommit:
        return _show(request, find(request.db, consumer, provider, *names))


_add_latest_page(urls.LATEST_PACT, pacts.find_latest, urls.LATEST_PACT_ALIAS)
_add_latest_page(urls.LATEST_TAGGED_PACT, pacts.find_latest_tagged)
_add_latest_page(urls.LATEST_UNTAGGED_PACT, pacts.find_latest_untagged)
_add_latest_page(urls.LATEST_BRANCH_PACT, pacts.find_latest_on_branch)


@dataclass(frozen=True, slots=True)
class _ParsedPact:
    specification: str | None
    plugins: Sequence[str]
    interactions: list[Interaction] | None


def _parse(body: bytes) -> _ParsedPact:
    document = documents.parse_document(body)
    return _ParsedPact(
        content.find_specification_version(document), content.list_plugins(document), read_interactions(document)
    )


# Keyed by the bytes of the content, so an entry never becomes invalid.
_parse_cached: Final = lru_cache(maxsize=16)(_parse)


def _show(request: Request, stored_pact: PactWithBody | None) -> HtmlPage | AfterCommit:
    pact = require(stored_pact)
    results = history.list_results(request.db, pact.pact, limit=MAX_RESULTS)
    context = {
        "pact": pact.pact,
        "address": request.base_url,
        "versions": history.list_publications(request.db, pact.pact.consumer, pact.pact.provider, VERSIONS_PAGE),
        "results": results,
        "running": list_running_pacts(request.db, pact.pact),
        # Its branches, tags and environments.
        "consumer_version": history.load_version_summary(
            request.db, pact.pact.consumer_version_id, (pact.pact.consumer, pact.pact.version)
        ),
    }
    # All queries come before the deferred work, which runs after the transaction.
    test_results = _load_latest_test_results(request, pact.pact, results)
    return defer_if_large(lambda: _render(request, pact.body, context, test_results), pact.body)


def _render(request: Request, body: bytes, context: dict[str, object], test_results: str | None) -> HtmlPage:
    parsed = _parse_cached(body) if len(body) <= MAX_CACHED_BYTES else _parse(body)
    context = {**context, "specification": parsed.specification, "plugins": parsed.plugins}
    if parsed.interactions is None:
        raw = format_json(documents.parse_document(body).tree)
        return HtmlPage("contract.html", {**context, "raw": raw[:MAX_RAW_LENGTH], "is_cut": len(raw) > MAX_RAW_LENGTH})
    return HtmlPage("pact.html", {**context, **_list_interactions(request, parsed.interactions, test_results)})


def _load_latest_test_results(request: Request, pact: Pact, results: Sequence[ResultInHistory]) -> str | None:
    if not results:
        return None
    latest = verifications.find(request.db, pact.consumer, pact.provider, pact.sha, results[0].number)
    return latest.test_results if latest else None


def _list_interactions(
    request: Request, interactions: list[Interaction], test_results: str | None
) -> dict[str, object]:
    """List the interactions that match the search, by the page, and all of them for the table of contents."""
    query, page, only_failed = request.option("q"), read_rows_page(request, PAGE_SIZE), bool(request.option("failed"))
    results_by_id = match_results(interactions, parse_results(test_results))
    entries = [
        _InteractionEntry(interaction, index // PAGE_SIZE + 1, results_by_id.get(interaction.id))
        for index, interaction in enumerate(interactions)
    ]
    failed = [entry for entry in entries if entry.result and not entry.result.success]
    candidates = failed if only_failed else entries
    matches = [entry for entry in candidates if query is None or entry.interaction.has(query)]
    return {
        "count": len(interactions),
        "entries": entries,
        "failed_count": len(failed),
        "only_failed": only_failed,
        "total": len(matches),
        "shown": matches[page.offset : page.offset + page.limit],
        "page": page,
        "is_open": len(matches) <= MAX_OPEN_INTERACTIONS,
        "query": query,
    }
