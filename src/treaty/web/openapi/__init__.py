"""The OpenAPI document, made of the table of routes: what handlers say of themselves, what they take and give."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from treaty import distribution
from treaty.web.http.media_types import JSON
from treaty.web.http.router import Endpoint, Route
from treaty.web.openapi import notation
from treaty.web.openapi.answers import describe_responses, describe_shared_responses
from treaty.web.openapi.bodies import EXAMPLES, PATH_PARAMETERS, QUERY_PARAMETERS, UNTYPED_BODIES, build_body_schemas
from treaty.web.openapi.examples import RECORDED_RESPONSES
from treaty.web.openapi.notation import Schema, ref
from treaty.web.openapi.operations import OPERATIONS, Operation
from treaty.web.openapi.schemas import RESPONSE_SCHEMAS, SHARED_SCHEMAS

Document = dict[str, Any]
RouteKey = tuple[str, str]
"""A method and the template of an URL."""

_ABOUT: Final = """\
Treaty keeps the pacts between applications and what came of verifying them, and says whether a version can be deployed.

Documents are HAL: what can be done next is found under `_links`, and each relation is explained where `curies` point.
Names stand in paths percent-encoded, a slash as `%2F`. A path may end in `.json`, `.csv` or `.svg`, which counts more
than the `Accept` header. Errors come as `application/problem+json` for those who take it.

Every path answers 405, with an `Allow` header, to methods that are not listed here.
"""


def build_document(endpoints: Iterable[Endpoint], base_url: str) -> Document:
    """Describe the routes of a broker at a base URL."""
    return {**_without_server(tuple(endpoints)), "servers": [{"url": base_url}]}


def _without_server(endpoints: tuple[Endpoint, ...]) -> Document:
    ids = _ids(endpoints)
    paths = {one.url.template: _path(one, ids) for one in sorted(endpoints, key=_template) if one.routes}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Treaty",
            "version": distribution.version(),
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": describe_shared_responses(),
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{}, {"basic": []}, {"token": []}],
        "tags": [{"name": name} for name in dict.fromkeys(_operations(paths))],
    }


def _template(resource: Endpoint) -> str:
    return resource.url.template


def _ids(endpoints: Sequence[Endpoint]) -> dict[RouteKey, str]:
    """Name the operations by their handlers; where one answers in several places, the other places are told apart."""
    ids: dict[RouteKey, str] = {}
    for route in (route for one in endpoints for route in one.routes.values()):
        name = route.handler.__name__
        ids[_place(route)] = _longer(name, route) if name in ids.values() else name
    return ids


def _place(route: Route) -> RouteKey:
    return route.method, route.url.template


def _longer(name: str, route: Route) -> str:
    words = [word.strip("{}") for word in route.url.template.split("/") if word]
    return "-".join([name, route.method.lower(), *words])


def _operations(paths: Document) -> Iterator[str]:
    for path in paths.values():
        for operation in path.values():
            if isinstance(operation, dict):
                yield from operation["tags"]


@cache
def _schemas() -> dict[str, Schema]:
    schemas = {**SHARED_SCHEMAS, **RESPONSE_SCHEMAS, **UNTYPED_BODIES, **build_body_schemas()}
    for name, example in {**RECORDED_RESPONSES, **EXAMPLES}.items():
        schemas[name] = {**schemas[name], "examples": [example]}
    return dict(sorted(schemas.items()))


def _path(resource: Endpoint, ids: Mapping[RouteKey, str]) -> Document:
    described: Document = {"parameters": [_name(name) for name in resource.url.names]} if resource.url.names else {}
    for method, route in resource.routes.items():
        described[method.lower()] = _described(route, ids[_place(route)])
    return described


def _name(name: str) -> Document:
    text, example = PATH_PARAMETERS[name]
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": text,
        "schema": notation.NAME,
        "example": example,
    }


def _described(route: Route, name: str) -> Document:
    operation = OPERATIONS.get(route.handler.__name__, Operation())
    summary, _, more = (route.handler.__doc__ or "").strip().partition("\n")
    described: Document = {
        "operationId": name,
        "summary": summary,
        "tags": [_tag(route)],
        "responses": describe_responses(route, operation),
    }
    if more.strip():
        described["description"] = " ".join(more.split())
    if operation.query:
        described["parameters"] = [_parameter(name) for name in operation.query]
    if operation.body_schema:
        described["requestBody"] = _body(route, operation.body_schema)
    return described


def _tag(route: Route) -> str:
    return route.handler.__module__.rpartition(".")[2].replace("_", " ").capitalize()


def _parameter(name: str) -> Document:
    text, schema = QUERY_PARAMETERS[name]
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _body(route: Route, body_schema: str) -> Document:
    media = [JSON if one == "*json*" else one for one in route.consumes or ()]
    return {"required": True, "content": {one: {"schema": ref(body_schema)} for one in media}}
