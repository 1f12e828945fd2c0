"""Enqueues deliveries to webhooks, and records events in the event log, in the transaction of the event.

An event and its deliveries are committed or rolled back together, so neither exists without the other.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection

from treaty.actions.webhooks.event_log import record_incomplete_comparison, record_verification_events
from treaty.model.decisions.metadata import Metadata
from treaty.model.pacts.notices import WebhookTrigger
from treaty.model.pacts.pacts import Contract, Pact
from treaty.model.verifications.verifications import NewVerification
from treaty.model.webhooks.deliveries import QueuedDelivery
from treaty.model.webhooks.events import (
    CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
    Event,
    EventSubject,
    RequiredVerification,
    get_subject,
    list_verification_events,
)
from treaty.model.webhooks.parameters import DeliveryFacts, WebhookContext
from treaty.model.webhooks.webhooks import WebhookFilters, is_match
from treaty.store.pacts import publications
from treaty.store.webhooks import deliveries, digests, webhooks
from treaty.store.webhooks.webhooks import Subscription
from treaty.telemetry import tracing


class PactOfPair(Protocol):
    """A pact of a consumer version with a provider."""

    @property
    def consumer(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def provider(self) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class EventContext:
    """What one delivery is about: a consumer version, and a provider version if the event has one."""

    consumer: str
    consumer_version: str
    provider: str
    provider_version: str | None = None
    verification: int | None = None
    context: dict[str, Any] = field(default_factory=dict)
    """Values for the webhook's parameters, by the original broker's names."""
    facts: DeliveryFacts | None = None
    """Facts to send, for an event without a pact."""
    environment: str | None = None
    """Environment that the event is about."""


def enqueue_for_contract(
    db: Connection,
    contract: Contract,
    events: Sequence[Event],
    required: Sequence[RequiredVerification],
    *,
    context: WebhookContext,
    now: datetime,
) -> list[WebhookTrigger]:
    """Enqueue the deliveries for a published contract.

    As in the original broker, an event that requires verifications causes a delivery for each provider version. The
    caller records the events in the log, since it calls this only for pairs that may have webhooks.
    """
    event_names = [event.name for event in events]
    subscriptions = webhooks.list_subscriptions(
        db, consumer=contract.consumer, provider=contract.provider, events=event_names
    )
    # Most publications trigger no webhook; the branches of provider versions are then not needed.
    if not subscriptions:
        return []
    pact = EventContext(consumer=contract.consumer, consumer_version=contract.version, provider=contract.provider)
    required_contexts = [build_required_context(db, contract, requirement) for requirement in required]
    triggers = []
    for subscription in subscriptions:
        is_required = get_subject(subscription.event) is EventSubject.REQUIRED_VERIFICATION
        contexts = required_contexts if is_required else [pact]
        triggers += enqueue(db, subscription, contexts, context=context, now=now)
    return triggers


def enqueue_for_incomplete_comparison(
    db: Connection, pact: Pact, provider_version: str, *, base_url: str, now: datetime
) -> None:
    """Enqueue the deliveries about a provider version whose contract does not describe all interactions of a pact."""
    record_incomplete_comparison(db, pact, provider_version, now=now)
    subscriptions = webhooks.list_subscriptions(
        db, consumer=pact.consumer, provider=pact.provider, events=[CONTRACT_REQUIRING_VERIFICATION_PUBLISHED]
    )
    required = RequiredVerification(version=provider_version, main_branch=None, descriptions=())
    for subscription in subscriptions:
        contexts = [build_required_context(db, pact, required)]
        enqueue(db, subscription, contexts, context={"base_url": base_url}, now=now)


def build_required_context(db: Connection, contract: PactOfPair, required: RequiredVerification) -> EventContext:
    """Build the context of an event about a provider version that has to verify a pact."""
    branch = required.main_branch or deliveries.find_branch(db, contract.provider, required.version)
    return EventContext(
        consumer=contract.consumer,
        consumer_version=contract.version,
        provider=contract.provider,
        provider_version=required.version,
        context={
            "provider_version_number": required.version,
            "provider_version_branch": branch,
            "provider_version_descriptions": list(required.descriptions),
        },
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedVerification:
    """A published result, with the pact and the metadata of the URL that it was published to."""

    number: int
    new: NewVerification
    pact: Pact
    metadata: Metadata
    provider_tags: Sequence[str]


def enqueue_for_verification(
    db: Connection, published: PublishedVerification, *, base_url: str
) -> list[WebhookTrigger]:
    """Enqueue the deliveries for a published result, and record its events: one for each selected consumer version."""
    new = published.new
    subscriptions = webhooks.list_subscriptions(
        db, consumer=new.consumer, provider=new.provider, events=list_verification_events(success=new.success)
    )
    event_contexts = _list_result_contexts(db, published)
    record_verification_events(db, new, published.number, [context.consumer_version for context in event_contexts])
    if not subscriptions:
        return []
    is_pending = published.metadata.is_pending
    context = {
        "base_url": base_url,
        **({"build_url": new.build_url} if new.build_url is not None else {}),
        **({"pending": is_pending} if is_pending is not None else {}),
        "provider_version_tags": list(published.provider_tags),
    }
    triggers = []
    for subscription in subscriptions:
        triggers += enqueue(db, subscription, event_contexts, context=context, now=new.created_at)
    return triggers


def _list_result_contexts(db: Connection, published: PublishedVerification) -> list[EventContext]:
    selectors = published.metadata.selected_by
    ids = [selector.version_id for selector in selectors if selector.version_id is not None]
    # Clients send these ids, so those that do not belong to the verified pact are ignored.
    numbers = deliveries.load_version_numbers(db, published.new, ids)
    tags_by_number: dict[str, list[str]] = {}
    for selector in selectors:
        if selector.version_id in numbers:
            number = numbers[selector.version_id]
            tags_by_number.setdefault(number, []).extend(_list_own_tags(db, published, number, selector.tag))
    if not tags_by_number:
        return [_build_result_context(published, published.pact.version, _build_url_context(published))]
    return [
        _build_result_context(published, number, {"consumer_version_number": number, "consumer_version_tags": tags})
        for number, tags in tags_by_number.items()
    ]


def _list_own_tags(db: Connection, published: PublishedVerification, number: str, tag: str | None) -> list[str]:
    """List the tag of a selector if the version has it. It does not if it was found by the fallback tag."""
    if tag is None or tag not in publications.list_tags(db, published.new.consumer, number):
        return []
    return [tag]


def _build_url_context(published: PublishedVerification) -> dict[str, Any]:
    """Build the context from the metadata of a URL that names one consumer version, or none."""
    metadata, version = published.metadata, published.pact.version
    context: dict[str, Any] = {"consumer_version_number": version} if metadata != Metadata() else {}
    # The version in the URL may have been deleted. Its tags are not those of another version with the same pact.
    is_same_version = metadata.version_number in {None, version}
    return {**context, "consumer_version_tags": list(metadata.tags)} if metadata.tags and is_same_version else context


def _build_result_context(
    published: PublishedVerification, consumer_version: str, context: dict[str, Any]
) -> EventContext:
    return EventContext(
        consumer=published.new.consumer,
        consumer_version=consumer_version,
        provider=published.new.provider,
        provider_version=published.new.provider_version,
        verification=published.number,
        context=context,
    )


def enqueue(
    db: Connection,
    subscription: Subscription,
    event_contexts: Iterable[EventContext],
    *,
    context: WebhookContext,
    now: datetime,
) -> list[WebhookTrigger]:
    """Enqueue the deliveries of a webhook that pass its filters, or add the events to its digest.

    Events in a digest cause no delivery of their own, and are not returned.
    """
    triggers = []
    for event_context in event_contexts:
        if not is_matching(db, subscription.filters, subscription.event, event_context):
            continue
        delivery = QueuedDelivery(
            uuid=str(uuid.uuid4()),
            webhook=subscription.webhook,
            event=subscription.event,
            consumer=event_context.consumer,
            consumer_version=event_context.consumer_version,
            provider=event_context.provider,
            verification=event_context.verification,
            context={
                **context,
                "event_name": subscription.event,
                **event_context.context,
                **tracing.current_headers(),
            },
            facts=event_context.facts,
        )
        if subscription.has_digest:
            digests.add(db, _name_provider_version(delivery, event_context), now=now)
            continue
        deliveries.enqueue(db, delivery, now=now)
        triggers.append(
            WebhookTrigger(
                webhook=subscription.webhook,
                description=subscription.description,
                event=subscription.event,
                uuid=delivery.uuid,
            )
        )
    return triggers


def _name_provider_version(delivery: QueuedDelivery, event_context: EventContext) -> QueuedDelivery:
    """Add the provider version of a result, which deliveries find by the result's id, to the context."""
    if event_context.provider_version is None:
        return delivery
    return replace(delivery, context={"provider_version_number": event_context.provider_version, **delivery.context})


def is_matching(db: Connection, filters: WebhookFilters, event_name: str, event_context: EventContext) -> bool:
    """Whether an event passes the filters of a webhook."""
    # Most webhooks have no filters; loading both versions takes six statements.
    if filters.is_empty:
        return True
    consumer = webhooks.load_event_version(db, event_context.consumer, event_context.consumer_version)
    number = event_context.provider_version
    provider = webhooks.load_event_version(db, event_context.provider, number) if number is not None else None
    if event_context.environment is not None:
        consumer = replace(consumer, environments=consumer.environments | {event_context.environment})
    is_result = get_subject(event_name) is EventSubject.RESULT
    return is_match(
        filters, consumer=consumer, provider=provider, published=provider if provider and is_result else consumer
    )
