"""Patterns: documents that are written once, with blanks, and filled in for each of many things.

To build a document of many links takes several times as long as to put some names into one that is there.
"""

import re
from collections.abc import Mapping
from typing import Final

import orjson

from treaty.web.hal.documents import JSON_OPTIONS, LinkContext, RenderContext, render
from treaty.web.urls import PLACEHOLDER_MARK, quote

TemplateValues = Mapping[str, str]
"""What fills blanks: for each name its text as JSON has it, and with `/` before the name as URLs have it."""


def placeholder(name: str) -> str:
    """Stand for a text in a pattern: in URLs, too."""
    return f"{PLACEHOLDER_MARK}{name}."


_IN_JSON: Final = re.escape(orjson.dumps(PLACEHOLDER_MARK)[1:-1].decode())
_IN_URL: Final = re.escape(quote(PLACEHOLDER_MARK).replace("%", "%%"))
_BLANKS: Final = re.compile(
    rf'"{_IN_JSON}(?P<part>[a-z_]+)!"|{_IN_JSON}(?P<text>[a-z_]+)\.|{_IN_URL}(?P<url>[a-z_]+)\.'
)


class DocumentTemplate:
    """A document with blanks for texts, and with parts that are written apart."""

    __slots__ = ("_text",)

    def __init__(self, document: object, view: LinkContext) -> None:
        text = (
            render(document, RenderContext(view.base_url, hidden_relations=view.hidden_relations))
            .decode()
            .replace("%", "%%")
        )
        self._text = _BLANKS.sub(_slot, text)

    def fill(self, words: TemplateValues) -> str:
        """Fill all blanks. A part is given as JSON."""
        return self._text % words


def _slot(found: re.Match[str]) -> str:
    name, is_url = found.group("part") or found.group("text"), found.group("url")
    return f"%(/{is_url})s" if is_url else f"%({name})s"


def template_values(**texts: str) -> dict[str, str]:
    """Write texts as they stand in JSON and in URLs."""
    found = {}
    for name, text in texts.items():
        found[name] = orjson.dumps(text)[1:-1].decode()
        found[f"/{name}"] = quote(text)
    return found


def prepend_state(state: Mapping[str, object], rest: str) -> bytes:
    """Put the properties of a thing, None left out, before the rest of its document."""
    given = {name: value for name, value in state.items() if value is not None}
    return orjson.dumps(given, option=JSON_OPTIONS)[:-1] + b"," + rest[1:].encode()
