"""Pacts and contracts that are assumed to be published, and their comparisons, of which nothing is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from treaty.model.decisions.matrix import GapKey, MatrixRow
from treaty.model.decisions.reasons import ComparisonGap
from treaty.model.decisions.what_if import WhatIfFacts
from treaty.model.provider_contracts.comparisons import (
    ComparisonInputs,
    NamedBody,
    PairKey,
    compare_contents,
    decide_pair,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AssumedPact:
    """A pact that a version is assumed to have published. It replaces the version's pact with the provider, if any."""

    consumer: str
    version: str
    provider: str
    sha: str
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class AssumedContract:
    """Documents that a provider version is assumed to have published. They replace those that it has, if any."""

    provider: str
    version: str
    documents: Sequence[NamedBody]
    documents_sha: str
    is_self_verified: bool


class PendingComparison(NamedTuple):
    """A comparison on which a row without a result depends."""

    pair: PairKey
    inputs: ComparisonInputs
    is_self_verified: bool | None


def compare_pending(facts: WhatIfFacts, pending: Sequence[PendingComparison]) -> WhatIfFacts:
    """Compare what is pending, and complete the rows of these pairs."""
    outcomes: dict[PairKey, bool | ComparisonGap] = {}
    for comparison in pending:
        outcomes[comparison.pair] = _compare(comparison)
    verified = {_pair_of(row) for row in facts.rows if row.success and row.comparison is None}
    rows: list[MatrixRow] = []
    gaps: dict[GapKey, ComparisonGap] = dict(facts.gaps)
    self_verified = {comparison.pair: comparison.is_self_verified for comparison in pending}
    for row in facts.rows:
        pair = _pair_of(row)
        outcome = outcomes.get(pair) if row.success is None else None
        gap_key = (row.consumer, row.consumer_version, row.provider, row.provider_version)
        if outcome is None:
            rows.append(row)
        elif isinstance(outcome, bool):
            gaps.pop(gap_key, None)
            rows.append(_with_result(row, success=outcome, is_self_verified=self_verified[pair]))
        elif outcome is ComparisonGap.NOT_SELF_VERIFIED or pair not in verified:
            gaps[gap_key] = outcome
            rows.append(row)
    return replace(facts, rows=rows, gaps=gaps)


def _compare(comparison: PendingComparison) -> bool | ComparisonGap:
    """Return the result of a comparison, or why it gives none."""
    compared = compare_contents(comparison.inputs)
    success = decide_pair(
        is_compatible=compared.is_compatible,
        is_complete=compared.is_complete,
        is_self_verified=comparison.is_self_verified,
    )
    if success is not None:
        return success
    return ComparisonGap.NOT_DESCRIBED if comparison.is_self_verified else ComparisonGap.NOT_SELF_VERIFIED


NO_NUMBER = 0
"""Stands for the number of a result, or the id of a comparison, that is not stored."""


def _with_result(row: MatrixRow, *, success: bool, is_self_verified: bool | None) -> MatrixRow:
    return row._replace(
        verification=NO_NUMBER,
        success=success,
        comparison=NO_NUMBER,
        verified_at=row.published_at,
        is_self_verified=is_self_verified,
    )


def _pair_of(row: MatrixRow) -> PairKey:
    return PairKey(row.consumer, row.provider, row.sha, row.provider_version or "")


def index_by_version(contracts: Sequence[AssumedContract]) -> Mapping[tuple[str, str], AssumedContract]:
    return {(contract.provider, contract.version): contract for contract in contracts}
