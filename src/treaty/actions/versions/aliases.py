"""Creation and removal of aliases of versions."""

from datetime import datetime

from sqlalchemy import Connection

from treaty.errors import Conflict, NotFound
from treaty.model.audit import Action
from treaty.model.names import check_name
from treaty.model.versions import VersionAlias
from treaty.store import audit
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import aliases, versions


def put_alias(db: Connection, pacticipant: str, version: str, name: str, *, now: datetime) -> tuple[VersionAlias, bool]:
    """Give a version another name; return whether it is new.

    Raises NotFound, Invalid, and Conflict for an alias of another version. A build says once and for all whether it has
    changed an application, so an alias never moves.
    """
    pacticipants.lock(db, [pacticipant])
    if versions.find(db, pacticipant, version) is None:
        raise NotFound
    existing = aliases.find(db, pacticipant, name)
    if existing is not None and existing.version != version:
        raise Conflict(
            f"'{name}' is already an alias of version '{existing.version}' of '{pacticipant}'. If that is wrong, "
            "remove the alias first."
        )
    if existing is not None:
        return existing, False
    if name == version:
        raise Conflict(f"'{name}' is the number of this version of '{pacticipant}' itself. Choose another name.")
    new = VersionAlias(pacticipant=pacticipant, version=version, name=check_name("alias", name), created_at=now)
    aliases.add(db, new)
    audit.record(db, Action.ALIAS_CREATION, resource=pacticipant, params={"version": version, "alias": name})
    return new, True


def remove_alias(db: Connection, pacticipant: str, version: str, name: str) -> None:
    """Remove an alias of a version. Raises NotFound."""
    pacticipants.lock(db, [pacticipant])
    alias = aliases.find(db, pacticipant, name)
    if alias is None or alias.version != version:
        raise NotFound
    aliases.remove(db, alias)
    audit.record(db, Action.ALIAS_REMOVAL, resource=pacticipant, params={"version": version, "alias": name})
