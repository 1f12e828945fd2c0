"""Aliases of versions. A version of the same number wins over an alias, so it is looked for first."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, and_, bindparam, delete, exists, insert, literal, select, union_all

from treaty.model.versions import Version, VersionAlias
from treaty.store.engine.database import execute, fetch_all, fetch_one, fetch_rows
from treaty.store.tables import pacticipant, version, version_alias
from treaty.store.versions.versions import PACTICIPANT_ID, VERSIONS

_ALIASES: Final = (
    select(
        pacticipant.c.name.label("pacticipant"),
        version.c.number.label("version"),
        version_alias.c.name,
        version_alias.c.created_at,
    )
    .join_from(version_alias, version)
    .join(pacticipant, pacticipant.c.id == version_alias.c.pacticipant_id)
)
_NAMED: Final = _ALIASES.where(
    pacticipant.c.name == bindparam("pacticipant"), version_alias.c.name == bindparam("name")
)
_OF_VERSION: Final = _ALIASES.where(
    pacticipant.c.name == bindparam("pacticipant"), version.c.number == bindparam("version")
).order_by(version_alias.c.id)
_ADD: Final = insert(version_alias).from_select(
    ["pacticipant_id", "version_id", "name", "created_at"],
    select(
        version.c.pacticipant_id,
        version.c.id,
        bindparam("name", type_=version_alias.c.name.type),
        bindparam("created_at", type_=version_alias.c.created_at.type),
    ).where(version.c.pacticipant_id == PACTICIPANT_ID, version.c.number == bindparam("version")),
)
_REMOVE: Final = delete(version_alias).where(
    version_alias.c.pacticipant_id == PACTICIPANT_ID, version_alias.c.name == bindparam("removed_name")
)
_SAME_NUMBER: Final = version.alias()
_WITHOUT_VERSION: Final = ~exists().where(
    _SAME_NUMBER.c.pacticipant_id == version_alias.c.pacticipant_id, _SAME_NUMBER.c.number == version_alias.c.name
)
_LEADING: Final = (
    select(pacticipant.c.name.label("pacticipant"), version_alias.c.name, version.c.number, version.c.id)
    .join_from(version_alias, version)
    .join(pacticipant, pacticipant.c.id == version_alias.c.pacticipant_id)
    .where(
        and_(
            pacticipant.c.name.in_(bindparam("pacticipants", expanding=True)),
            version_alias.c.name.in_(bindparam("names", expanding=True)),
            _WITHOUT_VERSION,
        )
    )
)

AliasKey = tuple[str, str]
"""Names of a pacticipant and of an alias."""


def find(db: Connection, pacticipant: str, name: str) -> VersionAlias | None:
    """Find an alias, whether or not there is a version of the same number."""
    return fetch_one(db, _NAMED, {"pacticipant": pacticipant, "name": name}, VersionAlias)


def list_of_version(db: Connection, pacticipant: str, number: str) -> list[VersionAlias]:
    """List the aliases of a version, the oldest first."""
    return fetch_all(db, _OF_VERSION, {"pacticipant": pacticipant, "version": number}, VersionAlias)


_IS_OF_PACTICIPANT: Final = version.c.pacticipant_id == PACTICIPANT_ID
# Two searches of an index each; with OR, one statement would read all versions of the pacticipant.
_NUMBERED_OR_ALIASED: Final = union_all(
    select(literal(0).label("rank"), version.c.id).where(_IS_OF_PACTICIPANT, version.c.number == bindparam("name")),
    select(literal(1), version_alias.c.version_id).where(
        version_alias.c.pacticipant_id == PACTICIPANT_ID, version_alias.c.name == bindparam("name")
    ),
).subquery("candidate")
_BY_NUMBER_OR_ALIAS: Final = (
    VERSIONS.join(_NUMBERED_OR_ALIASED, _NUMBERED_OR_ALIASED.c.id == version.c.id)
    .order_by(_NUMBERED_OR_ALIASED.c.rank)
    .limit(1)
)


def find_version(db: Connection, pacticipant: str, name: str) -> Version | None:
    """Find a version by its number or, if there is none, by an alias."""
    return fetch_one(db, _BY_NUMBER_OR_ALIAS, {"pacticipant": pacticipant, "name": name}, Version)


def find_leading(db: Connection, pacticipant: str, name: str) -> str | None:
    """Return the number of the version that a name is an alias of; None if it is not, or is a number itself."""
    leading = find_versions(db, [(pacticipant, name)]).get((pacticipant, name))
    return None if leading is None else leading[0]


def find_versions(db: Connection, keys: Collection[AliasKey]) -> dict[AliasKey, tuple[str, int]]:
    """Map those of the keys that are aliases, and not numbers of versions, to the numbers and ids of their versions."""
    if not keys:
        return {}
    values = {"pacticipants": list({owner for owner, _ in keys}), "names": list({name for _, name in keys})}
    rows = fetch_rows(db, _LEADING, values)
    return {(row.pacticipant, row.name): (row.number, row.id) for row in rows if (row.pacticipant, row.name) in keys}


def add(db: Connection, new: VersionAlias) -> None:
    execute(db, _ADD, new)


def remove(db: Connection, alias: VersionAlias) -> None:
    execute(db, _REMOVE, {"pacticipant": alias.pacticipant, "removed_name": alias.name})
