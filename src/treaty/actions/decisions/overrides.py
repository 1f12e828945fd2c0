"""Creation and revocation of overrides."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection

from treaty.errors import Invalid, Problem
from treaty.model.audit import Action
from treaty.model.decisions.overrides import MAX_REASON_LENGTH, Override
from treaty.model.deployments import Environment
from treaty.model.pacticipants.pacticipants import describe_missing
from treaty.spelling import suggest_names
from treaty.store import audit, deployments
from treaty.store.decisions import overrides
from treaty.store.pacticipants import former_names, pacticipants
from treaty.store.versions import aliases, versions


@dataclass(frozen=True, kw_only=True, slots=True)
class OverrideDraft:
    """The properties of an override that clients set. The environment has a name or a UUID."""

    pacticipant: str
    version: str
    environment: str | None = None
    environment_uuid: str | None = None
    counterpart: str | None = None
    reason: str
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OverrideLimits:
    """How long overrides apply, by the settings."""

    default: timedelta
    maximum: timedelta


def create_override(
    db: Connection, draft: OverrideDraft, *, limits: OverrideLimits, by: str | None, now: datetime
) -> Override:
    """Override the decisions about a version and an environment. Raises Invalid, which names everything unknown."""
    pacticipants.lock(db, [draft.pacticipant])
    version, environment = _find_version(db, draft), _find_environment(db, draft)
    expires_at = draft.expires_at or now + min(limits.default, limits.maximum)
    problems = [
        *_list_problems(db, draft, version, environment),
        *_list_expiry_problems(expires_at, limits, now),
    ]
    if problems or version is None or environment is None:
        raise Invalid(*problems)
    new = Override(
        uuid=str(uuid4()),
        pacticipant=draft.pacticipant,
        version=version,
        environment=environment.name,
        environment_uuid=environment.uuid,
        counterpart=draft.counterpart,
        reason=draft.reason.strip(),
        created_by=by,
        created_at=now,
        expires_at=expires_at,
    )
    overrides.add(db, new)
    after = {"reason": new.reason, "expires_at": expires_at.isoformat(), "counterpart": new.counterpart}
    _record(db, Action.OVERRIDE_CREATION, new, after=after)
    return new


def _find_version(db: Connection, draft: OverrideDraft) -> str | None:
    """Return the number of the version that a number or an alias names."""
    if versions.find(db, draft.pacticipant, draft.version) is not None:
        return draft.version
    return aliases.find_leading(db, draft.pacticipant, draft.version)


def _find_environment(db: Connection, draft: OverrideDraft) -> Environment | None:
    if draft.environment is not None:
        return deployments.find_by_name(db, draft.environment)
    return deployments.find(db, draft.environment_uuid or "")


def _list_problems(
    db: Connection, draft: OverrideDraft, version: str | None, environment: Environment | None
) -> list[Problem]:
    """List the names that do not exist, with suggestions, and a reason that is too long."""
    problems = []
    for member, name in (("pacticipantName", draft.pacticipant), ("counterpart", draft.counterpart)):
        if name is not None and pacticipants.find(db, name) is None:
            problems.append(Problem((member,), _describe_missing_name(db, name)))
    if version is None and not problems:
        text = f"'{draft.pacticipant}' has no version '{draft.version}', and no version with this alias"
        problems.append(Problem(("pacticipantVersionNumber",), text))
    if environment is None:
        problems.append(_describe_missing_environment(db, draft))
    if len(draft.reason) > MAX_REASON_LENGTH:
        problems.append(Problem(("reason",), f"cannot be longer than {MAX_REASON_LENGTH} characters"))
    return problems


def _describe_missing_name(db: Connection, name: str) -> str:
    current = former_names.find_current_names(db, [name]).get(name)
    suggestion = "" if current else suggest_names(name, pacticipants.list_names(db))
    return f"{describe_missing(current)}. {suggestion}" if suggestion else describe_missing(current)


def _describe_missing_environment(db: Connection, draft: OverrideDraft) -> Problem:
    if draft.environment is None:
        return Problem(("environmentUuid",), f"no environment has the UUID '{draft.environment_uuid}'")
    suggestion = suggest_names(draft.environment, [existing.name for existing in deployments.list_all(db)])
    end = f". {suggestion}" if suggestion else ""
    return Problem(("environmentName",), f"with name '{draft.environment}' does not exist{end}")


def _list_expiry_problems(expires_at: datetime, limits: OverrideLimits, now: datetime) -> list[Problem]:
    if expires_at <= now:
        return [Problem(("expiresAt",), "must be in the future")]
    latest = now + limits.maximum
    if expires_at > latest:
        text = f"must be {latest:%Y-%m-%dT%H:%M:%SZ} at the latest (setting override_max_duration)"
        return [Problem(("expiresAt",), text)]
    return []


def revoke_override(db: Connection, uuid: str, *, by: str | None, now: datetime) -> Override:
    """End an override at once. One that has ended stays as it is. Raises NotFound."""
    pacticipants.lock(db, [overrides.get(db, uuid).pacticipant])
    override = overrides.get(db, uuid)
    if not override.is_active_at(now):
        return override
    overrides.revoke(db, uuid, by=by, at=now)
    _record(db, Action.OVERRIDE_REVOCATION, override, before={"reason": override.reason})
    return replace(override, revoked_by=by, revoked_at=now)


def _record(
    db: Connection,
    action: Action,
    override: Override,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    audit.record(
        db,
        action,
        resource=override.pacticipant,
        other=override.environment,
        params={"version": override.version, "override": override.uuid},
        before=before or {},
        after=after or {},
    )
