"""Branches and their versions. The head is denormalized: `branch.head_version_id` is the last version added."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Integer, and_, bindparam, delete, func, insert, select, update

from treaty.model.paging import Page, Paged
from treaty.model.versions import Branch, BranchVersion, Version
from treaty.store.engine.batches import execute_in_batches
from treaty.store.engine.database import execute, fetch_column, fetch_first, fetch_one, fetch_rows
from treaty.store.engine.listing import PagedQuery, escape_like
from treaty.store.tables import branch, branch_version, pacticipant, version
from treaty.store.versions.versions import PACTICIPANT_ID


@dataclass(frozen=True, slots=True)
class BranchState:
    """A branch and the membership of a version in it, as far as they exist."""

    branch: Branch | None
    branch_version: BranchVersion | None


_VERSION: Final = (
    select(version.c.id)
    .where(version.c.pacticipant_id == PACTICIPANT_ID, version.c.number == bindparam("version"))
    .scalar_subquery()
)
_BRANCH: Final = (
    select(branch.c.id)
    .where(branch.c.pacticipant_id == PACTICIPANT_ID, branch.c.name == bindparam("branch"))
    .scalar_subquery()
)
_STATE: Final = (
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


def load_state(db: Connection, pacticipant: str, branch: str, version: str) -> BranchState:
    """Load a branch and the membership of a version in it, in one query."""
    rows = fetch_rows(db, _STATE, {"pacticipant": pacticipant, "branch": branch, "version": version})
    if not rows:
        return BranchState(None, None)
    existing = Branch(
        pacticipant=pacticipant,
        name=branch,
        created_at=rows[0].branch_created_at,
        updated_at=rows[0].branch_updated_at,
    )
    return BranchState(existing, _branch_version(rows[0], existing, version))


_BUILD_STATE: Final = (
    select(
        version.c.id.label("version_id"),
        version.c.build_url,
        version.c.created_at.label("version_created_at"),
        version.c.updated_at.label("version_updated_at"),
        branch.c.created_at.label("branch_created_at"),
        branch.c.updated_at.label("branch_updated_at"),
        (func.coalesce(branch.c.head_version_id, 0) == branch_version.c.version_id).label("is_head"),
        branch_version.c.created_at,
        branch_version.c.updated_at,
    )
    .select_from(pacticipant)
    .outerjoin(version, and_(version.c.pacticipant_id == pacticipant.c.id, version.c.number == bindparam("version")))
    .outerjoin(branch, and_(branch.c.pacticipant_id == pacticipant.c.id, branch.c.name == bindparam("branch")))
    .outerjoin(
        branch_version,
        and_(branch_version.c.branch_id == branch.c.id, branch_version.c.version_id == version.c.id),
    )
    .where(pacticipant.c.name == bindparam("pacticipant"))
)


def load_build_state(db: Connection, pacticipant: str, version: str, branch: str) -> tuple[Version | None, BranchState]:
    """Load a version, a branch, and the membership of the version in it, as far as they exist, in one query."""
    row = fetch_first(db, _BUILD_STATE, {"pacticipant": pacticipant, "version": version, "branch": branch})
    existing_version = existing_branch = None
    if row is not None and row.version_id is not None:
        existing_version = Version(
            pacticipant=pacticipant,
            number=version,
            build_url=row.build_url,
            created_at=row.version_created_at,
            updated_at=row.version_updated_at,
        )
    if row is not None and row.branch_created_at is not None:
        existing_branch = Branch(
            pacticipant=pacticipant, name=branch, created_at=row.branch_created_at, updated_at=row.branch_updated_at
        )
    membership = _branch_version(row, existing_branch, version) if existing_branch else None
    return existing_version, BranchState(existing_branch, membership)


def _branch_version(row: Any, branch: Branch, version: str) -> BranchVersion | None:
    if row.created_at is None:
        return None
    return BranchVersion(
        pacticipant=branch.pacticipant,
        branch=branch.name,
        version=version,
        is_head=bool(row.is_head),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


_ADD: Final = insert(branch).values(
    pacticipant_id=PACTICIPANT_ID,
    name=bindparam("branch"),
    head_version_id=_VERSION,
    created_at=bindparam("created_at"),
    updated_at=bindparam("updated_at"),
)
_SET_HEAD: Final = (
    update(branch)
    .where(branch.c.pacticipant_id == PACTICIPANT_ID, branch.c.name == bindparam("branch"))
    .values(head_version_id=_VERSION, updated_at=bindparam("updated_at"))
)
_TOUCH: Final = (
    update(branch)
    .where(branch.c.pacticipant_id == PACTICIPANT_ID, branch.c.name == bindparam("branch"))
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
    ).where(version.c.pacticipant_id == PACTICIPANT_ID, version.c.number == bindparam("version")),
)


def add(db: Connection, new: Branch, *, head: str) -> None:
    """Add a branch with a version as its head. The caller adds the membership of the version."""
    values = {"pacticipant": new.pacticipant, "branch": new.name, "version": head}
    execute(db, _ADD, {**values, "created_at": new.created_at, "updated_at": new.updated_at})


def set_head(db: Connection, changed: Branch, *, head: str) -> None:
    """Make a version the head of a branch, and store the time of the change."""
    values = {"pacticipant": changed.pacticipant, "branch": changed.name, "version": head}
    execute(db, _SET_HEAD, {**values, "updated_at": changed.updated_at})


def touch(db: Connection, changed: Branch) -> None:
    """Store when a branch was changed."""
    values = {"pacticipant": changed.pacticipant, "branch": changed.name}
    execute(db, _TOUCH, {**values, "updated_at": changed.updated_at})


def add_version(db: Connection, new: BranchVersion, *, is_auto_created: bool) -> None:
    """Add a version to a branch without changing its head."""
    values = {"pacticipant": new.pacticipant, "branch": new.branch, "version": new.version}
    times = {"created_at": new.created_at, "updated_at": new.updated_at}
    execute(db, _ADD_VERSION, {**values, **times, "is_auto_created": is_auto_created})


_BRANCHES: Final = select(
    pacticipant.c.name.label("pacticipant"),
    branch.c.name,
    branch.c.created_at,
    branch.c.updated_at,
).join_from(branch, pacticipant)
_NAMED: Final = _BRANCHES.where(pacticipant.c.name == bindparam("pacticipant"), branch.c.name == bindparam("branch"))
_LISTING: Final = PagedQuery(
    _BRANCHES.where(pacticipant.c.name == bindparam("pacticipant"))
    .where(branch.c.name.icontains(bindparam("part"), escape="!"))
    .order_by(branch.c.updated_at.desc(), branch.c.id.desc())
)
_OF_PACTICIPANT: Final = (
    select(branch.c.name).where(branch.c.pacticipant_id == PACTICIPANT_ID).order_by(branch.c.updated_at, branch.c.id)
)


def find(db: Connection, pacticipant: str, name: str) -> Branch | None:
    return fetch_one(db, _NAMED, {"pacticipant": pacticipant, "branch": name}, Branch)


def list_matching(db: Connection, pacticipant: str, *, like: str | None, page: Page | None) -> Paged[Branch]:
    """List the branches whose name contains a text, the most recently changed first."""
    params = {"pacticipant": pacticipant, "part": escape_like(like or "")}
    return _LISTING.read(db, params, page, lambda rows: [Branch(**row._asdict()) for row in rows])


def list_names(db: Connection, pacticipant: str) -> list[str]:
    """List the names of all branches, the most recently changed last."""
    return fetch_column(db, _OF_PACTICIPANT, {"pacticipant": pacticipant})


_HEADS: Final = (
    select(branch.c.name, version.c.number)
    .join_from(branch, version, version.c.id == branch.c.head_version_id)
    .where(branch.c.pacticipant_id == PACTICIPANT_ID)
    .order_by(branch.c.updated_at.desc(), branch.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
)


def list_heads(db: Connection, pacticipant: str, *, limit: int) -> list[tuple[str, str]]:
    """List branches with the numbers of their heads, the most recently changed first."""
    rows = fetch_rows(db, _HEADS, {"pacticipant": pacticipant, "limit": limit})
    return [(row.name, row.number) for row in rows]


_REMOVE: Final = delete(branch).where(
    branch.c.pacticipant_id == PACTICIPANT_ID,
    branch.c.name.in_(bindparam("names", expanding=True)),
)
_NEWEST_MEMBER: Final = (
    select(branch_version.c.version_id)
    .where(branch_version.c.branch_id == branch.c.id)
    .order_by(branch_version.c.position.desc())
    .limit(1)
    .scalar_subquery()
)
_REMOVE_VERSION: Final = delete(branch_version).where(
    branch_version.c.branch_id == _BRANCH,
    branch_version.c.version_id == _VERSION,
)
_REPLACE_HEAD: Final = (
    update(branch)
    .where(
        branch.c.pacticipant_id == PACTICIPANT_ID,
        branch.c.name == bindparam("branch"),
        branch.c.head_version_id == _VERSION,
    )
    .values(head_version_id=_NEWEST_MEMBER)
)


def remove(db: Connection, pacticipant: str, names: Sequence[str]) -> None:
    """Remove branches. Their versions stay."""
    execute_in_batches(db, _REMOVE, names, {"pacticipant": pacticipant}, parameter="names")


def remove_version(db: Connection, removed: BranchVersion) -> None:
    """Remove a version from a branch. If it was the head, the newest remaining version becomes the head."""
    params = {"pacticipant": removed.pacticipant, "branch": removed.branch, "version": removed.version}
    execute(db, _REMOVE_VERSION, params)
    execute(db, _REPLACE_HEAD, params)
