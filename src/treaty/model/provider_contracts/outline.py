"""The operations of a document, as reports and pacts refer to them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from treaty.model.compare.documents import UnusableDocument
from treaty.model.compare.openapi import OpenApi
from treaty.model.compare.profiles import Profile, Switches, switches_for
from treaty.model.compare.routes import Route, Router
from treaty.model.provider_contracts.contracts import list_operations
from treaty.model.provider_contracts.reports.cases import Target

_SWITCHES: Final = Switches(ignore_trailing_slash=True, ignore_duplicate_slashes=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentOperation:
    """An operation of a document: a method and a path of OpenAPI, or an operation of AsyncAPI."""

    key: str
    """`GET /orders/{id}`, or the name of an operation of AsyncAPI."""
    target: Target | None
    """None in AsyncAPI."""
    base_paths: tuple[str, ...] = ("",)
    """Paths of the servers, below which the operation is."""
    names: tuple[str, ...] = ()
    """Other names of the operation: its identifier and its summary, or its channel."""
    summary: str = ""
    is_deprecated: bool = False


def outline_document(specification: str, content: Mapping[str, Any]) -> tuple[DocumentOperation, ...]:
    """List the operations of a document in its order. Never raises: a document may be neither of both kinds."""
    if specification == "asyncapi":
        return tuple(_outline_message(operation) for operation in list_operations(specification, content))
    try:
        document = OpenApi("", content, switches_for(Profile.STRICT, content))
    except UnusableDocument:
        return ()
    return tuple(
        DocumentOperation(
            key=str(target := Target(operation.method.upper(), operation.path)),
            target=target,
            base_paths=tuple(document.base_paths_of(operation)),
            names=_texts(operation.raw, "operationId", "summary"),
            summary=next(iter(_texts(operation.raw, "summary")), ""),
            is_deprecated=operation.is_deprecated,
        )
        for operation in document.operations
    )


def _outline_message(operation: Mapping[str, str]) -> DocumentOperation:
    names = (operation.get("channel"), f"{operation.get('action')} {operation.get('channel')}")
    return DocumentOperation(
        key=operation["name"],
        target=None,
        names=tuple(name for name in names if name and "None" not in name),
        summary=operation.get("summary", ""),
    )


def _texts(owner: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    return tuple(value for key in keys if isinstance(value := owner.get(key), str) and value.strip())


_PARAMETER: Final = re.compile(r"\{[^{}/]*\}|<[^<>/]*>|(?<=/):[A-Za-z_]\w*")


def _normalize(target: Target) -> tuple[str, str]:
    """Leave out the names of parameters: `/orders/{id}`, `/orders/:id` and `/orders/<int:id>` are equal."""
    path = re.sub(r"/{2,}", "/", _PARAMETER.sub("{}", target.path))
    return target.method, path.rstrip("/") or "/"


class OperationFinder:
    """Finds the operation of a document that a path, a path template or a name refers to."""

    def __init__(self, operations: Sequence[DocumentOperation]) -> None:
        self.operations = operations
        self._by_template: dict[tuple[str, str], DocumentOperation] = {}
        routes = [*self._build_routes()]
        self._router = Router(routes, _SWITCHES)
        self.route_count = len(routes)
        self._by_name = _index_names(operations)

    def _build_routes(self) -> Iterable[Route]:
        for operation in self.operations:
            if operation.target:
                method, path = operation.target.method, operation.target.path
                # Reports name paths with and without those of the servers.
                for base in dict.fromkeys((*operation.base_paths, "")):
                    self._by_template.setdefault(_normalize(Target(method, base + path)), operation)
                    yield Route(base + path, method, operation)

    def find(self, target: Target) -> DocumentOperation | None:
        """Find an operation by its template, or else by the path of a request."""
        equal = self._by_template.get(_normalize(target))
        if equal is not None:
            return equal
        match = self._router.find(target.method, target.path)
        return None if match is None else match.operation

    def find_named(self, name: str) -> DocumentOperation | None:
        """Find an operation by a name: its identifier, its summary, or its channel."""
        return self._by_name.get(name)

    def find_scenario(self, name: str) -> DocumentOperation | None:
        """Find an operation whose identifier begins the name of a scenario: `getOrder_NotFound`."""
        for end in range(len(name), 0, -1):
            is_boundary = end == len(name) or not name[end].isalnum()
            if is_boundary and (operation := self._by_name.get(name[:end])):
                return operation
        return None


def _index_names(operations: Iterable[DocumentOperation]) -> Mapping[str, DocumentOperation]:
    """Index operations by their names; a name of several operations says nothing."""
    index: dict[str, DocumentOperation | None] = {}
    for operation in operations:
        for name in dict.fromkeys((operation.key, *operation.names)):
            index[name] = None if name in index else operation
    return {name: operation for name, operation in index.items() if operation is not None}
