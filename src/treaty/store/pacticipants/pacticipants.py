"""Pacticipants: finding, locking, adding and changing them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, union, update

from treaty.errors import NotFound
from treaty.model.pacticipants.pacticipants import ListedPacticipant, Pacticipant, PacticipantDetails
from treaty.model.paging import Page, Paged
from treaty.store import deployments
from treaty.store.engine.database import execute, fetch_all, fetch_column, fetch_one, fetch_rows
from treaty.store.engine.listing import PagedQuery
from treaty.store.tables import integration, label, pacticipant, version

PACTICIPANT_COLUMNS: Final = (
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

_PACTICIPANTS: Final = select(*PACTICIPANT_COLUMNS)
_NAMED: Final = _PACTICIPANTS.where(pacticipant.c.name == bindparam("name"))
_LOCKED: Final = (
    _PACTICIPANTS.where(pacticipant.c.name.in_(bindparam("names", expanding=True)))
    .order_by(pacticipant.c.name)
    .with_for_update(key_share=True)
)
_EVERY_NAME: Final = select(pacticipant.c.name).order_by(pacticipant.c.name)
_ADD: Final = insert(pacticipant).values({one.key: bindparam(one.key) for one in PACTICIPANT_COLUMNS})


def select_pacticipant_id(role: str) -> Any:
    """Find, within a statement, the id of the pacticipant that the parameter with the name of its role names."""
    return select(pacticipant.c.id).where(pacticipant.c.name == bindparam(role)).scalar_subquery()


def lock(db: Connection, names: Collection[str]) -> list[Pacticipant]:
    """Keep other writes away from these pacticipants until this one is done. Those that are missing are left out."""
    return fetch_all(db, _LOCKED, {"names": list(names)}, Pacticipant)


_counterpart: Final = pacticipant.alias("counterpart")
_COUNTERPARTS: Final = union(
    *(
        select(_counterpart.c.name)
        .join(integration, other_side == _counterpart.c.id)
        .where(side == select(pacticipant.c.id).where(pacticipant.c.name == bindparam("name")).scalar_subquery())
        for side, other_side in (
            (integration.c.consumer_id, integration.c.provider_id),
            (integration.c.provider_id, integration.c.consumer_id),
        )
    )
)


def lock_with_counterparts(db: Connection, name: str) -> Pacticipant | None:
    """Lock a pacticipant and all that it is integrated with; return it, or None if it is missing.

    For removals: a deployment of a counterpart, or a result that it publishes, may depend on what is removed.
    """
    locked: dict[str, Pacticipant] = {}
    needed = {name, *fetch_column(db, _COUNTERPARTS, {"name": name})}
    names: set[str] = set()
    while not needed <= names:
        names |= needed
        locked = {found.name: found for found in lock(db, names)}
        # An integration may have been added before the lock was held.
        needed = {name, *fetch_column(db, _COUNTERPARTS, {"name": name})}
    return locked.get(name)


def find(db: Connection, name: str) -> Pacticipant | None:
    return fetch_one(db, _NAMED, {"name": name}, Pacticipant)


def get(db: Connection, name: str, role: str = "pacticipant") -> Pacticipant:
    """Find a pacticipant. Raises NotFound, which calls it by its role."""
    found = find(db, name)
    if found is None:
        raise NotFound.named(role, name)
    return found


def list_names(db: Connection) -> list[str]:
    return fetch_column(db, _EVERY_NAME, {})


def add(db: Connection, new: Pacticipant) -> None:
    execute(db, _ADD, new)


_SET_MAIN_BRANCH: Final = (
    update(pacticipant)
    .where(pacticipant.c.name == bindparam("pacticipant"), pacticipant.c.main_branch.is_(None))
    .values(main_branch=bindparam("branch"), updated_at=bindparam("now"))
)


def set_main_branch(db: Connection, name: str, branch: str, *, now: datetime) -> None:
    """Give a pacticipant its main branch, unless it has got one in the meantime."""
    execute(db, _SET_MAIN_BRANCH, {"pacticipant": name, "branch": branch, "now": now})


_CHANGEABLE: Final = tuple(one.key for one in PACTICIPANT_COLUMNS if one.key not in {"name", "created_at"})
_CHANGE: Final = (
    update(pacticipant)
    .where(pacticipant.c.name == bindparam("its_name"))
    .values({name: bindparam(name) for name in _CHANGEABLE})
)
_REMOVE: Final = delete(pacticipant).where(pacticipant.c.name == bindparam("name"))


def change(db: Connection, changed: Pacticipant) -> None:
    """Note all that is said about a pacticipant."""
    execute(db, _CHANGE, {"its_name": changed.name, **{name: getattr(changed, name) for name in _CHANGEABLE}})


def remove(db: Connection, name: str) -> None:
    """Remove a pacticipant with all that belongs to it, whichever side of a pact it is on."""
    execute(db, _REMOVE, {"name": name})


_LATEST: Final = (
    select(version.c.number)
    .where(version.c.pacticipant_id == pacticipant.c.id)
    .order_by(version.c.position.desc())
    .limit(1)
    .scalar_subquery()
)
_IN_FULL: Final = select(*PACTICIPANT_COLUMNS, _LATEST.label("latest_version"))
_ONE_IN_FULL: Final = _IN_FULL.where(pacticipant.c.name == bindparam("name"))
_BY_NAME: Final = _IN_FULL.order_by(func.lower(pacticipant.c.name), pacticipant.c.name)
_LIKE: Final = _BY_NAME.where(pacticipant.c.name.icontains(bindparam("part"), escape="!"))
_LISTING: Final = PagedQuery(_BY_NAME)
_LISTING_LIKE: Final = PagedQuery(_LIKE)
_LISTING_WITH_LABEL: Final = PagedQuery(
    _LIKE.join(label, label.c.pacticipant_id == pacticipant.c.id).where(label.c.name == bindparam("label"))
)
_LABELS: Final = (
    select(pacticipant.c.name.label("pacticipant"), label.c.name)
    .join_from(label, pacticipant)
    .where(pacticipant.c.name.in_(bindparam("names", expanding=True)))
    .order_by(label.c.name)
)
BATCH_SIZE: Final = 500
"""How many names a statement takes, so that it stays short."""


def get_details(db: Connection, name: str, *, with_running: bool = True) -> PacticipantDetails:
    """Find a pacticipant with all that hangs on it. Raises NotFound."""
    found = fetch_rows(db, _ONE_IN_FULL, {"name": name})
    if not found:
        raise NotFound.named("pacticipant", name)
    return PacticipantDetails(
        pacticipant=Pacticipant(**{one.key: getattr(found[0], one.key) for one in PACTICIPANT_COLUMNS}),
        latest_version=found[0].latest_version,
        labels=_labels(db, [name]).get(name, ()),
        deployed_versions=tuple(deployments.list_running_of_pacticipant(db, name)) if with_running else None,
    )


def list_matching(
    db: Connection, *, like: str | None = None, label: str | None = None, page: Page | None = None
) -> Paged[ListedPacticipant]:
    """List pacticipants whose name holds a text, or that have a label, in the order of their names."""

    def make(found: Sequence[Any]) -> list[ListedPacticipant]:
        labels = _labels(db, [row[0] for row in found])
        return [ListedPacticipant._make([*row, labels.get(row[0], ())]) for row in found]

    if not like and label is None:
        return _LISTING.read(db, {}, page, make)
    params = {"part": escape_like(like or "")}
    if label is None:
        return _LISTING_LIKE.read(db, params, page, make)
    return _LISTING_WITH_LABEL.read(db, {**params, "label": label}, page, make)


def escape_like(part: str) -> str:
    """Escape a text that is looked for inside others, with `!`."""
    return part.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _labels(db: Connection, names: list[str]) -> dict[str, tuple[str, ...]]:
    """Find the labels of each of these pacticipants that has any."""
    found: dict[str, list[str]] = {}
    for start in range(0, len(names), BATCH_SIZE):
        for name, its in fetch_rows(db, _LABELS, {"names": names[start : start + BATCH_SIZE]}):
            found.setdefault(name, []).append(its)
    return {name: tuple(labels) for name, labels in found.items()}
