"""Pacticipants: finding, locking, adding and changing them."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from treaty.errors import NotFound
from treaty.model.pacticipant import Pacticipant
from treaty.store.database import column, every, maybe, run
from treaty.store.tables import pacticipant

COLUMNS: Final = (
    pacticipant.c.name,
    pacticipant.c.display_name,
    pacticipant.c.repository_url,
    pacticipant.c.repository_name,
    pacticipant.c.repository_namespace,
    pacticipant.c.main_branch,
    pacticipant.c.created_at,
    pacticipant.c.updated_at,
)
"""What a pacticipant is made of."""

_PACTICIPANTS: Final = select(*COLUMNS)
_NAMED: Final = _PACTICIPANTS.where(pacticipant.c.name == bindparam("name"))
_LOCKED: Final = (
    _PACTICIPANTS.where(pacticipant.c.name.in_(bindparam("names", expanding=True)))
    .order_by(pacticipant.c.name)
    .with_for_update(key_share=True)
)
_EVERY_NAME: Final = select(pacticipant.c.name).order_by(pacticipant.c.name)
_ADD: Final = insert(pacticipant).values({one.key: bindparam(one.key) for one in COLUMNS})


def lock(db: Connection, names: Collection[str]) -> list[Pacticipant]:
    """Keep other writes away from these pacticipants until this one is done. Those that are missing are left out."""
    return every(db, _LOCKED, {"names": list(names)}, Pacticipant)


def find(db: Connection, name: str) -> Pacticipant | None:
    return maybe(db, _NAMED, {"name": name}, Pacticipant)


def get(db: Connection, name: str, role: str = "pacticipant") -> Pacticipant:
    """Find a pacticipant. Raises NotFound, which calls it by its role."""
    found = find(db, name)
    if found is None:
        raise NotFound.named(role, name)
    return found


def every_name(db: Connection) -> list[str]:
    return column(db, _EVERY_NAME, {})


def add(db: Connection, new: Pacticipant) -> None:
    run(db, _ADD, new)


_SET_MAIN_BRANCH: Final = (
    update(pacticipant)
    .where(pacticipant.c.name == bindparam("pacticipant"), pacticipant.c.main_branch.is_(None))
    .values(main_branch=bindparam("branch"), updated_at=bindparam("now"))
)


def set_main_branch(db: Connection, name: str, branch: str, *, now: datetime) -> None:
    """Give a pacticipant its main branch, unless it has got one in the meantime."""
    run(db, _SET_MAIN_BRANCH, {"pacticipant": name, "branch": branch, "now": now})
