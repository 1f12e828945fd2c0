"""Values that publish detects from CI systems and git, and sends."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OtherBroker, Run

COMMITS = [
    "GITHUB_SHA",
    "BUILDKITE_COMMIT",
    "CIRCLE_SHA1",
    "TRAVIS_COMMIT",
    "GIT_COMMIT",
    "APPVEYOR_REPO_COMMIT",
    "CI_COMMIT_ID",
    "BITBUCKET_COMMIT",
    "BUILD_SOURCEVERSION",
    "CIRRUS_CHANGE_IN_REPO",
]
BRANCHES = [
    "GITHUB_HEAD_REF",
    "GITHUB_REF",
    "BUILDKITE_BRANCH",
    "CIRCLE_BRANCH",
    "TRAVIS_BRANCH",
    "GIT_BRANCH",
    "GIT_LOCAL_BRANCH",
    "APPVEYOR_REPO_BRANCH",
    "CI_COMMIT_REF_NAME",
    "BITBUCKET_BRANCH",
    "BUILD_SOURCEBRANCHNAME",
    "CIRRUS_BRANCH",
]
BUILD_URLS = ["BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "TRAVIS_BUILD_WEB_URL", "BUILD_URL"]
RUN = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7"}
PUBLISH = ["publish", "pact.json", "-r"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broker: OtherBroker) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pact.json").write_text(json.dumps({"consumer": {"name": "Foo"}, "provider": {"name": "Bar"}}))
    broker.answer("POST /contracts/publish", {})
    return tmp_path


def git(*words: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *words], capture_output=True, text=True, check=True).stdout.strip()


def read_body(broker: OtherBroker) -> dict[str, Any]:
    body: dict[str, Any] = broker.last.json
    return body


@pytest.mark.parametrize("number", range(len(COMMITS)))
def test_the_first_variable_with_a_commit_counts(run: Run, broker: OtherBroker, number: int) -> None:
    env = dict.fromkeys(COMMITS[number + 1 :], "other") | {COMMITS[number]: " c0ffee "}
    run(*PUBLISH, **dict.fromkeys(COMMITS[:number], " "), **env, GIT_BRANCH="b")
    assert read_body(broker)["pacticipantVersionNumber"] == "c0ffee"


@pytest.mark.parametrize("number", range(len(BRANCHES)))
def test_the_first_variable_with_a_branch_counts(run: Run, broker: OtherBroker, number: int) -> None:
    env = dict.fromkeys(BRANCHES[number + 1 :], "other") | {BRANCHES[number]: "refs/heads/feat/x"}
    run(*PUBLISH, "-a", "1", **dict.fromkeys(BRANCHES[:number], ""), **env)
    assert read_body(broker)["branch"] == "feat/x"


def test_the_only_variable_that_ends_like_a_branch_counts(run: Run, broker: OtherBroker) -> None:
    run(*PUBLISH, "-a", "1", SOME_CI_BRANCH="feat")
    assert read_body(broker)["branch"] == "feat"


def test_of_two_such_variables_none_counts(run: Run) -> None:
    result = run(*PUBLISH, "-a", "1", SOME_CI_BRANCH="feat", OTHER_BRANCH="x")
    assert "Could not determine current git branch" in result.stderr


@pytest.mark.parametrize("number", range(len(BUILD_URLS)))
def test_the_first_variable_with_a_build_url_counts(run: Run, broker: OtherBroker, number: int) -> None:
    env = dict.fromkeys(BUILD_URLS[number:], "other") | {BUILD_URLS[number]: "http://ci/1"}
    run(*PUBLISH, "-a", "1", "-h", "b", **env, GITHUB_RUN_ID="7")
    assert read_body(broker)["buildUrl"] == "http://ci/1"


def test_a_run_of_github_has_a_url_of_three_parts(run: Run, broker: OtherBroker) -> None:
    run(*PUBLISH, "-a", "1", "-h", "b", **RUN, BUILD_URL="other")
    assert read_body(broker)["buildUrl"] == "https://github.com/a/b/actions/runs/7"


def test_options_override_detected_values(run: Run, broker: OtherBroker) -> None:
    options = ["-a", "1", "--branch", "mine", "--build-url", "http://mine"]
    run(*PUBLISH, *options, GITHUB_SHA="c0ffee", GIT_BRANCH="other", **RUN)
    assert (read_body(broker)["pacticipantVersionNumber"], read_body(broker)["branch"]) == ("1", "mine")
    assert read_body(broker)["buildUrl"] == "http://mine"


def test_values_are_not_detected_without_the_option(run: Run, broker: OtherBroker) -> None:
    run("publish", "pact.json", "-a", "1", GIT_BRANCH="other", **RUN)
    assert {"branch", "buildUrl"}.isdisjoint(read_body(broker))


def test_git_knows_commit_and_branch(run: Run, broker: OtherBroker) -> None:
    git("init", "-q", "-b", "feat/x")
    git("commit", "-q", "--allow-empty", "-m", "first")
    run(*PUBLISH)
    assert read_body(broker)["pacticipantVersionNumber"] == git("rev-parse", "HEAD")
    assert read_body(broker)["branch"] == "feat/x"


def test_a_detached_head_has_no_branch(run: Run, broker: OtherBroker) -> None:
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    git("checkout", "-q", "--detach")
    result = run(*PUBLISH)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == (
        "Command `git rev-parse --abbrev-ref HEAD` didn't return anything that could be identified as the current "
        "branch."
    )
    assert broker.requests == []


def test_without_git_and_ci_the_commit_must_be_given(run: Run) -> None:
    result = run(*PUBLISH)
    first, second = result.stderr.splitlines()[0], result.stderr.splitlines()[-1]
    assert first.startswith("Could not determine current git commit using command `git rev-parse HEAD`. ")
    assert second.endswith("or give the commit as --consumer-app-version.")


def test_the_branch_becomes_a_tag_once(run: Run, broker: OtherBroker) -> None:
    run("publish", "pact.json", "-a", "1", "-t", "feat", "-t", "dev", "-g", GIT_BRANCH="feat")
    assert read_body(broker)["tags"] == ["feat", "dev"]
    run("publish", "pact.json", "-a", "1", "-t", "dev", "-g", GIT_BRANCH="feat")
    assert read_body(broker)["tags"] == ["dev", "feat"]
