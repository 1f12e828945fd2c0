"""Operations as templates: `GET /orders/{id}` for all requests whose paths differ in an id only."""

import re
from functools import lru_cache
from typing import Final

ID: Final = "{id}"
"""Segment that is an id, by its form."""
ANY: Final = "{any}"
"""Segment that a matching rule leaves open."""
_IDS: Final = re.compile(
    r"""
    \d+(?:[-.:_T]\d+)*Z?                                  # numbers, dates and times
    | [0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}         # UUIDs
    | (?=[a-z]*\d)[0-9a-f]{8,}                            # hashes
    | (?=[a-z]*\d)[0-9a-z]{20,}                             # ULIDs and other long ids
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_WILDCARD: Final = re.compile(r"\{[^{}]*\}|<[^<>]*>|:[A-Za-z_]\w*|\*")
_METHOD: Final = re.compile(r"([A-Za-z]+)\s+(?=/)")
_MAX_ID_LENGTH: Final = 200


@lru_cache(maxsize=4096)
def generalize_path(path: str, regex: str | None = None) -> str:
    """Replace the segments of a path that differ between requests: ids, and those that a rule's expression leaves open.

    The expression is compared as text, and never executed: it may take exponential time.
    """
    segments = _split(path)
    patterns = _split_regex(regex, len(segments)) if regex else None
    return "/" + "/".join(
        ANY if patterns and not _is_literal(patterns[index], segment) else _generalize(segment)
        for index, segment in enumerate(segments)
    )


def _split(path: str) -> list[str]:
    return path.strip("/").split("/") if path.strip("/") else []


def _split_regex(regex: str, length: int) -> list[str] | None:
    """Split a regular expression into those of the segments; None if it cannot be split like the path."""
    patterns = _split(regex.removeprefix("^").removesuffix("$").replace("\\/", "/"))
    return patterns if len(patterns) == length else None


def _is_literal(pattern: str, segment: str) -> bool:
    return pattern in (segment, re.escape(segment))


def _generalize(segment: str) -> str:
    return ID if len(segment) <= _MAX_ID_LENGTH and _IDS.fullmatch(segment) else segment


class OperationQuery:
    """A query for operations: `GET /orders/{id}`, or without a method those of all methods.

    A placeholder such as `{id}`, `:id` or `*` matches any segment; an id matches any id.
    """

    def __init__(self, text: str) -> None:
        """Parse a query. Raises ValueError if it has no path."""
        text = text.strip()
        method = _METHOD.match(text)
        self.method = method[1].upper() if method else None
        path = text[method.end() :] if method else text
        if not path.startswith("/"):
            raise ValueError(text)
        self._segments = [None if _WILDCARD.fullmatch(segment) else _generalize(segment) for segment in _split(path)]

    def matches(self, operation: str) -> bool:
        """Whether an indexed operation may be one that the query asks for."""
        method, _, path = operation.partition(" ")
        segments = _split(path)
        return (
            self.method in (None, method)
            and len(segments) == len(self._segments)
            and all(
                query is None or segment in {query, ANY}
                for query, segment in zip(self._segments, segments, strict=True)
            )
        )
