"""The event log: adding events, assigning their positions, and reading them in that order.

A client that follows the ids of events would lose some on PostgreSQL: an event gets its id when it is inserted, and its
transaction may commit after an event with a larger id has been read. So events get a position after their commit, in a
transaction that locks the log. What a reader sees up to a position is complete, since the next positions are assigned
only after that transaction has committed. Events of the same pact keep their order: each is inserted while its
pacticipants are locked, after the earlier ones were committed. Unlike numbers of transactions, positions are part of a
dump of the database.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import takewhile
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Integer, Select, bindparam, delete, exists, func, insert, select, update

from treaty.model.webhooks.event_log import EventFilter, LoggedEvent, LogState, NewEvent
from treaty.store.engine.database import execute, execute_many, fetch_first, fetch_rows, fetch_scalar
from treaty.store.tables import event, event_log

_COLUMNS: Final = (
    "name",
    "consumer",
    "consumer_version",
    "provider",
    "provider_version",
    "sha",
    "verification",
    "details",
    "created_at",
)
_ADD: Final = insert(event).values({name: bindparam(name) for name in _COLUMNS}).inline()


def add(db: Connection, events: Sequence[NewEvent], *, now: datetime) -> None:
    """Add events to the log, in the transaction in which they happen."""
    rows = [
        {
            "name": new.name,
            "consumer": new.consumer,
            "consumer_version": new.consumer_version,
            "provider": new.provider,
            "provider_version": new.provider_version,
            "sha": new.sha,
            "verification": new.verification,
            "details": orjson.dumps(dict(new.details)).decode() if new.details else None,
            "created_at": now,
        }
        for new in events
    ]
    execute_many(db, _ADD, rows)


# Positions

_LOG: Final = select(event_log.c.uuid, event_log.c.position)
_LOCK: Final = select(event_log.c.position).with_for_update()
_CREATE: Final = insert(event_log).values(id=1, uuid=bindparam("log"), position=0).inline()
_WAITING: Final = (
    select(event.c.id).where(event.c.position.is_(None)).order_by(event.c.id).limit(bindparam("max_rows")).subquery()
)
_NUMBERED: Final = select(_WAITING.c.id, func.row_number().over(order_by=_WAITING.c.id).label("number")).subquery()
_ASSIGN: Final = (
    update(event)
    .values(position=bindparam("last_position", type_=event.c.position.type) + _NUMBERED.c.number)
    .where(event.c.id == _NUMBERED.c.id)
)
_ADVANCE: Final = update(event_log).values(position=event_log.c.position + bindparam("count", type_=Integer))


def assign_positions(db: Connection, *, limit: int) -> int:
    """Assign positions to events that have none, in the order of their ids; return their number."""
    last_position = fetch_scalar(db, _LOCK, {})
    if last_position is None:
        # Of two transactions that create the log, the second fails on the key, and then runs again.
        execute(db, _CREATE, {"log": str(uuid.uuid4())})
        last_position = 0
    count = execute(db, _ASSIGN, {"last_position": last_position, "max_rows": limit})
    if count:
        execute(db, _ADVANCE, {"count": count})
    return count


# Reading

_STATE: Final = select(
    event_log.c.uuid,
    event_log.c.position,
    select(event.c.created_at).where(event.c.position == event_log.c.position).scalar_subquery().label("position_at"),
    select(event.c.position)
    .where(event.c.position.is_not(None))
    .order_by(event.c.position)
    .limit(1)
    .scalar_subquery()
    .label("first_position"),
    exists().where(event.c.position.is_(None)).label("has_waiting"),
)


def find_state(db: Connection) -> LogState | None:
    """Find the state of the log; None if no position has ever been assigned."""
    row = fetch_first(db, _STATE, {})
    if row is None:
        return None
    return LogState(
        log=row.uuid,
        position=row.position,
        position_at=row.position_at,
        first_position=row.first_position,
        has_waiting=bool(row.has_waiting),
    )


_AT: Final = select(event.c.created_at).where(event.c.position == bindparam("position"))


def find_time(db: Connection, position: int) -> datetime | None:
    """Find the time of the event at a position; None if there is none."""
    at: datetime | None = fetch_scalar(db, _AT, {"position": position})
    return at


def list_events(db: Connection, event_filter: EventFilter, *, after: int, limit: int) -> list[LoggedEvent]:
    """List the events that pass a filter, in the order of their positions."""
    conditions = {
        "names": list(event_filter.names),
        "consumer": event_filter.consumer,
        "provider": event_filter.provider,
    }
    params = {name: value for name, value in conditions.items() if value}
    rows = fetch_rows(db, _build_list(tuple(params)), {**params, "after": after, "max_rows": limit})
    return [_build_event(row) for row in rows]


_CONDITIONS: Final = {
    "names": event.c.name.in_(bindparam("names", expanding=True)),
    "consumer": event.c.consumer == bindparam("consumer"),
    "provider": event.c.provider == bindparam("provider"),
}


@lru_cache(maxsize=8)
def _build_list(filter_names: tuple[str, ...]) -> Select[Any]:
    """Build the statement for one combination of filters, which is then cached with its plan."""
    return (
        select(*(event.c[name] for name in ("position", *_COLUMNS)))
        .where(
            event.c.position > bindparam("after", type_=event.c.position.type),
            *(_CONDITIONS[name] for name in filter_names),
        )
        .order_by(event.c.position)
        .limit(bindparam("max_rows"))
    )


def _build_event(row: Any) -> LoggedEvent:
    values = row._asdict()
    return LoggedEvent(**{**values, "details": orjson.loads(row.details) if row.details else {}})


# Retention and renaming

_OLDEST: Final = (
    select(event.c.position, event.c.created_at)
    .where(event.c.position.is_not(None))
    .order_by(event.c.position)
    .limit(bindparam("max_rows"))
)
_REMOVE: Final = delete(event).where(event.c.position <= bindparam("position", type_=event.c.position.type))
_HAS_WAITING: Final = select(exists().where(event.c.position.is_(None)))


def has_waiting(db: Connection) -> bool:
    """Whether there are events without positions."""
    return bool(fetch_scalar(db, _HAS_WAITING, {}))


def list_old_positions(db: Connection, *, before: datetime, limit: int) -> list[int]:
    """List the positions of the oldest events, up to the first that is not older than a time."""
    oldest = fetch_rows(db, _OLDEST, {"max_rows": limit})
    return [row.position for row in takewhile(lambda row: row.created_at < before, oldest)]


def remove(db: Connection, *, until: int) -> None:
    """Remove the events up to a position.

    Only the beginning of the log is ever removed, so it is clear which cursors have events missing after them.
    """
    execute(db, _REMOVE, {"position": until})


_RENAME: Final = [
    update(event).values({column: bindparam("new_name")}).where(event.c[column] == bindparam("name"))
    for column in ("consumer", "provider")
]


def rename_pacticipant(db: Connection, name: str, new_name: str) -> None:
    """Change a pacticipant's name in the log, so that filters find its events and their links lead to it."""
    for statement in _RENAME:
        execute(db, statement, {"name": name, "new_name": new_name})
