"""The audit trail, as pages of JSON and as an export in JSON lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import orjson
from pydantic import Field
from sqlalchemy import Connection
from typing_extensions import TypedDict

from treaty.errors import Invalid
from treaty.model.audit import AuditEvent, AuditFilter, find_event_id
from treaty.store import audit
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import JsonObject, Omittable, TimeText
from treaty.web.http.media_types import NDJSON
from treaty.web.http.queries import QueryParameter, read_page_numbers
from treaty.web.http.request import Request
from treaty.web.http.results import StreamedBody
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

MAX_PAGE_SIZE: Final = 100
MAX_PAGE_NUMBER: Final = 10**6
"""Skipping more events takes long; the link to the next page skips nevent."""
BATCH_SIZE: Final = 500
"""Events that one transaction of an export reads."""
_OLDEST_FIRST: Final = "+timestamp"


@dataclass(slots=True)
class _Export:
    """The state of a running export, which reads batches in transactions of their own.

    A slow client must not hold a transaction open. Events added in the meantime follow at the end, or are left out if
    the newest come first.
    """

    event_filter: AuditFilter
    is_newest_first: bool
    start: int | None
    """The id of the next event; None before the first batch."""
    is_complete: bool = False

    def read_part(self, db: Connection) -> bytes:
        """Read the next batch of events as JSON lines; nothing after the last event."""
        if self.is_complete:
            return b""
        # One event more than the batch: it is the start of the next event.
        events = audit.list_events(
            db, self.event_filter, start=self.start, is_newest_first=self.is_newest_first, limit=BATCH_SIZE + 1
        )
        self.is_complete = len(events) <= BATCH_SIZE
        if not self.is_complete:
            self.start = events[-1].id
        return b"".join(render_event(event) + b"\n" for event in events[:BATCH_SIZE])


def render_event(event: AuditEvent) -> bytes:
    """Render an event as it is exported and forwarded: one line of JSON, without its end."""
    return orjson.dumps(event_state(event))


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of events, and the first event of the next page."""

    events: Sequence[AuditEvent]
    next: AuditEvent | None
    query: Mapping[str, Any]


class AuditedCredential(TypedDict):
    type: str
    name: str | None
    uuid: str | None


class AuditedRequest(TypedDict):
    path: str | None
    queryString: str | None
    method: str | None
    userAgent: str | None
    referer: str | None
    params: JsonObject


class AuditEventDocument(TypedDict):
    uuid: str
    timestamp: TimeText
    type: str
    user_email: str | None
    db_user_id: str | None
    credential: AuditedCredential
    address: str | None
    requestId: str | None
    outcome: Literal["done", "refused"]
    status: int | None
    count: int
    resource: str | None
    relatedResource: str | None
    before: JsonObject | None
    after: JsonObject | None
    payload: AuditedRequest


class AuditLinks(TypedDict):
    self: Link
    next: Omittable[Link]
    export: Link


class AuditEventsDocument(TypedDict):
    events: list[AuditEventDocument]
    _links: AuditLinks


FILTER_PARAMETERS: Final = (
    QueryParameter("user", "The name of the user who acted."),
    QueryParameter("userUuid", "The UUID of the user who acted."),
    QueryParameter("type", "The action."),
    QueryParameter("resource", "The target: an application, an environment, a webhook's UUID, a user."),
    QueryParameter("credential", "The kind of a credential, or the name or UUID of one."),
    QueryParameter("address", "The client's address."),
    QueryParameter(
        "since", "The start of the period, inclusive.", Annotated[str, Field(examples=["2026-01-31T09:00:00Z"])]
    ),
    QueryParameter("until", "The end of the period, exclusive.", Annotated[str, Field(examples=["2026-02-01"])]),
    QueryParameter("sort", "The order; oldest first by default.", Literal["+timestamp", "timestamp", "-timestamp"]),
    QueryParameter("from", "The UUID of the first event to list."),
)
_PAGE_PARAMETERS: Final = (
    QueryParameter("pageNumber", "The number of the page.", Annotated[int, Field(ge=1, le=MAX_PAGE_NUMBER)]),
    QueryParameter("pageSize", "Events on a page.", Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)]),
)


@router.get(
    urls.AUDIT,
    permission=Permission.READ_AUDIT,
    is_slow=True,
    query=(*FILTER_PARAMETERS, *_PAGE_PARAMETERS),
    response=AuditEventsDocument,
)
def list_audit(request: Request) -> EventPage:
    """List the events of the audit trail: the oldest first, unless sorted by `-timestamp`.

    The link to the next page contains its first event, so pages do not shift when events are added.
    """
    number, size = read_page_numbers(request.query, default=(1, MAX_PAGE_SIZE)) or (1, MAX_PAGE_SIZE)
    if size > MAX_PAGE_SIZE:
        raise Invalid.member("pageSize", f"must be less than or equal to {MAX_PAGE_SIZE}")
    if number > MAX_PAGE_NUMBER:
        raise Invalid.member("pageNumber", f"must be less than or equal to {MAX_PAGE_NUMBER}")
    events = audit.list_events(
        request.db,
        read_filter(request),
        start=read_start(request),
        is_newest_first=is_newest_first(request, default=_OLDEST_FIRST),
        limit=size + 1,
        offset=(number - 1) * size,
    )
    return EventPage(events[:size], events[size] if len(events) > size else None, request.query)


@router.get(
    urls.AUDIT_EXPORT, permission=Permission.READ_AUDIT, produces=(NDJSON,), is_slow=True, query=FILTER_PARAMETERS
)
def export_audit(request: Request) -> StreamedBody:
    """Export the audit trail as JSON lines, one event per line, with the same filters as the list."""
    is_reversed = is_newest_first(request, default=_OLDEST_FIRST)
    export = _Export(read_filter(request), is_reversed, read_start(request))
    name = f"audit-{request.now:%Y-%m-%d}.jsonl"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamedBody(export.read_part, NDJSON, headers)


def read_filter(request: Request) -> AuditFilter:
    """Read the filters in the query. Raises Invalid."""
    return AuditFilter(
        who=request.option("user"),
        account=request.option("userUuid"),
        type=request.option("type"),
        resource=request.option("resource"),
        credential=request.option("credential"),
        address=request.option("address"),
        since=read_time(request, "since"),
        until=read_time(request, "until"),
    )


def read_time(request: Request, name: str) -> datetime | None:
    """Read a time in ISO 8601; without an offset it is in UTC. Raises Invalid."""
    text = request.option(name)
    if text is None:
        return None
    try:
        # Clients often forget to encode the plus of an offset, which then arrives as a space.
        time = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid.member(name, "must be a time such as 2026-01-31T09:00:00Z") from error


def read_start(request: Request) -> int | None:
    """Read the UUID of the first event, and return its id; None for the beginning. Raises Invalid."""
    uuid = request.option("from")
    event_id = find_event_id(uuid) if uuid else None
    if uuid and event_id is None:
        raise Invalid.member("from", "must be the uuid of an event")
    return event_id


def is_newest_first(request: Request, *, default: str) -> bool:
    """Read the order of events; an unencoded plus arrives as a space. Raises Invalid."""
    sort = (request.option("sort") or default).strip().removeprefix("+")
    if sort not in {"timestamp", "-timestamp"}:
        raise Invalid.member("sort", "must be +timestamp or -timestamp")
    return sort.startswith("-")


@represent.register
def events(page: EventPage) -> Hal:
    next_url = _build_next_url(page, page.next) if page.next else None
    return Hal(
        state={"events": [event_state(event) for event in page.events]},
        links={
            "self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, "This part of the audit trail", templated=False),
            "next": Link(next_url, "The next part", templated=False) if next_url else None,
            "export": Link(urls.AUDIT_EXPORT.fill(), "All of it as JSON lines", templated=False),
        },
    )


_POSITION_PARAMETERS: Final = {"from", "page", "pageNumber"}


def _build_next_url(page: EventPage, first: AuditEvent) -> str:
    filters = {
        name: value for name, value in page.query.items() if name not in _POSITION_PARAMETERS and isinstance(value, str)
    }
    return f"{urls.AUDIT.fill()}?{urlencode({**filters, 'from': first.uuid})}"


def event_state(event: AuditEvent) -> AuditEventDocument:
    """Represent an event. Names such as `user_email` and `db_user_id` are those of PactFlow's audit trail."""
    actor = event.actor
    return {
        "uuid": event.uuid,
        "timestamp": event.at.isoformat(timespec="milliseconds"),
        "type": event.type,
        "user_email": actor.user,
        "db_user_id": actor.account,
        "credential": {
            "type": actor.credential.value,
            "name": actor.credential_name,
            "uuid": actor.credential_id,
        },
        "address": actor.address,
        "requestId": actor.request_id,
        "outcome": "done" if event.status is None else "refused",
        "status": event.status,
        "count": event.count,
        "resource": event.resource,
        "relatedResource": event.other,
        "before": event.details.get("before"),
        "after": event.details.get("after"),
        "payload": {
            "path": actor.path,
            "queryString": actor.query,
            "method": actor.method,
            "userAgent": actor.user_agent,
            "referer": actor.referer,
            "params": event.details.get("params", {}),
        },
    }
