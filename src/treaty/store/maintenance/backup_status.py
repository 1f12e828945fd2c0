"""The latest backup that the audit trail has, and the changes since."""

from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import Connection, bindparam, func, or_, select

from treaty.model.audit import Action, first_event_id
from treaty.model.maintenance.backups import UNCOUNTED_ACTIONS, BackupStatus
from treaty.store.engine.database import fetch_first, fetch_rows
from treaty.store.tables import audit as trail

_LATEST: Final = (
    select(trail.c.id, trail.c.type, trail.c.details)
    .where(or_(trail.c.type == Action.BACKUP.value, trail.c.type == Action.RESTORATION.value))
    .order_by(trail.c.id.desc())
    .limit(1)
)
_CHANGES: Final = (
    select(trail.c.type, func.count().label("events"))
    .where(
        trail.c.id >= bindparam("start", type_=trail.c.id.type),
        trail.c.type.not_in(bindparam("uncounted", expanding=True)),
    )
    .group_by(trail.c.type)
)


def find_status(db: Connection) -> BackupStatus:
    """Find the latest backup, or the backup that the database was restored from, and count the changes since."""
    latest = fetch_first(db, _LATEST, {})
    if latest is None:
        return BackupStatus(backed_up_at=None, is_restored=False, changes={})
    backed_up_at = _read_time(latest.details)
    is_restored = latest.type == Action.RESTORATION
    start = latest.id if is_restored else first_event_id(backed_up_at)
    rows = fetch_rows(db, _CHANGES, {"start": start, "uncounted": sorted(UNCOUNTED_ACTIONS)})
    return BackupStatus(
        backed_up_at=backed_up_at, is_restored=is_restored, changes={row.type: row.events for row in rows}
    )


def find_time(db: Connection) -> datetime | None:
    """Find the time of the state that the latest backup contains; None without a recorded backup."""
    latest = fetch_first(db, _LATEST, {})
    return None if latest is None else _read_time(latest.details)


def _read_time(details: str) -> datetime:
    return datetime.fromisoformat(orjson.loads(details)["params"]["state_of"])
