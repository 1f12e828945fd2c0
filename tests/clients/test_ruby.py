"""The command lines in Ruby, `pact-broker` and `pact-provider-verifier`, which many builds still run."""

import json

import pytest

from tests.clients import access, story
from tests.clients.registry import (
    BRANCHES,
    CAN_I_DEPLOY,
    DEPLOYMENTS,
    ENVIRONMENTS,
    PACTICIPANTS,
    PENDING,
    PUBLISH,
    RELEASES,
    RESULTS,
    RUBY,
    TAGS,
    VERIFY,
    VERIFY_BY_TAG,
    WEBHOOKS,
    WIP,
    client,
    exercises,
)
from tests.clients.story import CommandLine
from tests.clients.toolchains import find_ruby_program
from tests.whole import shop

pytestmark = client(RUBY)


@pytest.fixture
def cli(broker, tmp_path):
    return CommandLine((find_ruby_program("ruby", "pact-broker"),), broker, tmp_path)


@pytest.fixture
def verify(broker, tmp_path):
    def run(version, *selectors, branch="", tag=""):
        words = [f"--consumer-version-selector={json.dumps(selector)}" for selector in selectors]
        words += [f"--provider-version-branch={branch}"] if branch else []
        words += [f"--provider-version-tag={tag}"] if tag else []
        with shop.prices() as provider:
            return broker.call(
                *(
                    find_ruby_program("ruby-verifier", "pact-provider-verifier"),
                    "--provider",
                    shop.PROVIDER,
                    "--provider-base-url",
                    provider,
                ),
                *("--provider-states-setup-url", f"{provider}/states", "--provider-app-version", version, *words),
                *("--publish-verification-results", "--enable-pending", "--include-wip-pacts-since", "2020-01-01"),
                cwd=tmp_path,
            )

    return run


@access.ESPECIALLY_GUARDED
@exercises(PUBLISH, BRANCHES, VERIFY, PENDING, WIP, RESULTS, CAN_I_DEPLOY, ENVIRONMENTS, DEPLOYMENTS)
def test_both_sides_are_deployed_with_branches_and_a_new_expectation_is_pending(cli, verify):
    story.deploy_with_branches(cli, verify)
    story.add_pending_expectation(cli, verify)
    story.fail_with_wrong_credentials(cli, "list-environments")


@pytest.mark.long
@exercises(PUBLISH, TAGS, VERIFY_BY_TAG, RESULTS, CAN_I_DEPLOY)
def test_both_sides_are_deployed_with_tags_alone(cli, verify):
    story.deploy_with_tags(cli, verify)


@pytest.mark.long
@exercises(PACTICIPANTS, BRANCHES, TAGS, ENVIRONMENTS, DEPLOYMENTS, RELEASES, WEBHOOKS)
def test_applications_environments_and_webhooks_are_created_and_changed(cli):
    story.manage_applications(cli)
    story.manage_environments(cli)
    story.manage_webhooks(cli)
