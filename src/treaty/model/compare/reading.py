"""Reading the documents of providers: OpenAPI and AsyncAPI, as JSON or YAML, with limits."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from treaty.model.compare.documents import Document, Specification
from treaty.model.compare.findings import Note
from treaty.model.compare.locations import format_location, resolve_reference
from treaty.model.compare.positions import Position, find_duplicate, find_positions, find_too_deep, is_json
from treaty.model.compare.yaml_documents import (
    MAX_DEPTH,
    UnreadableDocument,
    duplicate_name,
    not_finite,
    parse_yaml,
    too_deep,
    too_many_digits,
)
from treaty.model.json_nesting import is_deeper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treaty.model.compare.locations import Path

Json = Any

DEFAULT_MAX_BYTES: Final = 20_000_000
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A document, its text, and notes about it."""

    document: Document
    text: str
    notes: tuple[Note, ...]


class UnknownKind(UnreadableDocument):
    """The document is an object, but neither OpenAPI nor AsyncAPI. `content` is the object."""

    def __init__(self, content: dict[str, Json]) -> None:
        super().__init__(
            "The document is neither OpenAPI nor AsyncAPI: it has no member 'openapi', 'swagger' or 'asyncapi' with a "
            "version.",
            Position(1, 1),
        )
        self.content = content


def read_document(
    raw: bytes, *, name: str, specification: str | None = None, max_bytes: int = DEFAULT_MAX_BYTES
) -> ReadDocument:
    """Read a document.

    `specification` is `oas` or `asyncapi` if the publisher has declared it. Raises UnreadableDocument, with a text for
    the user, if the document is too large or malformed, if it is neither OpenAPI nor AsyncAPI of a supported version,
    or if it refers to other files.
    """
    if len(raw) > max_bytes:
        raise UnreadableDocument(
            f"The document has {len(raw):,} bytes, more than the limit of {max_bytes:,}. Remove examples, or split it."
        )
    text = _decode(raw)
    content = parse(text)
    if not isinstance(content, dict):
        raise UnreadableDocument(f"The document is {_describe_type(content)} instead of an object.", Position(1, 1))
    kind = _find_specification(content)
    if specification is not None and specification != kind:
        raise UnreadableDocument(
            f"The document is {_NAMES[kind]}, but it was declared as '{specification}'. Declare it as '{kind}'."
        )
    _shorten_own_references(content)
    return ReadDocument(Document(name, kind, content), text, tuple(_check_references(content, text)))


def _decode(raw: bytes) -> str:
    """Decode a document: UTF-8, or UTF-16 if its byte order mark says so."""
    encoding = "utf-16" if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        start = raw.rfind(b"\n", 0, error.start) + 1
        position = Position(raw.count(b"\n", 0, error.start) + 1, error.start - start + 1)
        raise UnreadableDocument("The document is not UTF-8 here. Save it as UTF-8.", position) from error


def parse(text: str) -> Json:
    """Parse JSON or YAML. Raises UnreadableDocument if the text is neither, or exceeds the limits."""
    if not text.strip():
        raise UnreadableDocument("The document is empty.")
    return _parse_json(text) if is_json(text) else parse_yaml(text)


def _parse_json(text: str) -> Json:
    try:
        content = json.loads(
            text, object_pairs_hook=_build_object, parse_float=_parse_float, parse_constant=_refuse_constant
        )
    except RecursionError as error:
        raise too_deep(find_too_deep(text, MAX_DEPTH)) from error
    except _DuplicateName as error:
        duplicate = find_duplicate(text)
        raise duplicate_name(*duplicate or (str(error), None, None)) from error
    except json.JSONDecodeError as error:
        position = Position(error.lineno, error.colno)
        raise UnreadableDocument(f"The document is not valid JSON: {error.msg}.", position) from error
    except ValueError as error:  # the only other value that Python cannot parse
        raise too_many_digits() from error
    if is_deeper(content, MAX_DEPTH):
        raise too_deep(find_too_deep(text, MAX_DEPTH))
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(content)
    return content


class _DuplicateName(Exception):
    """Raised for a name that an object has twice."""


def _build_object(members: list[tuple[str, Json]]) -> dict[str, Json]:
    built = dict(members)
    if len(built) != len(members):
        names = [name for name, _ in members]
        raise _DuplicateName(next(name for name in names if names.count(name) > 1))
    return built


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise not_finite(text)
    return number


def _refuse_constant(text: str) -> float:
    raise not_finite(text)


def _check_surrogates(content: Json) -> None:
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UnreadableDocument(
            "The document has a text with half of a surrogate pair (an escape such as \\ud800 alone), which is no "
            "character. Correct the escape."
        ) from error


_TYPES: Final = {list: "a list", str: "a text", bool: "a truth value", type(None): "empty"}


def _describe_type(content: Json) -> str:
    return _TYPES.get(type(content), "a number")


_NAMES: Final = {"oas": "an OpenAPI document", "asyncapi": "an AsyncAPI document"}
_VERSIONS: Final = {"swagger": re.compile(r"2\.0"), "openapi": re.compile(r"3\..*"), "asyncapi": re.compile(r"3\..*")}


def _find_specification(content: dict[str, Json]) -> Specification:
    """Return the kind of a document by the member with its version; write the version as text."""
    member = next((name for name in _VERSIONS if name in content), None)
    if member is None:
        raise UnknownKind(content)
    version = content[member]
    if isinstance(version, int | float) and not isinstance(version, bool):
        version = content[member] = str(version)  # YAML reads `swagger: 2.0` as a number
    if not isinstance(version, str) or not _VERSIONS[member].fullmatch(version):
        raise UnreadableDocument(
            f"The document has {member} version {json.dumps(version)[:40]}. Supported versions are OpenAPI 3, Swagger "
            "2.0 and AsyncAPI 3: convert the document to one of them."
        )
    return "asyncapi" if member == "asyncapi" else "oas"


def _shorten_own_references(content: dict[str, Json]) -> None:
    """Let references that begin with the document's own address (`$self` of OpenAPI 3.2) begin with `#`."""
    own = content.get("$self")
    if not isinstance(own, str) or not own:
        return
    address = own.partition("#")[0]
    for reference, path in find_references(content):
        if reference.startswith(f"{address}#"):
            node: Json = content
            for name in path[:-1]:
                node = node[name]
            node["$ref"] = reference[len(address) :]


def _check_references(content: dict[str, Json], text: str) -> Iterator[Note]:
    """Yield a note for each distinct reference that leads nowhere. Raises UnreadableDocument for one to elsewhere."""
    broken: dict[str, Path] = {}
    for reference, path in find_references(content):
        if not reference.startswith("#"):
            raise UnreadableDocument(
                f"The reference '{reference[:200]}' leads to another file or address. Only references within the "
                "document (#/…) can be followed. Bundle the files into one first, for example with `redocly bundle`.",
                find_positions(text, {path}).get(path),
            )
        if resolve_reference(content, reference) is None:
            broken.setdefault(reference, path)
    for reference, path in broken.items():
        # The comparison notes the references that it meets in the same words, so that each is reported once.
        text = f"The document refers to {reference}, which it does not have."
        yield Note(code="reference.broken", message=text, location=format_location(path))


_NAMED: Final = frozenset(
    {
        *(
            "paths",
            "pathItems",
            "callbacks",
            "parameters",
            "headers",
            "requestBodies",
            "encoding",
            "responses",
            "links",
        ),
        *("schemas", "definitions", "$defs", "properties", "patternProperties", "dependentSchemas", "mapping"),
        *("securitySchemes", "channels", "operations", "messages", "replies"),
    }
)
"""Members whose own members have free names, which may be `example` or `$ref`."""
_DATA: Final = frozenset({"const", "default", "enum", "example", "examples", "value"})
"""Members with data, in which `$ref` is no reference."""


class _Node:
    """A list or an object in a document, with the way to it."""

    __slots__ = ("has_free_names", "name", "parent", "value")

    def __init__(self, value: Json, name: str | int, parent: _Node | None) -> None:
        self.value, self.name, self.parent = value, name, parent
        self.has_free_names: bool = (
            name in _NAMED and isinstance(value, dict) and not (parent is not None and parent.has_free_names)
        )

    @property
    def path(self) -> Path:
        names: list[str | int] = []
        node = self
        while node.parent is not None:
            names.append(node.name)
            node = node.parent
        return tuple(reversed(names))

    def children(self) -> list[_Node]:
        """Return the lists and objects that may contain references, the last first."""
        if isinstance(self.value, list):
            members = [(index, item) for index, item in enumerate(self.value) if isinstance(item, dict | list)]
        else:
            members = [
                (name, value)
                for name, value in self.value.items()
                if isinstance(value, dict | list)
                and (self.has_free_names or not (name in _DATA or name.startswith("x-")))
            ]
        return [_Node(value, name, self) for name, value in reversed(members)]


def find_references(content: Json) -> Iterator[tuple[str, Path]]:
    """Yield each reference of a document, and the path of its `$ref`."""
    nodes = [_Node(content, "", None)]
    while nodes:
        node = nodes.pop()
        reference = node.value.get("$ref") if isinstance(node.value, dict) and not node.has_free_names else None
        if isinstance(reference, str):
            yield reference, (*node.path, "$ref")
        nodes.extend(node.children())
