"""Branches, the versions on them, and which of these is the head."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, func, insert, select, update

from treaty.model.version import Branch, BranchVersion
from treaty.store.database import rows, run
from treaty.store.tables import branch, branch_version, pacticipant, version
from treaty.store.versions import PACTICIPANT


@dataclass(frozen=True, slots=True)
class Standing:
    """What is there of a branch, and of a version's place on it."""

    branch: Branch | None
    branch_version: BranchVersion | None


_VERSION: Final = (
    select(version.c.id)
    .where(version.c.pacticipant_id == PACTICIPANT, version.c.number == bindparam("version"))
    .scalar_subquery()
)
_BRANCH: Final = (
    select(branch.c.id)
    .where(branch.c.pacticipant_id == PACTICIPANT, branch.c.name == bindparam("branch"))
    .scalar_subquery()
)
_STANDING: Final = (
    select(
        branch.c.created_at.label("branch_created_at"),
        branch.c.updated_at.label("branch_updated_at"),
        (func.coalesce(branch.c.head_version_id, 0) == branch_version.c.version_id).label("is_head"),
        branch_version.c.created_at,
        branch_version.c.updated_at,
    )
    .join_from(branch, pacticipant)
    .outerjoin(
        branch_version,
        and_(branch_version.c.branch_id == branch.c.id, branch_version.c.version_id == _VERSION),
    )
    .where(pacticipant.c.name == bindparam("pacticipant"), branch.c.name == bindparam("branch"))
)


def standing(db: Connection, pacticipant: str, branch: str, version: str) -> Standing:
    """Find a branch and a version's place on it, in one look."""
    found = rows(db, _STANDING, {"pacticipant": pacticipant, "branch": branch, "version": version})
    if not found:
        return Standing(None, None)
    row = found[0]
    there = Branch(
        pacticipant=pacticipant,
        name=branch,
        created_at=row.branch_created_at,
        updated_at=row.branch_updated_at,
    )
    return Standing(there, _place(row, there, version))


def _place(row: Any, on: Branch, version: str) -> BranchVersion | None:  # noqa: ANN401 - a row's own type
    if row.created_at is None:
        return None
    return BranchVersion(
        pacticipant=on.pacticipant,
        branch=on.name,
        version=version,
        is_head=bool(row.is_head),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


_ADD: Final = insert(branch).values(
    pacticipant_id=PACTICIPANT,
    name=bindparam("branch"),
    head_version_id=_VERSION,
    created_at=bindparam("created_at"),
    updated_at=bindparam("updated_at"),
)
_SET_HEAD: Final = (
    update(branch)
    .where(branch.c.pacticipant_id == PACTICIPANT, branch.c.name == bindparam("branch"))
    .values(head_version_id=_VERSION, updated_at=bindparam("updated_at"))
)
_TOUCH: Final = (
    update(branch)
    .where(branch.c.pacticipant_id == PACTICIPANT, branch.c.name == bindparam("branch"))
    .values(updated_at=bindparam("updated_at"))
)
_ADD_VERSION: Final = insert(branch_version).from_select(
    ["branch_id", "version_id", "position", "is_auto_created", "created_at", "updated_at"],
    select(
        _BRANCH,
        version.c.id,
        version.c.position,
        bindparam("is_auto_created", type_=branch_version.c.is_auto_created.type),
        bindparam("created_at", type_=branch_version.c.created_at.type),
        bindparam("updated_at", type_=branch_version.c.updated_at.type),
    ).where(version.c.pacticipant_id == PACTICIPANT, version.c.number == bindparam("version")),
)


def add(db: Connection, new: Branch, *, head: str) -> None:
    """Add a branch whose head is a version; the version's place on it is added by itself."""
    values = {"pacticipant": new.pacticipant, "branch": new.name, "version": head}
    run(db, _ADD, {**values, "created_at": new.created_at, "updated_at": new.updated_at})


def set_head(db: Connection, changed: Branch, *, head: str) -> None:
    """Make a version the head of a branch, and note when the branch was changed."""
    values = {"pacticipant": changed.pacticipant, "branch": changed.name, "version": head}
    run(db, _SET_HEAD, {**values, "updated_at": changed.updated_at})


def touch(db: Connection, changed: Branch) -> None:
    """Note when a branch was changed."""
    values = {"pacticipant": changed.pacticipant, "branch": changed.name}
    run(db, _TOUCH, {**values, "updated_at": changed.updated_at})


def add_version(db: Connection, new: BranchVersion, *, is_auto_created: bool) -> None:
    """Put a version on a branch; the head stays."""
    values = {"pacticipant": new.pacticipant, "branch": new.branch, "version": new.version}
    times = {"created_at": new.created_at, "updated_at": new.updated_at}
    run(db, _ADD_VERSION, {**values, **times, "is_auto_created": is_auto_created})
