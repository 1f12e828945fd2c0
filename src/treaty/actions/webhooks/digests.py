"""Enqueues digests: single deliveries about all events that a webhook has collected."""

import uuid
from datetime import datetime

from sqlalchemy import Connection

from treaty.actions.webhooks.notices import build_facts_without_pact
from treaty.model.webhooks.deliveries import QueuedDelivery
from treaty.model.webhooks.events import DIGEST
from treaty.model.webhooks.summaries import build_digest
from treaty.store.webhooks import deliveries, digests, webhooks


class EventsTaken(RuntimeError):
    """Another process has enqueued a digest of the same events; this transaction is rolled back."""


def enqueue_digest(db: Connection, webhook: str, *, now: datetime) -> bool:
    """Enqueue a digest of the events that wait for one, and return whether there were any.

    Under the lock of the webhook, so that each event is in exactly one digest. Raises EventsTaken.
    """
    if webhooks.lock(db, webhook) is None:
        return False
    ids, events = digests.list_waiting(db, webhook)
    if not events:
        return False
    # The digest is stored as a delivery about its newest pact, which has values for the other parameters.
    newest = next((event for event in reversed(events) if digests.has_pact(db, event)), None)
    event = newest or events[-1]
    facts = (
        None
        if newest
        else build_facts_without_pact(
            consumer=event.consumer, consumer_version=event.consumer_version, provider=event.provider
        )
    )
    delivery = QueuedDelivery(
        uuid=str(uuid.uuid4()),
        webhook=webhook,
        event=DIGEST,
        consumer=event.consumer,
        consumer_version=event.consumer_version,
        provider=event.provider,
        verification=None,
        context={
            "base_url": event.context.get("base_url", ""),
            "event_name": DIGEST,
            "digest": build_digest(events),
        },
        facts=facts,
    )
    deliveries.enqueue(db, delivery, now=now)
    if digests.assign(db, ids, delivery.uuid) != len(ids):
        raise EventsTaken
    return True
