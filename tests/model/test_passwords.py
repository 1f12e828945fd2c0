"""Lengths of passwords. Which of them are easily guessed is tested with the accounts."""

import random
import string

import pytest

from treaty.model.accounts import passwords


def create_password(length: int) -> str:
    return "".join(random.Random(length).choices(string.ascii_letters + string.digits, k=length))  # noqa: S311


@pytest.mark.parametrize("length", [12, 256])
def test_the_shortest_and_the_longest_password_are_accepted(length: int) -> None:
    assert passwords.find_weakness(create_password(length)) is None


@pytest.mark.parametrize(
    ("length", "problem"), [(11, "must have 12 characters or more"), (257, "must have 256 characters at most")]
)
def test_other_lengths_are_refused_with_the_limit(length: int, problem: str) -> None:
    assert passwords.find_weakness(create_password(length)) == problem
