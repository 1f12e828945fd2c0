"""Decisions for sets: whether an environment is consistent once several versions have been deployed to it together.

The rules are those of a decision for one version. An environment is consistent if each version there works with each
version of its partners there; pairs without a member of the set are not part of the decision.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from treaty.model.decisions.decision import Decision
from treaty.model.decisions.exemptions import Exemptions
from treaty.model.decisions.explanations import Explanation
from treaty.model.decisions.matrix import GapKey, MatrixFacts, MatrixRow, VersionKey, decide, is_row_ignored
from treaty.model.decisions.queries import Destination, MatrixQuery
from treaty.model.decisions.reasons import ComparisonGap, NoSuchVersion, Reason, ReasonWarning
from treaty.model.decisions.selectors import FoundVersion, NoVersion, ResolvedSelector, is_ignored_by
from treaty.model.decisions.set_search import (
    Constraints,
    find_cycles,
    find_exclusion,
    find_order,
    list_members,
)

MAX_MEMBERS: Final = 100
"""Number of members of a set."""


class LiveVersion(NamedTuple):
    """A version that is deployed to the environment, or released there and supported."""

    pacticipant: str
    number: str
    application_instance: str | None = None
    is_released: bool = False

    @property
    def stays(self) -> bool:
        """Whether it stays when another version is deployed without an application instance."""
        return self.is_released or bool(self.application_instance)


@dataclass(frozen=True, kw_only=True, slots=True)
class SetFacts:
    """The facts that a decision for a set is computed from."""

    environment: str
    members: Sequence[FoundVersion | NoVersion]
    """In order of their names, each of another pacticipant."""
    partners: Sequence[str] = ()
    """Pacticipants that have contracts with members, in order of their names."""
    live: Sequence[LiveVersion] = ()
    """Of members' pacticipants and of partners."""
    rows: Sequence[MatrixRow] = ()
    """The current pacts and latest results between members and live versions."""
    gaps: Mapping[GapKey, ComparisonGap] = field(default_factory=dict)
    ignored: Sequence[ResolvedSelector] = ()
    """Versions, or whole pacticipants, whose rows prevent nothing."""
    aliases: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """The numbers of the versions that aliases of the request lead to, by pacticipant and alias."""
    exemptions: Exemptions = field(default_factory=Exemptions)
    """They cover pairs in every step, whichever member of the pair is deployed first."""


@dataclass(frozen=True, slots=True)
class DeployInOrder:
    """Members have to be deployed before another one, so that some orders are not safe."""

    first: Sequence[VersionKey]
    second: VersionKey


@dataclass(frozen=True, slots=True)
class DeployTogether:
    """Members that work only with each other's new versions, so that no order is safe."""

    members: Sequence[VersionKey]


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """The members to leave out, and whether others remain."""

    members: Sequence[VersionKey]
    has_others: bool
    is_smallest: bool


Advice = DeployInOrder | DeployTogether | LeaveOut
"""A consequence of the verdict on a set for how to deploy it."""
SetReason = Reason | Advice


@dataclass(frozen=True, kw_only=True, slots=True)
class SetVerdict(Decision):
    """The answer to the question whether a set can be deployed."""

    deployable: bool | None
    """None while results are missing."""
    leave_out: Sequence[VersionKey]
    """The smallest set of members without which the others can be deployed; empty if all can."""
    is_smallest: bool
    """False if the search for the smallest set has ended early."""
    order: Sequence[VersionKey] | None
    """The members that are not left out, in an order in which every step is safe; None if they are only safe together,
    or if there are none."""
    reasons: Sequence[SetReason]
    rows: Sequence[MatrixRow] = ()
    """The rows that the verdict depends on."""
    replaced_rows: Sequence[MatrixRow] = ()
    """The rows of versions that the set replaces, which only the order and the members to leave out depend on."""
    ignored: Sequence[MatrixRow] | None = None
    """The rows that do not count after all members have been deployed; None if the request ignores none."""
    explanations: Sequence[Explanation | None] = ()
    """An explanation for each reason; None for warnings, counts and advice. Empty if the answer is yes."""

    def is_deployable(self) -> bool | None:
        return self.deployable


def decide_set(facts: SetFacts) -> SetVerdict:
    """Compute the verdict on a set from its facts."""
    return _SetDecision(facts).decide()


class _SetDecision:
    """The facts of a decision by versions, and the constraints that follow from them."""

    def __init__(self, facts: SetFacts) -> None:
        self._facts = facts
        self._keys = [(member.selector.pacticipant, member.selector.version or "") for member in facts.members]
        self._found = [member for member in facts.members if isinstance(member, FoundVersion)]
        self._numbers = {
            member.selector.pacticipant: number
            for number, member in enumerate(facts.members)
            if isinstance(member, FoundVersion)
        }
        self._new_versions = {self._keys[number] for number in self._numbers.values()}
        # A member that does not exist replaces nothing.
        self._replaced = {
            (live.pacticipant, live.number)
            for live in facts.live
            if not live.stays and live.pacticipant in self._numbers
        }
        self._staying = {(live.pacticipant, live.number) for live in facts.live} - self._replaced
        self._staying |= {(live.pacticipant, live.number) for live in facts.live if live.stays}
        self._live_pacticipants = {live.pacticipant for live in facts.live}

    def decide(self) -> SetVerdict:
        constraints = self._constraints
        exclusion = find_exclusion(constraints)
        included = (1 << len(self._keys)) - 1 & ~exclusion.members
        order = find_order(constraints.needs, included) if included else None
        leave_out = [self._keys[number] for number in list_members(exclusion.members)]
        final_rows, replaced_rows = self._split_rows()
        verdict = decide(self._query, self._build_final_facts(final_rows))
        missing = [NoSuchVersion(selected=member) for member in self._missing]
        # Without an existing member, the verdict that nothing is required would be beside the point.
        is_beside_the_point = bool(missing) and verdict.summary.deployable is True
        warnings = [reason for reason in verdict.reasons if isinstance(reason, ReasonWarning)]
        others = [] if is_beside_the_point else verdict.reasons[len(warnings) :]
        return SetVerdict(
            deployable=False if missing else verdict.summary.deployable,
            leave_out=leave_out,
            is_smallest=exclusion.is_smallest,
            order=None if order is None else [self._keys[number] for number in order],
            reasons=[
                *warnings,
                *missing,
                *others,
                *([LeaveOut(leave_out, bool(included), exclusion.is_smallest)] if leave_out else []),
                *self._advise(included, has_order=order is not None),
            ],
            ignored=verdict.ignored if self._facts.ignored else None,
            rows=final_rows,
            replaced_rows=replaced_rows,
        )

    def _split_rows(self) -> tuple[list[MatrixRow], list[MatrixRow]]:
        """Separate the rows of the environment after all members have been deployed from those of replaced versions."""
        rows: tuple[list[MatrixRow], list[MatrixRow]] = ([], [])
        for row in self._facts.rows:
            rows[not self._is_final(row)].append(row)
        rows[0].extend(self._list_ignored_of_missing())
        return rows

    def _list_ignored_of_missing(self) -> Iterable[MatrixRow]:
        """List the ignored rows of members that do not exist: the pacts of live consumers, without a result of them."""
        names = {member.selector.pacticipant for member in self._facts.members if isinstance(member, NoVersion)}
        rows = dict.fromkeys(
            row._replace(
                provider_version=None,
                provider_position=None,
                verification=None,
                success=None,
                verified_at=None,
                is_superseded=False,
                comparison=None,
                is_self_verified=None,
            )
            for row in self._facts.rows
            if row.provider in names
            and row.consumer not in names
            and (row.consumer, row.consumer_version) in self._staying
        )
        return [row for row in rows if is_row_ignored(row, self._facts.ignored)]

    @property
    def _missing(self) -> Iterable[NoVersion]:
        """The members that do not exist, unless their whole pacticipant is ignored."""
        for member in self._facts.members:
            if isinstance(member, NoVersion) and not self._is_ignored(member.selector.pacticipant, None):
                yield member

    def _is_ignored(self, pacticipant: str, number: str | None) -> bool:
        return any(is_ignored_by(ignored, pacticipant, number) for ignored in self._facts.ignored)

    @property
    def _query(self) -> MatrixQuery:
        return MatrixQuery(
            selectors=tuple(member.selector for member in self._found),
            destination=Destination(environment=self._facts.environment),
        )

    def _build_final_facts(self, rows: Sequence[MatrixRow]) -> MatrixFacts:
        """The facts of the environment after all members have been deployed."""
        facts = self._facts
        others = sorted({*facts.partners, *self._live_pacticipants} - self._numbers.keys())
        versions: dict[str, list[str]] = {}
        for name, number in dict.fromkeys((live.pacticipant, live.number) for live in facts.live):
            versions.setdefault(name, []).append(number)
        destination = self._query.destination
        inferred: list[ResolvedSelector] = []
        # Reasons name live versions of members, too, that run beside the new ones.
        for name in [*others, *self._numbers]:
            selector = destination.selector(name)
            numbers = versions.get(name, [])
            inferred += [
                FoundVersion(selector=selector, number=number, is_one_of_many=len(numbers) > 1)
                for number in numbers
                if (name, number) not in self._new_versions
            ]
            if not numbers and name not in self._numbers:
                inferred.append(NoVersion(selector=selector))
        return MatrixFacts(
            specified=self._found,
            inferred=inferred,
            ignored=facts.ignored,
            rows=rows,
            gaps=facts.gaps,
            aliases=facts.aliases,
            exemptions=facts.exemptions,
        )

    def _is_final(self, row: MatrixRow) -> bool:
        """Whether a row is about a pair with a member after all members have been deployed."""
        consumer, provider = _list_sides(row)
        if consumer not in self._new_versions and provider not in self._new_versions:
            return False
        if row.consumer == row.provider:
            # The old and the new version of a member run side by side while one replaces the other.
            return True
        final = self._new_versions | self._staying
        return consumer in final and (provider in final or provider[1] is None)

    @cached_property
    def _constraints(self) -> Constraints:
        """What prevents members from being deployed. Each member must work with the versions that are live beside it.

        These are the versions that stay, and of each other member the new version or the one that it replaces.
        """
        collected = _Constraints(len(self._keys))
        missing = list(self._missing)
        for number, member in enumerate(self._facts.members):
            if member in missing:
                collected.exclude(number)
        for row in self._facts.rows:
            is_exempt = is_row_ignored(row, self._facts.ignored) or self._facts.exemptions.find(*_list_sides(row))
            if not row.success and not is_exempt:
                self._add_obstacle(row, collected)
        for consumer, version, provider in dict.fromkeys(map(_pact_key, self._facts.rows)):
            # A provider is required unless it is ignored as a whole: without a version there is none to ignore.
            is_exempt = (
                self._is_ignored(consumer, version)
                or self._is_ignored(provider, None)
                or self._facts.exemptions.find((consumer, version), (provider, None))
            )
            is_new = (consumer, version) in self._new_versions
            if is_new and provider not in self._live_pacticipants and not is_exempt:
                self._require_provider(self._numbers[consumer], provider, collected)
        return collected.build()

    def _add_obstacle(self, row: MatrixRow, collected: "_Constraints") -> None:
        """Add what follows from a pair of versions that do not work together, or are not known to."""
        sides = _list_sides(row)
        for (name, version), other in (sides, sides[::-1]):
            member = self._numbers.get(name)
            if member is None or (name, version) not in self._new_versions:
                continue
            other_member = self._numbers.get(other[0])
            if row.consumer == row.provider or other in self._staying:
                collected.exclude(member)
            if other_member is not None and other_member != member:
                if other in self._replaced:
                    collected.need(member, other_member)
                if other in self._new_versions:
                    collected.conflict(member, other_member)

    def _require_provider(self, member: int, provider: str, collected: "_Constraints") -> None:
        """Add that a member needs a provider of which no version is live."""
        other = self._numbers.get(provider)
        if other is None:
            collected.exclude(member)
        elif other != member:
            collected.need(member, other)

    def _advise(self, included: int, *, has_order: bool) -> Iterable[Advice]:
        needs = self._constraints.needs
        if not has_order:
            for cycle in find_cycles(needs, included):
                yield DeployTogether([self._keys[number] for number in list_members(cycle)])
            return
        for number in list_members(included):
            if needs[number]:
                first = [self._keys[other] for other in list_members(needs[number])]
                yield DeployInOrder(first, self._keys[number])


_Side = tuple[str, str | None]


def _list_sides(row: MatrixRow) -> tuple[_Side, _Side]:
    return (row.consumer, row.consumer_version), (row.provider, row.provider_version)


def _pact_key(row: MatrixRow) -> tuple[str, str, str]:
    return row.consumer, row.consumer_version, row.provider


class _Constraints:
    """Collects constraints."""

    def __init__(self, size: int) -> None:
        self._excluded = 0
        self._needs = [0] * size
        self._conflicts = [0] * size

    def exclude(self, member: int) -> None:
        self._excluded |= 1 << member

    def need(self, member: int, other: int) -> None:
        self._needs[member] |= 1 << other

    def conflict(self, member: int, other: int) -> None:
        self._conflicts[member] |= 1 << other
        self._conflicts[other] |= 1 << member

    def build(self) -> Constraints:
        return Constraints(self._excluded, self._needs, self._conflicts)


def describe_advice(advice: Advice) -> str:
    """Return the text of an advice."""
    match advice:
        case DeployInOrder(first=first, second=second):
            return f"Deploy {_join(first)} before {name_version(second)}, which does not work with the versions before"
        case DeployTogether(members=members):
            return (
                f"Deploy {_join(members)} together: each of them works only with the new versions of the others, so "
                "that no order is safe"
            )
        case LeaveOut(members=[member], has_others=False):
            return f"{name_version(member)} cannot be deployed now"
        case LeaveOut(has_others=False):
            return "None of these versions can be deployed now"
        case LeaveOut(members=members, is_smallest=False):
            return (
                f"Without {_join(members)}, the other versions can be deployed. Fewer may be sufficient: the search "
                "was cancelled because the versions have too many conflicts"
            )
        case LeaveOut(members=members):
            return f"Without {_join(members)}, the other versions can be deployed"


def get_advice_code(advice: Advice) -> str:
    """Return the stable code of an advice, by which programs recognize it."""
    match advice:
        case DeployInOrder():
            return "deploy_in_order"
        case DeployTogether():
            return "deploy_together"
        case LeaveOut():
            return "leave_out"


def name_version(key: VersionKey) -> str:
    return f"{key[0]} ({key[1]})"


def _join(members: Sequence[VersionKey]) -> str:
    *others, last = map(name_version, members)
    return f"{', '.join(others)} and {last}" if others else last
