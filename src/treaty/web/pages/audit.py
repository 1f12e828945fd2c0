"""The audit trail as a page: the newest events first, with filters in the query."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from sqlalchemy import Connection

from treaty.model.audit import Action, ActorCredential, AuditEvent, AuditFilter
from treaty.model.audit_sentences import describe_event
from treaty.model.paging import Page
from treaty.store import audit
from treaty.store.overview import overview
from treaty.store.webhooks import webhooks
from treaty.web import urls
from treaty.web.api.audit import is_newest_first, read_filter, read_start
from treaty.web.http.page_queries import read_number
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
_SUGGESTED_NAMES: Final = Page(1, 500)
"""Names of applications that the filter suggests."""


@router.page(urls.AUDIT_PAGE, permission=Permission.READ_AUDIT, is_original=False)
def show_audit(request: Request) -> HtmlPage:
    """Show the events that match the filters."""
    event_filter, start = read_filter(request), read_start(request)
    is_reversed = is_newest_first(request, default="-timestamp")
    # One event more than the page: it is the start of the next one.
    events = audit.list_events(request.db, event_filter, start=start, is_newest_first=is_reversed, limit=PAGE_SIZE + 1)
    previous_events = _list_previous(request.db, event_filter, start, is_newest_first=is_reversed)
    context = {
        "event_filter": event_filter,
        "events": events[:PAGE_SIZE],
        "describe_event": partial(describe_event, webhook_titles=_load_webhook_titles(request.db, events)),
        "next": events[PAGE_SIZE] if len(events) > PAGE_SIZE else None,
        "has_previous": bool(previous_events),
        # Fewer events than a page: the previous page is the first one, whose link has no start.
        "previous": previous_events[PAGE_SIZE - 1] if len(previous_events) >= PAGE_SIZE else None,
        "is_beginning": start is None,
        "is_newest_first": is_reversed,
        "actions": list(Action),
        "credentials": list(ActorCredential),
        "names": overview.list_names_like(request.db, "", _SUGGESTED_NAMES).items,
    }
    return HtmlPage("audit.html", context)


def _load_webhook_titles(db: Connection, events: Iterable[AuditEvent]) -> Mapping[str, str]:
    """Load the titles of the webhooks that the events may name, by their UUIDs."""
    if not any(event.type.startswith("webhook_") for event in events):
        return {}
    return {webhook.uuid: webhook.display_name for webhook in webhooks.list_all(db)}


def _list_previous(
    db: Connection, event_filter: AuditFilter, start: int | None, *, is_newest_first: bool
) -> list[AuditEvent]:
    """List the events of the page before the one that begins at `start`, the nearest first."""
    if start is None:
        return []
    events = audit.list_events(db, event_filter, start=start, is_newest_first=not is_newest_first, limit=PAGE_SIZE + 1)
    return [event for event in events if event.id != start]


# Recent changes of an application

CHANGES_PER_PAGE: Final = 10
MAX_CHANGES_PAGE: Final = 100


def load_recent_changes(request: Request, name: str) -> dict[str, object]:
    """Load the context of the section "Recent changes", which is empty for those who may not read the trail."""
    if not request.has_permission(Permission.READ_AUDIT):
        return {"changes": [], "changes_page": None, "has_more_changes": False, "describe_event": describe_event}
    page = Page(read_number(request, "changes", 1, MAX_CHANGES_PAGE), CHANGES_PER_PAGE)
    changes, has_more = audit.list_of_resource(request.db, name, page)
    return {
        "changes": changes,
        "changes_page": page,
        "has_more_changes": has_more and page.number < MAX_CHANGES_PAGE,
        "describe_event": describe_event,
    }
