"""Drawing graphs: applications in columns, consumers to the left of their providers, and lines between them.

Each cluster (what is connected with each other) is drawn on its own, in the steps of Sugiyama's method: lines that
would lead backwards are turned, applications get a column, lines that pass a column get a place in it, the columns are
put in an order with few crossings, and everything moves to what it is connected with as far as its neighbours let it.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from itertools import pairwise
from typing import Any, Final
from unicodedata import east_asian_width

Edge = tuple[str, str]
Point = tuple[float, float]

BOX_HEIGHT: Final = 28
"""Of the box of an application."""
GAP: Final = 12
"""Between two boxes, one below the other."""
LANE: Final = 10
"""What a line takes that passes a column."""
LETTER_WIDTH: Final = 7.2
MAX_NAME_LENGTH: Final = 30
MIN_BOX_WIDTH: Final = 56
PADDING: Final = 46
"""Beside the name in a box, where there may be a sign before it."""
MIN_COLUMN_GAP, MAX_COLUMN_GAP = 70, 260
"""Between two columns."""
COLUMN_GAP_PER_LINE: Final = 2.2
"""How much farther a line between two columns puts them apart."""
CLUSTER_GAP: Final = 36
MAX_ROW_WIDTH: Final = 1400
"""How wide a row of small clusters gets."""
LEVELLINGS: Final = 40
SWEEPS: Final = 10
ROUNDS: Final = 8


@dataclass(frozen=True, slots=True)
class Box:
    """An application: the left upper corner, and how wide it is."""

    name: str
    x: float
    y: float
    width: float

    @property
    def text(self) -> str:
        return shorten_name(self.name)


@dataclass(frozen=True, slots=True)
class Curve:
    """A line from a consumer to a provider, through points between which it swings."""

    edge: Edge
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Where everything is."""

    width: float
    height: float
    boxes: Sequence[Box]
    curves: Sequence[Curve]


def shorten_name(name: str) -> str:
    """Shorten a name to what a box holds."""
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name)
    return shown if len(shown) <= MAX_NAME_LENGTH else shown[: MAX_NAME_LENGTH - 1] + "…"


@lru_cache(maxsize=8)
def draw_graph(edges: tuple[Edge, ...], alone: tuple[str, ...] = ()) -> Drawing:
    """Draw a graph; the same one again is remembered. Applications with no edge may be named, too."""
    graph = import_module("networkx").DiGraph()  # it takes as long to load as half a server does
    graph.add_nodes_from(alone)
    graph.add_edges_from(edges)
    clusters = import_module("networkx").weakly_connected_components(graph)
    ordered = sorted(clusters, key=lambda names: (-len(names), min(names)))
    return _packed([_cluster(graph.subgraph(names)) for names in ordered])


# Columns


def _cluster(graph: Any) -> Drawing:
    forward = _forward(graph)
    columns = _columns(forward)
    rows, chains = _rows(forward, columns)
    ordered = _ordered(rows, chains)
    return _placed(graph, ordered, chains)


def _forward(graph: Any) -> Any:
    """Turn some lines, so that no chain of them leads back to where it began."""
    networkx = import_module("networkx")
    groups = list(networkx.strongly_connected_components(graph))
    group_of = {name: at for at, group in enumerate(groups) for name in group}
    level = _levels(graph) if len(groups) < len(graph) else {}
    found = networkx.DiGraph()
    found.add_nodes_from(sorted(graph.nodes))
    for consumer, provider in sorted(graph.edges):
        if consumer == provider:
            continue
        is_circle = group_of[consumer] == group_of[provider]
        is_back = is_circle and (level[consumer], consumer) > (level[provider], provider)
        found.add_edge(*((provider, consumer) if is_back else (consumer, provider)))
    return found


def _levels(graph: Any) -> Mapping[str, float]:
    """Say how far along each application stands, where some consume each other in circles.

    Each is drawn towards one step behind its consumers and one step before its providers, on average.
    """
    level = dict.fromkeys(sorted(graph.nodes), 0.0)
    consumers = {name: list(graph.predecessors(name)) for name in level}
    providers = {name: list(graph.successors(name)) for name in level}
    for _ in range(LEVELLINGS):
        for name in level:
            before, after = consumers[name], providers[name]
            wanted = sum(level[one] for one in before + after) + len(before) - len(after)
            level[name] = wanted / (len(before) + len(after))
    return level


def _columns(graph: Any) -> dict[str, int]:
    """Give each application a column, behind those of all its consumers and close to its providers."""
    order = list(import_module("networkx").lexicographical_topological_sort(graph))
    column: dict[str, int] = {}
    for name in order:
        column[name] = max((column[one] + 1 for one in graph.predecessors(name)), default=0)
    for name in reversed(order):
        following = [column[one] for one in graph.successors(name)]
        if following and len(following) > graph.in_degree(name):
            column[name] = min(following) - 1
    first = min(column.values())
    return {name: at - first for name, at in column.items()}


@dataclass(slots=True)
class _Item:
    """What has a place in a column: an application, or a line that passes."""

    name: str | None
    at: int = 0
    """Its place in the order of its column."""
    y: float = 0
    before: list["_Item"] = field(default_factory=list)
    after: list["_Item"] = field(default_factory=list)

    @property
    def half(self) -> float:
        return (BOX_HEIGHT if self.name is not None else LANE) / 2


_Rows = list[list[_Item]]
_Chains = Mapping[Edge, Sequence[_Item]]


def _rows(graph: Any, columns: Mapping[str, int]) -> tuple[_Rows, _Chains]:
    """Put all items into their columns, and connect them. Lines to the same provider share their way."""
    rows: _Rows = [[] for _ in range(max(columns.values()) + 1)]
    items = {name: _Item(name) for name in columns}
    for name, at in columns.items():
        rows[at].append(items[name])
    lanes: dict[tuple[str, int], _Item] = {}
    chains: dict[Edge, Sequence[_Item]] = {}
    for consumer, provider in graph.edges:
        between = range(columns[consumer] + 1, columns[provider])
        for at in between:
            if (provider, at) not in lanes:
                lanes[provider, at] = _Item(None)
                rows[at].append(lanes[provider, at])
        chain = [items[consumer], *(lanes[provider, at] for at in between), items[provider]]
        chains[consumer, provider] = chain
        for one, next_one in pairwise(chain):
            one.after.append(next_one)
            next_one.before.append(one)
    return rows, chains


# Order


def _ordered(rows: _Rows, chains: _Chains) -> _Rows:
    """Order each column by the middles of what its items are connected with, to and fro, and keep the best order."""
    _number(rows)
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(SWEEPS if chains else 0):
        is_forth = sweep % 2 == 0
        for row in rows[1:] if is_forth else rows[-2::-1]:
            row.sort(key=lambda item: _middle(item, item.before if is_forth else item.after))
            _number([row])
        crossings = _crossings(rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    _number(best)
    return best


def _number(rows: Iterable[Sequence[_Item]]) -> None:
    for row in rows:
        for at, item in enumerate(row):
            item.at = at


def _middle(item: _Item, others: Sequence[_Item]) -> float:
    return sum(one.at for one in others) / len(others) if others else item.at


def _crossings(rows: _Rows) -> int:
    found = 0
    for row in rows:
        passed: list[int] = []
        for item in row:
            ends = [one.at for one in item.after]
            found += sum(len(passed) - bisect_left(passed, end + 1) for end in ends)
            for end in ends:
                insort(passed, end)
    return found


# Places


def _placed(graph: Any, rows: _Rows, chains: _Chains) -> Drawing:
    _settle(rows)
    widths = [max((_width(item.name) for item in row if item.name is not None), default=0.0) for row in rows]
    lefts = _lefts(rows, widths)
    top = min(item.y - item.half for row in rows for item in row)
    boxes: dict[str, Box] = {}
    for row, left, width in zip(rows, lefts, widths, strict=True):
        for item in row:
            item.y = round(item.y - top, 1)
            if item.name is not None:
                boxes[item.name] = Box(item.name, left, round(item.y - BOX_HEIGHT / 2, 1), width)
    column = {id(item): at for at, row in enumerate(rows) for item in row}
    curves = []
    for edge in sorted(graph.edges):
        if edge[0] == edge[1]:
            curves.append(Curve(edge, _loop(boxes[edge[0]])))
            continue
        chain = chains.get(edge)
        points = _points(chain or chains[edge[::-1]], column, lefts, widths)
        curves.append(Curve(edge, points if chain else points[::-1]))
    height = max(item.y + item.half for row in rows for item in row)
    return Drawing(lefts[-1] + widths[-1], height, list(boxes.values()), curves)


def _width(name: str) -> float:
    letters = sum(2 if east_asian_width(one) in "WF" else 1 for one in shorten_name(name))
    return max(MIN_BOX_WIDTH, round(PADDING + LETTER_WIDTH * letters))


def _lefts(rows: _Rows, widths: Sequence[float]) -> list[float]:
    lefts = [0.0]
    for row, width in zip(rows, widths[:-1], strict=False):
        lines = sum(len(item.after) for item in row)
        lefts.append(lefts[-1] + width + round(min(MIN_COLUMN_GAP + COLUMN_GAP_PER_LINE * lines, MAX_COLUMN_GAP)))
    return lefts


def _settle(rows: _Rows) -> None:
    """Move all towards what it is connected with, as far as the order and the room between items let it."""
    for row in rows:
        _spread(row, [0.0] * len(row))
    for turn in range(ROUNDS):
        for row in rows if turn % 2 else rows[::-1]:
            _spread(row, [_height_wanted(item, turn) for item in row])


def _height_wanted(item: _Item, turn: int) -> float:
    others = item.before + item.after if turn > ROUNDS // 2 else (item.before if turn % 2 else item.after)
    return sum(one.y for one in others) / len(others) if others else item.y


def _spread(row: Sequence[_Item], wanted: Sequence[float]) -> None:
    """Place a column as near to what is wanted as can be: neighbours that would overlap move as one block."""
    offsets, offset = [], 0.0
    for above, item in zip([None, *row], row, strict=False):
        offset += above.half + _gap(above, item) + item.half if above else 0
        offsets.append(offset)
    blocks: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - offset, 1
        while blocks and blocks[-1][0] >= mean:
            other, others = blocks.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        blocks.append((mean, count))
    starts = [mean for mean, count in blocks for _ in range(count)]
    for item, start, offset in zip(row, starts, offsets, strict=True):
        item.y = start + offset


def _gap(above: _Item, below: _Item) -> float:
    return GAP if above.name is not None and below.name is not None else GAP / 2


def _points(
    chain: Sequence[_Item], column: Mapping[int, int], lefts: Sequence[float], widths: Sequence[float]
) -> list[Point]:
    points: list[Point] = []
    for place, item in enumerate(chain):
        at = column[id(item)]
        if place:
            points.append((lefts[at], item.y))
        if place < len(chain) - 1:
            points.append((lefts[at] + widths[at], item.y))
    return points


def _loop(box: Box) -> list[Point]:
    """Lead from an application to itself, around its right upper corner."""
    right, middle = box.x + box.width, box.y + BOX_HEIGHT / 2
    return [(right, middle - 6), (right + 22, middle - 6), (right + 22, middle + 6), (right, middle + 6)]


# Clusters


def _packed(clusters: Sequence[Drawing]) -> Drawing:
    """Put clusters into rows, the largest first."""
    limit = max([MAX_ROW_WIDTH, *(one.width for one in clusters)])
    x = y = height = width = 0.0
    boxes: list[Box] = []
    curves: list[Curve] = []
    for one in clusters:
        if x and x + one.width > limit:
            x, y, height = 0.0, y + height + CLUSTER_GAP, 0.0
        boxes += [Box(box.name, box.x + x, box.y + y, box.width) for box in one.boxes]
        curves += [Curve(curve.edge, [(a + x, b + y) for a, b in curve.points]) for curve in one.curves]
        x, height, width = x + one.width + CLUSTER_GAP, max(height, one.height), max(width, x + one.width)
    return Drawing(width, y + height, boxes, curves)
