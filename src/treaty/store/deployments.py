"""Environments, and the versions that run in them or are released to them."""

from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Insert,
    Select,
    Table,
    Text,
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
)
from treaty.store.engine import database
from treaty.store.engine.database import execute, fetch_one, fetch_rows
from treaty.store.tables import Time, deployed_version, environment, pacticipant, released_version, version

ENVIRONMENT_COLUMNS: Final = (
    environment.c.uuid,
    environment.c.name,
    environment.c.display_name,
    environment.c.is_production,
    environment.c.contacts,
    environment.c.created_at,
    environment.c.updated_at,
)
"""What an environment is made of."""

_ENVIRONMENTS: Final = select(*ENVIRONMENT_COLUMNS)
_ORDERED: Final = _ENVIRONMENTS.order_by(func.lower(environment.c.display_name), environment.c.id)
_WITH_UUID: Final = _ENVIRONMENTS.where(environment.c.uuid == bindparam("uuid"))
_LOCKED: Final = _WITH_UUID.with_for_update(key_share=True)
_NAMED: Final = _ENVIRONMENTS.where(environment.c.name == bindparam("name"))
_ADD: Final = insert(environment).values({one.key: bindparam(one.key) for one in ENVIRONMENT_COLUMNS})
_CHANGEABLE: Final = ("name", "display_name", "is_production", "contacts", "updated_at")
_CHANGE: Final = (
    update(environment)
    .where(environment.c.uuid == bindparam("its_uuid"))
    .values({name: bindparam(name) for name in _CHANGEABLE})
)
_REMOVE: Final = delete(environment).where(environment.c.uuid == bindparam("its_uuid"))


def list_all(db: Connection) -> list[Environment]:
    """List all environments, in the order of their display names."""
    return database.fetch_all(db, _ORDERED, {}, Environment)


def find(db: Connection, uuid: str) -> Environment | None:
    return fetch_one(db, _WITH_UUID, {"uuid": uuid}, Environment)


def find_by_name(db: Connection, name: str) -> Environment | None:
    return fetch_one(db, _NAMED, {"name": name}, Environment)


def get(db: Connection, uuid: str) -> Environment:
    """Find an environment. Raises NotFound."""
    found = find(db, uuid)
    if found is None:
        raise NotFound
    return found


def lock(db: Connection, uuid: str) -> Environment:
    """Find an environment and keep other changes away from it until the transaction ends. Raises NotFound."""
    found = fetch_one(db, _LOCKED, {"uuid": uuid}, Environment)
    if found is None:
        raise NotFound
    return found


def add_environment(db: Connection, new: Environment) -> None:
    execute(db, _ADD, new)


def update_environment(db: Connection, changed: Environment) -> None:
    values = {name: getattr(changed, name) for name in _CHANGEABLE}
    execute(db, _CHANGE, {"its_uuid": changed.uuid, **values})


def remove_environment(db: Connection, uuid: str) -> None:
    """Remove an environment, and what was deployed and released to it."""
    execute(db, _REMOVE, {"its_uuid": uuid})


_ENVIRONMENT_COLUMNS: Final = tuple(one.label(f"environment_{one.key}") for one in ENVIRONMENT_COLUMNS)


def environment_from_row(row: Any) -> Environment:
    """Make an environment of the columns of a row whose names begin with `environment_`."""
    return Environment(
        uuid=row.environment_uuid,
        name=row.environment_name,
        display_name=row.environment_display_name,
        is_production=row.environment_is_production,
        contacts=row.environment_contacts,
        created_at=row.environment_created_at,
        updated_at=row.environment_updated_at,
    )


_OF_PACTICIPANT: Final = pacticipant.c.name == bindparam("pacticipant")
_OF_VERSION: Final = version.c.number == bindparam("version")
_IN_ENVIRONMENT: Final = environment.c.uuid == bindparam("environment")
_DESTINATIONS: Final = version.join(pacticipant, version.c.pacticipant_id == pacticipant.c.id).join(environment, true())
_DESTINATION: Final = (
    select(
        pacticipant.c.name.label("pacticipant"),
        pacticipant.c.display_name.label("pacticipant_display_name"),
        version.c.number.label("version"),
        *_ENVIRONMENT_COLUMNS,
    )
    .select_from(_DESTINATIONS)
    .where(_OF_PACTICIPANT, _OF_VERSION, _IN_ENVIRONMENT)
)


def get_destination(db: Connection, release: Release) -> DeploymentTarget:
    """Find a version and an environment. Raises NotFound when either is missing."""
    found = fetch_rows(db, _DESTINATION, release)
    if not found:
        raise NotFound
    return DeploymentTarget(
        pacticipant=found[0].pacticipant,
        pacticipant_display_name=found[0].pacticipant_display_name,
        version=found[0].version,
        environment=environment_from_row(found[0]),
    )


def _recording(table: Table, **more: ColumnElement[Any]) -> Insert:
    """Build the statement that records something about a version and an environment; nothing, when one is missing."""
    values = {
        "uuid": bindparam("uuid", type_=Text),
        "pacticipant_id": pacticipant.c.id,
        "version_id": version.c.id,
        "environment_id": environment.c.id,
        "created_at": bindparam("at", type_=Time),
        "updated_at": bindparam("at", type_=Time),
        **more,
    }
    destination = select(*values.values()).select_from(_DESTINATIONS)
    return insert(table).from_select(list(values), destination.where(_OF_PACTICIPANT, _OF_VERSION, _IN_ENVIRONMENT))


# Deployments

_DEPLOYED_VERSIONS: Final = select(
    deployed_version.c.uuid,
    pacticipant.c.name.label("pacticipant"),
    version.c.number.label("version"),
    deployed_version.c.application_instance,
    deployed_version.c.created_at,
    deployed_version.c.updated_at,
    deployed_version.c.undeployed_at,
    *_ENVIRONMENT_COLUMNS,
).select_from(
    deployed_version.join(environment, deployed_version.c.environment_id == environment.c.id)
    .join(version, deployed_version.c.version_id == version.c.id)
    .join(pacticipant, version.c.pacticipant_id == pacticipant.c.id)
)
_IS_RUNNING: Final = deployed_version.c.undeployed_at.is_(None)
_IN_PLACE: Final = deployed_version.c.application_instance.is_not_distinct_from(bindparam("application_instance"))
_NEWEST_FIRST: Final = (deployed_version.c.created_at.desc(), deployed_version.c.id.desc())

_RUNNING_OF_PACTICIPANT: Final = _DEPLOYED_VERSIONS.where(
    _OF_PACTICIPANT, deployed_version.c.pacticipant_id == pacticipant.c.id, _IS_RUNNING
)
_RUNNING: Final = _RUNNING_OF_PACTICIPANT.where(_IN_ENVIRONMENT, _IN_PLACE)
_RUNNING_ANYWHERE: Final = _RUNNING_OF_PACTICIPANT.order_by(*_NEWEST_FIRST)
_DEPLOYED_WITH_UUID: Final = _DEPLOYED_VERSIONS.where(deployed_version.c.uuid == bindparam("uuid"))
_DEPLOYED_OF_VERSION: Final = _DEPLOYED_VERSIONS.where(_OF_PACTICIPANT, _OF_VERSION).order_by(*_NEWEST_FIRST)
_DEPLOYED_OF_DESTINATION: Final = _DEPLOYED_OF_VERSION.where(_IN_ENVIRONMENT)

_DEPLOY: Final = _recording(
    deployed_version,
    application_instance=bindparam("application_instance", type_=Text),
    is_auto_created=bindparam("is_auto_created", type_=Boolean),
)
_END: Final = (
    update(deployed_version)
    .where(deployed_version.c.uuid == bindparam("its_uuid"), _IS_RUNNING)
    .values(undeployed_at=bindparam("at", type_=Time))
)


def _deployed(row: Any) -> DeployedVersion:
    return DeployedVersion(
        uuid=row.uuid,
        pacticipant=row.pacticipant,
        version=row.version,
        environment=environment_from_row(row),
        application_instance=row.application_instance,
        created_at=row.created_at,
        updated_at=row.updated_at,
        undeployed_at=row.undeployed_at,
    )


def find_current(db: Connection, deployment: Deployment) -> DeployedVersion | None:
    """Find what runs in the place where this deployment goes."""
    found = fetch_rows(db, _RUNNING, deployment)
    return _deployed(found[0]) if found else None


def get_deployed(db: Connection, uuid: str) -> DeployedVersion:
    """Find a deployed version. Raises NotFound."""
    found = fetch_rows(db, _DEPLOYED_WITH_UUID, {"uuid": uuid})
    if not found:
        raise NotFound
    return _deployed(found[0])


def add(db: Connection, deployment: Deployment, *, at: datetime) -> DeployedVersion:
    """Add a version that runs from now on. Raises NotFound when the version or the environment is missing."""
    uuid = str(uuid4())
    values = {
        "uuid": uuid,
        "pacticipant": deployment.pacticipant,
        "version": deployment.version,
        "environment": deployment.environment,
        "application_instance": deployment.application_instance,
        "is_auto_created": deployment.is_auto_created,
        "at": at,
    }
    execute(db, _DEPLOY, values)
    return get_deployed(db, uuid)


def end(db: Connection, deployed: DeployedVersion, *, at: datetime) -> None:
    """Note when a version ceased to run, unless that is known already."""
    execute(db, _END, {"its_uuid": deployed.uuid, "at": at})


def list_deployments_of_version(db: Connection, pacticipant: str, version: str) -> list[DeployedVersion]:
    """List all deployments of a version, ended ones too, newest first."""
    found = fetch_rows(db, _DEPLOYED_OF_VERSION, {"pacticipant": pacticipant, "version": version})
    return [_deployed(row) for row in found]


def list_deployments_of_destination(db: Connection, destination: DeploymentTarget) -> list[DeployedVersion]:
    """List the deployments of a version in an environment, ended ones too, newest first."""
    found = fetch_rows(db, _DEPLOYED_OF_DESTINATION, _names(destination))
    return [_deployed(row) for row in found]


def list_running_of_pacticipant(db: Connection, pacticipant: str) -> list[DeployedVersion]:
    """List the versions of a pacticipant that run somewhere, newest first."""
    return [_deployed(row) for row in fetch_rows(db, _RUNNING_ANYWHERE, {"pacticipant": pacticipant})]


def list_running_in_environment(
    db: Connection, environment: str, *, pacticipant: str | None = None, instance: ApplicationInstance | None = None
) -> list[DeployedVersion]:
    """List the versions that run in an environment, newest first; of one pacticipant, or in one place, if given."""
    statement = _running_in(of_pacticipant=pacticipant is not None, in_place=instance is not None)
    name = instance.name if instance else None
    found = fetch_rows(
        db, statement, {"environment": environment, "pacticipant": pacticipant, "application_instance": name}
    )
    return [_deployed(row) for row in found]


@lru_cache(maxsize=4)
def _running_in(*, of_pacticipant: bool, in_place: bool) -> Select[Any]:
    running = _RUNNING_OF_PACTICIPANT if of_pacticipant else _DEPLOYED_VERSIONS.where(_IS_RUNNING)
    statement = running.where(_IN_ENVIRONMENT).order_by(*_NEWEST_FIRST)
    return statement.where(_IN_PLACE) if in_place else statement


def _names(destination: DeploymentTarget) -> dict[str, str]:
    return {
        "pacticipant": destination.pacticipant,
        "version": destination.version,
        "environment": destination.environment.uuid,
    }


# Releases

_RELEASED_VERSIONS: Final = select(
    released_version.c.uuid,
    pacticipant.c.name.label("pacticipant"),
    version.c.number.label("version"),
    released_version.c.created_at,
    released_version.c.updated_at,
    released_version.c.support_ended_at,
    *_ENVIRONMENT_COLUMNS,
).select_from(
    released_version.join(environment, released_version.c.environment_id == environment.c.id)
    .join(version, released_version.c.version_id == version.c.id)
    .join(pacticipant, version.c.pacticipant_id == pacticipant.c.id)
)
_IS_SUPPORTED: Final = released_version.c.support_ended_at.is_(None)
_RELEASED_WITH_UUID: Final = _RELEASED_VERSIONS.where(released_version.c.uuid == bindparam("uuid"))
_RELEASED_OF_VERSION: Final = _RELEASED_VERSIONS.where(_OF_PACTICIPANT, _OF_VERSION).order_by(released_version.c.id)
_RELEASED: Final = _RELEASED_OF_VERSION.where(_IN_ENVIRONMENT)

_RELEASE: Final = _recording(released_version)
_END_SUPPORT: Final = (
    update(released_version)
    .where(released_version.c.uuid == bindparam("its_uuid"), _IS_SUPPORTED)
    .values(support_ended_at=bindparam("at", type_=Time))
)
_SUPPORT_AGAIN: Final = (
    update(released_version)
    .where(released_version.c.uuid == bindparam("its_uuid"))
    .values(support_ended_at=null(), updated_at=bindparam("at", type_=Time))
)


def _released(row: Any) -> ReleasedVersion:
    return ReleasedVersion(
        uuid=row.uuid,
        pacticipant=row.pacticipant,
        version=row.version,
        environment=environment_from_row(row),
        created_at=row.created_at,
        updated_at=row.updated_at,
        support_ended_at=row.support_ended_at,
    )


def find_released(db: Connection, release: Release) -> ReleasedVersion | None:
    """Find the record of a version's release to an environment, supported or not."""
    found = fetch_rows(db, _RELEASED, release)
    return _released(found[0]) if found else None


def get_released(db: Connection, uuid: str) -> ReleasedVersion:
    """Find a released version. Raises NotFound."""
    found = fetch_rows(db, _RELEASED_WITH_UUID, {"uuid": uuid})
    if not found:
        raise NotFound
    return _released(found[0])


def add_release(db: Connection, release: Release, *, at: datetime) -> ReleasedVersion:
    """Add a version that is supported from now on. Raises NotFound when the version or the environment is missing."""
    uuid = str(uuid4())
    names = {"pacticipant": release.pacticipant, "version": release.version, "environment": release.environment}
    execute(db, _RELEASE, {"uuid": uuid, "at": at, **names})
    return get_released(db, uuid)


def end_support(db: Connection, released: ReleasedVersion, *, at: datetime) -> None:
    """Note when a version ceased to be supported, unless that is known already."""
    execute(db, _END_SUPPORT, {"its_uuid": released.uuid, "at": at})


def resume_support(db: Connection, released: ReleasedVersion, *, at: datetime) -> None:
    execute(db, _SUPPORT_AGAIN, {"its_uuid": released.uuid, "at": at})


def list_releases_of_version(db: Connection, pacticipant: str, version: str) -> list[ReleasedVersion]:
    """List all releases of a version, those no longer supported too."""
    found = fetch_rows(db, _RELEASED_OF_VERSION, {"pacticipant": pacticipant, "version": version})
    return [_released(row) for row in found]


def list_releases_of_destination(db: Connection, destination: DeploymentTarget) -> list[ReleasedVersion]:
    """List the release of a version to an environment, if there is one."""
    return [_released(row) for row in fetch_rows(db, _RELEASED, _names(destination))]


def list_supported_in_environment(
    db: Connection, environment: str, *, pacticipant: str | None = None, version: str | None = None
) -> list[ReleasedVersion]:
    """List the versions that are supported in an environment; of one pacticipant, or with one number, if given."""
    statement = _supported_in(of_pacticipant=pacticipant is not None, of_version=version is not None)
    found = fetch_rows(db, statement, {"environment": environment, "pacticipant": pacticipant, "version": version})
    return [_released(row) for row in found]


@lru_cache(maxsize=4)
def _supported_in(*, of_pacticipant: bool, of_version: bool) -> Select[Any]:
    statement = _RELEASED_VERSIONS.where(_IN_ENVIRONMENT, _IS_SUPPORTED).order_by(released_version.c.id)
    if of_pacticipant:
        statement = statement.where(_OF_PACTICIPANT, released_version.c.pacticipant_id == pacticipant.c.id)
    return statement.where(_OF_VERSION) if of_version else statement
