"""Search in the guide: the sections that contain all words of a query."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from markupsafe import Markup

from treaty.web.guide import contents
from treaty.web.guide.rendering import Document, Section, render

MAX_HITS: Final = 40
_EXCERPT_LENGTH: Final = 220
"""Characters of the excerpt of a hit."""
_WEIGHT_OF_TITLE: Final = 20
_WEIGHT_OF_PAGE: Final = 10
_MAX_COUNT: Final = 3
"""Occurrences of a word in a text that count, so that long sections do not always come first."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that matches, and the part of its text with the first match, in which the words are marked."""

    document: Document
    section: Section
    excerpt: Markup


@dataclass(frozen=True, slots=True)
class _IndexedSection:
    document: Document
    section: Section
    page: str
    title: str
    text: str


def find(query: str) -> Sequence[Hit]:
    """List the sections that contain all words of a query in their text, title or the page's title, the best first."""
    words = query.casefold().split()
    if not words:
        return ()
    scored = [(_score(section, words), section) for section in _list_sections()]
    hits = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])
    return [Hit(hit.document, hit.section, _excerpt(hit.section.text, words)) for _, hit in hits[:MAX_HITS]]


def _score(section: _IndexedSection, words: Sequence[str]) -> int:
    scores = [
        _WEIGHT_OF_TITLE * (word in section.title)
        + _WEIGHT_OF_PAGE * (word in section.page)
        + min(section.text.count(word), _MAX_COUNT)
        for word in words
    ]
    is_title = section.title == " ".join(words)
    return sum(scores) + is_title * _WEIGHT_OF_TITLE if all(scores) else 0


@cache
def _list_sections() -> Sequence[_IndexedSection]:
    """List all sections of the guide, in the order of its contents. The first call renders all pages."""
    documents = [render(path) for path in contents.list_paths_in_order()]
    return [
        _IndexedSection(document, section, document.title.casefold(), section.title.casefold(), section.text.casefold())
        for document in documents
        for section in document.sections
    ]


def _excerpt(text: str, words: Sequence[str]) -> Markup:
    pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    match = pattern.search(text)
    start = max(0, match.start() - _EXCERPT_LENGTH // 3) if match else 0
    start = text.find(" ", start) + 1 if start else 0
    end_of_word = text.find(" ", start + _EXCERPT_LENGTH)
    is_cut = end_of_word >= 0
    part = text[start:end_of_word] if is_cut else text[start:]
    pieces, end = [Markup("… ") if start else Markup()], 0
    for match in pattern.finditer(part):
        pieces += [Markup("{}<mark>{}</mark>").format(part[end : match.start()], match[0])]
        end = match.end()
    pieces.append(Markup("{}{}").format(part[end:], " …" if is_cut else ""))
    return Markup().join(pieces)
