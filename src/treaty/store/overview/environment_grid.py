"""The grid of environments: pacticipants by page, the versions in each environment, and their history."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Integer,
    and_,
    asc,
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
from treaty.store.engine.listing import escape_like
from treaty.store.tables import (
    branch,
    branch_version,
    deployed_version,
    environment,
    pacticipant,
    released_version,
    version,
)

_IS_IN_ANY_ENVIRONMENT: Final = or_(
    pacticipant.c.id.in_(select(deployed_version.c.pacticipant_id).where(deployed_version.c.undeployed_at.is_(None))),
    pacticipant.c.id.in_(
        select(released_version.c.pacticipant_id).where(released_version.c.support_ended_at.is_(None))
    ),
)
_NAME_CONTAINS: Final = pacticipant.c.name.icontains(bindparam("part"), escape="!")
_NAMES: Final = (
    select(pacticipant.c.name)
    .where(_IS_IN_ANY_ENVIRONMENT, _NAME_CONTAINS)
    .order_by(func.lower(pacticipant.c.name), pacticipant.c.id)
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("offset", type_=Integer))
)
_COUNT: Final = select(func.count()).select_from(pacticipant).where(_IS_IN_ANY_ENVIRONMENT, _NAME_CONTAINS)


def list_pacticipants(db: Connection, like: str, page: Page) -> Paged[str]:
    """List a page of the pacticipants that have a version in any environment and a name that contains a text."""
    params = {"part": escape_like(like)}
    names = fetch_column(db, _NAMES, {**params, "limit": page.limit, "offset": page.offset})
    return Paged(names, page, fetch_scalar(db, _COUNT, params))


_MAIN_BRANCH: Final = branch.alias("main")
_ahead: Final = branch_version.alias("ahead")
_IS_ON_MAIN_BRANCH: Final = exists().where(
    branch_version.c.branch_id == _MAIN_BRANCH.c.id, branch_version.c.version_id == version.c.id
)
# The limit is inside the subquery, so that a version far behind its main branch does not scan the whole branch.
_NEWER_VERSIONS: Final = (
    select(literal(1))
    .select_from(_ahead)
    .where(_ahead.c.branch_id == _MAIN_BRANCH.c.id, _ahead.c.position > version.c.position)
    .limit(MAX_NEWER_COUNT)
    .correlate(_MAIN_BRANCH, version)
    .subquery()
)


def _select_cells(recorded: Any, ended_at: Any, instance: Any, *, is_release: bool) -> Any:
    """Select the current rows of one table: `deployed_version` or `released_version`."""
    return (
        select(
            pacticipant.c.name.label("pacticipant"),
            environment.c.uuid.label("environment"),
            version.c.number.label("version"),
            instance.label("instance"),
            recorded.c.created_at.label("since"),
            literal(is_release).label("is_release"),
            _MAIN_BRANCH.c.id.is_not(None).label("has_main_branch"),
            _IS_ON_MAIN_BRANCH.label("is_on_main_branch"),
            select(func.count()).select_from(_NEWER_VERSIONS).scalar_subquery().label("newer_count"),
            recorded.c.lacks_decision,
        )
        .select_from(recorded)
        .join(pacticipant, pacticipant.c.id == recorded.c.pacticipant_id)
        .join(environment, environment.c.id == recorded.c.environment_id)
        .join(version, version.c.id == recorded.c.version_id)
        .outerjoin(
            _MAIN_BRANCH,
            and_(_MAIN_BRANCH.c.pacticipant_id == pacticipant.c.id, _MAIN_BRANCH.c.name == pacticipant.c.main_branch),
        )
        .where(ended_at.is_(None))
    )


_IS_OF_PACTICIPANTS: Final = pacticipant.c.name.in_(bindparam("names", expanding=True))
_IS_IN_ENVIRONMENT: Final = environment.c.uuid == bindparam("environment")
_DEPLOYED: Final = _select_cells(
    deployed_version, deployed_version.c.undeployed_at, deployed_version.c.application_instance, is_release=False
)
_RELEASED: Final = _select_cells(released_version, released_version.c.support_ended_at, null(), is_release=True)
# The databases sort NULL differently by default: SQLite first, PostgreSQL last.
_TIE_BREAKERS: Final[tuple[Any, ...]] = (desc("version"), "is_release", asc("instance").nulls_first())
_CELLS: Final = union_all(_DEPLOYED.where(_IS_OF_PACTICIPANTS), _RELEASED.where(_IS_OF_PACTICIPANTS)).order_by(
    "since", "pacticipant", "environment", *_TIE_BREAKERS
)
_CELLS_OF_ENVIRONMENT: Final = (
    union_all(_DEPLOYED.where(_IS_IN_ENVIRONMENT), _RELEASED.where(_IS_IN_ENVIRONMENT))
    .order_by("pacticipant", "since", *_TIE_BREAKERS)
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("offset", type_=Integer))
)


def list_cells(db: Connection, names: Sequence[str]) -> list[GridCell]:
    """List the versions of some pacticipants in all environments, by the time of their deployment or release."""
    return fetch_all(db, _CELLS, {"names": list(names)}, GridCell) if names else []


def list_cells_in_environment(db: Connection, environment: str, page: Page) -> Paged[GridCell]:
    """List a page of the versions in an environment (a UUID), by the name of their pacticipant."""
    params = {"environment": environment}
    cells = fetch_all(db, _CELLS_OF_ENVIRONMENT, {**params, "limit": page.limit, "offset": page.offset}, GridCell)
    return Paged(cells, page, fetch_scalar(db, _COUNT_OF_ENVIRONMENT, params))


# The history of a pacticipant in an environment


def _count_rows(recorded: Any, *conditions: Any) -> Any:
    return (
        select(func.count())
        .select_from(recorded)
        .join(environment, environment.c.id == recorded.c.environment_id)
        .join(pacticipant, pacticipant.c.id == recorded.c.pacticipant_id)
        .where(_IS_IN_ENVIRONMENT, *conditions)
        .scalar_subquery()
    )


_COUNT_OF_ENVIRONMENT: Final = select(
    _count_rows(deployed_version, deployed_version.c.undeployed_at.is_(None))
    + _count_rows(released_version, released_version.c.support_ended_at.is_(None))
)
_IS_OF_PACTICIPANT: Final = pacticipant.c.name == bindparam("pacticipant")
_PERIOD_COUNT: Final = select(
    _count_rows(deployed_version, _IS_OF_PACTICIPANT) + _count_rows(released_version, _IS_OF_PACTICIPANT)
)


def _select_periods(recorded: Any, until: Any, instance: Any, *, is_release: bool) -> Any:
    return (
        select(
            version.c.number.label("version"),
            instance.label("instance"),
            recorded.c.created_at.label("since"),
            until.label("until"),
            literal(is_release).label("is_release"),
            recorded.c.lacks_decision,
        )
        .select_from(recorded)
        .join(pacticipant, pacticipant.c.id == recorded.c.pacticipant_id)
        .join(environment, environment.c.id == recorded.c.environment_id)
        .join(version, version.c.id == recorded.c.version_id)
        .where(_IS_OF_PACTICIPANT, _IS_IN_ENVIRONMENT)
    )


_PERIODS: Final = (
    union_all(
        _select_periods(
            deployed_version,
            deployed_version.c.undeployed_at,
            deployed_version.c.application_instance,
            is_release=False,
        ),
        _select_periods(released_version, released_version.c.support_ended_at, null(), is_release=True),
    )
    .order_by(desc("since"), *_TIE_BREAKERS)
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("offset", type_=Integer))
)


def list_deployment_periods(db: Connection, pacticipant: str, environment: str, page: Page) -> Paged[DeploymentPeriod]:
    """List a page of the current and past versions of a pacticipant in an environment (a UUID), newest first."""
    params = {"pacticipant": pacticipant, "environment": environment}
    periods = fetch_all(db, _PERIODS, {**params, "limit": page.limit, "offset": page.offset}, DeploymentPeriod)
    return Paged(periods, page, fetch_scalar(db, _PERIOD_COUNT, params))
