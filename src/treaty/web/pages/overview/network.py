"""Pages of the network: the whole system, or the surroundings of one application, as a graph and as a list."""

from typing import Final

from markupsafe import Markup

from treaty.model.overview.overview import PactState
from treaty.model.paging import Page
from treaty.store import deployments
from treaty.store.pacticipants import former_names, labels
from treaty.web import urls
from treaty.web.api.overview import network_queries
from treaty.web.api.overview.network import STATE_LABELS, draw_figure
from treaty.web.api.overview.network_queries import DEPTHS, NetworkQuery
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

LABELS_PAGE: Final = Page(1, 500)


@router.page(urls.SYSTEM, permission=Permission.READ)
def show_system(request: Request) -> HtmlPage:
    """Show the network of all applications, or of those that match the filter."""
    return HtmlPage("network.html", _build_context(request, network_queries.read_query(request)))


@router.page(urls.NETWORK, permission=Permission.READ)
def show_network(request: Request, name: str) -> HtmlPage:
    """Show the network around an application."""
    former_names.check_not_former(request.db, name)
    context = _build_context(request, network_queries.read_query(request, name))
    return HtmlPage("network_of.html", {**context, "name": name, "tab": "network"})


def _build_context(request: Request, query: NetworkQuery) -> dict[str, object]:
    view = network_queries.load_view(request, query)
    base = request.base_url if request.settings.base_urls else ""
    # The layout of a huge graph would take seconds and show nothing: the page asks for a filter instead.
    is_drawn = bool(view.edges) and not view.is_truncated
    focus = query.focus if query.focus in view.names else None
    svg = draw_figure(view.edges, focus, lambda path: base + path) if is_drawn else ""
    return {
        "query": query,
        "view": view,
        "figure": Markup(svg),  # noqa: S704 - draw_figure escapes names
        "failed": view.counts[PactState.FAILED],
        "state_labels": STATE_LABELS,
        "lowercase_labels": {state: label.lower() for state, label in STATE_LABELS.items()},
        "depths": DEPTHS,
        "environments": deployments.list_in_pipeline(request.db),
        "labels": labels.list_names(request.db, LABELS_PAGE).items,
        "formats": (("SVG", urls.SYSTEM_SVG), ("DOT", urls.SYSTEM_DOT), ("Mermaid", urls.SYSTEM_MERMAID)),
        "is_drawn": is_drawn,
    }
