"""The example in Go: pact-go publishes, verifies and asks, with branches and environments and with tags alone."""

from functools import partial

import pytest

from tests.clients import access, toolchains
from tests.clients.registry import GO, PENDING, RESULTS, VERIFY, VERIFY_BY_TAG, WIP, client, exercises
from tests.whole import servers

pytestmark = client(GO)
CONSUMER, PROVIDER = "GoAdminService", "GoUserService"
NEW_EXPECTATION = """
func TestUserOfAnotherName(t *testing.T) {
	err := mockProvider(t).AddInteraction().
		Given("User harry exists").
		UponReceiving("a request for harry").
		WithRequest("GET", "/users/harry").
		WillRespondWith(200).
		ExecuteTest(t, func(mock consumer.MockServerConfig) error {
			_, _ = client(mock).User("harry")
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
}
"""


@pytest.fixture
def make(broker, tmp_path):
    """Run a target of the example's Makefile."""
    toolchains.require("go", "make", "npm")
    installed = toolchains.installed("go", "make", "install")
    folder = toolchains.copied("go", tmp_path)
    (folder / "node_modules").symlink_to(installed / "node_modules")
    return partial(run_target, broker, folder)


def run_target(broker, folder, target, *, code=0, **variables):
    words = [f"{name}={value}" for name, value in variables.items()]
    return broker.call("make", target, f"BROKER={servers.BIN / 'pact-broker'}", *words, cwd=folder, code=code)


@pytest.mark.long
@exercises(VERIFY, VERIFY_BY_TAG, RESULTS)
def test_both_sides_are_deployed_with_tags_alone(make, broker):
    make("publish")
    make("provider")
    assert broker.is_verified(CONSUMER, "1.0.0", PROVIDER, "1.0.0")
    assert "Computer says no" in make("deploy-consumer", code=2)
    assert "Computer says yes" in make("deploy-provider")
    assert "Computer says yes" in make("deploy-consumer")
    tags = broker.http.get(f"pacticipants/{CONSUMER}/versions/1.0.0").json()["_embedded"]["tags"]
    assert {tag["name"] for tag in tags} == {"master", "prod"}
    secret = {"PACT_BROKER_TOKEN", "PACT_BROKER_PASSWORD"} & set(broker.environ)
    assert "401" in make("provider", code=2, **dict.fromkeys(secret, "wrong"))


@access.ESPECIALLY_GUARDED
@exercises(VERIFY, PENDING, WIP, RESULTS)
def test_both_sides_are_deployed_with_branches_and_a_new_expectation_is_pending(make, broker, tmp_path):
    broker.environment("production")
    make("publish", VERSION="1", BRANCH="main", TAG="")
    make("provider", VERSION="1", BRANCH="main", TAG="")
    for target in ("deploy-provider", "deploy-consumer"):
        assert "Computer says yes" in make(target, VERSION="1", ENVIRONMENT="production")
    assert broker.deployed(CONSUMER, "1") == broker.deployed(PROVIDER, "1") == ["Production"]

    test = tmp_path / "go/consumer/client_test.go"
    test.write_text(test.read_text("utf-8") + NEW_EXPECTATION, "utf-8")
    make("publish", VERSION="2", BRANCH="feature/harry", TAG="")
    make("provider", VERSION="2", BRANCH="main", TAG="", WIP_SINCE="2020-01-01")
    assert broker.is_verified(CONSUMER, "1", PROVIDER, "2")
    assert not broker.is_verified(CONSUMER, "2", PROVIDER, "2")
