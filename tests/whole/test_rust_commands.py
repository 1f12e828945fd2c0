"""The Rust client's commands that read and write single things, against Treaty."""

import json

import pytest

from tests.whole import shop
from tests.whole.servers import run


@pytest.fixture
def rust(server, tmp_path):
    """Runs a command that must work, and gives what it printed."""

    def call(*words):
        done = run("pact", "broker", *words, cwd=tmp_path, PACT_BROKER_BASE_URL=server.address)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return call


@pytest.fixture
def published(rust, tmp_path):
    """A pact of a version on the main branch."""
    (tmp_path / "pacts").mkdir()
    shop.write_pact(tmp_path / "pacts")
    rust("create-or-update-pacticipant", "--name", shop.CONSUMER, "--main-branch", "main")
    rust("publish", "pacts", "--consumer-app-version", "1", "--branch", "main")


@pytest.fixture
def environment(rust):
    """The UUID of an environment called test."""
    rust("create-environment", "--name", "test")
    (found,) = json.loads(rust("list-environments", "--output", "json"))["_embedded"]["environments"]
    return found["uuid"]


VERSION = ("--pacticipant", "Till/2 ü", "--version", "1")
WHERE = ("--environment", "test")


@pytest.mark.slow
def test_a_pacticipant_is_created_changed_and_described(rust):
    name = ("--name", "Till/2 ü")
    assert "created successfully" in rust("create-or-update-pacticipant", *name, "--display-name", "The Till")
    rust("create-or-update-pacticipant", *name, "--main-branch", "main")
    described = rust("describe-pacticipant", *name)
    assert "Display Name: The Till" in described
    assert "Main Branch: main" in described
    assert "The Till" in rust("list-pacticipants")


def test_a_version_is_created_tagged_and_described(rust):
    created = rust("create-or-update-version", *VERSION, "--branch", "feat/x", "--tag", "dev")
    assert "Branch 'feat/x' created for version '1'" in created
    rust("create-version-tag", *VERSION, "--tag", "feat/tag")
    assert "feat/tag" in rust("describe-version", *VERSION)
    rust("delete-version-tag", *VERSION, "--tag", "feat/tag")
    described = rust("describe-version", *VERSION)
    assert "feat/tag" not in described
    assert "dev" in described


def test_a_branch_is_deleted(rust):
    rust("create-or-update-version", *VERSION, "--branch", "feat/x")
    branch = ("--pacticipant", "Till/2 ü", "--branch", "feat/x")
    assert "Successfully deleted branch" in rust("delete-branch", *branch)
    assert "it was not found" in rust("delete-branch", *branch)


@pytest.mark.slow
def test_an_environment_is_changed_described_and_deleted(rust, environment):
    rust("update-environment", "--uuid", environment, "--name", "testing", "--display-name", "For tests")
    described = rust("describe-environment", "--uuid", environment)
    assert "Name: testing" in described
    assert "Display Name: For tests" in described
    rust("delete-environment", "--uuid", environment)
    assert "testing" not in rust("list-environments")


def test_a_deployment_is_recorded_and_ended(rust, environment):
    assert environment
    rust("create-or-update-version", *VERSION, "--branch", "main")
    rust("record-deployment", *VERSION, *WHERE, "--application-instance", "blue")
    assert "blue" in rust("describe-version", *VERSION[:2], *WHERE, "--deployed")
    ended = rust("record-undeployment", *VERSION[:2], *WHERE, "--application-instance", "blue")
    assert "Undeployed Till/2 ü" in ended
    assert "blue" not in rust("describe-version", *VERSION[:2], *WHERE, "--deployed")


@pytest.mark.slow
def test_a_release_is_recorded_and_ended(rust, environment):
    assert environment
    rust("create-or-update-version", *VERSION, "--branch", "main")
    rust("record-release", *VERSION, *WHERE)
    assert "│ 1 " in rust("describe-version", *VERSION[:2], *WHERE, "--released")
    rust("record-support-ended", *VERSION, *WHERE)
    assert "│ 1 " not in rust("describe-version", *VERSION[:2], *WHERE, "--released")


@pytest.mark.usefixtures("published")
def test_pacts_are_listed(rust):
    assert shop.CONSUMER in rust("list-latest-pact-versions")
    provider = ("--provider", shop.PROVIDER)
    for which in ((), ("--latest",), ("--branch", "main"), ("--branch", "main", "--latest")):
        assert f"Pact between {shop.CONSUMER} (1) and {shop.PROVIDER}" in rust("get-pacts", *provider, *which)


@pytest.mark.slow
@pytest.mark.usefixtures("published")
def test_provider_states_are_listed(rust):
    for which in ((), ("--branch", "main")):
        states = rust("provider-states", "list", "--provider", shop.PROVIDER, *which)
        assert "product 7 is for sale" in states
        assert shop.CONSUMER in states
