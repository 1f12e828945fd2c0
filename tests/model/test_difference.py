"""The difference between two contents, as lines."""

import json
from datetime import timedelta

import pytest

from treaty.model.pacts.text_diff import diff_contents, format_duration


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
def test_what_differs_is_shown_line_by_line(old: object, new: object, expected: list[str]) -> None:
    assert changes(old, new) == expected


def test_the_order_and_the_ids_of_interactions_do_not_matter() -> None:
    old = {"interactions": [{"_id": "1", "description": "a"}, {"_id": "2", "description": "b"}]}
    new = {"interactions": [{"_id": "3", "description": "b"}, {"description": "a", "_id": "4"}]}
    assert diff_contents(json.dumps(old).encode(), json.dumps(new).encode()) == ""


def test_numbers_are_shown_as_they_were_written() -> None:
    shown = diff_contents(b'{"it": 1.10}', b'{"it": 12345678901234567890123}').splitlines()
    assert shown[1:3] == ['-  "it": 1.10', '+  "it": 12345678901234567890123']


def test_what_is_far_from_changes_is_left_out_and_counted() -> None:
    new = list(range(100))
    new[0], new[50] = -1, -1
    shown = diff_contents(json.dumps({"it": list(range(100))}).encode(), json.dumps({"it": new}).encode()).splitlines()
    assert [line for line in shown if line.startswith("@@")] == ["@@ -50,7 +50,7 @@"]
    assert shown.count("     ... ") == 3 + 3 + 3


def test_a_search_can_be_given_up() -> None:
    def give_up() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        diff_contents(b"{}", b"{}", check_deadline=give_up)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(), "less than a minute"),
        (timedelta(seconds=29), "less than a minute"),
        (timedelta(seconds=31), "1 minute"),
        (timedelta(minutes=2), "2 minutes"),
        (timedelta(minutes=44), "44 minutes"),
        (timedelta(minutes=45), "about 1 hour"),
        (timedelta(minutes=89), "about 1 hour"),
        (timedelta(minutes=91), "about 2 hours"),
        (timedelta(hours=23), "about 23 hours"),
        (timedelta(hours=24), "1 day"),
        (timedelta(hours=41), "1 day"),
        (timedelta(hours=43), "2 days"),
        (timedelta(days=29), "29 days"),
        (timedelta(days=31), "about 1 month"),
        (timedelta(days=61), "2 months"),
        (timedelta(days=364), "12 months"),
        (timedelta(days=365), "about 1 year"),
        (timedelta(days=365 * 1.5), "over 1 year"),
        (timedelta(days=365 * 1.9), "almost 2 years"),
        (timedelta(days=365 * 2), "about 2 years"),
    ],
)
def test_a_time_is_told_roughly(time: timedelta, words: str) -> None:
    assert format_duration(time.total_seconds()) == words
