"""Rows of the matrix: publications, each with the results that its content got.

One statement is built for each shape of a question. Publications and verifications are restricted by whatever narrows
them most before they are joined with what a row shows of them.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    FromClause,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    or_,
    select,
    union,
)

from treaty.model.matrix import Row
from treaty.store.database import rows
from treaty.store.tables import content, pacticipant, publication, verification, version

MANY: Final = 500
"""Ids from which on they are written into a statement, as databases limit how many parameters it may have."""


class Scope(NamedTuple):
    """Whose rows are wanted."""

    versions: Sequence[int]
    pacticipants: Sequence[int]
    """Those of which any version counts."""
    everyone: Sequence[int]
    """All pacticipants that were selected, in whatever way."""
    specified: Sequence[int]
    """Those that were asked about: each row is about one of them."""
    is_of_one: bool
    """Whether there was one selector, so that it does not matter who is on the other side."""
    only_latest: bool
    limit: int | None


class RowWithIds(NamedTuple):
    """A row, and the ids of its versions."""

    row: Row
    consumer_version_id: int
    provider_version_id: int | None


class _Shape(NamedTuple):
    has_versions: bool
    has_pacticipants: bool
    is_of_one: bool
    only_latest: bool
    is_limited: bool
    has_many: bool


def of(db: Connection, scope: Scope) -> list[RowWithIds]:
    """List the rows, those of the newest action first."""
    if not scope.versions and not scope.pacticipants:
        return []
    values = {
        "versions": scope.versions,
        "pacticipants": scope.pacticipants,
        "everyone": scope.everyone,
        "specified": scope.specified,
        "limit": scope.limit,
    }
    return [RowWithIds(Row._make(row[2:]), *row[:2]) for row in rows(db, _statement(_shape(scope)), values)]


def _shape(scope: Scope) -> _Shape:
    return _Shape(
        has_versions=bool(scope.versions),
        has_pacticipants=bool(scope.pacticipants),
        is_of_one=scope.is_of_one,
        only_latest=scope.only_latest,
        is_limited=scope.limit is not None,
        has_many=len(scope.versions) > MANY or len(scope.everyone) > MANY,
    )


@lru_cache(maxsize=64)
def _statement(shape: _Shape) -> Select[*tuple[Any, ...]]:
    """Build the statement that reads what the rows show."""
    joined, *conditions = _of_one(shape) if shape.is_of_one else _between(shape)
    consumer, provider, consumer_version, provider_version = (
        pacticipant.alias("consumer"),
        pacticipant.alias("provider"),
        version.alias("consumer_version"),
        version.alias("provider_version"),
    )
    published = consumer_version.c.created_at if shape.only_latest else publication.c.created_at
    is_published_last = or_(verification.c.created_at.is_(None), published > verification.c.created_at)
    last_action = case((is_published_last, published), else_=verification.c.created_at)
    statement = (
        select(
            consumer_version.c.id,
            provider_version.c.id,
            consumer.c.name,
            consumer_version.c.number,
            consumer_version.c.position,
            provider.c.name,
            provider_version.c.number,
            provider_version.c.position,
            content.c.sha,
            publication.c.revision,
            publication.c.created_at,
            verification.c.id,
            verification.c.success,
            verification.c.verified_at,
        )
        .select_from(joined)
        .join(consumer, consumer.c.id == publication.c.consumer_id)
        .join(provider, provider.c.id == publication.c.provider_id)
        .join(consumer_version, consumer_version.c.id == publication.c.consumer_version_id)
        .join(content, content.c.id == publication.c.content_id)
        .outerjoin(provider_version, provider_version.c.id == verification.c.provider_version_id)
        .where(*conditions)
        .order_by(last_action.desc(), publication.c.id.desc(), verification.c.id.desc())
    )
    return statement.limit(bindparam("limit")) if shape.is_limited else statement


def _between(shape: _Shape) -> tuple[FromClause, ColumnElement[bool]]:
    """Join the publications between those selected with the results of the provider's versions selected.

    A publication with no such result stands alone.
    """
    joined = publication.outerjoin(verification, _same_content(shape, _either_provider(shape)))
    return joined, publication.c.id.in_(_newest_of_each(shape)) if shape.is_limited else _is_chosen(shape)


def _is_chosen(shape: _Shape) -> ColumnElement[bool]:
    consumer = _either(shape, publication.c.consumer_version_id, publication.c.consumer_id)
    # As an expression it is no part of the index's key: else each version would be looked up with each provider. Those
    # asked about are expressions, too: else all that they ever published would be looked at.
    between = _ids(shape, publication.c.provider_id + 0, "everyone")
    return and_(consumer, between, *_current(shape), _is_about_specified(shape, publication))


def _either_provider(shape: _Shape) -> ColumnElement[bool]:
    return _either(shape, verification.c.provider_version_id, verification.c.provider_id)


def _either(shape: _Shape, version_id: ColumnElement[int], pacticipant_id: ColumnElement[int]) -> ColumnElement[bool]:
    return or_(*_kinds(shape, version_id, pacticipant_id))


def _kinds(
    shape: _Shape, version_id: ColumnElement[int], pacticipant_id: ColumnElement[int]
) -> Iterable[ColumnElement[bool]]:
    if shape.has_versions:
        yield _ids(shape, version_id, "versions")
    if shape.has_pacticipants:
        yield _ids(shape, pacticipant_id, "pacticipants")


def _ids(shape: _Shape, column: ColumnElement[int], name: str) -> ColumnElement[bool]:
    return column.in_(bindparam(name, expanding=True, literal_execute=shape.has_many))


def _same_content(shape: _Shape, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    latest = (verification.c.is_latest,) if shape.only_latest else ()
    return and_(verification.c.content_id == publication.c.content_id, *conditions, *latest)


def _newest_of_each(shape: _Shape) -> Select[*tuple[Any, ...]] | CompoundSelect[Any]:
    """Select the publications of the consumers selected, of each kind of selector the newest ones only.

    Those that are not about who was asked about are left out after that.
    """
    every = select(publication.c.id, publication.c.consumer_id, publication.c.provider_id)
    between = _ids(shape, publication.c.provider_id, "everyone")
    found = [
        _newest(shape, every.where(consumer, between, *_current(shape)))
        for consumer in _kinds(shape, publication.c.consumer_version_id, publication.c.consumer_id)
    ]
    chosen = [select(one.c.id).where(_is_about_specified(shape, one)) for one in found]
    return union(*chosen) if len(chosen) > 1 else chosen[0]


def _is_about_specified(shape: _Shape, found: FromClause) -> ColumnElement[bool]:
    return or_(_ids(shape, found.c.consumer_id + 0, "specified"), _ids(shape, found.c.provider_id + 0, "specified"))


def _current(shape: _Shape) -> tuple[ColumnElement[bool], ...]:
    return (publication.c.is_current,) if shape.only_latest else ()


def _newest(shape: _Shape, statement: Select[*tuple[Any, ...]]) -> Subquery:
    """Take the newest publications only, up to the limit. Ids are given in order of time, and are indexed."""
    age = (publication.c.consumer_version_id.desc(),) if shape.only_latest else ()
    return statement.order_by(*age, publication.c.id.desc()).limit(bindparam("limit")).subquery()


def _of_one(shape: _Shape) -> tuple[FromClause]:
    """Join what one selector is the consumer of with all results, and what it is the provider of with its own.

    A limit counts publications of the whole broker here, as in the original.
    """
    pair = (publication.c.id.label("publication_id"), verification.c.id.label("verification_id"))
    recent = _recent(shape)
    of_consumer = (
        select(*pair)
        .select_from(publication.outerjoin(verification, _same_content(shape)))
        .where(_either(shape, publication.c.consumer_version_id, publication.c.consumer_id), *recent)
    )
    of_provider = (
        select(*pair)
        .select_from(publication.join(verification, _same_content(shape)))
        .where(_either_provider(shape), *recent)
    )
    pairs = union(of_consumer, of_provider).subquery("pairs")
    published = pairs.join(publication, publication.c.id == pairs.c.publication_id)
    return (published.outerjoin(verification, verification.c.id == pairs.c.verification_id),)


def _recent(shape: _Shape) -> tuple[ColumnElement[bool], ...]:
    if not shape.is_limited:
        return _current(shape)
    newest = _newest(shape, select(publication.c.id).where(*_current(shape)))
    return (publication.c.id.in_(select(newest.c.id)),)
