"""The search for the fewest members to leave out, beside trying all subsets; and its limit."""

from itertools import combinations, product
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scale import choose
from treaty.model.decisions.set_search import (
    Constraints,
    Exclusion,
    find_cycles,
    find_exclusion,
    find_order,
    list_members,
)

SIZES = st.integers(1, 8)


@st.composite
def constraints(draw: st.DrawFn) -> Constraints:
    size = draw(SIZES)
    members = st.integers(0, size - 1)
    pairs = st.lists(st.tuples(members, members), max_size=size)
    needs, conflicts = [0] * size, [0] * size
    for member, other in draw(pairs):
        needs[member] |= 1 << other & ~(1 << member)
    for member, other in draw(pairs):
        conflicts[member] |= 1 << other
        conflicts[other] |= 1 << member
    excluded = draw(st.sets(members, max_size=2))
    return Constraints(sum(1 << member for member in excluded), needs, conflicts)


def is_valid(constraints: Constraints, left_out: int) -> bool:
    included = (1 << len(constraints.needs)) - 1 & ~left_out
    return not included & constraints.excluded and all(
        not constraints.needs[member] & left_out and not constraints.conflicts[member] & included
        for member in list_members(included)
    )


def find_by_trying(constraints: Constraints) -> int:
    members = range(len(constraints.needs))
    return next(
        mask
        for size in range(len(members) + 1)
        for left_out in combinations(members, size)
        if is_valid(constraints, mask := sum(1 << member for member in left_out))
    )


@settings(max_examples=choose(100, slow=500, long=20_000), deadline=None, database=None)
@given(constraints())
def test_the_smallest_exclusion_is_found_and_the_first_in_order_of_several(constraints: Constraints) -> None:
    exclusion = find_exclusion(constraints)
    assert exclusion.is_smallest
    assert exclusion.members == find_by_trying(constraints)


def test_members_that_need_an_excluded_member_through_others_are_left_out() -> None:
    chain = Constraints(excluded=1 << 4, needs=[1 << 1, 1 << 2, 1 << 3, 1 << 4, 0, 0], conflicts=[0] * 6)
    assert find_exclusion(chain).members == 0b11111


@settings(max_examples=choose(40, slow=100, long=2000), deadline=None, database=None)
@given(constraints())
def test_a_search_that_ends_early_finds_a_valid_exclusion(constraints: Constraints) -> None:
    exclusion = find_exclusion(constraints, max_steps=0)
    assert is_valid(constraints, exclusion.members)


def conflicting_members(size: int, *, share: float, seed: int) -> Constraints:
    """Members of which this share of the pairs are in conflict."""
    random = Random(seed)  # noqa: S311 - no secret
    conflicts = [0] * size
    for member, other in combinations(range(size), 2):
        if random.random() < share:
            conflicts[member] |= 1 << other
            conflicts[other] |= 1 << member
    return Constraints(0, [0] * size, conflicts)


def test_the_smallest_exclusion_of_members_with_many_conflicts_is_found() -> None:
    for seed in range(30):
        dense = conflicting_members(9, share=(0.3, 0.5, 0.7)[seed % 3], seed=seed)
        assert find_exclusion(dense).members == find_by_trying(dense), seed


def test_members_with_the_most_conflicts_stay_if_they_are_more_than_the_others_could_be() -> None:
    """Three members are in conflict with each of a circle of five, of which only two go together."""
    circle = [(3 + number, 3 + (number + 1) % 5) for number in range(5)]
    conflicts = [0] * 8
    for member, other in [*product(range(3), range(3, 8)), *circle]:
        conflicts[member] |= 1 << other
        conflicts[other] |= 1 << member
    assert find_exclusion(Constraints(0, [0] * 8, conflicts)).members == 0b11111000


def test_a_search_that_ends_early_leaves_out_members_with_many_conflicts() -> None:
    star = Constraints(0, [0] * 5, [0b11110, 1, 1, 1, 1])
    assert find_exclusion(star, max_steps=0) == Exclusion(0b00001, is_smallest=False)
    two_triangles = Constraints(0, [0] * 6, [0b110, 0b101, 0b011, 0b110000, 0b101000, 0b011000])
    assert find_exclusion(two_triangles, max_steps=0).members.bit_count() == 4


def test_many_conflicts_end_the_search_at_its_limit() -> None:
    hard = conflicting_members(100, share=0.08, seed=5)
    exclusion = find_exclusion(hard)
    assert not exclusion.is_smallest
    assert is_valid(hard, exclusion.members)


def test_thirty_members_with_many_conflicts_are_far_from_the_limit() -> None:
    for seed in range(100):
        assert find_exclusion(conflicting_members(30, share=0.15, seed=seed), max_steps=1000).is_smallest


def test_members_that_need_each_other_have_no_order() -> None:
    needs = [0b0010, 0b0001, 0b0001, 0]
    assert find_order(needs, 0b1111) is None
    assert find_cycles(needs, 0b1111) == [0b0011]
    assert find_order(needs, 0b1000) == [3]
    two_circles = [0b00010, 0b00100, 0b00001, 0b10000, 0b01000, 0]
    assert find_cycles(two_circles, 0b111111) == [0b00111, 0b11000]


def test_an_order_is_by_name_where_there_is_a_choice() -> None:
    assert find_order([0b100, 0, 0], 0b111) == [1, 2, 0]
