"""Enqueues deliveries about events that no publication causes, such as overdue verifications, and records the events.

Each event is enqueued in one transaction with the mark that prevents it from being enqueued again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from treaty.actions.webhooks.event_log import record_events
from treaty.actions.webhooks.events import EventContext, build_required_context, enqueue
from treaty.model.webhooks.deliveries import Delivery
from treaty.model.webhooks.event_log import NewEvent
from treaty.model.webhooks.events import (
    CONTRACT_UNUSED,
    DEPLOYMENT_BLOCKED,
    VERIFICATION_OVERDUE,
    WEBHOOK_FAILING,
)
from treaty.model.webhooks.parameters import DeliveryFacts
from treaty.model.webhooks.summaries import format_time
from treaty.model.wording import choose_form
from treaty.store.pacticipants import pacticipants
from treaty.store.webhooks import notices, webhooks
from treaty.store.webhooks.notices import ANY_VERSION, ContractUse, OverdueVerification, PublishedPact

# Overdue verifications


def report_overdue(db: Connection, pact: PublishedPact, *, base_url: str, now: datetime) -> int:
    """Enqueue the events about missing results of a pact, and return their number.

    Under the locks of both sides, since a result, a newer pact or another process may have been faster.
    """
    pacticipants.lock(db, {pact.consumer, pact.provider})
    if not notices.is_current(db, pact):
        return 0
    overdue = notices.list_overdue(db, pact)
    for verification in overdue:
        notices.mark_overdue(db, pact, verification.provider_version, now=now)
        _enqueue_for_overdue(db, pact, verification, base_url=base_url, now=now)
    return len(overdue)


def _enqueue_for_overdue(
    db: Connection, pact: PublishedPact, overdue: OverdueVerification, *, base_url: str, now: datetime
) -> None:
    since = format_time(pact.published_at)
    context = {"base_url": base_url, "reason": _explain_overdue(overdue, since), "since": since}
    event_context = (
        EventContext(consumer=pact.consumer, consumer_version=pact.version, provider=pact.provider)
        if overdue.required is None
        else build_required_context(db, pact, overdue.required)
    )
    event = NewEvent(
        name=VERIFICATION_OVERDUE,
        consumer=pact.consumer,
        consumer_version=pact.version,
        provider=pact.provider,
        provider_version=None if overdue.required is None else overdue.required.version,
        sha=pact.sha,
        details={"since": since, "reason": context["reason"]},
    )
    record_events(db, [event], now=now)
    for subscription in webhooks.list_subscriptions(
        db, consumer=pact.consumer, provider=pact.provider, events=[VERIFICATION_OVERDUE]
    ):
        enqueue(db, subscription, [event_context], context=context, now=now)


def _explain_overdue(overdue: OverdueVerification, since: str) -> str:
    is_any = overdue.provider_version == ANY_VERSION
    results = "No version of the provider has published a result" if is_any else "This version has published no result"
    return f"{results} since the pact was published at {since}."


# Unused contracts


def report_use(db: Connection, use: ContractUse, *, before: datetime, base_url: str, now: datetime) -> bool:
    """Enqueue the event about an unused contract, or remove the mark of one that is in use again.

    Returns whether an event was enqueued. Under the locks of both sides, as for overdue verifications.
    """
    pacticipants.lock(db, {use.consumer, use.provider})
    current = notices.find_use(db, consumer=use.consumer, provider=use.provider, before=before)
    if current is None or current.is_used != current.is_reported:
        return False
    notices.mark_unused(db, consumer=use.consumer, provider=use.provider, at=None if current.is_used else now)
    if current.is_used:
        return False
    since = format_time(current.published_at)
    reason = (
        f"Its last pact was published at {since}, and no version with one is deployed, released, or the head of the"
        " main branch."
    )
    event = NewEvent(
        name=CONTRACT_UNUSED,
        consumer=current.consumer,
        consumer_version=current.version,
        provider=current.provider,
        details={"since": since, "reason": reason},
    )
    record_events(db, [event], now=now)
    event_context = EventContext(consumer=current.consumer, consumer_version=current.version, provider=current.provider)
    for subscription in webhooks.list_subscriptions(
        db, consumer=current.consumer, provider=current.provider, events=[CONTRACT_UNUSED]
    ):
        context = {"base_url": base_url, "reason": reason, "since": since}
        enqueue(db, subscription, [event_context], context=context, now=now)
    return True


# Failing webhooks


def enqueue_for_failing_webhook(db: Connection, delivery: Delivery, *, max_failures: int, now: datetime) -> None:
    """Enqueue the event about a webhook that has just been marked as failing by a delivery.

    The webhook itself is left out. A mark stays until a delivery succeeds, so webhooks that report the failures of each
    other cause one event each.
    """
    failing = webhooks.find(db, delivery.webhook)
    if failing is None:
        return
    since = format_time(now)
    context = {
        "base_url": delivery.context.get("base_url", ""),
        "failing_webhook": failing.uuid,
        "failing_webhook_title": failing.title,
        "reason": f"{max_failures} {choose_form(max_failures, 'attempt', 'attempts in a row')} had failed at {since}.",
        "since": since,
    }
    facts = delivery.facts
    event = NewEvent(
        name=WEBHOOK_FAILING,
        consumer=facts.consumer,
        provider=facts.provider,
        details={"webhook": failing.uuid, "since": since, "reason": context["reason"]},
    )
    record_events(db, [event], now=now)
    event_context = EventContext(
        consumer=facts.consumer, consumer_version=facts.consumer_version, provider=facts.provider, facts=facts
    )
    for subscription in webhooks.list_subscriptions(
        db, consumer=facts.consumer, provider=facts.provider, events=[WEBHOOK_FAILING]
    ):
        if subscription.webhook != failing.uuid:
            enqueue(db, subscription, [event_context], context=context, now=now)


# Blocked deployments


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockedDeployment:
    """A recorded decision that does not allow versions to be deployed to a production environment."""

    versions: Sequence[tuple[str, str]]
    """Those in the question: names of existing pacticipants, with version numbers."""
    environment: str
    causes: Sequence[str]
    """Sentences."""
    decision_url: str
    """Complete URL of the decision."""


def enqueue_for_blocked_deployment(db: Connection, blocked: BlockedDeployment, *, base_url: str, now: datetime) -> None:
    """Enqueue the events about a blocked deployment, one for each version.

    Webhooks get the event if they name the pacticipant as consumer or provider, or name nothing.
    """
    for application, number in blocked.versions:
        context = {
            "base_url": base_url,
            "application_version_number": number,
            "environment": blocked.environment,
            "decision_url": blocked.decision_url,
            "reason": " ".join(blocked.causes),
        }
        event = NewEvent(
            name=DEPLOYMENT_BLOCKED,
            consumer=application,
            consumer_version=number,
            details={
                "environment": blocked.environment,
                "decisionUrl": blocked.decision_url,
                "reason": context["reason"],
            },
        )
        record_events(db, [event], now=now)
        # A delivery has two sides and facts. Here both sides are the application, and there is no pact.
        event_context = EventContext(
            consumer=application,
            consumer_version=number,
            provider=application,
            facts=_build_facts(application, number),
            environment=blocked.environment,
        )
        for subscription in webhooks.list_subscriptions_of_application(db, application, DEPLOYMENT_BLOCKED):
            enqueue(db, subscription, [event_context], context=context, now=now)


def _build_facts(application: str, number: str) -> DeliveryFacts:
    return build_facts_without_pact(consumer=application, consumer_version=number, provider=application)


def build_facts_without_pact(*, consumer: str, consumer_version: str, provider: str) -> DeliveryFacts:
    """Build the facts of an event about no pact, or about one that has been removed."""
    return DeliveryFacts(
        consumer=consumer,
        consumer_version=consumer_version,
        consumer_tags=(),
        consumer_branch=None,
        consumer_labels=(),
        provider=provider,
        provider_labels=(),
        sha="",
        result=None,
    )
