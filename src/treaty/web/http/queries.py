"""Parses query strings by Rack's rules for nested parameters, as the original does.

`q[][pacticipant]=A&q[][version]=1` is a list with one hash of two members.
"""

import re
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import unquote_to_bytes

from treaty.errors import Invalid, Malformed, Problem

Query = dict[str, Any]
FlagText = Literal["true", "false"]
"""A flag in a query string."""


class QueryParameter(NamedTuple):
    """A parameter as the OpenAPI document describes it."""

    name: str
    """In Rack's notation."""
    description: str
    type: object = str


_KEYS: Final = re.compile(r"\[([^\[\]]*)\]")
MAX_DEPTH: Final = 32


BLANK: Final = "cannot be blank"


def is_blank(value: object) -> bool:
    """Whether a parameter was given without a value: `tag=`."""
    return isinstance(value, str) and not value.strip()


@lru_cache(maxsize=512)
def parse(text: str) -> Query:
    """Parse a query string without its blank parameters. The result is cached: callers must not change it.

    Raises Malformed where parameters contradict each other, such as `q=1&q[]=2`.
    """
    query: Query = {}
    for pair in text.split("&"):
        key, equals, value = pair.partition("=")
        if key and equals:
            name, path = _path(_decode(key))
            if name:
                _put(query, name, path, _decode(value))
    return query


def parse_leniently(text: str) -> Query:
    """Parse a query string; a contradictory one counts as empty."""
    try:
        return parse(text)
    except Malformed:
        return {}


def _decode(text: str) -> str:
    decoded = text.replace("+", " ")
    if "%" in decoded:
        decoded = unquote_to_bytes(decoded).decode("utf-8", "replace")
    if "\0" in decoded:
        raise Malformed("ArgumentError - a query parameter contains a null character")
    return decoded


def _path(key: str) -> tuple[str, list[str]]:
    """Split `q[][k]`, and its malformed variant `q[]k`, into the name and its keys."""
    name, bracket, rest = key.partition("[")
    if "]" not in key:  # most names are plain
        return name, []
    keys = _KEYS.findall(bracket + rest)
    tail = re.search(r"\]([^\[\]]+)$", key)
    if len(keys) > MAX_DEPTH:
        raise Malformed("RangeError - a query parameter is nested too deeply")
    return name, [*keys, tail[1]] if tail else keys


def _put(hash_: Query, name: str, path: list[str], value: str) -> None:
    if not path:
        hash_[name] = value
    elif path[0]:
        _put(_inner(hash_, name, dict), path[0], path[1:], value)
    elif len(path) == 1:
        _inner(hash_, name, list).append(value)
    else:
        _put_into_last(_inner(hash_, name, list), path[1], path[2:], value)


def _inner(hash_: Query, name: str, kind: type) -> Any:
    inner = hash_.setdefault(name, kind())
    if not isinstance(inner, kind):
        expected = "Hash" if kind is dict else "Array"
        actual = type(inner).__name__
        raise Malformed(f"ParameterTypeError - expected {expected} (got {actual}) for param `{name}'")
    return inner


def _put_into_last(items: list[Any], key: str, path: list[str], value: str) -> None:
    """Add to the last hash of a list. A repeated key begins a new hash."""
    if not items or not isinstance(items[-1], dict) or (key in items[-1] and path[:1] != [""]):
        items.append({})
    _put(items[-1], key, path, value)


def read_page_numbers(query: Query, *, default: tuple[int, int] | None = None) -> tuple[int, int] | None:
    """Return the number and the size of the requested page; None for the whole list.

    Raises Invalid for values that are not integers of 1 or more.
    """
    names = ("page", "size") if query.get("page") or query.get("size") else ("pageNumber", "pageSize")
    values = [query.get(name) or None for name in names]
    if values == [None, None]:
        return default
    problems = [
        Problem((name,), text) for name, value in zip(names, values, strict=True) if (text := _page_number_error(value))
    ]
    if problems:
        raise Invalid(*problems)
    fallback = (1, default[1] if default else 100)
    number, size = (
        int(value) if value else default_value for value, default_value in zip(values, fallback, strict=True)
    )
    return number, size


_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")


def _page_number_error(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        return "must be an integer"
    return None if int(value) >= 1 else "must be greater than or equal to 1"
