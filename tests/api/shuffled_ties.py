"""Databases that return rows in a random order, as far as statements leave it open."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import pytest

from treaty.store.engine import prepared

_STRINGS: Final = re.compile(r"'(?:[^']|'')*'")
_END_OF_ORDER: Final = re.compile(r"[()]|\b(?:LIMIT|OFFSET|FOR)\b")
# Rows of these have an order by columns of the result only, or are too few for one.
_FIXED: Final = re.compile(r"\b(?:UNION|DISTINCT|EXCEPT|INTERSECT)\b")
_UNORDERED: Final = re.compile(r"\bSELECT\b(?!.*\b(?:ORDER BY|GROUP BY|LIMIT|FOR)\b)", re.DOTALL)
_AGGREGATES: Final = re.compile(r"\s*SELECT\s+(?:count|max|min|sum|coalesce|exists)\b", re.IGNORECASE)


@contextmanager
def shuffled_ties() -> Iterator[None]:
    """Let all statements of this process sort rows randomly that are equal by their `ORDER BY`, or without one."""

    def prepare(sql: str, *parts: Any) -> prepared.PreparedStatement:
        return statement(shuffle(sql), *parts)

    statement = prepared.PreparedStatement
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared, "PreparedStatement", prepare)
        patch.setattr(prepared, "_variants", cache(vars(prepared)["_variants"].__wrapped__))  # without those in use
        yield


def shuffle(sql: str) -> str:
    """Append `random()` to each `ORDER BY` of a statement, and order the statement by it if it has none."""
    masked = _STRINGS.sub(lambda string: "x" * len(string.group()), sql)
    places = [
        _find_end(masked, order.end())
        for order in re.finditer(r"\bORDER BY\b", masked)
        if not _FIXED.search(_read_level(masked[: order.start()]))
    ]
    for place in sorted(places, reverse=True):
        sql = f"{sql[:place].rstrip()}, random() {sql[place:]}"
    level = _read_level(masked)
    if _UNORDERED.match(level.lstrip()) and not _FIXED.search(level) and not _AGGREGATES.match(masked):
        sql += " ORDER BY random()"
    return sql


def _read_level(sql: str) -> str:
    """Return the part of the innermost parentheses that are open at the end, without those inside it."""
    depth = 0
    level: list[str] = []
    for character in reversed(sql):
        depth += {")": 1, "(": -1}.get(character, 0)
        if depth < 0:
            break
        if depth == 0:
            level.append(character)
    return "".join(reversed(level))


def _find_end(sql: str, start: int) -> int:
    depth = 0
    for token in _END_OF_ORDER.finditer(sql, start):
        if depth == 0 and token.group() != "(":
            return token.start()
        depth += {"(": 1, ")": -1}.get(token.group(), 0)
    return len(sql)
