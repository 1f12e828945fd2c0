"""Merging two pacts of one consumer and provider, and upgrading them to one version of the specification."""

import json
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treaty.exact_json import serialize
from treaty.model.pacts.content import build_content
from treaty.model.pacts.documents import Document, parse_document
from treaty.model.pacts.merging import (
    MAX_DIFF_LINES,
    MergeConflict,
    describe_interaction,
    describe_states,
    merge_documents,
    unite_metadata,
)


def http(description: str = "a", path: str = "/", status: int = 200, **more: object) -> dict[str, Any]:
    return {"description": description, "request": {"path": path}, "response": {"status": status}, **more}


def pact(*interactions: object, version: object = None, **more: object) -> dict[str, Any]:
    metadata = {} if version is None else {"metadata": {"pactSpecification": {"version": version}}}
    return {"interactions": list(interactions), **metadata, **more}


def messages(*items: object, version: object = "3.0.0", **more: object) -> dict[str, Any]:
    return {"messages": list(items), "metadata": {"pactSpecification": {"version": version}}, **more}


def merge(*pacts: object, is_newer: bool = True) -> Any:
    documents = [parse_document(json.dumps(pact).encode()) for pact in pacts]
    merged = documents[0]
    for document in documents[1:]:
        merged = merge_documents(merged, document, is_newer=is_newer)
    return dict(merged.tree)


def conflict(*pacts: object, is_newer: bool = True) -> MergeConflict:
    with pytest.raises(MergeConflict) as raised:
        merge(*pacts, is_newer=is_newer)
    return raised.value


def test_a_newer_response_replaces_the_older_one_and_other_interactions_are_added() -> None:
    old = [http("a", status=200), http("b")]
    new = [http("a", status=404), http("a", providerState="s")]
    assert merge(pact(*old, x=0), pact(*new, x=1, y=2)) == pact(new[0], old[1], new[1], x=0, y=2)


@pytest.mark.parametrize("part", ["method", "path", "query", "body", "headers"])
def test_another_request_under_the_same_name_is_a_contradiction(part: str) -> None:
    old, new = (pact({"description": "a", "request": {part: value}, "providerState": "s"}) for value in ("1", "2"))
    contradiction = conflict(old, new)
    assert str(contradiction) == 'the interaction "a" (provider state "s") has a different request in each'
    assert [line.strip() for line in contradiction.difference.splitlines() if line[0] in "+-"] == [
        f'-    "{part}": "1"',
        f'+    "{part}": "2"',
    ]


def test_a_member_that_only_one_request_has_is_part_of_the_difference() -> None:
    contradiction = conflict(pact(http()), pact({**http(), "request": {"path": "/", "body": 1.10}}))
    assert '+    "body": 1.1,' in contradiction.difference


def test_rules_of_a_request_concern_the_consumer_only_so_that_the_newer_ones_replace_them() -> None:
    new = {**http(), "request": {"path": "/", "matchingRules": {"$.path": {"match": "regex", "regex": "/.*"}}}}
    assert merge(pact(http()), pact(new)) == pact(new)


@pytest.mark.parametrize(
    "states",
    [
        ({"providerState": "s"}, {"providerStates": [{"name": "s"}]}),
        ({"provider_state": "s"}, {"providerStates": [{"name": "s", "params": {}}]}),
        ({}, {"providerStates": []}),
    ],
)
def test_provider_states_are_the_same_in_every_spelling(states: tuple[dict[str, object], dict[str, object]]) -> None:
    old, new = ({**http(), **state} for state in states)
    newer = {**new, "response": {"status": 404}}
    assert merge(pact(old), pact(newer)) == pact(newer)


def test_interactions_of_different_types_are_different_ones() -> None:
    event = {"type": "Asynchronous/Messages", "description": "a", "contents": {"content": 1}}
    request = http(type="Synchronous/HTTP")
    assert merge(pact(request, version="4.0"), pact(event, version="4.0"))["interactions"] == [request, event]


def test_interactions_of_one_pact_may_share_a_name_and_none_of_them_is_lost() -> None:
    pair = [http(path="/1"), http(path="/2")]
    changed = [http(path="/2", status=500), http(path="/1")]
    assert merge(pact(*pair), pact(http("b"))) == pact(*pair, http("b"))
    assert merge(pact(*pair), pact(*changed)) == pact(pair[0], changed[0])
    assert merge(pact(pair[0]), pact(*pair)) == merge(pact(*pair), pact(pair[0])) == pact(*pair)
    conflict(pact(*pair), pact(http(path="/3")))


def test_ids_do_not_count() -> None:
    assert merge(pact(http(_id="x")), pact(http(_id="y"), http())) == pact(http(_id="x"))


def test_of_two_files_neither_is_newer() -> None:
    contradiction = conflict(pact(http(providerState="s")), pact(http(status=500, providerState="s")), is_newer=False)
    assert str(contradiction) == 'the interaction "a" (provider state "s") has a different response in each'
    assert merge(pact(http()), pact(http(status=500), http()), is_newer=False) == pact(http(), http(status=500))


# Messages


def test_messages_are_merged_like_interactions() -> None:
    first, second, third = (
        {"description": "a", "providerStates": [{"name": name}], "contents": name} for name in "xyz"
    )
    newer = {**first, "contents": "newer"}
    assert merge(messages(first, second), messages(newer, third)) == messages(newer, second, third)


def test_interactions_and_messages_are_united_in_version_4_which_has_one_list_for_both() -> None:
    event = {
        "description": "an event",
        "providerStates": [{"name": "s"}],
        "contents": {"id": 1.10},
        "metaData": {"contentType": "application/json"},
        "matchingRules": {"body": {"$.id": {"matchers": [{"match": "type"}]}}},
    }
    merged = merge(pact(http(), version="3.0.0"), messages(event))
    assert merged["interactions"][1] == {
        "type": "Asynchronous/Messages",
        "description": "an event",
        "providerStates": [{"name": "s"}],
        "matchingRules": event["matchingRules"],
        "contents": {"contentType": "application/json", "encoded": False, "content": {"id": 1.1}},
        "metadata": {"contentType": "application/json"},
    }
    assert merged["interactions"][0]["type"] == "Synchronous/HTTP"
    assert merged["metadata"] == {"pactSpecification": {"version": "4.0"}}
    assert "messages" not in merged


@pytest.mark.parametrize(("old", "new"), [(pact(http(), version="3.0.0"), messages()), (messages(), pact(http()))])
def test_an_empty_list_of_the_other_kind_adds_nothing(old: Any, new: Any) -> None:
    old, new = ({**document, "metadata": {"pactSpecification": {"version": "3.0.0"}}} for document in (old, new))
    assert merge(old, new) == pact(http(), version="3.0.0")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ({}, pact(), "one of them has neither interactions nor messages"),
        (pact(), {"interactions": None}, "one of them has neither interactions nor messages"),
        (pact(), {"interactions": {}}, "in one of them, the interactions or the messages are not a list"),
        (
            pact(http()),
            messages({}),
            "one has interactions, the other messages, and not both declare a specification",
        ),
        (pact(version="5.0"), pact(version="4.0"), "the specification version 5.0 is unknown"),
    ],
)
def test_pacts_that_cannot_be_merged_are_refused_with_the_reason(old: Any, new: Any, reason: str) -> None:
    assert str(conflict(old, new)) == reason


# Metadata and plugins


def test_metadata_is_united_and_the_existing_value_stays() -> None:
    old, new = ({"client": {"name": "x", "version": 1}}, {"client": {"version": 2, "os": "y"}, "more": [1]})
    merged = merge(pact(metadata=old), pact(metadata=new))
    assert merged["metadata"] == {"client": {"name": "x", "version": 1, "os": "y"}, "more": [1]}


def plugin(version: str, **configuration: object) -> dict[str, object]:
    return {"name": "protobuf", "version": version, "configuration": configuration}


def with_plugins(*plugins: object) -> dict[str, Any]:
    return pact(metadata={"plugins": list(plugins)})


def test_plugins_are_united_by_name_and_version() -> None:
    merged = merge(with_plugins(plugin("1", a={"x": 1})), with_plugins(plugin("2", a=2), plugin("1", b=3)))
    assert merged["metadata"]["plugins"] == [plugin("1", a={"x": 1}, b=3), plugin("2", a=2)]
    assert merge(pact(), with_plugins(plugin("1")))["metadata"]["plugins"] == [plugin("1")]


def test_plugins_that_need_two_things_at_one_place_are_a_contradiction() -> None:
    contradiction = conflict(with_plugins(plugin("1", a={"x": 1})), with_plugins(plugin("1", a={"x": 2})))
    assert str(contradiction) == "the plugin protobuf 1 has a different configuration.a.x in each"


# Versions of the specification


def upgraded(interaction: object, old: object, new: object) -> Any:
    return merge(pact(interaction, version=old), pact(version=new))["interactions"][0]


def test_the_earlier_version_is_upgraded_to_the_later_one_in_either_order() -> None:
    old = pact(http("old", providerState="s"), version="2.0.0")
    new = pact(http("new", type="Synchronous/HTTP"), version="4.0")
    for merged in (merge(old, new), merge(new, old)):
        assert sorted(interaction["description"] for interaction in merged["interactions"]) == ["new", "old"]
        assert {interaction["type"] for interaction in merged["interactions"]} == {"Synchronous/HTTP"}
        assert merged["metadata"] == {"pactSpecification": {"version": "4.0"}}


@pytest.mark.parametrize("spelling", ["pact-specification", "pactSpecificationVersion"])
def test_older_spellings_of_the_version_do_not_stay_beside_the_new_one(spelling: str) -> None:
    metadata = {spelling: "1.0.0" if "Version" in spelling else {"version": "1.0.0"}, "client": "x"}
    merged = merge(pact(http(), metadata=metadata), pact(version="3.0.0"))
    assert merged["metadata"] == {"pactSpecification": {"version": "3.0.0"}, "client": "x"}


def test_versions_that_differ_in_their_spelling_only_need_no_upgrade() -> None:
    assert merge(pact(http(providerState="s"), version="2.0.0"), pact(version=2)) == pact(
        http(providerState="s"), version="2.0.0"
    )


def test_an_undeclared_version_is_upgraded_only_where_version_4_needs_it() -> None:
    assert merge(pact(http()), pact(http("b"), version="2.0.0")) == pact(http(), http("b"), version="2.0.0")
    assert merge(pact(http()), pact(version="4.0"))["interactions"] == [http(type="Synchronous/HTTP")]
    old = {**http(), "request": {"path": "/", "query": "a=1"}}
    assert merge(pact(old), pact(version="3.0.0"))["interactions"] == [old]


QUERIES = [
    ("a=1&b=x+y&a=3%20z", {"a": ["1", "3 z"], "b": ["x y"]}),
    ("a=", {"a": [""]}),
    ({"a": ["1"]}, {"a": ["1"]}),
]


@pytest.mark.parametrize(("query", "parsed"), QUERIES)
def test_a_query_becomes_an_object(query: object, parsed: object) -> None:
    interaction = {**http(), "request": {"path": "/", "query": query}}
    assert upgraded(interaction, "2.0.0", "3.0.0")["request"]["query"] == parsed


RULES = [
    ("$.body", "body", "$"),
    ("$.body.id", "body", "$.id"),
    ("$.body[0]['a b']", "body", "$[0]['a b']"),
    ("$['body']['id']", "body", "$['id']"),
    ("$.headers.X-Id", "header", "X-Id"),
    ("$.header['X-Id']", "header", "X-Id"),
    ("$.query.q", "query", "q"),
    ("$.query.q[0]", "query", "q"),
    ("$.path", "path", None),
]


@pytest.mark.parametrize(("path", "category", "name"), RULES)
def test_matching_rules_are_sorted_into_categories(path: str, category: str, name: str | None) -> None:
    request = {"path": "/", "query": "q=1", "matchingRules": {path: {"match": "type"}}}
    rules = upgraded({**http(), "request": request}, "2.0.0", "3.0.0")["request"]["matchingRules"]
    matchers = {"matchers": [{"match": "type"}], "combine": "AND"}
    assert rules == {category: matchers if name is None else {name: matchers}}


@pytest.mark.parametrize(
    ("rule", "matcher"),
    [
        ({"regex": "a"}, {"match": "regex", "regex": "a"}),
        ({"min": 2}, {"match": "type", "min": 2}),
        ({"match": "date", "date": "yyyy"}, {"match": "date", "date": "yyyy"}),
    ],
)
def test_the_kind_of_a_rule_is_named(rule: object, matcher: object) -> None:
    response = {"status": 200, "body": {}, "matchingRules": {"$.body.a": rule}}
    rules = upgraded({**http(), "response": response}, "2.0.0", "3.0.0")["response"]["matchingRules"]
    assert rules["body"]["$.a"]["matchers"] == [matcher]


BODIES = [
    ({"a": 1}, None, {"encoded": False, "content": {"a": 1}}),
    ([1], "application/json", {"contentType": "application/json", "encoded": False, "content": [1]}),
    ("text", "text/plain", {"contentType": "text/plain", "encoded": False, "content": "text"}),
    ("not JSON", "application/json", {"contentType": "application/json", "encoded": False, "content": "not JSON"}),
    ("<a/>", "application/soap+xml; charset=x", {"contentType": "application/soap+xml; charset=x"}),
    ("", "image/png", {"contentType": "image/png", "encoded": False, "content": ""}),
    (None, "application/json", None),
    ([1], ["application/json", "text/plain"], {"contentType": "application/json"}),
]


@pytest.mark.parametrize(("body", "content_type", "envelope"), BODIES)
def test_a_body_gets_an_envelope(body: object, content_type: object, envelope: dict[str, object] | None) -> None:
    headers = {"headers": {"content-type": content_type}} if content_type else {}
    response = upgraded({**http(), "response": {"body": body, **headers}}, "3.0.0", "4.0")["response"]
    assert response["body"] == ({"encoded": False, "content": body, **envelope} if envelope else None)
    assert response.get("headers", {}) == headers.get("headers", {})


LOSSES = [
    ({"request": {"query": "flag"}}, "its query has a parameter without a value"),
    ({"request": {"query": "a=%ff"}}, "its query is not UTF-8"),
    ({"providerState": 5}, "its provider state is not a text"),
    ({"request": "GET"}, "its request is not an object"),
    (
        {"request": {"query": "q=1&q=2", "matchingRules": {"$.query.q[1]": {"match": "type"}}}},
        "later versions have no counterpart of the matching rule $.query.q[1] of its request",
    ),
    (
        {"request": {"query": {"q": []}, "matchingRules": {"$.query.q[0]": {"match": "type"}}}},
        "later versions have no counterpart of the matching rule $.query.q[0] of its request",
    ),
    (
        {"response": {"matchingRules": {"$.status": {"match": "type"}}}},
        "later versions have no counterpart of the matching rule $.status of its response",
    ),
    (
        {"response": {"matchingRules": {"$.cookies.a": {"match": "type"}}}},
        "later versions have no counterpart of the matching rule $.cookies.a of its response",
    ),
    (
        {"response": {"matchingRules": {"$.body": {"strange": 1}}}},
        "later versions have no counterpart of the matching rule $.body of its response",
    ),
    (
        {"response": {"body": "aGk=", "headers": {"Content-Type": "image/png"}}},
        "its response body is a text of the type image/png, which the versions read differently",
    ),
    (
        {"request": {"body": '{"a":1}', "headers": {"Content-Type": "application/json"}}},
        "its request body is a text of the type application/json, which the versions read differently",
    ),
]


@pytest.mark.parametrize(("parts", "reason"), LOSSES)
def test_versions_are_not_mixed_where_something_would_be_lost(parts: dict[str, object], reason: str) -> None:
    contradiction = conflict(pact({**http(), **parts}, version="2.0.0"), pact(version="4.0"))
    assert str(contradiction).endswith(
        f"cannot be upgraded from specification version 2.0.0 to 4.0 without a loss: {reason}"
    )


# Nothing is lost


NAMES = st.sampled_from("ab")
DRAFTS = st.lists(
    st.builds(
        lambda name, state, status, is_new: http(name, f"/{name}/{state}", status, providerState=state, is_new=is_new),
        NAMES,
        NAMES,
        st.sampled_from([200, 404]),
        st.booleans(),
    ),
    max_size=3,
)


@given(st.lists(DRAFTS, min_size=2, max_size=3))
def test_parts_end_in_the_same_content_in_any_order_unless_they_differ_in_a_response(
    parts: Sequence[Sequence[dict[str, Any]]],
) -> None:
    # Each part has an interaction once, and all parts agree on it.
    agreed: dict[tuple[str, str], dict[str, Any]] = {}
    unique = [
        {(interaction["description"], interaction["providerState"]): interaction for interaction in part}
        for part in parts
    ]
    agreed_parts = [[agreed.setdefault(key, interaction) for key, interaction in part.items()] for part in unique]
    shas = {
        build_content(parse_document(json.dumps(merge(*map(pact_of, order))).encode())).sha
        for order in permutations(agreed_parts)
    }
    assert shas == {build_content(parse_document(json.dumps(pact(*agreed.values(), version="2.0.0")).encode())).sha}


def pact_of(interactions: Sequence[object]) -> dict[str, Any]:
    return pact(*interactions, version="2.0.0")


@given(st.lists(DRAFTS, min_size=2, max_size=2))
def test_merging_again_changes_nothing(parts: Sequence[Sequence[dict[str, Any]]]) -> None:
    old, new = map(pact_of, parts)
    try:
        once = merge(old, new)
    except MergeConflict:
        return
    assert merge(once, new) == once


@pytest.mark.parametrize("number", ["1.10", "1e2", "1e400", "-0", "1234567890123456789012345678901", "9" * 5000])
@pytest.mark.parametrize("version", ["2.0.0", "4.0"])
def test_numbers_are_kept_character_for_character(number: str, version: str) -> None:
    def document(description: str, literal: str, version: str) -> Document:
        text = json.dumps(pact({"description": description, "response": {"body": {"n": "N"}}}, version=version))
        return parse_document(text.replace('"N"', literal).encode())

    old, new = document("a", number, "2.0.0"), document("b", "1.50", version)
    written = serialize(merge_documents(old, new, is_newer=True).tree)
    assert f'"n":{number}' in written
    assert '"n":1.50' in written


# Differences that a conflict shows


def test_a_difference_begins_with_its_first_line() -> None:
    old, new = ({"description": "a", "request": value, "providerState": "s"} for value in ("1", "2"))
    assert conflict(pact(old), pact(new)).difference.splitlines() == [
        " {",
        '   "description": "a",',
        '   "providerState": "s",',
        '-  "request": "1"',
        '+  "request": "2"',
        " }",
    ]


@pytest.mark.parametrize(("counts", "lines"), [((47, 47), 99), ((47, 48), 100), ((48, 48), 101), ((60, 60), 101)])
def test_a_long_difference_ends_with_an_ellipsis(counts: tuple[int, int], lines: int) -> None:
    old, new = (
        {"description": "a", "request": [value] * count, "providerState": "s"} for value, count in enumerate(counts)
    )
    difference = conflict(pact(old), pact(new)).difference.splitlines()
    assert len(difference) == lines
    assert (difference[-1] == "…") is (lines > MAX_DIFF_LINES)


def test_only_the_beginning_of_very_long_interactions_is_compared() -> None:
    old, new = ({"description": "a", "request": [*range(450), value], "providerState": "s"} for value in (1, 2))
    assert conflict(pact(old), pact(new)).difference == ""


@pytest.mark.parametrize(
    ("interaction", "text"),
    [
        ({"description": "a"}, 'the interaction "a"'),
        ({"description": 7}, "the interaction 7"),
        ({}, "the interaction null"),
        (7, "an interaction that is not an object"),
        ({"description": "a", "providerState": "s"}, 'the interaction "a" (provider state "s")'),
        ({"description": "a", "providerStates": [{"name": "s"}]}, 'the interaction "a" (provider state "s")'),
        (
            {"description": "a", "providerStates": [{"name": "s"}, "t"]},
            'the interaction "a" (provider states "s", "t")',
        ),
        ({"description": "a", "providerStates": []}, 'the interaction "a"'),
        ({"description": "a", "providerStates": [{}]}, 'the interaction "a" (provider state null)'),
    ],
)
def test_an_interaction_is_named_by_its_description_and_states(interaction: Any, text: str) -> None:
    assert describe_interaction(interaction) == text


def test_interactions_that_are_not_objects_are_merged_by_their_json() -> None:
    assert merge(pact("a", 7), pact(7, "b")) == pact("a", 7, "b")


@pytest.mark.parametrize("description", [7, None, ["a"]])
def test_descriptions_of_any_type_identify_interactions(description: object) -> None:
    old, new = http(description=description), http(description=description, status=404)  # type: ignore[arg-type]  # as in a faulty pact
    assert merge(pact(old), pact(new)) == pact(new)
    assert merge(pact(old), pact(http("null"))) == pact(old, http("null"))


def test_interactions_of_a_new_pact_do_not_replace_each_other() -> None:
    new = [http(status=201), http(status=202)]
    assert merge(pact(http("b")), pact(*new)) == pact(http("b"), *new)
    assert merge(pact(http("b")), pact(*new, *new)) == pact(http("b"), *new)
    assert merge(pact(http()), pact(*new)) == pact(*new)


@pytest.mark.parametrize(
    ("versions", "result"),
    [
        ((None, None), None),
        (("2.0.0", None), "2.0.0"),
        ((None, "3.0.0"), "3.0.0"),
        ((None, "4.0"), "4.0"),
        (("4.0", None), "4.0"),
        (("4.0", "4.1"), "4.0"),
        (("4.0", "3.0.0"), "4.0"),
        (("2.0.0", "3.0.0"), "3.0.0"),
    ],
)
def test_the_merged_pact_has_the_later_version(versions: tuple[object, object], result: str | None) -> None:
    old, new = (pact(http(name), version=version) for name, version in zip("ab", versions, strict=True))
    merged = merge(old, new)
    assert merged.get("metadata", {}).get("pactSpecification", {}).get("version") == result


@pytest.mark.parametrize("version", ["0.9", "5.0", "x", "", "-1.0"])
def test_unknown_versions_are_not_mixed(version: str) -> None:
    contradiction = conflict(pact(version=version), pact(version="4.0"))
    assert str(contradiction) == f"the specification version {version} is unknown"
    assert merge(pact(http("a"), version=version), pact(http("b"), version=version))["interactions"][1] == http("b")


def test_interactions_and_messages_of_one_version_4_document_are_one_list_already() -> None:
    event = {"type": "Asynchronous/Messages", "description": "e", "contents": {"content": 1}}
    merged = merge(pact(http(type="Synchronous/HTTP"), version="4.0"), pact(event, version="4.0"))
    assert merged == pact(http(type="Synchronous/HTTP"), event, version="4.0")


def test_documents_that_each_have_both_lists_stay_in_their_version() -> None:
    old = {**messages({"description": "m"}), "interactions": [http("a")]}
    new = {**messages({"description": "n"}), "interactions": [http("b")]}
    assert merge(old, new) == {
        **messages({"description": "m"}, {"description": "n"}),
        "interactions": [http("a"), http("b")],
    }
    assert merge(old, pact(http("b"), version="3.0.0"))["interactions"] == [http("a"), http("b")]
    assert merge(messages({"description": "m"}), new)["messages"] == [{"description": "m"}, {"description": "n"}]


def test_the_plugins_of_one_document_stay_as_they_are() -> None:
    repeated = [plugin("1", a=1), plugin("1", b=2), 7]
    assert merge(with_plugins(*repeated), pact())["metadata"]["plugins"] == repeated
    assert merge(pact(), with_plugins(*repeated))["metadata"]["plugins"] == repeated
    assert merge(with_plugins(*repeated), with_plugins())["metadata"]["plugins"] == [plugin("1", a=1, b=2)]


def test_versions_with_the_same_major_number_need_no_upgrade() -> None:
    merged = merge(pact(http("a"), version="4.0"), pact(http("b"), version="4.1"))
    assert merged == pact(http("a"), http("b"), version="4.0")


@pytest.mark.parametrize("kinds", [("type", "date"), ("date", "type")])
def test_two_different_rules_for_one_name_are_a_loss(kinds: tuple[str, str]) -> None:
    paths = ("$.query.q", "$.query.q[0]")
    rules = {path: {"match": kind} for path, kind in zip(paths, kinds, strict=True)}
    contradiction = conflict(
        pact({**http(), "request": {"query": "q=1", "matchingRules": rules}}, version="2.0.0"), pact(version="3.0.0")
    )
    assert "the matching rule $.query.q[0] of its request" in str(contradiction)
    same = {path: {"match": "type"} for path in paths}
    upgraded_rules = upgraded({**http(), "request": {"query": "q=1", "matchingRules": same}}, "2.0.0", "3.0.0")
    assert list(upgraded_rules["request"]["matchingRules"]["query"]) == ["q"]


@pytest.mark.parametrize("order", [("header", "$.body.a"), ("$.body.a", "header")])
def test_rules_that_are_in_a_category_already_stay(order: tuple[str, str]) -> None:
    rules = {"header": {"X-Id": {"matchers": [{"match": "type"}]}}, "$.body.a": {"match": "type"}}
    response = {"status": 200, "body": {"a": 1}, "matchingRules": {name: rules[name] for name in order}}
    upgraded_rules = upgraded({**http(), "response": response}, "2.0.0", "3.0.0")["response"]["matchingRules"]
    matchers = {"matchers": [{"match": "type"}], "combine": "AND"}
    assert upgraded_rules == {"header": rules["header"], "body": {"$.a": matchers}}


def test_a_newer_interaction_does_not_take_the_place_of_one_that_is_published_again() -> None:
    old = [http(status=200), http(status=201)]
    assert merge(pact(*old), pact(http(status=500), old[0])) == pact(old[0], http(status=500))
    assert merge(pact(*old), pact(http(status=500), old[1])) == pact(http(status=500), old[1])


def test_an_interaction_of_version_3_has_neither_a_type_nor_an_envelope() -> None:
    interaction = {**http(), "response": {"status": 200, "body": {"a": 1}}}
    assert upgraded(interaction, "2.0.0", "3.0.0") == interaction


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ({"providerState": "s"}, "s"),
        ({"providerStates": [{"name": "s"}, {"name": 7}, "t", {}]}, "s, 7, t, null"),
        ({"providerStates": 7}, "7"),
        ({}, ""),
    ],
)
def test_the_states_of_an_interaction_are_named(states: dict[str, object], text: str) -> None:
    assert describe_states(states) == text


@pytest.mark.parametrize("literals", [("1.10", "1"), ("1", "1.10")])
def test_numbers_of_one_pact_are_kept_beside_those_of_a_plain_one(literals: tuple[str, str]) -> None:
    old, new = (
        parse_document(json.dumps(pact({"description": name, "n": "N"})).replace('"N"', literal).encode())
        for name, literal in zip("ab", literals, strict=True)
    )
    merged = merge_documents(old, new, is_newer=True)
    assert not merged.is_plain
    assert all(f'"n":{literal}}}' in build_content(merged).body.decode() for literal in literals)
    united = unite_metadata(old, new)
    assert united.is_plain is (old.is_plain and new.is_plain)


@pytest.mark.parametrize("member", ["a", "x"])
def test_states_differ_in_every_member_but_empty_parameters(member: str) -> None:
    plain = http(providerStates=[{"name": "s"}])
    other = http(providerStates=[{"name": "s", member: 0}], status=404)
    assert merge(pact(plain), pact(other)) == pact(plain, other)
    newer = http(providerStates=[{"name": "s", "params": {}}], status=404)
    assert merge(pact(plain), pact(newer)) == pact(newer)
