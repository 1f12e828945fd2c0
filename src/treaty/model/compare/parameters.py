"""Values of parameters, which a pact has as text: parsing, and conversion to the types of a schema."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_plus

from treaty.model.compare.reach import Definitions, key_of

_BRACKETS: Final = re.compile(r"\[[^\[\]]*\]")
_DOTTED: Final = re.compile(r"\.([^.\[]+)")
_MAX_DEPTH: Final = 5
_MAX_COERCED_DEPTH: Final = 32
"""Levels of schemas within schemas and of references, which may be recursive."""
_MAX_INDEX: Final = 20
_MAX_PARAMETERS: Final = 1000
_NUMBER: Final = re.compile(
    r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+"
)


def parse_flat(text: str) -> dict[str, Any]:
    """Parse a query or form into texts; a name that occurs several times has a list."""
    values: dict[str, Any] = {}
    for part in text.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        key, decoded = unquote_plus(name), unquote_plus(value)
        if key not in values:
            values[key] = decoded
        elif isinstance(values[key], list):
            values[key].append(decoded)
        else:
            values[key] = [values[key], decoded]
    return values


def parse_nested(text: str, *, has_structure: bool = True) -> dict[str, Any]:
    """Parse a query or form in which `a[b]=c` and `a[]=c` are nested.

    With `has_structure`, `a.b=c` is nested, too, and `a=1,2` is a list.
    """
    flat: dict[str, Any] = {}
    for part in text.split("&")[:_MAX_PARAMETERS]:
        if not part:
            continue
        key, value = _split_pair(part, has_structure=has_structure)
        flat[key] = _combine(flat[key], value) if key in flat else value
    values: dict[str, Any] = {}
    for key, value in flat.items():
        for name, nested in _nest(key, value, has_structure=has_structure).items():
            values[name] = _merge(values[name], nested) if name in values else nested
    return {name: _compact(value) for name, value in values.items()}


def parse_value(text: str | None) -> Any:
    """Parse the value of a header or path parameter: pairs with `=` are an object, and commas separate a list."""
    if not text:
        return text
    if "=" in text:
        return parse_nested(text.replace(",", "&"))
    return text.split(",") if "," in text else text


def coerce(value: Any, schema: Any, definitions: Definitions, depth: int = 0) -> Any:
    """Convert texts to the types that the schema names, where that is possible."""
    if not isinstance(schema, dict) or depth > _MAX_COERCED_DEPTH:
        return value
    reference = schema.get("$ref")
    if isinstance(reference, str):
        value = coerce(value, definitions.get(key_of(reference)), definitions, depth + 1)
    types = schema.get("type")
    if types is not None:
        value = _coerce_to(value, types if isinstance(types, list) else [types])
    value = _coerce_members(value, schema, definitions, depth)
    for branch in schema.get("allOf", ()):
        value = coerce(value, branch, definitions, depth + 1)
    for keyword in ("anyOf", "oneOf"):
        value = _coerce_to_branch(value, schema.get(keyword, ()), definitions, depth)
    return value


def has_type(value: Any, name: Any) -> bool:
    """Whether the value has the JSON type of this name."""
    is_instance = _TYPES.get(name)
    return is_instance is not None and is_instance(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
}


def _coerce_members(value: Any, schema: Mapping[str, Any], definitions: Definitions, depth: int) -> Any:
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties")
        return {
            name: coerce(member, properties.get(name, others), definitions, depth + 1) for name, member in value.items()
        }
    if isinstance(value, list):
        return [coerce(item, schema.get("items"), definitions, depth + 1) for item in value]
    return value


def _coerce_to_branch(value: Any, branches: Sequence[Any], definitions: Definitions, depth: int) -> Any:
    for branch in branches:
        converted = coerce(value, branch, definitions, depth + 1)
        types = branch.get("type") if isinstance(branch, dict) else None
        names = types if isinstance(types, list) else [types]
        if types is None or any(has_type(converted, name) for name in names):
            return converted
    return value


def _coerce_to(value: Any, types: Sequence[str]) -> Any:
    if any(has_type(value, name) for name in types):
        return value
    for name in types:
        converted = _convert(value, name)
        if has_type(converted, name):
            return converted
    return value


def _convert(value: Any, name: str) -> Any:
    match name:
        case "number" | "integer":
            return (
                _number(value) if isinstance(value, str) else int(value or 0) if value in (None, True, False) else value
            )
        case "boolean":
            return {"true": True, "false": False, None: False, 0: False, 1: True}.get(_hashable(value), value)
        case "null":
            return None if value in ("", 0, False) else value
        case "string":
            return "" if value is None else value if isinstance(value, dict | list) else json.dumps(value)
        case _:
            return value


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str | int | None) else ""


def _number(text: str) -> Any:
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        return text
    if len(stripped) > 1 and stripped[1] in "xXoObB":
        return int(stripped, 0)
    number = float(stripped)
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() else number


def _split_pair(part: str, *, has_structure: bool) -> tuple[str, Any]:
    part = re.sub("%5[Bb]", "[", part)
    part = re.sub("%5[Dd]", "]", part)
    bracketed = part.find("]=")
    position = part.find("=") if bracketed < 0 else bracketed + 1
    if position < 0:
        return unquote_plus(part), ""
    key, text = unquote_plus(part[:position]), part[position + 1 :]
    value: Any = (
        [unquote_plus(item) for item in text.split(",")] if has_structure and "," in text else unquote_plus(text)
    )
    return key, [value] if "[]=" in part and isinstance(value, list) else value


def _combine(first: Any, second: Any) -> list[Any]:
    return [*(first if isinstance(first, list) else [first]), *(second if isinstance(second, list) else [second])]


def _nest(key: str, value: Any, *, has_structure: bool) -> dict[str, Any]:
    path = _DOTTED.sub(r"[\1]", key) if has_structure else key
    brackets = list(_BRACKETS.finditer(path))
    parent = path[: brackets[0].start()] if brackets else path
    segments = [match[0] for match in brackets[:_MAX_DEPTH]]
    if len(brackets) > _MAX_DEPTH:
        segments.append(f"[{path[brackets[_MAX_DEPTH].start() :]}]")
    leaf = value
    for segment in reversed(segments):
        leaf = _wrap(segment, leaf)
    if parent:
        return {parent: leaf}
    if not segments:
        return {}
    return {str(name): item for name, item in enumerate(leaf)} if isinstance(leaf, list) else leaf


def _wrap(segment: str, leaf: Any) -> Any:
    name = segment[1:-1]
    if not name:
        return leaf if isinstance(leaf, list) else [leaf]
    if name.isdecimal() and str(int(name)) == name and int(name) <= _MAX_INDEX:
        return [*[_HOLE] * int(name), leaf]
    return {name: leaf}


_HOLE: Final = object()


def _merge(target: Any, source: Any) -> Any:
    if isinstance(target, dict) and isinstance(source, dict):
        return {
            **target,
            **{name: _merge(target[name], item) if name in target else item for name, item in source.items()},
        }
    if isinstance(target, list) and isinstance(source, list):
        return _merge_lists(target, source)
    if isinstance(target, dict) and isinstance(source, list):
        return _merge(target, {str(index): item for index, item in enumerate(source) if item is not _HOLE})
    if isinstance(target, list) and isinstance(source, dict):
        return _merge({str(index): item for index, item in enumerate(target) if item is not _HOLE}, source)
    return _combine(target, source)


def _merge_lists(target: list[Any], source: list[Any]) -> list[Any]:
    merged = list(target)
    for index, item in enumerate(source):
        if item is _HOLE:
            continue
        if index >= len(merged):
            merged += [_HOLE] * (index - len(merged)) + [item]
        elif merged[index] is _HOLE:
            merged[index] = item
        elif isinstance(merged[index], dict) and isinstance(item, dict):
            merged[index] = _merge(merged[index], item)
        else:
            merged.append(item)
    return merged


def _compact(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _compact(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_compact(item) for item in value if item is not _HOLE]
    return value
