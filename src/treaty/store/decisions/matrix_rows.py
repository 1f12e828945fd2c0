"""Rows of the matrix: publications, each with the results that its content has from the provider versions that count.

One statement is built for each shape of a question. Where there are more rows than a response shows, `matrix_summary`
counts them by the same conditions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Connection,
    FromClause,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    not_,
    null,
    or_,
    select,
    true,
    union,
    union_all,
)

from treaty.model.decisions.matrix import MatrixRow
from treaty.model.decisions.queries import LatestBy
from treaty.store.engine.database import fetch_rows
from treaty.store.tables import content, pacticipant, publication, verification, version

MAX_BOUND_IDS: Final = 500
"""Ids from which on they are written into a statement, as databases limit how many parameters it may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixScope:
    """Whose rows a question is about."""

    versions: Sequence[int]
    """Each of them needs a result with each of the others that it has a contract with."""
    pacticipants: Sequence[int]
    """Those of which any version counts."""
    all_pacticipants: Sequence[int]
    """All pacticipants that were selected, in whatever way."""
    specified: Sequence[int]
    """Those that were asked about: each row is about one of them."""
    replaced: Sequence[int] = ()
    """Versions of those asked about that are live at the destination: they count for contracts with themselves."""
    pair: tuple[int, int] | None = None
    """The consumer and the provider whose contracts alone count."""
    is_of_one: bool
    """Whether one pacticipant is asked about, without a destination, so that anyone may be on the other side."""
    latest_by: LatestBy | None
    limit: int | None
    ignored_versions: Sequence[int] = ()
    ignored_pacticipants: Sequence[int] = ()


class RowWithIds(NamedTuple):
    """A row, and the ids of its versions."""

    row: MatrixRow
    consumer_version_id: int
    provider_version_id: int | None


class StatementShape(NamedTuple):
    """What a statement depends on."""

    has_versions: bool
    has_pacticipants: bool
    has_replaced: bool
    is_of_pair: bool
    is_of_one: bool
    has_several_versions: bool
    """Whether several versions are selected of the one pacticipant."""
    latest_by: LatestBy | None
    is_limited: bool
    has_ignored: bool
    has_many_ids: bool

    @property
    def has_only_latest(self) -> bool:
        return self.latest_by is not None

    @property
    def has_version_rows(self) -> bool:
        """Whether versions of providers have rows of their own, even without a result."""
        return self.has_versions and (self.has_several_versions or not self.is_of_one)


def derive_shape(scope: MatrixScope) -> StatementShape:
    has_many = any(
        len(ids) > MAX_BOUND_IDS
        for ids in (scope.versions, scope.all_pacticipants, scope.replaced, scope.ignored_versions)
    )
    return StatementShape(
        has_versions=bool(scope.versions),
        has_pacticipants=bool(scope.pacticipants),
        has_replaced=bool(scope.replaced),
        is_of_pair=scope.pair is not None,
        is_of_one=scope.is_of_one,
        has_several_versions=scope.is_of_one and len(scope.versions) + len(scope.pacticipants) > 1,
        latest_by=scope.latest_by,
        is_limited=scope.limit is not None,
        has_ignored=bool(scope.ignored_versions or scope.ignored_pacticipants),
        has_many_ids=has_many,
    )


NO_ID: Final = 0
"""An id that nothing has; it stands for a result or a version that is missing."""
_NOTHING: Final = (-1,)
"""A list that is not empty, and that contains no id."""


def bind_values(scope: MatrixScope, limit: int | None) -> dict[str, Any]:
    pair_consumer, pair_provider = scope.pair or (NO_ID, NO_ID)
    return {
        "pair_consumer": pair_consumer,
        "pair_provider": pair_provider,
        "versions": scope.versions,
        "pacticipants": scope.pacticipants,
        "everyone": scope.all_pacticipants,
        "specified": scope.specified,
        "replaced": scope.replaced,
        "ignored_versions": scope.ignored_versions or _NOTHING,
        "ignored_pacticipants": scope.ignored_pacticipants or _NOTHING,
        "limit": limit,
    }


def list_rows(db: Connection, scope: MatrixScope) -> list[RowWithIds]:
    """List the rows, those of the newest action first; one more than the limit, if there are more."""
    if not scope.versions and not scope.pacticipants:
        return []
    values = bind_values(scope, None if scope.limit is None else scope.limit + 1)
    return parse_rows(fetch_rows(db, _rows(derive_shape(scope)), values))


def parse_rows(found: Iterable[Any]) -> list[RowWithIds]:
    return [RowWithIds(MatrixRow._make(row[2:]), *row[:2]) for row in found]


class JoinedResults(NamedTuple):
    """Publications, or groups of them, joined with the provider versions that count and with their results."""

    joined: FromClause
    provider_version_id: ColumnElement[Any]
    conditions: tuple[ColumnElement[bool], ...] = ()


# What rows show

_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")
consumer_version: Final = version.alias("consumer_version")
provider_version: Final = version.alias("provider_version")


@lru_cache(maxsize=64)
def _rows(shape: StatementShape) -> Select[*tuple[Any, ...]]:
    """Build the statement that lists what rows show."""
    outcomes = join_outcomes(shape, publication, is_replaced(shape))
    if not shape.is_limited:
        return select_rows(shape, outcomes).where(is_selected(shape), *outcomes.conditions)
    # Rows are sorted and cut by their ids, before what they show is looked up.
    page = (
        select(
            publication.c.id,
            verification.c.id.label("verification_id"),
            outcomes.provider_version_id.label("provider_version_id"),
        )
        .select_from(outcomes.joined)
        .join(consumer_version, consumer_version.c.id == publication.c.consumer_version_id)
        .where(publication.c.id.in_(_filling(shape, _newest_of_each(shape))), *outcomes.conditions)
        .order_by(*order_by_newest(shape, outcomes.provider_version_id))
        .limit(bindparam("limit"))
        .subquery("page")
    )
    return select_rows(shape, join_results(page))


def join_results(page: Subquery) -> JoinedResults:
    """Join publications and results by their ids."""
    joined = publication.join(page, page.c.id == publication.c.id).outerjoin(
        verification, verification.c.id == page.c.verification_id
    )
    return JoinedResults(joined, page.c.provider_version_id)


def select_rows(shape: StatementShape, outcomes: JoinedResults) -> Select[*tuple[Any, ...]]:
    """Select what rows show, those of the newest action first."""
    return (
        select(
            consumer_version.c.id,
            provider_version.c.id,
            _consumer.c.name,
            consumer_version.c.number,
            consumer_version.c.position,
            _provider.c.name,
            provider_version.c.number,
            provider_version.c.position,
            content.c.sha,
            publication.c.revision,
            publication.c.created_at,
            verification.c.id,
            verification.c.success,
            verification.c.verified_at,
            (false() if shape.has_only_latest else _is_superseded()).label("is_superseded"),
        )
        .select_from(outcomes.joined)
        .join(_consumer, _consumer.c.id == publication.c.consumer_id)
        .join(_provider, _provider.c.id == publication.c.provider_id)
        .join(consumer_version, consumer_version.c.id == publication.c.consumer_version_id)
        .join(content, content.c.id == publication.c.content_id)
        .outerjoin(provider_version, provider_version.c.id == outcomes.provider_version_id)
        .order_by(*order_by_newest(shape, provider_version.c.id))
    )


def order_by_newest(shape: StatementShape, provider_version_id: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    """Order rows by their newest action: the consumer's, or the result."""
    published = consumer_version.c.created_at if shape.has_only_latest else publication.c.created_at
    is_published_last = or_(verification.c.created_at.is_(None), published > verification.c.created_at)
    last_action = case((is_published_last, published), else_=verification.c.created_at)
    result = func.coalesce(verification.c.id, NO_ID)
    return last_action.desc(), publication.c.id.desc(), result.desc(), func.coalesce(provider_version_id, NO_ID).desc()


def _is_superseded() -> ColumnElement[bool]:
    has_newer_result = and_(verification.c.id.is_not(None), not_(verification.c.is_latest))
    return or_(not_(publication.c.is_current), has_newer_result)


# Which publications


def is_selected(shape: StatementShape) -> ColumnElement[bool]:
    """Restrict publications to those that have rows."""
    return publication.c.id.in_(_of_one(shape)) if shape.is_of_one else or_(*_chosen(shape))


def _chosen(shape: StatementShape) -> Iterable[ColumnElement[bool]]:
    """Yield the condition of the publications between those selected, for each way in which consumers were selected."""
    if shape.is_of_pair:
        is_consumer = publication.c.consumer_id == bindparam("pair_consumer")
        yield and_(is_consumer, publication.c.provider_id == bindparam("pair_provider"), *_current(shape))
        return
    # As an expression it is no part of the index's key: else each version would be looked up with each provider. Those
    # asked about are expressions, too: else all that they ever published would be looked at.
    consumer_id, provider_id = publication.c.consumer_id + 0, publication.c.provider_id + 0
    is_about_specified = or_(_ids(shape, consumer_id, "specified"), _ids(shape, provider_id, "specified"))
    restricted = and_(_ids(shape, provider_id, "everyone"), *_current(shape), is_about_specified)
    ways = list(_either(shape, publication.c.consumer_version_id, publication.c.consumer_id))
    for way in ways if shape.is_limited else [or_(*ways)]:
        yield and_(way, restricted)
    if shape.has_replaced:
        yield and_(is_replaced(shape), publication.c.consumer_id == publication.c.provider_id, *_current(shape))


def is_replaced(shape: StatementShape) -> ColumnElement[bool]:
    """Tell whether a publication is of a version that is live at the destination, and would be replaced."""
    return _ids(shape, publication.c.consumer_version_id, "replaced") if shape.has_replaced else false()


def _either(
    shape: StatementShape, version_id: ColumnElement[int], pacticipant_id: ColumnElement[int]
) -> Iterable[ColumnElement[bool]]:
    if shape.has_versions:
        yield _ids(shape, version_id, "versions")
    if shape.has_pacticipants:
        yield _ids(shape, pacticipant_id, "pacticipants")


def _ids(shape: StatementShape, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column.in_(bindparam(name, expanding=True, literal_execute=shape.has_many_ids))


def _current(shape: StatementShape) -> tuple[ColumnElement[bool], ...]:
    return (publication.c.is_current,) if shape.has_only_latest else ()


def _of_one(shape: StatementShape) -> CompoundSelect[Any]:
    """Select what one selector has published, and what others have published and it has verified.

    A contract of a pacticipant with itself is decided by the versions that were selected.
    """
    published = or_(*_either(shape, publication.c.consumer_version_id, publication.c.consumer_id))
    verified = or_(*_either(shape, verification.c.provider_version_id, publication.c.provider_id))
    with_result = publication.join(verification, verification.c.content_id == publication.c.content_id)
    return union(
        select(publication.c.id).where(published, *_current(shape)),
        select(publication.c.id).select_from(with_result).where(verified, _is_of_others(publication), *_current(shape)),
    )


def _newest_of_each(shape: StatementShape) -> Select[*tuple[Any, ...]] | CompoundSelect[Any]:
    """Select the newest publications up to the limit, for each way in which consumers were selected."""
    conditions = [is_selected(shape)] if shape.is_of_one else list(_chosen(shape))
    newest = [select_newest(shape, select(publication.c.id).where(one), publication) for one in conditions]
    return union(*newest) if len(newest) > 1 else newest[0]


def _filling(shape: StatementShape, ids: Select[Any] | CompoundSelect[Any]) -> Select[Any] | CompoundSelect[Any]:
    """Take only as many of the newest publications as have rows to fill the limit.

    Where any version counts, each publication may have hundreds of results. They are counted by content.
    """
    if shape.has_version_rows:
        return ids
    newest = select(publication).where(publication.c.id.in_(ids)).cte("newest")
    columns = (newest.c.content_id, newest.c.consumer_id, newest.c.provider_id)
    groups = select(*columns).distinct().subquery("groups")
    joined = join_outcomes(shape, groups, false()).joined
    sizes = select(groups.c.content_id, func.count().label("number")).select_from(joined).group_by(groups.c.content_id)
    size = sizes.subquery("size")
    before = func.sum(size.c.number).over(order_by=_age(shape, newest)) - size.c.number
    counted = select(newest.c.id, before.label("before")).join(size, size.c.content_id == newest.c.content_id)
    numbered = counted.subquery("counted")
    return select(numbered.c.id).where(numbered.c.before < bindparam("limit"))


def _age(shape: StatementShape, published: FromClause) -> tuple[ColumnElement[Any], ...]:
    """Order publications by their age, the newest first. Ids are given in order of time, and are indexed."""
    by_version = (published.c.consumer_version_id.desc(),) if shape.has_only_latest else ()
    return (*by_version, published.c.id.desc())


def select_newest(shape: StatementShape, ids: Select[Any], published: FromClause) -> Select[Any]:
    """Take the newest publications only, up to the limit."""
    newest = ids.order_by(*_age(shape, published)).limit(bindparam("limit")).subquery()
    return select(newest.c.id)


# Which results


def join_outcomes(shape: StatementShape, published: FromClause, is_replaced: ColumnElement[bool]) -> JoinedResults:
    """Join publications, or groups of them, with the provider versions that count and with their results."""
    if shape.has_version_rows:
        return _outcomes_of_versions(shape, published, is_replaced)
    counts = _counts_for_any(shape, published)
    joined = published.outerjoin(verification, and_(_has_same_content(shape, published), counts))
    return JoinedResults(joined, verification.c.provider_version_id)


def _counts_for_any(shape: StatementShape, published: FromClause) -> ColumnElement[bool]:
    """Restrict results where no version of the provider has a row of its own."""
    counts = or_(*_either(shape, verification.c.provider_version_id, published.c.provider_id))
    if not shape.is_of_one:
        return counts
    # Any provider may have verified what was published, except for contracts of a pacticipant with itself.
    return or_(counts, and_(_ids(shape, published.c.consumer_id, "everyone"), _is_of_others(published)))


def _is_of_others(published: FromClause) -> ColumnElement[bool]:
    return published.c.consumer_id != published.c.provider_id


def _outcomes_of_versions(
    shape: StatementShape, published: FromClause, is_replaced: ColumnElement[bool]
) -> JoinedResults:
    """Join each publication with each version of its provider that was selected, whether that has a result or not."""
    selected = _selected(shape)
    counts = selected.c.pacticipant_id == published.c.provider_id
    if shape.is_of_one:
        counts = and_(counts, not_(_is_of_others(published)))
    if shape.has_replaced:
        is_of_itself = and_(published.c.consumer_id == published.c.provider_id, not_(is_replaced))
        counts = and_(counts, or_(not_(selected.c.is_replaced), is_of_itself))
    is_by_version = verification.c.provider_version_id == selected.c.id
    conditions: tuple[ColumnElement[bool], ...] = ()
    if shape.has_pacticipants:
        is_any = _ids(shape, published.c.provider_id, "pacticipants")
        is_other = not_(_ids(shape, verification.c.provider_version_id, "versions"))
        is_by_version = or_(is_by_version, and_(selected.c.id.is_(None), is_any, is_other))
        conditions = (_is_needed(selected, published),)
    if shape.is_of_one:
        is_by_version = or_(is_by_version, and_(_is_of_others(published), _counts_for_any(shape, published)))
    same_content = _has_same_content(shape, published)
    joined = published.outerjoin(selected, counts).outerjoin(verification, and_(same_content, is_by_version))
    return JoinedResults(joined, func.coalesce(verification.c.provider_version_id, selected.c.id), conditions)


def _has_same_content(shape: StatementShape, published: FromClause) -> ColumnElement[bool]:
    latest = (verification.c.is_latest,) if shape.has_only_latest else ()
    return and_(verification.c.content_id == published.c.content_id, *latest)


def _selected(shape: StatementShape) -> CTE:
    """Select the versions that count as providers.

    A pacticipant of which any version counts has a row without a version, which stands for all that are not selected.
    """
    columns = (version.c.id, version.c.pacticipant_id)
    parts = [select(*columns, false().label("is_replaced")).where(_ids(shape, version.c.id, "versions"))]
    if shape.has_replaced:
        parts.append(select(*columns, true()).where(_ids(shape, version.c.id, "replaced")))
    if shape.has_pacticipants:
        is_any = _ids(shape, pacticipant.c.id, "pacticipants")
        parts.append(select(cast(null(), version.c.id.type), pacticipant.c.id, false()).where(is_any))
    chosen = union_all(*parts) if len(parts) > 1 else parts[0]
    return chosen.cte("selected").prefix_with("MATERIALIZED")


def _is_needed(selected: CTE, published: FromClause) -> ColumnElement[bool]:
    """Leave out the row of any version that has no result where selected versions have rows."""
    other = selected.alias("other")
    is_version = and_(other.c.id.is_not(None), not_(other.c.is_replaced))
    has_versions = exists().where(other.c.pacticipant_id == published.c.provider_id, is_version)
    return or_(verification.c.id.is_not(None), selected.c.id.is_not(None), not_(has_versions))
