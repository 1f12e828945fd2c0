"""The profile of a provider: how strictly its contracts are compared with pacts."""

from datetime import datetime

from sqlalchemy import Connection

from treaty.errors import NotFound
from treaty.model.audit import Action
from treaty.model.compare.profiles import Profile
from treaty.store import audit
from treaty.store.pacticipants import pacticipants
from treaty.store.provider_contracts import comparisons
from treaty.store.webhooks import delivery_facts


def set_profile(db: Connection, provider: str, profile: Profile, *, base_url: str, now: datetime) -> None:
    """Set the profile of a provider, and enqueue the comparisons by it. Raises NotFound.

    Results by another profile are removed, so that pairs are unknown until they have been compared by the new one.
    """
    if not pacticipants.lock(db, [provider]):
        raise NotFound
    before = comparisons.load_profile(db, provider)
    if before == profile.value:
        return
    comparisons.set_profile(db, provider, profile.value)
    numbers = comparisons.list_results_of_provider(db, provider)
    delivery_facts.preserve_for_results(db, numbers)
    comparisons.remove_results(db, numbers)
    for version in comparisons.list_relevant_versions(db, provider, now=now):
        comparisons.enqueue_for_version(db, provider, version, base_url=base_url, now=now)
    audit.record(
        db,
        Action.PACTICIPANT_CHANGE,
        resource=provider,
        before={"comparison_profile": before},
        after={"comparison_profile": profile.value},
    )
