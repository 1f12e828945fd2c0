"""What is where: a page of pacticipants, and their versions in each environment."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Integer, bindparam, func, literal, null, or_, select, union_all

from treaty.model.grid import Cell
from treaty.model.page import Page, Paged
from treaty.store.database import column, every, scalar
from treaty.store.pacticipants import literally
from treaty.store.tables import deployed_version, environment, pacticipant, released_version, version

_SOMEWHERE: Final = or_(
    pacticipant.c.id.in_(select(deployed_version.c.pacticipant_id).where(deployed_version.c.undeployed_at.is_(None))),
    pacticipant.c.id.in_(
        select(released_version.c.pacticipant_id).where(released_version.c.support_ended_at.is_(None))
    ),
)
_LIKE: Final = pacticipant.c.name.icontains(bindparam("part"), escape="!")
_NAMES: Final = (
    select(pacticipant.c.name)
    .where(_SOMEWHERE, _LIKE)
    .order_by(func.lower(pacticipant.c.name), pacticipant.c.id)
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("offset", type_=Integer))
)
_COUNT: Final = select(func.count()).select_from(pacticipant).where(_SOMEWHERE, _LIKE)


def pacticipants(db: Connection, like: str, page: Page) -> Paged[str]:
    """List a page of the pacticipants that are in any environment and whose name holds a text."""
    params = {"part": literally(like)}
    found = column(db, _NAMES, {**params, "limit": page.limit, "offset": page.offset})
    return Paged(found, page, scalar(db, _COUNT, params))


def _cells(recorded: Any, ended_at: Any, instance: Any, *, is_release: bool) -> Any:
    return (
        select(
            pacticipant.c.name.label("pacticipant"),
            environment.c.uuid.label("environment"),
            version.c.number.label("version"),
            instance.label("instance"),
            recorded.c.created_at.label("since"),
            literal(is_release).label("is_release"),
        )
        .select_from(recorded)
        .join(pacticipant, pacticipant.c.id == recorded.c.pacticipant_id)
        .join(environment, environment.c.id == recorded.c.environment_id)
        .join(version, version.c.id == recorded.c.version_id)
        .where(pacticipant.c.name.in_(bindparam("names", expanding=True)), ended_at.is_(None))
    )


_CELLS: Final = union_all(
    _cells(
        deployed_version,
        deployed_version.c.undeployed_at,
        deployed_version.c.application_instance,
        is_release=False,
    ),
    _cells(released_version, released_version.c.support_ended_at, null(), is_release=True),
).order_by("since")


def cells(db: Connection, names: Sequence[str]) -> list[Cell]:
    """List where versions of pacticipants are, the oldest first."""
    return every(db, _CELLS, {"names": list(names)}, Cell) if names else []
