"""Deliveries of webhooks that are due for the first time."""

from datetime import UTC, datetime

from treaty.model.webhooks.deliveries import Delivery
from treaty.model.webhooks.parameters import PLACEHOLDER_FACTS
from treaty.model.webhooks.webhooks import WebhookRequest


def build_delivery(
    url: str = "http://x", *, body: object = None, triggered_at: datetime | None = None, is_failing: bool = False
) -> Delivery:
    """Build a delivery of a POST request, which was triggered now unless a time is given."""
    return Delivery(
        uuid="delivery",
        webhook="webhook",
        request=WebhookRequest(method="POST", url=url, headers={}, body=body, username=None, password=None),
        secret=None,
        facts=PLACEHOLDER_FACTS,
        context={},
        attempts=0,
        triggered_at=triggered_at or datetime.now(UTC),
        is_failing=is_failing,
    )
