"""YAML as far as JSON can represent it, by the rules of YAML 1.2 and without aliases.

PyYAML's own loaders follow YAML 1.1, in which `no` is false and `2026-01-31` a date. They also expand aliases, and
overwrite the first of two members with the same name. So this module turns PyYAML's events into values itself.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from treaty.exact_json import MAX_PLAIN_INTEGER_DIGITS
from treaty.model.compare.documents import UnusableDocument
from treaty.model.compare.positions import Position, read_yaml_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml import MarkedYAMLError

Json = Any

MAX_DEPTH: Final = 200
"""Levels of nesting in a document. The validator of schemas accepts 255."""
_CONSTANTS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NUMBER_STARTS: Final = frozenset("0123456789+-.")
_TAG_PREFIX: Final = "tag:yaml.org,2002:"
_TEXT_TAGS: Final = frozenset({"!", *(_TAG_PREFIX + name for name in ("str", "timestamp", "binary"))})
_RESOLVED_TAGS: Final = frozenset(_TAG_PREFIX + name for name in ("null", "bool", "int", "float", "map", "seq"))


class UnreadableDocument(UnusableDocument):
    """A document that cannot be read: what is wrong and where, and what to do about it."""

    def __init__(self, text: str, position: Position | None = None) -> None:
        super().__init__(f"{position}: {text}" if position else text)
        self.text = text
        self.position = position


def parse_yaml(text: str) -> Json:
    """Parse a YAML document. Raises UnreadableDocument if it is malformed, or if JSON cannot represent it."""
    import yaml  # noqa: PLC0415 - few servers get documents in YAML

    try:
        return _Builder().build(read_yaml_events(text))
    except yaml.MarkedYAMLError as error:
        raise UnreadableDocument(_describe(error), _position(error.problem_mark or error.context_mark)) from error
    except yaml.YAMLError as error:
        raise UnreadableDocument(f"The document is not valid YAML: {str(error).splitlines()[0]}.") from error


def _describe(error: MarkedYAMLError) -> str:
    reasons = ", ".join(reason for reason in (error.problem, error.context) if reason)
    return f"The document is not valid YAML: {reasons}."


def _position(mark: Any) -> Position | None:
    return Position(mark.line + 1, mark.column + 1) if mark else None


class _Builder:
    """Builds the value of a document from PyYAML's events, without recursion."""

    def __init__(self) -> None:
        self.root: Json = None
        self.documents = 0
        self.containers: list[dict[str, Json] | list[Json]] = []
        self.names: list[str | None] = []
        """For each open container, the name of the member whose value comes next."""
        self.name_marks: list[dict[str, Any]] = []

    def build(self, events: Iterator[Any]) -> Json:
        import yaml  # noqa: PLC0415 - see parse_yaml

        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._add_scalar(event)
            elif kind is yaml.MappingStartEvent:
                self._open(event, {})
            elif kind is yaml.SequenceStartEvent:
                self._open(event, [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                del self.containers[-1], self.names[-1], self.name_marks[-1]
            elif kind is yaml.AliasEvent:
                raise _refuse_alias(event)
            elif kind is yaml.DocumentStartEvent:
                self._start_document(event)
        return self.root

    def _start_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise UnreadableDocument(
                "A second YAML document begins here. Give each document a file of its own.",
                _position(event.start_mark),
            )

    def _open(self, event: Any, container: dict[str, Json] | list[Json]) -> None:
        _check_properties(event)
        if self.containers and type(self.containers[-1]) is dict and self.names[-1] is None:
            raise UnreadableDocument("The name of a member must be a text.", _position(event.start_mark))
        self._add(container)
        if len(self.containers) >= MAX_DEPTH:
            raise too_deep(_position(event.start_mark))
        self.containers.append(container)
        self.names.append(None)
        self.name_marks.append({})

    def _add_scalar(self, event: Any) -> None:
        if event.anchor:
            raise _refuse_alias(event)
        if self.containers and self.names[-1] is None and type(self.containers[-1]) is dict:
            self._start_member(event)
        else:
            self._add(event.value if event.implicit[1] else _resolve(event))

    def _start_member(self, event: Any) -> None:
        """Begin a member. Its name is a text as it is written, also where YAML would have a number (`200:`)."""
        marks, name = self.name_marks[-1], event.value
        if name in marks:
            raise duplicate_name(name, _position(marks[name]), _position(event.start_mark))
        marks[name] = event.start_mark
        self.names[-1] = name

    def _add(self, value: Json) -> None:
        if not self.containers:
            self.root = value
            return
        container = self.containers[-1]
        if type(container) is list:
            container.append(value)
        else:
            container[self.names[-1]] = value  # type: ignore[call-overload,index] # a list was handled above
            self.names[-1] = None


def _check_properties(event: Any) -> None:
    if event.anchor:
        raise _refuse_alias(event)
    if event.tag and event.tag not in _RESOLVED_TAGS:
        raise _refuse_tag(event)


def _resolve(event: Any) -> Json:
    """Return the value of a plain scalar, or of one with a tag."""
    if event.tag in _TEXT_TAGS:
        return event.value
    if event.tag and event.tag not in _RESOLVED_TAGS:
        raise _refuse_tag(event)
    value = event.value
    if value in _CONSTANTS:
        return _CONSTANTS[value]
    return _resolve_number(event) if value[0] in _NUMBER_STARTS else value


def _resolve_number(event: Any) -> Json:
    value = event.value
    if _INTEGER.fullmatch(value):
        return _parse_integer(value, _position(event.start_mark))
    if _FLOAT.fullmatch(value):
        number = float(value)
        if math.isfinite(number):
            return number
    elif not _NOT_FINITE.fullmatch(value):
        return value
    raise not_finite(value, _position(event.start_mark))


def _parse_integer(text: str, position: Position | None) -> int:
    if len(text) > MAX_PLAIN_INTEGER_DIGITS:
        raise too_many_digits(position)
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _refuse_alias(event: Any) -> UnreadableDocument:
    import yaml  # noqa: PLC0415 - see parse_yaml

    name = f"*{event.anchor}" if type(event) is yaml.AliasEvent else f"&{event.anchor}"
    return UnreadableDocument(
        f"The document uses the YAML anchor or alias {name}. They are not accepted, since a small document with "
        "aliases can expand to any size. Use a reference ($ref) instead, or convert the document to JSON.",
        _position(event.start_mark),
    )


def _refuse_tag(event: Any) -> UnreadableDocument:
    tag = event.tag.replace(_TAG_PREFIX, "!!")
    return UnreadableDocument(f"The YAML tag {tag} is not supported. Remove it.", _position(event.start_mark))


def too_deep(position: Position | None) -> UnreadableDocument:
    return UnreadableDocument(
        f"The document is nested more than {MAX_DEPTH} levels deep. Move inner schemas to components and use $ref.",
        position,
    )


def not_finite(text: str, position: Position | None = None) -> UnreadableDocument:
    return UnreadableDocument(f"The number {text[:40]} has no representation in JSON. Correct or remove it.", position)


def too_many_digits(position: Position | None = None) -> UnreadableDocument:
    return UnreadableDocument(
        f"An integer has more than {MAX_PLAIN_INTEGER_DIGITS} digits, which cannot be read. Write it as a text.",
        position,
    )


def duplicate_name(name: str, first: Position | None, second: Position | None) -> UnreadableDocument:
    return UnreadableDocument(
        f"The member '{name[:200]}' appears twice in the same object; it is already at {first}. Remove one of the two.",
        second,
    )
