"""Schemas for the validator: the keywords with allowed values, in the form of a version that it supports."""

from itertools import product
from typing import Any

import pytest

from treaty.model.compare.profiles import Switches
from treaty.model.compare.schemas import MAX_DEPTH, Direction, SchemaTransformer

TEXT = {"type": "string"}


def transform(schema: Any, direction: Direction = Direction.REQUEST, **switches: Any) -> tuple[Any, list[str]]:
    """Transform a schema, and return the result with the messages of the notes."""
    transformer = SchemaTransformer({"components": {"schemas": {"A": TEXT}}}, Switches(**switches))
    transformed = transformer.transform(schema, direction)
    return transformed, [note.message for note in transformer.notes.values()]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        *({"type": kind} for kind in ("string", "integer", ["string"], ["string", "null"])),
        *({"minimum": 1}, {"minimum": -0.5}, {"maximum": 0}, {"exclusiveMinimum": 3}),
        *({"minLength": 0}, {"minLength": 1.0}, {"maxItems": 3}),
        *({"multipleOf": 0.5}, {"multipleOf": 1}, {"uniqueItems": True}, {"uniqueItems": False}),
        *({"enum": [1]}, {"enum": []}, {"const": None}, {"pattern": "^a"}, {"format": "date"}),
        *({"required": ["a"]}, {"dependentRequired": {"a": ["b"]}}),
        *({"items": TEXT}, {"items": [TEXT]}, {"items": True}),
        *({"properties": {"a": TEXT}}, {"patternProperties": {"^a": TEXT}}),
        *({"additionalProperties": False}, {"additionalProperties": TEXT}),
        *({"not": TEXT}, {"oneOf": [TEXT]}, {"anyOf": [True]}),
    ],
)
def test_keywords_with_values_that_are_allowed_stay(schema: Any) -> None:
    assert transform(schema) == (schema, [])


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        *product(["type"], ["text", 1, {}]),
        *product(["minimum"], ["1", True, None, float("inf")]),
        *product(["minLength"], [-1, 1.5, "1", True]),
        *product(["multipleOf"], [0, -1, "x", True]),
        *product(["uniqueItems"], [1, "true"]),
        *product(["enum"], [1, "x", {}]),
        *[("format", 1), ("required", "a"), ("properties", 1)],
    ],
)
def test_a_keyword_with_another_value_is_left_out_and_noted(keyword: str, value: Any) -> None:
    message = f"The keyword {keyword} of a schema has a value that is not allowed: {value}."
    assert transform({keyword: value}) == ({}, [message])


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (True, {}),
        (False, {"not": {}}),
        # Annotations do not restrict values.
        ({"type": "string", "title": "x", "example": 1}, TEXT),
        ({"type": "string", "title": "x", "minLength": 1}, {"type": "string", "minLength": 1}),
        ({"unheard-of": 1}, {}),
        # Limits of OpenAPI 3.0
        ({"maximum": 5, "exclusiveMaximum": True}, {"exclusiveMaximum": 5}),
        ({"maximum": 5, "exclusiveMaximum": False}, {"maximum": 5}),
        ({"minimum": 5, "exclusiveMinimum": True}, {"exclusiveMinimum": 5}),
        ({"exclusiveMaximum": True}, {}),
        # Null
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, TEXT),
        ({"type": ["string", "null"], "nullable": True}, {"type": ["string", "null"]}),
        ({"nullable": True}, {"type": ["object", "null"]}),
        ({"type": ["string", "string"]}, {"type": ["string"]}),
        # Formats of numbers are keywords of their own; some formats allow any value.
        ({"format": "int32"}, {"x-number-format": "int32"}),
        ({"format": "password"}, {}),
        ({"allOf": [{"minLength": 1}, {"minLength": 2}]}, {"minLength": 2}),
        *(({"oneOf": branches}, {}) for branches in [{}, [], 1]),
        *(({"anyOf": branches}, {}) for branches in [{}, [], 1]),
        ({"required": True}, {}),
        ({"required": ["a", 1, "a"]}, {"required": ["a"]}),
        ({"dependentRequired": {"a": ["b", 1, "b"], "c": "d"}}, {"dependentRequired": {"a": ["b"]}}),
        ({"dependentRequired": 1, "dependentSchemas": 1, "patternProperties": 1}, {}),
        ({"dependentSchemas": {"a": TEXT}}, {"dependentSchemas": {"a": TEXT}}),
        ({"items": []}, {}),
    ],
)
def test_a_schema_is_transformed_for_the_validator(schema: Any, expected: Any) -> None:
    assert transform(schema) == (expected, [])


@pytest.mark.parametrize("keyword", ["dependentSchemas", "patternProperties"])
def test_conditions_on_a_response_keep_their_required_properties(keyword: str) -> None:
    condition = {"type": "object", "properties": {"b": TEXT}, "required": ["b"]}
    transformed, _ = transform({keyword: {"a": condition}}, Direction.RESPONSE)
    assert transformed[keyword] == {"a": condition}


@pytest.mark.parametrize(
    ("schema", "kind"), [(1, "a number"), (1.5, "a number"), (None, "null"), ("x", "text"), ([1], "a list")]
)
def test_a_schema_that_is_not_an_object_allows_any_value(schema: Any, kind: str) -> None:
    assert transform(schema) == ({}, [f"A schema is {kind} instead of an object."])


def test_an_unknown_type_among_others_is_left_out_and_noted() -> None:
    transformed, notes = transform({"type": ["string", "text"]})
    assert (transformed, len(notes)) == ({"type": ["string"]}, 1)


@pytest.mark.parametrize(
    ("pattern", "shown", "reason"),
    [
        (1, "1", "it is not text"),
        ("(", "(", "it is not a valid regular expression"),
        ("(" * 80, "(" * 80, "it is not a valid regular expression"),
        ("(" * 81, "(" * 80 + "…", "it is not a valid regular expression"),
    ],
)
def test_an_unusable_pattern_is_left_out_and_noted(pattern: Any, shown: str, reason: str) -> None:
    transformed, (note,) = transform({"pattern": pattern})
    assert transformed == {}
    assert note.startswith(f"Values are not checked against the pattern {shown}, because {reason}")


def test_an_unknown_format_is_left_out_and_noted() -> None:
    message = "The format x is unknown, so values are not checked against it."
    assert transform({"format": "x"}) == ({}, [message])


@pytest.mark.parametrize("surplus", [0, 1])
def test_schemas_that_are_nested_too_deeply_allow_any_value(surplus: int) -> None:
    schema: Any = {"enum": [1]}
    for _ in range(MAX_DEPTH + surplus):
        schema = {"items": schema}
    innermost, notes = transform(schema)
    for _ in range(MAX_DEPTH + surplus):
        innermost = innermost["items"]
    assert innermost == ({} if surplus else {"enum": [1]})
    assert notes == [f"Schemas are nested deeper than {MAX_DEPTH} levels."] * surplus


def test_a_response_may_be_a_subset_without_further_members() -> None:
    schema = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}
    closed = {"type": "object", "properties": {"a": TEXT}, "additionalProperties": False}
    assert transform(schema, Direction.RESPONSE) == (closed, [])
    assert transform(schema) == (schema, [])


@pytest.mark.parametrize(
    ("schemas", "merged", "united"),
    [
        ([{"minLength": 1}, {"minLength": 2}], {"minLength": 2}, {"minLength": 2}),
        ([{"minLength": 2}, {"minLength": 1}], {"minLength": 1}, {"minLength": 2}),
        ([{"maxLength": 1}, {"maxLength": 2}], {"maxLength": 2}, {"maxLength": 1}),
        ([{"maxLength": 2}, {"maxLength": 1}], {"maxLength": 1}, {"maxLength": 1}),
        ([{"required": ["a"]}, {"required": ["b", "a"]}], {"required": ["b", "a"]}, {"required": ["a", "b"]}),
        ([{"enum": [1, 2, 3]}, {"enum": [3, 2]}], {"enum": [3, 2, 3]}, {"enum": [2, 3]}),
        ([{"title": "x"}, {"minLength": 1}], {"minLength": 1}, {"minLength": 1}),
        (
            [{"properties": {"a": {"minLength": 1}, "b": TEXT}}, {"properties": {"a": {"maxLength": 2}, "c": TEXT}}],
            *[{"properties": {"a": {"minLength": 1, "maxLength": 2}, "b": TEXT, "c": TEXT}}] * 2,
        ),
        (
            [{"properties": {"a": {"$ref": "#/components/schemas/A"}}}, {"properties": {"a": {"minLength": 2}}}],
            *[{"properties": {"a": {"type": "string", "minLength": 2}}}] * 2,
        ),
        (
            [{"items": {"minLength": 1}}, {"items": {"type": "string"}}],
            *[{"items": {"type": "string", "minLength": 1}}] * 2,
        ),
    ],
)
def test_the_schemas_of_all_of_are_merged_or_united(schemas: list[Any], merged: Any, united: Any) -> None:
    """The reference engine lets later values win; the strict profile applies all schemas."""
    assert transform({"allOf": schemas}) == (merged, [])
    assert transform({"allOf": schemas}, unites_all_of=True) == (united, [])


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
def test_branches_of_several_schemas_all_apply_in_the_strict_profile(keyword: str) -> None:
    first, second = {keyword: [{"minLength": 1}]}, {keyword: [{"maxLength": 2}]}
    united, _ = transform({"allOf": [first, second]}, unites_all_of=True)
    assert (united[keyword], united["allOf"]) == (first[keyword], [second])
    same, _ = transform({"allOf": [first, first]}, unites_all_of=True)
    assert same == first


READ_ONLY: Any = {
    "required": ["id", "secret", "name", "a", "missing"],
    "properties": {
        "id": {"readOnly": True},
        "secret": {"writeOnly": True},
        "name": {"readOnly": False},
        "a": {"$ref": "#/components/schemas/A"},
    },
    "oneOf": [{}],
}


@pytest.mark.parametrize(("direction", "hidden"), [(Direction.REQUEST, "id"), (Direction.RESPONSE, "secret")])
def test_read_only_members_are_not_required_of_requests_and_write_only_ones_of_responses(
    direction: Direction, hidden: str
) -> None:
    transformed, _ = transform(READ_ONLY, direction, separates_read_only=True)
    assert transformed["required"] == [name for name in READ_ONLY["required"] if name != hidden]
    assert transform(READ_ONLY, direction)[0]["required"] == READ_ONLY["required"]


def test_a_mark_may_be_that_of_the_schema_that_a_property_refers_to() -> None:
    content = {"components": {"schemas": {"A": {"readOnly": True}}}}
    transformer = SchemaTransformer(content, Switches(separates_read_only=True))
    assert transformer.transform(READ_ONLY, Direction.REQUEST)["required"] == ["secret", "name", "missing"]
