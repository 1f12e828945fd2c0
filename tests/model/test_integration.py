"""Groups of integrations, and the graphs that are made of them."""

import pytest

from treaty.model.pacticipants.integrations import Integration, build_graph, list_connected

IDS = {name: at for at, name in enumerate("ABCDEXY", start=1)}


def integrations(*pairs: str) -> list[Integration]:
    return [
        Integration(consumer=pair[0], provider=pair[1], consumer_id=IDS[pair[0]], provider_id=IDS[pair[1]])
        for pair in pairs
    ]


def pairs(found: list[Integration]) -> list[str]:
    return [one.consumer + one.provider for one in found]


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
def test_a_group_holds_what_is_connected(given: list[str], start: str, enough: int | None, expected: list[str]) -> None:
    assert pairs(list_connected(integrations(*given), start, enough)) == expected


def test_nodes_stand_in_the_order_of_their_first_appearance() -> None:
    found = build_graph(integrations("BA", "CB", "BD"))
    assert [(node.name, node.providers) for node in found] == [("B", [1, 4]), ("A", []), ("C", [2]), ("D", [])]
