"""Reading OpenAPI and AsyncAPI documents: which are accepted, and the reasons and positions of refusals."""

import json
from collections.abc import Callable

import pytest
import yaml

from treaty.model.compare.positions import Position
from treaty.model.compare.reading import ReadDocument, read_document
from treaty.model.compare.yaml_documents import MAX_DEPTH, UnreadableDocument

OPENAPI = "openapi: 3.1.0\n"


def read(text: str | bytes, **options: object) -> ReadDocument:
    raw = text.encode() if isinstance(text, str) else text
    return read_document(raw, name="document", **options)  # type: ignore[arg-type] # options of the tests below


def refuse(text: str | bytes, **options: object) -> UnreadableDocument:
    with pytest.raises(UnreadableDocument) as caught:
        read(text, **options)
    return caught.value


@pytest.mark.parametrize(
    ("text", "specification"),
    [
        ('{"openapi": "3.0.3"}', "oas"),
        ("openapi: 3.1.0", "oas"),
        ("openapi: 3.1", "oas"),
        ("{openapi: 3.1.0}", "oas"),
        ("swagger: '2.0'", "oas"),
        ("swagger: 2.0", "oas"),
        ("asyncapi: 3.0.0", "asyncapi"),
        ('\ufeff{"asyncapi": "3.1.0"}', "asyncapi"),
        ("\ufeff# comment\nopenapi: 3.0.0", "oas"),
        ("%YAML 1.2\n---\nopenapi: 3.0.0\n...\n", "oas"),
        ('\n\n  {\n\t"openapi": "3.0.0"}\n', "oas"),
    ],
)
def test_the_version_decides_the_kind_of_a_document(text: str, specification: str) -> None:
    assert read(text).document.specification == specification


def test_utf_16_with_a_byte_order_mark_is_read() -> None:
    assert read((OPENAPI + "info: {title: Zoë}").encode("utf-16")).document.content["info"] == {"title": "Zoë"}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("'null'", "null"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T09:00:00Z", "2026-01-31T09:00:00Z"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("+", "+"),
        (".", "."),
        ("'12'", "12"),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!int 12", 12),
        ("<<", "<<"),
        ("=", "="),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[a, {b: c}]", ["a", {"b": "c"}]),
        ("{}", {}),
        ("[]", []),
    ],
)
def test_plain_values_follow_yaml_1_2_and_dates_stay_text(written: str, value: object) -> None:
    assert read(f"{OPENAPI}x: {written}").document.content["x"] == value


def test_names_are_texts_as_they_are_written() -> None:
    names = read(OPENAPI + "200: a\n2XX: b\ntrue: c\n~: d\n1.0: e\n2026-01-31: f\n<<: {g: h}\n").document.content
    assert list(names) == ["openapi", "200", "2XX", "true", "~", "1.0", "2026-01-31", "<<"]


REFUSED = [
    ("", "is empty", None),
    ("   \n", "is empty", None),
    ("- a", "a list instead of an object", (1, 1)),
    ("just words", "a text instead of an object", (1, 1)),
    ("42", "a number instead of an object", (1, 1)),
    ("title: x", "neither OpenAPI nor AsyncAPI", (1, 1)),
    ("openapi: 2.0.0", "Supported versions are", None),
    ("openapi: true", "Supported versions are", None),
    ("swagger: '1.2'", "Supported versions are", None),
    ("asyncapi: 2.6.0", "Supported versions are", None),
    (OPENAPI + "a: &x 1", "anchor or alias &x", (2, 4)),
    (OPENAPI + "a: &x {b: 1}", "anchor or alias &x", (2, 4)),
    (OPENAPI + "a: &x [b]", "anchor or alias &x", (2, 4)),
    (OPENAPI + "&x a: 1", "anchor or alias &x", (2, 1)),
    (OPENAPI + "a: *x", "anchor or alias *x", (2, 4)),
    (OPENAPI + "*x : 1", "anchor or alias *x", (2, 1)),
    (OPENAPI + "a: !!python/object:os.system 1", "YAML tag !!python/object:os.system", (2, 4)),
    (OPENAPI + "a: !mine {}", "YAML tag !mine", (2, 4)),
    (OPENAPI + "a: !!set {}", "YAML tag !!set", (2, 4)),
    (OPENAPI + "a:\n  b: 1\n  c: 2\n  b: 3", "'b' appears twice in the same object; it is already at line 3", (5, 3)),
    (OPENAPI + "200: 1\n'200': 2", "'200' appears twice", (3, 1)),
    (
        '{"openapi": "3.1.0",\n "a": {"b": 1,\n  "b": 2}}',
        "'b' appears twice in the same object; it is already at",
        (3, 3),
    ),
    (OPENAPI + "? [a]\n: b", "name of a member must be a text", (2, 3)),
    (OPENAPI + "? {a: b}\n: c", "name of a member must be a text", (2, 3)),
    (OPENAPI + "a: .inf", "number .inf", (2, 4)),
    (OPENAPI + "a: .NaN", "number .NaN", (2, 4)),
    (OPENAPI + "a: 1e999", "number 1e999", (2, 4)),
    (OPENAPI + "a: " + "1" * 5000, "more than 4000 digits", (2, 4)),
    ('{"openapi": "3.1.0", "a": NaN}', "number NaN", None),
    ('{"openapi": "3.1.0", "a": -1e999}', "number -1e999", None),
    ('{"openapi": "3.1.0", "a": ' + "1" * 5000 + "}", "more than 4000 digits", None),
    ('{"openapi": "3.1.0", "a": "\\ud800"}', "half of a surrogate pair", None),
    ('{"openapi": "3.1.0",\n "a": }', "not valid JSON: Expecting value", (2, 7)),
    ('{"openapi": "3.1.0"', "not valid JSON", (1, 20)),
    (OPENAPI + "\ta: b", "not valid YAML", (2, 1)),
    (OPENAPI + "a: [", "not valid YAML", (3, 1)),
    (OPENAPI + "a: 'x", "not valid YAML", (2, 6)),
    (OPENAPI + "a: \x07", "not valid YAML", None),
    (OPENAPI + "---\na: b", "second YAML document", (2, 1)),
    (b"openapi: 3.1.0\nb: \xe4", "not UTF-8", (2, 4)),
    (b"\nb: \xe4", "not UTF-8", (2, 4)),
    (b"a: \xe4", "not UTF-8", (1, 4)),
    (OPENAPI + "a:\n  $ref: other.yaml#/b", "'other.yaml#/b' leads to another file", (3, 3)),
    (OPENAPI + "a:\n  - $ref: https://example.com/b", "'https://example.com/b' leads to another file", (3, 5)),
    ('{"openapi": "3.1.0",\n "a": {"$ref": "Pet"}}', "'Pet' leads to another file", (2, 8)),
]


@pytest.mark.parametrize(("text", "reason", "position"), REFUSED, ids=lambda value: str(value)[:30])
def test_a_document_is_refused_with_the_reason_and_the_position(
    text: str | bytes, reason: str, position: tuple[int, int] | None
) -> None:
    error = refuse(text)
    assert reason in error.text
    assert (error.position and (error.position.line, error.position.column)) == position
    assert error.text.endswith(".")


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":', "- ", "{a: "])
@pytest.mark.parametrize("start", ["", OPENAPI + "x:\n  "])
def test_deep_nesting_is_refused_without_reading_the_rest(opening: str, start: str) -> None:
    error = refuse(start + opening * 400_000)
    assert "nested more than 200 levels" in error.text
    assert error.position is not None


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_nesting_up_to_the_limit_is_read(write: Callable[[object], str]) -> None:
    def nested(levels: int) -> object:
        value: object = 1
        for _ in range(levels):
            value = {"a": value}
        return value

    assert read(write({"openapi": "3.1.0", "x": nested(MAX_DEPTH - 1)})).notes == ()
    assert "nested more than" in refuse(write({"openapi": "3.1.0", "x": nested(MAX_DEPTH)})).text


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 20))
    error = refuse(f"{OPENAPI}l0: &l0 lol\n{levels}")
    assert "anchor or alias &l0" in error.text
    assert error.position == Position(2, 5)


def test_a_document_beyond_the_limit_is_refused_with_both_sizes() -> None:
    assert "has 26 bytes, more than the limit of 20" in refuse(OPENAPI + "title: abcd", max_bytes=20).text


def test_a_text_of_ten_megabytes_is_read() -> None:
    long = "x" * 10_000_000
    assert read(f"{OPENAPI}a: {long}\n").document.content["a"] == long
    assert read(json.dumps({"openapi": "3.1.0", "a": long})).document.content["a"] == long


def test_a_declaration_that_contradicts_the_document_is_refused() -> None:
    assert "is an OpenAPI document, but it was declared as 'asyncapi'" in refuse(OPENAPI, specification="asyncapi").text
    assert read(OPENAPI, specification="oas").document.specification == "oas"


def test_references_that_lead_nowhere_are_noted_once_each() -> None:
    document = read(
        OPENAPI
        + """
paths:
  /a~b:
    get: {x: {$ref: '#/components/schemas/Missing'}, y: {$ref: '#/components/schemas/Missing'}}
    put: {x: {$ref: '#/components/schemas/A%20b'}, y: {$ref: '#/paths/~1a~0b/get'}, z: {$ref: '#'}}
    post: [{$ref: '#/list/1'}, {$ref: '#/list/2'}]
components: {schemas: {A b: {$ref: '#/components/schemas/A%20b'}}}
list: [1, 2]
"""
    )
    assert [note.location for note in document.notes] == [
        "[root].paths./a~b.get.x.$ref",
        "[root].paths./a~b.post[1].$ref",
    ]
    assert document.notes[0].message == "The document refers to #/components/schemas/Missing, which it does not have."


def test_examples_and_extensions_may_contain_references_to_elsewhere() -> None:
    read(
        OPENAPI
        + """
x-note: {$ref: other.yaml}
a: {example: {$ref: other.yaml}, default: {$ref: other.yaml}, enum: [{$ref: other.yaml}], const: {$ref: a}}
properties: {$ref: {type: string}}
"""
    )


@pytest.mark.parametrize("name", ["example", "default", "enum", "x-a"])
def test_a_property_with_the_name_of_a_keyword_is_followed(name: str) -> None:
    assert "leads to another file" in refuse(f"{OPENAPI}a: {{properties: {{{name}: {{$ref: other.yaml}}}}}}").text
    assert "leads to another file" in refuse(f"{OPENAPI}responses: {{default: {{$ref: other.yaml}}}}").text
