"""Comparison of pacts with the contracts of provider versions.

Comparing takes milliseconds to seconds, so it happens outside of transactions: one loads the inputs, another one stores
the result. In between, either side may have changed; the second transaction then stores nothing for the pair, since
whatever changed it has enqueued it again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import orjson
import structlog
from sqlalchemy import Connection

from treaty.actions.webhooks.events import (
    PublishedVerification,
    enqueue_for_incomplete_comparison,
    enqueue_for_verification,
)
from treaty.model.audit import Action
from treaty.model.compare.documents import ComparisonInterrupted
from treaty.model.decisions.metadata import Metadata
from treaty.model.provider_contracts.comparisons import (
    VERIFIER,
    ComparisonInputs,
    NewComparison,
    PairKey,
    StoredComparison,
    compare_contents,
    decide_pair,
)
from treaty.model.verifications.verifications import NewVerification
from treaty.store import audit, verifications
from treaty.store.engine.database import Database
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import pacts, publications
from treaty.store.provider_contracts import comparisons, contracts
from treaty.store.webhooks import delivery_facts

BATCH_SIZE: Final = 20
"""Pairs whose inputs are in memory together, and whose results are stored in one transaction."""

WITHOUT_WEBHOOKS: Final = ""
"""The base URL of tasks whose results trigger no webhooks."""

log = structlog.get_logger("treaty.comparisons")


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonBudget:
    """Limits for comparisons within a request. A pair that exceeds them is left to the worker."""

    is_expired: Callable[[], bool]
    """Called before each pair, and before each interaction."""
    max_bytes: int
    """Maximum size of a pact together with the documents. Parsing and compiling them cannot be interrupted."""


def compare_pairs(
    database: Database,
    pairs: Sequence[PairKey],
    *,
    base_url: str,
    now: datetime,
    is_expired: Callable[[], bool] = lambda: False,
    budget: ComparisonBudget | None = None,
) -> list[PairKey]:
    """Compare pairs, store the results, and enqueue the webhooks of their events.

    Returns the pairs that were not compared because `is_expired`, which is called before each pair, returned true, or
    because they exceed the budget.
    """
    remaining: list[PairKey] = []
    is_over = budget.is_expired if budget else is_expired
    for start in range(0, len(pairs), BATCH_SIZE):
        batch = pairs[start : start + BATCH_SIZE]
        compared = _compare_batch(database, batch, is_over, budget)
        if compared:
            database.write(partial(record_comparisons, compared=compared, base_url=base_url, now=now))
        remaining += [key for key in batch if key not in compared]
        if remaining and is_over():
            return [*remaining, *pairs[start + len(batch) :]]
    return remaining


_Compared = Mapping[PairKey, NewComparison | None]
"""The new comparisons of pairs; None if the stored one counts, or if comparing failed."""


def _compare_batch(
    database: Database, pairs: Sequence[PairKey], is_expired: Callable[[], bool], budget: ComparisonBudget | None
) -> _Compared:
    """Compare pairs until the time is up. Pairs with equal contents are compared once."""
    compared: dict[PairKey, NewComparison | None] = {}
    by_subject: dict[tuple[str, str, str, str, str], NewComparison | None] = {}
    for key in pairs:
        if is_expired():
            break
        if budget and database.read(partial(comparisons.measure_inputs, key=key)) > budget.max_bytes:
            continue
        inputs = database.read(partial(comparisons.load_inputs, key=key))
        if inputs is None:
            compared[key] = None
            continue
        subject = (key.consumer, key.provider, key.sha, inputs.documents_sha, inputs.profile)
        try:
            if subject not in by_subject:
                by_subject[subject] = _try_to_compare(key, inputs, budget)
        except ComparisonInterrupted:
            break
        compared[key] = by_subject[subject]
    return compared


def _try_to_compare(key: PairKey, inputs: ComparisonInputs, budget: ComparisonBudget | None) -> NewComparison | None:
    """Compare a pair. After a fault of the program it stays unknown, and the others are compared all the same."""
    try:
        return compare_contents(inputs, is_expired=budget.is_expired) if budget else compare_contents(inputs)
    except ComparisonInterrupted:
        raise
    except Exception:
        log.exception("compare", **key._asdict())
        return None


def record_comparisons(db: Connection, compared: _Compared, *, base_url: str, now: datetime) -> None:
    """Store comparisons and the results that follow from them, and enqueue the webhooks of their events.

    A pair is left out if its contents have changed since they were compared: the change has enqueued it again.
    """
    # Publishing a contract locks the provider as well, so the state does not change meanwhile.
    pacticipants.lock(db, {key.provider for key in compared})
    for key, new in compared.items():
        _record_comparison(db, key, new, base_url=base_url, now=now)


def _record_comparison(
    db: Connection, key: PairKey, new: NewComparison | None, *, base_url: str, now: datetime
) -> None:
    state = contracts.load_state(db, key.provider, key.provider_version)
    profile = comparisons.load_profile(db, key.provider)
    if state.documents_sha is None or not comparisons.has_content(db, key):
        return
    stored = comparisons.find(db, key, state.documents_sha, profile)
    if stored is None and new is not None and (new.documents_sha, new.profile) == (state.documents_sha, profile):
        stored = comparisons.add(db, key, new, now=now)
        if stored.is_compatible and not stored.is_complete and base_url != WITHOUT_WEBHOOKS:
            _require_verification(db, key, base_url=base_url, now=now)
    if stored is not None:
        _record_result(db, key, stored, is_self_verified=state.is_self_verified, base_url=base_url, now=now)


def _require_verification(db: Connection, key: PairKey, *, base_url: str, now: datetime) -> None:
    """Enqueue the webhooks that start a verification, since the comparison alone cannot verify the pair."""
    details = pacts.find_by_sha(db, key.consumer, key.provider, key.sha)
    if details is not None:
        enqueue_for_incomplete_comparison(db, details.pact, key.provider_version, base_url=base_url, now=now)


def refresh_version(db: Connection, provider: str, version: str, *, base_url: str, now: datetime) -> None:
    """Adapt the results of a provider version's comparisons to its documents and self-verifications.

    The provider must be locked. Consumers are not: these results belong to the provider's version, and each write of
    them locks the provider.
    """
    for key in comparisons.list_compared(db, provider, version):
        refresh_pair(db, key, base_url=base_url, now=now)


def refresh_pair(db: Connection, key: PairKey, *, base_url: str, now: datetime) -> None:
    """Adapt the result of a pair to its comparison. The provider must be locked."""
    state = contracts.load_state(db, key.provider, key.provider_version)
    profile = comparisons.load_profile(db, key.provider)
    stored = comparisons.find(db, key, state.documents_sha, profile) if state.documents_sha else None
    if stored is None:
        _remove_results(db, key)
    else:
        _record_result(db, key, stored, is_self_verified=state.is_self_verified, base_url=base_url, now=now)


def _record_result(
    db: Connection,
    key: PairKey,
    stored: StoredComparison,
    *,
    is_self_verified: bool | None,
    base_url: str,
    now: datetime,
) -> None:
    success = decide_pair(
        is_compatible=stored.is_compatible, is_complete=stored.is_complete, is_self_verified=is_self_verified
    )
    current = comparisons.find_result(db, key)
    if current is not None and (current.comparison_id, current.success) == (stored.id, success):
        return
    if success is None:
        _remove_results(db, key)
        return
    new = _build_result(key, success=success, now=now)
    tags = publications.list_tags(db, key.provider, key.provider_version)
    number = verifications.add(db, new, is_new_version=False, tags=tags, comparison_id=stored.id).number
    audit.record(
        db,
        Action.COMPARISON,
        resource=key.provider,
        other=key.consumer,
        params={"version": key.provider_version, "sha": key.sha, "number": number},
        after={"success": success},
    )
    if stored.announced_success is not success:
        comparisons.set_announced(db, stored.id, success=success)
        # Results of imported contracts trigger no webhooks: the source has triggered its own.
        if base_url != WITHOUT_WEBHOOKS:
            _enqueue_webhooks(db, new, number, tags, base_url=base_url)


def _build_result(key: PairKey, *, success: bool, now: datetime) -> NewVerification:
    return NewVerification(
        consumer=key.consumer,
        provider=key.provider,
        sha=key.sha,
        provider_version=key.provider_version,
        success=success,
        build_url=None,
        verified_at=now,
        verified_by=_VERIFIED_BY,
        test_results=None,
        is_wip=False,
        was_pending=None,
        metadata=None,
        created_at=now,
    )


_VERIFIED_BY: Final = orjson.dumps({"implementation": VERIFIER}).decode()


def _enqueue_webhooks(db: Connection, new: NewVerification, number: int, tags: Sequence[str], *, base_url: str) -> None:
    details = pacts.find_by_sha(db, new.consumer, new.provider, new.sha)
    if details is not None:
        published = PublishedVerification(
            number=number, new=new, pact=details.pact, metadata=Metadata(), provider_tags=tags
        )
        enqueue_for_verification(db, published, base_url=base_url)


def _remove_results(db: Connection, key: PairKey) -> None:
    """Remove the results of comparing a pair. Queued deliveries about them are still sent."""
    numbers = comparisons.list_result_numbers(db, key)
    delivery_facts.preserve_for_results(db, numbers)
    comparisons.remove_results(db, numbers)


def enqueue_pairs(db: Connection, pairs: Iterable[PairKey], *, base_url: str, now: datetime) -> None:
    """Enqueue the comparison of pairs that a request did not have the time for."""
    for key in pairs:
        comparisons.enqueue_for_pair(db, key, base_url=base_url, now=now)
