"""Cleaning: old data goes, a little in each transaction, so that publishing goes on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.model.maintenance.retention import OldBranch, OldVersion, Plan, Removed, Retention, consumers_first
from treaty.store import audit
from treaty.store.engine import leases
from treaty.store.maintenance import removal, retention
from treaty.store.maintenance.removal import Batch
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import branches, versions
from treaty.store.webhooks import delivery_facts

LEASE: Final = "clean"
LEASE_TIME: Final = timedelta(seconds=60)


def begin(db: Connection, *, owner: str, now: datetime) -> bool:
    """Say whether nobody else is cleaning, and keep others from it for a while; it may be said again and again."""
    return leases.take(db, LEASE, owner=owner, now=now, until=now + LEASE_TIME)


def end(db: Connection, *, owner: str, until: datetime) -> None:
    """Let others clean from then on."""
    leases.end(db, LEASE, owner=owner, until=until)


def plan(db: Connection, kept: Retention, *, now: datetime, audit_before: datetime | None) -> Plan:
    """Describe what a clean-up would remove. `audit_before`: None keeps all audit events."""
    amounts = removal.planned_amounts(db, kept, now=now, audit_before=audit_before)
    return retention.plan(db, kept, now=now, amounts=amounts)


def stale_branches(db: Connection, kept: Retention, *, now: datetime) -> list[OldBranch]:
    """List the branches that nothing keeps."""
    return retention.stale_branches(db, kept, now=now)


def old_versions(db: Connection, kept: Retention, *, now: datetime) -> dict[str, list[OldVersion]]:
    """List the versions that nothing keeps, by pacticipant, in the order in which they are to be removed.

    Consumers come before their providers, so that a version that is still there has the results it had. Lower versions
    come before higher ones, so that no selector for the latest version moves on to a version that is about to go.
    """
    versions: dict[str, list[OldVersion]] = {}
    for old in retention.old_versions(db, kept, now=now):
        versions.setdefault(old.pacticipant, []).append(old)
    order = consumers_first(versions, removal.integrations(db))
    return {name: sorted(versions[name], key=lambda old: old.position) for name in order}


def remove_branches(
    db: Connection, kept: Retention, pacticipant: str, names: Sequence[str], *, now: datetime
) -> Removed:
    """Remove those branches that still nothing keeps. The versions on them stay."""
    pacticipants.lock_with_counterparts(db, pacticipant)
    going = retention.still_stale(db, kept, pacticipant, names, now=now)
    if not going:
        return Removed()
    removed = removal.on_branches(db, pacticipant, going)
    delivery_facts.preserve_for_branches(db, pacticipant, going)
    branches.remove(db, pacticipant, going)
    audit.note(db, Action.CLEANING, resource=pacticipant, before={"branches": going})
    return removed


def remove_versions(db: Connection, kept: Retention, batch: Batch, *, now: datetime) -> Removed:
    """Remove those versions that still nothing keeps."""
    pacticipants.lock_with_counterparts(db, batch.pacticipant)
    going = removal.still_old(db, kept, batch, now=now)
    if not going:
        return Removed()
    removed = removal.attached(db, batch.pacticipant, going)
    delivery_facts.preserve_for_versions(db, batch.pacticipant, going)
    versions.remove(db, batch.pacticipant, going)
    audit.note(db, Action.CLEANING, resource=batch.pacticipant, before={"versions": going})
    return removed


def remove_contents(db: Connection, consumer: str, provider: str, ids: Sequence[int]) -> Removed:
    """Remove contents that nothing refers to still. Whoever would refer to them must lock one of the two."""
    pacticipants.lock(db, [consumer, provider])
    count = removal.remove_orphans(db, ids)
    if count:
        audit.note(db, Action.CLEANING, resource=consumer, other=provider, before={"pact_versions": count})
    return Removed(pact_versions=count)


def remove_overwritten(db: Connection, kind: str, ids: Sequence[int]) -> dict[str, int]:
    """Remove what is still overwritten; return how many rows of each kind were removed."""
    if kind == "pact_publications":
        delivery_facts.preserve_for_publications(db, ids)
    if kind == "verification_results":
        delivery_facts.preserve_for_results(db, ids)
    counts = removal.remove_overwritten(db, kind, ids)
    if counts[kind]:
        audit.note(db, Action.CLEANING, before={kind: counts[kind]})
    return counts


def remove_audit(db: Connection, ids: Sequence[int]) -> int:
    """Remove events of the audit trail; return how many there were."""
    count = audit.remove(db, ids)
    audit.note(db, Action.CLEANING, before={"audit": count})
    return count
