"""Cleaning: old data goes, a little in each transaction, so that publishing goes on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.model.maintenance.retention import (
    CleanupPlan,
    RemovableBranch,
    RemovableVersion,
    RemovedCounts,
    Retention,
    order_consumers_first,
)
from treaty.store import audit
from treaty.store.engine import leases
from treaty.store.maintenance import removal, retention
from treaty.store.maintenance.removal import VersionBatch
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import branches, versions
from treaty.store.webhooks import delivery_facts

LEASE: Final = "clean"
LEASE_DURATION: Final = timedelta(seconds=60)


def claim_cleanup(db: Connection, *, owner: str, now: datetime) -> bool:
    """Say whether nobody else is cleaning, and keep others from it for a while; it may be said again and again."""
    return leases.claim(db, LEASE, owner=owner, now=now, until=now + LEASE_DURATION)


def release_cleanup(db: Connection, *, owner: str, until: datetime) -> None:
    """Let others clean from then on."""
    leases.end(db, LEASE, owner=owner, until=until)


def plan_cleanup(db: Connection, kept: Retention, *, now: datetime, audit_before: datetime | None) -> CleanupPlan:
    """Describe what a clean-up would remove. `audit_before`: None keeps all audit events."""
    amounts = removal.count_planned_removals(db, kept, now=now, audit_before=audit_before)
    return retention.build_plan(db, kept, now=now, amounts=amounts)


def list_stale_branches(db: Connection, kept: Retention, *, now: datetime) -> list[RemovableBranch]:
    """List the branches that nothing keeps."""
    return retention.list_stale_branches(db, kept, now=now)


def list_old_versions(db: Connection, kept: Retention, *, now: datetime) -> dict[str, list[RemovableVersion]]:
    """List the versions that nothing keeps, by pacticipant, in the order in which they are to be removed.

    Consumers come before their providers, so that a version that is still there has the results it had. Lower versions
    come before higher ones, so that no selector for the latest version moves on to a version that is about to go.
    """
    versions: dict[str, list[RemovableVersion]] = {}
    for old in retention.list_old_versions(db, kept, now=now):
        versions.setdefault(old.pacticipant, []).append(old)
    order = order_consumers_first(versions, removal.list_integrations(db))
    return {name: sorted(versions[name], key=lambda old: old.position) for name in order}


def remove_branches(
    db: Connection, kept: Retention, pacticipant: str, names: Sequence[str], *, now: datetime
) -> RemovedCounts:
    """Remove those branches that still nothing keeps. The versions on them stay."""
    pacticipants.lock_with_counterparts(db, pacticipant)
    going = retention.filter_stale_branches(db, kept, pacticipant, names, now=now)
    if not going:
        return RemovedCounts()
    removed = removal.count_on_branches(db, pacticipant, going)
    delivery_facts.preserve_for_branches(db, pacticipant, going)
    branches.remove(db, pacticipant, going)
    audit.record(db, Action.CLEANING, resource=pacticipant, before={"branches": going})
    return removed


def remove_versions(db: Connection, kept: Retention, batch: VersionBatch, *, now: datetime) -> RemovedCounts:
    """Remove those versions that still nothing keeps."""
    pacticipants.lock_with_counterparts(db, batch.pacticipant)
    going = removal.filter_removable(db, kept, batch, now=now)
    if not going:
        return RemovedCounts()
    removed = removal.count_attached(db, batch.pacticipant, going)
    delivery_facts.preserve_for_versions(db, batch.pacticipant, going)
    versions.remove(db, batch.pacticipant, going)
    audit.record(db, Action.CLEANING, resource=batch.pacticipant, before={"versions": going})
    return removed


def remove_contents(db: Connection, consumer: str, provider: str, ids: Sequence[int]) -> RemovedCounts:
    """Remove contents that nothing refers to still. Whoever would refer to them must lock one of the two."""
    pacticipants.lock(db, [consumer, provider])
    count = removal.remove_orphans(db, ids)
    if count:
        audit.record(db, Action.CLEANING, resource=consumer, other=provider, before={"pact_versions": count})
    return RemovedCounts(pact_versions=count)


def remove_overwritten_rows(db: Connection, kind: str, ids: Sequence[int]) -> dict[str, int]:
    """Remove what is still overwritten; return how many rows of each kind were removed."""
    if kind == "pact_publications":
        delivery_facts.preserve_for_publications(db, ids)
    if kind == "verification_results":
        delivery_facts.preserve_for_results(db, ids)
    counts = removal.remove_overwritten(db, kind, ids)
    if counts[kind]:
        audit.record(db, Action.CLEANING, before={kind: counts[kind]})
    return counts


def remove_audit_events(db: Connection, ids: Sequence[int]) -> int:
    """Remove events of the audit trail; return how many there were."""
    count = audit.remove(db, ids)
    audit.record(db, Action.CLEANING, before={"audit": count})
    return count
