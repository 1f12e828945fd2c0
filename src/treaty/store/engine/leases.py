"""Leases: what one process does at a time for all. One that was killed loses its lease when the time is over."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from treaty.store.engine.database import execute, fetch_scalar
from treaty.store.tables import lease

_IS_THERE: Final = select(lease.c.name).where(lease.c.name == bindparam("lease"))
_ADD: Final = insert(lease).values(name=bindparam("lease"), owner=bindparam("taker"), until=bindparam("end"))
_TAKE: Final = (
    update(lease)
    .where(
        lease.c.name == bindparam("lease"),
        or_(lease.c.owner == bindparam("taker"), lease.c.until <= bindparam("now", type_=lease.c.until.type)),
    )
    .values(owner=bindparam("taker"), until=bindparam("end"))
)
_END: Final = (
    update(lease)
    .where(lease.c.name == bindparam("lease"), lease.c.owner == bindparam("taker"))
    .values(until=bindparam("end"), owner="")
)


def claim(db: Connection, name: str, *, owner: str, now: datetime, until: datetime) -> bool:
    """Take a lease, or have it for longer; say whether it is the owner's now."""
    params = {"lease": name, "taker": owner, "end": until}
    if fetch_scalar(db, _IS_THERE, {"lease": name}) is None:
        execute(db, _ADD, params)
        return True
    return execute(db, _TAKE, {**params, "now": now}) == 1


def end(db: Connection, name: str, *, owner: str, until: datetime) -> None:
    """Let a lease end earlier, if it is still the owner's."""
    execute(db, _END, {"lease": name, "taker": owner, "end": until})
