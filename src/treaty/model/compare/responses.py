"""Comparison of a pact's response with an operation."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from treaty.model.compare import media_types, sequences
from treaty.model.compare.exchanges import Exchange, is_given
from treaty.model.compare.findings import ABSENT, Finding
from treaty.model.compare.interactions import mapping
from treaty.model.compare.messages import list_names
from treaty.model.compare.rules import BodyRules
from treaty.model.compare.schemas import Direction
from treaty.model.compare.uses import note_deprecated_properties


def compare_headers(exchange: Exchange) -> Iterator[Finding]:
    """Compare the response's headers with those that the document declares."""
    if exchange.declared_response is None:
        return
    _, response = exchange.declared_response
    yield from _compare_content_type(exchange, response)
    declared = mapping(response.get("headers"))
    for name, node in declared.items():
        text = exchange.interaction.response_headers.get(name)
        if text is not None and name.lower() != "content-type":
            yield from _check_header(exchange, name, node, text)
    rest = dict(exchange.interaction.response_headers.items())
    for name in (*declared, "content-type"):
        rest.pop(str(name).lower(), None)
    yield from _compare_standard_headers(exchange, rest)
    for name, value in rest.items():
        yield exchange.error(
            "response.header.unknown",
            f"The consumer expects the response header {name}, which the document does not declare.",
            (f".response.headers.{name}", value),
            (f".responses.{exchange.interaction.status}.headers", response.get("headers", ABSENT)),
        )


def compare_body(exchange: Exchange) -> Iterator[Finding]:
    """Compare the response's status and body. `headers` have been compared before."""
    status, responses = exchange.interaction.status, exchange.operation.responses
    if exchange.declared_response is None:
        listed = list_names(responses) or "none"
        yield exchange.error(
            "response.status.unknown",
            f"The consumer expects the status {status}, which the document does not have for the operation; it has "
            f"{listed}.",
            (".response.status", status),
            (".responses", responses),
        )
        return
    key, response = exchange.declared_response
    if key == "default":
        yield exchange.warning(
            "response.status.default",
            f"The consumer expects the status {status}, which the document has only as the default response.",
            (".response.status", status),
            (".responses", responses),
        )
    yield from _compare_content(exchange, response)


def _compare_content(exchange: Exchange, response: Mapping[str, Any]) -> Iterator[Finding]:
    interaction, body = exchange.interaction, exchange.interaction.response_body
    declared = exchange.operation.body_of(response)
    accept = interaction.request_headers.get("accept") or media_types.JSON
    media_type = media_types.best_match(accept, declared.media_types) or next(
        iter(declared.media_types), media_types.JSON
    )
    content = (f".responses.{interaction.status}.content", response.get("content", ABSENT))
    items = sequences.find_items(exchange, declared, media_type, body)
    if items is not None:
        yield from _check_items(exchange, media_type, declared.item_schema_of(media_type), items)
        return
    if not media_types.can_be_validated(media_type):
        if body is not ABSENT:
            yield exchange.warning(
                "response.body.unvalidatable",
                f"The response body has the media type {media_type}, which cannot be compared with a schema. Only JSON "
                "and forms can.",
                (".response.body", body),
                content,
            )
        return
    # `False` equals zero.
    if not is_given(body) and not (exchange.follows_declarations and body == 0):
        return
    schema = declared.schema
    if schema is ABSENT:
        schema = declared.schema_of(media_types.best_match(media_type, list(declared.content)))
    if schema is ABSENT:
        yield exchange.error(
            "response.body.unknown",
            "The consumer expects a response body, but the document has no schema for it.",
            (".response.body", body),
            content,
        )
    else:
        yield from _check_body(exchange, media_type, schema)


def _check_body(exchange: Exchange, media_type: str, schema: Any) -> Iterator[Finding]:
    interaction = exchange.interaction
    location = f".responses.{interaction.status}.content.{media_type}.schema"
    compiled = exchange.operation.compiled(("response", exchange.response_key, media_type), schema, Direction.RESPONSE)
    rules = BodyRules(interaction.response) if exchange.switches.uses_matching_rules else None
    yield from exchange.violations(
        "response.body.incompatible",
        "the response body",
        compiled.check(interaction.response_body, is_relaxed=rules.is_relaxed if rules else None),
        pact=".response.body",
        document=location,
    )
    note_deprecated_properties(exchange, compiled, interaction.response_body, pact=".response.body", document=location)


def _check_items(exchange: Exchange, media_type: str, schema: Any, items: Sequence[Any]) -> Iterator[Finding]:
    compiled = exchange.operation.compiled(
        ("response items", exchange.response_key, media_type), schema, Direction.RESPONSE
    )
    yield from exchange.violations_of_items(
        "response.body.incompatible",
        "the response body",
        compiled,
        items,
        pact=".response.body",
        document=f".responses.{exchange.interaction.status}.content.{media_type}.itemSchema",
    )


def _compare_content_type(exchange: Exchange, response: Mapping[str, Any]) -> Iterator[Finding]:
    header = exchange.interaction.response_headers.get("content-type")
    content_type = (header or "").split(";")[0]
    if not content_type:
        return
    available = exchange.operation.body_of(response).media_types
    place = (".response.headers.content-type", header)
    if not available:
        yield exchange.warning(
            "response.content-type.unknown",
            f"The consumer expects the content type {header}, but the document names no media type for this response.",
            place,
            ("", exchange.operation.raw),
        )
    elif media_types.best_match(content_type, available) is None:
        yield exchange.error(
            "response.content-type.incompatible",
            f"The consumer expects the content type {header}, but the operation produces only {list_names(available)}.",
            place,
            (f".responses.{exchange.interaction.status}.content", available),
        )


def _check_header(exchange: Exchange, name: str, node: Any, text: str) -> Iterator[Finding]:
    declaration = exchange.operation.document.resolve(node)
    location = f".responses.{exchange.interaction.status}.headers.{name}"
    schema = declaration.get("schema") or node
    compiled = exchange.operation.compiled(("header", exchange.response_key, name), schema, Direction.REQUEST)
    if declaration.get("deprecated") is True:
        exchange.note_use("header", name, f".response.headers.{name}", location)
    value: Any = text
    if exchange.follows_declarations and "array" in compiled.type_names():
        value = [item.strip() for item in text.split(",")]
    yield from exchange.violations(
        "response.header.incompatible",
        f"the response header {name}",
        compiled.check_text(value, is_sequential=not exchange.follows_declarations),
        pact=f".response.headers.{name}",
        document=f"{location}.schema",
    )


def _compare_standard_headers(exchange: Exchange, rest: dict[str, str]) -> Iterator[Finding]:
    """Report the standard headers, and take them out of `rest`."""
    for name in media_types.STANDARD_RESPONSE_HEADERS:
        value = rest.pop(name, None)
        if value is not None:
            yield exchange.warning(
                "response.header.undefined",
                f"The consumer expects the standard response header {name}, which the document does not declare.",
                (f".response.headers.{name}", value),
                ("", exchange.operation.raw),
            )
