"""The network as a page: the whole system, or what is around one application, as a graph and as a list."""

from typing import Final

from markupsafe import Markup

from treaty.model.paging import Page as Part
from treaty.store import deployments
from treaty.store.pacticipants import labels
from treaty.web import urls
from treaty.web.api.overview import network_queries
from treaty.web.api.overview.network import WORDS, figure
from treaty.web.api.overview.network_queries import DEPTHS, Wanted
from treaty.web.http.request import Call
from treaty.web.http.results import Page
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

MOST_LABELS: Final = Part(1, 500)


@router.page(urls.SYSTEM, permission=Permission.READ)
def show_system(call: Call) -> Page:
    """Draw the network of all applications, or of those that are wanted."""
    return Page("network.html", _facts(call, network_queries.read(call)))


@router.page(urls.NETWORK, permission=Permission.READ)
def show_network(call: Call, name: str) -> Page:
    """Draw what an application is connected with, as far as it fits."""
    return Page("network_of.html", {**_facts(call, network_queries.read(call, name)), "name": name, "tab": "network"})


def _facts(call: Call, wanted: Wanted) -> dict[str, object]:
    shown = network_queries.find(call, wanted)
    base = call.base_url if call.settings.base_urls else ""
    is_drawn = bool(shown.lines) and not shown.is_cut
    svg = figure(shown.lines, _me(wanted, shown.names), lambda path: base + path) if is_drawn else ""
    return {
        "wanted": wanted,
        "shown": shown,
        "figure": Markup(svg),  # noqa: S704 - names are escaped where it is drawn
        "words": WORDS,
        "lower": {state: text.lower() for state, text in WORDS.items()},
        "depths": DEPTHS,
        "environments": deployments.every(call.db),
        "labels": labels.every_name(call.db, MOST_LABELS).items,
        "formats": (("SVG", urls.SYSTEM_SVG), ("DOT", urls.SYSTEM_DOT), ("Mermaid", urls.SYSTEM_MERMAID)),
        "is_drawn": is_drawn,
    }


def _me(wanted: Wanted, names: list[str]) -> str | None:
    return wanted.focus if wanted.focus in names else None
