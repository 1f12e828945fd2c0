"""Layout of graphs: applications in columns, consumers to the left of their providers, and curves between them.

Each cluster (a connected part of the graph) is laid out on its own by the Sugiyama method: edges that would lead
backwards are reversed, applications are assigned to columns, edges that pass a column get a lane in it, columns are
ordered to reduce crossings, and finally everything moves towards what it is connected with, as far as neighbours
permit. A long chain would make a drawing so wide that its names cannot be read in a window: neighbouring columns are
merged until as much as possible is readable. Edges within a column pass beside its boxes.
"""

import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
LINE_HEIGHT: Final = 14
MAX_SINGLE_LINE: Final = 20
"""Characters of a name up to which it is not broken into two lines."""
MAX_LINE_LENGTH: Final = 32
"""Characters of a line."""
MIN_BOX_WIDTH: Final = 56
PADDING: Final = 46
"""Horizontal padding of a box, with room for a symbol before the name."""
MIN_COLUMN_GAP, MAX_COLUMN_GAP = 64, 180
COLUMN_GAP_PER_LINE: Final = 1.2
"""Additional gap between two columns for each edge between them."""
CLUSTER_GAP: Final = 36
MAX_ROW_WIDTH: Final = 1400
"""Width up to which small clusters share a row."""
WINDOW_WIDTH, WINDOW_HEIGHT = 1380, 640
"""The part of a usual window that a page has for a drawing."""
ARC, ARC_STEP, MAX_ARC = 26, 6, 62
"""Distance from a column of the edges within it; those that pass more boxes are farther away."""
LEVEL_ITERATIONS: Final = 40
"""Iterations that compute levels in cycles."""
ORDER_SWEEPS: Final = 10
"""Passes that reorder columns, alternately from left to right and back."""
POSITION_ROUNDS: Final = 8
"""Passes that move items up and down."""


@dataclass(frozen=True, slots=True)
class Box:
    """The box of an application: its top left corner, and its size."""

    name: str
    x: float
    y: float
    width: float
    height: float = BOX_HEIGHT

    @property
    def lines(self) -> tuple[str, ...]:
        return wrap_name(self.name)

    @property
    def text(self) -> str:
        return "".join(self.lines)


@dataclass(frozen=True, slots=True)
class Curve:
    """The points of an edge, from the consumer to the provider."""

    edge: Edge
    points: Sequence[Point]
    is_arc: bool = False
    """Whether it stays beside a column. The points between its ends are then those that it bends towards."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """The layout of a graph or of one of its clusters."""

    width: float
    height: float
    boxes: Sequence[Box]
    curves: Sequence[Curve]


@lru_cache(maxsize=4096)
def wrap_name(name: str) -> tuple[str, ...]:
    """Break a long name into two lines, and replace characters that cannot be printed.

    Names break after a separator, never inside a word, and are truncated only if even two lines are too short.
    """
    printable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    if len(printable) <= MAX_SINGLE_LINE:
        return (printable,)
    breaks = [match.end() for match in _SEPARATORS.finditer(printable) if match.end() < len(printable)]
    if not breaks:
        return (_truncate(printable),)
    middle = min(breaks, key=lambda position: abs(2 * position - len(printable)))
    return (_truncate(printable[:middle]), _truncate(printable[middle:]))


_SEPARATORS: Final = re.compile(r"[-_ /.:@]+")


def _truncate(line: str) -> str:
    return line if len(line) <= MAX_LINE_LENGTH else line[: MAX_LINE_LENGTH - 1] + "…"


def _compute_height(name: str) -> float:
    return BOX_HEIGHT + LINE_HEIGHT * (len(wrap_name(name)) - 1)


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
    columns, chains = _build_columns(acyclic, _merge_columns(acyclic, _assign_columns(acyclic)))
    return _place(graph, _reduce_crossings(columns, chains), chains)


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


def _merge_columns(graph: Any, column_of: Mapping[str, int]) -> Mapping[str, int]:
    """Merge neighbouring columns so that the drawing fits into a window with the largest letters."""
    best, best_scale = column_of, _estimate_scale(graph, column_of)
    sizes = [0.0] * (max(column_of.values()) + 1)
    for name, column in column_of.items():
        sizes[column] += _compute_height(name) + GAP
    for count in range(len(sizes) - 1, 0, -1):
        group_of = _group_evenly(sizes, count)
        merged = {name: group_of[column] for name, column in column_of.items()}
        scale = _estimate_scale(graph, merged)
        # Fewer columns have to be worth it, since an edge within a column is harder to follow.
        if scale > 1.04 * best_scale:
            best, best_scale = merged, scale
    return best


def _group_evenly(sizes: Sequence[float], count: int) -> list[int]:
    """Assign each column to one of at most `count` groups of neighbours, so that the largest group is small."""
    low, high = max(sizes), sum(sizes)
    while high - low > 1:
        middle = (low + high) / 2
        low, high = (low, middle) if _group_up_to(sizes, middle)[-1] < count else (middle, high)
    return _group_up_to(sizes, high)


def _group_up_to(sizes: Iterable[float], limit: float) -> list[int]:
    groups: list[int] = []
    group, total = 0, 0.0
    for size in sizes:
        if groups and total + size > limit:
            group, total = group + 1, 0.0
        total += size
        groups.append(group)
    return groups


def _estimate_scale(graph: Any, column_of: Mapping[str, int]) -> float:
    """Estimate how much a drawing has to shrink to fit into a window; 1 if it fits."""
    count = max(column_of.values()) + 1
    widths, heights, lanes, edges = [0.0] * count, [0.0] * count, [set[str]() for _ in range(count)], [0] * count
    for name, column in column_of.items():
        widths[column] = max(widths[column], _compute_width(name))
        heights[column] += _compute_height(name) + GAP
    for consumer, provider in graph.edges:
        edges[column_of[consumer]] += 1
        for column in range(column_of[consumer] + 1, column_of[provider]):
            lanes[column].add(provider)
            edges[column] += 1
    height = max(size + (LANE + GAP / 2) * len(passing) for size, passing in zip(heights, lanes, strict=True))
    width = sum(widths) + sum(map(_compute_gap_width, edges[:-1]))
    return min(1.0, WINDOW_WIDTH / width, WINDOW_HEIGHT / height)


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
    beside: list["_Item"] = field(default_factory=list)
    """Items of the same column that an edge connects it with."""

    @property
    def half_height(self) -> float:
        return (_compute_height(self.name) if self.name is not None else LANE) / 2


_Columns = list[list[_Item]]
_Chains = Mapping[Edge, Sequence[_Item]]


def _build_columns(graph: Any, column_of: Mapping[str, int]) -> tuple[_Columns, _Chains]:
    """Put all items into their columns, and return them with the chain of items that each edge runs through.

    Edges within a column have no chain. Edges to the same provider share lanes, which keeps columns short.
    """
    columns: _Columns = [[] for _ in range(max(column_of.values()) + 1)]
    items = {name: _Item(name) for name in column_of}
    for name, index in column_of.items():
        columns[index].append(items[name])
    lanes: dict[tuple[str, int], _Item] = {}
    chains: dict[Edge, Sequence[_Item]] = {}
    for consumer, provider in graph.edges:
        if column_of[consumer] == column_of[provider]:
            items[consumer].beside.append(items[provider])
            items[provider].beside.append(items[consumer])
            continue
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
    # Those that nothing else draws to a place are put beside what they are connected with in their column.
    relevant = neighbours or item.beside
    return sum(neighbour.position for neighbour in relevant) / len(relevant) if relevant else item.position


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
                height = _compute_height(item.name)
                boxes[item.name] = Box(item.name, left, round(item.y - height / 2, 1), width, height)
    column_of = {id(item): index for index, column in enumerate(columns) for item in column}
    position_of = {item.name: position for column in columns for position, item in enumerate(column) if item.name}
    curves = []
    for edge in sorted(graph.edges):
        if edge not in chains and edge[::-1] not in chains:
            passed = abs(position_of[edge[0]] - position_of[edge[1]])
            curves.append(Curve(edge, _draw_arc(boxes[edge[0]], boxes[edge[1]], passed), is_arc=True))
            continue
        # A reversed edge has the chain of its opposite, and runs through it from right to left.
        chain = chains.get(edge)
        points = _list_points(chain or chains[edge[::-1]], column_of, lefts, widths)
        curves.append(Curve(edge, points if chain else points[::-1]))
    height = max(item.y + item.half_height for column in columns for item in column)
    right = max(lefts[-1] + widths[-1], *(x for curve in curves for x, _ in curve.points), 0.0)
    return Drawing(right, height, list(boxes.values()), curves)


def _compute_width(name: str) -> float:
    # East Asian wide characters take the space of two letters.
    letters = max(sum(2 if east_asian_width(letter) in "WF" else 1 for letter in line) for line in wrap_name(name))
    return max(MIN_BOX_WIDTH, round(PADDING + LETTER_WIDTH * letters))


def _compute_lefts(columns: _Columns, widths: Sequence[float]) -> list[float]:
    """Compute the left edge of each column."""
    lefts = [0.0]
    for column, width in zip(columns, widths[:-1], strict=False):
        edge_count = sum(len(item.after) for item in column)
        lefts.append(lefts[-1] + width + _compute_gap_width(edge_count))
    return lefts


def _compute_gap_width(edge_count: int) -> int:
    return round(min(MIN_COLUMN_GAP + COLUMN_GAP_PER_LINE * edge_count, MAX_COLUMN_GAP))


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
    neighbours = (item.before + item.after if turn > POSITION_ROUNDS // 2 else one_side) or item.beside
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


def _draw_arc(start: Box, end: Box, passed: int) -> list[Point]:
    """List the points of an edge within a column, on the right of it, also from an application to itself."""
    right = start.x + start.width
    far = right + (28 if start is end else min(ARC + ARC_STEP * passed, MAX_ARC))
    start_y, end_y = start.y + start.height / 2, end.y + end.height / 2
    # Both ends of an application's edge to itself are at its own box.
    shift = 6 if start is end else 0
    return [(right, start_y - shift), (far, start_y - shift), (far, end_y + shift), (right, end_y + shift)]


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
        boxes += [replace(box, x=box.x + x, y=box.y + y) for box in cluster.boxes]
        curves += [
            replace(curve, points=[(left + x, top + y) for left, top in curve.points]) for curve in cluster.curves
        ]
        row_height, width = max(row_height, cluster.height), max(width, x + cluster.width)
        x += cluster.width + CLUSTER_GAP
    return Drawing(width, y + row_height, boxes, curves)
