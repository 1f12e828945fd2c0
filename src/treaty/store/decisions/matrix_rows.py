"""Rows of the matrix: publications, joined with the results that their content has from the selected provider versions.

A statement is built once for each shape of a query, because one statement for all shapes (`... OR :is_any`) would keep
the databases from using an index. Where there are more rows than a response shows, `matrix_summary` counts them with
the same joins and conditions, so that both modules agree on which rows exist.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Connection,
    FromClause,
    Integer,
    ScalarSelect,
    Select,
    Subquery,
    Table,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    literal_column,
    not_,
    null,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.types import TypeEngine

from treaty.model.decisions.matrix import MatrixRow
from treaty.model.decisions.queries import LatestBy
from treaty.store.engine.database import fetch_rows
from treaty.store.tables import content, integration, pacticipant, publication, verification, version

MAX_BOUND_IDS: Final = 500
"""Longer lists of ids are rendered into the statement, since databases limit the number of its parameters."""


class MatrixScope(NamedTuple):
    """The versions and pacticipants whose rows a query selects, by id."""

    version_ids: Sequence[int]
    """Each of these versions needs a result with each of the others that it has a contract with."""
    whole_pacticipant_ids: Sequence[int]
    """Pacticipants selected as a whole: any of their versions counts."""
    pacticipant_ids: Sequence[int]
    """All selected pacticipants, whether as a whole, by version, or by a selector that matches no version."""
    specified_pacticipant_ids: Sequence[int]
    """The pacticipants that the query names: each row has one of them on either side.

    The others are inferred from the destination. What they have between themselves is no part of the query.
    """
    is_single_pacticipant: bool
    """Whether the query names one pacticipant and no destination, so that any other may be its partner."""
    latest_by: LatestBy | None
    limit: int | None
    replaced_version_ids: Sequence[int] = ()
    """Versions that the specified ones would replace at the destination. They count only for contracts of a pacticipant
    with itself, since old and new version run side by side during a deployment."""
    pair: tuple[int, int] | None = None
    """Consumer and provider, if only contracts in this direction count."""
    ignored_version_ids: Sequence[int] = ()
    ignored_pacticipant_ids: Sequence[int] = ()


class RowWithIds(NamedTuple):
    """A row, with the ids of its versions."""

    row: MatrixRow
    consumer_version_id: int
    provider_version_id: int | None
    content_id: int
    documents_sha: str | None
    """The documents of the provider version, if it has a contract."""


class StatementShape(NamedTuple):
    """The properties of a scope that determine the text of its statements: the key of their cache."""

    has_versions: bool
    has_whole_pacticipants: bool
    has_replaced_versions: bool
    has_inferred: bool
    """Whether pacticipants are selected that the query does not name."""
    is_pair: bool
    is_single_pacticipant: bool
    has_several_versions: bool
    """Whether several versions are selected of the single pacticipant."""
    latest_by: LatestBy | None
    is_limited: bool
    has_ignored: bool
    has_many_ids: bool

    @property
    def has_only_latest(self) -> bool:
        """Whether overwritten revisions and superseded results have no rows.

        As in the original, any `latestby` leaves them out before it groups the rows.
        """
        return self.latest_by is not None

    @property
    def has_version_rows(self) -> bool:
        """Whether a selected provider version without a result has a row too.

        A provider version without a result must make the verdict unknown, even if another version has verified the
        pact: both are deployed. The original has no row for it, and answers yes.
        """
        return self.has_versions and (self.has_several_versions or not self.is_single_pacticipant)

    @property
    def has_whole_contents(self) -> bool:
        """Whether all current publications of a content have rows if one of them has any, and these are alike."""
        if not self.has_only_latest or self.has_ignored or self.has_replaced_versions:
            return False
        has_only_whole_pacticipants = not (self.has_versions or self.has_inferred or self.is_single_pacticipant)
        return self.is_pair or has_only_whole_pacticipants


def derive_shape(scope: MatrixScope) -> StatementShape:
    has_many_ids = any(
        len(ids) > MAX_BOUND_IDS
        for ids in (scope.version_ids, scope.pacticipant_ids, scope.replaced_version_ids, scope.ignored_version_ids)
    )
    return StatementShape(
        has_versions=bool(scope.version_ids),
        has_whole_pacticipants=bool(scope.whole_pacticipant_ids),
        has_replaced_versions=bool(scope.replaced_version_ids),
        has_inferred=not set(scope.pacticipant_ids) <= set(scope.specified_pacticipant_ids),
        is_pair=scope.pair is not None,
        is_single_pacticipant=scope.is_single_pacticipant,
        has_several_versions=scope.is_single_pacticipant
        and len(scope.version_ids) + len(scope.whole_pacticipant_ids) > 1,
        latest_by=scope.latest_by,
        is_limited=scope.limit is not None,
        has_ignored=bool(scope.ignored_version_ids or scope.ignored_pacticipant_ids),
        has_many_ids=has_many_ids,
    )


NO_ID: Final = 0
"""An id that no row has; it replaces NULL where a result or a version is missing."""
_ZERO: Final = literal_column("0", Integer)
"""Added to a column, it keeps databases from using an index of it."""
_NO_MATCH: Final = (-1,)
"""Ids that match no row, for a list without ids: a statement contains both ignored lists if it contains one."""


def _hide(parameter: str, kind: TypeEngine[Any]) -> ScalarSelect[Any]:
    """Return a parameter as a subquery, whose value PostgreSQL does not see when it plans.

    Otherwise it would plan each execution where the values select fewer rows than it expects of any: a pair with fewer
    publications than the average, or a limit below a tenth of the rows.
    """
    return select(bindparam(parameter, type_=kind)).scalar_subquery()


_LIMIT: Final = _hide("limit", Integer())


def bind_values(scope: MatrixScope, limit: int | None) -> dict[str, Any]:
    pair_consumer, pair_provider = scope.pair or (NO_ID, NO_ID)
    return {
        "pair_consumer": pair_consumer,
        "pair_provider": pair_provider,
        "version_ids": scope.version_ids,
        "whole_pacticipant_ids": scope.whole_pacticipant_ids,
        "pacticipant_ids": scope.pacticipant_ids,
        "specified_pacticipant_ids": scope.specified_pacticipant_ids,
        "replaced_version_ids": scope.replaced_version_ids,
        "ignored_version_ids": scope.ignored_version_ids or _NO_MATCH,
        "ignored_pacticipant_ids": scope.ignored_pacticipant_ids or _NO_MATCH,
        "limit": limit,
    }


def list_rows(db: Connection, scope: MatrixScope) -> list[RowWithIds]:
    """List the rows, the newest action first, up to one more than the limit: the last shows that there are more."""
    if not scope.version_ids and not scope.whole_pacticipant_ids:
        return []
    values = bind_values(scope, None if scope.limit is None else scope.limit + 1)
    return parse_rows(fetch_rows(db, _rows_statement(derive_shape(scope)), values))


def parse_rows(rows: Iterable[Any]) -> list[RowWithIds]:
    """Convert rows of `select_rows`, whose first columns are those of `RowWithIds` after the row."""
    return [RowWithIds(MatrixRow._make(row[4:]), *row[:4]) for row in rows]


class JoinedResults(NamedTuple):
    """Publications, or groups of publications, joined with the selected provider versions and their results."""

    joined: FromClause
    provider_version_id: ColumnElement[Any]
    conditions: tuple[ColumnElement[bool], ...] = ()


# Columns and order of rows

_Columns = Mapping[str, ColumnElement[Any]] | ReadOnlyColumnCollection[str, Any]
_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")
consumer_version: Final = version.alias("consumer_version")
provider_version: Final = version.alias("provider_version")


_PUBLISHED: Final[Mapping[str, ColumnElement[Any]]] = {
    "publication_id": publication.c.id,
    "consumer_id": publication.c.consumer_id,
    "provider_id": publication.c.provider_id,
    "content_id": publication.c.content_id,
    "revision": publication.c.revision,
    "published_at": publication.c.created_at,
    "is_current": publication.c.is_current,
    "consumer_version_id": consumer_version.c.id,
    "consumer_version_number": consumer_version.c.number,
    "consumer_version_position": consumer_version.c.position,
    "consumer_version_created_at": consumer_version.c.created_at,
}
"""The properties of a publication that its rows have or are sorted by."""
_NAMES: Final[Mapping[str, ColumnElement[Any]]] = {
    "consumer": _consumer.c.name,
    "provider": _provider.c.name,
    "sha": content.c.sha,
}


@lru_cache(maxsize=64)
def _rows_statement(shape: StatementShape) -> Select[*tuple[Any, ...]]:
    """Build the statement that lists the rows."""
    if not shape.is_limited:
        results = join_results(shape, publication, is_replaced(shape, publication))
        return select_rows(shape, results).where(is_selected(shape), *results.conditions)
    newest = _newest_publications(shape)
    if shape.has_version_rows:
        return _select_version_rows(shape, select(newest.c.id))
    return select_rows_of(shape, _take_until_full(shape, newest))


def select_rows_of(
    shape: StatementShape, ids: Select[Any], *conditions: ColumnElement[bool]
) -> Select[*tuple[Any, ...]]:
    """Select the newest rows of publications whose results meet conditions, for shapes without version rows."""
    published = describe_publications(ids)
    return select_newest_rows(shape, published, join_results(shape, published, false())._replace(conditions=conditions))


def _select_version_rows(shape: StatementShape, ids: Select[Any]) -> Select[*tuple[Any, ...]]:
    """Select the newest rows of publications, most of which have a row for each selected version.

    Unlike `select_newest_rows`, this looks up the names last. PostgreSQL would compare each described publication with
    each version, since it has no statistics of either.
    """
    results = join_results(shape, publication, is_replaced(shape, publication))
    results = results._replace(conditions=(publication.c.id.in_(ids), *results.conditions))
    joined = _join_consumer_version(results.joined)
    page = _select_page(joined_columns(shape, results), joined, results)
    return _complete_rows({**page.c, **_NAMES}, _join_names(page, page.c))


def describe_publications(ids: Select[Any]) -> CTE:
    """Select the properties and names of publications, for `select_newest_rows`.

    A publication may have a hundred rows. Materialized, so that its names are not looked up for each of them.
    """
    columns = (column.label(name) for name, column in {**_PUBLISHED, **_NAMES}.items())
    joined = _join_names(_join_consumer_version(publication), publication.c)
    described = select(*columns).select_from(joined).where(publication.c.id.in_(ids))
    return described.cte("described").prefix_with("MATERIALIZED")


def select_newest_rows(shape: StatementShape, published: CTE, results: JoinedResults) -> Select[*tuple[Any, ...]]:
    """Select the fields of the newest rows up to the limit, of publications from `describe_publications`."""
    page = _select_page(_row_columns(shape, published.c, results), results.joined, results)
    return _complete_rows(page.c, page)


def _select_page(columns: _Columns, joined: FromClause, results: JoinedResults) -> Subquery:
    """Sort the rows, and cut them at the limit.

    The limit may remove thousands of them, whose other names and numbers need not be looked up. PostgreSQL also plans
    two statements with few tables faster than one with many.
    """
    return (
        select(*(column.label(name) for name, column in columns.items()))
        .select_from(joined)
        .where(*results.conditions)
        .order_by(*order_by_newest(columns))
        .limit(_LIMIT)
        .subquery("page")
    )


def join_page(page: Subquery) -> JoinedResults:
    """Join publications and results with a page of their ids."""
    joined = publication.join(page, page.c.id == publication.c.id).outerjoin(
        verification, verification.c.id == page.c.verification_id
    )
    return JoinedResults(joined, page.c.provider_version_id)


def select_rows(shape: StatementShape, results: JoinedResults) -> Select[*tuple[Any, ...]]:
    """Select the ids of both versions and the fields of `MatrixRow`, the newest action first."""
    joined = _join_names(_join_consumer_version(results.joined), publication.c)
    return _complete_rows({**joined_columns(shape, results), **_NAMES}, joined)


def _join_consumer_version(published: FromClause) -> FromClause:
    return published.join(consumer_version, consumer_version.c.id == publication.c.consumer_version_id)


def _join_names(published: FromClause, columns: _Columns) -> FromClause:
    return (
        published.join(_consumer, _consumer.c.id == columns["consumer_id"])
        .join(_provider, _provider.c.id == columns["provider_id"])
        .join(content, content.c.id == columns["content_id"])
    )


def joined_columns(shape: StatementShape, results: JoinedResults) -> dict[str, ColumnElement[Any]]:
    """Return what publications, their consumer versions and results contribute to rows."""
    return _row_columns(shape, _PUBLISHED, results)


def _row_columns(shape: StatementShape, published: _Columns, results: JoinedResults) -> dict[str, ColumnElement[Any]]:
    """Add the properties of results to those of publications."""
    return {
        **published,
        "verification_id": verification.c.id,
        "success": verification.c.success,
        "verified_at": verification.c.verified_at,
        "is_superseded": false() if shape.has_only_latest else _is_superseded(published["is_current"]),
        "comparison_id": verification.c.comparison_id,
        "provider_version_id": results.provider_version_id,
        "last_action_at": _last_action(shape, published),
    }


def _complete_rows(columns: _Columns, joined: FromClause) -> Select[*tuple[Any, ...]]:
    """Look up the provider versions of rows."""
    return (
        select(
            columns["consumer_version_id"],
            provider_version.c.id,
            columns["content_id"],
            provider_version.c.documents_sha,
            columns["consumer"],
            columns["consumer_version_number"],
            columns["consumer_version_position"],
            columns["provider"],
            provider_version.c.number,
            provider_version.c.position,
            columns["sha"],
            columns["revision"],
            columns["published_at"],
            columns["verification_id"],
            columns["success"],
            columns["verified_at"],
            columns["is_superseded"],
            columns["comparison_id"],
            provider_version.c.is_self_verified,
        )
        .select_from(joined)
        .outerjoin(provider_version, provider_version.c.id == columns["provider_version_id"])
        .order_by(*order_by_newest(columns))
    )


def order_by_newest(columns: _Columns) -> tuple[ColumnElement[Any], ...]:
    """Order rows by their last action, the newest first."""
    # Ids break ties, so that both databases return the same page.
    return (
        columns["last_action_at"].desc(),
        columns["publication_id"].desc(),
        func.coalesce(columns["verification_id"], NO_ID).desc(),
        func.coalesce(columns["provider_version_id"], NO_ID).desc(),
    )


def _last_action(shape: StatementShape, published: _Columns) -> ColumnElement[Any]:
    """Select the time of a row's last action, publication or result, by which the original sorts.

    With `latestby` the time of a publication is that of its consumer version.
    """
    published_at = published["consumer_version_created_at" if shape.has_only_latest else "published_at"]
    is_published_last = or_(verification.c.created_at.is_(None), published_at > verification.c.created_at)
    return case((is_published_last, published_at), else_=verification.c.created_at)


def _is_superseded(is_current: ColumnElement[bool]) -> ColumnElement[bool]:
    has_newer_result = and_(verification.c.id.is_not(None), not_(verification.c.is_latest))
    return or_(not_(is_current), has_newer_result)


# Publications: the consumer's side


def is_selected(shape: StatementShape) -> ColumnElement[bool]:
    """Restrict publications to those that have rows."""
    if shape.is_single_pacticipant:
        return publication.c.id.in_(_publications_of_single(shape))
    return or_(*_publication_conditions(shape))


def _publication_conditions(shape: StatementShape) -> Iterable[ColumnElement[bool]]:
    """Yield the conditions of publications between the selected pacticipants; one of them must hold."""
    if shape.is_pair:
        yield and_(*_is_of_pair(publication), *_is_current(shape))
        return
    # Adding 0 turns the columns into expressions, which no index has. The publications are few once their consumer
    # versions are known. With the bare columns, SQLite would look up each version with each provider, or read all that
    # the specified pacticipants have ever published. (tests/store/test_matrix_plans.py asserts the plan.)
    consumer_id, provider_id = publication.c.consumer_id + _ZERO, publication.c.provider_id + _ZERO
    has_provider = _is_in(shape, provider_id, "pacticipant_ids")
    restrictions = [*_is_current(shape)]
    if shape.has_inferred:
        is_about_specified = or_(
            _is_in(shape, consumer_id, "specified_pacticipant_ids"),
            _is_in(shape, provider_id, "specified_pacticipant_ids"),
        )
        # Left out where it is always true: PostgreSQL would expect few publications, and join them in nested loops.
        restrictions.append(is_about_specified)
    if not shape.is_limited:
        alternatives = _match_selected(shape, publication.c.consumer_version_id, publication.c.consumer_id)
        yield and_(or_(*alternatives), has_provider, *restrictions)
    else:
        # Each alternative takes its own newest publications, by an index of its own.
        if shape.has_versions:
            is_of_version = _is_in(shape, publication.c.consumer_version_id, "version_ids")
            yield and_(is_of_version, has_provider, *restrictions)
        if shape.has_whole_pacticipants:
            yield and_(_is_of_whole_consumer(shape, publication), *restrictions)
    if shape.has_replaced_versions:
        # A replaced version is the consumer only of the new version of the same pacticipant.
        is_with_itself = publication.c.consumer_id == publication.c.provider_id
        yield and_(is_replaced(shape, publication), is_with_itself, *_is_current(shape))


def is_selected_content(shape: StatementShape) -> ColumnElement[bool]:
    """Restrict contents to those whose publications have rows, for shapes with `has_whole_contents`."""
    return and_(*_is_of_pair(content)) if shape.is_pair else _is_of_whole_consumer(shape, content)


def _is_of_pair(table: Table) -> Iterable[ColumnElement[bool]]:
    """Restrict rows to those of the pair."""
    yield table.c.consumer_id == _hide("pair_consumer", Integer())
    yield table.c.provider_id == _hide("pair_provider", Integer())


def _is_of_whole_consumer(shape: StatementShape, table: Table) -> ColumnElement[bool]:
    """Whether a row is of a consumer that is selected as a whole and of a selected provider.

    The integrations between the selected pacticipants select the rows. With the ids alone, PostgreSQL would expect as
    many rows as an average consumer has; where these consumers have fewer, it would plan the statement for each
    execution. Adding 0 to the provider keeps SQLite from looking up each consumer with each provider.
    """
    pairs = select(integration.c.consumer_id, integration.c.provider_id).where(
        _is_in(shape, integration.c.consumer_id, "whole_pacticipant_ids"),
        _is_in(shape, integration.c.provider_id + _ZERO, "pacticipant_ids"),
    )
    return tuple_(table.c.consumer_id, table.c.provider_id).in_(pairs)


def is_replaced(shape: StatementShape, published: FromClause) -> ColumnElement[bool]:
    """Whether a publication is that of a version which would be replaced at the destination."""
    if not shape.has_replaced_versions:
        return false()
    return _is_in(shape, published.c.consumer_version_id, "replaced_version_ids")


def _match_selected(
    shape: StatementShape, version_id: ColumnElement[int], pacticipant_id: ColumnElement[int]
) -> Iterable[ColumnElement[bool]]:
    """Yield the conditions under which a version is selected: itself, or by its pacticipant."""
    if shape.has_versions:
        yield _is_in(shape, version_id, "version_ids")
    if shape.has_whole_pacticipants:
        yield _is_in(shape, pacticipant_id, "whole_pacticipant_ids")


def _is_in(shape: StatementShape, column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    return column.in_(bindparam(parameter, expanding=True, literal_execute=shape.has_many_ids))


def _is_current(shape: StatementShape) -> tuple[ColumnElement[bool], ...]:
    return (publication.c.is_current,) if shape.has_only_latest else ()


def _publications_of_single(shape: StatementShape) -> CompoundSelect[Any]:
    """Select what the single pacticipant has published, and what it has verified of others' publications.

    What others have published and it has not verified has no row, as in the original: without a destination it
    is unknown which of their versions matter. A contract with itself has rows for the selected versions only.
    """
    is_publisher = or_(*_match_selected(shape, publication.c.consumer_version_id, publication.c.consumer_id))
    is_verifier = or_(*_match_selected(shape, verification.c.provider_version_id, publication.c.provider_id))
    with_results = publication.join(verification, verification.c.content_id == publication.c.content_id)
    # A union, because an OR across two tables would prevent the use of their indexes.
    return union(
        select(publication.c.id).where(is_publisher, *_is_current(shape)),
        select(publication.c.id)
        .select_from(with_results)
        .where(is_verifier, _is_between_others(publication), *_is_current(shape)),
    )


COUNT: Final = cast(func.count(), Integer).label("number")
"""Number of rows. PostgreSQL adds up integers faster than the bigint of `count`, whose sum is a numeric."""
PUBLISHED_IDS: Final = tuple(
    publication.c[name] for name in ("id", "consumer_version_id", "content_id", "consumer_id", "provider_id")
)


def _newest_publications(shape: StatementShape) -> CTE:
    """Select the newest publications up to the limit, for each condition by itself.

    Each publication has a row at least, so more are never needed to fill the limit.
    """
    conditions = [is_selected(shape)] if shape.is_single_pacticipant else list(_publication_conditions(shape))
    newest = [select_newest(shape, select(*PUBLISHED_IDS).where(condition), publication) for condition in conditions]
    return (union(*newest) if len(newest) > 1 else newest[0]).cte("newest")


def _take_until_full(shape: StatementShape, newest: CTE) -> Select[Any]:
    """Select the ids of the newest publications until their rows fill the limit.

    Where any version of the provider counts, each publication may have hundreds of results, all of which would be
    joined and sorted. Publications with the same content have the same number of results, so that number is counted
    once for each content.
    """
    columns = (newest.c.content_id, newest.c.consumer_id, newest.c.provider_id)
    groups = select(*columns).distinct().subquery("groups")
    joined = join_results(shape, groups, false()).joined
    numbers = select(groups.c.content_id, COUNT).select_from(joined).group_by(groups.c.content_id)
    # Materialized, so that it is evaluated once. PostgreSQL expects so few publications that it would do so for each.
    count = numbers.cte("count").prefix_with("MATERIALIZED")
    rows_before = func.sum(count.c.number).over(order_by=_order_by_age(shape, newest)) - count.c.number
    counted = select(newest.c.id, rows_before.label("rows_before")).join(
        count, count.c.content_id == newest.c.content_id
    )
    numbered = counted.subquery("numbered")
    return select(numbered.c.id).where(numbered.c.rows_before < bindparam("limit"))


def _order_by_age(shape: StatementShape, published: FromClause) -> tuple[ColumnElement[Any], ...]:
    """Order publications by age, the newest first. Ids are assigned in order of time.

    Those of a pair are in the order of `ix_publication_newest`, and a version has one that is current. For others,
    adding 0 turns the columns into expressions: PostgreSQL would look for the few publications in the order of an
    index, and read all others that are newer.
    """
    if shape.is_pair and shape.has_only_latest:
        return (published.c.consumer_version_id.desc(),)
    by_version = ((published.c.consumer_version_id + _ZERO).desc(),) if shape.has_only_latest else ()
    return (*by_version, (published.c.id + _ZERO).desc())


def select_newest(shape: StatementShape, selected: Select[Any], published: FromClause) -> Select[Any]:
    """Select the newest of these publications up to the limit."""
    return select(selected.order_by(*_order_by_age(shape, published)).limit(_LIMIT).subquery())


# Results: the provider's side


def join_results(shape: StatementShape, published: FromClause, is_replaced: ColumnElement[bool]) -> JoinedResults:
    """Join publications, or groups of them, with the selected provider versions and with their results.

    The join is an outer one: a publication without a result has a row too, which makes the verdict unknown.
    """
    if shape.has_version_rows:
        return _join_versions_and_results(shape, published, is_replaced)
    is_result = and_(_has_same_content(shape, published), _counts_as_any_version(shape, published))
    joined = published.outerjoin(verification, is_result)
    return JoinedResults(joined, verification.c.provider_version_id)


def _counts_as_any_version(shape: StatementShape, published: FromClause) -> ColumnElement[bool]:
    """Restrict results where no version of the provider is selected by itself."""
    is_selected = or_(*_match_selected(shape, verification.c.provider_version_id, published.c.provider_id))
    if not shape.is_single_pacticipant:
        return is_selected
    # Without a destination, any version of any provider counts. A contract of the pacticipant with itself is different:
    # the selected versions are the provider as well.
    is_consumer = _is_in(shape, published.c.consumer_id, "pacticipant_ids")
    return or_(is_selected, and_(is_consumer, _is_between_others(published)))


def _is_between_others(published: FromClause) -> ColumnElement[bool]:
    """Whether consumer and provider are different pacticipants."""
    return published.c.consumer_id != published.c.provider_id


def _join_versions_and_results(
    shape: StatementShape, published: FromClause, is_replaced: ColumnElement[bool]
) -> JoinedResults:
    """Join each publication with each selected version of its provider, whether that has a result or not."""
    selected = _selected_versions(shape)
    is_provider = selected.c.pacticipant_id == published.c.provider_id
    if shape.is_single_pacticipant:
        # Its versions are providers of its contracts with itself. With others, all results count (see below).
        is_provider = and_(is_provider, not_(_is_between_others(published)))
    if shape.has_replaced_versions:
        # The new version and the replaced one must work in both directions: each as the consumer of the other. But
        # replaced versions among themselves already run, and no decision depends on them.
        is_of_new_version = and_(published.c.consumer_id == published.c.provider_id, not_(is_replaced))
        is_provider = and_(is_provider, or_(not_(selected.c.is_replaced), is_of_new_version))
    is_by_version = verification.c.provider_version_id == selected.c.id
    conditions: tuple[ColumnElement[bool], ...] = ()
    if shape.has_whole_pacticipants:
        # The entry without a version takes the results of all versions that have no entry of their own.
        is_whole = _is_in(shape, published.c.provider_id, "whole_pacticipant_ids")
        has_no_entry = not_(_is_in(shape, verification.c.provider_version_id, "version_ids"))
        is_by_version = or_(is_by_version, and_(selected.c.id.is_(None), is_whole, has_no_entry))
        conditions = (_is_needed(selected, published),)
    if shape.is_single_pacticipant:
        is_by_version = or_(
            is_by_version, and_(_is_between_others(published), _counts_as_any_version(shape, published))
        )
    same_content = _has_same_content(shape, published)
    joined = published.outerjoin(selected, is_provider).outerjoin(verification, and_(same_content, is_by_version))
    return JoinedResults(joined, func.coalesce(verification.c.provider_version_id, selected.c.id), conditions)


def _has_same_content(shape: StatementShape, published: FromClause) -> ColumnElement[bool]:
    """Match results by content: a version whose pact was verified under an earlier version is verified already."""
    latest = (verification.c.is_latest,) if shape.has_only_latest else ()
    return and_(verification.c.content_id == published.c.content_id, *latest)


def _selected_versions(shape: StatementShape) -> CTE:
    """Select an entry for each version that counts as a provider.

    A pacticipant selected as a whole has an entry without a version, which stands for all versions without an entry of
    their own.
    """
    columns = (version.c.id, version.c.pacticipant_id)
    parts = [select(*columns, false().label("is_replaced")).where(_is_in(shape, version.c.id, "version_ids"))]
    if shape.has_replaced_versions:
        parts.append(select(*columns, true()).where(_is_in(shape, version.c.id, "replaced_version_ids")))
    if shape.has_whole_pacticipants:
        is_whole = _is_in(shape, pacticipant.c.id, "whole_pacticipant_ids")
        parts.append(select(cast(null(), version.c.id.type), pacticipant.c.id, false()).where(is_whole))
    entries = union_all(*parts) if len(parts) > 1 else parts[0]
    # Materialized, so that it is evaluated once and not for each publication.
    return entries.cte("selected").prefix_with("MATERIALIZED")


def _is_needed(selected: CTE, published: FromClause) -> ColumnElement[bool]:
    """Leave out the row of an entry without version and result, where versions of the provider have rows.

    Otherwise it would add a missing result, although the selected versions already show whether one is missing.
    """
    other = selected.alias("other")
    is_version = and_(other.c.id.is_not(None), not_(other.c.is_replaced))
    has_versions = exists().where(other.c.pacticipant_id == published.c.provider_id, is_version)
    return or_(verification.c.id.is_not(None), selected.c.id.is_not(None), not_(has_versions))
