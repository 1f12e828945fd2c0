"""Changes of environments, and recording of deployments and releases."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import Connection

from treaty.errors import Invalid
from treaty.model.audit import REDACTED, Action, FieldValues, collect_fields, diff_fields
from treaty.model.decisions.records import DEFAULT_VALIDITY
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
from treaty.store.decisions import records
from treaty.store.pacticipants import pacticipants

R = TypeVar("R", DeployedVersion, ReleasedVersion)


def add_environment(db: Connection, draft: EnvironmentDraft, *, now: datetime) -> Environment:
    """Add an environment. Raises Invalid if its name is taken."""
    if deployments.find_by_name(db, draft.name):
        raise _name_taken(draft.name)
    new = Environment(uuid=str(uuid4()), **_properties(draft), created_at=now, updated_at=now)
    deployments.add_environment(db, new)
    audit.record(db, Action.ENVIRONMENT_CREATION, resource=new.name, after=_audited_fields(new))
    return new


def change_environment(db: Connection, existing: Environment, draft: EnvironmentDraft, *, now: datetime) -> Environment:
    """Replace the properties of a locked environment. Raises Invalid if another environment has the name."""
    namesake = deployments.find_by_name(db, draft.name)
    if namesake and namesake.uuid != existing.uuid:
        raise _name_taken(draft.name)
    properties = _properties(draft)
    if draft.records_decisions is None:
        properties["records_decisions"] = existing.records_decisions
    if not draft.sets_position:
        properties["position"] = existing.position
    changed = replace(existing, **properties, updated_at=now)
    deployments.update_environment(db, changed)
    before, after = diff_fields(
        {"name": existing.name, **_audited_fields(existing)}, {"name": changed.name, **_audited_fields(changed)}
    )
    audit.record(db, Action.ENVIRONMENT_CHANGE, resource=existing.name, before=before, after=after)
    return changed


def remove_environment(db: Connection, uuid: str) -> None:
    """Remove an environment with its deployments and releases. Raises NotFound."""
    environment = deployments.lock(db, uuid)
    deployments.remove_environment(db, uuid)
    audit.record(db, Action.ENVIRONMENT_REMOVAL, resource=environment.name, before=_audited_fields(environment))


def _properties(draft: EnvironmentDraft) -> dict[str, Any]:
    has_display_name = draft.display_name and draft.display_name.strip()
    display_name = draft.display_name if has_display_name else derive_display_name(draft.name)
    properties = {**asdict(draft), "display_name": display_name, "records_decisions": bool(draft.records_decisions)}
    del properties["sets_position"]
    return properties


def _audited_fields(environment: Environment) -> FieldValues:
    """List the fields for the audit trail.

    Contacts are personal data, and the audit trail would keep them after they were removed from the environment.
    """
    contacts = None if environment.contacts is None else REDACTED
    return {**collect_fields(environment, "name", "contacts"), "contacts": contacts}


def _name_taken(name: str) -> Invalid:
    return Invalid.member("name", f"name '{name}' is already used by an existing environment.")


# Deployments and releases lock the pacticipant, so that concurrent records of the same application are serialized.


def record_deployment(
    db: Connection, deployment: Deployment, *, now: datetime, decision_validity: timedelta = DEFAULT_VALIDITY
) -> DeployedVersion:
    """Record that a version is deployed. It replaces the current version of the same application instance.

    A deployment is never refused, since it has already happened. It is marked if the environment records decisions, and
    no yes was recorded within `decision_validity`. Raises NotFound if the version or the environment is missing.
    """
    pacticipants.lock(db, [deployment.pacticipant])
    current = deployments.find_current(db, deployment)
    if current and current.version == deployment.version:
        _record_audit(db, Action.DEPLOYMENT, current)
        return current
    if current:
        deployments.end(db, current, at=now)
    deployed = deployments.add(db, deployment, at=now)
    if _lacks_decision(db, deployed, since=now - decision_validity):
        deployed = deployments.mark(db, deployed, is_lacking=True)
    _record_audit(db, Action.DEPLOYMENT, deployed, before={"version": current.version} if current else {})
    return deployed


def end_deployment(db: Connection, uuid: str, *, now: datetime) -> DeployedVersion:
    """Record that a version is no longer deployed. Raises NotFound."""
    deployed = _lock_record(db, deployments.get_deployed, uuid)
    _record_audit(db, Action.DEPLOYMENT_END, deployed)
    if not deployed.is_current:
        return deployed
    deployments.end(db, deployed, at=now)
    return replace(deployed, undeployed_at=now)


def _lacks_decision(db: Connection, record: DeployedVersion | ReleasedVersion, *, since: datetime) -> bool:
    return record.environment.records_decisions and not records.has_yes(
        db,
        pacticipant=record.pacticipant,
        version=record.version,
        environment=record.environment.uuid,
        since=since,
    )


def record_release(
    db: Connection, release: Release, *, now: datetime, decision_validity: timedelta = DEFAULT_VALIDITY
) -> tuple[ReleasedVersion, bool]:
    """Record that a version is supported; return whether this is its first release to the environment.

    It is marked as a deployment is. A repeated release resumes support that has ended. Raises NotFound if the version
    or the environment is missing.
    """
    pacticipants.lock(db, [release.pacticipant])
    existing = deployments.find_released(db, release)
    released = existing or deployments.add_release(db, release, at=now)
    if existing is None or not existing.is_supported:
        is_lacking = _lacks_decision(db, released, since=now - decision_validity)
        if is_lacking != released.lacks_decision:
            released = deployments.mark_release(db, released, is_lacking=is_lacking)
    _record_audit(db, Action.RELEASE, released)
    if released.is_supported:
        return released, existing is None
    deployments.resume_support(db, released, at=now)
    return replace(released, support_ended_at=None, updated_at=now), False


def end_support(db: Connection, uuid: str, *, now: datetime) -> ReleasedVersion:
    """Record that a version is no longer supported. Raises NotFound."""
    released = _lock_record(db, deployments.get_released, uuid)
    _record_audit(db, Action.RELEASE_END, released)
    if not released.is_supported:
        return released
    deployments.end_support(db, released, at=now)
    return replace(released, support_ended_at=now)


def _lock_record(db: Connection, get: Callable[[Connection, str], R], uuid: str) -> R:
    """Lock the pacticipant of a deployment or release, and return the record as it is under the lock."""
    pacticipants.lock(db, [get(db, uuid).pacticipant])
    # Another build may have ended the record before the lock was acquired.
    return get(db, uuid)


def _record_audit(
    db: Connection, action: Action, record: DeployedVersion | ReleasedVersion, *, before: FieldValues | None = None
) -> None:
    params: dict[str, object] = {"version": record.version}
    if isinstance(record, DeployedVersion) and record.application_instance is not None:
        params["application_instance"] = record.application_instance
    if record.lacks_decision:
        params["lacks_decision"] = True
    audit.record(
        db,
        action,
        resource=record.pacticipant,
        other=record.environment.name,
        params=params,
        before=before or {},
    )
