"""Pacts as JSON documents: parsing them, and writing them with every number as it was published (`exact_json`).

Without packages beyond the standard library, so that the command line can use it without those of the server.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from treaty.errors import BYTE_ORDER_MARK, Malformed, describe_invalid_utf8
from treaty.exact_json import (
    Number,
    encode,
    number_as_written,
    parse_json,
    serialize,
    serialize_with,
)
from treaty.model.json_nesting import MAX_DEPTH, is_deeper

BROKER_MEMBERS: Final = ("createdAt", "_links")
"""Members that a broker adds to a pact that it returns."""

Json = Any


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


def serialize_canonical(tree: Json) -> str:
    """Write compact JSON with sorted members and canonical numbers. Values are equal if these texts are."""
    return serialize_with(tree, canonical_number, is_sorted=True)


def serialize_document(document: Document) -> str:
    """Write a document as compact JSON, with its members in their order."""
    if not document.is_plain:
        return serialize(document.tree)
    return encode(_compact(document.tree)).decode()


_compact: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


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
