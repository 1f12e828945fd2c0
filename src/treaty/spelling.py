"""Suggestions for misspelt words: of options, and of members in requests."""

from collections.abc import Collection, Iterable
from typing import Final

_MIN_SIMILARITY: Final = 0.75
"""Similarity, up to 1, from which a name is suggested for an unknown word."""
_MIN_PREFIX_LENGTH: Final = 3
"""Letters from which a name that begins with an unknown word is suggested."""
_MAX_SUGGESTIONS: Final = 3


def find_similar(word: str, names: Iterable[str]) -> list[str]:
    """List the names that begin with a word, or are spelled similarly, whatever their case, dashes and underscores."""
    from difflib import get_close_matches  # noqa: PLC0415 - needed for typing errors only

    letters = _letters(word)
    names_by_spelling = {name.lower(): name for name in names}
    is_prefix = len(letters) >= _MIN_PREFIX_LENGTH
    completions = [spelling for spelling in names_by_spelling if is_prefix and _letters(spelling).startswith(letters)]
    similar = get_close_matches(word.lower(), names_by_spelling, cutoff=_MIN_SIMILARITY)
    matches = dict.fromkeys([*completions, *similar])
    return [names_by_spelling[spelling] for spelling in matches][:_MAX_SUGGESTIONS]


def describe_misspelt(members: object, known: Collection[str], prefix: str = "") -> list[str]:
    """Describe the members of a JSON object that are not known, but resemble known ones."""
    if not isinstance(members, dict):
        return []
    similar = {name: find_similar(name, known) for name in members if name not in known}
    return [
        f"The field `{prefix}{name}` is not known and was ignored. Did you mean {names[0]}?"
        for name, names in similar.items()
        if names
    ]


def suggest(word: str, names: Iterable[str]) -> str:
    """Return a question with the names that are spelled similarly, or an empty text."""
    similar = find_similar(word, names)
    return f"Did you mean {' or '.join(similar)}?" if similar else ""


def _letters(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()
