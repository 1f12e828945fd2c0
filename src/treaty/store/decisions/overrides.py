"""Overrides in the database."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, insert, not_, or_, select, update

from treaty.errors import NotFound
from treaty.model.decisions.overrides import Override
from treaty.model.paging import Page, Paged
from treaty.store.engine.database import execute, fetch_all, fetch_one
from treaty.store.engine.listing import PagedQuery
from treaty.store.engine.query_log import limit_validity
from treaty.store.tables import deployment_override, environment, pacticipant, version

_COUNTERPART: Final = pacticipant.alias("counterpart")
_OVERRIDES: Final = (
    select(
        deployment_override.c.uuid,
        pacticipant.c.name.label("pacticipant"),
        version.c.number.label("version"),
        environment.c.name.label("environment"),
        environment.c.uuid.label("environment_uuid"),
        _COUNTERPART.c.name.label("counterpart"),
        deployment_override.c.reason,
        deployment_override.c.created_by,
        deployment_override.c.created_at,
        deployment_override.c.expires_at,
        deployment_override.c.revoked_by,
        deployment_override.c.revoked_at,
    )
    .join_from(deployment_override, version, version.c.id == deployment_override.c.version_id)
    .join(pacticipant, pacticipant.c.id == version.c.pacticipant_id)
    .join(environment, environment.c.id == deployment_override.c.environment_id)
    .outerjoin(_COUNTERPART, _COUNTERPART.c.id == deployment_override.c.counterpart_id)
)
_WITH_UUID: Final = _OVERRIDES.where(deployment_override.c.uuid == bindparam("uuid"))
_OF_MEMBERS: Final = _OVERRIDES.where(
    pacticipant.c.name.in_(bindparam("names", expanding=True)),
    version.c.number.in_(bindparam("numbers", expanding=True)),
    environment.c.name == bindparam("environment"),
    deployment_override.c.revoked_at.is_(None),
).order_by(
    deployment_override.c.counterpart_id.is_not(None),
    deployment_override.c.expires_at.desc(),
    deployment_override.c.id.desc(),
)
_ADD: Final = insert(deployment_override).from_select(
    ["uuid", "version_id", "environment_id", "counterpart_id", "reason", "created_by", "created_at", "expires_at"],
    select(
        bindparam("uuid", type_=deployment_override.c.uuid.type),
        version.c.id,
        environment.c.id,
        select(_COUNTERPART.c.id).where(_COUNTERPART.c.name == bindparam("counterpart")).scalar_subquery(),
        bindparam("reason", type_=deployment_override.c.reason.type),
        bindparam("created_by", type_=deployment_override.c.created_by.type),
        bindparam("created_at", type_=deployment_override.c.created_at.type),
        bindparam("expires_at", type_=deployment_override.c.expires_at.type),
    )
    .join_from(version, pacticipant, pacticipant.c.id == version.c.pacticipant_id)
    .join(environment, environment.c.uuid == bindparam("environment_uuid"))
    .where(pacticipant.c.name == bindparam("pacticipant"), version.c.number == bindparam("version")),
)
_REVOKE: Final = (
    update(deployment_override)
    .where(deployment_override.c.uuid == bindparam("target"))
    .values(revoked_at=bindparam("at"), revoked_by=bindparam("by"))
)
_REMOVE_ENDED: Final = delete(deployment_override).where(
    or_(
        deployment_override.c.expires_at < bindparam("before", type_=deployment_override.c.expires_at.type),
        deployment_override.c.revoked_at < bindparam("before", type_=deployment_override.c.expires_at.type),
    )
)


def find(db: Connection, uuid: str) -> Override | None:
    return fetch_one(db, _WITH_UUID, {"uuid": uuid}, Override)


def get(db: Connection, uuid: str) -> Override:
    """Find an override. Raises NotFound."""
    override = find(db, uuid)
    if override is None:
        raise NotFound
    return override


def list_active(
    db: Connection, members: Collection[tuple[str, str]], *, environment_name: str, now: datetime
) -> list[Override]:
    """List the active overrides of versions: those for all counterparts first, then those that expire last.

    A cached response that depends on them is valid only until the first of them expires.
    """
    params = {
        "names": sorted({name for name, _ in members}),
        "numbers": sorted({number for _, number in members}),
        "environment": environment_name,
    }
    overrides = [
        override
        for override in fetch_all(db, _OF_MEMBERS, params, Override)
        if (override.pacticipant, override.version) in members and override.is_active_at(now)
    ]
    for override in overrides:
        limit_validity(override.expires_at)
    return overrides


@dataclass(frozen=True, kw_only=True, slots=True)
class OverrideFilter:
    """The overrides to list; None for any. `environment` is a name."""

    pacticipant: str | None = None
    version: str | None = None
    environment: str | None = None
    is_active: bool | None = None


def list_page(db: Connection, criteria: OverrideFilter, page: Page | None, *, now: datetime) -> Paged[Override]:
    """List overrides, the latest first."""
    values = {name: getattr(criteria, name) for name in _FILTERS if getattr(criteria, name) is not None}
    listing = _build_listing(frozenset(values), criteria.is_active)
    return listing.read(db, {**values, "now": now}, page, lambda rows: [Override(**row._asdict()) for row in rows])


_FILTERS: Final[Mapping[str, ColumnElement[Any]]] = {
    "pacticipant": pacticipant.c.name,
    "version": version.c.number,
    "environment": environment.c.name,
}


@lru_cache(maxsize=32)
def _build_listing(filters: frozenset[str], is_active: bool | None) -> PagedQuery:  # noqa: FBT001 - a shape
    conditions = [column == bindparam(name) for name, column in _FILTERS.items() if name in filters]
    if is_active is not None:
        expires_at = deployment_override.c.expires_at
        active = and_(deployment_override.c.revoked_at.is_(None), expires_at > bindparam("now", type_=expires_at.type))
        conditions.append(active if is_active else not_(active))
    return PagedQuery(_OVERRIDES.where(*conditions).order_by(deployment_override.c.id.desc()))


def add(db: Connection, new: Override) -> None:
    execute(db, _ADD, new)


def revoke(db: Connection, uuid: str, *, by: str | None, at: datetime) -> None:
    execute(db, _REVOKE, {"target": uuid, "by": by, "at": at})


def remove_ended(db: Connection, *, before: datetime) -> int:
    """Remove the overrides that had ended before a time, and return their number."""
    return execute(db, _REMOVE_ENDED, {"before": before})
