"""The page of what changed between two pacts of a pair."""

from typing import Final

from treaty.errors import NotFound
from treaty.model import content
from treaty.model.changes import changes
from treaty.model.interaction import Interaction, interactions
from treaty.model.pact import PactKey
from treaty.store import pacts
from treaty.store.pacts import Found
from treaty.web import urls
from treaty.web.resources.differences import within
from treaty.web.routing import Call, Page, Permission, Router

router = Router()

MOST: Final = 200
"""Changes that are shown."""


@router.page(urls.DIFF_WITH_PREVIOUS, permission=Permission.READ, is_original=False)
def show_difference_from_previous(call: Call, provider: str, consumer: str, version: str) -> Page:
    """Compare a pact with the closest earlier one that has other content."""
    found = _there(pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))
    return _page(call, pacts.find_previous_distinct(call.db, found.pact), found)


@router.page(urls.DIFF_WITH_VERSION, permission=Permission.READ, is_original=False)
def show_difference_from_version(call: Call, provider: str, consumer: str, version: str, comparison: str) -> Page:
    """Compare a pact with that of another version."""
    found = _there(pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))
    other = _there(pacts.find(call.db, PactKey(consumer=consumer, version=comparison, provider=provider)))
    return _page(call, other, found)


@router.page(urls.DIFF_WITH_PACT_VERSION, permission=Permission.READ, is_original=False)
def show_difference_from_content(call: Call, provider: str, consumer: str, sha: str, comparison: str) -> Page:
    """Compare content with other content of the same pair."""
    found = _there(pacts.find_by_sha(call.db, consumer, provider, sha))
    return _page(call, _there(pacts.find_by_sha(call.db, consumer, provider, comparison)), found)


def _there(found: Found | None) -> Found:
    if found is None:
        raise NotFound
    return found


def _page(call: Call, old: Found | None, new: Found) -> Page:
    if old is None:
        return Page("difference.html", {"old": None, "new": new.pact, "changes": [], "left_out": 0})
    go_on = within(call.settings.pact_content_diff_timeout)
    shown, left_out = changes(_interactions(old), _interactions(new), most=MOST, go_on=go_on)
    facts = {"old": old.pact, "new": new.pact, "changes": shown, "left_out": left_out}
    return Page("difference.html", facts)


def _interactions(found: Found) -> list[Interaction]:
    """Read the interactions of a pact; a contract without any counts as one."""
    document = content.read(found.body)
    return interactions(document, has_parts=False) or [Interaction.of_whole(document)]
