"""Matchers, and how they are written for Pact's library."""

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
    """A value that need not be equal."""

    @abstractmethod
    def written(self) -> dict[str, Any]:
        """Give it as Pact's library reads it."""

    @abstractmethod
    def example(self) -> Any:
        """Give a value that matches."""


@dataclass(frozen=True)
class Like(Matcher):
    """Whatever is of the same type."""

    matcher: Any

    def written(self) -> dict[str, Any]:
        return {_TYPE: "type", "value": to_library_format(self.matcher)}

    def example(self) -> Any:
        return get_generated_values(self.matcher)


SomethingLike = Like


@dataclass(frozen=True)
class EachLike(Matcher):
    """A list of such elements, at least so many."""

    matcher: Any
    minimum: int = 1

    def __post_init__(self) -> None:
        if self.minimum < 1:
            raise ValueError("Minimum must be greater than or equal to 1")

    def written(self) -> dict[str, Any]:
        return {_TYPE: "type", "value": [to_library_format(self.matcher)] * self.minimum, "min": self.minimum}

    def example(self) -> list[Any]:
        return [get_generated_values(self.matcher)] * self.minimum


@dataclass(frozen=True)
class Term(Matcher):
    """What a regular expression matches; `generate` is an example."""

    matcher: str
    generate: Any

    def __post_init__(self) -> None:
        if not re.search(self.matcher, str(self.generate)):
            raise ValueError(f"{self.generate!r} is no example of {self.matcher!r}")

    def written(self) -> dict[str, Any]:
        return {_TYPE: "regex", "regex": self.matcher, "value": self.generate}

    def example(self) -> Any:
        return self.generate


def to_library_format(value: Any) -> Any:
    """Write matchers within a value as Pact's library reads them."""
    return _converted(value, lambda matcher: matcher.written())


def get_generated_values(value: Any) -> Any:
    """Give the value with examples in place of its matchers."""
    return _converted(value, lambda matcher: matcher.example())


def _converted(value: Any, of_matcher: Callable[[Matcher], Any]) -> Any:
    match value:
        case Matcher():
            return of_matcher(value)
        case dict():
            return {name: _converted(each, of_matcher) for name, each in value.items()}
        case list() | tuple():
            return [_converted(each, of_matcher) for each in value]
        case Enum():
            return value.value
        case _:
            return value


def as_text(value: Any) -> str:
    """Write a header, path or query; a matcher around text is written as JSON."""
    return json.dumps(value.written()) if isinstance(value, Matcher) else str(value)


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
