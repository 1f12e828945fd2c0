"""Progress of forwarding audit events to a collector.

The id of an event begins with the time of its request, but the event is visible only when its transaction commits. A
single position would therefore skip events of long transactions. So the ids of forwarded events are kept for a day, and
the smallest of them is the start of the search for those that are missing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select

from treaty.model.audit import AuditEvent, event_time, first_event_id
from treaty.store.audit import build_event
from treaty.store.engine.database import execute, execute_many, fetch_rows, fetch_scalar
from treaty.store.tables import audit, audit_forwarded

MAX_TRANSACTION: Final = timedelta(days=1)
"""Duration of the longest transaction whose events are not missed."""

_START: Final = select(func.min(audit_forwarded.c.id))
_MISSING: Final = (
    select(audit)
    .where(
        audit.c.id > bindparam("start", type_=audit.c.id.type),
        ~exists().where(audit_forwarded.c.id == audit.c.id),
    )
    .order_by(audit.c.id)
    .limit(bindparam("max_rows"))
)
_ADD: Final = insert(audit_forwarded).values(id=bindparam("id")).inline()
_FORGET: Final = delete(audit_forwarded).where(audit_forwarded.c.id < bindparam("before"))


def has_begun(db: Connection) -> bool:
    """Whether events have ever been forwarded."""
    return fetch_scalar(db, _START, {}) is not None


def begin(db: Connection, *, now: datetime) -> None:
    """Make this time the start: earlier events are not forwarded."""
    execute(db, _ADD, {"id": first_event_id(now) - 1})


def list_missing(db: Connection, *, limit: int) -> list[AuditEvent]:
    """List events that were not forwarded yet, oldest first."""
    start = fetch_scalar(db, _START, {})
    return [build_event(row) for row in fetch_rows(db, _MISSING, {"start": start, "max_rows": limit})]


def mark(db: Connection, events: Sequence[AuditEvent]) -> None:
    """Mark events as forwarded, and forget those from so long ago that no event before them can appear any more."""
    execute_many(db, _ADD, [{"id": event.id} for event in events])
    newest = max(event.id for event in events)
    oldest_kept = first_event_id(event_time(newest) - MAX_TRANSACTION)
    execute(db, _FORGET, {"before": oldest_kept})
