"""Deliveries to webhooks: claiming, sending, recording attempts, sending again, and testing a webhook."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from treaty.actions.webhooks.encryption import decrypt_request
from treaty.actions.webhooks.notices import enqueue_for_failing_webhook
from treaty.errors import Conflict, NotFound
from treaty.model.audit import Action
from treaty.model.webhooks import parameters
from treaty.model.webhooks.deliveries import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Execution,
    LogFormatter,
    NextStep,
    NoResponse,
    OutgoingRequest,
    TriggeredWebhook,
    WebhookResponse,
    build_outgoing_request,
    decide_next_step,
    format_log,
    redact_request,
    remove_cut_secret,
    sign_request,
)
from treaty.model.webhooks.events import NOTICES, PROVIDER_VERIFICATION_PUBLISHED
from treaty.model.webhooks.named_secrets import NamedSecret, choose_for_request
from treaty.model.webhooks.parameters import DeliveryFacts, ParameterUrls, WebhookContext
from treaty.model.webhooks.previews import PreviewEvent, build_example_context
from treaty.model.webhooks.rendering import UnusableValue
from treaty.model.webhooks.secrecy import read_origin
from treaty.model.webhooks.webhooks import Webhook
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.engine.vault import WrongKey, get_vault
from treaty.store.pacticipants import pacticipants
from treaty.store.webhooks import (
    deliveries,
    delivery_facts,
    digests,
    due_deliveries,
    named_secrets,
    preview_events,
    triggered_webhooks,
    webhooks,
)
from treaty.store.webhooks.deliveries import DeliveryUpdate
from treaty.store.webhooks.due_deliveries import ClaimRequest

Send = Callable[[OutgoingRequest, Settings], WebhookResponse | NoResponse]


def claim(db: Connection, claim_request: ClaimRequest) -> list[Delivery]:
    """Claim due deliveries. Those whose webhook or pact no longer exists fail: there is no request to send."""
    uuids = due_deliveries.claim(db, claim_request)
    loaded = delivery_facts.load_claimed(db, uuids, owner=claim_request.owner)
    secrets = named_secrets.load_by_name(db) if loaded else {}
    for uuid in uuids:
        if uuid not in loaded:
            deliveries.abandon(db, uuid, owner=claim_request.owner)
    # Encrypted values may refer to secrets, too, and only the sender threads decrypt them.
    return [replace(loaded[uuid], named_secrets=secrets) for uuid in uuids if uuid in loaded]


def attempt_delivery(delivery: Delivery, *, settings: Settings, parameter_urls: ParameterUrls, send: Send) -> Attempt:
    """Build a request and send it. This runs in the worker's sender threads, so it never uses the database."""
    started_at = datetime.now(UTC)
    try:
        request = build_request(delivery, settings=settings, parameter_urls=parameter_urls, at=started_at)
    except (WrongKey, ValueError) as error:
        # Another key may be configured before the next attempt, but an unusable value stays unusable.
        outcome = NoResponse(type(error).__name__, str(error), is_final=isinstance(error, UnusableValue))
        return Attempt(request=None, outcome=outcome, started_at=started_at, finished_at=started_at)
    sent_outcome = send(request, settings)
    if isinstance(sent_outcome, WebhookResponse):
        sent_outcome = remove_cut_secret(sent_outcome, request.secrets)
    return Attempt(request=request, outcome=sent_outcome, started_at=started_at, finished_at=datetime.now(UTC))


def build_request(
    delivery: Delivery, *, settings: Settings, parameter_urls: ParameterUrls, at: datetime
) -> OutgoingRequest:
    """Build the request of a delivery, and sign it if its webhook has a secret.

    Raises WrongKey if a secret cannot be decrypted, and ValueError if the values do not make a valid request, such as
    UnusableSecret.
    """
    vault = get_vault(settings)
    decrypted = decrypt_request(delivery.request, vault)
    chosen = choose_for_request(decrypted, delivery.named_secrets)
    request = build_outgoing_request(
        decrypted,
        parameters.build_parameters(delivery.facts, delivery.context, parameter_urls),
        user_agent=settings.user_agent,
        trace=delivery.context.get("traceparent"),
        named_secrets={secret.name: vault.decrypt(secret.value) for secret in chosen},
    )
    if delivery.secret is None:
        return request
    return sign_request(request, vault.decrypt(delivery.secret), delivery=delivery.uuid, at=at)


def record_attempt(
    db: Connection, delivery: Delivery, attempt: Attempt, *, owner: str, jitter: float, settings: Settings
) -> DeliveryStatus:
    """Record an attempt and schedule the next one. `jitter` is a factor on the delay.

    Nothing is recorded if the claim has expired and another worker has taken the delivery over.
    """
    success = attempt.is_success(settings.webhook_http_code_success)
    attempts = delivery.attempts + 1
    schedule = settings.webhook_retry_schedule
    if attempt.is_final or delivery.is_overdue(schedule, at=attempt.started_at):
        schedule = ()
    next_step = decide_next_step(success=success, attempts=attempts, schedule=schedule)
    update = DeliveryUpdate(
        uuid=delivery.uuid,
        owner=owner,
        status=next_step.status,
        due_at=None if next_step.delay is None else attempt.finished_at + next_step.delay * jitter,
    )
    execution = _build_execution(delivery, attempt, _describe_step(next_step, attempts), settings, success=success)
    if not deliveries.record_attempt(db, update, execution):
        return next_step.status
    if "digest" in delivery.context and not next_step.status.is_open:
        digests.end(db, delivery.uuid)
    max_failures = settings.webhook_failures_until_failing
    now = attempt.finished_at
    if webhooks.record_outcome(db, delivery.webhook, success=success, max_failures=max_failures, now=now):
        audit.record(db, Action.WEBHOOK_FAILING, resource=delivery.webhook, params={"delivery": delivery.uuid})
        enqueue_for_failing_webhook(db, delivery, max_failures=max_failures, now=now)
    return next_step.status


def _describe_step(step: NextStep, attempts: int) -> str:
    match step.status:
        case DeliveryStatus.SUCCESS:
            return "Successfully executed webhook"
        case DeliveryStatus.RETRYING if step.delay is not None:
            return f"Retrying webhook in {step.delay.total_seconds():.0f} seconds"
        case _:
            return f"Webhook execution failed after {attempts} attempts"


def _build_execution(
    delivery: Delivery, attempt: Attempt, conclusion: str, settings: Settings, *, success: bool
) -> Execution:
    formatter = build_log_formatter(settings, delivery.webhook, delivery.context)
    return Execution(
        success=success,
        status=attempt.status if formatter.can_show_response else None,
        milliseconds=attempt.milliseconds,
        created_at=attempt.finished_at,
        logs=format_log(attempt, delivery.context, formatter, conclusion),
    )


def build_log_formatter(settings: Settings, webhook: str, context: WebhookContext) -> LogFormatter:
    """Build the formatter for a webhook's logs, by its UUID.

    As in the original broker, logs show responses only if there is a host whitelist: otherwise a webhook could be used
    to read from the internal network.
    """
    return LogFormatter(
        webhook=webhook,
        base_url=context.get("base_url", ""),
        can_show_response=bool(settings.webhook_host_whitelist),
        is_redacted=settings.webhook_redact_sensitive_data,
    )


def redeliver(db: Connection, uuid: str, *, now: datetime) -> TriggeredWebhook:
    """Queue a delivery again. Raises NotFound, and Conflict if its webhook has been deleted."""
    existing = triggered_webhooks.find(db, uuid)
    if existing is None:
        raise NotFound
    # A removal preserves the deliveries that are queued when it begins. One that is queued during it would be lost.
    pacticipants.lock(db, {existing.consumer, existing.provider})
    if triggered_webhooks.find(db, uuid) is None:
        raise NotFound
    if not deliveries.requeue(db, uuid, now=now):
        raise Conflict("The webhook has been deleted, so there is nothing to send.")
    audit.record(db, Action.WEBHOOK_REDELIVERY, resource=uuid)
    requeued = triggered_webhooks.find(db, uuid)
    assert requeued is not None  # noqa: S101 - found before, in the same transaction and under a lock
    return requeued


# Testing a webhook


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookTest:
    """A webhook to test, with the pact or event to test it with."""

    webhook: Webhook
    facts: DeliveryFacts
    context: WebhookContext
    named_secrets: Mapping[str, NamedSecret]


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookTestResult:
    """Result of testing a webhook."""

    webhook_test: WebhookTest
    attempt: Attempt
    log_formatter: LogFormatter
    success: bool
    logs: str


def prepare_test(db: Connection, webhook: Webhook, *, base_url: str) -> WebhookTest:
    """Prepare a test with the latest matching pact, or with placeholders if there is none."""
    facts = delivery_facts.find_example(db, webhook) or parameters.PLACEHOLDER_FACTS
    # The original broker uses a placeholder result for this event only.
    if facts.result is None and PROVIDER_VERIFICATION_PUBLISHED in webhook.events:
        facts = replace(facts, result=parameters.PLACEHOLDER_RESULT)
    return WebhookTest(
        webhook=webhook,
        facts=facts,
        context={**_build_example_context(webhook), "base_url": base_url, "event_name": "test"},
        named_secrets=named_secrets.load_by_name(db),
    )


def _build_example_context(webhook: Webhook) -> WebhookContext:
    """Build example values for a webhook that subscribes to none of the events that publications cause."""
    if not set(webhook.events) <= set(NOTICES):
        return {}
    contexts = [build_example_context(event, webhook=webhook.uuid, title=webhook.title) for event in webhook.events]
    return {name: value for context in contexts for name, value in context.items()}


def approve_server(webhook_test: WebhookTest) -> WebhookTest:
    """Let a preview use all secrets for the server of its webhook, without approving it for deliveries."""
    origin = read_origin(webhook_test.webhook.request.url)
    secrets = {
        name: replace(secret, origins=(*secret.origins, origin)) for name, secret in webhook_test.named_secrets.items()
    }
    return replace(webhook_test, named_secrets=secrets)


def record_test(db: Connection, webhook: Webhook) -> None:
    """Record a test in the audit log. Call it before sending: a request that has been sent cannot be rolled back."""
    audit.record(db, Action.WEBHOOK_TRIAL, resource=webhook.uuid, params={"sends_to": webhook.request.name})


def prepare_past_event_test(db: Connection, webhook: Webhook, event: PreviewEvent, *, base_url: str) -> WebhookTest:
    """Prepare a test with the facts and values of a past event."""
    publication = preview_events.get_publication_id(db, event.pact)
    context = preview_events.load_context(db, event, publication)
    is_notice = event.name in NOTICES
    examples = build_example_context(event.name, webhook=webhook.uuid, title=webhook.title) if is_notice else {}
    facts = delivery_facts.load_past(
        db,
        publication,
        verification=event.result.number if event.result else None,
        event=event.name,
        at=event.at,
        provider_version=context.get("provider_version_number"),
    )
    return WebhookTest(
        webhook=webhook,
        facts=facts,
        context={**examples, "base_url": base_url, "event_name": event.name, **context},
        named_secrets=named_secrets.load_by_name(db),
    )


def preview_request(
    webhook_test: WebhookTest, *, settings: Settings, parameter_urls: ParameterUrls, now: datetime
) -> OutgoingRequest:
    """Build the request that a test would send now, with its secrets masked. Raises as `build_request` does."""
    delivery = _build_test_delivery(webhook_test)
    return redact_request(build_request(delivery, settings=settings, parameter_urls=parameter_urls, at=now))


def send_test(
    webhook_test: WebhookTest, *, settings: Settings, parameter_urls: ParameterUrls, send: Send
) -> WebhookTestResult:
    """Send a test's request at once. The attempt is not stored."""
    delivery = _build_test_delivery(webhook_test)
    attempt = attempt_delivery(delivery, settings=settings, parameter_urls=parameter_urls, send=send)
    success = attempt.is_success(settings.webhook_http_code_success)
    formatter = build_log_formatter(settings, delivery.webhook, delivery.context)
    logs = format_log(attempt, delivery.context, formatter, None if success else "Webhook execution failed")
    return WebhookTestResult(
        webhook_test=webhook_test, attempt=attempt, log_formatter=formatter, success=success, logs=logs
    )


def _build_test_delivery(webhook_test: WebhookTest) -> Delivery:
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
        named_secrets=webhook_test.named_secrets,
    )
