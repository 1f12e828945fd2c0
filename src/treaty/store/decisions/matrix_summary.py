"""A survey of all rows of the matrix where there are more of them than a response shows.

The database counts them by content: publications with the same content share its results, so that thousands of rows are
the product of some publications and some results. Obstacles and the rows to show are read up to a limit.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
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
    NO_ID,
    JoinedResults,
    MatrixScope,
    RowWithIds,
    StatementShape,
    bind_values,
    consumer_version,
    derive_shape,
    is_replaced,
    is_selected,
    join_outcomes,
    join_results,
    order_by_newest,
    parse_rows,
    provider_version,
    select_newest,
    select_rows,
)
from treaty.store.engine.database import fetch_rows, fetch_tuples
from treaty.store.tables import publication, verification

ANY_SUCCESS: Final = frozenset({True, False, None})


class SummaryWithRows(NamedTuple):
    """A survey, and the rows that it shows with the ids of their versions."""

    survey: MatrixRowsSummary
    shown: Sequence[RowWithIds]


class _Count(NamedTuple):
    """How many rows have the same result and count in the same way."""

    success: bool | None
    is_ignored: bool
    is_superseded: bool
    is_highest: bool
    """Whether the result is that of the highest provider version, for each consumer version."""
    number: int


def summarize(
    db: Connection,
    scope: MatrixScope,
    question: MatrixQuery,
    ignored: Sequence[ResolvedSelector],
    first: Sequence[RowWithIds],
) -> SummaryWithRows:
    """Survey all rows, given the first of them."""
    shape = derive_shape(scope)
    counted = fetch_tuples(db, _counts(shape), bind_values(scope, None), _Count)
    decisive = _tally(one for one in counted if question.counts_superseded or not one.is_superseded)
    obstacles = [*_obstacles(db, scope, question, decisive.failed, success=False)]
    obstacles += _obstacles(db, scope, question, decisive.unknown, success=None)
    if question.latest_by is LatestBy.PAIR:
        newest = parse_rows(fetch_rows(db, _newest_of_pairs(shape), bind_values(scope, None)))
        counts = matrix.count_row_results([one.row for one in newest], ignored)
        chosen = [one for one in newest if question.success is None or one.row.success in question.success]
        total, listed = len(chosen), list(chosen[: scope.limit])
    else:
        latest = [one for one in counted if one.is_highest or question.latest_by is not LatestBy.CONSUMER_VERSION]
        counts = _tally(latest)
        total = sum(one.number for one in latest if question.success is None or one.success in question.success)
        listed = list(_listed(db, scope, question, first))
    survey = MatrixRowsSummary(
        decisive_counts=decisive,
        latest_counts=counts,
        obstacles=obstacles,
        shown=[one.row for one in listed],
        total=total,
    )
    return SummaryWithRows(survey, listed)


def _tally(counted: Iterable[_Count]) -> ResultCounts:
    numbers: dict[bool | None, int] = {}
    ignored = 0
    for one in counted:
        if one.is_ignored:
            ignored += int(one.number)
        else:
            numbers[one.success] = numbers.get(one.success, 0) + int(one.number)
    return ResultCounts(numbers.get(True, 0), numbers.get(False, 0), numbers.get(None, 0), ignored)


def _obstacles(
    db: Connection, scope: MatrixScope, question: MatrixQuery, number: int, *, success: bool | None
) -> Iterable[matrix.MatrixRow]:
    if not number:
        return []
    excerpt = _Excerpt(frozenset({success}), is_considered=True, is_current=not question.counts_superseded)
    return [one.row for one in _read(db, scope, excerpt, MAX_REASONS)]


def _listed(
    db: Connection, scope: MatrixScope, question: MatrixQuery, first: Sequence[RowWithIds]
) -> Sequence[RowWithIds]:
    limit = scope.limit or 0
    is_highest = question.latest_by is LatestBy.CONSUMER_VERSION
    if question.success is None and not is_highest:
        return first[:limit]
    success = ANY_SUCCESS if question.success is None else question.success
    return _read(db, scope, _Excerpt(success, is_highest=is_highest), limit)


class _Excerpt(NamedTuple):
    """Which rows are read."""

    success: frozenset[bool | None]
    is_considered: bool = False
    """Without those to be ignored."""
    is_current: bool = False
    """Without those that are superseded."""
    is_highest: bool = False


def _read(db: Connection, scope: MatrixScope, excerpt: _Excerpt, limit: int) -> Sequence[RowWithIds]:
    return parse_rows(fetch_rows(db, _excerpt(derive_shape(scope), excerpt), bind_values(scope, limit)))


# Results by content

_FLAGS: Final = ("is_replaced", "is_current", "is_ignored")
"""What publications with the same content may differ in, as far as their rows count differently."""
_BY_HIGHEST: Final = frozenset({LatestBy.CONSUMER_VERSION, LatestBy.PAIR})


@lru_cache(maxsize=64)
def _counts(shape: StatementShape) -> Select[*tuple[Any, ...]]:
    """Build the statement that counts rows."""
    published = _published(shape)
    columns = _columns_of_groups(published)
    groups = select(*columns, func.count().label("number")).group_by(*columns).subquery("groups")
    result = _results(shape, groups).add_columns(groups.c.number).subquery("result")
    keys = (result.c.success, result.c.is_ignored, result.c.is_superseded, result.c.is_highest)
    return select(*keys, cast(func.sum(result.c.number), Integer)).group_by(*keys)


def _published(shape: StatementShape) -> CTE:
    """Select the publications that have rows."""
    is_ignored = _is_ignored(shape, publication.c.consumer_version_id, publication.c.consumer_id)
    return (
        select(
            publication.c.id,
            publication.c.consumer_version_id,
            publication.c.content_id,
            publication.c.consumer_id,
            publication.c.provider_id,
            publication.c.is_current,
            is_replaced(shape).label("is_replaced"),
            is_ignored.label("is_ignored"),
        )
        .where(is_selected(shape._replace(is_limited=False)))
        .cte("published")
    )


def _columns_of_groups(published: CTE) -> list[ColumnElement[Any]]:
    return [published.c[name] for name in ("content_id", "consumer_id", "provider_id", *_FLAGS)]


def _is_ignored(
    shape: StatementShape, version_id: ColumnElement[Any], pacticipant_id: ColumnElement[int]
) -> ColumnElement[bool]:
    if not shape.has_ignored:
        return false()
    is_ignored_version = func.coalesce(version_id, NO_ID).in_(_ids(shape, "ignored_versions"))
    return or_(is_ignored_version, pacticipant_id.in_(_ids(shape, "ignored_pacticipants")))


def _ids(shape: StatementShape, name: str) -> BindParameter[Any]:
    return bindparam(name, expanding=True, literal_execute=shape.has_many_ids)


def _results(shape: StatementShape, groups: Subquery) -> Select[*tuple[Any, ...]]:
    """Select the results of groups of publications."""
    outcomes = join_outcomes(shape, groups, groups.c.is_replaced)
    keys = [groups.c[name] for name in ("content_id", *_FLAGS)]
    joined = outcomes.joined
    is_highest: ColumnElement[bool] = true()
    if shape.latest_by in _BY_HIGHEST:
        joined = joined.outerjoin(provider_version, provider_version.c.id == outcomes.provider_version_id)
        is_highest = func.row_number().over(partition_by=keys, order_by=_position().desc()) == 1
    is_superseded = or_(not_(groups.c.is_current), and_(verification.c.id.is_not(None), not_(verification.c.is_latest)))
    return (
        select(
            *(key.label(f"group_{key.name}") for key in keys),
            verification.c.id.label("verification_id"),
            outcomes.provider_version_id.label("provider_version_id"),
            verification.c.success.label("success"),
            or_(groups.c.is_ignored, _is_ignored(shape, outcomes.provider_version_id, groups.c.provider_id)).label(
                "is_ignored"
            ),
            (false() if shape.has_only_latest else is_superseded).label("is_superseded"),
            is_highest.label("is_highest"),
        )
        .select_from(joined)
        .where(*outcomes.conditions)
    )


def _position() -> ColumnElement[int]:
    return func.coalesce(provider_version.c.position, -1)


# Excerpts of rows


class _Found(NamedTuple):
    """Publications with the results that were chosen."""

    published: CTE
    result: CTE

    @property
    def is_of_group(self) -> ColumnElement[bool]:
        names = ("content_id", *_FLAGS)
        return and_(*(self.result.c[f"group_{name}"] == self.published.c[name] for name in names))

    @property
    def outcomes(self) -> JoinedResults:
        joined = (
            self.published.join(self.result, self.is_of_group)
            .join(publication, publication.c.id == self.published.c.id)
            .outerjoin(verification, verification.c.id == self.result.c.verification_id)
        )
        return JoinedResults(joined, self.result.c.provider_version_id)


def _found(shape: StatementShape, excerpt: _Excerpt) -> _Found:
    published = _published(shape)
    groups = select(*_columns_of_groups(published)).distinct().subquery("groups")
    every = _results(shape, groups).subquery("every")
    result = select(every).where(*_conditions(every, excerpt)).cte("result").prefix_with("MATERIALIZED")
    return _Found(published, result)


def _conditions(result: Subquery, excerpt: _Excerpt) -> Iterable[ColumnElement[bool]]:
    yield or_(
        *(result.c.success.is_(None) if success is None else result.c.success == success for success in excerpt.success)
    )
    if excerpt.is_considered:
        yield not_(result.c.is_ignored)
    if excerpt.is_current:
        yield not_(result.c.is_superseded)
    if excerpt.is_highest:
        yield result.c.is_highest


@lru_cache(maxsize=64)
def _excerpt(shape: StatementShape, excerpt: _Excerpt) -> Select[*tuple[Any, ...]]:
    """Build the statement that lists certain rows, of the newest publications that have such rows."""
    found = _found(shape, excerpt)
    has_result = select(found.result.c.group_content_id).where(found.is_of_group).exists()
    newest = select_newest(shape, select(found.published.c.id).where(has_result), found.published)
    listed = select_rows(shape, found.outcomes).where(publication.c.id.in_(newest))
    return listed.limit(bindparam("limit"))


@lru_cache(maxsize=16)
def _newest_of_pairs(shape: StatementShape) -> Select[*tuple[Any, ...]]:
    """Build the statement that lists a row for each consumer and provider, chosen as `matrix.latest_by` does."""
    found = _found(shape, _Excerpt(ANY_SUCCESS, is_highest=True))
    ordered = _ordered(shape, found).subquery("ordered")
    is_unverified = case((ordered.c.verification_id.is_(None), 1), else_=0)
    is_first_unverified = and_(ordered.c.place == 1, ordered.c.verification_id.is_(None))
    choice = (
        case((is_first_unverified, 0), else_=1),
        is_unverified,
        ordered.c.position.desc(),
        ordered.c.place.desc(),
    )
    pair = (ordered.c.consumer_id, ordered.c.provider_id)
    ranked = select(
        ordered.c.id,
        ordered.c.verification_id,
        ordered.c.provider_version_id,
        func.row_number().over(partition_by=pair, order_by=choice).label("rank"),
    ).subquery("ranked")
    return select_rows(shape, join_results(ranked)).where(ranked.c.rank == 1)


def _ordered(shape: StatementShape, found: _Found) -> Select[*tuple[Any, ...]]:
    """Number the rows of each pair, those of the newest action first."""
    joined = found.outcomes.joined.join(
        consumer_version, consumer_version.c.id == publication.c.consumer_version_id
    ).outerjoin(provider_version, provider_version.c.id == found.result.c.provider_version_id)
    place = func.row_number().over(
        partition_by=(publication.c.consumer_id, publication.c.provider_id),
        order_by=order_by_newest(shape, provider_version.c.id),
    )
    return select(
        publication.c.id,
        publication.c.consumer_id,
        publication.c.provider_id,
        found.result.c.verification_id,
        found.result.c.provider_version_id,
        _position().label("position"),
        place.label("place"),
    ).select_from(joined)
