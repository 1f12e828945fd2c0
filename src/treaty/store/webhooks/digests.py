"""Events that wait for the next digest of their webhook."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from treaty.store.engine.batches import split
from treaty.store.engine.database import execute, fetch_rows, fetch_scalar
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.pacts.current_publications import CURRENT_PUBLICATION_ID
from treaty.store.tables import digest_event, pacticipant, triggered_webhook, webhook

if TYPE_CHECKING:
    from treaty.model.webhooks.deliveries import QueuedDelivery
    from treaty.model.webhooks.summaries import DigestEvent

_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")
_WEBHOOK_ID: Final = select(webhook.c.id).where(webhook.c.uuid == bindparam("webhook")).scalar_subquery()
_ADD: Final = insert(digest_event).values(
    webhook_id=_WEBHOOK_ID,
    consumer_id=select_pacticipant_id("consumer"),
    provider_id=select_pacticipant_id("provider"),
    event=bindparam("event"),
    consumer_version=bindparam("consumer_version"),
    context=bindparam("context"),
    created_at=bindparam("now"),
)


def add(db: Connection, delivery: "QueuedDelivery", *, now: datetime) -> None:
    """Add an event to the next digest of its webhook, instead of enqueuing its delivery."""
    params = {
        "webhook": delivery.webhook,
        "consumer": delivery.consumer,
        "provider": delivery.provider,
        "event": delivery.event,
        "consumer_version": delivery.consumer_version,
        "context": json.dumps(dict(delivery.context), ensure_ascii=False),
        "now": now,
    }
    execute(db, _ADD, params)


_WAITING: Final = digest_event.c.triggered_webhook_id.is_(None)
# A webhook that no longer has a digest sends at once what it has collected.
_COLLECTING: Final = (
    select(webhook.c.uuid, webhook.c.digest_seconds, func.min(digest_event.c.created_at).label("since"))
    .join(webhook, webhook.c.id == digest_event.c.webhook_id)
    .where(_WAITING)
    .group_by(webhook.c.id, webhook.c.uuid, webhook.c.digest_seconds)
    .order_by(webhook.c.id)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectingWebhook:
    """A webhook with events that wait for a digest."""

    uuid: str
    seconds: int | None
    """The interval of its digests; None if it has none any more."""
    since: datetime
    """When the first of the events happened."""


def list_collecting(db: Connection) -> list[CollectingWebhook]:
    return [
        CollectingWebhook(uuid=row.uuid, seconds=row.digest_seconds, since=row.since)
        for row in fetch_rows(db, _COLLECTING, {})
    ]


_EVENTS: Final = (
    select(
        digest_event.c.id,
        digest_event.c.event,
        _consumer.c.name.label("consumer"),
        digest_event.c.consumer_version,
        _provider.c.name.label("provider"),
        digest_event.c.context,
        digest_event.c.created_at,
    )
    .join(_consumer, _consumer.c.id == digest_event.c.consumer_id)
    .join(_provider, _provider.c.id == digest_event.c.provider_id)
    .where(digest_event.c.webhook_id == _WEBHOOK_ID, _WAITING)
    .order_by(digest_event.c.id)
)


def list_waiting(db: Connection, webhook_uuid: str) -> "tuple[list[int], list[DigestEvent]]":
    """List the events that wait for the next digest of a webhook, oldest first, and their ids."""
    rows = fetch_rows(db, _EVENTS, {"webhook": webhook_uuid})
    return [row.id for row in rows], [_build_event(row) for row in rows]


def _build_event(row: Any) -> "DigestEvent":
    from treaty.model.webhooks.summaries import DigestEvent  # noqa: PLC0415 - workers poll with `list_collecting` alone

    return DigestEvent(
        event=row.event,
        consumer=row.consumer,
        consumer_version=row.consumer_version,
        provider=row.provider,
        context=json.loads(row.context),
        created_at=row.created_at,
    )


_DELIVERY_ID: Final = (
    select(triggered_webhook.c.id).where(triggered_webhook.c.uuid == bindparam("delivery")).scalar_subquery()
)
_ASSIGN: Final = (
    update(digest_event)
    .where(digest_event.c.id.in_(bindparam("ids", expanding=True)), _WAITING)
    .values(triggered_webhook_id=_DELIVERY_ID)
)
_END: Final = delete(digest_event).where(digest_event.c.triggered_webhook_id == _DELIVERY_ID)


def assign(db: Connection, ids: Sequence[int], delivery: str) -> int:
    """Assign waiting events to the delivery of a digest, by its UUID, and return how many were still waiting."""
    return sum(execute(db, _ASSIGN, {"ids": batch, "delivery": delivery}) for batch in split(ids))


def end(db: Connection, delivery: str) -> None:
    """Remove the events of a digest whose delivery has ended."""
    execute(db, _END, {"delivery": delivery})


def has_pact(db: Connection, event: "DigestEvent") -> bool:
    """Whether the pact of an event still exists."""
    params = {"consumer": event.consumer, "consumer_version": event.consumer_version, "provider": event.provider}
    return fetch_scalar(db, CURRENT_PUBLICATION_ID, params) is not None
