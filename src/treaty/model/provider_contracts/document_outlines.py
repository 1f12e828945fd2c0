"""Outlines of documents, as pages show them: operations, schemas, and which operations use which schema."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

from treaty.model.compare import pointers
from treaty.model.compare.documents import UnusableDocument
from treaty.model.compare.interactions import mapping
from treaty.model.compare.locations import Path, format_location
from treaty.model.compare.openapi import OpenApi
from treaty.model.compare.profiles import Profile, switches_for
from treaty.model.compare.reading import find_references
from treaty.model.compare.routes import Route, Router

Json = Any

MAX_LABEL_LENGTH: Final = 200
"""Characters of a title, version or summary."""
_SECTIONS: Final = {"components": 3, "definitions": 2, "parameters": 2, "responses": 2, "channels": 2}
"""Parts of a document whose members other parts refer to, with the number of names that lead to a member."""


@dataclass(frozen=True, slots=True)
class OutlinedOperation:
    """An operation: method and path, or action and channel of an AsyncAPI document."""

    path: Path
    """The path to the operation in the document."""
    method: str
    name: str
    """The path of an HTTP operation, or the name of an operation with messages."""
    summary: str | None
    is_deprecated: bool

    @property
    def location(self) -> str:
        return format_location(self.path)

    @property
    def text(self) -> str:
        return f"{self.method} {self.name}"

    @property
    def key(self) -> str:
        """The name of the operation in coverage."""
        return self.text if self.path[0] == "paths" else self.name


@dataclass(frozen=True, slots=True)
class OutlinedSchema:
    """A schema that the document has by a name."""

    path: Path
    name: str

    @property
    def location(self) -> str:
        return format_location(self.path)


class Outline:
    """The outline of a document. It keeps names only, since documents may be large."""

    def __init__(self, content: Mapping[str, Json], profile: Profile) -> None:
        info = mapping(content.get("info"))
        self.title, self.version = _read_label(info.get("title")), _read_label(info.get("version"))
        self.format = _describe_format(content)
        self.operations: Sequence[OutlinedOperation] = [*_list_http(content), *_list_messages(content)]
        self.schemas: Sequence[OutlinedSchema] = list(_list_schemas(content))
        self._router = _build_router(content, profile)
        self._users = _invert(content)

    def find_operation(self, method: str, path: str) -> Path | None:
        """Find the operation that a request belongs to, as the comparison does."""
        match = self._router.find(method, path) if self._router else None
        return match.operation if match else None

    def list_users(self, schema: OutlinedSchema) -> list[OutlinedOperation]:
        """List the operations that use a schema, directly or through others."""
        reached = {schema.path}
        waiting = [schema.path]
        while waiting:
            new = self._users.get(waiting.pop(), set()) - reached
            reached |= new
            waiting += new
        return [operation for operation in self.operations if not reached.isdisjoint(_owners(operation.path))]


def _owners(path: Path) -> Iterable[Path]:
    """Yield an operation, and its path, whose parameters are those of all its operations.

    An operation behind a reference belongs to the named part that contains it.
    """
    yield _find_part(path)
    if path[0] == "paths":
        yield path[:2]


def _read_label(value: Json) -> str | None:
    return None if value is None or isinstance(value, dict | list) else str(value)[:MAX_LABEL_LENGTH]


def _describe_format(content: Mapping[str, Json]) -> str | None:
    for member, name in (("openapi", "OpenAPI"), ("swagger", "Swagger"), ("asyncapi", "AsyncAPI")):
        if member in content:
            return f"{name} {_read_label(content[member])}"
    return None


_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")


def _list_http(content: Mapping[str, Json]) -> Iterator[OutlinedOperation]:
    for path, item in mapping(content.get("paths")).items():
        resolved, owner = _follow(content, item, ("paths", path))
        for method, operation in resolved.items():
            if method.lower() in _METHODS and isinstance(operation, Mapping):
                yield _outline((*owner, method), method.upper(), path, operation)


def _follow(content: Mapping[str, Json], node: Json, path: Path) -> tuple[Mapping[str, Json], Path]:
    """Follow the reference that a path may have instead of operations."""
    reference = pointers.reference_of(node)
    names = pointers.split_pointer(reference) if reference else None
    return (mapping(node), path) if names is None else (mapping(pointers.resolve(content, node)), names)


def _outline(path: Path, method: str, name: str, operation: Mapping[str, Json]) -> OutlinedOperation:
    summary = _read_label(operation.get("summary") or operation.get("operationId"))
    return OutlinedOperation(path, method, name, summary, operation.get("deprecated") is True)


def _list_messages(content: Mapping[str, Json]) -> Iterator[OutlinedOperation]:
    if "asyncapi" not in content:
        return
    for name, node in mapping(content.get("operations")).items():
        operation = mapping(node)
        yield _outline(("operations", name), _read_label(operation.get("action")) or "operation", name, operation)


def _list_schemas(content: Mapping[str, Json]) -> Iterator[OutlinedSchema]:
    for path in (("components", "schemas"), ("definitions",)):
        schemas = content
        for name in path:
            schemas = mapping(schemas.get(name))
        yield from (OutlinedSchema((*path, name), name) for name in schemas)


def _build_router(content: Mapping[str, Json], profile: Profile) -> Router | None:
    switches = switches_for(profile, content)
    try:
        document = OpenApi("", content, switches)
    except UnusableDocument:
        return None
    routes = [
        Route(base + operation.path, operation.method, ("paths", operation.path, operation.method))
        for operation in document.operations
        for base in document.base_paths_of(operation)
    ]
    return Router(routes, switches)


def _invert(content: Mapping[str, Json]) -> Mapping[Path, set[Path]]:
    """Return, by each part that is referred to, the parts that refer to it."""
    users: dict[Path, set[Path]] = {}
    for reference, path in find_references(content):
        names = pointers.split_pointer(reference)
        if names:
            users.setdefault(_find_part(names), set()).add(_find_part(path))
    return users


def _find_part(path: Path) -> Path:
    """Return the operation or the named part that a path leads into."""
    match path:
        case ("paths", name, str() as method, *_) if method.lower() in _METHODS:
            return ("paths", name, method)
        case ("paths", name, *_):
            return ("paths", name)
        case ("operations", name, *_):
            return ("operations", name)
        case _:
            return path[: _SECTIONS.get(str(path[0]), len(path))]


class _Body:
    """A document whose outline is cached by its hash. The body itself is dropped once it has been read."""

    def __init__(self, sha: str, profile: str, body: bytes) -> None:
        self._key = (sha, profile)
        self.profile, self.body = profile, body

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Body) and self._key == other._key


def read_outline(sha: str, body: bytes, profile: str) -> Outline:
    """Outline a document. Of large ones this takes a second or two, the first time."""
    return _read_cached(_Body(sha, profile, body))


@lru_cache(maxsize=8)
def _read_cached(document: _Body) -> Outline:
    content, document.body = orjson.loads(document.body), b""
    return Outline(mapping(content), Profile(document.profile))
