"""Positions of values in the text of a document.

Documents are stored as parsed JSON. Where a position is shown, the text is read again as a stream of tokens, which
takes less memory than storing the position of each value.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from treaty.model.compare import locations

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from treaty.model.compare.locations import Path

_OBJECT: Final = "object"
_LIST: Final = "list"
_CLOSE: Final = "close"
_SCALAR: Final = "scalar"
_JSON_START: Final = re.compile(r'\s*(?:\[|\{\s*["}])')
_JSON_TOKEN: Final = re.compile(r'\n|[\[{]|[\]}]|"(?:[^"\\\n]|\\.)*"|[^\s,:\[\]{}"]+')


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A line and a column, each counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: Position


def locate(text: str, content: Any, queries: Collection[str]) -> dict[str, Position]:
    """Find the positions of locations, such as `[root].paths./orders.get`, in the text of a document.

    `content` is the parsed document. A location that does not exist has the position of its nearest existing ancestor.
    """
    paths = {location: locations.resolve(content, location) for location in queries}
    positions = find_positions(text, set(paths.values()))
    return {location: positions[path] for location, path in paths.items() if path in positions}


def find_positions(text: str, paths: Collection[Path]) -> dict[Path, Position]:
    """Find where the values at paths begin; of a member, where its name begins."""
    positions: dict[Path, Position] = {}
    for path, position in _walk(_read_tokens(text)):
        if path in paths and path not in positions:
            positions[path] = position
            if len(positions) == len(paths):
                break
    return positions


def find_extents(text: str, paths: Collection[Path]) -> dict[Path, tuple[int, int]]:
    """Find the first and the last line of the values at paths, each counted from 1.

    A value extends to the line before the next one that is not a part of it.
    """
    extents: dict[Path, tuple[int, int]] = {}
    unfinished: dict[Path, int] = {}
    for path, position in _walk(_read_tokens(text)):
        for outer in [outer for outer in unfinished if path[: len(outer)] != outer]:
            first = unfinished.pop(outer)
            extents[outer] = first, max(first, position.line - 1)
        if path in paths and path not in extents:
            unfinished.setdefault(path, position.line)
    last = text.rstrip().count("\n") + 1
    return extents | {path: (first, max(first, last)) for path, first in unfinished.items()}


def find_duplicate(text: str) -> tuple[str, Position, Position] | None:
    """Find the first name that an object has twice, and both positions."""
    seen: dict[Path, Position] = {}
    for path, position in _walk(_read_tokens(text)):
        if path in seen and path and isinstance(path[-1], str):
            return path[-1], seen[path], position
        seen[path] = position
    return None


def find_too_deep(text: str, depth: int) -> Position | None:
    """Find the first list or object that is nested deeper than `depth` levels."""
    level = 0
    for token in _read_json_tokens(text):
        level += {_SCALAR: 0, _CLOSE: -1}.get(token.kind, 1)
        if level > depth:
            return token.position
    return None


def _walk(tokens: Iterator[_Token]) -> Iterator[tuple[Path, Position]]:
    """Yield the path and the position of each value. Names that are no text are ended by their first token."""
    stack: list[_Level] = []
    path: list[str | int] = []
    for token in tokens:
        if token.kind == _CLOSE:
            stack.pop()
            if stack:
                stack[-1].end_value()
            continue
        if stack and stack[-1].awaits_name and token.kind == _SCALAR:
            stack[-1].start_member(token)
            continue
        del path[max(len(stack) - 1, 0) :]
        if stack:
            path.append(stack[-1].segment)
        yield tuple(path), (stack[-1].name_position if stack else None) or token.position
        if token.kind != _SCALAR:
            stack.append(_Level(token.kind))
        elif stack:
            stack[-1].end_value()


class _Level:
    """An object or a list that has begun, and the member or item that comes next."""

    def __init__(self, kind: str) -> None:
        self.is_object = kind == _OBJECT
        self.segment: str | int = "" if self.is_object else 0
        self.awaits_name = self.is_object
        self.name_position: Position | None = None

    def start_member(self, token: _Token) -> None:
        self.segment, self.name_position, self.awaits_name = token.text, token.position, False

    def end_value(self) -> None:
        if isinstance(self.segment, int):
            self.segment += 1
        self.awaits_name = self.is_object


def is_json(text: str) -> bool:
    """Whether a text is read as JSON: it begins with a list, or with an object whose first name has quotes.

    `{openapi: 3.1.0}` is an object too, but in YAML.
    """
    return _JSON_START.match(text) is not None


def _read_tokens(text: str) -> Iterator[_Token]:
    return _read_json_tokens(text) if is_json(text) else _read_yaml_tokens(text)


def _read_json_tokens(text: str) -> Iterator[_Token]:
    line, line_start = 1, 0
    for match in _JSON_TOKEN.finditer(text):
        word = match[0]
        position = Position(line, match.start() - line_start + 1)
        if word == "\n":
            line, line_start = line + 1, match.end()
        elif word in _KINDS:
            yield _Token(_KINDS[word], "", position)
        else:
            # The text is used for names only, and few of them have escape sequences.
            yield _Token(_SCALAR, json.loads(word) if "\\" in word else word.strip('"'), position)


_KINDS: Final = {"{": _OBJECT, "[": _LIST, "}": _CLOSE, "]": _CLOSE}


def _read_yaml_tokens(text: str) -> Iterator[_Token]:
    kinds = _kinds_of_events()
    for event in read_yaml_events(text):
        kind = kinds.get(type(event))
        if kind:
            position = Position(event.start_mark.line + 1, event.start_mark.column + 1)
            yield _Token(kind, event.value if kind == _SCALAR else "", position)


def read_yaml_events(text: str) -> Iterator[Any]:
    """Iterate over PyYAML's events for a text, which raises its errors."""
    import yaml  # noqa: PLC0415 - few servers get documents in YAML

    # The parser in C is some fifty times as fast; builds for rare platforms lack it.
    events: Iterator[Any] = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return events


@cache
def _kinds_of_events() -> dict[type, str]:
    import yaml  # noqa: PLC0415 - see above

    return {
        yaml.MappingStartEvent: _OBJECT,
        yaml.SequenceStartEvent: _LIST,
        yaml.MappingEndEvent: _CLOSE,
        yaml.SequenceEndEvent: _CLOSE,
        yaml.ScalarEvent: _SCALAR,
    }
