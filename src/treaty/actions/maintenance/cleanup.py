"""Clean-up of old data, in small transactions between which builds can publish.

Each removal locks the pacticipant and its counterparts, and then checks again what the plan decided: facts may have
changed since, and a lock for the whole clean-up would stop all builds for minutes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.model.maintenance.retention import (
    CleanupPlan,
    RemovableVersion,
    RemovedCounts,
    Retention,
    order_consumers_first,
)
from treaty.store import audit
from treaty.store.decisions import overrides, records
from treaty.store.engine import leases
from treaty.store.maintenance import removal, retention
from treaty.store.maintenance.removal import VersionBatch
from treaty.store.pacticipants import pacticipants
from treaty.store.provider_contracts import contracts
from treaty.store.versions import branches, versions
from treaty.store.webhooks import delivery_facts

LEASE: Final = "clean"
LEASE_DURATION: Final = timedelta(seconds=60)
"""Time after which another process may take over from one that was killed; a running clean-up renews its lease."""


def claim_cleanup(db: Connection, *, owner: str, now: datetime) -> bool:
    """Claim or renew the lease for cleaning, and return whether this owner has it.

    Two clean-ups at a time would wait for each other's locks and count the same rows twice.
    """
    return leases.claim(db, LEASE, owner=owner, now=now, until=now + LEASE_DURATION)


def release_cleanup(db: Connection, *, owner: str, until: datetime) -> None:
    """End the lease at a time, from which on another process may clean."""
    leases.end(db, LEASE, owner=owner, until=until)


def plan_cleanup(
    db: Connection,
    policy: Retention,
    *,
    now: datetime,
    audit_before: datetime | None,
    decisions_before: datetime | None = None,
) -> CleanupPlan:
    """Return the preview of a clean-up.

    `audit_before` and `decisions_before`: times before which it removes audit events and recorded decisions; None keeps
    all.
    """
    amounts = removal.count_planned_removals(
        db, policy, now=now, audit_before=audit_before, decisions_before=decisions_before
    )
    return retention.build_plan(db, policy, now=now, amounts=amounts)


def list_old_versions(db: Connection, policy: Retention, *, now: datetime) -> dict[str, list[RemovableVersion]]:
    """List the versions that are not retained, by pacticipant, in the order in which to remove them.

    Consumers come before their providers: otherwise a consumer version would lose its results before it is removed, and
    `can-i-deploy` would answer "unknown" meanwhile. Lower versions come before higher ones: otherwise, once the highest
    one is removed, a selector for the latest version would match the next one, which is about to be removed, too.
    """
    versions: dict[str, list[RemovableVersion]] = {}
    for version in retention.list_old_versions(db, policy, now=now):
        versions.setdefault(version.pacticipant, []).append(version)
    order = order_consumers_first(versions, removal.list_integrations(db))
    return {name: sorted(versions[name], key=lambda version: version.position) for name in order}


def remove_branches(
    db: Connection, policy: Retention, pacticipant: str, names: Sequence[str], *, now: datetime
) -> RemovedCounts:
    """Remove those of the branches that are still stale. The versions on them are not removed."""
    pacticipants.lock_with_counterparts(db, pacticipant)
    stale = retention.filter_stale_branches(db, policy, pacticipant, names, now=now)
    if not stale:
        return RemovedCounts()
    counts = removal.count_on_branches(db, pacticipant, stale)
    # Queued deliveries fill in their placeholders when they are sent, and the branches are gone by then.
    delivery_facts.preserve_for_branches(db, pacticipant, stale)
    branches.remove(db, pacticipant, stale)
    audit.record(db, Action.CLEANING, resource=pacticipant, before={"branches": stale})
    return counts


def remove_versions(db: Connection, policy: Retention, batch: VersionBatch, *, now: datetime) -> RemovedCounts:
    """Remove those versions of a batch that are still not retained, with their pacts, results, tags and deployments."""
    pacticipants.lock_with_counterparts(db, batch.pacticipant)
    numbers = removal.filter_removable(db, policy, batch, now=now)
    if not numbers:
        return RemovedCounts()
    counts = removal.count_attached(db, batch.pacticipant, numbers)
    # As for branches: queued deliveries are sent with the values of the removed version.
    delivery_facts.preserve_for_versions(db, batch.pacticipant, numbers)
    versions.remove(db, batch.pacticipant, numbers)
    audit.record(db, Action.CLEANING, resource=batch.pacticipant, before={"versions": numbers})
    return counts


def remove_contents(db: Connection, consumer: str, provider: str, ids: Sequence[int]) -> RemovedCounts:
    """Remove those contents of a pair that are still orphaned.

    Under the locks of both: publishing the same content again, or a result for it, locks one of them first.
    """
    pacticipants.lock(db, [consumer, provider])
    count = removal.remove_orphans(db, ids)
    if count:
        audit.record(db, Action.CLEANING, resource=consumer, other=provider, before={"pact_versions": count})
    return RemovedCounts(pact_versions=count)


def remove_unused_contracts(db: Connection, provider: str) -> int:
    """Remove the documents and comparisons of a provider that no version has any more, and return their number."""
    pacticipants.lock(db, [provider])
    count = contracts.remove_unused(db, provider)
    if count:
        audit.record(db, Action.CLEANING, resource=provider, before={"documents_and_comparisons": count})
    return count


def remove_overwritten_rows(db: Connection, kind: str, ids: Sequence[int]) -> dict[str, int]:
    """Remove those rows of a kind that are still overwritten, and return the number of removed rows by kind."""
    if kind == "pact_publications":
        delivery_facts.preserve_for_publications(db, ids)
    if kind == "verification_results":
        delivery_facts.preserve_for_results(db, ids)
    counts = removal.remove_overwritten(db, kind, ids)
    if counts[kind]:
        audit.record(db, Action.CLEANING, before={kind: counts[kind]})
    return counts


def remove_decisions(db: Connection, ids: Sequence[int]) -> int:
    """Remove those of the recorded decisions that are still not kept, and return their number."""
    count = records.remove(db, ids)
    if count:
        audit.record(db, Action.CLEANING, before={"decisions": count})
    return count


def remove_ended_overrides(db: Connection, *, before: datetime) -> int:
    """Remove the overrides that had ended before a time, and return their number."""
    count = overrides.remove_ended(db, before=before)
    if count:
        audit.record(db, Action.CLEANING, before={"overrides": count})
    return count


def remove_audit_events(db: Connection, ids: Sequence[int]) -> int:
    """Remove events of the audit trail, and return their number.

    The removal is an event itself, so that the trail cannot be emptied without a trace.
    """
    count = audit.remove(db, ids)
    audit.record(db, Action.CLEANING, before={"audit": count})
    return count
