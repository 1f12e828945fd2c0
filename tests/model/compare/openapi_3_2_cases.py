"""Cases for the additions of OpenAPI 3.2 that the profile `strict` compares."""

from __future__ import annotations

import json
from typing import Any

from tests.model.compare.http_cases import TEXT, WHOLE, Case, json_content, ref, thing
from treaty.model.compare.profiles import Profile

UNKNOWN_PATH = "E request.path-or-method.unknown | request.path | [root].paths"
OK = {"responses": {"200": {"description": "OK"}}}
LINES = "application/jsonl"


def case(rule: str, expected: tuple[str, ...] = (), **more: Any) -> Case:
    return Case(**{"rule": rule, "version": "3.2.0", "profile": Profile.STRICT, "expected": expected, **more})


def additional(rule: str, method: str, expected: tuple[str, ...] = ()) -> Case:
    request = {"headers": {"Content-Type": "application/json"}, "body": {"to": 1}, "method": method}
    copy = {**OK, "requestBody": json_content(thing(to=TEXT))}
    return case(rule, expected, path_item={"additionalOperations": {"COPY": copy}}, request=request)


def lines(rule: str, body: object, expected: tuple[str, ...] = (), *, media_type: str = LINES) -> Case:
    content = {media_type: {"itemSchema": thing(count=WHOLE)}}
    return case(
        rule,
        expected,
        responses={"200": {"description": "OK", "content": content}},
        response={"body": body, "headers": {"Content-Type": media_type}},
    )


def whole_query(
    rule: str, query: str, expected: tuple[str, ...] = (), *, media_type: str = "application/x-www-form-urlencoded"
) -> Case:
    schema = {**thing(size=WHOLE), "required": ["size"], "additionalProperties": False}
    declared = {"name": "all", "in": "querystring", "required": True, "content": {media_type: {"schema": schema}}}
    return case(rule, expected, operation={"parameters": [declared]}, request={"query": query})


ITEM = f"responses.200.content.{LINES}.itemSchema"
SCHEMA = "content.application/json.schema"
COUNT = "components.schemas.Count.properties.count"
ADDITIONAL = "[root].paths./orders.additionalOperations.COPY"
QUERY = "parameters[0].content.application/x-www-form-urlencoded.schema"
CASES = [
    case("the method QUERY", method="query"),
    case(
        "the body of QUERY",
        (f"E request.body.incompatible | request.body.a | requestBody.{SCHEMA}.properties.a.type",),
        method="query",
        operation={"requestBody": json_content(thing(a=TEXT))},
        request={"headers": {"Content-Type": "application/json"}, "body": {"a": 1}},
    ),
    additional(
        "an operation with a method of its own",
        "COPY",
        (f"E request.body.incompatible | request.body.to | {ADDITIONAL}.requestBody.{SCHEMA}.properties.to.type",),
    ),
    additional("a method that the path does not have", "MOVE", (UNKNOWN_PATH,)),
    lines("lines that fit the schema of items", '{"count":1}\n{"count":2}\n'),
    lines("records of a JSON sequence", '\x1e{"count":1}\n\x1e{"count":2}\n', media_type="application/json-seq"),
    lines(
        "a line that does not fit",
        '{"count":1}\n{"count":"x"}\n',
        (f"E response.body.incompatible | response.body.1.count | {ITEM}.properties.count.type",),
    ),
    lines(
        "lines that are not JSON",
        "count 1\n",
        ("W response.body.unvalidatable | response.body | responses.200.content",),
    ),
    whole_query("a query that one parameter describes", "size=1"),
    whole_query(
        "a wrong value in it",
        "size=x",
        (f"E request.query.incompatible | request.query.size | {QUERY}.properties.size.type",),
    ),
    whole_query(
        "a missing value",
        "",
        (f"E request.query.incompatible | request.query | {QUERY}.type",),
    ),
    whole_query("a query in JSON", "%7B%22size%22%3A1%7D", media_type="application/json"),
    case(
        "media types behind references",
        (f"E response.body.incompatible | response.body.count | responses.200.{SCHEMA}.{COUNT}.type",),
        responses={
            "200": {"description": "OK", "content": {"application/json": {"$ref": "#/components/mediaTypes/Count"}}}
        },
        response={"body": {"count": "x"}},
        document={
            "components": {
                "mediaTypes": {"Count": {"schema": ref("Count")}},
                "schemas": {"Count": thing(count=WHOLE)},
            }
        },
    ),
]


def document(own: str | None, reference: str) -> bytes:
    example = case("", responses={"200": json_content({"$ref": reference})}, schemas={"Count": thing(count=WHOLE)})
    return json.dumps({**example.content, **({"$self": own} if own else {})}).encode()
