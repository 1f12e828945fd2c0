"""Taking integrations away."""

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.store import audit, integrations, pacticipants, versions


def remove_integration(db: Connection, *, consumer: str, provider: str) -> None:
    """Remove all that is between a consumer and a provider, and what is idle then of the two themselves.

    A version is idle if it has neither pacts nor results, and is deployed and supported nowhere, whatever its tags; a
    pacticipant if it has no versions, pacts or webhooks. Raises NotFound, for the consumer first.
    """
    pacticipants.lock(db, {consumer, provider})
    pacticipants.get(db, consumer, "consumer")
    pacticipants.get(db, provider, "provider")
    integrations.remove(db, consumer=consumer, provider=provider)
    for name in (consumer, provider):
        versions.remove(db, name, integrations.idle_versions(db, name))
    integrations.remove_idle(db, [consumer, provider])
    audit.note(db, Action.INTEGRATION_REMOVAL, resource=consumer, other=provider)


def remove_everything(db: Connection) -> None:
    """Remove all pacticipants with all that hangs on them, and all webhooks. Environments stay."""
    names = pacticipants.every_name(db)
    pacticipants.lock(db, names)
    integrations.remove_everything(db)
    audit.note(db, Action.REMOVAL_OF_EVERYTHING, before={"pacticipants": names})
