"""Following the commands that a "no" ends with leads to a "yes"."""

import json
import re
import shlex

import pytest
from click.testing import CliRunner

from tests.api.test_audit import only_sqlite
from tests.api.test_scopes_in_builds import bridge
from tests.cli.conftest import serving
from treaty.cli import PACT_BROKER

HTML = "text/html,application/xhtml+xml"


@pytest.fixture
def broker(api, monkeypatch):
    monkeypatch.setenv("PACT_BROKER_HTTP_RETRIES", "1")
    for name in ("test", "live"):
        api.post("/environments", {"name": name, "production": False})
    with serving(bridge(api)) as address:

        def run(*words):
            return CliRunner().invoke(PACT_BROKER, [*words, "-b", address], prog_name="pact-broker")

        yield run, address


def suggested(result, program="pact-broker"):
    """Return the words of the first suggested command of a program, and the URL of the page."""
    assert result.exit_code == 1, result.output
    lines = result.stderr.splitlines()
    command = next(line for line in lines if line.startswith(f"    {program} "))
    return shlex.split(command)[1:], lines[-1].removeprefix("See ")


def verify(api, consumer, provider, number, *, success=True):
    pact = api.get(f"/pacts/provider/{provider}/consumer/{consumer}/latest")
    body = {"success": success, "providerApplicationVersion": number}
    assert api.post(pact.link("pb:publish-verification-results"), body).status == 201


@only_sqlite
def test_recording_the_missing_deployment_changes_the_answer(api, broker):
    run, address = broker
    api.publish("Shop", "1", "Stock", "a", branch="main")
    verify(api, "Shop", "Stock", "7")
    question = ("can-i-deploy", "--pacticipant", "Shop", "--version", "1", "--to-environment", "test")
    words, page = suggested(run(*question))
    assert words[:3] == ["record-deployment", "--pacticipant", "Stock"]
    shown = api.get(page.removeprefix(address), accept=HTML)
    assert (shown.status, "<strong>" in shown.text) == (200, True)
    assert run(*("7" if word == "VERSION" else word for word in words)).exit_code == 0
    assert run(*question).exit_code == 0


@only_sqlite
@pytest.mark.parametrize("failed", [False, True])
def test_the_suggested_verification_selects_the_pact_that_lacks_a_result(api, broker, failed):
    run, _ = broker
    api.publish("Shop", "1", "Stock", "a", branch="main")
    api.publish("Shop", "2", "Stock", "b", branch="feature/x")
    if failed:
        verify(api, "Shop", "Stock", "7", success=False)
    else:
        api.put("/pacticipants/Stock/versions/7", {})
    run("record-deployment", "--pacticipant", "Stock", "--version", "7", "--environment", "test")
    question = ("can-i-deploy", "--pacticipant", "Shop", "--version", "2", "--to-environment", "test")
    words, _ = suggested(run(*question), "pact-verifier")
    options = dict(zip(words[::2], words[1::2], strict=False))
    assert options["--provider"] == "Stock"
    assert options["--provider-app-version"] == ("VERSION" if failed else "7")
    selector = json.loads(options["--consumer-version-selector"])
    assert selector == {"consumer": "Shop", "branch": "feature/x"}
    body = {"consumerVersionSelectors": [selector]}
    pacts = api.post("/pacts/provider/Stock/for-verification", body).json()["_embedded"]["pacts"]
    assert len(pacts) == 1
    pact = api.get(pacts[0]["_links"]["self"]["href"].removeprefix("http://localhost"))
    result = {"success": True, "providerApplicationVersion": "8" if failed else "7"}
    assert api.post(pact.link("pb:publish-verification-results"), result).status == 201
    if failed:
        run("record-deployment", "--pacticipant", "Stock", "--version", "8", "--environment", "test")
    assert run(*question).exit_code == 0


@only_sqlite
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
    words, _ = suggested(run(*question))
    assert words[0] == command
    assert run(*("1" if word == "VERSION" else word for word in words)).exit_code == 0
    assert run(*question).exit_code == 0


@only_sqlite
def test_an_application_is_given_a_version_with_the_destination_tag_or_on_its_main_branch(api, broker):
    run, _ = broker
    api.publish("Shop", "1", "Stock", "a", branch="main")
    verify(api, "Shop", "Stock", "7")
    for question in (
        ("can-i-deploy", "--pacticipant", "Shop", "--version", "1", "--to", "prod"),
        ("can-i-merge", "--pacticipant", "Shop", "--version", "1"),
    ):
        words, _ = suggested(run(*question))
        assert "Stock" in words
        assert run(*({"VERSION": "7", "MAIN_BRANCH": "main"}.get(word, word) for word in words)).exit_code == 0
        assert run(*question).exit_code == 0, run(*question).output


@only_sqlite
def test_a_name_to_ignore_that_does_not_exist_is_corrected(api, broker):
    run, _ = broker
    api.publish("Shop", "1", "stock-service", "a")
    question = ("can-i-deploy", "--pacticipant", "Shop", "--version", "1", "--to-environment", "test")
    result = run(*question, "--ignore", "stock-servcie")
    assert "There is no application stock-servcie. Did you mean stock-service? Correct --ignore" in result.stderr
    assert f"    pact-broker {' '.join(question)}\n" in result.stderr


# Refused recordings


@only_sqlite
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


@only_sqlite
@pytest.mark.parametrize(
    "words", [("record-undeployment",), ("record-support-ended", "--version", "1")], ids=["undeployment", "support"]
)
def test_an_end_that_cannot_be_recorded_leads_to_what_is_there(api, broker, words):
    run, address = broker
    api.publish("Shop", "1", "Stock", "a")
    result = run(*words, "--pacticipant", "Shop", "--environment", "test")
    listing = ["describe-version", "--pacticipant", "Shop", "--environment", "test"]
    assert result.stderr == (
        f"List its versions there: pact-broker {' '.join(listing)}\nSee {address}/pacticipants/Shop\n"
    )
    assert run(*listing).exit_code == 0
