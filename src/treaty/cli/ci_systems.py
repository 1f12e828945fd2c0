"""The CI systems whose variables describe a build: the names of the variables, by their meaning.

The order of the systems is that of the original client, which reads the first variable with a value. The names and
meanings are those in the documentation of each system.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class CiSystem:
    """A CI system. Of several variables for one property, the first with a value has it.

    A variable of a pull request comes before that of the build, which often is a temporary merge with the target.
    """

    name: str
    marker: str
    """A variable that only this system sets, possibly with its value (`NAME=value`)."""
    commit: tuple[str, ...]
    branch: tuple[str, ...]
    tag: tuple[str, ...] = ()
    """The name of the tag that is built. A tag is not on a branch, even if a variable for the branch has its name."""
    pull_request: str
    """A variable that is set for pull requests only, to other values than `false`."""
    target: str
    """The branch into which a pull request would be merged."""
    fork: str = ""
    """The repository or owner of a pull request's source."""
    build_url: tuple[str, ...]
    """Templates of the URL."""
    generic: tuple[str, ...] = ()
    """Variables that other programs set too: they are read only if the marker is set."""


GITHUB: Final = CiSystem(
    name="GitHub Actions",
    marker="GITHUB_ACTIONS",
    commit=("GITHUB_SHA",),
    branch=("GITHUB_HEAD_REF", "GITHUB_REF"),
    pull_request="GITHUB_HEAD_REF",
    target="GITHUB_BASE_REF",
    build_url=("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",),
)
JENKINS: Final = CiSystem(
    name="Jenkins",
    marker="JENKINS_URL",
    # Those with `ghprb` and `gitlab` are of the plugins GitHub Pull Request Builder and GitLab.
    commit=("ghprbActualCommit", "gitlabMergeRequestLastCommit", "GIT_COMMIT"),
    branch=(
        "CHANGE_BRANCH",
        "ghprbSourceBranch",
        "gitlabSourceBranch",
        "BRANCH_NAME",
        "GIT_BRANCH",
        "GIT_LOCAL_BRANCH",
    ),
    tag=("TAG_NAME",),
    pull_request="CHANGE_ID",
    target="CHANGE_TARGET",
    fork="CHANGE_FORK",
    build_url=("{BUILD_URL}",),
    generic=("BRANCH_NAME", "TAG_NAME"),
)
CI_SYSTEMS: Final = (
    GITHUB,
    CiSystem(
        name="Buildkite",
        marker="BUILDKITE",
        commit=("BUILDKITE_COMMIT",),
        branch=("BUILDKITE_BRANCH",),
        tag=("BUILDKITE_TAG",),
        pull_request="BUILDKITE_PULL_REQUEST",
        target="BUILDKITE_PULL_REQUEST_BASE_BRANCH",
        fork="BUILDKITE_PULL_REQUEST_REPO",
        build_url=("{BUILDKITE_BUILD_URL}",),
    ),
    CiSystem(
        name="CircleCI",
        marker="CIRCLECI",
        commit=("CIRCLE_SHA1",),
        branch=("CIRCLE_BRANCH",),
        tag=("CIRCLE_TAG",),
        pull_request="CIRCLE_PULL_REQUEST",
        target="",
        fork="CIRCLE_PR_USERNAME",
        build_url=("{CIRCLE_BUILD_URL}",),
    ),
    CiSystem(
        name="Travis CI",
        marker="TRAVIS",
        commit=("TRAVIS_PULL_REQUEST_SHA", "TRAVIS_COMMIT"),
        branch=("TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"),
        tag=("TRAVIS_TAG",),
        pull_request="TRAVIS_PULL_REQUEST",
        target="TRAVIS_BRANCH",
        fork="TRAVIS_PULL_REQUEST_SLUG",
        build_url=("{TRAVIS_BUILD_WEB_URL}",),
    ),
    JENKINS,
    CiSystem(
        name="AppVeyor",
        marker="APPVEYOR",
        commit=("APPVEYOR_PULL_REQUEST_HEAD_COMMIT", "APPVEYOR_REPO_COMMIT"),
        branch=("APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH", "APPVEYOR_REPO_BRANCH"),
        tag=("APPVEYOR_REPO_TAG_NAME",),
        pull_request="APPVEYOR_PULL_REQUEST_NUMBER",
        target="APPVEYOR_REPO_BRANCH",
        fork="APPVEYOR_PULL_REQUEST_HEAD_REPO_NAME",
        build_url=(
            "{APPVEYOR_URL}/project/{APPVEYOR_ACCOUNT_NAME}/{APPVEYOR_PROJECT_SLUG}/builds/{APPVEYOR_BUILD_ID}",
        ),
    ),
    CiSystem(
        name="Codeship",
        marker="CI_NAME=codeship",
        commit=("CI_COMMIT_ID",),
        branch=("CI_BRANCH",),
        pull_request="CI_PULL_REQUEST",
        target="",
        build_url=("{CI_BUILD_URL}",),
        generic=("CI_BRANCH", "CI_BUILD_URL"),
    ),
    CiSystem(
        name="GitLab",
        marker="GITLAB_CI",
        commit=(
            "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA",
            "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA",
            "CI_COMMIT_SHA",
        ),
        branch=(
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
            "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME",
            "CI_COMMIT_BRANCH",
            "CI_COMMIT_REF_NAME",
        ),
        tag=("CI_COMMIT_TAG",),
        pull_request="CI_MERGE_REQUEST_IID",
        target="CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
        fork="CI_MERGE_REQUEST_SOURCE_PROJECT_PATH",
        build_url=("{CI_JOB_URL}", "{CI_PIPELINE_URL}"),
    ),
    CiSystem(
        name="Bitbucket Pipelines",
        marker="BITBUCKET_BUILD_NUMBER",
        commit=("BITBUCKET_COMMIT",),
        branch=("BITBUCKET_BRANCH",),
        tag=("BITBUCKET_TAG",),
        pull_request="BITBUCKET_PR_ID",
        target="BITBUCKET_PR_DESTINATION_BRANCH",
        build_url=(
            "https://bitbucket.org/{BITBUCKET_REPO_FULL_NAME}/addon/pipelines/home#!/results/{BITBUCKET_BUILD_NUMBER}",
        ),
    ),
    CiSystem(
        name="Azure DevOps",
        marker="TF_BUILD",
        commit=("SYSTEM_PULLREQUEST_SOURCECOMMITID", "BUILD_SOURCEVERSION"),
        # The last one has only the part after the last slash, but older agents do not set the others.
        branch=("SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH", "BUILD_SOURCEBRANCHNAME"),
        pull_request="SYSTEM_PULLREQUEST_PULLREQUESTID",
        target="SYSTEM_PULLREQUEST_TARGETBRANCH",
        fork="SYSTEM_PULLREQUEST_SOURCEREPOSITORYURI",
        build_url=(
            "{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}",
            "{SYSTEM_TEAMFOUNDATIONCOLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}",
        ),
    ),
    CiSystem(
        name="Cirrus CI",
        marker="CIRRUS_CI",
        commit=("CIRRUS_CHANGE_IN_REPO",),
        branch=("CIRRUS_BRANCH",),
        tag=("CIRRUS_TAG",),
        pull_request="CIRRUS_PR",
        target="CIRRUS_BASE_BRANCH",
        build_url=("https://cirrus-ci.com/build/{CIRRUS_BUILD_ID}",),
    ),
)
