"""What is wrong with a pact: where, and in which words, before anybody publishes it.

The document's outer parts are judged as the Pact Foundation's newer client does. It looks no deeper; what is wrong in
requests, responses and messages is doubtful here, and an error only where strictness is wanted.
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
    ERROR = "wrong"
    STRICT_ERROR = "doubtful"
    """An error if strictness is wanted, else a warning."""
    WARNING = "dated"
    """A warning in any case."""


@dataclass(frozen=True, slots=True)
class PactProblem:
    """Something that is wrong at a place, which is written as a JSON pointer."""

    path: str
    message: str
    severity: Severity = Severity.STRICT_ERROR

    def is_error(self, *, strict: bool) -> bool:
        return self.severity is Severity.ERROR or (strict and self.severity is Severity.STRICT_ERROR)


_DOCUMENT: Final = {"consumer", "provider", "interactions", "messages", "metadata"}
_COMMON: Final = {"_id", "description", "providerState", "provider_state", "providerStates"}
_CONTENTS: Final = {"contents", "metaData", "metadata", "matchingRules", "generators"}
_IN_V4: Final = {"type", "key", "pending", "comments", "pluginConfiguration", "interactionMarkup", "transport"}
_KINDS: Final = ("Synchronous/HTTP", "Asynchronous/Messages", "Synchronous/Messages")
_METADATA_OF_OLD: Final = {
    "pact-specification": "pactSpecification",
    "pactSpecificationVersion": "pactSpecification/version",
}
_VERSION: Final = re.compile(r"[1-4](\.\d+){0,2}")
_STATUS: Final = range(100, 600)
_MATCHERS: Final = re.compile(
    r"equality|regex|type|include|number|integer|decimal|null|boolean|content-?[tT]ype|date|time|timestamp|datetime|"
    r"values|statusCode|notEmpty|semver|arrayContains|eachKey|eachValue|min|max|minmax"
)
_JSON_TYPES: Final = {bool: "Boolean", dict: "Object", list: "Array", str: "String", type(None): "Null"}


def check_pact(document: Any) -> list[PactProblem]:
    """Find all that is wrong with a pact that was read from JSON."""
    return list(_document(document))


def _document(document: Any) -> PactProblems:
    if not isinstance(document, dict):
        yield _mistyped("/", document, "an Object")
        return
    for side in ("consumer", "provider"):
        yield from _pacticipant(side, document)
    yield from _every_interaction(document)
    yield from _metadata(document.get("metadata", {}))
    for name in _others(document, _DOCUMENT):
        yield PactProblem(f"/{_escaped(name)}", f"Unexpected attribute '{name}'")


def _pacticipant(side: str, document: dict[str, Any]) -> PactProblems:
    """Without both names a pact cannot be published at all."""
    if side not in document:
        yield PactProblem(f"/{side}", f"Missing {side}", Severity.ERROR)
        return
    pacticipant = document[side]
    if not isinstance(pacticipant, dict):
        yield _mistyped(f"/{side}", pacticipant, "an Object")
        return
    yield from _name(f"/{side}/name", pacticipant)
    for name in _others(pacticipant, {"name"}):
        yield PactProblem(f"/{side}", f"Unknown attribute '{name}'")


def _name(path: str, pacticipant: dict[str, Any]) -> PactProblems:
    name = pacticipant.get("name")
    if name is None:
        yield PactProblem(path, "Missing name", Severity.ERROR)
    elif not isinstance(name, str):
        yield _mistyped(path, name, "a String")
    elif not name.strip():
        yield PactProblem(path, "Name is blank", Severity.ERROR)


def _every_interaction(document: dict[str, Any]) -> PactProblems:
    if not {"interactions", "messages"} & document.keys():
        yield PactProblem("/interactions", "Missing interactions", Severity.WARNING)
    specification = _specification(document)
    is_v4 = specification.startswith("4")
    yield from _listed("interactions", document, _v4_interaction if is_v4 else _interaction)
    yield from _listed("messages", document, _message)
    if not specification.startswith(("1", "2")):
        yield from _states_of_old(document.get("interactions"))


def _listed(name: str, document: dict[str, Any], judge: Check) -> PactProblems:
    interactions = document.get(name)
    if name in document and not isinstance(interactions, list):
        yield _mistyped(f"/{name}", interactions, "an Array")
    elif interactions == []:
        yield PactProblem(f"/{name}", f"{name.capitalize()} is empty", Severity.WARNING)
    elif interactions:
        for number, interaction in enumerate(interactions):
            yield from _object(judge)(f"/{name}/{number}", interaction)


def _interaction(path: str, interaction: dict[str, Any]) -> PactProblems:
    yield from _common(path, interaction, _COMMON | {"request", "response"})
    yield from _http(path, interaction, _any_body)


def _message(path: str, message: dict[str, Any]) -> PactProblems:
    yield from _common(path, message, _COMMON | _CONTENTS)
    yield from _rules_and_generators(path, message)


def _v4_interaction(path: str, interaction: dict[str, Any]) -> PactProblems:
    yield from _common(path, interaction, _COMMON | _IN_V4 | _CONTENTS | {"request", "response"})
    kind = interaction.get("type")
    if kind is None:
        yield PactProblem(path, "Missing type")
    elif kind not in _KINDS:
        yield PactProblem(f"{path}/type", f"'{kind}' is not one of {', '.join(_KINDS)}")
    if kind == _KINDS[0]:
        yield from _http(path, interaction, _v4_body)
    elif kind == _KINDS[1]:
        yield from _rules_and_generators(path, interaction)
        yield from _v4_body(f"{path}/contents", interaction.get("contents"))


def _common(path: str, interaction: dict[str, Any], known: set[str]) -> PactProblems:
    if "description" not in interaction:
        yield PactProblem(path, "Missing description")
    elif not isinstance(interaction["description"], str):
        yield _mistyped(f"{path}/description", interaction["description"], "a String", Severity.STRICT_ERROR)
    yield from _states(path, interaction)
    for name in _others(interaction, known):
        yield PactProblem(path, f"Unexpected attribute '{name}'")


def _states_of_old(interactions: Any) -> PactProblems:
    """Find what version 3 of the specification has another name for."""
    for number, interaction in enumerate(interactions if isinstance(interactions, list) else []):
        if isinstance(interaction, dict) and "providerState" in interaction:
            message = "'providerState' is deprecated, use 'providerStates' instead"
            yield PactProblem(f"/interactions/{number}", message, Severity.WARNING)


def _states(path: str, interaction: dict[str, Any]) -> PactProblems:
    if "provider_state" in interaction:
        yield PactProblem(path, "'provider_state' is deprecated, use 'providerStates' instead", Severity.WARNING)
    for name in ("providerState", "provider_state"):
        state = interaction.get(name)
        if not isinstance(state, str | dict | None):
            yield _mistyped(f"{path}/{name}", state, "a String or Object")
    states = interaction.get("providerStates")
    if isinstance(states, str | None):
        return
    if not isinstance(states, list):
        yield PactProblem(path, f"'providerStates' must be an Array, got {_type(states)}", Severity.ERROR)
        return
    for number, state in enumerate(states):
        yield from _object(_state)(f"{path}/providerStates/{number}", state)


def _state(path: str, state: dict[str, Any]) -> PactProblems:
    if not isinstance(state.get("name"), str):
        yield PactProblem(path, "Provider state 'name' is required", Severity.ERROR)
    params = state.get("params", {})
    if not isinstance(params, dict | None):
        message = f"Provider state 'params' must be an Object, got {_type(params)}"
        yield PactProblem(path, message, Severity.ERROR)
    for name in _others(state, {"name", "params"}):
        yield PactProblem(path, f"Unknown attribute '{name}'")


def _http(path: str, interaction: dict[str, Any], body: Check) -> PactProblems:
    for name, judge in (("request", _request), ("response", _response)):
        if name not in interaction:
            yield PactProblem(path, f"Missing {name}")
            continue
        part, place = interaction[name], f"{path}/{name}"
        yield from _doubtful_object(place, part)
        if isinstance(part, dict):
            yield from judge(place, part)
            yield from _headers(f"{place}/headers", part.get("headers"))
            yield from _rules_and_generators(place, part)
            yield from body(f"{place}/body", part.get("body"))


def _request(path: str, request: dict[str, Any]) -> PactProblems:
    for name in ("method", "path"):
        if name not in request:
            yield PactProblem(path, f"Missing {name}")
        elif not isinstance(request[name], str):
            yield _mistyped(f"{path}/{name}", request[name], "a String", Severity.STRICT_ERROR)
    query = request.get("query")
    if isinstance(query, dict):
        yield from _texts(f"{path}/query", query)
    elif not isinstance(query, str | None):
        yield _mistyped(f"{path}/query", query, "a String or Object", Severity.STRICT_ERROR)


def _response(path: str, response: dict[str, Any]) -> PactProblems:
    status = response.get("status")
    if status is None:
        yield PactProblem(path, "Missing status")
    elif not isinstance(status, int) or isinstance(status, bool):
        yield _mistyped(f"{path}/status", status, "a whole Number", Severity.STRICT_ERROR)
    elif status not in _STATUS:
        yield PactProblem(f"{path}/status", f"{status} is no status of HTTP: they are 100 to 599")


def _headers(path: str, headers: Any) -> PactProblems:
    yield from _doubtful_object(path, headers)
    if isinstance(headers, dict):
        yield from _texts(path, headers)


def _texts(path: str, values: dict[str, Any]) -> PactProblems:
    for name, value in values.items():
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str | None) for text in texts):
            message = f"Must be a String, or an Array of them, got {_type(value)}"
            yield PactProblem(f"{path}/{_escaped(name)}", message)


def _any_body(_path: str, _body: Any) -> PactProblems:
    """Take a body as it is: up to version 3 of the specification it may be anything."""
    yield from ()


def _v4_body(path: str, body: Any) -> PactProblems:
    yield from _doubtful_object(path, body)
    if isinstance(body, dict) and body and "content" not in body:
        yield PactProblem(path, "Missing content: since version 4 of the specification, a body is an Object around it")


def _rules_and_generators(path: str, part: dict[str, Any]) -> PactProblems:
    yield from _doubtful_object(f"{path}/generators", part.get("generators"))
    yield from _doubtful_object(f"{path}/matchingRules", part.get("matchingRules"))
    if isinstance(part.get("matchingRules"), dict):
        for place, matcher in _matchers(f"{path}/matchingRules", part["matchingRules"]):
            yield from _matcher(place, matcher)


def _matchers(path: str, rules: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Go through what is in the lists called `matchers`, and what stands alone as before version 3."""
    for name, value in rules.items():
        place = f"{path}/{_escaped(name)}"
        if name.startswith("$"):
            listed = value.get("matchers") if isinstance(value, dict) else None
            yield from _numbered(f"{place}/matchers", listed) if isinstance(listed, list) else [(place, value)]
        elif name == "matchers" and isinstance(value, list):
            yield from _numbered(place, value)
        elif isinstance(value, dict):
            yield from _matchers(place, value)


def _numbered(path: str, values: list[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"{path}/{number}", value) for number, value in enumerate(values))


def _matcher(path: str, matcher: Any) -> PactProblems:
    yield from _doubtful_object(path, matcher)
    if not isinstance(matcher, dict):
        return
    kind = matcher.get("match")
    if kind is not None and not _MATCHERS.fullmatch(str(kind)):
        yield PactProblem(f"{path}/match", f"There is no matcher '{kind}'")
    if kind == "regex" and not isinstance(matcher.get("regex"), str):
        yield PactProblem(path, "Missing regex")


def _metadata(metadata: Any) -> PactProblems:
    if not isinstance(metadata, dict):
        yield PactProblem("/metadata", f"Metadata must be an Object, got {_type(metadata)}", Severity.ERROR)
        return
    for old, new in _METADATA_OF_OLD.items():
        if old in metadata:
            yield PactProblem("/metadata", f"'{old}' is deprecated, use '{new}' instead", Severity.WARNING)
    if "pactSpecification" in metadata:
        yield from _stated("/metadata/pactSpecification", metadata["pactSpecification"])


def _stated(path: str, stated: Any) -> PactProblems:
    if not isinstance(stated, dict):
        yield _mistyped(path, stated, "an Object")
    elif "version" not in stated:
        yield PactProblem(path, "pactSpecification is missing the version attribute", Severity.WARNING)
    elif not isinstance(stated["version"], str):
        yield PactProblem(
            f"{path}/version", f"Version must be a String, got {_type(stated['version'])}", Severity.ERROR
        )
    elif not _VERSION.fullmatch(stated["version"]):
        message = f"'{stated['version']}' is not a valid Pact specification version"
        yield PactProblem(f"{path}/version", message, Severity.ERROR)


def _specification(document: dict[str, Any]) -> str:
    """Find the version of the specification that a pact says it keeps to."""
    found: Any = document
    for name in ("metadata", "pactSpecification", "version"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def _object(judge: Check) -> Check:
    """Judge what is an object; all else is wrong."""

    def judged(path: str, value: Any) -> PactProblems:
        return judge(path, value) if isinstance(value, dict) else iter([_mistyped(path, value, "an Object")])

    return judged


def _doubtful_object(path: str, value: Any) -> PactProblems:
    if not isinstance(value, dict | None):
        yield _mistyped(path, value, "an Object", Severity.STRICT_ERROR)


def _others(found: dict[str, Any], known: set[str]) -> list[str]:
    return [name for name in found if name not in known]


def _mistyped(path: str, value: Any, wanted: str, severity: Severity = Severity.ERROR) -> PactProblem:
    return PactProblem(path, f"Must be {wanted}, got {_type(value)}", severity)


def _type(value: Any) -> str:
    return _JSON_TYPES.get(type(value), "Number")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
