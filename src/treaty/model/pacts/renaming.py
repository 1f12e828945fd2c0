"""The names in pacts of renamed pacticipants.

A pact is stored as it was published, and its hash does not cover the names. Where it is read, it has the present names
of its consumer and provider: clients compare them with the names in URLs, and publish again what they fetched.
"""

import json
from typing import Final

import orjson

from treaty.exact_json import encode

# Numbers stay texts: their values do not matter, and Python refuses to parse very long ones.
_decode_value: Final = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
"""Decodes the JSON value at a position; returns it with the position of its end."""


def replace_names(body: bytes, *, consumer: str, provider: str) -> bytes:
    """Replace the names of consumer and provider in a stored pact. Everything else stays as it is.

    Members that are missing, or are no names, stay so.
    """
    text = body.decode()
    for role, name in (("consumer", consumer), ("provider", provider)):
        text = _replace_name(text, role, name)
    return encode(text)


def _replace_name(text: str, role: str, name: str) -> str:
    start = _find_member(text, 0, role)
    start = None if start is None or text[start] != "{" else _find_member(text, start, "name")
    if start is None:
        return text
    old_name, end = _decode_value(text, start)
    if not isinstance(old_name, str) or not old_name.strip():
        return text
    return f"{text[:start]}{orjson.dumps(name).decode()}{text[end:]}"


def _find_member(text: str, start: int, name: str) -> int | None:
    """Find the position of a member's value in the compact JSON of the object that begins at `start`."""
    position = start + 1
    while text[position : position + 1] == '"':
        member, colon = _decode_value(text, position)
        if member == name:
            return colon + 1
        _, end = _decode_value(text, colon + 1)
        position = end + 1  # behind the comma, or the end of the object
    return None
