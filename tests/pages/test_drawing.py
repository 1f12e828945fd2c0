"""Drawings: boxes do not cover each other, consumers stand before their providers, and lines end at their boxes."""

import random

import pytest

from treaty.web.api.overview.network_drawing import BOX_HEIGHT, GAP, draw_graph


def generate_edges(applications, lines, *, seed, has_circles):
    """Make up integrations. Without circles, an application consumes later ones only."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    edges: set[tuple[str, str]] = set()
    while len(edges) < lines:
        consumer, provider = chance.sample(range(applications), 2)
        if not has_circles and consumer > provider:
            consumer, provider = provider, consumer
        edges.add((f"app-{consumer:03}", f"app-{provider:03}"))
    return tuple(sorted(edges))


GRAPHS = [
    generate_edges(8, 7, seed=1, has_circles=False),
    generate_edges(30, 60, seed=2, has_circles=False),
    generate_edges(60, 90, seed=3, has_circles=True),
    generate_edges(200, 150, seed=4, has_circles=True),
]


@pytest.mark.parametrize("edges", GRAPHS)
def test_every_application_has_a_place_of_its_own(edges):
    drawing = draw_graph(edges)
    assert {box.name for box in drawing.boxes} == {name for edge in edges for name in edge}
    for at, first in enumerate(drawing.boxes):
        for second in drawing.boxes[at + 1 :]:
            is_beside = first.x + first.width <= second.x or second.x + second.width <= first.x
            assert is_beside or abs(first.y - second.y) >= BOX_HEIGHT + GAP - 0.2, (first, second)


@pytest.mark.parametrize("edges", GRAPHS)
def test_lines_lead_from_box_to_box_within_the_drawing(edges):
    drawing = draw_graph(edges)
    places = {box.name: box for box in drawing.boxes}
    assert {curve.edge for curve in drawing.curves} == set(edges)
    for curve in drawing.curves:
        for (x, y), name in zip((curve.points[0], curve.points[-1]), curve.edge, strict=True):
            box = places[name]
            assert x in {box.x, box.x + box.width}
            assert y == pytest.approx(box.y + BOX_HEIGHT / 2, abs=0.2)
        assert all(0 <= x <= drawing.width and -0.2 <= y <= drawing.height + 0.2 for x, y in curve.points)


@pytest.mark.parametrize("edges", GRAPHS[:2])
def test_consumers_stand_to_the_left_of_their_providers(edges):
    places = {box.name: box.x for box in draw_graph(edges).boxes}
    assert all(places[consumer] < places[provider] for consumer, provider in edges)


def test_a_line_that_passes_a_column_passes_between_its_boxes():
    drawing = draw_graph((("a", "b"), ("b", "c"), ("a", "c")))
    (middle,) = (box for box in drawing.boxes if box.name == "b")
    (passing,) = (curve for curve in drawing.curves if curve.edge == ("a", "c"))
    heights = [y for x, y in passing.points if middle.x <= x <= middle.x + middle.width]
    assert len(heights) == 2
    assert all(y < middle.y or y > middle.y + BOX_HEIGHT for y in heights)


def test_clusters_stand_apart():
    drawing = draw_graph((("a", "b"), ("c", "d")))
    left = {box.name: box.x for box in drawing.boxes}
    right = {box.name: box.x + box.width for box in drawing.boxes}
    assert max(right["a"], right["b"]) < min(left["c"], left["d"])


def test_the_same_graph_is_always_drawn_alike():
    edges = GRAPHS[2]
    first = draw_graph(edges)
    draw_graph.cache_clear()
    assert draw_graph(edges) == first
