"""The commands of the Rust client that read and write single things."""

import json

import pytest

from tests.clients import access, story
from tests.clients.registry import (
    BRANCHES,
    DEPLOYMENTS,
    ENVIRONMENTS,
    PACTICIPANTS,
    PROVIDER_STATES,
    PUBLISH,
    RELEASES,
    RUST,
    TAGS,
    WEBHOOKS,
    client,
    exercises,
)
from tests.clients.story import CommandLine
from tests.whole import servers, shop

pytestmark = client(RUST)
NAME = "Till/2 ü"
VERSION = ("--pacticipant", NAME, "--version", "1")


@pytest.fixture
def rust(broker, tmp_path):
    return CommandLine((str(servers.BIN / "pact"), "broker"), broker, tmp_path)


@access.ESPECIALLY_GUARDED
@exercises(PACTICIPANTS, BRANCHES, TAGS)
def test_an_application_its_versions_and_branches_are_created_changed_and_described(rust):
    name = ("--name", NAME)
    assert "created successfully" in rust("create-or-update-pacticipant", *name, "--display-name", "The Till")
    rust("create-or-update-pacticipant", *name, "--main-branch", "main")
    described = rust("describe-pacticipant", *name)
    assert "Display Name: The Till" in described
    assert "Main Branch: main" in described
    assert "The Till" in rust("list-pacticipants")

    created = rust("create-or-update-version", *VERSION, "--branch", "feat/x", "--tag", "dev")
    assert "Branch 'feat/x' created for version '1'" in created
    rust("create-version-tag", *VERSION, "--tag", "feat/tag")
    assert "feat/tag" in rust("describe-version", *VERSION)
    rust("delete-version-tag", *VERSION, "--tag", "feat/tag")
    described = rust("describe-version", *VERSION)
    assert "feat/tag" not in described
    assert "dev" in described

    branch = ("--pacticipant", NAME, "--branch", "feat/x")
    assert "Successfully deleted branch" in rust("delete-branch", *branch)
    assert "it was not found" in rust("delete-branch", *branch)


@access.ESPECIALLY_GUARDED
@exercises(ENVIRONMENTS, DEPLOYMENTS, RELEASES)
def test_deployments_and_releases_are_recorded_and_ended_in_an_environment_that_is_changed(rust):
    where = ("--environment", "test")
    rust("create-environment", "--name", "test")
    (created,) = json.loads(rust("list-environments", "--output", "json"))["_embedded"]["environments"]
    rust("create-or-update-version", *VERSION, "--branch", "main")
    rust("record-deployment", *VERSION, *where, "--application-instance", "blue")
    assert "blue" in rust("describe-version", *VERSION[:2], *where, "--deployed")
    ended = rust("record-undeployment", *VERSION[:2], *where, "--application-instance", "blue")
    assert f"Undeployed {NAME}" in ended
    assert "blue" not in rust("describe-version", *VERSION[:2], *where, "--deployed")

    rust("record-release", *VERSION, *where)
    assert "│ 1 " in rust("describe-version", *VERSION[:2], *where, "--released")
    rust("record-support-ended", *VERSION, *where)
    assert "│ 1 " not in rust("describe-version", *VERSION[:2], *where, "--released")

    uuid = ("--uuid", created["uuid"])
    rust("update-environment", *uuid, "--name", "testing", "--display-name", "For tests")
    described = rust("describe-environment", *uuid)
    assert "Name: testing" in described
    assert "Display Name: For tests" in described
    rust("delete-environment", *uuid)
    assert "testing" not in rust("list-environments")


@access.ESPECIALLY_GUARDED
@exercises(PUBLISH, BRANCHES, WEBHOOKS)
def test_pacts_are_listed_and_a_webhook_is_created_and_changed(rust):
    rust.publish("1", "--branch", "main")
    assert shop.CONSUMER in rust("list-latest-pact-versions")
    story.manage_webhooks(rust)


PROVIDER = ("--provider", shop.PROVIDER)
LISTINGS = (
    *(("get-pacts", *PROVIDER, *which) for which in ((), ("--latest",), ("--branch", "main"))),
    ("get-pacts", *PROVIDER, "--branch", "main", "--latest"),
    ("provider-states", "list", *PROVIDER),
    ("provider-states", "list", *PROVIDER, "--branch", "main"),
)


@pytest.mark.parametrize("broker", [access.PLAIN], indirect=True)
@exercises(PUBLISH, BRANCHES, PROVIDER_STATES)
def test_pacts_and_provider_states_of_a_provider_are_listed(rust):
    rust("create-or-update-pacticipant", "--name", shop.CONSUMER, "--main-branch", "main")
    rust.publish("1", "--branch", "main")
    for command, *words in LISTINGS:
        output = rust(command, *words)
        if command == "get-pacts":
            assert f"Pact between {shop.CONSUMER} (1) and {shop.PROVIDER}" in output
        else:
            assert "product 7 is for sale" in output
            assert shop.CONSUMER in output


@pytest.mark.parametrize("broker", [access.GUARDED], indirect=True)
@pytest.mark.long
@exercises()
def test_these_lists_are_requested_from_the_root_of_the_host_and_do_not_reach_a_broker_below_a_path(rust):
    """A fault of the client, which docs/clients.md mentions. If this fails, the client has been fixed."""
    for words in LISTINGS:
        assert "404 Not Found" in rust(*words, code=1)
    assert rust.broker.requests() == []
