"""Searches of a decision for a set: the fewest members to leave out, and an order in which every step is safe.

Members are numbers from 0 in order of their names, and sets of members are bit masks, which Python combines quickly.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

MAX_STEPS: Final = 5000
"""Number of subproblems that a search solves, in about 50 ms. Only large sets with many conflicts need more."""


@dataclass(frozen=True, slots=True)
class Constraints:
    """What prevents members from being deployed, each by its number."""

    excluded: int
    """Members that cannot be deployed, whatever the others do."""
    needs: Sequence[int]
    """For each member, the members without whose new versions it cannot be deployed."""
    conflicts: Sequence[int]
    """For each member, the members with whose new versions it cannot be deployed."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Members to leave out."""

    members: int
    is_smallest: bool
    """False if the search has ended early: the exclusion is valid, but a smaller one may exist."""


def list_members(members: int) -> Iterator[int]:
    """Yield the numbers of the members in a set, in order."""
    while members:
        lowest = members & -members
        yield lowest.bit_length() - 1
        members ^= lowest


def find_exclusion(constraints: Constraints, max_steps: int = MAX_STEPS) -> Exclusion:
    """Find the smallest exclusion; of several, that with the first members in order."""
    size = len(constraints.needs)
    needed = _close(constraints.needs)
    blocked = _find_blocked(constraints, needed)
    impossible = _union(
        1 << member for member in range(size) if needed[member] & (constraints.excluded | blocked[member])
    )
    impossible = _union(1 << member for member in range(size) if needed[member] & impossible)
    possible = (1 << size) - 1 & ~impossible
    included, is_smallest = _select_most(blocked, possible, max_steps)
    return Exclusion((1 << size) - 1 & ~included, is_smallest)


def _close(needs: Sequence[int]) -> list[int]:
    """Return what each member needs, directly or not, with the member itself."""
    closed = [mask | 1 << member for member, mask in enumerate(needs)]
    for through, _ in enumerate(closed):
        for member, mask in enumerate(closed):
            if mask >> through & 1:
                closed[member] = mask | closed[through]
    return closed


def _find_blocked(constraints: Constraints, needed: Sequence[int]) -> list[int]:
    """Return the members that each member excludes, directly, or because of what either of the two needs."""
    needing = [
        _union(1 << other for other, mask in enumerate(needed) if mask >> member & 1) for member in range(len(needed))
    ]
    conflicting = [_union(needing[other] for other in list_members(mask)) for mask in constraints.conflicts]
    return [_union(conflicting[other] for other in list_members(mask)) for mask in needed]


def _union(masks: Iterable[int]) -> int:
    return reduce(or_, masks, 0)


# Once needs are part of what members block, the members to deploy are a largest independent set of that graph: a set
# that is as large as possible contains what its members need, which blocks no more than they do.


def _select_most(blocked: Sequence[int], possible: int, max_steps: int) -> tuple[int, bool]:
    """Select the most members that block none of each other, and return whether they are the most."""
    sizes = _LargestSets(blocked, max_steps)
    try:
        return _leave_out_first(sizes, blocked, possible), True
    except _TooManySteps:
        return _select_greedily(blocked, possible), False


def _leave_out_first(sizes: "_LargestSets", blocked: Sequence[int], possible: int) -> int:
    """Select a largest set, and leave out the first member in order wherever there is a choice."""
    selected = 0
    for member in list_members(possible):
        bit = 1 << member
        if not possible & bit:
            continue
        if not possible & blocked[member] or sizes.count(possible ^ bit) < sizes.count(possible):
            selected |= bit
            possible &= ~blocked[member]
        possible &= ~bit
    return selected


def _select_greedily(blocked: Sequence[int], possible: int) -> int:
    selected = 0
    while possible:
        member = min(list_members(possible), key=lambda member: (blocked[member] & possible).bit_count())
        selected |= 1 << member
        possible &= ~(blocked[member] | 1 << member)
    return selected


class _TooManySteps(Exception):
    """A search would need more steps than its limit."""


class _LargestSets:
    """Counts the members of largest independent sets, and remembers them by the set of candidates."""

    def __init__(self, blocked: Sequence[int], max_steps: int) -> None:
        self._blocked = blocked
        self._remaining_steps = max_steps
        self._counts: dict[int, int] = {0: 0}

    def count(self, candidates: int) -> int:
        """Count the members of a largest set of candidates. Raises _TooManySteps."""
        count = self._counts.get(candidates)
        if count is None:
            count = self._counts[candidates] = self._compute(candidates)
        return count

    def _compute(self, candidates: int) -> int:
        self._remaining_steps -= 1
        if self._remaining_steps < 0:
            raise _TooManySteps
        blocked = self._blocked
        most, busiest = 0, -1
        for member in list_members(candidates):
            number = (blocked[member] & candidates).bit_count()
            if number <= 1:
                # A member that blocks at most one other belongs to some largest set.
                return 1 + self.count(candidates & ~(blocked[member] | 1 << member))
            if number > most:
                most, busiest = number, member
        component = self._find_component(candidates)
        if component != candidates:
            return self.count(component) + self.count(candidates ^ component)
        bit = 1 << busiest
        return max(1 + self.count(candidates & ~(blocked[busiest] | bit)), self.count(candidates ^ bit))

    def _find_component(self, candidates: int) -> int:
        """Find the candidates that are connected with the first of them."""
        component = new = candidates & -candidates
        while new:
            new = _union(self._blocked[member] for member in list_members(new)) & candidates & ~component
            component |= new
        return component


def find_order(needs: Sequence[int], members: int) -> list[int] | None:
    """Find an order in which each member comes after those that it needs; None if members need each other."""
    order: list[int] = []
    remaining = members
    while remaining:
        ready = next((member for member in list_members(remaining) if not needs[member] & remaining), None)
        if ready is None:
            return None
        order.append(ready)
        remaining ^= 1 << ready
    return order


def find_cycles(needs: Sequence[int], members: int) -> list[int]:
    """Find the groups of members that need each other, in order of their first members."""
    closed = _close(needs)
    cycles: list[int] = []
    for member in list_members(members):
        cycle = _union(1 << other for other in list_members(closed[member] & members) if closed[other] >> member & 1)
        if cycle.bit_count() > 1 and cycle not in cycles:
            cycles.append(cycle)
    return cycles
