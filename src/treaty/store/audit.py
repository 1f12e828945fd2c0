"""The audit trail: an event is a row, written in the transaction of what it tells.

Who does something goes without saying in what is done: `by` says it once, around it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Select, bindparam, delete, func, insert, or_, select

from treaty.model import audit
from treaty.model.audit import Actor, ActorCredential, AuditEvent, AuditFilter, FieldValues, first_event_id
from treaty.store.engine.database import execute, fetch_column, fetch_rows, fetch_scalar
from treaty.store.tables import audit as trail


@dataclass(slots=True)
class AuditContext:
    """Who is at work, since when, and how much of it was noted."""

    values: Mapping[str, Any]
    at: datetime | None
    event_count: int = 0


_AT_WORK: ContextVar[AuditContext | None] = ContextVar("audit", default=None)


@contextmanager
def acting_as(actor: Actor, *, at: datetime | None = None) -> Iterator[AuditContext]:
    """Say who does what is done here, and when, if all of it counts as done at one time."""
    scope = AuditContext(_columns(actor), at)
    token = _AT_WORK.set(scope)
    try:
        yield scope
    finally:
        _AT_WORK.reset(token)


def _columns(actor: Actor) -> dict[str, Any]:
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


_ADD: Final = insert(trail).values({one.name: bindparam(one.name) for one in trail.columns}).inline()
_NOTHING: Final[FieldValues] = {}


def record(  # noqa: PLR0913 - what there is to say; all of it by name
    db: Connection,
    type: str,  # noqa: A002 - that is what it is called on the wire
    *,
    resource: str | None = None,
    other: str | None = None,
    params: FieldValues = _NOTHING,
    before: FieldValues = _NOTHING,
    after: FieldValues = _NOTHING,
    status: int | None = None,
    count: int = 1,
) -> None:
    """Note what was done, in the transaction in which it is. Nothing that is a secret may be given."""
    scope = _AT_WORK.get() or AuditContext(_columns(Actor()), None)
    scope.event_count += 1
    told = {
        "id": audit.generate_event_id(scope.at or datetime.now(UTC)),
        "type": type,
        "resource": resource,
        "other": other,
        "details": audit.encode_details(params, before, after),
        "status": status,
        "count": count,
    }
    execute(db, _ADD, {**scope.values, **told})


# Reading

_EVENTS: Final = select(trail)


def list_events(
    db: Connection, wanted: AuditFilter, *, start: int | None, is_newest_first: bool, limit: int, offset: int = 0
) -> list[AuditEvent]:
    """List events in the order of their times, from a place on. Later ones change nothing about older pages."""
    given = _given(wanted)
    statement = _listed(tuple(given), has_start=start is not None, is_newest_first=is_newest_first)
    return [
        _event(row) for row in fetch_rows(db, statement, {**given, "start": start, "most": limit, "skipped": offset})
    ]


_WHERE: Final = {
    "who": trail.c.who == bindparam("who"),
    "account": trail.c.account == bindparam("account"),
    "type": trail.c.type == bindparam("type"),
    "resource": or_(trail.c.resource == bindparam("resource"), trail.c.other == bindparam("resource")),
    "address": trail.c.address == bindparam("address"),
    "since": trail.c.id >= bindparam("since"),
    "until": trail.c.id < bindparam("until"),
}


def _given(wanted: AuditFilter) -> dict[str, Any]:
    found = {name: getattr(wanted, name) for name in (*_WHERE, "credential")}
    return {
        name: first_event_id(value) if isinstance(value, datetime) else value
        for name, value in found.items()
        if value is not None
    }


@lru_cache(maxsize=512)
def _listed(shape: tuple[str, ...], *, has_start: bool, is_newest_first: bool) -> Select[Any]:
    wanted = bindparam("credential", type_=trail.c.credential.type)
    named = or_(trail.c.credential == wanted, trail.c.credential_name == wanted, trail.c.credential_id == wanted)
    statement = _EVENTS.where(*(named if name == "credential" else _WHERE[name] for name in shape))
    if has_start:
        start = bindparam("start", type_=trail.c.id.type)
        statement = statement.where(trail.c.id <= start if is_newest_first else trail.c.id >= start)
    order = trail.c.id.desc() if is_newest_first else trail.c.id
    return statement.order_by(order).limit(bindparam("most")).offset(bindparam("skipped"))


def _event(row: Any) -> AuditEvent:
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


# Retention

_OLD: Final = select(trail.c.id).where(trail.c.id < bindparam("before")).order_by(trail.c.id).limit(bindparam("most"))
_REMOVE: Final = delete(trail).where(trail.c.id.in_(bindparam("ids", expanding=True)))


def list_old_ids(db: Connection, *, before: datetime, limit: int) -> list[int]:
    """List the oldest of what is older."""
    return fetch_column(db, _OLD, {"before": first_event_id(before), "most": limit})


_COUNT: Final = select(func.count()).select_from(trail)
_COUNT_OLD: Final = _COUNT.where(trail.c.id < bindparam("before"))


def count_events(db: Connection, *, before: datetime | None = None) -> int:
    """Count all events, or those before a time."""
    found: int = (
        fetch_scalar(db, _COUNT, {})
        if before is None
        else fetch_scalar(db, _COUNT_OLD, {"before": first_event_id(before)})
    )
    return found


def remove(db: Connection, ids: Sequence[int]) -> int:
    """Remove events; say how many there were."""
    return execute(db, _REMOVE, {"ids": ids})
