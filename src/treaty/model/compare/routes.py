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
    def _regex(self) -> re.Pattern[str]:
        parts: list[str] = []
        for piece in _PIECE.findall(self.template):
            if piece.startswith("*"):
                parts.append(".*")
            elif len(piece) > 1:
                # A prefix of the styles `label` and `matrix` is literal.
                prefix = piece[1] if piece[1] in ".;" else ""
                parts.append(re.escape(prefix) + "([^/]+)")
            else:
                parts.append(re.escape(piece))
        return re.compile("".join(parts), re.DOTALL if self.is_case_sensitive else re.DOTALL | re.IGNORECASE)

    @cached_property
    def _names(self) -> list[str]:
        return [name.replace("-", "") for _, name in _PARAMETER.findall(self.template)]

    def match(self, path: str) -> dict[str, str] | None:
        """Return the values of the path's parameters, by name without dashes; None if the path does not match."""
        match = self._regex.fullmatch(path)
        if match is None:
            return None
        return dict(zip(self._names, (unquote(value or "") for value in match.groups()), strict=False))


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
                self._fixed.setdefault((normalized.method, self._fold(_unquote(segment))), []).append(normalized)

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
        fixed = self._fixed.get((method, self._fold(_unquote(_first_segment(path)))), [])
        return [*fixed, *self._open.get(method, [])]

    def _fold(self, text: str) -> str:
        return text.lower() if self._switches.case_insensitive else text

    def _normalize(self, path: str) -> str:
        if self._switches.ignore_duplicate_slashes:
            path = _DUPLICATE_SLASHES.sub("/", path)
        if self._switches.ignore_trailing_slash and len(path) > 1:
            path = path.rstrip("/") or "/"
        return path


def _unquote(text: str) -> str:
    return unquote(text) if "%" in text else text


def _first_segment(path: str) -> str:
    return path.removeprefix("/").partition("/")[0]


def _decode_fixed(path: str) -> str:
    """Decode escapes, except those of characters that would change the structure of the path."""
    return _DECODABLE.sub(lambda match: unquote(match[0]), path)
