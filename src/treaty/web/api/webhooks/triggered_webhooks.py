"""Triggered webhooks: the deliveries of an event, their states and their logs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NotRequired

from typing_extensions import TypedDict

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
from treaty.web.hal.shapes import Omittable, SelfLinked
from treaty.web.http.media_types import HAL, TEXT
from treaty.web.http.request import Request
from treaty.web.http.results import Accepted
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

HIDDEN_LOGS: Final = "The request and the response are shown to users who may manage webhooks."
_TRIGGERED_BY = "Webhooks triggered by the publication of"


@dataclass(frozen=True, slots=True)
class DeliveryWithSchedule:
    """A delivery with the retry schedule, which gives the remaining attempts."""

    triggered: TriggeredWebhook
    schedule: Sequence[timedelta]
    """Delays between attempts."""


@dataclass(frozen=True, slots=True)
class TriggeredWebhooks:
    """Deliveries for a pact or a result."""

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
    """A delivery with all its attempts."""

    triggered: TriggeredWebhook
    executions: Sequence[Execution]


TriggeredWebhookLinks = TypedDict(
    "TriggeredWebhookLinks", {"pb:logs": Link, "logs": Link, "pb:webhook": Omittable[Link]}
)


class TriggeredWebhookDocument(TypedDict):
    name: Omittable[str]
    status: str
    attemptsMade: int
    attemptsRemaining: int
    triggerType: str
    eventName: str
    triggeredAt: datetime
    _links: TriggeredWebhookLinks


class ListedTriggeredWebhooks(TypedDict):
    triggeredWebhooks: list[TriggeredWebhookDocument]


class TriggeredWebhooksDocument(SelfLinked):
    _embedded: ListedTriggeredWebhooks


class DeliveryCounts(TypedDict):
    successful: int
    failed: int
    retrying: NotRequired[int]
    notRun: NotRequired[int]


WebhooksStatusLinks = TypedDict(
    "WebhooksStatusLinks",
    {
        "self": Link,
        "pb:error-logs": list[Link],
        "pb:pact-webhooks": Link,
        "pb:pact-version": Omittable[Link],
        "pb:consumer": Link,
        "pb:provider": Link,
    },
)


class WebhooksStatusDocument(TypedDict):
    summary: DeliveryCounts
    _embedded: ListedTriggeredWebhooks
    _links: WebhooksStatusLinks


class ExecutionDocument(TypedDict):
    success: bool
    logs: str
    responseStatus: NotRequired[int]
    milliseconds: NotRequired[int]
    createdAt: datetime


class UuidOnly(TypedDict):
    uuid: str


class LoggedWebhook(TypedDict):
    triggeredWebhook: UuidOnly


WebhookLogsLinks = TypedDict(
    "WebhookLogsLinks", {"self": Link, "pb:webhook": Omittable[Link], "pb:redeliver": Omittable[Link]}
)


class WebhookLogsDocument(TypedDict):
    eventName: str
    consumerName: str
    providerName: str
    executions: list[ExecutionDocument]
    _embedded: LoggedWebhook
    _links: WebhookLogsLinks


@router.get(urls.PACT_TRIGGERED_WEBHOOKS, permission=Permission.READ_WEBHOOK, response=TriggeredWebhooksDocument)
def list_triggered_webhooks_of_pact(request: Request, provider: str, consumer: str, version: str) -> TriggeredWebhooks:
    """List the deliveries for the pact of a consumer version, newest first."""
    if pacts.find(request.db, PactKey(consumer=consumer, version=version, provider=provider)) is None:
        raise NotFound
    return TriggeredWebhooks(
        f"{_TRIGGERED_BY} the pact between {consumer} ({version}) and {provider}",
        triggered_webhooks.list_of_pact(request.db, consumer=consumer, version=version, provider=provider),
        request.settings.webhook_retry_schedule,
    )


@router.get(
    urls.VERIFICATION_TRIGGERED_WEBHOOKS, permission=Permission.READ_WEBHOOK, response=TriggeredWebhooksDocument
)
def list_triggered_webhooks_of_verification(
    request: Request, provider: str, consumer: str, sha: str, number: str
) -> TriggeredWebhooks:
    """List the deliveries for a verification result, newest first."""
    is_number = number.isascii() and number.isdecimal() and len(number) < 10  # noqa: PLR2004 - an id fits into nine digits
    if not is_number or verifications.find(request.db, consumer, provider, sha, int(number)) is None:
        raise NotFound
    return TriggeredWebhooks(
        f"{_TRIGGERED_BY} verification result {number}",
        triggered_webhooks.list_of_verification(request.db, int(number)),
        request.settings.webhook_retry_schedule,
    )


@router.get(urls.PACT_WEBHOOKS_STATUS, permission=Permission.READ_WEBHOOK, response=WebhooksStatusDocument)
def show_webhooks_status(request: Request, provider: str, consumer: str) -> WebhooksStatus:
    """Show the latest delivery to each webhook of a pair, for each event."""
    pacticipants.get(request.db, consumer, "consumer")
    pacticipants.get(request.db, provider, "provider")
    return WebhooksStatus(
        consumer=consumer,
        provider=provider,
        triggered=triggered_webhooks.list_latest_of_pair(request.db, consumer=consumer, provider=provider),
        schedule=request.settings.webhook_retry_schedule,
    )


@router.get(
    urls.TRIGGERED_WEBHOOK_LOGS, permission=Permission.READ_WEBHOOK, produces=(TEXT, HAL), response=WebhookLogsDocument
)
def get_logs(request: Request, uuid: str) -> DeliveryLogs:
    """Read the log of each attempt: for those who may manage webhooks, with the request and the response."""
    triggered = triggered_webhooks.find(request.db, uuid)
    if triggered is None:
        raise NotFound
    return DeliveryLogs(triggered, list_shown_executions(request, uuid))


def list_shown_executions(request: Request, uuid: str) -> list[Execution]:
    """List the attempts of a delivery as the caller may see them: a URL, a body or a response may contain secrets."""
    executions = triggered_webhooks.list_executions(request.db, uuid)
    if request.has_permission(Permission.MANAGE_WEBHOOK):
        return executions
    return [replace(execution, logs=HIDDEN_LOGS) for execution in executions]


@router.post(
    urls.REDELIVER,
    permission=Permission.MANAGE_WEBHOOK,
    consumes=None,
    response=TriggeredWebhookDocument,
    errors=("409",),
)
def redeliver(request: Request, uuid: str) -> Accepted:
    """Send a delivery again, with the webhook as it is now."""
    triggered = deliveries.redeliver(request.db, uuid, now=request.now)
    request.has_queued = True
    return Accepted(DeliveryWithSchedule(triggered, request.settings.webhook_retry_schedule))


# Representation


@represent.register
def delivery_with_schedule(delivery: DeliveryWithSchedule) -> Hal:
    return _triggered_webhook(delivery.triggered, delivery.schedule)


@represent.register
def triggered_webhook_list(page: TriggeredWebhooks) -> Hal:
    return Hal(
        embedded={"triggeredWebhooks": [_triggered_webhook(triggered, page.schedule) for triggered in page.triggered]},
        links={"self": Link(urls.URL_PLACEHOLDER, page.title)},
    )


def _triggered_webhook(triggered: TriggeredWebhook, schedule: Sequence[timedelta]) -> Hal:
    logs_path = _logs_path(triggered)
    name = triggered.request_name
    return Hal(
        state={
            "name": name,
            "status": triggered.status.value,
            "attemptsMade": triggered.attempts,
            "attemptsRemaining": triggered.attempts_remaining(schedule),
            "triggerType": TRIGGER_TYPE,
            "eventName": triggered.event,
            "triggeredAt": triggered.triggered_at,
        },
        links={
            "pb:logs": _link(logs_path, "Webhook execution logs", name=name),
            "logs": _link(logs_path, "DEPRECATED - Use pb:logs", name=name),
            "pb:webhook": _link(urls.WEBHOOK.fill(uuid=triggered.webhook), "Webhook", name=name)
            if triggered.webhook
            else None,
        },
    )


def _logs_path(triggered: TriggeredWebhook) -> str:
    return urls.TRIGGERED_WEBHOOK_LOGS.fill(uuid=triggered.uuid)


def _link(path: str, title: str, **members: str | None) -> Link:
    """Build a link whose title follows its href, as in the original broker's documents.

    A name that is None is rendered as null: a triggered webhook has no name once its webhook is deleted.
    """
    return Link(path, extra={"title": title, **members})


@represent.register
def webhooks_status(page: WebhooksStatus) -> Hal:
    pair = {"consumer": page.consumer, "provider": page.provider}
    failed = [
        triggered
        for triggered in page.triggered
        if triggered.status in (DeliveryStatus.FAILURE, DeliveryStatus.RETRYING)
    ]
    return Hal(
        state={"summary": _summary(page.triggered)},
        embedded={"triggeredWebhooks": [_triggered_webhook(triggered, page.schedule) for triggered in page.triggered]},
        links={
            "self": _link(urls.URL_PLACEHOLDER, "Webhooks status"),
            "pb:error-logs": [
                _link(_logs_path(triggered), "Error logs", name=triggered.request_name) for triggered in failed
            ],
            "pb:pact-webhooks": Link(
                urls.PACT_WEBHOOKS.fill(**pair),
                f"Webhooks for the pact between {page.consumer} and {page.provider}",
            ),
            "pb:pact-version": _pact_link(page.triggered[0]) if page.triggered else None,
            "pb:consumer": _pacticipant_link("Consumer", page.consumer),
            "pb:provider": _pacticipant_link("Provider", page.provider),
        },
    )


def _summary(triggered_webhooks_of_pair: Sequence[TriggeredWebhook]) -> dict[str, int]:
    counts = Counter(triggered.status for triggered in triggered_webhooks_of_pair)
    summary = {"successful": counts[DeliveryStatus.SUCCESS], "failed": counts[DeliveryStatus.FAILURE]}
    # As in the original broker, these two are absent if they are zero.
    if counts[DeliveryStatus.RETRYING]:
        summary["retrying"] = counts[DeliveryStatus.RETRYING]
    if counts[DeliveryStatus.NOT_RUN]:
        summary["notRun"] = counts[DeliveryStatus.NOT_RUN]
    return summary


def _pact_link(triggered: TriggeredWebhook) -> Link | None:
    consumer, version, provider = triggered.consumer, triggered.consumer_version, triggered.provider
    if version is None:
        return None
    path = urls.PACT.fill(provider=provider, consumer=consumer, version=version)
    return _link(path, "Pact", name=f"Pact between {consumer} ({version}) and {provider}")


def _pacticipant_link(role: str, name: str) -> Link:
    return _link(urls.PACTICIPANT.fill(pacticipant=name), role, name=name)


@represent.register
def logs(page: DeliveryLogs) -> Hal:
    triggered = page.triggered
    return Hal(
        state={
            "eventName": triggered.event,
            "consumerName": triggered.consumer,
            "providerName": triggered.provider,
            "executions": [_execution_state(execution) for execution in page.executions],
        },
        embedded={"triggeredWebhook": {"uuid": triggered.uuid}},
        links={
            "self": Link(urls.URL_PLACEHOLDER, "Triggered webhook logs"),
            "pb:webhook": _link(urls.WEBHOOK.fill(uuid=triggered.webhook), "Webhook") if triggered.webhook else None,
            # Without its webhook there is no request to send again.
            "pb:redeliver": Link(urls.REDELIVER.fill(uuid=triggered.uuid), "POST to send this again")
            if triggered.webhook
            else None,
        },
    )


def _execution_state(execution: Execution) -> dict[str, object]:
    state = {
        "success": execution.success,
        "logs": execution.logs,
        "responseStatus": execution.status,
        "milliseconds": execution.milliseconds,
        "createdAt": execution.created_at,
    }
    return {name: value for name, value in state.items() if value is not None}


@represent.register_text
def logs_as_text(page: DeliveryLogs, _context: RenderContext) -> str:
    if not page.executions:
        return "Webhook has not executed yet. Please retry in a few seconds."
    return "\n".join(execution.logs for execution in page.executions)
