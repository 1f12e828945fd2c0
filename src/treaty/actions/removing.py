"""Versions, branches and tags go; what was second becomes first."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from treaty.errors import NotFound
from treaty.model.audit import Action
from treaty.model.pacticipant import Pacticipant
from treaty.store import audit, branches, pacticipants, tags, versions


def _lock(db: Connection, name: str) -> Pacticipant:
    """Lock a pacticipant. Raises NotFound without a name, as most resources do."""
    found = pacticipants.lock(db, [name])
    if not found:
        raise NotFound
    return found[0]


def remove_version(db: Connection, pacticipant: str, number: str) -> None:
    """Remove a version with all that hangs on it. Raises NotFound."""
    _lock(db, pacticipant)
    if versions.find(db, pacticipant, number) is None:
        raise NotFound
    versions.remove(db, pacticipant, [number])
    audit.note(db, Action.VERSION_REMOVAL, resource=pacticipant, params={"version": number})


def remove_tag(db: Connection, pacticipant: str, version: str, tag: str) -> None:
    """Take a tag off a version. Raises NotFound."""
    _lock(db, pacticipant)
    tagged = versions.find(db, pacticipant, version)
    if tagged is None or tags.find(db, pacticipant, version, tag) is None:
        raise NotFound
    tags.remove(db, tagged, tag)
    audit.note(db, Action.TAG_REMOVAL, resource=pacticipant, params={"version": version, "tag": tag})


def remove_branch(db: Connection, pacticipant: str, name: str) -> None:
    """Remove a branch, be it the main one; versions stay. Raises NotFound."""
    _lock(db, pacticipant)
    if branches.find(db, pacticipant, name) is None:
        raise NotFound
    branches.remove(db, pacticipant, [name])
    audit.note(db, Action.BRANCH_REMOVAL, resource=pacticipant, params={"branch": name})


def take_off_branch(db: Connection, pacticipant: str, branch: str, version: str) -> None:
    """Take a version off a branch; both stay. Raises NotFound."""
    _lock(db, pacticipant)
    found = branches.standing(db, pacticipant, branch, version).branch_version
    if found is None:
        raise NotFound
    branches.remove_version(db, found)
    said = {"branch": branch, "version": version}
    audit.note(db, Action.BRANCH_VERSION_REMOVAL, resource=pacticipant, params=said)


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchesRemoved:
    """How many branches of a pacticipant went, and which remain."""

    pacticipant: str
    count: int
    remaining: list[str]


def remove_branches(db: Connection, pacticipant: str, *, keep: Collection[str]) -> BranchesRemoved:
    """Remove all branches but the main one and those to keep. Raises NotFound."""
    owner = pacticipants.get(db, pacticipant)
    kept = {*keep, _lock(db, owner.name).main_branch}
    every = branches.names(db, pacticipant)
    going = [name for name in every if name not in kept]
    branches.remove(db, pacticipant, going)
    audit.note(db, Action.BRANCH_REMOVAL, resource=pacticipant, before={"branches": going})
    return BranchesRemoved(
        pacticipant=pacticipant, count=len(going), remaining=[name for name in every if name in kept]
    )
