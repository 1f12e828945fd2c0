"""The network as a page: the whole system, or what is around one application, as a graph and as a list."""

from typing import Final

from markupsafe import Markup

from treaty.model.paging import Page as Part
from treaty.store import deployments
from treaty.store.pacticipants import labels
from treaty.web import urls
from treaty.web.api.overview import network_queries
from treaty.web.api.overview.network import STATE_LABELS, draw_figure
from treaty.web.api.overview.network_queries import DEPTHS, NetworkQuery
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

LABELS_PAGE: Final = Part(1, 500)


@router.page(urls.SYSTEM, permission=Permission.READ)
def show_system(call: Request) -> HtmlPage:
    """Draw the network of all applications, or of those that are wanted."""
    return HtmlPage("network.html", _facts(call, network_queries.read_query(call)))


@router.page(urls.NETWORK, permission=Permission.READ)
def show_network(call: Request, name: str) -> HtmlPage:
    """Draw what an application is connected with, as far as it fits."""
    return HtmlPage(
        "network_of.html", {**_facts(call, network_queries.read_query(call, name)), "name": name, "tab": "network"}
    )


def _facts(call: Request, wanted: NetworkQuery) -> dict[str, object]:
    shown = network_queries.find_view(call, wanted)
    base = call.base_url if call.settings.base_urls else ""
    is_drawn = bool(shown.lines) and not shown.is_truncated
    svg = draw_figure(shown.lines, _me(wanted, shown.names), lambda path: base + path) if is_drawn else ""
    return {
        "wanted": wanted,
        "shown": shown,
        "figure": Markup(svg),  # noqa: S704 - names are escaped where it is drawn
        "words": STATE_LABELS,
        "lower": {state: text.lower() for state, text in STATE_LABELS.items()},
        "depths": DEPTHS,
        "environments": deployments.list_all(call.db),
        "labels": labels.list_names(call.db, LABELS_PAGE).items,
        "formats": (("SVG", urls.SYSTEM_SVG), ("DOT", urls.SYSTEM_DOT), ("Mermaid", urls.SYSTEM_MERMAID)),
        "is_drawn": is_drawn,
    }


def _me(wanted: NetworkQuery, names: list[str]) -> str | None:
    return wanted.focus if wanted.focus in names else None
