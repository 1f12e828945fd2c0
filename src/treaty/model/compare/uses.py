"""Deprecated properties that a pact uses."""

from collections.abc import Mapping
from typing import Any

from treaty.model.compare import pointers
from treaty.model.compare.exchanges import Exchange
from treaty.model.compare.reach import Definitions, key_of
from treaty.model.compare.validation import CompiledSchema

_BRANCHES = ("allOf", "anyOf", "oneOf")


def note_deprecated_properties(
    exchange: Exchange, compiled: CompiledSchema, value: Any, *, pact: str, document: str
) -> None:
    """Note the members of a body whose schemas are deprecated."""
    if not compiled.has_deprecations:
        return
    names: dict[tuple[str | int, ...], str] = {}
    _collect(compiled.definitions, compiled.schema, value, (), names)
    for steps, name in names.items():
        location = pact + "".join(f".{pointers.escape_instance(step)}" for step in steps)
        exchange.note_use("property", name, location, document)


def _collect(
    definitions: Definitions,
    schema: Any,
    value: Any,
    steps: tuple[str | int, ...],
    names: dict[tuple[str | int, ...], str],
) -> None:
    if not isinstance(schema, dict) or len(steps) > pointers.MAX_REFERENCES:
        return
    if schema.get("deprecated") is True and steps:
        names[steps] = str(steps[-1])
    for nested in _same_value(definitions, schema):
        _collect(definitions, nested, value, steps, names)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name, member in value.items():
            if name in properties:
                _collect(definitions, properties[name], member, (*steps, name), names)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect(definitions, schema.get("items"), item, (*steps, index), names)


def _same_value(definitions: Definitions, schema: Mapping[str, Any]) -> list[Any]:
    reference = pointers.reference_of(schema)
    nested = [definitions.get(key_of(reference))] if reference else []
    for keyword in _BRANCHES:
        nested += schema.get(keyword, ())
    return nested
