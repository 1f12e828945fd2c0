"""Changes and removal of integrations."""

from sqlalchemy import Connection

from treaty.actions.webhooks.cancellations import record_cancellations
from treaty.model.audit import Action, collect_fields, diff_fields
from treaty.model.pacticipants.integrations import IntegrationPolicy
from treaty.store import audit
from treaty.store.pacticipants import integrations, pacticipants
from treaty.store.usage import contents as usage_contents
from treaty.store.versions import versions
from treaty.store.webhooks import deliveries, delivery_facts


def remove_integration(db: Connection, *, consumer: str, provider: str) -> None:
    """Remove the pacts, results and webhooks of a consumer and a provider, and then their idle versions.

    A version is idle if it has neither pacts nor results and is not deployed or supported anywhere; its tags and
    branches do not matter. The consumer and the provider are removed too if they then have no versions, pacts or
    webhooks. Raises NotFound, for the consumer first.
    """
    pacticipants.lock(db, {consumer, provider})
    pacticipants.get(db, consumer, "consumer")
    pacticipants.get(db, provider, "provider")
    removed = integrations.describe_contents(db, consumer=consumer, provider=provider)
    queued = deliveries.list_queued_of_pair(db, consumer=consumer, provider=provider)
    record_cancellations(db, queued, "The integration has been removed.")
    usage_contents.remove_pair(db, consumer=consumer, provider=provider)
    integrations.remove(db, consumer=consumer, provider=provider)
    idle = {name: integrations.list_idle_versions(db, name) for name in (consumer, provider)}
    for name, numbers in idle.items():
        # Queued deliveries of other integrations may refer to these versions.
        delivery_facts.preserve_for_versions(db, name, numbers)
        versions.remove(db, name, numbers)
    removed |= {"versions": idle, "pacticipants": integrations.remove_idle(db, [consumer, provider])}
    if removed["pacticipants"]:
        usage_contents.remove_unused_terms(db)
    audit.record(db, Action.INTEGRATION_REMOVAL, resource=consumer, other=provider, before=removed)


def change_policy(db: Connection, policy: IntegrationPolicy) -> IntegrationPolicy:
    """Change whether an integration allows first deployments. Raises NotFound."""
    pacticipants.lock(db, {policy.consumer, policy.provider})
    before = integrations.get_policy(db, consumer=policy.consumer, provider=policy.provider)
    integrations.update_policy(db, policy)
    changed = diff_fields(collect_fields(before), collect_fields(policy))
    audit.record(
        db,
        Action.INTEGRATION_CHANGE,
        resource=policy.consumer,
        other=policy.provider,
        before=changed[0],
        after=changed[1],
    )
    return policy


def remove_everything(db: Connection) -> None:
    """Remove all pacticipants with everything that belongs to them, and all webhooks. Environments stay."""
    names = pacticipants.list_names(db)
    pacticipants.lock(db, names)
    record_cancellations(db, deliveries.list_queued(db), "All pacticipants have been removed.")
    integrations.remove_all_pacticipants(db)
    audit.record(db, Action.REMOVAL_OF_EVERYTHING, before={"pacticipants": names})
