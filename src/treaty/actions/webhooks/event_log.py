"""The event log: recording events, assigning their positions, and removing old ones.

`record_events` is the only way into the log. It is called in the transaction of each event, next to the function that
enqueues deliveries, and whether or not a webhook is subscribed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection

from treaty.model.webhooks.event_log import NewEvent
from treaty.model.webhooks.events import (
    CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
    Event,
    RequiredVerification,
    list_verification_events,
)
from treaty.store.webhooks import event_log

if TYPE_CHECKING:
    from treaty.model.pacts.pacts import Contract, Pact
    from treaty.model.verifications.verifications import NewVerification
    from treaty.model.webhooks.parameters import WebhookContext

_DETAILS: Final = {
    "consumer_version_branch": "consumerVersionBranch",
    "consumer_version_tags": "consumerVersionTags",
    "build_url": "buildUrl",
}
"""Values of a webhook's context that the log has, too, by their names in the API."""


def record_events(db: Connection, events: Sequence[NewEvent], *, now: datetime) -> None:
    """Record events in the log, in the transaction in which they happen."""
    event_log.add(db, events, now=now)


def record_contract_events(
    db: Connection,
    contract: "Contract",
    events: Sequence[Event],
    required: Sequence[RequiredVerification],
    *,
    context: "WebhookContext",
    now: datetime,
) -> None:
    """Record the events of a published contract; a required verification is an event for each provider version."""
    details = {shown: context[name] for name, shown in _DETAILS.items() if context.get(name)}
    new_events = []
    for event in events:
        if event.name == CONTRACT_REQUIRING_VERIFICATION_PUBLISHED:
            new_events += [_require(contract, contract.content.sha, requirement, details) for requirement in required]
        else:
            comment = {"comment": event.comment} if event.comment else {}
            new_events.append(
                NewEvent(
                    name=event.name,
                    consumer=contract.consumer,
                    consumer_version=contract.version,
                    provider=contract.provider,
                    sha=contract.content.sha,
                    details={**details, **comment},
                )
            )
    record_events(db, new_events, now=now)


def record_incomplete_comparison(db: Connection, pact: "Pact", provider_version: str, *, now: datetime) -> None:
    """Record that a provider version's contract does not describe all interactions of a pact."""
    required = RequiredVerification(version=provider_version, main_branch=None, descriptions=())
    record_events(db, [_require(pact, pact.sha, required, {})], now=now)


def _require(pact: "Contract | Pact", sha: str, required: RequiredVerification, details: Mapping[str, Any]) -> NewEvent:
    own_details = {
        "providerVersionBranch": required.main_branch,
        "providerVersionDescriptions": list(required.descriptions),
    }
    return NewEvent(
        name=CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
        consumer=pact.consumer,
        consumer_version=pact.version,
        provider=pact.provider,
        provider_version=required.version,
        sha=sha,
        details={**details, **{name: value for name, value in own_details.items() if value}},
    )


def record_verification_events(
    db: Connection, new: "NewVerification", number: int, consumer_versions: Sequence[str]
) -> None:
    """Record the events of a published result, for each consumer version that was selected."""
    details = {"success": new.success, **({"buildUrl": new.build_url} if new.build_url else {})}
    events = [
        NewEvent(
            name=name,
            consumer=new.consumer,
            consumer_version=version,
            provider=new.provider,
            provider_version=new.provider_version,
            sha=new.sha,
            verification=number,
            details=details,
        )
        for name in list_verification_events(success=new.success)
        for version in consumer_versions
    ]
    record_events(db, events, now=new.created_at)


# Positions and retention


def assign_positions(db: Connection, *, limit: int) -> int:
    """Assign positions to committed events that have none; return their number."""
    return event_log.assign_positions(db, limit=limit)


def remove_old_events(db: Connection, *, until: int) -> None:
    """Remove the events up to a position."""
    event_log.remove(db, until=until)
