"""The audit trail, as JSON by the page and as lines."""

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
"""Events on a page at most."""
MAX_START: Final = 10**6
BATCH_SIZE: Final = 500
"""Events in a part of an export."""


@dataclass(slots=True)
class _Export:
    """An export on its way: what is still to be sent. What is added meanwhile is not in it."""

    wanted: AuditFilter
    is_newest_first: bool
    start: int | None
    begun_at: datetime
    is_over: bool = False

    def read_part(self, db: Connection) -> bytes:
        """Write the next events."""
        if self.is_over:
            return b""
        found = audit.list_events(
            db, self.wanted, start=self.start, is_newest_first=self.is_newest_first, limit=BATCH_SIZE + 1
        )
        self.is_over = len(found) <= BATCH_SIZE
        if not self.is_over:
            self.start = found[-1].id
        return b"".join(orjson.dumps(event_state(one)) + b"\n" for one in found[:BATCH_SIZE])


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of events, and the first one of the next."""

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
    QueryParameter("pageNumber", "The number of the page.", Annotated[int, Field(ge=1, le=MAX_START)]),
    QueryParameter("pageSize", "Events on a page.", Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)]),
)


@router.get(
    urls.AUDIT,
    permission=Permission.READ_AUDIT,
    is_slow=True,
    query=(*FILTER_PARAMETERS, *_PAGE_PARAMETERS),
    response=AuditEventsDocument,
)
def list_audit(call: Request) -> EventPage:
    """List what was done, and by whom: the oldest first, unless it is sorted by `-timestamp`.

    A page leads to the next one by the event with which that begins, so what is added meanwhile moves nothing.
    """
    number, size = read_page_numbers(call.query, default=(1, MAX_PAGE_SIZE)) or (1, MAX_PAGE_SIZE)
    if size > MAX_PAGE_SIZE:
        raise Invalid.member("pageSize", f"must be less than or equal to {MAX_PAGE_SIZE}")
    if number > MAX_START:
        raise Invalid.member("pageNumber", f"must be less than or equal to {MAX_START}")
    found = audit.list_events(
        call.db,
        read_filter(call),
        start=read_start(call),
        is_newest_first=is_newest_first(call, default="+timestamp"),
        limit=size + 1,
        offset=(number - 1) * size,
    )
    return EventPage(found[:size], found[size] if len(found) > size else None, call.query)


@router.get(
    urls.AUDIT_EXPORT, permission=Permission.READ_AUDIT, produces=(NDJSON,), is_slow=True, query=FILTER_PARAMETERS
)
def export_audit(call: Request) -> StreamedBody:
    """Give the audit trail as JSON lines, an event a line: all of it, or what the same parameters leave."""
    export = _Export(
        read_filter(call), is_newest_first(call, default="+timestamp"), read_start(call), datetime.now(UTC)
    )
    name = f"audit-{call.now:%Y-%m-%d}.jsonl"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamedBody(export.read_part, NDJSON, headers)


def read_filter(call: Request) -> AuditFilter:
    """Read which events are wanted. Raises Invalid."""
    return AuditFilter(
        who=call.option("user"),
        account=call.option("userUuid"),
        type=call.option("type"),
        resource=call.option("resource"),
        credential=call.option("credential"),
        address=call.option("address"),
        since=_time(call, "since"),
        until=_time(call, "until"),
    )


def _time(call: Request, name: str) -> datetime | None:
    text = call.option(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid.member(name, "must be a time such as 2026-01-31T09:00:00Z") from error


def read_start(call: Request) -> int | None:
    """Read with which event to begin. Raises Invalid."""
    text = call.option("from")
    found = find_event_id(text) if text else None
    if text and found is None:
        raise Invalid.member("from", "must be the uuid of an event")
    return found


def is_newest_first(call: Request, *, default: str) -> bool:
    """Read in which order events are wanted; a plus in a query may come as a space. Raises Invalid."""
    sort = (call.option("sort") or default).strip().removeprefix("+")
    if sort not in {"timestamp", "-timestamp"}:
        raise Invalid.member("sort", "must be +timestamp or -timestamp")
    return sort.startswith("-")


@represent.register
def events(page: EventPage) -> Hal:
    return Hal(
        state={"events": [event_state(one) for one in page.events]},
        links={
            "self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, "This part of the audit trail", templated=False),
            "next": Link(_next(page, page.next), "The next part", templated=False) if page.next else None,
            "export": Link(urls.AUDIT_EXPORT.fill(), "All of it as JSON lines", templated=False),
        },
    )


_PLACES = {"from", "page", "pageNumber"}


def _next(page: EventPage, first: AuditEvent) -> str:
    kept = {name: value for name, value in page.query.items() if name not in _PLACES and isinstance(value, str)}
    return f"{urls.AUDIT.fill()}?{urlencode({**kept, 'from': first.uuid})}"


def event_state(one: AuditEvent) -> AuditEventDocument:
    """Say all about an event. What begins with `user_` or `db_` has these names with others, too."""
    actor = one.actor
    return {
        "uuid": one.uuid,
        "timestamp": one.at.isoformat(timespec="milliseconds"),
        "type": one.type,
        "user_email": actor.user,
        "db_user_id": actor.account,
        "credential": {
            "type": actor.credential.value,
            "name": actor.credential_name,
            "uuid": actor.credential_id,
        },
        "address": actor.address,
        "requestId": actor.request_id,
        "outcome": "done" if one.status is None else "refused",
        "status": one.status,
        "count": one.count,
        "resource": one.resource,
        "relatedResource": one.other,
        "before": one.details.get("before"),
        "after": one.details.get("after"),
        "payload": {
            "path": actor.path,
            "queryString": actor.query,
            "method": actor.method,
            "userAgent": actor.user_agent,
            "referer": actor.referer,
            "params": one.details.get("params", {}),
        },
    }
