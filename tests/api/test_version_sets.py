"""`POST /decisions`: whether several versions can be deployed together, without which of them, and in which order."""

from typing import Any

import pytest

from tests.api.client import Answer, Api
from tests.api.history import History

PATH = "/decisions"


@pytest.fixture
def history(api: Api) -> History:
    return History(api)


def ask(api: Api, *members: str, environment: str = "prod", **more: object) -> Any:
    answer = send(api, *members, environment=environment, **more)
    assert answer.status == 200, answer.text
    return answer.json()


def send(api: Api, *members: str, environment: str = "prod", **more: object) -> Answer:
    versions = [dict(zip(("pacticipant", "version"), member.rsplit("@", 1), strict=True)) for member in members]
    return api.post(PATH, {"environment": environment, "versions": versions, **more})


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
    assert (alone["reasons"][0]["cause"], alone["reasons"][0]["act"]["pacticipant"]) == ("not_deployed", "prices")
    assert "record its deployment" in alone["reasons"][0]["next"]["text"]


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


@pytest.mark.parametrize("instance", [None, "blue"])
def test_a_contract_with_itself_names_the_version_that_runs_beside_the_new_one(
    api: Api, history: History, instance: str | None
) -> None:
    """In the same words, and in the same order, as in a decision about the new version alone."""
    for version in ("1", "2"):
        publish(history, "web", version, "web", "1")
        history.verify("web", version, "web", "2", success=False)
    history.deploy("web", "1", "prod", instance)
    reasons = ask(api, "web@2")["reasons"][:-1]
    alone = api.get("/can-i-deploy?pacticipant=web&version=2&environment=prod").json()["reasons"]
    of_both = [[reason[name] for name in ("text", "consumer", "provider")] for reason in (*reasons, *alone)]
    assert of_both[: len(reasons)] == of_both[len(reasons) :]
    assert [text for text, *_ in of_both[: len(reasons)]] == [
        "The verification for the pact between version 2 of web and version 2 of web failed",
        "The verification for the pact between the version of web currently in prod (1) and version 2 of web failed",
    ]


def test_a_reason_names_the_version_of_a_member_that_stays_beside_it(api: Api, history: History) -> None:
    publish(history, "web", "2", "prices", "2")
    history.verify("web", "2", "prices", "1", success=False)
    history.deploy("prices", "1", "prod", "blue")
    assert ask(api, "prices@2", "web@2")["reasons"][0]["text"] == (
        "The verification for the pact between version 2 of web and the version of prices currently in prod (1) failed"
    )


FAILED = ("web", "prices", False)
MISSING = ("web", "stock", None)


@pytest.mark.parametrize(
    ("ignored", "answer", "shown"),
    [
        ([], (None, ["web@2"], ["failed_verification", "not_deployed", "leave_out"]), []),
        ([{"pacticipant": "prices"}], (None, ["web@2"], ["not_deployed", "leave_out"]), [FAILED]),
        (
            [{"pacticipant": "prices", "version": "1"}, {"pacticipant": "stock"}],
            (True, [], ["all_verified"]),
            [FAILED, MISSING],
        ),
        # A version that does not take part has no results to ignore.
        (
            [{"pacticipant": "prices", "version": "2"}, {"pacticipant": "stock"}],
            (False, ["web@2"], ["failed_verification", "leave_out"]),
            [MISSING],
        ),
        # Without a version of the provider, there is none to ignore.
        (
            [{"pacticipant": "prices"}, {"pacticipant": "stock", "version": "1"}],
            (None, ["web@2"], ["cannot_ignore", "not_deployed", "leave_out"]),
            [FAILED],
        ),
        ([{"pacticipant": "web"}], (True, [], ["all_verified"]), [FAILED, MISSING]),
        (
            [{"pacticipant": "web"}, {"pacticipant": "nobody"}],
            (True, [], ["cannot_ignore", "all_verified"]),
            [FAILED, MISSING],
        ),
    ],
)
def test_ignored_results_are_shown_and_prevent_nothing(
    api: Api,
    history: History,
    ignored: list[dict[str, str]],
    answer: tuple[object, ...],
    shown: list[tuple[str, str, bool | None]],
) -> None:
    history.publish("other", "1", "shop")
    history.verify("other", "1", "shop", "1")
    history.deploy("other", "1", "prod")
    publish(history, "web", "2", "prices")
    history.verify("web", "2", "prices", "1", success=False)
    history.version("prices", "2")
    history.deploy("prices", "1", "prod")
    publish(history, "web", "2", "stock")
    decision = ask(api, "web@2", "shop@1", ignore=ignored)
    assert (decision["deployable"], names(decision["leaveOut"]), kinds(decision)) == answer
    rows = [(row["consumer"]["name"], row["provider"]["name"], row["success"]) for row in decision.get("ignored", [])]
    assert rows == shown


IGNORED_WEB = {"pacticipant": "web", "version": "1"}
IGNORED_WEB_QUERY = "ignore[][pacticipant]=web&ignore[][version]=1"


@pytest.mark.parametrize("is_live", [False, True])
@pytest.mark.parametrize(
    ("ignored", "query"), [({"pacticipant": "shop"}, "ignore[][pacticipant]=shop"), (IGNORED_WEB, IGNORED_WEB_QUERY)]
)
def test_a_version_that_does_not_exist_has_the_ignored_facts_of_a_single_decision(
    api: Api, history: History, ignored: dict[str, str], query: str, *, is_live: bool
) -> None:
    history.publish("web", "1", "shop", "a")
    history.publish("shop", "1", "shop", "itself")
    history.deploy("web", "1", "prod")
    history.verify("web", "1", "shop", "1")
    if is_live:
        history.deploy("shop", "1", "prod")
    decision = ask(api, "shop@9", ignore=[ignored])
    single = api.get(f"/can-i-deploy?pacticipant=shop&version=9&environment=prod&{query}").json()
    assert decision["deployable"] is single["summary"]["deployable"] is (ignored == {"pacticipant": "shop"})
    assert len(decision["ignored"]) == single["summary"]["ignored"] == 1


def test_the_answer_names_aliases(api: Api, history: History) -> None:
    publish(history, "web", "1", "prices", "1")
    history.deploy("prices", "1", "prod")
    api.put("/pacticipants/web/versions/1/aliases/c0ffee", {})
    answer = ask(api, "web@c0ffee", "prices@1")
    assert names(answer["order"]) == ["prices@1", "web@1"]
    assert kinds(answer) == ["named_by_alias", "all_verified"]


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
    assert nothing["reasons"][-1]["text"] == "prices (9) cannot be deployed now"


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
        # A misspelt number would ignore all versions.
        (
            {
                "environment": "prod",
                "versions": [{"pacticipant": "web", "version": "1"}],
                "ignore": [{"pacticipant": "web", "verzion": "1"}],
            },
            {"ignore": ["verzion is not known. Did you mean version? (at index 0)"]},
        ),
        (
            {
                "environment": "prod",
                "versions": [{"pacticipant": "web", "version": "1"}],
                "ignore": [{"pacticipant": "web", "version": ""}],
            },
            {"ignore": ["version cannot be blank (at index 0)"]},
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
