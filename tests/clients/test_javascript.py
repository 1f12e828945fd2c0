"""The example in JavaScript: Pact JS writes a pact, verifies the provider and publishes the result."""

from functools import partial

import pytest

from tests.clients import access, toolchains
from tests.clients.registry import JAVASCRIPT, PENDING, RESULTS, VERIFY, WIP, client, exercises
from tests.clients.story import CommandLine
from tests.whole import servers

pytestmark = client(JAVASCRIPT)
CONSUMER, PROVIDER = "UserPage", "UserService"
NEW_EXPECTATION = """
test("a user of another name", () => {
  pact
    .given("harry exists")
    .uponReceiving("a request for harry")
    .withRequest({ method: "GET", path: "/users/harry" })
    .willRespondWith({ status: 200, headers: { "Content-Type": "application/json" }, body: { name: "harry" } });
  return pact.executeTest((mock) => getUser(mock.url, "harry"));
});
"""


@pytest.fixture
def npm(broker, tmp_path):
    """Run a script of the example's package."""
    toolchains.require("node", "npm")
    installed = toolchains.installed("javascript", "npm", "install", "--no-audit", "--no-fund")
    folder = toolchains.copied("javascript", tmp_path)
    (folder / "node_modules").symlink_to(installed / "node_modules")
    return partial(run_script, broker, folder)


def run_script(broker, folder, *words, code=0, **environ):
    return broker.call("npm", *words, cwd=folder, code=code, **environ)


@access.ESPECIALLY_GUARDED
@exercises(VERIFY, PENDING, WIP, RESULTS)
def test_both_sides_agree_and_a_new_expectation_is_pending(npm, broker, tmp_path):
    cli = CommandLine((str(servers.BIN / "pact-broker"),), broker, tmp_path / "javascript")
    npm("test")
    cli("publish", "pacts", "--consumer-app-version", "1", "--branch", "main")
    npm("run", "verify")
    assert "Computer says yes" in cli("can-i-deploy", "--pacticipant", CONSUMER, "--version", "1")

    test = tmp_path / "javascript/consumer.test.js"
    test.write_text(test.read_text("utf-8") + NEW_EXPECTATION, "utf-8")
    npm("test")
    cli("publish", "pacts", "--consumer-app-version", "2", "--branch", "feat/harry")
    npm("run", "verify", PROVIDER_VERSION="2", WIP_SINCE="2020-01-01")
    assert broker.is_verified(CONSUMER, "1", PROVIDER, "2")
    assert not broker.is_verified(CONSUMER, "2", PROVIDER, "2")
    secret = {"PACT_BROKER_TOKEN", "PACT_BROKER_PASSWORD"} & set(broker.environ)
    assert "401" in npm("run", "verify", code=1, PROVIDER_VERSION="3", **dict.fromkeys(secret, "wrong"))
