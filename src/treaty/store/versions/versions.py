"""Versions, and their order within a pacticipant.

The position of a version is denormalized into its tags, branch memberships and publications, so that an index finds
the latest of them however many there are.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, ScalarSelect, bindparam, delete, exists, func, insert, select, update

from treaty.model.versions import Version
from treaty.store.engine.batches import split
from treaty.store.engine.database import execute, fetch_column, fetch_one, fetch_rows
from treaty.store.tables import branch, branch_version, integration, pacticipant, publication, tag, tag_head, version

VERSION_COLUMNS: Final = (
    pacticipant.c.name.label("pacticipant"),
    version.c.number,
    version.c.build_url,
    version.c.created_at,
    version.c.updated_at,
)
"""The columns of a query whose rows become `Version`."""

VERSIONS: Final = select(*VERSION_COLUMNS).join_from(version, pacticipant)
PACTICIPANT_ID: Final[ScalarSelect[int]] = (
    select(pacticipant.c.id).where(pacticipant.c.name == bindparam("pacticipant")).scalar_subquery()
)
"""Subquery for the id of the pacticipant whose name is the parameter `pacticipant`."""

_NUMBERED: Final = VERSIONS.where(
    pacticipant.c.name == bindparam("pacticipant"),
    version.c.number == bindparam("number"),
)
_HIGHEST: Final = (
    select(func.max(version.c.position)).where(version.c.pacticipant_id == PACTICIPANT_ID).scalar_subquery()
)
_NEW: Final = insert(version).values(
    pacticipant_id=PACTICIPANT_ID,
    number=bindparam("number"),
    build_url=bindparam("build_url"),
    created_at=bindparam("created_at"),
    updated_at=bindparam("updated_at"),
)
_ADD_LATEST: Final = _NEW.values(position=func.coalesce(_HIGHEST, 0) + 1)
_ADD_AT: Final = _NEW.values(position=bindparam("position"))


def find(db: Connection, pacticipant: str, number: str) -> Version | None:
    return fetch_one(db, _NUMBERED, {"pacticipant": pacticipant, "number": number}, Version)


def add(db: Connection, new: Version) -> None:
    """Add a version as the latest of its pacticipant."""
    execute(db, _ADD_LATEST, new)


_POSITIONS: Final = (
    select(version.c.number, version.c.position)
    .where(version.c.pacticipant_id == PACTICIPANT_ID)
    .order_by(version.c.position)
)
_OWN_BRANCHES: Final = select(branch.c.id).where(branch.c.pacticipant_id == PACTICIPANT_ID)
_SHIFTS: Final = tuple(
    update(table).where(belongs, table.c.position >= bindparam("from_position")).values(position=table.c.position + 1)
    for table, belongs in (
        (version, version.c.pacticipant_id == PACTICIPANT_ID),
        (tag, tag.c.pacticipant_id == PACTICIPANT_ID),
        (branch_version, branch_version.c.branch_id.in_(_OWN_BRANCHES)),
        (publication, publication.c.consumer_id == PACTICIPANT_ID),
    )
)


def list_positions(db: Connection, pacticipant: str) -> list[tuple[str, int]]:
    """List the number and position of all versions, lowest first."""
    return [(number, position) for number, position in fetch_rows(db, _POSITIONS, {"pacticipant": pacticipant})]


def insert_at(db: Connection, new: Version, position: int) -> None:
    """Add a version at a position, and move the existing versions from there on up by one."""
    for shift in _SHIFTS:
        execute(db, shift, {"pacticipant": new.pacticipant, "from_position": position})
    values = {name: getattr(new, name) for name in ("pacticipant", "number", "build_url", "created_at", "updated_at")}
    execute(db, _ADD_AT, {**values, "position": position})


_SET_BUILD_URL: Final = (
    update(version)
    .where(version.c.pacticipant_id == PACTICIPANT_ID, version.c.number == bindparam("_number"))
    .values(build_url=bindparam("build_url"), updated_at=bindparam("updated_at"))
)


def set_build_url(db: Connection, changed: Version) -> None:
    """Store the build URL of a version, and the time of the change."""
    values = {"pacticipant": changed.pacticipant, "_number": changed.number}
    execute(db, _SET_BUILD_URL, {**values, "build_url": changed.build_url, "updated_at": changed.updated_at})


_IDS: Final = select(version.c.id, version.c.number).where(version.c.pacticipant_id == PACTICIPANT_ID)
_NUMBERED_IDS: Final = _IDS.where(version.c.number.in_(bindparam("numbers", expanding=True)))
_FEW: Final = 50
"""Number of versions up to which a statement looks for each. PostgreSQL compares each version of the pacticipant with
each number if it does not know yet that there are many, right after they were added."""


def find_ids(db: Connection, pacticipant: str, numbers: Sequence[str]) -> list[int]:
    """Find the ids of the versions with these numbers."""
    if len(numbers) <= _FEW:
        return fetch_column(db, _NUMBERED_IDS, {"pacticipant": pacticipant, "numbers": list(numbers)})
    requested = frozenset(numbers)
    return [row.id for row in fetch_rows(db, _IDS, {"pacticipant": pacticipant}) if row.number in requested]


# Ids, not a subquery for them, for the same reason.
_REMOVED: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
_NEXT_ON_BRANCH: Final = (
    select(branch_version.c.version_id)
    .where(branch_version.c.branch_id == branch.c.id, branch_version.c.version_id.not_in(_REMOVED))
    .order_by(branch_version.c.position.desc())
    .limit(1)
    .scalar_subquery()
)
_OTHERS_WITH_TAG: Final = select(tag.c.version_id).where(
    tag.c.pacticipant_id == tag_head.c.pacticipant_id,
    tag.c.name == tag_head.c.name,
    tag.c.version_id.not_in(_REMOVED),
)
_OF_VERSION: Final = publication.alias()
_NEXT_PUBLICATION: Final = (
    select(publication.c.id)
    .where(
        publication.c.consumer_id == integration.c.consumer_id,
        publication.c.provider_id == integration.c.provider_id,
        publication.c.is_current,
        publication.c.consumer_version_id.not_in(_REMOVED),
    )
    .order_by(publication.c.position.desc())
    .limit(1)
    .scalar_subquery()
)
_REPLACE_HEADS: Final = (
    update(branch).where(branch.c.head_version_id.in_(_REMOVED)).values(head_version_id=_NEXT_ON_BRANCH),
    update(tag_head)
    .where(tag_head.c.version_id.in_(_REMOVED), exists(_OTHERS_WITH_TAG.correlate(tag_head)))
    .values(version_id=_OTHERS_WITH_TAG.order_by(tag.c.position.desc()).limit(1).scalar_subquery()),
    update(integration)
    .where(
        integration.c.latest_publication_id.in_(
            select(_OF_VERSION.c.id).where(_OF_VERSION.c.consumer_version_id.in_(_REMOVED))
        )
    )
    .values(latest_publication_id=_NEXT_PUBLICATION),
)
"""Move denormalized heads (of branches, tags and integrations) from versions that will be removed to the next newest.

This must happen before the removal, which clears or deletes the heads that still refer to the versions.
"""

_REMOVE: Final = delete(version).where(version.c.id.in_(_REMOVED))


def remove(db: Connection, pacticipant: str, numbers: Sequence[str]) -> None:
    """Remove versions with their pacts, results, branch memberships, tags, deployments and releases."""
    ids = find_ids(db, pacticipant, numbers)
    for batch in split(ids):
        for statement in (*_REPLACE_HEADS, _REMOVE):
            execute(db, statement, {"ids": batch})
