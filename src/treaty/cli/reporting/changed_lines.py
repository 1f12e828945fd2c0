"""The lines that a pull request changes, from the hunks of a diff in the unified format."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HUNK: Final = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")


def read_patch(hunks: str) -> frozenset[int]:
    """Return the numbers of the lines that the hunks of one file add or replace, and of those next to removed lines."""
    # Not splitlines(), which also splits at characters within a line.
    return frozenset(_list_changed(hunks.split("\n")))


def _list_changed(lines: Iterable[str]) -> Iterator[int]:
    number, is_after_removal = 0, False
    for line in [*lines, ""]:
        is_added, is_removed = line.startswith("+"), line.startswith("-")
        if is_after_removal and not is_added and not is_removed:
            yield from (neighbour for neighbour in (number - 1, number) if neighbour > 0)
        if hunk := _HUNK.match(line):
            # A hunk without lines of the new file has the number of the line before it.
            number = int(hunk[1]) + (hunk[2] == "0")
        elif is_added:
            yield number
        is_counted = hunk is None and not line.startswith(("-", "\\"))
        number += is_counted
        is_after_removal = is_removed


def read_git_diff(base: str) -> dict[str, frozenset[int]] | None:
    """Return the changed lines of each file since the merge base with a commit; None if git cannot tell.

    A shallow clone often lacks the merge base.
    """
    if not re.fullmatch(r"[\w./-]+", base) or base.startswith("-"):
        return None
    words = ("-c", "core.quotePath=false", "diff", "--unified=0", "--no-color", "--no-ext-diff", "--dst-prefix=b/")
    text = _run_git(*words, f"{base}...HEAD", "--")
    return None if text is None else dict(_split_files(text))


def _split_files(text: str) -> Iterator[tuple[str, frozenset[int]]]:
    for part in re.split(r"^diff --git .*\n", text, flags=re.MULTILINE)[1:]:
        header, hunk, rest = part.partition("\n@@ ")
        name = re.search(r"^\+\+\+ b/(.*)$", header, re.MULTILINE)
        if name and hunk:
            yield name[1], read_patch(f"@@ {rest}")


def find_repository_path(path: str) -> str | None:
    """Return a file's path relative to the root of its repository, with slashes; None outside of it.

    Without git, the current folder counts as the root.
    """
    root = _run_git("rev-parse", "--show-toplevel")
    folder = Path(root.strip()) if root and root.strip() else Path.cwd()
    try:
        return Path(path).resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return None


def _run_git(*words: str) -> str | None:
    command = ["git", *words]
    try:
        process = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - constant words and a checked ref
    except (OSError, subprocess.CalledProcessError):
        return None
    return process.stdout.decode(errors="replace")
