"""The values that differ between two interactions, with their paths."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import reduce
from itertools import islice, zip_longest
from typing import Any, Final

from treaty import exact_json

Json = Any
Token = str | int
"""A member's name, or an item's index."""

MAX_CHANGES: Final = 50
"""Changes listed of an interaction; the lines below the list have all of them."""
MAX_VALUE_LENGTH: Final = 120
"""Characters shown of a value."""
MAX_ALIGNED_ITEMS: Final = 300
"""Items of lists of different lengths that are aligned; longer lists are compared item by item."""
_BODY_NAMES: Final = frozenset({"body", "contents"})
_ENVELOPE: Final = frozenset({"content", "contentType", "contentTypeHint", "encoded"})
"""Members of a body in version 4 of the Pact specification, whose JSON is in `content`."""
_RULE_NAMES: Final = frozenset({"matchingRules", "generators"})
_SEPARATOR: Final = " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A value that was added, removed or replaced."""

    path: str
    old: str | None
    """As JSON, truncated; None if there is none."""
    new: str | None


@dataclass(frozen=True, slots=True)
class ValueChanges:
    """The first changes of an interaction."""

    shown: Sequence[ValueChange]
    has_more: bool


NO_VALUE_CHANGES: Final = ValueChanges((), has_more=False)


class _Absent:
    """Stands for a missing value, since null is one. It is written like no JSON value."""


_ABSENT: Final = _Absent()


def list_value_changes(old: Json, new: Json) -> ValueChanges:
    """List what differs between two interactions, in the order of the new one."""
    changes = [
        ValueChange(_format_path(tokens, (new, old)), _shorten(old_value), _shorten(new_value))
        for tokens, old_value, new_value in islice(_walk(old, new, ()), MAX_CHANGES + 1)
    ]
    return ValueChanges(changes[:MAX_CHANGES], len(changes) > MAX_CHANGES)


_Difference = tuple[tuple[Token, ...], Json, Json]


def _walk(old: Json, new: Json, tokens: tuple[Token, ...]) -> Iterator[_Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*new, *old)):
            yield from _walk(old.get(name, _ABSENT), new.get(name, _ABSENT), (*tokens, name))
    elif isinstance(old, list) and isinstance(new, list):
        for index, old_item, new_item in _pair_items(old, new):
            yield from _walk(old_item, new_item, (*tokens, index))
    elif _write(old) != _write(new):
        yield tokens, old, new


def _pair_items(old: list[Json], new: list[Json]) -> Iterable[tuple[int, Json, Json]]:
    """Pair the items of two lists, with the index of each pair: in the old list for a removed item, else in the new."""
    if len(old) == len(new) or max(len(old), len(new)) > MAX_ALIGNED_ITEMS:
        yield from ((index, *pair) for index, pair in enumerate(zip_longest(old, new, fillvalue=_ABSENT)))
        return
    matcher = SequenceMatcher(None, [*map(_write, old)], [*map(_write, new)], autojunk=False)
    for kind, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        pairs = zip_longest(old[old_start:old_end], new[new_start:new_end], fillvalue=_ABSENT)
        for offset, (old_item, new_item) in enumerate(pairs):
            start = old_start if new_item is _ABSENT else new_start
            yield start + offset, old_item, new_item


def _write(value: Json) -> str:
    # Numbers are compared as they are written: 1, 1.0 and true are equal in Python.
    return exact_json.serialize(value, is_sorted=True)


def _shorten(value: Json) -> str | None:
    if value is _ABSENT:
        return None
    text = exact_json.serialize(value)
    return text if len(text) <= MAX_VALUE_LENGTH else text[:MAX_VALUE_LENGTH] + "…"


def _format_path(tokens: Sequence[Token], items: Sequence[Json]) -> str:
    """Write a path: names down to a body, and a JSON path within it."""
    for position, token in enumerate(tokens):
        if token in _RULE_NAMES:
            break
        if token in _BODY_NAMES:
            end = position + 1 + _count_envelope_tokens(tokens, position, items)
            return _SEPARATOR.join([*map(_format_token, tokens[: position + 1]), _format_json_path(tokens, end)])
    return _SEPARATOR.join(map(_format_token, tokens)) or "$"


def _count_envelope_tokens(tokens: Sequence[Token], position: int, items: Sequence[Json]) -> int:
    """Return 1 if the token after the body's is the `content` of version 4, which is no member of the JSON body."""
    bodies = (reduce(_get, tokens[: position + 1], item) for item in items)
    is_envelope = any(isinstance(body, dict) and "content" in body and set(body) <= _ENVELOPE for body in bodies)
    return int(is_envelope and tokens[position + 1 : position + 2] == ("content",))


def _get(value: Json, token: Token) -> Json:
    try:
        return value[token]
    except (LookupError, TypeError):
        return None  # items are counted in the new list, so the old one may have no such item


def _format_token(token: Token) -> str:
    return f"[{token}]" if isinstance(token, int) else token


def _format_json_path(tokens: Sequence[Token], start: int) -> str:
    return "$" + "".join(map(_format_step, tokens[start:]))


def _format_step(token: Token) -> str:
    if isinstance(token, int):
        return f"[{token}]"
    return f".{token}" if _PLAIN_NAME.fullmatch(token) else f"[{exact_json.serialize(token)}]"
