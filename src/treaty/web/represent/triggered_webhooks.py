"""How deliveries to webhooks look: lists of them, their logs, and how a pair's webhooks fare."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from treaty.model.delivery import TRIGGER, Execution, Status, TriggeredWebhook
from treaty.web import represent, urls
from treaty.web.hal import Hal, Link, Place


@dataclass(frozen=True, slots=True)
class Delivered:
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
class Logs:
    """All attempts of a delivery."""

    triggered: TriggeredWebhook
    executions: Sequence[Execution]


@represent.register
def delivered(one: Delivered) -> Hal:
    return _triggered(one.triggered, one.schedule)


@represent.register
def triggered_webhooks(page: TriggeredWebhooks) -> Hal:
    return Hal(
        embedded={"triggeredWebhooks": [_triggered(one, page.schedule) for one in page.triggered]},
        links={"self": Link(urls.HERE, page.title)},
    )


def _triggered(one: TriggeredWebhook, schedule: Sequence[timedelta]) -> Hal:
    logs = urls.TRIGGERED_WEBHOOK_LOGS.fill(uuid=one.uuid)
    return Hal(
        state={
            "name": one.request_name,
            "status": one.status.value,
            "attemptsMade": one.attempts,
            "attemptsRemaining": one.attempts_remaining(schedule),
            "triggerType": TRIGGER,
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
    troubled = [one for one in page.triggered if one.status in (Status.FAILURE, Status.RETRYING)]
    return Hal(
        state={"summary": _summary(page.triggered)},
        embedded={"triggeredWebhooks": [_triggered(one, page.schedule) for one in page.triggered]},
        links={
            "self": _titled(urls.HERE, "Webhooks status"),
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
    summary = {"successful": counted[Status.SUCCESS], "failed": counted[Status.FAILURE]}
    if counted[Status.RETRYING]:
        summary["retrying"] = counted[Status.RETRYING]
    if counted[Status.NOT_RUN]:
        summary["notRun"] = counted[Status.NOT_RUN]
    return summary


def _pact(one: TriggeredWebhook) -> Link | None:
    if one.consumer_version is None:
        return None
    path = urls.PACT.fill(provider=one.provider, consumer=one.consumer, version=one.consumer_version)
    return _titled(path, "Pact", name=f"Pact between {one.consumer} ({one.consumer_version}) and {one.provider}")


def _pacticipant(role: str, name: str) -> Link:
    return _titled(urls.PACTICIPANT.fill(pacticipant=name), role, name=name)


@represent.register
def logs(page: Logs) -> Hal:
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
            "self": Link(urls.HERE, "Triggered webhook logs"),
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
def logs_as_text(page: Logs, _place: Place) -> str:
    if not page.executions:
        return "Webhook has not executed yet. Please retry in a few seconds."
    return "\n".join(one.logs for one in page.executions)
