"""The page of the differences between two pacts of a pair."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from treaty.model.pacts import documents
from treaty.model.pacts.interaction_diff import ChangeKind, diff_interactions
from treaty.model.pacts.interactions import Interaction, read_interactions
from treaty.model.pacts.pacts import PactKey
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import PactWithBody
from treaty.web import urls
from treaty.web.api.pacts.differences import defer_if_large, start_deadline
from treaty.web.api.pacts.pacts import require
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage
from treaty.web.http.router import Router
from treaty.web.pages.pacts.pacts import MAX_CACHED_BYTES
from treaty.web.pages.pacts.running_pacts import list_running_pacts
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
"""Changes on a page."""


@router.page(urls.DIFF_WITH_PREVIOUS, permission=Permission.READ, is_original=False)
def show_difference_from_previous(
    request: Request, provider: str, consumer: str, version: str
) -> HtmlPage | AfterCommit:
    """Compare a pact with the closest earlier one that has different content."""
    pact = require(pacts.find(request.db, PactKey(consumer=consumer, version=version, provider=provider)))
    return _render(request, pacts.find_previous_distinct(request.db, pact.pact), pact)


@router.page(urls.DIFF_WITH_VERSION, permission=Permission.READ, is_original=False)
def show_difference_from_version(
    request: Request, provider: str, consumer: str, version: str, comparison: str
) -> HtmlPage | AfterCommit:
    """Compare a pact with that of another version."""
    pact = require(pacts.find(request.db, PactKey(consumer=consumer, version=version, provider=provider)))
    other = require(pacts.find(request.db, PactKey(consumer=consumer, version=comparison, provider=provider)))
    return _render(request, other, pact)


@router.page(urls.DIFF_WITH_PACT_VERSION, permission=Permission.READ, is_original=False)
def show_difference_from_content(
    request: Request, provider: str, consumer: str, sha: str, comparison: str
) -> HtmlPage | AfterCommit:
    """Compare a content with another content of the same pair."""
    pact = require(pacts.find_by_sha(request.db, consumer, provider, sha))
    return _render(request, require(pacts.find_by_sha(request.db, consumer, provider, comparison)), pact)


def _render(request: Request, old: PactWithBody | None, new: PactWithBody) -> HtmlPage | AfterCommit:
    context = {"old": old.pact if old else None, "new": new.pact, "running": list_running_pacts(request.db, new.pact)}
    if old is None:
        return HtmlPage("difference.html", {**context, "changes": [], "total": 0})
    return defer_if_large(lambda: _compare(request, old, new, context), old.body, new.body)


def _compare(request: Request, old: PactWithBody, new: PactWithBody, context: Mapping[str, object]) -> HtmlPage:
    page = read_rows_page(request, PAGE_SIZE)
    check_deadline = start_deadline(request.settings.pact_content_diff_timeout)
    changes = diff_interactions(
        _read_interactions(old.body),
        _read_interactions(new.body),
        offset=page.offset,
        limit=page.limit,
        expanded=request.option("expand"),
        check_deadline=check_deadline,
    )
    counts = {kind.value: changes.counts.get(kind, 0) for kind in ChangeKind}
    shown = {"changes": changes.shown, "counts": counts, "total": changes.total, "page": page}
    return HtmlPage("difference.html", {**context, **shown})


def _read_interactions(body: bytes) -> list[Interaction]:
    return _parse_cached(body) if len(body) <= MAX_CACHED_BYTES else _parse(body)


def _parse(body: bytes) -> list[Interaction]:
    """Read the interactions of a pact; a contract without interactions is treated as a single one."""
    document = documents.parse_document(body)
    return read_interactions(document) or [Interaction.from_document(document)]


# Keyed by the bytes of the content, so an entry never becomes invalid.
_parse_cached: Final = lru_cache(maxsize=16)(_parse)
