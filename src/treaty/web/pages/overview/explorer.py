"""The API explorer: a page that follows links and sends requests.

Its script sends the requests; the server renders only the links of the index, for browsers without JavaScript.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from treaty.web import urls
from treaty.web.api.overview.index import Index
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

_WRITE_ONLY: Final = {url.template for url in (urls.PUBLISH_CONTRACTS, urls.IMPORT, urls.WHAT_IF)}
"""Targets of the index that have no GET, so a link in a browser would fail."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _IndexLink:
    """A link of the index, for browsers without JavaScript."""

    relation: str
    title: str
    path: str

    @property
    def can_be_followed(self) -> bool:
        """Whether a GET of the path works: it has no placeholders, and is not write-only."""
        return "{" not in self.path and self.path not in _WRITE_ONLY


@router.page(urls.EXPLORER, permission=Permission.READ, needs_database=False)
@router.page(
    urls.HAL_BROWSER,
    permission=Permission.READ,
    needs_database=False,
    is_for_any_media_type=True,
    aliases=[urls.HAL_BROWSER_PAGE],
)
def show_explorer(request: Request) -> HtmlPage:
    """Show the explorer, also at the addresses of the original's HAL browser.

    The part of the URL after # is the path to show: browsers do not send it, so only the script reads it.
    """
    index = represent.hal(Index("disable_pacts_for_verification" not in request.settings.features))
    return HtmlPage("explorer.html", {"links": [*_list_links(index)] if isinstance(index, Hal) else []})


def _list_links(document: Hal) -> Iterator[_IndexLink]:
    links = document["_links"]
    for relation, link in links.items() if isinstance(links, Mapping) else ():
        if isinstance(link, Mapping) and link["href"] != urls.BASE_URL_PLACEHOLDER:
            path = str(link["href"]).removeprefix(urls.BASE_URL_PLACEHOLDER)
            yield _IndexLink(relation=relation, title=str(link.get("title", "")), path=path)
