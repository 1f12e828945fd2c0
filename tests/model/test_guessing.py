"""How long the next password has to wait."""

from datetime import UTC, datetime, timedelta

import pytest

from treaty.model.guessing import FREE, FREE_OF_ADDRESS, Guesser, Guesses, wait

NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
ADA = Guesser(name="ada", whose="her uuid", address="192.0.2.7")


@pytest.mark.parametrize(
    ("count", "count_of_address", "seconds_ago", "expected"),
    [
        (0, 0, 0, 0),
        (FREE - 1, FREE - 1, 0, 0),
        (FREE, FREE, 0, 1),
        (FREE, FREE, 1, 0),
        (FREE + 1, FREE + 1, 0.5, 2),
        (FREE + 4, FREE + 4, 6, 10),
        (FREE + 9, FREE + 9, 0, 300),
        (1_000_000, 1_000_000, 0, 300),
        (1_000_000, 1_000_000, 901, 0),
        (1, FREE_OF_ADDRESS, 0, 1),
        (1, FREE_OF_ADDRESS + 3, 2, 6),
    ],
)
def test_each_wrong_password_makes_the_next_wait_longer(count, count_of_address, seconds_ago, expected):
    latest = NOON - timedelta(seconds=seconds_ago)
    found = [
        Guesses(key=ADA.pair, count=count, latest=latest),
        Guesses(key=ADA.everything, count=count_of_address, latest=latest),
    ]
    assert wait(ADA, found, now=NOON) == expected


def test_users_and_addresses_are_counted_apart_and_names_of_nobody_in_groups():
    others = [
        Guesser(name="ada", whose="her uuid", address="192.0.2.8"),
        Guesser(name="ben", whose="his uuid", address="192.0.2.7"),
        Guesser(name="ada", whose=None, address="192.0.2.7"),
    ]
    assert len({ADA.pair, ADA.everything, *(one.pair for one in others)}) == 5
    spelled = Guesser(name=" ADA ", whose="her uuid", address="192.0.2.7")
    assert spelled.pair == ADA.pair
    of_nobody = {Guesser(name=str(number), whose=None, address=None).pair for number in range(10_000)}
    assert 3000 < len(of_nobody) <= 4096
