"""Versions with all that hangs on them, one or many."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Select, and_, bindparam, func, select, union

from treaty.errors import NotFound
from treaty.model.environment import DeployedVersion, ReleasedVersion
from treaty.model.page import Page, Paged
from treaty.model.version import BranchVersion, PactOfVersion, Tag, Version, VersionInFull
from treaty.store import environments
from treaty.store.database import rows
from treaty.store.listing import Listing
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
from treaty.store.versions import COLUMNS, PACTICIPANT

_VERSIONS: Final = (
    select(version.c.id, *COLUMNS).join_from(version, pacticipant).where(pacticipant.c.name == bindparam("pacticipant"))
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


def get(db: Connection, pacticipant: str, number: str) -> VersionInFull:
    """Find a version. Raises NotFound."""
    return _only(db, _NUMBERED, {"pacticipant": pacticipant, "version": number})


def get_latest(db: Connection, pacticipant: str) -> VersionInFull:
    """Find the newest version. Raises NotFound."""
    return _only(db, _LATEST, {"pacticipant": pacticipant})


def get_latest_with_tag(db: Connection, pacticipant: str, tag: str) -> VersionInFull:
    """Find the newest version that has a tag. Raises NotFound."""
    return _only(db, _LATEST_WITH_TAG, {"pacticipant": pacticipant, "tag": tag})


def get_latest_on_branch(db: Connection, pacticipant: str, branch: str) -> VersionInFull:
    """Find the head of a branch. Raises NotFound."""
    return _only(db, _LATEST_ON_BRANCH, {"pacticipant": pacticipant, "branch": branch})


def _only(db: Connection, statement: Select[*tuple[Any, ...]], params: Mapping[str, object]) -> VersionInFull:
    found = rows(db, statement, params)
    if not found:
        raise NotFound
    return _in_full(db, found, single=True)[0]


_ALL: Final = Listing(_VERSIONS.order_by(_NEWEST_FIRST))
_WITH_TAG: Final = Listing(
    _VERSIONS.join(tag, tag.c.version_id == version.c.id)
    .where(tag.c.pacticipant_id == pacticipant.c.id, tag.c.name == bindparam("tag"))
    .order_by(tag.c.position.desc())
)
_ON_BRANCH: Final = Listing(
    _VERSIONS.join(branch_version, branch_version.c.version_id == version.c.id)
    .join(branch, branch.c.id == branch_version.c.branch_id)
    .where(branch.c.pacticipant_id == pacticipant.c.id, branch.c.name == bindparam("branch"))
    .order_by(branch_version.c.position.desc())
)
_SEEN: Final = union(
    *(
        select(recorded.c.version_id)
        .join_from(recorded, environment)
        .where(environment.c.uuid == bindparam("environment"), recorded.c.pacticipant_id == PACTICIPANT)
        for recorded in (deployed_version, released_version)
    )
)
_IN_ENVIRONMENT: Final = Listing(_VERSIONS.where(version.c.id.in_(_SEEN)).order_by(_NEWEST_FIRST))


def every(db: Connection, pacticipant: str, page: Page | None) -> Paged[VersionInFull]:
    """List all versions, newest first."""
    return _listed(db, _ALL, {"pacticipant": pacticipant}, page)


def with_tag(db: Connection, pacticipant: str, tag: str, page: Page | None) -> Paged[VersionInFull]:
    """List the versions that have a tag, newest first."""
    return _listed(db, _WITH_TAG, {"pacticipant": pacticipant, "tag": tag}, page)


def on_branch(db: Connection, pacticipant: str, branch: str, page: Page | None) -> Paged[VersionInFull]:
    """List the versions on a branch, newest first."""
    return _listed(db, _ON_BRANCH, {"pacticipant": pacticipant, "branch": branch}, page)


def in_environment(db: Connection, pacticipant: str, environment: str, page: Page | None) -> Paged[VersionInFull]:
    """List the versions that were ever deployed or released to an environment, newest first."""
    return _listed(db, _IN_ENVIRONMENT, {"pacticipant": pacticipant, "environment": environment}, page)


def _listed(db: Connection, listing: Listing, params: Mapping[str, object], page: Page | None) -> Paged[VersionInFull]:
    return listing.read(db, params, page, lambda found: _in_full(db, found, single=False))


_OF_VERSIONS: Final[BindParameter[Sequence[int]]] = bindparam("ids", expanding=True)
_BRANCHES: Final = (
    select(
        branch_version.c.version_id,
        branch.c.name,
        (branch.c.head_version_id == branch_version.c.version_id).label("is_head"),
        branch_version.c.created_at,
        branch_version.c.updated_at,
    )
    .join_from(branch_version, branch)
    .where(branch_version.c.version_id.in_(_OF_VERSIONS))
    .order_by(branch_version.c.id)
)
_TAGS: Final = (
    select(
        tag.c.version_id,
        tag.c.name,
        tag_head.c.id.is_not(None).label("is_head"),
        tag.c.created_at,
        tag.c.updated_at,
    )
    .outerjoin_from(tag, tag_head, and_(tag_head.c.version_id == tag.c.version_id, tag_head.c.name == tag.c.name))
    .where(tag.c.version_id.in_(_OF_VERSIONS))
    .order_by(tag.c.id)
)
_PACTS: Final = (
    select(publication.c.consumer_version_id.label("version_id"), pacticipant.c.name.label("provider"))
    .join_from(publication, pacticipant, pacticipant.c.id == publication.c.provider_id)
    .where(publication.c.consumer_version_id.in_(_OF_VERSIONS), publication.c.is_current)
    .order_by(func.lower(pacticipant.c.name), pacticipant.c.name)
)
_ENVIRONMENT: Final = tuple(one.label(f"environment_{one.key}") for one in environments.COLUMNS)
_DEPLOYED: Final = (
    select(
        deployed_version.c.version_id,
        deployed_version.c.uuid,
        deployed_version.c.application_instance,
        deployed_version.c.created_at,
        deployed_version.c.updated_at,
        deployed_version.c.undeployed_at,
        *_ENVIRONMENT,
    )
    .join_from(deployed_version, environment)
    .where(deployed_version.c.version_id.in_(_OF_VERSIONS))
    .order_by(deployed_version.c.id)
)
_RELEASED: Final = (
    select(
        released_version.c.version_id,
        released_version.c.uuid,
        released_version.c.created_at,
        released_version.c.updated_at,
        released_version.c.support_ended_at,
        *_ENVIRONMENT,
    )
    .join_from(released_version, environment)
    .where(released_version.c.version_id.in_(_OF_VERSIONS))
    .order_by(released_version.c.id)
)
AT_ONCE: Final = 500
"""How many versions a statement asks about, so that it stays short."""


def _in_full(db: Connection, found: Sequence[Any], *, single: bool) -> list[VersionInFull]:
    everywhere = tuple(environments.every(db)) if single else None
    ids = [row.id for row in found]
    branches, tags, pacts, deployed, released = (
        _by_version(db, statement, ids) for statement in (_BRANCHES, _TAGS, _PACTS, _DEPLOYED, _RELEASED)
    )
    return [
        VersionInFull(
            version=Version(
                pacticipant=row.pacticipant,
                number=row.number,
                build_url=row.build_url,
                created_at=row.created_at,
                updated_at=row.updated_at,
            ),
            branches=tuple([_branch_version(row, one) for one in branches[row.id]]),
            tags=tuple([_tag(row, one) for one in tags[row.id]]),
            pacts=tuple([_pact(row, one) for one in pacts[row.id]]),
            deployed=tuple([_deployed(row, one) for one in deployed[row.id]]),
            released=tuple([_released(row, one) for one in released[row.id]]),
            environments=everywhere,
        )
        for row in found
    ]


def _by_version(db: Connection, statement: Select[*tuple[Any, ...]], ids: Sequence[int]) -> Mapping[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for start in range(0, len(ids), AT_ONCE):
        for row in rows(db, statement, {"ids": ids[start : start + AT_ONCE]}):
            found[row.version_id].append(row)
    return found


def _branch_version(of: Any, row: Any) -> BranchVersion:
    return BranchVersion(
        pacticipant=of.pacticipant,
        branch=row.name,
        version=of.number,
        is_head=bool(row.is_head),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _tag(of: Any, row: Any) -> Tag:
    return Tag(
        pacticipant=of.pacticipant,
        version=of.number,
        name=row.name,
        is_head=bool(row.is_head),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _pact(of: Any, row: Any) -> PactOfVersion:
    return PactOfVersion(consumer=of.pacticipant, version=of.number, provider=row.provider)


def _deployed(of: Any, row: Any) -> DeployedVersion:
    return DeployedVersion(
        uuid=row.uuid,
        pacticipant=of.pacticipant,
        version=of.number,
        environment=environments.environment_of(row),
        application_instance=row.application_instance,
        created_at=row.created_at,
        updated_at=row.updated_at,
        undeployed_at=row.undeployed_at,
    )


def _released(of: Any, row: Any) -> ReleasedVersion:
    return ReleasedVersion(
        uuid=row.uuid,
        pacticipant=of.pacticipant,
        version=of.number,
        environment=environments.environment_of(row),
        created_at=row.created_at,
        updated_at=row.updated_at,
        support_ended_at=row.support_ended_at,
    )
