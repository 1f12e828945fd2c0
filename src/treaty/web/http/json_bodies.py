"""Parses JSON bodies. Error messages are those of the original broker, because clients print them."""

import codecs
from typing import Any

import orjson

from treaty.errors import BYTE_ORDER_MARK, Malformed, describe_invalid_utf8
from treaty.model.json_nesting import MAX_DEPTH, is_deeper


class NotJson(Malformed):
    """A body that is neither declared as JSON nor valid JSON, which is reported as a wrong content type."""


def read_object(raw: bytes, *, is_json: bool = True, empty: bytes = b"{}") -> dict[str, Any]:
    """Parse a body that must be an object. An empty body counts as `empty`. Raises Malformed."""
    parsed = _parse(raw or empty, is_json=is_json)
    if not isinstance(parsed, dict):
        raise Malformed(f"RuntimeError - Expected JSON Object in request body but found {_ruby_class_name(parsed)}")
    return parsed


def _parse(raw: bytes, *, is_json: bool) -> Any:
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if not is_json:
            raise NotJson("JSON was expected") from error
        raise Malformed(_describe_syntax_error(raw, str(error))) from error
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and is_deeper(parsed, MAX_DEPTH):
        raise Malformed(f"JSON::NestingError - nesting of {MAX_DEPTH + 1} is too deep")
    if b"\\u0000" in raw:
        raise Malformed("JSON::ParserError - names and texts cannot contain a null character (\\u0000)")
    return parsed


def _describe_syntax_error(raw: bytes, reason: str) -> str:
    """Explain why bytes are not valid JSON."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return f"Request body {describe_invalid_utf8(raw, error)}"
    if raw.startswith(codecs.BOM_UTF8):
        return BYTE_ORDER_MARK
    if not raw.strip():
        return "JSON::ParserError - unexpected end of input at line 1 column 1"
    return f"JSON::ParserError - {reason}"


def _ruby_class_name(value: object) -> str:
    """Return the name of the Ruby class, which the original's messages contain."""
    names = {list: "Array", str: "String", int: "Integer", float: "Float", bool: "TrueClass", dict: "Hash"}
    return "FalseClass" if value is False else names.get(type(value), "NilClass")
