"""The network: which applications are near another one, and how many are shown."""

import pytest

from treaty.model.overview.history import ResultTotals
from treaty.model.overview.network import (
    NetworkEdge,
    choose_depth,
    compute_distances,
    compute_worst_states,
    list_applications,
    select_within,
)
from treaty.model.overview.overview import OverviewFilter, PactState, compute_pact_state


def _edges(*pairs: str, state: PactState = PactState.VERIFIED) -> list[NetworkEdge]:
    return [NetworkEdge(consumer=pair[0], provider=pair[1], state=state) for pair in pairs]


CHAIN = _edges("AB", "CB", "CD", "DE", "XY")


def test_applications_are_listed_in_the_order_of_their_appearance() -> None:
    assert list_applications(CHAIN) == ["A", "B", "C", "D", "E", "X", "Y"]


@pytest.mark.parametrize(
    ("start", "distances"),
    [
        ("A", {"A": 0, "B": 1, "C": 2, "D": 3, "E": 4}),
        ("C", {"C": 0, "B": 1, "D": 1, "A": 2, "E": 2}),
        ("X", {"X": 0, "Y": 1}),
        ("Z", {"Z": 0}),
    ],
)
def test_distances_ignore_the_direction_of_integrations(start: str, distances: dict[str, int]) -> None:
    assert compute_distances(start, CHAIN) == distances


def test_a_circle_has_the_shortest_distances() -> None:
    assert compute_distances("A", _edges("AB", "BC", "CD", "DA", "AA")) == {"A": 0, "B": 1, "D": 1, "C": 2}


@pytest.mark.parametrize(("max_applications", "depth"), [(10, 4), (5, 4), (4, 3), (3, 2), (2, 1), (1, 1)])
def test_the_depth_shows_as_many_applications_as_fit_and_the_neighbours_at_least(
    max_applications: int, depth: int
) -> None:
    assert choose_depth(compute_distances("A", CHAIN), max_applications) == depth


def test_of_applications_at_one_distance_all_or_none_are_shown() -> None:
    star = compute_distances("A", _edges("AB", "BC", "BD", "BE"))
    assert [choose_depth(star, count) for count in (5, 4, 3, 2)] == [2, 1, 1, 1]
    assert choose_depth({"A": 0}, 5) == 1


@pytest.mark.parametrize(("depth", "count"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 4)])
def test_integrations_of_near_applications_are_selected(depth: int, count: int) -> None:
    assert select_within(CHAIN, compute_distances("A", CHAIN), depth) == CHAIN[:count]


def test_an_application_has_the_worst_state_of_its_integrations() -> None:
    edges = [
        *_edges("AB", state=PactState.VERIFIED),
        *_edges("BC", state=PactState.UNKNOWN),
        *_edges("CD", state=PactState.FAILED),
        *_edges("DE", state=PactState.NO_PACT),
    ]
    assert compute_worst_states(edges) == {
        "A": PactState.VERIFIED,
        "B": PactState.UNKNOWN,
        "C": PactState.FAILED,
        "D": PactState.FAILED,
        "E": PactState.NO_PACT,
    }


@pytest.mark.parametrize(
    ("success", "was_pending", "state"),
    [
        (None, None, PactState.UNKNOWN),
        (True, None, PactState.VERIFIED),
        (True, True, PactState.VERIFIED),
        (False, True, PactState.PENDING),
        (False, False, PactState.FAILED),
        (False, None, PactState.FAILED),
    ],
)
def test_the_state_of_a_pact_follows_from_its_newest_result(
    success: bool | None,  # noqa: FBT001 - a column of the table
    was_pending: bool | None,  # noqa: FBT001 - a column of the table
    state: PactState,
) -> None:
    assert compute_pact_state(success=success, was_pending=was_pending) is state


@pytest.mark.parametrize(
    ("totals", "state"),
    [
        ((0, 0, 0), PactState.VERIFIED),
        ((2, 0, 0), PactState.VERIFIED),
        ((2, 1, 1), PactState.FAILED),
        ((2, 0, 1), PactState.UNKNOWN),
    ],
)
def test_results_are_summed_up(totals: tuple[int, int, int], state: PactState) -> None:
    verified, failed, unknown = totals
    summary = ResultTotals(verified=verified, failed=failed, unknown=unknown)
    assert (summary.total, summary.state) == (sum(totals), state)


def test_a_filter_is_empty_unless_a_part_is_set() -> None:
    assert OverviewFilter().is_empty
    for filters in (OverviewFilter(words=("a",)), OverviewFilter(label="a"), OverviewFilter(state=PactState.FAILED)):
        assert not filters.is_empty
