"""Names that paths and indexes can hold, pages of lists, the depth of JSON, and the contents of pacts."""

import json
from datetime import UTC, datetime

import pytest

from treaty.errors import Invalid
from treaty.model.json_nesting import is_deeper
from treaty.model.maintenance.metrics import PactSize, measure_pact, sum_sizes
from treaty.model.names import MAX_LENGTH, check_name, check_not_blank, find_forbidden_character
from treaty.model.overview.environment_grid import MAX_NEWER_COUNT, GridCell
from treaty.model.pacts.provider_states import collect_provider_states
from treaty.model.paging import MAX_OFFSET, Page


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Shop", None),
        ("", None),
        ("a\rb", None),
        ("a\nb", "cannot contain multiple lines"),
        ("a\tb", "cannot contain a tab character"),
        ("a\0b", "cannot contain a null character"),
    ],
)
def test_a_name_has_only_characters_that_paths_can_contain(name: str, problem: str | None) -> None:
    assert find_forbidden_character(name) == problem


@pytest.mark.parametrize(
    ("name", "is_valid"),
    [
        ("a" * MAX_LENGTH, True),
        ("a" * (MAX_LENGTH + 1), False),
        ("é" * (MAX_LENGTH // 2), True),
        ("é" * (MAX_LENGTH // 2 + 1), False),
        ("a\tb", False),
    ],
)
def test_a_name_is_no_longer_than_an_index_can_hold(name: str, *, is_valid: bool) -> None:
    if is_valid:
        assert check_name("tag", name) == name
    else:
        with pytest.raises(Invalid):
            check_name("tag", name)


def test_a_blank_name_is_refused() -> None:
    assert check_not_blank("tag", " a ") == " a "
    for name in ("", " \n"):
        with pytest.raises(Invalid):
            check_not_blank("tag", name)


@pytest.mark.parametrize(
    ("number", "size", "offset", "limit"),
    [
        (1, 10, 0, 10),
        (2, 10, 10, 10),
        (3, 7, 14, 7),
        (2, MAX_OFFSET, MAX_OFFSET, MAX_OFFSET),
        (3, MAX_OFFSET, MAX_OFFSET, MAX_OFFSET),
        (1, MAX_OFFSET + 1, 0, MAX_OFFSET),
    ],
)
def test_a_page_is_a_part_of_a_list(number: int, size: int, offset: int, limit: int) -> None:
    page = Page(number, size)
    assert (page.offset, page.limit) == (offset, limit)


def _nested(depth: int, *, is_list: bool) -> object:
    tree: object = [] if is_list else {}
    for _ in range(depth - 1):
        tree = [1, tree] if is_list else {"a": 1, "b": tree}
    return tree


@pytest.mark.parametrize("is_list", [True, False])
@pytest.mark.parametrize(("depth", "limit", "expected"), [(1, 1, False), (2, 1, True), (3, 3, False), (4, 3, True)])
def test_the_depth_of_nesting_is_limited(*, is_list: bool, depth: int, limit: int, expected: bool) -> None:
    assert is_deeper(_nested(depth, is_list=is_list), limit) is expected


@pytest.mark.parametrize(
    ("pact", "size"),
    [
        ({"interactions": [1, 2], "messages": [3]}, (2, 1)),
        ({"interactions": {"a": 1}, "messages": None}, (0, 0)),
        ([1, 2], (0, 0)),
        ("interactions", (0, 0)),
    ],
)
def test_the_interactions_and_messages_of_any_pact_are_counted(pact: object, size: tuple[int, int]) -> None:
    assert measure_pact(json.dumps(pact).encode()) == PactSize(*size)


def test_sizes_are_summed() -> None:
    assert sum_sizes([PactSize(1, 2), PactSize(3, 4)]) == PactSize(4, 6)
    assert sum_sizes([]) == PactSize(0, 0)


def _states(*pacts: tuple[str, object]) -> list[tuple[str, str | None, tuple[str, ...]]]:
    collected = collect_provider_states((consumer, json.dumps(pact).encode()) for consumer, pact in pacts)
    return [(state.name, state.params, state.consumers) for state in collected.states]


def test_provider_states_are_collected_from_every_form() -> None:
    pact = {
        "interactions": [
            {"providerState": "b"},
            {"providerState": ""},
            {"providerState": 7},
            {
                "providerStates": [
                    {"name": "a", "params": {"y": 1, "x": 2}},
                    {"name": "b", "params": {}},
                    {"name": 7},
                    "c",
                ]
            },
            {"providerStates": {"name": "d"}},
            7,
        ],
        "messages": [{"providerStates": [{"name": "a"}]}],
    }
    assert _states(("Shop", pact), ("Till", {"interactions": {"a": 1}}), ("App", {"messages": pact["messages"]})) == [
        ("", None, ("Shop",)),
        ("a", None, ("Shop", "App")),
        ("a", '{"x":2,"y":1}', ("Shop",)),
        ("b", None, ("Shop",)),
    ]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (MAX_NEWER_COUNT - 1, str(MAX_NEWER_COUNT - 1)), (MAX_NEWER_COUNT, f"{MAX_NEWER_COUNT - 1}+")],
)
def test_many_newer_versions_are_not_counted_exactly(count: int, text: str) -> None:
    cell = GridCell(
        pacticipant="Shop",
        environment="e",
        version="1",
        instance=None,
        since=datetime(2024, 5, 6, tzinfo=UTC),
        is_release=False,
        has_main_branch=True,
        is_on_main_branch=True,
        newer_count=count,
    )
    assert cell.newer_count_text == text
