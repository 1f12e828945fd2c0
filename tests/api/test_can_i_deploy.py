"""Whether a version can be deployed to an environment, or to where versions have a tag."""

from typing import Any

import pytest

from tests.api.client import Api
from tests.api.history import History, q

OK = "All required verification results are published and successful"
NOTHING = "There are no missing dependencies"


@pytest.fixture
def history(api: Api) -> History:
    return History(api)


def ask(api: Api, pacticipant: str, version: str, to: str = "environment=prod", more: str = "") -> Any:
    answer = api.get(f"/can-i-deploy?pacticipant={q(pacticipant)}&version={q(version)}&{to}{more}")
    assert answer.status == 200, answer.text
    return answer.json()


def counts(answer: Any) -> tuple[bool | None, int, int, int]:
    summary = answer["summary"]
    return summary["deployable"], summary["success"], summary["failed"], summary["unknown"]


def rows(answer: Any) -> list[tuple[str, str | None, bool | None]]:
    return [
        (
            row["consumer"]["version"]["number"],
            row["provider"]["version"] and row["provider"]["version"]["number"],
            row["verificationResult"] and row["verificationResult"]["success"],
        )
        for row in answer["matrix"]
    ]


def test_each_live_version_needs_a_result(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar")
    history.verify("Foo", "1", "Bar", "10")
    history.version("Bar", "11")
    history.deploy("Bar", "10", "prod", "a")
    history.deploy("Bar", "11", "prod", "b")
    answer = ask(api, "Foo", "1")
    assert counts(answer) == (None, 1, 0, 1)
    assert rows(answer) == [("1", "11", None), ("1", "10", True)]
    assert answer["summary"]["reason"] == (
        "There is no verified pact between version 1 of Foo and one of the versions of Bar currently in prod (11)"
    )
    (reason,) = answer["reasons"]
    assert reason["next"]["text"] == "Verify the pact of Foo (1) with Bar (11), and publish the result."
    history.verify("Foo", "1", "Bar", "11")
    assert counts(ask(api, "Foo", "1")) == (True, 2, 0, 0)


def test_one_live_version_that_failed_is_enough_for_a_no(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar")
    for version, success, instance in (("10", True, "a"), ("12", False, "c"), ("13", True, "d")):
        history.verify("Foo", "1", "Bar", version, success=success)
        history.deploy("Bar", version, "prod", instance)
    answer = ask(api, "Foo", "1")
    assert counts(answer) == (False, 2, 1, 0)
    assert rows(answer) == [("1", "13", True), ("1", "12", False), ("1", "10", True)]
    assert answer["summary"]["reason"].endswith("and one of the versions of Bar currently in prod (12) failed")
    matrix = api.get("/matrix?q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&environment=prod").json()
    assert counts(matrix) == (False, 2, 1, 0)
    assert rows(matrix) == [("1", "13", True)]


def test_an_unknown_provider_version_is_not_deployable_despite_a_live_consumer(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar")
    history.deploy("Foo", "1", "prod")
    answer = ask(api, "Bar", "99")
    assert counts(answer) == (False, 0, 0, 1)
    assert rows(answer) == [("1", None, None)]
    assert answer["summary"]["reason"] == "No pacts or verifications have been published for version 99 of Bar"


@pytest.mark.parametrize(("live", "verified"), [(True, True), (True, False), (False, False)])
def test_a_provider_depends_on_the_consumers_that_are_live(
    api: Api, history: History, *, live: bool, verified: bool
) -> None:
    history.publish("Foo", "1", "Bar")
    history.version("Bar", "b1")
    history.environment("prod")
    if live:
        history.deploy("Foo", "1", "prod")
    if verified:
        history.verify("Foo", "1", "Bar", "b1")
    answer = ask(api, "Bar", "b1")
    if verified:
        assert (counts(answer), answer["summary"]["reason"]) == ((True, 1, 0, 0), OK)
    elif live:
        text = "There is no verified pact between the version of Foo currently in prod (1) and version b1 of Bar"
        assert (counts(answer), answer["summary"]["reason"]) == ((None, 0, 0, 1), text)
    else:
        assert (counts(answer), answer["summary"]["reason"]) == ((True, 0, 0, 0), NOTHING)


def test_a_released_version_counts_until_its_support_ends(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar")
    history.verify("Foo", "1", "Bar", "10", success=False)
    history.release("Bar", "10", "prod")
    assert counts(ask(api, "Foo", "1")) == (False, 0, 1, 0)
    uuid = history.environment("prod")
    release = api.get(f"/environments/{uuid}/released-versions/currently-supported").json()
    path = release["_embedded"]["releasedVersions"][0]["_links"]["self"]["href"]
    assert api.patch(path, {"currentlySupported": False}).status == 200
    assert counts(ask(api, "Foo", "1")) == (None, 0, 0, 1)


def test_a_replaced_deployment_no_longer_counts(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar")
    history.verify("Foo", "1", "Bar", "10", success=False)
    history.deploy("Bar", "10", "prod")
    history.verify("Foo", "1", "Bar", "11")
    history.deploy("Bar", "11", "prod")
    assert rows(ask(api, "Foo", "1")) == [("1", "11", True)]


def test_only_the_newest_result_of_a_provider_version_counts(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar")
    history.verify("Foo", "1", "Bar", "10", success=False)
    history.deploy("Bar", "10", "prod")
    assert ask(api, "Foo", "1")["summary"]["deployable"] is False
    history.verify("Foo", "1", "Bar", "10")
    assert rows(ask(api, "Foo", "1")) == [("1", "10", True)]


def test_content_that_was_verified_for_another_version_is_verified(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar", "same")
    history.verify("Foo", "1", "Bar", "10")
    history.deploy("Bar", "10", "prod")
    history.publish("Foo", "2", "Bar", "same")
    history.publish("Foo", "3", "Bar", "other")
    assert ask(api, "Foo", "2")["summary"]["deployable"] is True
    assert ask(api, "Foo", "3")["summary"]["deployable"] is None


def test_a_failure_and_a_missing_result_leave_the_answer_open(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar", "a")
    history.publish("Foo", "1", "Baz", "b")
    history.verify("Foo", "1", "Bar", "10", success=False)
    history.deploy("Bar", "10", "prod")
    answer = ask(api, "Foo", "1")
    assert counts(answer) == (None, 0, 1, 1)
    assert [notice["text"].split(" pact ")[0] for notice in answer["notices"]] == [
        "The verification for the",
        "There is no verified",
    ]


def test_a_tag_selects_the_latest_version_that_has_it(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar")
    history.verify("Foo", "1", "Bar", "10")
    history.tag("Bar", "10", "prod")
    assert counts(ask(api, "Foo", "1", "to=prod")) == (True, 1, 0, 0)
    history.verify("Foo", "1", "Bar", "11", success=False)
    history.tag("Bar", "11", "prod")
    answer = ask(api, "Foo", "1", "to=prod")
    assert counts(answer) == (False, 0, 1, 0)
    assert answer["summary"]["reason"].endswith("and the latest version of Bar with tag prod (11) failed")


@pytest.mark.parametrize(
    ("ignore", "deployable", "ignored"),
    [
        ("&ignore[]=Baz", True, 1),
        ("&ignore[][pacticipant]=Baz", True, 1),
        ("&ignore[][pacticipant]=Baz&ignore[][version]=20", True, 1),
        ("&ignore[][pacticipant]=Baz&ignore[][version]=21", False, 0),
        ("&ignore[]=Nobody", False, 0),
        ("&ignore=Baz", False, None),
        ("&ignore[]=", False, None),
    ],
)
def test_rows_of_ignored_pacticipants_do_not_count(
    api: Api, history: History, ignore: str, *, deployable: bool, ignored: int | None
) -> None:
    history.publish("Foo", "1", "Bar", "a")
    history.publish("Foo", "1", "Baz", "b")
    history.verify("Foo", "1", "Bar", "10")
    history.verify("Foo", "1", "Baz", "20", success=False)
    history.deploy("Bar", "10", "prod")
    history.deploy("Baz", "20", "prod")
    answer = ask(api, "Foo", "1", more=ignore)
    assert answer["summary"]["deployable"] is deployable
    assert answer["summary"].get("ignored") == ignored
    assert [row["provider"]["name"] for row in answer["matrix"] if "ignored" in row] == ["Baz"] * (ignored or 0)


def test_reasons_have_a_kind_the_versions_and_the_next_step(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar", "a")
    history.publish("Foo", "1", "Baz", "b")
    history.version("Bar", "10")
    history.version("Baz", "5")
    history.deploy("Bar", "10", "prod")
    answer = ask(api, "Foo", "1")
    by_kind = {reason["kind"]: reason for reason in answer["reasons"]}
    assert by_kind["missing_verification"]["provider"] == {"name": "Bar", "version": "10"}
    pact = "http://localhost/pacts/provider/Bar/consumer/Foo/version/1"
    assert by_kind["missing_verification"]["next"]["href"] == pact
    assert by_kind["not_deployed"]["provider"] == {"name": "Baz", "version": None}
    assert by_kind["not_deployed"]["next"]["command"] == (
        "pact-broker record-deployment --pacticipant Baz --version 5 --environment prod"
    )
    assert [reason["text"] for reason in answer["reasons"]] == [notice["text"] for notice in answer["notices"]]


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        (
            "",
            {
                "pacticipant": ["is missing"],
                "version": ["is missing"],
                "": ["Must specify either an environment or a 'to' tag."],
            },
        ),
        ("pacticipant=Baz&version=1&to=prod", {"pacticipant": ["does not match an existing pacticipant"]}),
        ("pacticipant=Foo&version=1", {"": ["Must specify either an environment or a 'to' tag."]}),
        ("pacticipant=Foo&version=&to=prod", {"version": ["is missing"]}),
        ("pacticipant=Foo&version=1&environment=moon", {"environment": ["with name 'moon' does not exist"]}),
        ("pacticipant=Foo&version=1&environment=moon&to=prod", {"environment": ["with name 'moon' does not exist"]}),
        (
            "pacticipant=Foo&version=1&environment=prod&to=prod",
            {"": ["Cannot specify both a 'to' tag and an environment."]},
        ),
    ],
)
def test_an_invalid_question_returns_400_and_its_errors(api: Api, history: History, query: str, errors: object) -> None:
    history.version("Foo", "1")
    history.environment("prod")
    answer = api.get(f"/can-i-deploy?{query}")
    assert (answer.status, answer.json()) == (400, {"errors": errors})


def test_options_need_no_parameters(api: Api) -> None:
    answer = api.request("OPTIONS", "/can-i-deploy")
    assert (answer.status, answer.headers["access-control-allow-methods"]) == (200, "GET, OPTIONS")


def test_people_may_read_the_answer_as_a_table(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar")
    number = history.verify("Foo", "1", "Bar", "10")
    history.deploy("Bar", "10", "prod")
    answer = api.get("/can-i-deploy?pacticipant=Foo&version=1&environment=prod", accept="text/plain")
    assert answer.headers["content-type"] == "text/plain;charset=utf-8"
    assert answer.text == (
        "CONSUMER | C_VERSION | REVISION | PROVIDER | P_VERSION | NUMBER | SUCCESS\n"
        "---------|-----------|----------|----------|-----------|--------|--------\n"
        f"Foo      | 1         | 1        | Bar      | 10        | {number:<6} | true   \n"
        f"\nDeployable: true\nReason: {OK}\n"
    )


BRANCH = "/pacticipants/Foo/branches/feat%2Fx/latest-version/can-i-deploy/to-environment/prod"
TAG = "/pacticipants/Foo/latest-version/dev/can-i-deploy/to/prod"


@pytest.mark.parametrize("path", [BRANCH, TAG])
@pytest.mark.parametrize("accept", ["application/hal+json", "text/plain"])
def test_the_latest_version_of_a_branch_or_a_tag_has_a_warning(
    api: Api, history: History, path: str, accept: str
) -> None:
    history.publish("Foo", "1", "Bar", branch="feat/x", tags=["dev"])
    history.verify("Foo", "1", "Bar", "10")
    history.tag("Bar", "10", "prod")
    history.deploy("Bar", "10", "prod")
    answer = api.get(path, accept=accept)
    assert answer.status == 200
    assert "WARN: It is recommended to specify the version number" in answer.text
    assert OK in answer.text


@pytest.mark.parametrize(
    "path",
    [
        BRANCH.replace("Foo", "Nobody"),
        BRANCH.replace("feat%2Fx", "other"),
        BRANCH.replace("environment/prod", "environment/moon"),
        TAG.replace("Foo", "Nobody"),
        TAG.replace("dev", "other"),
    ],
)
def test_the_latest_of_nothing_is_not_found(api: Api, history: History, path: str) -> None:
    history.publish("Foo", "1", "Bar", branch="feat/x", tags=["dev"])
    history.environment("prod")
    answer = api.get(path)
    assert answer.status == 404
    assert answer.json() == {"error": "The requested document was not found on this server."}


def test_the_head_of_a_branch_is_the_version_that_was_added_last(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar", "a")
    history.publish("Foo", "2", "Bar", "b", branch="feat/x")
    history.branch("Foo", "1", "feat/x")
    history.verify("Foo", "1", "Bar", "10")
    history.deploy("Bar", "10", "prod")
    assert rows(api.get(BRANCH).json()) == [("1", "10", True)]
