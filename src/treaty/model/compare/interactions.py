"""Interactions of a pact as the comparison reads them, whatever the version of its specification."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from treaty.model.compare.documents import UnusablePact
from treaty.model.compare.findings import ABSENT, NO_STATE, PactPlace

_UNSAFE: Final = re.compile(r"[\r\n\0]")


class Headers:
    """Headers by lower-case name. Values of names that differ in case only are joined."""

    def __init__(self, headers: Any) -> None:
        self._values: dict[str, str] = {}
        for name, value in headers.items() if isinstance(headers, Mapping) else ():
            key = str(name).strip().lower()
            text = _join(value).strip()
            self._values[key] = f"{self._values[key]}, {text}" if key in self._values else text

    def get(self, name: str) -> str | None:
        return self._values.get(name.lower())

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def items(self) -> list[tuple[str, str]]:
        return sorted(self._values.items())


@dataclass(frozen=True, kw_only=True, slots=True)
class Interaction:
    """What all kinds of interactions have. `location` is that of the interaction in the pact."""

    index: int
    location: str
    description: str | None
    state: str
    raw: Mapping[str, Any]

    def place(self, location: str = "", value: Any = ABSENT) -> PactPlace:
        """Return the place of a part of the interaction; `location` begins with a dot or is empty."""
        return PactPlace(
            location=self.location + location,
            value=value,
            description=self.description,
            state=self.state,
            index=self.index,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpInteraction(Interaction):
    """A request and its response. Bodies are `ABSENT` if the pact has none."""

    method: str
    path: str
    query: str | Mapping[str, Any] | None
    request_headers: Headers
    request_body: Any
    status: int
    response_headers: Headers
    response_body: Any

    @property
    def is_successful(self) -> bool:
        """Whether the request is one that the provider accepts; otherwise the interaction describes an error."""
        return self.status < 400  # noqa: PLR2004 - the first status of an error

    @property
    def request(self) -> Mapping[str, Any]:
        return mapping(self.raw.get("request"))

    @property
    def response(self) -> Mapping[str, Any]:
        return mapping(self.raw.get("response"))


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageInteraction(Interaction):
    """A message, or a message with replies (`sync`). Its parts are read from `raw` by the AsyncAPI comparison."""

    kind: Literal["async", "sync"]


def read_interactions(pact: Mapping[str, Any]) -> tuple[list[HttpInteraction | MessageInteraction], int]:
    """Read the interactions that can be compared, and count all of them.

    Interactions of unknown types are left out.

    Raises:
        UnusablePact: An HTTP interaction lacks its method, path or numeric status.
    """
    version = specification_version(pact)
    entries = [entry for entry in _entries(pact) if isinstance(entry[2], Mapping)]
    interactions = [_read(name, index, raw, version) for name, index, raw in entries]
    return [interaction for interaction in interactions if interaction], len(interactions)


def specification_version(pact: Mapping[str, Any]) -> int:
    """Return the major version of the Pact specification that the pact follows; 0 if it names none."""
    metadata = mapping(pact.get("metadata"))
    for candidate in (
        mapping(metadata.get("pactSpecification")).get("version"),
        metadata.get("pactSpecificationVersion"),
        mapping(metadata.get("pact-specification")).get("version"),
    ):
        if candidate:
            digits = re.match(r"\s*(\d{1,9})", str(candidate))
            return int(digits[1]) if digits else 0
    return 0


def decode_contents(contents: Any) -> Any:
    """Decode a body or message of version 4: `{content, contentType, encoded}`. `ABSENT` if there is none.

    `encoded: "JSON"` means JSON text, another name is an encoding such as Base64, and `false` means as is. Content that
    cannot be decoded is returned unchanged.
    """
    if contents is ABSENT or contents is None or contents in (False, 0, ""):
        return ABSENT
    if not isinstance(contents, Mapping):
        return contents
    content = contents.get("content", "")
    encoding = contents.get("encoded")
    if not encoding or not isinstance(content, str):
        return content
    if str(encoding).upper() == "JSON":
        return _decode_json(content)
    return _decode_text(content, str(encoding).lower())


def mapping(value: Any) -> Mapping[str, Any]:
    """Return the value if it is an object, or else an empty object: documents and pacts may contain anything."""
    return value if isinstance(value, Mapping) else {}


def _entries(pact: Mapping[str, Any]) -> Iterator[tuple[str, int, Any]]:
    # Pacts with messages of version 3 have them in a list of their own.
    for name in ("interactions", "messages"):
        entries = pact.get(name)
        if isinstance(entries, list):
            yield from ((name, index, entry) for index, entry in enumerate(entries))


def _read(name: str, index: int, raw: Mapping[str, Any], version: int) -> HttpInteraction | MessageInteraction | None:
    kind = raw.get("type")
    label = "asynchronous/messages" if name == "messages" and kind is None else kind
    match label.lower() if isinstance(label, str) else label:
        case None | "synchronous/http":
            return _read_http(version, **_shared(name, index, raw))
        case "asynchronous/messages":
            return MessageInteraction(kind="async", **_shared(name, index, raw))
        case "synchronous/messages":
            return MessageInteraction(kind="sync", **_shared(name, index, raw))
        case _:
            return None


def _shared(name: str, index: int, raw: Mapping[str, Any]) -> dict[str, Any]:
    description, state = raw.get("description"), raw.get("providerState")
    return {
        "index": index,
        "location": f"[root].{name}[{index}]",
        "description": description if isinstance(description, str) else None,
        "state": state if isinstance(state, str) and state else NO_STATE,
        "raw": raw,
    }


def _read_http(version: int, **shared: Any) -> HttpInteraction:
    request, response = (mapping(shared["raw"].get(name)) for name in ("request", "response"))
    method, path, status = request.get("method"), request.get("path"), response.get("status")
    for name, value, kind in (("request.method", method, str), ("request.path", path, str)):
        if not isinstance(value, kind):
            _refuse(shared, f"has no {name}")
    if isinstance(status, bool) or not isinstance(status, int | float):
        _refuse(shared, "has no numeric response.status")
    query = request.get("query")
    return HttpInteraction(
        method=str(method),
        path=str(path),
        query=query if isinstance(query, str | Mapping) else None,
        request_headers=Headers(request.get("headers")),
        request_body=_body(request, version),
        status=int(status or 0),
        response_headers=Headers(response.get("headers")),
        response_body=_body(response, version),
        **shared,
    )


def _refuse(shared: Mapping[str, Any], reason: str) -> None:
    name = f' ("{shared["description"]}")' if shared["description"] else ""
    raise UnusablePact(
        f"The pact cannot be compared, because {shared['location']}{name} {reason}. Publish a complete pact."
    )


def _body(part: Mapping[str, Any], version: int) -> Any:
    if version >= 4:  # noqa: PLR2004 - since version 4, a body is an object with its content and encoding
        return decode_contents(part.get("body", ABSENT))
    return part.get("body", ABSENT)


def _decode_json(content: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content


def _decode_text(content: str, encoding: str) -> str:
    try:
        match encoding:
            case "base64" | "base64url":
                padded = content + "=" * (-len(content) % 4)
                return base64.b64decode(padded, altchars=b"-_" if "-" in content or "_" in content else None).decode()
            case "hex":
                return bytes.fromhex(content).decode()
            case _:
                return content
    except (binascii.Error, ValueError):
        return content


def _join(value: Any) -> str:
    values = value if isinstance(value, list | tuple) else [value]
    return _UNSAFE.sub("", ",".join(text if isinstance(text, str) else _as_text(text) for text in values))


def join_values(value: Any) -> str:
    """Return a header's or query parameter's value, a text or a list of texts, as one text."""
    return _join(value)


def _as_text(value: Any) -> str:
    return "" if value is None else json.dumps(value)
