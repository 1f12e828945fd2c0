"""The pacts that a change of a provider's documents can affect, as far as the usage index knows them.

The index has paths without their ids, while templates of documents have parameters. Whatever cannot be compared as
text counts as equal: an operation too many costs a comparison, and one that is missed would leave a wrong result.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from treaty.model.compare.changes import DocumentChanges
from treaty.model.usage.operations import ANY, ID, generalize_path

_PARAMETER: Final = re.compile(r"\{[^{}]*\}")
# Other characters may be escaped in one path and not in the other one, or ignore case in unexpected ways.
_FIXED: Final = re.compile(r"[A-Za-z0-9._~!$&'()+,;=:@-]+")
_OPEN: Final = "*"

Segments = tuple[str | None, ...]
"""The segments of a path in lower case; None for one that may be anything."""


class OperationPatterns:
    """Methods and path templates of operations, compared with the names that the index gives to operations."""

    def __init__(self, operations: Iterable[tuple[str, str]]) -> None:
        self._patterns: dict[str, set[Segments]] = {}
        self._prefixes: dict[str, set[Segments]] = {}
        for method, template in operations:
            path, wildcard, _ = _PARAMETER.sub("{}", template).partition(_OPEN)
            # A wildcard matches several segments, and the rest of the one that it is in.
            segments = _read_segments(path.rpartition("/")[0] if wildcard else path)
            (self._prefixes if wildcard else self._patterns).setdefault(method, set()).add(segments)

    def may_match(self, name: str) -> bool:
        """Whether a request of an indexed operation, such as `GET /orders/{id}`, may belong to one of the operations.

        Each segment that a rule leaves open may contain the beginning of a fragment, which ends the path.
        """
        method, _, path = name.partition(" ")
        path, is_open, _ = path.partition("#")[0].partition(ANY)
        segments = _read_segments(path)
        patterns, prefixes = self._patterns.get(method, ()), self._prefixes.get(method, ())
        if is_open:
            return any(_begin_equally(pattern, segments) for pattern in (*patterns, *prefixes))
        return any(len(pattern) == len(segments) and _begin_equally(pattern, segments) for pattern in patterns) or any(
            len(prefix) <= len(segments) and _begin_equally(prefix, segments) for prefix in prefixes
        )


def _read_segments(path: str) -> Segments:
    # Slashes at the end, and several in a row, may make no difference.
    return tuple(_read_segment(segment) for segment in path.split("/") if segment)


def _read_segment(segment: str) -> str | None:
    if segment == ID:
        return ID
    if not _FIXED.fullmatch(segment):
        return None
    return generalize_path(segment).removeprefix("/").lower()


def _begin_equally(pattern: Segments, segments: Segments) -> bool:
    return all(None in pair or pair[0] == pair[1] for pair in zip(pattern, segments, strict=False))


class Candidates:
    """Decides by the operations of a pact whether it has to be read to know if changes affect it."""

    def __init__(self, changes: DocumentChanges) -> None:
        self._changes = changes
        self._has_affected = cache(OperationPatterns(changes.changed_templates).may_match)

    def may_include(self, operations: Iterable[str | None], *, is_clean: bool) -> bool:
        """Whether a pact may be affected that has these operations; None is one whose path is not known.

        `is_clean`: see `DocumentChanges.affects`. A pact with findings may have an operation that is unknown, and
        findings about it name others.
        """
        if self._changes.affects_all or self._changes.affects_messages:
            return True
        if self._changes.has_new_routes and not is_clean:
            return True
        return any(name is None or self._has_affected(name) for name in operations)
