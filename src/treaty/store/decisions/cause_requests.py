"""Requests for verifications: the deliveries of webhooks about pacts without a result, and webhooks that are paused.

Of the publications of a content, the first and those of the consumer version in question count: an unchanged pact
triggers events about new content only once.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, bindparam, func, select, true, union

from treaty.model.decisions.cause_facts import PairKey, VerificationRequest
from treaty.model.webhooks.deliveries import DeliveryStatus
from treaty.model.webhooks.events import (
    CONTRACT_CONTENT_CHANGED,
    CONTRACT_PUBLISHED,
    CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
)
from treaty.store.decisions.cause_pairs import PairIds
from treaty.store.engine.database import fetch_rows
from treaty.store.tables import publication, triggered_webhook, verification, webhook, webhook_event, webhook_execution
from treaty.store.webhooks.webhooks import CONCERNS_PAIR

_EVENTS: Final = (CONTRACT_REQUIRING_VERIFICATION_PUBLISHED, CONTRACT_CONTENT_CHANGED, CONTRACT_PUBLISHED)
"""The events that can start the verification of a pact."""
Request = tuple[VerificationRequest, bool]
"""A request, and whether a provider version has published a result since."""

_contents: Final[BindParameter[Any]] = bindparam("contents", expanding=True)
_other: Final = publication.alias("other")
_FIRST: Final = (
    select(_other.c.id)
    .where(_other.c.content_id == publication.c.content_id)
    .order_by(_other.c.position, _other.c.id)
    .limit(1)
    .correlate(publication)
    .scalar_subquery()
)
_OWN: Final = (
    publication.c.content_id.in_(_contents),
    publication.c.consumer_version_id.in_(bindparam("consumer_versions", expanding=True)),
)
_PUBLICATION_IDS: Final = union(select(publication.c.id).where(*_OWN), select(_FIRST).where(*_OWN))
_DELIVERIES: Final = (
    select(
        triggered_webhook.c.id,
        triggered_webhook.c.uuid,
        triggered_webhook.c.event,
        triggered_webhook.c.status,
        triggered_webhook.c.context,
        triggered_webhook.c.created_at,
        publication.c.content_id,
        publication.c.consumer_version_id,
        (publication.c.id == _FIRST).label("is_of_first"),
        webhook.c.uuid.label("webhook"),
        webhook.c.description,
        webhook.c.is_enabled,
    )
    .join_from(publication, triggered_webhook, triggered_webhook.c.publication_id == publication.c.id)
    .outerjoin(webhook, webhook.c.id == triggered_webhook.c.webhook_id)
    .where(
        publication.c.id.in_(bindparam("publications", expanding=True)),
        triggered_webhook.c.event.in_(bindparam("events", expanding=True)),
    )
    .order_by(triggered_webhook.c.id)
)
_EXECUTIONS: Final = (
    select(
        webhook_execution.c.triggered_webhook_id,
        webhook_execution.c.success,
        func.min(webhook_execution.c.created_at).label("first_at"),
        func.max(webhook_execution.c.created_at).label("last_at"),
    )
    .where(webhook_execution.c.triggered_webhook_id.in_(bindparam("deliveries", expanding=True)))
    .group_by(webhook_execution.c.triggered_webhook_id, webhook_execution.c.success)
)
_LAST_RESULTS: Final = (
    select(verification.c.content_id, func.max(verification.c.created_at).label("at"))
    .where(verification.c.content_id.in_(_contents), verification.c.comparison_id.is_(None))
    .group_by(verification.c.content_id)
)


def load_requests(db: Connection, pairs: Mapping[PairKey, PairIds]) -> dict[PairKey, Request]:
    """Load the latest request for each result that is missing."""
    values: dict[str, Sequence[Any]] = {
        "contents": sorted({pair.content for pair in pairs.values()}),
        "consumer_versions": sorted({pair.consumer_version for pair in pairs.values()}),
    }
    publications = [row[0] for row in fetch_rows(db, _PUBLICATION_IDS, values)]
    deliveries = fetch_rows(db, _DELIVERIES, {"publications": publications, "events": _EVENTS})
    requests = _build_requests(db, pairs, deliveries) if deliveries else {}
    return requests | _load_paused(db, [key for key in pairs if key not in requests])


def _build_requests(
    db: Connection, pairs: Mapping[PairKey, PairIds], deliveries: Sequence[Any]
) -> dict[PairKey, Request]:
    by_content: dict[int, list[Any]] = defaultdict(list)
    for delivery in deliveries:
        by_content[delivery.content_id].append(delivery)
    chosen = {key: _choose(key, _list_own(pair, by_content[pair.content])) for key, pair in pairs.items()}
    latest = {key: delivery for key, delivery in chosen.items() if delivery is not None}
    if not latest:
        return {}
    times = _load_times(db, {delivery.id for delivery in latest.values()})
    contents = sorted({delivery.content_id for delivery in latest.values()})
    last_results = {row.content_id: row.at for row in fetch_rows(db, _LAST_RESULTS, {"contents": contents})}
    return {key: _build_request(delivery, times, last_results) for key, delivery in latest.items()}


def _list_own(pair: PairIds, deliveries: Iterable[Any]) -> Iterable[Any]:
    """List the deliveries about the first publication of the content, and about those of the version itself.

    Those of other versions were loaded for their own reasons: the answer must not depend on what else is asked.
    """
    return (
        delivery
        for delivery in deliveries
        if delivery.is_of_first or delivery.consumer_version_id == pair.consumer_version
    )


def _choose(key: PairKey, deliveries: Iterable[Any]) -> Any | None:
    """Choose the delivery to report: one that fails rather than one that succeeds, then the latest.

    It is unknown which webhook starts the provider's build, and a failing one is a fault in any case.
    """
    latest = {delivery.webhook or delivery.uuid: delivery for delivery in deliveries if _concerns(delivery, key)}
    return max(latest.values(), key=lambda delivery: (_is_failing(delivery), delivery.id), default=None)


def _concerns(delivery: Any, key: PairKey) -> bool:
    # A webhook that has been deleted or disabled delivers nothing any more.
    if not delivery.is_enabled and delivery.status != DeliveryStatus.SUCCESS.value:
        return False
    if delivery.event != CONTRACT_REQUIRING_VERIFICATION_PUBLISHED or key.provider_version is None:
        return True
    number: object = json.loads(delivery.context).get("provider_version_number")
    return number == key.provider_version


def _is_failing(delivery: Any) -> bool:
    return delivery.status in {DeliveryStatus.FAILURE.value, DeliveryStatus.RETRYING.value}


def _load_times(db: Connection, ids: Collection[int]) -> dict[tuple[int, bool], Any]:
    """Load when deliveries first failed, and last succeeded."""
    rows = fetch_rows(db, _EXECUTIONS, {"deliveries": sorted(ids)})
    return {(row.triggered_webhook_id, bool(row.success)): row for row in rows}


def _build_request(
    delivery: Any, times: Mapping[tuple[int, bool], Any], last_results: Mapping[int, datetime]
) -> Request:
    is_failing, is_delivered = _is_failing(delivery), delivery.status == DeliveryStatus.SUCCESS.value
    execution = times.get((delivery.id, is_delivered))
    at = delivery.created_at
    if execution is not None:
        at = execution.last_at if is_delivered else execution.first_at
    last_result = last_results.get(delivery.content_id)
    # A request for a certain version is only answered by that version, whose result is missing.
    is_specific = delivery.event == CONTRACT_REQUIRING_VERIFICATION_PUBLISHED
    is_answered = not is_specific and last_result is not None and last_result >= at
    webhook_uuid = delivery.webhook or ""
    request = VerificationRequest(
        delivery=delivery.uuid,
        webhook=webhook_uuid,
        title=delivery.description or webhook_uuid or "a deleted webhook",
        is_delivered=is_delivered,
        is_failing=is_failing,
        at=at,
    )
    return request, is_answered


# Paused webhooks enqueue no deliveries

_IS_PAUSED: Final = (webhook.c.is_enabled, webhook.c.pauses, webhook.c.failing_since.is_not(None))
_ANY_PAUSED: Final = select(true()).select_from(webhook).where(*_IS_PAUSED).limit(1)
_PAUSED: Final = (
    select(webhook.c.uuid, webhook.c.description, webhook.c.failing_since)
    .where(
        *_IS_PAUSED,
        # Whether filters would let the event pass is unknown, because nothing was enqueued.
        webhook.c.filters.is_(None),
        webhook.c.id.in_(
            select(webhook_event.c.webhook_id).where(webhook_event.c.name.in_(bindparam("events", expanding=True)))
        ),
        CONCERNS_PAIR,
    )
    .order_by(webhook.c.failing_since, webhook.c.id)
    .limit(1)
)


def _load_paused(db: Connection, keys: Collection[PairKey]) -> dict[PairKey, Request]:
    if not keys or not fetch_rows(db, _ANY_PAUSED, {}):
        return {}
    by_names = {
        names: fetch_rows(db, _PAUSED, {"consumer": names[0], "provider": names[1], "events": _EVENTS})
        for names in {(key.consumer, key.provider) for key in keys}
    }
    return {
        key: (_build_paused(by_names[key.consumer, key.provider][0]), False)
        for key in keys
        if by_names[key.consumer, key.provider]
    }


def _build_paused(row: Any) -> VerificationRequest:
    return VerificationRequest(
        delivery=None,
        webhook=row.uuid,
        title=row.description or row.uuid,
        is_delivered=False,
        is_failing=True,
        at=row.failing_since,
    )
