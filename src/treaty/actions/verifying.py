"""Publishing verification results, and taking them away."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from treaty.actions import triggering, versioning
from treaty.actions.triggering import Published
from treaty.errors import NotFound
from treaty.model.audit import Action
from treaty.model.metadata import Metadata
from treaty.model.notice import TriggeredBy
from treaty.model.pact import Pact
from treaty.model.verification import NewVerification, Verification
from treaty.settings import Settings
from treaty.store import audit, delivery_facts, pacticipants, publications, verifications


@dataclass(frozen=True, slots=True)
class Recorded:
    """A result that was recorded: its number, and the webhooks that it triggered."""

    number: int
    triggered: Sequence[TriggeredBy]


def publish_verification(
    db: Connection, new: NewVerification, pact: Pact | None, said: Metadata, *, base_url: str, settings: Settings
) -> Recorded:
    """Record a result for a pact's content, and owe webhooks what they asked for.

    The provider's version comes to be if need be. `said` is what the URL says of the pact. Raises NotFound when no
    pact of the pair has the content.
    """
    if pact is None:
        raise NotFound
    now = new.created_at
    provider = versioning.ensure_pacticipants(db, [new.provider], now=now)[new.provider]
    _, is_new = versioning.ensure_version(db, provider, new.provider_version, now=now, settings=settings)
    tags = [] if is_new else publications.tags_of(db, new.provider, new.provider_version)
    number = verifications.add(db, new, is_new_version=is_new, tags=tags)
    audit.note(
        db,
        Action.VERIFICATION_PUBLICATION,
        resource=new.provider,
        other=new.consumer,
        params={"version": new.provider_version, "sha": new.sha, "number": number},
        after={"success": new.success},
    )
    published = Published(number=number, new=new, pact=pact, said=said, provider_tags=tags)
    return Recorded(number, triggering.owe_for_verification(db, published, base_url=base_url))


def remove_verification(db: Connection, result: Verification) -> None:
    """Delete a result. Queued deliveries about it are still sent.

    Raises NotFound if another request has deleted it meanwhile.
    """
    pacticipants.lock(db, {result.consumer, result.provider})
    if verifications.find(db, result.consumer, result.provider, result.sha, result.number) is None:
        raise NotFound
    delivery_facts.preserve_for_results(db, [result.number])
    verifications.remove(db, result)
    audit.note(
        db,
        Action.VERIFICATION_REMOVAL,
        resource=result.provider,
        other=result.consumer,
        params={"version": result.provider_version, "sha": result.sha, "number": result.number},
        before={"success": result.success},
    )
