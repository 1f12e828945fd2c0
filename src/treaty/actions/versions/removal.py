"""Removal of versions, branches and tags. Heads move to the next newest version."""

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

# NotFound has no name in this module: like the original broker, it does not say which part of the path is missing.


def _lock_with_counterparts(db: Connection, name: str) -> Pacticipant:
    """Lock a pacticipant and its counterparts, whose events could otherwise enqueue deliveries about removed data."""
    locked = pacticipants.lock_with_counterparts(db, name)
    if locked is None:
        raise NotFound
    return locked


def remove_version(db: Connection, pacticipant: str, number: str) -> None:
    """Remove a version with everything that belongs to it. Raises NotFound.

    Queued deliveries about the version are still sent: their template values are copied before the removal.
    """
    _lock_with_counterparts(db, pacticipant)
    if versions.find(db, pacticipant, number) is None:
        raise NotFound
    delivery_facts.preserve_for_versions(db, pacticipant, [number])
    versions.remove(db, pacticipant, [number])
    audit.record(db, Action.VERSION_REMOVAL, resource=pacticipant, params={"version": number})


def remove_tag(db: Connection, pacticipant: str, version: str, tag: str) -> None:
    """Remove a tag from a version. Raises NotFound."""
    pacticipants.lock(db, [pacticipant])
    tagged_version = versions.find(db, pacticipant, version)
    if tagged_version is None or tags.find(db, pacticipant, version, tag) is None:
        raise NotFound
    tags.remove(db, tagged_version, tag)
    audit.record(db, Action.TAG_REMOVAL, resource=pacticipant, params={"version": version, "tag": tag})


def remove_branch(db: Connection, pacticipant: str, name: str) -> None:
    """Remove a branch; its versions stay. The main branch can be removed, too. Raises NotFound."""
    _lock_with_counterparts(db, pacticipant)
    if branches.find(db, pacticipant, name) is None:
        raise NotFound
    delivery_facts.preserve_for_branches(db, pacticipant, [name])
    branches.remove(db, pacticipant, [name])
    audit.record(db, Action.BRANCH_REMOVAL, resource=pacticipant, params={"branch": name})


def remove_from_branch(db: Connection, pacticipant: str, branch: str, version: str) -> None:
    """Remove a version from a branch; both stay. Raises NotFound."""
    _lock_with_counterparts(db, pacticipant)
    branch_version = branches.load_state(db, pacticipant, branch, version).branch_version
    if branch_version is None:
        raise NotFound
    delivery_facts.preserve_for_branches(db, pacticipant, [branch])
    branches.remove_version(db, branch_version)
    params = {"branch": branch, "version": version}
    audit.record(db, Action.BRANCH_VERSION_REMOVAL, resource=pacticipant, params=params)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovedBranches:
    """Result of `remove_branches`: the number of removed branches, and the names of the remaining ones."""

    pacticipant: str
    count: int
    remaining: list[str]


def remove_branches(db: Connection, pacticipant: str, *, keep: Collection[str]) -> RemovedBranches:
    """Remove all branches except the main branch and those to keep. Raises NotFound."""
    pacticipants.get(db, pacticipant)  # its message names the missing pacticipant
    excluded = {*keep, _lock_with_counterparts(db, pacticipant).main_branch}
    names = branches.list_names(db, pacticipant)
    removed = [name for name in names if name not in excluded]
    delivery_facts.preserve_for_branches(db, pacticipant, removed)
    branches.remove(db, pacticipant, removed)
    audit.record(db, Action.BRANCH_REMOVAL, resource=pacticipant, before={"branches": removed})
    remaining = [name for name in names if name in excluded]
    return RemovedBranches(pacticipant=pacticipant, count=len(removed), remaining=remaining)
