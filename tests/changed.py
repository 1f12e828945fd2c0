"""Selects the tests that are related to changed files, for `./run test --changed`.

A changed test is selected itself, and a changed module of helpers selects the tests that import it. For any other
file, the tests with a word of its path in their names are selected: layers share the names of domains, so
`store/webhooks/webhooks.py` leads to `test_webhooks.py` and `test_cli_webhooks.py`. That is a guess for quick feedback;
the whole suite decides.
"""

import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_BASE: Final = "main"
_ALWAYS: Final = "tests/test_harness.py"
# Directories whose names do not describe the subject of a file.
_LAYERS: Final = frozenset(
    ["src", "treaty", "tests", "docs", "model", "store", "engine", "actions", "web", "api", "pages", "templates", "cli"]
)

_IMPORT: Final = re.compile(
    r"^[ ]*(?:from[ ]+([\w.]+)[ ]+import[ ]+([^(\n]+|\([^)]*\))|import[ ]+([\w., ]+))", re.MULTILINE
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


def related_tests(
    changed: Iterable[str], tests: Collection[str], importing: Mapping[str, Collection[str]]
) -> list[str]:
    """Select the tests that are related to changed files. All are relative to the root.

    `importing` contains the tests that import a module of helpers, by its file.
    """
    selected = {_ALWAYS}
    for name in changed:
        if name in tests:
            selected.add(name)
        elif name in importing:
            selected.update(importing[name])
        else:
            words = subject_words(name)
            selected.update(test for test in tests if words & subject_words(test))
    return sorted(selected)


def subject_words(name: str) -> set[str]:
    """Return the words of a path that describe the subject of the file, in the singular."""
    parts = [part for part in PurePosixPath(name).with_suffix("").parts if part not in _LAYERS]
    words = {word for part in parts for word in re.split(r"[_\W]+", part.removeprefix("test_")) if len(word) > 2}
    return {word.removesuffix("s") for word in words}


def find_importing_tests(root: Path = ROOT) -> dict[str, set[str]]:
    """Find the tests that import each module of helpers, directly or through other helpers.

    Fixtures in a conftest count for no test, since all tests of its folder would depend on its imports.
    """
    imported = {
        path.relative_to(root).as_posix(): find_imports(path, root)
        for path in (root / "tests").rglob("*.py")
        if path.name != "conftest.py"
    }
    importing: dict[str, set[str]] = {}
    for test in imported:
        if not PurePosixPath(test).name.startswith("test_"):
            continue
        waiting = [test]
        while waiting:
            for name in imported[waiting.pop()]:
                if name in imported and test not in importing.setdefault(name, set()):
                    importing[name].add(test)
                    waiting.append(name)
    return importing


def find_imports(path: Path, root: Path = ROOT) -> set[str]:
    """Find the files of tests that a file imports, relative to the root."""
    modules: set[str] = set()
    for source, names, plain in _IMPORT.findall(path.read_text("utf-8")):
        depth = len(source) - len(source.lstrip("."))
        folder = path.relative_to(root).parents[depth - 1].as_posix().replace("/", ".") if depth else ""
        module = ".".join(part for part in (folder, source.lstrip(".")) if part)
        parts = [name.split()[0] for name in re.sub(r"#.*|[()]", "", names or plain).split(",") if name.strip()]
        modules |= {module, *(f"{module}.{part}" for part in parts)} if source else set(parts)
    files = {f"{module.replace('.', '/')}.py" for module in modules if module.startswith("tests.")}
    return {file for file in files if (root / file).exists()}


def main() -> None:
    """Print the selected tests, one per line."""
    tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    changed = changed_files()
    selected = related_tests(changed, tests, find_importing_tests())
    sys.stderr.write(f"{len(changed)} changed files, {len(selected)} of {len(tests)} test files are related to them.\n")
    sys.stdout.write("\n".join(selected) + "\n")


if __name__ == "__main__":
    main()
