"""Descriptions of interactions, for any content of a pact."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scale import choose
from treaty.model.pacts import documents
from treaty.model.pacts.interaction_diff import LinePair, diff_interactions
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
@settings(max_examples=choose(30, slow=50, long=100))
def test_any_json_can_be_read_and_compared(old, new):
    before, after = read(*old), read(*new)
    assert (len(before), len(after)) == (len(old), len(new))
    ids = [interaction.id for interaction in after]
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
        ({"match": "include", "include": "x"}, "contains “”"),
        ({"match": "date", "format": "yyyy"}, "a date yyyy"),
        ({"match": "timestamp", "timestamp": "yyyy"}, "a date and time yyyy"),
        ({"match": "somethingNew", "x": 1}, 'somethingNew: {"match":"somethingNew","x":1}'),
        ({"max": 2}, "any value of this type, at most 2"),
        ({"x": 1}, '{"x":1}'),
        ({"match": 7}, '{"match":7}'),
        ("not a rule", "not a rule"),
    ],
)
def test_rules_are_described_in_words_beside_their_values(rule, words):
    for rules in ({"$.body.a": rule}, {"body": {"$.a": {"matchers": [rule]}}}):
        (interaction,) = read(response({"a": 1}, rules))
        lines = interaction.parts[1].body or ()
        assert [(line.text, line.notes) for line in lines] == [("{", ()), ('  "a": 1', (words,)), ("}", ())]
        assert interaction.parts[1].rules == ()


def test_a_rule_for_each_element_is_shown_beside_each():
    (interaction,) = read(response({"a": [1, 2]}, {"body": {"$.a[*]": {"matchers": [{"match": "integer"}]}}}))
    assert [line.text.strip() for line in interaction.parts[1].body or () if line.notes] == ["1,", "2"]


@pytest.mark.parametrize(("length", "shown"), [(200, "x" * 200), (201, "x" * 200 + "…")])
def test_a_long_expression_of_a_rule_is_cut_off(length, shown):
    (interaction,) = read(response({"a": 1}, {"$.body.a": {"match": "regex", "regex": "x" * length}}))
    notes = [line.notes for line in interaction.parts[1].body or () if line.notes]
    assert notes == [(f"matches /{shown}/",)]


def test_alternative_rules_are_joined_with_or():
    rules = {"body": {"$.a": {"combine": "OR", "matchers": [{"match": "null"}, {"match": "integer"}]}}}
    (interaction,) = read(response({"a": 1}, rules))
    assert [*(interaction.parts[1].body or ())][1].notes == ("null or any integer",)


@pytest.mark.parametrize("combine", [{}, {"combine": "AND"}, {"combine": "and"}, {"combine": None}])
def test_rules_that_all_apply_are_separate_notes(combine):
    rules = {"body": {"$.a": {**combine, "matchers": [{"match": "notEmpty"}, {"match": "integer"}]}}}
    (interaction,) = read(response({"a": 1}, rules))
    assert [*(interaction.parts[1].body or ())][1].notes == ("anything but empty", "any integer")


def test_rules_without_a_value_in_the_body_are_listed_separately():
    (interaction,) = read(response({"a": 1}, {"$.body.b.c": {"match": "type"}}))
    assert [(rule.place, rule.text) for rule in interaction.parts[1].rules] == [("body b c", "any value of this type")]


def test_long_bodies_are_cut():
    (interaction,) = read(response(list(range(5000)), {}))
    assert interaction.parts[1].is_truncated
    assert len(interaction.parts[1].body or ()) == 1500


def test_the_id_of_an_interaction_does_not_depend_on_its_position():
    first, second = {"description": "a"}, {"description": "b"}
    assert [interaction.id for interaction in read(first, second)] == [
        interaction.id for interaction in read(second, first)
    ][::-1]


def test_numbers_stand_as_they_were_written():
    raw = b'{"interactions": [{"response": {"body": {"price": 1.10, "big": 12345678901234567890123}}}]}'
    (interaction,) = read_interactions(documents.parse_document(raw)) or []
    lines = interaction.parts[0].body or ()
    assert [line.text for line in lines[1:-1]] == ['  "price": 1.10,', '  "big": 12345678901234567890123']


def body_of(contents):
    (interaction,) = read({"type": "Asynchronous/Messages", "contents": contents})
    return [line.text for line in interaction.parts[0].body or ()]


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


def test_the_markup_and_the_configuration_of_plugins_are_read():
    markup = {"markup": "```protobuf\nmessage Order {}\n```\n", "markupType": "COMMON_MARK"}
    (interaction,) = read(
        {"description": "x", "interactionMarkup": markup, "pluginConfiguration": {"protobuf": {"key": "a"}}}
    )
    assert interaction.markup == "message Order {}"
    assert [line.text.strip() for line in interaction.plugins] == ["{", '"protobuf": {', '"key": "a"', "}", "}"]


@pytest.mark.parametrize("odd", [None, 7, [], "text", {"markup": 7}, {"markup": " "}])
def test_odd_markup_is_left_out(odd):
    (interaction,) = read({"description": "x", "interactionMarkup": odd, "pluginConfiguration": odd})
    assert interaction.markup is None


# Everything a page shows of an interaction


def parts_of(interaction, name="interactions"):
    (parsed_interaction,) = (
        read_interactions(documents.parse_document(json.dumps({name: [interaction]}).encode())) or []
    )
    return parsed_interaction.parts


@pytest.mark.parametrize(
    ("interaction", "name", "kind", "titles"),
    [
        ({"request": {}, "response": {}}, "interactions", "HTTP", ["Request", "Response"]),
        ({"request": {}}, "interactions", "HTTP", ["Request"]),
        ({"request": 7, "response": {}}, "interactions", "HTTP", ["Response"]),
        ({"contents": 1}, "messages", "Message", ["Message"]),
        ({"type": "Synchronous/HTTP", "request": {}, "response": {}}, "messages", "HTTP", ["Request", "Response"]),
        ({"type": "Asynchronous/Messages"}, "interactions", "Message", ["Message"]),
        ({"type": "Unknown", "request": {}}, "interactions", "HTTP", ["Request"]),
        ({"type": "Unknown", "request": {}}, "messages", "Message", ["Message"]),
        ({"type": 7, "request": {}}, "interactions", "HTTP", ["Request"]),
        (
            {"type": "Synchronous/Messages", "request": {}, "response": [{}, {}, 7]},
            "interactions",
            "Request and reply",
            ["Request", "Reply", "Reply"],
        ),
    ],
)
def test_an_interaction_has_the_parts_of_its_kind(interaction, name, kind, titles):
    (parsed_interaction,) = (
        read_interactions(documents.parse_document(json.dumps({name: [interaction]}).encode())) or []
    )
    assert (parsed_interaction.kind, [part.title for part in parsed_interaction.parts]) == (kind, titles)


@pytest.mark.parametrize(
    ("members", "states"),
    [
        ({"providerState": "a"}, [("a", None)]),
        ({"provider_state": "a"}, [("a", None)]),
        ({"providerState": " "}, [(" ", None)]),
        ({"providerState": 7}, []),
        ({"providerStates": [{"name": "a"}, {"name": "b", "params": {"x": 1}}]}, [("a", None), ("b", '{"x":1}')]),
        ({"providerStates": [{"name": "a", "params": {}}, {"name": 7}, "b", {}]}, [("a", None)]),
        ({"providerStates": {"name": "a"}}, []),
        ({"providerStates": [{"name": "a", "params": "p" * 5000}]}, [("a", '"' + "p" * 3999)]),
        ({}, []),
    ],
)
def test_states_are_read_in_every_spelling(members, states):
    (interaction,) = read({"description": "d", **members})
    assert [(state.name, state.params) for state in interaction.states] == states


@pytest.mark.parametrize(
    ("item", "description", "is_pending", "comments"),
    [
        ({"description": "d", "pending": True, "comments": {"text": ["a", 7, "b"]}}, "d", True, ("a", "b")),
        ({"description": " ", "pending": "true", "comments": {"text": "a"}}, "(no description)", False, ()),
        ({"description": 7, "comments": ["a"]}, "(no description)", False, ()),
        ({}, "(no description)", False, ()),
        (7, "(no description)", False, ()),
    ],
)
def test_the_description_the_pending_mark_and_the_comments_are_read(item, description, is_pending, comments):
    (interaction,) = read(item)
    assert (interaction.description, interaction.is_pending, interaction.comments) == (
        description,
        is_pending,
        comments,
    )


def test_a_request_is_shown_with_its_fields_and_their_rules():
    rules = {
        "path": {"matchers": [{"match": "regex", "regex": "/.*"}]},
        "query": {"a": {"matchers": [{"match": "type"}]}, "$.b[0]": {"matchers": [{"match": "integer"}]}},
        "header": {"accept": {"matchers": [{"match": "include", "value": "x"}]}, "x-b": {"match": "null"}},
    }
    request = {
        "method": "get",
        "path": "/x",
        "query": "a=1&b=2&a=3&c",
        "headers": {"Accept": ["x", "y"], "X-A": 1},
        "matchingRules": rules,
    }
    part = parts_of({"request": request})[0]
    assert (part.method, part.path, part.status, part.path_notes) == ("GET", "/x", None, ("matches //.*/",))
    assert [(field.name, field.value, field.notes) for field in part.query] == [
        ("a", "1, 3", ("any value of this type",)),
        ("b", "2", ("any integer",)),
        ("c", "", ()),
    ]
    assert [(field.name, field.value, field.notes) for field in part.headers] == [
        ("Accept", "x, y", ("contains “x”",)),
        ("X-A", "1", ()),
    ]
    assert [(rule.place, rule.text) for rule in part.rules] == [("header x-b", "null")]
    assert part.body is None
    assert not part.is_truncated


def test_a_response_and_a_message_are_shown_with_their_status_and_metadata():
    _, part = parts_of({"request": {"method": 7, "path": 7}, "response": {"status": 204, "query": {"a": ["1"]}}})
    assert (part.status, part.method, [field.value for field in part.query]) == ("204", None, ["1"])
    for member in ("metadata", "metaData"):
        (part,) = parts_of({"contents": 1, member: {"topic": "t"}}, "messages")
        assert [(field.name, field.value) for field in part.metadata] == [("topic", "t")]


@pytest.mark.parametrize(
    ("part", "lines", "media_type"),
    [
        ({"body": {"a": 1}, "headers": {"Content-Type": "x/y"}}, ["{", '  "a": 1', "}"], "x/y"),
        ({"body": 1, "headers": {"content-type": ["x/y", "z"]}}, ["1"], "x/y"),
        ({"body": 1, "headers": {"Other": "x/y"}}, ["1"], None),
        ({"body": 1, "headers": {"Content-Type": 7}}, ["1"], None),
        ({"body": 1, "headers": {"Content-Type": []}}, ["1"], None),
        ({"body": 1, "metadata": {"contentType": "x/y"}}, ["1"], "x/y"),
        ({"body": None}, None, None),
        ({}, None, None),
        ({"contents": [1, 2], "content": 3}, ["[", "  1,", "  2", "]"], None),
        ({"body": {}}, ["{}"], None),
        ({"body": "a\nb"}, ["a", "b"], None),
        ({"body": ""}, [""], None),
        ({"body": ["a\nb"]}, ["[", '  "a\\nb"', "]"], None),
        ({"body": {"content": "x", "contentType": "x/y"}, "headers": {"Content-Type": "z"}}, ["x"], "x/y"),
        ({"body": {"content": "x", "contentType": 7}, "headers": {"Content-Type": "z"}}, ["x"], "z"),
        ({"body": {"content": "x", "encoded": False}}, ["x"], None),
        ({"body": {"content": 7, "encoded": True}}, ["7"], None),
        ({"body": {"content": "eA==", "encoded": True}}, ["x"], None),
        ({"body": {"content": "eA==", "encoded": "BASE64"}}, ["x"], None),
        ({"body": {"content": '{"a": 1}', "encoded": "json"}}, ["{", '  "a": 1', "}"], None),
        (
            {"body": {"content": "eA==", "contentType": "x/y", "contentTypeHint": "TEXT", "encoded": True}},
            ["x"],
            "x/y",
        ),
        ({"body": {"content": "x", "other": 1}}, ["{", '  "content": "x",', '  "other": 1', "}"], None),
        ({"body": {"contentType": "x"}}, ["{", '  "contentType": "x"', "}"], None),
    ],
)
def test_a_body_is_found_and_decoded(part, lines, media_type):
    (shown,) = parts_of({"request": part})
    assert (shown.body and [line.text for line in shown.body], shown.body_type) == (lines, media_type)


def test_a_body_has_its_notes_on_the_first_line():
    rules = {"$.body": {"match": "type"}, "$.body[0]": {"match": "integer"}, "$.body[*]": {"match": "integer"}}
    part = parts_of({"request": {"body": [1, 2], "matchingRules": rules}})[0]
    assert [(line.text, line.notes) for line in part.body or ()] == [
        ("[", ("any value of this type",)),
        ("  1,", ("any integer",)),
        ("  2", ("any integer",)),
        ("]", ()),
    ]
    part = parts_of({"request": {"body": "a\nb", "matchingRules": {"$.body": {"match": "type"}}}})[0]
    assert [(line.text, line.notes) for line in part.body or ()] == [("a", ("any value of this type",)), ("b", ())]


@pytest.mark.parametrize(
    ("length", "is_truncated", "shown"), [(3998, False, 3998), (4000, False, 4000), (4001, True, 4000)]
)
def test_a_long_text_is_cut(length, is_truncated, shown):
    (part,) = parts_of({"request": {"body": "x" * length}})
    assert (part.is_truncated, [len(line.text) for line in part.body or ()]) == (is_truncated, [shown])
    # Within JSON with its quotes, and with an ellipsis.
    (part,) = parts_of({"request": {"body": ["x" * (length - 2)]}})
    line = [*(part.body or ())][1].text.strip()
    assert (len(line), line.endswith("…")) == ((4001, True) if is_truncated else (length, False))


@pytest.mark.parametrize(("count", "is_truncated"), [(1498, False), (1499, True)])
def test_a_body_of_too_many_lines_is_cut(count, is_truncated):
    (part,) = parts_of({"request": {"body": [0] * count}})
    assert (part.is_truncated, len(part.body or ())) == (is_truncated, 1500)


@pytest.mark.parametrize(
    ("size", "last"), [(1, "0000  00" + " " * 23 + "."), (256, "00f8  " + "00 " * 8 + " " + "." * 8), (257, "…")]
)
def test_the_first_256_bytes_of_a_binary_body_are_shown(size, last):
    lines = body_of(encoded(bytes(size)))
    assert lines[0] == ("1 byte, binary" if size == 1 else f"{size} bytes, binary")
    assert (len(lines), lines[-1]) == (1 + min(33, -(-size // 8)), last)


@pytest.mark.parametrize(("byte", "letter"), [(0x1F, "."), (0x20, " "), (0x7E, "~"), (0x7F, "."), (0x80, ".")])
def test_printable_bytes_are_shown_as_letters(byte, letter):
    assert body_of(encoded(bytes([0, byte])))[1] == f"0000  00 {byte:02x}{' ' * 18}  .{letter}"


def test_the_source_is_indented_json():
    item = {"b": [1, {"a": []}, "é"], "a": {"x": None, "y": {}}}
    (interaction,) = read(item)
    assert interaction.source == json.dumps(item, indent=2, ensure_ascii=False)
    assert (interaction.has("É"), interaction.has('"X": NULL'), interaction.has("z")) == (True, True, False)
    others: tuple[object, ...] = (7, "a", None, [])
    assert [read(other)[0].source for other in others] == ["7", "a", "null", "[]"]


def test_equal_interactions_have_ids_of_their_own_and_one_digest():
    items = {"interactions": [{"a": 1}, {"_id": "x", "a": 1}, {"a": 1, "_id": 7}], "messages": [{"a": 1}, {"a": 2}]}
    shown = read_interactions(documents.parse_document(json.dumps(items).encode())) or []
    first, *others, last = shown
    assert [interaction.id for interaction in others] == [f"{first.id}-{number}" for number in (2, 3, 4)]
    assert {interaction.digest for interaction in shown[:-1]} == {first.id}
    assert len(first.id) == 13
    assert last.digest == last.id != first.id
    assert [interaction.broker_id for interaction in shown] == [None, "x", None, None, None]
    assert all("_id" not in interaction.source for interaction in shown)


def test_a_pact_without_lists_has_no_interactions_to_read():
    assert read_interactions(documents.parse_document(b'{"interactions": {}, "messages": null}')) is None
    assert read_interactions(documents.parse_document(b'{"messages": []}')) == []


# Changes between two pacts


def changed(number, **more):
    return {"description": f"i{number}", "request": {"path": f"/{number}"}, **more}


def test_changes_are_in_the_order_of_the_new_pact_and_removals_at_the_end():
    before = read(*(changed(number) for number in (1, 2, 3)))
    after = read(changed(4), changed(2), changed(1, response={}))
    changes = diff_interactions(before, after)
    assert [(change.description, change.kind.name) for change in changes.shown] == [
        ("i4", "NEW"),
        ("i1", "CHANGED"),
        ("i3", "GONE"),
    ]
    assert (changes.total, {kind.name: count for kind, count in changes.counts.items()}) == (
        3,
        {"NEW": 1, "CHANGED": 1, "GONE": 1},
    )
    for offset, limit in ((0, 1), (1, 1), (2, 5), (1, None), (0, 0)):
        page = diff_interactions(before, after, offset=offset, limit=limit)
        assert page.shown == changes.shown[offset:][:limit]
        assert page.total == 3


def test_interactions_with_the_same_name_are_compared_in_their_order():
    states = [{"providerState": "a"}, {"providerState": "b"}]
    before = read(*({"description": "d", **state, "response": 1} for state in states), changed(1), changed(1))
    after = read(*({"description": "d", **state, "response": 2} for state in reversed(states)), changed(1))
    shown = diff_interactions(before, after).shown
    assert [(change.kind.name, change.states) for change in shown] == [
        ("CHANGED", ("b",)),
        ("CHANGED", ("a",)),
        ("GONE", ()),
    ]


def test_changed_lines_are_aligned_and_those_far_from_them_left_out():
    before, after = ({"description": "d", "body": [*range(9), *change, *range(20, 29)]} for change in ([9, 9], [10]))
    (change,) = diff_interactions(read(before), read(after)).shown
    assert [(row.old, row.new) for row in change.rows] == [
        (None, None),
        *((f"    {number},",) * 2 for number in (6, 7, 8)),
        ("    9,", "    10,"),
        ("    9,", None),
        *((f"    {number},",) * 2 for number in (20, 21, 22)),
        (None, None),
    ]


@pytest.mark.parametrize(("before", "after", "side"), [([], [changed(1)], "new"), ([changed(1)], [], "old")])
def test_new_and_removed_interactions_are_shown_completely(before, after, side):
    (change,) = diff_interactions(read(*before), read(*after)).shown
    lines = json.dumps(changed(1), indent=2).splitlines()
    assert [(row.old, row.new) for row in change.rows] == [
        (None, line) if side == "new" else (line, None) for line in lines
    ]


@pytest.mark.parametrize(
    ("pair", "is_gap", "is_same"),
    [
        ((None, None, 3), True, True),
        (("a", None), False, False),
        ((None, "a"), False, False),
        (("a", "a"), False, True),
    ],
)
def test_a_gap_has_no_line_on_either_side(pair, is_gap, is_same):
    lines = LinePair(*pair)
    assert (lines.is_gap, lines.is_same) == (is_gap, is_same)


def test_an_empty_binary_body_has_no_bytes():
    assert body_of(encoded(b"")) == [""]
    assert body_of(encoded(b"\x00")) == ["1 byte, binary", f"0000  00{' ' * 23}."]


def test_names_of_members_are_shown_as_they_are():
    (interaction,) = read({"größe": {"ß": "é"}, "response": {"body": {"ß": "é"}}})
    assert '"größe": {' in interaction.source
    assert '"ß": "é"' in interaction.source
    assert [line.text for line in interaction.parts[0].body or ()] == ["{", '  "ß": "é"', "}"]


@pytest.mark.parametrize(
    ("generator", "words"),
    [
        ({"type": "Uuid"}, "generated: a UUID"),
        ({"type": "RandomInt", "min": 1, "max": 9}, "generated: a random integer from 1 to 9"),
        ({"type": "Date", "format": "yyyy"}, "generated: the date yyyy"),
        ({"type": "Unknown", "x": 1}, 'generated: {"type":"Unknown","x":1}'),
        ({"type": 7}, 'generated: {"type":7}'),
        ("Uuid", "generated: Uuid"),
    ],
)
def test_generators_are_described_in_words(generator, words):
    (interaction,) = read(response({"a": 1}, {}, generators={"body": {"$.a": generator}}))
    assert [line.notes for line in interaction.parts[1].body or () if line.notes] == [(words,)]
