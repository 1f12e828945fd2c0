"""What would break in an environment, and what would be repaired, if it were changed. Nothing is stored.

A change is followed by its effect on pairs of applications: a consumer and a provider are consistent in an environment
if each version of one there works with each version of the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from treaty.model.decisions.matrix import GapKey, MatrixFacts, MatrixRow, decide
from treaty.model.decisions.queries import Destination, MatrixQuery
from treaty.model.decisions.reasons import ComparisonGap, Reason
from treaty.model.decisions.selectors import FoundVersion, NoVersion, ResolvedSelector, select_version
from treaty.model.decisions.version_sets import LiveVersion


class ChangeKind(Enum):
    """Changes of an environment. The values are those of the API."""

    DEPLOY = "deploy"
    ROLL_BACK = "rollBack"
    UNDEPLOY = "undeploy"
    RELEASE = "release"
    END_SUPPORT = "endSupport"
    RETIRE = "retire"


NEEDS_VERSION: frozenset[ChangeKind] = frozenset({ChangeKind.DEPLOY, ChangeKind.RELEASE, ChangeKind.END_SUPPORT})
TAKES_INSTANCE: frozenset[ChangeKind] = frozenset({ChangeKind.DEPLOY, ChangeKind.ROLL_BACK, ChangeKind.UNDEPLOY})


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A change of the versions that are live in an environment."""

    kind: ChangeKind
    pacticipant: str
    version: str | None = None
    application_instance: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does to the versions in an environment."""

    change: Change
    removed: Sequence[str]
    added: str | None = None

    def describe(self, environment: str) -> str:
        """Describe the effect in a sentence."""
        change, removed = self.change, " and ".join(self.removed)
        name, place = change.pacticipant, environment
        if change.application_instance:
            place = f"{environment} ({change.application_instance})"
        match change.kind:
            case ChangeKind.DEPLOY | ChangeKind.ROLL_BACK:
                verb = "Deploy" if change.kind is ChangeKind.DEPLOY else "Roll back"
                return f"{verb} {name} to {self.added} in {place}" + (f", instead of {removed}." if removed else ".")
            case ChangeKind.UNDEPLOY:
                return f"Undeploy {name} ({removed}) from {place}."
            case ChangeKind.RELEASE:
                return f"Release {name} ({self.added}) to {place}."
            case ChangeKind.END_SUPPORT:
                return f"End the support of {name} ({removed}) in {place}."
            case ChangeKind.RETIRE:
                return f"Retire {name} ({removed}) from {place}."


class ImpossibleChange(Exception):
    """A change that the environment does not allow, such as undeploying an application that is not deployed."""

    def __init__(self, index: int, text: str) -> None:
        super().__init__(text)
        self.index = index
        self.text = text


Previous = Mapping[tuple[str, str], str]
"""The version that was deployed before the present one, by the name of the pacticipant and the application instance."""


def apply_changes(
    live: Sequence[LiveVersion], changes: Sequence[Change], previous: Previous
) -> tuple[list[LiveVersion], list[Effect]]:
    """Apply changes in their order. Raises ImpossibleChange."""
    current = list(live)
    effects: list[Effect] = []
    for index, change in enumerate(changes):
        added = _find_added(index, change, current, previous)
        removed = [version for version in current if _is_removed(change, version)]
        if not removed and change.kind in {ChangeKind.UNDEPLOY, ChangeKind.END_SUPPORT, ChangeKind.RETIRE}:
            raise ImpossibleChange(index, _describe_absence(change))
        current = [version for version in current if version not in removed]
        if added is not None:
            current.append(added)
        numbers = list(dict.fromkeys(version.number for version in removed))
        effects.append(Effect(change, numbers, None if added is None else added.number))
    return current, effects


def _find_added(index: int, change: Change, current: Sequence[LiveVersion], previous: Previous) -> LiveVersion | None:
    """Return the version that a change adds, if any. Raises ImpossibleChange."""
    name, instance = change.pacticipant, change.application_instance
    match change.kind:
        case ChangeKind.DEPLOY:
            return LiveVersion(name, change.version or "", instance)
        case ChangeKind.RELEASE:
            return LiveVersion(name, change.version or "", is_released=True)
        case ChangeKind.ROLL_BACK:
            number = previous.get((name, instance or ""))
            if not any(_is_removed(change, version) for version in current):
                raise ImpossibleChange(index, _describe_absence(change))
            if number is None:
                raise ImpossibleChange(index, f"no other version of '{name}' was deployed there before")
            return LiveVersion(name, number, instance)
        case _:
            return None


def _is_removed(change: Change, version: LiveVersion) -> bool:
    """Whether a change ends what a version is in the environment."""
    if version.pacticipant != change.pacticipant:
        return False
    match change.kind:
        case ChangeKind.DEPLOY | ChangeKind.ROLL_BACK | ChangeKind.UNDEPLOY:
            same_instance = (version.application_instance or "") == (change.application_instance or "")
            return same_instance and not version.is_released
        case ChangeKind.RELEASE | ChangeKind.END_SUPPORT:
            return version.is_released and version.number == change.version
        case ChangeKind.RETIRE:
            return True


def _describe_absence(change: Change) -> str:
    name = change.pacticipant
    match change.kind:
        case ChangeKind.END_SUPPORT:
            return f"version '{change.version}' of '{name}' is not released there, or no longer supported"
        case ChangeKind.RETIRE:
            return f"no version of '{name}' is deployed or released there"
        case _:
            instance = change.application_instance
            place = f"in the application instance '{instance}'" if instance else "without an application instance"
            return f"no version of '{name}' is deployed there {place}"


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatIfFacts:
    """The facts that the effect of changes is computed from."""

    environment: str
    changed: frozenset[str]
    """The pacticipants that the changes are about."""
    before: Sequence[LiveVersion]
    """The versions of changed pacticipants, and of all that have contracts with these."""
    after: Sequence[LiveVersion]
    effects: Sequence[Effect]
    rows: Sequence[MatrixRow] = ()
    """The current pacts and latest results between all of these versions."""
    gaps: Mapping[GapKey, ComparisonGap] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PairChange:
    """A consumer and a provider whose consistency is affected, with the reasons why they are, or were, inconsistent."""

    consumer: str
    provider: str
    reasons: Sequence[Reason]


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatIfVerdict:
    """The effect of changes on an environment."""

    environment: str
    effects: Sequence[Effect]
    breaks: Sequence[PairChange]
    """Pairs that are consistent now, or not there, and would be inconsistent."""
    repairs: Sequence[PairChange]
    """Pairs that are inconsistent now, and would be consistent or no longer there."""
    still_broken: Sequence[PairChange]
    """Pairs that are inconsistent, and stay so."""


def assess(facts: WhatIfFacts) -> WhatIfVerdict:
    """Compute the effect of changes from its facts."""
    before, after = _State(facts, facts.before), _State(facts, facts.after)
    pairs = sorted({(row.consumer, row.provider) for row in facts.rows})
    breaks, repairs, still_broken = [], [], []
    for consumer, provider in pairs:
        was_broken, is_broken = before.find_obstacles(consumer, provider), after.find_obstacles(consumer, provider)
        if is_broken and not was_broken:
            breaks.append(after.explain(consumer, provider, is_broken))
        elif was_broken and not is_broken:
            repairs.append(before.explain(consumer, provider, was_broken))
        elif is_broken:
            still_broken.append(after.explain(consumer, provider, is_broken))
    return WhatIfVerdict(
        environment=facts.environment,
        effects=facts.effects,
        breaks=breaks,
        repairs=repairs,
        still_broken=still_broken,
    )


class _State:
    """The versions in an environment at one time."""

    def __init__(self, facts: WhatIfFacts, live: Sequence[LiveVersion]) -> None:
        self._facts = facts
        self._live: dict[str, list[str]] = {}
        for version in live:
            numbers = self._live.setdefault(version.pacticipant, [])
            if version.number not in numbers:
                numbers.append(version.number)
        self._recorded = {(version.pacticipant, version.number) for version in facts.before}
        self._rows: dict[tuple[str, str], list[MatrixRow]] = {}
        for row in facts.rows:
            self._rows.setdefault((row.consumer, row.provider), []).append(row)

    def find_obstacles(self, consumer: str, provider: str) -> list[MatrixRow]:
        """Find the rows between live versions that are not successful."""
        consumers, providers = self._live.get(consumer, []), self._live.get(provider, [])
        rows = [row for row in self._rows.get((consumer, provider), []) if row.consumer_version in consumers]
        if providers:
            return [row for row in rows if row.provider_version in providers and not row.success]
        pacts = {row.consumer_version: row for row in reversed(rows)}
        return [
            row._replace(provider_version=None, provider_position=None, verification=None, success=None)
            for row in pacts.values()
        ]

    def explain(self, consumer: str, provider: str, obstacles: Sequence[MatrixRow]) -> PairChange:
        environment = self._facts.environment
        facts = MatrixFacts(
            specified=[],
            inferred=[*self._select(consumer), *(self._select(provider) if provider != consumer else ())],
            rows=obstacles,
            gaps=self._facts.gaps,
        )
        query = MatrixQuery(selectors=(), destination=Destination(environment=environment))
        return PairChange(consumer=consumer, provider=provider, reasons=decide(query, facts).reasons)

    def _select(self, name: str) -> Iterable[ResolvedSelector]:
        """Yield the resolved selectors that describe the versions of a pacticipant in reasons."""
        selector = Destination(environment=self._facts.environment).selector(name)
        numbers = self._live.get(name, [])
        for number in numbers:
            if (name, number) in self._recorded:
                yield FoundVersion(selector=selector, number=number, is_one_of_many=len(numbers) > 1)
            else:
                yield select_version(name, number)
        if not numbers:
            yield NoVersion(selector=selector)
