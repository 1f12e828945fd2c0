"""The network as a picture (SVG), and in the languages of Graphviz and Mermaid."""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from treaty.model.overview import network
from treaty.model.overview.network import NetworkEdge
from treaty.model.overview.overview import PactState
from treaty.web import urls
from treaty.web.api.overview import network_queries
from treaty.web.api.overview.network_drawing import BOX_HEIGHT, LINE_HEIGHT, Box, Curve, Drawing, Edge, draw_graph
from treaty.web.hal import represent
from treaty.web.hal.documents import RenderContext
from treaty.web.http.media_types import GRAPHVIZ, MERMAID, SVG
from treaty.web.http.request import Request
from treaty.web.http.results import WithHeaders
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


@dataclass(frozen=True, slots=True)
class SvgNetwork:
    """The network as an SVG picture with its own colours."""

    edges: Sequence[NetworkEdge]
    focus: str | None = None
    """An application that is drawn even if it has no edges."""


@dataclass(frozen=True, slots=True)
class DotNetwork:
    """The network in the DOT language of Graphviz."""

    edges: Sequence[NetworkEdge]
    focus: str | None = None


@dataclass(frozen=True, slots=True)
class MermaidNetwork:
    """The network as a Mermaid flowchart."""

    edges: Sequence[NetworkEdge]
    focus: str | None = None


def _download_header(file_name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{file_name}"'}


# Defence in depth: if a browser displays the file instead of saving it, no script in it can run.
_NO_CONTENT_POLICY: Final = {"content-security-policy": "default-src 'none'"}


@router.get(urls.SYSTEM_SVG, permission=Permission.READ, produces=(SVG,), query=network_queries.NETWORK_PARAMETERS)
def draw_network(request: Request) -> WithHeaders:
    """Draw the network as SVG: applications, their integrations, and the states of the pacts."""
    query = network_queries.parse_query(request)
    picture = SvgNetwork(network_queries.load_view(request, query).edges, query.focus)
    return WithHeaders(picture, {**_download_header("network.svg"), **_NO_CONTENT_POLICY})


@router.get(urls.SYSTEM_DOT, permission=Permission.READ, produces=(GRAPHVIZ,), query=network_queries.NETWORK_PARAMETERS)
def list_network_as_dot(request: Request) -> WithHeaders:
    """Export the network in the DOT language of Graphviz."""
    query = network_queries.parse_query(request)
    graph = DotNetwork(network_queries.load_view(request, query).edges, query.focus)
    return WithHeaders(graph, _download_header("network.dot"))


@router.get(
    urls.SYSTEM_MERMAID, permission=Permission.READ, produces=(MERMAID,), query=network_queries.NETWORK_PARAMETERS
)
def list_network_as_mermaid(request: Request) -> WithHeaders:
    """Export the network as a Mermaid flowchart."""
    query = network_queries.parse_query(request)
    flowchart = MermaidNetwork(network_queries.load_view(request, query).edges, query.focus)
    return WithHeaders(flowchart, _download_header("network.mmd"))


MARGIN: Final = 16
"""Pixels around the drawing."""
MAX_TAB_STOPS: Final = 60
"""Up to this number of applications, each is a stop of the Tab key; beyond it the list beside the graph is quicker."""
MAX_LINKS: Final = 400
"""Up to this number of edges, each links to its pact; thousands of links would make up most of the page."""
STATE_LABELS: Final[Mapping[PactState, str]] = {
    PactState.FAILED: "Failed",
    PactState.PENDING: "Failed, pending",
    PactState.CHANGED: "Changed since verified",
    PactState.UNKNOWN: "Not verified",
    PactState.VERIFIED: "Verified",
    PactState.NO_PACT: "No pact",
}
_SYMBOLS: Final = {PactState.FAILED: "✕", PactState.PENDING: "◔", PactState.CHANGED: "△"}
"""Symbols before names, so that the states that need attention do not depend on colour."""
_COLOURS: Final[Mapping[PactState, str]] = {
    PactState.FAILED: "#a8182a",
    PactState.PENDING: "#7a4b00",
    PactState.CHANGED: "#7a4b00",
    PactState.UNKNOWN: "#4a5665",
    PactState.VERIFIED: "#0b6b3a",
    PactState.NO_PACT: "#848f9c",
}
_DASHES: Final = {
    PactState.PENDING: "8 3 2 3",
    PactState.CHANGED: "9 4",
    PactState.UNKNOWN: "4 4",
    PactState.NO_PACT: "1 4",
}
# SVG draws later elements on top: the worst edges come last, so that no other edge covers them.
_DRAWING_ORDER: Final = {state: -rank for rank, state in enumerate(PactState)}


class _DrawingWithPaths(NamedTuple):
    drawing: Drawing
    paths: Mapping[Edge, str]
    """The curves as the data of SVG paths."""


def _draw(edges: Iterable[NetworkEdge], focus: str | None) -> _DrawingWithPaths:
    pairs = tuple(sorted((edge.consumer, edge.provider) for edge in edges))
    return _draw_with_paths(pairs, () if focus is None else (focus,))


@lru_cache(maxsize=8)  # as many as drawings
def _draw_with_paths(pairs: tuple[Edge, ...], alone: tuple[str, ...]) -> _DrawingWithPaths:
    drawing = draw_graph(pairs, alone)
    return _DrawingWithPaths(drawing, {curve.edge: _draw_path(curve) for curve in drawing.curves})


def _escape_xml(text: str) -> str:
    """Escape markup, and replace characters that XML forbids even as references."""
    return html.escape(_INVALID_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text))


_INVALID_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# The figure of a page


def draw_figure(edges: Sequence[NetworkEdge], focus: str | None, href: Callable[[str], str]) -> str:
    """Draw a network as inline SVG whose classes the style sheet of the page colours. Names are escaped.

    `href` makes a link out of a path.
    """
    (drawing, paths), worst_states = _draw(edges, focus), network.compute_worst_states(edges)
    state_of = {(edge.consumer, edge.provider): edge.state for edge in edges}
    index_of = {box.name: index for index, box in enumerate(drawing.boxes)}
    tab_index = "" if len(index_of) <= MAX_TAB_STOPS else ' tabindex="-1"'
    draw_curve = _draw_curve_with_link if len(edges) <= MAX_LINKS else _draw_curve_without_link
    drawn_edges = sorted(paths, key=lambda edge: _DRAWING_ORDER[state_of[edge]])
    return "\n".join(
        (
            f'<svg class="graph" {_size_attributes(drawing)} role="group" aria-label="The network as a graph">',
            '<g class="lines">',
            *(draw_curve(edge, paths[edge], state_of[edge], index_of, href) for edge in drawn_edges),
            "</g>",
            '<g class="boxes">',
            *(
                f'<a href="{_box_link(box.name, focus, href)}"{tab_index} data-n="{index_of[box.name]}"'
                f' class="{_box_class(box, worst_states, focus)}">{_draw_box(box, worst_states.get(box.name))}</a>'
                for box in drawing.boxes
            ),
            "</g>",
            "</svg>",
        )
    )


def _box_link(name: str, focus: str | None, href: Callable[[str], str]) -> str:
    """Link to the surroundings of an application, which scripts show without leaving the page; then to its own page."""
    if name == focus:
        return _application_link(name, href)
    return _escape_xml(href(f"{urls.SYSTEM.fill()}?focus={urls.quote(name)}&depth=1"))


def _application_link(name: str, href: Callable[[str], str]) -> str:
    return _escape_xml(href(urls.PACTICIPANT.fill(pacticipant=name)))


def _draw_curve_with_link(
    edge: Edge, path: str, state: PactState, index_of: Mapping[str, int], href: Callable[[str], str]
) -> str:
    consumer, provider = edge
    target = _escape_xml(href(urls.LATEST_PACT.fill(provider=provider, consumer=consumer)))
    titled_path = f'<title>{_draw_title(edge, state)}</title><path d="{path}"/>'
    ends = f"{index_of[consumer]} {index_of[provider]}"
    return f'<a href="{target}" tabindex="-1" class="{state.value}" data-e="{ends}">{titled_path}</a>'


def _draw_curve_without_link(
    edge: Edge, path: str, state: PactState, index_of: Mapping[str, int], _href: Callable[[str], str]
) -> str:
    consumer, provider = edge
    return f'<path class="{state.value}" data-e="{index_of[consumer]} {index_of[provider]}" d="{path}"/>'


def _box_class(box: Box, worst_states: Mapping[str, PactState], focus: str | None) -> str:
    state = worst_states.get(box.name, PactState.NO_PACT).value
    return f"{state} me" if box.name == focus else state


def _draw_title(edge: Edge, state: PactState) -> str:
    return _escape_xml(f"{edge[0]} consumes {edge[1]}: {STATE_LABELS[state]}")


def _compute_size(drawing: Drawing) -> tuple[int, int]:
    return round(drawing.width + 2 * MARGIN), round(drawing.height + 2 * MARGIN)


def _size_attributes(drawing: Drawing) -> str:
    width, height = _compute_size(drawing)
    return f'viewBox="{-MARGIN} {-MARGIN} {width} {height}" width="{width}" height="{height}"'


def _draw_box(box: Box, state: PactState | None) -> str:
    symbol = f'<tspan class="sign">{_SYMBOLS[state]} </tspan>' if state in _SYMBOLS else ""
    title = "" if box.text == box.name else f"<title>{_escape_xml(box.name)}</title>"
    first, *others = box.lines
    x, y = box.x + 12, box.y + BOX_HEIGHT / 2 + 4
    more = "".join(f'<tspan x="{x:.0f}" dy="{LINE_HEIGHT}">{_escape_xml(line)}</tspan>' for line in others)
    return (
        f"{title}"
        f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="6"/>'
        f'<text x="{x:.0f}" y="{y:.0f}">{symbol}{_escape_xml(first)}{more}</text>'
    )


def _draw_path(curve: Curve) -> str:
    """Draw a curve between columns, a straight line past them, and an arrowhead at the end."""
    if curve.is_arc:
        (x, y), (far, _), _, (end_x, end_y) = curve.points
        return f"M{x:.0f} {y:.0f}C{far:.0f} {y:.0f} {far:.0f} {end_y:.0f} {end_x:.0f} {end_y:.0f}m6-4l-6 4 6 4"
    (x, y), *others = curve.points
    commands = [f"M{x:.0f} {y:.0f}"]
    for index, (next_x, next_y) in enumerate(others):
        half = (x + next_x) / 2
        bezier = f"C{half:.0f} {y:.0f} {half:.0f} {next_y:.0f} {next_x:.0f} {next_y:.0f}"
        # Points alternate: the right edge of a column, the left edge of the next one, its right edge, and so on.
        commands.append(f"L{next_x:.0f} {next_y:.0f}" if index % 2 else bezier)
        x, y = next_x, next_y
    points_left = curve.points[-1][0] < curve.points[-2][0]
    return "".join((*commands, "m6-4l-6 4 6 4" if points_left else "m-6-4l6 4-6 4"))


# Exports


@represent.register_text
def network_as_svg(picture: SvgNetwork, context: RenderContext) -> str:
    """Draw a picture on white that needs no style sheet."""
    (drawing, paths), worst_states = _draw(picture.edges, picture.focus), network.compute_worst_states(picture.edges)
    state_of = {(edge.consumer, edge.provider): edge.state for edge in picture.edges}
    width, height = _compute_size(drawing)
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {_size_attributes(drawing)} {_FONT_ATTRIBUTES}>',
            "<title>The network of applications</title>",
            f'<rect x="{-MARGIN}" y="{-MARGIN}" width="{width}" height="{height}" fill="#fff"/>',
            *(
                _draw_curves_of_state(state, paths, state_of)
                for state in sorted(STATE_LABELS, key=_DRAWING_ORDER.__getitem__)
            ),
            *(_draw_coloured_box(box, worst_states.get(box.name), context) for box in drawing.boxes),
            "</svg>",
            "",
        )
    )


_FONT_ATTRIBUTES: Final = 'font-family="system-ui, sans-serif" font-size="12"'


def _draw_curves_of_state(state: PactState, paths: Mapping[Edge, str], state_of: Mapping[Edge, PactState]) -> str:
    """Draw the curves of one state in a group, which holds the attributes that they share."""
    dashes = f' stroke-dasharray="{_DASHES[state]}"' if state in _DASHES else ""
    curves = (
        f'<path d="{path}"><title>{_draw_title(edge, state)}</title></path>'
        for edge, path in paths.items()
        if state_of[edge] is state
    )
    return "\n".join((f'<g fill="none" stroke="{_COLOURS[state]}" stroke-width="1.5"{dashes}>', *curves, "</g>"))


def _draw_coloured_box(box: Box, state: PactState | None, context: RenderContext) -> str:
    colour = _COLOURS[state or PactState.NO_PACT]
    url = _application_link(box.name, context.href)
    coloured_box = _draw_box(box, state).replace("<rect ", f'<rect fill="#fff" stroke="{colour}" ')
    return f'<a href="{url}" fill="#17202b">{coloured_box}</a>'


def _number_nodes(edges: Iterable[NetworkEdge], focus: str | None) -> Mapping[str, int]:
    """Number the applications from 1. Exports identify nodes by number, because names can contain any character."""
    names = [*network.list_applications(edges), *([] if focus is None else [focus])]
    return {name: number for number, name in enumerate(dict.fromkeys(names), start=1)}


@represent.register_text
def network_as_dot(graph: DotNetwork, context: RenderContext) -> str:
    """Write a directed graph whose nodes link to the pages of applications."""
    number_of = _number_nodes(graph.edges, graph.focus)
    return "\n".join(
        (
            "digraph network {",
            "  rankdir=LR;",
            '  node [shape=box, style=rounded, fontname="Helvetica"];',
            *(
                f"  n{number} [label={_quote_dot(name)},"
                f" URL={_quote_dot(context.href(urls.PACTICIPANT.fill(pacticipant=name)))}];"
                for name, number in number_of.items()
            ),
            *(
                f'  n{number_of[edge.consumer]} -> n{number_of[edge.provider]} [color="{_COLOURS[edge.state]}",'
                f" tooltip={_quote_dot(STATE_LABELS[edge.state])}{', style=dashed' if edge.state in _DASHES else ''}];"
                for edge in graph.edges
            ),
            "}",
            "",
        )
    )


def _quote_dot(text: str) -> str:
    """Quote a string for DOT, where backslashes begin escape sequences and ampersands begin HTML entities."""
    escaped = _INVALID_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text).replace("&", "&amp;").replace("\\", "\\\\")
    quoted = escaped.replace('"', '\\"')
    return f'"{quoted}"'.replace("\r", "").replace("\n", "\\n")


@represent.register_text
def network_as_mermaid(flowchart: MermaidNetwork, _context: RenderContext) -> str:
    """Write a flowchart from left to right, with colours by state."""
    number_of = _number_nodes(flowchart.edges, flowchart.focus)
    return "\n".join(
        (
            "flowchart LR",
            *(f'  n{number}["{_escape_mermaid(name)}"]' for name, number in number_of.items()),
            *(
                f"  n{number_of[edge.consumer]} {_ARROWS.get(edge.state, '-.->')} n{number_of[edge.provider]}"
                for edge in flowchart.edges
            ),
            *_list_link_styles(flowchart.edges),
            "",
        )
    )


_ARROWS: Final = {
    PactState.VERIFIED: "-->",
    PactState.FAILED: "-->|failed|",
    PactState.PENDING: "-.->|failed, pending|",
}


def _list_link_styles(edges: Sequence[NetworkEdge]) -> Iterator[str]:
    # Mermaid styles edges by their position in the flowchart.
    for state, colour in _COLOURS.items():
        positions = [str(position) for position, edge in enumerate(edges) if edge.state is state]
        if positions:
            yield f"  linkStyle {','.join(positions)} stroke:{colour}"


def _escape_mermaid(text: str) -> str:
    """Write all characters but letters, digits and harmless punctuation as character references."""
    return "".join(
        character if character.isalnum() or character in _HARMLESS else f"#{ord(character)};" for character in text
    )


_HARMLESS: Final = " -_.,:/"
