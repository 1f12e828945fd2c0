"""Computes the expected decision for a set, by trying every subset and every order.

It is written from the rules, and shares nothing with the code that it checks.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, permutations

from tests.oracle.matrix_oracle import Publication, World

Member = tuple[str, str]
"""Name and version."""


@dataclass(frozen=True)
class ExpectedSet:
    deployable: bool | None
    leave_out: list[Member]
    orders: set[tuple[Member, ...]]
    """All orders of the others in which every step is safe."""


Ignored = tuple[str, str | None]
"""A version whose results are ignored; without a version, a whole application."""


def expected_set(
    world: World,
    environment: str,
    members: Iterable[Member],
    ignored: Iterable[Ignored] = (),
    *,
    overridden: Iterable[Member] = (),
    allows_first_deployments: bool = False,
) -> ExpectedSet:
    """Compute the expected answer to the question whether members can be deployed together."""
    sets = _Sets(world, environment, sorted(members), set(ignored))
    sets.overridden = {member for member in overridden if member in sets.members}
    sets.allows_first_deployments = allows_first_deployments
    return sets.expected()


class _Sets:
    overridden: set[Member]
    """Members whose results do not count, whichever side they are on."""
    allows_first_deployments: bool
    """Whether a provider may be missing that runs in no environment."""

    def __init__(self, world: World, environment: str, members: list[Member], ignored: set[Ignored]) -> None:
        self.world = world
        self.environment = environment
        self.members = members
        self.ignored = ignored
        self.results = cache(self._results)

    def expected(self) -> ExpectedSet:
        missing = [
            member
            for member in self.members
            if member not in self.world.versions and (member[0], None) not in self.ignored
        ]
        everything = frozenset(self.members) - set(missing)
        results = [result for member in everything for result in self.results(everything, member)]
        deployable = False if missing else None if None in results else all(results)
        leave_out = next(
            list(left_out)
            for size in range(len(self.members) + 1)
            for left_out in combinations(self.members, size)
            if set(missing) <= set(left_out) and self.is_consistent(everything - set(left_out))
        )
        rest = [member for member in self.members if member not in leave_out]
        orders = {order for order in permutations(rest) if rest and self.is_safe(order)}
        return ExpectedSet(deployable, leave_out, orders)

    def is_consistent(self, deployed: frozenset[Member]) -> bool:
        return all(result is True for member in deployed for result in self.results(deployed, member))

    def is_safe(self, order: tuple[Member, ...]) -> bool:
        return all(
            result is True
            for number, member in enumerate(order)
            for result in self.results(frozenset(order[: number + 1]), member)
        )

    def _results(self, deployed: frozenset[Member], member: Member) -> list[bool | None]:
        """The results of a member with all that runs beside it, once these members have been deployed."""
        return [result for pact in self.world.publications for result in self.results_of(pact, deployed, member)]

    def results_of(self, pact: Publication, deployed: frozenset[Member], member: Member) -> Iterator[bool | None]:
        name = member[0]
        if self.ignored & {(pact.consumer, None), (pact.provider, None), (pact.consumer, pact.version)}:
            return
        if not self.world.is_current(pact) or name not in {pact.consumer, pact.provider}:
            return
        consumers, providers = self.live(pact.consumer, deployed), self.live(pact.provider, deployed)
        if pact.consumer == pact.provider:
            # While it is replaced, the old version runs beside the new one.
            consumers = providers = providers | self.world.live(name, self.environment)
        if (pact.consumer, pact.version) == member and not providers and not self.is_exempt(pact):
            yield None
        for provider in sorted(providers):
            sides = {(pact.consumer, pact.version), (pact.provider, provider)}
            is_counted = member in sides and not sides & self.overridden
            if pact.version in consumers and is_counted and (pact.provider, provider) not in self.ignored:
                yield self.result(pact, provider)

    def is_exempt(self, pact: Publication) -> bool:
        """Whether a pact needs no provider."""
        places = {where for where, *_ in (*self.world.running, *self.world.supported)}
        is_nowhere = not any(self.world.live(pact.provider, place) for place in places)
        is_first = self.allows_first_deployments and is_nowhere and pact.consumer != pact.provider
        return is_first or (pact.consumer, pact.version) in self.overridden

    def live(self, name: str, deployed: frozenset[Member]) -> set[str]:
        """The versions that run after some members have been deployed, each without an application instance."""
        new = {version for who, version in deployed if who == name}
        running = {
            version
            for (where, who, instance), version in self.world.running.items()
            if (where, who) == (self.environment, name) and not (new and instance is None)
        }
        supported = {
            version for where, who, version in self.world.supported if (where, who) == (self.environment, name)
        }
        return new | running | supported

    def result(self, pact: Publication, provider: str) -> bool | None:
        results = [
            result
            for result in self.world.results
            if (result.consumer, result.provider, result.content, result.version)
            == (pact.consumer, pact.provider, pact.content, provider)
        ]
        return max(results, key=lambda result: result.number).success if results else None


def broken_pairs(world: World, environment: str) -> set[tuple[str, str]]:
    """The consumers and providers of which some versions in an environment do not work together."""
    return {
        (pact.consumer, pact.provider)
        for pact in world.publications
        if world.is_current(pact)
        and pact.version in world.live(pact.consumer, environment)
        and not works_with_all(world, pact, world.live(pact.provider, environment))
    }


def works_with_all(world: World, pact: Publication, providers: set[str]) -> bool:
    return bool(providers) and all(
        any(
            result.success and world.is_latest(result)
            for result in world.results
            if (result.consumer, result.provider, result.content, result.version)
            == (pact.consumer, pact.provider, pact.content, provider)
        )
        for provider in providers
    )
