"""The OpenAPI document, generated from the routes: URLs, docstrings of handlers, and the types that routes declare."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from treaty import distribution
from treaty.model.accounts.scopes import Scope
from treaty.web.http.media_types import JSON, NO_CONTENT_TYPE
from treaty.web.http.queries import QueryParameter
from treaty.web.http.router import Endpoint, Route
from treaty.web.openapi.examples import read_recorded_responses
from treaty.web.openapi.generator import Schema, TypeSchemas, build_schemas
from treaty.web.openapi.responses import ERROR_SCHEMAS, describe_responses, describe_shared_responses
from treaty.web.urls import PATH_PARAMETERS, Url

Document = dict[str, Any]
RouteKey = tuple[str, str]
"""A method and the template of a URL."""

_DESCRIPTION: Final = """\
Treaty keeps the pacts between applications and the results of verifying them, and decides whether a version can be
deployed.

Documents are HAL: `_links` holds the available next steps, and `curies` points to an explanation of each relation.
Names in paths are percent-encoded, a slash as `%2F`. A path may end in `.json`, `.csv` or `.svg`, which takes
precedence over the `Accept` header. Errors are `application/problem+json` for clients that accept it.

Every path answers 405, with an `Allow` header, to methods that are not listed here.
"""


def build_document(endpoints: Iterable[Endpoint]) -> Document:
    """Describe the routes of a broker. This takes a tenth of a second; the caller caches the document."""
    routes = [route for endpoint in endpoints for route in endpoint.routes.values()]
    ids = _operation_ids(routes)
    type_schemas, schemas = build_schemas(routes)
    paths: dict[str, Document] = {}
    for route in sorted(routes, key=lambda route: route.url.template):
        path = paths.setdefault(route.url.template, _describe_path(route.url))
        path[route.method.lower()] = _describe_operation(route, ids[_key(route)], type_schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Treaty",
            "version": distribution.version(),
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": _with_examples({**ERROR_SCHEMAS, **schemas}),
            "responses": describe_shared_responses(),
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{}, {"basic": []}, {"token": []}],
        "tags": [{"name": name} for name in dict.fromkeys(_tags(paths))],
    }


def _key(route: Route) -> RouteKey:
    return route.method, route.url.template


def _operation_ids(routes: Iterable[Route]) -> Mapping[RouteKey, str]:
    """Name operations by their handlers. Where a handler has several routes, all but the first add method and path."""
    ids: dict[RouteKey, str] = {}
    for route in routes:
        name = route.handler.__name__
        ids[_key(route)] = _qualified_id(name, route) if name in ids.values() else name
    return ids


def _qualified_id(name: str, route: Route) -> str:
    words = [word.strip("{}") for word in route.url.template.split("/") if word]
    return "-".join([name, route.method.lower(), *words])


def _tags(paths: Document) -> Iterator[str]:
    for path in paths.values():
        for operation in path.values():
            if isinstance(operation, dict):
                yield from operation["tags"]


def _with_examples(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """Add the recorded responses of a broker with the example data."""
    responses = read_recorded_responses()
    examples = {name: {"examples": [responses[name]]} for name in schemas if name in responses}
    return {name: {**schemas[name], **examples.get(name, {})} for name in sorted(schemas)}


def _describe_path(url: Url) -> Document:
    return {"parameters": [_describe_name(name) for name in url.names]} if url.names else {}


def _describe_name(name: str) -> Document:
    description, example = PATH_PARAMETERS[name]
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "minLength": 1},
        "example": example,
    }


def _describe_operation(route: Route, operation_id: str, types: TypeSchemas) -> Document:
    summary, _, description = (route.handler.__doc__ or "").strip().partition("\n")
    operation: Document = {
        "operationId": operation_id,
        "summary": summary,
        "tags": [_tag(route)],
        "responses": describe_responses(route, types),
        # Scopes any of which opens the operation to a token that has scopes; an empty list closes it to such tokens.
        "x-treaty-scopes": [scope.value for scope in Scope if scope in route.scopes],
    }
    if description.strip():
        operation["description"] = " ".join(description.split())
    if route.query:
        operation["parameters"] = [_describe_parameter(parameter, types) for parameter in route.query]
    if route.body:
        operation["requestBody"] = _describe_body(route, types[route.body])
    return operation


def _tag(route: Route) -> str:
    return route.handler.__module__.rpartition(".")[2].replace("_", " ").capitalize()


def _describe_parameter(parameter: QueryParameter, types: TypeSchemas) -> Document:
    name, description, declared = parameter
    return {"name": name, "in": "query", "description": description, "schema": types[declared]}


def _describe_body(route: Route, schema: Schema) -> Document:
    consumes = route.consumes or ()
    media_types = [JSON if media_type == "*json*" else media_type for media_type in consumes if media_type]
    return {
        "required": NO_CONTENT_TYPE not in consumes,
        "content": {media_type: {"schema": schema} for media_type in media_types},
    }
