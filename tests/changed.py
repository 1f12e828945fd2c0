"""Selects the tests that are related to changed files, for `./run test --changed`.

A changed test is selected itself. For any other file, the tests with a word of its path in their names are selected:
layers share the names of domains, so `store/webhooks/webhooks.py` leads to `test_webhooks.py` and
`test_cli_webhooks.py`. That is a guess for quick feedback; the whole suite decides.
"""

import re
import subprocess
import sys
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_BASE: Final = "main"
_ALWAYS: Final = "tests/test_harness.py"
# Directories whose names do not describe the subject of a file.
_LAYERS: Final = frozenset(
    ["src", "treaty", "tests", "docs", "model", "store", "engine", "actions", "web", "api", "pages", "templates", "cli"]
)


def changed_files() -> list[str]:
    """List the files that differ from the main branch, or from the commit before on the main branch itself.

    Uncommitted and untracked files count as changed.
    """
    base = _git("merge-base", "HEAD", _BASE) or _git("rev-parse", "HEAD")
    if base == _git("rev-parse", "HEAD") and not _git("status", "--porcelain"):
        base = _git("rev-parse", "HEAD~1") or base
    names = [
        *_git("diff", "--name-only", base).splitlines(),
        *_git("ls-files", "-o", "--exclude-standard").splitlines(),
    ]
    return sorted({name for name in names if (ROOT / name).exists()})


def _git(*arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip() if result.returncode == 0 else ""


def related_tests(changed: Iterable[str], tests: Collection[str]) -> list[str]:
    """Select the tests that are related to changed files. All are relative to the root."""
    selected = {_ALWAYS}
    for name in changed:
        if name in tests:
            selected.add(name)
        else:
            words = subject_words(name)
            selected.update(test for test in tests if words & subject_words(test))
    return sorted(selected)


def subject_words(name: str) -> set[str]:
    """Return the words of a path that describe the subject of the file, in the singular."""
    parts = [part for part in PurePosixPath(name).with_suffix("").parts if part not in _LAYERS]
    words = {word for part in parts for word in re.split(r"[_\W]+", part.removeprefix("test_")) if len(word) > 2}
    return {word.removesuffix("s") for word in words}


def main() -> None:
    """Print the selected tests, one per line."""
    tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    changed = changed_files()
    selected = related_tests(changed, tests)
    sys.stderr.write(f"{len(changed)} changed files, {len(selected)} of {len(tests)} test files are related to them.\n")
    sys.stdout.write("\n".join(selected) + "\n")


if __name__ == "__main__":
    main()
