"""Problems are grouped by the application that most of them have in common."""

import random

import pytest

from treaty.model.overview.attention import Attention, group_by_cause


def groups(pairs):
    """Group pairs of a consumer and a provider; each group with the side that it is of."""
    causes = group_by_cause(pairs, provider=lambda pair: pair[1], consumer=lambda pair: pair[0])
    return [("provider" if cause.is_of_provider else "consumer", list(cause.items)) for cause in causes]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], []),
        (["ab"], [("provider", ["ab"])]),
        (["ax", "bx", "cx"], [("provider", ["ax", "bx", "cx"])]),
        (["ax", "ay", "az"], [("consumer", ["ax", "ay", "az"])]),
        # The larger group takes the problems that both have in common.
        (["ax", "ay", "az", "bx"], [("consumer", ["ax", "ay", "az"]), ("provider", ["bx"])]),
        (["ax", "bx", "ay", "by"], [("provider", ["ax", "bx"]), ("provider", ["ay", "by"])]),
        # An application may be a consumer and a provider.
        (["xa", "bx"], [("provider", ["xa"]), ("provider", ["bx"])]),
    ],
)
def test_problems_of_one_application_are_one_group(pairs, expected):
    assert groups(pairs) == expected


@pytest.mark.parametrize("seed", range(20))
def test_every_problem_is_in_exactly_one_group_and_the_largest_groups_come_first(seed):
    chance = random.Random(seed)  # noqa: S311 - not a secret
    pairs = list({chance.choice("abcdef") + chance.choice("uvwxyz") for _ in range(25)})
    causes = groups(pairs)
    assert sorted(pair for _, members in causes for pair in members) == sorted(pairs)
    sizes = [len(members) for _, members in causes]
    assert sizes == sorted(sizes, reverse=True)
    for side, members in causes:
        assert len({pair[1 if side == "provider" else 0] for pair in members}) == 1


def test_problems_that_are_not_listed_are_counted():
    causes = group_by_cause(["ax", "bx", "cy"], provider=lambda pair: pair[1], consumer=lambda pair: pair[0])
    assert Attention(causes[:1], 3).unlisted == 1
