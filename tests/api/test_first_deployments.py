"""The first deployment of a pair: a policy allows a consumer before a provider that is deployed nowhere."""

from typing import Any

import pytest

from tests.api.client import Api
from tests.api.history import History

QUESTION = "/can-i-deploy?pacticipant=web&version=1&environment=prod"
POLICY = "/integrations/provider/prices/consumer/web/first-deployments"


@pytest.fixture
def history(api: Api) -> History:
    """`web` 1 has a pact with `prices`, of which version 1 exists and is deployed nowhere."""
    history = History(api)
    history.environment("prod")
    history.publish("web", "1", "prices")
    history.version("prices", "1")
    return history


def allow_in(api: Api, history: History, environment: str, choice: str = "allow") -> None:
    body = {"name": environment, "production": False, "firstDeployments": choice}
    assert api.put(f"/environments/{history.environment(environment)}", body).status == 200


def allow_for_pair(api: Api, choice: str | None = "allow") -> None:
    answer = api.put(POLICY, {"firstDeployments": choice})
    assert answer.status == 200, answer.text
    assert answer.json()["firstDeployments"] == choice
    assert api.get(POLICY).json() == answer.json()


def ask(api: Api) -> Any:
    return api.get(QUESTION).json()


def deployable(api: Api) -> bool | None:
    answer: bool | None = ask(api)["summary"]["deployable"]
    return answer


def ask_about_set(api: Api, *members: tuple[str, str]) -> Any:
    versions = [{"pacticipant": name, "version": number} for name, number in members]
    return api.post("/decisions", {"environment": "prod", "versions": versions}).json()


@pytest.mark.parametrize(
    ("of_environment", "of_pair", "allowed_by"),
    [
        (None, None, None),
        ("allow", None, "environment"),
        ("deny", None, None),
        ("deny", "allow", "integration"),
        ("allow", "allow", "integration"),
        ("allow", "deny", None),
    ],
)
def test_the_policy_of_the_pair_wins_over_that_of_the_environment(
    api: Api, history: History, of_environment: str | None, of_pair: str | None, allowed_by: str | None
) -> None:
    if of_environment:
        allow_in(api, history, "prod", of_environment)
    if of_pair:
        allow_for_pair(api, of_pair)
    answer = ask(api)
    assert answer["summary"]["deployable"] is (True if allowed_by else None)
    (reason,) = answer["reasons"]
    assert reason["kind"] == ("first_deployment" if allowed_by else "not_deployed")
    assert reason["type"] == ("warning" if allowed_by else "error")
    assert reason.get("allowedBy") == allowed_by
    assert reason["cause"] == "not_deployed"
    assert (reason["consumer"]["name"], reason["provider"]["name"]) == ("web", "prices")
    assert ask_about_set(api, ("web", "1"))["deployable"] is answer["summary"]["deployable"]


def test_the_reason_names_the_policy_that_allows_the_deployment(api: Api, history: History) -> None:
    allow_in(api, history, "prod")
    assert ask(api)["summary"]["reason"] == (
        "First deployment: no version of prices is deployed or released in any environment, and the environment prod "
        "allows version 1 of web to be deployed before it"
    )
    allow_for_pair(api)
    assert "and the integration of web and prices allows version 1 of web" in ask(api)["summary"]["reason"]
    # The row stays without a result.
    assert ask(api)["matrix"][0]["verificationResult"] is None


@pytest.mark.parametrize("environment", ["prod", "test"])
@pytest.mark.parametrize("kind", ["deploy", "release"])
def test_a_provider_that_is_in_any_environment_is_required(
    api: Api, history: History, environment: str, kind: str
) -> None:
    allow_in(api, history, "prod")
    allow_in(api, history, "test")
    allow_for_pair(api)
    assert [deployable(api) for _ in range(3)] == [True] * 3
    record = getattr(history, kind)("prices", "1", environment)
    assert deployable(api) is None
    assert ask_about_set(api, ("web", "1"))["deployable"] is None
    ended = {"deploy": {"currentlyDeployed": False}, "release": {"currentlySupported": False}}[kind]
    assert api.patch(record, ended).status == 200
    assert deployable(api) is True


def test_the_policy_of_another_environment_does_not_count(api: Api, history: History) -> None:
    allow_in(api, history, "test")
    assert deployable(api) is None


def test_other_obstacles_still_prevent_the_deployment(api: Api, history: History) -> None:
    history.publish("web", "1", "stock")
    history.verify("web", "1", "stock", "1", success=False)
    history.deploy("stock", "1", "prod")
    allow_in(api, history, "prod")
    answer = ask(api)
    assert answer["summary"]["deployable"] is False
    assert [reason["kind"] for reason in answer["reasons"]] == ["failed_verification", "first_deployment"]


def test_a_query_without_an_environment_is_not_affected(api: Api, history: History) -> None:
    allow_in(api, history, "prod")
    allow_for_pair(api)
    assert api.get("/can-i-deploy?pacticipant=web&version=1&to=prod").json()["summary"]["deployable"] is None


def test_a_set_may_deploy_the_consumer_first(api: Api, history: History) -> None:
    """Both need the other one: without the policy, they can only be deployed together."""
    history.publish("prices", "1", "web")
    history.verify("prices", "1", "web", "1")
    history.verify("web", "1", "prices", "1")
    before = ask_about_set(api, ("web", "1"), ("prices", "1"))
    assert (before["deployable"], before["order"]) == (True, None)
    allow_in(api, history, "prod")
    after = ask_about_set(api, ("web", "1"), ("prices", "1"))
    assert after["deployable"] is True
    assert len(after["order"]) == 2


def test_the_policy_does_not_excuse_a_provider_in_the_same_set(api: Api, history: History) -> None:
    allow_in(api, history, "prod")
    history.verify("web", "1", "prices", "1", success=False)
    answer = ask_about_set(api, ("web", "1"), ("prices", "1"))
    assert answer["deployable"] is False
    assert len(answer["leaveOut"]) == 1


@pytest.mark.usefixtures("history")
def test_a_pair_without_an_integration_has_no_policy(api: Api) -> None:
    assert (
        api.put("/integrations/provider/web/consumer/prices/first-deployments", {"firstDeployments": "allow"}).status
        == 404
    )
    assert api.get("/integrations/provider/web/consumer/prices/first-deployments").status == 404
    answer = api.put(POLICY, {"firstDeployments": "maybe"})
    assert answer.status == 400
    assert "firstDeployments" in answer.json()["errors"]


def test_policies_are_shown_only_where_they_are_set(api: Api, history: History) -> None:
    path = f"/environments/{history.environment('prod')}"
    assert "firstDeployments" not in api.get(path).json()
    allow_in(api, history, "prod")
    assert api.get(path).json()["firstDeployments"] == "allow"
    assert api.put(path, {"name": "prod", "production": False}).status == 200
    assert "firstDeployments" not in api.get(path).json()


def test_changes_of_the_policy_are_audited(api: Api, history: History) -> None:
    allow_for_pair(api)
    (event,) = api.get("/audit?type=integration_change").json()["events"]
    assert (event["resource"], event["relatedResource"]) == ("web", "prices")
    assert (event["before"], event["after"]) == (
        {"allows_first_deployments": None},
        {"allows_first_deployments": True},
    )
    allow_in(api, history, "prod")
    (event,) = api.get("/audit?type=environment_change").json()["events"]
    assert event["after"] == {"allows_first_deployments": True}
