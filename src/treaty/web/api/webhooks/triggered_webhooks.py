"""Deliveries to webhooks: what was sent at which event, and what came of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from treaty.actions.webhooks import deliveries
from treaty.errors import NotFound
from treaty.model.pacts.pacts import PactKey
from treaty.model.webhooks.deliveries import TRIGGER_TYPE, DeliveryStatus, Execution, TriggeredWebhook
from treaty.store import verifications
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import pacts
from treaty.store.webhooks import triggered_webhooks
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link, RenderContext
from treaty.web.http.media_types import HAL, TEXT
from treaty.web.http.request import Request
from treaty.web.http.results import Accepted
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

_TRIGGERED_BY = "Webhooks triggered by the publication of"


@dataclass(frozen=True, slots=True)
class DeliveryWithSchedule:
    """A delivery, and how often it is tried."""

    triggered: TriggeredWebhook
    schedule: Sequence[timedelta]


@dataclass(frozen=True, slots=True)
class TriggeredWebhooks:
    """Deliveries that something gave rise to."""

    title: str
    triggered: Sequence[TriggeredWebhook]
    schedule: Sequence[timedelta]


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhooksStatus:
    """The latest delivery to each webhook of a pair, for each event."""

    consumer: str
    provider: str
    triggered: Sequence[TriggeredWebhook]
    schedule: Sequence[timedelta]


@dataclass(frozen=True, slots=True)
class DeliveryLogs:
    """All attempts of a delivery."""

    triggered: TriggeredWebhook
    executions: Sequence[Execution]


@router.get(urls.PACT_TRIGGERED_WEBHOOKS, permission=Permission.READ)
def list_triggered_webhooks_of_pact(call: Request, provider: str, consumer: str, version: str) -> TriggeredWebhooks:
    """List what the pact of a consumer's version has triggered, newest first."""
    if pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)) is None:
        raise NotFound
    return TriggeredWebhooks(
        f"{_TRIGGERED_BY} the pact between {consumer} ({version}) and {provider}",
        triggered_webhooks.list_of_pact(call.db, consumer=consumer, version=version, provider=provider),
        call.settings.webhook_retry_schedule,
    )


@router.get(urls.VERIFICATION_TRIGGERED_WEBHOOKS, permission=Permission.READ)
def list_triggered_webhooks_of_verification(
    call: Request, provider: str, consumer: str, sha: str, number: str
) -> TriggeredWebhooks:
    """List what a result has triggered, newest first."""
    is_number = number.isascii() and number.isdecimal() and len(number) < 10  # noqa: PLR2004 - an id fits into nine digits
    if not is_number or verifications.find(call.db, consumer, provider, sha, int(number)) is None:
        raise NotFound
    return TriggeredWebhooks(
        f"{_TRIGGERED_BY} verification result {number}",
        triggered_webhooks.list_of_verification(call.db, int(number)),
        call.settings.webhook_retry_schedule,
    )


@router.get(urls.PACT_WEBHOOKS_STATUS, permission=Permission.READ)
def show_webhooks_status(call: Request, provider: str, consumer: str) -> WebhooksStatus:
    """Show how the webhooks of a pair fare: the latest delivery to each, for each event."""
    pacticipants.get(call.db, consumer, "consumer")
    pacticipants.get(call.db, provider, "provider")
    return WebhooksStatus(
        consumer=consumer,
        provider=provider,
        triggered=triggered_webhooks.list_latest_of_pair(call.db, consumer=consumer, provider=provider),
        schedule=call.settings.webhook_retry_schedule,
    )


@router.get(urls.TRIGGERED_WEBHOOK_LOGS, permission=Permission.READ, produces=(TEXT, HAL))
def get_logs(call: Request, uuid: str) -> DeliveryLogs:
    """Read what was sent in each attempt, and what came back."""
    found = triggered_webhooks.find(call.db, uuid)
    if found is None:
        raise NotFound
    return DeliveryLogs(found, triggered_webhooks.list_executions(call.db, uuid))


@router.post(urls.REDELIVER, permission=Permission.MANAGE_WEBHOOK, consumes=None)
def redeliver(call: Request, uuid: str) -> Accepted:
    """Send what was triggered once again, as it stands now."""
    triggered = deliveries.redeliver(call.db, uuid, now=call.now)
    call.has_queued = True
    return Accepted(DeliveryWithSchedule(triggered, call.settings.webhook_retry_schedule))


@represent.register
def delivery_with_schedule(one: DeliveryWithSchedule) -> Hal:
    return _triggered(one.triggered, one.schedule)


@represent.register
def triggered_webhook_list(page: TriggeredWebhooks) -> Hal:
    return Hal(
        embedded={"triggeredWebhooks": [_triggered(one, page.schedule) for one in page.triggered]},
        links={"self": Link(urls.URL_PLACEHOLDER, page.title)},
    )


def _triggered(one: TriggeredWebhook, schedule: Sequence[timedelta]) -> Hal:
    logs = urls.TRIGGERED_WEBHOOK_LOGS.fill(uuid=one.uuid)
    return Hal(
        state={
            "name": one.request_name,
            "status": one.status.value,
            "attemptsMade": one.attempts,
            "attemptsRemaining": one.attempts_remaining(schedule),
            "triggerType": TRIGGER_TYPE,
            "eventName": one.event,
            "triggeredAt": one.triggered_at,
        },
        links={
            "pb:logs": _named(logs, "Webhook execution logs", one),
            "logs": _named(logs, "DEPRECATED - Use pb:logs", one),
            "pb:webhook": _named(urls.WEBHOOK.fill(uuid=one.webhook), "Webhook", one) if one.webhook else None,
        },
    )


def _named(path: str, title: str, one: TriggeredWebhook) -> Link:
    """Make a link with the name of the request, which is null once its webhook is gone."""
    return _titled(path, title, name=one.request_name)


def _titled(path: str, title: str, **more: str | None) -> Link:
    """Make a link whose title stands behind its address, as the original writes these."""
    return Link(path, extra={"title": title, **more})


@represent.register
def webhooks_status(page: WebhooksStatus) -> Hal:
    pair = {"consumer": page.consumer, "provider": page.provider}
    troubled = [one for one in page.triggered if one.status in (DeliveryStatus.FAILURE, DeliveryStatus.RETRYING)]
    return Hal(
        state={"summary": _summary(page.triggered)},
        embedded={"triggeredWebhooks": [_triggered(one, page.schedule) for one in page.triggered]},
        links={
            "self": _titled(urls.URL_PLACEHOLDER, "Webhooks status"),
            "pb:error-logs": [
                _named(urls.TRIGGERED_WEBHOOK_LOGS.fill(uuid=one.uuid), "Error logs", one) for one in troubled
            ],
            "pb:pact-webhooks": Link(
                urls.PACT_WEBHOOKS.fill(**pair),
                f"Webhooks for the pact between {page.consumer} and {page.provider}",
            ),
            "pb:pact-version": _pact(page.triggered[0]) if page.triggered else None,
            "pb:consumer": _pacticipant("Consumer", page.consumer),
            "pb:provider": _pacticipant("Provider", page.provider),
        },
    )


def _summary(triggered: Sequence[TriggeredWebhook]) -> dict[str, int]:
    counted = Counter(one.status for one in triggered)
    summary = {"successful": counted[DeliveryStatus.SUCCESS], "failed": counted[DeliveryStatus.FAILURE]}
    if counted[DeliveryStatus.RETRYING]:
        summary["retrying"] = counted[DeliveryStatus.RETRYING]
    if counted[DeliveryStatus.NOT_RUN]:
        summary["notRun"] = counted[DeliveryStatus.NOT_RUN]
    return summary


def _pact(one: TriggeredWebhook) -> Link | None:
    if one.consumer_version is None:
        return None
    path = urls.PACT.fill(provider=one.provider, consumer=one.consumer, version=one.consumer_version)
    return _titled(path, "Pact", name=f"Pact between {one.consumer} ({one.consumer_version}) and {one.provider}")


def _pacticipant(role: str, name: str) -> Link:
    return _titled(urls.PACTICIPANT.fill(pacticipant=name), role, name=name)


@represent.register
def logs(page: DeliveryLogs) -> Hal:
    one = page.triggered
    return Hal(
        state={
            "eventName": one.event,
            "consumerName": one.consumer,
            "providerName": one.provider,
            "executions": [_execution(execution) for execution in page.executions],
        },
        embedded={"triggeredWebhook": {"uuid": one.uuid}},
        links={
            "self": Link(urls.URL_PLACEHOLDER, "Triggered webhook logs"),
            "pb:webhook": _titled(urls.WEBHOOK.fill(uuid=one.webhook), "Webhook") if one.webhook else None,
            "pb:redeliver": Link(urls.REDELIVER.fill(uuid=one.uuid), "POST to send this again")
            if one.webhook
            else None,
        },
    )


def _execution(one: Execution) -> dict[str, object]:
    shown = {
        "success": one.success,
        "logs": one.logs,
        "responseStatus": one.status,
        "milliseconds": one.milliseconds,
        "createdAt": one.created_at,
    }
    return {name: value for name, value in shown.items() if value is not None}


@represent.register_text
def logs_as_text(page: DeliveryLogs, _place: RenderContext) -> str:
    if not page.executions:
        return "Webhook has not executed yet. Please retry in a few seconds."
    return "\n".join(one.logs for one in page.executions)
