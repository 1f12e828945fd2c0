"""Delivering what is owed to webhooks: taking it on, noting what came of it, sending it again by hand."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from treaty.errors import Conflict, NotFound
from treaty.model import delivery as deliver
from treaty.model import event, template
from treaty.model.audit import Action
from treaty.model.delivery import (
    Attempt,
    Delivery,
    Execution,
    Outgoing,
    Response,
    Status,
    Teller,
    TriggeredWebhook,
    Unsent,
)
from treaty.model.past_event import PastEvent
from treaty.model.template import Addresses, Context, Facts
from treaty.model.webhook import Request, Sealed, Webhook
from treaty.model.webhook_rendering import UnusableValue
from treaty.settings import Settings
from treaty.store import audit, deliveries, delivery_facts, pacticipants, past_events, triggered_webhooks, webhooks
from treaty.store.deliveries import Claim, Noted
from treaty.store.vault import Vault, WrongKey, vault_of

Send = Callable[[Outgoing, Settings], Response | Unsent]


def take_on(db: Connection, wanted: Claim) -> list[Delivery]:
    """Claim what is due. What nothing can be sent for any more is given up."""
    claimed = deliveries.claim(db, wanted)
    found = delivery_facts.find_claimed(db, claimed, owner=wanted.owner)
    for uuid in claimed:
        if uuid not in found:
            deliveries.give_up(db, uuid, owner=wanted.owner)
    return [found[uuid] for uuid in claimed if uuid in found]


def attempt(owed: Delivery, *, settings: Settings, addresses: Addresses, send: Send) -> Attempt:
    """Put a request together, and send it. Nothing of this touches the database."""
    started = datetime.now(UTC)
    try:
        request = put_together(owed, settings=settings, addresses=addresses, at=started)
    except (WrongKey, ValueError) as error:
        outcome = Unsent(type(error).__name__, str(error), is_final=isinstance(error, UnusableValue))
        return Attempt(request=None, outcome=outcome, started_at=started, finished_at=started)
    outcome_of = send(request, settings)
    return Attempt(request=request, outcome=outcome_of, started_at=started, finished_at=datetime.now(UTC))


def put_together(owed: Delivery, *, settings: Settings, addresses: Addresses, at: datetime) -> Outgoing:
    """Put together, and sign, what is sent. Raises WrongKey, and ValueError for what no request can be made of."""
    request = _composed(owed.request, owed.facts, owed.context, settings=settings, addresses=addresses)
    if owed.secret is None:
        return request
    return deliver.signed(request, vault_of(settings).open(owed.secret), delivery=owed.uuid, at=at)


def _composed(
    request: Request, facts: Facts, context: Context, *, settings: Settings, addresses: Addresses
) -> Outgoing:
    values = template.parameters(facts, context, addresses)
    return deliver.composed(
        _opened(request, settings), values, user_agent=settings.user_agent, trace=context.get("traceparent")
    )


def _opened(request: Request, settings: Settings) -> Request:
    """Open the secrets of a request; the key is only asked for where there are any."""
    password = request.password
    if not any(isinstance(one, Sealed) for one in (*request.headers.values(), password)):
        return request
    vault = vault_of(settings)
    headers = {name: _open(vault, value) for name, value in request.headers.items()}
    return replace(request, headers=headers, password=None if password is None else _open(vault, password))


def _open(vault: Vault, value: str | Sealed) -> str:
    return vault.open(value) if isinstance(value, Sealed) else value


def note(db: Connection, owed: Delivery, made: Attempt, *, owner: str, jitter: float, settings: Settings) -> Status:
    """Note what came of an attempt, and when there will be another. `jitter` stretches or shortens the wait."""
    success = made.is_success(settings.webhook_http_code_success)
    attempts = owed.attempts + 1
    schedule = settings.webhook_retry_schedule
    if made.is_final or owed.is_overdue(schedule, at=made.started_at):
        schedule = ()
    step = deliver.next_step(success=success, attempts=attempts, schedule=schedule)
    due_at = None if step.delay is None else made.finished_at + step.delay * jitter
    noted = Noted(uuid=owed.uuid, owner=owner, status=step.status, due_at=due_at)
    logs = deliver.told(made, owed.context, teller(settings, owed.webhook, owed.context), _ending(step, attempts))
    execution = _execution(made, logs, success=success, shows_response=bool(settings.webhook_host_whitelist))
    if deliveries.note(db, noted, execution) and webhooks.note_outcome(
        db,
        owed.webhook,
        success=success,
        most_failures=settings.webhook_failures_until_failing,
        now=made.finished_at,
    ):
        audit.note(db, Action.WEBHOOK_FAILING, resource=owed.webhook, params={"delivery": owed.uuid})
    return step.status


def _ending(step: deliver.Next, attempts: int) -> str:
    match step.status:
        case Status.SUCCESS:
            return "Successfully executed webhook"
        case Status.RETRYING if step.delay is not None:
            return f"Retrying webhook in {step.delay.total_seconds():.0f} seconds"
        case _:
            return f"Webhook execution failed after {attempts} attempts"


def _execution(made: Attempt, logs: str, *, success: bool, shows_response: bool) -> Execution:
    return Execution(
        success=success,
        status=made.status if shows_response else None,
        milliseconds=made.milliseconds,
        created_at=made.finished_at,
        logs=logs,
    )


def teller(settings: Settings, webhook: str, context: Context) -> Teller:
    """Say how attempts are told."""
    return Teller(
        webhook=webhook,
        base_url=context.get("base_url", ""),
        shows_response=bool(settings.webhook_host_whitelist),
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
    if not deliveries.reopen(db, uuid, now=now):
        raise Conflict("The webhook has been deleted, so there is nothing to send.")
    audit.note(db, Action.WEBHOOK_REDELIVERY, resource=uuid)
    found = triggered_webhooks.find(db, uuid)
    assert found is not None  # noqa: S101 - it was there, in this very transaction
    return found


# Trying a webhook out


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A webhook that is tried out, with the pact to try it with."""

    webhook: Webhook
    facts: Facts
    context: Context


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What came of trying a webhook out."""

    trial: Trial
    attempt: Attempt
    teller: Teller
    success: bool
    logs: str


def prepare_trial(db: Connection, webhook: Webhook, *, base_url: str) -> Trial:
    """Find the latest pact that a webhook could be about; without one, something that stands for it."""
    facts = delivery_facts.find_example(db, webhook) or template.PLACEHOLDER
    if facts.result is None and event.PROVIDER_VERIFICATION_PUBLISHED in webhook.events:
        facts = replace(facts, result=template.PLACEHOLDER_RESULT)
    return Trial(webhook=webhook, facts=facts, context={"base_url": base_url, "event_name": "test"})


def note_trial(db: Connection, webhook: Webhook) -> None:
    """Note that a webhook is tried out, before it is: once its request is on its way, nothing undoes it."""
    audit.note(db, Action.WEBHOOK_TRIAL, resource=webhook.uuid, params={"sends_to": webhook.request.name})


def prepare_past(db: Connection, webhook: Webhook, past: PastEvent, *, base_url: str) -> Trial:
    """Find what a webhook would be told of something that has happened."""
    publication = past_events.publication_of(db, past.pact)
    number = past.result.number if past.result else None
    context = past_events.context_of(db, past, publication)
    facts = delivery_facts.find_past(
        db,
        publication,
        verification=number,
        event=past.name,
        at=past.at,
        provider_version=context.get("provider_version_number"),
    )
    return Trial(webhook=webhook, facts=facts, context={"base_url": base_url, "event_name": past.name, **context})


def previewed(trial: Trial, *, settings: Settings, addresses: Addresses, now: datetime) -> Outgoing:
    """Put the request together that would be sent now, its secrets hidden. Raises as `put_together`."""
    return deliver.hidden(put_together(_owed(trial), settings=settings, addresses=addresses, at=now))


def try_out(trial: Trial, *, settings: Settings, addresses: Addresses, send: Send) -> Tried:
    """Send a webhook's request at once. Nothing is kept of it."""
    made = attempt(_owed(trial), settings=settings, addresses=addresses, send=send)
    success = made.is_success(settings.webhook_http_code_success)
    telling = teller(settings, trial.webhook.uuid, trial.context)
    logs = deliver.told(made, trial.context, telling, None if success else "Webhook execution failed")
    return Tried(trial=trial, attempt=made, teller=telling, success=success, logs=logs)


def _owed(trial: Trial) -> Delivery:
    return Delivery(
        uuid=trial.webhook.uuid,
        webhook=trial.webhook.uuid,
        request=trial.webhook.request,
        secret=trial.webhook.secret,
        facts=trial.facts,
        context=trial.context,
        attempts=0,
        triggered_at=trial.webhook.created_at,
        is_failing=False,
    )
