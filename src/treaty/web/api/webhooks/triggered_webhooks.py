"""Deliveries to webhooks: what was sent at which event, and what came of it."""

from treaty.actions.webhooks import deliveries
from treaty.errors import NotFound
from treaty.model.pacts.pacts import PactKey
from treaty.store import verifications
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import pacts
from treaty.store.webhooks import triggered_webhooks
from treaty.web import urls
from treaty.web.api.webhooks.triggered_webhooks_representation import Delivered, Logs, TriggeredWebhooks, WebhooksStatus
from treaty.web.http.media_types import HAL, TEXT
from treaty.web.routing import Accepted, Call, Permission, Router

router = Router()

_TRIGGERED_BY = "Webhooks triggered by the publication of"


@router.get(urls.PACT_TRIGGERED_WEBHOOKS, permission=Permission.READ)
def list_triggered_webhooks_of_pact(call: Call, provider: str, consumer: str, version: str) -> TriggeredWebhooks:
    """List what the pact of a consumer's version has triggered, newest first."""
    if pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)) is None:
        raise NotFound
    return TriggeredWebhooks(
        f"{_TRIGGERED_BY} the pact between {consumer} ({version}) and {provider}",
        triggered_webhooks.of_pact(call.db, consumer=consumer, version=version, provider=provider),
        call.settings.webhook_retry_schedule,
    )


@router.get(urls.VERIFICATION_TRIGGERED_WEBHOOKS, permission=Permission.READ)
def list_triggered_webhooks_of_verification(
    call: Call, provider: str, consumer: str, sha: str, number: str
) -> TriggeredWebhooks:
    """List what a result has triggered, newest first."""
    is_number = number.isascii() and number.isdecimal() and len(number) < 10  # noqa: PLR2004 - an id fits into nine digits
    if not is_number or verifications.find(call.db, consumer, provider, sha, int(number)) is None:
        raise NotFound
    return TriggeredWebhooks(
        f"{_TRIGGERED_BY} verification result {number}",
        triggered_webhooks.of_verification(call.db, int(number)),
        call.settings.webhook_retry_schedule,
    )


@router.get(urls.PACT_WEBHOOKS_STATUS, permission=Permission.READ)
def show_webhooks_status(call: Call, provider: str, consumer: str) -> WebhooksStatus:
    """Show how the webhooks of a pair fare: the latest delivery to each, for each event."""
    pacticipants.get(call.db, consumer, "consumer")
    pacticipants.get(call.db, provider, "provider")
    return WebhooksStatus(
        consumer=consumer,
        provider=provider,
        triggered=triggered_webhooks.latest_of_pair(call.db, consumer=consumer, provider=provider),
        schedule=call.settings.webhook_retry_schedule,
    )


@router.get(urls.TRIGGERED_WEBHOOK_LOGS, permission=Permission.READ, produces=(TEXT, HAL))
def get_logs(call: Call, uuid: str) -> Logs:
    """Read what was sent in each attempt, and what came back."""
    found = triggered_webhooks.find(call.db, uuid)
    if found is None:
        raise NotFound
    return Logs(found, triggered_webhooks.executions(call.db, uuid))


@router.post(urls.REDELIVER, permission=Permission.MANAGE_WEBHOOK, consumes=None)
def redeliver(call: Call, uuid: str) -> Accepted:
    """Send what was triggered once again, as it stands now."""
    triggered = deliveries.redeliver(call.db, uuid, now=call.now)
    call.owes = True
    return Accepted(Delivered(triggered, call.settings.webhook_retry_schedule))
