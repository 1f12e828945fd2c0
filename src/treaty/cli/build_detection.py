"""Detection of the commit, branch and build URL, from the variables of CI systems or from git.

The commit and branch of a pull request are those of its source, as `can-i-deploy` is asked about them later: CI systems
build a temporary merge with the target, whose commit is in no branch.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from treaty.cli import output
from treaty.cli.ci_systems import CI_SYSTEMS, GITHUB, JENKINS, CiSystem
from treaty.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMMIT_COMMAND: Final = ("git", "rev-parse", "HEAD")
_BRANCH_COMMAND: Final = ("git", "rev-parse", "--abbrev-ref", "HEAD")
_NO_BRANCH: Final = {"HEAD", "detached"}
"""Values of variables of Jenkins where a commit was checked out rather than a branch."""
_OTHER_BRANCH: Final = re.compile(r"(^|_)(DEFAULT|BASE|TARGET|DESTINATION|MAIN)_BRANCH$")
"""Names of variables with another branch than that of the build."""
_MERGE_PARENTS: Final = 2
_TEMPORARY_MERGE: Final = (
    "Warning: The version is {}, the commit of a temporary merge, because the pull request's own commit is unknown: "
    "the file GITHUB_EVENT_PATH is missing. Make it available, or give the version yourself."
)


class TagBuild(ClientError):
    """The build is of a tag, so it has no branch."""

    def __init__(self, tag: str) -> None:
        super().__init__(
            f"This is the build of the tag {tag}, which is not on a branch.",
            hint="Give the branch yourself, as --branch, or the tag, as --tag.",
        )


def commit() -> str:
    """Return the commit. Raises ClientError if neither a variable nor git has it."""
    for system in _systems():
        if value := _pull_request_commit(system) or _first_value(system.commit, besides={"HEAD"}):
            return value
    return _run_git("commit", _COMMIT_COMMAND, option="--consumer-app-version")


def branch() -> str:
    """Return the branch. Raises TagBuild for a tag, and ClientError if neither a variable nor git has the branch."""
    for system in _systems():
        if value := _branch_of(system):
            return value
    return _only_branch_variable() or _git_branch()


def build_url() -> str | None:
    templates = [template for system in _systems() if _is_readable(system) for template in system.build_url]
    return next(filter(None, map(_fill_in, templates)), None)


def system() -> CiSystem | None:
    """Return the CI system that runs this build, if it is a known one."""
    return next(filter(_is_marked, CI_SYSTEMS), None)


def _systems() -> list[CiSystem]:
    """List the systems, this build's own first. Scripts may set variables of others for this program."""
    return sorted(CI_SYSTEMS, key=lambda system: not _is_marked(system))


def _is_marked(system: CiSystem) -> bool:
    name, _, value = system.marker.partition("=")
    return _value(name) == value if value else bool(_value(name))


def _is_readable(system: CiSystem) -> bool:
    """Whether the variable of a system's build URL is its own, rather than one that other programs set too."""
    return _is_marked(system) or not {f"{{{name}}}" for name in system.generic}.intersection(system.build_url)


def _value(name: str) -> str:
    return os.environ.get(name, "").strip()


def _first_value(names: Iterable[str], *, besides: Iterable[str] = ()) -> str:
    return next((value for name in names if (value := _value(name)) and value not in besides), "")


def _fill_in(template: str) -> str:
    """Fill variables in a template; without one of them, the URL is empty."""
    names = re.findall(r"\{(\w+)\}", template)
    url = re.sub(r"\{(\w+)\}", lambda name: _value(name[1]), template)
    return url.replace(" ", "%20") if all(map(_value, names)) else ""


# Pull requests


def _pull_request_commit(system: CiSystem) -> str:
    """Return the commit of a pull request's source, for systems that have no variable for it."""
    if system is GITHUB:
        return _github_commit()
    if system is JENKINS and _value("CHANGE_ID") and not _first_value(JENKINS.commit[:-1]):
        # The branch sources of Jenkins fetch the pull request under its name, such as PR-7, before they merge it.
        return _git_lines("rev-parse", "--verify", "--quiet", f"refs/remotes/origin/{_value('BRANCH_NAME')}^{{commit}}")
    if system.name == "Buildkite" and _value("BUILDKITE_PULL_REQUEST_USING_MERGE_REFSPEC") == "true":
        return _merged_commit("HEAD")
    return ""


def _github_commit() -> str:
    source = _github_side("head").get("sha")
    if isinstance(source, str) and source:
        return source
    if not _value(GITHUB.pull_request):
        return ""
    is_merge = re.fullmatch(r"refs/pull/\d+/merge", _value("GITHUB_REF"))
    merged = _merged_commit(_value("GITHUB_SHA")) if is_merge else ""
    if not merged and _value("GITHUB_SHA"):
        output.print_warning(_TEMPORARY_MERGE.format(_value("GITHUB_SHA")))
    return merged


def github_pull_request() -> dict[str, Any]:
    """Return the pull request in the event that started the workflow; an empty dictionary without such an event."""
    try:
        event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
        return dict(event["pull_request"])
    except (KeyError, OSError, ValueError, TypeError):
        return {}


def _github_side(side: str) -> dict[str, Any]:
    """Return the source (`head`) or target (`base`) of the pull request, or an empty dictionary."""
    value = github_pull_request().get(side)
    return value if isinstance(value, dict) else {}


def _merged_commit(merge: str) -> str:
    """Return the commit that a merge commit has merged into another, or an empty text.

    Read from the commit itself, since a shallow clone does not have its parents.
    """
    header = _git_lines("cat-file", "commit", merge).partition("\n\n")[0]
    parents = re.findall(r"^parent (\w+)$", header, re.MULTILINE)
    return str(parents[1]) if len(parents) == _MERGE_PARENTS else ""


def _branch_of(system: CiSystem) -> str:
    """Return the branch in a system's variables, or an empty text. Raises TagBuild."""
    names = [name for name in system.branch if _is_marked(system) or name not in system.generic]
    if tag := _tag_of(system):
        raise TagBuild(tag)
    value = _first_value(names, besides=_NO_BRANCH if system is JENKINS else ())
    target = _value(system.target) if _value(system.pull_request) not in {"", "false"} else ""
    if system is GITHUB and not _value(GITHUB.pull_request) and (source := _github_side("head").get("ref")):
        # Events such as a review do not set the variables of a pull request.
        value, target = str(source), str(_github_side("base").get("ref"))
    name = _parse_ref(value, has_remotes=system is JENKINS)
    # Only in a fork can the source have the name of the target.
    is_of_fork = name and name == _parse_ref(target, has_remotes=system is JENKINS)
    return _name_of_fork(system, name) if is_of_fork else name


def _tag_of(system: CiSystem) -> str:
    """Return the tag in a system's variables; other programs use a generic name for tags that are not built."""
    tag = _first_value(system.tag)
    is_built = _is_marked(system) or system.generic == () or tag in map(_value, system.branch)
    return tag if is_built else ""


def _name_of_fork(system: CiSystem, name: str) -> str:
    """Name the branch of a fork `OWNER:BRANCH`, as GitHub does: its `main` is not the application's."""
    repository = _github_side("head").get("repo") or {} if system is GITHUB else {}
    source = str(repository.get("full_name", "")) or _value(system.fork)
    owner = re.sub(r"^(\w+://[^/]+/|[^/@]+@[^:]+:)", "", source).partition("/")[0]
    return f"{owner or 'fork'}:{name}"


def _parse_ref(value: str, *, has_remotes: bool) -> str:
    """Return the branch that a ref or the name of a branch stands for; an empty text for a pull request's merge.

    Raises TagBuild for the ref of a tag.
    """
    if not value:
        return ""
    kind = re.match(r"refs/(heads|tags|remotes/[^/]+)/", value)
    name = value[kind.end() :] if kind else value
    if has_remotes and not kind:
        # Jenkins' plugin for git names the remote branch: origin/main.
        remotes = "|".join(map(re.escape, _remotes()))
        name = re.sub(rf"^(remotes/)?({remotes})/", "", name)
        kind = re.match(r"tags/", name)
        name = name[kind.end() :] if kind else name
    if kind and "tags/" in kind[0]:
        raise TagBuild(name)
    is_merge = re.match(r"refs/", name) or (has_remotes and re.fullmatch(r"(pr|pull)/\d+/(merge|head)", name))
    return "" if is_merge else name


def _remotes() -> list[str]:
    return list(dict.fromkeys(["origin", *_git_lines("remote").split()]))


def _only_branch_variable() -> str:
    """Return the value of a variable named like `X_BRANCH`, for unknown CI systems, if there is exactly one."""
    if any(map(_is_marked, CI_SYSTEMS)):
        return ""
    names = [name for name in os.environ if name.endswith("_BRANCH") and not _OTHER_BRANCH.search(name)]
    branches = [value for name in names if (value := _value(name))]
    return _parse_ref(branches[0], has_remotes=True) if len(branches) == 1 else ""


# Git


def _git_lines(*arguments: str) -> str:
    """Return the output of a git command; an empty text if it fails, or if there is no git."""
    try:
        process = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607 - the arguments are refs
    except (OSError, subprocess.CalledProcessError, UnicodeDecodeError):
        return ""
    return process.stdout.strip()


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
