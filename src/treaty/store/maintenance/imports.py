"""Imports: which facts were already copied, and statements that insert rows with their original times.

The statements of other modules always add the newest row: the latest result, the current pact. These insert anywhere in
the order of time, and keep the denormalized columns (`is_current`, `is_latest`) right.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, bindparam, case, exists, false, func, insert, literal, select, update

from treaty.model.maintenance.imports import DeploymentFact
from treaty.model.pacts.pacts import Contract
from treaty.model.verifications.verifications import NewVerification
from treaty.model.versions import Version
from treaty.store import newest_results
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import execute, fetch_column, fetch_first, fetch_one, fetch_rows, fetch_scalar
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.pacts.pacts import CONSUMER_ID, CONTENT_ID, PROVIDER_ID, VERSION_ID
from treaty.store.pacts.publications import ADD_CONTENT, insert_publication
from treaty.store.tables import (
    branch,
    branch_version,
    content,
    deployed_version,
    environment,
    imported_fact,
    integration,
    label,
    pacticipant,
    publication,
    released_version,
    tag,
    tag_head,
    tag_success,
    verification,
    version,
)
from treaty.store.versions.versions import VERSIONS

# Facts that were copied

_VALUES: Final = select(imported_fact.c.key, imported_fact.c.value).where(
    imported_fact.c.key.in_(bindparam("keys", expanding=True))
)
_ADD_FACTS: Final = insert(imported_fact)
_SET_VALUE: Final = (
    update(imported_fact).where(imported_fact.c.key == bindparam("fact_key")).values(value=bindparam("value"))
)


def load_values(db: Connection, keys: Collection[str]) -> Mapping[str, str | None]:
    """Load the remembered values of the facts that were copied; keys of other facts are missing from the result."""
    return {row.key: row.value for row in fetch_in_batches(db, _VALUES, keys, parameter="keys")}


def record_copies(db: Connection, values: Mapping[str, str | None], *, now: datetime) -> None:
    """Remember that facts were copied, with their values by key."""
    if values:
        db.execute(_ADD_FACTS, [{"key": key, "value": value, "created_at": now} for key, value in values.items()])


def change_value(db: Connection, key: str, value: str | None) -> None:
    """Change the value of a fact that was copied before."""
    execute(db, _SET_VALUE, {"fact_key": key, "value": value})


_STATISTICS_TABLES: Final = (
    *(pacticipant, label, version, branch, branch_version, tag, tag_head, content, publication, integration),
    *(verification, tag_success, environment, deployed_version, released_version, imported_fact),
)
_ANALYZE: Final = "ANALYZE " + ", ".join(table.name for table in _STATISTICS_TABLES)


def refresh_statistics(db: Connection) -> None:
    """Let PostgreSQL count the rows that an import has added, so that it does not plan statements for empty tables.

    It would do so itself, but only minutes later. SQLite's plans do not depend on such statistics.
    """
    if db.dialect.name == "postgresql":
        db.exec_driver_sql(_ANALYZE)


# Versions and their order

_VERSIONS: Final = VERSIONS.where(
    pacticipant.c.name == bindparam("pacticipant"), version.c.number.in_(bindparam("numbers", expanding=True))
)


def load_versions(db: Connection, pacticipant: str, numbers: Collection[str]) -> list[Version]:
    """Load those versions of a pacticipant that exist."""
    rows = fetch_in_batches(db, _VERSIONS, numbers, {"pacticipant": pacticipant}, parameter="numbers")
    return [Version(**row._asdict()) for row in rows]


@dataclass(frozen=True, slots=True)
class VersionPosition:
    """A version's position in the order of its pacticipant's versions."""

    number: str
    position: int
    created_at: datetime


_POSITIONS: Final = (
    select(version.c.number, version.c.position, version.c.created_at)
    .where(version.c.pacticipant_id == select_pacticipant_id("pacticipant"))
    .order_by(version.c.position.desc())
)
_NEWEST: Final = _POSITIONS.limit(1)


def find_newest_version(db: Connection, pacticipant: str) -> VersionPosition | None:
    """Find the version of a pacticipant with the highest position."""
    return fetch_one(db, _NEWEST, {"pacticipant": pacticipant}, VersionPosition)


def list_version_positions(db: Connection, pacticipant: str) -> list[VersionPosition]:
    """List the positions of all versions of a pacticipant, lowest first."""
    return [VersionPosition(*row) for row in fetch_rows(db, _POSITIONS, {"pacticipant": pacticipant})][::-1]


# Branches

_BRANCH: Final = and_(
    branch.c.pacticipant_id == select_pacticipant_id("pacticipant"), branch.c.name == bindparam("branch")
)
_HEAD: Final = (
    select(version.c.number, branch_version.c.created_at)
    .select_from(branch)
    .join(version, version.c.id == branch.c.head_version_id)
    .join(
        branch_version,
        and_(branch_version.c.branch_id == branch.c.id, branch_version.c.version_id == branch.c.head_version_id),
    )
    .where(_BRANCH)
)
_SET_TIMES: Final = (
    update(branch).where(_BRANCH).values(created_at=bindparam("created"), updated_at=bindparam("updated"))
)


class BranchHead(NamedTuple):
    """The version at the head of a branch."""

    number: str
    added_at: datetime
    """When the version was added to the branch."""


def find_branch_head(db: Connection, pacticipant: str, name: str) -> BranchHead | None:
    row = fetch_first(db, _HEAD, {"pacticipant": pacticipant, "branch": name})
    return None if row is None else BranchHead(row[0], row[1])


def set_branch_times(
    db: Connection, pacticipant: str, name: str, *, created_at: datetime, updated_at: datetime
) -> None:
    params = {"pacticipant": pacticipant, "branch": name, "created": created_at, "updated": updated_at}
    execute(db, _SET_TIMES, params)


# Pacts and contents


@dataclass(frozen=True, slots=True)
class PactRevision:
    """A revision of a version's pact."""

    sha: str
    revision: int
    is_current: bool
    created_at: datetime


_OF_VERSION: Final = and_(publication.c.consumer_version_id == VERSION_ID, publication.c.provider_id == PROVIDER_ID)
_REVISIONS: Final = (
    select(content.c.sha, publication.c.revision, publication.c.is_current, publication.c.created_at)
    .join_from(publication, content, content.c.id == publication.c.content_id)
    .where(_OF_VERSION)
    .order_by(publication.c.revision)
)
_RAISE_CURRENT_REVISION: Final = (
    update(publication).where(_OF_VERSION, publication.c.is_current).values(revision=publication.c.revision + 1)
)
_ADD_OVERWRITTEN: Final = insert_publication(is_current=false())
_PAIR_CHANGED_AT: Final = select(integration.c.contract_data_updated_at).where(
    integration.c.consumer_id == CONSUMER_ID, integration.c.provider_id == PROVIDER_ID
)


def list_revisions(db: Connection, consumer: str, version: str, provider: str) -> list[PactRevision]:
    """List the revisions of a version's pact, newest last."""
    params = {"consumer": consumer, "version": version, "provider": provider}
    return [PactRevision(row[0], row[1], bool(row[2]), row[3]) for row in fetch_rows(db, _REVISIONS, params)]


def has_content(db: Connection, consumer: str, provider: str, sha: str) -> bool:
    """Whether the pair has the content, even if no version publishes it any more."""
    params = {"consumer": consumer, "provider": provider, "sha": sha}
    return fetch_scalar(db, select(CONTENT_ID), params) is not None


def add_overwritten(db: Connection, contract: Contract, current: PactRevision, *, now: datetime) -> None:
    """Add a pact as an overwritten revision, below the current one of the version."""
    params: dict[str, Any] = {
        "consumer": contract.consumer,
        "version": contract.version,
        "provider": contract.provider,
        "sha": contract.content.sha,
        "now": now,
    }
    if not has_content(db, contract.consumer, contract.provider, contract.content.sha):
        execute(db, ADD_CONTENT, {**params, "body": contract.content.body})
    # The new row takes the current revision's number, so that the current one stays the highest.
    execute(db, _RAISE_CURRENT_REVISION, params)
    execute(db, _ADD_OVERWRITTEN, {**params, "revision": current.revision})


def find_pair_changed_at(db: Connection, consumer: str, provider: str) -> datetime | None:
    """Find when the pacts or results of a pair last changed; None without an integration."""
    changed_at: datetime | None = fetch_scalar(db, _PAIR_CHANGED_AT, {"consumer": consumer, "provider": provider})
    return changed_at


# Results

_VERSION_ID: Final = (
    select(version.c.id)
    .where(version.c.pacticipant_id == PROVIDER_ID, version.c.number == bindparam("provider_version"))
    .scalar_subquery()
)
_IS_OF_CONTENT_AND_VERSION: Final = and_(
    verification.c.content_id == CONTENT_ID,
    verification.c.provider_version_id == _VERSION_ID,
    verification.c.comparison_id.is_(None),
)
_EQUAL_RESULTS: Final = (
    select(verification.c.id)
    .order_by(verification.c.id)
    .where(
        _IS_OF_CONTENT_AND_VERSION,
        verification.c.success == bindparam("success", type_=verification.c.success.type),
        verification.c.verified_at == bindparam("verified_at", type_=verification.c.verified_at.type),
        verification.c.build_url.is_not_distinct_from(bindparam("build_url", type_=verification.c.build_url.type)),
    )
)
_RECORDED_AT: Final = bindparam("created_at", type_=verification.c.created_at.type)
_later: Final = verification.alias("later")
_HAS_LATER: Final = exists().where(
    _later.c.content_id == CONTENT_ID,
    _later.c.provider_version_id == _VERSION_ID,
    _later.c.comparison_id.is_(None),
    _later.c.created_at > _RECORDED_AT,
)
_UNSET_LATEST: Final = (
    update(verification)
    .where(_IS_OF_CONTENT_AND_VERSION, verification.c.is_latest, verification.c.created_at <= _RECORDED_AT)
    .values(is_latest=false())
)
_RESULT_FIELDS: Final = {
    "success": "success",
    "is_wip": "is_wip",
    "was_pending": "was_pending",
    "build_url": "build_url",
    "verified_at": "verified_at",
    "verified_by": "verified_by",
    "test_results": "test_results",
    "selectors": "metadata",
}
"""Fields of a result by the column that they are stored in."""
_ADD_RESULT: Final = (
    insert(verification)
    .values(
        consumer_id=CONSUMER_ID,
        provider_id=PROVIDER_ID,
        content_id=CONTENT_ID,
        provider_version_id=_VERSION_ID,
        created_at=_RECORDED_AT,
        is_latest=case((_HAS_LATER, false()), else_=literal(value=True)),
        **{name: bindparam(name) for name in (*_RESULT_FIELDS, "tags")},
    )
    .returning(verification.c.id)
)
_ADD_TAG_SUCCESS: Final = insert(tag_success).values(
    content_id=CONTENT_ID,
    verification_id=bindparam("number"),
    tag=bindparam("tag"),
    is_wip=bindparam("is_wip"),
    verified_at=bindparam("verified_at"),
)
# The time of change of the pair may stay the same, so this insertion would not invalidate the copy.
_REFRESH_NEWEST_RESULT: Final = newest_results.REFRESH.where(
    integration.c.consumer_id == CONSUMER_ID, integration.c.provider_id == PROVIDER_ID
)
_TAGS_AT_THAT_TIME: Final = (
    select(tag.c.name).where(tag.c.version_id == _VERSION_ID, tag.c.created_at <= _RECORDED_AT).order_by(tag.c.id)
)


def list_equal_results(db: Connection, result: NewVerification) -> list[int]:
    """List the numbers of the results with the same success, time of verification and build URL."""
    return fetch_column(db, _EQUAL_RESULTS, _result_parameters(result))


def add_result(db: Connection, result: NewVerification, *, tags: Sequence[str] | None) -> int:
    """Add a result at its place in the order of time, and return its number.

    The tags that count for work in progress are those that the provider's version had when the result was recorded:
    `tags` or, if the source does not return them, those that are as old.
    """
    params = _result_parameters(result)
    tags = fetch_column(db, _TAGS_AT_THAT_TIME, params) if tags is None else tags
    execute(db, _UNSET_LATEST, params)
    number: int = fetch_scalar(db, _ADD_RESULT, {**params, "tags": result.tags_json(tags)})
    for name in tags if result.success else ():
        execute(db, _ADD_TAG_SUCCESS, {**params, "number": number, "tag": name})
    execute(db, _REFRESH_NEWEST_RESULT, params)
    return number


def _result_parameters(result: NewVerification) -> dict[str, Any]:
    names = ("consumer", "provider", "sha", "provider_version", "created_at")
    columns = {column: getattr(result, name) for column, name in _RESULT_FIELDS.items()}
    return {name: getattr(result, name) for name in names} | columns


# Deployments and releases

_ENVIRONMENT_ID: Final = (
    select(environment.c.id).where(environment.c.uuid == bindparam("environment")).scalar_subquery()
)
_SLOT: Final = and_(
    deployed_version.c.pacticipant_id == select_pacticipant_id("pacticipant"),
    deployed_version.c.environment_id == _ENVIRONMENT_ID,
    deployed_version.c.application_instance.is_not_distinct_from(
        bindparam("application_instance", type_=deployed_version.c.application_instance.type)
    ),
)


@dataclass(frozen=True, slots=True)
class SlotDeployment:
    """A deployment in a slot: an environment and application instance, where one version at a time is deployed."""

    uuid: str
    version: str
    created_at: datetime
    undeployed_at: datetime | None


_SLOT_DEPLOYMENTS: Final = (
    select(
        deployed_version.c.uuid,
        version.c.number.label("version"),
        deployed_version.c.created_at,
        deployed_version.c.undeployed_at,
    )
    .join_from(deployed_version, version, version.c.id == deployed_version.c.version_id)
    .where(_SLOT)
    .order_by(deployed_version.c.created_at, deployed_version.c.id)
)
_IS_VERSION_OF_PACTICIPANT: Final = and_(
    version.c.pacticipant_id == pacticipant.c.id, version.c.number == bindparam("version")
)
_ADD_DEPLOYMENT: Final = insert(deployed_version).from_select(
    [
        "uuid",
        "pacticipant_id",
        "version_id",
        "environment_id",
        "application_instance",
        "is_auto_created",
        "created_at",
        "updated_at",
        "undeployed_at",
        "lacks_decision",
    ],
    select(
        bindparam("uuid", type_=deployed_version.c.uuid.type),
        pacticipant.c.id,
        version.c.id,
        _ENVIRONMENT_ID,
        bindparam("application_instance", type_=deployed_version.c.application_instance.type),
        literal(value=False),
        bindparam("created_at", type_=deployed_version.c.created_at.type),
        bindparam("created_at", type_=deployed_version.c.created_at.type),
        bindparam("undeployed_at", type_=deployed_version.c.undeployed_at.type),
        bindparam("lacks_decision", type_=deployed_version.c.lacks_decision.type),
    )
    .join_from(pacticipant, version, _IS_VERSION_OF_PACTICIPANT)
    .where(pacticipant.c.name == bindparam("pacticipant")),
)
_ADD_RELEASE: Final = insert(released_version).from_select(
    [
        *("uuid", "pacticipant_id", "version_id", "environment_id", "created_at", "updated_at"),
        *("support_ended_at", "lacks_decision"),
    ],
    select(
        bindparam("uuid", type_=released_version.c.uuid.type),
        pacticipant.c.id,
        version.c.id,
        _ENVIRONMENT_ID,
        bindparam("created_at", type_=released_version.c.created_at.type),
        bindparam("updated_at", type_=released_version.c.updated_at.type),
        bindparam("support_ended_at", type_=released_version.c.support_ended_at.type),
        bindparam("lacks_decision", type_=released_version.c.lacks_decision.type),
    )
    .join_from(pacticipant, version, _IS_VERSION_OF_PACTICIPANT)
    .where(pacticipant.c.name == bindparam("pacticipant")),
)
_HAS_DEPLOYMENT_UUID: Final = select(func.count()).where(deployed_version.c.uuid == bindparam("uuid"))


def list_slot_deployments(db: Connection, fact: DeploymentFact, environment_uuid: str) -> list[SlotDeployment]:
    """List all deployments in the slot of a deployment, current and ended, oldest first."""
    params = {
        "pacticipant": fact.pacticipant,
        "environment": environment_uuid,
        "application_instance": fact.application_instance,
    }
    return [SlotDeployment(*row) for row in fetch_rows(db, _SLOT_DEPLOYMENTS, params)]


def has_deployment(db: Connection, uuid: str) -> bool:
    return bool(fetch_scalar(db, _HAS_DEPLOYMENT_UUID, {"uuid": uuid}))


def add_deployment(db: Connection, values: Mapping[str, Any]) -> None:
    """Add a deployment, current or ended, with its own UUID and times."""
    execute(db, _ADD_DEPLOYMENT, values)


def add_release(db: Connection, values: Mapping[str, Any]) -> None:
    """Add a release, supported or not, with its own UUID and times."""
    execute(db, _ADD_RELEASE, values)
