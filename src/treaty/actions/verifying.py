"""Publishing verification results, and taking them away."""

from sqlalchemy import Connection

from treaty.actions import versioning
from treaty.errors import NotFound
from treaty.model.pact import Pact
from treaty.model.verification import NewVerification, Verification
from treaty.settings import Settings
from treaty.store import pacticipants, pacts, verifications


def publish_verification(db: Connection, new: NewVerification, pact: Pact | None, *, settings: Settings) -> int:
    """Record a result for a pact's content and return its number. The provider's version comes to be if need be.

    Raises NotFound when no pact of the pair has the content.
    """
    if pact is None:
        raise NotFound
    now = new.created_at
    provider = versioning.ensure_pacticipants(db, [new.provider], now=now)[new.provider]
    _, is_new = versioning.ensure_version(db, provider, new.provider_version, now=now, settings=settings)
    tags = [] if is_new else pacts.tags_of(db, new.provider, new.provider_version)
    return verifications.add(db, new, is_new_version=is_new, tags=tags)


def remove_verification(db: Connection, result: Verification) -> None:
    """Take a result away."""
    pacticipants.lock(db, [result.provider])
    verifications.remove(db, result)
