"""Finds retired phrases and names in code and documents: part of `./run check`. The table is tests/prose.toml."""

import os
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
TABLE: Final = ROOT / "tests" / "prose.toml"
CHECKED: Final = ("*.md", "bench/*.py", "docs/**/*.md", "src/**/*.html", "src/**/*.py", "tests/**/*.py")
EXEMPT: Final = ("src/treaty/store/migrations/versions/*", "tests/test_prose.py")
"""Migrations are never edited; the test of this check is about the words themselves."""
_MARKDOWN_CODE: Final = re.compile(r"^```.*?^```|`[^`]+`", re.MULTILINE | re.DOTALL)
_GAP: Final = r"\s+(?:#:?\s+)?"
"""What separates the words of a phrase: a comment that continues on the next line has a `#` there."""


class Finding(NamedTuple):
    """A retired phrase or name, the line on which it begins, and its replacement."""

    line: int
    retired: str
    replacement: str


def load_table() -> tuple[dict[str, str], dict[str, str]]:
    """Read the replacements of phrases and of names."""
    table = tomllib.loads(TABLE.read_text("utf-8"))
    return table["phrases"], table["names"]


def find_retired(text: str, suffix: str, *, is_test: bool = False) -> list[Finding]:
    """Find retired phrases, and retired names if the text is Python, in a file with this suffix."""
    phrases, names = load_table()
    prose = text
    if suffix == ".md":
        prose = _MARKDOWN_CODE.sub(lambda code: re.sub(r"\S", " ", code[0]), text)
    elif is_test:
        prose = _extract_prose(text)
    findings = [*_find_phrases(prose, phrases)]
    if suffix == ".py":
        findings += _find_names(text, names)
    return sorted(findings)


def _find_phrases(text: str, phrases: dict[str, str]) -> Iterator[Finding]:
    for phrase, replacement in phrases.items():
        pattern = rf"\b{_GAP.join(map(re.escape, phrase.split()))}\b"
        for match in re.finditer(pattern, text, re.IGNORECASE):
            yield Finding(text.count("\n", 0, match.start()) + 1, phrase, replacement)


def _extract_prose(code: str) -> str:
    """Extract comments, docstrings and the names of tests, each on its line. Other strings of tests are data."""
    lines = [""] * (code.count("\n") + 2)
    is_statement = True
    for token in tokenize.generate_tokens(StringIO(code).readline):
        is_prose = token.type == tokenize.COMMENT or (token.type == tokenize.STRING and is_statement)
        if is_prose or token.string.startswith("test_"):
            text = token.string if is_prose else token.string.replace("_", " ")
            for line, words in enumerate(text.split("\n"), token.start[0]):
                lines[line] += f"{words} "
        if token.type not in {tokenize.COMMENT, tokenize.NL}:
            is_statement = token.type in {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    return "\n".join(lines[1:])


def _find_names(code: str, names: dict[str, str]) -> Iterator[Finding]:
    for token in tokenize.generate_tokens(StringIO(code).readline):
        if token.type == tokenize.NAME:
            parts = f"_{token.string}_"
            yield from (
                Finding(token.start[0], name, replacement)
                for name, replacement in names.items()
                if f"_{name}_" in parts
            )


def list_files() -> Iterable[Path]:
    """List the files that are checked."""
    files = (file for pattern in CHECKED for file in ROOT.glob(pattern))
    return sorted(file for file in files if not any(file.relative_to(ROOT).match(pattern) for pattern in EXEMPT))


def main(paths: list[str]) -> int:
    """Print the findings in these files, by default in all that are checked. Returns the exit code."""
    files = [Path(path) for path in paths] or list_files()
    lines = [
        f'{os.path.relpath(file, ROOT)}:{finding.line}: instead of "{finding.retired}", write: {finding.replacement}'
        for file in files
        for finding in find_retired(file.read_text("utf-8"), file.suffix, is_test=(ROOT / "tests") in file.parents)
    ]
    print(*lines, sep="\n", end="\n" if lines else "")  # noqa: T201 - a program
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
