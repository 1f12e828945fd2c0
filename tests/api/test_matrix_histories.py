"""For random histories, the matrix equals the one computed from the rules."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.api.decision_histories import (
    HAPPENINGS,
    MANY,
    PUBLISHED,
    VERIFIED,
    ForgetfulBroker,
    Story,
    deployment_questions,
    matrix_questions,
)
from tests.histories import history_settings
from tests.oracle.matrix_oracle import Expected, expected
from tests.scale import choose
from treaty.model.decisions.matrix import MAX_REASONS

EXAMPLES, QUESTIONS = choose((15, 4), slow=(35, 4), long=(560, 25))
"""The number of stories, and the minimum number of questions after each."""


def check(question: Mapping[str, Any], answer: Any, right: Expected) -> None:
    """Compare an answer with the right one. Where there are more rows than the limit, it shows some of them."""
    summary = answer["summary"]
    assert summary["deployable"] is right.deployable
    assert (summary["success"], summary["failed"], summary["unknown"]) == right.counts
    assert summary.get("ignored") == right.ignored
    rows = [row_of(row) for row in answer["matrix"]]
    limit = question.get("limit", 100 if "can-i-deploy" not in question else len(right.rows))
    assert answer["rows"] == {"shown": len(rows), "total": len(right.rows)}
    assert len(rows) == min(limit, len(right.rows))
    if len(rows) == len(right.rows):
        assert rows == right.rows
    assert not Counter(rows) - Counter(right.rows)
    reasons = [notice["text"] for notice in answer["notices"]]
    if right.obstacles <= MAX_REASONS:
        assert reasons == right.reasons
    else:
        assert not Counter(reasons[:-1]) - Counter(right.reasons)


def row_of(row: Any) -> tuple[object, ...]:
    consumer, provider, result = row["consumer"], row["provider"], row["verificationResult"]
    return (
        consumer["name"],
        provider["name"],
        consumer["version"]["number"],
        provider["version"]["number"] if provider["version"] else None,
        int(result["_links"]["self"]["href"].rpartition("/")[2]) if result else None,
        result["success"] if result else None,
    )


@history_settings(EXAMPLES)
@given(
    pacts=st.lists(PUBLISHED, min_size=2, max_size=6),
    results=st.lists(VERIFIED, min_size=1, max_size=6),
    more=st.lists(HAPPENINGS, max_size=16),
    many=st.one_of(*[st.just([])] * 9, st.lists(MANY, min_size=1, max_size=1)),
    questions=st.lists(
        st.one_of(matrix_questions(), deployment_questions()), min_size=QUESTIONS, max_size=2 * QUESTIONS
    ),
)
def test_the_matrix_answers_by_the_rules(
    forgetful_broker: ForgetfulBroker,
    pacts: list[tuple[Any, ...]],
    results: list[tuple[Any, ...]],
    more: list[tuple[Any, ...]],
    many: list[tuple[Any, ...]],
    questions: list[dict[str, Any]],
) -> None:
    story = Story(forgetful_broker)
    for happening in (*pacts, *results, *many, *more):
        story.tell(happening)
    for question in questions:
        check(question, story.ask(question), expected(story.world, question))
