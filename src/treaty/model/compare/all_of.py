"""Merging of `allOf`: OpenAPI uses it for the union of all properties, which JSON Schema does not know."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from treaty.model.compare import pointers
from treaty.model.compare.findings import ABSENT
from treaty.model.compare.profiles import Switches

ALSO: Final = "\0also"
"""Key of conditions that merging adds to a schema. No document has it."""

MERGED: Final = "\0merged"
"""Key of a schema that is the result of merging. No document has it."""

PAIR: Final = "\0pair"
"""Key of an `allOf` that merging has made of two schemas of a property. No document has it."""

ReportNote = Callable[[str, str, str], None]
"""Takes the code, text and location of a note."""


class AllOfMerger:
    """Merges the schemas of `allOf` in one document."""

    def __init__(self, content: Mapping[str, Any], switches: Switches, note: ReportNote) -> None:
        self._content = content
        self._switches = switches
        self._note = note
        self._pairs: dict[tuple[int, int], Mapping[str, Any]] = {}

    def flatten(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Merge the schemas of `allOf` into the one that has it, and follow references among them."""
        return self._flatten(schema, frozenset())

    def _flatten(self, schema: Mapping[str, Any], visited: frozenset[str]) -> Mapping[str, Any]:
        """Merge the schemas of `allOf` into the one that has it."""
        branches = schema.get("allOf")
        if not isinstance(branches, list):
            return schema
        merged: Mapping[str, Any] = {name: value for name, value in schema.items() if name not in {"allOf", PAIR}}
        merged = {**_with_null_type(_without_lone_discriminator(merged)), MERGED: True}
        for branch in branches:
            flat = self._flatten_branch(branch, visited)
            if flat is False:
                return {"not": {}}
            if isinstance(flat, Mapping):
                merged = self._merge(merged, flat)
        return merged

    def _flatten_branch(self, branch: Any, visited: frozenset[str]) -> Any:
        reference = pointers.reference_of(branch)
        if reference is not None:
            if reference in visited:
                self._note("reference.circular", f"The reference {reference} leads back to itself.", reference)
                return {}
            visited |= {reference}
            target = pointers.find(self._content, reference)
            if target is ABSENT:
                self._note(
                    "reference.broken", f"The document refers to {reference}, which it does not have.", reference
                )
                target = {}
            if not isinstance(target, Mapping):
                return target
            siblings = {name: value for name, value in branch.items() if name != "$ref"}
            return self._flatten_branch({**siblings, **target}, visited)
        if not isinstance(branch, Mapping):
            return branch
        flat = _with_null_type(_without_lone_discriminator(self._flatten(branch, visited)))
        return self._inline_properties(flat, visited)

    def _inline_properties(self, schema: Mapping[str, Any], visited: frozenset[str]) -> Mapping[str, Any]:
        """Replace references of properties by their targets, so that merging does not mix both."""
        properties = schema.get("properties")
        if not isinstance(properties, Mapping):
            return schema
        inlined = dict(properties)
        for name, value in properties.items():
            reference = pointers.reference_of(value)
            if reference is None or len(value) > 1 or reference in visited:
                continue
            target = pointers.find(self._content, reference)
            if isinstance(target, Mapping) and not _refers_to(target, visited | {reference}):
                inlined[name] = target
        return {**schema, "properties": inlined}

    def _merge(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
        merged = dict(first)
        for name, value in second.items():
            if name not in merged:
                merged[name] = value
            elif name == "properties":
                merged[name] = self._merge_properties(merged[name], value)
            else:
                merged[name] = self._merge_keyword(name, merged, value)
        return merged

    def _merge_properties(self, first: Any, second: Any) -> Any:
        if not isinstance(first, Mapping) or not isinstance(second, Mapping):
            return second
        merged = dict(first)
        for name, value in second.items():
            present = merged.get(name)
            is_pair = isinstance(present, Mapping) and isinstance(value, Mapping)
            merged[name] = self._pair(present, value) if is_pair and present is not value else value
        return merged

    def _pair(self, first: Any, second: Any) -> Mapping[str, Any]:
        """Return an `allOf` of two schemas, to be merged when it is needed, since it may lead back to itself.

        Equal arguments give the same object, by which recursion is recognized.
        """
        pair = self._pairs.get((id(first), id(second)))
        if pair is None:
            parts = [*first["allOf"], second] if PAIR in first else [first, second]
            # The pair keeps both alive, so that no other object gets their identities.
            pair = self._pairs[id(first), id(second)] = {"allOf": parts, PAIR: (first, second)}
        return pair

    def _merge_keyword(self, name: str, merged: dict[str, Any], value: Any) -> Any:
        present = merged[name]
        unite = _UNITE.get(name) if self._switches.unites_all_of else None
        if unite:
            return unite(present, value)
        if name in {"oneOf", "anyOf", "not"} and self._switches.unites_all_of and present != value:
            # Both apply. Merging them branch by branch would accept what neither accepts.
            merged[ALSO] = [*merged.get(ALSO, []), {name: value}]
            return present
        return _merge_deeply(present, value)


def _without_lone_discriminator(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "discriminator" not in schema or schema.get("oneOf"):
        return schema
    return {name: value for name, value in schema.items() if name != "discriminator"}


def _with_null_type(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a nullable schema with `null` among its types, so that merging treats it as the reference engine does."""
    if schema.get("nullable") is not True or MERGED in schema or "$ref" in schema:
        return schema
    names = schema.get("type", "object")
    return {**schema, "type": names if isinstance(names, list) else [names, "null"]}


def _refers_to(schema: Any, references: frozenset[str]) -> bool:
    """Whether the schema's properties or items refer back to one of the references."""
    pending = [schema]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            if pointers.reference_of(value) in references:
                return True
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return False


def _merge_deeply(first: Any, second: Any) -> Any:
    """Merge objects by name and lists by position; otherwise the second value wins."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        merged = dict(first)
        for name, value in second.items():
            merged[name] = _merge_deeply(merged[name], value) if name in merged else value
        return merged
    if isinstance(first, list) and isinstance(second, list):
        shared = [_merge_deeply(*pair) for pair in zip(first, second, strict=False)]
        return [*shared, *first[len(shared) :], *second[len(shared) :]]
    return second


def _union(first: Any, second: Any) -> Any:
    if not isinstance(first, list) or not isinstance(second, list):
        return second
    return [*first, *(value for value in second if value not in first)]


def _intersection(first: Any, second: Any) -> Any:
    if not isinstance(first, list) or not isinstance(second, list):
        return second
    return [value for value in first if value in second]


def _higher(first: Any, second: Any) -> Any:
    return max(first, second) if is_number(first) and is_number(second) else second


def _lower(first: Any, second: Any) -> Any:
    return min(first, second) if is_number(first) and is_number(second) else second


def is_number(value: Any) -> bool:
    """Whether the value is a finite number. Booleans are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_UNITE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "required": _union,
    "enum": _intersection,
    **dict.fromkeys(("minimum", "minLength", "minItems", "minProperties"), _higher),
    **dict.fromkeys(("maximum", "maxLength", "maxItems", "maxProperties"), _lower),
}
