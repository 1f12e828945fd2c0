"""What Python's JSON parser accepts although JSON does not have it, or brokers do not accept it, with its position."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from treaty.model.json_nesting import MAX_DEPTH

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]|NaN|-?Infinity', re.DOTALL)


def find_faults(text: str) -> list[str]:
    """Describe constants that are not JSON, and the first value that is nested too deeply."""
    faults = []
    for token, depth in _tokens(text):
        if token[0][0] in "NI-":
            faults.append(f"{token[0]} is not a JSON value, in {_position(text, token.start())}")
        elif token[0] in "[{" and depth == MAX_DEPTH + 1:
            position = _position(text, token.start())
            return [*faults, f"nested more than {MAX_DEPTH} levels deep, which brokers do not accept, in {position}"]
    return faults


def _tokens(text: str) -> Iterator[tuple[re.Match[str], int]]:
    """Yield the brackets and constants outside of strings, each with the depth of nesting."""
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        if not token[0].startswith('"'):
            yield token, depth


def _position(text: str, index: int) -> str:
    line_start = text.rfind("\n", 0, index) + 1
    return f"line {text.count(chr(10), 0, index) + 1}, column {index - line_start + 1}"
