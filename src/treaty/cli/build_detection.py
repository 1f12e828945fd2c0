"""Find out what is being built: commit, branch and build URL, from the CI system's variables or from git."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

from treaty.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMMIT: Final = (
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
)
_BRANCH: Final = (
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
)
_BUILD_URL: Final = ("BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "TRAVIS_BUILD_WEB_URL", "BUILD_URL")
_GITHUB_RUN: Final = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
_ASK_COMMIT: Final = ("git", "rev-parse", "HEAD")
_ASK_BRANCH: Final = ("git", "rev-parse", "--abbrev-ref", "HEAD")


def commit() -> str:
    return _first(_COMMIT) or _git("commit", _ASK_COMMIT, instead="--consumer-app-version")


def branch() -> str:
    return (_first(_BRANCH) or _only_branch_variable()).removeprefix("refs/heads/") or _git_branch()


def build_url() -> str | None:
    run = [_value(name) for name in _GITHUB_RUN]
    if all(run):
        server, repository, number = run
        return f"{server}/{repository}/actions/runs/{number}"
    return _first(_BUILD_URL) or None


def _value(name: str) -> str:
    return os.environ.get(name, "").strip()


def _first(names: Iterable[str]) -> str:
    return next(filter(None, map(_value, names)), "")


def _only_branch_variable() -> str:
    """Trust a variable of a system that nobody listed, if it is the only one that says it holds a branch."""
    found = [value for name in os.environ if name.endswith("_BRANCH") and (value := _value(name))]
    return found[0] if len(found) == 1 else ""


def _git_branch() -> str:
    printed = _git("branch", _ASK_BRANCH, instead="--branch")
    names = [
        name for line in printed.splitlines() if (name := line.strip().removeprefix("origin/")) not in {"", "HEAD"}
    ]
    asked = f"Command `{' '.join(_ASK_BRANCH)}`"
    if not names:
        text = f"{asked} didn't return anything that could be identified as the current branch."
        raise ClientError(text, hint="Give the branch as --branch.")
    if len(names) > 1:
        text = f"{asked} returned multiple branches: {', '.join(names)}."
        raise ClientError(f"{text} You will need to get the branch name another way.")
    return names[0]


def _git(what: str, command: tuple[str, ...], *, instead: str) -> str:
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        raise ClientError(
            f"Could not determine current git {what} using command `{' '.join(command)}`. {said}",
            hint=f"Run this inside the repository, or give the {what} as {instead}.",
        ) from error
    return asked.stdout.strip()
