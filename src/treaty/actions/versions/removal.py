"""Versions, branches and tags go; what was second becomes first."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from treaty.errors import NotFound
from treaty.model.audit import Action
from treaty.model.pacticipants.pacticipants import Pacticipant
from treaty.store import audit
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import branches, tags, versions
from treaty.store.webhooks import delivery_facts


def _lock(db: Connection, name: str) -> Pacticipant:
    """Lock a pacticipant. Raises NotFound without a name, as most resources do."""
    found = pacticipants.lock(db, [name])
    if not found:
        raise NotFound
    return found[0]


def _lock_with_counterparts(db: Connection, name: str) -> Pacticipant:
    """Lock a pacticipant and its counterparts, so that no event enqueues a delivery about what is removed."""
    found = pacticipants.lock_with_counterparts(db, name)
    if found is None:
        raise NotFound
    return found


def remove_version(db: Connection, pacticipant: str, number: str) -> None:
    """Remove a version with all that belongs to it. Queued deliveries about it are still sent. Raises NotFound."""
    _lock_with_counterparts(db, pacticipant)
    if versions.find(db, pacticipant, number) is None:
        raise NotFound
    delivery_facts.preserve_for_versions(db, pacticipant, [number])
    versions.remove(db, pacticipant, [number])
    audit.record(db, Action.VERSION_REMOVAL, resource=pacticipant, params={"version": number})


def remove_tag(db: Connection, pacticipant: str, version: str, tag: str) -> None:
    """Take a tag off a version. Raises NotFound."""
    _lock(db, pacticipant)
    tagged = versions.find(db, pacticipant, version)
    if tagged is None or tags.find(db, pacticipant, version, tag) is None:
        raise NotFound
    tags.remove(db, tagged, tag)
    audit.record(db, Action.TAG_REMOVAL, resource=pacticipant, params={"version": version, "tag": tag})


def remove_branch(db: Connection, pacticipant: str, name: str) -> None:
    """Remove a branch, be it the main one; versions stay. Raises NotFound."""
    _lock_with_counterparts(db, pacticipant)
    if branches.find(db, pacticipant, name) is None:
        raise NotFound
    delivery_facts.preserve_for_branches(db, pacticipant, [name])
    branches.remove(db, pacticipant, [name])
    audit.record(db, Action.BRANCH_REMOVAL, resource=pacticipant, params={"branch": name})


def remove_from_branch(db: Connection, pacticipant: str, branch: str, version: str) -> None:
    """Take a version off a branch; both stay. Raises NotFound."""
    _lock_with_counterparts(db, pacticipant)
    found = branches.load_state(db, pacticipant, branch, version).branch_version
    if found is None:
        raise NotFound
    delivery_facts.preserve_for_branches(db, pacticipant, [branch])
    branches.remove_version(db, found)
    said = {"branch": branch, "version": version}
    audit.record(db, Action.BRANCH_VERSION_REMOVAL, resource=pacticipant, params=said)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovedBranches:
    """How many branches of a pacticipant went, and which remain."""

    pacticipant: str
    count: int
    remaining: list[str]


def remove_branches(db: Connection, pacticipant: str, *, keep: Collection[str]) -> RemovedBranches:
    """Remove all branches but the main one and those to keep. Raises NotFound."""
    owner = pacticipants.get(db, pacticipant)
    kept = {*keep, _lock_with_counterparts(db, owner.name).main_branch}
    every = branches.list_names(db, pacticipant)
    going = [name for name in every if name not in kept]
    delivery_facts.preserve_for_branches(db, pacticipant, going)
    branches.remove(db, pacticipant, going)
    audit.record(db, Action.BRANCH_REMOVAL, resource=pacticipant, before={"branches": going})
    return RemovedBranches(
        pacticipant=pacticipant, count=len(going), remaining=[name for name in every if name in kept]
    )
