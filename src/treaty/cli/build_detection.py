"""Detection of the commit, branch and build URL, from the variables of CI systems or from git.

The variables and their order are the original client's.
"""

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
_COMMIT_COMMAND: Final = ("git", "rev-parse", "HEAD")
_BRANCH_COMMAND: Final = ("git", "rev-parse", "--abbrev-ref", "HEAD")


def commit() -> str:
    """Return the commit. Raises ClientError if neither a variable nor git has it."""
    return _first_value(_COMMIT) or _run_git("commit", _COMMIT_COMMAND, option="--consumer-app-version")


def branch() -> str:
    """Return the branch. Raises ClientError if neither a variable nor git has it."""
    return (_first_value(_BRANCH) or _only_branch_variable()).removeprefix("refs/heads/") or _git_branch()


def build_url() -> str | None:
    github_run = [_value(name) for name in _GITHUB_RUN]
    if all(github_run):
        server, repository, run_id = github_run
        return f"{server}/{repository}/actions/runs/{run_id}"
    return _first_value(_BUILD_URL) or None


def _value(name: str) -> str:
    return os.environ.get(name, "").strip()


def _first_value(names: Iterable[str]) -> str:
    return next(filter(None, map(_value, names)), "")


def _only_branch_variable() -> str:
    """Return the value of a variable named like `X_BRANCH`, for unknown CI systems, if there is exactly one."""
    branches = [value for name in os.environ if name.endswith("_BRANCH") and (value := _value(name))]
    return branches[0] if len(branches) == 1 else ""


def _git_branch() -> str:
    lines = _run_git("branch", _BRANCH_COMMAND, option="--branch").splitlines()
    # CI systems often check out a commit rather than a branch, and git then prints HEAD.
    branches = [name for line in lines if (name := line.strip().removeprefix("origin/")) not in {"", "HEAD"}]
    command = f"Command `{' '.join(_BRANCH_COMMAND)}`"
    if not branches:
        text = f"{command} didn't return anything that could be identified as the current branch."
        raise ClientError(text, hint="Give the branch as --branch.")
    if len(branches) > 1:
        text = f"{command} returned multiple branches: {', '.join(branches)}."
        raise ClientError(f"{text} You will need to get the branch name another way.")
    return branches[0]


def _run_git(subject: str, command: tuple[str, ...], *, option: str) -> str:
    try:
        process = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - constant commands
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip()
        raise ClientError(
            f"Could not determine current git {subject} using command `{' '.join(command)}`. {reason}",
            hint=f"Run this inside the repository, or give the {subject} as {option}.",
        ) from error
    return process.stdout.strip()
