"""Versions with their branches, tags, pacts, deployments and releases."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeVar

from sqlalchemy import BindParameter, Connection, Select, and_, bindparam, func, select, union

from treaty.errors import NotFound
from treaty.model.deployments import Environment
from treaty.model.paging import Page, Paged
from treaty.model.versions import (
    EnvironmentPeriod,
    RecordedVersion,
    VersionBranch,
    VersionDetails,
    VersionEnvironment,
    VersionTag,
)
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
    return _get_one(db, _NUMBERED, {"pacticipant": pacticipant, "version": number})


def get_with_periods(db: Connection, pacticipant: str, number: str) -> RecordedVersion:
    """Find a version with its deployments and releases. Raises NotFound."""
    rows = fetch_rows(db, _NUMBERED, {"pacticipant": pacticipant, "version": number})
    if not rows:
        raise NotFound
    return _load_periods(db, rows)[0]


def get_latest(db: Connection, pacticipant: str) -> VersionDetails:
    """Find the newest version. Raises NotFound."""
    return _get_one(db, _LATEST, {"pacticipant": pacticipant})


def get_latest_with_tag(db: Connection, pacticipant: str, tag: str) -> VersionDetails:
    """Find the newest version that has a tag. Raises NotFound."""
    return _get_one(db, _LATEST_WITH_TAG, {"pacticipant": pacticipant, "tag": tag})


def get_latest_on_branch(db: Connection, pacticipant: str, branch: str) -> VersionDetails:
    """Find the head of a branch. Raises NotFound."""
    return _get_one(db, _LATEST_ON_BRANCH, {"pacticipant": pacticipant, "branch": branch})


def _get_one(db: Connection, statement: Select[*tuple[Any, ...]], params: Mapping[str, object]) -> VersionDetails:
    rows = fetch_rows(db, statement, params)
    if not rows:
        raise NotFound
    return _load_details(db, rows, environments=tuple(deployments.list_all(db)))[0]


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
_EVER_IN_ENVIRONMENT: Final = union(
    *(
        select(recorded.c.version_id)
        .join_from(recorded, environment)
        .where(environment.c.uuid == bindparam("environment"), recorded.c.pacticipant_id == PACTICIPANT_ID)
        for recorded in (deployed_version, released_version)
    )
)
_IN_ENVIRONMENT: Final = PagedQuery(_VERSIONS.where(version.c.id.in_(_EVER_IN_ENVIRONMENT)).order_by(_NEWEST_FIRST))


_EVER_RECORDED: Final = union(
    *(
        select(recorded.c.version_id).where(recorded.c.pacticipant_id == PACTICIPANT_ID)
        for recorded in (deployed_version, released_version)
    )
)
_RECORDED: Final = PagedQuery(_VERSIONS.where(version.c.id.in_(_EVER_RECORDED)).order_by(_NEWEST_FIRST))


def list_all(db: Connection, pacticipant: str, page: Page | None) -> Paged[VersionDetails]:
    """List all versions, newest first."""
    return _list(db, _ALL, {"pacticipant": pacticipant}, page)


def list_with_tag(db: Connection, pacticipant: str, tag: str, page: Page | None) -> Paged[VersionDetails]:
    """List the versions that have a tag, newest first."""
    return _list(db, _WITH_TAG, {"pacticipant": pacticipant, "tag": tag}, page)


def list_on_branch(db: Connection, pacticipant: str, branch: str, page: Page | None) -> Paged[VersionDetails]:
    """List the versions on a branch, newest first."""
    return _list(db, _ON_BRANCH, {"pacticipant": pacticipant, "branch": branch}, page)


def list_in_environment(db: Connection, pacticipant: str, environment: str, page: Page | None) -> Paged[VersionDetails]:
    """List the versions that were ever deployed or released to an environment, newest first."""
    return _list(db, _IN_ENVIRONMENT, {"pacticipant": pacticipant, "environment": environment}, page)


def list_deployed_or_released(db: Connection, pacticipant: str, page: Page | None) -> Paged[RecordedVersion]:
    """List the versions that were ever deployed or released, newest first, with their deployments and releases."""
    return _RECORDED.read(db, {"pacticipant": pacticipant}, page, lambda rows: _load_periods(db, rows))


def _load_periods(db: Connection, rows: Sequence[Any]) -> list[RecordedVersion]:
    ids = [row[0] for row in rows]
    deployments_by_id = _group_by_version(db, _DEPLOYMENT_PERIODS, ids, EnvironmentPeriod._make)
    releases_by_id = _group_by_version(db, _RELEASE_PERIODS, ids, lambda columns: EnvironmentPeriod(*columns))
    return [
        RecordedVersion(loaded, tuple(deployments_by_id.get(id_, ())), tuple(releases_by_id.get(id_, ())))
        for id_, loaded in zip(ids, _load_details(db, rows), strict=True)
    ]


def _list(db: Connection, query: PagedQuery, params: Mapping[str, object], page: Page | None) -> Paged[VersionDetails]:
    return query.read(db, params, page, lambda rows: _load_details(db, rows))


_OF_VERSIONS: Final[BindParameter[Sequence[int]]] = bindparam("ids", expanding=True)
# The first column is the version's id; the others are the fields of the object.
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
_ENVIRONMENT: Final = (environment.c.name, environment.c.uuid.label("environment_uuid"), environment.c.is_production)
_DEPLOYMENT_PERIODS: Final = (
    select(
        deployed_version.c.version_id,
        deployed_version.c.uuid,
        *_ENVIRONMENT,
        deployed_version.c.created_at,
        deployed_version.c.undeployed_at,
        deployed_version.c.application_instance,
    )
    .join_from(deployed_version, environment)
    .where(deployed_version.c.version_id.in_(_OF_VERSIONS))
    .order_by(deployed_version.c.created_at, deployed_version.c.id)
)
_RELEASE_PERIODS: Final = (
    select(
        released_version.c.version_id,
        released_version.c.uuid,
        *_ENVIRONMENT,
        released_version.c.created_at,
        released_version.c.support_ended_at,
    )
    .join_from(released_version, environment)
    .where(released_version.c.version_id.in_(_OF_VERSIONS))
    .order_by(released_version.c.created_at, released_version.c.id)
)
BATCH_SIZE: Final = 500
"""Versions per statement; SQLite and PostgreSQL limit the number of parameters."""


def _load_details(
    db: Connection, rows: Sequence[Any], *, environments: tuple[Environment, ...] | None = None
) -> list[VersionDetails]:
    """Load what belongs to versions with one statement for each kind, however many versions there are."""
    ids = [row[0] for row in rows]
    # In the order of the fields of `VersionDetails`.
    parts: tuple[Mapping[int, list[Any]], ...] = (
        _group_by_version(db, _BRANCHES, ids, VersionBranch._make),
        _group_by_version(db, _TAGS, ids, VersionTag._make),
        _group_by_version(db, _PROVIDERS, ids, itemgetter(0)),
        _group_by_version(db, _DEPLOYED, ids, VersionEnvironment._make),
        # Not `_make`: releases have no application instance, so the default applies.
        _group_by_version(db, _RELEASED, ids, lambda columns: VersionEnvironment(*columns)),
    )
    return [
        VersionDetails._make([*row[1:], *[tuple(part.get(row[0], ())) for part in parts], environments]) for row in rows
    ]


def _group_by_version(
    db: Connection, statement: Select[*tuple[Any, ...]], ids: Sequence[int], build: Callable[[Sequence[Any]], T]
) -> Mapping[int, list[T]]:
    """Build an object from each row without its first column, the version's id, and group them by that id."""
    groups: dict[int, list[T]] = {}
    for start in range(0, len(ids), BATCH_SIZE):
        for row in fetch_tuples(db, statement, {"ids": ids[start : start + BATCH_SIZE]}, tuple):
            groups.setdefault(row[0], []).append(build(row[1:]))
    return groups
