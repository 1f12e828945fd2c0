"""The limits of tokens and system accounts: scopes, and the applications for which they may write."""

from collections.abc import Iterable

import pytest

from treaty.errors import Invalid
from treaty.model.accounts.scopes import (
    MAX_APPLICATIONS,
    Limits,
    Scope,
    build_limits,
    combine_limits,
    join_names,
    list_limits,
)

# Overriding decisions needs a scope that was chosen.
ALL = frozenset(Scope) - {Scope.OVERRIDE_DECISIONS}
PUBLISH = frozenset({Scope.READ, Scope.PUBLISH_PACTS})
READ = frozenset({Scope.READ})


def _limits(scopes: frozenset[Scope], *applications: str) -> Limits:
    return Limits(scopes, frozenset(applications) or None)


@pytest.mark.parametrize(
    ("scopes", "applications", "limits"),
    [
        ((), (), None),
        (READ, (), _limits(READ)),
        (PUBLISH, ("Shop",), _limits(PUBLISH, "Shop")),
        ((), ("Shop",), _limits(ALL, "Shop")),
        (PUBLISH, [f"a{number}" for number in range(MAX_APPLICATIONS)], None),
    ],
)
def test_limits_have_the_chosen_scopes_and_applications(
    scopes: Iterable[Scope], applications: Iterable[str], limits: Limits | None
) -> None:
    expected = limits or (_limits(PUBLISH, *applications) if applications else None)
    assert build_limits(scopes, applications) == expected


@pytest.mark.parametrize(
    ("scopes", "applications"),
    [
        (READ, ("Shop",)),
        (PUBLISH, [f"a{number}" for number in range(MAX_APPLICATIONS + 1)]),
        (PUBLISH, ("Shop", " ")),
    ],
)
def test_limits_that_make_no_sense_are_refused(scopes: Iterable[Scope], applications: Iterable[str]) -> None:
    with pytest.raises(Invalid):
        build_limits(scopes, applications)


@pytest.mark.parametrize(
    ("first", "second", "combined"),
    [
        (None, None, None),
        (_limits(READ), None, _limits(READ)),
        (None, _limits(READ), _limits(READ)),
        (_limits(ALL), _limits(PUBLISH), _limits(PUBLISH)),
        (_limits(READ), _limits(PUBLISH - READ), _limits(frozenset())),
        (_limits(ALL, "A", "B"), _limits(ALL), _limits(ALL, "A", "B")),
        (_limits(ALL), _limits(ALL, "A", "B"), _limits(ALL, "A", "B")),
        (_limits(ALL, "A", "B"), _limits(ALL, "B", "C"), _limits(ALL, "B")),
        (_limits(ALL, "A"), _limits(ALL, "B"), Limits(ALL, frozenset())),
    ],
)
def test_a_token_of_a_limited_account_has_the_intersection_of_both_limits(
    first: Limits | None, second: Limits | None, combined: Limits | None
) -> None:
    assert combine_limits(first, second) == combined


@pytest.mark.parametrize(
    ("limits", "applications", "covers"),
    [
        (_limits(ALL), ("A", "B"), True),
        (_limits(ALL, "A", "B"), ("A",), True),
        (_limits(ALL, "A", "B"), ("A", "B"), True),
        (_limits(ALL, "A"), ("A", "B"), False),
        (_limits(ALL, "A"), ("B",), False),
        (Limits(ALL, frozenset()), ("A",), False),
    ],
)
def test_limits_cover_the_named_applications_or_all(
    limits: Limits, applications: tuple[str, ...], *, covers: bool
) -> None:
    assert limits.covers(applications) is covers


@pytest.mark.parametrize(
    ("limits", "text", "lists"),
    [
        (_limits(PUBLISH), "read, publish-pacts", (["read", "publish-pacts"], None)),
        (_limits(PUBLISH, "B", "A"), "read, publish-pacts for A and B", (["read", "publish-pacts"], ["A", "B"])),
        (Limits(frozenset(), frozenset()), "no scope for no application", ([], [])),
    ],
)
def test_limits_are_described_and_listed(limits: Limits, text: str, lists: tuple[list[str], list[str] | None]) -> None:
    assert limits.describe() == text
    assert list_limits(limits) == {"scopes": lists[0], "applications": lists[1]}


def test_no_limits_are_listed_as_none() -> None:
    assert list_limits(None) == {"scopes": None, "applications": None}


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("", "no application"),
        ("A", "A"),
        ("BA", "A and B"),
        ("CBA", "A, B and C"),
        ("ABCDE", "A, B, C, D and E"),
        ("ABCDEF", "A, B, C, D, E and F"),
        ("ABCDEFG", "A, B, C, D, E and 2 others"),
    ],
)
def test_names_are_joined_and_many_are_counted(names: str, text: str) -> None:
    assert join_names(names) == text
