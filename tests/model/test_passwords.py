"""Lengths and strength of passwords, and their hashes."""

import random
import re
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


EASY = re.compile(r"is easy to guess\. .+\.")


@pytest.mark.parametrize(
    ("password", "words", "is_accepted"),
    [
        ("silver7stone", (), True),
        ("summerwinter", (), False),
        ("river-candle", (), True),
        ("river-candle", ("", "River-Candle"), False),
    ],
)
def test_a_password_that_is_guessed_quickly_is_refused(
    password: str, words: tuple[str, ...], *, is_accepted: bool
) -> None:
    problem = passwords.find_weakness(password, words)
    assert problem is None if is_accepted else problem and EASY.fullmatch(problem)


def test_a_password_of_the_settings_must_be_harder_to_guess() -> None:
    assert passwords.find_setting_weakness("river-candle", "build") is None
    assert passwords.find_setting_weakness(create_password(12), "build") is None
    assert passwords.find_setting_weakness(create_password(11), "build") == "has fewer than 12 characters"
    assert passwords.find_setting_weakness("Something-Long", "build") == "is an example from documentation"
    for password, user in (("silver7stone", "build"), ("river-candle", "River-Candle"), ("pact-contract", "x")):
        assert EASY.fullmatch(passwords.find_setting_weakness(password, user) or "")


def test_the_end_of_a_very_long_password_does_not_count() -> None:
    assert passwords.find_weakness("a" * 64 + create_password(40))
    assert passwords.find_weakness(create_password(40) + "a" * 64) is None


def test_only_the_password_of_a_hash_is_correct() -> None:
    password_hash = passwords.hash_password("river-candle")
    assert passwords.is_correct("river-candle", password_hash)
    for other in ("river-candlE", "", password_hash):
        assert not passwords.is_correct(other, password_hash)
    assert not passwords.is_correct("river-candle", None)
    assert not passwords.is_correct("river-candle", "no hash")
