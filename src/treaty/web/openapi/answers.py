"""What a route can answer: every status, and what its body looks like."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Final, get_args, get_type_hints

from treaty.web.http.media_types import CSV, EXTENDED, GRAPHVIZ, HAL, HTML, JSON, MERMAID, PROBLEM, SVG, TEXT
from treaty.web.http.results import Accepted, Created, Deleted, Redirect
from treaty.web.http.router import Route
from treaty.web.openapi import notation
from treaty.web.openapi.following import list_links
from treaty.web.openapi.notation import Schema, ref
from treaty.web.openapi.operations import Operation
from treaty.web.openapi.schemas import RESPONSE_SCHEMAS

Document = dict[str, Any]

_STATUSES: Final = {Created: 201, Accepted: 202, Deleted: 204, Redirect: 307}
_WITHOUT_BODY: Final = {204, 307}
_TEXTS: Final = {TEXT, CSV, GRAPHVIZ, MERMAID, SVG}
_DONE: Final = {
    200: "It is done, or this is it.",
    201: "It is made.",
    202: "It will be done.",
    204: "It is gone.",
    307: "It is found elsewhere.",
}


def describe_responses(route: Route, operation: Operation) -> Document:
    """Describe all answers of a route, by their status."""
    done = {str(status): _answer(route, operation, status) for status in _statuses(route)}
    refused = {name[:3]: {"$ref": f"#/components/responses/{name}"} for name in _refused(route, operation)}
    return dict(sorted({**done, **refused}.items()))


def _statuses(route: Route) -> list[int]:
    """Read off the annotation of a handler how it can end."""
    returned = get_type_hints(route.handler).get("return", object)
    kinds = get_args(returned) if isinstance(returned, UnionType) else (returned,)
    return sorted({_STATUSES.get(kind, 200) for kind in kinds} if not _fails(route) else ())


def _fails(route: Route) -> bool:
    return route.handler.__name__ == "fail"


def _answer(route: Route, operation: Operation, status: int) -> Document:
    answer: Document = {"description": _DONE[status]}
    if status not in _WITHOUT_BODY:
        answer["content"] = _content(route, operation)
    links = list_links(route.handler.__name__)
    return {**answer, "links": links} if links else answer


def _content(route: Route, operation: Operation) -> Document:
    return {media: {"schema": _schema(media, operation)} for media in _offered(route, operation)}


def _offered(route: Route, operation: Operation) -> list[str]:
    if not route.produces:
        return [JSON] if operation.response_schema else ["*/*"]
    return [*route.produces, *([JSON] if HAL in route.produces and not route.is_strict else [])]


def _schema(media: str, operation: Operation) -> Schema:
    if media in _TEXTS or operation.response_schema is None:
        return notation.TEXT
    extended = f"Extended{operation.response_schema}"
    return ref(extended if media == EXTENDED and extended in RESPONSE_SCHEMAS else operation.response_schema)


def _refused(route: Route, operation: Operation) -> Iterator[str]:
    yield from ("401", "403", "429")
    if _fails(route):
        yield "500"
        return
    if operation.body_schema or operation.query or route.url.names:
        yield "400"
    if route.url.names:
        yield from ("404", "405", "422")
    if route.produces:
        yield "406"
    if route.produces == (TEXT,):
        yield "408"
    if operation.conflict:
        yield operation.conflict
    if route.method != "GET":
        yield "413"
    if route.consumes is not None:
        yield "415"
    if route.needs_database:
        yield "503"


def describe_shared_responses() -> Document:
    """Describe the answers that routes share."""
    said = {**{media: {"schema": ref("Error")} for media in (HAL, JSON)}, PROBLEM: {"schema": ref("Problem")}}
    page, text = {HTML: {"schema": notation.TEXT}}, {TEXT: {"schema": notation.TEXT}}
    either: Schema = {"anyOf": [ref("RefusedContracts"), ref("Error")]}
    conflict = "It contradicts what is there."
    return {
        "400": _refusal("The path, the query or the body cannot be understood.", said),
        "401": {**_refusal("The server asks who you are.", said), "headers": _header("WWW-Authenticate")},
        "403": _refusal("Who asks may not do this. The answer names the permission that is missing.", said),
        "404": _refusal("Something that was named does not exist.", {**said, **page}),
        "405": {
            "description": "A name in the path makes it the path of something else, which has no such method.",
            "headers": _header("Allow"),
        },
        "406": _refusal("There is no form that the `Accept` header takes."),
        "408": _refusal("It took too long.", text),
        "409": _refusal(conflict, {**said, **text, JSON: {"schema": either}}),
        "409-without-words": _refusal(conflict),
        "413": _refusal("The body is larger than the server takes.", said),
        "415": _refusal("The body is of a type that is not taken here."),
        "422": _refusal("The path or the body can be read, but not be followed.", said),
        "429": {**_refusal("Too many wrong passwords came from there.", said), "headers": _header("Retry-After")},
        "500": _refusal("Something is wrong with the server; its log says what.", said),
        "503": {**_refusal("The database is busy; nothing was written.", said), "headers": _header("Retry-After")},
    }


def _refusal(description: str, content: Document | None = None) -> Document:
    return {"description": description, "content": content} if content else {"description": description}


def _header(name: str) -> Document:
    return {name: {"schema": notation.TEXT}}
