"""Credentials that an operation requires, and whether the request has them."""

from collections.abc import Iterator, Mapping
from typing import Any

from treaty.model.compare.exchanges import Exchange
from treaty.model.compare.findings import ABSENT, Finding
from treaty.model.compare.interactions import mapping
from treaty.model.compare.parameters import parse_flat

SATISFIED = None


def compare_security(exchange: Exchange) -> Iterator[Finding]:
    """Report the missing credentials, unless one of the alternative requirements is satisfied."""
    missing: list[Finding] = []
    for requirement in exchange.operation.security:
        if not requirement:
            return
        outcomes = [
            _check(exchange, mapping(exchange.operation.document.security_schemes.get(name))) for name in requirement
        ]
        lacking = [outcome for outcome in outcomes if isinstance(outcome, Finding)]
        is_satisfied = not lacking if exchange.switches.requires_all_schemes else True in outcomes
        if is_satisfied:
            return
        missing += lacking
    yield from missing


def api_keys(exchange: Exchange, place: str) -> set[str]:
    """Return the names of the API keys that the operation takes from headers or from the query."""
    schemes = exchange.operation.document.security_schemes
    names = {name for requirement in exchange.operation.security for name in requirement}
    used = [mapping(schemes.get(name)) for name in names]
    return {
        str(scheme.get("name"))
        for scheme in used
        if scheme.get("type") == "apiKey" and str(scheme.get("in")).lower() == place
    }


def _check(exchange: Exchange, scheme: Mapping[str, Any]) -> Finding | bool | None:
    """Return True if the request satisfies the scheme, a finding if not, and None for an unknown kind of scheme."""
    match _lower(scheme.get("type")):
        case "apikey":
            return _check_key(exchange, scheme)
        case "basic":
            return _check_header(exchange, "basic")
        case "http":
            return _check_header(exchange, _lower(scheme.get("scheme")))
        case "oauth2" | "openidconnect" | "mutualtls":
            return True
        case _:
            return None


def _check_key(exchange: Exchange, scheme: Mapping[str, Any]) -> Finding | bool | None:
    name = str(scheme.get("name"))
    match _lower(scheme.get("in")):
        case "header":
            if name in exchange.interaction.request_headers:
                return True
            return _missing(exchange, f"the API key {name} as a header", "headers")
        case "query":
            return name in parse_flat(exchange.query) or _missing(exchange, f"the API key {name} in its query", "query")
        case "cookie":
            return True
        case _:
            return None


def _check_header(exchange: Exchange, scheme: str) -> Finding | bool:
    value = exchange.interaction.request_headers.get("authorization")
    if exchange.switches.no_authorization_schema:
        is_satisfied = value is not None
    else:
        is_satisfied = scheme in {"basic", "bearer"} and (value or "").lower().startswith(f"{scheme} ")
    return is_satisfied or _missing(exchange, f"the header Authorization with the scheme {scheme.title()}", "headers")


def _missing(exchange: Exchange, credential: str, part: str) -> Finding:
    return exchange.error(
        "request.authorization.missing",
        f"The document requires {credential}, which the request in the pact does not have. The provider may refuse it.",
        (f".request.{part}", exchange.interaction.request.get(part, ABSENT)),
        ("", exchange.operation.raw),
    )


def _lower(value: Any) -> str:
    return value.lower() if isinstance(value, str) else ""
