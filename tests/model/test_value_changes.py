"""The values that differ between two interactions: their paths, and the limits of the list."""

from typing import Any

import pytest

from treaty.model.pacts.value_changes import (
    MAX_ALIGNED_ITEMS,
    MAX_CHANGES,
    MAX_VALUE_LENGTH,
    ValueChange,
    list_value_changes,
)

ENVELOPE: dict[str, Any] = {"content": 1, "contentType": "x/y", "contentTypeHint": "TEXT", "encoded": False}


def changes(old: Any, new: Any) -> list[tuple[str, str | None, str | None]]:
    """List changes, with a plain separator in their paths."""
    separator = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
    shown = list_value_changes(old, new).shown
    return [(change.path.replace(separator, ">"), change.old, change.new) for change in shown]


def responses(*bodies: object) -> dict[str, Any]:
    """A synchronous message of version 4 of the Pact specification."""
    contents = ({"content": body, "contentType": "application/json"} for body in bodies)
    return {"response": [{"contents": content} for content in contents]}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1, 1, []),
        (1, 2, [("$", "1", "2")]),
        (2, 1, [("$", "2", "1")]),
        (1, True, [("$", "1", "true")]),
        ({"a": [1]}, {"a": {}}, [("a", "[1]", "{}")]),
        ({"a": None}, {}, [("a", "null", None)]),
        ({"b": 1}, {"a": 2}, [("a", None, "2"), ("b", "1", None)]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, [("a > b > [1]", "2", "3")]),
        ({"body": {"a b": [{"c": 1}]}}, {"body": {"a b": [{"c": 2}]}}, [('body > $["a b"][0].c', "1", "2")]),
        ({"body": 1}, {"body": 2}, [("body > $", "1", "2")]),
        # Rules are about a body, and have no body of their own.
        (
            {"matchingRules": {"body": {"$": 1}}},
            {"matchingRules": {"body": {"$": 2}}},
            [("matchingRules > body > $", "1", "2")],
        ),
        # A member that only has the name of that of an envelope.
        ({"body": {"content": 1, "a": 1}}, {"body": {"content": 2, "a": 1}}, [("body > $.content", "1", "2")]),
        ({"body": {"content": 1}}, {"body": {"content": 2}}, [("body > $", "1", "2")]),
        ({"body": {"content": {"a": 1}}}, {"body": {"content": {"a": 2}}}, [("body > $.a", "1", "2")]),
        ({"body": ENVELOPE}, {"body": {**ENVELOPE, "content": 2}}, [("body > $", "1", "2")]),
        ({"body": {"content": 1}}, {"body": {"a": 1}}, [("body > $.a", None, "1"), ("body > $", "1", None)]),
        ({"body": {"content": 1}}, {"body": {"content": 1, "encoded": False}}, [("body > $.encoded", None, "false")]),
    ],
)
def test_differing_values_are_listed_with_their_paths(old: Any, new: Any, expected: list[Any]) -> None:
    assert changes(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([1, 2, 3], [1, 3], [("[1]", "2", None)]),
        ([1, 3], [1, 2, 3], [("[1]", None, "2")]),
        ([1, 2], [0, 1, 3], [("[0]", None, "0"), ("[2]", "2", "3")]),
        ([1, 2, 3, 4], [4], [("[0]", "1", None), ("[1]", "2", None), ("[2]", "3", None)]),
        # The order of members does not matter.
        ([{"a": 1, "b": 2}], [{}, {"b": 2, "a": 1}], [("[0]", None, "{}")]),
        # Lists of the same length are compared item by item.
        ([1, 2], [2, 3], [("[0]", "1", "2"), ("[1]", "2", "3")]),
    ],
)
def test_items_are_counted_in_the_new_list_and_removed_ones_in_the_old(old: Any, new: Any, expected: list[Any]) -> None:
    assert changes(old, new) == expected


@pytest.mark.parametrize("inserted", [1, 3])
def test_a_moved_body_without_an_envelope_has_its_path(inserted: int) -> None:
    def bodies(*contents: object) -> dict[str, Any]:
        return {"response": [{"contents": content} for content in contents]}

    old, new = bodies("same", {"a": 1}), bodies(*"xyz"[:inserted], "same", {"a": 2})
    assert changes(old, new)[inserted:] == [(f"response > [{inserted + 1}] > contents > $.a", "1", "2")]


def test_repeated_items_of_a_long_list_are_aligned() -> None:
    old = ["a", "b"] * (MAX_ALIGNED_ITEMS // 2)
    assert changes(old, old[1:]) == [("[0]", '"a"', None)]


def test_the_envelope_of_a_moved_body_is_left_out_of_its_path() -> None:
    old, new = responses("same", "old"), responses("x", "y", "z", "same", {"a": "new"})
    assert changes(old, new)[3:] == [("response > [4] > contents > $", '"old"', '{"a":"new"}')]


@pytest.mark.parametrize("surplus", [0, 1])
def test_long_lists_of_different_lengths_are_compared_item_by_item(surplus: int) -> None:
    old = list(range(MAX_ALIGNED_ITEMS + surplus))
    assert len(list_value_changes(old, old[1:]).shown) == (MAX_CHANGES if surplus else 1)


@pytest.mark.parametrize("surplus", [0, 1])
def test_long_values_are_truncated(surplus: int) -> None:
    text = "x" * (MAX_VALUE_LENGTH + surplus)
    shown = text[:MAX_VALUE_LENGTH] + "…" * surplus
    (change,) = list_value_changes({}, {"number": int("1" * len(text))}).shown
    assert change == ValueChange("number", None, shown.replace("x", "1"))


@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_only_the_first_changes_are_listed(surplus: int) -> None:
    listed = list_value_changes({}, {str(number): number for number in range(MAX_CHANGES + surplus)})
    assert (len(listed.shown), listed.has_more) == (min(MAX_CHANGES, MAX_CHANGES + surplus), surplus > 0)
