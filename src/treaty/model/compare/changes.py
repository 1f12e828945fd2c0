"""Which comparisons a new version of a provider's documents can change.

An operation is checked by its own part of the document, and by what that refers to. So a pact whose interactions belong
to the same operations as before, none of which has changed, has the same findings as before. A pact without any
findings keeps that even if operations have changed that it uses, as long as it has none of the changed parts.
When in doubt, a pact is affected.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Generic, TypeVar
from urllib.parse import unquote_plus

from treaty.model.compare import pointers
from treaty.model.compare.asyncapi import AsyncApi, operation_name
from treaty.model.compare.documents import UnusablePact
from treaty.model.compare.engine import CompiledDocument
from treaty.model.compare.findings import ABSENT
from treaty.model.compare.http import find_operation, read_query
from treaty.model.compare.interactions import HttpInteraction, MessageInteraction, mapping, read_interactions
from treaty.model.compare.openapi import OpenApi, Operation, Parameter
from treaty.model.compare.routes import Route
from treaty.model.compare.schema_changes import ANNOTATIONS, Steps, find_affected_parts, has_part

_GENERAL: Final = (
    *("openapi", "swagger", "asyncapi", "basePath", "servers", "host", "schemes", "consumes", "produces", "security"),
    *("defaultContentType", "jsonSchemaDialect", "$self"),
)
"""Members of a document that concern all of its operations."""
_REMARKS: Final = frozenset({"summary", "description", "operationId", "tags", "externalDocs", "callbacks"})
"""Members of an operation that the comparison with pacts does not read."""
_REMARKS_OF_RESPONSE: Final = frozenset({"description", "links", "summary"})

OperationKey = tuple[str, str]
"""The method and the path of an operation; for AsyncAPI an empty method and the name."""


class DocumentChanges:
    """Differences between the documents of two versions of a provider, which are compiled for the same profile."""

    def __init__(self, old: Sequence[CompiledDocument], new: Sequence[CompiledDocument]) -> None:
        self.affects_all = [_identify(document) for document in old] != [_identify(document) for document in new]
        """Whether each pact may have another result, because of something that concerns whole documents."""
        pairs = [] if self.affects_all else list(zip(old, new, strict=True))
        openapi = [
            _VersionPair(before.openapi, after.openapi) for before, after in pairs if before.openapi and after.openapi
        ]
        asyncapi = [
            _VersionPair(before.asyncapi, after.asyncapi)
            for before, after in pairs
            if before.asyncapi and after.asyncapi
        ]
        self._openapi = [_OpenApiChanges(pair) for pair in openapi]
        self._asyncapi = [_AsyncApiChanges(pair) for pair in asyncapi]

    @property
    def has_new_routes(self) -> bool:
        """Whether there are other operations than before. They are named in findings about unknown operations."""
        return any(changes.has_new_routes for changes in self._openapi) or any(
            changes.has_new_routes for changes in self._asyncapi
        )

    @property
    def affects_messages(self) -> bool:
        """Whether messages may have other results."""
        return any(changes.changed or changes.has_new_routes for changes in self._asyncapi)

    @property
    def changed_templates(self) -> set[OperationKey]:
        """The method and the path template, with the base path, of each operation whose requests are affected."""
        return {template for changes in self._openapi for template in changes.changed_templates}

    def affects(self, pact: Mapping[str, Any], *, is_clean: bool) -> bool:
        """Whether a pact may have another result than before.

        `is_clean`: the comparison with the old documents has no findings, and no uses of deprecated parts.
        """
        if self.affects_all:
            return True
        try:
            interactions, _ = read_interactions(pact)
        except UnusablePact:
            return True
        return any(self._affects(interaction, is_clean=is_clean) for interaction in interactions)

    def _affects(self, interaction: HttpInteraction | MessageInteraction, *, is_clean: bool) -> bool:
        if isinstance(interaction, HttpInteraction):
            return any(changes.affects(interaction, is_clean=is_clean) for changes in self._openapi)
        return any(changes.affects(interaction) for changes in self._asyncapi)


def _identify(document: CompiledDocument) -> tuple[Any, ...]:
    """Return the parts that must be equal for two documents to be compared operation by operation."""
    api = document.openapi or document.asyncapi
    content = mapping(document.document.content)
    general = {name: content[name] for name in _GENERAL if name in content}
    return document.document.name, document.document.specification, api and api.switches, _write(general)


def _write(value: Any) -> str | None:
    """Write a part of a document as JSON in its own order; None if that is not possible."""
    try:
        return json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None


def _is_equal(old: Any, new: Any) -> bool:
    if old is ABSENT or new is ABSENT:
        return old is new
    text = _write(old)
    return text is not None and text == _write(new)


def _find_references(node: Any) -> set[str]:
    """Find the references in a part of a document. They are not followed."""
    references: set[str] = set()
    pending = [node]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            reference = value.get("$ref")
            if isinstance(reference, str):
                references.add(reference)
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return references


Api = TypeVar("Api", OpenApi, AsyncApi)


@dataclass(eq=False)
class _VersionPair(Generic[Api]):
    """The old and the new version of a document."""

    old: Api
    new: Api
    _links: dict[str, set[str]] = field(default_factory=dict)
    _changed: set[str] = field(default_factory=set)
    """The references whose targets have changed, or lead to one that has."""

    def __post_init__(self) -> None:
        for content in (self.old_content, self.new_content):
            self._add_links(content, _find_references([content.get("paths"), content.get("operations")]))
        self._spread({reference for reference in self._links if self._has_new_target(reference)})

    @property
    def old_content(self) -> Mapping[str, Any]:
        return self.old.content

    @property
    def new_content(self) -> Mapping[str, Any]:
        return self.new.content

    def is_same(self, old: Any, new: Any) -> bool:
        """Whether two parts are equal, with everything that they refer to."""
        return _is_equal(old, new) and self._changed.isdisjoint(_find_references(new))

    def _add_links(self, content: Mapping[str, Any], references: Iterable[str]) -> None:
        visited: set[str] = set()
        pending = list(references)
        while pending:
            reference = pending.pop()
            if reference not in visited:
                visited.add(reference)
                targets = _find_references(pointers.find(content, reference))
                self._links.setdefault(reference, set()).update(targets)
                pending += targets

    def _has_new_target(self, reference: str) -> bool:
        return not _is_equal(*(pointers.find(content, reference) for content in (self.old_content, self.new_content)))

    def _spread(self, changed: Iterable[str]) -> None:
        sources: dict[str, list[str]] = {}
        for source, targets in self._links.items():
            for target in targets:
                sources.setdefault(target, []).append(source)
        pending = list(changed)
        while pending:
            reference = pending.pop()
            if reference not in self._changed:
                self._changed.add(reference)
                pending += sources.get(reference, ())


class _AsyncApiChanges:
    """Changes of an AsyncAPI document."""

    def __init__(self, versions: _VersionPair[AsyncApi]) -> None:
        old, new = versions.old.operations, versions.new.operations
        self._names = {*old, *new}
        self.has_new_routes = list(old) != list(new)
        self.changed = {
            name for name in self._names if not versions.is_same(old.get(name, ABSENT), new.get(name, ABSENT))
        }

    def affects(self, interaction: MessageInteraction) -> bool:
        name = operation_name(interaction)
        if name is None:
            return False
        return name in self.changed if name in self._names else self.has_new_routes


class _OpenApiChanges:
    """Changes of an OpenAPI document."""

    def __init__(self, versions: _VersionPair[OpenApi]) -> None:
        self._versions = versions
        old, new = (
            {_key(operation): operation for operation in api.operations} for api in (versions.old, versions.new)
        )
        self._operations = {key: _OperationChange(versions, old[key], new[key]) for key in old.keys() & new.keys()}
        self._changed = {key for key, change in self._operations.items() if not change.is_same}
        self._changed |= old.keys() ^ new.keys()
        self.has_new_routes = old.keys() != new.keys()

    @property
    def changed(self) -> Collection[OperationKey]:
        return self._changed

    @property
    def changed_templates(self) -> Iterator[OperationKey]:
        """Yield the templates of operations that have changed, or to which other requests may belong than before."""
        affected = self._changed | _find_reordered(self._versions.old, self._versions.new)
        for api in (self._versions.old, self._versions.new):
            for operation in api.operations:
                if _key(operation) in affected:
                    for base in api.base_paths_of(operation):
                        yield operation.method.upper(), base + operation.path

    def affects(self, interaction: HttpInteraction, *, is_clean: bool) -> bool:
        before, after = (find_operation(api, interaction) for api in (self._versions.old, self._versions.new))
        if before is None or after is None:
            return before is not after or self.has_new_routes
        key = _key(after.operation)
        if key != _key(before.operation) or before.parameters != after.parameters:
            return True
        if key not in self._changed:
            return False
        return not is_clean or self._operations[key].affects(interaction)


def _key(operation: Operation) -> OperationKey:
    return operation.method, operation.path


def _find_reordered(old: OpenApi, new: OpenApi) -> set[OperationKey]:
    """Find operations whose templates may match the same paths, and of which another one is now the first."""
    before, after = (_group_by_rank(api) for api in (old, new))
    reordered: set[OperationKey] = set()
    for rank, keys in before.items():
        others = after.get(rank, [])
        common = set(keys) & set(others)
        if [key for key in keys if key in common] != [key for key in others if key in common]:
            reordered |= common
    return reordered


def _group_by_rank(api: OpenApi) -> dict[tuple[Any, ...], list[OperationKey]]:
    groups: dict[tuple[Any, ...], list[OperationKey]] = {}
    for operation in api.operations:
        # A slash at the end may make no difference.
        rank = Route(operation.path.rstrip("/"), operation.method, operation).rank
        groups.setdefault((operation.method.upper(), rank), []).append(_key(operation))
    return groups


class _OperationChange:
    """Changes of an operation that both versions have."""

    def __init__(self, versions: _VersionPair[OpenApi], old: Operation, new: Operation) -> None:
        self._versions = versions
        self._old = old
        self._new = new

    @cached_property
    def is_same(self) -> bool:
        """Whether it has not changed, and nothing of what it refers to."""
        return self._versions.is_same(self._old.raw, self._new.raw) and self._has_same_surroundings

    @cached_property
    def _has_same_surroundings(self) -> bool:
        return self._versions.is_same(_surroundings(self._old), _surroundings(self._new))

    def affects(self, interaction: HttpInteraction) -> bool:
        """Whether an interaction that has had no findings may have some now."""
        if self._affects_all:
            return True
        query = unquote_plus(read_query(self._versions.new, interaction))
        if any(_has_parameter(interaction, query, parameter) for parameter in self._changed_parameters):
            return True
        response = self._response(interaction.status)
        return response is None or response.affects(interaction)

    @cached_property
    def _affects_all(self) -> bool:
        """Whether something has changed that concerns each request."""
        changed = self._changed_members(self._old.raw, self._new.raw, _REMARKS)
        return (
            not changed <= {"parameters", "responses"}
            or not self._has_same_surroundings
            or self._old.produced_types != self._new.produced_types
            or any(parameter.is_required or parameter.place not in _READ for parameter in self._changed_parameters)
        )

    def _changed_members(
        self, old: Mapping[str, Any], new: Mapping[str, Any], ignored: Collection[str] = frozenset()
    ) -> set[str]:
        return {
            name
            for name in {*old, *new}
            if name not in ignored and not self._versions.is_same(old.get(name, ABSENT), new.get(name, ABSENT))
        }

    @cached_property
    def _changed_parameters(self) -> list[Parameter]:
        """The parameters that have changed, in both versions."""
        before, after = (
            {(parameter.place, parameter.name): parameter for parameter in operation.parameters}
            for operation in (self._old, self._new)
        )
        return [
            parameter
            for key in {**before, **after}
            if key not in before
            or key not in after
            or not self._versions.is_same(before[key].declaration, after[key].declaration)
            for parameter in (before.get(key), after.get(key))
            if parameter is not None
        ]

    def _response(self, status: int) -> "_ResponseChange | None":
        """Compare the responses for a status; None if something has changed that concerns each response."""
        before, after = self._old.find_response(status), self._new.find_response(status)
        if before is None or after is None or before[0] != after[0]:
            return None
        if after[0] not in self._responses:
            self._responses[after[0]] = self._compare_responses(before[1], after[1])
        return self._responses[after[0]]

    @cached_property
    def _responses(self) -> "dict[str, _ResponseChange | None]":
        return {}

    def _compare_responses(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> "_ResponseChange | None":
        contents = mapping(old.get("content")), mapping(new.get("content"))
        if not self._changed_members(old, new, _REMARKS_OF_RESPONSE) <= {"headers", "content", "schema"}:
            return None
        if list(contents[0]) != list(contents[1]) or any(map(self._has_new_members, *map(_entries, contents))):
            return None
        schemas = [(old, new), *zip(*map(_entries, contents), strict=True)]
        parts = [
            find_affected_parts(self._versions, *(owner.get("schema", ABSENT) for owner in owners))
            for owners in schemas
        ]
        headers = self._changed_members(mapping(old.get("headers")), mapping(new.get("headers")))
        return _ResponseChange(headers=frozenset(headers), parts=frozenset[Steps]().union(*parts))

    def _has_new_members(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        return not self._changed_members(old, new, ANNOTATIONS) <= {"schema"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _ResponseChange:
    """The headers and the parts of the body of a response that are not checked as before."""

    headers: frozenset[str]
    parts: frozenset[Steps]

    def affects(self, interaction: HttpInteraction) -> bool:
        has_header = any(name in interaction.response_headers for name in self.headers)
        return has_header or any(has_part(interaction.response_body, part) for part in self.parts)


def _entries(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [mapping(entry) for entry in content.values()]


_READ: Final = frozenset({"query", "header"})
"""Places of parameters that concern only the requests that have them, unless they are required."""


def _has_parameter(interaction: HttpInteraction, query: str, parameter: Parameter) -> bool:
    """Whether a request may have a parameter. In queries, names may have brackets or be within others."""
    if parameter.place == "header":
        return parameter.name in interaction.request_headers
    return parameter.name.removesuffix("[]") in query


def _surroundings(operation: Operation) -> Mapping[str, Any]:
    """Return what an operation takes from its path, and from the document by name."""
    names = {str(name): None for requirement in operation.security for name in requirement}
    schemes = operation.document.security_schemes
    return {
        "path": {name: operation.path_item.get(name) for name in ("parameters", "servers")},
        "security": {name: schemes.get(name) for name in names},
    }
