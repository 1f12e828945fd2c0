"""Matchers of pact-python 1 and 2, converted to the format of Pact's library."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

import pact_ffi

_TYPE: Final = "pact:matcher:type"
_SYNTAX: Final = " Expressions have Ruby's syntax, such as (?<name>...) for a named group."


class Matcher(ABC):
    """A rule that a value has to match, instead of being equal."""

    @abstractmethod
    def generate(self) -> Any:
        """Return the matcher in the format of the Ruby mock service, which pact-python 1 and 2 used."""

    @abstractmethod
    def to_library_format(self) -> dict[str, Any]:
        """Return the matcher in the integration JSON format of Pact's library."""

    @abstractmethod
    def example(self) -> Any:
        """Return a value that matches."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # the values may be lists and mappings

    def __repr__(self) -> str:
        values = ", ".join(f"{name.lstrip('_')}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"


class Like(Matcher):
    """A value of the same type as `matcher`, which may contain other matchers."""

    def __init__(self, matcher: Any) -> None:
        self.matcher = matcher

    def generate(self) -> dict[str, Any]:
        return {"json_class": "Pact::SomethingLike", "contents": from_term(self.matcher)}

    def to_library_format(self) -> dict[str, Any]:
        return {_TYPE: "type", "value": to_library_format(self.matcher)}

    def example(self) -> Any:
        return get_generated_values(self.matcher)


SomethingLike = Like


class EachLike(Matcher):
    """A list with at least `minimum` elements, each of which matches `matcher`."""

    def __init__(self, matcher: Any, minimum: int = 1) -> None:
        if minimum < 1:
            raise ValueError("Minimum must be greater than or equal to 1")
        self.matcher = matcher
        self.minimum = minimum

    def generate(self) -> dict[str, Any]:
        return {"json_class": "Pact::ArrayLike", "contents": from_term(self.matcher), "min": self.minimum}

    def to_library_format(self) -> dict[str, Any]:
        return {_TYPE: "type", "value": [to_library_format(self.matcher)] * self.minimum, "min": self.minimum}

    def example(self) -> list[Any]:
        return [get_generated_values(self.matcher)] * self.minimum


class Term(Matcher):
    """A text that the regular expression `matcher` matches; `generate` is an example.

    Expressions have Ruby's syntax, which is that of the mock provider, and may match a part of the text.
    """

    def __init__(self, matcher: str, generate: Any) -> None:
        self.matcher = matcher
        self._generate = generate
        self._regex = _to_whole_text(matcher, str(generate))

    def generate(self) -> dict[str, Any]:
        expression = {"json_class": "Regexp", "o": 0, "s": self.matcher}
        return {"json_class": "Pact::Term", "data": {"generate": self._generate, "matcher": expression}}

    def to_library_format(self) -> dict[str, Any]:
        return {_TYPE: "regex", "regex": self._regex, "value": self._generate}

    def example(self) -> Any:
        return self._generate


def _to_whole_text(expression: str, example: str) -> str:
    """Return an expression for the library, which compares it with the whole text; Ruby searches for it in the text."""
    for regex in (expression, f".*(?:{expression}).*"):
        if pact_ffi.lib.pactffi_check_regex(regex.encode(), example.encode()):
            return regex
    raise ValueError(f"The example {example!r} does not match {expression!r}.{_SYNTAX}")


def from_term(term: Any) -> Any:
    """Convert all matchers in a value to the format of the Ruby mock service."""
    return _replace_matchers(term, lambda matcher: matcher.generate())


def to_library_format(value: Any) -> Any:
    """Convert all matchers in a value to the format of Pact's library."""
    return _replace_matchers(value, lambda matcher: matcher.to_library_format())


def get_generated_values(input: Any) -> Any:  # noqa: A002 - pact-python's name
    """Replace all matchers in a value by their examples."""
    return _replace_matchers(input, lambda matcher: matcher.example())


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
    if isinstance(value, Matcher):
        return json.dumps(value.to_library_format())
    return json.dumps(value) if isinstance(value, bool) else str(value)


def by_member(values: Any) -> Mapping[str, Any]:
    """Return the members of a mapping; those of a mapping in `Like` are all compared by type."""
    if not isinstance(values, Like):
        return values or {}
    if not isinstance(values.matcher, Mapping):
        raise TypeError(f"Like around headers or a query needs a mapping, not {values.matcher!r}.")
    return {name: value if isinstance(value, Matcher) else Like(value) for name, value in values.matcher.items()}


_DATE: Final = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_TIME: Final = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d+)?)?"
_ZONE: Final = r"(Z|[+-]([01]\d|2[0-3]):?[0-5]\d)?"
_GROUP: Final = r"[0-9a-fA-F]{1,4}"
_BYTE: Final = r"(25[0-5]|2[0-4]\d|1?\d?\d)"


class Format:
    """Common formats, each a matcher with the type and the example that pact-python has."""

    class Regexes(Enum):
        """The regular expressions of the formats."""

        ip_address = r"(\d{1,3}\.){3}\d{1,3}"
        hexadecimal = r"[0-9a-fA-F]+"
        ipv6_address = (
            rf"({_GROUP}:){{7}}{_GROUP}|({_GROUP}(:{_GROUP})*)?::(({_GROUP}:)*({_GROUP}|({_BYTE}\.){{3}}{_BYTE}))?"
        )
        uuid = r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
        timestamp = rf"^{_DATE}[T ]{_TIME}{_ZONE}$"
        date = rf"^{_DATE}$"
        time_regex = rf"^T?{_TIME}{_ZONE}$"
        iso_8601_datetime = rf"^{_DATE}T{_TIME}{_ZONE}$"
        iso_8601_datetime_ms = rf"^{_DATE}T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d+{_ZONE}$"

    identifier: Final = Like(1)
    integer: Final = Like(1)
    decimal: Final = Like(1.0)
    hexadecimal: Final = Term(Regexes.hexadecimal.value, "3F")
    ip_address: Final = Term(Regexes.ip_address.value, "127.0.0.1")
    ipv6_address: Final = Term(Regexes.ipv6_address.value, "::ffff:192.0.2.128")
    uuid: Final = Term(Regexes.uuid.value, "fc763eba-0905-41c5-a27f-3934ab26786c")
    date: Final = Term(Regexes.date.value, "2000-02-01")
    time: Final = Term(Regexes.time_regex.value, "12:30:00")
    timestamp: Final = Term(Regexes.timestamp.value, "2000-02-01T12:30:00")
    iso_datetime: Final = Term(Regexes.iso_8601_datetime.value, "1991-02-20T06:35:26+00:00")
    iso_datetime_ms: Final = Term(Regexes.iso_8601_datetime_ms.value, "1991-02-20T06:35:26.079043+00:00")
    iso_datetime_with_millis: Final = iso_datetime_ms

    @staticmethod
    def integer_or_identifier() -> Like:
        return Like(1)

    @classmethod
    def iso_8601_datetime(cls, with_ms: bool = False) -> Term:
        """Return a matcher for a date and time, which must have a fraction of seconds if `with_ms`."""
        return cls.iso_datetime_ms if with_ms else cls.iso_datetime
