"""Problems of a pact, found before it is published.

The outer parts of the document are checked as the Pact Foundation's Rust client does. It does not check requests,
responses and messages; problems in them are warnings here, and errors only with --strict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

PactProblems = Iterator["PactProblem"]
Check = Callable[[str, Any], PactProblems]


class Severity(Enum):
    ERROR = "error"
    STRICT_ERROR = "strict error"
    """An error with --strict, else a warning."""
    WARNING = "warning"
    """A warning, even with --strict."""


@dataclass(frozen=True, slots=True)
class PactProblem:
    """A problem of the value at `path`, a JSON pointer."""

    path: str
    message: str
    severity: Severity = Severity.STRICT_ERROR

    def is_error(self, *, strict: bool) -> bool:
        return self.severity is Severity.ERROR or (strict and self.severity is Severity.STRICT_ERROR)


_DOCUMENT_MEMBERS: Final = {"consumer", "provider", "interactions", "messages", "metadata"}
_BROKER_MEMBERS: Final = {"_links", "createdAt"}
_COMMON_MEMBERS: Final = {"_id", "description", "providerState", "provider_state", "providerStates"}
_MESSAGE_MEMBERS: Final = {"contents", "metaData", "metadata", "matchingRules", "generators"}
_V4_MEMBERS: Final = {"type", "key", "pending", "comments", "pluginConfiguration", "interactionMarkup", "transport"}
_V4_TYPES: Final = ("Synchronous/HTTP", "Asynchronous/Messages", "Synchronous/Messages")
_DEPRECATED_METADATA: Final = {
    "pact-specification": "pactSpecification",
    "pactSpecificationVersion": "pactSpecification/version",
}
_SPECIFICATION_VERSION: Final = re.compile(r"[1-4](\.\d+){0,2}")
_STATUSES: Final = range(100, 600)
_MATCHER_TYPES: Final = re.compile(
    r"equality|regex|type|include|number|integer|decimal|null|boolean|content-?[tT]ype|date|time|timestamp|datetime|"
    r"values|statusCode|notEmpty|semver|arrayContains|eachKey|eachValue|min|max|minmax"
)
_JSON_TYPES: Final = {bool: "Boolean", dict: "Object", list: "Array", str: "String", type(None): "Null"}


def check_pact(document: Any) -> list[PactProblem]:
    """Return all problems of a pact, given as parsed JSON."""
    return list(_check_document(document))


def _check_document(document: Any) -> PactProblems:
    if not isinstance(document, dict):
        yield _wrong_type("/", document, "an Object")
        return
    for side in ("consumer", "provider"):
        yield from _check_pacticipant(side, document)
    yield from _check_interactions(document)
    yield from _check_metadata(document.get("metadata", {}))
    known_names = _DOCUMENT_MEMBERS | (_BROKER_MEMBERS if _is_from_broker(document) else set())
    for name in _unknown_members(document, known_names):
        yield PactProblem(f"/{_escape_pointer(name)}", f"Unexpected attribute '{name}'")


def _is_from_broker(document: dict[str, Any]) -> bool:
    """Whether a pact was downloaded from a broker, which adds members to it."""
    links = document.get("_links")
    return isinstance(links, dict) and "self" in links


def _check_pacticipant(side: str, document: dict[str, Any]) -> PactProblems:
    # Errors even without --strict: a pact without both names cannot be published.
    if side not in document:
        yield PactProblem(f"/{side}", f"Missing {side}", Severity.ERROR)
        return
    pacticipant = document[side]
    if not isinstance(pacticipant, dict):
        yield _wrong_type(f"/{side}", pacticipant, "an Object")
        return
    yield from _check_name(f"/{side}/name", pacticipant)
    for name in _unknown_members(pacticipant, {"name"}):
        yield PactProblem(f"/{side}", f"Unknown attribute '{name}'")


def _check_name(path: str, pacticipant: dict[str, Any]) -> PactProblems:
    name = pacticipant.get("name")
    if name is None:
        yield PactProblem(path, "Missing name", Severity.ERROR)
    elif not isinstance(name, str):
        yield _wrong_type(path, name, "a String")
    elif not name.strip():
        yield PactProblem(path, "Name is blank", Severity.ERROR)


def _check_interactions(document: dict[str, Any]) -> PactProblems:
    if not {"interactions", "messages"} & document.keys():
        yield PactProblem("/interactions", "Missing interactions", Severity.WARNING)
    specification = _specification_version(document)
    is_v4 = specification.startswith("4")
    yield from _check_list("interactions", document, _check_v4_interaction if is_v4 else _check_interaction)
    yield from _check_list("messages", document, _check_message)
    if not specification.startswith(("1", "2")):
        yield from _check_deprecated_states(document.get("interactions"))


def _check_list(name: str, document: dict[str, Any], check: Check) -> PactProblems:
    interactions = document.get(name)
    if name in document and not isinstance(interactions, list):
        yield _wrong_type(f"/{name}", interactions, "an Array")
    elif interactions == []:
        yield PactProblem(f"/{name}", f"{name.capitalize()} is empty", Severity.WARNING)
    elif interactions:
        for number, interaction in enumerate(interactions):
            yield from _checked_object(check)(f"/{name}/{number}", interaction)


def _check_interaction(path: str, interaction: dict[str, Any]) -> PactProblems:
    yield from _check_common_members(path, interaction, _COMMON_MEMBERS | {"request", "response"})
    yield from _check_http(path, interaction, _accept_body)


def _check_message(path: str, message: dict[str, Any]) -> PactProblems:
    yield from _check_common_members(path, message, _COMMON_MEMBERS | _MESSAGE_MEMBERS)
    yield from _check_rules_and_generators(path, message)


def _check_v4_interaction(path: str, interaction: dict[str, Any]) -> PactProblems:
    yield from _check_common_members(
        path, interaction, _COMMON_MEMBERS | _V4_MEMBERS | _MESSAGE_MEMBERS | {"request", "response"}
    )
    kind = interaction.get("type")
    if kind is None:
        yield PactProblem(path, "Missing type")
    elif kind not in _V4_TYPES:
        yield PactProblem(f"{path}/type", f"'{kind}' is not one of {', '.join(_V4_TYPES)}")
    if kind == _V4_TYPES[0]:
        yield from _check_http(path, interaction, _check_v4_body)
    elif kind == _V4_TYPES[1]:
        yield from _check_rules_and_generators(path, interaction)
        yield from _check_v4_body(f"{path}/contents", interaction.get("contents"))


def _check_common_members(path: str, interaction: dict[str, Any], known_names: set[str]) -> PactProblems:
    if "description" not in interaction:
        yield PactProblem(path, "Missing description")
    elif not isinstance(interaction["description"], str):
        yield _wrong_type(f"{path}/description", interaction["description"], "a String", Severity.STRICT_ERROR)
    yield from _check_states(path, interaction)
    for name in _unknown_members(interaction, known_names):
        yield PactProblem(path, f"Unexpected attribute '{name}'")


def _check_deprecated_states(interactions: Any) -> PactProblems:
    """Find members that version 3 of the Pact specification renamed."""
    for number, interaction in enumerate(interactions if isinstance(interactions, list) else []):
        if isinstance(interaction, dict) and "providerState" in interaction:
            message = "'providerState' is deprecated, use 'providerStates' instead"
            yield PactProblem(f"/interactions/{number}", message, Severity.WARNING)


def _check_states(path: str, interaction: dict[str, Any]) -> PactProblems:
    if "provider_state" in interaction:
        yield PactProblem(path, "'provider_state' is deprecated, use 'providerStates' instead", Severity.WARNING)
    for name in ("providerState", "provider_state"):
        state = interaction.get(name)
        if not isinstance(state, str | dict | None):
            yield _wrong_type(f"{path}/{name}", state, "a String or Object")
    states = interaction.get("providerStates")
    if isinstance(states, str | None):
        return
    if not isinstance(states, list):
        yield PactProblem(path, f"'providerStates' must be an Array, got {_type_name(states)}", Severity.ERROR)
        return
    for number, state in enumerate(states):
        yield from _checked_object(_check_state)(f"{path}/providerStates/{number}", state)


def _check_state(path: str, state: dict[str, Any]) -> PactProblems:
    if not isinstance(state.get("name"), str):
        yield PactProblem(path, "Provider state 'name' is required", Severity.ERROR)
    params = state.get("params", {})
    if not isinstance(params, dict | None):
        message = f"Provider state 'params' must be an Object, got {_type_name(params)}"
        yield PactProblem(path, message, Severity.ERROR)
    for name in _unknown_members(state, {"name", "params"}):
        yield PactProblem(path, f"Unknown attribute '{name}'")


def _check_http(path: str, interaction: dict[str, Any], body: Check) -> PactProblems:
    for name, check in (("request", _check_request), ("response", _check_response)):
        if name not in interaction:
            yield PactProblem(path, f"Missing {name}")
            continue
        part, part_path = interaction[name], f"{path}/{name}"
        yield from _check_optional_object(part_path, part)
        if isinstance(part, dict):
            yield from check(part_path, part)
            yield from _check_headers(f"{part_path}/headers", part.get("headers"))
            yield from _check_rules_and_generators(part_path, part)
            yield from body(f"{part_path}/body", part.get("body"))


def _check_request(path: str, request: dict[str, Any]) -> PactProblems:
    for name in ("method", "path"):
        if name not in request:
            yield PactProblem(path, f"Missing {name}")
        elif not isinstance(request[name], str):
            yield _wrong_type(f"{path}/{name}", request[name], "a String", Severity.STRICT_ERROR)
    query = request.get("query")
    if isinstance(query, dict):
        yield from _check_strings(f"{path}/query", query)
    elif not isinstance(query, str | None):
        yield _wrong_type(f"{path}/query", query, "a String or Object", Severity.STRICT_ERROR)


def _check_response(path: str, response: dict[str, Any]) -> PactProblems:
    status = response.get("status")
    if status is None:
        yield PactProblem(path, "Missing status")
    elif not isinstance(status, int) or isinstance(status, bool):
        yield _wrong_type(f"{path}/status", status, "a whole Number", Severity.STRICT_ERROR)
    elif status not in _STATUSES and not _has_status_matcher(response):
        yield PactProblem(f"{path}/status", f"{status} is not an HTTP status: they are 100 to 599")


def _has_status_matcher(response: dict[str, Any]) -> bool:
    """Whether a rule decides about the status. The number is then only an example, and 0 if there is none."""
    rules = response.get("matchingRules")
    return isinstance(rules, dict) and any(name in rules for name in ("status", "$.status"))


def _check_headers(path: str, headers: Any) -> PactProblems:
    yield from _check_optional_object(path, headers)
    if isinstance(headers, dict):
        yield from _check_strings(path, headers)


def _check_strings(path: str, values: dict[str, Any]) -> PactProblems:
    for name, value in values.items():
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str | None) for text in texts):
            message = f"Must be a String, or an Array of them, got {_type_name(value)}"
            yield PactProblem(f"{path}/{_escape_pointer(name)}", message)


def _accept_body(_path: str, _body: Any) -> PactProblems:
    """Accept every body, as the Pact specification does up to version 3."""
    yield from ()


def _check_v4_body(path: str, body: Any) -> PactProblems:
    yield from _check_optional_object(path, body)
    if isinstance(body, dict) and body and "content" not in body:
        yield PactProblem(path, "Missing content: since version 4 of the specification, a body is an Object around it")


def _check_rules_and_generators(path: str, part: dict[str, Any]) -> PactProblems:
    yield from _check_optional_object(f"{path}/generators", part.get("generators"))
    yield from _check_optional_object(f"{path}/matchingRules", part.get("matchingRules"))
    if isinstance(part.get("matchingRules"), dict):
        for part_path, matcher in _matchers(f"{path}/matchingRules", part["matchingRules"]):
            yield from _check_matcher(part_path, matcher)


def _matchers(path: str, rules: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the matchers with their paths: in lists named `matchers`, or alone, as before version 3."""
    for name, value in rules.items():
        part_path = f"{path}/{_escape_pointer(name)}"
        if name.startswith("$"):
            listed = value.get("matchers") if isinstance(value, dict) else None
            yield from (
                _number_items(f"{part_path}/matchers", listed) if isinstance(listed, list) else [(part_path, value)]
            )
        elif name == "matchers" and isinstance(value, list):
            yield from _number_items(part_path, value)
        elif isinstance(value, dict):
            yield from _matchers(part_path, value)


def _number_items(path: str, values: list[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"{path}/{number}", value) for number, value in enumerate(values))


def _check_matcher(path: str, matcher: Any) -> PactProblems:
    yield from _check_optional_object(path, matcher)
    if not isinstance(matcher, dict):
        return
    kind = matcher.get("match")
    if kind is not None and not _MATCHER_TYPES.fullmatch(str(kind)):
        yield PactProblem(f"{path}/match", f"There is no matcher '{kind}'")
    if kind == "regex" and not isinstance(matcher.get("regex"), str):
        yield PactProblem(path, "Missing regex")


def _check_metadata(metadata: Any) -> PactProblems:
    if not isinstance(metadata, dict):
        yield PactProblem("/metadata", f"Metadata must be an Object, got {_type_name(metadata)}", Severity.ERROR)
        return
    for old, new in _DEPRECATED_METADATA.items():
        if old in metadata:
            yield PactProblem("/metadata", f"'{old}' is deprecated, use '{new}' instead", Severity.WARNING)
    if "pactSpecification" in metadata:
        yield from _check_specification("/metadata/pactSpecification", metadata["pactSpecification"])


def _check_specification(path: str, specification: Any) -> PactProblems:
    if not isinstance(specification, dict):
        yield _wrong_type(path, specification, "an Object")
    elif "version" not in specification:
        yield PactProblem(path, "pactSpecification is missing the version attribute", Severity.WARNING)
    elif not isinstance(specification["version"], str):
        yield PactProblem(
            f"{path}/version", f"Version must be a String, got {_type_name(specification['version'])}", Severity.ERROR
        )
    elif not _SPECIFICATION_VERSION.fullmatch(specification["version"]):
        message = f"'{specification['version']}' is not a valid Pact specification version"
        yield PactProblem(f"{path}/version", message, Severity.ERROR)


def _specification_version(document: dict[str, Any]) -> str:
    """Return the version of the Pact specification that a pact's metadata names, or an empty text.

    Older libraries used other names for it.
    """
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return ""
    candidates = [metadata.get("pactSpecification"), metadata.get("pact-specification")]
    versions = [candidate.get("version") for candidate in candidates if isinstance(candidate, dict)]
    versions.append(metadata.get("pactSpecificationVersion"))
    return next((version for version in versions if isinstance(version, str)), "")


def _checked_object(check: Check) -> Check:
    """Wrap a check of objects: another value is an error."""

    def check_value(path: str, value: Any) -> PactProblems:
        return check(path, value) if isinstance(value, dict) else iter([_wrong_type(path, value, "an Object")])

    return check_value


def _check_optional_object(path: str, value: Any) -> PactProblems:
    if not isinstance(value, dict | None):
        yield _wrong_type(path, value, "an Object", Severity.STRICT_ERROR)


def _unknown_members(value: dict[str, Any], known_names: set[str]) -> list[str]:
    return [name for name in value if name not in known_names]


def _wrong_type(path: str, value: Any, expected: str, severity: Severity = Severity.ERROR) -> PactProblem:
    return PactProblem(path, f"Must be {expected}, got {_type_name(value)}", severity)


def _type_name(value: Any) -> str:
    return _JSON_TYPES.get(type(value), "Number")


def _escape_pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
