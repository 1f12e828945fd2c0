"""Pairs that a decision needs, whose provider version has a contract, and that have no result of a comparison.

A success of a verifier does not verify such a pair alone: the comparison is required as well. So each of these pairs
adds a missing result to the facts. Pairs that have not been compared yet are noted, so that the server compares them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, Connection, and_, bindparam, func, select

from treaty.model.decisions.matrix import GapKey, MatrixRow, MatrixRowsSummary, ResultCounts, is_row_ignored
from treaty.model.decisions.queries import MatrixQuery
from treaty.model.decisions.reasons import ComparisonGap
from treaty.model.decisions.selectors import ResolvedSelector
from treaty.model.provider_contracts.comparisons import PairKey, decide_pair
from treaty.store.decisions import matrix_summary
from treaty.store.decisions.matrix_rows import MatrixScope, RowWithIds
from treaty.store.engine.batches import fetch_in_batches, split
from treaty.store.pacts.pacts import CONSUMER, PROVIDER
from treaty.store.provider_contracts.comparisons import DEFAULT_PROFILE
from treaty.store.provider_contracts.conditions import has_any_contracts
from treaty.store.provider_contracts.missing import note_missing
from treaty.store.tables import comparison, content, version

_PairIds = tuple[int, int]
"""Ids of a content and of a provider version."""


class CompletedRows(NamedTuple):
    """All rows, with those that were added, and why these have no result."""

    rows: Sequence[MatrixRow]
    gaps: Mapping[GapKey, ComparisonGap]


def complete_rows(db: Connection, rows: Sequence[RowWithIds], ignored: Sequence[ResolvedSelector]) -> CompletedRows:
    """Add a row without a result for each pair that lacks the result of a comparison."""
    plain_rows = [row_with_ids.row for row_with_ids in rows]
    if not any(row_with_ids.documents_sha for row_with_ids in rows):
        return CompletedRows(plain_rows, {})
    lacking = _find_lacking(rows, ignored)
    if not lacking:
        return CompletedRows(plain_rows, {})
    gaps = _find_gaps(db, {ids: _is_verified(group) for ids, group in lacking.items()})
    return _add_rows(rows, gaps)


def _find_lacking(
    rows: Sequence[RowWithIds], ignored: Sequence[ResolvedSelector]
) -> Mapping[_PairIds, Sequence[MatrixRow]]:
    """Find the pairs whose provider version has a contract, and that have no result of a comparison."""
    groups: dict[_PairIds, list[MatrixRow]] = {}
    for row in rows:
        if row.documents_sha is None or row.provider_version_id is None or is_row_ignored(row.row, ignored):
            continue
        groups.setdefault((row.content_id, row.provider_version_id), []).append(row.row)
    return {ids: group for ids, group in groups.items() if all(row.comparison is None for row in group)}


def _is_verified(rows: Iterable[MatrixRow]) -> bool:
    """Whether there is a result of a verifier. A failure counts as a row of its own."""
    return any(row.verification is not None and not row.is_superseded for row in rows)


def _add_rows(rows: Sequence[RowWithIds], gaps: Mapping[_PairIds, ComparisonGap]) -> CompletedRows:
    """Add the rows before those of the same versions, and note why they have no result."""
    by_versions: dict[tuple[Any, ...], list[MatrixRow]] = {}
    for row_with_ids in rows:
        by_versions.setdefault(_versions_key(row_with_ids), []).append(row_with_ids.row)
    completed: list[MatrixRow] = []
    named: dict[GapKey, ComparisonGap] = {}
    added: set[tuple[Any, ...]] = set()
    for row_with_ids in rows:
        row, key = row_with_ids.row, _versions_key(row_with_ids)
        gap = gaps.get((row_with_ids.content_id, row_with_ids.provider_version_id or 0))
        if gap is not None and key not in added:
            added.add(key)
            named[row.consumer, row.consumer_version, row.provider, row.provider_version] = gap
            completed += _list_missing(by_versions[key])
        completed.append(row)
    return CompletedRows(completed, named)


def _versions_key(row: RowWithIds) -> tuple[Any, ...]:
    return row.consumer_version_id, row.row.provider, row.row.revision, row.provider_version_id


def _list_missing(rows: Sequence[MatrixRow]) -> list[MatrixRow]:
    """Return the row to add to those of the same versions, unless one of them lacks a result already."""
    if any(row.verification is None for row in rows):
        return []
    # If all of them are superseded, their publication is.
    is_superseded = all(row.is_superseded for row in rows)
    missing = rows[0]._replace(verification=None, success=None, verified_at=None, is_superseded=is_superseded)
    return [missing]


# Why a comparison gives no result

_contents: Final[BindParameter[Any]] = bindparam("contents", expanding=True)
_versions: Final[BindParameter[Any]] = bindparam("versions", expanding=True)
_STATES: Final = (
    select(
        content.c.id.label("content_id"),
        version.c.id.label("version_id"),
        CONSUMER.c.name.label("consumer"),
        PROVIDER.c.name.label("provider"),
        content.c.sha,
        version.c.number,
        version.c.is_self_verified,
        comparison.c.is_compatible,
        comparison.c.is_complete,
    )
    .select_from(content)
    .join(version, version.c.pacticipant_id == content.c.provider_id)
    .join(CONSUMER, CONSUMER.c.id == content.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == content.c.provider_id)
    .outerjoin(
        comparison,
        and_(
            comparison.c.content_id == content.c.id,
            comparison.c.documents_sha == version.c.documents_sha,
            comparison.c.profile == func.coalesce(PROVIDER.c.comparison_profile, DEFAULT_PROFILE),
        ),
    )
    .where(content.c.id.in_(_contents), version.c.id.in_(_versions))
    # The newest of several engines counts: later rows replace earlier ones.
    .order_by(comparison.c.id)
)


def _find_gaps(db: Connection, is_verified_by_pair: Mapping[_PairIds, bool]) -> Mapping[_PairIds, ComparisonGap]:
    """Find out why pairs lack a result, and note those that have to be compared."""
    gaps: dict[_PairIds, ComparisonGap] = {}
    missing: list[PairKey] = []
    for ids, state in _load_states(db, is_verified_by_pair).items():
        gap = _find_gap(state, is_verified=is_verified_by_pair[ids])
        if gap is ComparisonGap.NOT_COMPARED:
            missing.append(PairKey(state.consumer, state.provider, state.sha, state.number))
        if gap is not None:
            gaps[ids] = gap
    note_missing(missing)
    return gaps


def _load_states(db: Connection, pairs: Collection[_PairIds]) -> dict[_PairIds, Any]:
    contents, versions = ({pair[side] for pair in pairs} for side in (0, 1))
    rows = (
        row
        for some_versions in split(versions)
        for row in fetch_in_batches(db, _STATES, contents, {"versions": some_versions}, parameter="contents")
    )
    return {ids: row for row in rows if (ids := (row.content_id, row.version_id)) in pairs}


def _find_gap(state: Any, *, is_verified: bool) -> ComparisonGap | None:
    """Return why a pair has no result; None if a verifier has verified what the documents do not describe."""
    if state.is_compatible is None:
        return ComparisonGap.NOT_COMPARED
    is_compatible, is_complete = bool(state.is_compatible), bool(state.is_complete)
    is_self_verified = None if state.is_self_verified is None else bool(state.is_self_verified)
    success = decide_pair(is_compatible=is_compatible, is_complete=is_complete, is_self_verified=is_self_verified)
    if success is not None:
        # Versions with the same documents have been compared. The result for this one is still to be recorded.
        return ComparisonGap.NOT_COMPARED
    if not is_self_verified:
        return ComparisonGap.NOT_SELF_VERIFIED
    return None if is_verified else ComparisonGap.NOT_DESCRIBED


# Summaries of many rows


def complete_summary(
    db: Connection, scope: MatrixScope, query: MatrixQuery, summary: MatrixRowsSummary
) -> MatrixRowsSummary:
    """Count the missing results that the pairs without the result of a comparison add."""
    if not has_any_contracts(db):
        return summary
    lacking = [group for group in matrix_summary.list_uncompared(db, scope) if not group.is_ignored]
    is_verified_by_pair: dict[_PairIds, bool] = {}
    for group in lacking:
        ids = (group.content_id, group.version_id)
        is_verified_by_pair[ids] = is_verified_by_pair.get(ids, False) or bool(group.is_verified)
    gaps = _find_gaps(db, is_verified_by_pair) if is_verified_by_pair else {}
    number = sum(
        int(group.number)
        for group in lacking
        # A group without any result is counted as missing already.
        if (group.content_id, group.version_id) in gaps
        and group.has_result
        and (query.counts_superseded or not group.is_superseded)
    )
    if not number:
        return summary
    return summary._replace(
        decisive_counts=_add_unknown(summary.decisive_counts, number),
        latest_counts=_add_unknown(summary.latest_counts, number),
    )


def _add_unknown(counts: ResultCounts, number: int) -> ResultCounts:
    return counts._replace(unknown=counts.unknown + number)
