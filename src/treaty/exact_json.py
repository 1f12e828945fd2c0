"""JSON with every number as it was written: `1.10`, `1e2`, `-0` and integers of any length.

Python's parser would turn them into other numbers, and the largest into infinity. Without packages beyond the standard
library, because the client uses it too.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from json.encoder import encode_basestring
from typing import Any, Final

Json = Any

MAX_PLAIN_INTEGER_DIGITS: Final = 4000
"""Python refuses to parse integers of more than 4300 digits by default; longer ones are stored as text."""


class Number(float):
    """A number that Python would write differently, with its original text."""

    __slots__ = ("text",)
    text: str

    @classmethod
    def from_text(cls, text: str) -> "Number":
        number = cls(text)
        number.text = text
        return number


def parse_json(text: str) -> tuple[Json, bool]:
    """Parse JSON; return the value, and whether Python writes all its numbers as they are.

    Raises ValueError if it is not JSON (which has neither NaN nor infinities), and RecursionError if it is nested
    too deeply for Python.
    """
    is_plain = True

    def parse_float(literal: str) -> float:
        nonlocal is_plain
        value = float(literal)
        if repr(value) == literal and "e" not in literal:
            return value
        is_plain = False
        return Number.from_text(literal)

    def parse_integer(literal: str) -> int | float:
        nonlocal is_plain
        if len(literal) < MAX_PLAIN_INTEGER_DIGITS and literal != "-0":
            return int(literal)
        is_plain = False
        return Number.from_text(literal)

    # `-0` is an integer in JSON, but Python's integers have no negative zero.
    has_negative_zero = "-0" in text and _NEGATIVE_ZERO.search(text) is not None
    return _parse(text, parse_float, parse_integer, has_negative_zero=has_negative_zero), is_plain


_NEGATIVE_ZERO: Final = re.compile(r"-0(?=[\s,\]}]|$)(?<![^\s:,\[]-0)")
"""Matches it between characters that can surround a number, and so in hardly any string: UUIDs often contain `-0`."""


def _parse(
    text: str,
    parse_float: Callable[[str], float],
    parse_integer: Callable[[str], int | float],
    *,
    has_negative_zero: bool,
) -> Json:
    # Calling a Python function for each integer slows down the parsing of large pacts: only where it is needed.
    if not has_negative_zero:
        with suppress(_TooManyDigits):
            return _load(text, parse_float, None)
    return _load(text, parse_float, parse_integer)


class _TooManyDigits(Exception):
    """Raised for an integer with more digits than Python parses."""


def _load(text: str, parse_float: Callable[[str], float], parse_integer: Callable[[str], int | float] | None) -> Json:
    try:
        return json.loads(text, parse_float=parse_float, parse_int=parse_integer, parse_constant=_reject_constant)
    except (json.JSONDecodeError, _NotANumber):
        raise
    except ValueError as error:
        raise _TooManyDigits from error


class _NotANumber(ValueError):
    """Raised for NaN and infinities, which Python accepts but JSON does not have."""


def _reject_constant(name: str) -> float:
    raise _NotANumber(f"unexpected token '{name}'")


_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def encode(text: str) -> bytes:
    """Encode JSON as UTF-8."""
    try:
        return text.encode()
    except UnicodeEncodeError:  # UTF-8 cannot represent half of a surrogate pair, but a JSON escape can
        return _SURROGATES.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


def serialize_with(tree: Json, write_number: Callable[[float], str], *, is_sorted: bool = False) -> str:
    """Write JSON like the fast encoders, but each float by `write_number`."""
    if isinstance(tree, dict):
        names = sorted(tree) if is_sorted else tree
        members = (
            f"{_serialize_scalar(name)}:{serialize_with(tree[name], write_number, is_sorted=is_sorted)}"
            for name in names
        )
        return "{" + ",".join(members) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(serialize_with(item, write_number, is_sorted=is_sorted) for item in tree) + "]"
    return write_number(tree) if isinstance(tree, float) else _serialize_scalar(tree)


_CONSTANTS: Final[Mapping[Json, str]] = {True: "true", False: "false", None: "null"}


def _serialize_scalar(value: Json) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    return _CONSTANTS[value] if value is None or isinstance(value, bool) else repr(value)


def serialize_indented(tree: Json, indent: str = "\n") -> str:
    """Write JSON with two spaces for each level. `indent` is the line break before the end of the value."""
    if not tree or not isinstance(tree, dict | list):
        return serialize(tree)
    inner = indent + "  "
    if isinstance(tree, dict):
        members = (f"{serialize(name)}: {serialize_indented(value, inner)}" for name, value in tree.items())
        return "{" + inner + f",{inner}".join(members) + indent + "}"
    return "[" + inner + f",{inner}".join(serialize_indented(item, inner) for item in tree) + indent + "]"


def serialize_spaced(tree: Json) -> str:
    """Write JSON on one line, with a space after each comma and colon, as Python's own encoder does."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{serialize(name)}: {serialize_spaced(value)}" for name, value in tree.items()) + "}"
    return "[" + ", ".join(map(serialize_spaced, tree)) + "]" if isinstance(tree, list) else serialize(tree)


def serialize(tree: Json, *, is_sorted: bool = False) -> str:
    """Write compact JSON, with the members of objects in their order or sorted by name."""
    return encode(serialize_with(tree, number_as_written, is_sorted=is_sorted)).decode()


def number_as_written(number: float) -> str:
    return number.text if isinstance(number, Number) else repr(number)
