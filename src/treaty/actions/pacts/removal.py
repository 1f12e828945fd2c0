"""Removal of pacts. Content and results stay, so that the same content published again is verified already.

Queued deliveries about removed pacts are still sent, as their events did happen.
"""

from sqlalchemy import Connection

from treaty.errors import Conflict, NotFound
from treaty.model.audit import Action, FieldValues
from treaty.model.pacts.lists import PactFilter, PactsOnBranch, PactsWithTag, RemainingPacts
from treaty.model.pacts.pacts import PactKey
from treaty.store import audit
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import lists
from treaty.store.webhooks import delivery_facts


def unpublish_version(db: Connection, key: PactKey) -> RemainingPacts:
    """Remove the pact of a consumer version, in all revisions. Raises NotFound."""
    pacticipants.lock(db, {key.consumer, key.provider})
    publication_ids = lists.list_publication_ids_of_version(db, key)
    if not publication_ids:
        raise NotFound
    delivery_facts.preserve_for_publications(db, publication_ids)
    count = lists.remove_version(db, key)
    audit.record(
        db,
        Action.PACT_REMOVAL,
        resource=key.consumer,
        other=key.provider,
        params={"version": key.version},
        before={"pacts": count},
    )
    return _remaining(db, consumer=key.consumer, provider=key.provider)


def unpublish_pacts(db: Connection, *, consumer: str, provider: str, pact_filter: PactFilter) -> RemainingPacts:
    """Remove the pacts of a pair that match a filter.

    Raises NotFound, and Conflict if the filter is the main branch and the consumer has none.
    """
    locked = {pacticipant.name: pacticipant for pacticipant in pacticipants.lock(db, {consumer, provider})}
    for role, name in (("consumer", consumer), ("provider", provider)):
        if name not in locked:
            raise NotFound.named(role, name)
    # Without this check the request would remove nothing and answer 200, and the user would think that it worked.
    if isinstance(pact_filter, PactsOnBranch) and pact_filter.name is None and locked[consumer].main_branch is None:
        raise Conflict(
            f"{consumer} has no main branch, so no pacts were deleted."
            " Set its main branch, or name the branch in the URL."
        )
    delivery_facts.preserve_for_publications(
        db, lists.list_publication_ids(db, consumer=consumer, provider=provider, pact_filter=pact_filter)
    )
    count = lists.remove(db, consumer=consumer, provider=provider, pact_filter=pact_filter)
    params = _describe_filter(pact_filter)
    audit.record(db, Action.PACT_REMOVAL, resource=consumer, other=provider, params=params, before={"pacts": count})
    return _remaining(db, consumer=consumer, provider=provider)


def _describe_filter(pact_filter: PactFilter) -> FieldValues:
    match pact_filter:
        case PactsWithTag(name=name):
            return {"tag": name}
        case PactsOnBranch(name=name):
            return {"branch": name or "the main branch"}
        case _:
            return {}


def _remaining(db: Connection, *, consumer: str, provider: str) -> RemainingPacts:
    has_pacts = lists.has_pacts(db, consumer=consumer, provider=provider)
    return RemainingPacts(consumer=consumer, provider=provider, has_pacts=has_pacts)
