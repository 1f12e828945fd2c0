"""The command line in Rust, `pact`, with its broker client and its verifier."""

import json
from urllib.parse import urlsplit

import pytest

from tests.clients import access, story
from tests.clients.registry import (
    BRANCHES,
    CAN_I_DEPLOY,
    DEPLOYMENTS,
    ENVIRONMENTS,
    PENDING,
    PUBLISH,
    RESULTS,
    RUST,
    TAGS,
    VERIFY,
    VERIFY_BY_TAG,
    WIP,
    client,
    exercises,
)
from tests.clients.story import CommandLine
from tests.whole import servers, shop

pytestmark = client(RUST)
PROGRAM = str(servers.BIN / "pact")


@pytest.fixture
def cli(broker, tmp_path):
    return CommandLine((PROGRAM, "broker"), broker, tmp_path)


@pytest.fixture
def verify(broker, tmp_path):
    def run(version, *selectors, branch="", tag=""):
        words = [f"--consumer-version-selectors={json.dumps(selector)}" for selector in selectors]
        words += [f"--provider-branch={branch}"] if branch else []
        words += [f"--provider-tags={tag}"] if tag else []
        with shop.prices() as provider:
            return broker.call(
                *(PROGRAM, "verifier", "--hostname", "127.0.0.1", "--port", str(urlsplit(provider).port)),
                *("--provider-name", shop.PROVIDER, "--state-change-url", f"{provider}/states"),
                *("--publish", "--provider-version", version, *words),
                *("--enable-pending", "--include-wip-pacts-since", "2020-01-01"),
                cwd=tmp_path,
            )

    return run


@exercises(PUBLISH, BRANCHES, VERIFY, PENDING, WIP, RESULTS, CAN_I_DEPLOY, ENVIRONMENTS, DEPLOYMENTS)
def test_both_sides_are_deployed_with_branches_and_a_new_expectation_is_pending(cli, verify):
    story.deploy_with_branches(cli, verify)
    story.add_pending_expectation(cli, verify)
    story.fail_with_wrong_credentials(cli, "list-environments")


@access.ESPECIALLY_GUARDED
@exercises(PUBLISH, TAGS, VERIFY_BY_TAG, RESULTS, CAN_I_DEPLOY)
def test_both_sides_are_deployed_with_tags_alone(cli, verify):
    story.deploy_with_tags(cli, verify)
