"""Suggestions for misspelt words: options, members of requests, and names of applications, versions and so on."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Final

_OF_WORDS: Final = 0.75
"""Similarity, up to 1, from which a word of a program's vocabulary is suggested."""
_OF_NAMES: Final = 0.6
"""The same for names that users choose. They are less alike than the words of a vocabulary."""
_MIN_PREFIX_LENGTH: Final = 3
"""Letters from which a name that begins with an unknown word is suggested, such as `production` for `prod`."""
_MAX_SUGGESTIONS: Final = 3
_MAX_CACHED_LENGTH: Final = 100
"""Length of a word up to which its suggestions are cached, so that clients cannot fill the memory."""


def find_similar(word: str, words: Iterable[str]) -> list[str]:
    """List the words of a vocabulary that are spelled similarly, or begin with the word; the most similar first.

    A word that differs in upper case, spaces, dashes and underscores only is the only suggestion.
    """
    find = _find_cached if len(word) <= _MAX_CACHED_LENGTH else _find
    return list(find(word, tuple(words), _OF_WORDS))


def find_similar_names(name: str, names: Iterable[str]) -> list[str]:
    """List the names that users have chosen and that are spelled similarly, as `find_similar` does."""
    return _find(name, names, _OF_NAMES)


def suggest(word: str, words: Iterable[str]) -> str:
    """Return a question with the words that are spelled similarly, or an empty text."""
    return _ask(find_similar(word, words))


def suggest_names(name: str, names: Iterable[str]) -> str:
    """Return a question with the names that are spelled similarly, or an empty text."""
    return _ask(find_similar_names(name, names))


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


def _find(word: str, words: Iterable[str], min_similarity: float) -> list[str]:
    from difflib import get_close_matches  # noqa: PLC0415 - needed for typing errors only

    letters = _letters(word)
    letters_by_word = {candidate: _letters(candidate) for candidate in words}
    if same := [candidate for candidate, others in letters_by_word.items() if others == letters]:
        return same[:_MAX_SUGGESTIONS]
    words_by_spelling = {candidate.casefold(): candidate for candidate in letters_by_word}
    close = get_close_matches(word.casefold(), words_by_spelling, n=_MAX_SUGGESTIONS, cutoff=min_similarity)
    is_prefix = len(letters) >= _MIN_PREFIX_LENGTH
    longer = [candidate for candidate, others in letters_by_word.items() if is_prefix and others.startswith(letters)]
    return list(dict.fromkeys([*(words_by_spelling[spelling] for spelling in close), *longer]))[:_MAX_SUGGESTIONS]


# Clients repeat the same unknown parameters, and a search takes as long as several queries.
_find_cached: Final = lru_cache(maxsize=128)(_find)


def _ask(similar: Collection[str]) -> str:
    return f"Did you mean {' or '.join(similar)}?" if similar else ""


def _letters(word: str) -> str:
    return word.casefold().replace("-", "").replace("_", "").replace(" ", "")
