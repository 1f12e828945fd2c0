"""HAL documents: what representations are made of, and how they become bytes.

Links hold paths; the base URL is put on once, when a document is rendered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from treaty.web.urls import HERE, HERE_AND_QUERY

OPTIONS: Final = orjson.OPT_OMIT_MICROSECONDS


class Link:
    """A link. A path that still holds a variable makes it templated."""

    __slots__ = ("extra", "href", "name", "templated", "title")

    def __init__(
        self,
        href: str,
        title: str | None = None,
        *,
        name: str | None = None,
        templated: bool | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        self.href = href
        self.title = title
        self.name = name
        self.templated = ("{" in href or None) if templated is None else templated
        self.extra = extra


Links = Mapping[str, Link | Sequence[Link] | None]


@dataclass(slots=True)
class Hal:
    """A document: its properties (None is left out), what is embedded, and its links (None is left out)."""

    state: Mapping[str, object] = field(default_factory=dict)
    embedded: Mapping[str, object] = field(default_factory=dict)
    links: Links = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document is rendered: the base URL, and the request's path and query behind it."""

    base_url: str
    path: str = "/"
    query: str = ""

    def href(self, path: str) -> str:
        """Make an absolute URL of a path."""
        if path.startswith("/"):
            return self.base_url + path
        if path == HERE_AND_QUERY:
            return f"{self.base_url}{self.path}?{self.query}" if self.query else self.base_url + self.path
        if path.startswith(HERE):
            return self.base_url + self.path + path.removeprefix(HERE)
        return path or self.base_url


def curies(context: str) -> list[Link]:
    """Say where relations that begin with `pb:` are documented."""
    return [Link(f"/doc/{{rel}}?context={context}", name="pb", templated=True)]


def rendered(document: object, place: Place) -> bytes:
    """Turn a document into JSON."""
    return orjson.dumps(document, default=_plain_at(place), option=OPTIONS | orjson.OPT_PASSTHROUGH_DATACLASS)


def rendered_links(links: Links, place: Place) -> bytes:
    """Turn links alone into a JSON object."""
    return rendered(_given(links), place)


def _plain_at(place: Place) -> Callable[[object], dict[str, object]]:
    """Make what turns into plain values what JSON does not know; orjson finds it wherever it is."""

    def plain(value: object) -> dict[str, object]:
        if isinstance(value, Link):
            return _plain_link(value, place)
        if isinstance(value, Hal):
            return _plain_hal(value)
        raise TypeError(f"{type(value).__name__} cannot stand in a document")

    return plain


def _plain_hal(hal: Hal) -> dict[str, object]:
    plain = _given(hal.state)
    if hal.embedded:
        plain["_embedded"] = _given(hal.embedded)
    if hal.links:
        plain["_links"] = _given(hal.links)
    return plain


def _given(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}


def _plain_link(link: Link, place: Place) -> dict[str, object]:
    plain: dict[str, object] = {}
    if link.title is not None:
        plain["title"] = link.title
    if link.name is not None:
        plain["name"] = link.name
    plain["href"] = place.href(link.href)
    if link.templated is not None:
        plain["templated"] = link.templated
    if link.extra:
        plain |= link.extra
    return plain
