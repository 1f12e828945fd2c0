"""Documents and pacts with anything anywhere: the comparison ends, with findings or notes, or refuses its input."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.model.compare.http_cases import TEXT, WHOLE, json_content, ref, request_case, response_case, thing
from tests.model.compare.sample import DOCUMENT, PACT
from treaty.model.compare.documents import Document, UnusableDocument, UnusablePact
from treaty.model.compare.engine import compare
from treaty.model.compare.findings import Comparison
from treaty.model.compare.profiles import Profile

MALFORMED: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    "",
    "x",
    "#/components/schemas/Order",
    "#/nothing",
    [],
    [None],
    [{}],
    {},
]
SCHEMAS = [
    {"$ref": "#/components/schemas/Order"},
    {"$ref": "#/components/schemas/Order", "nullable": True},
    {"$ref": "other.yaml#/Order"},
    {"allOf": [{"$ref": "#/components/schemas/Order"}]},
    {"oneOf": []},
    {"type": ["object", "object", 5]},
    {"type": "file"},
    {"pattern": "(a+)+$", "type": "string"},
    {"pattern": "("},
    {"format": ["date"]},
    {"not": {}},
    {"\udc00": 1},
]


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def change(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(tree)
    parent = changed
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    return changed


DOCUMENT_PLACES = [path for path in places(DOCUMENT) if path and path != ("openapi",)]
PACT_PLACES = [path for path in places(PACT) if path]
ANYTHING = st.sampled_from([*MALFORMED, *SCHEMAS]) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=5,
)


def compare_anything(document: Any, pact: Any, profile: Profile) -> Comparison | None:
    try:
        return compare(pact, [Document("api", "oas", document)], profile)
    except (UnusableDocument, UnusablePact):
        return None


def test_the_sample_fits():
    comparison = compare(PACT, [Document("api", "oas", DOCUMENT)])
    assert comparison.is_compatible, comparison.findings
    assert comparison.compared == comparison.interactions == len(PACT["interactions"])


def check_each_place(values):
    """Replace each place of the document by one of the values, in turn, and each place of the pact."""
    for index, path in enumerate(DOCUMENT_PLACES):
        profile = list(Profile)[index % len(Profile)]
        comparison = compare_anything(change(DOCUMENT, path, values[index % len(values)]), PACT, profile)
        assert comparison is not None, path
        json.dumps(comparison.as_json())
    for index, path in enumerate(PACT_PLACES):
        compare_anything(DOCUMENT, change(PACT, path, values[index % len(values)]), Profile.STRICT)


@pytest.mark.parametrize("shift", range(3))
def test_each_place_may_have_a_malformed_value(shift):
    values = [*MALFORMED, *SCHEMAS]
    # The number of values is odd, so that each profile meets each value.
    check_each_place(values[shift * 9 :] + values[: shift * 9])


@pytest.mark.long
@pytest.mark.parametrize("value", [*MALFORMED, *SCHEMAS], ids=repr)
def test_each_place_may_have_each_malformed_value(value):
    check_each_place([value])


@given(
    changes=st.lists(st.tuples(st.sampled_from(DOCUMENT_PLACES), ANYTHING), min_size=1, max_size=6),
    profile=st.sampled_from(Profile),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_documents_with_several_changes_are_compared(changes, profile):
    document: Any = DOCUMENT
    for path, value in changes:
        try:
            document = change(document, path, value)
        except (LookupError, TypeError):  # an earlier change has removed the place
            continue
    comparison = compare_anything(document, PACT, profile)
    assert comparison is not None
    json.dumps(comparison.as_json())


def test_150_schemas_in_one_all_of_are_united():
    parts = [thing(**{f"p{number}": WHOLE}) for number in range(150)]
    schemas = {f"S{number}": part for number, part in enumerate(parts)}
    schema = {"allOf": [ref(name) for name in schemas]}
    body = {f"p{number}": number for number in range(150)}
    assert response_case("allOf", schema, body, schemas=schemas).compare().is_compatible
    assert not response_case("allOf", schema, {**body, "p1": "x"}, schemas=schemas).compare().is_compatible


def test_400_schemas_in_one_all_of_may_have_the_same_property():
    parts = [thing(a={"type": "integer", "minimum": number}) for number in range(400)]
    assert response_case("allOf", {"allOf": parts}, {"a": 400}).compare().is_compatible
    assert not response_case("allOf", {"allOf": parts}, {"a": "x"}).compare().is_compatible


def test_a_chain_of_all_of_that_is_too_long_is_a_warning():
    schemas = {f"S{number}": {"allOf": [ref(f"S{number + 1}")]} for number in range(3000)} | {"S3000": TEXT}
    for schema in (ref("S0"), {"allOf": [ref("S0")]}):
        comparison = response_case("chain", schema, 1, schemas=schemas).compare()
        assert [finding.code for finding in comparison.findings] == ["response.body.unvalidatable"]


@pytest.mark.parametrize(
    "schemas",
    [
        {"A": {"allOf": [ref("A"), thing(a=TEXT)]}},
        {"A": {"allOf": [ref("B"), thing(a=TEXT)]}, "B": {"allOf": [ref("A")]}},
        {"A": {"allOf": [thing(a=TEXT, child=ref("A"))]}},
        {"A": {"allOf": [thing(a=TEXT, child={"allOf": [ref("A")]})]}},
        {"A": {"allOf": [thing(a={"allOf": [ref("A")]}), thing(a={"allOf": [ref("A")]})]}},
        {"A": thing(a=WHOLE, b={"allOf": [ref("B"), ref("A")]}), "B": thing(a=WHOLE, b=TEXT)},
        {"A": {"oneOf": [ref("A"), thing(a=TEXT)]}},
        {"A": ref("A")},
        {"A": {"anyOf": [ref("A")]}},
        {"A": {"not": ref("A")}},
        {"A": {"items": ref("A"), "additionalProperties": ref("A")}},
    ],
    ids=repr,
)
def test_schemas_that_contain_themselves_are_compared(schemas):
    for profile in Profile:
        for make in (response_case, request_case):
            comparison = make("cycle", ref("A"), {"a": "x"}, schemas=schemas, profile=profile).compare()
            assert comparison.interactions == 1


def test_deeply_nested_schemas_are_compared():
    schema: Any = TEXT
    for _ in range(2000):
        schema = {"type": "object", "properties": {"a": schema}}
    comparison = response_case("deep", schema, {"a": {"a": 1}}).compare()
    assert [finding.code for finding in comparison.findings] == ["response.body.incompatible"]


def test_values_and_text_that_cannot_be_checked_are_warnings():
    value: Any = {}
    for _ in range(400):
        value = {"a": value}
    for schema, body in [({"type": "object"}, value), (TEXT, "\udc00"), ({"const": "\udc00"}, "x")]:
        comparison = response_case("unchecked", schema, body).compare()
        assert [finding.code for finding in comparison.findings] == ["response.body.unvalidatable"]
        assert comparison.compared == 0


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "(?=(a+)+$)b", r"^(\w+\s?)*$", r"(a*)*\1$"])
def test_exploding_regular_expressions_are_bounded(pattern):
    text = "a" * 5000 + "!"
    comparison = response_case("pattern", {"type": "string", "pattern": pattern}, text).compare()
    assert comparison.interactions == 1


def test_a_pattern_that_gives_up_is_a_warning_and_no_verdict():
    pattern = r"(a*)*\1$"
    comparison = response_case("pattern", {"type": "string", "pattern": pattern}, "a" * 5000 + "!").compare()
    assert comparison.is_compatible
    assert (comparison.compared, comparison.interactions) == (0, 1)
    assert [finding.code for finding in comparison.findings] == ["response.body.unvalidatable"]


def test_an_unusable_pattern_is_noted():
    comparison = response_case("pattern", {"type": "string", "pattern": "("}, "x").compare()
    assert [note.code for note in comparison.notes] == ["pattern.unusable"]


def test_text_of_10_megabytes_is_compared_and_shown_shortened():
    finding = response_case("long", WHOLE, "x" * 10_000_000).compare().findings[0]
    assert len(finding.message) < 1000


def test_a_response_with_several_documents_counts_once():
    first = response_case("several", TEXT, "x")
    second = {**first.content, "paths": {"/other": {"get": {"responses": {"200": json_content(TEXT)}}}}}
    documents = [Document("other", "oas", second), Document("api", "oas", first.content)]
    assert compare(first.contract, documents).is_compatible
