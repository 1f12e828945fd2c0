"""Cleaning: old data goes, a little in each transaction, so that publishing goes on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.model.retention import OldBranch, OldVersion, Plan, Removed, Retention
from treaty.store import audit, branches, leases, pacticipants, removal, retention, versions
from treaty.store.removal import Batch

LEASE: Final = "clean"
LEASE_TIME: Final = timedelta(seconds=60)


def begin(db: Connection, *, owner: str, now: datetime) -> bool:
    """Say whether nobody else is cleaning, and keep others from it for a while; it may be said again and again."""
    return leases.take(db, LEASE, owner=owner, now=now, until=now + LEASE_TIME)


def end(db: Connection, *, owner: str, until: datetime) -> None:
    """Let others clean from then on."""
    leases.end(db, LEASE, owner=owner, until=until)


def plan(db: Connection, kept: Retention, *, now: datetime) -> Plan:
    """Say what would go, and change nothing."""
    overwritten = (
        {}
        if kept.overwritten_days is None
        else removal.overwritten(db, before=removal.cutoff(kept, now), limit=kept.limit)
    )
    return retention.plan(db, kept, now=now, overwritten=overwritten)


def stale_branches(db: Connection, kept: Retention, *, now: datetime) -> list[OldBranch]:
    """List the branches that nothing keeps."""
    return list(retention.stale_branches(db, kept, now=now).values())


def old_versions(db: Connection, kept: Retention, *, now: datetime) -> list[OldVersion]:
    """List the versions that nothing keeps."""
    return retention.old_versions(db, kept, now=now)


def remove_branches(
    db: Connection, kept: Retention, pacticipant: str, names: Sequence[str], *, now: datetime
) -> Removed:
    """Remove those branches that nothing keeps still. The versions on them stay."""
    pacticipants.lock(db, [pacticipant])
    going = removal.still_stale(db, kept, pacticipant, names, now=now)
    branches.remove(db, pacticipant, going)
    if going:
        audit.note(db, Action.CLEANING, resource=pacticipant, before={"branches": going})
    return Removed(branches=len(going))


def remove_versions(db: Connection, kept: Retention, batch: Batch, *, now: datetime) -> Removed:
    """Remove those versions that nothing keeps still."""
    pacticipants.lock(db, [batch.pacticipant])
    going = removal.still_old(db, kept, batch, now=now)
    if not going:
        return Removed()
    removed = removal.attached(db, batch.pacticipant, going)
    versions.remove(db, batch.pacticipant, going)
    audit.note(db, Action.CLEANING, resource=batch.pacticipant, before={"versions": going})
    return removed


def remove_contents(db: Connection, consumer: str, provider: str, ids: Sequence[int]) -> Removed:
    """Remove contents that nothing refers to still. Whoever would refer to them must lock one of the two."""
    pacticipants.lock(db, [consumer, provider])
    count = removal.remove_orphans(db, ids)
    if count:
        audit.note(db, Action.CLEANING, resource=consumer, other=provider, before={"pact_versions": count})
    return Removed(contents=count)


def remove_overwritten(db: Connection, kind: str, ids: Sequence[int]) -> int:
    """Remove what is overwritten still; say how much."""
    count = removal.remove_overwritten(db, kind, ids)
    if count:
        audit.note(db, Action.CLEANING, before={kind: count})
    return count


def remove_audit(db: Connection, ids: Sequence[int]) -> int:
    """Remove events of the audit trail; say how many there were."""
    count = audit.remove(db, ids)
    audit.note(db, Action.CLEANING, before={"audit": count})
    return count
