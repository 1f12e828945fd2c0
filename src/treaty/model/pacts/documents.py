"""Pacts as JSON documents: parsing them, and writing them with every number as it was published.

Without packages beyond the standard library, so that the command line can use it without those of the server.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final

from treaty.errors import BYTE_ORDER_MARK, Malformed, describe_invalid_utf8
from treaty.model.json_nesting import MAX_DEPTH, is_deeper

MAX_PLAIN_INTEGER_DIGITS: Final = 4000
"""Python refuses to parse integers of more than 4300 digits by default; longer ones are stored as text."""

BROKER_MEMBERS: Final = ("createdAt", "_links")
"""Members that a broker adds to a pact that it returns."""

Json = Any


class Number(float):
    """A number that Python would write differently, with its original text."""

    __slots__ = ("text",)
    text: str

    @classmethod
    def from_text(cls, text: str) -> "Number":
        number = cls(text)
        number.text = text
        return number


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object as it was published."""

    tree: Mapping[str, Json]
    is_plain: bool
    """Whether Python writes every number as it was published, so that the fast encoders can be used."""


def parse_document(raw: bytes) -> Document:
    """Parse a published document.

    Raises Malformed if it is not a JSON object, is nested more than 50 levels deep, or contains NaN or an infinity.
    """
    text = _decode(raw)
    try:
        tree, is_plain = parse_json(text)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise Malformed(f"JSON::ParserError - {error}") from error  # the class names are in the original's texts
    if not isinstance(tree, dict):
        raise Malformed(f"RuntimeError - Expected JSON Object in request body but found {_ruby_class(tree)}")
    # Counting brackets is much faster than walking the tree, and rules out most documents.
    if text.count("{") + text.count("[") > MAX_DEPTH and is_deeper(tree, MAX_DEPTH):
        raise _too_deep()
    return Document(tree, is_plain=is_plain)


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


_NEGATIVE_ZERO: Final = re.compile(r"-0(?![0-9.eE])")


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


def _decode(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"Request body {describe_invalid_utf8(raw, error)}") from error
    if not text.strip():
        raise Malformed("JSON::ParserError - unexpected end of input at line 1 column 1")
    if text.startswith("\ufeff"):
        raise Malformed(BYTE_ORDER_MARK)
    return text


class _NotANumber(ValueError):
    """Raised for NaN and infinities, which Python accepts but JSON does not have."""


def _reject_constant(name: str) -> float:
    raise _NotANumber(f"unexpected token '{name}'")


def _ruby_class(tree: Json) -> str:
    names = {list: "Array", str: "String", int: "Integer", float: "Float", Number: "Float", bool: "TrueClass"}
    return "FalseClass" if tree is False else names.get(type(tree), "NilClass")


def _too_deep() -> Malformed:
    return Malformed(f"JSON::NestingError - nesting of {MAX_DEPTH + 1} is too deep")


def find_specification(tree: Mapping[str, Json]) -> Json:
    """Read the version of the Pact specification, in the three spellings that libraries have used."""
    metadata = tree.get("metadata")
    if not isinstance(metadata, dict):
        return None
    for name in ("pactSpecification", "pact-specification"):
        specification = metadata.get(name)
        if isinstance(specification, dict) and is_truthy(specification.get("version")):
            return specification["version"]
    oldest_spelling = metadata.get("pactSpecificationVersion")
    return oldest_spelling if is_truthy(oldest_spelling) else None


def is_truthy(value: Json) -> bool:
    """Whether a value counts as present in the original broker."""
    # As in Ruby: 0, "" and empty lists are true.
    return value is not None and value is not False


_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def encode(text: str) -> bytes:
    """Encode JSON as UTF-8."""
    try:
        return text.encode()
    except UnicodeEncodeError:  # UTF-8 cannot represent half of a surrogate pair, but a JSON escape can
        return _SURROGATES.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


def serialize_canonical(tree: Json) -> str:
    """Write compact JSON with sorted members and canonical numbers. Values are equal if these texts are."""
    return serialize_with(tree, canonical_number, is_sorted=True)


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


def serialize(tree: Json, *, is_sorted: bool = False) -> str:
    """Write a part of a document as it is stored, or with the members of its objects sorted by name."""
    return encode(serialize_with(tree, number_as_written, is_sorted=is_sorted)).decode()


def serialize_document(document: Document) -> str:
    """Write a document as compact JSON, with its members in their order."""
    if not document.is_plain:
        return serialize(document.tree)
    return encode(_compact(document.tree)).decode()


_compact: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def number_as_written(number: float) -> str:
    return number.text if isinstance(number, Number) else repr(number)


def canonical_number(number: float) -> str:
    """Write a number for the hash, as Ruby does: the shortest exact decimal, plain from 1e-7 to below 1e16."""
    if isinstance(number, Number) and re.fullmatch(r"-?[0-9]+", number.text):
        return "0" if number.text == "-0" else number.text
    text = repr(float(number))
    if text in {"inf", "-inf", "nan"}:
        return number_as_written(number)
    if "e-" not in text:
        return text
    mantissa, _, exponent = text.partition("e-")
    return format(Decimal(text), "f") if int(exponent) <= 7 else f"{mantissa}e-{int(exponent)}"  # noqa: PLR2004 - 1e-7 is the last written plainly
