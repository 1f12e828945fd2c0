"""The tables of answers on pages, which count results, agree with can-i-deploy about every version and environment."""

import re
from collections.abc import Collection
from itertools import product
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.api.client import Api
from tests.api.comparison_histories import CONSUMERS, PROVIDER, ComparisonBroker, steps
from tests.api.decision_histories import (
    ENVIRONMENT,
    ENVIRONMENTS,
    HAPPENINGS,
    MANY,
    NAME,
    NAMES,
    PUBLISHED,
    VERIFIED,
    VERSION,
    ForgetfulBroker,
    Story,
)
from tests.api.history import History
from tests.histories import history_settings
from tests.scale import choose

WORDS = {"Yes": True, "No": False, "Not yet": None}
CELL = re.compile(
    r'href="[^"]*\?version=(?P<version>[^"&]*)&amp;to=(?P<environment>[^"#]*)#why"[^>]*>(?P<answer>.*?)</a>', re.DOTALL
)
HTML = "text/html,application/xhtml+xml"
Answers = dict[tuple[str, str], bool | None]
"""By version and environment."""


def read_table(api: Api, path: str) -> Answers:
    """Read the table of answers on a page."""
    page = api.get(path, accept=HTML)
    assert page.status == 200, page.text
    table = page.text.partition('class="stacked answers"')[2].partition("</table>")[0]
    answers: Answers = {}
    for cell in CELL.finditer(table):
        (answer,) = [answer for word, answer in WORDS.items() if re.search(rf"\b{word}\b", cell["answer"])]
        answers[unquote(cell["version"]), unquote(cell["environment"])] = answer
    return answers


def check(api: Api, name: str, versions: Collection[str], environments: Collection[str]) -> Answers:
    """Compare the pages of an application and of its versions with can-i-deploy, for these versions at least."""
    if not versions:
        return {}
    answers = read_table(api, f"/pacticipants/{name}?heads=all")
    assert set(answers) >= set(product(versions, environments))
    for version in versions:
        answers_of_version = {key: answer for key, answer in answers.items() if key[0] == version}
        assert read_table(api, f"/pacticipants/{name}/versions/{version}") == answers_of_version
    assert answers == {(version, environment): ask(api, name, version, environment) for version, environment in answers}
    return answers


def ask(api: Api, name: str, version: str, environment: str) -> bool | None:
    answer = api.get(f"/can-i-deploy?pacticipant={name}&version={version}&environment={environment}")
    assert answer.status == 200, answer.text
    deployable: bool | None = answer.json()["summary"]["deployable"]
    return deployable


def override(api: Api, name: str, version: str, environment: str, counterpart: str | None = None) -> None:
    body = {
        "pacticipantName": name,
        "pacticipantVersionNumber": version,
        "environmentName": environment,
        "reason": "An outage.",
    }
    created = api.post("/overrides", body | ({"counterpart": counterpart} if counterpart else {}))
    assert created.status == 201, created.text


def allow_first_deployments(history: History, environment: str) -> None:
    path = f"/environments/{history.environment(environment)}"
    body = {"name": environment, "production": False, "firstDeployments": "allow"}
    assert history.api.put(path, body).status == 200


# Random histories


def is_with_itself(happening: tuple[Any, ...]) -> bool:
    """Whether an application publishes a pact with itself. The answers for it are not counted."""
    match happening:
        case ("publish", consumer, _, provider, _) | ("many", consumer, provider, *_):
            return bool(consumer == provider)
        case _:
            return False


HAS_PACTS_WITH_ITSELF = st.sampled_from([True, False, False])
HISTORIES = st.tuples(
    st.lists(PUBLISHED, min_size=2, max_size=7),
    st.lists(VERIFIED, min_size=1, max_size=6),
    st.one_of(*[st.just([])] * 4, st.lists(MANY, min_size=1, max_size=1)),
    st.lists(HAPPENINGS, max_size=16),
).map(lambda parts: [happening for part in parts for happening in part])
OVERRIDES = st.lists(st.tuples(NAME, VERSION, ENVIRONMENT, st.one_of(st.none(), NAME)), max_size=2)


@pytest.mark.slow_on_postgresql  # `test_a_table_has_each_kind_of_answer` runs the statements there
@history_settings(choose(4, slow=20, long=600))
@given(
    history=HISTORIES,
    has_pacts_with_itself=HAS_PACTS_WITH_ITSELF,
    overrides=OVERRIDES,
    first_deployments=st.one_of(st.none(), ENVIRONMENT),
)
def test_a_table_has_the_answers_of_can_i_deploy(
    forgetful_broker: ForgetfulBroker,
    history: list[tuple[Any, ...]],
    has_pacts_with_itself: bool,  # noqa: FBT001 - drawn
    overrides: list[tuple[str, str, str, str | None]],
    first_deployments: str | None,
) -> None:
    story = Story(forgetful_broker)
    for happening in history:
        if has_pacts_with_itself or not is_with_itself(happening):
            story.tell(happening)
    for name, version, environment, counterpart in overrides:
        if (name, version) in story.world.versions:
            override(story.api, name, version, environment, counterpart)
    if first_deployments:
        allow_first_deployments(story.history, first_deployments)
    for name in NAMES:
        # A table has the heads of ten branches.
        versions = sorted((number for owner, number in story.world.versions if owner == name), key=int)[-6:]
        for version in versions:
            story.history.branch(name, version, f"only-{version}")
        for answer in check(story.api, name, versions, ENVIRONMENTS).values():
            event(str(answer))


@pytest.mark.slow_on_postgresql  # `test_a_table_has_each_kind_of_answer` runs the statements there
@history_settings(choose(8, slow=25, long=400))
@given(story=st.lists(steps, min_size=6, max_size=16))
def test_a_table_has_the_answers_of_can_i_deploy_about_provider_contracts(
    comparison_broker: ComparisonBroker, story: list[tuple[Any, ...]]
) -> None:
    broker, history = comparison_broker, History(comparison_broker.api)
    broker.forget()
    existing = broker.api.get("/environments").json()["_embedded"]["environments"]
    history.environments.update((environment["name"], environment["uuid"]) for environment in existing)
    for step in story:
        broker.act(step)
    world = broker.world
    consumers = {name: sorted(number for owner, number in world.pacts if owner == name) for name in CONSUMERS}
    versions_by_name = {**consumers, PROVIDER: sorted(world.versions)}
    for name, versions in versions_by_name.items():
        for version in versions:
            history.branch(name, version, f"only-{version}")
            history.release(name, version, "live")
    for name, versions in versions_by_name.items():
        # A server without time to compare shows the pairs that are compared so far, and the other compares the rest.
        for api in (broker.hurried, broker.api):
            for answer in check(api, name, versions, ["live"]).values():
                event(str(answer))


# Each kind of answer, on both databases


def test_a_table_has_each_kind_of_answer(api: Api) -> None:
    history = History(api)
    for environment in ("test", "live", "empty"):
        history.environment(environment)
    for number in ("1", "2"):
        history.publish("Shop", number, "Till", f"content {number}")
        history.publish("Web", number, "Till", "content")
    history.verify("Shop", "1", "Till", "1")
    history.verify("Shop", "2", "Till", "1", success=False)
    history.verify("Shop", "1", "Till", "2", success=False)
    history.verify("Web", "1", "Till", "1")
    history.publish("Till", "1", "Bank", "content")
    history.publish("Till", "4", "Bank", "content")
    for number in ("1", "2", "3", "4", "5"):
        history.branch("Till", number, f"only-{number}")
    for name in ("Shop", "Web"):
        for number in ("1", "2"):
            history.branch(name, number, f"only-{number}")
    history.deploy("Shop", "1", "test")
    history.release("Web", "2", "test")
    history.deploy("Shop", "2", "live")
    history.deploy("Shop", "1", "live", "blue")
    history.deploy("Till", "1", "live")
    history.deploy("Till", "2", "live", "blue")
    tills = {("1", "empty"): None, ("1", "live"): None, ("1", "test"): None, ("2", "test"): None, ("5", "empty"): True}
    answers = check(api, "Till", ["1", "2", "3", "4", "5"], ["test", "live", "empty"])
    assert {key: answers[key] for key in tills} == tills
    shops = check(api, "Shop", ["1", "2"], ["test", "live", "empty"])
    assert shops["1", "live"] is False
    assert shops["2", "live"] is None
    override(api, "Till", "2", "live")
    override(api, "Till", "3", "test", "Web")
    allow_first_deployments(history, "empty")
    answers = check(api, "Till", ["1", "2", "3", "4", "5"], ["test", "live", "empty"])
    assert answers["2", "live"] is True
    assert answers["4", "empty"] is True
    assert answers["3", "test"] is None


def test_a_table_has_no_yes_without_a_comparison(comparison_broker: ComparisonBroker) -> None:
    broker, history = comparison_broker, History(comparison_broker.api)
    broker.forget()
    for step in (
        ("pact", "Shop", "1", "prices"),
        ("contract", "1", "", "prices", True),
        ("verify", "Shop", "1", "1", True),
    ):
        broker.act(step)
    for name in ("Shop", PROVIDER):
        history.branch(name, "1", "only-1")
        history.deploy(name, "1", "live")
    for name in ("Shop", PROVIDER):
        assert check(broker.hurried, name, ["1"], ["live"]) == {("1", "live"): None}
    for name in ("Shop", PROVIDER):
        assert check(broker.api, name, ["1"], ["live"]) == {("1", "live"): True}
