"""The responses of a route: every status, and the schema of its body."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Final, NoReturn, get_args, get_type_hints

from treaty.web.http.media_types import CSV, EXTENDED, GRAPHVIZ, HAL, HTML, JSON, MERMAID, PROBLEM, SVG, TEXT
from treaty.web.http.results import Accepted, Created, Deleted, Redirect
from treaty.web.http.router import Route
from treaty.web.openapi.generator import Schema, TypeSchemas

Document = dict[str, Any]

_STATUSES: Final = {Created: 201, Accepted: 202, Deleted: 204, Redirect: 307}
_STATUSES_WITHOUT_BODY: Final = {204, 307}
_TEXT_TYPES: Final = {TEXT, CSV, GRAPHVIZ, MERMAID, SVG}
_DESCRIPTIONS: Final = {200: "OK.", 201: "Created.", 202: "Accepted.", 204: "Deleted.", 307: "Redirect."}
_RENAMED: Final = "The pacticipant has been renamed. `Location` has the URL with its present name."
_TEXT_SCHEMA: Final = {"type": "string"}


def describe_responses(route: Route, types: TypeSchemas) -> Document:
    """Describe all responses of a route, by their status."""
    successes = {str(status): _describe_success(route, types, status) for status in _statuses(route)}
    redirects = {"308": {"description": _RENAMED}} if route.is_read_only and route.url.has_pacticipant else {}
    errors = {name[:3]: {"$ref": f"#/components/responses/{name}"} for name in _errors(route)}
    return dict(sorted({**successes, **redirects, **errors}.items()))


def _statuses(route: Route) -> list[int]:
    """Read the statuses of successful responses from the handler's return type."""
    returned = get_type_hints(route.handler).get("return", object)
    if returned is NoReturn:
        return []
    results = get_args(returned) if isinstance(returned, UnionType) else (returned,)
    return sorted({_STATUSES.get(result, 200) for result in results})


def _describe_success(route: Route, types: TypeSchemas, status: int) -> Document:
    response: Document = {"description": _DESCRIPTIONS[status]}
    if status not in _STATUSES_WITHOUT_BODY:
        response["content"] = {media: {"schema": _schema(media, route, types)} for media in _media_types(route)}
    if route.links:
        response["links"] = {
            operation: {"operationId": operation, "parameters": dict(parameters)}
            for operation, parameters in route.links
        }
    return response


def _media_types(route: Route) -> list[str]:
    if not route.produces:
        return [JSON] if route.response else ["*/*"]
    return [*route.produces, *([JSON] if HAL in route.produces and not route.is_strict else [])]


def _schema(media_type: str, route: Route, types: TypeSchemas) -> Schema:
    if media_type in _TEXT_TYPES or route.response is None:
        return _TEXT_SCHEMA
    return types[route.extended_response if media_type == EXTENDED and route.extended_response else route.response]


def _errors(route: Route) -> Iterator[str]:
    yield from ("401", "403", "429", *route.errors)
    if route.body or route.query or route.url.names:
        yield "400"
    if route.url.names:
        yield from ("404", "405", "422")
    if route.produces and _statuses(route):
        yield "406"
    if not route.is_read_only and route.url.has_pacticipant:
        yield "409"
    if route.produces == (TEXT,):
        yield "408"
    if route.method != "GET":
        yield "413"
    if route.consumes is not None:
        yield "415"
    if route.needs_database:
        yield "503"


def _closed_object(properties: Schema, *optional: str) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_TEXTS_SCHEMA: Final = {"type": "array", "items": _TEXT_SCHEMA}
_NOTICE_SCHEMA: Final = _closed_object({"type": _TEXT_SCHEMA, "text": _TEXT_SCHEMA})

ERROR_SCHEMAS: Final[dict[str, Schema]] = {
    "Error": {
        "description": "The error: one message, or lists of messages by the member that they are about.",
        "anyOf": [
            _closed_object(
                {
                    "error": _TEXT_SCHEMA,
                    "missingPermission": _TEXT_SCHEMA,
                    "missingScopes": _TEXTS_SCHEMA,
                    "missingApplications": _TEXTS_SCHEMA,
                },
                *("missingPermission", "missingScopes", "missingApplications"),
            ),
            _closed_object({"error": _closed_object({"message": _TEXT_SCHEMA, "reference": _TEXT_SCHEMA})}),
            _closed_object({"errors": {"type": "object", "additionalProperties": _TEXTS_SCHEMA}}),
            _closed_object({"errors": _TEXTS_SCHEMA}),
        ],
    },
    "Problem": {
        "description": "The error as defined by RFC 9457, for clients that accept `application/problem+json`.",
        "type": "object",
        "properties": {
            **dict.fromkeys(("type", "title", "detail", "instance"), _TEXT_SCHEMA),
            "status": {"type": "integer"},
        },
        "required": ["type", "title", "status"],
        "additionalProperties": True,
    },
    "RefusedContracts": _closed_object(
        {
            "notices": {"type": "array", "items": _NOTICE_SCHEMA},
            "errors": _closed_object({"contracts": _TEXTS_SCHEMA}),
        }
    ),
}


def describe_shared_responses() -> Document:
    """Describe the error responses that routes share."""
    error = {
        **{media_type: {"schema": _ref("Error")} for media_type in (HAL, JSON)},
        PROBLEM: {"schema": _ref("Problem")},
    }
    page, text = {HTML: {"schema": _TEXT_SCHEMA}}, {TEXT: {"schema": _TEXT_SCHEMA}}
    conflict = {**error, **text, JSON: {"schema": {"anyOf": [_ref("RefusedContracts"), _ref("Error")]}}}
    conflict_description = "The request contradicts existing data."
    return {
        "400": _describe_error("The path, the query or the body cannot be parsed.", error),
        "401": _describe_error("Credentials are missing or invalid.", error, "WWW-Authenticate"),
        "403": _describe_error("The caller lacks a permission or scope, which the response names.", error),
        "404": _describe_error("Something that the request names does not exist.", {**error, **page}),
        "405": _describe_error("A name in the path makes it another path without such a method.", None, "Allow"),
        "406": _describe_error("No representation has a media type that the `Accept` header allows."),
        "408": _describe_error("The request took too long.", text),
        "409": _describe_error(conflict_description, conflict),
        "410": _describe_error("Something that follows the cursor in the request has been removed.", error),
        "413": _describe_error("The body is larger than the server accepts.", error),
        "415": _describe_error("The content type of the body is not supported here."),
        "422": _describe_error("The path or the body can be parsed, but not processed.", error),
        "429": _describe_error("Too many failed sign-ins from this address.", error, "Retry-After"),
        "500": _describe_error("The server failed; its log has the reason.", error),
        "503": _describe_error("The database is busy or cannot be used.", error, "Retry-After"),
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _describe_error(description: str, content: Document | None = None, header: str | None = None) -> Document:
    response: Document = {"description": description}
    if content:
        response["content"] = content
    if header:
        response["headers"] = {header: {"schema": _TEXT_SCHEMA}}
    return response
