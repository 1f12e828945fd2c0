"""Pending pacts, work in progress, and stale integrations.

A pact is pending for the main branch of its provider, from which providers usually verify: until a version on that
branch, or any version from before the branch existed, has verified its content. Without a main branch, a success of any
version ends it. These are the rules of pacts for verification (`store/decisions/verified_contents.py`).
"""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, case, exists, func, not_, or_, select

from treaty.model.overview.pending import PendingPact, StaleIntegration
from treaty.model.paging import Page, Paged
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_rows
from treaty.store.engine.listing import escape_like
from treaty.store.engine.snapshots import reuse
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
_candidate: Final = publication.alias("candidate")
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


def _join_pair(source: Any) -> Any:
    """Join the consumer, the provider and the provider's main branch."""
    is_main = (_provider_branch.c.pacticipant_id == _provider.c.id) & (
        _provider_branch.c.name == _provider.c.main_branch
    )
    return (
        source.join(_consumer, _consumer.c.id == publication.c.consumer_id)
        .join(_provider, _provider.c.id == publication.c.provider_id)
        .outerjoin(_provider_branch, is_main)
    )


# The pact of the head of the main branch, as the selector `mainBranch` chooses it; without a main branch, the
# latest pact.
_some_consumer: Final = pacticipant.alias("some_consumer")
_main_branch: Final = branch.alias("main_branch")
_PACT_OF_HEAD: Final = (
    select(_candidate.c.id)
    .where(
        _candidate.c.consumer_version_id == _main_branch.c.head_version_id,
        _candidate.c.provider_id == integration.c.provider_id,
        _candidate.c.is_current,
    )
    .correlate(_main_branch, integration)
    .scalar_subquery()
)
_MAIN_PACT: Final = case(
    (_some_consumer.c.main_branch.is_(None), integration.c.latest_publication_id), else_=_PACT_OF_HEAD
)
_PENDING: Final = (
    select(publication.c.id, _some_consumer.c.main_branch.label("branch"), content.c.created_at)
    .select_from(
        _join_pair(
            integration.join(_some_consumer, _some_consumer.c.id == integration.c.consumer_id)
            .outerjoin(
                _main_branch,
                and_(
                    _main_branch.c.pacticipant_id == _some_consumer.c.id,
                    _main_branch.c.name == _some_consumer.c.main_branch,
                ),
            )
            .join(publication, publication.c.id == _MAIN_PACT)
            .join(content, content.c.id == publication.c.content_id)
        )
    )
    .where(not_(_IS_VERIFIED), _IS_NAMED)
)
_WIP: Final = (
    select(publication.c.id, branch.c.name.label("branch"), content.c.created_at)
    .select_from(
        _join_pair(
            publication.join(branch, branch.c.head_version_id == publication.c.consumer_version_id).join(
                content, content.c.id == publication.c.content_id
            )
        )
    )
    .where(
        publication.c.created_at >= bindparam("since", type_=Time),
        publication.c.is_current,
        or_(_consumer.c.main_branch.is_(None), branch.c.name != _consumer.c.main_branch),
        not_(_IS_VERIFIED),
        _IS_NAMED,
    )
)
_IDS: Final[Any] = bindparam("ids", expanding=True)
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
    params = {"part": escape_like(part)}
    return _load_page(db, reuse(db, ("pending", part), lambda: fetch_rows(db, _PENDING, params)), page)


def list_wip(db: Connection, part: str, page: Page, *, since: datetime) -> Paged[PendingPact]:
    """List a page of the work in progress: unverified pacts at the heads of other branches, published since a time."""
    return _load_page(db, fetch_rows(db, _WIP, {"part": escape_like(part), "since": since}), page)


def _load_page(db: Connection, rows: Sequence[Any], page: Page) -> Paged[PendingPact]:
    ordered = sorted(rows, key=attrgetter("created_at", "id"))
    rows_of_page = ordered[page.offset : page.offset + page.limit]
    details = {row.id: row for row in fetch_in_batches(db, _DETAILS, {row.id for row in rows_of_page})}
    return Paged([_build_pact(row, details[row.id]) for row in rows_of_page], page, len(rows))


def _build_pact(row: Any, details: Any) -> PendingPact:
    return PendingPact(
        consumer=details.consumer,
        provider=details.provider,
        branch=row.branch,
        version=details.version,
        since=row.created_at,
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
