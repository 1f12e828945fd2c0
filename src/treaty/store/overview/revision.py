"""The revision of all data in the database."""

from typing import Any, Final

from sqlalchemy import Connection, ScalarSelect, Table, select

from treaty.model.audit import event_time
from treaty.model.overview.revision import Revision
from treaty.store.engine.database import fetch_first
from treaty.store.tables import audit, verification, webhook_execution


def _newest(table: Table, column: str) -> ScalarSelect[Any]:
    return select(table.c[column]).order_by(table.c.id.desc()).limit(1).scalar_subquery()


# Every write of a client records an event of the audit trail. Workers record none for the results of comparisons and
# for deliveries.
_NEWEST: Final = select(
    _newest(audit, "id").label("event_id"),
    _newest(verification, "id").label("verification_id"),
    _newest(verification, "created_at").label("verified_at"),
    _newest(webhook_execution, "id").label("execution_id"),
    _newest(webhook_execution, "created_at").label("executed_at"),
)


def load_revision(db: Connection) -> Revision:
    """Load the revision, whose cost does not depend on the amount of data."""
    newest = fetch_first(db, _NEWEST, {})
    ids = (newest.event_id, newest.verification_id, newest.execution_id)
    recorded_at = None if newest.event_id is None else event_time(newest.event_id)
    times = [time for time in (recorded_at, newest.verified_at, newest.executed_at) if time is not None]
    return Revision(".".join(f"{number or 0:x}" for number in ids), max(times, default=None))
