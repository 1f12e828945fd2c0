"""Questions that the matrix refuses."""

import pytest

from treaty.model.decisions.queries import (
    Destination,
    LatestBy,
    MatrixQuery,
    build_deployment_query,
    list_problems,
    parse_limit,
)
from treaty.model.decisions.selectors import Selector

FOO = Selector(pacticipant="Foo")
NAMELESS = Selector(pacticipant="")
AMBIGUOUS = Selector(pacticipant="Foo", version="1", is_latest=True)
ONE_DESTINATION = "Cannot specify more than one of tag, environment and mainBranch."


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        (MatrixQuery(selectors=(FOO,)), []),
        (MatrixQuery(selectors=(Selector(pacticipant="Foo", version="1"),)), []),
        (MatrixQuery(selectors=(Selector(pacticipant="Foo", is_latest=True),)), []),
        (MatrixQuery(selectors=(FOO,), ignore=(Selector(pacticipant="Foo", version="1"),)), []),
        (MatrixQuery(selectors=(FOO,), ignore=(Selector(pacticipant="Foo", is_latest=True),)), []),
        (MatrixQuery(selectors=()), ["Please provide 1 or more version selectors."]),
        (MatrixQuery(selectors=(NAMELESS,)), ["Please specify the pacticipant name"]),
        (
            MatrixQuery(selectors=(Selector(pacticipant="Baz"), NAMELESS, AMBIGUOUS)),
            [
                "Please specify the pacticipant name",
                "A version number and latest flag cannot both be specified for Foo",
                "Pacticipant Baz not found",
            ],
        ),
        (
            MatrixQuery(selectors=(FOO,), ignore=(NAMELESS, AMBIGUOUS)),
            [
                "Please specify the pacticipant name to ignore",
                "A version number and latest flag cannot both be specified for Foo to ignore",
            ],
        ),
        (MatrixQuery(selectors=(FOO,), ignore=(Selector(pacticipant="Baz"),)), []),
        (MatrixQuery(selectors=(FOO,), destination=Destination(tag="t", environment="test")), [ONE_DESTINATION]),
        (
            MatrixQuery(selectors=(FOO,), destination=Destination(environment="test", is_main_branch=False)),
            [ONE_DESTINATION],
        ),
        (MatrixQuery(selectors=(FOO,), destination=Destination(is_main_branch=False)), []),
        (
            MatrixQuery(selectors=(FOO,), destination=Destination(environment="test", is_latest=True)),
            ["Cannot specify both latest=true and an environment."],
        ),
        (
            MatrixQuery(selectors=(FOO,), destination=Destination(environment="moon")),
            ["Environment with name 'moon' does not exist"],
        ),
        (MatrixQuery(selectors=(FOO,), limit=0), ["The limit must be 1 or greater."]),
        (MatrixQuery(selectors=(FOO,), limit=1), []),
        (MatrixQuery(selectors=(FOO,), limit=2), []),
        (MatrixQuery(selectors=(FOO,), limit=-1), ["The limit must be 1 or greater."]),
    ],
)
def test_every_fault_of_a_question_is_named_in_order(question: MatrixQuery, texts: list[str]) -> None:
    assert list_problems(question, {"Foo"}, {"test"}) == texts


def test_the_selectors_of_a_pair_are_not_checked() -> None:
    question = MatrixQuery(selectors=(Selector(pacticipant="Baz"),), limit=0)
    assert list_problems(question, {"Foo"}, (), of_selectors=False) == ["The limit must be 1 or greater."]


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        *((None, 100), ("", 100), ("7", 7), ("5x", 5), ("abc", 0), ("0", 0), ("-1", -1), ("-3", -1), ("+3", 3)),
        *((" 9", 9), (" " * 20 + "9", 9), ("0" * 20 + "9", 9), ("-" + "0" * 20, 0), ("- 3", 0), ("\u0663", 0)),
        *(("2147483646", 2**31 - 2), ("2147483647", 2**31 - 1), ("2147483648", 2**31 - 1), ("9" * 5000, 2**31 - 1)),
    ],
)
def test_a_limit_is_the_digits_that_it_begins_with(text: str | None, limit: int) -> None:
    assert parse_limit(text) == limit


@pytest.mark.parametrize(
    ("destination", "flags"),
    [
        (Destination(), (False, False, False)),
        (Destination(is_main_branch=False), (False, False, False)),
        (Destination(is_latest=True), (False, True, False)),
        (Destination(is_main_branch=True), (True, True, False)),
        (Destination(tag="t"), (True, True, True)),
        (Destination(environment="test"), (True, True, True)),
    ],
)
def test_a_destination_may_be_a_place_or_the_latest_versions(
    destination: Destination, flags: tuple[bool, bool, bool]
) -> None:
    assert (destination.has_location, destination.is_set, destination.has_live_versions) == flags


def test_a_destination_selects_versions_of_any_pacticipant() -> None:
    destination = Destination(tag="t", environment="test", is_main_branch=True, is_latest=True)
    expected = Selector(pacticipant="Foo", tag="t", environment="test", is_main_branch=True, is_latest=True)
    assert destination.selector("Foo") == expected
    assert Destination(is_main_branch=False).selector("Foo") == Selector(pacticipant="Foo")


@pytest.mark.parametrize(
    ("destination", "latest_by"),
    [
        (Destination(environment="test"), LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION),
        (Destination(tag="t"), LatestBy.CONSUMER_VERSION),
        (Destination(is_main_branch=True), LatestBy.CONSUMER_VERSION),
    ],
)
def test_an_environment_may_run_several_versions(destination: Destination, latest_by: LatestBy) -> None:
    query = build_deployment_query(FOO, destination, ignore=(NAMELESS,))
    assert (query.latest_by, query.destination, query.ignore) == (latest_by, destination, (NAMELESS,))
    assert query.pacticipants == {"Foo", ""}
