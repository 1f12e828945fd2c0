"""The network, or a part of it, in forms that others can keep."""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from treaty.model.overview import network
from treaty.model.overview.network import NetworkEdge
from treaty.model.overview.overview import PactState
from treaty.web import urls
from treaty.web.api.overview import network_queries
from treaty.web.api.overview.network_drawing import BOX_HEIGHT, Box, Curve, Drawing, Edge, draw_graph
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
    """The network as a picture that stands on its own."""

    lines: Sequence[NetworkEdge]
    alone: str | None = None
    """An application that is shown even if nothing is connected with it."""


@dataclass(frozen=True, slots=True)
class DotNetwork:
    """The network in the language of Graphviz."""

    lines: Sequence[NetworkEdge]
    alone: str | None = None


@dataclass(frozen=True, slots=True)
class MermaidNetwork:
    """The network as a flowchart of Mermaid."""

    lines: Sequence[NetworkEdge]
    alone: str | None = None


def _kept(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}


_SAFE: Final = {"content-security-policy": "default-src 'none'"}


@router.get(urls.SYSTEM_SVG, permission=Permission.READ, produces=(SVG,), query=network_queries.NETWORK_PARAMETERS)
def draw_network(call: Request) -> WithHeaders:
    """Draw the network: who consumes what of whom, and how that stands."""
    wanted = network_queries.read_query(call)
    return WithHeaders(
        SvgNetwork(network_queries.find_view(call, wanted).lines, wanted.focus), {**_kept("network.svg"), **_SAFE}
    )


@router.get(urls.SYSTEM_DOT, permission=Permission.READ, produces=(GRAPHVIZ,), query=network_queries.NETWORK_PARAMETERS)
def list_network_as_dot(call: Request) -> WithHeaders:
    """Write the network in the language of Graphviz."""
    wanted = network_queries.read_query(call)
    return WithHeaders(DotNetwork(network_queries.find_view(call, wanted).lines, wanted.focus), _kept("network.dot"))


@router.get(
    urls.SYSTEM_MERMAID, permission=Permission.READ, produces=(MERMAID,), query=network_queries.NETWORK_PARAMETERS
)
def list_network_as_mermaid(call: Request) -> WithHeaders:
    """Write the network as a flowchart of Mermaid."""
    wanted = network_queries.read_query(call)
    return WithHeaders(
        MermaidNetwork(network_queries.find_view(call, wanted).lines, wanted.focus), _kept("network.mmd")
    )


MARGIN: Final = 16


MAX_TAB_STOPS: Final = 60


"""Up to how many applications of a drawing are stops of the Tab key; beyond, the list beside it is the quicker way."""


MAX_LINKS: Final = 400


"""Up to how many lines lead to their pacts."""


STATE_LABELS: Final[Mapping[PactState, str]] = {
    PactState.FAILED: "Failed",
    PactState.PENDING: "Failed, pending",
    PactState.CHANGED: "Changed since verified",
    PactState.UNKNOWN: "Not verified",
    PactState.VERIFIED: "Verified",
    PactState.NO_PACT: "No pact",
}


_SIGNS: Final = {PactState.FAILED: "✕", PactState.PENDING: "◔", PactState.CHANGED: "△"}


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


def _drawing(lines: Iterable[NetworkEdge], alone: str | None) -> Drawing:
    edges = tuple(sorted((one.consumer, one.provider) for one in lines))
    return draw_graph(edges, () if alone is None else (alone,))


def _escaped(text: str) -> str:
    """Escape what XML may hold, and replace what it may not."""
    return html.escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", text))


_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# The page


def draw_figure(lines: Sequence[NetworkEdge], me: str | None, href: Callable[[str], str]) -> str:
    """Draw a network for a page, whose style sheet says how it looks."""
    drawing, worst = _drawing(lines, me), network.compute_worst_states(lines)
    state_of = {(one.consumer, one.provider): one.state for one in lines}
    number = {box.name: at for at, box in enumerate(drawing.boxes)}
    stops = "" if len(number) <= MAX_TAB_STOPS else ' tabindex="-1"'
    lines_of_page = _link_of_page if len(lines) <= MAX_LINKS else _line_of_page
    curves = sorted(drawing.curves, key=lambda one: _WORST_LAST[state_of[one.edge]])
    return "\n".join(
        (
            f'<svg class="graph" {_size(drawing)} role="group" aria-label="The network as a graph">',
            '<g class="lines">',
            *(lines_of_page(one, state_of[one.edge], number, href) for one in curves),
            "</g>",
            '<g class="boxes">',
            *(
                f'<a href="{_application(box.name, href)}"{stops} data-n="{number[box.name]}"'
                f' class="{_kind(box, worst, me)}">{_box(box, worst.get(box.name))}</a>'
                for box in drawing.boxes
            ),
            "</g>",
            "</svg>",
        )
    )


def _application(name: str, href: Callable[[str], str]) -> str:
    return _escaped(href(urls.PACTICIPANT.fill(pacticipant=name)))


_WORST_LAST: Final = {state: -at for at, state in enumerate(PactState)}


def _link_of_page(curve: Curve, state: PactState, number: Mapping[str, int], href: Callable[[str], str]) -> str:
    consumer, provider = curve.edge
    target = _escaped(href(urls.LATEST_PACT.fill(provider=provider, consumer=consumer)))
    line = f'<title>{_title(curve.edge, state)}</title><path d="{_path(curve)}"/>'
    ends = f"{number[consumer]} {number[provider]}"
    return f'<a href="{target}" tabindex="-1" class="{state.value}" data-e="{ends}">{line}</a>'


def _line_of_page(curve: Curve, state: PactState, number: Mapping[str, int], _href: Callable[[str], str]) -> str:
    """Draw a line that leads nowhere: thousands of links would be most of a page."""
    consumer, provider = curve.edge
    return f'<path class="{state.value}" data-e="{number[consumer]} {number[provider]}" d="{_path(curve)}"/>'


def _kind(box: Box, worst: Mapping[str, PactState], me: str | None) -> str:
    state = worst.get(box.name, PactState.NO_PACT).value
    return f"{state} me" if box.name == me else state


def _title(edge: Edge, state: PactState) -> str:
    return _escaped(f"{edge[0]} consumes {edge[1]}: {STATE_LABELS[state]}")


def _size(drawing: Drawing) -> str:
    width, height = (round(one + 2 * MARGIN) for one in (drawing.width, drawing.height))
    return f'viewBox="{-MARGIN} {-MARGIN} {width} {height}" width="{width}" height="{height}"'


def _box(box: Box, state: PactState | None) -> str:
    sign = f"<tspan>{_SIGNS[state]} </tspan>" if state in _SIGNS else ""
    title = "" if box.text == box.name else f"<title>{_escaped(box.name)}</title>"
    return (
        f"{title}"
        f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text x="{box.x + 12:.0f}" y="{box.y + BOX_HEIGHT / 2 + 4:.0f}">{sign}{_escaped(box.text)}</text>'
    )


def _path(curve: Curve) -> str:
    """Swing between columns, go straight past them, and end in an arrow."""
    (x, y), *others = curve.points
    pieces = [f"M{x:.0f} {y:.0f}"]
    for at, (next_x, next_y) in enumerate(others):
        half = (x + next_x) / 2
        swing = f"C{half:.0f} {y:.0f} {half:.0f} {next_y:.0f} {next_x:.0f} {next_y:.0f}"
        pieces.append(f"L{next_x:.0f} {next_y:.0f}" if at % 2 else swing)
        x, y = next_x, next_y
    is_leftwards = curve.points[-1][0] < curve.points[-2][0]
    return "".join((*pieces, "m6-4l-6 4 6 4" if is_leftwards else "m-6-4l6 4-6 4"))


# What others keep


@represent.register_text
def network_as_svg(picture: SvgNetwork, place: RenderContext) -> str:
    """Draw a picture on white that needs nothing else, in groups of lines that look alike."""
    drawing, worst = _drawing(picture.lines, picture.alone), network.compute_worst_states(picture.lines)
    state_of = {(one.consumer, one.provider): one.state for one in picture.lines}
    width, height = (round(one + 2 * MARGIN) for one in (drawing.width, drawing.height))
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {_size(drawing)} {_LETTERS}>',
            "<title>The network of applications</title>",
            f'<rect x="{-MARGIN}" y="{-MARGIN}" width="{width}" height="{height}" fill="#fff"/>',
            *(
                _lines_of_picture(state, drawing, state_of)
                for state in sorted(STATE_LABELS, key=_WORST_LAST.__getitem__)
            ),
            *(_box_of_picture(box, worst.get(box.name), place) for box in drawing.boxes),
            "</svg>",
            "",
        )
    )


_LETTERS: Final = 'font-family="system-ui, sans-serif" font-size="12"'


def _lines_of_picture(state: PactState, drawing: Drawing, state_of: Mapping[Edge, PactState]) -> str:
    curves = [one for one in drawing.curves if state_of[one.edge] is state]
    dashes = f' stroke-dasharray="{_DASHES[state]}"' if state in _DASHES else ""
    paths = (f'<path d="{_path(one)}"><title>{_title(one.edge, state)}</title></path>' for one in curves)
    return "\n".join((f'<g fill="none" stroke="{_COLOURS[state]}" stroke-width="1.5"{dashes}>', *paths, "</g>"))


def _box_of_picture(box: Box, state: PactState | None, place: RenderContext) -> str:
    colour = _COLOURS[state or PactState.NO_PACT]
    url = _application(box.name, place.href)
    drawn_box = _box(box, state).replace("<rect ", f'<rect fill="#fff" stroke="{colour}" ')
    return f'<a href="{url}" fill="#17202b">{drawn_box}</a>'


def _numbered(lines: Iterable[NetworkEdge], alone: str | None) -> Mapping[str, int]:
    listed = [*network.list_applications(lines), *([] if alone is None else [alone])]
    return {name: at for at, name in enumerate(dict.fromkeys(listed), start=1)}


@represent.register_text
def network_as_dot(dots: DotNetwork, place: RenderContext) -> str:
    number = _numbered(dots.lines, dots.alone)
    return "\n".join(
        (
            "digraph network {",
            "  rankdir=LR;",
            '  node [shape=box, style=rounded, fontname="Helvetica"];',
            *(f"  n{at} [label={_dot_text(name)}, URL={_dot_url(name, place)}];" for name, at in number.items()),
            *(
                f'  n{number[one.consumer]} -> n{number[one.provider]} [color="{_COLOURS[one.state]}",'
                f" tooltip={_dot_text(STATE_LABELS[one.state])}{', style=dashed' if one.state in _DASHES else ''}];"
                for one in dots.lines
            ),
            "}",
            "",
        )
    )


def _dot_url(name: str, place: RenderContext) -> str:
    return _dot_text(place.href(urls.PACTICIPANT.fill(pacticipant=name)))


def _dot_text(text: str) -> str:
    """Quote a text. Graphviz reads backslashes as its own, and ampersands as HTML has them."""
    plain = _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text).replace("&", "&amp;").replace("\\", "\\\\")
    quoted = plain.replace('"', '\\"')
    return f'"{quoted}"'.replace("\r", "").replace("\n", "\\n")


@represent.register_text
def network_as_mermaid(mermaid: MermaidNetwork, _place: RenderContext) -> str:
    number = _numbered(mermaid.lines, mermaid.alone)
    return "\n".join(
        (
            "flowchart LR",
            *(f'  n{at}["{_mermaid_text(name)}"]' for name, at in number.items()),
            *(f"  n{number[one.consumer]} {_arrow(one)} n{number[one.provider]}" for one in mermaid.lines),
            *_link_styles(mermaid.lines),
            "",
        )
    )


def _arrow(line: NetworkEdge) -> str:
    return _ARROWS.get(line.state, "-.->")


_ARROWS: Final = {
    PactState.VERIFIED: "-->",
    PactState.FAILED: "-->|failed|",
    PactState.PENDING: "-.->|failed, pending|",
}


def _link_styles(lines: Sequence[NetworkEdge]) -> Iterator[str]:
    for state, colour in _COLOURS.items():
        places = [str(at) for at, one in enumerate(lines) if one.state is state]
        if places:
            yield f"  linkStyle {','.join(places)} stroke:{colour}"


def _mermaid_text(text: str) -> str:
    """Write all but letters, digits and what is harmless as the number of its character."""
    return "".join(one if one.isalnum() or one in _HARMLESS else f"#{ord(one)};" for one in text)


_HARMLESS: Final = " -_.,:/"
