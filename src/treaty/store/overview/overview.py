"""The overview: every integration with its state, filtered, sorted and paged by the database."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    FromClause,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    null,
    or_,
    select,
    union,
    union_all,
)

from treaty.model.decisions.matrix import VersionKey
from treaty.model.overview.attention import Attention, AttentionKind, CauseGroup, ShownGroups, group_by_cause
from treaty.model.overview.network import NetworkEdge
from treaty.model.overview.overview import (
    EnvironmentReference,
    IntegrationSummary,
    Overview,
    OverviewFilter,
    OverviewSorting,
    PactByTag,
    PactState,
)
from treaty.model.paging import Page, Paged
from treaty.model.webhooks.deliveries import DeliveryStatus
from treaty.store import newest_results
from treaty.store.decisions import matrix
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_column, fetch_rows, fetch_scalar, fetch_tuples
from treaty.store.engine.listing import escape_like
from treaty.store.overview import running_pairs
from treaty.store.pacticipants.integrations import LATEST_WITH_TAG, select_pact_of_member, select_running_pacts
from treaty.store.provider_contracts.conditions import decisive_success, has_any_contracts, is_uncompared
from treaty.store.tables import (
    Time,
    branch,
    branch_version,
    deployed_version,
    environment,
    integration,
    label,
    pacticipant,
    publication,
    released_version,
    tag_head,
    triggered_webhook,
    verification,
    version,
)
from treaty.store.verifications import select_newest_id

MAX_WORDS: Final = 5
"""Words of a search beyond this number are ignored, which bounds the length and number of statements."""

NO_GROUPS: Final[ShownGroups] = {}

_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")
_consumer_version: Final = version.alias("consumer_version")
_provider_version: Final = version.alias("provider_version")
_newer: Final = verification.alias("newer")


@dataclass(frozen=True, slots=True)
class _OverviewShape:
    """The properties that choose the text of a statement: a filter without its values, and the order.

    Building a statement takes longer than running it, so each shape's statement is built once and cached.
    """

    word_count: int
    has_label: bool
    has_environment: bool
    has_branch: bool
    sorting: OverviewSorting
    is_reversed: bool
    has_contracts: bool = False
    """Whether any provider has a contract: only then does a result need that of the other kind."""

    @property
    def needs_result(self) -> bool:
        """Whether the state of a pact depends on the row of a result, instead of an index."""
        return self.has_environment or self.has_contracts

    @property
    def shows_latest(self) -> bool:
        """Whether the latest pact represents each integration."""
        return not self.has_environment and not self.has_branch

    @property
    def may_repeat_pairs(self) -> bool:
        """Whether a pair can have several rows, because several versions of its consumer run in the environment."""
        return self.has_environment and not self.has_branch


_IS_OF_PAIR: Final = (publication.c.consumer_id == integration.c.consumer_id) & (
    publication.c.provider_id == integration.c.provider_id
)
NEWEST_RESULT: Final = select_newest_id(publication.c.content_id)
"""Id of the newest result for a publication's content."""
_WAS_VERIFIED: Final = (
    exists()
    .where(_newer.c.consumer_id == integration.c.consumer_id, _newer.c.provider_id == integration.c.provider_id)
    .correlate(integration)
)
_NOT_VERIFIED: Final = case((_WAS_VERIFIED, PactState.CHANGED.value), else_=PactState.UNKNOWN.value)


def _build_state(success: ColumnElement[Any]) -> ColumnElement[Any]:
    return case(
        (publication.c.id.is_(None), PactState.NO_PACT.value),
        (success.is_(None), _NOT_VERIFIED),
        (success, PactState.VERIFIED.value),
        (verification.c.was_pending, PactState.PENDING.value),
        else_=PactState.FAILED.value,
    )


# Without contracts of providers, an index alone determines the state. The rows of results are spread over the table,
# and after each write, the other connections to a SQLite file read again all pages that they need.
_verdict: Final = verification.alias("verdict")
_NEWEST_VERDICT: Final = (
    select(newest_results.state_of(_verdict))
    .where(_verdict.c.content_id == publication.c.content_id)
    .order_by(_verdict.c.created_at.desc(), _verdict.c.id.desc())
    .limit(1)
    .correlate(publication)
    .scalar_subquery()
)
_STATE_WITHOUT_CONTRACTS: Final = case(
    (publication.c.id.is_(None), PactState.NO_PACT.value), else_=func.coalesce(_NEWEST_VERDICT, _NOT_VERIFIED)
)
# The latest pact's newest result is denormalized into the integration, so that most states need no other table.
_STATE_OF_LATEST: Final = case(
    (integration.c.latest_publication_id.is_(None), PactState.NO_PACT.value),
    (and_(newest_results.IS_VALID, newest_results.HAS_RESULT), integration.c.newest_result_state),
    (newest_results.IS_VALID, _NOT_VERIFIED),
    else_=func.coalesce(
        newest_results.select_newest_of(
            integration.c.latest_publication_id, newest_results.state_of(newest_results.RESULT)
        ),
        _NOT_VERIFIED,
    ),
)
_RESULT_OF_LATEST: Final = case(
    (newest_results.IS_VALID, integration.c.newest_result_id),
    else_=newest_results.select_newest_of(integration.c.latest_publication_id, newest_results.RESULT.c.id),
)
_STATE: Final = _build_state(decisive_success(verification))
_RANKS: Final = {state.value: rank for rank, state in enumerate(PactState)}
"""Ranks of states, from worst to best."""

_ENVIRONMENT_ID: Final = (
    select(environment.c.id).where(environment.c.name == bindparam("environment")).scalar_subquery()
)
_VERSIONS_IN_ENVIRONMENT: Final = union_all(
    select(deployed_version.c.version_id).where(
        deployed_version.c.environment_id == _ENVIRONMENT_ID, deployed_version.c.undeployed_at.is_(None)
    ),
    select(released_version.c.version_id).where(
        released_version.c.environment_id == _ENVIRONMENT_ID, released_version.c.support_ended_at.is_(None)
    ),
)
_running: Final = _VERSIONS_IN_ENVIRONMENT.subquery("running")

# In an environment, the worst result of the provider versions there determines the state of a pact. If one of them has
# no result and the others succeeded, the pact is not verified. The newest result of any version counts only if the
# provider has no version there.
_live_result: Final = verification.alias("live_result")


def _is_live(table: Table, ended_at: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a deployment or release is of the provider, in the environment, and has not ended.

    The provider is part of the condition, so that an index leads to its few running versions.
    """
    return and_(
        table.c.environment_id == _ENVIRONMENT_ID,
        table.c.pacticipant_id == integration.c.provider_id,
        ended_at.is_(None),
    )


_LIVE_RECORDS: Final = [
    (table, _is_live(table, ended_at))
    for table, ended_at in (
        (deployed_version, deployed_version.c.undeployed_at),
        (released_version, released_version.c.support_ended_at),
    )
]
"""The tables of running versions, each with the condition for those of the provider in the environment."""
_PROVIDER_IS_LIVE: Final = or_(*(exists().where(is_live).correlate(integration) for _, is_live in _LIVE_RECORDS))
_LIVE_VERSIONS: Final = union_all(
    *(select(table.c.version_id).where(is_live).correlate(integration) for table, is_live in _LIVE_RECORDS)
)
_IS_LATEST_RESULT: Final = (_live_result.c.content_id == publication.c.content_id) & _live_result.c.is_latest
_WORST_LIVE_RESULT: Final = (
    select(_live_result.c.id)
    .where(_IS_LATEST_RESULT, _live_result.c.provider_version_id.in_(_LIVE_VERSIONS))
    .order_by(_live_result.c.success, func.coalesce(_live_result.c.was_pending, false()), _live_result.c.id.desc())
    .limit(1)
    .correlate(publication, integration)
    .scalar_subquery()
)


def _lacks_result(table: Table, *, has_contracts: bool) -> ColumnElement[bool]:
    """Whether the version of a deployment or release has no result for the publication, or lacks a comparison."""
    has_result = exists().where(_IS_LATEST_RESULT, _live_result.c.provider_version_id == table.c.version_id)
    is_unverified = ~has_result.correlate(publication, table)
    return (
        or_(is_unverified, is_uncompared(publication.c.content_id, table.c.version_id))
        if has_contracts
        else is_unverified
    )


def _build_state_in_environment(state: ColumnElement[Any], *, has_contracts: bool) -> ColumnElement[Any]:
    is_missing = or_(
        *(
            exists()
            .where(is_live, _lacks_result(table, has_contracts=has_contracts))
            .correlate(publication, integration)
            for table, is_live in _LIVE_RECORDS
        )
    )
    return case((verification.c.success & is_missing, _NOT_VERIFIED), else_=state)


_STATES_IN_ENVIRONMENT: Final = {
    True: _build_state_in_environment(_STATE, has_contracts=True),
    False: _build_state_in_environment(_build_state(verification.c.success), has_contracts=False),
}
"""The state of a pact in an environment, by whether any provider has a contract."""


def _state_column(shape: _OverviewShape) -> ColumnElement[Any]:
    if shape.has_environment:
        return _STATES_IN_ENVIRONMENT[shape.has_contracts]
    if shape.has_contracts:
        return _STATE
    return _STATE_OF_LATEST if shape.shows_latest else _STATE_WITHOUT_CONTRACTS


def _result_id(shape: _OverviewShape) -> ColumnElement[Any]:
    """Return the id of the result that determines the state of a pact."""
    if shape.has_environment:
        return case((_PROVIDER_IS_LIVE, _WORST_LIVE_RESULT), else_=NEWEST_RESULT)
    return _RESULT_OF_LATEST if shape.shows_latest else NEWEST_RESULT


_PACT_OF_MEMBER: Final = select_pact_of_member(branch_version)
# The branch is a subquery of its own, so that PostgreSQL reads its versions in order, and ends at the first pact.
_BRANCH_ID: Final = (
    select(branch.c.id)
    .where(branch.c.pacticipant_id == integration.c.consumer_id, branch.c.name == bindparam("branch"))
    .correlate(integration)
    .scalar_subquery()
)
_PACT_OF_BRANCH: Final = (
    select(_PACT_OF_MEMBER)
    .where(branch_version.c.branch_id == _BRANCH_ID, _PACT_OF_MEMBER.is_not(None))
    .order_by(branch_version.c.position.desc())
    .limit(1)
    .correlate(integration)
    .scalar_subquery()
)
"""The pact of the newest version on a branch that has one: the head of the branch may have none."""


def _join_pacts(shape: _OverviewShape) -> FromClause:
    """Join each integration with the pact that represents it, or with all its pacts in an environment.

    In an environment the join begins with the versions there, which are few compared with all integrations.
    """
    if shape.may_repeat_pairs:
        is_running = publication.c.consumer_version_id == _running.c.version_id
        return _running.join(publication, is_running).join(integration, _IS_OF_PAIR)
    pact = _PACT_OF_BRANCH if shape.has_branch else integration.c.latest_publication_id
    return integration.outerjoin(publication, publication.c.id == pact)


def _join_names(source: FromClause) -> FromClause:
    # Inner joins, so that a page can be read in the order of the index of names.
    return source.join(_consumer, _consumer.c.id == integration.c.consumer_id).join(
        _provider, _provider.c.id == integration.c.provider_id
    )


def _join_details(source: FromClause, result: ColumnElement[Any]) -> FromClause:
    """Join versions and the given result. Outer joins on primary keys add no rows and drop none."""
    return (
        source.outerjoin(_consumer_version, _consumer_version.c.id == publication.c.consumer_version_id)
        .outerjoin(verification, verification.c.id == result)
        .outerjoin(_provider_version, _provider_version.c.id == verification.c.provider_version_id)
    )


_SUMMARY_COLUMNS: Final = (
    integration.c.consumer_id,
    integration.c.provider_id,
    _consumer.c.name.label("consumer"),
    _provider.c.name.label("provider"),
    _consumer_version.c.id.label("version_id"),
    _consumer_version.c.number.label("version"),
    publication.c.created_at.label("published_at"),
    _provider_version.c.number.label("provider_version"),
    verification.c.created_at.label("verified_at"),
    verification.c.comparison_id.is_not(None).label("is_comparison"),
)


@lru_cache(maxsize=256)
def _select_integrations(
    shape: _OverviewShape, *columns: ColumnElement[Any], has_names: bool = True, has_details: bool = True
) -> Select[*tuple[Any, ...]]:
    """Select columns of all integrations that match the filter."""
    source = _join_pacts(shape)
    if has_names:
        source = _join_names(source)
    if has_details:
        source = _join_details(source, _result_id(shape))
    return select(*columns).select_from(source).where(*_build_conditions(shape))


class _State(NamedTuple):
    """The state of an integration, and the rows from which it follows."""

    id: int
    consumer_id: int
    provider_id: int
    publication_id: int | None
    position: int | None
    verification_id: int | None
    state: str


@lru_cache(maxsize=256)
def _select_states(shape: _OverviewShape) -> Select[*tuple[Any, ...]]:
    """Select the columns of `_State` of all matching integrations.

    Counting needs the state of every integration, so these rows are narrow; details are loaded for one page only. They
    are in order if a pair can have several rows: then a page is cut out of these rows.
    """
    states = _select_integrations(
        shape,
        integration.c.id,
        integration.c.consumer_id,
        integration.c.provider_id,
        (integration.c.latest_publication_id if shape.shows_latest else publication.c.id).label("publication_id"),
        (null() if shape.shows_latest else publication.c.position).label("position"),
        (verification.c.id if shape.needs_result else _result_id(shape)).label("verification_id"),
        _state_column(shape).label("state"),
        has_names=bool(shape.word_count) or shape.may_repeat_pairs,
        has_details=shape.needs_result,
    )
    return states.order_by(*_build_order(shape)) if shape.may_repeat_pairs else states


@lru_cache(maxsize=256)
def _count_states(
    shape: _OverviewShape, *, has_warnings: bool
) -> Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]:
    """Count the matching integrations by state; with `has_warnings`, also select the failed and the overdue ones.

    The rows of counts have no other columns of `_State` than the state, and the rows of integrations have no count.
    """
    states = _select_states(shape).cte("states").prefix_with("MATERIALIZED")
    nulls = [null().label(name) for name in _State._fields if name != "state"]
    counts = select(func.count().label("count"), *nulls, states.c.state).group_by(states.c.state)
    if not has_warnings:
        return counts
    published_at = select(publication.c.created_at).where(publication.c.id == states.c.publication_id).scalar_subquery()
    is_overdue = and_(states.c.state == PactState.CHANGED.value, published_at <= bindparam("overdue_since", type_=Time))
    warnings = select(null(), *(states.c[name] for name in _State._fields)).where(
        or_(states.c.state == PactState.FAILED.value, is_overdue)
    )
    return union_all(counts, warnings)


@lru_cache(maxsize=256)
def _select_page(shape: _OverviewShape, *, has_state: bool) -> Select[*tuple[Any, ...]]:
    """Select the ids of a page of matching integrations, and those of their pacts, in order.

    With `has_state`, they have the state of a parameter.
    """
    reads_state = has_state or shape.sorting is OverviewSorting.STATE
    page = _select_integrations(
        shape,
        integration.c.id,
        (integration.c.latest_publication_id if shape.shows_latest else publication.c.id).label("publication_id"),
        has_details=shape.sorting is OverviewSorting.VERIFIED or (reads_state and shape.needs_result),
    )
    if has_state:
        page = page.where(_state_column(shape) == bindparam("state"))
    return (
        page.order_by(*_build_order(shape))
        .limit(bindparam("limit", type_=Integer))
        .offset(bindparam("offset", type_=Integer))
    )


def _build_conditions(shape: _OverviewShape) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if shape.word_count:
        names = (_consumer.c.name, _consumer.c.display_name, _provider.c.name, _provider.c.display_name)
        words: list[BindParameter[str]] = [bindparam(f"word{index}") for index in range(shape.word_count)]
        conditions.append(or_(*(name.icontains(word, escape="!") for name in names for word in words)))
    if shape.has_label:
        owners = (integration.c.consumer_id, integration.c.provider_id)
        conditions.append(
            exists()
            .where(label.c.name == bindparam("label"), label.c.pacticipant_id.in_(owners))
            .correlate(integration)
        )
    if shape.has_environment or shape.has_branch:
        conditions.append(publication.c.id.is_not(None))
    if shape.may_repeat_pairs:
        conditions.append(publication.c.is_current)
    if shape.has_environment and shape.has_branch:
        conditions.append(publication.c.consumer_version_id.in_(_VERSIONS_IN_ENVIRONMENT))
    return conditions


def _build_order(shape: _OverviewShape) -> list[ColumnElement[Any]]:
    # Names and the id follow in any case, so that the order is total and pages neither repeat nor skip rows.
    tie_breakers = [func.lower(_consumer.c.name), func.lower(_provider.c.name), integration.c.id]
    if shape.sorting in {OverviewSorting.CONSUMER, OverviewSorting.PROVIDER}:
        column = tie_breakers.pop(0 if shape.sorting is OverviewSorting.CONSUMER else 1)
        return [column.desc() if shape.is_reversed else column, *tie_breakers]
    newest_first: dict[OverviewSorting, ColumnElement[Any]] = {
        OverviewSorting.PUBLISHED: publication.c.created_at,
        OverviewSorting.VERIFIED: verification.c.created_at,
    }
    column = newest_first.get(shape.sorting, case(_RANKS, value=_state_column(shape)))
    is_descending = (shape.sorting in newest_first) != shape.is_reversed
    # The databases sort NULL differently by default: SQLite first, PostgreSQL last.
    return [(column.desc() if is_descending else column.asc()).nulls_last(), *tie_breakers]


def _build_shape(
    overview_filter: OverviewFilter, sorting: OverviewSorting, *, is_reversed: bool, has_contracts: bool = False
) -> _OverviewShape:
    return _OverviewShape(
        word_count=len(overview_filter.words[:MAX_WORDS]),
        has_label=overview_filter.label is not None,
        has_environment=overview_filter.environment is not None,
        has_branch=overview_filter.branch is not None,
        sorting=sorting,
        is_reversed=is_reversed,
        has_contracts=has_contracts,
    )


def _build_params(overview_filter: OverviewFilter) -> dict[str, Any]:
    words = {f"word{index}": escape_like(word) for index, word in enumerate(overview_filter.words[:MAX_WORDS])}
    return {
        **words,
        "label": overview_filter.label,
        "environment": overview_filter.environment,
        "branch": overview_filter.branch,
    }


def load_overview(  # noqa: PLR0913 - one pass over all integrations yields the counts and the warnings
    db: Connection,
    overview_filter: OverviewFilter,
    page: Page,
    sorting: OverviewSorting = OverviewSorting.CONSUMER,
    *,
    is_reversed: bool = False,
    groups: ShownGroups = NO_GROUPS,
    overdue_since: datetime,
) -> Overview:
    """Count the matching integrations by state, load a page of them, and pick out some that need attention.

    A changed pact is overdue if it was published no later than `overdue_since`. In an environment, nothing is picked
    out: there, the running versions need attention.
    """
    # Counts cover all states, so that a page that shows one state can link to the others.
    of_any_state = replace(overview_filter, state=None)
    shape = _build_shape(of_any_state, sorting, is_reversed=is_reversed, has_contracts=has_any_contracts(db))
    state = overview_filter.state
    if shape.has_environment:
        states = _load_states(db, shape, of_any_state)
        counts = {PactState(name): count for name, count in Counter(row.state for row in states).items()}
        rows = _cut_page(db, shape, states, overview_filter, page)
        warnings: _Warnings = ((), ())
    else:
        counts, warnings = _load_counts(db, shape, of_any_state, overdue_since if groups else None)
        rows = _load_rows_of_page(db, shape, overview_filter, page)
    total = counts.get(state, 0) if state else sum(counts.values())
    failed, overdue = _describe_warnings(db, warnings, groups)
    return Overview(
        counts=counts,
        integrations=Paged(_load_page(db, rows, overview_filter.environment), page, total),
        failed=failed,
        overdue=overdue,
    )


def load_warnings(
    db: Connection, groups: ShownGroups, *, overdue_since: datetime
) -> tuple[Attention[IntegrationSummary], Attention[IntegrationSummary]]:
    """Load some groups of the failed and of the overdue integrations, and count all of them."""
    _, warnings = _load_counts(db, _build_shape_of_all(db), OverviewFilter(), overdue_since)
    return _describe_warnings(db, warnings, groups)


_Warnings = tuple[Sequence[_State], Sequence[_State]]
"""The failed integrations, the most recent first, and the overdue ones, the oldest first."""


def _load_counts(
    db: Connection, shape: _OverviewShape, overview_filter: OverviewFilter, overdue_since: datetime | None
) -> tuple[dict[PactState, int], _Warnings]:
    """Count the matching integrations by state, and list those that need attention if `overdue_since` is a time.

    Ids grow with time, so they serve as the order.
    """
    params = {**_build_params(overview_filter), "overdue_since": overdue_since}
    counts: dict[PactState, int] = {}
    failed: list[_State] = []
    overdue: list[_State] = []
    is_failed = PactState.FAILED.value  # reading a member's value takes long
    for count, *values in fetch_rows(db, _count_states(shape, has_warnings=overdue_since is not None), params):
        row = _State(*values)
        if count is not None:
            counts[PactState(row.state)] = count
        elif row.state == is_failed:
            failed.append(row)
        else:
            overdue.append(row)
    failed.sort(key=lambda row: -(row.verification_id or 0))  # a failed comparison has no result of a verifier
    overdue.sort(key=lambda row: row.publication_id or 0)
    return counts, (failed, overdue)


def _load_page(db: Connection, rows: Sequence[Any], environment_name: str | None) -> list[IntegrationSummary]:
    summaries = _load_summaries(db, rows, environment_name, has_environments=True)
    return [summaries[row.id] for row in rows]


def _load_rows_of_page(
    db: Connection, shape: _OverviewShape, overview_filter: OverviewFilter, page: Page
) -> Sequence[Any]:
    params: dict[str, Any] = {**_build_params(overview_filter), "limit": page.limit, "offset": page.offset}
    state = overview_filter.state
    if state is None:
        return fetch_rows(db, _select_page(shape, has_state=False), params)
    return fetch_rows(db, _select_page(shape, has_state=True), {**params, "state": state.value})


def _cut_page(
    db: Connection, shape: _OverviewShape, states: Sequence[_State], overview_filter: OverviewFilter, page: Page
) -> Sequence[_State]:
    """Cut a page out of the states of all matching integrations, which take longer to compute than to put in order."""
    state = overview_filter.state
    matching = {row.id: row for row in states if state is None or row.state == state.value}
    rows = list(matching.values())
    if not shape.may_repeat_pairs:
        is_by_state = shape.sorting is OverviewSorting.STATE
        by_name = replace(shape, sorting=OverviewSorting.CONSUMER, is_reversed=False) if is_by_state else shape
        params = {**_build_params(overview_filter), "limit": len(states), "offset": 0}
        ids = fetch_column(db, _select_page(by_name, has_state=False), params)
        rows = [matching[id_] for id_ in ids if id_ in matching]
        if is_by_state:
            rows.sort(key=lambda row: _RANKS[row.state], reverse=shape.is_reversed)
    return rows[page.offset : page.offset + page.limit]


def _load_states(db: Connection, shape: _OverviewShape, overview_filter: OverviewFilter) -> Sequence[_State]:
    """Load the state of each matching integration, once for each pair."""
    states = fetch_tuples(db, _select_states(shape), _build_params(overview_filter), _State)
    return _keep_worst_of_pairs(states) if shape.may_repeat_pairs else states


def _build_shape_of_all(db: Connection) -> _OverviewShape:
    has_contracts = has_any_contracts(db)
    return _build_shape(OverviewFilter(), OverviewSorting.CONSUMER, is_reversed=False, has_contracts=has_contracts)


def load_states(db: Connection) -> list[tuple[int, tuple[int, int], PactState]]:
    """Load the id, the pair (ids of consumer and provider) and the state of each integration."""
    states = {state.value: state for state in PactState}  # quicker than the constructor
    rows = _load_states(db, _build_shape_of_all(db), OverviewFilter())
    return [(row.id, (row.consumer_id, row.provider_id), states[row.state]) for row in rows]


def _keep_worst_of_pairs(rows: Sequence[Any]) -> Sequence[Any]:
    """Keep one row of each pair: the one with the worst state, and among equals that of the newest version.

    Several versions of a consumer may run in one environment, and the state shown must hold for all of them.
    """
    worst: dict[int, Any] = {}
    for row in rows:
        if row.id not in worst or _compute_severity(worst[row.id]) < _compute_severity(row):
            worst[row.id] = row
    return rows if len(worst) == len(rows) else [row for row in rows if worst[row.id] is row]


def _compute_severity(row: Any) -> tuple[int, int]:
    return (-_RANKS[row.state], row.position)


def _describe_warnings(
    db: Connection, warnings: _Warnings, groups: ShownGroups
) -> tuple[Attention[IntegrationSummary], Attention[IntegrationSummary]]:
    failed, overdue = (
        _group(rows, groups.get(kind))
        for rows, kind in zip(warnings, (AttentionKind.FAILED, AttentionKind.OVERDUE), strict=True)
    )
    shown = {row.id: row for attention in (failed, overdue) for group in attention.groups for row in group.items}
    summaries = _load_summaries(db, shown.values(), None)
    return _describe_groups(failed, summaries), _describe_groups(overdue, summaries)


def _group(rows: Sequence[_State], shown: slice | None) -> Attention[_State]:
    if shown is None:
        return Attention(total=len(rows))
    groups = group_by_cause(rows, provider=attrgetter("provider_id"), consumer=attrgetter("consumer_id"))
    return Attention(groups[shown], len(rows), group_count=len(groups))


def _describe_groups(
    attention: Attention[_State], summaries: Mapping[int, IntegrationSummary]
) -> Attention[IntegrationSummary]:
    groups = [
        CauseGroup(group.is_of_provider, [summaries[row.id] for row in group.items]) for group in attention.groups
    ]
    return Attention(groups, attention.total, group_count=attention.group_count)


def _load_summaries(
    db: Connection, rows: Collection[Any], environment_name: str | None, *, has_environments: bool = False
) -> Mapping[int, IntegrationSummary]:
    """Load the details of the selected integrations, by their ids; some lists show no environments and webhooks."""
    if not rows:
        return {}
    publication_ids = [row.publication_id for row in rows if row.publication_id is not None]
    ids_without_pact = [row.id for row in rows if row.publication_id is None]
    if environment_name is None:
        of_publications = fetch_in_batches(db, _BY_PUBLICATION, publication_ids)
    else:
        environment_params = {"environment": environment_name}
        of_publications = fetch_in_batches(db, _BY_PUBLICATION_IN_ENVIRONMENT, publication_ids, environment_params)
    details = [*of_publications, *fetch_in_batches(db, _BY_ID, ids_without_pact)]
    pairs = {(row.consumer_id, row.provider_id) for row in details} if has_environments else set()
    environments = running_pairs.load_environments(db, pairs)
    statuses = _load_delivery_statuses(db, {row.consumer_id for row in details}) if has_environments else {}
    summaries = _build_summaries(details, environments, statuses)
    return {row.id: summary for row, summary in zip(details, summaries, strict=True)}


@lru_cache(maxsize=256)
def _select_edges(shape: _OverviewShape) -> Select[*tuple[Any, ...]]:
    names = (_consumer.c.name.label("consumer"), _provider.c.name.label("provider"))
    position = [publication.c.position] if shape.may_repeat_pairs else []
    columns = (integration.c.id, *names, *position, _state_column(shape).label("state"))
    return _select_integrations(shape, *columns, has_details=shape.needs_result).order_by(*_build_order(shape))


def list_network_edges(db: Connection, overview_filter: OverviewFilter) -> list[NetworkEdge]:
    """List all integrations of any state that match a filter, by the names of their consumers and providers."""
    has_contracts = has_any_contracts(db)
    shape = _build_shape(overview_filter, OverviewSorting.CONSUMER, is_reversed=False, has_contracts=has_contracts)
    rows = fetch_rows(db, _select_edges(shape), _build_params(overview_filter))
    if shape.may_repeat_pairs:
        rows = _keep_worst_of_pairs(rows)
    return [NetworkEdge(consumer=row.consumer, provider=row.provider, state=PactState(row.state)) for row in rows]


_INTEGRATION_COUNT: Final = select(func.count()).select_from(integration)


def count_integrations(db: Connection) -> int:
    """Count all integrations."""
    return int(fetch_scalar(db, _INTEGRATION_COUNT, {}))


def _build_unfiltered_shape(sorting: OverviewSorting) -> _OverviewShape:
    # These statements load few rows, for which looking for results of the other kind costs little.
    return _build_shape(OverviewFilter(), sorting, is_reversed=False, has_contracts=True)


_IDS: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
_SUMMARY_WITH_STATE: Final = (*_SUMMARY_COLUMNS, _STATE.label("state"))
_BY_ID: Final = _select_integrations(
    _build_unfiltered_shape(OverviewSorting.CONSUMER), integration.c.id, *_SUMMARY_WITH_STATE
).where(integration.c.id.in_(_IDS))


def _select_by_publication(shape: _OverviewShape) -> Select[*tuple[Any, ...]]:
    result = _result_id(shape) if shape.has_environment else NEWEST_RESULT  # any pact, not only the latest of its pair
    source = _join_details(_join_names(publication.join(integration, _IS_OF_PAIR)), result)
    columns = (integration.c.id, *_SUMMARY_COLUMNS, _state_column(shape).label("state"))
    return select(*columns).select_from(source).where(publication.c.id.in_(_IDS))


_BY_PUBLICATION: Final = _select_by_publication(_build_unfiltered_shape(OverviewSorting.CONSUMER))
_BY_PUBLICATION_IN_ENVIRONMENT: Final = _select_by_publication(
    replace(_build_unfiltered_shape(OverviewSorting.CONSUMER), has_environment=True)
)
_BY_TAGGED_PUBLICATION: Final = _BY_PUBLICATION.add_columns(
    publication.c.id.label("publication_id"),
    integration.c.latest_publication_id,
    verification.c.provider_version_id,
)
_BY_ROLE: Final = {
    role: _select_integrations(_build_unfiltered_shape(sorting), *_SUMMARY_WITH_STATE)
    .where(side.c.name == bindparam("pacticipant"))
    .order_by(*_build_order(_build_unfiltered_shape(sorting)))
    for role, sorting, side in (
        ("consumer", OverviewSorting.PROVIDER, _consumer),
        ("provider", OverviewSorting.CONSUMER, _provider),
    )
}


def list_of_pacticipant(db: Connection, name: str, *, role: str) -> list[IntegrationSummary]:
    """List the integrations of a pacticipant in the role `consumer` or `provider`, by the name of the other side."""
    return _build_summaries(fetch_rows(db, _BY_ROLE[role], {"pacticipant": name}))


# By tag


def _choose_pacts(*, has_tags: bool, of_consumers: bool) -> CompoundSelect[*tuple[Any, ...]]:
    """Select the pacts of the list by tag; with `has_tags` only of the given tags."""
    pair = (integration.c.consumer_id, integration.c.provider_id)
    latest = select(integration.c.latest_publication_id.label("id"), *pair)
    tagged = select(LATEST_WITH_TAG.label("id"), *pair).join_from(
        integration, tag_head, tag_head.c.pacticipant_id == integration.c.consumer_id
    )
    if has_tags:
        tagged = tagged.where(tag_head.c.name.in_(bindparam("tags", expanding=True)))
    running = [
        select_running_pacts(table, ended_at).add_columns(
            table.c.pacticipant_id.label("consumer_id"), publication.c.provider_id
        )
        for table, ended_at in (
            (deployed_version, deployed_version.c.undeployed_at),
            (released_version, released_version.c.support_ended_at),
        )
    ]
    parts = [(latest, integration.c.consumer_id), (tagged, integration.c.consumer_id)]
    parts += zip(running, (deployed_version.c.pacticipant_id, released_version.c.pacticipant_id), strict=True)
    return union(*(part.where(consumer.in_(_IDS)) if of_consumers else part for part, consumer in parts))


@lru_cache(maxsize=64)
def _count_by_tag(shape: _OverviewShape, *, has_tags: bool) -> Select[*tuple[Any, ...]]:
    """Count the pacts of the list by tag for each consumer, by its id."""
    chosen = _choose_pacts(has_tags=has_tags, of_consumers=False).subquery("chosen")
    counts = select(chosen.c.consumer_id, func.count()).where(chosen.c.id.is_not(None)).group_by(chosen.c.consumer_id)
    conditions = _build_conditions(shape)
    if not conditions:
        return counts
    is_of_pair = (chosen.c.consumer_id == integration.c.consumer_id) & (
        chosen.c.provider_id == integration.c.provider_id
    )
    return counts.select_from(_join_names(chosen.join(integration, is_of_pair))).where(*conditions)


@lru_cache(maxsize=64)
def _select_by_tag(shape: _OverviewShape, *, has_tags: bool) -> Select[*tuple[Any, ...]]:
    """Select the ids of a page of the list by tag, in order, from the pacts of some consumers."""
    chosen = _choose_pacts(has_tags=has_tags, of_consumers=True).subquery("chosen")
    source = publication.join(chosen, chosen.c.id == publication.c.id).join(integration, _IS_OF_PAIR)
    return (
        select(publication.c.id)
        .select_from(_join_names(source))
        .where(*_build_conditions(shape))
        .order_by(
            func.lower(_consumer.c.name),
            publication.c.position.desc(),
            func.lower(_provider.c.name),
            publication.c.id,
        )
        .limit(bindparam("limit", type_=Integer))
        .offset(bindparam("offset", type_=Integer))
    )


_IDS_BY_NAME: Final = select(pacticipant.c.id, func.lower(pacticipant.c.name)).order_by(func.lower(pacticipant.c.name))


def list_by_tag(db: Connection, overview_filter: OverviewFilter, tags: Sequence[str], page: Page) -> Paged[PactByTag]:
    """List a page of pacts: the latest of each pair, the latest with each tag, and those of running versions.

    The filter's words and label apply; `tags` restricts the tags, unless it is empty.
    """
    names_only = OverviewFilter(words=overview_filter.words, label=overview_filter.label)
    shape = _build_shape(names_only, OverviewSorting.CONSUMER, is_reversed=False)
    params = {**_build_params(overview_filter), **({"tags": list(tags)} if tags else {})}
    counts = dict(tuple(row) for row in fetch_rows(db, _count_by_tag(shape, has_tags=bool(tags)), params))
    consumers, skipped = _find_consumers_of_page(db, counts, page)
    params |= {"ids": consumers, "limit": page.limit, "offset": page.offset - skipped}
    ids_of_page = fetch_column(db, _select_by_tag(shape, has_tags=bool(tags)), params) if consumers else []
    rows = {row.publication_id: row for row in fetch_in_batches(db, _BY_TAGGED_PUBLICATION, ids_of_page)}
    return Paged(_build_pacts_by_tag(db, [rows[id_] for id_ in ids_of_page]), page, sum(counts.values()))


def _find_consumers_of_page(db: Connection, counts: Mapping[int, int], page: Page) -> tuple[list[int], int]:
    """Return the consumers with items on a page of a list that is sorted by their names, and the items before theirs.

    Names that differ only in case have the same position in the list, so they are included together.
    """
    ids = [(id_, name) for id_, name in fetch_rows(db, _IDS_BY_NAME, {}) if id_ in counts]
    consumers: list[int] = []
    skipped = end = 0
    for _, group in groupby(ids, key=itemgetter(1)):
        same_name = [id_ for id_, _ in group]
        start, end = end, end + sum(counts[id_] for id_ in same_name)
        if end <= page.offset:
            skipped = end
        elif start < page.offset + page.limit:
            consumers += same_name
    return consumers, skipped


def _build_pacts_by_tag(db: Connection, rows: Sequence[Any]) -> list[PactByTag]:
    keys: dict[int, VersionKey] = {row.version_id: (row.consumer, row.version) for row in rows}
    keys |= {row.provider_version_id: (row.provider, row.provider_version) for row in rows if row.provider_version}
    summaries = matrix.load_versions(db, keys, keys.values())
    statuses = _load_delivery_statuses(db, {row.consumer_id for row in rows})
    return [
        PactByTag(
            integration=integration_summary,
            is_latest=row.latest_publication_id == row.publication_id,
            version_summary=summaries[row.consumer, row.version],
            provider_version_summary=summaries[row.provider, row.provider_version] if row.provider_version else None,
        )
        for row, integration_summary in zip(rows, _build_summaries(rows, statuses=statuses), strict=True)
    ]


# Deliveries of summaries

# A webhook that was deleted cannot be repaired, so its last failure is no problem that anyone could solve.
_LATEST_DELIVERIES: Final = (
    select(func.max(triggered_webhook.c.id))
    .where(
        triggered_webhook.c.consumer_id.in_(bindparam("ids", expanding=True)),
        triggered_webhook.c.webhook_id.is_not(None),
    )
    .group_by(
        triggered_webhook.c.consumer_id,
        triggered_webhook.c.provider_id,
        triggered_webhook.c.webhook_id,
        triggered_webhook.c.event,
    )
)
_LATEST_STATUSES: Final = select(
    triggered_webhook.c.consumer_id, triggered_webhook.c.provider_id, triggered_webhook.c.status
).where(triggered_webhook.c.id.in_(_LATEST_DELIVERIES))
_FROM_BEST_TO_WORST: Final = (
    DeliveryStatus.SUCCESS,
    DeliveryStatus.NOT_RUN,
    DeliveryStatus.RETRYING,
    DeliveryStatus.FAILURE,
)


_NO_ENVIRONMENTS: Final[Mapping[tuple[int, int], Sequence[EnvironmentReference]]] = {}
_NO_STATUSES: Final[Mapping[tuple[int, int], DeliveryStatus]] = {}


def _build_summaries(
    rows: Sequence[Any],
    environments: Mapping[tuple[int, int], Sequence[EnvironmentReference]] = _NO_ENVIRONMENTS,
    statuses: Mapping[tuple[int, int], DeliveryStatus] = _NO_STATUSES,
) -> list[IntegrationSummary]:
    return [
        IntegrationSummary(
            consumer=row.consumer,
            provider=row.provider,
            version=row.version,
            published_at=row.published_at,
            state=PactState(row.state),
            provider_version=row.provider_version,
            verified_at=row.verified_at,
            is_comparison=bool(row.is_comparison),
            environments=environments.get((row.consumer_id, row.provider_id), ()),
            webhooks=statuses.get((row.consumer_id, row.provider_id)),
        )
        for row in rows
    ]


def _load_delivery_statuses(db: Connection, consumer_ids: Collection[int]) -> Mapping[tuple[int, int], DeliveryStatus]:
    """Load the worst status of the latest deliveries, by the ids of consumer and provider."""
    statuses: dict[tuple[int, int], DeliveryStatus] = {}
    for row in fetch_in_batches(db, _LATEST_STATUSES, consumer_ids):
        pair, status = (row.consumer_id, row.provider_id), DeliveryStatus(row.status)
        statuses[pair] = max(statuses.get(pair, DeliveryStatus.SUCCESS), status, key=_FROM_BEST_TO_WORST.index)
    return statuses


# Search

_NAME_CONTAINS: Final = or_(
    *(name.icontains(bindparam("part"), escape="!") for name in (pacticipant.c.name, pacticipant.c.display_name))
)
_NAMES: Final = (
    select(pacticipant.c.name)
    .where(_NAME_CONTAINS)
    .order_by(func.lower(pacticipant.c.name), pacticipant.c.id)
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("offset", type_=Integer))
)
_NAME_COUNT: Final = select(func.count()).select_from(pacticipant).where(_NAME_CONTAINS)


def list_names_like(db: Connection, part: str, page: Page) -> Paged[str]:
    """List a page of the pacticipants whose name or display name contains a text."""
    params = {"part": escape_like(part)}
    names = fetch_column(db, _NAMES, {**params, "limit": page.limit, "offset": page.offset})
    return Paged(names, page, fetch_scalar(db, _NAME_COUNT, params))
