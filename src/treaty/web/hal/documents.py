"""HAL documents: what representations are made of, and how they become bytes.

Documents and links are dictionaries, which are written without asking what they are. Links hold paths; the base URL is
put on once, when a document is rendered.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple, NotRequired

import orjson
from pydantic import ConfigDict, GetCoreSchemaHandler, with_config
from pydantic_core import CoreSchema
from typing_extensions import TypedDict

from treaty.web.urls import BASE_URL_PLACEHOLDER, PLACEHOLDER_MARK, URL_PLACEHOLDER, URL_WITH_QUERY_PLACEHOLDER

JSON_OPTIONS: Final = orjson.OPT_OMIT_MICROSECONDS
_ALL_OPTIONS: Final = JSON_OPTIONS | orjson.OPT_PASSTHROUGH_DATACLASS


class Link(dict[str, object]):
    """A link. A path that still holds a variable makes it templated."""

    __slots__ = ()

    def __init__(
        self,
        href: str,
        title: str | None = None,
        *,
        name: str | None = None,
        templated: bool | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        if title is not None:
            self["title"] = title
        if name is not None:
            self["name"] = name
        self["href"] = BASE_URL_PLACEHOLDER + href if href[:1] in {"", "/"} else href
        if templated is not None or "{" in href:
            self["templated"] = templated is not False
        if extra:
            self.update(extra)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(LinkDocument)


@with_config(ConfigDict(json_schema_extra={"additionalProperties": True}))
class LinkDocument(TypedDict):
    href: str
    title: NotRequired[str]
    name: NotRequired[str | None]
    templated: NotRequired[bool]


Links = Mapping[str, object]
"""A link or a list of them for each relation; None is left out."""


class Hal(dict[str, object]):
    """A document: its properties (None is left out), what is embedded, and its links (None is left out)."""

    __slots__ = ()

    def __init__(
        self,
        state: Mapping[str, object] | None = None,
        embedded: Mapping[str, object] | None = None,
        links: Links | None = None,
    ) -> None:
        if state:
            self.update(_given(state))
        if embedded:
            self["_embedded"] = _given(embedded)
        if links:
            self["_links"] = _given(links)


def _given(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}


class LinkContext(NamedTuple):
    """What a part of a document depends on beside what it is about. It is a tuple, as parts are remembered by it."""

    base_url: str
    hidden_relations: frozenset[str]
    """As in Place."""


class RenderedItem(NamedTuple):
    """An item of a list, written, once for each list that has it."""

    encoded: tuple[bytes, ...]
    digest: bytes
    """Tells it from others that look otherwise."""


RenderItems = Callable[[LinkContext], Sequence[RenderedItem]]


def render_item(context: LinkContext, *documents: object) -> RenderedItem:
    """Render an item of a list: one document for each list of the surrounding document, in their order.

    Callers cache the result per item, so a changed list only renders the items that changed.
    """
    here = RenderContext(context.base_url, hidden_relations=context.hidden_relations)
    encoded = tuple(render(document, here) for document in documents)
    return RenderedItem(encoded, sha256(b"".join(encoded), usedforsecurity=False).digest())


class DocumentWithLists(Hal):
    """A document with long lists of the same things, written apart. It has a `part` where each list belongs."""

    __slots__ = ("lists", "render_items")

    def __init__(
        self,
        state: Mapping[str, object] | None = None,
        embedded: Mapping[str, object] | None = None,
        links: Links | None = None,
        *,
        lists: Sequence[str],
        render_items: RenderItems,
    ) -> None:
        super().__init__(state, embedded, links)
        self.lists = lists
        """Their names, in the order in which an item is written for them."""
        self.render_items = render_items


def list_placeholder(name: str) -> str:
    """Stand for a part of a document that is written apart."""
    return f"{PLACEHOLDER_MARK}{name}!"


class RenderContext(NamedTuple):
    """Where a document is rendered: the base URL, and the request's path and query behind it."""

    base_url: str
    path: str = "/"
    query: str = ""
    hidden_relations: frozenset[str] = frozenset()
    """Relations that are left out, because the caller does not have their permissions."""

    def href(self, path: str) -> str:
        """Make an absolute URL of a path."""
        return self.base_url + path if path.startswith("/") else path

    @property
    def link_context(self) -> LinkContext:
        return LinkContext(self.base_url, self.hidden_relations)

    @property
    def url(self) -> str:
        return self.base_url + self.path

    @property
    def url_with_query(self) -> str:
        return f"{self.url}?{self.query}" if self.query else self.url


def build_curies(context: str) -> list[Link]:
    """Say where relations that begin with `pb:` are documented."""
    return [Link(f"/doc/{{rel}}?context={context}", name="pb", templated=True)]


def render_fragment(document: object) -> orjson.Fragment:
    """Write a part of documents that is to be remembered. Where it is rendered is put into it with the whole."""
    return orjson.Fragment(orjson.dumps(document, option=_ALL_OPTIONS))


def render(document: object, place: RenderContext) -> bytes:
    """Turn a document into JSON."""
    shown = _without(document, place.hidden_relations) if place.hidden_relations else document
    body = orjson.dumps(shown, option=_ALL_OPTIONS)
    if _HERE in body:
        body = body.replace(_HERE, _text(place.url))
    if _HERE_AND_QUERY in body:
        body = body.replace(_HERE_AND_QUERY, _text(place.url_with_query))
    return body.replace(_BASE, _text(place.base_url))


def render_with_lists(document: DocumentWithLists, place: RenderContext) -> tuple[bytes, bytes]:
    """Turn a document with long lists into JSON; and say in short what tells it from others.

    What is around the lists is short, so little is looked through, and all is copied once.
    """
    around, items = render(document, place), document.render_items(place.link_context)
    lists = dict(zip(document.lists, zip(*[one.encoded for one in items], strict=True), strict=False))
    first, *rest = _PART.split(around)
    pieces = [first]
    for name, following in zip(rest[::2], rest[1::2], strict=True):
        pieces += (b"[", b",".join(lists.get(name.decode(), ())), b"]", following)
    return b"".join(pieces), b"".join([around, *[one.digest for one in items]])


def _without(part: object, hidden_relations: frozenset[str]) -> object:
    """Leave relations out of the links of a document, and of all that is in it."""
    if isinstance(part, list | tuple):
        return [_without(one, hidden_relations) for one in part]
    if isinstance(part, orjson.Fragment):
        return _fragment_without(part, hidden_relations)
    if not isinstance(part, dict):
        return part
    return {
        name: {relation: link for relation, link in value.items() if relation not in hidden_relations}
        if name == "_links" and isinstance(value, dict)
        else _without(value, hidden_relations)
        for name, value in part.items()
    }


def _fragment_without(part: orjson.Fragment, hidden_relations: frozenset[str]) -> object:
    """Leave relations out of a part of ours, which is known by its links; what clients sent stays as it is."""
    contents = orjson.dumps(part)
    return _without(orjson.loads(contents), hidden_relations) if _BASE in contents else part


def render_links(links: Links, place: RenderContext) -> bytes:
    """Turn links alone into a JSON object."""
    kept = {relation: link for relation, link in _given(links).items() if relation not in place.hidden_relations}
    return render(kept, place._replace(hidden_relations=frozenset()) if place.hidden_relations else place)


def _text(text: str) -> bytes:
    """Write a text as JSON has it, without its quotes."""
    return orjson.dumps(text)[1:-1]


_PART: Final = re.compile(rb'"%b([a-z_]+)!"' % re.escape(_text(PLACEHOLDER_MARK)))
_BASE: Final = _text(BASE_URL_PLACEHOLDER)
_HERE: Final = _text(URL_PLACEHOLDER)
_HERE_AND_QUERY: Final = _text(URL_WITH_QUERY_PLACEHOLDER)
