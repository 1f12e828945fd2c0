"""The newest programs of the Rust client, built from crates.io: their builds on PyPI may be older."""

import json
from functools import partial
from urllib.parse import urlsplit

import pytest

from tests.clients import toolchains
from tests.clients.registry import (
    BRANCHES,
    CAN_I_DEPLOY,
    DEPLOYMENTS,
    ENVIRONMENTS,
    PENDING,
    PUBLISH,
    RESULTS,
    RUST_CRATES,
    VERIFY,
    WIP,
    client,
    exercises,
)
from tests.whole import shop

pytestmark = [client(RUST_CRATES), pytest.mark.long]
SELECTOR = json.dumps({"mainBranch": True})


@pytest.fixture
def pact_broker(broker, tmp_path):
    """Run a command of the Rust client."""
    return partial(broker.call, str(toolchains.installed_crates() / "pact-broker-cli"), cwd=tmp_path)


def verify(broker, tmp_path, version, *, code=0, is_broken=False):
    """Verify the provider with the Rust verifier, and publish the results."""
    program = str(toolchains.installed_crates() / "pact-verifier")
    publication = ("--publish", "--provider-version", version, "--provider-branch", "main")
    pending = ("--enable-pending", "--include-wip-pacts-since", "2020-01-01")
    with shop.prices(is_broken=is_broken) as provider:
        where = ("--hostname", "127.0.0.1", "--port", str(urlsplit(provider).port), "--provider-name", shop.PROVIDER)
        states = ("--state-change-url", f"{provider}/states", "--consumer-version-selectors", SELECTOR)
        return broker.call(program, *where, *states, *publication, *pending, cwd=tmp_path, code=code)


@exercises(PUBLISH, VERIFY, RESULTS, CAN_I_DEPLOY, BRANCHES, ENVIRONMENTS, DEPLOYMENTS, PENDING, WIP)
def test_both_sides_are_verified_and_deployed(broker, pact_broker, tmp_path):
    (tmp_path / "pacts").mkdir()
    shop.write_pact(tmp_path / "pacts")
    pact_broker("create-environment", "--name", "production", "--production")
    pact_broker("publish", "pacts", "--consumer-app-version", "1", "--branch", "main")
    deployable = ("can-i-deploy", "--to-environment", "production", "--pacticipant")
    assert "Computer says no" in pact_broker(*deployable, shop.CONSUMER, "--version", "1", code=1)

    verify(broker, tmp_path, "a0", is_broken=True)  # a new pact is pending: it fails no build
    assert not broker.is_verified(shop.CONSUMER, "1", shop.PROVIDER, "a0")
    verify(broker, tmp_path, "a1")
    assert broker.is_verified(shop.CONSUMER, "1", shop.PROVIDER, "a1")
    verify(broker, tmp_path, "a2", is_broken=True, code=1)

    for application, version in ((shop.PROVIDER, "a1"), (shop.CONSUMER, "1")):
        named = (application, "--version", version)
        assert "Computer says yes" in pact_broker(*deployable, *named)
        pact_broker("record-deployment", "--environment", "production", "--pacticipant", *named)
        assert broker.deployed(application, version) == ["Production"]
    assert "Computer says no" in pact_broker(*deployable, shop.PROVIDER, "--version", "a2", code=1)
