"""Suggestions for misspelt names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MIN_SIMILARITY: Final = 0.6
_MAX_SUGGESTIONS: Final = 3
_MIN_PREFIX_LENGTH: Final = 3
"""Letters from which a name that begins with the word is similar, such as `production` to `prod`."""


def suggest(name: str, existing: Iterable[str]) -> str:
    """Return the question whether a similar name is meant, or an empty text."""
    similar = find_similar(name, existing)
    return f"Did you mean {' or '.join(similar)}?" if similar else ""


def find_similar(name: str, existing: Iterable[str]) -> list[str]:
    """Return the names that are spelled most similarly, whatever their case, with the most similar first."""
    from difflib import get_close_matches  # noqa: PLC0415 - needed for typing errors only

    by_key: dict[str, list[str]] = {}
    for candidate in dict.fromkeys(existing):
        by_key.setdefault(_normalize(candidate), []).append(candidate)
    word = _normalize(name)
    keys = get_close_matches(word, by_key, n=_MAX_SUGGESTIONS, cutoff=_MIN_SIMILARITY)
    keys += [key for key in by_key if len(word) >= _MIN_PREFIX_LENGTH and key.startswith(word)]
    return [candidate for key in dict.fromkeys(keys) for candidate in by_key[key]][:_MAX_SUGGESTIONS]


def _normalize(name: str) -> str:
    return name.casefold().replace("_", "-").replace(" ", "-")
