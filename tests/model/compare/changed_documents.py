"""Random documents with many consumers, and random changes of them."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from typing import Any

from tests.model.compare.generated_pairs import METHODS, Generator, as_version_4, pact_of
from treaty.model.compare.documents import Document
from treaty.model.compare.engine import compare, compile_document
from treaty.model.compare.profiles import Profile

Json = Any

RESOURCES = ("orders", "items", "customers", "carts", "prices", "stocks", "invoices", "shops")
CONSUMERS = 40


@dataclass(frozen=True)
class Provider:
    """A provider's document, and the pacts of its consumers."""

    document: Json
    pacts: list[Json]


class ProviderGenerator(Generator):
    """Generates a document with many operations, and pacts that use a few of them each."""

    def provider(self) -> Provider:
        self.version = self.choose(("2.0", "3.0.3", "3.1.0", "3.1.0"))
        document = self.openapi()
        templates = [f"/{name}{rest}" for name in RESOURCES for rest in ("", "/{id}", "/mine", "/{id}/parts/{part}")]
        document["paths"] = {path: self._path_item(path) for path in templates if self.happens(0.7)}
        return Provider(document, [self._pact(document, f"Consumer {number}") for number in range(CONSUMERS)])

    def _pact(self, document: Json, consumer: str) -> Json:
        compiled = compile_document(Document("api", "oas", document), Profile.STRICT)
        is_fitting = self.happens(0.7)
        interactions: list[Json] = []
        for _ in range(self.random.randint(1, 4)):
            tries = [self.interaction(document) for _ in range(10 if is_fitting else 1)]
            fitting = [
                interaction
                for interaction in tries
                if not compare(pact_of([interaction], "2.0.0"), [compiled]).findings
            ]
            interactions += [*fitting, *([] if is_fitting else tries)][:1]
        version = self.choose(("2.0.0", "3.0.0", "4.0"))
        if version == "4.0":
            interactions = [as_version_4(interaction) for interaction in interactions]
        return {**pact_of(interactions, version), "consumer": {"name": consumer}}

    def change(self, document: Json) -> Json:
        """Change something in a document: most often a detail, sometimes an operation or more."""
        changed = copy.deepcopy(document)
        kinds = (*(self._change_schema,) * 6, *(self._change_operation,) * 3, self._change_paths, self.change_anything)
        for _ in range(self.choose((1, 1, 1, 2))):
            self.choose((*kinds, self._change_document))(changed)
        return changed

    def _change_schema(self, document: Json) -> None:
        schemas = [node for node in walk(document) if isinstance(node.get("type"), str) and "in" not in node]
        if not schemas:
            return
        schema = self.choose(schemas)
        match self.choose(("property", "property", "removal", "type", "required", "limit", "annotation", "branch")):
            case "property":
                name = self.choose(("id", "name", "kind", "added"))
                schema.setdefault("properties", {})[name] = {"type": self.choose(("string", "integer"))}
            case "removal" if schema.get("properties"):
                del schema["properties"][self.choose(list(schema["properties"]))]
            case "type":
                schema["type"] = self.choose(("string", "integer", "object", "array"))
            case "required" if schema.get("properties"):
                schema["required"] = self.some(schema["properties"])
            case "limit":
                schema.update(self.choose(({"minLength": 3}, {"maximum": 3}, {"enum": ["red"]}, {"nullable": True})))
            case "branch":
                schema["oneOf"] = [self.schema(2), self.schema(2)]
            case _:
                schema.update(self.choose(({"description": "changed"}, {"example": 7}, {"deprecated": True})))

    def _change_operation(self, document: Json) -> None:
        path = self.choose(list(document["paths"]))
        item = document["paths"][path]
        operation = item[self.choose([name for name in item if name in METHODS])]
        match self.choose(
            ("parameter", "parameter", "status", "header", "response", "remark", "security", "media type")
        ):
            case "parameter":
                parameters = operation.setdefault("parameters", [])
                if parameters and self.happens(0.4):
                    parameters.remove(self.choose(parameters))
                else:
                    parameters.insert(0, self._parameter(self.choose(("page", "X-Shop", "more")), self._place()))
            case "status":
                operation["responses"][self.choose(("200", "201", "2XX", "default"))] = self._response()
            case "header":
                response = self.choose(list(operation["responses"].values()))
                response["headers"] = self.choose(({}, {"X-Other": {"schema": {"type": "string"}}}))
            case "response" if len(operation["responses"]) > 1:
                del operation["responses"][self.choose(list(operation["responses"]))]
            case "security":
                operation["security"] = self.choose(([], [{"basic": []}]))
            case "media type":
                self._change_media_type(operation)
            case _:
                operation.update(self.choose(({"summary": "changed"}, {"tags": ["x"]}, {"deprecated": True})))

    def _place(self) -> str:
        return str(self.choose(("query", "query", "header")))

    def _change_media_type(self, operation: Json) -> None:
        content = self.choose(list(operation["responses"].values())).get("content")
        if content:
            kind = self.choose(list(content))
            content[self.choose(("text/plain", "application/json", "*/*"))] = content.pop(kind)

    def _change_paths(self, document: Json) -> None:
        paths = document["paths"]
        path = self.choose(list(paths))
        match self.choose(("remove", "add", "add", "reorder", "method")):
            case "remove":
                del paths[path]
            case "add":
                name = self.choose(RESOURCES)
                templates = (
                    f"/{name}/special",
                    f"/{name}/{{other}}",
                    f"/{name}/{{id}}/parts",
                    f"/{name}/*",
                    "/{any}/mine",
                )
                added = self.choose(templates)
                paths[added] = self._path_item(added)
            case "method":
                paths[path].setdefault(self.choose(METHODS), self._operation("get", []))
            case _:
                names = list(paths)
                self.random.shuffle(names)
                document["paths"] = {name: paths[name] for name in names}

    def _change_document(self, document: Json) -> None:
        match self.choose(("servers", "security", "switch", "annotation", "annotation", "scheme")):
            case "servers":
                document.update(self.choose(({"servers": [{"url": "/v2"}]}, {"basePath": "/v2"})))
            case "security":
                document["security"] = self.choose(([], [{"basic": []}]))
            case "switch":
                document["info"]["x-opc-config-case-insensitive"] = True
            case "scheme":
                schemes = document.get("securityDefinitions") or document.get("components", {}).get("securitySchemes")
                if schemes:
                    schemes[self.choose(list(schemes))] = {"type": "apiKey", "in": "header", "name": "X-New"}
            case _:
                document["info"]["description"] = "changed"

    def change_anything(self, document: Json) -> None:
        """Remove any member of anything, or replace it with another one."""
        nodes = [node for node in walk(document.get("paths", document)) if node]
        node = self.choose(nodes)
        name = self.choose(list(node))
        if self.happens(0.5):
            del node[name]
        else:
            node[name] = copy.deepcopy(self.choose(list(self.choose(nodes).values())))


def walk(node: Json) -> list[dict[str, Json]]:
    """List all objects in a document."""
    children = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
    own = [node] if isinstance(node, dict) else []
    return [*own, *(descendant for child in children for descendant in walk(child))]


def generator(seed: int) -> ProviderGenerator:
    return ProviderGenerator(random.Random(seed))  # noqa: S311 - test data
