"""The overview: every integration with its state, filtered, sorted and paged by the database."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
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
    func,
    null,
    or_,
    select,
    tuple_,
    type_coerce,
    union,
    union_all,
)
from sqlalchemy.types import NullType

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
    PairProblems,
)
from treaty.model.paging import Page, Paged
from treaty.model.webhooks.deliveries import DeliveryStatus
from treaty.store import newest_results
from treaty.store.decisions import matrix
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_column, fetch_rows, fetch_scalar, fetch_tuples
from treaty.store.engine.listing import escape_like
from treaty.store.overview import running_pairs
from treaty.store.overview.unverified_pairs import describe_unverified, list_unverified
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
    def shows_latest(self) -> bool:
        """Whether the latest pact represents each integration."""
        return not self.has_environment and not self.has_branch


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


# Without contracts of providers, an index alone determines the state. The rows of results are spread over the table,
# and after each write, the other connections to a SQLite file read again all pages that they need.
_verdict: Final = verification.alias("verdict")


def _select_of_newest(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Build a subquery for a column, of `_verdict`, of the newest result for the content of a publication."""
    return (
        select(column)
        .where(_verdict.c.content_id == publication.c.content_id)
        .order_by(_verdict.c.created_at.desc(), _verdict.c.id.desc())
        .limit(1)
        .correlate(publication)
        .scalar_subquery()
    )


_DECISIVE_SUCCESS: Final = decisive_success(_verdict)
_NEWEST_VERDICTS: Final = {
    False: _select_of_newest(newest_results.state_of(_verdict)),
    True: _select_of_newest(
        case((_DECISIVE_SUCCESS.is_(None), null()), else_=newest_results.state_of(_verdict, _DECISIVE_SUCCESS))
    ),
}
"""The state of a pact from its newest result, NULL without any, by whether any provider has a contract."""
_NEWEST_RESULT_AT: Final = _select_of_newest(_verdict.c.created_at)
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
_LATEST_SUCCESS: Final = decisive_success(verification)
_STATE: Final = case(
    (publication.c.id.is_(None), PactState.NO_PACT.value),
    (_LATEST_SUCCESS.is_(None), _NOT_VERIFIED),
    else_=newest_results.state_of(verification, _LATEST_SUCCESS),
)
# With contracts, the state of a pact with a provider that has any depends on the row of a result. Only these pacts are
# joined with it.
_checked: Final = verification.alias("checked")
_documented: Final = version.alias("documented")
_HAS_CONTRACT: Final = (
    exists()
    .where(_documented.c.pacticipant_id == integration.c.provider_id, _documented.c.documents_sha.is_not(None))
    .correlate(integration)
)
_IS_CHECKED: Final = _checked.c.id == case((_HAS_CONTRACT, _RESULT_OF_LATEST))
_CHECKED_SUCCESS: Final = decisive_success(_checked)
_STATE_WITH_CONTRACTS: Final = case(
    (_checked.c.id.is_(None), _STATE_OF_LATEST),
    (_CHECKED_SUCCESS.is_(None), _NOT_VERIFIED),
    else_=newest_results.state_of(_checked, _CHECKED_SUCCESS),
)
_RANKS: Final = {state.value: rank for rank, state in enumerate(PactState)}
"""Ranks of states, from worst to best."""

# Lists of an environment or a branch


def _select_live(table: Table, ended_at: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    in_environment = table.c.environment_id == _ENVIRONMENT_ID
    return select(table.c.pacticipant_id, table.c.version_id).where(in_environment, ended_at.is_(None))


_ENVIRONMENT_ID: Final = (
    select(environment.c.id).where(environment.c.name == bindparam("environment")).scalar_subquery()
)
# A version that is both deployed and released to the environment runs there once, hence the union.
_live: Final = (
    union(
        _select_live(deployed_version, deployed_version.c.undeployed_at),
        _select_live(released_version, released_version.c.support_ended_at),
    )
    .cte("live")
    .prefix_with("MATERIALIZED")
)
"""The versions in the environment."""
_live_provider: Final = _live.alias("live_provider")

# The pact of the newest version on the branch, which most pairs have: then one look-up of an index finds it.
_newest_on_branch: Final = (
    select(
        branch.c.pacticipant_id,
        select(branch_version.c.version_id)
        .where(branch_version.c.branch_id == branch.c.id)
        .order_by(branch_version.c.position.desc())
        .limit(1)
        .correlate(branch)
        .scalar_subquery()
        .label("version_id"),
    )
    .where(branch.c.name == bindparam("branch"))
    .cte("newest_on_branch")
    .prefix_with("MATERIALIZED")
)
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


def _join_chosen_pacts(shape: _OverviewShape, *, is_older: bool) -> FromClause:
    """Join integrations with their pacts on the branch, or with all that run in the environment.

    On a branch, these are the pacts of its newest version: integrations without one have no publication in this join.
    With `is_older`, those of older versions are chosen as well, which takes longer.
    """
    if is_older:
        return integration.join(publication, publication.c.id == _PACT_OF_BRANCH)
    if shape.has_branch:
        is_of_newest = (
            (publication.c.consumer_version_id == _newest_on_branch.c.version_id)
            & (publication.c.provider_id == integration.c.provider_id)
            & publication.c.is_current
        )
        is_of_consumer = integration.c.consumer_id == _newest_on_branch.c.pacticipant_id
        return _newest_on_branch.join(integration, is_of_consumer).outerjoin(publication, is_of_newest)
    # The join begins with the versions in the environment, which are few compared with all integrations.
    is_running = (publication.c.consumer_version_id == _live.c.version_id) & publication.c.is_current
    # Not the consumer of the publication, which the index does not have.
    is_of_pair = (integration.c.consumer_id == _live.c.pacticipant_id) & (
        integration.c.provider_id == publication.c.provider_id
    )
    return _live.join(publication, is_running).join(integration, is_of_pair)


def _join_live_results(source: FromClause) -> FromClause:
    """Join the pacts with the provider's versions in the environment, and with the results of each of them."""
    is_between = (
        (verification.c.content_id == publication.c.content_id)
        & (verification.c.provider_version_id == _live_provider.c.version_id)
        & verification.c.is_latest
    )
    return source.outerjoin(_live_provider, _live_provider.c.pacticipant_id == integration.c.provider_id).outerjoin(
        verification, is_between
    )


def _build_chosen_state(shape: _OverviewShape) -> ColumnElement[Any]:
    """Build the state of a pact in a list of an environment or a branch; NULL for integrations without a pact.

    In an environment, the row is of one of the provider versions there, or has none of them. Only then, the newest
    result of any version counts.
    """
    of_newest_result = func.coalesce(_NEWEST_VERDICTS[shape.has_contracts], _NOT_VERIFIED)
    has_no_pact = publication.c.id.is_(None)
    if not shape.has_environment:
        return case((has_no_pact, null()), else_=of_newest_result)
    is_missing: ColumnElement[bool] = verification.c.id.is_(None)
    if shape.has_contracts:
        lacks_comparison = is_uncompared(publication.c.content_id, _live_provider.c.version_id)
        is_missing = or_(is_missing, and_(verification.c.success, lacks_comparison))
    return case(
        (has_no_pact, null()),
        (_live_provider.c.version_id.is_(None), of_newest_result),
        (is_missing, _NOT_VERIFIED),
        else_=newest_results.state_of(verification),
    )


_RESULT_IN_ENVIRONMENT: Final = case((_live_provider.c.version_id.is_(None), NEWEST_RESULT), else_=verification.c.id)


def _build_sorted_time(shape: _OverviewShape) -> ColumnElement[Any]:
    """Build the time by which the list is sorted, if it is sorted by a time; otherwise NULL.

    It is as the driver returns it, which is enough to sort by it: converting thousands of times takes milliseconds.
    """
    if shape.sorting is OverviewSorting.PUBLISHED:
        return type_coerce(publication.c.created_at, NullType())
    if shape.sorting is not OverviewSorting.VERIFIED:
        return null()
    if not shape.has_environment:
        return type_coerce(_NEWEST_RESULT_AT, NullType())
    time = case((_live_provider.c.version_id.is_(None), _NEWEST_RESULT_AT), else_=verification.c.created_at)
    return type_coerce(time, NullType())


class _ChosenState(NamedTuple):
    """The state of a pact in a list of an environment or a branch.

    In an environment there is one for each pact, version of its provider there, and kind of result.
    """

    id: int
    consumer_id: int
    provider_id: int
    publication_id: int | None
    """None if the newest version on the branch has no pact with the provider."""
    verification_id: int | None
    state: str
    sorted_time: Any
    """As the driver returns it; None without a result, or if the list is not sorted by a time."""


@lru_cache(maxsize=256)
def _select_chosen_states(shape: _OverviewShape, *, is_older: bool = False) -> Select[*tuple[Any, ...]]:
    """Select the columns of `_ChosenState`. Everything but times is in indexes: rows are spread over their tables."""
    source = _join_chosen_pacts(shape, is_older=is_older)
    if shape.word_count:
        source = _join_names(source)
    if shape.has_environment:
        source = _join_live_results(source)
    conditions = _build_conditions(shape)
    if shape.has_environment and shape.has_branch:
        runs = publication.c.consumer_version_id.in_(select(_live.c.version_id))
        conditions.append(or_(publication.c.id.is_(None), runs))
    if is_older:
        conditions.append(integration.c.id.in_(_IDS))
    columns = (
        integration.c.id,
        integration.c.consumer_id,
        integration.c.provider_id,
        publication.c.id.label("publication_id"),
        (_RESULT_IN_ENVIRONMENT if shape.has_environment else null()).label("verification_id"),
        _build_chosen_state(shape).label("state"),
        _build_sorted_time(shape).label("sorted_time"),
    )
    return select(*columns).select_from(source).where(*conditions)


def _join_names(source: FromClause) -> FromClause:
    # Inner joins, so that a page can be read in the order of the index of names.
    return source.join(_consumer, _consumer.c.id == integration.c.consumer_id).join(
        _provider, _provider.c.id == integration.c.provider_id
    )


def _join_versions(source: FromClause) -> FromClause:
    """Join the versions of a pact and its result. Outer joins on primary keys add no rows and drop none."""
    return source.outerjoin(_consumer_version, _consumer_version.c.id == publication.c.consumer_version_id).outerjoin(
        _provider_version, _provider_version.c.id == verification.c.provider_version_id
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


_LATEST_PACTS: Final = integration.outerjoin(publication, publication.c.id == integration.c.latest_publication_id)


@lru_cache(maxsize=256)
def _select_integrations(
    shape: _OverviewShape,
    *columns: ColumnElement[Any],
    has_names: bool = True,
    has_result: bool = False,
    has_state: bool = False,
) -> Select[*tuple[Any, ...]]:
    """Select columns of all integrations, with their latest pacts, that match the filter."""
    source: FromClause = _join_names(_LATEST_PACTS) if has_names else _LATEST_PACTS
    if has_result:
        source = source.outerjoin(verification, verification.c.id == _RESULT_OF_LATEST)
    if has_state and shape.has_contracts:
        source = source.outerjoin(_checked, _IS_CHECKED)
    return select(*columns).select_from(source).where(*_build_conditions(shape))


class _State(NamedTuple):
    """The state of an integration by its latest pact, and the rows from which it follows."""

    id: int
    consumer_id: int
    provider_id: int
    publication_id: int | None
    verification_id: int | None
    state: str


@lru_cache(maxsize=256)
def _select_states(shape: _OverviewShape) -> Select[*tuple[Any, ...]]:
    """Select the columns of `_State` of all matching integrations.

    Counting needs the state of every integration, so these rows are narrow; details are loaded for one page only.
    """
    return _select_integrations(
        shape,
        integration.c.id,
        integration.c.consumer_id,
        integration.c.provider_id,
        integration.c.latest_publication_id.label("publication_id"),
        _RESULT_OF_LATEST.label("verification_id"),
        _build_state(shape).label("state"),
        has_names=bool(shape.word_count),
        has_state=True,
    )


def _build_state(shape: _OverviewShape) -> ColumnElement[Any]:
    return _STATE_WITH_CONTRACTS if shape.has_contracts else _STATE_OF_LATEST


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
        integration.c.latest_publication_id.label("publication_id"),
        has_result=shape.sorting is OverviewSorting.VERIFIED,
        has_state=reads_state,
    )
    if has_state:
        page = page.where(_build_state(shape) == bindparam("state"))
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
    column = newest_first.get(shape.sorting, case(_RANKS, value=_build_state(shape)))
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
    max_counted: int | None = None,
) -> Overview:
    """Count the matching integrations by state, load a page of them, and pick out some that need attention.

    A changed pact is overdue if it was published no later than `overdue_since`. Versions that run together are counted
    up to `max_counted`. In an environment and on a branch, nothing is picked out.
    """
    # Counts cover all states, so that a page that shows one state can link to the others.
    of_any_state = replace(overview_filter, state=None)
    shape = _build_shape(of_any_state, sorting, is_reversed=is_reversed, has_contracts=has_any_contracts(db))
    state = overview_filter.state
    if shape.shows_latest:
        counts, warnings = _load_counts(db, shape, of_any_state, overdue_since if groups else None)
        rows = _load_rows_of_page(db, shape, overview_filter, page)
    else:
        states = _list_chosen_states(db, shape, of_any_state)
        counts = {PactState(name): count for name, count in Counter(row.state for row in states).items()}
        matching = [row for row in states if state is None or row.state == state.value]
        rows, warnings = matching[page.offset : page.offset + page.limit], ((), ())
    total = counts.get(state, 0) if state else sum(counts.values())
    return Overview(
        counts=counts,
        integrations=Paged(_load_page(db, rows, has_results=shape.has_environment), page, total),
        problems=_load_problems(db, warnings, groups, max_counted) if groups else PairProblems(),
    )


def load_problems(
    db: Connection, groups: ShownGroups, *, overdue_since: datetime, max_counted: int | None = None
) -> PairProblems:
    """Load some groups of the pairs that need attention, and count all of them.

    Versions that run together are counted up to `max_counted`.
    """
    _, warnings = _load_counts(db, _build_shape_of_all(db), OverviewFilter(), overdue_since)
    return _load_problems(db, warnings, groups, max_counted)


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


def _load_page(db: Connection, rows: Sequence[Any], *, has_results: bool) -> list[IntegrationSummary]:
    """Load the details of a page. With `has_results`, the rows have the states and results to show."""
    summaries = _load_summaries(db, rows, has_environments=True)
    if has_results:
        results = _load_results(db, {row.verification_id for row in rows} - {None})
        summaries = {row.id: _add_result(summaries[row.id], row, results) for row in rows}
    return [summaries[row.id] for row in rows]


_RESULTS: Final = (
    select(
        verification.c.id,
        version.c.number,
        verification.c.created_at,
        verification.c.comparison_id.is_not(None).label("is_comparison"),
    )
    .join(version, version.c.id == verification.c.provider_version_id)
    .where(verification.c.id.in_(bindparam("ids", expanding=True)))
)


def _load_results(db: Connection, ids: Collection[int]) -> Mapping[int | None, Any]:
    return {row.id: row for row in fetch_in_batches(db, _RESULTS, ids)}


def _add_result(
    summary: IntegrationSummary, row: _ChosenState, results: Mapping[int | None, Any]
) -> IntegrationSummary:
    result = results.get(row.verification_id)
    return replace(
        summary,
        state=PactState(row.state),
        provider_version=result.number if result else None,
        verified_at=result.created_at if result else None,
        is_comparison=bool(result and result.is_comparison),
    )


def _load_rows_of_page(
    db: Connection, shape: _OverviewShape, overview_filter: OverviewFilter, page: Page
) -> Sequence[Any]:
    params: dict[str, Any] = {**_build_params(overview_filter), "limit": page.limit, "offset": page.offset}
    state = overview_filter.state
    if state is None:
        return fetch_rows(db, _select_page(shape, has_state=False), params)
    return fetch_rows(db, _select_page(shape, has_state=True), {**params, "state": state.value})


def _list_chosen_states(db: Connection, shape: _OverviewShape, overview_filter: OverviewFilter) -> list[_ChosenState]:
    """List the matching pairs of an environment or a branch, in order: once each, with the result to show."""
    params = _build_params(overview_filter)
    states = fetch_tuples(db, _select_chosen_states(shape), params, _ChosenState)
    if shape.has_branch:
        ids_without_pact = [row.id for row in states if row.publication_id is None]
        states = [row for row in states if row.publication_id is not None]
        older = fetch_in_batches(db, _select_chosen_states(shape, is_older=True), ids_without_pact, params)
        states += map(_ChosenState._make, older)
    rows = _keep_worst_of_pairs(db, states) if shape.has_environment else states
    return _sort_states(rows, _load_name_ranks(db), shape)


_PLACES: Final = select(publication.c.id, publication.c.position).where(
    publication.c.id.in_(bindparam("ids", expanding=True))
)


def _keep_worst_of_pairs(db: Connection, rows: Sequence[_ChosenState]) -> Sequence[_ChosenState]:
    """Keep one row of each pair: the one with the worst state, and among equals that of the newest version.

    Several versions of either side may run in one environment, and the state shown must hold for all of them.
    """
    by_pair: dict[int, list[_ChosenState]] = defaultdict(list)
    for row in rows:
        by_pair[row.id].append(row)
    if len(by_pair) == len(rows):
        return rows
    repeated = {row.publication_id for same in by_pair.values() if len(same) > 1 for row in same} - {None}
    positions = {row.id: row.position for row in fetch_in_batches(db, _PLACES, repeated)}

    def severity(row: _ChosenState) -> tuple[int, int]:
        return (-_RANKS[row.state], positions[row.publication_id])

    return [_choose_result(max(same, key=severity), same) if len(same) > 1 else same[0] for same in by_pair.values()]


def _choose_result(worst: _ChosenState, rows: Sequence[_ChosenState]) -> _ChosenState:
    """Choose the result to show for a pact among those of all provider versions: the worst, and the newest of these."""
    results = [row for row in rows if row.publication_id == worst.publication_id and row.verification_id is not None]
    if not results:
        return worst
    shown = min(
        results, key=lambda row: (_RESULT_RANKS.get(row.state, len(_RESULT_RANKS)), -(row.verification_id or 0))
    )
    return worst._replace(verification_id=shown.verification_id, sorted_time=shown.sorted_time)


_RESULT_RANKS: Final = {PactState.FAILED.value: 0, PactState.PENDING.value: 1}
"""Ranks of results that have failed; those of successes follow, even if another result is missing beside them."""

_IDS_BY_NAME: Final = select(pacticipant.c.id, func.lower(pacticipant.c.name)).order_by(func.lower(pacticipant.c.name))


def _load_name_ranks(db: Connection) -> Mapping[int, int]:
    """Rank all pacticipants by name. Names that differ only in case have the same rank."""
    groups = groupby(fetch_rows(db, _IDS_BY_NAME, {}), key=itemgetter(1))
    return {id_: rank for rank, (_, group) in enumerate(groups) for id_, _ in group}


def _sort_states(
    rows: Iterable[_ChosenState], name_ranks: Mapping[int, int], shape: _OverviewShape
) -> list[_ChosenState]:
    """Sort as `_build_order` does: in Python, because all rows have been loaded, and states take long to compute."""
    sorting, sign = shape.sorting, -1 if shape.is_reversed else 1
    if sorting is OverviewSorting.PROVIDER:
        return sorted(rows, key=lambda row: (sign * name_ranks[row.provider_id], name_ranks[row.consumer_id], row.id))
    by_consumer = sign if sorting is OverviewSorting.CONSUMER else 1
    by_name = sorted(
        rows, key=lambda row: (by_consumer * name_ranks[row.consumer_id], name_ranks[row.provider_id], row.id)
    )
    match sorting:
        case OverviewSorting.CONSUMER:
            return by_name
        case OverviewSorting.STATE:
            return sorted(by_name, key=lambda row: sign * _RANKS[row.state])
        case _:
            timed = [row for row in by_name if row.sorted_time is not None]
            timed.sort(key=attrgetter("sorted_time"), reverse=not shape.is_reversed)
            return [*timed, *(row for row in by_name if row.sorted_time is None)]


def _build_shape_of_all(db: Connection) -> _OverviewShape:
    has_contracts = has_any_contracts(db)
    return _build_shape(OverviewFilter(), OverviewSorting.CONSUMER, is_reversed=False, has_contracts=has_contracts)


_STATES: Final = {state.value: state for state in PactState}  # quicker than the constructor


def load_states(db: Connection) -> list[tuple[int, tuple[int, int], PactState]]:
    """Load the id, the pair (ids of consumer and provider) and the state of each integration."""
    rows = fetch_tuples(db, _select_states(_build_shape_of_all(db)), {}, _State)
    return [(row.id, (row.consumer_id, row.provider_id), _STATES[row.state]) for row in rows]


_NO_GROUP: Final = slice(0)


def _load_problems(db: Connection, warnings: _Warnings, groups: ShownGroups, max_counted: int | None) -> PairProblems:
    unverified = list_unverified(db, max_counted=max_counted)
    shown_unverified = groups.get(AttentionKind.TOGETHER, _NO_GROUP)
    failed_pairs, shown_failed_pairs = unverified.failed_pairs, unverified.list_failed_in(shown_unverified)
    # A pair that failed in both ways is one problem: the entry of its running versions includes its latest pact.
    failed_latest = [row for row in warnings[0] if (row.consumer_id, row.provider_id) in shown_failed_pairs]
    failed_rows = [row for row in warnings[0] if (row.consumer_id, row.provider_id) not in failed_pairs]
    failed = _group(failed_rows, groups.get(AttentionKind.FAILED))
    overdue = _group(warnings[1], groups.get(AttentionKind.OVERDUE))
    listed = [row for attention in (failed, overdue) for group in attention.groups for row in group.items]
    summaries = _load_summaries(db, {row.id: row for row in [*listed, *failed_latest]}.values())
    summaries_by_pair = {(row.consumer_id, row.provider_id): summaries[row.id] for row in failed_latest}
    return PairProblems(
        together=describe_unverified(db, unverified, shown_unverified, summaries_by_pair),
        failed=_describe_groups(failed, summaries),
        overdue=_describe_groups(overdue, summaries),
        has_failures=bool(failed_rows or failed_pairs),
    )


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
    db: Connection, rows: Collection[Any], *, has_environments: bool = False
) -> Mapping[int, IntegrationSummary]:
    """Load the details of the selected integrations, by their ids; some lists show no environments and webhooks."""
    if not rows:
        return {}
    publication_ids = [row.publication_id for row in rows if row.publication_id is not None]
    ids_without_pact = [row.id for row in rows if row.publication_id is None]
    details = [*fetch_in_batches(db, _BY_PUBLICATION, publication_ids), *fetch_in_batches(db, _BY_ID, ids_without_pact)]
    pairs = {(row.consumer_id, row.provider_id) for row in details} if has_environments else set()
    environments = running_pairs.load_environments(db, pairs)
    statuses = _load_delivery_statuses(db, {row.consumer_id for row in details}) if has_environments else {}
    summaries = _build_summaries(details, environments, statuses)
    return {row.id: summary for row, summary in zip(details, summaries, strict=True)}


@lru_cache(maxsize=256)
def _select_edges(shape: _OverviewShape) -> Select[*tuple[Any, ...]]:
    names = (_consumer.c.name.label("consumer"), _provider.c.name.label("provider"))
    columns = (integration.c.id, *names, _build_state(shape).label("state"))
    return _select_integrations(shape, *columns, has_state=True).order_by(*_build_order(shape))


_NAMES_BY_ID: Final = select(pacticipant.c.id, pacticipant.c.name)


def list_network_edges(db: Connection, overview_filter: OverviewFilter) -> list[NetworkEdge]:
    """List all integrations of any state that match a filter, by the names of their consumers and providers."""
    has_contracts = has_any_contracts(db)
    shape = _build_shape(overview_filter, OverviewSorting.CONSUMER, is_reversed=False, has_contracts=has_contracts)
    if shape.shows_latest:
        edges = fetch_rows(db, _select_edges(shape), _build_params(overview_filter))
        return [NetworkEdge(consumer, provider, _STATES[state]) for _, consumer, provider, state in edges]
    states = _list_chosen_states(db, shape, overview_filter)
    names: dict[int, str] = dict(tuple(row) for row in fetch_rows(db, _NAMES_BY_ID, {}))
    return [NetworkEdge(names[row.consumer_id], names[row.provider_id], _STATES[row.state]) for row in states]


_INTEGRATION_COUNT: Final = select(func.count()).select_from(integration)


def count_integrations(db: Connection) -> int:
    """Count all integrations."""
    return int(fetch_scalar(db, _INTEGRATION_COUNT, {}))


_IDS: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
# These statements load few rows, for which looking for results of the other kind costs little.
_SUMMARY_WITH_STATE: Final = (*_SUMMARY_COLUMNS, _STATE.label("state"))
_LATEST_SUMMARIES: Final = select(integration.c.id, *_SUMMARY_WITH_STATE).select_from(
    _join_versions(_join_names(_LATEST_PACTS).outerjoin(verification, verification.c.id == _RESULT_OF_LATEST))
)
_BY_ID: Final = _LATEST_SUMMARIES.where(integration.c.id.in_(_IDS))
_BY_PUBLICATION: Final = (
    select(integration.c.id, *_SUMMARY_WITH_STATE)
    # The newest result for any pact, not only for the latest of its pair.
    .select_from(
        _join_versions(
            _join_names(publication.join(integration, _IS_OF_PAIR)).outerjoin(
                verification, verification.c.id == NEWEST_RESULT
            )
        )
    )
    .where(publication.c.id.in_(_IDS))
)
_BY_TAGGED_PUBLICATION: Final = _BY_PUBLICATION.add_columns(
    publication.c.id.label("publication_id"),
    integration.c.latest_publication_id,
    verification.c.provider_version_id,
)
_BY_ROLE: Final = {
    role: _LATEST_SUMMARIES.where(side.c.name == bindparam("pacticipant")).order_by(
        *_build_order(_build_shape(OverviewFilter(), sorting, is_reversed=False))
    )
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
    # Tested once for each pair, which has several pacts here.
    pair = (integration.c.consumer_id, integration.c.provider_id)
    matching = select(*pair).select_from(_join_names(integration)).where(*conditions)
    return counts.where(tuple_(chosen.c.consumer_id, chosen.c.provider_id).in_(matching))


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
