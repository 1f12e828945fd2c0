"""What a version published and verified, for its page."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Integer, bindparam, select

from treaty.model.overview.history import ResultInHistory
from treaty.model.overview.overview import compute_pact_state
from treaty.model.overview.version_history import PactOfVersion, VerifiedPact
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_all, fetch_rows
from treaty.store.overview.overview import NEWEST_RESULT
from treaty.store.provider_contracts.conditions import decisive_success
from treaty.store.tables import content, pacticipant, publication, verification, version
from treaty.store.verifications import NEWEST_FIRST

MAX_RESULTS: Final = 5
"""Results of provider versions that are shown for each pact."""
_MAX_LOADED_RESULTS: Final = 2000

_owner: Final = pacticipant.alias("owner")
_NUMBERED: Final = (
    select(version.c.id)
    .join_from(version, _owner)
    .where(_owner.c.name == bindparam("pacticipant"), version.c.number == bindparam("number"))
    .scalar_subquery()
)
_PACTS: Final = (
    select(
        pacticipant.c.name.label("provider"),
        content.c.id.label("content_id"),
        content.c.sha,
        publication.c.created_at,
        decisive_success(verification).label("success"),
        verification.c.was_pending,
    )
    .select_from(publication)
    .join(content, content.c.id == publication.c.content_id)
    .join(pacticipant, pacticipant.c.id == publication.c.provider_id)
    .outerjoin(verification, verification.c.id == NEWEST_RESULT)
    .where(publication.c.consumer_version_id == _NUMBERED, publication.c.is_current)
    .order_by(pacticipant.c.name)
)
_RESULTS: Final = (
    select(
        verification.c.content_id,
        verification.c.id.label("number"),
        version.c.number.label("provider_version"),
        verification.c.success,
        verification.c.created_at,
        verification.c.comparison_id.is_not(None).label("is_comparison"),
    )
    .join_from(verification, version, version.c.id == verification.c.provider_version_id)
    .where(verification.c.content_id.in_(bindparam("ids", expanding=True)), verification.c.is_latest)
    .order_by(*NEWEST_FIRST)
    .limit(_MAX_LOADED_RESULTS)
)


def list_pacts(db: Connection, name: str, number: str) -> list[PactOfVersion]:
    """List the pacts of a version by provider, each with its newest results."""
    rows = fetch_rows(db, _PACTS, {"pacticipant": name, "number": number})
    results: dict[int, list[ResultInHistory]] = defaultdict(list)
    for result in fetch_in_batches(db, _RESULTS, {row.content_id for row in rows}):
        results[result.content_id].append(_build_result(result))
    return [
        PactOfVersion(
            provider=row.provider,
            sha=row.sha,
            published_at=row.created_at,
            state=compute_pact_state(success=row.success, was_pending=row.was_pending),
            results=results[row.content_id][:MAX_RESULTS],
        )
        for row in rows
    ]


def _build_result(row: Any) -> ResultInHistory:
    return ResultInHistory(
        number=row.number,
        provider_version=row.provider_version,
        success=bool(row.success),
        created_at=row.created_at,
        is_comparison=bool(row.is_comparison),
    )


_with_content: Final = publication.alias("with_content")
_consumer_version: Final = version.alias("consumer_version")
_NEWEST_CONSUMER_VERSION: Final = (
    select(_consumer_version.c.number)
    .join_from(_with_content, _consumer_version, _consumer_version.c.id == _with_content.c.consumer_version_id)
    .where(_with_content.c.content_id == content.c.id, _with_content.c.is_current)
    .order_by(_with_content.c.position.desc())
    .limit(1)
    .correlate(content)
    .scalar_subquery()
)
_VERIFIED: Final = (
    select(
        pacticipant.c.name.label("consumer"),
        _NEWEST_CONSUMER_VERSION.label("consumer_version"),
        content.c.sha,
        verification.c.id.label("number"),
        verification.c.success,
        verification.c.comparison_id.is_not(None).label("is_comparison"),
        verification.c.created_at,
    )
    .select_from(verification)
    .join(content, content.c.id == verification.c.content_id)
    .join(pacticipant, pacticipant.c.id == content.c.consumer_id)
    .where(verification.c.provider_version_id == _NUMBERED, verification.c.is_latest)
    .order_by(verification.c.success, pacticipant.c.name, *NEWEST_FIRST)
    .limit(bindparam("limit", type_=Integer))
)


def list_verified(db: Connection, name: str, number: str, *, limit: int) -> Sequence[VerifiedPact]:
    """List the latest results that a version gave as a provider, failed ones first, then by consumer."""
    return fetch_all(db, _VERIFIED, {"pacticipant": name, "number": number, "limit": limit}, VerifiedPact)
