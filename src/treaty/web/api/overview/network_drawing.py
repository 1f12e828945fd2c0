"""Layout of graphs: applications in columns, consumers to the left of their providers, and curves between them.

Each cluster (a connected part of the graph) is laid out on its own by the Sugiyama method: edges that would lead
backwards are reversed, applications are assigned to columns, edges that pass a column get a lane in it, columns are
ordered to reduce crossings, and finally everything moves towards what it is connected with, as far as neighbours
permit.
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

# Lengths are in pixels of the drawing.
BOX_HEIGHT: Final = 28
GAP: Final = 12
"""Vertical gap between two boxes."""
LANE: Final = 10
"""Height that an edge takes up in a column that it passes."""
LETTER_WIDTH: Final = 7.2
MAX_NAME_LENGTH: Final = 30
MIN_BOX_WIDTH: Final = 56
PADDING: Final = 46
"""Horizontal padding of a box, with room for a symbol before the name."""
MIN_COLUMN_GAP, MAX_COLUMN_GAP = 70, 260
COLUMN_GAP_PER_LINE: Final = 2.2
"""Additional gap between two columns for each edge between them."""
CLUSTER_GAP: Final = 36
MAX_ROW_WIDTH: Final = 1400
"""Width up to which small clusters share a row."""
LEVEL_ITERATIONS: Final = 40
"""Iterations that compute levels in cycles."""
ORDER_SWEEPS: Final = 10
"""Passes that reorder columns, alternately from left to right and back."""
POSITION_ROUNDS: Final = 8
"""Passes that move items up and down."""


@dataclass(frozen=True, slots=True)
class Box:
    """The box of an application: its top left corner, and its width."""

    name: str
    x: float
    y: float
    width: float

    @property
    def text(self) -> str:
        return shorten_name(self.name)


@dataclass(frozen=True, slots=True)
class Curve:
    """The points of an edge, from the consumer to the provider."""

    edge: Edge
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The layout of a graph or of one of its clusters."""

    width: float
    height: float
    boxes: Sequence[Box]
    curves: Sequence[Curve]


def shorten_name(name: str) -> str:
    """Shorten a name to the width of a box, and replace characters that cannot be printed."""
    printable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    return printable if len(printable) <= MAX_NAME_LENGTH else printable[: MAX_NAME_LENGTH - 1] + "…"


@lru_cache(maxsize=8)
def draw_graph(edges: tuple[Edge, ...], alone: tuple[str, ...] = ()) -> Drawing:
    """Lay out a graph. `alone` names applications to draw even if they have no edges.

    The layout of a large graph takes seconds, so the last ones are cached. The page and its exports share them.
    """
    # Imported on first use: loading networkx takes half as long as starting a server.
    networkx = import_module("networkx")
    graph = networkx.DiGraph()
    graph.add_nodes_from(alone)
    graph.add_edges_from(edges)
    clusters = networkx.weakly_connected_components(graph)
    ordered_clusters = sorted(clusters, key=lambda names: (-len(names), min(names)))
    return _pack([_draw_cluster(graph.subgraph(names)) for names in ordered_clusters])


# Columns


def _draw_cluster(graph: Any) -> Drawing:
    acyclic = _reverse_back_edges(graph)
    rows, chains = _build_columns(acyclic, _assign_columns(acyclic))
    return _place(graph, _reduce_crossings(rows, chains), chains)


def _reverse_back_edges(graph: Any) -> Any:
    """Return the graph with some edges reversed, so that it has no cycles."""
    networkx = import_module("networkx")
    components = list(networkx.strongly_connected_components(graph))
    component_of = {name: index for index, component in enumerate(components) for name in component}
    levels = _compute_levels(graph) if len(components) < len(graph) else {}
    acyclic = networkx.DiGraph()
    acyclic.add_nodes_from(sorted(graph.nodes))
    for consumer, provider in sorted(graph.edges):
        if consumer == provider:
            continue
        is_in_cycle = component_of[consumer] == component_of[provider]
        # Names break ties, so that equal levels cannot leave a cycle.
        leads_back = is_in_cycle and (levels[consumer], consumer) > (levels[provider], provider)
        acyclic.add_edge(*((provider, consumer) if leads_back else (consumer, provider)))
    return acyclic


def _compute_levels(graph: Any) -> Mapping[str, float]:
    """Compute how far to the right each application belongs if the graph has cycles.

    Each level approaches the average of one step after its consumers and one step before its providers.
    """
    levels = dict.fromkeys(sorted(graph.nodes), 0.0)
    consumers = {name: list(graph.predecessors(name)) for name in levels}
    providers = {name: list(graph.successors(name)) for name in levels}
    for _ in range(LEVEL_ITERATIONS):
        for name in levels:
            before, after = consumers[name], providers[name]
            total = sum(levels[neighbour] for neighbour in before + after) + len(before) - len(after)
            levels[name] = total / (len(before) + len(after))
    return levels


def _assign_columns(graph: Any) -> dict[str, int]:
    """Assign each application to a column after those of all its consumers."""
    order = list(import_module("networkx").lexicographical_topological_sort(graph))
    columns: dict[str, int] = {}
    for name in order:
        columns[name] = max((columns[consumer] + 1 for consumer in graph.predecessors(name)), default=0)
    # With more providers than consumers, moving next to the providers makes the edges shorter in total.
    for name in reversed(order):
        provider_columns = [columns[provider] for provider in graph.successors(name)]
        if provider_columns and len(provider_columns) > graph.in_degree(name):
            columns[name] = min(provider_columns) - 1
    first = min(columns.values())
    return {name: column - first for name, column in columns.items()}


@dataclass(slots=True)
class _Item:
    """An application in a column, or the lane of edges that pass the column."""

    name: str | None
    """Name of the application; None for a lane."""
    position: int = 0
    """Position in the order of its column."""
    y: float = 0
    before: list["_Item"] = field(default_factory=list)
    after: list["_Item"] = field(default_factory=list)

    @property
    def half_height(self) -> float:
        return (BOX_HEIGHT if self.name is not None else LANE) / 2


_Columns = list[list[_Item]]
_Chains = Mapping[Edge, Sequence[_Item]]


def _build_columns(graph: Any, column_of: Mapping[str, int]) -> tuple[_Columns, _Chains]:
    """Put all items into their columns, and return them with the chain of items that each edge runs through.

    Edges to the same provider share lanes, which keeps columns short.
    """
    columns: _Columns = [[] for _ in range(max(column_of.values()) + 1)]
    items = {name: _Item(name) for name in column_of}
    for name, index in column_of.items():
        columns[index].append(items[name])
    lanes: dict[tuple[str, int], _Item] = {}
    chains: dict[Edge, Sequence[_Item]] = {}
    for consumer, provider in graph.edges:
        passed_columns = range(column_of[consumer] + 1, column_of[provider])
        for index in passed_columns:
            if (provider, index) not in lanes:
                lanes[provider, index] = _Item(None)
                columns[index].append(lanes[provider, index])
        chain = [items[consumer], *(lanes[provider, index] for index in passed_columns), items[provider]]
        chains[consumer, provider] = chain
        for item, next_item in pairwise(chain):
            item.after.append(next_item)
            next_item.before.append(item)
    return columns, chains


# Order


def _reduce_crossings(columns: _Columns, chains: _Chains) -> _Columns:
    """Order each column by the average positions of connected items, sweeping to and fro, and return the best order."""
    _number_positions(columns)
    best, min_crossings = [list(column) for column in columns], _count_crossings(columns)
    for sweep in range(ORDER_SWEEPS if chains else 0):
        is_forward = sweep % 2 == 0
        for column in columns[1:] if is_forward else columns[-2::-1]:
            column.sort(key=lambda item: _average_position(item, item.before if is_forward else item.after))
            _number_positions([column])
        crossings = _count_crossings(columns)
        if crossings < min_crossings:
            best, min_crossings = [list(column) for column in columns], crossings
    _number_positions(best)
    return best


def _number_positions(columns: Iterable[Sequence[_Item]]) -> None:
    for column in columns:
        for position, item in enumerate(column):
            item.position = position


def _average_position(item: _Item, neighbours: Sequence[_Item]) -> float:
    return sum(neighbour.position for neighbour in neighbours) / len(neighbours) if neighbours else item.position


def _count_crossings(columns: _Columns) -> int:
    """Count pairs of edges between neighbouring columns that cross: they end in the opposite order of their starts."""
    crossings = 0
    for column in columns:
        previous_ends: list[int] = []
        for item in column:
            ends = [neighbour.position for neighbour in item.after]
            crossings += sum(len(previous_ends) - bisect_left(previous_ends, end + 1) for end in ends)
            for end in ends:
                insort(previous_ends, end)
    return crossings


# Positions


def _place(graph: Any, columns: _Columns, chains: _Chains) -> Drawing:
    _move_vertically(columns)
    widths = [
        max((_compute_width(item.name) for item in column if item.name is not None), default=0.0) for column in columns
    ]
    lefts = _compute_lefts(columns, widths)
    top = min(item.y - item.half_height for column in columns for item in column)
    boxes: dict[str, Box] = {}
    for column, left, width in zip(columns, lefts, widths, strict=True):
        for item in column:
            item.y = round(item.y - top, 1)
            if item.name is not None:
                boxes[item.name] = Box(item.name, left, round(item.y - BOX_HEIGHT / 2, 1), width)
    column_of = {id(item): index for index, column in enumerate(columns) for item in column}
    curves = []
    for edge in sorted(graph.edges):
        if edge[0] == edge[1]:
            curves.append(Curve(edge, _draw_loop(boxes[edge[0]])))
            continue
        # A reversed edge has the chain of its opposite, and runs through it from right to left.
        chain = chains.get(edge)
        points = _list_points(chain or chains[edge[::-1]], column_of, lefts, widths)
        curves.append(Curve(edge, points if chain else points[::-1]))
    height = max(item.y + item.half_height for column in columns for item in column)
    return Drawing(lefts[-1] + widths[-1], height, list(boxes.values()), curves)


def _compute_width(name: str) -> float:
    # East Asian wide characters take the space of two letters.
    letters = sum(2 if east_asian_width(letter) in "WF" else 1 for letter in shorten_name(name))
    return max(MIN_BOX_WIDTH, round(PADDING + LETTER_WIDTH * letters))


def _compute_lefts(columns: _Columns, widths: Sequence[float]) -> list[float]:
    """Compute the left edge of each column."""
    lefts = [0.0]
    for column, width in zip(columns, widths[:-1], strict=False):
        edge_count = sum(len(item.after) for item in column)
        gap = min(MIN_COLUMN_GAP + COLUMN_GAP_PER_LINE * edge_count, MAX_COLUMN_GAP)
        lefts.append(lefts[-1] + width + round(gap))
    return lefts


def _move_vertically(columns: _Columns) -> None:
    """Move items towards their neighbours, as far as the order and the gaps of their column permit."""
    for column in columns:
        _spread(column, [0.0] * len(column))
    for turn in range(POSITION_ROUNDS):
        for column in columns if turn % 2 else columns[::-1]:
            _spread(column, [_compute_target_y(item, turn) for item in column])


def _compute_target_y(item: _Item, turn: int) -> float:
    # First align with one side at a time, then balance both.
    one_side = item.before if turn % 2 else item.after
    neighbours = item.before + item.after if turn > POSITION_ROUNDS // 2 else one_side
    return sum(neighbour.y for neighbour in neighbours) / len(neighbours) if neighbours else item.y


def _spread(column: Sequence[_Item], targets: Sequence[float]) -> None:
    """Place the items of a column close to their targets without overlap.

    Items that would overlap form a block, which is placed at the average of its items' targets. That minimizes the sum
    of squared distances (isotonic regression by pooling adjacent violators).
    """
    offsets, offset = [], 0.0
    for above, item in zip([None, *column], column, strict=False):
        offset += above.half_height + _compute_gap(above, item) + item.half_height if above else 0
        offsets.append(offset)
    blocks: list[tuple[float, int]] = []
    for target, offset in zip(targets, offsets, strict=True):
        mean, count = target - offset, 1
        while blocks and blocks[-1][0] >= mean:
            block_mean, block_count = blocks.pop()
            mean, count = (mean * count + block_mean * block_count) / (count + block_count), count + block_count
        blocks.append((mean, count))
    starts = [mean for mean, count in blocks for _ in range(count)]
    for item, start, offset in zip(column, starts, offsets, strict=True):
        item.y = start + offset


def _compute_gap(above: _Item, below: _Item) -> float:
    return GAP if above.name is not None and below.name is not None else GAP / 2


def _list_points(
    chain: Sequence[_Item], column_of: Mapping[int, int], lefts: Sequence[float], widths: Sequence[float]
) -> list[Point]:
    """List the left and right end of each item in a chain, without the left of the first and the right of the last."""
    points: list[Point] = []
    for index, item in enumerate(chain):
        column = column_of[id(item)]
        if index:
            points.append((lefts[column], item.y))
        if index < len(chain) - 1:
            points.append((lefts[column] + widths[column], item.y))
    return points


def _draw_loop(box: Box) -> list[Point]:
    """List the points of an edge from an application to itself, on the right side of its box."""
    right, middle = box.x + box.width, box.y + BOX_HEIGHT / 2
    return [(right, middle - 6), (right + 22, middle - 6), (right + 22, middle + 6), (right, middle + 6)]


# Clusters


def _pack(clusters: Sequence[Drawing]) -> Drawing:
    """Arrange clusters in rows, in the given order."""
    max_width = max([MAX_ROW_WIDTH, *(cluster.width for cluster in clusters)])
    x = y = row_height = width = 0.0
    boxes: list[Box] = []
    curves: list[Curve] = []
    for cluster in clusters:
        if x and x + cluster.width > max_width:
            x, y, row_height = 0.0, y + row_height + CLUSTER_GAP, 0.0
        boxes += [Box(box.name, box.x + x, box.y + y, box.width) for box in cluster.boxes]
        curves += [Curve(curve.edge, [(left + x, top + y) for left, top in curve.points]) for curve in cluster.curves]
        row_height, width = max(row_height, cluster.height), max(width, x + cluster.width)
        x += cluster.width + CLUSTER_GAP
    return Drawing(width, y + row_height, boxes, curves)
