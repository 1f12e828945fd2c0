"""Contents that a provider has verified: the basis of the pending status and of work in progress.

The rules are the original's (see "Pending pacts" and "Work in progress pacts" in the Pact documentation): a success
from before a branch or tag of the provider existed counts for that branch or tag too.

Each lookup stops at the first success of a content, the newest provider version first. It is a scalar subquery with a
limit, which both databases answer from an index for each content; a join would read all verifications of a content.
"""

from collections.abc import Collection, Iterable, Sequence
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
"""Results from before this time are too old to end work in progress."""

# Properties of the provider, evaluated once in a statement. A branch or tag that does not exist yet begins in the far
# future, so that every result is from before it.

_FAR_FUTURE: Final = literal(datetime.max.replace(tzinfo=UTC), branch.c.created_at.type)
_this_branch: Final = branch.alias("this_branch")
_is_this_branch: Final = and_(_this_branch.c.pacticipant_id == _PROVIDER, _this_branch.c.name == _BRANCH)
_BRANCH_ID: Final = select(_this_branch.c.id).where(_is_this_branch).scalar_subquery()
_BRANCH_CREATED_AT: Final = func.coalesce(
    select(_this_branch.c.created_at).where(_is_this_branch).scalar_subquery(), _FAR_FUTURE
)
_branch_version: Final = branch_version.alias("first_branch_version")
_FIRST_VERSION_CREATED_AT: Final = func.coalesce(
    select(version.c.created_at)
    .join(_branch_version, _branch_version.c.version_id == version.c.id)
    .where(_branch_version.c.branch_id == _BRANCH_ID)
    .order_by(_branch_version.c.position)
    .limit(1)
    .scalar_subquery(),
    _FAR_FUTURE,
)
_this_tag: Final = tag.alias("this_tag")
_TAG_FIRST_USED_AT: Final = func.coalesce(
    select(func.min(_this_tag.c.created_at, type_=tag.c.created_at.type))
    .where(_this_tag.c.pacticipant_id == _PROVIDER, _this_tag.c.name == _TAG)
    .scalar_subquery(),
    _FAR_FUTURE,
)


def _has_any(successes: Select[Any]) -> ColumnElement[bool]:
    # A scalar subquery in place of EXISTS: the module's docstring has the reason.
    return successes.limit(1).scalar_subquery().is_not(None)


def _successes(content_id: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    return (
        select(verification.c.id)
        .where(verification.c.content_id == content_id, verification.c.success, *conditions)
        .order_by(verification.c.provider_version_id.desc())
    )


def _successes_by_branch(content_id: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    on_branch = branch_version.c.version_id == verification.c.provider_version_id
    return _successes(content_id, *conditions).join(branch_version, on_branch)


def _successes_by_tag(content_id: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    return _successes(content_id, *conditions).join(tag, tag.c.version_id == verification.c.provider_version_id)


# Pending: all results count, also those of work in progress

_CONTENTS: Final = select(content.c.id).where(content.c.id.in_(bindparam("contents", expanding=True)))
_VERIFIED: Final = _CONTENTS.where(_has_any(_successes(content.c.id)))
_counts_for_branch: Final = or_(
    branch_version.c.branch_id == _BRANCH_ID, verification.c.created_at < _BRANCH_CREATED_AT
)
# If the version is on several branches, a notice names the branch of the request.
_VERIFIER_BRANCH: Final = (
    _successes_by_branch(content.c.id, _counts_for_branch)
    .with_only_columns(branch_version.c.branch_id)
    .order_by(branch_version.c.branch_id != func.coalesce(_BRANCH_ID, 0), branch_version.c.branch_id)
    .limit(1)
    .scalar_subquery()
)
_VERIFIED_BY_BRANCH: Final = _CONTENTS.add_columns(_VERIFIER_BRANCH.label("verifier"), _BRANCH_ID.label("own"))
_BRANCH_NAMES: Final = select(branch.c.id, branch.c.name).where(branch.c.id.in_(bindparam("ids", expanding=True)))
_counts_for_tag: Final = or_(tag.c.name == _TAG, verification.c.created_at < _TAG_FIRST_USED_AT)
_VERIFIED_BY_TAG: Final = _CONTENTS.where(_has_any(_successes_by_tag(content.c.id, _counts_for_tag)))
_MAX_CONTENTS: Final = 1000
"""Maximum number of contents in one statement, since databases limit the number of its parameters."""


def find_verified(
    db: Connection, contents: Sequence[int], provider_id: int, query: VerifiablePactsQuery
) -> dict[str | None, Successes]:
    """Find the contents that are no longer pending: by provider tag, or under None without relevant tags."""
    if query.branch is not None:
        return {None: _find_verifier_branches(db, contents, provider_id, query.branch)}
    if not query.tags:
        return {None: _filter_contents(db, _VERIFIED, contents)}
    return {
        name: _filter_contents(db, _VERIFIED_BY_TAG, contents, provider=provider_id, tag=name) for name in query.tags
    }


def _find_verifier_branches(db: Connection, contents: Sequence[int], provider_id: int, name: str) -> dict[int, str]:
    """Map the contents that are verified for a branch to the name of the branch whose version verified them.

    For a branch that does not exist yet, all results are from other branches. The notices then name the branch of the
    request, as in the original.
    """
    params = {"provider": provider_id, "branch": name}
    rows = [
        row for chunk in _chunks(contents) for row in fetch_rows(db, _VERIFIED_BY_BRANCH, {"contents": chunk, **params})
    ]
    other_ids = {row.verifier for row in rows if row.own not in (None, row.verifier)} - {None}
    names = {row.id: row.name for row in fetch_rows(db, _BRANCH_NAMES, {"ids": sorted(other_ids)})} if other_ids else {}
    return {row.id: names.get(row.verifier, name) for row in rows if row.verifier is not None}


def _filter_contents(db: Connection, statement: Select[Any], contents: Sequence[int], **params: object) -> set[int]:
    """Select the contents for which a statement finds a success."""
    chunks = (fetch_column(db, statement, {"contents": chunk, **params}) for chunk in _chunks(contents))
    return set(chain.from_iterable(chunks))


def _chunks(contents: Sequence[int]) -> Iterable[Sequence[int]]:
    return (contents[start : start + _MAX_CONTENTS] for start in range(0, len(contents), _MAX_CONTENTS))


# Work in progress. A success that was itself published for work in progress (`is_wip`) does not end it. For a request
# with tags, only the tags count that the provider version had when the result was published; `tag_success` has them.

_ends_wip: Final = and_(not_(verification.c.is_wip), verification.c.verified_at > _LONG_AGO)
_ends_for_branch: Final = or_(
    branch_version.c.branch_id == _BRANCH_ID, verification.c.verified_at < _FIRST_VERSION_CREATED_AT
)


def _tag_successes(content_id: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    is_success = and_(tag_success.c.content_id == content_id, not_(tag_success.c.is_wip))
    return select(tag_success.c.id).where(is_success, *conditions)


_ENDED_FOR_BRANCH: Final = _CONTENTS.where(_has_any(_successes_by_branch(content.c.id, _ends_wip, _ends_for_branch)))
_by_other_tag: Final = and_(tag_success.c.tag != _TAG, tag_success.c.verified_at < _TAG_FIRST_USED_AT)
_ENDED_FOR_TAG: Final = _CONTENTS.where(
    or_(
        _has_any(_tag_successes(content.c.id, tag_success.c.tag == _TAG)),
        _has_any(_tag_successes(content.c.id, _by_other_tag)),
    )
)


def find_ended(
    db: Connection, contents: Sequence[int], provider_id: int, query: VerifiablePactsQuery, *, long_ago: datetime
) -> dict[str | None, Collection[int]]:
    """Find the contents that are no longer work in progress: by provider tag, or under None for a branch."""
    params = {"provider": provider_id}
    if query.branch is not None:
        return {
            None: _filter_contents(db, _ENDED_FOR_BRANCH, contents, branch=query.branch, long_ago=long_ago, **params)
        }
    return {name: _filter_contents(db, _ENDED_FOR_TAG, contents, tag=name, **params) for name in query.tags}


_UNVERIFIED_SINCE: Final = select(publication.c.created_at).where(
    publication.c.provider_id == _PROVIDER,
    publication.c.is_current,
    publication.c.created_at > bindparam("since"),
    not_(_has_any(_successes(publication.c.content_id))),
)


def list_unverified_published_at(db: Connection, provider_id: int, since: datetime) -> list[datetime]:
    """List the publication times of current pacts without a success, for the dynamic window of work in progress."""
    return fetch_column(db, _UNVERIFIED_SINCE, {"provider": provider_id, "since": since})
