"""Keeping environments, and recording what runs in them and what is released to them."""

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection

from treaty.errors import Invalid
from treaty.model.environment import (
    DeployedVersion,
    Deployment,
    Environment,
    EnvironmentDraft,
    Release,
    ReleasedVersion,
)
from treaty.model.pacticipant import display_name
from treaty.store import environments, pacticipants


def add_environment(db: Connection, draft: EnvironmentDraft, *, now: datetime) -> Environment:
    """Add an environment. Raises Invalid when its name is taken."""
    if environments.find_by_name(db, draft.name):
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
    environments.add_environment(db, new)
    return new


def change_environment(db: Connection, existing: Environment, draft: EnvironmentDraft, *, now: datetime) -> Environment:
    """Replace all that is said about an environment. Raises Invalid when its name is another one's."""
    namesake = environments.find_by_name(db, draft.name)
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
    environments.change_environment(db, changed)
    return changed


def remove_environment(db: Connection, uuid: str) -> None:
    """Remove an environment, and what was recorded about it. Raises NotFound."""
    environments.get(db, uuid)
    environments.remove_environment(db, uuid)


def _taken(name: str) -> Invalid:
    return Invalid.member("name", f"name '{name}' is already used by an existing environment.")


def _display_name(draft: EnvironmentDraft) -> str:
    given = draft.display_name
    return given if given and given.strip() else display_name(draft.name)


def record_deployment(db: Connection, deployment: Deployment, *, now: datetime) -> DeployedVersion:
    """Record that a version runs in a place from now on, instead of what ran there.

    Raises NotFound when the version or the environment is missing.
    """
    pacticipants.lock(db, [deployment.pacticipant])
    running = environments.find_running(db, deployment)
    if running and running.version == deployment.version:
        return running
    if running:
        environments.end(db, running, at=now)
    return environments.add(db, deployment, at=now)


def end_deployment(db: Connection, uuid: str, *, now: datetime) -> DeployedVersion:
    """Record that a version no longer runs. Raises NotFound."""
    deployed = environments.get_deployed(db, uuid)
    if not deployed.is_current:
        return deployed
    environments.end(db, deployed, at=now)
    return replace(deployed, undeployed_at=now)


def record_release(db: Connection, release: Release, *, now: datetime) -> tuple[ReleasedVersion, bool]:
    """Record that a version is supported from now on, and say whether it had never been released there before.

    Raises NotFound when the version or the environment is missing.
    """
    pacticipants.lock(db, [release.pacticipant])
    released = environments.find_released(db, release)
    if released is None:
        return environments.add_release(db, release, at=now), True
    if released.is_supported:
        return released, False
    environments.support_again(db, released, at=now)
    return replace(released, support_ended_at=None, updated_at=now), False


def end_support(db: Connection, uuid: str, *, now: datetime) -> ReleasedVersion:
    """Record that a version is no longer supported. Raises NotFound."""
    released = environments.get_released(db, uuid)
    if not released.is_supported:
        return released
    environments.end_support(db, released, at=now)
    return replace(released, support_ended_at=now)
