"""Positions of values in the text of a document, for locations as findings name them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treaty.model.compare.locations import format_location, resolve
from treaty.model.compare.positions import find_duplicate, find_extents, find_positions, find_too_deep, locate
from treaty.model.compare.reading import parse

YAML = """\
openapi: 3.1.0
paths:
  /v1.0/orders[a]:
    get:
      parameters:
        - name: a
          in: query
        - {name: b, in: header}
      responses:
        200:
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Order'}
  /v1.0/orders[a].get: {}
components:
  schemas:
    Order:
      $ref: '#/components/schemas/Named'
    Named:
      type: object
      oneOf:
      - type: string
      - properties: {id: {type: integer}}
    Circle:
      $ref: '#/components/schemas/Circle'
    "quo\\"ted": 1
    Whole:
      $ref: '#'
"""
SCHEMA = "[root].paths./v1.0/orders[a].get.responses.200.content.application/json.schema"
LOCATIONS = {
    "[root]": (1, 1),
    "[root].paths": (2, 1),
    "[root].paths./v1.0/orders[a].get": (4, 5),
    "[root].paths./v1.0/orders[a].get.parameters": (5, 7),
    "[root].paths./v1.0/orders[a].get.parameters[1].in": (8, 21),
    "[root].paths./v1.0/orders[a].get.parameters.0": (6, 11),
    "[root].paths./v1.0/orders[a].get.parameters[1].in.x": (8, 21),
    "[root].paths./v1.0/orders[a].get.parameters[2].in": (5, 7),
    "[root].paths./v1.0/orders[a].get.parameters[7].in": (5, 7),
    SCHEMA: (13, 15),
    SCHEMA + ".type": (20, 7),
    SCHEMA + ".oneOf[1].properties.id.type": (23, 27),
    SCHEMA + ".components.schemas.Named.oneOf[1].properties.id.type": (23, 27),
    SCHEMA + ".oneOf.0.type": (22, 9),
    SCHEMA + ".additionalProperties": (19, 5),
    "[root].components.schemas.Circle.type": (24, 5),
    "[root].components.schemas.Whole.paths": (2, 1),
    '[root].components.schemas.quo"ted': (26, 5),
    "[root].components.schemas.quo%22ted": (26, 5),
    "[root].paths.~1v1.0~1orders[a].get": (4, 5),
    "[root].nowhere": (1, 1),
}


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_location_has_the_position_of_its_name_in_yaml(location: str) -> None:
    position = locate(YAML, parse(YAML), [location])[location]
    assert (position.line, position.column) == LOCATIONS[location]


def test_a_location_has_the_position_of_its_name_in_json() -> None:
    content = parse(YAML)
    text = json.dumps(content, indent=2)
    lines = text.splitlines()
    positions = locate(text, content, [SCHEMA + ".oneOf[1].properties.id.type", '[root].components.schemas.quo"ted'])
    shown = [lines[position.line - 1][position.column - 1 :] for position in positions.values()]
    assert shown == ['"type": "integer"', '"quo\\"ted": 1,']


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=4)
TREES = st.recursive(
    st.none() | st.integers() | st.text('ab{[]}:,"\\\n', max_size=4),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children, max_size=3),
    max_leaves=12,
).map(lambda value: {"openapi": "3.1.0", "x": value})


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner_path for name, child in children for inner_path in paths(child, (*path, name)))]


@given(TREES, st.sampled_from([None, 1, 3]))
@settings(max_examples=150)
def test_each_value_of_a_json_document_is_found_where_it_is_written(tree: object, indent: int | None) -> None:
    text = json.dumps(tree, indent=indent)
    lines = text.split("\n")
    every_path = paths(tree)
    positions = find_positions(text, set(every_path))
    assert set(positions) == set(every_path)
    for path, position in positions.items():
        shown = lines[position.line - 1][position.column - 1 :]
        assert shown.startswith(
            json.dumps(path[-1]) if path and isinstance(path[-1], str) else tuple('"[{n-0123456789')
        )


@given(TREES)
@settings(max_examples=150)
def test_a_location_without_dots_in_names_leads_back_to_its_path(tree: object) -> None:
    for path in paths(tree):
        if not any(isinstance(name, str) and set(name) & set(".[]") for name in path):
            assert resolve(tree, format_location(path)) == path


@pytest.mark.parametrize(
    ("text", "depth", "position"),
    [
        ("[[1], [2]]", 2, None),
        ("[[1], [2]]", 1, (1, 2)),
        ("[[1], [2]]", 0, (1, 1)),
        ('[1,\n {"a": [[]]}]', 3, (2, 9)),
        ('[1,\n {"a": [[]]}]', 2, (2, 8)),
        ('[[], [], [[]], "[[[["]', 3, None),
        ("[[], [[[]]]]", 3, (1, 8)),
    ],
)
def test_the_first_value_that_is_nested_too_deeply_is_found(
    text: str, depth: int, position: tuple[int, int] | None
) -> None:
    first = find_too_deep(text, depth)
    assert (first and (first.line, first.column)) == position


def test_the_lines_of_a_value_end_before_the_next_one() -> None:
    text = '{\n"a": {\n  "b": 1,\n  "c": [\n    1\n  ]\n},\n"d": 1, "e": 2\n}\n'
    extents = find_extents(text, {(), ("a",), ("a", "b"), ("a", "c"), ("a", "c", 0), ("d",), ("e",), ("f",)})
    assert extents == {
        (): (1, 9),
        ("a",): (2, 7),
        ("a", "b"): (3, 3),
        ("a", "c"): (4, 7),
        ("a", "c", 0): (5, 7),
        ("d",): (8, 8),
        ("e",): (8, 9),
    }


def test_values_may_be_in_any_order() -> None:
    assert find_extents('{\n"b": [\n1\n],\n"a": 1\n}', {("b",)}) == {("b",): (2, 4)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1, "b": {"a": 2}}', None),
        ('[1, 1, {"a": 1}, {"a": 1}]', None),
        ('[{"a": 1, "a": 2}]', ("a", (1, 3), (1, 11))),
        ('{"a": 1, "b": 2,\n "a": 3}', ("a", (1, 2), (2, 2))),
        ('{"b": {"a": 1, "a": 1}, "b": 1}', ("a", (1, 8), (1, 16))),
    ],
)
def test_a_name_that_an_object_has_twice_is_found(text: str, expected: Any) -> None:
    duplicate = find_duplicate(text)
    if duplicate is None:
        assert expected is None
        return
    name, *positions = duplicate
    assert (name, *((position.line, position.column) for position in positions)) == expected
