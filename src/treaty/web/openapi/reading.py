"""The OpenAPI document as people read it: groups of operations, each with what it takes and gives."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from treaty.web.openapi.generator import Schema

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentedParameter:
    name: str
    place: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentedResponse:
    """A status, what it means, and the schema that its body fits, if it has one that has a name."""

    status: str
    text: str
    schema: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaExample:
    """A schema, and an example that fits it, as JSON."""

    schema: str
    json: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentedOperation:
    """An operation."""

    id: str
    method: str
    path: str
    summary: str
    text: str
    parameters: list[DocumentedParameter]
    takes: str | None
    """The name of the schema that a body must fit."""
    answers: list[DocumentedResponse]

    def has(self, words: list[str]) -> bool:
        """Whether all words, in small letters, are found in what is said first."""
        said = f"{self.method} {self.path} {self.summary} {self.text}".lower()
        return all(word in said for word in words)


def group_operations(document: Document, wanted: str = "") -> dict[str, list[DocumentedOperation]]:
    """Group the operations that have to do with some words, or all of them."""
    words = wanted.lower().split()
    found: dict[str, list[DocumentedOperation]] = {tag["name"]: [] for tag in document["tags"]}
    for tag, entry in _entries(document):
        if entry.has(words):
            found[tag].append(entry)
    return {tag: entries for tag, entries in found.items() if entries}


def list_operations(document: Document, path: str) -> list[DocumentedOperation]:
    """List the operations at a path."""
    return [entry for _, entry in _entries(document) if entry.path == path]


def _entries(document: Document) -> Iterator[tuple[str, DocumentedOperation]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                shared = methods.get("parameters", [])
                yield operation["tags"][0], _entry(document, (method, path), shared, operation)


def _entry(
    document: Document, place: tuple[str, str], shared: list[Document], operation: Document
) -> DocumentedOperation:
    body = operation.get("requestBody", {}).get("content", {})
    answers = [_answer(document, status, one) for status, one in operation["responses"].items()]
    return DocumentedOperation(
        id=operation["operationId"],
        method=place[0].upper(),
        path=place[1],
        summary=operation["summary"],
        text=operation.get("description", ""),
        parameters=[_parameter(one) for one in (*shared, *operation.get("parameters", []))],
        takes=_first_schema(body),
        answers=answers,
    )


def _parameter(given: Document) -> DocumentedParameter:
    return DocumentedParameter(name=given["name"], place=given["in"], text=given["description"])


def _answer(document: Document, status: str, given: Document) -> DocumentedResponse:
    if "$ref" in given:
        given = document["components"]["responses"][given["$ref"].rpartition("/")[2]]
    return DocumentedResponse(status=status, text=given["description"], schema=_first_schema(given.get("content", {})))


def _first_schema(content: Document) -> str | None:
    names = (one["schema"].get("$ref", "").rpartition("/")[2] for one in content.values())
    return next((name for name in names if name), None)


def list_examples(document: Document, found: Mapping[str, Iterable[DocumentedOperation]]) -> list[SchemaExample]:
    """Show each schema that operations name, once."""
    entries = [entry for group in found.values() for entry in group]
    names = {one.schema for entry in entries for one in entry.answers} | {entry.takes for entry in entries}
    return [_sample(document, name) for name in sorted(name for name in names if name)]


def _sample(document: Document, name: str) -> SchemaExample:
    schema: Schema = document["components"]["schemas"][name]
    shown = schema["examples"][0] if "examples" in schema else schema
    return SchemaExample(schema=name, json=orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
