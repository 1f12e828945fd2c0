"""Whatever happened, an override and a policy change exactly the answers that they are about.

The expected answers follow from the rows before the change, and from the history.
"""

from collections.abc import Iterable
from datetime import timedelta
from itertools import product
from typing import Any, NamedTuple

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.api.decision_histories import (
    ENVIRONMENT,
    ENVIRONMENTS,
    HAPPENINGS,
    NAME,
    NAMES,
    PUBLISHED,
    VERIFIED,
    VERSION,
    ForgetfulBroker,
    Story,
)
from tests.histories import history_settings
from tests.scale import choose

EXAMPLES = choose(5, slow=15, long=600)
HISTORY = st.tuples(
    st.lists(PUBLISHED, min_size=2, max_size=6),
    st.lists(VERIFIED, min_size=1, max_size=5),
    st.lists(HAPPENINGS, max_size=12),
).map(lambda parts: [happening for part in parts for happening in part])


class Question(NamedTuple):
    """Whether a version can be deployed to an environment."""

    name: str
    version: str
    environment: str

    @property
    def path(self) -> str:
        return f"/can-i-deploy?pacticipant={self.name}&version={self.version}&environment={self.environment}"


QUESTIONS = [Question(*words) for words in product(NAMES, ("1", "2", "3", "9"), ENVIRONMENTS)]


class Row(NamedTuple):
    consumer: str
    provider: str
    success: bool | None


def tell(broker: ForgetfulBroker, history: Iterable[tuple[Any, ...]]) -> Story:
    story = Story(broker)
    for happening in history:
        story.tell(happening)
    return story


def ask_all(story: Story) -> dict[Question, Any]:
    """Ask every question twice, so that answers come from the cache, too."""
    answers = {}
    for question in QUESTIONS:
        first, second = story.api.get(question.path), story.api.get(question.path)
        assert first.body == second.body
        answers[question] = first.json()
    return answers


def rows_of(answer: Any) -> list[Row]:
    return [
        Row(row["consumer"]["name"], row["provider"]["name"], (row["verificationResult"] or {}).get("success"))
        for row in answer["matrix"]
    ]


def decide(rows: Iterable[Row]) -> bool | None:
    results = [row.success for row in rows]
    return None if None in results else all(results)


def check(question: Question, before: Any, after: Any, remaining: list[Row], kind: str) -> None:
    """Check an answer that is not yes, by the rows that nothing covers."""
    right = decide(remaining)
    event(f"{kind}: {before['summary']['deployable']} becomes {right}")
    assert after["summary"]["deployable"] is right, (question, after)
    assert without_policies(after)["matrix"] == without_policies(before)["matrix"]
    is_covered = len(remaining) < len(before["matrix"])
    kinds = [reason["kind"] for reason in after["reasons"]]
    assert (kind in kinds) is is_covered
    assert "all_verified" not in kinds
    errors = [reason for reason in after["reasons"] if reason["type"] == "error"]
    assert bool(errors) is (right is not True)
    # Everything that prevented the deployment before is still named, with its cause.
    causes = [reason["cause"] for reason in after["reasons"] if "cause" in reason]
    assert sorted(causes) == sorted(reason["cause"] for reason in before["reasons"] if "cause" in reason)


@pytest.mark.slow_on_postgresql  # examples of both run there
@history_settings(EXAMPLES)
@given(
    history=HISTORY,
    target=st.tuples(NAME, VERSION, ENVIRONMENT),
    counterpart=st.one_of(st.none(), NAME),
    is_revoked=st.booleans(),
)
def test_an_override_changes_the_answers_of_its_version_and_environment_while_it_is_active(
    forgetful_broker: ForgetfulBroker,
    history: list[tuple[Any, ...]],
    target: tuple[str, str, str],
    counterpart: str | None,
    is_revoked: bool,  # noqa: FBT001 - drawn
) -> None:
    story = tell(forgetful_broker, history)
    name, version, environment = target
    story.history.version(name, version)
    before = ask_all(story)
    body = {
        "pacticipantName": name,
        "pacticipantVersionNumber": version,
        "environmentName": environment,
        "reason": "An outage.",
    }
    created = story.api.post("/overrides", body | ({"counterpart": counterpart} if counterpart else {}))
    assert created.status == 201, created.text
    after = ask_all(story)
    for question in QUESTIONS:
        if question != target or before[question]["summary"]["deployable"]:
            assert after[question] == before[question]
            continue
        remaining = [
            row
            for row in rows_of(before[question])
            if row.success or counterpart not in {None, row.provider if row.consumer == name else row.consumer}
        ]
        check(question, before[question], after[question], remaining, "overridden")
    if is_revoked:
        assert story.api.delete(f"/overrides/{created.json()['uuid']}").status == 204
    else:
        forgetful_broker.clock.now += timedelta(hours=24)
    assert ask_all(story) == before


@pytest.mark.slow_on_postgresql  # examples of both run there
@history_settings(EXAMPLES)
@given(
    history=HISTORY,
    environment=ENVIRONMENT,
    of_environment=st.booleans(),
    pairs=st.dictionaries(st.tuples(NAME, NAME), st.sampled_from(["allow", "deny"]), max_size=2),
)
def test_a_policy_allows_only_providers_that_are_deployed_nowhere(
    forgetful_broker: ForgetfulBroker,
    history: list[tuple[Any, ...]],
    environment: str,
    of_environment: bool,  # noqa: FBT001 - drawn
    pairs: dict[tuple[str, str], str],
) -> None:
    story = tell(forgetful_broker, history)
    before = ask_all(story)
    policies = {}
    for (consumer, provider), choice in pairs.items():
        path = f"/integrations/provider/{provider}/consumer/{consumer}/first-deployments"
        answer = story.api.put(path, {"firstDeployments": choice})
        assert answer.status in {200, 404}
        if answer.status == 200:
            policies[consumer, provider] = choice == "allow"
    path = f"/environments/{story.history.environment(environment)}"
    body = {"name": environment, "production": False, "firstDeployments": "allow" if of_environment else "deny"}
    assert story.api.put(path, body).status == 200

    def is_covered(question: Question, row: Row) -> bool:
        allowed = policies.get((row.consumer, row.provider), of_environment and question.environment == environment)
        is_nowhere = not any(story.world.live(row.provider, place) for place in ENVIRONMENTS)
        is_first = row.consumer == question.name != row.provider
        return row.success is None and allowed and is_nowhere and is_first

    after = ask_all(story)
    for question in QUESTIONS:
        rows = rows_of(before[question])
        remaining = [row for row in rows if not is_covered(question, row)]
        if before[question]["summary"]["deployable"] or len(remaining) == len(rows):
            assert without_policies(after[question]) == without_policies(before[question])
        else:
            check(question, before[question], after[question], remaining, "first_deployment")


def without_policies(answer: Any) -> Any:
    """Leave out when the environment was changed, which rows show."""
    for row in answer["matrix"]:
        for side in ("consumer", "provider"):
            for place in (row[side]["version"] or {}).get("environments", ()):
                place.pop("updatedAt", None)
    return answer
