"""`POST /contracts/compare`: documents beside pacts of the body, an environment or main branches; nothing is stored."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import Answer, Api
from tests.api.credentials import bearer
from tests.api.history import History
from treaty.actions.accounts.credentials import IssuedToken
from treaty.model.accounts.access import Role

Json = Any
PATH = "/contracts/compare"
OPENAPI = """\
openapi: 3.1.0
info: {title: Stock, version: '1'}
paths:
  /items:
    get:
      responses:
        200:
          description: Items
          content:
            application/json:
              schema:
                type: object
                properties:
                  count:
                    type: integer
"""
ASYNCAPI = """\
asyncapi: 3.0.0
info: {title: Stock, version: '1'}
channels: {stock: {messages: {changed: {payload: {type: object, properties: {name: {type: string}}}}}}}
operations: {changed: {messages: [{$ref: '#/channels/stock/messages/changed'}]}}
"""


def document(text: str | bytes = OPENAPI, **members: Json) -> Json:
    raw = text.encode() if isinstance(text, str) else text
    return {"content": base64.b64encode(raw).decode(), "contentType": "application/yaml", **members}


def pact(count: Json = 1, consumer: str = "Till") -> Json:
    response = {"status": 200, "headers": {"Content-Type": "application/json"}, "body": {"count": count}}
    return {
        "consumer": {"name": consumer},
        "provider": {"name": "Stock"},
        "interactions": [
            {"description": "items", "request": {"method": "GET", "path": "/items"}, "response": response}
        ],
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }


def compare(api: Api, *documents: Json, **members: Json) -> Answer:
    return api.post(PATH, {"documents": list(documents), **members})


def publish(api: Api, consumer: str, version: str, branch: str, count: Json) -> None:
    assert api.put(f"/pacts/provider/Stock/consumer/{consumer}/version/{version}", pact(count, consumer)).status == 201
    api.put(f"/pacticipants/{consumer}/branches/{branch}/versions/{version}", {})


def outcomes(answer: Answer) -> dict[str, bool]:
    assert answer.status == 200, answer.text
    return {each["consumer"]: each["success"] for each in answer.json()["pacts"]}


def test_findings_have_the_location_in_both_and_the_position_in_the_document(api: Api) -> None:
    answer = compare(api, document(name="api.yaml"), pacts=[pact(), pact("many", "Web")])
    assert answer.status == 200, answer.text
    report = answer.json()
    assert {name: report[name] for name in ("success", "compared", "interactions", "profile")} == {
        "success": False,
        "compared": 2,
        "interactions": 2,
        "profile": "strict",
    }
    assert outcomes(answer) == {"Till": True, "Web": False}
    [finding] = report["findings"]
    assert (finding["code"], finding["type"], finding["consumer"]) == ("response.body.incompatible", "error", "Web")
    assert finding["mockDetails"] == {
        "interactionDescription": "items",
        "interactionState": "[none]",
        "location": "[root].interactions[0].response.body.count",
        "mockFile": "pact",
        "value": "many",
    }
    assert finding["specDetails"] == {
        "location": "[root].paths./items.get.responses.200.content.application/json.schema.properties.count.type",
        "pathMethod": "get",
        "pathName": "/items",
        "specFile": "oas",
        "documentName": "api.yaml",
        "position": {"line": 15, "column": 21},
        "value": "integer",
    }


def test_documents_of_both_kinds_are_compared_together(api: Api) -> None:
    message = {
        "type": "Asynchronous/Messages",
        "description": "a change",
        "comments": {"references": {"AsyncAPI": {"operationId": "changed"}}},
        "contents": {"content": {"name": 1}, "contentType": "application/json", "encoded": False},
    }
    pacts = [{**pact(), "interactions": [message], "metadata": {"pactSpecification": {"version": "4.0"}}}]
    assert outcomes(compare(api, document(), pacts=pacts)) == {"Till": True}
    answer = compare(api, document(), document(ASYNCAPI), pacts=pacts)
    assert outcomes(answer) == {"Till": False}
    [finding] = answer.json()["findings"]
    assert finding["causes"][0]["specDetails"]["position"]["line"] == 3


def test_pacts_of_main_branches_or_of_an_environment_are_those_of_the_broker(api: Api) -> None:
    publish(api, "Till", "1", "main", 1)
    publish(api, "Till", "2", "feature", "on a branch")
    publish(api, "Web", "1", "main", "many")
    history = History(api)
    history.deploy("Till", "2", "test")
    assert outcomes(compare(api, document(), provider="Stock", mainBranch=True)) == {"Till": True, "Web": False}
    for environment in ("test", history.environment("test")):
        assert outcomes(compare(api, document(), provider="Stock", environment=environment)) == {"Till": False}


def test_the_profile_decides_how_strictly_documents_are_compared(api: Api) -> None:
    with_server = OPENAPI + "servers: [{url: 'https://example.org/v1'}]\n"
    pacts = [pact()]
    assert outcomes(compare(api, document(with_server), pacts=pacts, profile="reference")) == {"Till": True}
    assert outcomes(compare(api, document(with_server), pacts=pacts, profile="strict")) == {"Till": False}


REFUSED: list[tuple[Json, str]] = [
    ({"pacts": [pact()]}, "documents"),
    ({"documents": [], "pacts": [pact()]}, "documents"),
    ({"documents": [{"content": "%"}], "pacts": [pact()]}, "must be Base64 encoded"),
    ({"documents": [document("title: x")], "pacts": [pact()]}, "neither OpenAPI nor AsyncAPI"),
    (
        {"documents": [document(OPENAPI + "a: &b c")], "pacts": [pact()]},
        "line 16, column 4: The document uses the YAML",
    ),
    ({"documents": [document(b"\xff")], "pacts": [pact()]}, "not UTF-8"),
    ({"documents": [document("[" * 100_000)], "pacts": [pact()]}, "nested more than"),
    ({"documents": [document(specification="asyncapi")], "pacts": [pact()]}, "declared as 'asyncapi'"),
    ({"documents": [document(specification="protobuf")], "pacts": [pact()]}, "specification"),
    ({"documents": [document()], "pacts": [pact()], "profile": "lax"}, "profile"),
    ({"documents": [document()]}, "give either pacts, or a provider"),
    ({"documents": [document()], "provider": "Stock"}, "give either pacts, or a provider"),
    ({"documents": [document()], "provider": "Stock", "environment": "a", "mainBranch": True}, "give either pacts"),
    ({"documents": [document()], "pacts": [{**pact(), "interactions": [{"request": {}}]}]}, "has no request.method"),
    ({"documents": [document(name="a"), document(name="a")], "pacts": []}, "'a' is the name of two documents"),
    ({"documents": [document()] * 51, "pacts": []}, "size cannot be greater than 50"),
]


@pytest.mark.long_on_postgresql
@pytest.mark.parametrize(("body", "reason"), REFUSED, ids=lambda value: str(value)[:40])
def test_an_unusable_request_is_a_400_with_the_reason(api: Api, body: Json, reason: str) -> None:
    answer = api.post(PATH, body)
    assert (answer.status, reason in answer.text) == (400, True), answer.text


def test_names_that_the_broker_does_not_have_are_named(api: Api) -> None:
    missing = compare(api, document(), provider="Stock", mainBranch=True)
    assert (missing.status, "No provider with name 'Stock' found" in missing.text) == (404, True)
    publish(api, "Till", "1", "main", 1)
    answer = compare(api, document(), provider="Stock", environment="nowhere")
    assert (answer.status, "there is no environment with the name or UUID 'nowhere'" in answer.text) == (400, True)


def test_a_document_beyond_the_limit_is_refused(make_api: Callable[..., Api]) -> None:
    api = make_api(max_document_bytes=100)
    assert "more than the limit of 100" in compare(api, document(), pacts=[pact()]).text


def test_a_comparison_that_takes_too_long_is_cancelled(make_api: Callable[..., Api]) -> None:
    api = make_api(document_comparison_timeout=0)
    late = compare(api, document(), pacts=[pact()])
    assert (late.status, "The comparison was not finished within 0 seconds." in late.text) == (408, True)


def test_a_read_only_token_may_compare_and_nothing_is_stored(api: Api, accounts: Callable[..., IssuedToken]) -> None:
    reader = bearer(accounts(Role.READ_ONLY, token=Role.READ_ONLY))
    before = api.get("/pacticipants", headers=reader).text
    answer = api.post(PATH, {"documents": [document()], "pacts": [pact()]}, headers=reader)
    assert outcomes(answer) == {"Till": True}
    assert api.get("/pacticipants", headers=reader).text == before
    assert api.post("/pacticipants", {"name": "Till"}, headers=reader).status == 403
