"""Publishing verification results, and taking them away."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from treaty.actions.versions import versions
from treaty.actions.webhooks import events
from treaty.actions.webhooks.events import PublishedVerification
from treaty.errors import NotFound
from treaty.model.audit import Action
from treaty.model.decisions.metadata import Metadata
from treaty.model.pacts.notices import WebhookTrigger
from treaty.model.pacts.pacts import Pact
from treaty.model.verifications.verifications import NewVerification, Verification
from treaty.settings import Settings
from treaty.store import audit, verifications
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import publications
from treaty.store.webhooks import delivery_facts


@dataclass(frozen=True, slots=True)
class RecordedVerification:
    """A result that was recorded: its number, and the webhooks that it triggered."""

    number: int
    triggered: Sequence[WebhookTrigger]


def publish_verification(
    db: Connection, new: NewVerification, pact: Pact | None, metadata: Metadata, *, base_url: str, settings: Settings
) -> RecordedVerification:
    """Record a result for a pact's content, and owe webhooks what they asked for.

    The provider's version comes to be if need be. `said` is what the URL says of the pact. Raises NotFound when no
    pact of the pair has the content.
    """
    if pact is None:
        raise NotFound
    now = new.created_at
    provider = versions.ensure_pacticipants(db, [new.provider], now=now)[new.provider]
    _, is_new = versions.ensure_version(db, provider, new.provider_version, now=now, settings=settings)
    tags = [] if is_new else publications.list_tags(db, new.provider, new.provider_version)
    number = verifications.add(db, new, is_new_version=is_new, tags=tags)
    audit.record(
        db,
        Action.VERIFICATION_PUBLICATION,
        resource=new.provider,
        other=new.consumer,
        params={"version": new.provider_version, "sha": new.sha, "number": number},
        after={"success": new.success},
    )
    published = PublishedVerification(number=number, new=new, pact=pact, metadata=metadata, provider_tags=tags)
    return RecordedVerification(number, events.enqueue_for_verification(db, published, base_url=base_url))


def remove_verification(db: Connection, result: Verification) -> None:
    """Delete a result. Queued deliveries about it are still sent.

    Raises NotFound if another request has deleted it meanwhile.
    """
    pacticipants.lock(db, {result.consumer, result.provider})
    if verifications.find(db, result.consumer, result.provider, result.sha, result.number) is None:
        raise NotFound
    delivery_facts.preserve_for_results(db, [result.number])
    verifications.remove(db, result)
    audit.record(
        db,
        Action.VERIFICATION_REMOVAL,
        resource=result.provider,
        other=result.consumer,
        params={"version": result.provider_version, "sha": result.sha, "number": result.number},
        before={"success": result.success},
    )
