"""Matching rules of a pact decide whether the value of an example, or only its type, is promised."""

from typing import Any

import pytest

from treaty.model.compare.rules import BodyRules
from treaty.model.compare.validation import Violation

TYPE = {"matchers": [{"match": "type"}]}
EQUALITY = {"matchers": [{"match": "equality"}]}
REGEX = {"matchers": [{"match": "regex", "regex": "^[ab]$"}]}


def violation(*steps: str | int, keyword: str = "enum", expected: Any = ("x",)) -> Violation:
    expected = list(expected) if isinstance(expected, tuple) else expected
    return Violation(keyword=keyword, location=(keyword,), instance=steps, value="y", expected=expected)


def is_relaxed(rules: Any, checked: Violation) -> bool:
    return BodyRules({"matchingRules": {"body": rules}}).is_relaxed(checked)


@pytest.mark.parametrize(
    ("path", "steps", "expected"),
    [
        ("$.a", ("a",), True),
        ("$['a']", ("a",), True),
        ('$["a"]', ("a",), True),
        ("$.a[0]", ("a", 0), True),
        ("$.a[*].b", ("a", 7, "b"), True),
        ("$.*.b", ("a", "b"), True),
        ("$.a", ("b",), False),
        ("$.a.b", ("a",), False),
        ("$.a.b", ("a", "c"), False),
        ("$.a[1]", ("a", 0), False),
        # A rule for the type of a value is one for all that it contains.
        ("$.a", ("a", "b", 0), True),
        ("$", ("a",), True),
        ("$", (), True),
    ],
)
def test_a_rule_is_for_the_values_at_its_path(path: str, steps: tuple[str | int, ...], *, expected: bool) -> None:
    assert is_relaxed({path: TYPE}, violation(*steps)) is expected


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"$.a.b": TYPE, "$.a": EQUALITY}, True),
        ({"$.a.b": EQUALITY, "$.a": TYPE}, False),
        ({"$.a.b": TYPE, "$.a.*": EQUALITY}, True),
        ({"$.a.b": EQUALITY, "$.a.*": TYPE}, False),
        ({"$.x": EQUALITY, "$.a": TYPE}, True),
        # Only rules for the type are rules for the members of the value, too.
        ({"$": TYPE, "$.a": EQUALITY}, True),
    ],
)
def test_the_most_specific_rule_counts(rules: dict[str, Any], *, expected: bool, is_reversed: bool) -> None:
    ordered = dict(reversed(rules.items())) if is_reversed else rules
    assert is_relaxed(ordered, violation("a", "b")) is expected


@pytest.mark.parametrize(("last", "expected"), [(TYPE, True), (EQUALITY, False)])
def test_the_last_of_equally_specific_rules_counts(last: Any, *, expected: bool) -> None:
    first = TYPE if last is EQUALITY else EQUALITY
    assert is_relaxed({"$.a": first, "$['a']": last}, violation("a")) is expected


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ({"match": "type"}, True),
        ({"match": "integer"}, True),
        ({"match": "decimal"}, True),
        ({"match": "equality"}, False),
        ({"match": "include", "value": "x"}, False),
        ({"min": 1}, True),
        ({}, True),
        ({"regex": "x"}, False),
        ({"timestamp": "yyyy"}, False),
        ("nonsense", True),
    ],
)
def test_some_matchers_are_about_the_type(matcher: Any, *, expected: bool) -> None:
    assert is_relaxed({"$.a": {"matchers": [matcher]}}, violation("a")) is expected


@pytest.mark.parametrize("entry", [{}, {"matchers": {}}, {"matchers": []}, None, []])
def test_a_rule_without_matchers_relaxes_nothing(entry: Any) -> None:
    assert not is_relaxed({"$.a": entry}, violation("a"))


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [("enum", True), ("pattern", True), ("maxItems", True), ("type", False), ("required", False)],
)
def test_types_and_members_are_promised_in_any_case(keyword: str, *, expected: bool) -> None:
    assert is_relaxed({"$.a": TYPE}, violation("a", keyword=keyword)) is expected


@pytest.mark.parametrize(
    ("keyword", "allowed", "expected"),
    [
        ("enum", ("a", "b"), True),
        ("enum", ("a", "c"), False),
        ("enum", ("a", 1), False),
        ("const", "a", True),
        ("const", "c", False),
        ("pattern", "a", False),
    ],
)
def test_a_pattern_relaxes_values_if_it_matches_all_that_the_document_allows(
    keyword: str, allowed: Any, *, expected: bool
) -> None:
    assert is_relaxed({"$.a": REGEX}, violation("a", keyword=keyword, expected=allowed)) is expected


def test_a_malformed_pattern_relaxes_nothing() -> None:
    rules = {"$.a": {"matchers": [{"match": "regex", "regex": "("}]}}
    assert not is_relaxed(rules, violation("a"))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"$.body.a": {"match": "type"}}, True),
        ({"$.body": {"match": "type"}}, True),
        ({"$.body.b": {"match": "type"}}, False),
        ({"$.headers.a": {"match": "type"}}, False),
        ({"header": {"$.a": TYPE}}, False),
    ],
)
def test_version_2_names_the_body_in_paths(rules: Any, *, expected: bool) -> None:
    assert BodyRules({"matchingRules": rules}).is_relaxed(violation("a")) is expected


def test_an_interaction_may_have_no_rules() -> None:
    assert not BodyRules({})
    assert BodyRules({"matchingRules": {"body": {"$": TYPE}}})
