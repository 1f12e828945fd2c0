"""Recording deployments and releases, against another broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

ENVIRONMENTS = "/elsewhere/environments"
VERSION = "/elsewhere/pacticipants/Foo/versions/1"
DEPLOY = ["record-deployment", "-a", "Foo", "-e", "1", "--environment"]
RELEASE = ["record-release", "-a", "Foo", "-e", "1", "--environment"]
UNDEPLOY = ["record-undeployment", "-a", "Foo", "--environment", "test"]
END = ["record-support-ended", "-a", "Foo", "-e", "1", "--environment", "test"]


@pytest.fixture(autouse=True)
def environments(broker: OtherBroker) -> None:
    """There are `test` and `production`, and each version can be recorded for `test`."""
    names = ["test", "production"]
    links = [{"name": name, "href": f"{broker.url}/e/{name}"} for name in names]
    broker.answer(
        f"GET {ENVIRONMENTS}",
        {"_links": {"pb:environments": links}, "_embedded": {"environments": [{"name": name} for name in names]}},
    )
    broker.answer(
        "GET /e/test",
        {
            "_links": {
                "pb:currently-deployed-deployed-versions": {"href": f"{broker.url}/e/test/deployed"},
                "pb:currently-supported-released-versions": {"href": f"{broker.url}/e/test/released"},
            }
        },
    )
    to_test = [{"name": "other", "href": f"{broker.url}/no"}, {"name": "test", "href": f"{broker.url}/to/test"}]
    broker.answer(f"GET {VERSION}", {"_links": {"pb:record-deployment": to_test, "pb:record-release": to_test}})
    broker.answer("POST /to/test", {"uuid": "d1"}, status=201)


def deployed(broker: OtherBroker, *instances: str | None) -> None:
    versions = [_version(broker, number, instance) for number, instance in enumerate(instances)]
    broker.answer("GET /e/test/deployed?pacticipant=Foo", {"_embedded": {"deployedVersions": versions}})


def _version(broker: OtherBroker, number: int, instance: str | None, name: str = "Foo") -> dict[str, Any]:
    version = {"_embedded": {"version": {"number": f"5{number}"}}}
    broker.answer(f"PATCH /deployed/{number}", version)
    named = {"applicationInstance": instance} if instance else {}
    embedded = {"_embedded": {"pacticipant": {"name": name}, "version": {"number": f"5{number}"}}}
    return named | embedded | {"_links": {"self": {"href": f"{broker.url}/deployed/{number}"}}}


def test_a_deployment_is_recorded_by_the_link_of_its_environment(run: Run, broker: OtherBroker) -> None:
    result = run(*DEPLOY, "test", FORCE_COLOR="1")
    text = "Recorded deployment of Foo version 1 to test environment in the Pact Broker."
    assert (result.exit_code, result.stdout) == (0, f"\x1b[32m{text}\x1b[0m\n")
    assert broker.lines == ["GET /", f"GET {VERSION}", "POST /to/test"]
    assert broker.last.json == {}


def test_an_instance_is_sent_under_both_its_names(run: Run, broker: OtherBroker) -> None:
    result = run(*DEPLOY, "test", "--application-instance", "blue")
    assert broker.last.json == {"applicationInstance": "blue", "target": "blue"}
    place = "to test environment (application instance blue) in the Pact Broker."
    assert result.stdout == f"Recorded deployment of Foo version 1 {place}\n"


def test_the_old_name_of_an_instance_is_known(run: Run, broker: OtherBroker) -> None:
    result = run(*DEPLOY, "test", "--target", "blue")
    assert broker.last.json["applicationInstance"] == "blue"
    assert result.stderr == "WARN: target has been renamed to application-instance\n"


def test_a_release_is_recorded(run: Run, broker: OtherBroker) -> None:
    result = run(*RELEASE, "test")
    assert result.stdout == "Recorded release of Foo version 1 to test environment in the Pact Broker.\n"
    assert (broker.last.line, broker.last.json) == ("POST /to/test", {})


def test_a_recording_is_printed_as_json(run: Run) -> None:
    assert run(*DEPLOY, "test", "-o", "json").stdout == '{"uuid": "d1"}\n'


def test_names_with_slashes_stay_one_segment(run: Run, broker: OtherBroker) -> None:
    run("record-deployment", "-a", "Foo/x", "-e", "1 2", "--environment", "test")
    assert "GET /elsewhere/pacticipants/Foo%2Fx/versions/1%202" in broker.lines


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ("uat", "No environment found with name 'uat'. Available options: test, production"),
        (
            "production",
            (
                "Environment 'production' is not an available option for recording a deployment of Foo. "
                "Available options: other, test"
            ),
        ),
    ],
)
def test_an_environment_that_is_not_offered_is_explained(run: Run, environment: str, text: str) -> None:
    result = run(*DEPLOY, environment)
    assert (result.exit_code, result.stdout) == (1, f"{text}\n")
    assert json.loads(run(*DEPLOY, environment, "-o", "json").stdout) == {"error": {"message": text}}


def test_pactflow_may_hide_environments(run: Run, broker: OtherBroker) -> None:
    broker.answer_index(headers={"X-Pactflow-Sha": "1"})
    assert run(*DEPLOY, "uat").stdout == (
        "Environment 'uat' is not an available option for recording a deployment of Foo. The environment may not "
        "exist, or you may not have the required permissions or team associations to view it.\n"
    )


def test_a_version_must_exist_before_it_is_recorded(run: Run, broker: OtherBroker) -> None:
    result = run("record-deployment", "-a", "Foo", "-e", "nope", "--environment", "test")
    url = f"{broker.url}/elsewhere/pacticipants/Foo/versions/nope"
    text = f"Foo version nope not found (Error making request to {url} status=404)\n"
    assert (result.exit_code, result.stdout) == (1, text)


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (DEPLOY, "recording deployments"),
        (UNDEPLOY[:-1], "recording undeployments"),
        (END[:-1], "recording end of support"),
    ],
)
def test_a_broker_that_cannot_record_is_reported_as_too_old(
    run: Run, broker: OtherBroker, command: list[str], what: str
) -> None:
    broker.answer_index("pb:environments")
    text = f"This version of the Pact Broker does not support {what}. Please upgrade to version 2.80.0 or later.\n"
    assert run(*command, "test").stdout == text


def test_an_undeployment_ends_deployments_without_an_instance(run: Run, broker: OtherBroker) -> None:
    deployed(broker, None, "blue", None)
    result = run(*UNDEPLOY)
    assert result.stdout == (
        "Recorded undeployment of Foo version 50 from test environment in the Pact Broker.\n"
        "Recorded undeployment of Foo version 52 from test environment in the Pact Broker.\n"
    )
    assert broker.lines[-2:] == ["PATCH /deployed/0", "PATCH /deployed/2"]
    assert broker.last.json == {"currentlyDeployed": False}
    assert broker.last.headers["content-type"] == "application/merge-patch+json"


def test_an_undeployment_ends_the_instance_that_was_named(run: Run, broker: OtherBroker) -> None:
    deployed(broker, None, "blue")
    place = "from test environment (application instance blue) in the Pact Broker."
    result = run(*UNDEPLOY, "--application-instance", "blue")
    assert result.stdout == f"Recorded undeployment of Foo version 51 {place}\n"
    assert broker.lines[-1] == "PATCH /deployed/1"


def test_undeployments_are_printed_as_an_array(run: Run, broker: OtherBroker) -> None:
    deployed(broker, None)
    assert json.loads(run(*UNDEPLOY, "-o", "json").stdout) == [{"_embedded": {"version": {"number": "50"}}}]


def test_an_undeployment_that_is_refused_fails_after_the_others(run: Run, broker: OtherBroker) -> None:
    deployed(broker, None, None)
    broker.answers["PATCH /deployed/0"].clear()
    broker.answer("PATCH /deployed/0", "no", status=403)
    result = run(*UNDEPLOY)
    assert result.exit_code == 1
    assert result.stdout == (
        f"Error making request to {broker.url}/deployed/0 status=403: The response is not valid JSON: no.\n"
        "Recorded undeployment of Foo version 51 from test environment in the Pact Broker.\n"
    )


WHICH = "one of the following application instances to record the undeployment from: "
NO_RED = "Foo is not currently deployed to application instance 'red' in test environment."


@pytest.mark.parametrize(
    ("instances", "options", "text"),
    [
        (["blue", "green"], [], f"Please specify {WHICH}blue, green"),
        (["blue", "green"], ["--target", "red"], f"{NO_RED} Please specify {WHICH}blue, green."),
        (
            [None, "blue"],
            ["--application-instance", "red"],
            f"{NO_RED} Please omit the application instance or specify {WHICH}blue.",
        ),
        ([None], ["--application-instance", "red"], f"{NO_RED} Please omit the application instance."),
    ],
)
def test_the_instances_to_choose_from_are_listed(
    run: Run, broker: OtherBroker, instances: list[str | None], options: list[str], text: str
) -> None:
    deployed(broker, *instances)
    result = run(*UNDEPLOY, *options)
    assert (result.exit_code, result.stdout) == (1, f"{text}\n")


def test_undeploying_a_missing_deployment_fails(run: Run, broker: OtherBroker) -> None:
    deployed(broker)
    assert run(*UNDEPLOY).stdout == "No pacticipant with name 'Foo' found.\n"
    broker.answer("GET /elsewhere/pacticipants/Foo", {})
    result = run(*UNDEPLOY)
    assert result.stdout == "Foo is not currently deployed to test environment. Cannot record undeployment.\n"
    assert result.exit_code == 1


def test_an_unknown_environment_has_nothing_to_end(run: Run) -> None:
    text = "No environment found with name 'xx'. Available options: test, production\n"
    for command in (UNDEPLOY, END):
        assert run(*command[:-1], "xx").stdout == text


def released(broker: OtherBroker, *versions: dict[str, Any]) -> None:
    broker.answer("GET /e/test/released?pacticipant=Foo&version=1", {"_embedded": {"releasedVersions": versions}})


def _released(broker: OtherBroker, name: str = "Foo", number: str = "1", **embedded: Any) -> dict[str, Any]:
    parts = {"pacticipant": {"name": name}, "version": {"number": number}} | embedded
    return {"_embedded": parts, "_links": {"self": {"href": f"{broker.url}/released/1"}}}


def test_support_is_ended(run: Run, broker: OtherBroker) -> None:
    released(broker, _released(broker))
    broker.answer("PATCH /released/1", {"_embedded": {"version": {"number": "1"}}})
    result = run(*END)
    assert result.stdout == "Recorded support ended for Foo version 1 in test environment in the Pact Broker.\n"
    assert broker.last.json == {"currentlySupported": False}


def test_ending_the_support_of_an_unreleased_version_fails(run: Run, broker: OtherBroker) -> None:
    released(broker)
    broker.answer("GET /elsewhere/pacticipants/Foo", {})
    result = run(*END)
    text = "Foo version 1 is not currently released in test environment. Cannot record support ended.\n"
    assert (result.exit_code, result.stdout) == (1, text)


def test_a_broker_that_ignores_the_filter_has_nothing_undeployed(run: Run, broker: OtherBroker) -> None:
    versions = [_version(broker, 0, None), _version(broker, 1, None, name="Other")]
    broker.answer("GET /e/test/deployed?pacticipant=Foo", {"_embedded": {"deployedVersions": versions}})
    result = run(*UNDEPLOY)
    text = "The broker was asked for the pacticipant 'Foo' and returned 'Other'. Nothing was changed."
    assert (result.exit_code, result.stdout) == (1, f"{text}\n")
    assert "upgrade" in result.stderr
    assert not any(line.startswith("PATCH") for line in broker.lines)


@pytest.mark.parametrize(
    ("unrequested", "text"),
    [
        ({"name": "Other"}, "the pacticipant 'Foo' and returned 'Other'"),
        ({"number": "2"}, "Foo version '1' and returned '2'"),
        ({"environment": {"name": "uat"}}, "the environment 'test' and returned 'uat'"),
        ({"name": ""}, "the pacticipant 'Foo' and returned a resource without a name"),
    ],
)
def test_a_broker_that_ignores_the_filter_has_no_support_ended(
    run: Run, broker: OtherBroker, unrequested: dict[str, Any], text: str
) -> None:
    released(broker, _released(broker), _released(broker, **unrequested))
    result = run(*END)
    assert (result.exit_code, text in result.stdout) == (1, True)
    assert not any(line.startswith("PATCH") for line in broker.lines)


def test_another_environment_behind_the_link_ends_nothing(run: Run, broker: OtherBroker) -> None:
    page = json.loads(broker.answers["GET /e/test"].pop().body)
    broker.answer("GET /e/test", page | {"name": "uat"})
    result = run(*UNDEPLOY)
    assert (result.exit_code, "the environment 'test' and returned 'uat'" in result.stdout) == (1, True)
    assert broker.lines[-1] == "GET /e/test"
