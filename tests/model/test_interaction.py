"""Interactions in words, whatever a pact holds."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treaty.model.pacts import documents
from treaty.model.pacts.interaction_diff import diff_interactions
from treaty.model.pacts.interactions import read_interactions

WORDS = ["match", "regex", "type", "min", "matchers", "body", "$.a", "$", "content", "encoded", "headers", "path", "a"]
WORDS += ["request", "response", "matchingRules", "generators", "query", "metadata", "providerStates", "name", "Uuid"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=20,
)


def read(*items):
    return read_interactions(documents.parse_document(json.dumps({"interactions": items}).encode())) or []


@given(st.lists(ANYTHING, max_size=3), st.lists(ANYTHING, max_size=3))
def test_any_json_can_be_read_and_compared(old, new):
    before, after = read(*old), read(*new)
    assert (len(before), len(after)) == (len(old), len(new))
    ids = [one.id for one in after]
    assert len(set(ids)) == len(ids)
    assert diff_interactions(before, before).shown == []
    assert len(diff_interactions(before, after).shown) <= len(old) + len(new)


def response(body, rules, **more):
    return {"description": "d", "request": {}, "response": {"body": body, "matchingRules": rules, **more}}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"match": "type"}, "any value of this type"),
        ({"match": "type", "min": 1, "max": 3}, "any value of this type, at least 1 and at most 3"),
        ({"min": 2}, "any value of this type, at least 2"),
        ({"regex": "a+"}, "matches /a+/"),
        ({"match": "regex", "regex": "a+"}, "matches /a+/"),
        ({"match": "include", "value": "x"}, "contains “x”"),
        ({"match": "date", "format": "yyyy"}, "a date yyyy"),
        ({"match": "timestamp", "timestamp": "yyyy"}, "a date and time yyyy"),
        ({"match": "somethingNew", "x": 1}, 'somethingNew: {"match":"somethingNew","x":1}'),
        ("not a rule", "not a rule"),
    ],
)
def test_rules_are_told_in_words_beside_their_values(rule, words):
    for rules in ({"$.body.a": rule}, {"body": {"$.a": {"matchers": [rule]}}}):
        (one,) = read(response({"a": 1}, rules))
        lines = one.parts[1].body or ()
        assert [(line.text, line.notes) for line in lines] == [("{", ()), ('  "a": 1', (words,)), ("}", ())]
        assert one.parts[1].rules == ()


def test_a_rule_for_each_element_stands_beside_each():
    (one,) = read(response({"a": [1, 2]}, {"body": {"$.a[*]": {"matchers": [{"match": "integer"}]}}}))
    assert [line.text.strip() for line in one.parts[1].body or () if line.notes] == ["1,", "2"]


def test_alternatives_are_told_as_such():
    rules = {"body": {"$.a": {"combine": "OR", "matchers": [{"match": "null"}, {"match": "integer"}]}}}
    (one,) = read(response({"a": 1}, rules))
    assert [*(one.parts[1].body or ())][1].notes == ("null or any integer",)


def test_what_no_value_stands_for_is_told_apart():
    (one,) = read(response({"a": 1}, {"$.body.b.c": {"match": "type"}}))
    assert [(rule.place, rule.text) for rule in one.parts[1].rules] == [("body b c", "any value of this type")]


def test_long_bodies_are_cut():
    (one,) = read(response(list(range(5000)), {}))
    assert one.parts[1].is_truncated
    assert len(one.parts[1].body or ()) == 1500


def test_an_interaction_keeps_its_id_wherever_it_stands():
    first, second = {"description": "a"}, {"description": "b"}
    assert [one.id for one in read(first, second)] == [one.id for one in read(second, first)][::-1]


def test_numbers_stand_as_they_were_written():
    raw = b'{"interactions": [{"response": {"body": {"price": 1.10, "big": 12345678901234567890123}}}]}'
    (one,) = read_interactions(documents.parse_document(raw)) or []
    lines = one.parts[0].body or ()
    assert [line.text for line in lines[1:-1]] == ['  "price": 1.10,', '  "big": 12345678901234567890123']


def body_of(contents):
    (one,) = read({"type": "Asynchronous/Messages", "contents": contents})
    return [line.text for line in one.parts[0].body or ()]


def encoded(data):
    return {"content": base64.b64encode(data).decode(), "contentType": "application/x", "encoded": "base64"}


def test_binary_contents_are_shown_as_bytes_and_letters():
    assert body_of(encoded(b"\x89PNG\r\n\x1a\nab")) == [
        "10 bytes, binary",
        "0000  89 50 4e 47 0d 0a 1a 0a  .PNG....",
        "0008  61 62                    ab",
    ]
    assert body_of(encoded(b"\x08\x07\x12\x04name"))[1] == "0000  08 07 12 04 6e 61 6d 65  ....name"
    assert body_of(encoded(bytes(300)))[-1] == "…"


def test_encoded_text_is_shown_as_text():
    assert body_of(encoded("größer\n\tals".encode())) == ["größer", "\tals"]
    assert body_of(encoded(b'{"a": 1}')) == ["{", '  "a": 1', "}"]
    assert body_of({"content": "no base64!", "encoded": "base64"}) == ["no base64!"]


def test_what_plugins_say_and_keep_is_read():
    markup = {"markup": "```protobuf\nmessage Order {}\n```\n", "markupType": "COMMON_MARK"}
    (one,) = read({"description": "x", "interactionMarkup": markup, "pluginConfiguration": {"protobuf": {"key": "a"}}})
    assert one.markup == "message Order {}"
    assert [line.text.strip() for line in one.plugins] == ["{", '"protobuf": {', '"key": "a"', "}", "}"]


@pytest.mark.parametrize("odd", [None, 7, [], "text", {"markup": 7}, {"markup": " "}])
def test_odd_markup_is_left_out(odd):
    (one,) = read({"description": "x", "interactionMarkup": odd, "pluginConfiguration": odd})
    assert one.markup is None
