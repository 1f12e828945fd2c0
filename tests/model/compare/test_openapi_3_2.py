"""The additions of OpenAPI 3.2 that the profile `strict` compares. The reference engine ignores them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.model.compare.http_cases import TEXT, WHOLE, Case, json_content, ref, thing
from treaty.model.compare.profiles import Profile
from treaty.model.compare.reading import read_document
from treaty.model.compare.yaml_documents import UnreadableDocument
from treaty.model.provider_contracts.contracts import list_operations

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


@pytest.mark.parametrize("one", CASES, ids=[case.rule for case in CASES])
def test_additions_are_compared(one: Case) -> None:
    assert one.notes() == list(one.expected)


@pytest.mark.parametrize("method", ["query", "copy"])
@pytest.mark.parametrize(
    "change", [{"version": "3.1.0"}, {"profile": Profile.REFERENCE}, {"profile": Profile.PACTFLOW}]
)
def test_earlier_versions_and_other_profiles_do_not_have_them(method: str, change: dict[str, Any]) -> None:
    item = {"additionalOperations": {"COPY": OK}} if method == "copy" else {}
    example = replace(case("", method=method, path_item=item), **change)
    if method == "copy":
        example = replace(example, method="get", request={"method": "COPY"})
    assert example.notes() == [UNKNOWN_PATH]


def test_items_that_cannot_be_compared_are_noted() -> None:
    example = lines("events", "data: 1\n\n", media_type="text/event-stream")
    comparison = example.compare()
    assert [note.code for note in comparison.notes] == ["media-type.item-schema.ignored"]
    assert [finding.code for finding in comparison.findings] == ["response.body.unvalidatable"]
    assert comparison.compared == 0


def document(own: str | None, reference: str) -> bytes:
    example = case("", responses={"200": json_content({"$ref": reference})}, schemas={"Count": thing(count=WHOLE)})
    return json.dumps({**example.content, **({"$self": own} if own else {})}).encode()


def test_references_to_the_address_of_the_document_itself_lead_into_it() -> None:
    own = "https://api.example.org/openapi.json"
    reference = f"{own}#/components/schemas/Count"
    read = read_document(document(own, reference), name="api.json")
    assert reference not in json.dumps(read.document.content)
    with pytest.raises(UnreadableDocument, match="leads to another file or address"):
        read_document(document(None, reference), name="api.json")
    with pytest.raises(UnreadableDocument, match="leads to another file or address"):
        read_document(document(own, "https://other.example.org/x.json#/Count"), name="api.json")


def test_published_documents_list_the_operations() -> None:
    content = case("", method="query", path_item={"additionalOperations": {"COPY": OK}}).content
    assert [operation["method"] for operation in list_operations("oas", content)] == ["QUERY", "COPY"]
