"""What is where: a page of pacticipants, and their versions in each environment."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Integer,
    and_,
    bindparam,
    desc,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from treaty.model.overview.environment_grid import MAX_NEWER_COUNT, DeploymentPeriod, GridCell
from treaty.model.paging import Page, Paged
from treaty.store.engine.database import fetch_all, fetch_column, fetch_scalar
from treaty.store.pacticipants.pacticipants import escape_like
from treaty.store.tables import (
    branch,
    branch_version,
    deployed_version,
    environment,
    pacticipant,
    released_version,
    version,
)

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


def list_pacticipants(db: Connection, like: str, page: Page) -> Paged[str]:
    """List a page of the pacticipants that are in any environment and whose name holds a text."""
    params = {"part": escape_like(like)}
    found = fetch_column(db, _NAMES, {**params, "limit": page.limit, "offset": page.offset})
    return Paged(found, page, fetch_scalar(db, _COUNT, params))


_MAIN: Final = branch.alias("main")
_AHEAD: Final = branch_version.alias("ahead")
_ON_MAIN: Final = exists().where(branch_version.c.branch_id == _MAIN.c.id, branch_version.c.version_id == version.c.id)
_NEWER: Final = (
    select(literal(1))
    .select_from(_AHEAD)
    .where(_AHEAD.c.branch_id == _MAIN.c.id, _AHEAD.c.position > version.c.position)
    .limit(MAX_NEWER_COUNT)
    .correlate(_MAIN, version)
    .subquery()
)


def _cells(recorded: Any, ended_at: Any, instance: Any, *, is_release: bool) -> Any:
    return (
        select(
            pacticipant.c.name.label("pacticipant"),
            environment.c.uuid.label("environment"),
            version.c.number.label("version"),
            instance.label("instance"),
            recorded.c.created_at.label("since"),
            literal(is_release).label("is_release"),
            _MAIN.c.id.is_not(None).label("has_main_branch"),
            _ON_MAIN.label("is_on_main_branch"),
            select(func.count()).select_from(_NEWER).scalar_subquery().label("newer_count"),
        )
        .select_from(recorded)
        .join(pacticipant, pacticipant.c.id == recorded.c.pacticipant_id)
        .join(environment, environment.c.id == recorded.c.environment_id)
        .join(version, version.c.id == recorded.c.version_id)
        .outerjoin(_MAIN, and_(_MAIN.c.pacticipant_id == pacticipant.c.id, _MAIN.c.name == pacticipant.c.main_branch))
        .where(ended_at.is_(None))
    )


_OF_PACTICIPANTS: Final = pacticipant.c.name.in_(bindparam("names", expanding=True))
_IN_ENVIRONMENT: Final = environment.c.uuid == bindparam("environment")
_DEPLOYED: Final = _cells(
    deployed_version, deployed_version.c.undeployed_at, deployed_version.c.application_instance, is_release=False
)
_RELEASED: Final = _cells(released_version, released_version.c.support_ended_at, null(), is_release=True)
_CELLS: Final = union_all(_DEPLOYED.where(_OF_PACTICIPANTS), _RELEASED.where(_OF_PACTICIPANTS)).order_by("since")
_CELLS_IN: Final = (
    union_all(_DEPLOYED.where(_IN_ENVIRONMENT), _RELEASED.where(_IN_ENVIRONMENT))
    .order_by("pacticipant", "since")
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("offset", type_=Integer))
)


def list_cells(db: Connection, names: Sequence[str]) -> list[GridCell]:
    """List where versions of pacticipants are, the oldest first."""
    return fetch_all(db, _CELLS, {"names": list(names)}, GridCell) if names else []


def list_cells_in_environment(db: Connection, environment: str, page: Page) -> Paged[GridCell]:
    """List a page of what is in an environment, by the names of pacticipants."""
    params = {"environment": environment}
    found = fetch_all(db, _CELLS_IN, {**params, "limit": page.limit, "offset": page.offset}, GridCell)
    return Paged(found, page, fetch_scalar(db, _COUNT_IN, params))


# The history of one place in the grid


def _counting(recorded: Any, *conditions: Any) -> Any:
    return (
        select(func.count())
        .select_from(recorded)
        .join(environment, environment.c.id == recorded.c.environment_id)
        .join(pacticipant, pacticipant.c.id == recorded.c.pacticipant_id)
        .where(_IN_ENVIRONMENT, *conditions)
        .scalar_subquery()
    )


_COUNT_IN: Final = select(
    _counting(deployed_version, deployed_version.c.undeployed_at.is_(None))
    + _counting(released_version, released_version.c.support_ended_at.is_(None))
)
_OF_PACTICIPANT: Final = pacticipant.c.name == bindparam("pacticipant")
_COUNT_STAYS: Final = select(
    _counting(deployed_version, _OF_PACTICIPANT) + _counting(released_version, _OF_PACTICIPANT)
)


def _stays(recorded: Any, until: Any, instance: Any, *, is_release: bool) -> Any:
    return (
        select(
            version.c.number.label("version"),
            instance.label("instance"),
            recorded.c.created_at.label("since"),
            until.label("until"),
            literal(is_release).label("is_release"),
        )
        .select_from(recorded)
        .join(pacticipant, pacticipant.c.id == recorded.c.pacticipant_id)
        .join(environment, environment.c.id == recorded.c.environment_id)
        .join(version, version.c.id == recorded.c.version_id)
        .where(_OF_PACTICIPANT, _IN_ENVIRONMENT)
    )


_STAYS: Final = (
    union_all(
        _stays(
            deployed_version,
            deployed_version.c.undeployed_at,
            deployed_version.c.application_instance,
            is_release=False,
        ),
        _stays(released_version, released_version.c.support_ended_at, null(), is_release=True),
    )
    .order_by(desc("since"), desc("version"))
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("offset", type_=Integer))
)


def list_deployment_periods(db: Connection, pacticipant: str, environment: str, page: Page) -> Paged[DeploymentPeriod]:
    """List a page of what has ever been of a pacticipant in an environment, newest first."""
    params = {"pacticipant": pacticipant, "environment": environment}
    found = fetch_all(db, _STAYS, {**params, "limit": page.limit, "offset": page.offset}, DeploymentPeriod)
    return Paged(found, page, fetch_scalar(db, _COUNT_STAYS, params))
