"""Locations in documents, as findings name them: `[root].paths./orders.get.parameters[0]`, and as references do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
"""Names of members and indexes of items that lead from the root of a document to a value."""

ROOT: Final = "[root]"
MAX_HOPS: Final = 20
"""References followed on the way to one value; more of them lead in a circle."""
_ARRAY_INDEX: Final = re.compile(r"\d{1,9}", re.ASCII)
_NAME_END: Final = re.compile(r"[.\[]")
_INDEX: Final = re.compile(r"\[(\d{1,9})\]|\.(\d{1,9})(?=[.\[]|$)", re.ASCII)


def format_location(path: Path) -> str:
    return ROOT + "".join(f"[{segment}]" if isinstance(segment, int) else f".{segment}" for segment in path)


def resolve(content: Any, location: str) -> Path:
    """Return the path of a location, or of its nearest existing ancestor.

    Names may contain dots and brackets, so the content decides where one ends. A location may continue behind a
    reference, with or without the path of the target: `.schema.components.schemas.Item.type`, `.schema.type`.
    """
    path, rest = _walk(content, location.removeprefix(ROOT))
    for _ in range(MAX_HOPS):
        target = _find_target(content, path) if rest else None
        if target is None:
            break
        own_path, own_rest = _walk(get_value(content, target), rest)
        absolute_path, absolute_rest = _walk(content, rest)
        if len(absolute_rest) < len(own_rest):
            path, rest = absolute_path, absolute_rest
        else:
            path, rest = (*target, *own_path), own_rest
    return path


def _walk(value: Any, rest: str) -> tuple[Path, str]:
    """Follow a location as far as it exists; return the path and the rest of the location.

    Where several names fit (`/orders` and `/orders.get`), the one that leads furthest is followed. Each value has one
    path, so that at most every value of the document is visited once.
    """
    best: tuple[Path, str] = ((), rest)
    for segment, length in _match_segments(value, rest):
        path, new_rest = _walk(value[segment], rest[length:])
        if len(new_rest) < len(best[1]):
            best = ((segment, *path), new_rest)
    return best


def _match_segments(value: Any, rest: str) -> Iterator[tuple[str | int, int]]:
    """Yield each index or name with which the rest of a location can begin, and the length of its text."""
    if isinstance(value, list):
        match = _INDEX.match(rest)
        index = int(match[1] or match[2]) if match else len(value)
        if match and index < len(value):
            yield index, match.end()
    elif isinstance(value, dict) and rest.startswith("."):
        for end in (*_ends(rest), len(rest)):
            # Findings have escaped names within schemas, as references have.
            names = dict.fromkeys((rest[1:end], _decode_segment(rest[1:end])))
            yield from ((name, end) for name in names if name in value)


def _ends(rest: str) -> list[int]:
    return [match.start() for match in _NAME_END.finditer(rest, 1)]


def _find_target(content: Any, path: Path) -> Path | None:
    value = get_value(content, path)
    return resolve_reference(content, value["$ref"]) if _is_reference(value) else None


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("$ref"), str)


def get_value(content: Any, path: Path) -> Any:
    for segment in path:
        content = content[segment]
    return content


def resolve_reference(content: Any, reference: str) -> Path | None:
    """Return the path that a reference such as `#/components/schemas/Order` leads to, or None if it leads nowhere."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    path: list[str | int] = []
    for segment in map(_decode_segment, reference.split("/")[1:]):
        key = _find_key(content, segment)
        if key is None:
            return None
        path.append(key)
        content = content[key]
    return tuple(path)


def _find_key(value: Any, segment: str) -> str | int | None:
    if isinstance(value, list):
        return int(segment) if _ARRAY_INDEX.fullmatch(segment) and int(segment) < len(value) else None
    return segment if isinstance(value, dict) and segment in value else None


def _decode_segment(segment: str) -> str:
    return unquote(segment).replace("~1", "/").replace("~0", "~")
