"""The identity of content, and its stored form."""

import hashlib
import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scale import choose
from treaty.errors import Malformed
from treaty.exact_json import encode, serialize, serialize_indented
from treaty.model.pacts.content import (
    build_content,
    find_names,
    find_specification_version,
    list_plugins,
    parse_published,
    remove_all_ids,
    remove_broker_ids,
)
from treaty.model.pacts.documents import Document, parse_document, serialize_canonical


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def sha(text: str) -> str:
    return build_content(parse_document(text.encode())).sha


def store(text: str) -> str:
    return build_content(parse_document(text.encode())).body.decode()


HASHED = [
    # Interactions are sorted by their own text, with the members of all objects in order.
    (
        '{"metadata":{"pactSpecification":{"version":"2"}},"interactions":[{"response":1,"description":"b"},{"a":0}]}',
        '{"interactions":[{"a":0},{"description":"b","response":1}],"pact_specification_version":"2"}',
    ),
    # The consumer does not matter, nor does other metadata.
    ('{"consumer":{"name":"x"},"interactions":[],"metadata":{"client":"y"}}', '{"interactions":[]}'),
    # The first version that is there counts, in the type it has.
    (
        '{"interactions":[],"metadata":{"pactSpecificationVersion":2,"pact-specification":{"version":3}}}',
        '{"interactions":[],"pact_specification_version":3}',
    ),
    (
        '{"interactions":[],"metadata":{"pactSpecificationVersion":2,"pactSpecification":{"version":null}}}',
        '{"interactions":[],"pact_specification_version":2}',
    ),
    # Messages are sorted only where there are no interactions.
    ('{"messages":[{"b":1},{"a":2}]}', '{"messages":[{"a":2},{"b":1}]}'),
    ('{"interactions":null,"messages":[2,1]}', '{"messages":[1,2]}'),
    (
        '{"messages":[{"d":1,"c":1},{"a":2}],"interactions":[]}',
        '{"interactions":[],"messages":[{"c":1,"d":1},{"a":2}]}',
    ),
    # Other arrays keep their order.
    ('{"interactions":[{"a":[2,1]}]}', '{"interactions":[{"a":[2,1]}]}'),
    # A document with neither is left as it is; one with something else in their place is sorted.
    ('{"b":1,"a":[2,1]}', '{"b":1,"a":[2,1]}'),
    ('{"z":1,"interactions":{"b":1,"a":2}}', '{"interactions":{"a":2,"b":1},"z":1}'),
    ('{"b":1,"interactions":null}', '{"b":1,"interactions":null}'),
    # Texts are raw but for quotes, backslashes and characters below a space.
    ('{"a":"ä/\\u00e4\\u001f\\n\\"\\\\\\u007f"}', '{"a":"ä/ä\\u001f\\n\\"\\\\\x7f"}'),
    ('{ "a" : "\\ud83d\\ude00" }', '{"a":"😀"}'),
    # The last of equal members counts, and an id that a client gave.
    ('{"a":1,"a":2}', '{"a":2}'),
    ('{"interactions":[{"_id":"x"}]}', '{"interactions":[{"_id":"x"}]}'),
]


@pytest.mark.parametrize(("text", "hashed"), HASHED)
def test_content_is_identified_by_the_parts_that_affect_its_verification(text: str, hashed: str) -> None:
    assert sha(text) == sha1(hashed)


def test_the_sha_of_no_interactions_is_the_originals() -> None:
    assert sha('{"interactions":[]}') == "ed7c1aebc3e11064ce9afc29297e1e36203583cd"


@pytest.mark.parametrize(
    ("number", "canonical"),
    [
        ("1", "1"),
        ("1.0", "1.0"),
        ("1.10", "1.1"),
        ("1e2", "100.0"),
        ("1E16", "1e+16"),
        ("1e15", "1000000000000000.0"),
        ("0.0000001", "0.0000001"),
        ("1e-7", "0.0000001"),
        ("1e-8", "1e-8"),
        ("5e-324", "5e-324"),
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("12345678901234567890123", "12345678901234567890123"),
    ],
)
def test_a_number_has_one_form_in_the_hash_and_its_own_in_the_text(number: str, canonical: str) -> None:
    text = f'{{"interactions":[{{"n":{number}}}]}}'
    assert sha(text) == sha1(f'{{"interactions":[{{"n":{canonical}}}]}}')
    assert f'"n":{number}}}' in store(text)


@pytest.mark.parametrize(
    "place", ["[-0]", "[1,-0,1]", "[1, -0 , 1]", "[\n-0\n]", "[\t-0\r]", '{"n":-0}', '{"n": -0, "m": "-0]"}']
)
def test_a_negative_zero_is_stored_as_it_was_written(place: str) -> None:
    compact = re.sub(r"\s", "", place)
    assert f'"n":{compact}}}' in store(f'{{"interactions":[{{"n":{place}}}]}}')


def test_each_interaction_is_kept_with_an_id_in_front() -> None:
    first, second = sha1('{"a":2,"b":1}'), sha1('{"c":1}')
    text = '{"interactions":[{"b":1,"a":2},5],"messages":[{"c":1}],"x":{"b":1,"a":2}}'
    assert store(text) == (
        f'{{"interactions":[{{"_id":"{first}","b":1,"a":2}},5],"messages":[{{"_id":"{second}","c":1}}],'
        '"x":{"b":1,"a":2}}'
    )


def test_an_id_that_a_client_gave_is_kept_in_front() -> None:
    assert store('{"interactions":[{"b":1,"_id":"x"}]}') == '{"interactions":[{"_id":"x","b":1}]}'


def test_ids_come_off_again_but_for_those_of_clients() -> None:
    text = '{"interactions":[{"b":1.10},{"_id":"x","a":1},{"_id":"0","a":1},5]}'
    assert dict(remove_broker_ids(parse_document(store(text).encode())).tree) == json.loads(text)
    assert sha(text) == build_content(remove_broker_ids(parse_document(store(text).encode()))).sha


@pytest.mark.parametrize(
    ("raw", "start"),
    [
        (b"", "JSON::ParserError - unexpected end of input"),
        (b" \n ", "JSON::ParserError - unexpected end of input"),
        (b"{", "JSON::ParserError - "),
        (b'{"a":NaN}', "JSON::ParserError - "),
        (b'{"a":-Infinity}', "JSON::ParserError - "),
        (b'{"a":01}', "JSON::ParserError - "),
        (b"\xef\xbb\xbf{}", "JSON::ParserError - "),
        (b"[]", "RuntimeError - Expected JSON Object in request body but found Array"),
        (b"5", "RuntimeError - Expected JSON Object in request body but found Integer"),
        (b"5.5", "RuntimeError - Expected JSON Object in request body but found Float"),
        (b"true", "RuntimeError - Expected JSON Object in request body but found TrueClass"),
        (b"false", "RuntimeError - Expected JSON Object in request body but found FalseClass"),
        (b"null", "RuntimeError - Expected JSON Object in request body but found NilClass"),
        (b'{"a":"\xc3"}', "Request body has a non UTF-8 character at char 7 and cannot be parsed as JSON."),
        (b'{"a":' * 51 + b"1" + b"}" * 51, "JSON::NestingError - nesting of 51 is too deep"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "JSON::NestingError - nesting of 51 is too deep"),
        (b'{"a":' + b"[" * 50 + b"]" * 50 + b"}", "JSON::NestingError - nesting of 51 is too deep"),
    ],
)
def test_text_that_is_not_a_json_object_is_refused_with_the_reason(raw: bytes, start: str) -> None:
    with pytest.raises(Malformed) as refusal:
        parse_document(raw)
    assert str(refusal.value).startswith(start)


@pytest.mark.parametrize("text", ['{"a":' * 50 + "1" + "}" * 50, '{"a":"' + "[{" * 100 + '"}', f'{{"a":{"9" * 5000}}}'])
def test_content_within_the_limits_is_stored_unchanged(text: str) -> None:
    assert store(text) == text


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(float)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)
NUMBERS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?\Z")
STATES = st.fixed_dictionaries(
    {}, optional={"providerState": st.text(), "providerStates": st.lists(st.fixed_dictionaries({"name": st.text()}))}
)
INTERACTIONS = st.lists(
    st.builds(
        lambda states, parts: {**states, **parts},
        STATES,
        st.dictionaries(st.sampled_from(["description", "request", "response", "contents", "type"]), VALUES),
    ),
    max_size=4,
)
VERSIONS = st.sampled_from(["1.0.0", "2.0.0", "3.0.0", "4.0", 4])
few_examples = settings(max_examples=choose(30, slow=50, long=100))
PACTS = st.fixed_dictionaries(
    {},
    optional={
        "interactions": INTERACTIONS,
        "messages": INTERACTIONS,
        "metadata": VERSIONS.map(lambda version: {"pactSpecification": {"version": version}}),
        "consumer": st.just({"name": "Till"}),
        "x": VALUES,
    },
)


def exact(text: str) -> Any:
    """Read JSON with numbers as they are written."""
    return json.loads(text, parse_float=lambda number: ("float", number), parse_int=lambda number: ("int", number))


def plain(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    lists = {name: tree[name] for name in ("interactions", "messages") if isinstance(tree.get(name), list)}
    bare = {name: [_without_id(item) for item in items] for name, items in lists.items()}
    return {**tree, **bare}


def _without_id(item: Any) -> Any:
    return {name: value for name, value in item.items() if name != "_id"} if isinstance(item, dict) else item


@given(PACTS)
@few_examples
def test_any_pact_is_kept_as_it_was_published(pact: dict[str, Any]) -> None:
    text = json.dumps(pact)
    assert plain(exact(store(text))) == exact(text)


@given(NUMBERS)
def test_any_number_is_kept_letter_for_letter(number: str) -> None:
    assert exact(store(f'{{"interactions":[],"n":[{number}]}}'))["n"] == exact(f"[{number}]")


@given(PACTS, st.randoms(use_true_random=False))
@few_examples
def test_the_order_of_interactions_and_members_does_not_matter(pact: dict[str, Any], random: Any) -> None:
    def shuffled(tree: Any) -> Any:
        if isinstance(tree, dict):
            names = random.sample(sorted(tree), len(tree))
            return {name: shuffled(tree[name]) for name in names}
        return [shuffled(item) for item in tree] if isinstance(tree, list) else tree

    pact = {**pact, "interactions": pact.get("interactions", [])}
    other = shuffled(pact)
    random.shuffle(other["interactions"])
    assert sha(json.dumps(pact)) == sha(json.dumps(other))


@given(PACTS)
@few_examples
def test_content_that_is_kept_is_still_the_same_content(pact: dict[str, Any]) -> None:
    once = build_content(parse_document(json.dumps(pact).encode()))
    again = build_content(remove_broker_ids(parse_document(once.body)))
    assert again == once


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(Malformed):
        build_content(parse_document(raw))


def test_a_part_is_written_as_it_is_kept() -> None:
    tree = parse_document(b'{"x":{"b":1.10,"a":"\\ud800"}}').tree["x"]
    assert serialize(tree) == '{"b":1.10,"a":"\\ud800"}'
    assert serialize(tree, is_sorted=True) == '{"a":"\\ud800","b":1.10}'


@given(PACTS)
@few_examples
def test_the_quick_way_to_write_json_agrees_with_the_careful_one(pact: dict[str, Any]) -> None:
    document = parse_document(json.dumps(pact).encode())
    assert build_content(document) == build_content(Document(document.tree, is_plain=False))


@given(VALUES)
def test_indented_json_is_that_of_the_standard_library(tree: Any) -> None:
    assert serialize_indented(tree).encode() == encode(json.dumps(tree, indent=2, ensure_ascii=False))


LINKS = {"pb:pact-version": {"href": "https://broker.example/x"}}


@pytest.mark.parametrize(
    ("members", "stays"),
    [
        ({"_links": LINKS, "createdAt": "2024"}, ()),
        ({"_links": {"self": {}}, "createdAt": "2024"}, ("_links", "createdAt")),
        ({"_links": "pb:pact-version", "createdAt": "2024"}, ("_links", "createdAt")),
        ({"_links": ["pb:pact-version"]}, ("_links",)),
        ({"createdAt": "2024"}, ("createdAt",)),
    ],
)
def test_a_pact_fetched_from_a_broker_is_published_without_the_members_that_the_broker_added(
    members: Any, stays: Any
) -> None:
    pact = {"consumer": {"name": "Till"}, "interactions": [{"a": 1}], **members}
    published = parse_published(json.dumps(pact).encode())
    assert published.tree == {name: value for name, value in pact.items() if name not in members or name in stays}


@pytest.mark.parametrize("remove", [remove_broker_ids, remove_all_ids])
@pytest.mark.parametrize("items", [{"a": 1}, None, "x"])
def test_lists_that_are_none_stay(remove: Any, items: object) -> None:
    document = parse_document(json.dumps({"interactions": items, "messages": [{"_id": "x", "a": 1}, 7]}).encode())
    messages = [{"a": 1}, 7] if remove is remove_all_ids else [{"_id": "x", "a": 1}, 7]
    assert remove(document).tree == {"interactions": items, "messages": messages}


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({"consumer": {"name": "A"}, "provider": {"name": "B"}}, ("A", "B")),
        ({"consumer": "A", "provider": ["B"]}, (None, None)),
        ({"consumer": {"name": 7}, "provider": {}}, (7, None)),
        ({}, (None, None)),
    ],
)
def test_the_names_in_a_pact_are_found(members: object, names: tuple[object, object]) -> None:
    assert find_names(parse_document(json.dumps(members).encode())) == names


@pytest.mark.parametrize(
    ("metadata", "plugins"),
    [
        ({"plugins": [{"name": "protobuf", "version": "1"}, {"name": "csv"}]}, ["protobuf 1", "csv"]),
        ({"plugins": [{"name": "csv", "version": 1}, {"name": 7}, "x", {}]}, ["csv"]),
        ({"plugins": {"name": "csv"}}, []),
        ({}, []),
        (None, []),
        ("plugins", []),
        (["plugins"], []),
    ],
)
def test_the_plugins_of_a_pact_are_listed(metadata: object, plugins: list[str]) -> None:
    assert list_plugins(parse_document(json.dumps({"metadata": metadata}).encode())) == plugins


@pytest.mark.parametrize(("version", "expected"), [("3.0.0", "3.0.0"), (3, None), (None, None)])
def test_a_specification_version_is_a_text(version: object, expected: str | None) -> None:
    pact = {"metadata": {"pactSpecification": {"version": version}}}
    assert find_specification_version(parse_document(json.dumps(pact).encode())) == expected


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ([1, [2, []], {}], "[\n  1,\n  [\n    2,\n    []\n  ],\n  {}\n]"),
        ({"a": {"b": 1}, "c": "é"}, '{\n  "a": {\n    "b": 1\n  },\n  "c": "é"\n}'),
    ],
)
def test_json_is_indented_by_two_spaces(tree: Any, text: str) -> None:
    assert serialize_indented(tree) == text


def test_members_are_sorted_in_the_canonical_form_only() -> None:
    tree: Any = {"b": 1, "a": [{"d": 2, "c": 3}]}
    assert serialize_canonical(tree) == '{"a":[{"c":3,"d":2}],"b":1}'
    assert serialize(tree) == '{"b":1,"a":[{"d":2,"c":3}]}'
