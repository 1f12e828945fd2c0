"""Former names of pacticipants, which lead to the renamed pacticipant until another one takes the name."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from treaty.errors import NotFound
from treaty.store.engine.database import execute, fetch_rows
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.tables import Time, former_name, pacticipant

_CURRENT: Final = (
    select(former_name.c.name, pacticipant.c.name.label("current"))
    .join_from(former_name, pacticipant)
    .where(former_name.c.name.in_(bindparam("names", expanding=True)))
)
_ADD: Final = insert(former_name).values(
    name=bindparam("name"),
    pacticipant_id=select_pacticipant_id("pacticipant"),
    created_at=bindparam("now", type_=Time),
)
_REMOVE: Final = delete(former_name).where(former_name.c.name == bindparam("name"))


def find_current_names(db: Connection, names: Collection[str]) -> dict[str, str]:
    """Map those of the names that are former names to the present names of their pacticipants."""
    rows = fetch_rows(db, _CURRENT, {"names": list(names)}) if names else ()
    return {row.name: row.current for row in rows}


def check_not_former(db: Connection, *names: str) -> None:
    """Raise NotFound if one of the names is a former name.

    For responses that have a form of their own for unknown names, which must not hide that the pacticipant was renamed.
    """
    for former in sorted(find_current_names(db, names)):
        raise NotFound.named("pacticipant", former)


def add(db: Connection, name: str, *, pacticipant: str, now: datetime) -> None:
    execute(db, _ADD, {"name": name, "pacticipant": pacticipant, "now": now})


def remove(db: Connection, name: str) -> None:
    """Remove a former name, if it is one: it leads nowhere from now on, or to the pacticipant that takes it."""
    execute(db, _REMOVE, {"name": name})
