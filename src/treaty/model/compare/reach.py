"""The definitions that a value reaches in a schema.

In a large document, schemas refer to each other, so that most lead to most others. A value gets to a few of them, and
only those are transformed and compiled.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from treaty.model.compare import pointers

_SAME_VALUE: Final = ("not", "if", "then", "else")
_SAME_VALUE_LISTS: Final = ("allOf", "anyOf", "oneOf")
_MEMBERS: Final = ("additionalProperties", "unevaluatedProperties")
_ITEMS: Final = ("items", "additionalItems", "contains", "unevaluatedItems")


class Definitions(Protocol):
    """Definitions by the keys of `$defs`."""

    def get(self, key: str) -> Any: ...


def key_of(reference: str) -> str:
    """Return the key of a reference to `$defs`."""
    return reference.rpartition("/")[2]


class Reach:
    """Finds the definitions that values reach, in schemas that stay the same."""

    def __init__(self, schema: Any, definitions: Definitions) -> None:
        self._schema = schema
        self._definitions = definitions
        self._have_references: dict[int, bool] = {}

    def find(self, value: Any) -> set[str]:
        """Return the keys of the definitions that checking the value needs."""
        keys: set[str] = set()
        visited: set[tuple[int, int]] = set()
        pending: list[tuple[Any, Any]] = [(self._schema, value)]
        while pending:
            node, part = pending.pop()
            if not self._has_reference(node) or (id(node), id(part)) in visited:
                continue
            visited.add((id(node), id(part)))
            reference = pointers.reference_of(node)
            if reference is not None:
                key = key_of(reference)
                keys.add(key)
                pending.append((self._definitions.get(key), part))
            pending += [(nested, part) for nested in _at_same_value(node)]
            if isinstance(part, dict):
                pending += _at_members(node, part)
            elif isinstance(part, list):
                pending += _at_items(node, part)
        return keys

    def _has_reference(self, node: Any) -> bool:
        """Whether there is a reference in a schema. Those without any need no look at the value."""
        if not isinstance(node, dict | list):
            return False
        has_reference = self._have_references.get(id(node))
        if has_reference is None:
            children = list(node.values()) if isinstance(node, dict) else node
            # Each child is looked at, so that the answers for all of them are known.
            have_references = [self._has_reference(child) for child in children]
            has_reference = self._have_references[id(node)] = any(have_references) or "$ref" in node
        return has_reference


def _at_same_value(node: Mapping[str, Any]) -> Iterator[Any]:
    for keyword in _SAME_VALUE_LISTS:
        if keyword in node:
            yield from node[keyword]
    for keyword in _SAME_VALUE:
        if keyword in node:
            yield node[keyword]
    if "dependentSchemas" in node:
        yield from node["dependentSchemas"].values()


def _at_members(node: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    properties = node.get("properties", {})
    patterns = list(node.get("patternProperties", {}).values())
    others = [node[keyword] for keyword in _MEMBERS if keyword in node]
    for name, member in value.items():
        if name in properties:
            yield properties[name], member
        yield from ((schema, member) for schema in (*patterns, *others))
        if "propertyNames" in node:
            yield node["propertyNames"], name


def _at_items(node: Mapping[str, Any], value: list[Any]) -> Iterator[tuple[Any, Any]]:
    for keyword in _ITEMS:
        nested = node.get(keyword)
        for schema in nested if isinstance(nested, list) else [nested]:
            if isinstance(schema, dict):
                yield from ((schema, item) for item in value)
