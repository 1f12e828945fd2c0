"""Groups of integrations, and the graphs that are made of them."""

from datetime import UTC, datetime, timedelta

import pytest

from treaty.model.pacticipants.integrations import (
    DashboardItem,
    Integration,
    LatestResult,
    build_graph,
    list_connected,
)

IDS = {name: at for at, name in enumerate("ABCDEXY", start=1)}


def integrations(*pairs: str) -> list[Integration]:
    return [
        Integration(consumer=pair[0], provider=pair[1], consumer_id=IDS[pair[0]], provider_id=IDS[pair[1]])
        for pair in pairs
    ]


def pairs(found: list[Integration]) -> list[str]:
    return [integration.consumer + integration.provider for integration in found]


@pytest.mark.parametrize(
    ("given", "start", "enough", "expected"),
    [
        ([], "A", None, []),
        (["XY"], "A", None, []),
        (["AA"], "A", None, ["AA"]),
        (["AB", "BA"], "A", None, ["AB", "BA"]),
        (["CD", "XY", "BC", "AB"], "A", None, ["CD", "BC", "AB"]),
        (["CD", "XY", "BC", "AB"], "D", None, ["CD", "BC", "AB"]),
        (["AB", "BC", "CD", "DE"], "A", 1, []),
        (["AB", "BC", "CD", "DE"], "A", 2, ["AB"]),
        (["AB", "AC", "CD", "DE"], "A", 2, ["AB", "AC"]),
        (["AB", "BC", "CD", "DE"], "A", 3, ["AB", "BC"]),
        (["AB", "BC", "CD", "DE"], "A", 9, ["AB", "BC", "CD", "DE"]),
    ],
)
def test_a_group_contains_the_connected_integrations(
    given: list[str], start: str, enough: int | None, expected: list[str]
) -> None:
    assert pairs(list_connected(integrations(*given), start, enough)) == expected


def test_nodes_stand_in_the_order_of_their_first_appearance() -> None:
    nodes = build_graph(integrations("BA", "CB", "BD"))
    assert [(node.name, node.providers) for node in nodes] == [("B", [1, 4]), ("A", []), ("C", [2]), ("D", [])]


@pytest.mark.parametrize(
    ("success", "was_pending", "hours", "status"),
    [
        (None, None, 0, "never"),
        (True, None, 1, "success"),
        (True, True, -1, "success"),
        (False, True, 1, "failed_pending"),
        (False, False, -1, "failed"),
        (False, None, 1, "failed"),
    ],
)
def test_a_pact_on_the_dashboard_is_as_its_result_and_as_recent_as_the_later_of_both(
    success: bool | None,  # noqa: FBT001 - a column of the table
    was_pending: bool | None,  # noqa: FBT001 - a column of the table
    hours: int,
    status: str,
) -> None:
    published_at = datetime(2024, 5, 6, tzinfo=UTC)
    verified_at = published_at + timedelta(hours=hours)
    result = None if success is None else LatestResult("7", (), (), success, was_pending, verified_at)
    item = DashboardItem("Till", "1", "Ledger", (), (), published_at, result)
    assert (item.verification_status, item.last_activity) == (status, max(published_at, verified_at))
