"""Labels of pacticipants."""

from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from treaty.model.pacticipants.pacticipants import Label
from treaty.model.paging import Page, Paged
from treaty.store.engine.database import execute, fetch_one
from treaty.store.engine.listing import PagedQuery
from treaty.store.tables import label, pacticipant

_PACTICIPANT: Final = select(pacticipant.c.id).where(pacticipant.c.name == bindparam("pacticipant")).scalar_subquery()
_FIND: Final = (
    select(pacticipant.c.name.label("pacticipant"), label.c.name, label.c.created_at, label.c.updated_at)
    .join_from(label, pacticipant)
    .where(pacticipant.c.name == bindparam("pacticipant"), label.c.name == bindparam("name"))
)
_ADD: Final = insert(label).values(
    pacticipant_id=_PACTICIPANT,
    name=bindparam("name"),
    created_at=bindparam("created_at"),
    updated_at=bindparam("updated_at"),
)
_REMOVE: Final = delete(label).where(label.c.pacticipant_id == _PACTICIPANT, label.c.name == bindparam("name"))
_LISTING: Final = PagedQuery(select(label.c.name).distinct().order_by(label.c.name))


def find(db: Connection, pacticipant: str, name: str) -> Label | None:
    return fetch_one(db, _FIND, {"pacticipant": pacticipant, "name": name}, Label)


def add(db: Connection, new: Label) -> None:
    execute(db, _ADD, new)


def remove(db: Connection, label: Label) -> None:
    execute(db, _REMOVE, label)


def list_names(db: Connection, page: Page | None) -> Paged[str]:
    """List the distinct labels of all pacticipants, by name."""
    return _LISTING.read(db, {}, page, lambda rows: [row.name for row in rows])
