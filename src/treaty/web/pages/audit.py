"""The audit trail as a page: who did what, newest first, with filters that stand in the address."""

from typing import Final

from sqlalchemy import Connection

from treaty.model.audit import Action, ActorCredential, AuditEvent, AuditFilter
from treaty.model.paging import Page as Part
from treaty.store import audit
from treaty.store.overview import overview
from treaty.web import urls
from treaty.web.api.audit import is_newest_first, read_filter, read_start
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
NAMES_PAGE: Final = Part(1, 500)


@router.page(urls.AUDIT_PAGE, permission=Permission.READ_AUDIT, is_original=False)
def show_audit(call: Request) -> HtmlPage:
    """Show what was done, and by whom, as far as a filter leaves it."""
    asked = read_filter(call)
    start, is_reversed = read_start(call), is_newest_first(call, default="-timestamp")
    found = audit.list_events(call.db, asked, start=start, is_newest_first=is_reversed, limit=PAGE_SIZE + 1)
    before = _before(call.db, asked, start, is_newest_first=is_reversed)
    facts = {
        "asked": asked,
        "events": found[:PAGE_SIZE],
        "next": found[PAGE_SIZE] if len(found) > PAGE_SIZE else None,
        "has_previous": bool(before),
        "previous": before[PAGE_SIZE - 1] if len(before) >= PAGE_SIZE else None,
        "is_beginning": start is None,
        "is_newest_first": is_reversed,
        "actions": list(Action),
        "credentials": list(ActorCredential),
        "names": overview.list_names_like(call.db, "", NAMES_PAGE).items,
    }
    return HtmlPage("audit.html", facts)


def _before(db: Connection, asked: AuditFilter, start: int | None, *, is_newest_first: bool) -> list[AuditEvent]:
    """List what a page of events would hold that ends before this one begins, the nearest first."""
    if start is None:
        return []
    found = audit.list_events(db, asked, start=start, is_newest_first=not is_newest_first, limit=PAGE_SIZE + 1)
    return [one for one in found if one.id != start]
