"""The description of a response in the OpenAPI document. `Api` checks every response of the tests against it."""

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import orjson

from treaty.settings import Settings
from treaty.web.http.router import InvalidPath, RouteTable
from treaty.web.openapi import build_document
from treaty.web.routers import build_route_table, list_routers

if TYPE_CHECKING:
    from tests.api.client import Answer

JsonSchema = dict[str, Any]


@cache
def all_routes() -> RouteTable:
    return build_route_table(Settings())


@cache
def document() -> dict[str, Any]:
    """The document of a broker with all routes."""
    endpoints = [endpoint for router in list_routers(Settings()) for endpoint in router.endpoints.values()]
    described: dict[str, Any] = orjson.loads(orjson.dumps(build_document(endpoints)))
    return described


def hold(method: str, path: str, answer: "Answer") -> None:
    """Hold a response to its operation's description: a documented status, a documented media type, no other fields.

    Refusals that have nothing to do with the operation are not documented, such as that of an invalid host.
    """
    responses = find_responses(method, path)
    if responses is None or (answer.status >= 300 and str(answer.status) not in responses):
        return
    assert str(answer.status) in responses, (method, path, answer.status)
    media = answer.headers.get("content-type", "").partition(";")[0]
    content = resolve(responses[str(answer.status)]).get("content")
    is_compressed = "content-encoding" in answer.headers
    if content is None or not answer.body or is_compressed or media == "text/html":
        return
    assert not {media, "*/*"}.isdisjoint(content), (method, path, media)
    if "json" in media and media != "application/x-ndjson":
        assert problems(content[media]["schema"], answer.json()) == [], (method, path, answer.text)


def find_responses(method: str, path: str) -> dict[str, Any] | None:
    """Find the responses of the operation that answers; None if there is no such operation."""
    try:
        template = all_routes().match(path.removeprefix("http://localhost").partition("?")[0]).template
    except InvalidPath:
        return None
    operations = document()["paths"].get(template, {}) if template else {}
    responses: dict[str, Any] | None = operations.get(method.lower(), {}).get("responses")
    return responses


def problems(schema: JsonSchema, value: object) -> list[str]:
    """List where a value does not fit a schema of the document."""
    errors = _validator(json.dumps(schema)).iter_errors(value)
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in errors]


@cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    components = document()["components"]
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": components}, validate_formats=True)


def resolve(response: dict[str, Any]) -> dict[str, Any]:
    """Follow the reference to a response that routes share."""
    name = response.get("$ref", "").rpartition("/")[2]
    shared: dict[str, Any] = document()["components"]["responses"].get(name, response)
    return shared


def operations(methods: dict[str, Any]) -> list[dict[str, Any]]:
    """List the operations at a path."""
    return [operation for method, operation in methods.items() if method != "parameters"]


def references(part: object) -> set[str]:
    """List everything that a document refers to in itself."""
    return set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(part)))
