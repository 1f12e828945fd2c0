"""The OpenAPI document, made of the table of routes: what handlers say of themselves, what they take and give."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from functools import cache
from importlib.metadata import version
from types import UnionType
from typing import Any, Final, get_args, get_type_hints

from treaty.web.media import CSV, EXTENDED, GRAPH, HAL, JSON, PROBLEM, SVG, TEXT
from treaty.web.openapi import notation
from treaty.web.openapi.bodies import EXAMPLES, FREE, NAMES, QUERIES, checked_bodies
from treaty.web.openapi.examples import ANSWERED
from treaty.web.openapi.notation import Schema, ref
from treaty.web.openapi.operations import OPERATIONS, Operation
from treaty.web.openapi.schemas import ANSWERS, SHARED
from treaty.web.routing import Accepted, Created, Deleted, Redirected, Resource, Route

Document = dict[str, Any]

_ABOUT: Final = """\
Treaty keeps the pacts between applications and what came of verifying them, and says whether a version can be deployed.

Documents are HAL: what can be done next is found under `_links`, and each relation is explained where `curies` point.
Names stand in paths percent-encoded, a slash as `%2F`. A path may end in `.json`, `.csv` or `.svg`, which counts more
than the `Accept` header. Errors come as `application/problem+json` for those who take it.

Any path answers 405, with an `Allow` header, to methods that are not listed here.
"""

_STATUSES: Final = {Created: 201, Accepted: 202, Deleted: 204, Redirected: 307}
_TEXTS: Final = {TEXT, CSV, GRAPH, SVG}
_DONE: Final = {
    200: "It is done, or this is it.",
    201: "It is made.",
    202: "It will be done.",
    204: "It is gone.",
    307: "It is found elsewhere.",
}


def document(resources: Iterable[Resource], base_url: str) -> Document:
    """Describe the routes of a broker at a base URL."""
    return {**_without_server(tuple(resources)), "servers": [{"url": base_url}]}


def _without_server(resources: tuple[Resource, ...]) -> Document:
    shared = _shared_handlers(resources)
    paths = {one.url.template: _path(one, shared) for one in sorted(resources, key=_place) if one.routes}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Treaty",
            "version": version("treaty"),
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": _refusals(),
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
        "security": [{}, {"basic": []}],
        "tags": [{"name": name} for name in dict.fromkeys(_operations(paths))],
    }


def _shared_handlers(resources: Iterable[Resource]) -> set[str]:
    """Name the handlers that answer in several places."""
    names = Counter(route.handler.__name__ for one in resources for route in one.routes.values())
    return {name for name, count in names.items() if count > 1}


def _place(resource: Resource) -> str:
    return resource.url.template


def _operations(paths: Document) -> Iterator[str]:
    for path in paths.values():
        for operation in path.values():
            if isinstance(operation, dict):
                yield from operation["tags"]


@cache
def _schemas() -> dict[str, Schema]:
    schemas = {**SHARED, **ANSWERS, **FREE, **checked_bodies()}
    for name, example in {**ANSWERED, **EXAMPLES}.items():
        schemas[name] = {**schemas[name], "examples": [example]}
    return dict(sorted(schemas.items()))


def _path(resource: Resource, shared: Container[str]) -> Document:
    described: Document = {"parameters": [_name(name) for name in resource.url.names]} if resource.url.names else {}
    for method, route in resource.routes.items():
        described[method.lower()] = _described(route, shared)
    return described


def _name(name: str) -> Document:
    text, example = NAMES[name]
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": text,
        "schema": notation.NAME,
        "example": example,
    }


def _described(route: Route, shared: Container[str]) -> Document:
    operation = OPERATIONS[route.handler.__name__]
    summary, _, more = (route.handler.__doc__ or "").strip().partition("\n")
    described: Document = {
        "operationId": _id(route) if route.handler.__name__ in shared else route.handler.__name__,
        "summary": summary,
        "tags": [_tag(route)],
        "responses": _answers(route, operation),
    }
    if more.strip():
        described["description"] = " ".join(more.split())
    if operation.query:
        described["parameters"] = [_parameter(name) for name in operation.query]
    if operation.takes:
        described["requestBody"] = _body(route, operation.takes)
    return described


def _id(route: Route) -> str:
    """Name an operation by its handler, its method and its path, where the handler alone does not say which it is."""
    words = [word.strip("{}") for word in route.url.template.split("/") if word]
    return "-".join([route.handler.__name__, route.method.lower(), *words])


def _tag(route: Route) -> str:
    return route.handler.__module__.rpartition(".")[2].replace("_", " ").capitalize()


def _parameter(name: str) -> Document:
    text, schema = QUERIES[name]
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _body(route: Route, takes: str) -> Document:
    media = [JSON if one == "*json*" else one for one in route.consumes or ()]
    return {"required": True, "content": {one: {"schema": ref(takes)} for one in media}}


def _answers(route: Route, operation: Operation) -> Document:
    answers = {str(status): _answer(route, operation, status) for status in _statuses(route)}
    refused = {status: {"$ref": f"#/components/responses/{status}"} for status in _refused(route, operation)}
    return dict(sorted({**answers, **refused}.items()))


def _statuses(route: Route) -> list[int]:
    returned = get_type_hints(route.handler).get("return", object)
    kinds = get_args(returned) if isinstance(returned, UnionType) else (returned,)
    return [] if route.handler.__name__ == "fail" else sorted({_STATUSES.get(kind, 200) for kind in kinds})


_WITHOUT_BODY: Final = {204, 307}


def _answer(route: Route, operation: Operation, status: int) -> Document:
    if status in _WITHOUT_BODY:
        return {"description": _DONE[status]}
    return {"description": _DONE[status], "content": _content(route, operation)}


def _content(route: Route, operation: Operation) -> Document:
    offered = [*route.produces, *([JSON] if HAL in route.produces and not route.is_strict else [])]
    if operation.gives == "OpenApi":
        offered = [JSON]
    return {media: {"schema": _schema(media, operation)} for media in offered or ["*/*"]}


def _schema(media: str, operation: Operation) -> Schema:
    if media in _TEXTS or operation.gives is None:
        return notation.TEXT
    extended = f"Extended{operation.gives}"
    return ref(extended if media == EXTENDED and extended in ANSWERS else operation.gives)


def _refused(route: Route, operation: Operation) -> Iterator[str]:
    yield "401"
    if route.handler.__name__ == "fail":
        yield "500"
        return
    if operation.takes or operation.query or route.url.names:
        yield "400"
    if route.url.names:
        yield from ("404", "422")
    if route.produces:
        yield "406"
    if operation.conflicts:
        yield "409"
    if route.method != "GET":
        yield "413"
    if route.consumes is not None:
        yield "415"
    if route.needs_database:
        yield "503"
    if route.produces == (TEXT,):
        yield "408"


def _refusals() -> Document:
    problem = {PROBLEM: {"schema": ref("Problem")}}
    said = {**{media: {"schema": ref("Error")} for media in (HAL, JSON)}, **problem}
    page = {"text/html": {"schema": notation.TEXT}}
    text = {"text/plain": {"schema": notation.TEXT}}
    either: Schema = {"anyOf": [ref("RefusedContracts"), ref("Error")]}
    return {
        "400": {"description": "The path, the query or the body cannot be understood.", "content": said},
        "401": {"description": "The server asks who you are.", "headers": _header("WWW-Authenticate")},
        "404": {"description": "Something that was named does not exist.", "content": {**said, **page}},
        "406": {"description": "There is no form that the `Accept` header takes."},
        "408": {"description": "It took too long.", "content": text},
        "409": {
            "description": "It contradicts what is there.",
            "content": {**said, **text, JSON: {"schema": either}},
        },
        "413": {"description": "The body is larger than the server takes.", "content": said},
        "415": {"description": "The body is of a type that is not taken here."},
        "422": {"description": "The path or the body can be read, but not be followed.", "content": said},
        "500": {"description": "Something is wrong with the server; its log says what.", "content": said},
        "503": {
            "description": "The database is busy; nothing was written.",
            "headers": _header("Retry-After"),
            "content": said,
        },
    }


def _header(name: str) -> Document:
    return {name: {"schema": notation.TEXT}}
