"""Successes: which contents a provider has verified, as far as pending and work in progress are judged by them.

Each question stops at a content's first success, the newest provider version first. It is a scalar subquery with a
limit, which both databases answer from an index for each content, and never by reading all verifications.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, literal, not_, or_, select

from treaty.model.decisions.verifiable_pacts import Successes, VerifiablePactsQuery
from treaty.store.engine.database import fetch_column, fetch_rows
from treaty.store.tables import branch, branch_version, content, publication, tag, tag_success, verification, version

_PROVIDER: Final = bindparam("provider", type_=branch.c.pacticipant_id.type)
_BRANCH: Final = bindparam("branch", type_=branch.c.name.type)
_TAG: Final = bindparam("tag", type_=tag.c.name.type)
_LONG_AGO: Final = bindparam("long_ago", type_=verification.c.verified_at.type)
"""When a result is too old to end work in progress."""

# The provider's side, evaluated once in a statement. What is not there yet has been preceded by everything.

_EVER: Final = literal(datetime.max.replace(tzinfo=UTC), branch.c.created_at.type)
_this_branch: Final = branch.alias("this_branch")
_is_this_branch: Final = and_(_this_branch.c.pacticipant_id == _PROVIDER, _this_branch.c.name == _BRANCH)
_BRANCH_ID: Final = select(_this_branch.c.id).where(_is_this_branch).scalar_subquery()
_BRANCH_BEGAN: Final = func.coalesce(select(_this_branch.c.created_at).where(_is_this_branch).scalar_subquery(), _EVER)
_its_version: Final = branch_version.alias("its_version")
_FIRST_VERSION_BEGAN: Final = func.coalesce(
    select(version.c.created_at)
    .join(_its_version, _its_version.c.version_id == version.c.id)
    .where(_its_version.c.branch_id == _BRANCH_ID)
    .order_by(_its_version.c.position)
    .limit(1)
    .scalar_subquery(),
    _EVER,
)
_this_tag: Final = tag.alias("this_tag")
_TAG_BEGAN: Final = func.coalesce(
    select(func.min(_this_tag.c.created_at, type_=tag.c.created_at.type))
    .where(_this_tag.c.pacticipant_id == _PROVIDER, _this_tag.c.name == _TAG)
    .scalar_subquery(),
    _EVER,
)


def _is_there(successes: Select[Any]) -> ColumnElement[bool]:
    return successes.limit(1).scalar_subquery().is_not(None)


def _verification(content_id: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    return (
        select(verification.c.id)
        .where(verification.c.content_id == content_id, verification.c.success, *conditions)
        .order_by(verification.c.provider_version_id.desc())
    )


def _by_branch(content_id: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    on_branch = branch_version.c.version_id == verification.c.provider_version_id
    return _verification(content_id, *conditions).join(branch_version, on_branch)


def _by_tag(content_id: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    return _verification(content_id, *conditions).join(tag, tag.c.version_id == verification.c.provider_version_id)


# Pending

_CONTENTS: Final = select(content.c.id).where(content.c.id.in_(bindparam("contents", expanding=True)))
_VERIFIED: Final = _CONTENTS.where(_is_there(_verification(content.c.id)))
_of_branch: Final = or_(branch_version.c.branch_id == _BRANCH_ID, verification.c.created_at < _BRANCH_BEGAN)
_VERIFIER_BRANCH: Final = (
    _by_branch(content.c.id, _of_branch)
    .with_only_columns(branch_version.c.branch_id)
    .order_by(branch_version.c.branch_id != func.coalesce(_BRANCH_ID, 0))
    .limit(1)
    .scalar_subquery()
)
_VERIFIED_BY_BRANCH: Final = _CONTENTS.add_columns(_VERIFIER_BRANCH.label("verifier"), _BRANCH_ID.label("own"))
_BRANCH_NAMES: Final = select(branch.c.id, branch.c.name).where(branch.c.id.in_(bindparam("ids", expanding=True)))
_of_tag: Final = or_(tag.c.name == _TAG, verification.c.created_at < _TAG_BEGAN)
_VERIFIED_BY_TAG: Final = _CONTENTS.where(_is_there(_by_tag(content.c.id, _of_tag)))
_AT_ONCE: Final = 1000
"""Contents in one statement; databases take some thousands of parameters."""


def find_verified(
    db: Connection, contents: Sequence[int], provider_id: int, wanted: VerifiablePactsQuery
) -> dict[str | None, Successes]:
    """Find the contents that are no longer pending: by tag of the provider, or under None where no tag counts."""
    if wanted.branch is not None:
        return {None: _verifiers(db, contents, provider_id, wanted.branch)}
    if not wanted.tags:
        return {None: _those(db, _VERIFIED, contents)}
    return {name: _those(db, _VERIFIED_BY_TAG, contents, provider=provider_id, tag=name) for name in wanted.tags}


def _verifiers(db: Connection, contents: Sequence[int], provider_id: int, name: str) -> dict[int, str]:
    """Map contents that are verified for a branch to the branch whose version did.

    A branch that does not exist yet has no results to tell apart: it is named itself, as in the original.
    """
    params = {"provider": provider_id, "branch": name}
    parts = (contents[start : start + _AT_ONCE] for start in range(0, len(contents), _AT_ONCE))
    found = [row for part in parts for row in fetch_rows(db, _VERIFIED_BY_BRANCH, {"contents": part, **params})]
    others = {row.verifier for row in found if row.own not in (None, row.verifier)} - {None}
    names = {row.id: row.name for row in fetch_rows(db, _BRANCH_NAMES, {"ids": sorted(others)})} if others else {}
    return {row.id: names.get(row.verifier, name) for row in found if row.verifier is not None}


def _those(db: Connection, statement: Select[Any], contents: Sequence[int], **params: object) -> set[int]:
    parts = (contents[start : start + _AT_ONCE] for start in range(0, len(contents), _AT_ONCE))
    return set(chain.from_iterable(fetch_column(db, statement, {"contents": part, **params}) for part in parts))


# Work in progress. Publishing a result notes the tags of that moment, and only they count.

_counts: Final = and_(not_(verification.c.is_wip), verification.c.verified_at > _LONG_AGO)
_of_branch_in_time: Final = or_(
    branch_version.c.branch_id == _BRANCH_ID, verification.c.verified_at < _FIRST_VERSION_BEGAN
)


def _noted(content_id: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    success = and_(tag_success.c.content_id == content_id, not_(tag_success.c.is_wip))
    return select(tag_success.c.id).where(success, *conditions)


_ENDED_FOR_BRANCH: Final = _CONTENTS.where(_is_there(_by_branch(content.c.id, _counts, _of_branch_in_time)))
_by_another: Final = and_(tag_success.c.tag != _TAG, tag_success.c.verified_at < _TAG_BEGAN)
_ENDED_FOR_TAG: Final = _CONTENTS.where(
    or_(_is_there(_noted(content.c.id, tag_success.c.tag == _TAG)), _is_there(_noted(content.c.id, _by_another)))
)


def find_ended(
    db: Connection, contents: Sequence[int], provider_id: int, wanted: VerifiablePactsQuery, *, long_ago: datetime
) -> dict[str | None, Collection[int]]:
    """Say which contents are not in progress any more: by tag of the provider, or under None where a branch counts."""
    params = {"provider": provider_id}
    if wanted.branch is not None:
        return {None: _those(db, _ENDED_FOR_BRANCH, contents, branch=wanted.branch, long_ago=long_ago, **params)}
    return {name: _those(db, _ENDED_FOR_TAG, contents, tag=name, **params) for name in wanted.tags}


_UNVERIFIED_SINCE: Final = select(publication.c.created_at).where(
    publication.c.provider_id == _PROVIDER,
    publication.c.is_current,
    publication.c.created_at > bindparam("since"),
    not_(_is_there(_verification(publication.c.content_id))),
)


def list_unverified_published_at(db: Connection, provider_id: int, since: datetime) -> list[datetime]:
    """List when the pacts were published that nothing has verified."""
    return fetch_column(db, _UNVERIFIED_SINCE, {"provider": provider_id, "since": since})
