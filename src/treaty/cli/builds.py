"""The version to publish for, from options or detected from the build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from treaty.cli import build_detection, output
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
    """Add the options that describe a version to a command."""
    for option in (
        click.option("--build-url", help="The URL of the build."),
        click.option(
            "-g", "--tag-with-git-branch/--no-tag-with-git-branch", cls=Flag, help="Tag the version with its branch."
        ),
        click.option("-t", "--tag", cls=ListOption, help="Tag for the version; repeatable, or separated by commas."),
        click.option(
            "-r",
            "--auto-detect-version-properties/--no-auto-detect-version-properties",
            cls=Flag,
            help="Detect version, branch and build URL, unless given, from the CI system's variables or from git.",
        ),
        click.option("-h", "--branch", help="The version's branch."),
    ):
        command = option(command)
    return command


def read_build(values: dict[str, Any], *, version_option: str) -> Build:
    """Read the version from options, and detect missing properties if that is enabled.

    Raises Failure without a version, and ClientError if detection fails.
    """
    detects = values["auto_detect_version_properties"]
    version = values[version_option] or (build_detection.commit() if detects else "")
    if not version.strip():
        text = f"No value provided for required option --{version_option.replace('_', '-')}"
        raise Failure(f"{text}\nGive it, or let --auto-detect-version-properties find the commit.")
    return Build(
        version=version.strip(),
        branch=(values["branch"] or (_detect_branch() if detects else "")).strip() or None,
        tags=_parse_tags(values["tag"], with_branch=values["tag_with_git_branch"]),
        build_url=(values["build_url"] or (build_detection.build_url() if detects else None) or "").strip() or None,
    )


def _detect_branch() -> str:
    try:
        return build_detection.branch()
    except build_detection.TagBuild as build:
        output.print_error(f"{build} The version gets no branch: give --branch if it needs one.")
        return ""


def _parse_tags(values: Iterable[str], *, with_branch: bool) -> list[str]:
    """Return tags without duplicates. Raises Failure for a value that has only commas.

    The Ruby client repeats the option, the Rust client separates tags by commas.
    """
    tags_by_value = [[tag.strip() for tag in value.split(",") if tag.strip()] for value in values]
    if not all(tags_by_value):
        raise Failure("--tag cannot be blank\nThere are only commas in it: give it a tag, or leave it out.")
    tags = [tag for value_tags in tags_by_value for tag in value_tags]
    return list(dict.fromkeys(tags + ([build_detection.branch()] if with_branch else [])))
