"""Delivering what is owed to webhooks: taking it on, noting what came of it, sending it again by hand."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from treaty.errors import Conflict, NotFound
from treaty.model.audit import Action
from treaty.model.webhooks import deliveries as deliver
from treaty.model.webhooks import events, parameters
from treaty.model.webhooks.deliveries import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Execution,
    LogFormatter,
    NoResponse,
    OutgoingRequest,
    TriggeredWebhook,
    WebhookResponse,
)
from treaty.model.webhooks.parameters import DeliveryFacts, ParameterUrls, WebhookContext
from treaty.model.webhooks.previews import PreviewEvent
from treaty.model.webhooks.rendering import UnusableValue
from treaty.model.webhooks.webhooks import EncryptedText, Webhook, WebhookRequest
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.engine.vault import Vault, WrongKey, get_vault
from treaty.store.pacticipants import pacticipants
from treaty.store.webhooks import deliveries, delivery_facts, preview_events, triggered_webhooks, webhooks
from treaty.store.webhooks.deliveries import ClaimRequest, DeliveryUpdate

Send = Callable[[OutgoingRequest, Settings], WebhookResponse | NoResponse]


def claim(db: Connection, wanted: ClaimRequest) -> list[Delivery]:
    """Claim what is due. What nothing can be sent for any more is given up."""
    claimed = deliveries.claim(db, wanted)
    found = delivery_facts.load_claimed(db, claimed, owner=wanted.owner)
    for uuid in claimed:
        if uuid not in found:
            deliveries.abandon(db, uuid, owner=wanted.owner)
    return [found[uuid] for uuid in claimed if uuid in found]


def attempt_delivery(owed: Delivery, *, settings: Settings, addresses: ParameterUrls, send: Send) -> Attempt:
    """Put a request together, and send it. Nothing of this touches the database."""
    started = datetime.now(UTC)
    try:
        request = build_request(owed, settings=settings, addresses=addresses, at=started)
    except (WrongKey, ValueError) as error:
        outcome = NoResponse(type(error).__name__, str(error), is_final=isinstance(error, UnusableValue))
        return Attempt(request=None, outcome=outcome, started_at=started, finished_at=started)
    outcome_of = send(request, settings)
    return Attempt(request=request, outcome=outcome_of, started_at=started, finished_at=datetime.now(UTC))


def build_request(owed: Delivery, *, settings: Settings, addresses: ParameterUrls, at: datetime) -> OutgoingRequest:
    """Put together, and sign, what is sent. Raises WrongKey, and ValueError for what no request can be made of."""
    request = _composed(owed.request, owed.facts, owed.context, settings=settings, addresses=addresses)
    if owed.secret is None:
        return request
    return deliver.sign_request(request, get_vault(settings).decrypt(owed.secret), delivery=owed.uuid, at=at)


def _composed(
    request: WebhookRequest,
    facts: DeliveryFacts,
    context: WebhookContext,
    *,
    settings: Settings,
    addresses: ParameterUrls,
) -> OutgoingRequest:
    values = parameters.build_parameters(facts, context, addresses)
    return deliver.build_outgoing_request(
        _opened(request, settings), values, user_agent=settings.user_agent, trace=context.get("traceparent")
    )


def _opened(request: WebhookRequest, settings: Settings) -> WebhookRequest:
    """Open the secrets of a request; the key is only asked for where there are any."""
    password = request.password
    if not any(isinstance(one, EncryptedText) for one in (*request.headers.values(), password)):
        return request
    vault = get_vault(settings)
    headers = {name: _open(vault, value) for name, value in request.headers.items()}
    return replace(request, headers=headers, password=None if password is None else _open(vault, password))


def _open(vault: Vault, value: str | EncryptedText) -> str:
    return vault.decrypt(value) if isinstance(value, EncryptedText) else value


def record_attempt(
    db: Connection, owed: Delivery, made: Attempt, *, owner: str, jitter: float, settings: Settings
) -> DeliveryStatus:
    """Note what came of an attempt, and when there will be another. `jitter` stretches or shortens the wait."""
    success = made.is_success(settings.webhook_http_code_success)
    attempts = owed.attempts + 1
    schedule = settings.webhook_retry_schedule
    if made.is_final or owed.is_overdue(schedule, at=made.started_at):
        schedule = ()
    step = deliver.decide_next_step(success=success, attempts=attempts, schedule=schedule)
    due_at = None if step.delay is None else made.finished_at + step.delay * jitter
    noted = DeliveryUpdate(uuid=owed.uuid, owner=owner, status=step.status, due_at=due_at)
    logs = deliver.format_log(
        made, owed.context, build_log_formatter(settings, owed.webhook, owed.context), _ending(step, attempts)
    )
    execution = _execution(made, logs, success=success, can_show_response=bool(settings.webhook_host_whitelist))
    if deliveries.record_attempt(db, noted, execution) and webhooks.record_outcome(
        db,
        owed.webhook,
        success=success,
        most_failures=settings.webhook_failures_until_failing,
        now=made.finished_at,
    ):
        audit.record(db, Action.WEBHOOK_FAILING, resource=owed.webhook, params={"delivery": owed.uuid})
    return step.status


def _ending(step: deliver.NextStep, attempts: int) -> str:
    match step.status:
        case DeliveryStatus.SUCCESS:
            return "Successfully executed webhook"
        case DeliveryStatus.RETRYING if step.delay is not None:
            return f"Retrying webhook in {step.delay.total_seconds():.0f} seconds"
        case _:
            return f"Webhook execution failed after {attempts} attempts"


def _execution(made: Attempt, logs: str, *, success: bool, can_show_response: bool) -> Execution:
    return Execution(
        success=success,
        status=made.status if can_show_response else None,
        milliseconds=made.milliseconds,
        created_at=made.finished_at,
        logs=logs,
    )


def build_log_formatter(settings: Settings, webhook: str, context: WebhookContext) -> LogFormatter:
    """Say how attempts are told."""
    return LogFormatter(
        webhook=webhook,
        base_url=context.get("base_url", ""),
        can_show_response=bool(settings.webhook_host_whitelist),
        is_redacted=settings.webhook_redact_sensitive_data,
    )


def redeliver(db: Connection, uuid: str, *, now: datetime) -> TriggeredWebhook:
    """Owe a delivery anew. Raises NotFound, and Conflict when its webhook is gone."""
    known = triggered_webhooks.find(db, uuid)
    if known is None:
        raise NotFound
    # A removal keeps what is queued when it begins. What is queued after that would be lost with the pact.
    pacticipants.lock(db, {known.consumer, known.provider})
    if triggered_webhooks.find(db, uuid) is None:
        raise NotFound
    if not deliveries.requeue(db, uuid, now=now):
        raise Conflict("The webhook has been deleted, so there is nothing to send.")
    audit.record(db, Action.WEBHOOK_REDELIVERY, resource=uuid)
    found = triggered_webhooks.find(db, uuid)
    assert found is not None  # noqa: S101 - it was there, in this very transaction
    return found


# Trying a webhook out


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookTest:
    """A webhook that is tried out, with the pact to try it with."""

    webhook: Webhook
    facts: DeliveryFacts
    context: WebhookContext


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookTestResult:
    """What came of trying a webhook out."""

    webhook_test: WebhookTest
    attempt: Attempt
    log_formatter: LogFormatter
    success: bool
    logs: str


def prepare_test(db: Connection, webhook: Webhook, *, base_url: str) -> WebhookTest:
    """Find the latest pact that a webhook could be about; without one, something that stands for it."""
    facts = delivery_facts.find_example(db, webhook) or parameters.PLACEHOLDER_FACTS
    if facts.result is None and events.PROVIDER_VERIFICATION_PUBLISHED in webhook.events:
        facts = replace(facts, result=parameters.PLACEHOLDER_RESULT)
    return WebhookTest(webhook=webhook, facts=facts, context={"base_url": base_url, "event_name": "test"})


def record_test(db: Connection, webhook: Webhook) -> None:
    """Note that a webhook is tried out, before it is: once its request is on its way, nothing undoes it."""
    audit.record(db, Action.WEBHOOK_TRIAL, resource=webhook.uuid, params={"sends_to": webhook.request.name})


def prepare_past_event_test(db: Connection, webhook: Webhook, past: PreviewEvent, *, base_url: str) -> WebhookTest:
    """Find what a webhook would be told of something that has happened."""
    publication = preview_events.get_publication_id(db, past.pact)
    number = past.result.number if past.result else None
    context = preview_events.load_context(db, past, publication)
    facts = delivery_facts.load_past(
        db,
        publication,
        verification=number,
        event=past.name,
        at=past.at,
        provider_version=context.get("provider_version_number"),
    )
    return WebhookTest(webhook=webhook, facts=facts, context={"base_url": base_url, "event_name": past.name, **context})


def preview_request(
    webhook_test: WebhookTest, *, settings: Settings, addresses: ParameterUrls, now: datetime
) -> OutgoingRequest:
    """Put the request together that would be sent now, its secrets hidden. Raises as `put_together`."""
    return deliver.redact_request(build_request(_owed(webhook_test), settings=settings, addresses=addresses, at=now))


def send_test(
    webhook_test: WebhookTest, *, settings: Settings, addresses: ParameterUrls, send: Send
) -> WebhookTestResult:
    """Send a webhook's request at once. Nothing is kept of it."""
    made = attempt_delivery(_owed(webhook_test), settings=settings, addresses=addresses, send=send)
    success = made.is_success(settings.webhook_http_code_success)
    telling = build_log_formatter(settings, webhook_test.webhook.uuid, webhook_test.context)
    logs = deliver.format_log(made, webhook_test.context, telling, None if success else "Webhook execution failed")
    return WebhookTestResult(webhook_test=webhook_test, attempt=made, log_formatter=telling, success=success, logs=logs)


def _owed(webhook_test: WebhookTest) -> Delivery:
    return Delivery(
        uuid=webhook_test.webhook.uuid,
        webhook=webhook_test.webhook.uuid,
        request=webhook_test.webhook.request,
        secret=webhook_test.webhook.secret,
        facts=webhook_test.facts,
        context=webhook_test.context,
        attempts=0,
        triggered_at=webhook_test.webhook.created_at,
        is_failing=False,
    )
