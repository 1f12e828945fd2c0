"""Pending pacts, work in progress, and stale integrations.

A pact is pending for the main branch of its provider, from which providers usually verify: until a version on that
branch, or any version from before the branch existed, has verified its content. Without a main branch, a success of any
version ends it. These are the rules of pacts for verification (`store/decisions/verified_contents.py`).
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    exists,
    func,
    not_,
    null,
    or_,
    select,
    union_all,
)

from treaty.model.overview.pending import PendingPact, StaleIntegration
from treaty.model.paging import Page, Paged
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_rows
from treaty.store.engine.listing import escape_like
from treaty.store.tables import (
    Time,
    branch,
    branch_version,
    content,
    integration,
    pacticipant,
    publication,
    verification,
    version,
)
from treaty.store.verifications import select_newest_id

_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")
_provider_version: Final = version.alias("provider_version")
_provider_branch: Final = branch.alias("provider_branch")
_verified_on: Final = branch_version.alias("verified_on")
_success: Final = verification.alias("success")

_COUNTS_FOR_BRANCH: Final = (
    exists()
    .where(
        _verified_on.c.version_id == _success.c.provider_version_id,
        or_(
            _verified_on.c.branch_id == _provider_branch.c.id,
            _provider_branch.c.id.is_(None),
            _success.c.created_at < _provider_branch.c.created_at,
        ),
    )
    .correlate(_success, _provider_branch)
)
_IS_VERIFIED: Final = (
    exists()
    .where(
        _success.c.content_id == publication.c.content_id,
        _success.c.success,
        or_(_provider.c.main_branch.is_(None), _COUNTS_FOR_BRANCH),
    )
    .correlate(publication, _provider, _provider_branch)
)
_IS_NAMED: Final = or_(
    _consumer.c.name.icontains(bindparam("part"), escape="!"), _provider.c.name.icontains(bindparam("part"), escape="!")
)


def _select_unverified(source: Any, branch_name: ColumnElement[Any], *, is_named: bool) -> Select[*tuple[Any, ...]]:
    """Select the unverified pacts of a source with the columns of `publication` and `_consumer`.

    These rows are narrow: they are counted and sorted, and the details are loaded for one page only. Statements for any
    name do not compare names.
    """
    is_main = (_provider_branch.c.pacticipant_id == _provider.c.id) & (
        _provider_branch.c.name == _provider.c.main_branch
    )
    statement = (
        select(publication.c.id, publication.c.content_id, branch_name.label("branch"))
        .select_from(
            source.join(_provider, _provider.c.id == publication.c.provider_id).outerjoin(_provider_branch, is_main)
        )
        .where(not_(_IS_VERIFIED))
    )
    return statement.where(_IS_NAMED) if is_named else statement


# The pact of the head of the main branch, as the selector `mainBranch` chooses it; without a main branch, the
# latest pact.
_main_branch: Final = branch.alias("main_branch")


@cache
def _select_pending(*, is_named: bool) -> CompoundSelect[*tuple[Any, ...]]:
    is_main = (_main_branch.c.pacticipant_id == _consumer.c.id) & (_main_branch.c.name == _consumer.c.main_branch)
    # The sum prevents SQLite, which has no statistics, from looking for the branch of each publication.
    head_version_id = _main_branch.c.head_version_id + 0
    of_heads = _consumer.join(_main_branch, is_main).join(
        publication, and_(publication.c.consumer_version_id == head_version_id, publication.c.is_current)
    )
    latest = _consumer.join(integration, integration.c.consumer_id == _consumer.c.id).join(
        publication, publication.c.id == integration.c.latest_publication_id
    )
    return union_all(
        _select_unverified(of_heads, _consumer.c.main_branch, is_named=is_named),
        _select_unverified(latest, cast(null(), Text), is_named=is_named).where(_consumer.c.main_branch.is_(None)),
    )


@cache
def _select_wip(*, is_named: bool) -> Select[*tuple[Any, ...]]:
    heads = publication.join(branch, branch.c.head_version_id == publication.c.consumer_version_id).join(
        _consumer, _consumer.c.id == publication.c.consumer_id
    )
    return _select_unverified(heads, branch.c.name, is_named=is_named).where(
        publication.c.created_at >= bindparam("since", type_=Time),
        publication.c.is_current,
        or_(_consumer.c.main_branch.is_(None), branch.c.name != _consumer.c.main_branch),
    )


_IDS: Final[Any] = bindparam("ids", expanding=True)
_CREATED_AT: Final = select(content.c.id, content.c.created_at).where(content.c.id.in_(_IDS))
_DETAILS: Final = (
    select(
        publication.c.id,
        _consumer.c.name.label("consumer"),
        _provider.c.name.label("provider"),
        version.c.number.label("version"),
        _provider.c.main_branch.label("provider_branch"),
        verification.c.success,
        _provider_version.c.number.label("provider_version"),
        verification.c.created_at.label("verified_at"),
    )
    .select_from(publication)
    .join(_consumer, _consumer.c.id == publication.c.consumer_id)
    .join(_provider, _provider.c.id == publication.c.provider_id)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .outerjoin(verification, verification.c.id == select_newest_id(publication.c.content_id))
    .outerjoin(_provider_version, _provider_version.c.id == verification.c.provider_version_id)
    .where(publication.c.id.in_(_IDS))
)


def list_pending(db: Connection, part: str, page: Page) -> Paged[PendingPact]:
    """List a page of the pacts of consumers' main branches that are pending, the oldest first.

    `part` is a part of the name of the consumer or of the provider.
    """
    return _load_page(db, fetch_rows(db, _select_pending(is_named=bool(part)), {"part": escape_like(part)}), page)


def list_wip(db: Connection, part: str, page: Page, *, since: datetime) -> Paged[PendingPact]:
    """List a page of the work in progress: unverified pacts at the heads of other branches, published since a time."""
    params = {"part": escape_like(part), "since": since}
    return _load_page(db, fetch_rows(db, _select_wip(is_named=bool(part)), params), page)


def _load_page(db: Connection, rows: Sequence[Any], page: Page) -> Paged[PendingPact]:
    created_at = {row.id: row.created_at for row in fetch_in_batches(db, _CREATED_AT, {row.content_id for row in rows})}
    ordered = sorted(rows, key=lambda row: (created_at[row.content_id], row.id))
    rows_of_page = ordered[page.offset : page.offset + page.limit]
    details = {row.id: row for row in fetch_in_batches(db, _DETAILS, {row.id for row in rows_of_page})}
    pacts = [_build_pact(row, details[row.id], created_at[row.content_id]) for row in rows_of_page]
    return Paged(pacts, page, len(rows))


def _build_pact(row: Any, details: Any, created_at: datetime) -> PendingPact:
    return PendingPact(
        consumer=details.consumer,
        provider=details.provider,
        branch=row.branch,
        version=details.version,
        since=created_at,
        provider_branch=details.provider_branch,
        success=details.success,
        provider_version=details.provider_version,
        verified_at=details.verified_at,
    )


# Stale integrations. The column with the time of the latest publication or result is denormalized.

_ACTIVE_AT: Final = func.coalesce(integration.c.contract_data_updated_at, integration.c.created_at, type_=Time)
_newest: Final = verification.alias("newest")
_NEWEST_OF_PAIR: Final = (
    select(_newest.c.id)
    .where(_newest.c.consumer_id == integration.c.consumer_id, _newest.c.provider_id == integration.c.provider_id)
    .order_by(_newest.c.created_at.desc(), _newest.c.id.desc())
    .limit(1)
    .correlate(integration)
    .scalar_subquery()
)


def _join_names(source: Any) -> Any:
    return source.join(_consumer, _consumer.c.id == integration.c.consumer_id).join(
        _provider, _provider.c.id == integration.c.provider_id
    )


_STALE: Final = (
    select(integration.c.id, _ACTIVE_AT.label("active_at"))
    .select_from(_join_names(integration))
    .where(bindparam("before", type_=Time) > _ACTIVE_AT, _IS_NAMED)
    .order_by(_ACTIVE_AT, integration.c.id)
)
_STALE_DETAILS: Final = (
    select(
        integration.c.id,
        _consumer.c.name.label("consumer"),
        _provider.c.name.label("provider"),
        version.c.number.label("version"),
        publication.c.created_at.label("published_at"),
        _provider_version.c.number.label("provider_version"),
        verification.c.created_at.label("verified_at"),
        _ACTIVE_AT.label("active_at"),
    )
    .select_from(
        _join_names(integration)
        .outerjoin(publication, publication.c.id == integration.c.latest_publication_id)
        .outerjoin(version, version.c.id == publication.c.consumer_version_id)
        .outerjoin(verification, verification.c.id == _NEWEST_OF_PAIR)
        .outerjoin(_provider_version, _provider_version.c.id == verification.c.provider_version_id)
    )
    .where(integration.c.id.in_(_IDS))
)


def list_stale(db: Connection, part: str, page: Page, *, before: datetime) -> Paged[StaleIntegration]:
    """List a page of the integrations without a publication or a result since a time, the most stale first."""
    ids = [row.id for row in fetch_rows(db, _STALE, {"part": escape_like(part), "before": before})]
    ids_of_page = ids[page.offset : page.offset + page.limit]
    rows = {row.id: row._asdict() for row in fetch_in_batches(db, _STALE_DETAILS, ids_of_page)}
    stale = [StaleIntegration(**{key: value for key, value in rows[id_].items() if key != "id"}) for id_ in ids_of_page]
    return Paged(stale, page, len(ids))
