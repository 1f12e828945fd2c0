"""The difference between two contents, as lines."""

import json
from datetime import timedelta

import pytest

from treaty.model.pacts.text_diff import diff_contents
from treaty.model.wording import format_duration


def changes(old: object, new: object) -> list[str]:
    shown = diff_contents(json.dumps({"it": old}).encode(), json.dumps({"it": new}).encode())
    return [line[0] + line[1:].strip() for line in shown.splitlines() if line[0] != " "]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1, 1, []),
        (1, 2, ['-"it": 1', '+"it": 2']),
        (1, 1.0, ['-"it": 1', '+"it": 1.0']),
        (1, True, ['-"it": 1', '+"it": true']),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": 1, "b": {"c": 2}}, {"a": 1}, ['-"b": {', '-"c": 2', "-}"]),
        ([1, 2], [1, 2, 3], ["+3"]),
        ([1, 2, 3], [1, 2], ["-3"]),
        ([1, 2], [3, 4], ["-1", "-2", "+3", "+4"]),
        ({}, [], ['-"it": {', "-}", '+"it": [', "+]"]),
        ("ä", "\ud800", ['-"it": "ä"', '+"it": "\\ud800"']),
    ],
)
def test_differences_are_shown_line_by_line(old: object, new: object, expected: list[str]) -> None:
    assert changes(old, new) == expected


def test_the_order_and_the_ids_of_interactions_do_not_matter() -> None:
    old = {"interactions": [{"_id": "1", "description": "a"}, {"_id": "2", "description": "b"}]}
    new = {"interactions": [{"_id": "3", "description": "b"}, {"description": "a", "_id": "4"}]}
    assert diff_contents(json.dumps(old).encode(), json.dumps(new).encode()) == ""


def test_the_order_of_the_members_of_interactions_does_not_matter() -> None:
    old = {"interactions": [{"description": "a", "x": 1}, {"description": "b", "x": 1}]}
    new = {"interactions": [{"x": 1, "description": "b"}, {"description": "a", "x": 1}]}
    assert diff_contents(json.dumps(old).encode(), json.dumps(new).encode()) == ""


def test_numbers_are_shown_as_they_were_written() -> None:
    shown = diff_contents(b'{"it": 1.10}', b'{"it": 12345678901234567890123}').splitlines()
    assert shown[1:3] == ['-  "it": 1.10', '+  "it": 12345678901234567890123']


def test_lines_far_from_changes_are_left_out() -> None:
    new = list(range(100))
    new[0], new[50] = -1, -1
    shown = diff_contents(json.dumps({"it": list(range(100))}).encode(), json.dumps({"it": new}).encode()).splitlines()
    assert [line for line in shown if line.startswith("@@")] == ["@@ -50,7 +50,7 @@"]
    assert shown.count("     ... ") == 3 + 3 + 3


def test_a_diff_is_written_like_a_unified_diff() -> None:
    old = {"a": [*range(20), "x", "y"], "b": {"c": 1, "gone": [{"d": []}, None], "same": 2}, "z": 0}
    new = {"a": ["new", *range(1, 20)], "b": {"added": 3, "c": {}, "same": 2}, "z": 0}
    shown = diff_contents(json.dumps(old).encode(), json.dumps(new).encode())
    assert shown.splitlines() == [
        " {",
        '   "a": [',
        "-    0",
        '+    "new"',
        "     ... ",
        "     ... ",
        "     ... ",
        "@@ -20,17 +20,9 @@",
        "     ... ",
        "     ... ",
        "     ... ",
        '-    "x"',
        '-    "y"',
        "   ]",
        '   "b": {',
        '-    "c": 1',
        '-    "gone": [',
        "-      {",
        '-        "d": [',
        "-        ]",
        "-      }",
        "-      null",
        "-    ]",
        '+    "c": {',
        "+    }",
        "   }",
        " }",
    ]


@pytest.mark.parametrize("name", ["interactions", "messages"])
def test_a_missing_or_null_list_does_not_prevent_sorting_the_other(name: str) -> None:
    first, second = {"description": "a"}, {"description": "b"}
    for empty in ({}, {"interactions": None}, {"interactions": False}):
        old, new = ({**empty, name: items} for items in ([first, second], [second, first]))
        assert diff_contents(json.dumps(old).encode(), json.dumps(new).encode()) == ""
    # Only one of the lists is sorted, as for the hash of a content.
    both = [{"interactions": [], "messages": items} for items in ([first, second], [second, first])]
    assert diff_contents(*(json.dumps(pact).encode() for pact in both)) != ""


def test_a_search_can_be_given_up() -> None:
    def give_up() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        diff_contents(b"{}", b"{}", check_deadline=give_up)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        # The last and the first moment of each wording.
        (timedelta(), "less than a minute"),
        (timedelta(seconds=29), "less than a minute"),
        (timedelta(seconds=31), "1 minute"),
        (timedelta(seconds=89), "1 minute"),
        (timedelta(seconds=91), "2 minutes"),
        (timedelta(minutes=44), "44 minutes"),
        (timedelta(minutes=45), "about 1 hour"),
        (timedelta(minutes=89), "about 1 hour"),
        (timedelta(minutes=91), "about 2 hours"),
        (timedelta(hours=23), "about 23 hours"),
        (timedelta(days=1, minutes=-1), "about 24 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(minutes=2519), "1 day"),
        (timedelta(minutes=2520), "2 days"),
        (timedelta(days=29), "29 days"),
        (timedelta(days=30, minutes=-1), "30 days"),
        (timedelta(days=30), "about 1 month"),
        (timedelta(days=60, minutes=-1), "about 1 month"),
        (timedelta(days=60), "2 months"),
        (timedelta(days=365, minutes=-1), "12 months"),
        (timedelta(days=365), "about 1 year"),
        # "Over" from a quarter of a year, "almost" from three quarters.
        (timedelta(days=365 * 1.25, minutes=-1), "about 1 year"),
        (timedelta(days=365 * 1.25), "over 1 year"),
        (timedelta(days=365 * 1.75, minutes=-1), "over 1 year"),
        (timedelta(days=365 * 1.75), "almost 2 years"),
        (timedelta(days=365 * 2, minutes=-1), "almost 2 years"),
        (timedelta(days=365 * 2), "about 2 years"),
        (timedelta(days=365 * 2.5), "over 2 years"),
        (timedelta(days=365 * 2.75), "almost 3 years"),
    ],
)
def test_a_duration_is_described_approximately(time: timedelta, words: str) -> None:
    assert format_duration(time.total_seconds()) == words
