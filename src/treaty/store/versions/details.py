"""Versions with all that hangs on them, one or many."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import BindParameter, Connection, Select, and_, bindparam, func, select, union

from treaty.errors import NotFound
from treaty.model.paging import Page, Paged
from treaty.model.versions import VersionBranch, VersionDetails, VersionEnvironment, VersionTag
from treaty.store import deployments
from treaty.store.engine.database import fetch_rows, fetch_tuples
from treaty.store.engine.listing import PagedQuery
from treaty.store.tables import (
    branch,
    branch_version,
    deployed_version,
    environment,
    pacticipant,
    publication,
    released_version,
    tag,
    tag_head,
    version,
)
from treaty.store.versions.versions import PACTICIPANT_ID, VERSION_COLUMNS

T = TypeVar("T")

_VERSIONS: Final = (
    select(version.c.id, *VERSION_COLUMNS)
    .join_from(version, pacticipant)
    .where(pacticipant.c.name == bindparam("pacticipant"))
)
_NUMBERED: Final = _VERSIONS.where(version.c.number == bindparam("version"))
_NEWEST_FIRST: Final = version.c.position.desc()
_LATEST: Final = _VERSIONS.order_by(_NEWEST_FIRST).limit(1)
_LATEST_WITH_TAG: Final = _VERSIONS.join(tag_head, tag_head.c.version_id == version.c.id).where(
    tag_head.c.pacticipant_id == pacticipant.c.id, tag_head.c.name == bindparam("tag")
)
_LATEST_ON_BRANCH: Final = _VERSIONS.join(branch, branch.c.head_version_id == version.c.id).where(
    branch.c.pacticipant_id == pacticipant.c.id, branch.c.name == bindparam("branch")
)


def get(db: Connection, pacticipant: str, number: str) -> VersionDetails:
    """Find a version. Raises NotFound."""
    return _only(db, _NUMBERED, {"pacticipant": pacticipant, "version": number})


def get_latest(db: Connection, pacticipant: str) -> VersionDetails:
    """Find the newest version. Raises NotFound."""
    return _only(db, _LATEST, {"pacticipant": pacticipant})


def get_latest_with_tag(db: Connection, pacticipant: str, tag: str) -> VersionDetails:
    """Find the newest version that has a tag. Raises NotFound."""
    return _only(db, _LATEST_WITH_TAG, {"pacticipant": pacticipant, "tag": tag})


def get_latest_on_branch(db: Connection, pacticipant: str, branch: str) -> VersionDetails:
    """Find the head of a branch. Raises NotFound."""
    return _only(db, _LATEST_ON_BRANCH, {"pacticipant": pacticipant, "branch": branch})


def _only(db: Connection, statement: Select[*tuple[Any, ...]], params: Mapping[str, object]) -> VersionDetails:
    found = fetch_rows(db, statement, params)
    if not found:
        raise NotFound
    return _in_full(db, found, single=True)[0]


_ALL: Final = PagedQuery(_VERSIONS.order_by(_NEWEST_FIRST))
_WITH_TAG: Final = PagedQuery(
    _VERSIONS.join(tag, tag.c.version_id == version.c.id)
    .where(tag.c.pacticipant_id == pacticipant.c.id, tag.c.name == bindparam("tag"))
    .order_by(tag.c.position.desc())
)
_ON_BRANCH: Final = PagedQuery(
    _VERSIONS.join(branch_version, branch_version.c.version_id == version.c.id)
    .join(branch, branch.c.id == branch_version.c.branch_id)
    .where(branch.c.pacticipant_id == pacticipant.c.id, branch.c.name == bindparam("branch"))
    .order_by(branch_version.c.position.desc())
)
_SEEN: Final = union(
    *(
        select(recorded.c.version_id)
        .join_from(recorded, environment)
        .where(environment.c.uuid == bindparam("environment"), recorded.c.pacticipant_id == PACTICIPANT_ID)
        for recorded in (deployed_version, released_version)
    )
)
_IN_ENVIRONMENT: Final = PagedQuery(_VERSIONS.where(version.c.id.in_(_SEEN)).order_by(_NEWEST_FIRST))


def list_all(db: Connection, pacticipant: str, page: Page | None) -> Paged[VersionDetails]:
    """List all versions, newest first."""
    return _listed(db, _ALL, {"pacticipant": pacticipant}, page)


def list_with_tag(db: Connection, pacticipant: str, tag: str, page: Page | None) -> Paged[VersionDetails]:
    """List the versions that have a tag, newest first."""
    return _listed(db, _WITH_TAG, {"pacticipant": pacticipant, "tag": tag}, page)


def list_on_branch(db: Connection, pacticipant: str, branch: str, page: Page | None) -> Paged[VersionDetails]:
    """List the versions on a branch, newest first."""
    return _listed(db, _ON_BRANCH, {"pacticipant": pacticipant, "branch": branch}, page)


def list_in_environment(db: Connection, pacticipant: str, environment: str, page: Page | None) -> Paged[VersionDetails]:
    """List the versions that were ever deployed or released to an environment, newest first."""
    return _listed(db, _IN_ENVIRONMENT, {"pacticipant": pacticipant, "environment": environment}, page)


def _listed(
    db: Connection, listing: PagedQuery, params: Mapping[str, object], page: Page | None
) -> Paged[VersionDetails]:
    return listing.read(db, params, page, lambda found: _in_full(db, found, single=False))


_OF_VERSIONS: Final[BindParameter[Sequence[int]]] = bindparam("ids", expanding=True)
# The version's id comes first; behind it, what the thing is made of.
_BRANCHES: Final = (
    select(
        branch_version.c.version_id,
        branch.c.name,
        (branch.c.head_version_id == branch_version.c.version_id).label("is_head"),
    )
    .join_from(branch_version, branch)
    .where(branch_version.c.version_id.in_(_OF_VERSIONS))
    .order_by(branch_version.c.id)
)
_TAGS: Final = (
    select(tag.c.version_id, tag.c.name, tag_head.c.id.is_not(None).label("is_head"))
    .outerjoin_from(tag, tag_head, and_(tag_head.c.version_id == tag.c.version_id, tag_head.c.name == tag.c.name))
    .where(tag.c.version_id.in_(_OF_VERSIONS))
    .order_by(tag.c.id)
)
_PROVIDERS: Final = (
    select(publication.c.consumer_version_id, pacticipant.c.name)
    .join_from(publication, pacticipant, pacticipant.c.id == publication.c.provider_id)
    .where(publication.c.consumer_version_id.in_(_OF_VERSIONS), publication.c.is_current)
    .order_by(func.lower(pacticipant.c.name), pacticipant.c.name)
)
_DEPLOYED: Final = (
    select(
        deployed_version.c.version_id,
        deployed_version.c.uuid,
        environment.c.display_name,
        environment.c.is_production,
        deployed_version.c.undeployed_at.is_(None).label("is_current"),
        deployed_version.c.application_instance,
    )
    .join_from(deployed_version, environment)
    .where(deployed_version.c.version_id.in_(_OF_VERSIONS))
    .order_by(deployed_version.c.id)
)
_RELEASED: Final = (
    select(
        released_version.c.version_id,
        released_version.c.uuid,
        environment.c.display_name,
        environment.c.is_production,
        released_version.c.support_ended_at.is_(None).label("is_current"),
    )
    .join_from(released_version, environment)
    .where(released_version.c.version_id.in_(_OF_VERSIONS))
    .order_by(released_version.c.id)
)
BATCH_SIZE: Final = 500
"""How many versions a statement asks about, so that it stays short."""


def _in_full(db: Connection, found: Sequence[Any], *, single: bool) -> list[VersionDetails]:
    everywhere = tuple(deployments.list_all(db)) if single else None
    ids = [row[0] for row in found]
    branches = _by_version(db, _BRANCHES, ids, VersionBranch._make)
    tags = _by_version(db, _TAGS, ids, VersionTag._make)
    providers = _by_version(db, _PROVIDERS, ids, _only_one)
    deployed = _by_version(db, _DEPLOYED, ids, VersionEnvironment._make)
    released = _by_version(db, _RELEASED, ids, lambda row: VersionEnvironment(*row))
    hanging = (branches, tags, providers, deployed, released)
    return [
        VersionDetails._make([*row[1:], *[tuple(of.get(row[0], ())) for of in hanging], everywhere]) for row in found
    ]


def _by_version(
    db: Connection, statement: Select[*tuple[Any, ...]], ids: Sequence[int], make: Callable[[Sequence[Any]], T]
) -> Mapping[int, list[T]]:
    found: dict[int, list[T]] = {}
    for start in range(0, len(ids), BATCH_SIZE):
        for row in fetch_tuples(db, statement, {"ids": ids[start : start + BATCH_SIZE]}, tuple):
            found.setdefault(row[0], []).append(make(row[1:]))
    return found


def _only_one(row: Sequence[Any]) -> str:
    name: str = row[0]
    return name
