"""The audit trail as a page: who did what, newest first, with filters that stand in the address."""

from typing import Final

from sqlalchemy import Connection

from treaty.model.audit import Action, Credential, Event, Filter
from treaty.model.paging import Page as Part
from treaty.store import audit
from treaty.store.overview import overview
from treaty.web import urls
from treaty.web.api.audit import is_newest_first, start_of, wanted
from treaty.web.http.request import Call
from treaty.web.http.results import Page
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

SIZE: Final = 50
MOST_NAMES: Final = Part(1, 500)


@router.page(urls.AUDIT_PAGE, permission=Permission.READ_AUDIT, is_original=False)
def show_audit(call: Call) -> Page:
    """Show what was done, and by whom, as far as a filter leaves it."""
    asked = wanted(call)
    start, is_reversed = start_of(call), is_newest_first(call, default="-timestamp")
    found = audit.listed(call.db, asked, start=start, is_newest_first=is_reversed, most=SIZE + 1)
    before = _before(call.db, asked, start, is_newest_first=is_reversed)
    facts = {
        "asked": asked,
        "events": found[:SIZE],
        "next": found[SIZE] if len(found) > SIZE else None,
        "has_previous": bool(before),
        "previous": before[SIZE - 1] if len(before) >= SIZE else None,
        "is_beginning": start is None,
        "is_newest_first": is_reversed,
        "actions": list(Action),
        "credentials": list(Credential),
        "names": overview.names_like(call.db, "", MOST_NAMES).items,
    }
    return Page("audit.html", facts)


def _before(db: Connection, asked: Filter, start: int | None, *, is_newest_first: bool) -> list[Event]:
    """List what a page of events would hold that ends before this one begins, the nearest first."""
    if start is None:
        return []
    found = audit.listed(db, asked, start=start, is_newest_first=not is_newest_first, most=SIZE + 1)
    return [one for one in found if one.id != start]
