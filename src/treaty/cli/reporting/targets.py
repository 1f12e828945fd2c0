"""Where a report goes: the service, the repository, the pull request and the commit, from options or from the build."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from treaty.cli import build_detection
from treaty.cli.program import Failure
from treaty.cli.reporting import bitbucket, github, gitlab


class Service(StrEnum):
    GITHUB = "github"
    GITLAB = "gitlab"
    BITBUCKET = "bitbucket"
    STDOUT = "stdout"
    """No service: the comment is printed as Markdown."""


_SERVICES: Final = {
    "GitHub Actions": Service.GITHUB,
    "GitLab": Service.GITLAB,
    "Bitbucket Pipelines": Service.BITBUCKET,
}
"""Services by the name of the CI system that builds their pull requests."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """`pull_request` is empty for the build of a branch, and `commit` if it is not known."""

    service: Service
    api_url: str
    repository: str
    pull_request: str
    commit: str
    is_fork: bool = False
    """Whether the pull request is known to be from a fork, whose builds usually have no credentials."""


def detect_service() -> Service:
    system = build_detection.system()
    return _SERVICES.get(system.name, Service.STDOUT) if system else Service.STDOUT


def find_target(
    service: Service, *, api_url: str | None, repository: str | None, pull_request: str | None, commit: str | None
) -> Target:
    """Complete the options with the variables of the build. Raises Failure if the repository is not known.

    The variables count only if they are those of the service: Jenkins may build a repository of GitHub.
    """
    detected = _DETECTED[service]() if detect_service() is service else _UNKNOWN[service]
    target = Target(
        service=service,
        api_url=(api_url or detected.api_url).rstrip("/"),
        repository=repository or detected.repository,
        pull_request=pull_request or detected.pull_request,
        commit=commit or detected.commit,
        is_fork=detected.is_fork,
    )
    if not target.repository:
        raise Failure(f"The repository is not known. Give it as --repository, such as {_EXAMPLES[service]}.")
    # These become parts of paths.
    if not re.fullmatch(r"[\w.~/-]+", target.repository) or ".." in target.repository.split("/"):
        raise Failure(
            f"--repository {target.repository} is not the name of a repository, such as {_EXAMPLES[service]}."
        )
    if target.pull_request and not target.pull_request.isdecimal():
        raise Failure(f"--pull-request {target.pull_request} is not a number.")
    if target.commit and not re.fullmatch(r"[0-9a-fA-F]{7,64}", target.commit):
        raise Failure(f"--commit {target.commit} is not the hash of a commit.")
    if not target.pull_request and not target.commit:
        raise Failure("The pull request is not known. Give its number as --pull-request, or a commit as --commit.")
    return target


_EXAMPLES: Final = {
    Service.GITHUB: "owner/name",
    Service.GITLAB: "group/project or the project's id",
    Service.BITBUCKET: "workspace/name",
}
_UNKNOWN: Final = {
    service: Target(service=service, api_url=url, repository="", pull_request="", commit="")
    for service, url in [
        (Service.GITHUB, github.API_URL),
        (Service.GITLAB, gitlab.API_URL),
        (Service.BITBUCKET, bitbucket.API_URL),
    ]
}


def _detect_github() -> Target:
    pull_request = build_detection.github_pull_request()
    ref = re.fullmatch(r"refs/pull/(\d+)/\w+", _value("GITHUB_REF"))
    number = str(pull_request.get("number") or (ref[1] if ref else ""))
    head, base = pull_request.get("head") or {}, pull_request.get("base") or {}
    repositories = [(side.get("repo") or {}).get("full_name") for side in (head, base)]
    return Target(
        service=Service.GITHUB,
        api_url=_value("GITHUB_API_URL") or github.API_URL,
        repository=_value("GITHUB_REPOSITORY"),
        pull_request=number,
        # GITHUB_SHA is a temporary merge with the target, which checks of the pull request do not show.
        commit=str(head.get("sha") or "") if number else _value("GITHUB_SHA"),
        is_fork=repositories[0] != repositories[1],
    )


def _detect_gitlab() -> Target:
    project = _value("CI_MERGE_REQUEST_PROJECT_ID") or _value("CI_PROJECT_ID")
    # Set in pipelines of branches, such as group/project!1,group/fork!2.
    own = rf"{re.escape(_value('CI_PROJECT_PATH'))}!(\d+)"
    open_requests = [
        match[1] for item in _value("CI_OPEN_MERGE_REQUESTS").split(",") if (match := re.fullmatch(own, item))
    ]
    source, target = _value("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"), _value("CI_MERGE_REQUEST_PROJECT_ID")
    return Target(
        service=Service.GITLAB,
        api_url=_value("CI_API_V4_URL") or gitlab.API_URL,
        repository=project,
        pull_request=_value("CI_MERGE_REQUEST_IID") or next(iter(open_requests), ""),
        commit=_value("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or _value("CI_COMMIT_SHA"),
        is_fork=source != target,
    )


def _detect_bitbucket() -> Target:
    return Target(
        service=Service.BITBUCKET,
        api_url=bitbucket.API_URL,
        repository=_value("BITBUCKET_REPO_FULL_NAME"),
        pull_request=_value("BITBUCKET_PR_ID"),
        commit=_value("BITBUCKET_COMMIT"),
    )


_DETECTED: Final = {
    Service.GITHUB: _detect_github,
    Service.GITLAB: _detect_gitlab,
    Service.BITBUCKET: _detect_bitbucket,
}


def _value(name: str) -> str:
    return os.environ.get(name, "").strip()
