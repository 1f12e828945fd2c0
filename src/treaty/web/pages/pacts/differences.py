"""The page of what changed between two pacts of a pair."""

from typing import Final

from treaty.errors import NotFound
from treaty.model.pacts import content
from treaty.model.pacts.interaction_diff import ChangeKind, diff_interactions
from treaty.model.pacts.interactions import Interaction, read_interactions
from treaty.model.pacts.pacts import PactKey
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import PactWithBody
from treaty.web import urls
from treaty.web.api.pacts.differences import defer_if_large, start_deadline
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
"""Changes on a page."""


@router.page(urls.DIFF_WITH_PREVIOUS, permission=Permission.READ, is_original=False)
def show_difference_from_previous(call: Request, provider: str, consumer: str, version: str) -> HtmlPage | AfterCommit:
    """Compare a pact with the closest earlier one that has other content."""
    found = _there(pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))
    return _page(call, pacts.find_previous_distinct(call.db, found.pact), found)


@router.page(urls.DIFF_WITH_VERSION, permission=Permission.READ, is_original=False)
def show_difference_from_version(
    call: Request, provider: str, consumer: str, version: str, comparison: str
) -> HtmlPage | AfterCommit:
    """Compare a pact with that of another version."""
    found = _there(pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))
    other = _there(pacts.find(call.db, PactKey(consumer=consumer, version=comparison, provider=provider)))
    return _page(call, other, found)


@router.page(urls.DIFF_WITH_PACT_VERSION, permission=Permission.READ, is_original=False)
def show_difference_from_content(
    call: Request, provider: str, consumer: str, sha: str, comparison: str
) -> HtmlPage | AfterCommit:
    """Compare content with other content of the same pair."""
    found = _there(pacts.find_by_sha(call.db, consumer, provider, sha))
    return _page(call, _there(pacts.find_by_sha(call.db, consumer, provider, comparison)), found)


def _there(found: PactWithBody | None) -> PactWithBody:
    if found is None:
        raise NotFound
    return found


def _page(call: Request, old: PactWithBody | None, new: PactWithBody) -> HtmlPage | AfterCommit:
    if old is None:
        return HtmlPage("difference.html", {"old": None, "new": new.pact, "changes": [], "total": 0})
    return defer_if_large(lambda: _compared(call, old, new), old.body, new.body)


def _compared(call: Request, old: PactWithBody, new: PactWithBody) -> HtmlPage:
    page, go_on = read_rows_page(call, PAGE_SIZE), start_deadline(call.settings.pact_content_diff_timeout)
    found = diff_interactions(
        _interactions(old), _interactions(new), offset=page.offset, limit=page.limit, check_deadline=go_on
    )
    counts = {kind.value: found.counts.get(kind, 0) for kind in ChangeKind}
    facts = {"old": old.pact, "new": new.pact, "changes": found.shown, "counts": counts}
    return HtmlPage("difference.html", {**facts, "total": found.total, "page": page})


def _interactions(found: PactWithBody) -> list[Interaction]:
    """Read the interactions of a pact; a contract without any counts as one."""
    document = content.parse_document(found.body)
    return read_interactions(document) or [Interaction.from_document(document)]
