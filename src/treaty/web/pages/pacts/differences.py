"""The page of what changed between two pacts of a pair."""

from typing import Final

from treaty.errors import NotFound
from treaty.model.pacts import content
from treaty.model.pacts.interaction_diff import Kind, changes
from treaty.model.pacts.interactions import Interaction, interactions
from treaty.model.pacts.pacts import PactKey
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import Found
from treaty.web import urls
from treaty.web.api.pacts.differences import heavy_if_large, within
from treaty.web.http.page_queries import part_of
from treaty.web.http.request import Call
from treaty.web.http.results import Afterwards, Page
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

SIZE: Final = 50
"""Changes on a page."""


@router.page(urls.DIFF_WITH_PREVIOUS, permission=Permission.READ, is_original=False)
def show_difference_from_previous(call: Call, provider: str, consumer: str, version: str) -> Page | Afterwards:
    """Compare a pact with the closest earlier one that has other content."""
    found = _there(pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))
    return _page(call, pacts.find_previous_distinct(call.db, found.pact), found)


@router.page(urls.DIFF_WITH_VERSION, permission=Permission.READ, is_original=False)
def show_difference_from_version(
    call: Call, provider: str, consumer: str, version: str, comparison: str
) -> Page | Afterwards:
    """Compare a pact with that of another version."""
    found = _there(pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))
    other = _there(pacts.find(call.db, PactKey(consumer=consumer, version=comparison, provider=provider)))
    return _page(call, other, found)


@router.page(urls.DIFF_WITH_PACT_VERSION, permission=Permission.READ, is_original=False)
def show_difference_from_content(
    call: Call, provider: str, consumer: str, sha: str, comparison: str
) -> Page | Afterwards:
    """Compare content with other content of the same pair."""
    found = _there(pacts.find_by_sha(call.db, consumer, provider, sha))
    return _page(call, _there(pacts.find_by_sha(call.db, consumer, provider, comparison)), found)


def _there(found: Found | None) -> Found:
    if found is None:
        raise NotFound
    return found


def _page(call: Call, old: Found | None, new: Found) -> Page | Afterwards:
    if old is None:
        return Page("difference.html", {"old": None, "new": new.pact, "changes": [], "total": 0})
    return heavy_if_large(lambda: _compared(call, old, new), old.body, new.body)


def _compared(call: Call, old: Found, new: Found) -> Page:
    page, go_on = part_of(call, SIZE), within(call.settings.pact_content_diff_timeout)
    found = changes(_interactions(old), _interactions(new), offset=page.offset, limit=page.limit, go_on=go_on)
    counts = {kind.value: found.counts.get(kind, 0) for kind in Kind}
    facts = {"old": old.pact, "new": new.pact, "changes": found.shown, "counts": counts}
    return Page("difference.html", {**facts, "total": found.total, "page": page})


def _interactions(found: Found) -> list[Interaction]:
    """Read the interactions of a pact; a contract without any counts as one."""
    document = content.read(found.body)
    return interactions(document) or [Interaction.of_whole(document)]
