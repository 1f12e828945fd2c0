"""The outline of a provider's document: its operations and schemas, and which operations use which schemas."""

import json
from typing import Any

import pytest

from treaty.model.compare.profiles import Profile
from treaty.model.provider_contracts.document_outlines import Outline, read_outline


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def body(schema: Any) -> Any:
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Orders", "version": 2},
    "servers": [{"url": "/v1"}],
    "paths": {
        "/orders": {
            "parameters": [{"name": "a", "in": "query", "schema": ref("Filter")}],
            "get": {"summary": "List", "operationId": "list"},
            "POST": {"operationId": "add", **body(ref("Order")), "deprecated": True},
            "x-note": {"a": 1},
            "put": None,
        },
        "/orders/{id}": {"$ref": "#/components/pathItems/Order"},
    },
    "components": {
        "schemas": {
            "Order": {"properties": {"line": ref("Line")}},
            "Line": {"properties": {"order": ref("Order")}},
            "Filter": {},
            "Unused": {"items": ref("Unused")},
        },
        "pathItems": {"Order": {"get": body(ref("Line"))}},
    },
}
ASYNCAPI: dict[str, Any] = {
    "asyncapi": "3.0.0",
    "channels": {"orders": {"messages": {"placed": {"payload": ref("Order")}}}},
    "operations": {
        "place": {"action": "receive", "messages": [{"$ref": "#/channels/orders/messages/placed"}]},
        "other": {"title": "x"},
    },
    "components": {"schemas": {"Order": {}}},
}


def outline(content: Any) -> Outline:
    return Outline(content, Profile.REFERENCE)


def test_the_outline_lists_operations_in_their_order() -> None:
    listed = [
        (operation.method, operation.name, operation.summary, operation.is_deprecated, operation.location)
        for operation in outline(OPENAPI).operations
    ]
    assert listed == [
        ("GET", "/orders", "List", False, "[root].paths./orders.get"),
        ("POST", "/orders", "add", True, "[root].paths./orders.POST"),
        ("GET", "/orders/{id}", None, False, "[root].components.pathItems.Order.get"),
    ]


def test_the_outline_lists_operations_of_messages() -> None:
    assert [(operation.method, operation.name) for operation in outline(ASYNCAPI).operations] == [
        ("receive", "place"),
        ("operation", "other"),
    ]
    without_version = {name: value for name, value in ASYNCAPI.items() if name != "asyncapi"}
    assert list(outline(without_version).operations) == []


@pytest.mark.parametrize(
    ("content", "title", "version", "kind"),
    [
        (OPENAPI, "Orders", "2", "OpenAPI 3.1.0"),
        (ASYNCAPI, None, None, "AsyncAPI 3.0.0"),
        ({"swagger": "2.0", "info": {"title": [], "version": {}}}, None, None, "Swagger 2.0"),
        ({}, None, None, None),
    ],
)
def test_a_document_has_a_title_a_version_and_a_format(
    content: Any, title: str | None, version: str | None, kind: str | None
) -> None:
    shown = outline(content)
    assert (shown.title, shown.version, shown.format) == (title, version, kind)


def test_schemas_are_used_directly_and_through_others() -> None:
    shown = outline(OPENAPI)
    users = {
        schema.name: [(operation.method, operation.name) for operation in shown.list_users(schema)]
        for schema in shown.schemas
    }
    assert users == {
        "Order": [("POST", "/orders"), ("GET", "/orders/{id}")],
        "Line": [("POST", "/orders"), ("GET", "/orders/{id}")],
        "Filter": [("GET", "/orders"), ("POST", "/orders")],
        "Unused": [],
    }
    messages = outline(ASYNCAPI)
    assert [operation.name for operation in messages.list_users(messages.schemas[0])] == ["place"]


def test_the_schemas_of_version_2_are_definitions() -> None:
    (schema,) = outline({"swagger": "2.0", "definitions": {"A": {}}}).schemas
    assert (schema.name, schema.location) == ("A", "[root].definitions.A")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/orders", ("paths", "/orders", "get")),
        ("GET", "/v1/orders/7", ("paths", "/orders/{id}", "get")),
        ("DELETE", "/v1/orders", None),
        ("GET", "/other", None),
    ],
)
def test_the_operation_of_a_request_is_found(method: str, path: str, expected: Any) -> None:
    assert Outline(OPENAPI, Profile.STRICT).find_operation(method, path) == expected


def test_messages_are_found_by_no_request() -> None:
    assert outline(ASYNCAPI).find_operation("GET", "/") is None


def test_an_outline_is_read_once_for_each_profile() -> None:
    raw = json.dumps(OPENAPI).encode()
    first = read_outline("a", raw, "reference")
    assert read_outline("a", b"not read again", "reference") is first
    assert read_outline("b", raw, "reference") is not first
    assert read_outline("a", raw, "strict") is not first
