"""Summary of the rows of the matrix, where there are more of them than a response shows.

The verdict depends on all rows, but a query of whole pacticipants may select millions. So the database counts them, and
only the obstacles and the rows to show are loaded, up to their limits.

It counts by content: publications with the same content share its results, so that thousands of rows are the product of
a few groups of publications and a few results. `model.decisions.matrix.summarize_rows` computes the same from rows.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
)

from treaty.model.decisions import matrix
from treaty.model.decisions.matrix import MAX_REASONS, MatrixRowsSummary, ResultCounts
from treaty.model.decisions.queries import LatestBy, MatrixQuery
from treaty.model.decisions.selectors import ResolvedSelector
from treaty.store.decisions.matrix_rows import (
    COUNT,
    NO_ID,
    PUBLISHED_IDS,
    JoinedResults,
    MatrixScope,
    RowWithIds,
    StatementShape,
    bind_values,
    consumer_version,
    derive_shape,
    describe_publications,
    is_replaced,
    is_selected,
    is_selected_content,
    join_page,
    join_results,
    joined_columns,
    order_by_newest,
    parse_rows,
    provider_version,
    select_newest,
    select_newest_rows,
    select_rows,
    select_rows_of,
)
from treaty.store.engine.database import fetch_rows, fetch_tuples
from treaty.store.tables import content, publication, verification

ANY_SUCCESS: Final = frozenset({True, False, None})


class SummaryWithRows(NamedTuple):
    """The summary, and its rows to show with the ids of their versions."""

    summary: MatrixRowsSummary
    shown: Sequence[RowWithIds]


class _Count(NamedTuple):
    """Number of rows with the same result and the same flags."""

    success: bool | None
    is_ignored: bool
    is_superseded: bool
    is_highest: bool
    """Whether the provider version is the highest of its consumer version's rows, which `latestby=cvp` selects."""
    number: int


def summarize(
    db: Connection,
    scope: MatrixScope,
    query: MatrixQuery,
    ignored: Sequence[ResolvedSelector],
    first_rows: Sequence[RowWithIds],
) -> SummaryWithRows:
    """Summarize all rows of a scope; `first_rows` are those already loaded, more than the limit."""
    shape = derive_shape(scope)
    counts = _load_counts(db, scope, shape)
    decisive = _add_up(count for count in counts if query.counts_superseded or not count.is_superseded)
    obstacles = [
        *_list_obstacles(db, scope, query, decisive.failed, success=False),
        *_list_obstacles(db, scope, query, decisive.unknown, success=None),
    ]
    if query.latest_by is LatestBy.PAIR:
        # One row for each pair: few enough to load all of them.
        pair_rows = parse_rows(fetch_rows(db, _latest_of_pairs_statement(shape), bind_values(scope, None)))
        latest = matrix.count_row_results([pair_row.row for pair_row in pair_rows], ignored)
        matching = [
            pair_row for pair_row in pair_rows if query.success is None or pair_row.row.success in query.success
        ]
        total, shown = len(matching), matching[: scope.limit]
    else:
        # `cvpv` needs no selection: a consumer version has one row, the latest, for each provider version.
        has_all = query.latest_by is not LatestBy.CONSUMER_VERSION
        latest_counts = [count for count in counts if count.is_highest or has_all]
        latest = _add_up(latest_counts)
        total = sum(count.number for count in latest_counts if query.success is None or count.success in query.success)
        shown = list(_list_shown(db, scope, query, first_rows))
    summary = MatrixRowsSummary(
        decisive_counts=decisive,
        latest_counts=latest,
        obstacles=obstacles,
        shown=[row_with_ids.row for row_with_ids in shown],
        total=total,
    )
    return SummaryWithRows(summary, shown)


def _load_counts(db: Connection, scope: MatrixScope, shape: StatementShape) -> list[_Count]:
    """Count the rows; a row of the statement has the flags, and the numbers of successes, failures and neither."""
    return [
        _Count(success, bool(is_ignored), bool(is_superseded), bool(is_highest), number)
        for is_ignored, is_superseded, is_highest, *numbers in fetch_rows(
            db, _counts_statement(shape), bind_values(scope, None)
        )
        for success, number in zip(_SUCCESSES, numbers, strict=True)
        if number
    ]


def _add_up(counts: Iterable[_Count]) -> ResultCounts:
    numbers: dict[bool | None, int] = {}
    ignored = 0
    for count in counts:
        if count.is_ignored:
            ignored += int(count.number)
        else:
            numbers[count.success] = numbers.get(count.success, 0) + int(count.number)
    return ResultCounts(numbers.get(True, 0), numbers.get(False, 0), numbers.get(None, 0), ignored)


def _list_obstacles(
    db: Connection, scope: MatrixScope, query: MatrixQuery, number: int, *, success: bool | None
) -> Iterable[matrix.MatrixRow]:
    if not number:
        return []
    excerpt = _Excerpt(frozenset({success}), is_considered=True, is_current=not query.counts_superseded)
    return [row_with_ids.row for row_with_ids in _list_excerpt(db, scope, excerpt, MAX_REASONS)]


def _list_shown(
    db: Connection, scope: MatrixScope, query: MatrixQuery, first_rows: Sequence[RowWithIds]
) -> Sequence[RowWithIds]:
    limit = scope.limit or 0
    is_highest = query.latest_by is LatestBy.CONSUMER_VERSION
    if query.success is None and not is_highest:
        # The query filters no row, so those already loaded are the newest.
        return first_rows[:limit]
    success = ANY_SUCCESS if query.success is None else query.success
    return _list_excerpt(db, scope, _Excerpt(success, is_highest=is_highest), limit)


class _Excerpt(NamedTuple):
    """The conditions of the rows to list."""

    success: frozenset[bool | None]
    is_considered: bool = False
    """Whether ignored rows are left out."""
    is_current: bool = False
    """Whether superseded rows are left out."""
    is_highest: bool = False


def _list_excerpt(db: Connection, scope: MatrixScope, excerpt: _Excerpt, limit: int) -> Sequence[RowWithIds]:
    return parse_rows(fetch_rows(db, _excerpt_statement(derive_shape(scope), excerpt), bind_values(scope, limit)))


# Results by content

_SUCCESSES: Final = (True, False, None)
_CONSTANT_FLAGS: Final = {"is_replaced": false(), "is_current": true(), "is_ignored": false()}
"""The properties in which publications of the same content may differ so that their rows count differently, with their
values in queries where they do not differ. Both databases compare and sort fewer columns there."""
_LATEST_BY_HIGHEST: Final = frozenset({LatestBy.CONSUMER_VERSION, LatestBy.PAIR})


@lru_cache(maxsize=64)
def _counts_statement(shape: StatementShape) -> Select[*tuple[Any, ...]]:
    """Build the statement that counts rows.

    It groups the publications, joins each group with its results once, and multiplies the results by the size of the
    group.
    """
    counted = _count_contents(shape) if shape.has_whole_contents else _count_groups(shape)
    # Materialized, so that publications are counted once and not for each result.
    groups = counted.cte("groups").prefix_with("MATERIALIZED")
    result = _results(shape, groups).add_columns(groups.c.number).subquery("result")
    keys = (result.c.is_ignored, result.c.is_superseded, result.c.is_highest)
    varying = [
        key
        for key, varies in zip(
            keys, (shape.has_ignored, not shape.has_only_latest, shape.latest_by in _LATEST_BY_HIGHEST), strict=True
        )
        if varies
    ]
    shown = [key if key in varying else constant for key, constant in zip(keys, _CONSTANT_KEYS, strict=True)]
    conditions = (result.c.success.is_(True), result.c.success.is_(False), result.c.success.is_(None))
    # Sums of conditions need no sorting by `success`.
    numbers = [func.sum(case((condition, result.c.number))) for condition in conditions]
    return select(*shown, *numbers).group_by(*varying)


_CONSTANT_KEYS: Final = (false(), false(), true())


def _list_flags(shape: StatementShape) -> list[str]:
    """List the flags that differ between the publications of a query."""
    varies = {
        "is_replaced": shape.has_replaced_versions,
        "is_current": not shape.has_only_latest,
        "is_ignored": shape.has_ignored,
    }
    return [name for name in _CONSTANT_FLAGS if varies[name]]


def _get_flag(groups: FromClause, name: str) -> ColumnElement[bool]:
    return groups.c[name] if name in groups.c else _CONSTANT_FLAGS[name]


def _published(shape: StatementShape) -> CTE:
    """Select the publications that have rows, with their flags."""
    flags = {
        "is_current": publication.c.is_current,
        "is_replaced": is_replaced(shape, publication),
        "is_ignored": _is_ignored(shape, publication.c.consumer_version_id, publication.c.consumer_id),
    }
    return (
        select(
            *PUBLISHED_IDS,
            *(flags[name].label(name) for name in _list_flags(shape)),
        )
        # Without a limit the alternatives are a single condition; separate ones are needed for separate limits only.
        .where(is_selected(shape._replace(is_limited=False)))
        .cte("published")
    )


def _group_columns(shape: StatementShape, published: CTE) -> list[ColumnElement[Any]]:
    # Content belongs to one consumer and provider. Their ids are there for the conditions of the results.
    return [published.c[name] for name in ("content_id", "consumer_id", "provider_id", *_list_flags(shape))]


def _count_groups(shape: StatementShape) -> Select[*tuple[Any, ...]]:
    columns = _group_columns(shape, _published(shape))
    return select(*columns, COUNT).group_by(*columns)


def _count_contents(shape: StatementShape) -> Select[*tuple[Any, ...]]:
    """Count without sorting all publications. Groups of contents that are no longer published are empty."""
    is_current = and_(publication.c.content_id == content.c.id, publication.c.is_current)
    number = select(COUNT).where(is_current).correlate(content).scalar_subquery()
    return _contents(shape).add_columns(number.label("number"))


def _contents(shape: StatementShape) -> Select[*tuple[Any, ...]]:
    columns = (content.c.id.label("content_id"), content.c.consumer_id, content.c.provider_id)
    return select(*columns).where(is_selected_content(shape))


def _is_ignored(
    shape: StatementShape, version_id: ColumnElement[Any], pacticipant_id: ColumnElement[int]
) -> ColumnElement[bool]:
    if not shape.has_ignored:
        return false()
    # A comparison with NULL is neither true nor false, and such a row would be counted in neither group.
    is_ignored_version = func.coalesce(version_id, NO_ID).in_(_bind_ids(shape, "ignored_version_ids"))
    return or_(is_ignored_version, pacticipant_id.in_(_bind_ids(shape, "ignored_pacticipant_ids")))


def _bind_ids(shape: StatementShape, parameter: str) -> BindParameter[Any]:
    return bindparam(parameter, expanding=True, literal_execute=shape.has_many_ids)


def _results(shape: StatementShape, groups: FromClause) -> Select[*tuple[Any, ...]]:
    """Select the results of groups of publications, and the provider versions without a result."""
    results = join_results(shape, groups, _get_flag(groups, "is_replaced"))
    keys = [groups.c[name] for name in ("content_id", *_list_flags(shape))]
    joined = results.joined
    is_highest: ColumnElement[bool] = true()
    if shape.latest_by in _LATEST_BY_HIGHEST:
        # All publications of a group have the same results, so the highest version of the group is that of each.
        joined = joined.outerjoin(provider_version, provider_version.c.id == results.provider_version_id)
        is_highest = func.row_number().over(partition_by=keys, order_by=_position().desc()) == 1
    is_superseded = or_(
        not_(_get_flag(groups, "is_current")), and_(verification.c.id.is_not(None), not_(verification.c.is_latest))
    )
    return (
        select(
            *(key.label(f"group_{key.name}") for key in keys),
            verification.c.id.label("verification_id"),
            results.provider_version_id.label("provider_version_id"),
            verification.c.success.label("success"),
            or_(
                _get_flag(groups, "is_ignored"), _is_ignored(shape, results.provider_version_id, groups.c.provider_id)
            ).label("is_ignored"),
            (false() if shape.has_only_latest else is_superseded).label("is_superseded"),
            is_highest.label("is_highest"),
        )
        .select_from(joined)
        .where(*results.conditions)
    )


def _position() -> ColumnElement[int]:
    return func.coalesce(provider_version.c.position, -1)


# Counts for each version of a pacticipant


class CountsByVersion(NamedTuple):
    """Numbers of results by the id of a version."""

    counts: Mapping[int, ResultCounts]
    uncompared: Collection[int]
    """The versions with a row whose provider version has a contract, and that lacks the result of a comparison."""


def count_by_version(db: Connection, scope: MatrixScope, *, has_contracts: bool) -> CountsByVersion:
    """Count the rows of each version of the only specified pacticipant, which has no contract with itself.

    A version without rows is missing. Without `has_contracts`, no provider version has a contract.
    """
    rows = fetch_rows(
        db, _counts_by_version_statement(derive_shape(scope), has_contracts=has_contracts), bind_values(scope, None)
    )
    counts = {
        version_id: ResultCounts(success or 0, failed or 0, unknown or 0, 0)
        for version_id, success, failed, unknown, _ in rows
    }
    return CountsByVersion(counts, {row[0] for row in rows if row[4]})


@lru_cache(maxsize=16)
def _counts_by_version_statement(shape: StatementShape, *, has_contracts: bool) -> Select[*tuple[Any, ...]]:
    """Build the statement that counts rows by the version of the specified pacticipant, on whichever side it is."""
    published = _published(shape)
    is_own = published.c.consumer_id.in_(_bind_ids(shape, "specified_pacticipant_ids"))
    own_version_id = case((is_own, published.c.consumer_version_id))
    # A subquery, so that the parameters occur once: PostgreSQL takes expressions with parameters for different ones.
    owned = select(*_group_columns(shape, published), own_version_id.label("own_version_id")).subquery("owned")
    groups = select(*owned.c, COUNT).group_by(*owned.c).cte("groups").prefix_with("MATERIALIZED")
    result = _results(shape, groups).add_columns(groups.c.own_version_id, groups.c.number).subquery("result")
    version_id = func.coalesce(result.c.own_version_id, result.c.provider_version_id)
    conditions = (result.c.success.is_(True), result.c.success.is_(False), result.c.success.is_(None))
    numbers = [func.sum(case((condition, result.c.number))) for condition in conditions]
    if not has_contracts:
        return select(version_id, *numbers, literal_column("0")).group_by(version_id)
    is_uncompared = and_(provider_version.c.documents_sha.is_not(None), not_(_is_compared(result)))
    return (
        select(version_id, *numbers, func.max(case((is_uncompared, 1), else_=0)))
        .select_from(result)
        .outerjoin(provider_version, provider_version.c.id == result.c.provider_version_id)
        .group_by(version_id)
    )


# Pairs without the result of a comparison


class UncomparedGroup(NamedTuple):
    """Publications of a content, and a provider version with a contract that has no result of comparing them."""

    content_id: int
    version_id: int
    is_ignored: bool
    is_superseded: bool
    has_result: bool
    """Whether it has a result of a verifier."""
    is_verified: bool
    """Whether one of these is not superseded."""
    number: int
    """Number of publications."""


def list_uncompared(db: Connection, scope: MatrixScope) -> Sequence[UncomparedGroup]:
    """List the groups of rows whose provider version has a contract, and that lack the result of a comparison."""
    return fetch_tuples(db, _uncompared_statement(derive_shape(scope)), bind_values(scope, None), UncomparedGroup)


_compared: Final = verification.alias("compared")


def _is_compared(result: FromClause) -> ColumnElement[bool]:
    return exists().where(
        _compared.c.content_id == result.c.group_content_id,
        _compared.c.provider_version_id == result.c.provider_version_id,
        _compared.c.comparison_id.is_not(None),
    )


@lru_cache(maxsize=16)
def _uncompared_statement(shape: StatementShape) -> Select[*tuple[Any, ...]]:
    groups = _count_groups(shape).subquery("groups")
    result = _results(shape, groups).add_columns(groups.c.number).subquery("result")
    keys = (result.c.group_content_id, result.c.provider_version_id)
    is_verified = case((and_(result.c.verification_id.is_not(None), not_(result.c.is_superseded)), 1), else_=0)
    flags = [result.c[f"group_{name}"] for name in _list_flags(shape)]
    return (
        select(
            *keys,
            func.max(case((result.c.is_ignored, 1), else_=0)),
            func.min(case((result.c.is_superseded, 1), else_=0)),
            func.count(result.c.verification_id),
            func.max(is_verified),
            result.c.number,
        )
        .select_from(result)
        .join(provider_version, provider_version.c.id == result.c.provider_version_id)
        .where(provider_version.c.documents_sha.is_not(None), not_(_is_compared(result)))
        .group_by(*keys, *flags, result.c.number)
    )


# Excerpts of rows


class _SelectedResults(NamedTuple):
    """Publications, and the results of their groups that an excerpt selects."""

    published: CTE
    result: CTE
    flags: Sequence[str]

    @property
    def is_same_group(self) -> ColumnElement[bool]:
        names = ("content_id", *self.flags)
        return and_(*(self.result.c[f"group_{name}"] == self.published.c[name] for name in names))

    def select_newest(self, shape: StatementShape) -> Select[Any]:
        """Select the ids of the newest publications that have any of the results, up to the limit."""
        content_ids = select(self.result.c.group_content_id)
        published: FromClause = self.published
        if shape.has_whole_contents:
            published = publication
            condition = _has_content(shape, content_ids)
        elif self.flags:
            condition = content_ids.where(self.is_same_group).exists()
        else:
            # Several times as fast as the other form, which both databases evaluate for each publication.
            condition = self.published.c.content_id.in_(content_ids)
        return select_newest(shape, select(published.c.id).where(condition), published)

    def join_described(self, described: CTE) -> JoinedResults:
        """Join some of the publications with the results of their groups."""
        published: FromClause = described
        is_same_group = self.result.c.group_content_id == described.c.content_id
        if self.flags:
            published = described.join(self.published, self.published.c.id == described.c.publication_id)
            is_same_group = self.is_same_group
        joined = published.join(self.result, is_same_group).outerjoin(
            verification, verification.c.id == self.result.c.verification_id
        )
        return JoinedResults(joined, self.result.c.provider_version_id)

    @property
    def joined_results(self) -> JoinedResults:
        """The rows again: each publication with each result of its group."""
        joined = (
            self.published.join(self.result, self.is_same_group)
            .join(publication, publication.c.id == self.published.c.id)
            .outerjoin(verification, verification.c.id == self.result.c.verification_id)
        )
        return JoinedResults(joined, self.result.c.provider_version_id)


def _has_content(shape: StatementShape, content_ids: Select[Any]) -> ColumnElement[bool]:
    """Restrict publications to the current ones with any of these contents, for shapes with `has_whole_contents`."""
    has_content = publication.c.content_id.in_(content_ids)
    if shape.is_pair:
        # The publications are read in order, until there are enough. Without the comparison with true, the databases
        # would rather find all those of each content, and sort them.
        return and_(is_selected(shape), has_content.is_(true()))
    # The contents select their publications. PostgreSQL would read all those of the pair for each content.
    return and_(has_content, publication.c.is_current)


def _select_results(shape: StatementShape, excerpt: _Excerpt) -> _SelectedResults:
    published = _published(shape)
    if shape.has_whole_contents:
        groups = _contents(shape).subquery("groups")
    else:
        groups = select(*_group_columns(shape, published)).distinct().subquery("groups")
    every = _results(shape, groups).subquery("every")
    # Materialized, so that the results are computed once and not for each publication.
    result = select(every).where(*_conditions(every, excerpt)).cte("result").prefix_with("MATERIALIZED")
    return _SelectedResults(published, result, _list_flags(shape))


def _has_success(success: ColumnElement[bool], excerpt: _Excerpt) -> ColumnElement[bool]:
    return or_(*(success.is_(None) if value is None else success == value for value in excerpt.success))


def _conditions(result: Subquery, excerpt: _Excerpt) -> Iterable[ColumnElement[bool]]:
    yield _has_success(result.c.success, excerpt)
    if excerpt.is_considered:
        yield not_(result.c.is_ignored)
    if excerpt.is_current:
        yield not_(result.c.is_superseded)
    if excerpt.is_highest:
        yield result.c.is_highest


@lru_cache(maxsize=64)
def _excerpt_statement(shape: StatementShape, excerpt: _Excerpt) -> Select[*tuple[Any, ...]]:
    """Build the statement that lists the rows of an excerpt, from the newest publications that have any."""
    if shape.has_whole_contents and not excerpt.is_highest:
        return _excerpt_of_contents(shape, excerpt)
    selected = _select_results(shape, excerpt)
    described = describe_publications(selected.select_newest(shape))
    return select_newest_rows(shape, described, selected.join_described(described))


def _excerpt_of_contents(shape: StatementShape, excerpt: _Excerpt) -> Select[*tuple[Any, ...]]:
    """Select rows of which only their success matters, since none is ignored or superseded."""
    has_success = _has_success(verification.c.success, excerpt)
    groups = _contents(shape).subquery("groups")
    content_ids = select(groups.c.content_id).select_from(join_results(shape, groups, false()).joined)
    condition = _has_content(shape, content_ids.where(has_success))
    newest = select_newest(shape, select(publication.c.id).where(condition), publication)
    return select_rows_of(shape, newest, has_success)


@lru_cache(maxsize=16)
def _latest_of_pairs_statement(shape: StatementShape) -> Select[*tuple[Any, ...]]:
    """Build the statement that lists one row for each consumer and provider.

    The rule is that of `model.decisions.matrix.select_latest`: the row without a result if it is the newest, or else
    the result of the highest provider version, and of several the oldest.
    """
    ordered = _ordered_rows(shape, _select_results(shape, _Excerpt(ANY_SUCCESS, is_highest=True))).subquery("ordered")
    is_unverified = case((ordered.c.verification_id.is_(None), 1), else_=0)
    is_newest_unverified = and_(ordered.c.age_rank == 1, ordered.c.verification_id.is_(None))
    preference = (
        case((is_newest_unverified, 0), else_=1),
        is_unverified,
        ordered.c.position.desc(),
        ordered.c.age_rank.desc(),
    )
    pair = (ordered.c.consumer_id, ordered.c.provider_id)
    ranked = select(
        ordered.c.id,
        ordered.c.verification_id,
        ordered.c.provider_version_id,
        func.row_number().over(partition_by=pair, order_by=preference).label("rank"),
    ).subquery("ranked")
    return select_rows(shape, join_page(ranked)).where(ranked.c.rank == 1)


def _ordered_rows(shape: StatementShape, selected: _SelectedResults) -> Select[*tuple[Any, ...]]:
    """Select the rows of each pair, numbered from the newest action."""
    joined = selected.joined_results.joined.join(
        consumer_version, consumer_version.c.id == publication.c.consumer_version_id
    ).outerjoin(provider_version, provider_version.c.id == selected.result.c.provider_version_id)
    age_rank = func.row_number().over(
        partition_by=(publication.c.consumer_id, publication.c.provider_id),
        order_by=order_by_newest(joined_columns(shape, selected.joined_results)),
    )
    return select(
        publication.c.id,
        publication.c.consumer_id,
        publication.c.provider_id,
        selected.result.c.verification_id,
        selected.result.c.provider_version_id,
        _position().label("position"),
        age_rank.label("age_rank"),
    ).select_from(joined)
