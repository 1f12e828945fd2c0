"""HAL as brokers write it: resources with links, and links that are URI templates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin

from treaty.errors import MissingRelation, NotHal

Json = dict[str, Any]
Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ResourceLink:
    """A link with an absolute URL, which may have placeholders such as `{pacticipant}`."""

    href: str
    name: str = ""
    title: str = ""

    def fill(self, **values: str) -> str:
        """Fill in the placeholders, percent-encoded. A placeholder without a value becomes empty."""
        # Names may contain slashes (`feat/login`), which must stay within their path segment.
        return re.sub(r"\{(\w+)\}", lambda placeholder: quote(values.get(placeholder[1], ""), safe=""), self.href)

    def with_query(self, parameters: Mapping[str, str]) -> str:
        """Return the URL with parameters added to its query."""
        url = self.fill()
        return url + encode_query(list(parameters.items())).replace("?", "&" if "?" in url else "?", 1)


@dataclass(frozen=True, slots=True)
class HalResource:
    """A successful response of a broker. `body` is an empty dictionary if the response has no body."""

    url: str
    status: int
    headers: Mapping[str, str]
    text: str
    body: Json

    def links(self, relation: str) -> list[ResourceLink]:
        # HAL allows a single link and a list of links; the original broker uses both for the same relations.
        links = self._section("_links").get(relation) or []
        links = self._check_objects(f"the link {relation}", links if isinstance(links, list) else [links])
        return [_parse_link(link, self.url) for link in links]

    def link(self, *relations: str) -> ResourceLink:
        """Return the link of the first relation that the resource has. Raises MissingRelation."""
        for relation in relations:
            for link in self.links(relation):
                return link
        raise MissingRelation(relations[0], self.url)

    def has_link(self, *relations: str) -> bool:
        return any(relation in self._section("_links") for relation in relations)

    def embedded(self, name: str) -> list[Json]:
        return self._check_objects(f"the embedded {name}", self._section("_embedded").get(name) or [])

    def _section(self, name: str) -> Json:
        section = self.body.get(name) or {}
        if not isinstance(section, dict):
            raise self._malformed(name)
        return section

    def _check_objects(self, name: str, value: object) -> list[Json]:
        """Return a list of objects. Raises NotHal for anything else, as a broken proxy or another server returns it."""
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._malformed(name)
        return value

    def _malformed(self, name: str) -> NotHal:
        return NotHal(
            f"Did not get a valid HAL response body from {self.url}, status={self.status}: {name} has another form.",
            hint="Is --broker-base-url the address of a Pact Broker? --verbose shows the whole response.",
        )

    @property
    def is_pactflow(self) -> bool:
        """Whether the broker is PactFlow, which names itself in its response headers, as the original client checks."""
        return any("pactflow" in name.lower() for name in self.headers)


def _parse_link(link: Json, url: str) -> ResourceLink:
    href = str(link.get("href", ""))
    # urljoin would normalize an absolute URL, and with it the braces of its placeholders.
    absolute_url = href if re.match(r"\w+://", href) else urljoin(url, href)
    return ResourceLink(absolute_url, name=link.get("name") or "", title=link.get("title") or "")


def encode_query(query: Query) -> str:
    """Write a query, with its `?` unless it is empty."""
    # The brackets of names such as `q[][version]` stay as they are: the original client sends them so.
    return "?" * bool(query) + "&".join(f"{name}={quote(value, safe='')}" for name, value in query)
