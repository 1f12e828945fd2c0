"""The version that something is published for: what was given of it, and what can be found out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from treaty.cli import build_detection
from treaty.cli.program import Failure, Flag, ListOption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    version: str
    branch: str | None
    tags: Sequence[str]
    build_url: str | None


def version_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that describe a version."""
    for option in (
        click.option("--build-url", help="Where the build can be seen."),
        click.option("-g", "--tag-with-git-branch/--no-tag-with-git-branch", cls=Flag, help="Tag with the branch."),
        click.option("-t", "--tag", cls=ListOption, help="A tag for the version; repeatable, or separated by commas."),
        click.option(
            "-r",
            "--auto-detect-version-properties/--no-auto-detect-version-properties",
            cls=Flag,
            help="Find version, branch and build URL, unless given, in the CI system's variables or in git.",
        ),
        click.option("-h", "--branch", help="The branch that the version is from."),
    ):
        command = option(command)
    return command


def read_build(given: dict[str, Any], *, version_option: str) -> Build:
    """Make up the version from what was given, and from what is found if that is asked for."""
    found = given["auto_detect_version_properties"]
    version = given[version_option] or (build_detection.commit() if found else "")
    if not version.strip():
        text = f"No value provided for required option --{version_option.replace('_', '-')}"
        raise Failure(f"{text}\nGive it, or let --auto-detect-version-properties find the commit.")
    return Build(
        version=version.strip(),
        branch=(given["branch"] or (build_detection.branch() if found else "")).strip() or None,
        tags=_tags(given["tag"], with_branch=given["tag_with_git_branch"]),
        build_url=(given["build_url"] or (build_detection.build_url() if found else None) or "").strip() or None,
    )


def _tags(given: Iterable[str], *, with_branch: bool) -> list[str]:
    """Take tags that are repeated or separated by commas, each once. Raises Failure for an option without a tag."""
    names = [[tag.strip() for tag in value.split(",") if tag.strip()] for value in given]
    if not all(names):
        raise Failure("--tag cannot be blank\nThere are only commas in it: give it a tag, or leave it out.")
    tags = [tag for each in names for tag in each]
    return list(dict.fromkeys(tags + ([build_detection.branch()] if with_branch else [])))
