"""Versions: finding and adding them, and keeping their order."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, ScalarSelect, bindparam, delete, exists, func, insert, select, update

from treaty.model.versions import Version
from treaty.store.engine.database import execute, fetch_one, fetch_rows
from treaty.store.tables import branch, branch_version, integration, pacticipant, publication, tag, tag_head, version

VERSION_COLUMNS: Final = (
    pacticipant.c.name.label("pacticipant"),
    version.c.number,
    version.c.build_url,
    version.c.created_at,
    version.c.updated_at,
)
"""What a version is made of."""

VERSIONS: Final = select(*VERSION_COLUMNS).join_from(version, pacticipant)
PACTICIPANT_ID: Final[ScalarSelect[int]] = (
    select(pacticipant.c.id).where(pacticipant.c.name == bindparam("pacticipant")).scalar_subquery()
)
"""The pacticipant that a statement's parameter names."""

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
_ADD_ON_TOP: Final = _NEW.values(position=func.coalesce(_HIGHEST, 0) + 1)
_ADD_AT: Final = _NEW.values(position=bindparam("position"))


def find(db: Connection, pacticipant: str, number: str) -> Version | None:
    return fetch_one(db, _NUMBERED, {"pacticipant": pacticipant, "number": number}, Version)


def add(db: Connection, new: Version) -> None:
    """Add a version above all others of its pacticipant."""
    execute(db, _ADD_ON_TOP, new)


_POSITIONS: Final = (
    select(version.c.number, version.c.position)
    .where(version.c.pacticipant_id == PACTICIPANT_ID)
    .order_by(version.c.position)
)
_OWN_BRANCHES: Final = select(branch.c.id).where(branch.c.pacticipant_id == PACTICIPANT_ID)
_SHIFTS: Final = tuple(
    update(table).where(mine, table.c.position >= bindparam("from_position")).values(position=table.c.position + 1)
    for table, mine in (
        (version, version.c.pacticipant_id == PACTICIPANT_ID),
        (tag, tag.c.pacticipant_id == PACTICIPANT_ID),
        (branch_version, branch_version.c.branch_id.in_(_OWN_BRANCHES)),
        (publication, publication.c.consumer_id == PACTICIPANT_ID),
    )
)


def list_positions(db: Connection, pacticipant: str) -> list[tuple[str, int]]:
    """List the numbers of all versions with their positions, lowest first."""
    return [(number, position) for number, position in fetch_rows(db, _POSITIONS, {"pacticipant": pacticipant})]


def insert_at(db: Connection, new: Version, position: int) -> None:
    """Add a version at a position; those that are there and above move up."""
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
    """Note a version's build URL and when it was changed."""
    values = {"pacticipant": changed.pacticipant, "_number": changed.number}
    execute(db, _SET_BUILD_URL, {**values, "build_url": changed.build_url, "updated_at": changed.updated_at})


_GOING: Final = select(version.c.id).where(
    version.c.pacticipant_id == PACTICIPANT_ID,
    version.c.number.in_(bindparam("numbers", expanding=True)),
)
_NEXT_ON_BRANCH: Final = (
    select(branch_version.c.version_id)
    .where(branch_version.c.branch_id == branch.c.id, branch_version.c.version_id.not_in(_GOING))
    .order_by(branch_version.c.position.desc())
    .limit(1)
    .scalar_subquery()
)
_OTHERS_WITH_TAG: Final = select(tag.c.version_id).where(
    tag.c.pacticipant_id == tag_head.c.pacticipant_id,
    tag.c.name == tag_head.c.name,
    tag.c.version_id.not_in(_GOING),
)
_OF_VERSION: Final = publication.alias()
_NEXT_PUBLICATION: Final = (
    select(publication.c.id)
    .where(
        publication.c.consumer_id == integration.c.consumer_id,
        publication.c.provider_id == integration.c.provider_id,
        publication.c.is_current,
        publication.c.consumer_version_id.not_in(_GOING),
    )
    .order_by(publication.c.position.desc())
    .limit(1)
    .scalar_subquery()
)
_HAND_OVER: Final = (
    update(branch).where(branch.c.head_version_id.in_(_GOING)).values(head_version_id=_NEXT_ON_BRANCH),
    update(tag_head)
    .where(tag_head.c.version_id.in_(_GOING), exists(_OTHERS_WITH_TAG.correlate(tag_head)))
    .values(version_id=_OTHERS_WITH_TAG.order_by(tag.c.position.desc()).limit(1).scalar_subquery()),
    update(integration)
    .where(
        integration.c.latest_publication_id.in_(
            select(_OF_VERSION.c.id).where(_OF_VERSION.c.consumer_version_id.in_(_GOING))
        )
    )
    .values(latest_publication_id=_NEXT_PUBLICATION),
)
"""Before versions go, what was first for being the newest is taken over by the next newest."""

_REMOVE: Final = delete(version).where(version.c.id.in_(_GOING))
BATCH_SIZE: Final = 500
"""How many numbers a statement takes, so that it stays short."""


def remove(db: Connection, pacticipant: str, numbers: Sequence[str]) -> None:
    """Remove versions with all that hangs on them: pacts, verifications, branches, tags, deployments and releases."""
    for start in range(0, len(numbers), BATCH_SIZE):
        params = {"pacticipant": pacticipant, "numbers": list(numbers[start : start + BATCH_SIZE])}
        for hand_over in _HAND_OVER:
            execute(db, hand_over, params)
        execute(db, _REMOVE, params)
