"""How the text of a query, form or header becomes the value that a schema describes."""

from dataclasses import replace
from typing import Any

import pytest

from tests.model.compare.http_cases import FLAG, NUMBER, TEXT, WHOLE, Case, Json, items, parameter, ref, thing
from treaty.model.compare.parameters import coerce, parse_flat, parse_nested, parse_value
from treaty.model.compare.profiles import Profile


def closed(**properties: Any) -> Json:
    return {**thing(**properties), "additionalProperties": False, "required": list(properties)}


def null_or(schema: Json) -> Json:
    return {**schema, "type": [schema["type"], "null"]}


def nested(*names: str) -> Json:
    schema = WHOLE
    for name in reversed(names):
        schema = closed(**{name: schema})
    return schema


SCHEMAS: Json = {
    "Count": WHOLE,
    "Chain": ref("Count"),
    "Circle": ref("Circle"),
    "Tree": {**thing(count=WHOLE, child=ref("Tree")), "additionalProperties": False},
}

QUERIES: list[tuple[str, Json, bool]] = [
    # Numbers
    ("a=12", WHOLE, True),
    ("a=+12", WHOLE, True),
    ("a=%2B12", WHOLE, True),
    ("a=-12", WHOLE, True),
    ("a=%2012%20", WHOLE, True),
    ("a=7", {**WHOLE, "maximum": 6}, False),
    ("a=0x1F", {**WHOLE, "minimum": 31, "maximum": 31}, True),
    ("a=0o17", {**WHOLE, "minimum": 15, "maximum": 15}, True),
    ("a=0b11", {**WHOLE, "minimum": 3, "maximum": 3}, True),
    ("a=0xG", WHOLE, False),
    ("a=12.0", WHOLE, True),
    ("a=12.5", WHOLE, False),
    ("a=12.5", {**NUMBER, "minimum": 12.5, "maximum": 12.5}, True),
    ("a=.5", NUMBER, True),
    ("a=1e3", {**WHOLE, "minimum": 1000, "maximum": 1000}, True),
    ("a=1e400", NUMBER, False),
    ("a=1x", NUMBER, False),
    ("a=1,2", NUMBER, False),
    # Booleans, null and text
    ("a=true", FLAG, True),
    ("a=false", {**FLAG, "enum": [False]}, True),
    ("a=false", {**FLAG, "enum": [True]}, False),
    ("a=TRUE", FLAG, False),
    ("a=yes", FLAG, False),
    ("a=", null_or(WHOLE), True),
    ("a=12", {**TEXT, "pattern": "^12$"}, True),
    ("a=x+y%20z", {**TEXT, "enum": ["x y z"]}, True),
    # Lists
    ("a=1&a=2", {**items(WHOLE), "minItems": 2, "maxItems": 2}, True),
    ("a=1&a=2&a=3", {**items(WHOLE), "minItems": 3, "maxItems": 3}, True),
    ("a=1,2", {**items(WHOLE), "minItems": 2, "maxItems": 2}, True),
    ("a=1,x", items(WHOLE), False),
    ("a[]=1&a[]=2", {**items(WHOLE), "minItems": 2, "maxItems": 2}, True),
    ("a[1]=1&a[0]=2", {**items(WHOLE), "minItems": 2, "maxItems": 2}, True),
    ("a[0]=1&a[2]=x", items(WHOLE), False),
    ("a[5]=1", {**items(WHOLE), "minItems": 1, "maxItems": 1}, True),
    ("a[20]=1", items(WHOLE), True),
    ("a[21]=1", items(WHOLE), False),
    ("a[21]=1", closed(**{"21": WHOLE}), True),
    ("a[01]=1", closed(**{"01": WHOLE}), True),
    ("a[0][b]=1&a[0][c]=2", {**items(closed(b=WHOLE, c=WHOLE)), "maxItems": 1}, True),
    ("a[0][b]=1&a[1][b]=2", {**items(closed(b=WHOLE)), "minItems": 2, "maxItems": 2}, True),
    # Objects
    ("a[b]=1", closed(b=WHOLE), True),
    ("a[b]=x", closed(b=WHOLE), False),
    ("a.b=1", closed(b=WHOLE), True),
    ("a.b.c=1", closed(b=closed(c=WHOLE)), True),
    ("a%5Bb%5D=1", closed(b=WHOLE), True),
    ("a%5bb%5d=1", closed(b=WHOLE), True),
    ("a[b]=1&a[c]=2", closed(b=WHOLE, c=WHOLE), True),
    ("a[b][c]=1&a[b][d]=2", closed(b=closed(c=WHOLE, d=WHOLE)), True),
    ("a[b]=1&a[2]=5", closed(b=WHOLE, **{"2": WHOLE}), True),
    ("a[2]=5&a[b]=1", closed(b=WHOLE, **{"2": WHOLE}), True),
    ("a[b]=1,2", closed(b={**items(WHOLE), "minItems": 2}), True),
    ("a[b][c][d][e][f]=1", nested("b", "c", "d", "e", "f"), True),
    ("a[b][c][d][e][f][g]=1", nested("b", "c", "d", "e", "f", "[g]"), True),
    ("a[b]=1", {**thing(), "additionalProperties": WHOLE}, True),
    ("a[b]=x", {**thing(), "additionalProperties": WHOLE}, False),
    # Schemas that lead to others
    ("a=1", ref("Count"), True),
    ("a=x", ref("Count"), False),
    ("a=1", ref("Chain"), True),
    ("a=x", ref("Chain"), False),
    ("a=1", ref("Circle"), True),
    ("a[child][child][count]=1", ref("Tree"), True),
    ("a[child][child][count]=x", ref("Tree"), False),
    ("a=1", {"allOf": [WHOLE, {"minimum": 1}]}, True),
    ("a=0", {"allOf": [WHOLE, {"minimum": 1}]}, False),
    ("a=1", {"anyOf": [FLAG, WHOLE]}, True),
    ("a=true", {"anyOf": [WHOLE, FLAG]}, True),
    ("a=x", {"anyOf": [WHOLE, FLAG]}, False),
    ("a=1", {"oneOf": [FLAG, WHOLE]}, True),
]


@pytest.mark.parametrize("profile", [Profile.REFERENCE, Profile.STRICT])
@pytest.mark.parametrize(("text", "schema", "fits"), QUERIES)
def test_a_query_fits_a_schema(text: str, schema: Json, *, fits: bool, profile: Profile) -> None:
    case = Case(
        rule=text,
        version="3.1.0",
        schemas=SCHEMAS,
        operation={"parameters": [parameter("a", "query", schema)]},
        request={"query": text},
        profile=profile,
    )
    assert {finding.code for finding in case.compare().findings} == (set() if fits else {"request.query.incompatible"})


@pytest.mark.parametrize(("profile", "fits"), [(Profile.REFERENCE, False), (Profile.STRICT, True)])
@pytest.mark.parametrize("branches", [[TEXT, WHOLE], [TEXT, WHOLE, FLAG]])
def test_the_reference_converts_a_value_for_one_branch_after_the_other(
    branches: list[Json], profile: Profile, *, fits: bool
) -> None:
    """The text fits the first branch and, as a number, the second. As the whole schema has it, it is a number only."""
    operation = {"parameters": [parameter("a", "query", {"oneOf": branches})]}
    case = Case(rule="a=12", version="3.1.0", operation=operation, request={"query": "a=12"}, profile=profile)
    assert {finding.code for finding in case.compare().findings} == (set() if fits else {"request.query.incompatible"})


@pytest.mark.parametrize(("value", "text"), [(1, "1"), (True, "true"), (None, ""), ("x", "x"), ([1], [1]), ({}, {})])
def test_a_value_that_another_branch_has_converted_becomes_a_text_again(value: Any, text: Any) -> None:
    no_definitions: Any = {}
    assert coerce(value, TEXT, no_definitions) == text


# As the library qs reads them, which the reference engine uses.
NESTED: list[tuple[str, Json]] = [
    ("", {}),
    ("a=1&&b=2", {"a": "1", "b": "2"}),
    ("a&b=", {"a": "", "b": ""}),
    ("a=1=2", {"a": "1=2"}),
    ("=1", {}),
    ("a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
    ("a=1,2", {"a": ["1", "2"]}),
    ("a[b]=1,2", {"a": {"b": ["1", "2"]}}),
    ("a[]=1,2", {"a": [["1", "2"]]}),
    ("a[b]=1&a[c]=2", {"a": {"b": "1", "c": "2"}}),
    ("a%5Bb%5d=1+2", {"a": {"b": "1 2"}}),
    ("a.b.c=1", {"a": {"b": {"c": "1"}}}),
    ("a[b].c=1", {"a": {"b": {"c": "1"}}}),
    ("a[b=1", {"a[b": "1"}),
    ("a]b=1", {"a]b": "1"}),
    ("[a]=1", {"a": "1"}),
    ("[0]=1", {"0": "1"}),
    ("a[]=1&a[]=2", {"a": ["1", "2"]}),
    ("a=1&a[]=2", {"a": ["1", "2"]}),
    ("a[]=1&a=2", {"a": ["1", "2"]}),
    ("a[b][]=1&a[b][]=2", {"a": {"b": ["1", "2"]}}),
    # Gaps between items are closed.
    ("a[1]=x&a[0]=y", {"a": ["y", "x"]}),
    ("a[2]=1&a[1]=2", {"a": ["2", "1"]}),
    ("a[20]=1", {"a": ["1"]}),
    ("a[21]=1", {"a": {"21": "1"}}),
    ("a[0][b]=1&a[0][c]=2", {"a": [{"b": "1", "c": "2"}]}),
    ("a[0][b]=1&a[1][b]=2", {"a": [{"b": "1"}, {"b": "2"}]}),
    ("a[1][b]=1&a[0]=2", {"a": ["2", {"b": "1"}]}),
    ("a[0]=1&a[2]=3&a[3]=4", {"a": ["1", "3", "4"]}),
    ("a[0][b]=1&a[0]=2", {"a": [{"b": "1"}, "2"]}),
    ("a[][b]=1&a[][b]=2", {"a": [{"b": ["1", "2"]}]}),
    # Items beside members are members.
    ("a[b]=1&a[]=2", {"a": {"b": "1", "0": "2"}}),
    ("a[]=1&a[b]=2", {"a": {"0": "1", "b": "2"}}),
    ("a[b]=4&a[1]=3", {"a": {"b": "4", "1": "3"}}),
    ("a[0]=1&a[2]=3&a[b]=4", {"a": {"0": "1", "2": "3", "b": "4"}}),
    # Of brackets that are nested too deeply, the rest is a name.
    ("a[b][c][d][e][f]=1", {"a": {"b": {"c": {"d": {"e": {"f": "1"}}}}}}),
    ("a[b][c][d][e][f][g][h]=1", {"a": {"b": {"c": {"d": {"e": {"f": {"[g][h]": "1"}}}}}}}),
]


@pytest.mark.parametrize(("text", "expected"), NESTED)
def test_names_with_brackets_are_nested(text: str, expected: Json) -> None:
    assert parse_nested(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a.b=1", {"a.b": "1"}), ("a=1,2", {"a": "1,2"}), ("a[b]=1,2", {"a": {"b": "1,2"}}), ("a[]=1,2", {"a": ["1,2"]})],
)
def test_dots_and_commas_have_no_meaning_without_structure(text: str, expected: Json) -> None:
    assert parse_nested(text, has_structure=False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("a", {"a": ""}),
        ("=x", {"": "x"}),
        ("a=1&&b=+%20", {"a": "1", "b": "  "}),
        ("a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
        ("a[b]=1", {"a[b]": "1"}),
    ],
)
def test_names_of_flat_queries_are_as_they_are_written(text: str, expected: Json) -> None:
    assert parse_flat(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", ""),
        ("x", "x"),
        ("a,b", ["a", "b"]),
        ("a=1", {"a": "1"}),
        ("a=1,b=2", {"a": "1", "b": "2"}),
    ],
)
def test_values_of_headers_and_paths_may_be_lists_and_objects(text: str | None, expected: Any) -> None:
    assert parse_value(text) == expected


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("integer", [("1", 1), ("1.0", 1), (" 7 ", 7), ("0x10", 16), ("0X", "0X"), (1.5, 1.5), (None, 0), (False, 0)]),
        ("number", [("1.5", 1.5), ("-1.5", -1.5), ("1e400", "1e400"), ("x", "x"), (True, 1), (["1"], ["1"])]),
        ("boolean", [("true", True), ("false", False), ("yes", "yes"), (1, True), (0, False), (None, False), (2, 2)]),
        ("null", [("", None), (0, None), (False, None), ("x", "x"), (1, 1)]),
        ("string", [(None, ""), (1, "1"), (True, "true"), ([1], [1]), ({}, {})]),
        ("array", [("x", "x"), ([], [])]),
        ("unknown", [("1", "1")]),
    ],
)
def test_values_are_converted_to_the_type_if_possible(name: str, values: list[tuple[Any, Any]]) -> None:
    no_definitions: Any = {}
    for value, expected in values:
        converted = coerce(value, {"type": name}, no_definitions)
        assert (type(converted), converted) == (type(expected), expected), value


ANY_TEXT: Json = {"anyOf": [TEXT, WHOLE]}


@pytest.mark.parametrize(
    ("place", "schema", "reference", "strict"),
    [
        *(("path", schema, True, True) for schema in (TEXT, items(WHOLE))),
        *(("header", schema, True, True) for schema in (TEXT, items(WHOLE))),
        *(("query", schema, True, True) for schema in (TEXT, items(WHOLE))),
        *((place, WHOLE, False, False) for place in ("path", "header", "query")),
        # The reference engine looks for texts among the branches of headers only.
        ("header", ANY_TEXT, True, False),
        ("query", ANY_TEXT, False, False),
        ("path", ANY_TEXT, False, False),
    ],
)
def test_a_comma_separates_items_unless_the_value_is_a_text(
    place: str, schema: Json, *, reference: bool, strict: bool
) -> None:
    case = Case(
        rule="comma",
        template="/a/{a}" if place == "path" else "/a",
        path="/a/1,2" if place == "path" else "/a",
        operation={"parameters": [parameter("a", place, schema, required=True)]},
        request={"query": "a=1,2"} if place == "query" else {"headers": {"a": "1,2"}} if place == "header" else {},
    )
    fits = [not replace(case, profile=profile).notes() for profile in (Profile.REFERENCE, Profile.STRICT)]
    assert fits == [reference, strict]


@pytest.mark.parametrize(("place", "reference"), [("path", True), ("query", False)])
def test_the_reference_overlooks_the_types_of_version_2_in_queries(place: str, *, reference: bool) -> None:
    case = Case(
        rule="comma",
        version="2.0",
        template="/a/{a}" if place == "path" else "/a",
        path="/a/1,2" if place == "path" else "/a",
        operation={"parameters": [{"name": "a", "in": place, "type": "string", "required": True}]},
        request={"query": "a=1,2"} if place == "query" else {},
    )
    fits = [not replace(case, profile=profile).notes() for profile in (Profile.REFERENCE, Profile.STRICT)]
    assert fits == [reference, True]


def test_path_parameters_that_the_template_lacks_are_left_out() -> None:
    parameters = [parameter(name, "path", WHOLE, required=True) for name in ("other", "a")]
    case = Case(rule="other", template="/a/{a}", path="/a/x", operation={"parameters": parameters})
    assert len(case.notes()) == 1
    assert replace(case, path="/a/1").notes() == []
