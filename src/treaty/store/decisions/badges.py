"""The facts of badges: the latest pact of a pair, and the latest result for any pact of the pair.

The result may be for an older pact than the latest one, which the badge then shows as changed.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, and_, bindparam, exists, select

from treaty.model.decisions.badges import BadgePact, BadgeResult
from treaty.store.engine.database import fetch_first, fetch_one
from treaty.store.provider_contracts.conditions import is_uncompared
from treaty.store.tables import content, pacticipant, publication, tag, verification, version
from treaty.store.verifications import select_newest_id


@dataclass(frozen=True, kw_only=True, slots=True)
class BadgeScope:
    """The pair and the tags that select the pacts of a badge."""

    consumer: str
    provider: str
    consumer_tag: str | None = None
    provider_tag: str | None = None
    is_untagged: bool = False
    """Whether only consumer versions without any tag count."""


def find_pact(db: Connection, scope: BadgeScope) -> BadgePact | None:
    """Find the latest pact."""
    return fetch_one(db, _pact_statement(scope.consumer_tag is not None, scope.is_untagged), scope, BadgePact)


def find_result(db: Connection, scope: BadgeScope) -> BadgeResult | None:
    """Find the latest result, of the latest pact that has one.

    None if it is a success of a verifier whose version has a contract that has not been compared.
    """
    has_tags = (scope.consumer_tag is not None, scope.provider_tag is not None)
    row = fetch_first(db, _result_statement(*has_tags, scope.is_untagged), scope)
    if row is None or row.is_uncompared:
        return None
    values = row._asdict()
    del values["is_uncompared"]
    return BadgeResult(**values)


@lru_cache
def _pact_statement(has_tag: bool, is_untagged: bool) -> Select[*tuple[Any, ...]]:  # noqa: FBT001 - a shape
    return (
        select(version.c.number.label("version"), publication.c.revision, content.c.sha)
        .select_from(publication)
        .join(version, version.c.id == publication.c.consumer_version_id)
        .join(content, content.c.id == publication.c.content_id)
        .where(*_pair_conditions(has_tag=has_tag, is_untagged=is_untagged))
        .order_by(publication.c.position.desc())
        .limit(1)
    )


@lru_cache
def _result_statement(has_tag: bool, has_provider_tag: bool, is_untagged: bool) -> Select[*tuple[Any, ...]]:  # noqa: FBT001 - a shape
    # The publications are visited from the newest to the oldest, until one has a result. With a join, PostgreSQL reads
    # all results of all publications first, because it underestimates the publications of a pair.
    newest_id = _select_newest_id(has_provider_tag=has_provider_tag)
    newest = (
        select(newest_id.label("id"))
        .select_from(publication)
        .where(*_pair_conditions(has_tag=has_tag, is_untagged=is_untagged), newest_id.is_not(None))
        .order_by(publication.c.position.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            content.c.sha,
            version.c.number.label("provider_version"),
            verification.c.id.label("number"),
            and_(verification.c.success, ~_has_failed()).label("success"),
            verification.c.was_pending,
            and_(verification.c.success, is_uncompared(content.c.id, version.c.id)).label("is_uncompared"),
        )
        .select_from(verification)
        .join(content, content.c.id == verification.c.content_id)
        .join(version, version.c.id == verification.c.provider_version_id)
        .where(verification.c.id == newest)
    )


def _select_newest_id(*, has_provider_tag: bool) -> ScalarSelect[int]:
    """Select the newest result for a publication's content; with a provider tag, of the highest version with it."""
    if not has_provider_tag:
        newest_id: ScalarSelect[int] = select_newest_id(publication.c.content_id).correlate(publication)
        return newest_id
    tagged = verification.alias("tagged")
    return (
        select(tagged.c.id)
        .join(version, version.c.id == tagged.c.provider_version_id)
        .where(tagged.c.content_id == publication.c.content_id, _has_tag(tagged.c.provider_version_id, "provider_tag"))
        .order_by(
            version.c.position.desc(), tagged.c.verified_at.desc(), tagged.c.created_at.desc(), tagged.c.id.desc()
        )
        .limit(1)
        .correlate(publication)
        .scalar_subquery()
    )


def _has_failed() -> ColumnElement[bool]:
    """Whether the latest result of the other kind, comparison or verification, of the same version is a failure."""
    other = verification.alias("other")
    return exists().where(
        other.c.content_id == verification.c.content_id,
        other.c.provider_version_id == verification.c.provider_version_id,
        other.c.is_latest,
        ~other.c.success,
    )


def _pair_conditions(*, has_tag: bool, is_untagged: bool) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        publication.c.consumer_id == _pacticipant_id("consumer"),
        publication.c.provider_id == _pacticipant_id("provider"),
        publication.c.is_current,
    ]
    if has_tag:
        conditions.append(_has_tag(publication.c.consumer_version_id, "consumer_tag"))
    if is_untagged:
        conditions.append(~exists().where(tag.c.version_id == publication.c.consumer_version_id))
    return conditions


def _pacticipant_id(role: str) -> ScalarSelect[int]:
    return select(pacticipant.c.id).where(pacticipant.c.name == bindparam(role)).scalar_subquery()


def _has_tag(version_id: ColumnElement[int], name: str) -> ColumnElement[bool]:
    return exists().where(tag.c.version_id == version_id, tag.c.name == bindparam(name))
