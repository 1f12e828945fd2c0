"""A document with most features of OpenAPI, and a pact that fits it, to be changed by property tests."""

from typing import Any

Json = dict[str, Any]

DOCUMENT: Json = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "servers": [{"url": "/"}],
    "security": [{"key": []}],
    "paths": {
        "/orders/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "get": {
                "parameters": [
                    {"name": "fields", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "X-Trace", "in": "header", "schema": {"type": "integer", "format": "int32"}},
                ],
                "responses": {
                    "200": {"$ref": "#/components/responses/Order"},
                    "4XX": {"description": "A fault", "content": {"application/json": {"schema": {"type": "object"}}}},
                },
            },
            "put": {
                "deprecated": True,
                "requestBody": {"$ref": "#/components/requestBodies/Order"},
                "responses": {"default": {"description": "Done"}},
            },
        },
    },
    "components": {
        "parameters": {
            "Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
        },
        "requestBodies": {
            "Order": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
            }
        },
        "responses": {
            "Order": {
                "description": "An order",
                "headers": {"X-Count": {"schema": {"type": "integer"}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
            }
        },
        "schemas": {
            "Order": {
                "allOf": [
                    {"$ref": "#/components/schemas/Base"},
                    {
                        "type": "object",
                        "required": ["lines"],
                        "properties": {
                            "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
                            "payment": {"$ref": "#/components/schemas/Payment"},
                            "parent": {"$ref": "#/components/schemas/Order"},
                        },
                    },
                ]
            },
            "Base": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "format": "uuid", "readOnly": True},
                    "note": {"type": ["string", "null"], "pattern": "^[a-z ]*$"},
                },
            },
            "Line": {
                "type": "object",
                "properties": {"count": {"type": "number", "exclusiveMinimum": 0}, "size": {"enum": ["S", "M"]}},
                "additionalProperties": {"type": "boolean"},
            },
            "Payment": {
                "oneOf": [{"$ref": "#/components/schemas/Card"}, {"$ref": "#/components/schemas/Cash"}],
                "discriminator": {"propertyName": "kind", "mapping": {"card": "#/components/schemas/Card"}},
            },
            "Card": {"type": "object", "properties": {"kind": {"const": "card"}, "number": {"type": "string"}}},
            "Cash": {"type": "object", "properties": {"kind": {"const": "cash"}}},
        },
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    },
}

ORDER: Json = {
    "id": "5a3e2d7e-0b7c-4a52-9a4e-6c1f6d6f2b11",
    "note": None,
    "lines": [{"count": 2, "size": "S", "gift": True}],
    "payment": {"kind": "card", "number": "1"},
    "parent": {"id": "5a3e2d7e-0b7c-4a52-9a4e-6c1f6d6f2b12", "lines": []},
}

PACT: Json = {
    "consumer": {"name": "Web"},
    "provider": {"name": "Shop"},
    "interactions": [
        {
            "description": "a request for an order",
            "request": {
                "method": "GET",
                "path": "/orders/7",
                "query": "fields=id,note",
                "headers": {"X-Trace": "5", "X-Key": "1", "Accept": "application/json"},
            },
            "response": {
                "status": 200,
                "headers": {"Content-Type": "application/json", "X-Count": "1"},
                "body": ORDER,
                "matchingRules": {"body": {"$.note": {"matchers": [{"match": "type"}]}}},
            },
        },
        {
            "description": "a change of an order",
            "request": {
                "method": "PUT",
                "path": "/orders/7",
                "headers": {"Content-Type": "application/json", "X-Key": "1"},
                "body": ORDER,
            },
            "response": {"status": 204},
        },
        {
            "description": "a request for a missing order",
            "request": {"method": "GET", "path": "/orders/8", "headers": {"X-Key": "1"}},
            "response": {"status": 404, "body": {}},
        },
    ],
    "metadata": {"pactSpecification": {"version": "3.0.0"}},
}
