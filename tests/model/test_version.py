"""The order of versions where their numbers decide it."""

from itertools import pairwise

import pytest

from treaty.model.versions import find_insertion_position, find_order_problem, parse_precedence

NEWEST_FIRST = [
    "2",
    "1.10.0",
    "1.9.0",
    "v1.0.5",
    "1.0.1",
    "1.0.1-beta.11",
    "1.0.1-beta.2",
    "1.0.1-alpha.beta",
    "1.0.1-alpha.1",
    "1.0.1-alpha",
    "1.0.0",
    "foo",
]


@pytest.mark.parametrize(("newer", "older"), list(pairwise(NEWEST_FIRST)))
def test_a_newer_version_is_placed_above_an_older_one(newer: str, older: str) -> None:
    assert find_insertion_position(newer, [(older, 1)]) is None
    assert find_insertion_position(older, [(newer, 1)]) == 1


@pytest.mark.parametrize("number", ["1.0.0", "1.0.0+build", "1", "1.0"])
def test_a_new_version_is_inserted_below_an_equal_one(number: str) -> None:
    assert find_insertion_position(number, [("0.9", 3), ("1.0.0", 7)]) == 7


def test_a_version_that_is_not_a_number_has_the_lowest_position() -> None:
    assert find_insertion_position("bar", [("foo", 1), ("1", 2)]) == 1


def test_a_version_that_is_not_a_number_has_no_precedence() -> None:
    assert parse_precedence("foo") is None


def test_a_number_counts_at_any_position_of_the_text() -> None:
    assert parse_precedence("x1y") == parse_precedence("1.0.0")


@pytest.mark.parametrize(
    ("number", "can_be_ordered"), [("1", True), ("v1.2.3-beta.1", True), ("foo", False), ("", False)]
)
def test_a_number_that_cannot_be_ordered_is_explained(number: str, *, can_be_ordered: bool) -> None:
    problem = find_order_problem(number)
    assert problem is None if can_be_ordered else problem and f"'{number}' cannot be parsed" in problem
