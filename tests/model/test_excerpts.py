"""Excerpts of pacts and documents around the location of a finding."""

from typing import Any

import pytest

from treaty.model.compare.positions import Position
from treaty.model.provider_contracts.excerpts import (
    LINES_AFTER,
    LINES_BEFORE,
    MAX_LINE_LENGTH,
    MAX_NEIGHBORS,
    MAX_VALUE_LINES,
    Excerpt,
    cut_line,
    decode_source,
    excerpt_document,
    excerpt_pact,
    excerpt_value,
    split_lines,
)


def show(excerpt: Excerpt) -> str:
    """Write an excerpt, with `>` before the lines of the located value."""
    return "\n".join(("> " if line.is_located else "  ") + line.text for line in excerpt.lines)


@pytest.mark.parametrize(
    ("root", "path", "expected"),
    [
        (1, (), "> 1"),
        ({}, (), "> {}"),
        ([[]], (), "> [\n>   []\n> ]"),
        ({"a": [1, {"b": None}]}, (), '> {\n>   "a": [\n>     1,\n>     {\n>       "b": null\n>     }\n>   ]\n> }'),
        ({"a": 1}, ("a",), '  {\n>   "a": 1\n  }'),
        ({"b": 1, "a": 2}, ("a",), '  {\n    "b": 1,\n>   "a": 2\n  }'),
        ([1, 2], (0,), "  [\n>   1,\n    2\n  ]"),
        (
            {"a": {"b": [True]}, "c": 1},
            ("a", "b", 0),
            '  {\n    "a": {\n      "b": [\n>       true\n      ]\n    }\n  }',
        ),
        (
            {"a": {}, "b": [], "c": "x", "d": {"e": 1}, "f": [1]},
            ("c",),
            '  {\n    "a": {},\n    "b": [],\n>   "c": "x",\n    "d": {…},\n    "f": […]\n  }',
        ),
    ],
)
def test_a_value_is_shown_between_its_neighbors(root: Any, path: tuple[Any, ...], expected: str) -> None:
    assert show(excerpt_value(root, path)) == expected


@pytest.mark.parametrize(
    ("located", "shown"),
    [
        (0, [">0,", "1,", "2,", "3,", "…"]),
        (3, ["0,", "1,", "2,", ">3,", "4,", "5,", "6,", "…"]),
        (4, ["…", "1,", "2,", "3,", ">4,", "5,", "6,", "7,", "…"]),
        (5, ["…", "2,", "3,", "4,", ">5,", "6,", "7,", "8"]),
        (8, ["…", "5,", "6,", "7,", ">8"]),
    ],
)
def test_distant_neighbors_are_left_out(located: int, shown: list[str]) -> None:
    assert MAX_NEIGHBORS == 3
    lines = show(excerpt_value([*range(9)], (located,))).splitlines()
    assert [line.replace(" ", "") for line in lines[1:-1]] == shown


@pytest.mark.parametrize("surplus", [0, 1])
def test_a_long_value_is_truncated(surplus: int) -> None:
    lines = excerpt_value({"a": [*range(MAX_VALUE_LINES - 2 + surplus)]}, ("a",)).lines
    located = [line.text for line in lines if line.is_located]
    assert len(located) == MAX_VALUE_LINES + surplus
    assert located[-1] == ("    …" if surplus else "  ]")


@pytest.mark.parametrize("surplus", [0, 1])
def test_a_long_text_is_truncated(surplus: int) -> None:
    (line,) = excerpt_value("x" * (MAX_LINE_LENGTH - 2 + surplus), ()).lines
    assert (len(line.text), line.text[-1]) == (MAX_LINE_LENGTH + surplus, "…" if surplus else '"')


def pact(version: str) -> dict[str, Any]:
    body: Any = {"a": 1}
    body = {"content": body, "contentType": "application/json"} if version == "4.0" else body
    interactions = [{"description": "x"}, {"description": "y", "response": {"status": 200, "body": body}}]
    return {"interactions": interactions, "metadata": {"pactSpecification": {"version": version}}}


@pytest.mark.parametrize("version", ["3.0.0", "4.0"])
def test_a_location_in_a_body_is_shown_within_its_interaction(version: str) -> None:
    shown = show(excerpt_pact(pact(version), "[root].interactions[1].response.body.a"))
    assert [line.strip() for line in shown.splitlines()[:2]] == ["{", '"response": {']
    assert ('"content"' in shown) is (version == "4.0")
    located = next(line for line in shown.splitlines() if line.startswith(">"))
    assert located.strip("> ") == '"a": 1'


@pytest.mark.parametrize(
    ("location", "first", "located"),
    [
        ("[root]", "> {", "{"),
        ("[root].interactions[0]", "> {", "{"),
        ("[root].interactions[1].description", "  {", '"description": "y",'),
        ("[root].interactions[1].response.bodies", "  {", '"response": {'),
        ("[root].interactions", "  {", '"interactions": ['),
    ],
)
def test_other_locations_lead_to_the_nearest_value(location: str, first: str, located: str) -> None:
    lines = show(excerpt_pact(pact("4.0"), location)).splitlines()
    assert lines[0] == first
    assert next(line for line in lines if line.startswith(">")).strip("> ") == located


@pytest.mark.parametrize(
    ("count", "line", "first", "last"),
    [(30, 1, 1, 7), (30, 5, 1, 11), (30, 6, 2, 12), (30, 24, 20, 30), (30, 25, 21, 30), (30, 31, 26, 30), (1, 1, 1, 1)],
)
def test_lines_around_a_position_are_shown(count: int, line: int, first: int, last: int) -> None:
    assert (LINES_BEFORE, LINES_AFTER) == (4, 6)
    excerpt = excerpt_document([f"line {number}" for number in range(1, count + 1)], Position(line, 1))
    assert [shown.number for shown in excerpt.lines] == [*range(first, last + 1)]
    assert [shown.text for shown in excerpt.lines] == [f"line {number}" for number in range(first, last + 1)]
    assert [shown.number for shown in excerpt.lines if shown.is_located] == [min(line, count)] == [excerpt.line]


def test_an_excerpt_of_a_pact_has_no_numbers() -> None:
    assert excerpt_value({"a": 1}, ("a",)).line is None


@pytest.mark.parametrize(
    ("length", "column", "shown"),
    [
        (300, 1, (0, 300)),
        (300, 300, (0, 300)),
        (301, 1, (0, 300)),
        (301, 300, (0, 300)),
        (301, 301, (200, 301)),
        (1000, 301, (200, 500)),
        (1000, 801, (700, 1000)),
        (1000, 800, (699, 999)),
    ],
)
def test_a_long_line_is_cut_around_the_position(length: int, column: int, shown: tuple[int, int]) -> None:
    line = "".join(chr(0x4E00 + number) for number in range(length))
    start, end = shown
    assert cut_line(line, column) == ("…" if start else "") + line[start:end] + ("…" if end < length else "")


def test_only_the_located_line_is_cut_around_the_position() -> None:
    long = "x" * 400 + "y"
    before, located, after = excerpt_document([long] * 3, Position(2, 401)).lines
    assert (before.text[-1], located.text[-1], after.text[-1]) == ("…", "y", "…")


def test_the_carriage_return_of_a_line_is_left_out() -> None:
    assert cut_line("a\r") == "a"
    assert cut_line("ab\r", length=3) == "ab"
    assert cut_line("abc", length=2) == "ab…"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_documents_are_decoded_by_their_byte_order_mark(encoding: str) -> None:
    mark = "\ufeff" if encoding.startswith("utf-16") else ""
    assert decode_source(f"{mark}ä: 1".encode(encoding)) == "ä: 1"


def test_invalid_bytes_are_replaced() -> None:
    assert decode_source(b"a\xff") == "a\ufffd"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":\u2028\n1}', ['{"a":\u2028', "1}"]),
        ("a: 1\r\nb: 2\rc: 3\u2028d: 4\x85e", ["a: 1", "b: 2", "c: 3", "d: 4", "e"]),
    ],
)
def test_lines_end_as_in_json_or_yaml(text: str, expected: list[str]) -> None:
    assert split_lines(text) == expected
