"""Environments, deployed versions and released versions in the database."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeVar
from uuid import uuid4

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Insert,
    Select,
    Table,
    Text,
    Update,
    bindparam,
    delete,
    func,
    insert,
    null,
    select,
    true,
    update,
)

from treaty.errors import NotFound
from treaty.model.deployments import (
    ApplicationInstance,
    DeployedVersion,
    Deployment,
    DeploymentTarget,
    Environment,
    Release,
    ReleasedVersion,
    sort_by_pipeline,
)
from treaty.store.engine import database
from treaty.store.engine.database import execute, fetch_one, fetch_rows
from treaty.store.tables import Time, deployed_version, environment, pacticipant, released_version, version

R = TypeVar("R", DeployedVersion, ReleasedVersion)

# The columns have the names of the fields, so that a new field needs no change here.
_ENVIRONMENT_FIELDS: Final = tuple(field.name for field in fields(Environment))
ENVIRONMENT_COLUMNS: Final = tuple(environment.c[name] for name in _ENVIRONMENT_FIELDS)
"""The columns of a query whose rows become `Environment`."""

_ENVIRONMENTS: Final = select(*ENVIRONMENT_COLUMNS)
_BY_DISPLAY_NAME: Final = _ENVIRONMENTS.order_by(func.lower(environment.c.display_name), environment.c.id)
_WITH_UUID: Final = _ENVIRONMENTS.where(environment.c.uuid == bindparam("uuid"))
# FOR NO KEY UPDATE: deployments that reference the environment can be recorded meanwhile.
_LOCK: Final = _WITH_UUID.with_for_update(key_share=True)
_WITH_NAME: Final = _ENVIRONMENTS.where(environment.c.name == bindparam("name"))
_ADD: Final = insert(environment).values({name: bindparam(name) for name in _ENVIRONMENT_FIELDS})
_CHANGEABLE_FIELDS: Final = tuple(name for name in _ENVIRONMENT_FIELDS if name not in {"uuid", "created_at"})
_UPDATE: Final = (
    update(environment)
    .where(environment.c.uuid == bindparam("target_uuid"))
    .values({name: bindparam(name) for name in _CHANGEABLE_FIELDS})
)
_REMOVE: Final = delete(environment).where(environment.c.uuid == bindparam("uuid"))


def list_all(db: Connection) -> list[Environment]:
    """List all environments by display name, ignoring case."""
    return database.fetch_all(db, _BY_DISPLAY_NAME, {}, Environment)


def list_in_pipeline(db: Connection) -> list[Environment]:
    """List all environments as a pipeline passes them, for pages."""
    return sort_by_pipeline(list_all(db))


def find(db: Connection, uuid: str) -> Environment | None:
    return fetch_one(db, _WITH_UUID, {"uuid": uuid}, Environment)


def find_by_name(db: Connection, name: str) -> Environment | None:
    return fetch_one(db, _WITH_NAME, {"name": name}, Environment)


def get(db: Connection, uuid: str) -> Environment:
    """Find an environment. Raises NotFound."""
    existing = find(db, uuid)
    if existing is None:
        raise NotFound
    return existing


def lock(db: Connection, uuid: str) -> Environment:
    """Find an environment and lock it against other changes until the transaction ends. Raises NotFound."""
    locked = fetch_one(db, _LOCK, {"uuid": uuid}, Environment)
    if locked is None:
        raise NotFound
    return locked


def add_environment(db: Connection, new: Environment) -> None:
    execute(db, _ADD, new)


def update_environment(db: Connection, changed: Environment) -> None:
    values = {name: getattr(changed, name) for name in _CHANGEABLE_FIELDS}
    execute(db, _UPDATE, {"target_uuid": changed.uuid, **values})


def remove_environment(db: Connection, uuid: str) -> None:
    """Remove an environment with its deployments and releases."""
    execute(db, _REMOVE, {"uuid": uuid})


# Deployments and releases are both records about a version and an environment. They differ in the column that ends
# them and in the rule of what a new record ends; the statements for both are built by the functions below.

_ENVIRONMENT_COLUMNS: Final = tuple(column.label(f"environment_{column.key}") for column in ENVIRONMENT_COLUMNS)


def environment_from_row(row: Any) -> Environment:
    """Build an environment from the columns of a row whose names begin with `environment_`."""
    return Environment(**{name: getattr(row, f"environment_{name}") for name in _ENVIRONMENT_FIELDS})


_OF_PACTICIPANT: Final = pacticipant.c.name == bindparam("pacticipant")
_OF_VERSION: Final = version.c.number == bindparam("version")
_IN_ENVIRONMENT: Final = environment.c.uuid == bindparam("environment")
_TARGETS: Final = version.join(pacticipant, version.c.pacticipant_id == pacticipant.c.id).join(environment, true())
_TARGET: Final = (
    select(
        pacticipant.c.name.label("pacticipant"),
        pacticipant.c.display_name.label("pacticipant_display_name"),
        version.c.number.label("version"),
        *_ENVIRONMENT_COLUMNS,
    )
    .select_from(_TARGETS)
    .where(_OF_PACTICIPANT, _OF_VERSION, _IN_ENVIRONMENT)
)


def get_target(db: Connection, *, pacticipant: str, version: str, environment: str) -> DeploymentTarget:
    """Find a version and an environment, given by its UUID. Raises NotFound if either is missing."""
    rows = fetch_rows(db, _TARGET, {"pacticipant": pacticipant, "version": version, "environment": environment})
    if not rows:
        raise NotFound
    return DeploymentTarget(
        pacticipant=rows[0].pacticipant,
        pacticipant_display_name=rows[0].pacticipant_display_name,
        version=rows[0].version,
        environment=environment_from_row(rows[0]),
    )


def _select_records(table: Table, *columns: ColumnElement[Any]) -> Select[Any]:
    """Build the query for all records of a table. `columns` are those that only this table has."""
    return select(
        table.c.uuid,
        pacticipant.c.name.label("pacticipant"),
        version.c.number.label("version"),
        table.c.created_at,
        table.c.updated_at,
        table.c.lacks_decision,
        *columns,
        *_ENVIRONMENT_COLUMNS,
    ).select_from(
        table.join(environment, table.c.environment_id == environment.c.id)
        .join(version, table.c.version_id == version.c.id)
        .join(pacticipant, version.c.pacticipant_id == pacticipant.c.id)
    )


def _insert_record(table: Table, **values: ColumnElement[Any]) -> Insert:
    """Build the statement that adds a record. It adds nothing if the version or the environment is missing."""
    all_values = {
        "uuid": bindparam("uuid", type_=Text),
        "pacticipant_id": pacticipant.c.id,
        "version_id": version.c.id,
        "environment_id": environment.c.id,
        "created_at": bindparam("at", type_=Time),
        "updated_at": bindparam("at", type_=Time),
        **values,
    }
    target = select(*all_values.values()).select_from(_TARGETS).where(_OF_PACTICIPANT, _OF_VERSION, _IN_ENVIRONMENT)
    return insert(table).from_select(list(all_values), target)


def _end_record(table: Table, ended_at: Column[Any]) -> Update:
    """Build the statement that ends a record. A record that has already ended keeps its time."""
    is_target = table.c.uuid == bindparam("target_uuid")
    return update(table).where(is_target, ended_at.is_(None)).values({ended_at.key: bindparam("at", type_=Time)})


def _mark_record(table: Table) -> Update:
    is_target = table.c.uuid == bindparam("target_uuid")
    return update(table).where(is_target).values(lacks_decision=bindparam("is_lacking", type_=Boolean))


def _fetch_records(db: Connection, statement: Select[Any], params: object, record_type: type[R]) -> list[R]:
    names = [field.name for field in fields(record_type) if field.name != "environment"]
    return [
        record_type(environment=environment_from_row(row), **{name: getattr(row, name) for name in names})
        for row in fetch_rows(db, statement, params)
    ]


def _find_record(db: Connection, statement: Select[Any], params: object, record_type: type[R]) -> R | None:
    return next(iter(_fetch_records(db, statement, params, record_type)), None)


def _get_record(db: Connection, statement: Select[Any], uuid: str, record_type: type[R]) -> R:
    record = _find_record(db, statement, {"uuid": uuid}, record_type)
    if record is None:
        raise NotFound
    return record


def _add_record(db: Connection, statement: Insert, record: Deployment | Release, values: Mapping[str, object]) -> str:
    """Add a record and return its UUID."""
    uuid = str(uuid4())
    names = {"pacticipant": record.pacticipant, "version": record.version, "environment": record.environment}
    execute(db, statement, {"uuid": uuid, **names, **values})
    return uuid


def _target_params(target: DeploymentTarget) -> dict[str, str]:
    return {
        "pacticipant": target.pacticipant,
        "version": target.version,
        "environment": target.environment.uuid,
    }


# Deployments

_DEPLOYED: Final = _select_records(
    deployed_version, deployed_version.c.application_instance, deployed_version.c.undeployed_at
)
_IS_CURRENT: Final = deployed_version.c.undeployed_at.is_(None)
# NULL, the instance without a name, must equal itself here.
_ON_INSTANCE: Final = deployed_version.c.application_instance.is_not_distinct_from(bindparam("application_instance"))
_NEWEST_FIRST: Final = (deployed_version.c.created_at.desc(), deployed_version.c.id.desc())

# The denormalized `pacticipant_id` lets an index find the few current deployments among all that ever were.
_CURRENT_OF_PACTICIPANT: Final = _DEPLOYED.where(
    _OF_PACTICIPANT, deployed_version.c.pacticipant_id == pacticipant.c.id, _IS_CURRENT
)
_CURRENT: Final = _CURRENT_OF_PACTICIPANT.where(_IN_ENVIRONMENT, _ON_INSTANCE)
_CURRENT_ANYWHERE: Final = _CURRENT_OF_PACTICIPANT.order_by(*_NEWEST_FIRST)
_DEPLOYED_WITH_UUID: Final = _DEPLOYED.where(deployed_version.c.uuid == bindparam("uuid"))
_DEPLOYED_OF_VERSION: Final = _DEPLOYED.where(_OF_PACTICIPANT, _OF_VERSION).order_by(*_NEWEST_FIRST)
_DEPLOYED_OF_TARGET: Final = _DEPLOYED_OF_VERSION.where(_IN_ENVIRONMENT)

_DEPLOY: Final = _insert_record(
    deployed_version,
    application_instance=bindparam("application_instance", type_=Text),
    is_auto_created=bindparam("is_auto_created", type_=Boolean),
)
_MARK_DEPLOYED: Final = _mark_record(deployed_version)
_UNDEPLOY: Final = _end_record(deployed_version, deployed_version.c.undeployed_at)


def find_current(db: Connection, deployment: Deployment) -> DeployedVersion | None:
    """Find the version that this deployment would replace (same environment and application instance)."""
    return _find_record(db, _CURRENT, deployment, DeployedVersion)


def get_deployed(db: Connection, uuid: str) -> DeployedVersion:
    """Find a deployed version. Raises NotFound."""
    return _get_record(db, _DEPLOYED_WITH_UUID, uuid, DeployedVersion)


def add(db: Connection, deployment: Deployment, *, at: datetime) -> DeployedVersion:
    """Add a current deployment. Raises NotFound if the version or the environment is missing."""
    values = {
        "application_instance": deployment.application_instance,
        "is_auto_created": deployment.is_auto_created,
        "at": at,
    }
    return get_deployed(db, _add_record(db, _DEPLOY, deployment, values))


def end(db: Connection, deployed: DeployedVersion, *, at: datetime) -> None:
    """End a deployment, unless it has already ended."""
    execute(db, _UNDEPLOY, {"target_uuid": deployed.uuid, "at": at})


def mark(db: Connection, deployed: DeployedVersion, *, is_lacking: bool) -> DeployedVersion:
    """Store whether a deployment lacks a recorded decision."""
    execute(db, _MARK_DEPLOYED, {"target_uuid": deployed.uuid, "is_lacking": is_lacking})
    return replace(deployed, lacks_decision=is_lacking)


def list_deployments_of_version(db: Connection, pacticipant: str, version: str) -> list[DeployedVersion]:
    """List all deployments of a version, including ended ones, newest first."""
    params = {"pacticipant": pacticipant, "version": version}
    return _fetch_records(db, _DEPLOYED_OF_VERSION, params, DeployedVersion)


def list_deployments_of_target(db: Connection, target: DeploymentTarget) -> list[DeployedVersion]:
    """List the deployments of a version to an environment, including ended ones, newest first."""
    return _fetch_records(db, _DEPLOYED_OF_TARGET, _target_params(target), DeployedVersion)


def list_running_of_pacticipant(db: Connection, pacticipant: str) -> list[DeployedVersion]:
    """List the currently deployed versions of a pacticipant, newest first."""
    return _fetch_records(db, _CURRENT_ANYWHERE, {"pacticipant": pacticipant}, DeployedVersion)


def list_running_in_environment(
    db: Connection, environment: str, *, pacticipant: str | None = None, instance: ApplicationInstance | None = None
) -> list[DeployedVersion]:
    """List the versions currently deployed to an environment, newest first, optionally filtered."""
    statement = _current_in_environment(of_pacticipant=pacticipant is not None, on_instance=instance is not None)
    params = {
        "environment": environment,
        "pacticipant": pacticipant,
        "application_instance": instance.name if instance else None,
    }
    return _fetch_records(db, statement, params, DeployedVersion)


@lru_cache(maxsize=4)
def _current_in_environment(*, of_pacticipant: bool, on_instance: bool) -> Select[Any]:
    current = _CURRENT_OF_PACTICIPANT if of_pacticipant else _DEPLOYED.where(_IS_CURRENT)
    statement = current.where(_IN_ENVIRONMENT).order_by(*_NEWEST_FIRST)
    return statement.where(_ON_INSTANCE) if on_instance else statement


# Releases

_RELEASED: Final = _select_records(released_version, released_version.c.support_ended_at)
_IS_SUPPORTED: Final = released_version.c.support_ended_at.is_(None)
_RELEASED_WITH_UUID: Final = _RELEASED.where(released_version.c.uuid == bindparam("uuid"))
_RELEASED_OF_VERSION: Final = _RELEASED.where(_OF_PACTICIPANT, _OF_VERSION).order_by(released_version.c.id)
_RELEASED_OF_TARGET: Final = _RELEASED_OF_VERSION.where(_IN_ENVIRONMENT)

_RELEASE: Final = _insert_record(released_version)
_MARK_RELEASED: Final = _mark_record(released_version)
_END_SUPPORT: Final = _end_record(released_version, released_version.c.support_ended_at)
_RESUME_SUPPORT: Final = (
    update(released_version)
    .where(released_version.c.uuid == bindparam("target_uuid"))
    .values(support_ended_at=null(), updated_at=bindparam("at", type_=Time))
)


def find_released(db: Connection, release: Release) -> ReleasedVersion | None:
    """Find the record of a version's release to an environment, supported or not."""
    return _find_record(db, _RELEASED_OF_TARGET, release, ReleasedVersion)


def get_released(db: Connection, uuid: str) -> ReleasedVersion:
    """Find a released version. Raises NotFound."""
    return _get_record(db, _RELEASED_WITH_UUID, uuid, ReleasedVersion)


def add_release(db: Connection, release: Release, *, at: datetime) -> ReleasedVersion:
    """Add a supported release. Raises NotFound if the version or the environment is missing."""
    return get_released(db, _add_record(db, _RELEASE, release, {"at": at}))


def mark_release(db: Connection, released: ReleasedVersion, *, is_lacking: bool) -> ReleasedVersion:
    """Store whether a release lacks a recorded decision."""
    execute(db, _MARK_RELEASED, {"target_uuid": released.uuid, "is_lacking": is_lacking})
    return replace(released, lacks_decision=is_lacking)


def end_support(db: Connection, released: ReleasedVersion, *, at: datetime) -> None:
    """End the support of a release, unless it has already ended."""
    execute(db, _END_SUPPORT, {"target_uuid": released.uuid, "at": at})


def resume_support(db: Connection, released: ReleasedVersion, *, at: datetime) -> None:
    execute(db, _RESUME_SUPPORT, {"target_uuid": released.uuid, "at": at})


def list_releases_of_version(db: Connection, pacticipant: str, version: str) -> list[ReleasedVersion]:
    """List all releases of a version, including those without support, oldest first."""
    params = {"pacticipant": pacticipant, "version": version}
    return _fetch_records(db, _RELEASED_OF_VERSION, params, ReleasedVersion)


def list_releases_of_target(db: Connection, target: DeploymentTarget) -> list[ReleasedVersion]:
    """List the release of a version to an environment; it has at most one."""
    return _fetch_records(db, _RELEASED_OF_TARGET, _target_params(target), ReleasedVersion)


def list_supported_in_environment(
    db: Connection, environment: str, *, pacticipant: str | None = None, version: str | None = None
) -> list[ReleasedVersion]:
    """List the versions supported in an environment, oldest release first, optionally filtered."""
    statement = _supported_in_environment(of_pacticipant=pacticipant is not None, of_version=version is not None)
    params = {"environment": environment, "pacticipant": pacticipant, "version": version}
    return _fetch_records(db, statement, params, ReleasedVersion)


@lru_cache(maxsize=4)
def _supported_in_environment(*, of_pacticipant: bool, of_version: bool) -> Select[Any]:
    statement = _RELEASED.where(_IN_ENVIRONMENT, _IS_SUPPORTED).order_by(released_version.c.id)
    if of_pacticipant:
        statement = statement.where(_OF_PACTICIPANT, released_version.c.pacticipant_id == pacticipant.c.id)
    return statement.where(_OF_VERSION) if of_version else statement
