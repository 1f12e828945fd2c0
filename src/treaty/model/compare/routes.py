"""Choice of the operation that a request belongs to."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import unquote

from treaty.model.compare.profiles import Switches

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"})

_PARAMETER: Final = re.compile(r"\{([.;]?)([^*{}]+?)\*?\}")
_PIECE: Final = re.compile(r"\{[.;]?[^*{}]+?\*?\}|\*+|.", re.DOTALL)
_MALFORMED_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DECODABLE: Final = re.compile(r"(?:%(?!2[346BbCcFf]|3[AaBbDdFf]|40)[0-9A-Fa-f]{2})+")
_DUPLICATE_SLASHES: Final = re.compile(r"/{2,}")

# Pieces of a template that match several characters, as regular expressions.
_AMBIGUOUS: Final = re.compile(r"\*|\}[^/]*\{")
"""A wildcard, or two parameters in a segment."""
_SEGMENT: Final = "([^/]+)"
_REST: Final = ".*"

# Order of the pieces of a template at a position: fixed text wins over a parameter, which wins over a wildcard.
_FIXED, _PLACEHOLDER, _END, _WILDCARD = range(4)


@dataclass(frozen=True)
class Route:
    """A path template with one method. `operation` is whatever belongs to it."""

    template: str
    method: str
    operation: Any
    is_case_sensitive: bool = True

    @cached_property
    def rank(self) -> tuple[int, ...]:
        """Sort key by which the most specific of several matching templates is first."""
        ranks: list[int] = []
        for piece in _PIECE.findall(self.template):
            if piece.startswith("*"):
                ranks.append(_WILDCARD)
            elif len(piece) > 1:
                ranks.append(_PLACEHOLDER)
            elif piece == "/":
                ranks += (_END, _FIXED)
            else:
                ranks.append(_FIXED)
        return (*ranks, _END)

    @cached_property
    def _pieces(self) -> list[str]:
        """The pieces to match: `_SEGMENT`, `_REST`, or a character that is fixed."""
        pieces: list[str] = []
        for piece in _PIECE.findall(self.template):
            if piece.startswith("*"):
                pieces.append(_REST)
            elif len(piece) > 1:
                # A prefix of the styles `label` and `matrix` is literal.
                pieces += [piece[1], _SEGMENT] if piece[1] in ".;" else [_SEGMENT]
            else:
                pieces.append(piece)
        return pieces

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        parts = [piece if piece in {_SEGMENT, _REST} else re.escape(piece) for piece in self._pieces]
        return re.compile("".join(parts), re.DOTALL if self.is_case_sensitive else re.DOTALL | re.IGNORECASE)

    @cached_property
    def _is_ambiguous(self) -> bool:
        """Whether a regular expression would try out how to divide the path, and may take far too long for that."""
        return _AMBIGUOUS.search(self.template) is not None

    @cached_property
    def _names(self) -> list[str]:
        return [name.replace("-", "") for _, name in _PARAMETER.findall(self.template)]

    def match(self, path: str) -> dict[str, str] | None:
        """Return the values of the path's parameters, by name without dashes; None if the path does not match."""
        if self._is_ambiguous:
            values = _match_in_linear_time(self._pieces, path, is_case_sensitive=self.is_case_sensitive)
        else:
            match = self._regex.fullmatch(path)
            values = None if match is None else list(match.groups())
        return None if values is None else dict(zip(self._names, map(unquote, values), strict=False))


def _match_in_linear_time(pieces: Sequence[str], path: str, *, is_case_sensitive: bool) -> list[str] | None:
    """Return what the segments of a template match, each as much as possible, as a regular expression would do."""
    end = len(path)
    fits = [*[False] * end, True]
    """By position: whether the pieces that have been looked at match the rest of the path."""
    fits_after: list[list[bool]] = []
    for piece in reversed(pieces):
        fits_after.append(fits)
        fits = _prepend(piece, path, fits, is_case_sensitive=is_case_sensitive)
    if not fits[0]:
        return None
    values, position = [], 0
    for piece in pieces:
        fits, start = fits_after.pop(), position
        if piece in {_SEGMENT, _REST}:
            limit = path.find("/", start) if piece == _SEGMENT else end
            candidates = range(end if limit < 0 else limit, start - 1, -1)
            position = next(candidate for candidate in candidates if fits[candidate])
        else:
            position += 1
        if piece == _SEGMENT:
            values.append(path[start:position])
    return values


def _prepend(piece: str, path: str, fits: Sequence[bool], *, is_case_sensitive: bool) -> list[bool]:
    """Return from which positions a piece matches up to one from which the pieces after it fit."""
    result = [piece == _REST and fits[-1]]
    for character, fits_next, fits_here in zip(reversed(path), reversed(fits), reversed(fits[:-1]), strict=False):
        if piece == _REST:
            result.append(fits_here or result[-1])
        elif piece == _SEGMENT:
            result.append(character != "/" and (fits_next or result[-1]))
        else:
            is_same = character == piece or (not is_case_sensitive and character.lower() == piece.lower())
            result.append(is_same and fits_next)
    return result[::-1]


@dataclass(frozen=True, slots=True)
class Match:
    """An operation with the values of its path parameters, by name without dashes."""

    operation: Any
    parameters: Mapping[str, str]


class Router:
    """Routes by method, and by their first segment so that a request is matched with few templates only."""

    def __init__(self, routes: Iterable[Route], switches: Switches) -> None:
        self._switches = switches
        self._fixed: dict[tuple[str, str], list[Route]] = {}
        self._open: dict[str, list[Route]] = {}
        for route in routes:
            template = self._normalize(route.template)
            normalized = Route(template, route.method.upper(), route.operation, not switches.case_insensitive)
            segment = _first_segment(template)
            if "{" in segment or "*" in segment:
                self._open.setdefault(normalized.method, []).append(normalized)
            else:
                self._fixed.setdefault((normalized.method, self._fold(unquote(segment))), []).append(normalized)

    def find(self, method: str, path: str) -> Match | None:
        """Find the most specific operation. The path has no query; its escapes are decoded."""
        if self._switches.no_percent_encoding:
            path = path.replace("%", "%25")
        if _MALFORMED_ESCAPE.search(path):
            return None
        decoded = self._normalize(_decode_fixed(path))
        candidates: list[tuple[tuple[int, ...], Route, dict[str, str]]] = []
        for route in self._candidates(method.upper(), decoded):
            parameters = route.match(decoded)
            if parameters is not None:
                candidates.append((route.rank, route, parameters))
        if not candidates:
            return None
        _, route, parameters = min(candidates, key=lambda candidate: candidate[0])
        return Match(route.operation, parameters)

    def _candidates(self, method: str, path: str) -> Sequence[Route]:
        fixed = self._fixed.get((method, self._fold(unquote(_first_segment(path)))), [])
        return [*fixed, *self._open.get(method, [])]

    def _fold(self, text: str) -> str:
        return text.lower() if self._switches.case_insensitive else text

    def _normalize(self, path: str) -> str:
        if self._switches.ignore_duplicate_slashes:
            path = _DUPLICATE_SLASHES.sub("/", path)
        if self._switches.ignore_trailing_slash:
            path = path.rstrip("/") or "/"
        return path


def _first_segment(path: str) -> str:
    return path.removeprefix("/").partition("/")[0]


def _decode_fixed(path: str) -> str:
    """Decode escapes, except those of characters that would change the structure of the path."""
    return _DECODABLE.sub(lambda match: unquote(match[0]), path)
