"""The API explorer: a page that follows links and sends requests. Its script asks; the server only shows the index."""

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

_WRITTEN: Final = {urls.PUBLISH_CONTRACTS.template, urls.IMPORT.template}
"""What links of the index lead to that cannot be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _IndexLink:
    """A link of the index, for browsers without scripts."""

    relation: str
    title: str
    path: str

    @property
    def leads_on(self) -> bool:
        """Whether it can be followed as it is."""
        return "{" not in self.path and self.path not in _WRITTEN


@router.page(urls.EXPLORER, permission=Permission.READ, needs_database=False)
@router.page(
    urls.HAL_BROWSER,
    permission=Permission.READ,
    needs_database=False,
    is_for_any_media_type=True,
    aliases=[urls.HAL_BROWSER_PAGE],
)
def show_explorer(call: Request) -> HtmlPage:
    """Show the explorer, at the original's addresses too. What stands behind the # says what it shows."""
    shown = represent.hal(Index("disable_pacts_for_verification" not in call.settings.features))
    return HtmlPage("explorer.html", {"entries": [*_entries(shown)] if isinstance(shown, Hal) else []})


def _entries(document: Hal) -> Iterator[_IndexLink]:
    links = document["_links"]
    for relation, link in links.items() if isinstance(links, Mapping) else ():
        if isinstance(link, Mapping) and link["href"] != urls.BASE_URL_PLACEHOLDER:
            path = str(link["href"]).removeprefix(urls.BASE_URL_PLACEHOLDER)
            yield _IndexLink(relation=relation, title=str(link.get("title", "")), path=path)
