"""What the matrix may not be asked."""

import pytest

from treaty.model.decisions.questions import Destination, Question, limit_of, refusals
from treaty.model.decisions.selectors import Selector

FOO = Selector(pacticipant="Foo")
NAMELESS = Selector(pacticipant="")
AMBIGUOUS = Selector(pacticipant="Foo", version="1", is_latest=True)
ONE_DESTINATION = "Cannot specify more than one of tag, environment and mainBranch."


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        (Question(selectors=(FOO,)), []),
        (Question(selectors=()), ["Please provide 1 or more version selectors."]),
        (Question(selectors=(NAMELESS,)), ["Please specify the pacticipant name"]),
        (
            Question(selectors=(Selector(pacticipant="Baz"), NAMELESS, AMBIGUOUS)),
            [
                "Please specify the pacticipant name",
                "A version number and latest flag cannot both be specified for Foo",
                "Pacticipant Baz not found",
            ],
        ),
        (
            Question(selectors=(FOO,), ignore=(NAMELESS, AMBIGUOUS)),
            [
                "Please specify the pacticipant name to ignore",
                "A version number and latest flag cannot both be specified for Foo to ignore",
            ],
        ),
        (Question(selectors=(FOO,), ignore=(Selector(pacticipant="Baz"),)), []),
        (Question(selectors=(FOO,), destination=Destination(tag="t", environment="test")), [ONE_DESTINATION]),
        (
            Question(selectors=(FOO,), destination=Destination(environment="test", is_main_branch=False)),
            [ONE_DESTINATION],
        ),
        (Question(selectors=(FOO,), destination=Destination(is_main_branch=False)), []),
        (
            Question(selectors=(FOO,), destination=Destination(environment="test", is_latest=True)),
            ["Cannot specify both latest=true and an environment."],
        ),
        (
            Question(selectors=(FOO,), destination=Destination(environment="moon")),
            ["Environment with name 'moon' does not exist"],
        ),
        (Question(selectors=(FOO,), limit=0), ["The limit must be 1 or greater."]),
        (Question(selectors=(FOO,), limit=1), []),
    ],
)
def test_every_fault_of_a_question_is_named_in_order(question: Question, texts: list[str]) -> None:
    assert refusals(question, {"Foo"}, {"test"}) == texts


def test_the_selectors_of_a_pair_are_not_looked_at() -> None:
    question = Question(selectors=(Selector(pacticipant="Baz"),), limit=0)
    assert refusals(question, {"Foo"}, (), of_selectors=False) == ["The limit must be 1 or greater."]


@pytest.mark.parametrize(
    ("text", "limit"),
    [(None, 100), ("", 100), ("7", 7), ("5x", 5), ("abc", 0), ("0", 0), ("-3", -1), (" 9", 9), ("9" * 40, 2**31 - 1)],
)
def test_a_limit_is_the_digits_that_it_begins_with(text: str | None, limit: int) -> None:
    assert limit_of(text) == limit
