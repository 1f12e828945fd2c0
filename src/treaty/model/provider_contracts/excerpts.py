"""Excerpts of pacts and documents around the location of a finding, of a bounded size."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from treaty import exact_json
from treaty.model.compare import locations
from treaty.model.compare.interactions import specification_version
from treaty.model.compare.locations import Path
from treaty.model.compare.positions import Position, is_json

Json = Any

LINES_BEFORE: Final = 4
LINES_AFTER: Final = 6
"""Lines of a document around the location."""
MAX_NEIGHBORS: Final = 3
"""Members, or items, of a pact on each side of the location."""
MAX_VALUE_LINES: Final = 12
"""Lines of the located value."""
MAX_LINE_LENGTH: Final = 300
"""Characters of a line: a minified document has a single line."""
_LENGTH_BEFORE: Final = 100
"""Characters of a long line before the location."""
_INDENT: Final = "  "
_VERSION_WITH_CONTENTS: Final = 4
_BODY: Final = re.compile(r"(\[root\]\.interactions\[\d+\]\.(?:request|response)\.body)(?=[.\[]|$)")
_YAML_BREAK: Final = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class ExcerptLine:
    """A line, with its number in the document; lines of pacts have none, since they are formatted again."""

    text: str
    is_located: bool = False
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines around a location."""

    lines: Sequence[ExcerptLine]

    @property
    def line(self) -> int | None:
        """The number of the located line."""
        return next((line.number for line in self.lines if line.is_located), None)


# Pacts


def excerpt_pact(pact: Mapping[str, Json], location: str) -> Excerpt:
    """Show a location of a pact, or the nearest ancestor that exists, within its interaction."""
    path = _find_path(pact, location)
    # An interaction is shown on its own: the others have nothing to do with it.
    start = 2 if len(path) > 1 else 0
    return excerpt_value(locations.get_value(pact, path[:start]), path[start:])


def excerpt_value(root: Json, path: Path) -> Excerpt:
    """Show a value between its neighbors, below the names of the values that contain it."""
    return Excerpt(list(_write_excerpt(root, path)))


def _find_path(pact: Mapping[str, Json], location: str) -> Path:
    """Resolve a location. Those of bodies leave out the member with the content that bodies have since version 4."""
    if specification_version(pact) >= _VERSION_WITH_CONTENTS:
        location = _BODY.sub(r"\1.content", location)
    return locations.resolve(pact, location)


def _write_excerpt(root: Json, path: Path) -> Iterator[ExcerptLine]:
    """Write the ancestors of a value, each with the only member that leads to it, and the value with its neighbors."""
    if not path:
        yield from _write_located(root, "", "", "")
        return
    ancestors = [locations.get_value(root, path[:length]) for length in range(len(path))]
    for depth, ancestor in enumerate(ancestors):
        yield ExcerptLine(f"{_INDENT * depth}{_label(path[depth - 1]) if depth else ''}{_brackets(ancestor)[0]}")
    yield from _write_with_neighbors(ancestors[-1], path[-1], _INDENT * len(path))
    for depth, ancestor in reversed(list(enumerate(ancestors))):
        yield ExcerptLine(f"{_INDENT * depth}{_brackets(ancestor)[1]}")


def _write_with_neighbors(container: Json, name: str | int, indent: str) -> Iterator[ExcerptLine]:
    members = list(_members(container))
    located = next(index for index, (member, _) in enumerate(members) if member == name)
    first, last = max(0, located - MAX_NEIGHBORS), min(len(members), located + MAX_NEIGHBORS + 1)
    if first:
        yield ExcerptLine(f"{indent}…")
    for index in range(first, last):
        member, value = members[index]
        end = "," if index + 1 < len(members) else ""
        if index == located:
            yield from _write_located(value, indent, _label(member), end)
        else:
            yield ExcerptLine(f"{indent}{_label(member)}{_summarize(value)}{end}")
    if last < len(members):
        yield ExcerptLine(f"{indent}…")


def _write_located(value: Json, indent: str, label: str, end: str) -> Iterator[ExcerptLine]:
    lines = list(islice(_write_value(value, indent, label, end), MAX_VALUE_LINES + 1))
    for line in lines[:MAX_VALUE_LINES]:
        yield ExcerptLine(line, is_located=True)
    if len(lines) > MAX_VALUE_LINES:
        yield ExcerptLine(f"{indent}{_INDENT}…", is_located=True)


def _write_value(value: Json, indent: str, label: str, end: str) -> Iterator[str]:
    if not value or not isinstance(value, dict | list):
        yield f"{indent}{label}{_summarize(value)}{end}"
        return
    opening, closing = _brackets(value)
    yield f"{indent}{label}{opening}"
    for number, (name, member) in enumerate(_members(value), 1):
        yield from _write_value(member, f"{indent}{_INDENT}", _label(name), "," if number < len(value) else "")
    yield f"{indent}{closing}{end}"


def _members(container: Json) -> Iterable[tuple[str | int, Json]]:
    return container.items() if isinstance(container, dict) else enumerate(container)


def _label(name: str | int) -> str:
    return f"{_serialize(name)}: " if isinstance(name, str) else ""


def _summarize(value: Json) -> str:
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    if isinstance(value, list):
        return "[…]" if value else "[]"
    return _serialize(value)


def _serialize(value: Json) -> str:
    # A long text is cut before it is escaped, which takes time in proportion to its length.
    shown = value[:MAX_LINE_LENGTH] if isinstance(value, str) else value
    return _cut(exact_json.serialize(shown))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_LINE_LENGTH else f"{text[:MAX_LINE_LENGTH]}…"


def _brackets(value: Json) -> tuple[str, str]:
    return ("{", "}") if isinstance(value, dict) else ("[", "]")


# Documents


def decode_source(source: bytes) -> str:
    """Decode a stored document, which was read when it was published."""
    encoding = "utf-16" if source[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    return source.decode(encoding, "replace")


def split_lines(text: str) -> list[str]:
    """Split a document into its lines, as `positions` counts them."""
    return text.split("\n") if is_json(text) else _YAML_BREAK.split(text)


def excerpt_document(lines: Sequence[str], position: Position) -> Excerpt:
    """Show the lines of a document around a position."""
    located = min(position.line, len(lines))
    first, last = max(1, located - LINES_BEFORE), min(len(lines), located + LINES_AFTER)
    return Excerpt(
        [
            ExcerptLine(
                cut_line(lines[number - 1], position.column if number == located else 1), number == located, number
            )
            for number in range(first, last + 1)
        ]
    )


def cut_line(line: str, column: int = 1, *, length: int = MAX_LINE_LENGTH) -> str:
    """Cut a long line to its part around a column."""
    if len(line) <= length:
        return line.rstrip("\r")
    start = column - 1 - _LENGTH_BEFORE if column > max(length, _LENGTH_BEFORE) else 0
    part = line[start : start + length]
    return f"{'…' if start else ''}{part}{'…' if start + length < len(line) else ''}"
