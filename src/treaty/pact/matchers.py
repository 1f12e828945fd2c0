"""Matchers of pact-python 1 and 2, converted to the format of Pact's library."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

_TYPE: Final = "pact:matcher:type"


class Matcher(ABC):
    """A rule that a value has to match, instead of being equal."""

    @abstractmethod
    def to_library_format(self) -> dict[str, Any]:
        """Return the matcher in the integration JSON format of Pact's library."""

    @abstractmethod
    def example(self) -> Any:
        """Return a value that matches."""


@dataclass(frozen=True)
class Like(Matcher):
    """A value of the same type as `matcher`, which may contain other matchers."""

    matcher: Any

    def to_library_format(self) -> dict[str, Any]:
        return {_TYPE: "type", "value": to_library_format(self.matcher)}

    def example(self) -> Any:
        return get_generated_values(self.matcher)


SomethingLike = Like


@dataclass(frozen=True)
class EachLike(Matcher):
    """A list with at least `minimum` elements, each of which matches `matcher`."""

    matcher: Any
    minimum: int = 1

    def __post_init__(self) -> None:
        if self.minimum < 1:
            raise ValueError("Minimum must be greater than or equal to 1")

    def to_library_format(self) -> dict[str, Any]:
        return {_TYPE: "type", "value": [to_library_format(self.matcher)] * self.minimum, "min": self.minimum}

    def example(self) -> list[Any]:
        return [get_generated_values(self.matcher)] * self.minimum


@dataclass(frozen=True)
class Term(Matcher):
    """A text that the regular expression `matcher` matches; `generate` is an example."""

    matcher: str
    generate: Any

    def __post_init__(self) -> None:
        if not re.search(self.matcher, str(self.generate)):
            raise ValueError(f"The example {self.generate!r} does not match {self.matcher!r}")

    def to_library_format(self) -> dict[str, Any]:
        return {_TYPE: "regex", "regex": self.matcher, "value": self.generate}

    def example(self) -> Any:
        return self.generate


def to_library_format(value: Any) -> Any:
    """Convert all matchers in a value to the format of Pact's library."""
    return _replace_matchers(value, lambda matcher: matcher.to_library_format())


def get_generated_values(value: Any) -> Any:
    """Replace all matchers in a value by their examples."""
    return _replace_matchers(value, lambda matcher: matcher.example())


def _replace_matchers(value: Any, convert: Callable[[Matcher], Any]) -> Any:
    match value:
        case Matcher():
            return convert(value)
        case dict():
            return {name: _replace_matchers(member, convert) for name, member in value.items()}
        case list() | tuple():
            return [_replace_matchers(element, convert) for element in value]
        case Enum():
            return value.value
        case _:
            return value


def as_text(value: Any) -> str:
    """Return a header, path or query parameter as text. Pact's library accepts a matcher there as JSON text."""
    return json.dumps(value.to_library_format()) if isinstance(value, Matcher) else str(value)


_HOURS: Final = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?"
_ZONE: Final = r"(Z|[+-]([01]\d|2[0-3]):?[0-5]\d)?"


class Format:
    """Common formats, each a matcher."""

    integer: Final = Like(1)
    decimal: Final = Like(1.0)
    hexadecimal: Final = Term(r"[0-9a-fA-F]+", "3F")
    identifier: Final = Term(r"[0-9]+", "42")
    ip_address: Final = Term(r"(\d{1,3}\.){3}\d{1,3}", "127.0.0.1")
    ipv6_address: Final = Term(r"[0-9a-fA-F:]*:[0-9a-fA-F:.]*", "::ffff:192.0.2.128")
    uuid: Final = Term(
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "fc763eba-0905-41c5-a27f-3934ab26786c"
    )
    date: Final = Term(r"\d{4}-\d{2}-\d{2}", "2000-02-01")
    time: Final = Term(rf"T{_HOURS}", "T12:00:00")
    timestamp: Final = Term(rf"\d{{4}}-\d{{2}}-\d{{2}}T{_HOURS}{_ZONE}", "2000-02-01T12:00:00")
    iso_datetime: Final = timestamp
    iso_datetime_with_millis: Final = Term(rf"\d{{4}}-\d{{2}}-\d{{2}}T{_HOURS}{_ZONE}", "2000-02-01T12:00:00.000Z")
