"""`POST /decisions`: whether several versions can be deployed together, without which of them, and in which order."""

from typing import Any

import pytest

from tests.api.conftest import Answer, Api
from tests.api.history import History

PATH = "/decisions"


@pytest.fixture
def history(api: Api) -> History:
    return History(api)


def ask(api: Api, *members: str, environment: str = "prod") -> Any:
    answer = send(api, *members, environment=environment)
    assert answer.status == 200, answer.text
    return answer.json()


def send(api: Api, *members: str, environment: str = "prod") -> Answer:
    versions = [dict(zip(("pacticipant", "version"), member.rsplit("@", 1), strict=True)) for member in members]
    return api.post(PATH, {"environment": environment, "versions": versions})


def names(members: list[dict[str, str]] | None) -> list[str] | None:
    return None if members is None else [f"{member['pacticipant']}@{member['version']}" for member in members]


def kinds(answer: Any) -> list[str]:
    return [reason["kind"] for reason in answer["reasons"]]


def publish(history: History, consumer: str, version: str, provider: str, *verified_by: str) -> None:
    """Publish a pact with a content of its own, so that it shares no results with other versions."""
    history.publish(consumer, version, provider, f"{consumer} {version}")
    for number in verified_by:
        history.verify(consumer, version, provider, number)


def test_versions_that_only_work_together_are_deployed_together(api: Api, history: History) -> None:
    """Neither can be deployed alone, and no order is safe: today's decision about each is a no."""
    publish(history, "web", "1", "prices", "1")
    publish(history, "web", "2", "prices", "2")
    history.deploy("web", "1", "prod")
    history.deploy("prices", "1", "prod")
    answer = ask(api, "web@2", "prices@2")
    assert answer["deployable"] is True
    assert answer["leaveOut"] == []
    assert answer["order"] is None
    assert kinds(answer) == ["all_verified", "deploy_together"]
    assert answer["reasons"][1]["text"] == (
        "Deploy prices (2) and web (2) together: each of them works only with the new versions of the others, so that "
        "no order is safe"
    )
    for member in ("web@2", "prices@2"):
        alone = ask(api, member)
        assert alone["deployable"] is None
        assert names(alone["leaveOut"]) == [member]


def test_a_yes_has_an_order_in_which_each_step_is_safe(api: Api, history: History) -> None:
    """The provider works with the old consumer, but the new consumer needs the new provider."""
    publish(history, "web", "1", "prices", "1", "2")
    publish(history, "web", "2", "prices", "2")
    history.deploy("web", "1", "prod")
    history.deploy("prices", "1", "prod")
    answer = ask(api, "web@2", "prices@2")
    assert answer["deployable"] is True
    assert names(answer["order"]) == ["prices@2", "web@2"]
    assert kinds(answer) == ["all_verified", "deploy_in_order"]
    assert answer["reasons"][1]["text"] == (
        "Deploy prices (2) before web (2), which does not work with the versions before"
    )


def test_the_provider_of_a_new_consumer_may_be_part_of_the_set(api: Api, history: History) -> None:
    publish(history, "api", "1", "prices", "1")
    history.environment("prod")
    answer = ask(api, "api@1", "prices@1")
    assert (answer["deployable"], names(answer["order"])) == (True, ["prices@1", "api@1"])
    alone = ask(api, "api@1")
    assert alone["deployable"] is None
    assert kinds(alone) == ["not_deployed", "leave_out"]
    assert alone["reasons"][0]["next"]["text"] == "Deploy a version of prices to prod first, and record its deployment."


def test_of_a_no_the_smallest_set_to_leave_out_is_named(api: Api, history: History) -> None:
    """Three consumers of a provider that works with none of them: leaving out the provider is enough."""
    for name in ("a", "b", "c"):
        publish(history, name, "1", "prices", "1")
        history.deploy(name, "1", "prod")
    history.deploy("prices", "1", "prod")
    for name in ("a", "b", "c"):
        publish(history, name, "2", "prices", "1")
        history.verify(name, "2", "prices", "2", success=False)
    answer = ask(api, "a@2", "b@2", "c@2", "prices@2")
    assert answer["deployable"] is False
    assert names(answer["leaveOut"]) == ["prices@2"]
    assert answer["leaveOutIsSmallest"] is True
    assert names(answer["order"]) == ["a@2", "b@2", "c@2"]
    assert kinds(answer) == [*["failed_verification"] * 3, "leave_out"]
    assert answer["reasons"][-1]["text"] == "Without prices (2), the other versions can be deployed"


def test_of_equal_sets_the_first_by_name_is_left_out(api: Api, history: History) -> None:
    history.publish("web", "2", "prices")
    history.verify("web", "2", "prices", "2", success=False)
    history.verify("web", "2", "prices", "1")
    history.deploy("prices", "1", "prod")
    answer = ask(api, "web@2", "prices@2")
    assert (names(answer["leaveOut"]), names(answer["order"])) == (["prices@2"], ["web@2"])


def test_a_version_in_an_application_instance_is_not_replaced(api: Api, history: History) -> None:
    publish(history, "web", "2", "prices", "2")
    history.version("prices", "1")
    history.deploy("prices", "1", "prod")
    assert ask(api, "web@2", "prices@2")["deployable"] is True
    history.deploy("prices", "1", "prod", "blue")
    answer = ask(api, "web@2", "prices@2")
    assert answer["deployable"] is None
    assert names(answer["leaveOut"]) == ["web@2"]


def test_pairs_without_a_member_are_not_part_of_the_decision(api: Api, history: History) -> None:
    history.publish("other", "1", "broken")
    history.verify("other", "1", "broken", "1", success=False)
    history.deploy("other", "1", "prod")
    history.deploy("broken", "1", "prod")
    publish(history, "web", "1", "prices", "1")
    assert ask(api, "web@1", "prices@1")["deployable"] is True


def test_names_may_contain_any_character(api: Api, history: History) -> None:
    publish(history, "@acme/web", "a/b", "@acme/prices", "1@2")
    history.environment("prod")
    body = {
        "environment": "prod",
        "versions": [
            {"pacticipant": "@acme/web", "version": "a/b"},
            {"pacticipant": "@acme/prices", "version": "1@2"},
        ],
    }
    answer = api.post(PATH, body).json()
    assert answer["deployable"] is True
    assert answer["order"][0] == {"pacticipant": "@acme/prices", "version": "1@2"}
    hrefs = [link["href"] for link in answer["_links"]["pb:pacticipant-version"]]
    assert [api.get(href.partition("//")[2].partition("/")[1] + href.split("/", 3)[3]).status for href in hrefs] == [
        200,
        200,
    ]


def test_a_version_that_does_not_exist_is_left_out(api: Api, history: History) -> None:
    publish(history, "web", "1", "prices", "1")
    history.deploy("prices", "1", "prod")
    answer = ask(api, "web@1", "prices@9")
    assert answer["deployable"] is False
    assert (names(answer["leaveOut"]), names(answer["order"])) == (["prices@9"], ["web@1"])
    assert kinds(answer) == ["no_such_version", "leave_out"]
    nothing = ask(api, "prices@9")
    assert (nothing["deployable"], nothing["order"]) == (False, None)
    assert nothing["reasons"][-1]["text"] == "None of these versions can be deployed now"


def test_unknown_names_are_refused_as_by_other_decisions(api: Api, history: History) -> None:
    history.version("web", "1")
    history.version("old", "1")
    history.environment("prod")
    api.post("/pacticipants/old/rename", {"name": "new"})
    answer = send(api, "web@1", "old@1", "nobody@1", environment="prdo")
    assert answer.status == 400
    assert answer.json()["errors"] == {
        "versions": [
            "pacticipant 'old' does not match an existing pacticipant: it was renamed to 'new' (at index 1)",
            "pacticipant 'nobody' does not match an existing pacticipant (at index 2)",
        ],
        "environment": ["with name 'prdo' does not exist"],
    }


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"environment": "prod"}, {"versions": ["is missing"]}),
        ({"environment": "prod", "versions": []}, {"versions": ["must not be empty"]}),
        ({"versions": [{"pacticipant": "web", "version": "1"}]}, {"environment": ["is missing"]}),
        (
            {"environment": "prod", "versions": [{"pacticipant": "web"}]},
            {"versions": ["version is missing (at index 0)"]},
        ),
        ({"environment": "prod", "versions": {"web": "1"}}, {"versions": ["must be an array"]}),
        (
            {"environment": "prod", "versions": [{"pacticipant": "web", "version": str(n)} for n in (1, 2)]},
            {"versions": ["pacticipant 'web' is in the set twice (at index 1)"]},
        ),
        (
            {"environment": "prod", "versions": [{"pacticipant": f"p{n}", "version": "1"} for n in range(101)]},
            {"versions": ["size cannot be greater than 100"]},
        ),
    ],
)
def test_incomplete_and_contradictory_sets_are_refused(
    api: Api, history: History, body: object, problem: dict[str, list[str]]
) -> None:
    history.version("web", "1")
    history.environment("prod")
    answer = api.post(PATH, body)
    assert answer.status == 400
    assert answer.json()["errors"] == problem
