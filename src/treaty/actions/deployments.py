"""Keeping environments, and recording what runs in them and what is released to them."""

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection

from treaty.errors import Invalid
from treaty.model.audit import REDACTED, Action, FieldValues, collect_fields, diff_fields
from treaty.model.deployments import (
    DeployedVersion,
    Deployment,
    Environment,
    EnvironmentDraft,
    Release,
    ReleasedVersion,
)
from treaty.model.pacticipants.pacticipants import derive_display_name
from treaty.store import audit, deployments
from treaty.store.pacticipants import pacticipants


def add_environment(db: Connection, draft: EnvironmentDraft, *, now: datetime) -> Environment:
    """Add an environment. Raises Invalid when its name is taken."""
    if deployments.find_by_name(db, draft.name):
        raise _taken(draft.name)
    new = Environment(
        uuid=str(uuid4()),
        name=draft.name,
        display_name=_display_name(draft),
        is_production=draft.is_production,
        contacts=draft.contacts,
        created_at=now,
        updated_at=now,
    )
    deployments.add_environment(db, new)
    audit.record(db, Action.ENVIRONMENT_CREATION, resource=new.name, after=_said(new))
    return new


def change_environment(db: Connection, existing: Environment, draft: EnvironmentDraft, *, now: datetime) -> Environment:
    """Replace all that is said about an environment, which is locked. Raises Invalid if its name is another one's."""
    namesake = deployments.find_by_name(db, draft.name)
    if namesake and namesake.uuid != existing.uuid:
        raise _taken(draft.name)
    changed = replace(
        existing,
        name=draft.name,
        display_name=_display_name(draft),
        is_production=draft.is_production,
        contacts=draft.contacts,
        updated_at=now,
    )
    deployments.update_environment(db, changed)
    before, after = diff_fields({"name": existing.name, **_said(existing)}, {"name": changed.name, **_said(changed)})
    audit.record(db, Action.ENVIRONMENT_CHANGE, resource=existing.name, before=before, after=after)
    return changed


def remove_environment(db: Connection, uuid: str) -> None:
    """Remove an environment, and what was recorded about it. Raises NotFound."""
    gone = deployments.lock(db, uuid)
    deployments.remove_environment(db, uuid)
    audit.record(db, Action.ENVIRONMENT_REMOVAL, resource=gone.name, before=_said(gone))


def _said(one: Environment) -> FieldValues:
    """List what is said about an environment. How to reach people is theirs, and is not kept longer than they want."""
    return {**collect_fields(one, "name", "contacts"), "contacts": None if one.contacts is None else REDACTED}


def _taken(name: str) -> Invalid:
    return Invalid.member("name", f"name '{name}' is already used by an existing environment.")


def _display_name(draft: EnvironmentDraft) -> str:
    given = draft.display_name
    return given if given and given.strip() else derive_display_name(draft.name)


def record_deployment(db: Connection, deployment: Deployment, *, now: datetime) -> DeployedVersion:
    """Record that a version runs in a place from now on, instead of what ran there.

    Raises NotFound when the version or the environment is missing.
    """
    pacticipants.lock(db, [deployment.pacticipant])
    running = deployments.find_current(db, deployment)
    if running and running.version == deployment.version:
        _note_deployed(db, running)
        return running
    if running:
        deployments.end(db, running, at=now)
    deployed = deployments.add(db, deployment, at=now)
    _note_deployed(db, deployed, instead_of=running)
    return deployed


def _note_deployed(db: Connection, deployed: DeployedVersion, *, instead_of: DeployedVersion | None = None) -> None:
    audit.record(
        db,
        Action.DEPLOYMENT,
        resource=deployed.pacticipant,
        other=deployed.environment.name,
        params=_which(deployed),
        before={"version": instead_of.version} if instead_of else {},
    )


def _which(deployed: DeployedVersion) -> FieldValues:
    instance = deployed.application_instance
    return {"version": deployed.version, **({"application_instance": instance} if instance is not None else {})}


def end_deployment(db: Connection, uuid: str, *, now: datetime) -> DeployedVersion:
    """Record that a version no longer runs. Raises NotFound."""
    pacticipants.lock(db, [deployments.get_deployed(db, uuid).pacticipant])
    deployed = deployments.get_deployed(db, uuid)
    audit.record(
        db,
        Action.DEPLOYMENT_END,
        resource=deployed.pacticipant,
        other=deployed.environment.name,
        params=_which(deployed),
    )
    if not deployed.is_current:
        return deployed
    deployments.end(db, deployed, at=now)
    return replace(deployed, undeployed_at=now)


def record_release(db: Connection, release: Release, *, now: datetime) -> tuple[ReleasedVersion, bool]:
    """Record that a version is supported from now on, and say whether it had never been released there before.

    Raises NotFound when the version or the environment is missing.
    """
    pacticipants.lock(db, [release.pacticipant])
    released = deployments.find_released(db, release)
    if released is None:
        released = deployments.add_release(db, release, at=now)
        _note_release(db, Action.RELEASE, released)
        return released, True
    _note_release(db, Action.RELEASE, released)
    if released.is_supported:
        return released, False
    deployments.resume_support(db, released, at=now)
    return replace(released, support_ended_at=None, updated_at=now), False


def _note_release(db: Connection, action: Action, released: ReleasedVersion) -> None:
    environment = released.environment.name
    audit.record(db, action, resource=released.pacticipant, other=environment, params={"version": released.version})


def end_support(db: Connection, uuid: str, *, now: datetime) -> ReleasedVersion:
    """Record that a version is no longer supported. Raises NotFound."""
    pacticipants.lock(db, [deployments.get_released(db, uuid).pacticipant])
    released = deployments.get_released(db, uuid)
    _note_release(db, Action.RELEASE_END, released)
    if not released.is_supported:
        return released
    deployments.end_support(db, released, at=now)
    return replace(released, support_ended_at=now)
