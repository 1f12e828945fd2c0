"""The audit trail. An event is a row, written in the transaction of the action that it records.

The actor is set once, around the work (`acting_as`), so that actions need not pass it through.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Select, and_, bindparam, delete, func, insert, or_, select

from treaty.model import audit
from treaty.model.audit import Actor, ActorCredential, AuditEvent, AuditFilter, FieldValues, first_event_id
from treaty.model.paging import Page
from treaty.store.engine.database import execute, fetch_column, fetch_rows, fetch_scalar
from treaty.store.engine.listing import escape_like
from treaty.store.tables import audit as trail


@dataclass(slots=True)
class AuditContext:
    """The actor of the current work, and the number of events that it has recorded."""

    values: Mapping[str, Any]
    """The actor, as columns."""
    at: datetime | None
    """The time of all events; None for the current time of each."""
    event_count: int = 0


_CONTEXT: ContextVar[AuditContext | None] = ContextVar("audit", default=None)


@contextmanager
def acting_as(actor: Actor, *, at: datetime | None = None) -> Iterator[AuditContext]:
    """Set the actor of the events that are recorded within this context, and their common time if there is one."""
    context = AuditContext(_build_columns(actor), at)
    token = _CONTEXT.set(context)
    try:
        yield context
    finally:
        _CONTEXT.reset(token)


def _build_columns(actor: Actor) -> dict[str, Any]:
    return {
        "who": actor.user,
        "account": actor.account,
        "credential": actor.credential.value,
        "credential_name": actor.credential_name,
        "credential_id": actor.credential_id,
        "address": actor.address,
        "request_id": actor.request_id,
        "method": actor.method,
        "path": actor.path,
        "query": actor.query,
        "user_agent": actor.user_agent,
        "referer": actor.referer,
    }


_ADD: Final = insert(trail).values({column.name: bindparam(column.name) for column in trail.columns}).inline()
_NO_VALUES: Final[FieldValues] = {}


def record(  # noqa: PLR0913 - the columns of an event, passed by name
    db: Connection,
    type: str,  # noqa: A002 - the name of the property in the API
    *,
    resource: str | None = None,
    other: str | None = None,
    params: FieldValues = _NO_VALUES,
    before: FieldValues = _NO_VALUES,
    after: FieldValues = _NO_VALUES,
    status: int | None = None,
    count: int = 1,
) -> None:
    """Record an event in the transaction of the action. The values must not contain secrets (see `model.audit`)."""
    context = _CONTEXT.get() or AuditContext(_build_columns(Actor()), None)
    context.event_count += 1
    event = {
        "id": audit.generate_event_id(context.at or datetime.now(UTC)),
        "type": type,
        "resource": resource,
        "other": other,
        "details": audit.encode_details(params, before, after),
        "status": status,
        "count": count,
    }
    execute(db, _ADD, {**context.values, **event})


# Reading


def list_events(
    db: Connection, event_filter: AuditFilter, *, start: int | None, is_newest_first: bool, limit: int, offset: int = 0
) -> list[AuditEvent]:
    """List events in the order of their times, from the id `start` on.

    Pages that start at an id do not shift when further events are added, unlike pages by offset.
    """
    params = _build_filter_params(event_filter)
    statement = _build_list(tuple(params), has_start=start is not None, is_newest_first=is_newest_first)
    rows = fetch_rows(db, statement, {**params, "start": start, "max_rows": limit, "skipped_rows": offset})
    return [build_event(row) for row in rows]


_CREDENTIAL: Final = bindparam("credential", type_=trail.c.credential.type)
_CONDITIONS: Final = {
    "who": trail.c.who == bindparam("who"),
    "account": trail.c.account == bindparam("account"),
    "type": trail.c.type == bindparam("type"),
    "resource": or_(trail.c.resource == bindparam("resource"), trail.c.other == bindparam("resource")),
    "address": trail.c.address == bindparam("address"),
    # Not events of another pacticipant whose second object is this one, such as the pacts of its consumers.
    "version": and_(
        trail.c.resource == bindparam("resource"), trail.c.details.contains(bindparam("version"), escape="!")
    ),
    "since": trail.c.id >= bindparam("since"),
    "until": trail.c.id < bindparam("until"),
    "credential": or_(
        trail.c.credential == _CREDENTIAL,
        trail.c.credential_name == _CREDENTIAL,
        trail.c.credential_id == _CREDENTIAL,
    ),
}


def _build_filter_params(event_filter: AuditFilter) -> dict[str, Any]:
    values = {name: getattr(event_filter, name) for name in _CONDITIONS}
    if event_filter.version is not None:
        values["version"] = escape_like(f'"version":{orjson.dumps(event_filter.version).decode()}')
    return {
        # Times are compared as ids, which contain them, so that the primary key's index is used.
        name: first_event_id(value) if isinstance(value, datetime) else value
        for name, value in values.items()
        if value is not None
    }


@lru_cache(maxsize=512)
def _build_list(filter_names: tuple[str, ...], *, has_start: bool, is_newest_first: bool) -> Select[Any]:
    """Build the statement for one combination of filters, which is then cached with its plan."""
    statement = select(trail).where(*(_CONDITIONS[name] for name in filter_names))
    if has_start:
        start = bindparam("start", type_=trail.c.id.type)
        statement = statement.where(trail.c.id <= start if is_newest_first else trail.c.id >= start)
    order = trail.c.id.desc() if is_newest_first else trail.c.id
    return statement.order_by(order).limit(bindparam("max_rows")).offset(bindparam("skipped_rows"))


def build_event(row: Any) -> AuditEvent:
    """Build an event from all columns of its row."""
    actor = Actor(
        user=row.who,
        account=row.account,
        credential=ActorCredential(row.credential),
        credential_name=row.credential_name,
        credential_id=row.credential_id,
        address=row.address,
        request_id=row.request_id,
        method=row.method,
        path=row.path,
        query=row.query,
        user_agent=row.user_agent,
        referer=row.referer,
    )
    return AuditEvent(
        id=row.id,
        type=row.type,
        actor=actor,
        resource=row.resource,
        other=row.other,
        details=orjson.loads(row.details) if row.details else {},
        status=row.status,
        count=row.count,
    )


_SIDES: Final = {
    name: select(trail)
    .where(trail.c[name] == bindparam("name"))
    .order_by(trail.c.id.desc())
    .limit(bindparam("max_rows"))
    for name in ("resource", "other")
}


def list_of_resource(db: Connection, name: str, page: Page) -> tuple[list[AuditEvent], bool]:
    """List a page of the newest events about a resource, and whether there are more.

    Each side has its own statement, which reads the newest entries of an index; one with OR would sort all of them.
    """
    count = page.offset + page.limit + 1
    rows = {
        row.id: row
        for statement in _SIDES.values()
        for row in fetch_rows(db, statement, {"name": name, "max_rows": count})
    }
    newest = sorted(rows.values(), key=lambda row: -row.id)[page.offset : count]
    return [build_event(row) for row in newest[: page.limit]], len(newest) > page.limit


# Retention

_OLD: Final = (
    select(trail.c.id).where(trail.c.id < bindparam("before")).order_by(trail.c.id).limit(bindparam("max_rows"))
)
_REMOVE: Final = delete(trail).where(trail.c.id.in_(bindparam("ids", expanding=True)))


def list_old_ids(db: Connection, *, before: datetime, limit: int) -> list[int]:
    """List the ids of the oldest events before a time."""
    return fetch_column(db, _OLD, {"before": first_event_id(before), "max_rows": limit})


_COUNT: Final = select(func.count()).select_from(trail)
_COUNT_OLD: Final = _COUNT.where(trail.c.id < bindparam("before"))


def count_events(db: Connection, *, before: datetime | None = None) -> int:
    """Count all events, or those before a time."""
    if before is None:
        return int(fetch_scalar(db, _COUNT, {}))
    return int(fetch_scalar(db, _COUNT_OLD, {"before": first_event_id(before)}))


def remove(db: Connection, ids: Sequence[int]) -> int:
    """Remove events; return their number."""
    return execute(db, _REMOVE, {"ids": ids})
