"""OpenAPI documents (2.0, 3.0, 3.1, 3.2) as the comparison uses them: operations, and schemas compiled when needed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

from treaty.model.compare import pointers
from treaty.model.compare.documents import UnusableDocument
from treaty.model.compare.findings import ABSENT, DocumentPlace, Note
from treaty.model.compare.interactions import mapping
from treaty.model.compare.profiles import Switches
from treaty.model.compare.routes import METHODS, Match, Route, Router
from treaty.model.compare.schemas import Direction, SchemaTransformer
from treaty.model.compare.validation import CompiledSchema

_NOT_OF_SCHEMA: Final = frozenset({"name", "in", "description", "required"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A parameter of an operation, or a header of a response. `location` is that of its declaration."""

    name: str
    place: str
    location: str
    declaration: Mapping[str, Any]
    schema: Any

    @property
    def is_required(self) -> bool:
        return bool(self.declaration.get("required"))

    @property
    def is_deprecated(self) -> bool:
        return self.declaration.get("deprecated") is True


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A request body or a response: its media types, and a schema for each or, in Swagger 2, for all of them."""

    media_types: Sequence[str]
    content: Mapping[str, Any]
    schema: Any
    is_required: bool = False

    def item_schema_of(self, media_type: str) -> Any:
        """Return the schema for each item of a sequence (OpenAPI 3.2), or `ABSENT`."""
        return mapping(self.content.get(media_type)).get("itemSchema", ABSENT)

    def schema_of(self, media_type: str | None) -> Any:
        """Return the schema for one of the media types, or `ABSENT`."""
        entry = self.content.get(media_type) if media_type else None
        schema = mapping(entry).get("schema", ABSENT)
        return self.schema if schema is ABSENT or schema is None else schema


@dataclass(eq=False)
class Operation:
    """An operation of the document, with what it inherits from its path and from the document."""

    document: "OpenApi"
    path: str
    method: str
    raw: Mapping[str, Any]
    path_item: Mapping[str, Any]
    is_additional: bool = False
    """Whether it is one of the path's `additionalOperations` (OpenAPI 3.2)."""
    _schemas: dict[Any, CompiledSchema] = field(default_factory=dict)

    @property
    def location(self) -> str:
        member = ".additionalOperations" if self.is_additional else ""
        return f"[root].paths.{self.path}{member}.{self.method}"

    def place(self, suffix: str = "", value: Any = ABSENT) -> DocumentPlace:
        """Return the place of a part of the operation; `suffix` begins with a dot or is empty."""
        return DocumentPlace(
            location=self.location + suffix,
            value=value,
            path=self.path,
            method=self.method,
            name=self.document.name,
        )

    @property
    def is_deprecated(self) -> bool:
        return self.raw.get("deprecated") is True

    @cached_property
    def parameters(self) -> list[Parameter]:
        """The parameters of the operation, then those of its path that it does not replace."""
        declared: dict[tuple[str, str], Mapping[str, Any]] = {}
        for node in (*_items(self.raw.get("parameters")), *_items(self.path_item.get("parameters"))):
            declaration = self.document.resolve(node)
            declared.setdefault((str(declaration.get("name")), str(declaration.get("in"))), declaration)
        return [self._parameter(index, declaration) for index, declaration in enumerate(declared.values())]

    def _parameter(self, index: int, declaration: Mapping[str, Any]) -> Parameter:
        return Parameter(
            name=str(declaration.get("name", "")),
            place=str(declaration.get("in", "")),
            location=f".parameters[{index}]",
            declaration=declaration,
            schema=_schema_of_parameter(declaration),
        )

    @cached_property
    def request(self) -> Body:
        declared = self.document.resolve(self.raw.get("requestBody"))
        parameter = next((parameter for parameter in self.parameters if parameter.place == "body"), None)
        content = self.document.resolve_members(declared.get("content"))
        consumes = self._inherited("consumes")
        return Body(
            media_types=list(content) if consumes is None else consumes,
            content=content,
            schema=parameter.declaration.get("schema", ABSENT) if parameter else ABSENT,
            is_required=bool(declared.get("required")) or bool(parameter and parameter.is_required),
        )

    @property
    def responses(self) -> Mapping[str, Any]:
        return mapping(self.raw.get("responses"))

    def find_response(self, status: int) -> tuple[str, Mapping[str, Any]] | None:
        """Find the response for a status: exact, else its range such as `2XX`, else `default`. With its key."""
        for key in (str(status), f"{status // 100}XX", "default"):
            if self.responses.get(key) is not None:
                return key, self.document.resolve(self.responses[key])
        return None

    def body_of(self, response: Mapping[str, Any]) -> Body:
        content = self.document.resolve_members(response.get("content"))
        produces = self._inherited("produces")
        return Body(
            media_types=list(content) if produces is None else produces,
            content=content,
            schema=response.get("schema", ABSENT),
        )

    @cached_property
    def produced_types(self) -> Sequence[str]:
        """The media types of all responses."""
        produces = self._inherited("produces")
        if produces is not None:
            return produces
        responses = [self.document.resolve(response) for response in self.responses.values()]
        return [media_type for response in responses for media_type in mapping(response.get("content"))]

    @cached_property
    def security(self) -> list[Mapping[str, Any]]:
        """The alternative requirements; empty if there are none."""
        requirements = self.raw.get("security")
        if requirements is None:
            requirements = self.document.content.get("security")
        return [requirement for requirement in _items(requirements) if isinstance(requirement, Mapping)]

    def compiled(self, key: Any, schema: Any, direction: Direction) -> CompiledSchema:
        """Compile a schema of the operation, or return the one that was compiled before under the same key."""
        compiled = self._schemas.get(key)
        if compiled is None:
            compiled = self._schemas[key] = self.document.compile(schema, direction)
        return compiled

    def _inherited(self, name: str) -> list[str] | None:
        for owner in (self.raw, self.document.content):
            value = owner.get(name)
            if isinstance(value, list):
                return [media_type for media_type in value if isinstance(media_type, str)]
        return None


class OpenApi:
    """An OpenAPI document, prepared for comparisons."""

    def __init__(self, name: str, content: Mapping[str, Any], switches: Switches) -> None:
        if content.get("swagger") != "2.0" and not _is_version_3(content.get("openapi")):
            raise UnusableDocument(
                f'{name or "The document"} is not an OpenAPI document: it has neither `swagger: "2.0"` nor `openapi: '
                '"3.…"`. Publish an OpenAPI document of version 2.0 or 3.'
            )
        self.name = name
        self.content = content
        self.switches = switches
        self._notes: dict[tuple[str, str], Note] = {}
        self._transformer = SchemaTransformer(content, switches)

    @property
    def is_swagger(self) -> bool:
        return "openapi" not in self.content

    @property
    def notes(self) -> list[Note]:
        return [*self._notes.values(), *self._transformer.notes.values()]

    @cached_property
    def operations(self) -> list[Operation]:
        return list(self._operations())

    @cached_property
    def security_schemes(self) -> Mapping[str, Any]:
        declared = self.content.get("securityDefinitions")
        if not isinstance(declared, Mapping):
            declared = mapping(self.content.get("components")).get("securitySchemes")
        return {name: self.resolve(scheme) for name, scheme in mapping(declared).items()}

    def resolve(self, node: Any) -> Mapping[str, Any]:
        """Follow references to an object. A broken one is noted and counts as empty."""
        reference = pointers.reference_of(node)
        if reference is None:
            return mapping(node)
        target = pointers.resolve(self.content, node)
        if not isinstance(target, Mapping):
            self.note("reference.broken", f"The document refers to {reference}, which it does not have.", reference)
            return {}
        return target

    def resolve_members(self, node: Any) -> Mapping[str, Any]:
        """Return the media types of a content. They may be references (OpenAPI 3.2)."""
        members = mapping(node)
        if not self.has_additions or not any("$ref" in mapping(member) for member in members.values()):
            return members
        return {name: self.resolve(member) for name, member in members.items()}

    def note(self, code: str, message: str, location: str) -> None:
        self._notes.setdefault((code, message), Note(code=code, message=message, location=location))

    def find(self, method: str, path: str) -> Match | None:
        return self._router.find(method, path)

    def methods_of(self, path: str) -> list[str]:
        """Return the methods that the document has for a path, for messages."""
        methods = {operation.method.upper() for operation in self.operations}
        return [method for method in sorted(methods) if self._router.find(method, path)]

    def compile(self, schema: Any, direction: Direction) -> CompiledSchema:
        return CompiledSchema(self._transformer, schema, direction)

    @cached_property
    def _router(self) -> Router:
        routes = [
            Route(base + operation.path, operation.method, operation)
            for operation in self.operations
            for base in self.base_paths_of(operation)
        ]
        return Router(routes, self.switches)

    @cached_property
    def has_additions(self) -> bool:
        """Whether the additions of OpenAPI 3.2 count. The reference engine ignores them."""
        return self.switches.follows_declarations and str(self.content.get("openapi")).startswith("3.2")

    def _operations(self) -> Iterator[Operation]:
        methods = METHODS | {"QUERY"} if self.has_additions else METHODS
        for path, node in mapping(self.content.get("paths")).items():
            item = self.resolve(node)
            for method, raw in item.items():
                if method.upper() in methods and isinstance(raw, Mapping):
                    yield Operation(self, str(path), method, raw, item)
            for method, raw in mapping(item.get("additionalOperations") if self.has_additions else None).items():
                if isinstance(raw, Mapping):
                    yield Operation(self, str(path), method, raw, item, is_additional=True)

    def base_paths_of(self, operation: Operation) -> list[str]:
        """Return the prefixes of the operation's path; most often one, which is empty."""
        if self.switches.base_path is not None:
            return [self.switches.base_path]
        base = self.content.get("basePath")
        if isinstance(base, str):
            return ["" if base == "/" and self.switches.uses_server_paths else base]
        if self.switches.uses_server_paths:
            owners = (operation.raw, operation.path_item, self.content)
            servers = next((_items(owner.get("servers")) for owner in owners if _items(owner.get("servers"))), [])
            paths = dict.fromkeys(_server_path(server) for server in servers if isinstance(server, Mapping))
            return list(paths) or [""]
        return [""]


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_version_3(version: Any) -> bool:
    return isinstance(version, str) and version.startswith("3.")


def _schema_of_parameter(declaration: Mapping[str, Any]) -> Any:
    schema = declaration.get("schema")
    if schema:
        return schema
    # Swagger 2 has the keywords of the schema beside the name.
    return {name: value for name, value in declaration.items() if name not in _NOT_OF_SCHEMA}


def _server_path(server: Mapping[str, Any]) -> str:
    """Return the path of a server's URL, with the defaults of its variables."""
    url = server.get("url")
    text = url if isinstance(url, str) else ""
    for name, variable in mapping(server.get("variables")).items():
        text = text.replace(f"{{{name}}}", str(mapping(variable).get("default", "")))
    try:
        path = urlsplit(text).path.rstrip("/")
    except ValueError:
        return ""
    return path if not path or path.startswith("/") else f"/{path}"
