"""Owing webhooks what they asked for, in the transaction of the event."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from treaty.model.decisions.metadata import Metadata
from treaty.model.pacts.notices import WebhookTrigger
from treaty.model.pacts.pacts import Contract, Pact
from treaty.model.verifications.verifications import NewVerification
from treaty.model.webhooks import events as webhook_events
from treaty.model.webhooks.deliveries import QueuedDelivery
from treaty.model.webhooks.events import Event, RequiredVerification
from treaty.model.webhooks.parameters import WebhookContext
from treaty.model.webhooks.webhooks import WebhookFilters, is_match
from treaty.store.pacts import publications
from treaty.store.webhooks import deliveries, webhooks
from treaty.store.webhooks.webhooks import Subscription
from treaty.telemetry import tracing


@dataclass(frozen=True, kw_only=True, slots=True)
class EventContext:
    """One thing that an event is about: a consumer's version, and a provider's where it has one."""

    consumer: str
    consumer_version: str
    provider: str
    provider_version: str | None = None
    verification: int | None = None
    context: dict[str, Any] = field(default_factory=dict)


def enqueue_for_contract(
    db: Connection,
    contract: Contract,
    events: Sequence[Event],
    required: Sequence[RequiredVerification],
    *,
    context: WebhookContext,
    now: datetime,
) -> list[WebhookTrigger]:
    """Owe what was asked for when a contract is published.

    The event that names provider versions is owed once for each of them.
    """
    found = _subscriptions(db, contract.consumer, contract.provider, [one.name for one in events])
    if not found:
        return []
    usual = [EventContext(consumer=contract.consumer, consumer_version=contract.version, provider=contract.provider)]
    with_versions = [_requirement(db, contract, one) for one in required]
    triggered = []
    for one in found:
        is_about_versions = one.event == webhook_events.CONTRACT_REQUIRING_VERIFICATION_PUBLISHED
        triggered += _owe(db, one, with_versions if is_about_versions else usual, context=context, now=now)
    return triggered


def _requirement(db: Connection, contract: Contract, required: RequiredVerification) -> EventContext:
    return EventContext(
        consumer=contract.consumer,
        consumer_version=contract.version,
        provider=contract.provider,
        provider_version=required.version,
        context={
            "provider_version_number": required.version,
            "provider_version_branch": required.main_branch
            or deliveries.find_branch(db, contract.provider, required.version),
            "provider_version_descriptions": list(required.descriptions),
        },
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedVerification:
    """A result that was published, and what the URL that it was published to says of the pact."""

    number: int
    new: NewVerification
    pact: Pact
    metadata: Metadata
    provider_tags: Sequence[str]


def enqueue_for_verification(
    db: Connection, published: PublishedVerification, *, base_url: str
) -> list[WebhookTrigger]:
    """Owe what was asked for when a result is published: once for each consumer version that it was selected by."""
    new = published.new
    found = _subscriptions(db, new.consumer, new.provider, webhook_events.list_verification_events(success=new.success))
    if not found:
        return []
    pending = published.metadata.is_pending
    context = {
        "base_url": base_url,
        **({"build_url": new.build_url} if new.build_url is not None else {}),
        **({"pending": pending} if pending is not None else {}),
        "provider_version_tags": list(published.provider_tags),
    }
    occasions = _consumer_versions(db, published)
    triggered = []
    for one in found:
        triggered += _owe(db, one, occasions, context=context, now=new.created_at)
    return triggered


def _consumer_versions(db: Connection, published: PublishedVerification) -> list[EventContext]:
    selectors = published.metadata.selected_by
    ids = [selector.version_id for selector in selectors if selector.version_id is not None]
    numbers = deliveries.load_version_numbers(db, published.new, ids)
    tags: dict[str, list[str]] = {}
    for one in selectors:
        if one.version_id in numbers:
            tags.setdefault(numbers[one.version_id], []).extend(
                _own_tags(db, published, numbers[one.version_id], one.tag)
            )
    if not tags:
        return [_result(published, published.pact.version, _said(published))]
    return [
        _result(published, number, {"consumer_version_number": number, "consumer_version_tags": names})
        for number, names in tags.items()
    ]


def _own_tags(db: Connection, published: PublishedVerification, number: str, tag: str | None) -> list[str]:
    """List the tag of a selector if the version has it. It does not if it was found by the fallback tag."""
    has_tag = tag is not None and tag in publications.list_tags(db, published.new.consumer, number)
    return [tag] if tag is not None and has_tag else []


def _said(published: PublishedVerification) -> dict[str, Any]:
    said = published.metadata
    found: dict[str, Any] = {"consumer_version_number": published.pact.version} if said != Metadata() else {}
    # The version in the URL may have been deleted. Its tags are not those of another version with the same pact.
    is_same_version = said.version_number in {None, published.pact.version}
    return {**found, "consumer_version_tags": list(said.tags)} if said.tags and is_same_version else found


def _result(published: PublishedVerification, consumer_version: str, context: dict[str, Any]) -> EventContext:
    return EventContext(
        consumer=published.new.consumer,
        consumer_version=consumer_version,
        provider=published.new.provider,
        provider_version=published.new.provider_version,
        verification=published.number,
        context=context,
    )


def _subscriptions(db: Connection, consumer: str, provider: str, events: Sequence[str]) -> list[Subscription]:
    return webhooks.list_subscriptions(db, consumer=consumer, provider=provider, events=events)


def _owe(
    db: Connection, one: Subscription, occasions: Iterable[EventContext], *, context: WebhookContext, now: datetime
) -> list[WebhookTrigger]:
    triggered = []
    for occasion in occasions:
        if is_matching(db, one.filters, one.event, occasion):
            told = {**context, "event_name": one.event, **occasion.context, **tracing.current_headers()}
            owed = _owed(one, occasion, told)
            deliveries.enqueue(db, owed, now=now)
            triggered.append(
                WebhookTrigger(webhook=one.webhook, description=one.description, event=one.event, uuid=owed.uuid)
            )
    return triggered


def _owed(one: Subscription, occasion: EventContext, context: WebhookContext) -> QueuedDelivery:
    return QueuedDelivery(
        uuid=str(uuid.uuid4()),
        webhook=one.webhook,
        event=one.event,
        consumer=occasion.consumer,
        consumer_version=occasion.consumer_version,
        provider=occasion.provider,
        verification=occasion.verification,
        context=context,
    )


def is_matching(db: Connection, filters: WebhookFilters, event_name: str, occasion: EventContext) -> bool:
    """Say whether filters let an event through."""
    if filters.is_empty:
        return True
    consumer = webhooks.load_event_version(db, occasion.consumer, occasion.consumer_version)
    number = occasion.provider_version
    provider = webhooks.load_event_version(db, occasion.provider, number) if number is not None else None
    is_result = event_name.startswith("provider_")
    return is_match(
        filters, consumer=consumer, provider=provider, published=provider if provider and is_result else consumer
    )
