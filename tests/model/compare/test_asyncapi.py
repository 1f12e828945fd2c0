"""Messages of pacts beside AsyncAPI documents: a case for each rule, with its findings."""

from dataclasses import replace

import pytest

from tests.model.compare.asyncapi_cases import (
    ANSWERS,
    CASES,
    OPENAPI,
    REQUEST,
    STRICT,
    Json,
    codes,
    compared,
    document,
    exchange,
    http,
    message,
    part,
    set_message,
    set_reply,
    summary,
)
from treaty.model.compare.documents import Document, UnusableDocument
from treaty.model.compare.engine import CompiledDocument, compare
from treaty.model.compare.findings import ABSENT
from treaty.model.compare.profiles import Profile


@pytest.mark.parametrize("rule", CASES)
def test_a_message_has_the_findings_of_the_rule(rule: str) -> None:
    change, interaction, expected = CASES[rule]
    assert [summary(finding) for finding in compared([interaction], document(change)).findings] == expected


def test_a1_without_any_document_messages_and_requests_have_none_to_fit() -> None:
    assert codes(compared([message(), exchange(part({})), http()])) == [
        "message.spec.missing",
        "message.spec.missing",
        "request.spec.missing",
    ]


def test_a13_interactions_without_a_document_of_their_kind_are_not_compared() -> None:
    openapi = Document("api.yaml", "oas", OPENAPI)
    only_messages = compared([http(), message()], document())
    assert codes(only_messages) == ["message.matched"]
    assert (only_messages.compared, only_messages.interactions) == (1, 2)
    only_requests = compared([http(), message()], openapi)
    assert codes(only_requests) == ["request.path-or-method.unknown"]
    assert codes(compared([http(), message()], openapi, document())) == [
        "request.path-or-method.unknown",
        "message.matched",
    ]


def test_an_interaction_that_fits_only_by_a_warning_is_not_counted_as_compared() -> None:
    comparison = compared([message(contents={"content": "x", "contentType": "text/plain"}), message()], document())
    assert (comparison.compared, comparison.interactions, comparison.is_compatible) == (1, 2, True)


def test_an_operation_is_found_in_any_of_several_documents() -> None:
    other = document(lambda content: content.update(operations={"ship": {"messages": [{}]}}))
    assert codes(compared([message(), message(operation="ship")], other, document())) == [
        "message.matched",
        "message.payload.unknown",
        "message.matched",
    ]


@pytest.mark.parametrize("name", STRICT)
def test_the_strict_profile_follows_asyncapi_where_the_reference_does_not(name: str) -> None:
    change, interaction, expected = STRICT[name]
    assert codes(compared([interaction], document(change), profile=Profile.STRICT)) == expected
    assert codes(compared([interaction], document(change))) != expected


@pytest.mark.parametrize(("content", "code"), [({"id": "1"}, "message.matched"), ({"id": 1}, "message.no.match")])
def test_messages_of_pacts_of_version_3_are_compared_by_strict_only(content: Json, code: str) -> None:
    comments = {"references": {"AsyncAPI": {"operationId": "place"}}}
    pact = {
        "messages": [{"description": "m", "contents": content, "metaData": {"trace": "1"}, "comments": comments}],
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }
    findings = compare(pact, [document()], Profile.STRICT).findings
    assert [finding.code for finding in findings] == [code]
    assert all(cause.pact and cause.pact.location == "[root].messages[0].contents.id" for cause in findings[0].causes)
    assert compare(pact, [document()], Profile.REFERENCE).findings == ()


def test_recursive_payloads_are_compared_at_every_level() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#/components/schemas/tree"}}}
    recursive = document(
        lambda content: (
            content.update(components={"schemas": {"tree": tree}}),
            set_message(payload={"$ref": "#/components/schemas/tree"})(content),
        )
    )
    assert codes(compared([message({"child": {"child": {"child": {}}}})], recursive)) == ["message.matched"]
    assert codes(compared([message({"child": {"child": {"child": 1}}})], recursive)) == ["message.no.match"]


@pytest.mark.parametrize("version", ["2.6.0", "4.0.0", "3", "", 3, None])
def test_documents_of_other_versions_cannot_be_compared(version: Json) -> None:
    with pytest.raises(UnusableDocument, match="is not an AsyncAPI document of version 3"):
        compared([message()], document(lambda content: content.update(asyncapi=version)))


def test_an_unknown_operation_is_one_that_the_first_document_lacks() -> None:
    names = [f"o{number}" for number in range(21)]
    first = document(lambda content: content.update(operations={name: {} for name in names}))
    documents = [replace(first, name="first"), document(lambda content: content.update(operations={"other": {}}))]
    (finding,) = compared([message()], *documents).findings
    assert finding.document
    assert (finding.code, finding.document.name) == ("message.operation.unknown", "first")
    assert finding.message.endswith("it has " + ", ".join(f"o{number}" for number in range(19)) + " or o19.")


@pytest.mark.parametrize(
    ("comments", "reason", "value"),
    [
        ({}, "is missing", ABSENT),
        ({"references": {"AsyncAPI": {}}}, "is missing", ABSENT),
        ({"references": {"AsyncAPI": {"operationId": ""}}}, "is not complete", {"operationId": ""}),
        ({"references": {"AsyncAPI": {"operationId": 1}}}, "is not complete", {"operationId": 1}),
    ],
)
def test_a_message_without_an_operation_is_explained(comments: Json, reason: str, value: Json) -> None:
    other = replace(document(), name="other")
    (finding,) = compared([message(comments=comments)], document(), other).findings
    assert finding.document
    assert finding.pact
    assert (finding.code, finding.document.name) == ("message.references.missing", "orders.yaml")
    assert reason in finding.message
    assert finding.pact.value == value


def test_only_the_profile_of_the_first_document_decides_about_messages_of_version_3() -> None:
    pact = {
        "messages": [{"description": "m", "contents": {"id": "1"}, "comments": message()["comments"]}],
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }
    documents = [CompiledDocument(document(), profile) for profile in (Profile.REFERENCE, Profile.STRICT)]
    assert compare(pact, documents).findings == ()
    assert [finding.code for finding in compare(pact, documents[::-1]).findings] == ["message.matched"]


@pytest.mark.parametrize(
    ("reply", "reference", "strict"),
    [
        # Only the strict profile follows a reference to a reply, and finds the messages of its channel.
        ({"$ref": "#/components/replies/r"}, ["message.matched", "message.reply.missing"], ["message.matched"] * 2),
        (ANSWERS, ["message.matched", "message.reply.missing"], ["message.matched"] * 2),
        ({"messages": []}, ["message.matched", "message.reply.missing"], ["message.matched", "message.reply.missing"]),
        (
            {"messages": [{"$ref": "#/nowhere"}]},
            ["message.matched", "message.no.match"],
            ["message.matched", "message.no.match"],
        ),
    ],
)
def test_a_reply_has_the_messages_that_it_lists_or_those_of_its_channel(
    reply: Json, reference: list[str], strict: list[str]
) -> None:
    changed = document(set_reply(reply, replies={"r": ANSWERS}))
    interaction = exchange(REQUEST, part({"number": 1}))
    assert codes(compared([interaction], changed)) == reference
    assert codes(compared([interaction], changed, profile=Profile.STRICT)) == strict


@pytest.mark.parametrize(("response", "value"), [({}, []), ({"response": []}, []), ({"response": {"a": 1}}, {"a": 1})])
def test_an_exchange_without_a_response_is_compared_in_part(response: Json, value: Json) -> None:
    interaction = exchange(REQUEST)
    del interaction["response"]
    *_, finding = compared([interaction | response], document()).findings
    assert finding.pact
    assert (finding.code, finding.pact.value) == ("message.response.missing", value)


@pytest.mark.parametrize(
    ("own", "default", "code"),
    [
        (None, None, "message.matched"),
        ("text/plain", None, "message.payload.unvalidatable"),
        (None, "text/plain", "message.payload.unvalidatable"),
        ("application/json", "text/plain", "message.matched"),
        ("text/plain", "application/json", "message.payload.unvalidatable"),
    ],
)
def test_the_content_type_of_a_message_is_its_own_or_that_of_the_document(
    own: str | None, default: str | None, code: str
) -> None:
    def change(content: Json) -> None:
        content["defaultContentType"] = default
        content["channels"]["orders"]["messages"]["placed"]["contentType"] = own

    interaction = message() | part({"id": "1"}, None)
    assert codes(compared([interaction], document(change), profile=Profile.STRICT))[0] == code


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (None, "message.payload.unknown"),
        (False, "message.payload.unknown"),
        ({"$ref": "#/nowhere"}, "message.payload.unknown"),
        (True, "message.matched"),
        ({}, "message.matched"),
    ],
)
def test_a_payload_has_a_schema(payload: Json, code: str) -> None:
    assert codes(compared([message()], document(set_message(payload=payload))))[0] == code
