"""The facts of the effect of changes on an environment, in one transaction that only reads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, func, select

from treaty.model.decisions.matrix import MatrixRow
from treaty.model.decisions.selectors import Selector
from treaty.model.decisions.version_sets import LiveVersion
from treaty.model.decisions.what_if import Change, ChangeKind, Effect, WhatIfFacts, apply_changes
from treaty.model.provider_contracts.assumptions import (
    AssumedContract,
    AssumedPact,
    PendingComparison,
    index_by_version,
)
from treaty.model.provider_contracts.comparisons import ComparisonInputs, NamedBody, PairKey
from treaty.store.decisions import selectors
from treaty.store.decisions.comparison_gaps import CompletedRows
from treaty.store.decisions.matrix import TargetIds, list_partners
from treaty.store.decisions.selectors import NamedIds
from treaty.store.decisions.version_sets import LiveVersionWithIds, list_live, load_rows
from treaty.store.engine.database import fetch_first, fetch_rows
from treaty.store.pacts.pacts import CONSUMER, PROVIDER
from treaty.store.provider_contracts import comparisons, contracts
from treaty.store.provider_contracts.missing import collect_missing
from treaty.store.tables import content, deployed_version, environment, pacticipant, verification, version


@dataclass(frozen=True, kw_only=True, slots=True)
class Assumptions:
    """Changes of an environment, and what their versions are assumed to have published."""

    environment: str
    changes: Sequence[Change]
    pacts: Sequence[AssumedPact] = ()
    contracts: Sequence[AssumedContract] = ()

    @property
    def changed(self) -> frozenset[str]:
        return frozenset(change.pacticipant for change in self.changes)

    @property
    def selectors(self) -> list[Selector]:
        """The names in the changes and in the pacts."""
        named = [Selector(pacticipant=change.pacticipant, version=change.version) for change in self.changes]
        return [*named, *(Selector(pacticipant=pact.provider) for pact in self.pacts)]


def load_facts(
    db: Connection, assumptions: Assumptions, named: NamedIds, *, now: datetime
) -> tuple[WhatIfFacts, list[PendingComparison]]:
    """Load the facts of changes, given the ids of the names in them, and the comparisons that they depend on.

    Raises ImpossibleChange.
    """
    states = _load_states(db, assumptions, named)
    with collect_missing() as missing:
        # Pairs without a comparison are compared for this response only, instead of by the server for all.
        completed = load_rows(db, states.version_ids, states.pacticipant_ids, about=states.changed_ids)
    pending = [comparison for pair in missing if (comparison := _load_comparison(db, pair))]
    rows = _RowsWithAssumptions(db, assumptions, states, completed, now=now)
    facts = WhatIfFacts(
        environment=assumptions.environment,
        changed=assumptions.changed,
        before=states.before,
        after=states.after,
        effects=states.effects,
        rows=rows.build(),
        gaps={key: gap for key, gap in completed.gaps.items() if (key[2], key[3] or "") not in rows.contracts},
    )
    return facts, [*pending, *rows.pending]


def _load_comparison(db: Connection, pair: PairKey) -> PendingComparison | None:
    inputs = comparisons.load_inputs(db, pair)
    if inputs is None:
        return None
    state = contracts.load_state(db, pair.provider, pair.provider_version)
    return PendingComparison(pair, inputs, state.is_self_verified)


# The versions before and after


@dataclass(frozen=True, kw_only=True, slots=True)
class _States:
    before: Sequence[LiveVersion]
    after: Sequence[LiveVersion]
    effects: Sequence[Effect]
    version_ids: set[int]
    pacticipant_ids: set[int]
    changed_ids: set[int]

    def list_versions(self, name: str) -> list[str]:
        """List the versions of a pacticipant before and after, each once."""
        numbers = [version.number for version in (*self.before, *self.after) if version.pacticipant == name]
        return list(dict.fromkeys(numbers))


def _load_states(db: Connection, assumptions: Assumptions, named: NamedIds) -> _States:
    changed_ids = {named.pacticipants[name] for name in assumptions.changed if name in named.pacticipants}
    place = assumptions.environment
    changed = list_live(db, changed_ids, environment_name=place)
    previous = _load_previous(db, assumptions)
    before = [version.live for version in changed]
    after, effects = apply_changes(before, assumptions.changes, previous)
    version_ids = {version.version_id for version in changed} | _find_version_ids(db, after)
    ids = TargetIds(sorted(version_ids), [], sorted(changed_ids))
    partner_ids = {partner.id for partner in list_partners(db, ids)}
    partner_ids |= {
        named.pacticipants[pact.provider] for pact in assumptions.pacts if pact.provider in named.pacticipants
    }
    others: list[LiveVersionWithIds] = list_live(db, partner_ids - changed_ids, environment_name=place)
    other_versions = [version.live for version in others]
    return _States(
        before=[*before, *other_versions],
        after=[*after, *other_versions],
        effects=effects,
        version_ids=version_ids | {version.version_id for version in others},
        pacticipant_ids=changed_ids | partner_ids,
        changed_ids=changed_ids,
    )


def _find_version_ids(db: Connection, versions: Iterable[LiveVersion]) -> set[int]:
    """Find the ids of versions that exist."""
    keys = [(version.pacticipant, version.number) for version in versions]
    if not keys:
        return set()
    named = selectors.load_named_ids(db, [Selector(pacticipant=name, version=number) for name, number in keys])
    ids = (named.versions.get((named.pacticipants.get(name, 0), number)) for name, number in keys)
    return {version_id for version_id in ids if version_id is not None}


_same_place: Final = and_(
    pacticipant.c.name == bindparam("pacticipant"),
    environment.c.name == bindparam("environment"),
    func.coalesce(deployed_version.c.application_instance, "") == bindparam("instance"),
)
_DEPLOYMENTS: Final = (
    select(version.c.number, deployed_version.c.undeployed_at)
    .join_from(deployed_version, version, version.c.id == deployed_version.c.version_id)
    .join(pacticipant, pacticipant.c.id == deployed_version.c.pacticipant_id)
    .join(environment, environment.c.id == deployed_version.c.environment_id)
    .where(_same_place)
)
_CURRENT: Final = _DEPLOYMENTS.where(deployed_version.c.undeployed_at.is_(None))
_PREVIOUS: Final = (
    _DEPLOYMENTS.where(deployed_version.c.undeployed_at.is_not(None), version.c.number != bindparam("current"))
    .order_by(deployed_version.c.undeployed_at.desc(), deployed_version.c.id.desc())
    .limit(1)
)


def _load_previous(db: Connection, assumptions: Assumptions) -> Mapping[tuple[str, str], str]:
    """Load the versions to which the changes roll back: those that were replaced by the present ones."""
    previous: dict[tuple[str, str], str] = {}
    for change in assumptions.changes:
        if change.kind is not ChangeKind.ROLL_BACK:
            continue
        key = (change.pacticipant, change.application_instance or "")
        params = {"pacticipant": key[0], "instance": key[1], "environment": assumptions.environment}
        current = fetch_first(db, _CURRENT, params)
        row = fetch_first(db, _PREVIOUS, {**params, "current": current.number if current else ""})
        if row is not None:
            previous[key] = row.number
    return previous


# What is assumed to be published

_RESULTS: Final = (
    select(
        version.c.number,
        version.c.is_self_verified,
        verification.c.id,
        verification.c.success,
        verification.c.verified_at,
        verification.c.comparison_id,
    )
    .join_from(verification, content, content.c.id == verification.c.content_id)
    .join(CONSUMER, CONSUMER.c.id == content.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == content.c.provider_id)
    .join(version, version.c.id == verification.c.provider_version_id)
    .where(
        CONSUMER.c.name == bindparam("consumer"),
        PROVIDER.c.name == bindparam("provider"),
        content.c.sha == bindparam("sha"),
        version.c.number.in_(bindparam("numbers", expanding=True)),
        verification.c.is_latest,
    )
)


class _RowsWithAssumptions:
    """The rows of what is stored, changed by what is assumed to be published."""

    def __init__(
        self, db: Connection, assumptions: Assumptions, states: _States, completed: CompletedRows, *, now: datetime
    ) -> None:
        self._db = db
        self._pacts = {(pact.consumer, pact.version, pact.provider): pact for pact in assumptions.pacts}
        self.contracts = index_by_version(assumptions.contracts)
        self._states = states
        self._stored = completed.rows
        self._now = now
        self.pending: list[PendingComparison] = []

    def build(self) -> list[MatrixRow]:
        rows = [row for row in self._stored if (row.consumer, row.consumer_version, row.provider) not in self._pacts]
        for pact in self._pacts.values():
            rows += self._build_rows(pact)
        rows += self._list_missing(rows)
        for contract in self.contracts.values():
            rows = [remaining for row in rows for remaining in self._without_comparison(row, contract)]
            rows += self._compare_with(contract, rows)
        return rows

    def _build_rows(self, pact: AssumedPact) -> list[MatrixRow]:
        """Build the rows of a pact. Its content may be verified already, by results for another version."""
        template = self._build_row(pact)
        numbers = self._states.list_versions(pact.provider)
        if not numbers:
            return [template]
        params = {"consumer": pact.consumer, "provider": pact.provider, "sha": pact.sha, "numbers": numbers}
        rows = [
            template._replace(
                provider_version=result.number,
                verification=result.id,
                success=bool(result.success),
                verified_at=result.verified_at,
                comparison=result.comparison_id,
                is_self_verified=result.is_self_verified,
            )
            for result in fetch_rows(self._db, _RESULTS, params)
        ]
        for number in numbers:
            of_version = [row for row in rows if row.provider_version == number]
            needs_comparison = self._require_comparison(pact, number, of_version)
            if not of_version or needs_comparison:
                rows.append(template._replace(provider_version=number))
        return rows

    def _build_row(self, pact: AssumedPact) -> MatrixRow:
        return MatrixRow(
            consumer=pact.consumer,
            consumer_version=pact.version,
            consumer_position=0,
            provider=pact.provider,
            provider_version=None,
            provider_position=None,
            sha=pact.sha,
            revision=1,
            published_at=self._now,
            verification=None,
            success=None,
            verified_at=None,
        )

    def _require_comparison(self, pact: AssumedPact, number: str, rows: Sequence[MatrixRow]) -> bool:
        """Whether a pact has to be compared with the stored contract of a provider version."""
        if any(row.comparison is not None for row in rows) or (pact.provider, number) in self.contracts:
            return False
        state = contracts.load_state(self._db, pact.provider, number)
        if state.documents_sha is None:
            return False
        documents = [NamedBody(*body) for body in contracts.load_bodies(self._db, pact.provider, number)]
        inputs = ComparisonInputs(
            pact=pact.body,
            documents=documents,
            documents_sha=state.documents_sha,
            profile=comparisons.load_profile(self._db, pact.provider),
        )
        pair = PairKey(pact.consumer, pact.provider, pact.sha, number)
        self.pending.append(PendingComparison(pair, inputs, state.is_self_verified))
        return True

    def _list_missing(self, rows: Sequence[MatrixRow]) -> Iterable[MatrixRow]:
        """Yield rows without a result for versions of providers that do not exist yet."""
        pacts = {(row.consumer, row.consumer_version, row.provider): row for row in rows}
        present = {(row.provider, row.provider_version) for row in rows}
        for row in pacts.values():
            for number in self._states.list_versions(row.provider):
                if (row.provider, number) not in present:
                    yield _without_result(row, number)

    def _without_comparison(self, row: MatrixRow, contract: AssumedContract) -> Iterable[MatrixRow]:
        """Yield a row unless it depends on the stored contract of a version that an assumed one replaces."""
        is_about_version = (row.provider, row.provider_version) == (contract.provider, contract.version)
        if not is_about_version or (row.success is not None and row.comparison is None):
            yield row

    def _compare_with(self, contract: AssumedContract, rows: Sequence[MatrixRow]) -> Iterable[MatrixRow]:
        """Yield a row without a result for each pact to compare with an assumed contract."""
        of_provider = {
            (row.consumer, row.consumer_version): row
            for row in (*self._stored, *rows)
            if row.provider == contract.provider and self._is_current_pact(row)
        }
        profile = comparisons.load_profile(self._db, contract.provider)
        for row in of_provider.values():
            body = self._load_body(row)
            if body is not None:
                pair = PairKey(row.consumer, row.provider, row.sha, contract.version)
                inputs = ComparisonInputs(
                    pact=body, documents=contract.documents, documents_sha=contract.documents_sha, profile=profile
                )
                self.pending.append(PendingComparison(pair, inputs, contract.is_self_verified))
                yield _without_result(row, contract.version)

    def _is_current_pact(self, row: MatrixRow) -> bool:
        """Whether a row is about the pact that its version has, or is assumed to have."""
        pact = self._pacts.get((row.consumer, row.consumer_version, row.provider))
        return pact is None or pact.sha == row.sha

    def _load_body(self, row: MatrixRow) -> bytes | None:
        pact = self._pacts.get((row.consumer, row.consumer_version, row.provider))
        if pact is not None:
            return pact.body
        return comparisons.load_body(self._db, PairKey(row.consumer, row.provider, row.sha, ""))


def _without_result(row: MatrixRow, provider_version: str) -> MatrixRow:
    return row._replace(
        provider_version=provider_version, verification=None, success=None, verified_at=None, comparison=None
    )
