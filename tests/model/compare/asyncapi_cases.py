"""Cases for the comparison of messages with AsyncAPI documents, by rule, with the codes of their findings."""

import copy
from collections.abc import Callable
from typing import Any

from treaty.model.compare.documents import Document
from treaty.model.compare.engine import compare
from treaty.model.compare.findings import Comparison, Finding
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


def codes(comparison: Comparison) -> list[str]:
    return [finding.code for finding in comparison.findings]


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


def set_reply(reply: Json, **components: Json) -> Callable[[Json], object]:
    def change(content: Json) -> None:
        content["operations"]["place"]["reply"] = reply
        content["components"] = components

    return change


REQUEST = part({"id": "1"}, metadata={"trace": "1"})
ANSWERS = {"channel": {"$ref": "#/channels/answers"}}
