"""Comparison of an HTTP interaction with an OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from treaty.model.compare import requests, responses
from treaty.model.compare.exchanges import Exchange
from treaty.model.compare.findings import DeprecatedUse, DocumentPlace, Finding, Severity
from treaty.model.compare.interactions import HttpInteraction, join_values
from treaty.model.compare.messages import list_names
from treaty.model.compare.openapi import OpenApi
from treaty.model.compare.routes import Match
from treaty.model.compare.security import compare_security


def compare_http(document: OpenApi, interaction: HttpInteraction, used: list[DeprecatedUse]) -> list[Finding]:
    """Compare one interaction. The deprecated parts that it uses are added to `used`."""
    match = find_operation(document, interaction)
    if match is None:
        return [_unknown_path(document, interaction, _split_path(interaction)[0])]
    exchange = Exchange(
        operation=match.operation,
        interaction=interaction,
        path_parameters=match.parameters,
        query=read_query(document, interaction),
        used=used,
    )
    findings = list(requests.compare_path(exchange))
    if findings:
        return findings
    if exchange.operation.is_deprecated:
        exchange.note_use("operation", f"{interaction.method.upper()} {match.operation.path}", "", "")
    return list(_compare_parts(exchange))


def find_operation(document: OpenApi, interaction: HttpInteraction) -> Match | None:
    """Find the operation that an interaction belongs to."""
    path, _ = _split_path(interaction)
    return None if "?" in path else document.find(interaction.method, path)


def read_query(document: OpenApi, interaction: HttpInteraction) -> str:
    """Return the query of an interaction as one text."""
    _, fragment = _split_path(interaction)
    query = _query(interaction.query, is_escaped=document.switches.follows_declarations)
    return query if fragment is None else f"{fragment}?{query}" if query else fragment


def _split_path(interaction: HttpInteraction) -> tuple[str, str | None]:
    """Split a path at its fragment, which the reference engine takes for the query."""
    path = interaction.path if interaction.path.startswith("/") else f"/{interaction.path}"
    path, mark, fragment = path.partition("#")
    return path, fragment if mark else None


def _compare_parts(exchange: Exchange) -> Iterator[Finding]:
    is_successful = exchange.interaction.is_successful
    if is_successful:
        yield from compare_security(exchange)
    negotiation = list(requests.compare_negotiation(exchange))
    yield from negotiation
    if is_successful:
        yield from requests.compare_headers(exchange)
        yield from requests.compare_query(exchange)
        if not _has(negotiation, "request.content-type.incompatible"):
            yield from requests.compare_body(exchange)
    headers = list(responses.compare_headers(exchange))
    yield from headers
    if not _has(headers, "response.content-type.incompatible"):
        yield from responses.compare_body(exchange)


def _has(findings: list[Finding], code: str) -> bool:
    return any(finding.code == code for finding in findings)


def _unknown_path(document: OpenApi, interaction: HttpInteraction, path: str) -> Finding:
    return Finding(
        code="request.path-or-method.unknown",
        type=Severity.ERROR,
        message=f"The document has no operation {interaction.method.upper()} {interaction.path}. "
        f"{_reason(document, interaction, path)}",
        pact=interaction.place(".request.path", interaction.path),
        document=DocumentPlace(location="[root].paths", name=document.name),
    )


def _reason(document: OpenApi, interaction: HttpInteraction, path: str) -> str:
    if "?" in path:
        return "The path of the pact contains a query, which belongs in its own member."
    methods = document.methods_of(path)
    if methods:
        return f"The path has the methods {list_names(methods)} only."
    bases = {base for operation in document.operations for base in document.base_paths_of(operation) if base}
    for base in sorted(bases):
        if document.find(interaction.method, base + path):
            return f"It has {base}{path}, because its servers have the base path {base}."
    return "The provider does not promise to serve this path."


def _query(query: str | Mapping[str, Any] | None, *, is_escaped: bool) -> str:
    """Return the query as one text. An object has decoded names and values, each a text or a list of texts."""
    if isinstance(query, str):
        return query
    pairs = [(str(name), join_values(value)) for name, value in (query or {}).items()]
    if is_escaped:
        pairs = [(_escape(name, "[].$ "), _escape(value, ", :/@|\t")) for name, value in pairs]
    return "&".join(f"{name}={value}" for name, value in pairs)


def _escape(text: str, unescaped: str) -> str:
    # A pact may have text that is not Unicode.
    return quote(text, safe=unescaped, errors="replace")
