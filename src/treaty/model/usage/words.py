"""Words of texts, for search.

Both databases store and look up these words instead of splitting texts themselves, so that they give the same answers.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby
from typing import Final

MAX_WORD_LENGTH: Final = 64
MAX_WORDS: Final = 200
"""Words of a text that are indexed."""
MAX_QUERY_WORDS: Final = 8
_COMPOUNDS: Final = re.compile(r"[^\W_]+(?:[-_][^\W_]+)*")
_HUMPS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_IDEOGRAPHIC: Final = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts that write no spaces between words, and Hangul, whose words have endings."""


def list_words(text: str) -> list[str]:
    """List the words of a text, by which it is found.

    `customerId` has the words `customerid`, `customer` and `id`; texts in Chinese, Japanese or Korean are split into
    pairs of characters.
    """
    words: dict[str, None] = {}
    for compound in _COMPOUNDS.findall(unicodedata.normalize("NFKC", text)):
        parts = re.split("[-_]", compound)
        for word in (compound.replace("-", "").replace("_", ""), *(word for part in parts for word in _humps(part))):
            words |= dict.fromkeys(_split_scripts(word.casefold(), is_query=False))
            if len(words) >= MAX_WORDS:
                return list(words)[:MAX_WORDS]
    return list(words)


def list_query_words(text: str) -> list[str]:
    """List the words that a text must have, or begin a word with, to be found by a query."""
    words = (
        word
        for compound in _COMPOUNDS.findall(unicodedata.normalize("NFKC", text))
        for part in re.split("[-_]", compound)
        for hump in _humps(part)
        for word in _split_scripts(hump.casefold(), is_query=True)
    )
    return list(dict.fromkeys(words))[:MAX_QUERY_WORDS]


def matches(query_words: list[str], text: str) -> bool:
    """Whether each word of a query begins a word of the text."""
    words = list_words(text)
    return all(any(word.startswith(query_word) for word in words) for query_word in query_words)


def _humps(part: str) -> list[str]:
    """Split `customerId` and `HTTPServer` at their humps. A word in one case, or in another script, stays whole."""
    if not part.isascii() or part.islower() or part.isupper() or part.isdigit():
        return [part]
    return _join_digits(_HUMPS.findall(part))


def _join_digits(humps: list[str]) -> list[str]:
    joined: list[str] = []
    for hump in humps:
        if hump.isdigit() and joined:
            joined[-1] += hump
        else:
            joined.append(hump)
    return joined


def _split_scripts(word: str, *, is_query: bool) -> Iterator[str]:
    if word.isascii():  # nearly all words; examining each character would take ten times as long
        yield word[:MAX_WORD_LENGTH]
        return
    for is_ideographic, characters in groupby(word, lambda character: bool(_IDEOGRAPHIC.match(character))):
        run = "".join(characters)
        if not is_ideographic:
            yield run[:MAX_WORD_LENGTH]
        elif is_query and len(run) > 1:
            yield from (run[index : index + 2] for index in range(len(run) - 1))
        else:
            yield from (run[index : index + 2] for index in range(len(run)))
