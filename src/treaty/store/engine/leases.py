"""Leases: periodic work, such as cleanup, that one of several processes does at a time.

A lease ends by itself, so a process that is killed does not block the others for longer.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from treaty.store.engine.database import execute, fetch_scalar
from treaty.store.tables import lease

_FIND: Final = select(lease.c.name).where(lease.c.name == bindparam("lease"))
_ADD: Final = insert(lease).values(name=bindparam("lease"), owner=bindparam("new_owner"), until=bindparam("end"))
# The condition is part of the update: of two processes that find an expired lease, only one updates the row.
_CLAIM: Final = (
    update(lease)
    .where(
        lease.c.name == bindparam("lease"),
        or_(lease.c.owner == bindparam("new_owner"), lease.c.until <= bindparam("now", type_=lease.c.until.type)),
    )
    .values(owner=bindparam("new_owner"), until=bindparam("end"))
)
_END: Final = (
    update(lease)
    .where(lease.c.name == bindparam("lease"), lease.c.owner == bindparam("current_owner"))
    .values(until=bindparam("end"), owner="")
)


def claim(db: Connection, name: str, *, owner: str, now: datetime, until: datetime) -> bool:
    """Claim a free or expired lease, or extend the owner's; return whether it is the owner's now."""
    params = {"lease": name, "new_owner": owner, "end": until}
    if fetch_scalar(db, _FIND, {"lease": name}) is None:
        execute(db, _ADD, params)  # if another process is first, the transaction runs again and finds its lease
        return True
    return execute(db, _CLAIM, {**params, "now": now}) == 1


_UNTIL: Final = select(lease.c.until).where(lease.c.name == bindparam("lease"))


def find_end(db: Connection, name: str) -> datetime | None:
    """Find when a lease ends, or has ended; None if it was never claimed."""
    until: datetime | None = fetch_scalar(db, _UNTIL, {"lease": name})
    return until


def end(db: Connection, name: str, *, owner: str, until: datetime) -> None:
    """End a lease at a given time, usually now, if it is still the owner's."""
    execute(db, _END, {"lease": name, "current_owner": owner, "end": until})
