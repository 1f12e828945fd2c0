"""Comparison of a pact's request with an operation."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from treaty.model.compare import media_types, sequences
from treaty.model.compare.exchanges import Exchange, is_given
from treaty.model.compare.findings import ABSENT, DocumentPlace, Finding
from treaty.model.compare.interactions import mapping
from treaty.model.compare.messages import list_names, show
from treaty.model.compare.openapi import Parameter
from treaty.model.compare.parameters import parse_flat, parse_nested, parse_value
from treaty.model.compare.schemas import Direction
from treaty.model.compare.security import api_keys
from treaty.model.compare.uses import note_deprecated_properties
from treaty.model.compare.validation import CompiledSchema

_SEPARATORS: Final = {"ssv": " ", "tsv": "\t", "pipes": "|"}
_OBJECT: Final = "[object Object]"
_BOUNDARY: Final = re.compile(r'boundary="?([^";]+)"?')
_PART_NAME: Final = re.compile(r'name="([^"]*)"')


def compare_path(exchange: Exchange) -> Iterator[Finding]:
    """Report path parameters whose values their schemas do not allow."""
    for parameter in _in(exchange, "path"):
        name = parameter.name.replace("-", "")
        if name not in exchange.path_parameters:
            continue
        compiled = _compile(exchange, parameter)
        text = exchange.path_parameters[name]
        value: Any = text if _is_text(exchange, parameter, compiled, in_path=True) else parse_value(text)
        if "array" in _types(exchange, parameter, compiled) and isinstance(value, str):
            value = value.split(_separator(parameter.declaration))
        if _is_unchecked(exchange, parameter, text):
            continue
        for violation in compiled.check_text(value, is_sequential=not exchange.follows_declarations):
            yield exchange.error_at(
                "request.path-or-method.unknown",
                f"The path parameter {parameter.name} is {show(text)} in the pact, which breaks {violation.keyword}: "
                f"{show(violation.expected)} in the document. So the path belongs to no operation.",
                (".request.path", exchange.interaction.path),
                DocumentPlace(
                    location="[root].paths", value=exchange.operation.raw, name=exchange.operation.document.name
                ),
            )


def compare_negotiation(exchange: Exchange) -> Iterator[Finding]:
    """Compare `Accept` and `Content-Type` with the media types that the operation produces and consumes."""
    yield from _compare_accept(exchange)
    yield from _compare_content_type(exchange)


def compare_headers(exchange: Exchange) -> Iterator[Finding]:
    """Compare the headers of a request that the provider accepts."""
    headers = exchange.interaction.request_headers
    declared = list(_in(exchange, "header"))
    for parameter in declared:
        text = headers.get(parameter.name)
        if text is not None:
            yield from _check_header(exchange, parameter, text)
        elif parameter.is_required:
            yield exchange.error(
                "request.header.incompatible",
                f"The document requires the header {parameter.name}, which the request in the pact does not have. The "
                "provider may refuse it.",
                (f".request.headers.{parameter.name}", None),
                (parameter.location, parameter.declaration),
            )
    declared_names = {parameter.name.lower() for parameter in declared} | media_types.STANDARD_REQUEST_HEADERS
    declared_names |= {name.lower() for name in api_keys(exchange, "header")}
    for name, value in headers.items():
        if name not in declared_names:
            yield exchange.warning(
                "request.header.unknown",
                f"The request in the pact has the header {name}, which the document does not declare. The provider "
                "probably ignores it.",
                (f".request.headers.{name}", value),
                ("", exchange.operation.raw),
            )


def compare_query(exchange: Exchange) -> Iterator[Finding]:
    """Compare the query of a request that the provider accepts."""
    whole = next(_in(exchange, "querystring"), None) if exchange.operation.document.has_additions else None
    if whole is not None:
        yield from _check_whole_query(exchange, whole)
        return
    is_flat = exchange.switches.legacy_parser
    values = parse_flat(exchange.query) if is_flat else parse_nested(exchange.query)
    texts = values if is_flat else parse_nested(exchange.query, has_structure=False)
    for parameter in _in(exchange, "query"):
        compiled = _compile(exchange, parameter)
        name = parameter.name
        if exchange.follows_declarations and name not in values:
            name = name.removesuffix("[]")
        value = (texts if _is_text(exchange, parameter, compiled) else values).get(name, ABSENT)
        values.pop(name, None)
        if value is not ABSENT or parameter.is_required:
            yield from _check_query(exchange, parameter, compiled, value)
    keys = api_keys(exchange, "query")
    for name, value in values.items():
        if name not in keys:
            yield exchange.warning(
                "request.query.unknown",
                f"The request in the pact has the query parameter {name}, which the document does not declare. The "
                "provider probably ignores it.",
                (f".request.query.{name}", value),
                ("", exchange.operation.raw),
            )


def compare_body(exchange: Exchange) -> Iterator[Finding]:
    """Compare the body of a request that the provider accepts."""
    declared = exchange.operation.request
    body = exchange.interaction.request_body
    if body is ABSENT and not declared.is_required:
        return
    header = exchange.interaction.request_headers.get("content-type") or ""
    media_type = (media_types.best_match(header, declared.media_types) or header) if header else media_types.JSON
    items = sequences.find_items(exchange, declared, media_type, body)
    if items is not None:
        yield from _check_items(exchange, media_type, declared.item_schema_of(media_type), items)
        return
    if not media_types.can_be_validated(media_type, multipart=not exchange.switches.disable_multipart_formdata):
        if body is not ABSENT:
            yield _unvalidatable(exchange, media_type)
        return
    lists_json = media_types.best_match(media_types.JSON, declared.media_types) is not None
    needs_json = exchange.switches.no_validate_request_body_unless_application_json
    schema = declared.schema_of(media_types.best_match(media_type, list(declared.content)))
    if schema is ABSENT:
        if is_given(body) and (not needs_json or lists_json or not declared.media_types):
            yield _unknown_body(exchange)
    elif not needs_json or lists_json:
        yield from _check_body(exchange, media_type, header, schema)


def _check_body(exchange: Exchange, media_type: str, header: str, schema: Any) -> Iterator[Finding]:
    compiled = exchange.operation.compiled(("request", media_type), schema, Direction.REQUEST)
    value = _parse_body(exchange.interaction.request_body, header, is_flat=exchange.switches.legacy_parser)
    location = f".requestBody.content.{media_type}.schema"
    yield from exchange.violations(
        "request.body.incompatible",
        "the request body",
        compiled.check(value),
        pact=".request.body",
        document=location,
    )
    note_deprecated_properties(exchange, compiled, value, pact=".request.body", document=location)


def _check_items(exchange: Exchange, media_type: str, schema: Any, items: Sequence[Any]) -> Iterator[Finding]:
    compiled = exchange.operation.compiled(("request items", media_type), schema, Direction.REQUEST)
    yield from exchange.violations_of_items(
        "request.body.incompatible",
        "the request body",
        compiled,
        items,
        pact=".request.body",
        document=f".requestBody.content.{media_type}.itemSchema",
    )


def _unvalidatable(exchange: Exchange, media_type: str) -> Finding:
    content = exchange.operation.request.content
    return exchange.warning(
        "request.body.unvalidatable",
        f"The request body has the media type {media_type}, which cannot be compared with a schema. Only JSON "
        "and forms can.",
        (".request.body", exchange.interaction.request_body),
        (".requestBody.content", content or ABSENT),
    )


def _unknown_body(exchange: Exchange) -> Finding:
    content = exchange.operation.request.content
    return exchange.warning(
        "request.body.unknown",
        "The request in the pact has a body, but the document has no schema for it. The provider may ignore it.",
        (".request.body", exchange.interaction.request_body),
        (".requestBody.content", content or ABSENT),
    )


def _compare_accept(exchange: Exchange) -> Iterator[Finding]:
    operation, header = exchange.operation, exchange.interaction.request_headers.get("accept")
    accept = (header or "").split(";")[0]
    if not accept:
        return
    if not operation.produced_types:
        yield exchange.warning(
            "request.accept.unknown",
            f"The request in the pact accepts {header}, but the document names no media type that it produces.",
            (".request.headers.accept", header),
            ("", operation.raw),
        )
    declared = operation.document.resolve(operation.responses.get(str(exchange.interaction.status)))
    available = operation.body_of(declared).media_types
    if available and media_types.best_match(accept, operation.produced_types) is None:
        yield exchange.error(
            "request.accept.incompatible",
            f"The request in the pact accepts {header}, but the operation produces only {list_names(available)}. The "
            "provider may refuse it.",
            (".request.headers.accept", header),
            ("", available),
        )


def _compare_content_type(exchange: Exchange) -> Iterator[Finding]:
    operation, header = exchange.operation, exchange.interaction.request_headers.get("content-type")
    content_type = (header or "").split(";")[0]
    consumed = operation.request.media_types
    place = (".request.headers.content-type", header)
    if content_type and not consumed:
        yield exchange.warning(
            "request.content-type.unknown",
            f"The request in the pact has the content type {header}, but the document names no media type that the "
            "operation consumes.",
            place,
            ("", operation.raw),
        )
    elif content_type and media_types.best_match(content_type, consumed) is None:
        yield exchange.error(
            "request.content-type.incompatible",
            f"The request in the pact has the content type {header}, but the operation consumes only "
            f"{list_names(consumed)}. The provider may refuse it.",
            place,
            (".requestBody.content", consumed),
        )
    elif not content_type and consumed and is_given(exchange.interaction.request_body):
        yield exchange.warning(
            "request.content-type.missing",
            f"The request in the pact has a body but no Content-Type; the operation consumes {list_names(consumed)}.",
            place,
            ("", operation.raw),
        )


def _check_header(exchange: Exchange, parameter: Parameter, text: str) -> Iterator[Finding]:
    compiled = _compile(exchange, parameter)
    value: Any = text if _is_text(exchange, parameter, compiled, in_header=True) else parse_value(text)
    if exchange.follows_declarations and "array" in compiled.type_names() and isinstance(value, str):
        value = [value]
    if parameter.is_deprecated:
        exchange.note_use("header", parameter.name, f".request.headers.{parameter.name}", parameter.location)
    if _is_unchecked(exchange, parameter, text):
        return
    yield from exchange.violations(
        "request.header.incompatible",
        f"the request header {parameter.name}",
        compiled.check_text(value, is_sequential=not exchange.follows_declarations),
        pact=f".request.headers.{parameter.name}",
        document=f"{parameter.location}.schema",
    )


def _check_query(exchange: Exchange, parameter: Parameter, compiled: CompiledSchema, value: Any) -> Iterator[Finding]:
    is_unchecked = not exchange.operation.document.is_swagger and _is_unchecked(exchange, parameter, value)
    if exchange.switches.cast_objects_in_pact and value == _OBJECT:
        value = {}
    elif "array" in _types(exchange, parameter, compiled) and isinstance(value, str):
        separator = _SEPARATORS.get(str(parameter.declaration.get("collectionFormat")), ",")
        value = value.split(separator if exchange.operation.document.is_swagger else ",")
    if parameter.is_deprecated and value is not ABSENT:
        exchange.note_use("query parameter", parameter.name, f".request.query.{parameter.name}", parameter.location)
    if is_unchecked:
        return
    yield from exchange.violations(
        "request.query.incompatible",
        f"the query parameter {parameter.name}",
        compiled.check_text(value, is_sequential=not exchange.follows_declarations),
        pact=f".request.query.{parameter.name}",
        document=f"{parameter.location}.schema",
    )


def _check_whole_query(exchange: Exchange, parameter: Parameter) -> Iterator[Finding]:
    """Compare the query with a parameter that describes all of it (OpenAPI 3.2), as a form or as JSON."""
    document, location = exchange.operation.document, parameter.location
    content = document.resolve_members(parameter.declaration.get("content"))
    media_type = media_types.best_match(f"{media_types.FORM}, {media_types.JSON}", list(content))
    if media_type is None:
        document.note(
            "parameter.querystring.ignored",
            f"The query of {exchange.operation.path} has a media type that cannot be compared: {list_names(content)}.",
            exchange.operation.location + location,
        )
        return
    if not exchange.query and not parameter.is_required:
        return
    compiled = exchange.operation.compiled(
        location, mapping(content[media_type]).get("schema", True), Direction.REQUEST
    )
    yield from exchange.violations(
        "request.query.incompatible",
        "the query",
        compiled.check_text(_parse_whole_query(exchange.query, media_type), is_sequential=False),
        pact=".request.query",
        document=f"{location}.content.{media_type}.schema",
    )


def _parse_whole_query(query: str, media_type: str) -> Any:
    if not query:
        return ABSENT
    if media_types.best_match(media_types.JSON, [media_type]) is None:
        return parse_flat(query)
    text = unquote(query)
    try:
        return json.loads(text)
    except ValueError:
        return text


def _in(exchange: Exchange, place: str) -> Iterator[Parameter]:
    return (parameter for parameter in exchange.operation.parameters if parameter.place == place)


def _compile(exchange: Exchange, parameter: Parameter) -> CompiledSchema:
    return exchange.operation.compiled(parameter.location, parameter.schema, Direction.REQUEST)


def _types(exchange: Exchange, parameter: Parameter, compiled: CompiledSchema) -> Sequence[Any]:
    """Return the types of a parameter. The reference engine does not look behind references."""
    if exchange.follows_declarations:
        return compiled.type_names()
    return [mapping(parameter.schema).get("type")]


def _is_text(
    exchange: Exchange,
    parameter: Parameter,
    compiled: CompiledSchema,
    *,
    in_path: bool = False,
    in_header: bool = False,
) -> bool:
    """Whether the value is text, whose commas and equals signs have no meaning."""
    if exchange.follows_declarations:
        types = compiled.type_names()
        return "string" in types and not {"array", "object"} & set(types)
    schema = mapping(parameter.schema if in_path else parameter.declaration.get("schema"))
    branches = [*_list(schema.get("anyOf")), *_list(schema.get("oneOf"))] if in_header else []
    return any(mapping(candidate).get("type") == "string" for candidate in (schema, *branches))


def _is_unchecked(exchange: Exchange, parameter: Parameter, value: Any) -> bool:
    if not exchange.switches.no_validate_complex_parameters or value is ABSENT or not value:
        return False
    return exchange.operation.document.resolve(parameter.schema).get("type") in ("array", "object")


def _separator(declaration: Mapping[str, Any]) -> str:
    style = str(declaration.get("style", "")).lower()
    if declaration.get("explode"):
        return {"label": ".", "matrix": ";"}.get(style, ",")
    return ","


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _parse_body(body: Any, content_type: str, *, is_flat: bool) -> Any:
    """Parse forms, whose fields are then checked as members of an object."""
    if not isinstance(body, str):
        return body
    if media_types.FORM in content_type:
        return parse_flat(body) if is_flat else parse_nested(body)
    boundary = _BOUNDARY.search(content_type) if media_types.MULTIPART in content_type else None
    return _parse_parts(body, boundary[1].strip()) if boundary else body


def _parse_parts(body: str, boundary: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for part in body.replace("\r\n", "\n").split(f"--{boundary}")[1:]:
        head, _, content = part.partition("\n\n")
        name = _PART_NAME.search(head)
        if name:
            fields[name[1]] = content.removesuffix("\n")
    return fields
