"""Publication and removal of verification results."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from treaty.actions.versions.versions import ensure_pacticipants, ensure_version
from treaty.actions.webhooks.events import PublishedVerification, enqueue_for_verification
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
    """A result that was recorded, and the webhooks that it triggered."""

    result: Verification
    triggered: Sequence[WebhookTrigger]


def publish_verification(
    db: Connection, new: NewVerification, pact: Pact | None, metadata: Metadata, *, base_url: str, settings: Settings
) -> RecordedVerification:
    """Record a result for a pact's content, and enqueue the webhooks of its events.

    Adds the provider and its version if they do not exist. `metadata` is the decoded metadata of the URL. Raises
    NotFound if no pact of the pair has the content.
    """
    if pact is None:
        raise NotFound
    now = new.created_at
    # This locks the provider before the insertion, so two results for the same version cannot both become its latest.
    provider = ensure_pacticipants(db, [new.provider], now=now)[new.provider]
    version, is_new = ensure_version(
        db, provider, new.provider_version, now=now, settings=settings, follows_aliases=True
    )
    if version.number != new.provider_version:
        new = replace(new, provider_version=version.number)
    tags = [] if is_new else publications.list_tags(db, new.provider, new.provider_version)
    result = verifications.add(db, new, is_new_version=is_new, tags=tags)
    audit.record(
        db,
        Action.VERIFICATION_PUBLICATION,
        resource=new.provider,
        other=new.consumer,
        params={
            "version": new.provider_version,
            "consumer_version": pact.version,
            "sha": new.sha,
            "number": result.number,
        },
        after={"success": new.success},
    )
    published = PublishedVerification(number=result.number, new=new, pact=pact, metadata=metadata, provider_tags=tags)
    return RecordedVerification(result, enqueue_for_verification(db, published, base_url=base_url))


def remove_verification(db: Connection, result: Verification) -> None:
    """Delete a result. Queued deliveries about it are still sent, because their event did happen.

    Raises NotFound if another request has deleted it in the meantime.
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
