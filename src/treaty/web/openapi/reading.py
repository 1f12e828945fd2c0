"""The OpenAPI document as its page shows it: groups of operations, each with its parameters, body and responses."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentedParameter:
    name: str
    place: str
    """Path or query."""
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentedResponse:
    status: str
    text: str
    schema: str | None
    """The name of the schema of the body; None for bodies without a named schema."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaExample:
    schema: str
    json: str
    """An example that is valid against the schema, or the schema itself if it has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentedOperation:
    id: str
    method: str
    path: str
    summary: str
    text: str
    parameters: list[DocumentedParameter]
    takes: str | None
    """The name of the schema of the request body."""
    answers: list[DocumentedResponse]

    def has(self, words: list[str]) -> bool:
        """Whether the method, path or description contains all words, which are in lower case."""
        searched_text = f"{self.method} {self.path} {self.summary} {self.text}".lower()
        return all(word in searched_text for word in words)


def group_operations(document: Document, query: str = "") -> dict[str, list[DocumentedOperation]]:
    """Group the operations that contain all words of a query by their tag; all operations for an empty query."""
    words = query.lower().split()
    groups: dict[str, list[DocumentedOperation]] = {tag["name"]: [] for tag in document["tags"]}
    for tag, operation in _read_operations(document):
        if operation.has(words):
            groups[tag].append(operation)
    return {tag: group for tag, group in groups.items() if group}


def list_operations(document: Document, path: str) -> list[DocumentedOperation]:
    """List the operations at a path."""
    return [operation for _, operation in _read_operations(document) if operation.path == path]


def _read_operations(document: Document) -> Iterator[tuple[str, DocumentedOperation]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                path_parameters = methods.get("parameters", [])
                yield operation["tags"][0], _read_operation(document, (method, path), path_parameters, operation)


def _read_operation(
    document: Document, method_and_path: tuple[str, str], path_parameters: list[Document], operation: Document
) -> DocumentedOperation:
    method, path = method_and_path
    return DocumentedOperation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        text=operation.get("description", ""),
        parameters=[_read_parameter(raw) for raw in (*path_parameters, *operation.get("parameters", []))],
        takes=_find_schema_name(operation.get("requestBody", {}).get("content", {})),
        answers=[_read_response(document, status, raw) for status, raw in operation["responses"].items()],
    )


def _read_parameter(raw: Document) -> DocumentedParameter:
    return DocumentedParameter(name=raw["name"], place=raw["in"], text=raw["description"])


def _read_response(document: Document, status: str, raw: Document) -> DocumentedResponse:
    response = document["components"]["responses"][raw["$ref"].rpartition("/")[2]] if "$ref" in raw else raw
    schema_name = _find_schema_name(response.get("content", {}))
    return DocumentedResponse(status=status, text=response["description"], schema=schema_name)


def _find_schema_name(content: Document) -> str | None:
    names = (media_type["schema"].get("$ref", "").rpartition("/")[2] for media_type in content.values())
    return next((name for name in names if name), None)


def list_examples(document: Document, groups: Mapping[str, Iterable[DocumentedOperation]]) -> list[SchemaExample]:
    """List an example of each schema that the operations refer to."""
    operations = [operation for group in groups.values() for operation in group]
    names = {response.schema for operation in operations for response in operation.answers}
    names |= {operation.takes for operation in operations}
    return [_read_example(document, name) for name in sorted(name for name in names if name)]


def _read_example(document: Document, name: str) -> SchemaExample:
    schema = document["components"]["schemas"][name]
    shown = schema["examples"][0] if "examples" in schema else schema
    return SchemaExample(schema=name, json=orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
