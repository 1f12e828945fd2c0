"""Pacticipants in the database, and the lock that serializes writes about them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, union, update

from treaty.errors import NotFound
from treaty.model.pacticipants.pacticipants import ListedPacticipant, Pacticipant, PacticipantDetails
from treaty.model.paging import Page, Paged
from treaty.store import deployments
from treaty.store.engine.database import execute, fetch_all, fetch_column, fetch_one, fetch_rows
from treaty.store.engine.listing import PagedQuery, escape_like
from treaty.store.tables import Time, former_name, integration, label, pacticipant, version

PACTICIPANT_COLUMNS: Final = (
    pacticipant.c.name,
    pacticipant.c.display_name,
    pacticipant.c.repository_url,
    pacticipant.c.repository_name,
    pacticipant.c.repository_namespace,
    pacticipant.c.main_branch,
    pacticipant.c.contacts,
    pacticipant.c.created_at,
    pacticipant.c.updated_at,
)
"""The columns of a query whose rows become `Pacticipant`."""

_PACTICIPANTS: Final = select(*PACTICIPANT_COLUMNS)
_WITH_NAME: Final = _PACTICIPANTS.where(pacticipant.c.name == bindparam("name"))
# In the order of names, so that two transactions which lock the same pacticipants cannot deadlock. FOR NO KEY UPDATE,
# so that rows which reference a pacticipant can be added by others meanwhile.
_LOCK: Final = (
    _PACTICIPANTS.where(pacticipant.c.name.in_(bindparam("names", expanding=True)))
    .order_by(pacticipant.c.name)
    .with_for_update(key_share=True)
)
_ALL_NAMES: Final = select(pacticipant.c.name).order_by(pacticipant.c.name)
_ADD: Final = insert(pacticipant).values({column.key: bindparam(column.key) for column in PACTICIPANT_COLUMNS})


def select_pacticipant_id(role: str) -> Any:
    """Build a subquery for the id of the pacticipant whose name is the parameter `role`."""
    return select(pacticipant.c.id).where(pacticipant.c.name == bindparam(role)).scalar_subquery()


# A row that does not exist cannot be locked, so its name is. In the order of names, as above. Two names with the same
# hash only wait for each other.
_LOCK_NAMES: Final = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(name, 0))"
    " FROM (SELECT unnest(CAST(:names AS text[])) AS name ORDER BY 1) AS missing"
)


def lock(db: Connection, names: Collection[str]) -> list[Pacticipant]:
    """Lock pacticipants against other writes until the transaction ends, and return those that exist.

    The row stands for everything that belongs to the pacticipant: versions, branches, tags, pacts and deployments.
    Pacticipants that do not exist are locked, too: a write that adds one decides on what it reads after this, and two
    that add the same one would otherwise both read that there is nothing. On SQLite, a write transaction already
    excludes all others.
    """
    locked = fetch_all(db, _LOCK, {"names": list(names)}, Pacticipant)
    if len(locked) == len(set(names)) or db.dialect.name == "sqlite":
        return locked
    missing = set(names) - {pacticipant.name for pacticipant in locked}
    fetch_rows(db, _LOCK_NAMES, {"names": sorted(missing)})
    # Another write may have added them while this one waited.
    return fetch_all(db, _LOCK, {"names": list(names)}, Pacticipant)


# The mode conflicts with row locks and with writes, but not with reads.
_LOCK_ALL: Final = text("LOCK TABLE pacticipant IN EXCLUSIVE MODE")


def lock_all(db: Connection) -> None:
    """Wait for all writes that have locked a pacticipant, and keep others out until the transaction ends.

    A change of a name needs this: statements find pacticipants by name, and those of a write must all find the same
    one. Writes lock a pacticipant before they read what they decide on, if only one that does not exist.
    """
    if db.dialect.name == "postgresql":
        db.execute(_LOCK_ALL)


_COUNTERPART: Final = pacticipant.alias("counterpart")
_COUNTERPARTS: Final = union(
    *(
        select(_COUNTERPART.c.name)
        .join(integration, other_side == _COUNTERPART.c.id)
        .where(side == select(pacticipant.c.id).where(pacticipant.c.name == bindparam("name")).scalar_subquery())
        for side, other_side in (
            (integration.c.consumer_id, integration.c.provider_id),
            (integration.c.provider_id, integration.c.consumer_id),
        )
    )
)


def lock_with_counterparts(db: Connection, name: str) -> Pacticipant | None:
    """Lock a pacticipant and its consumers and providers; return it, or None if it does not exist.

    Removals need this lock: a deployment or a result of a counterpart may depend on the data that is removed.
    """
    locked: dict[str, Pacticipant] = {}
    locked_names: set[str] = set()
    needed_names = {name, *fetch_column(db, _COUNTERPARTS, {"name": name})}
    while not needed_names <= locked_names:
        locked_names |= needed_names
        locked = {pacticipant.name: pacticipant for pacticipant in lock(db, locked_names)}
        # Another transaction may have added an integration before the lock was acquired.
        needed_names = {name, *fetch_column(db, _COUNTERPARTS, {"name": name})}
    return locked.get(name)


def find(db: Connection, name: str) -> Pacticipant | None:
    return fetch_one(db, _WITH_NAME, {"name": name}, Pacticipant)


def get(db: Connection, name: str, role: str = "pacticipant") -> Pacticipant:
    """Find a pacticipant. Raises NotFound with a message that names its role, such as `consumer`."""
    existing = find(db, name)
    if existing is None:
        raise NotFound.named(role, name)
    return existing


def list_names(db: Connection) -> list[str]:
    return fetch_column(db, _ALL_NAMES, {})


def add(db: Connection, new: Pacticipant) -> None:
    execute(db, _ADD, new)


_SET_MAIN_BRANCH: Final = (
    update(pacticipant)
    .where(pacticipant.c.name == bindparam("pacticipant"), pacticipant.c.main_branch.is_(None))
    .values(main_branch=bindparam("branch"), updated_at=bindparam("now"))
)


def set_main_branch(db: Connection, name: str, branch: str, *, now: datetime) -> None:
    """Set the main branch of a pacticipant, unless it already has one."""
    execute(db, _SET_MAIN_BRANCH, {"pacticipant": name, "branch": branch, "now": now})


_CHANGEABLE_FIELDS: Final = tuple(
    column.key for column in PACTICIPANT_COLUMNS if column.key not in {"name", "created_at"}
)
_CHANGE: Final = (
    update(pacticipant)
    .where(pacticipant.c.name == bindparam("target_name"))
    .values({name: bindparam(name) for name in _CHANGEABLE_FIELDS})
)
_RENAME: Final = (
    update(pacticipant)
    .where(pacticipant.c.name == bindparam("target_name"))
    .values(
        {name: bindparam(name) for name in ("name", "display_name", "updated_at")}
        | {"renamed_at": bindparam("updated_at", type_=Time)}
    )
)
_REMOVE: Final = delete(pacticipant).where(pacticipant.c.name == bindparam("name"))


def change(db: Connection, changed: Pacticipant) -> None:
    """Store all properties of a pacticipant."""
    execute(db, _CHANGE, {"target_name": changed.name, **{name: getattr(changed, name) for name in _CHANGEABLE_FIELDS}})


def rename(db: Connection, name: str, renamed: Pacticipant) -> None:
    """Store the name and display name of a renamed pacticipant. All that belongs to it refers to it by its id."""
    values = {"name": renamed.name, "display_name": renamed.display_name, "updated_at": renamed.updated_at}
    execute(db, _RENAME, {"target_name": name, **values})


def remove(db: Connection, name: str) -> None:
    """Remove a pacticipant with everything that belongs to it, as a consumer and as a provider."""
    execute(db, _REMOVE, {"name": name})


_LATEST_VERSION: Final = (
    select(version.c.number)
    .where(version.c.pacticipant_id == pacticipant.c.id)
    .order_by(version.c.position.desc())
    .limit(1)
    .scalar_subquery()
)
_DETAILS: Final = select(*PACTICIPANT_COLUMNS, _LATEST_VERSION.label("latest_version"))
_DETAILS_WITH_NAME: Final = _DETAILS.add_columns(pacticipant.c.renamed_at).where(
    pacticipant.c.name == bindparam("name")
)
_BY_NAME: Final = _DETAILS.order_by(func.lower(pacticipant.c.name), pacticipant.c.name)
_MATCHING: Final = _BY_NAME.where(pacticipant.c.name.icontains(bindparam("part"), escape="!"))
_LISTING: Final = PagedQuery(_BY_NAME)
_LISTING_LIKE: Final = PagedQuery(_MATCHING)
_LISTING_WITH_LABEL: Final = PagedQuery(
    _MATCHING.join(label, label.c.pacticipant_id == pacticipant.c.id).where(label.c.name == bindparam("label"))
)
_LABELS: Final = (
    select(pacticipant.c.name.label("pacticipant"), label.c.name)
    .join_from(label, pacticipant)
    .where(pacticipant.c.name.in_(bindparam("names", expanding=True)))
    .order_by(label.c.name)
)
_FORMER_NAMES: Final = (
    select(former_name.c.name)
    .join_from(former_name, pacticipant)
    .where(pacticipant.c.name == bindparam("name"))
    .order_by(former_name.c.created_at.desc(), former_name.c.name)
)
BATCH_SIZE: Final = 500
"""Names per statement; SQLite and PostgreSQL limit the number of parameters."""


def get_details(db: Connection, name: str, *, with_running: bool = True) -> PacticipantDetails:
    """Load a pacticipant with its latest version, labels and deployed versions. Raises NotFound."""
    rows = fetch_rows(db, _DETAILS_WITH_NAME, {"name": name})
    if not rows:
        raise NotFound.named("pacticipant", name)
    return PacticipantDetails(
        pacticipant=Pacticipant(**{column.key: getattr(rows[0], column.key) for column in PACTICIPANT_COLUMNS}),
        latest_version=rows[0].latest_version,
        labels=_labels(db, [name]).get(name, ()),
        former_names=tuple(fetch_column(db, _FORMER_NAMES, {"name": name})) if rows[0].renamed_at else (),
        deployed_versions=tuple(deployments.list_running_of_pacticipant(db, name)) if with_running else None,
    )


def list_matching(
    db: Connection, *, like: str | None = None, label: str | None = None, page: Page | None = None
) -> Paged[ListedPacticipant]:
    """List the pacticipants whose name contains a text and that have a label, if given, by name."""

    def build_items(rows: Sequence[Any]) -> list[ListedPacticipant]:
        labels = _labels(db, [row[0] for row in rows])
        return [ListedPacticipant._make([*row, labels.get(row[0], ())]) for row in rows]

    if not like and label is None:
        return _LISTING.read(db, {}, page, build_items)
    params = {"part": escape_like(like or "")}
    if label is None:
        return _LISTING_LIKE.read(db, params, page, build_items)
    return _LISTING_WITH_LABEL.read(db, {**params, "label": label}, page, build_items)


def _labels(db: Connection, names: list[str]) -> dict[str, tuple[str, ...]]:
    """Load the labels of pacticipants by the pacticipant's name. Those without labels are missing."""
    labels: dict[str, list[str]] = {}
    for start in range(0, len(names), BATCH_SIZE):
        for name, label_name in fetch_rows(db, _LABELS, {"names": names[start : start + BATCH_SIZE]}):
            labels.setdefault(name, []).append(label_name)
    return {name: tuple(label_names) for name, label_names in labels.items()}
