"""Replacing the results of former versions of the comparison engine.

The worker computes them again outside of transactions. A result that leaves the verdict as it is replaces the former
one. One that would change it is stored beside the former one, which decides until a user has accepted the change.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from treaty.actions.provider_contracts.comparisons import refresh_pair
from treaty.errors import Conflict
from treaty.model.audit import Action
from treaty.model.compare.engine_version import ENGINE_VERSION
from treaty.model.provider_contracts.recomparisons import Recomparison
from treaty.store import audit
from treaty.store.engine import leases
from treaty.store.pacticipants import pacticipants
from treaty.store.provider_contracts import comparisons, recomparisons
from treaty.store.provider_contracts.recomparisons import AcceptedComparison

LEASE: Final = "recomparison"
LEASE_DURATION: Final = timedelta(seconds=60)
"""Time after which another process continues the work of one that was killed."""
ACCEPTED_AT_ONCE: Final = 100
"""Accepted results that take their place in the transaction of the acceptance. The worker does the same with others."""


def claim_recomparing(db: Connection, *, owner: str, now: datetime) -> bool:
    """Claim the work for this process, or extend its claim; return whether it is the process's now."""
    return leases.claim(db, LEASE, owner=owner, now=now, until=now + LEASE_DURATION)


def release_recomparing(db: Connection, *, owner: str, now: datetime) -> None:
    leases.end(db, LEASE, owner=owner, until=now)


def record_recomparisons(db: Connection, recomputed: Sequence[Recomparison], *, now: datetime) -> None:
    """Store the results of the server's engine: in place of equal verdicts, or beside those that they would change.

    It records no event, since no verdict changes.
    """
    pacticipants.lock(db, {item.outdated.provider for item in recomputed})
    for outdated, new in recomputed:
        # It may have been removed or replaced since it was listed.
        current = recomparisons.find_outdated(db, outdated.id)
        if current is not None and new is not None and current.is_confirmed_by(new):
            recomparisons.replace(db, current.id, new, now=now)
        elif current is not None:
            recomparisons.add(db, current.id, new, now=now)


def accept_engine(db: Connection, engine: str, *, base_url: str, now: datetime) -> None:
    """Accept the results of the server's engine, so that they decide.

    Raises Conflict for another engine than the server's, and while the engine has not computed all comparisons: the
    report on which the user has decided is not complete then.
    """
    if engine != ENGINE_VERSION:
        raise Conflict(
            f"This server compares with engine {ENGINE_VERSION}, not {engine}. Read the report again, and accept that."
        )
    progress = recomparisons.load_progress(db)
    if progress.remaining:
        raise Conflict(
            f"Engine {engine} has not computed {progress.remaining} of {progress.total} comparisons yet, so its report"
            " is not complete. Try again when it is; a running server continues by itself."
        )
    accepted = recomparisons.accept(db, base_url=base_url)
    audit.record(db, Action.ENGINE_ACCEPTANCE, resource=engine, after={"changed_comparisons": accepted})
    apply_accepted(db, limit=ACCEPTED_AT_ONCE, now=now)


def apply_accepted(db: Connection, *, limit: int, now: datetime) -> int:
    """Let accepted results decide: at most `limit` of them, whose number is returned."""
    accepted = recomparisons.list_accepted(db, limit)
    pacticipants.lock(db, {item.outdated.provider for item in accepted})
    for item in accepted:
        if recomparisons.find_outdated(db, item.outdated.id) is None:
            recomparisons.remove(db, item.outdated.id)
        else:
            _apply(db, item, now=now)
    return len(accepted)


def _apply(db: Connection, item: AcceptedComparison, *, now: datetime) -> None:
    outdated = item.outdated
    pairs = recomparisons.list_pairs(db, outdated.id)
    recomparisons.replace(db, outdated.id, item.new, now=now)
    for key in pairs:
        refresh_pair(db, key, base_url=item.base_url, now=now)
    # Pairs in use that had no result may have one now.
    comparisons.enqueue_for_content(
        db, outdated.consumer, outdated.provider, outdated.sha, base_url=item.base_url, now=now
    )
