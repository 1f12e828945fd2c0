"""HAL documents and links, and their rendering as JSON.

Both are dictionaries, which orjson serializes without calling back into Python. Links contain a placeholder for the
base URL and a path. Rendering replaces all placeholders at once in the finished bytes, so a document does not depend
on the request, and its parts can be cached.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from treaty.web.urls import BASE_URL_PLACEHOLDER, PLACEHOLDER_MARK, URL_PLACEHOLDER, URL_WITH_QUERY_PLACEHOLDER

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

JSON_OPTIONS: Final = orjson.OPT_OMIT_MICROSECONDS
_ALL_OPTIONS: Final = JSON_OPTIONS | orjson.OPT_PASSTHROUGH_DATACLASS


class Link(dict[str, object]):
    """A link. It is templated if its path contains a variable (`{name}`)."""

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
    def __get_pydantic_core_schema__(cls, _source: object, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from treaty.web.hal.link_documents import LinkDocument  # noqa: PLC0415 - for the OpenAPI document

        return handler.generate_schema(LinkDocument)


Links = Mapping[str, object]
"""A link or a list of them for each relation; None is left out."""


class Hal(dict[str, object]):
    """A document with its properties, embedded documents and links. Members whose value is None are omitted."""

    __slots__ = ()

    def __init__(
        self,
        state: Mapping[str, object] | None = None,
        embedded: Mapping[str, object] | None = None,
        links: Links | None = None,
    ) -> None:
        if state:
            self.update(_without_none(state))
        if embedded:
            self["_embedded"] = _without_none(embedded)
        if links:
            self["_links"] = _without_none(links)


def _without_none(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}


class LinkContext(NamedTuple):
    """The part of a RenderContext that items of lists depend on. It is hashable, since it is part of cache keys."""

    base_url: str
    hidden_relations: frozenset[str]
    """As in RenderContext."""


class RenderedItem(NamedTuple):
    """The JSON of an item, one document for each list that contains it."""

    encoded: tuple[bytes, ...]
    digest: bytes
    """Hash of the JSON. The ETag of a long document is computed from its items' digests."""


RenderItems = Callable[[LinkContext], Sequence[RenderedItem]]


def render_item(context: LinkContext, *documents: object) -> RenderedItem:
    """Render an item of a list: one document for each list of the surrounding document, in their order.

    Callers cache the result per item, so a changed list only renders the items that changed.
    """
    render_context = RenderContext(context.base_url, hidden_relations=context.hidden_relations)
    encoded = tuple(render(document, render_context) for document in documents)
    return RenderedItem(encoded, sha256(b"".join(encoded), usedforsecurity=False).digest())


class DocumentWithLists(Hal):
    """A document with long lists, whose items are rendered separately. It has a `list_placeholder` for each list."""

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
        """Names of the lists, in the order of the documents in `RenderedItem.encoded`."""
        self.render_items = render_items


def list_placeholder(name: str) -> str:
    """Return the placeholder of a list that is rendered separately."""
    return f"{PLACEHOLDER_MARK}{name}!"


class RenderContext(NamedTuple):
    """What the rendering of a document takes from the request."""

    base_url: str
    path: str = "/"
    query: str = ""
    hidden_relations: frozenset[str] = frozenset()
    """Relations that are omitted, since the client lacks the permission to use them."""

    def href(self, path: str) -> str:
        """Build an absolute URL from a path; absolute URLs stay as they are."""
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
    """Build the link to the documentation of `pb:` relations, as the original broker does."""
    return [Link(f"/doc/{{rel}}?context={context}", name="pb", templated=True)]


def render_fragment(document: object) -> orjson.Fragment:
    """Serialize a part of documents to cache it. Its placeholders are replaced when the document is rendered."""
    return orjson.Fragment(orjson.dumps(document, option=_ALL_OPTIONS))


def render(document: object, context: RenderContext) -> bytes:
    """Render a document as JSON."""
    visible = _hide_relations(document, context.hidden_relations) if context.hidden_relations else document
    body = orjson.dumps(visible, option=_ALL_OPTIONS)
    if _URL in body:
        body = body.replace(_URL, _json_text(context.url))
    if _URL_WITH_QUERY in body:
        body = body.replace(_URL_WITH_QUERY, _json_text(context.url_with_query))
    return body.replace(_BASE_URL, _json_text(context.base_url))


def render_with_lists(document: DocumentWithLists, context: RenderContext) -> tuple[bytes, bytes]:
    """Render a document with long lists as JSON; return it with bytes that identify its content, for the ETag.

    Placeholders are searched for in the short frame around the lists only, and the items are copied once.
    """
    frame, items = render(document, context), document.render_items(context.link_context)
    # Without items there is nothing to transpose, hence not strict: every list is then empty.
    lists = dict(zip(document.lists, zip(*[item.encoded for item in items], strict=True), strict=False))
    first, *rest = _LIST_PLACEHOLDER.split(frame)
    pieces = [first]
    for name, following in zip(rest[::2], rest[1::2], strict=True):
        pieces += (b"[", b",".join(lists.get(name.decode(), ())), b"]", following)
    return b"".join(pieces), b"".join([frame, *[item.digest for item in items]])


def _hide_relations(part: object, hidden_relations: frozenset[str]) -> object:
    """Return a document without some relations, also in the documents within it."""
    if isinstance(part, list | tuple):
        return [_hide_relations(element, hidden_relations) for element in part]
    if isinstance(part, orjson.Fragment):
        # Stored JSON of clients is not Treaty's to change, and large. Only fragments of Treaty contain placeholders.
        contents = orjson.dumps(part)
        return _hide_relations(orjson.loads(contents), hidden_relations) if _BASE_URL in contents else part
    if not isinstance(part, dict):
        return part
    return {
        name: {relation: link for relation, link in value.items() if relation not in hidden_relations}
        if name == "_links" and isinstance(value, dict)
        else _hide_relations(value, hidden_relations)
        for name, value in part.items()
    }


def render_links(links: Links, context: RenderContext) -> bytes:
    """Render links, without their document, as a JSON object."""
    hidden = context.hidden_relations
    visible = {relation: link for relation, link in _without_none(links).items() if relation not in hidden}
    return render(visible, context._replace(hidden_relations=frozenset()) if hidden else context)


def _json_text(text: str) -> bytes:
    """Escape a text for a JSON string, without the quotes."""
    return orjson.dumps(text)[1:-1]


# The placeholders contain a character that JSON escapes; these are their escaped forms.
_LIST_PLACEHOLDER: Final = re.compile(rb'"%b([a-z_]+)!"' % re.escape(_json_text(PLACEHOLDER_MARK)))
_BASE_URL: Final = _json_text(BASE_URL_PLACEHOLDER)
_URL: Final = _json_text(URL_PLACEHOLDER)
_URL_WITH_QUERY: Final = _json_text(URL_WITH_QUERY_PLACEHOLDER)
