"""Which of several matching rules decides how strictly a provider has to meet an expectation."""

from typing import Any

import pytest

from treaty.model.usage.strictness import Strictness, read_rule_paths

TYPE = {"matchers": [{"match": "type"}]}
REGEX = {"matchers": [{"match": "regex", "regex": "x"}]}
INCLUDE = {"matchers": [{"match": "include"}]}


def find(rules: Any, *steps: str, value: Any = "x") -> str:
    """Return how strictly a value in a body has to be met."""
    paths = read_rule_paths({"matchingRules": rules}).descend("body")
    for step in steps:
        paths = paths.descend(step)
    return paths.find_strictness(value).label


def find_field(rules: Any, category: str, name: str) -> str:
    paths = read_rule_paths({"matchingRules": rules}).descend(category).descend_to_field(name)
    return paths.find_strictness("x", is_field=True).label


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize(
    ("rules", "steps", "expected"),
    [
        ({"$.a.b": REGEX, "$.a.*": TYPE}, "ab", "regex"),
        ({"$.a.b": REGEX, "$.*.b": TYPE}, "ab", "regex"),
        ({"$.a.b": REGEX, "$.*.*": TYPE}, "ab", "regex"),
        ({"$.*.b.c": REGEX, "$.a.*.*": TYPE}, "abc", "regex"),
        # A rule for the value around it counts, unless the longer path is worth more: as often two as there are names,
        # times the number of steps, where `$` is a name.
        ({"$.a": REGEX, "$.*.*": TYPE}, "ab", "regex"),
        ({"$.a": REGEX, "$.*.*.*": TYPE}, "abc", "regex"),
        ({"$.a": REGEX, "$.*.*.*.*": TYPE}, "abcd", "type"),
        ({"$": REGEX, "$.*": TYPE}, "a", "type"),
        ({"$.a": REGEX}, "abcd", "regex"),
        ({"$.a": REGEX}, "b", "exact"),
        ({"$.a.b": REGEX}, "a", "exact"),
        ({"$.a.b": REGEX, "$.a": TYPE}, "ac", "type"),
    ],
)
def test_the_most_specific_rule_counts(rules: dict[str, Any], steps: str, expected: str, *, is_reversed: bool) -> None:
    ordered = dict(reversed(rules.items())) if is_reversed else rules
    assert find({"body": ordered}, *steps) == expected


def variants(*rules: Any) -> Any:
    listed = [{"index": index, "rules": variant} for index, variant in enumerate(rules)]
    return {"matchers": [{"match": "arrayContains", "variants": listed}]}


@pytest.mark.parametrize(
    ("rules", "steps", "expected"),
    [
        ({"$.a": variants({"$.b": REGEX}, {})}, ("a", "0", "b"), "regex"),
        ({"$.a": variants({"$.b": REGEX}, {})}, ("a", "1", "b"), "exact"),
        ({"$.a": variants({}, {"$.b": REGEX})}, ("a", "0", "b"), "exact"),
        ({"$.a": variants({}, {"$.b": REGEX})}, ("a", "1", "b"), "regex"),
        ({"$.a": variants({"$.b.c": REGEX})}, ("a", "0", "b", "c"), "regex"),
        ({"$.a": variants({"$": REGEX})}, ("a", "0"), "regex"),
        # The index is a step with a name, so that it wins over a wildcard, and not over itself.
        ({"$.a": variants({"$.b": REGEX}), "$.a[*].b": TYPE}, ("a", "0", "b"), "regex"),
        ({"$.a": variants({"$.b": REGEX}), "$.a[0].b": TYPE}, ("a", "0", "b"), "type"),
        # The required items of an array say nothing about its other items.
        ({"$.a": variants()}, ("a", "0"), "exact"),
    ],
)
def test_the_items_that_an_array_has_to_contain_have_rules(rules: Any, steps: tuple[str, ...], expected: str) -> None:
    assert find({"body": rules}, *steps) == expected


@pytest.mark.parametrize(
    ("rules", "name", "expected"),
    [
        ({"$.query.a": TYPE}, "a", "type"),
        ({"$.query.a": TYPE}, "A", "type"),
        ({"$.query.a[0]": TYPE}, "a", "type"),
        ({"$.query.a[*]": TYPE}, "a", "type"),
        ({"$.query.a[1]": TYPE}, "a", "exact"),
        ({"$.query.*": TYPE}, "a", "type"),
        ({"$.query.b": TYPE}, "a", "exact"),
        ({"$.query.a": TYPE, "$.query.a[0]": REGEX}, "a", "type"),
        ({"$.query": TYPE, "$.query.a": REGEX}, "a", "regex"),
        ({"$.query": TYPE}, "a", "type"),
    ],
)
def test_a_field_has_the_rule_of_its_name_or_of_its_first_value(rules: Any, name: str, expected: str) -> None:
    assert find_field(rules, "query", name) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"match": "type"}, "type"),
        ({"match": "include"}, "contains"),
        ({"match": "unheard of"}, "presence"),
        ({"regex": "x"}, "regex"),
        ({"min": 1}, "type"),
        ({"max": 1}, "type"),
        ({"unknown": 1}, "exact"),
        ({"matchers": []}, "exact"),
        ({"matchers": [1, {"match": "date"}]}, "format"),
        ({"matchers": "x"}, "exact"),
        (None, "exact"),
    ],
)
def test_a_rule_has_a_strictness_in_every_version(rule: Any, expected: str) -> None:
    assert find({"body": {"$.a": rule}}, "a") == expected


@pytest.mark.parametrize("rules", [None, {}, [], [1], "x", 1])
def test_without_rules_a_value_has_to_be_equal(rules: Any) -> None:
    assert [find(rules, value=value) for value in ("x", {}, {"a": 1}, [], [1])] == ["exact"] * 2 + ["type"] + [
        "exact"
    ] * 2


def test_strictness_is_described() -> None:
    assert [strictness.meaning for strictness in (Strictness.PRESENCE, Strictness.EXACT)] == [
        "must be present",
        "exactly this value",
    ]
