"""Contracts of a provider, Prices, with reports of its self-verification, and pacts that use its operations."""

from typing import Any

from tests.api.client import Answer, Api
from tests.api.contracts import PUBLISH, build, encode

COVERAGE = "/contracts/bi-directional/provider/Prices/version/1/coverage"
OPENAPI = """\
openapi: 3.0.3
info: {title: Prices, version: 1.0.0}
servers: [{url: https://prices.example.org/v1}]
paths:
  /prices:
    get: {operationId: listPrices, summary: List prices, responses: {200: {description: All}}}
    post: {operationId: addPrice, deprecated: true, responses: {201: {description: Added}}}
  /prices/{sku}:
    get: {operationId: getPrice, responses: {200: {description: One}}}
"""


def junit(**outcomes: str) -> str:
    """Write a report with a case for each operation, whose keys are named after the cases below."""
    names = {"list": "GET /prices", "add": "POST /prices", "get": "GET /prices/{sku}"}
    children = {"passed": "", "failed": '<failure message="500 instead of 200"/>', "skipped": "<skipped/>"}
    cases = [
        f'<testcase name="{names.get(name, name)}">{children[outcome]}</testcase>' for name, outcome in outcomes.items()
    ]
    return f"<testsuite>{''.join(cases)}</testsuite>"


def contract(report: str | None, *, success: bool = True, source: str = OPENAPI, **more: object) -> dict[str, Any]:
    content = {} if report is None else {"content": encode(report)}
    return {
        "content": encode(source),
        "contentType": "application/yaml",
        "specification": "asyncapi" if source.startswith("asyncapi") else "oas",
        "selfVerificationResults": {"success": success, "verifier": "schemathesis", **content},
        **more,
    }


def publish(api: Api, report: str | None, *, success: bool = True) -> Answer:
    answer = api.post(PUBLISH, build(contract=contract(report, success=success)))
    assert answer.status == 200, answer.text
    return answer


def publish_pact(api: Api, consumer: str, version: str, *requests: str) -> None:
    """Publish a pact with an interaction for each request, such as `GET /v1/prices`."""
    interactions = [
        {
            "description": request,
            "request": {"method": request.split()[0], "path": request.split()[1]},
            "response": {"status": 200},
        }
        for request in requests
    ]
    content = {"consumer": {"name": consumer}, "provider": {"name": "Prices"}, "interactions": interactions}
    answer = api.put(f"/pacts/provider/Prices/consumer/{consumer}/version/{version}", content)
    assert answer.status in {200, 201}, answer.text
