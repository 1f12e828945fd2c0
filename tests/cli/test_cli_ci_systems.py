"""The version, branch and build URL in each CI system, as publish sends them.

Each row has the variables that the system's documentation gives for such a build.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from treaty.cli.ci_systems import CI_SYSTEMS

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

HEAD: Final = "c0ffee" + "0" * 34
"""The commit of the branch, or of the pull request's source."""
MERGE: Final = "badbad" + "0" * 34
"""The commit of a temporary merge of a pull request with its target."""
PUBLISH: Final = ["publish", "pact.json", "-r"]


class Build(NamedTuple):
    variables: dict[str, str]
    branch: str | None
    url: str | None = None
    tag: str = ""


GITHUB: Final = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "shop/till",
    "GITHUB_RUN_ID": "7",
}
GITHUB_PULL: Final = GITHUB | {"GITHUB_SHA": MERGE, "GITHUB_REF": "refs/pull/12/merge", "GITHUB_BASE_REF": "main"}
GITHUB_URL: Final = "https://github.com/shop/till/actions/runs/7"
BUILDKITE: Final = {
    "BUILDKITE": "true",
    "BUILDKITE_COMMIT": HEAD,
    "BUILDKITE_TAG": "",
    "BUILDKITE_PULL_REQUEST": "false",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "",
    "BUILDKITE_BUILD_URL": "https://buildkite.com/shop/till/builds/7",
}
BUILDKITE_URL: Final = "https://buildkite.com/shop/till/builds/7"
CIRCLE: Final = {"CIRCLECI": "true", "CIRCLE_SHA1": HEAD, "CIRCLE_BUILD_URL": "https://circleci.com/gh/shop/till/7"}
CIRCLE_URL: Final = "https://circleci.com/gh/shop/till/7"
TRAVIS: Final = {
    "TRAVIS": "true",
    "TRAVIS_COMMIT": HEAD,
    "TRAVIS_TAG": "",
    "TRAVIS_PULL_REQUEST": "false",
    "TRAVIS_PULL_REQUEST_BRANCH": "",
    "TRAVIS_PULL_REQUEST_SHA": "",
    "TRAVIS_REPO_SLUG": "shop/till",
    "TRAVIS_BUILD_WEB_URL": "https://app.travis-ci.com/shop/till/builds/7",
}
TRAVIS_PULL: Final = TRAVIS | {
    "TRAVIS_COMMIT": MERGE,
    "TRAVIS_BRANCH": "main",
    "TRAVIS_PULL_REQUEST": "12",
    "TRAVIS_PULL_REQUEST_SHA": HEAD,
}
TRAVIS_URL: Final = "https://app.travis-ci.com/shop/till/builds/7"
JENKINS: Final = {
    "JENKINS_URL": "https://jenkins.example.org/",
    "BUILD_URL": "https://jenkins.example.org/job/till/7/",
    "GIT_COMMIT": HEAD,
}
JENKINS_PULL: Final = JENKINS | {
    "BRANCH_NAME": "PR-12",
    "GIT_BRANCH": "PR-12",
    "CHANGE_ID": "12",
    "CHANGE_TARGET": "main",
    "CHANGE_BRANCH": "feature/login",
}
JENKINS_URL: Final = "https://jenkins.example.org/job/till/7/"
APPVEYOR: Final = {
    "APPVEYOR": "True",
    "APPVEYOR_URL": "https://ci.appveyor.com",
    "APPVEYOR_ACCOUNT_NAME": "shop",
    "APPVEYOR_PROJECT_SLUG": "till",
    "APPVEYOR_BUILD_ID": "7",
    "APPVEYOR_REPO_COMMIT": HEAD,
    "APPVEYOR_REPO_TAG": "false",
}
APPVEYOR_PULL: Final = APPVEYOR | {
    "APPVEYOR_REPO_COMMIT": MERGE,
    "APPVEYOR_REPO_BRANCH": "main",
    "APPVEYOR_PULL_REQUEST_NUMBER": "12",
    "APPVEYOR_PULL_REQUEST_HEAD_COMMIT": HEAD,
}
APPVEYOR_URL: Final = "https://ci.appveyor.com/project/shop/till/builds/7"
GITLAB: Final = {
    "GITLAB_CI": "true",
    "CI_COMMIT_SHA": HEAD,
    "CI_DEFAULT_BRANCH": "main",
    "CI_PIPELINE_URL": "https://gitlab.example.org/shop/till/-/pipelines/7",
    "CI_JOB_URL": "https://gitlab.example.org/shop/till/-/jobs/70",
}
GITLAB_MERGE_REQUEST: Final = GITLAB | {
    "CI_COMMIT_REF_NAME": "feature/login",
    "CI_MERGE_REQUEST_IID": "12",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/login",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "shop/till",
}
GITLAB_URL: Final = "https://gitlab.example.org/shop/till/-/jobs/70"
CODESHIP: Final = {"CI_NAME": "codeship", "CI_COMMIT_ID": HEAD, "CI_BRANCH": "feature/login"}
BITBUCKET: Final = {
    "BITBUCKET_BUILD_NUMBER": "7",
    "BITBUCKET_COMMIT": HEAD,
    "BITBUCKET_REPO_FULL_NAME": "shop/till",
}
BITBUCKET_URL: Final = "https://bitbucket.org/shop/till/addon/pipelines/home#!/results/7"
AZURE: Final = {
    "TF_BUILD": "True",
    "BUILD_SOURCEVERSION": HEAD,
    "BUILD_BUILDID": "7",
    "SYSTEM_COLLECTIONURI": "https://dev.azure.com/shop/",
    "SYSTEM_TEAMPROJECT": "Point of Sale",
}
AZURE_PULL: Final = AZURE | {
    "BUILD_SOURCEVERSION": MERGE,
    "BUILD_SOURCEBRANCH": "refs/pull/12/merge",
    "BUILD_SOURCEBRANCHNAME": "merge",
    "SYSTEM_PULLREQUEST_PULLREQUESTID": "12",
    "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main",
    "SYSTEM_PULLREQUEST_SOURCECOMMITID": HEAD,
}
AZURE_URL: Final = "https://dev.azure.com/shop/Point%20of%20Sale/_build/results?buildId=7"
CIRRUS: Final = {"CIRRUS_CI": "true", "CIRRUS_CHANGE_IN_REPO": HEAD, "CIRRUS_BUILD_ID": "7"}
CIRRUS_URL: Final = "https://cirrus-ci.com/build/7"

BUILDS: Final = {
    "GitHub, push": Build(GITHUB | {"GITHUB_SHA": HEAD, "GITHUB_REF": "refs/heads/main"}, "main", GITHUB_URL),
    "GitHub, push to a branch with slashes": Build(
        GITHUB | {"GITHUB_SHA": HEAD, "GITHUB_REF": "refs/heads/feature/login", "GITHUB_HEAD_REF": ""},
        "feature/login",
        GITHUB_URL,
    ),
    "GitHub, manual run": Build(
        GITHUB | {"GITHUB_SHA": HEAD, "GITHUB_REF": "refs/heads/feature/login", "GITHUB_REF_TYPE": "branch"},
        "feature/login",
        GITHUB_URL,
    ),
    "GitHub, tag": Build(
        GITHUB | {"GITHUB_SHA": HEAD, "GITHUB_REF": "refs/tags/v1.0", "GITHUB_REF_TYPE": "tag"},
        None,
        GITHUB_URL,
        "v1.0",
    ),
    "Buildkite, push": Build(BUILDKITE | {"BUILDKITE_BRANCH": "feature/login"}, "feature/login", BUILDKITE_URL),
    "Buildkite, pull request": Build(
        BUILDKITE
        | {
            "BUILDKITE_BRANCH": "feature/login",
            "BUILDKITE_PULL_REQUEST": "12",
            "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main",
        },
        "feature/login",
        BUILDKITE_URL,
    ),
    "Buildkite, pull request of a fork": Build(
        BUILDKITE
        | {
            "BUILDKITE_BRANCH": "main",
            "BUILDKITE_PULL_REQUEST": "12",
            "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main",
            "BUILDKITE_PULL_REQUEST_REPO": "git://github.com/ada/till.git",
        },
        "ada:main",
        BUILDKITE_URL,
    ),
    "Buildkite, tag": Build(
        BUILDKITE | {"BUILDKITE_BRANCH": "v1.0", "BUILDKITE_TAG": "v1.0"}, None, BUILDKITE_URL, "v1.0"
    ),
    "CircleCI, push": Build(CIRCLE | {"CIRCLE_BRANCH": "feature/login"}, "feature/login", CIRCLE_URL),
    "CircleCI, pull request": Build(
        CIRCLE | {"CIRCLE_BRANCH": "feature/login", "CIRCLE_PULL_REQUEST": "https://github.com/shop/till/pull/12"},
        "feature/login",
        CIRCLE_URL,
    ),
    "CircleCI, pull request of a fork": Build(
        CIRCLE | {"CIRCLE_BRANCH": "pull/12", "CIRCLE_PR_NUMBER": "12", "CIRCLE_PR_USERNAME": "ada"},
        "pull/12",
        CIRCLE_URL,
    ),
    "CircleCI, tag": Build(CIRCLE | {"CIRCLE_TAG": "v1.0"}, None, CIRCLE_URL, "v1.0"),
    "Travis, push": Build(TRAVIS | {"TRAVIS_BRANCH": "feature/login"}, "feature/login", TRAVIS_URL),
    "Travis, pull request": Build(
        TRAVIS_PULL | {"TRAVIS_PULL_REQUEST_BRANCH": "feature/login"}, "feature/login", TRAVIS_URL
    ),
    "Travis, pull request of a fork": Build(
        TRAVIS_PULL | {"TRAVIS_PULL_REQUEST_BRANCH": "main", "TRAVIS_PULL_REQUEST_SLUG": "ada/till"},
        "ada:main",
        TRAVIS_URL,
    ),
    "Travis, tag": Build(TRAVIS | {"TRAVIS_BRANCH": "v1.0", "TRAVIS_TAG": "v1.0"}, None, TRAVIS_URL, "v1.0"),
    "Jenkins, job": Build(JENKINS | {"GIT_BRANCH": "origin/main"}, "main", JENKINS_URL),
    "Jenkins, job for a branch with slashes": Build(
        JENKINS | {"GIT_BRANCH": "origin/feature/login", "GIT_LOCAL_BRANCH": "feature/login"},
        "feature/login",
        JENKINS_URL,
    ),
    "Jenkins, job by ref": Build(
        JENKINS | {"GIT_BRANCH": "refs/remotes/origin/feature/login"}, "feature/login", JENKINS_URL
    ),
    "Jenkins, job with a detached head": Build(
        JENKINS | {"GIT_BRANCH": "detached", "GIT_LOCAL_BRANCH": "main"}, "main", JENKINS_URL
    ),
    "Jenkins, job of a tag": Build(JENKINS | {"GIT_BRANCH": "refs/tags/v1.0"}, None, JENKINS_URL, "v1.0"),
    "Jenkins, branch": Build(
        JENKINS | {"BRANCH_NAME": "feature/login", "GIT_BRANCH": "feature/login"}, "feature/login", JENKINS_URL
    ),
    "Jenkins, pull request": Build(JENKINS_PULL, "feature/login", JENKINS_URL),
    "Jenkins, pull request of a fork": Build(
        JENKINS_PULL | {"CHANGE_BRANCH": "main", "CHANGE_FORK": "ada"}, "ada:main", JENKINS_URL
    ),
    "Jenkins, tag": Build(
        JENKINS | {"BRANCH_NAME": "v1.0", "GIT_BRANCH": "v1.0", "TAG_NAME": "v1.0"}, None, JENKINS_URL, "v1.0"
    ),
    "Jenkins, plugin for pull requests": Build(
        JENKINS
        | {
            "GIT_COMMIT": MERGE,
            "GIT_BRANCH": "origin/pr/12/merge",
            "ghprbActualCommit": HEAD,
            "ghprbSourceBranch": "feature/login",
            "ghprbTargetBranch": "main",
        },
        "feature/login",
        JENKINS_URL,
    ),
    "Jenkins, plugin for GitLab": Build(
        JENKINS
        | {
            "GIT_COMMIT": MERGE,
            "GIT_BRANCH": "origin/merge-requests/12",
            "gitlabMergeRequestLastCommit": HEAD,
            "gitlabSourceBranch": "feature/login",
            "gitlabTargetBranch": "main",
        },
        "feature/login",
        JENKINS_URL,
    ),
    "Jenkins, tag without the address": Build(
        {"GIT_COMMIT": HEAD, "BRANCH_NAME": "v1.0", "TAG_NAME": "v1.0"}, None, None, "v1.0"
    ),
    "Jenkins, branch beside a variable of another program": Build(
        {"GIT_COMMIT": HEAD, "GIT_BRANCH": "origin/main", "TAG_NAME": "latest"}, "main"
    ),
    "AppVeyor, push": Build(APPVEYOR | {"APPVEYOR_REPO_BRANCH": "feature/login"}, "feature/login", APPVEYOR_URL),
    "AppVeyor, pull request": Build(
        APPVEYOR_PULL
        | {
            "APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH": "feature/login",
            "APPVEYOR_PULL_REQUEST_HEAD_REPO_NAME": "shop/till",
        },
        "feature/login",
        APPVEYOR_URL,
    ),
    "AppVeyor, pull request of a fork": Build(
        APPVEYOR_PULL
        | {"APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH": "main", "APPVEYOR_PULL_REQUEST_HEAD_REPO_NAME": "ada/till"},
        "ada:main",
        APPVEYOR_URL,
    ),
    "AppVeyor, tag": Build(
        APPVEYOR | {"APPVEYOR_REPO_BRANCH": "v1.0", "APPVEYOR_REPO_TAG": "true", "APPVEYOR_REPO_TAG_NAME": "v1.0"},
        None,
        APPVEYOR_URL,
        "v1.0",
    ),
    "Codeship, push": Build(CODESHIP | {"CI_BUILD_URL": "https://codeship/7"}, "feature/login", "https://codeship/7"),
    "GitLab, push": Build(
        GITLAB | {"CI_COMMIT_BRANCH": "feature/login", "CI_COMMIT_REF_NAME": "feature/login"},
        "feature/login",
        GITLAB_URL,
    ),
    "GitLab, merge request": Build(GITLAB_MERGE_REQUEST, "feature/login", GITLAB_URL),
    "GitLab, merged results": Build(
        GITLAB_MERGE_REQUEST | {"CI_COMMIT_SHA": MERGE, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD},
        "feature/login",
        GITLAB_URL,
    ),
    "GitLab, merge request of a fork": Build(
        GITLAB_MERGE_REQUEST
        | {"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "main", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "ada/till"},
        "ada:main",
        GITLAB_URL,
    ),
    "GitLab, pull request of another host": Build(
        GITLAB
        | {
            "CI_COMMIT_SHA": MERGE,
            "CI_COMMIT_REF_NAME": "feature/login",
            "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME": "feature/login",
            "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA": HEAD,
        },
        "feature/login",
        GITLAB_URL,
    ),
    "GitLab, tag": Build(GITLAB | {"CI_COMMIT_TAG": "v1.0", "CI_COMMIT_REF_NAME": "v1.0"}, None, GITLAB_URL, "v1.0"),
    "Bitbucket, push": Build(BITBUCKET | {"BITBUCKET_BRANCH": "feature/login"}, "feature/login", BITBUCKET_URL),
    "Bitbucket, pull request": Build(
        BITBUCKET
        | {
            "BITBUCKET_BRANCH": "feature/login",
            "BITBUCKET_PR_ID": "12",
            "BITBUCKET_PR_DESTINATION_BRANCH": "main",
        },
        "feature/login",
        BITBUCKET_URL,
    ),
    "Bitbucket, tag": Build(BITBUCKET | {"BITBUCKET_TAG": "v1.0"}, None, BITBUCKET_URL, "v1.0"),
    "Azure, push": Build(
        AZURE | {"BUILD_SOURCEBRANCH": "refs/heads/feature/login", "BUILD_SOURCEBRANCHNAME": "login"},
        "feature/login",
        AZURE_URL,
    ),
    "Azure, pull request": Build(
        AZURE_PULL | {"SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/feature/login"}, "feature/login", AZURE_URL
    ),
    "Azure, pull request on GitHub": Build(
        AZURE_PULL | {"SYSTEM_PULLREQUEST_SOURCEBRANCH": "feature/login", "SYSTEM_PULLREQUEST_TARGETBRANCH": "main"},
        "feature/login",
        AZURE_URL,
    ),
    "Azure, pull request of a fork": Build(
        AZURE_PULL
        | {
            "SYSTEM_PULLREQUEST_SOURCEBRANCH": "main",
            "SYSTEM_PULLREQUEST_TARGETBRANCH": "main",
            "SYSTEM_PULLREQUEST_SOURCEREPOSITORYURI": "https://github.com/ada/till",
            "SYSTEM_PULLREQUEST_ISFORK": "True",
        },
        "ada:main",
        AZURE_URL,
    ),
    "Azure, tag": Build(
        AZURE | {"BUILD_SOURCEBRANCH": "refs/tags/v1.0", "BUILD_SOURCEBRANCHNAME": "v1.0"}, None, AZURE_URL, "v1.0"
    ),
    "Azure, older agent": Build(AZURE | {"BUILD_SOURCEBRANCHNAME": "login"}, "login", AZURE_URL),
    "Cirrus, push": Build(CIRRUS | {"CIRRUS_BRANCH": "feature/login"}, "feature/login", CIRRUS_URL),
    "Cirrus, pull request": Build(
        CIRRUS | {"CIRRUS_BRANCH": "pull/12", "CIRRUS_PR": "12", "CIRRUS_BASE_BRANCH": "main"}, "pull/12", CIRRUS_URL
    ),
    "Cirrus, tag": Build(CIRRUS | {"CIRRUS_BRANCH": "v1.0", "CIRRUS_TAG": "v1.0"}, None, CIRRUS_URL, "v1.0"),
    "another system": Build({"GIT_COMMIT": HEAD, "SOME_CI_BRANCH": "feature/login"}, "feature/login"),
    "another system with the branch of a pull request's target": Build(
        {"GIT_COMMIT": HEAD, "SOME_CI_BRANCH": "feature/login", "SOME_CI_BASE_BRANCH": "main"}, "feature/login"
    ),
    "another system with git's plugin of Jenkins": Build(
        {"GIT_COMMIT": HEAD, "GIT_BRANCH": "origin/feature/login"}, "feature/login"
    ),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broker: OtherBroker) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pact.json").write_text(json.dumps({"consumer": {"name": "Foo"}, "provider": {"name": "Bar"}}))
    broker.answer("POST /contracts/publish", {})
    return tmp_path


def git(*words: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false", "-c", "core.abbrev=40"]
    return subprocess.run(["git", *who, *words], capture_output=True, text=True, check=True).stdout.strip()


def github_event(folder: Path, head: dict[str, Any]) -> dict[str, str]:
    file = folder / "event.json"
    pull_request = {"number": 12, "head": head, "base": {"ref": "main", "repo": {"full_name": "shop/till"}}}
    file.write_text(json.dumps({"action": "opened", "pull_request": pull_request}), encoding="utf-8")
    return GITHUB_PULL | {"GITHUB_EVENT_PATH": str(file)}


@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_a_build_is_described_by_the_variables_of_its_system(run: Run, broker: OtherBroker, build: Build) -> None:
    result = run(*PUBLISH, **build.variables)
    assert result.exit_code == 0, result.output
    sent = broker.last.json
    assert sent["pacticipantVersionNumber"] == HEAD
    assert sent.get("branch") == build.branch
    assert sent.get("buildUrl") == build.url
    tag_sentence = f"This is the build of the tag {build.tag}, which is not on a branch."
    assert (tag_sentence in result.stderr) is bool(build.tag)


TAG_BUILDS: Final = {name: build for name, build in BUILDS.items() if build.tag}


@pytest.mark.parametrize("build", TAG_BUILDS.values(), ids=TAG_BUILDS)
def test_a_tag_has_no_branch_to_tag_a_version_with(run: Run, broker: OtherBroker, build: Build) -> None:
    result = run("create-version-tag", "-a", "Foo", "-e", "1", "-g", **build.variables)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "This is the build of the tag v1.0, which is not on a branch."
    assert broker.requests == []


def test_the_build_of_a_tag_may_be_given_a_branch(run: Run, broker: OtherBroker) -> None:
    result = run(*PUBLISH, "--branch", "main", **BUILDS["GitLab, tag"].variables)
    assert (broker.last.json["branch"], result.stderr) == ("main", "")


def test_a_pull_request_on_github_has_the_commit_and_branch_of_its_source(
    run: Run, broker: OtherBroker, folder: Path
) -> None:
    variables = github_event(folder, {"sha": HEAD, "ref": "feature/login", "repo": {"full_name": "shop/till"}})
    run(*PUBLISH, **variables, GITHUB_HEAD_REF="feature/login")
    assert (broker.last.json["pacticipantVersionNumber"], broker.last.json["branch"]) == (HEAD, "feature/login")
    # The variable is missing for some events, such as a review.
    run(*PUBLISH, **variables)
    assert (broker.last.json["pacticipantVersionNumber"], broker.last.json["branch"]) == (HEAD, "feature/login")


def test_a_pull_request_of_a_fork_on_github_is_not_on_the_branch_of_the_same_name(
    run: Run, broker: OtherBroker, folder: Path
) -> None:
    variables = github_event(folder, {"sha": HEAD, "ref": "main", "repo": {"full_name": "ada/till"}})
    run(*PUBLISH, **variables, GITHUB_HEAD_REF="main")
    assert (broker.last.json["pacticipantVersionNumber"], broker.last.json["branch"]) == (HEAD, "ada:main")
    # The variables are missing for some events, such as a review.
    run(*PUBLISH, **variables | {"GITHUB_BASE_REF": ""})
    assert (broker.last.json["pacticipantVersionNumber"], broker.last.json["branch"]) == (HEAD, "ada:main")


def test_a_pull_request_of_a_deleted_fork_is_not_on_the_branch_of_the_same_name(
    run: Run, broker: OtherBroker, folder: Path
) -> None:
    variables = github_event(folder, {"sha": HEAD, "ref": "main", "repo": None})
    run(*PUBLISH, **variables, GITHUB_HEAD_REF="main")
    assert broker.last.json["branch"] == "fork:main"


@pytest.mark.parametrize("event", ["", "no such file", "not JSON", "[]", '{"pull_request": null}'])
def test_without_the_event_the_commit_of_the_merge_is_used_with_a_warning(
    run: Run, broker: OtherBroker, folder: Path, event: str
) -> None:
    file = folder / "event.json"
    if event != "no such file":
        file.write_text(event)
    path = {"GITHUB_EVENT_PATH": str(file)} if event else {}
    result = run(*PUBLISH, **GITHUB_PULL, GITHUB_HEAD_REF="feature/login", **path)
    assert (broker.last.json["pacticipantVersionNumber"], broker.last.json["branch"]) == (MERGE, "feature/login")
    assert result.stderr.startswith(f"Warning: The version is {MERGE}, the commit of a temporary merge")


def pull_request(branch: str = "feature/login") -> tuple[str, str]:
    """Commit a pull request and merge it, as CI systems do; return both commits."""
    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "first")
    git("checkout", "-q", "-b", branch)
    git("commit", "-q", "--allow-empty", "-m", "of the pull request")
    source = git("rev-parse", "HEAD")
    git("checkout", "-q", "--detach", "main")
    git("commit", "-q", "--allow-empty", "-m", "of the target")
    git("merge", "-q", "--no-ff", "-m", "merge", branch)
    return source, git("rev-parse", "HEAD")


def test_without_the_event_git_has_the_source_of_githubs_merge_even_in_a_shallow_clone(
    run: Run, broker: OtherBroker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, merge = pull_request()
    git("branch", "merged")
    git("clone", "-q", "--depth", "1", "--branch", "merged", f"file://{folder}", "shallow")
    (folder / "shallow" / "pact.json").write_bytes((folder / "pact.json").read_bytes())
    monkeypatch.chdir(folder / "shallow")
    assert git("rev-parse", "--is-shallow-repository") == "true"
    result = run(*PUBLISH, **GITHUB_PULL | {"GITHUB_SHA": merge, "GITHUB_HEAD_REF": "feature/login"})
    assert (broker.last.json["pacticipantVersionNumber"], result.stderr) == (source, "")


def test_a_pull_request_in_jenkins_has_the_commit_that_was_fetched_for_it(run: Run, broker: OtherBroker) -> None:
    source, merge = pull_request()
    git("update-ref", "refs/remotes/origin/PR-12", source)
    run(*PUBLISH, **JENKINS_PULL | {"GIT_COMMIT": merge})
    assert broker.last.json["pacticipantVersionNumber"] == source


def test_the_merge_of_a_pull_request_in_buildkite_has_the_commit_of_its_source(run: Run, broker: OtherBroker) -> None:
    source, _ = pull_request()
    variables = {
        "BUILDKITE_BRANCH": "feature/login",
        "BUILDKITE_PULL_REQUEST": "12",
        "BUILDKITE_PULL_REQUEST_USING_MERGE_REFSPEC": "true",
        "BUILDKITE_COMMIT": "HEAD",
    }
    run(*PUBLISH, **BUILDKITE | variables)
    assert broker.last.json["pacticipantVersionNumber"] == source


def test_a_symbolic_name_of_a_commit_is_resolved(run: Run, broker: OtherBroker) -> None:
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    run(*PUBLISH, **BUILDKITE | {"BUILDKITE_BRANCH": "main", "BUILDKITE_COMMIT": "HEAD"})
    assert broker.last.json["pacticipantVersionNumber"] == git("rev-parse", "HEAD")


def test_the_remote_in_jenkins_may_have_another_name(run: Run, broker: OtherBroker) -> None:
    git("init", "-q")
    git("remote", "add", "upstream", "https://git.example.org/till")
    run(*PUBLISH, **JENKINS, GIT_BRANCH="upstream/feature/login")
    assert broker.last.json["branch"] == "feature/login"
    run(*PUBLISH, **JENKINS, GIT_BRANCH="feature/login")
    assert broker.last.json["branch"] == "feature/login"


@pytest.mark.parametrize(
    "variables",
    [
        AZURE | {"BUILD_SOURCEBRANCH": "refs/pull/12/merge", "BUILD_SOURCEBRANCHNAME": "merge"},
        GITHUB_PULL,
        GITLAB,
        BITBUCKET,
        JENKINS | {"GIT_BRANCH": "detached"},
        JENKINS | {"GIT_BRANCH": "origin/pr/12/merge"},
        {"CI_DEFAULT_BRANCH": "main", "GIT_COMMIT": HEAD},
    ],
    ids=["Azure", "GitHub", "GitLab", "Bitbucket", "Jenkins", "Jenkins' pull request", "another"],
)
def test_a_detached_head_without_the_name_of_a_branch_has_none(
    run: Run, broker: OtherBroker, variables: dict[str, str]
) -> None:
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    git("checkout", "-q", "--detach")
    result = run(*PUBLISH, "-a", "1", **variables)
    assert result.exit_code == 1
    assert "didn't return anything that could be identified as the current branch." in result.stderr
    assert broker.requests == []


def test_a_variable_of_another_system_counts_if_the_own_system_has_none(run: Run, broker: OtherBroker) -> None:
    run(*PUBLISH, **{**GITLAB, "CI_COMMIT_SHA": ""}, GIT_COMMIT=HEAD, GIT_BRANCH="feature/login")
    assert (broker.last.json["pacticipantVersionNumber"], broker.last.json["branch"]) == (HEAD, "feature/login")


def test_the_documentation_lists_every_variable_that_is_read() -> None:
    text = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
    for system in CI_SYSTEMS:
        names = {*system.commit, *system.branch, *system.tag, *re.findall(r"\{(\w+)\}", " ".join(system.build_url))}
        missing = {name for name in names if f"`{name}`" not in text}
        assert not missing, system.name
