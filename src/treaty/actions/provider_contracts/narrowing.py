"""Reuses comparisons that a new version of a provider's documents does not change.

The usage index finds the pacts with an operation that has changed. Of these, each is read, and only those that use
a changed part are compared again; the others keep their results. Documents are compared with each other, and pacts are
read, outside of transactions.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby, islice
from typing import Any, Final, NamedTuple

import orjson
import structlog
from sqlalchemy import Connection

from treaty.actions.provider_contracts.comparisons import BATCH_SIZE, record_comparisons
from treaty.model.compare.changes import DocumentChanges
from treaty.model.compare.documents import UnusableDocument
from treaty.model.compare.engine_version import ENGINE_VERSION
from treaty.model.provider_contracts.comparisons import (
    ComparisonInputs,
    NamedBody,
    NewComparison,
    PairKey,
    compile_documents,
)
from treaty.model.usage.candidates import Candidates
from treaty.store.engine.database import Database
from treaty.store.provider_contracts import comparisons, contracts, reuse
from treaty.store.provider_contracts.reuse import EarlierComparison
from treaty.store.usage import contents, operations

MIN_PAIRS: Final = 3
"""Pairs of a provider version from which on comparing its documents with earlier ones pays."""

log = structlog.get_logger("treaty.comparisons")


class _Plan(NamedTuple):
    """What may be reused for the pairs of a provider version."""

    old: ComparisonInputs
    new: ComparisonInputs
    content_ids: dict[PairKey, int]


def reuse_comparisons(
    database: Database,
    pairs: Sequence[PairKey],
    *,
    base_url: str,
    now: datetime,
    is_expired: Callable[[], bool] = lambda: False,
) -> list[PairKey]:
    """Store the results of pairs that follow from earlier comparisons, and return the pairs that remain.

    Remaining are those that have to be compared, and those that have been compared already; all of them once
    `is_expired` returns true.
    """
    reused: set[PairKey] = set()
    for (provider, version), group in groupby(sorted(pairs, key=_version_of), key=_version_of):
        own_pairs = list(group)
        if len(own_pairs) < MIN_PAIRS:
            continue
        plan = database.read(partial(_plan, provider=provider, version=version, pairs=own_pairs))
        if plan is not None:
            reused |= _reuse(database, plan, base_url=base_url, now=now, is_expired=is_expired)
    return [pair for pair in pairs if pair not in reused]


def _reuse(
    database: Database, plan: _Plan, *, base_url: str, now: datetime, is_expired: Callable[[], bool]
) -> set[PairKey]:
    reused: set[PairKey] = set()
    for batch in _split(_find_unaffected(database, plan)):
        if is_expired():
            break
        database.write(partial(record_comparisons, compared=dict(batch), base_url=base_url, now=now))
        reused |= {pair for pair, _ in batch}
    first = next(iter(plan.content_ids))
    log.info(
        "narrow",
        provider=first.provider,
        version=first.provider_version,
        reused=len(reused),
        compared=len(plan.content_ids) - len(reused),
    )
    return reused


def _version_of(pair: PairKey) -> tuple[str, str]:
    return pair.provider, pair.provider_version


def _split(items: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(items)
    return iter(lambda: list(islice(iterator, BATCH_SIZE)), [])


def _plan(db: Connection, *, provider: str, version: str, pairs: Sequence[PairKey]) -> _Plan | None:
    """Load the documents of a provider version, and the earlier ones; None if there are none, or few pairs to compare.

    Pairs that have been compared with the documents already are left out.
    """
    documents_sha = contracts.load_state(db, provider, version).documents_sha
    if documents_sha is None:
        return None
    profile = comparisons.load_profile(db, provider)
    ids = reuse.find_content_ids(db, provider, pairs)
    compared = reuse.find_compared(db, ids.values(), documents_sha, profile)
    ids = {pair: content_id for pair, content_id in ids.items() if content_id not in compared}
    if len(ids) < MIN_PAIRS:
        return None
    earlier = reuse.find_earlier_documents(db, provider, ids.values(), documents_sha=documents_sha, profile=profile)
    if earlier is None:
        return None
    current = contracts.load_bodies(db, provider, version)
    old, new = (
        ComparisonInputs(pact=b"", documents=[NamedBody(*body) for body in bodies], documents_sha=sha, profile=profile)
        for sha, bodies in ((earlier.documents_sha, earlier.documents), (documents_sha, current))
    )
    return _Plan(old, new, ids)


def _find_unaffected(database: Database, plan: _Plan) -> Iterator[tuple[PairKey, NewComparison]]:
    """Yield the pairs whose earlier comparisons hold for the new documents, too."""
    try:
        changes = DocumentChanges(compile_documents(plan.old), compile_documents(plan.new))
    except UnusableDocument:
        return
    if changes.affects_all:
        return
    candidates = Candidates(changes)
    for batch in _split(plan.content_ids.items()):
        facts = database.read(partial(_load_facts, plan=plan, content_ids=[content_id for _, content_id in batch]))
        for pair, content_id in batch:
            earlier = facts.comparisons.get(content_id)
            is_clean = None if earlier is None else _is_clean(earlier)
            if earlier is None or is_clean is None:
                continue
            names = facts.operations.get(content_id)
            may_be_affected = names is None or candidates.may_include(names, is_clean=is_clean)
            if not (may_be_affected and _is_affected(database, content_id, changes, is_clean=is_clean)):
                yield pair, _carry_over(earlier, plan.new)


class _Facts(NamedTuple):
    """Facts about contents, by their ids."""

    operations: Mapping[int, set[str | None]]
    comparisons: Mapping[int, EarlierComparison]


def _load_facts(db: Connection, *, plan: _Plan, content_ids: Sequence[int]) -> _Facts:
    earlier = reuse.list_comparisons(db, content_ids, plan.old.documents_sha, plan.old.profile)
    return _Facts(
        operations=operations.load_operations(db, content_ids),
        comparisons={comparison.content_id: comparison for comparison in earlier},
    )


def _is_affected(database: Database, content_id: int, changes: DocumentChanges, *, is_clean: bool) -> bool:
    pact = database.read(partial(contents.find_body, content_id=content_id))
    return pact is None or changes.affects(orjson.loads(pact), is_clean=is_clean)


def _is_clean(earlier: EarlierComparison) -> bool | None:
    """Whether a comparison has no findings and no uses of deprecated parts; None if comparing was not possible."""
    details = orjson.loads(earlier.details)
    return None if "failure" in details else not (details["findings"] or details.get("deprecated"))


def _carry_over(earlier: EarlierComparison, inputs: ComparisonInputs) -> NewComparison:
    return NewComparison(
        documents_sha=inputs.documents_sha,
        engine=ENGINE_VERSION,
        profile=inputs.profile,
        is_compatible=earlier.is_compatible,
        is_complete=earlier.is_complete,
        details=earlier.details,
    )
