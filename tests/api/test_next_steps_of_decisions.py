"""Following the commands that a "no" ends with leads to a "yes"."""

import re
import shlex

import pytest
from click.testing import CliRunner

from tests.api.client import BASE
from tests.api.commands import answer_with
from tests.api.history import History
from tests.api.steps import Steps
from tests.databases import on_sqlite
from tests.http_server import serving
from treaty.cli import PACT_BROKER

HTML = "text/html,application/xhtml+xml"


@pytest.fixture
def broker(api, monkeypatch):
    monkeypatch.setenv("PACT_BROKER_HTTP_RETRIES", "1")
    for name in ("test", "live"):
        api.post("/environments", {"name": name, "production": False})
    with serving(answer_with(api)) as address:

        def run(*words):
            return CliRunner().invoke(PACT_BROKER, [*words, "-b", address], prog_name="pact-broker")

        yield run, address


def suggested(result):
    """Return the suggested command line, and the URL of the page."""
    assert result.exit_code == 1, result.output
    lines = result.stderr.splitlines()
    (command,) = (line for line in lines if line.startswith("    pact-"))
    return command.strip(), lines[-1].removeprefix("See ")


def follow(api, address, command, **placeholders):
    """Carry out a command line, whose placeholders the user has replaced."""
    words = [placeholders.get(word, word) for word in shlex.split(command.replace(address, BASE))]
    environments = api.get("/environments").json()["_embedded"]["environments"]
    history = History(api, {environment["name"]: environment["uuid"] for environment in environments})
    Steps(api, history).run(" ".join(word if word == "&&" else shlex.quote(word) for word in words), partner="")


def verify(api, consumer, provider, number, *, success=True):
    pact = api.get(f"/pacts/provider/{provider}/consumer/{consumer}/latest")
    body = {"success": success, "providerApplicationVersion": number}
    assert api.post(pact.link("pb:publish-verification-results"), body).status == 201


@on_sqlite
def test_recording_the_missing_deployment_changes_the_answer(api, broker):
    run, address = broker
    api.publish("Shop", "1", "Stock", "a", branch="main")
    verify(api, "Shop", "Stock", "7")
    question = ("can-i-deploy", "--pacticipant", "Shop", "--version", "1", "--to-environment", "test")
    command, page = suggested(run(*question))
    assert command == "pact-broker record-deployment --pacticipant Stock --version 7 --environment test"
    shown = api.get(page.removeprefix(address), accept=HTML)
    assert (shown.status, "<strong>" in shown.text) == (200, True)
    assert run(*shlex.split(command)[1:]).exit_code == 0
    assert run(*question).exit_code == 0


@on_sqlite
@pytest.mark.parametrize("failed", [False, True])
def test_the_suggested_verification_is_of_the_pact_that_lacks_a_result(api, broker, failed):
    run, address = broker
    api.publish("Shop", "1", "Stock", "a", branch="main")
    api.publish("Shop", "2", "Stock", "b", branch="feature/x")
    if failed:
        verify(api, "Shop", "Stock", "7", success=False)
    else:
        api.put("/pacticipants/Stock/versions/7", {})
    run("record-deployment", "--pacticipant", "Stock", "--version", "7", "--environment", "test")
    question = ("can-i-deploy", "--pacticipant", "Shop", "--version", "2", "--to-environment", "test")
    command, _ = suggested(run(*question))
    words = shlex.split(command)
    assert words[:3] == ["pact-verifier", "--provider", "Stock"]
    assert f"{address}/pacts/provider/Stock/consumer/Shop/version/2" in words
    assert words[words.index("--provider-app-version") + 1] == ("VERSION" if failed else "7")
    follow(api, address, command, VERSION="8")
    assert run(*question).exit_code == 0


@on_sqlite
@pytest.mark.parametrize(
    ("selector", "command"),
    [
        (("--latest", "dev"), "create-version-tag"),
        (("--branch", "feature/new"), "create-or-update-version"),
    ],
)
def test_a_version_that_is_selected_in_vain_is_created_by_the_suggested_command(api, broker, selector, command):
    run, _ = broker
    api.publish("Shop", "1", "Stock", "a")
    verify(api, "Shop", "Stock", "7")
    run("record-deployment", "--pacticipant", "Stock", "--version", "7", "--environment", "test")
    question = ("can-i-deploy", "--pacticipant", "Shop", *selector, "--to-environment", "test")
    line, _ = suggested(run(*question))
    words = shlex.split(line)
    assert words[:6] == ["pact-broker", command, "--pacticipant", "Shop", "--version", "1"]
    assert run(*words[1:]).exit_code == 0
    assert run(*question).exit_code == 0


@on_sqlite
def test_an_application_is_given_a_version_with_the_destination_tag_or_on_its_main_branch(api, broker):
    run, address = broker
    api.publish("Shop", "1", "Stock", "a", branch="main")
    verify(api, "Shop", "Stock", "7")
    for question in (
        ("can-i-deploy", "--pacticipant", "Shop", "--version", "1", "--to", "prod"),
        ("can-i-merge", "--pacticipant", "Shop", "--version", "1"),
    ):
        command, _ = suggested(run(*question))
        assert "--pacticipant Stock --version 7" in command
        follow(api, address, command, MAIN_BRANCH="main")
        assert run(*question).exit_code == 0, run(*question).output


@on_sqlite
def test_a_name_to_ignore_that_does_not_exist_is_corrected(api, broker):
    run, _ = broker
    api.publish("Shop", "1", "stock-service", "a")
    question = ("can-i-deploy", "--pacticipant", "Shop", "--version", "1", "--to-environment", "test")
    result = run(*question, "--ignore", "stock-servcie")
    assert "There is no application stock-servcie. Did you mean stock-service? Correct --ignore" in result.stderr
    assert f"    pact-broker {' '.join(question)}\n" in result.stderr


# Refused recordings


@on_sqlite
@pytest.mark.parametrize("kind", ["deployment", "release"])
def test_a_refused_recording_ends_with_the_command_and_the_page(api, broker, kind):
    run, address = broker
    api.publish("Shop", "1", "Stock", "a")
    record = (f"record-{kind}", "--pacticipant", "Shop")
    missing_version = run(*record, "--version", "2", "--environment", "test")
    assert missing_version.stderr.endswith(
        "First publish its pacts, or create it: pact-broker create-or-update-version --pacticipant Shop --version 2 "
        f"--branch BRANCH\nSee {address}/pacticipants/Shop\n"
    )
    missing_place = run(*record, "--version", "1", "--environment", "uat;x")
    assert missing_place.stderr.endswith(
        f"Create it: pact-broker create-environment --name 'uat;x'\nSee {address}/environments\n"
    )
    for result in (missing_version, missing_place):
        (words,) = (shlex.split(command) for command in re.findall("it: pact-broker (.*)", result.stderr))
        assert run(*words).exit_code == 0
        assert api.get(result.stderr.rpartition("See ")[2].strip().removeprefix(address), accept=HTML).status == 200
    assert run(*record, "--version", "2", "--environment", "uat;x").exit_code == 0


@on_sqlite
@pytest.mark.parametrize(
    "words", [("record-undeployment",), ("record-support-ended", "--version", "1")], ids=["undeployment", "support"]
)
def test_an_end_that_cannot_be_recorded_is_reported_with_the_command_that_lists_versions(api, broker, words):
    run, address = broker
    api.publish("Shop", "1", "Stock", "a")
    result = run(*words, "--pacticipant", "Shop", "--environment", "test")
    listing = ["describe-version", "--pacticipant", "Shop", "--environment", "test"]
    assert result.stderr == (
        f"List its versions there: pact-broker {' '.join(listing)}\nSee {address}/pacticipants/Shop\n"
    )
    assert run(*listing).exit_code == 0


def test_the_step_for_a_version_that_two_selectors_name_is_about_that_version(api):
    history = History(api)
    history.publish("Till", "1", "Till")
    selector = "q[][pacticipant]=Till&q[][version]=1"
    answer = api.get(f"/matrix?{selector}&{selector}").json()
    (reason,) = (reason for reason in answer["reasons"] if reason["kind"] == "missing_verification")
    assert "--provider-app-version 1 " in reason["next"]["command"]
    history.verify("Till", "1", "Till", "1")
    assert api.get(f"/matrix?{selector}&{selector}").json()["summary"]["deployable"] is True
