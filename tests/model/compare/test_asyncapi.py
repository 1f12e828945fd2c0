"""Messages of pacts beside AsyncAPI documents: a case for each rule, with its findings."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from treaty.model.compare.documents import Document, UnusableDocument
from treaty.model.compare.engine import CompiledDocument, compare
from treaty.model.compare.findings import ABSENT, Comparison, Finding
from treaty.model.compare.profiles import Profile

Json = Any

DOCUMENT: Json = {
    "asyncapi": "3.0.0",
    "info": {"title": "Orders", "version": "1"},
    "channels": {
        "orders": {
            "address": "orders",
            "messages": {
                "placed": {
                    "payload": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
                    "headers": {"type": "object", "properties": {"trace": {"type": "string"}}, "required": ["trace"]},
                },
                "cancelled": {"payload": {"type": "object", "properties": {"reason": {"type": "string"}}}},
            },
        },
        "answers": {
            "address": "answers",
            "messages": {
                "accepted": {"payload": {"type": "object", "properties": {"number": {"type": "integer"}}}},
                "refused": {"payload": {"type": "object", "properties": {"why": {"type": "string"}}}},
            },
        },
    },
    "operations": {
        "place": {
            "action": "receive",
            "channel": {"$ref": "#/channels/orders"},
            "messages": [{"$ref": "#/channels/orders/messages/placed"}],
            "reply": {
                "channel": {"$ref": "#/channels/answers"},
                "messages": [
                    {"$ref": "#/channels/answers/messages/accepted"},
                    {"$ref": "#/channels/answers/messages/refused"},
                ],
            },
        },
        "either": {
            "action": "receive",
            "channel": {"$ref": "#/channels/orders"},
            "messages": [
                {"$ref": "#/channels/orders/messages/placed"},
                {"$ref": "#/channels/orders/messages/cancelled"},
            ],
        },
        "any": {"action": "receive", "channel": {"$ref": "#/channels/orders"}},
    },
}
OPENAPI: Json = {"openapi": "3.1.0", "info": {"title": "Orders", "version": "1"}, "paths": {"/": {"get": {}}}}
PLACED = "channels.orders.messages.placed"
ROOT = "[root].interactions[0]"
REFERENCE = f"{ROOT}.comments.references.AsyncAPI"
MATCHED = ("message.matched", None, PLACED)


def part(content: Json, content_type: str | None = "application/json", **members: Json) -> Json:
    named = {"contentType": content_type} if content_type is not None else {}
    return {"contents": {"content": content, "encoded": False, **named}, **members}


def message(content: Json = {"id": "1"}, operation: Json = "place", **members: Json) -> Json:  # noqa: B006 - not changed
    reference = {"references": {"AsyncAPI": {"operationId": operation}}}
    return {
        "type": "Asynchronous/Messages",
        "description": "an order",
        "comments": reference,
        **part(content),
        **members,
    }


def exchange(request: Json, *responses: Json, operation: str = "place", **members: Json) -> Json:
    whole = message(operation=operation, type="Synchronous/Messages", request=request, response=list(responses))
    del whole["contents"]
    return whole | members


def http() -> Json:
    return {"request": {"method": "GET", "path": "/nowhere"}, "response": {"status": 200}}


def document(change: Callable[[Json], object] | None = None) -> Document:
    content = copy.deepcopy(DOCUMENT)
    if change:
        change(content)
    return Document("orders.yaml", "asyncapi", content)


def compared(
    interactions: list[Json], *documents: Document, profile: Profile = Profile.REFERENCE, version: str = "4.0"
) -> Comparison:
    pact = {"interactions": interactions, "metadata": {"pactSpecification": {"version": version}}}
    return compare(pact, documents, profile)


def summary(finding: Finding) -> tuple[Any, ...]:
    location = finding.document.location.removeprefix("[root]").removeprefix(".") if finding.document else None
    own = (finding.code, finding.pact.location if finding.pact else None, location)
    return (*own, [summary(cause) for cause in finding.causes]) if finding.causes else own


def set_message(**members: Json) -> Callable[[Json], object]:
    return lambda content: content["channels"]["orders"]["messages"].update(placed=members)


def set_operation(**members: Json) -> Callable[[Json], object]:
    return lambda content: content["operations"].update(place=members)


def remove_reply(content: Json) -> None:
    del content["operations"]["place"]["reply"]


def payload_error(location: str, keyword: str) -> tuple[Any, ...]:
    return ("message.payload.incompatible", f"{ROOT}.{location}", f"{PLACED}.payload.{keyword}")


def no_match(*causes: tuple[Any, ...], operation: str = "place") -> tuple[Any, ...]:
    own = ("message.no.match", ROOT, f"operations.{operation}.messages")
    return (*own, list(causes)) if causes else own


CASES: dict[str, tuple[Callable[[Json], object] | None, Json, list[tuple[Any, ...]]]] = {
    "A2 no comments": (None, message(comments={}), [("message.references.missing", REFERENCE, "")]),
    "A2 another reference": (
        None,
        message(comments={"references": {"OpenAPI": {"operationId": "place"}}}),
        [("message.references.missing", REFERENCE, "")],
    ),
    "A2 without operationId": (None, message(operation=""), [("message.references.missing", REFERENCE, "")]),
    "A2 sync": (None, exchange(part({}), comments={}), [("message.references.missing", REFERENCE, "")]),
    "A3 unknown operation": (
        None,
        message(operation="ship"),
        [("message.operation.unknown", f"{REFERENCE}.operationId", "operations")],
    ),
    "A3 no operations": (
        lambda content: content.pop("operations"),
        message(),
        [("message.operation.unknown", f"{REFERENCE}.operationId", "operations")],
    ),
    "A4 payload": (None, message({"id": 1}), [no_match(payload_error("contents.content.id", "properties.id.type"))]),
    "A4 headers": (
        None,
        message(metadata={"trace": "1", "more": "2"}),
        [no_match(("message.headers.incompatible", f"{ROOT}.metadata", f"{PLACED}.headers.additionalProperties"))],
    ),
    "A4 both, of each message": (
        None,
        message({"id": 1}, "either", metadata={"trace": 1}),
        [
            no_match(
                payload_error("contents.content.id", "properties.id.type"),
                ("message.headers.incompatible", f"{ROOT}.metadata.trace", f"{PLACED}.headers.properties.trace.type"),
                (
                    "message.payload.incompatible",
                    f"{ROOT}.contents.content",
                    "channels.orders.messages.cancelled.payload.additionalProperties",
                ),
                operation="either",
            )
        ],
    ),
    "A4 no messages": (set_operation(messages=[]), message(), [no_match()]),
    "A4 broken reference to a message": (set_operation(messages=[{"$ref": "#/nowhere"}]), message(), [no_match()]),
    "A5 first message": (None, message(metadata={"trace": "1"}), [MATCHED]),
    "A5 second message": (
        None,
        message({"reason": "x"}, "either"),
        [("message.matched", None, "channels.orders.messages.cancelled")],
    ),
    "A5 message behind references": (
        lambda content: (
            content.update(components={"messages": {"m": content["channels"]["orders"]["messages"]["placed"]}}),
            content["channels"]["orders"]["messages"].update(placed={"$ref": "#/components/messages/m"}),
        ),
        message(),
        [("message.matched", None, "components.messages.m")],
    ),
    "A5 inline message": (
        set_operation(messages=[{"payload": {"type": "object"}}]),
        message({}),
        [("message.matched", None, "operations.place.messages[0]")],
    ),
    "A5 no payload in the pact": (
        None,
        {name: value for name, value in message().items() if name != "contents"},
        [MATCHED],
    ),
    "A5 encoded content": (
        None,
        message(contents={"content": '{"id": "1"}', "contentType": "application/json", "encoded": "JSON"}),
        [MATCHED],
    ),
    "A6 no schema": (
        set_message(),
        message(),
        [("message.payload.unknown", f"{ROOT}.contents.content", PLACED), MATCHED],
    ),
    "A6 broken reference to the schema": (
        set_message(payload={"$ref": "#/nowhere"}),
        message(),
        [("message.payload.unknown", f"{ROOT}.contents.content", PLACED), MATCHED],
    ),
    "A7 another content type": (
        None,
        message(contents={"content": "<a/>", "contentType": "application/xml", "encoded": False}),
        [("message.payload.unvalidatable", f"{ROOT}.contents.content", PLACED), MATCHED],
    ),
    "A7 a vendor's JSON is JSON": (
        None,
        message(contents={"content": {"id": 1}, "contentType": "application/vnd.x+json", "encoded": False}),
        [no_match(payload_error("contents.content.id", "properties.id.type"))],
    ),
    "A8 request with request semantics": (
        None,
        exchange(part({"id": "1", "more": 1}), part({})),
        [MATCHED, ("message.matched", None, "channels.answers.messages.accepted")],
    ),
    "A8 request without a required property": (
        None,
        exchange(part({}), part({"number": "not compared"})),
        [
            (
                "message.no.match",
                f"{REFERENCE}.operationId",
                "operations.place.messages",
                [payload_error("request.contents.content", "required")],
            )
        ],
    ),
    "A8 request without a required header": (
        None,
        exchange(part({"id": "1"}, metadata={}), part({})),
        [
            (
                "message.no.match",
                f"{REFERENCE}.operationId",
                "operations.place.messages",
                [("message.headers.incompatible", f"{ROOT}.request.metadata", f"{PLACED}.headers.required")],
            )
        ],
    ),
    "A9 no reply": (
        remove_reply,
        exchange(part({"id": "1"}), part({})),
        [MATCHED, ("message.reply.missing", REFERENCE, "operations.place")],
    ),
    "A9 reply without messages": (
        lambda content: content["operations"]["place"].update(reply={"messages": []}),
        exchange(part({"id": "1"}), part({})),
        [MATCHED, ("message.reply.missing", REFERENCE, "operations.place.reply.messages")],
    ),
    "A10 no responses": (
        None,
        exchange(part({"id": "1"})),
        [MATCHED, ("message.response.missing", f"{ROOT}.response", "operations.place.reply.messages")],
    ),
    "A11 subset of a message": (None, message({}), [MATCHED]),
    "A11 unlisted property": (
        None,
        message({"id": "1", "more": 1}),
        [no_match(payload_error("contents.content", "additionalProperties"))],
    ),
    "A11 unlisted property of the second reply": (
        None,
        exchange(part({"id": "1"}), part({"why": "x"}), part({"number": 1, "more": 1})),
        [
            MATCHED,
            ("message.matched", None, "channels.answers.messages.refused"),
            (
                "message.no.match",
                f"{REFERENCE}.operationId",
                "operations.place.reply.messages",
                [
                    (
                        "message.payload.incompatible",
                        f"{ROOT}.response[1].contents.content",
                        f"channels.answers.messages.{name}.payload.additionalProperties",
                    )
                    for name in ("accepted", "refused", "refused")
                ],
            ),
        ],
    ),
    "A12 no headers in the document": (
        set_message(payload={"type": "object"}),
        message({}, metadata={"a": "b"}),
        [MATCHED],
    ),
    "A12 headers behind a reference": (
        lambda content: (
            content.update(components={"schemas": {"h": {"type": "object", "properties": {"a": {"type": "string"}}}}}),
            set_message(headers={"$ref": "#/components/schemas/h"}, payload={})(content),
        ),
        message({}, metadata={"a": 1}),
        [no_match(("message.headers.incompatible", f"{ROOT}.metadata.a", f"{PLACED}.headers.properties.a.type"))],
    ),
    "references lead through the payload": (
        lambda content: (
            content.update(
                components={"schemas": {"s": {"type": "object", "properties": {"id": {"type": "integer"}}}}}
            ),
            set_message(payload={"oneOf": [{"$ref": "#/components/schemas/s"}]})(content),
        ),
        message({"id": "1"}),
        [
            no_match(
                payload_error("contents.content.id", "oneOf.0.properties.id.type"),
                payload_error("contents.content", "oneOf"),
            )
        ],
    ),
}


@pytest.mark.parametrize("rule", CASES)
def test_a_message_has_the_findings_of_the_rule(rule: str) -> None:
    change, interaction, expected = CASES[rule]
    assert [summary(finding) for finding in compared([interaction], document(change)).findings] == expected


def codes(comparison: Comparison) -> list[str]:
    return [finding.code for finding in comparison.findings]


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


STRICT: dict[str, tuple[Callable[[Json], object] | None, Json, list[str]]] = {
    "an operation without messages has those of its channel": (None, message(operation="any"), ["message.matched"]),
    "an operation behind a reference": (
        lambda content: (
            content.update(components={"operations": {"o": content["operations"]["place"]}}),
            set_operation(**{"$ref": "#/components/operations/o"})(content),
        ),
        message(),
        ["message.matched"],
    ),
    "a schema with its format": (
        set_message(
            payload={"schemaFormat": "application/vnd.aai.asyncapi+json;version=3.0.0", "schema": {"type": "string"}}
        ),
        message(),
        ["message.no.match"],
    ),
    "a schema in another language": (
        set_message(
            payload={"schemaFormat": "application/vnd.apache.avro;version=1.9.0", "schema": {"type": "record"}}
        ),
        message(),
        ["message.payload.unvalidatable", "message.matched"],
    ),
    "no content type": (None, message({"id": 1}, contents={"content": {"id": 1}}), ["message.no.match"]),
    "a rule for the type": (
        set_message(payload={"type": "object", "properties": {"id": {"enum": ["a"]}}}),
        message(matchingRules={"body": {"$.id": {"matchers": [{"match": "type"}]}}}),
        ["message.matched"],
    ),
}


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


def set_reply(reply: Json, **components: Json) -> Callable[[Json], object]:
    def change(content: Json) -> None:
        content["operations"]["place"]["reply"] = reply
        content["components"] = components

    return change


REQUEST = part({"id": "1"}, metadata={"trace": "1"})
ANSWERS = {"channel": {"$ref": "#/channels/answers"}}


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
