"""Cancellation of queued deliveries whose application or integration is removed.

Their rows are removed with the pacticipants that they belong to, so the audit log says what was not sent, and why.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.store import audit
from treaty.store.webhooks.deliveries import OpenDelivery


def record_cancellations(db: Connection, queued: Iterable[OpenDelivery], reason: str) -> None:
    """Record in the audit log that these deliveries are cancelled."""
    for delivery in queued:
        audit.record(
            db,
            Action.WEBHOOK_CANCELLATION,
            resource=delivery.webhook,
            params={
                "delivery": delivery.uuid,
                "event": delivery.event,
                "consumer": delivery.consumer,
                "version": delivery.consumer_version,
                "provider": delivery.provider,
                "reason": reason,
            },
        )
