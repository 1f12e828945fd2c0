"""The network, or a part of it, in forms that others can keep."""

from typing import Final

from treaty.web import urls
from treaty.web.api.overview import network_queries
from treaty.web.api.overview.network_representation import Dots, Mermaid, Svg
from treaty.web.http.media_types import GRAPH, MERMAID, SVG
from treaty.web.routing import Call, Headed, Permission, Router

router = Router()


def _kept(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}


_SAFE: Final = {"content-security-policy": "default-src 'none'"}


@router.get(urls.SYSTEM_SVG, permission=Permission.READ, produces=(SVG,))
def draw_network(call: Call) -> Headed:
    """Draw the network: who consumes what of whom, and how that stands."""
    wanted = network_queries.read(call)
    return Headed(Svg(network_queries.find(call, wanted).lines, wanted.focus), {**_kept("network.svg"), **_SAFE})


@router.get(urls.SYSTEM_DOT, permission=Permission.READ, produces=(GRAPH,))
def list_network_as_dot(call: Call) -> Headed:
    """Write the network in the language of Graphviz."""
    wanted = network_queries.read(call)
    return Headed(Dots(network_queries.find(call, wanted).lines, wanted.focus), _kept("network.dot"))


@router.get(urls.SYSTEM_MERMAID, permission=Permission.READ, produces=(MERMAID,))
def list_network_as_mermaid(call: Call) -> Headed:
    """Write the network as a flowchart of Mermaid."""
    wanted = network_queries.read(call)
    return Headed(Mermaid(network_queries.find(call, wanted).lines, wanted.focus), _kept("network.mmd"))
