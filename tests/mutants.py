"""Mutation testing of the rules: random mutants of `model` and `actions`, each of which some test should notice.

`./run mutants [--seed N] [--count 25]`. Cosmic Ray makes the mutants. For each of them, the tests that executed its
line (by the contexts that `./run mutants` measures first) run against a copy of the sources. A mutant that no test
notices is a gap in the tests, unless it behaves like the original: then it belongs in mutants.toml, with the reason.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from cosmic_ray import plugins
from cosmic_ray.ast import get_ast
from cosmic_ray.mutating import mutate_code
from coverage import CoverageData

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = Path("src") / "treaty"
COVERAGE: Final = ROOT / ".venv" / "mutants.coverage"
"""Which tests executed which lines. `./run mutants` measures it if it is missing or older than the sources."""
EXCLUSIONS: Final = Path(__file__).with_name("mutants.toml")

TIME_LIMIT: Final = 240
"""Seconds for the tests of one mutant. A mutant that makes them hang counts as killed."""
TEST_LIMIT: Final = 120
"""Tests for one mutant. Lines that everything executes are tested by a random part."""

_SKIPPED: Final = tuple(
    f"core/{name}"
    for name in ("ExceptionReplacer", "RemoveDecorator", "ReplaceUnaryOperator", "ReplaceBinaryOperator", "Variable")
)
_ARITHMETIC: Final = tuple(
    f"core/ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "BitAnd_BitOr", "BitOr_BitAnd")
)
"""One replacement for each arithmetic operator: most of the others fail with a TypeError and prove nothing."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of one place in a file."""

    file: Path
    operator: str
    occurrence: int
    line: int

    @property
    def code(self) -> str:
        operator = plugins.get_operator(self.operator)()
        return str(mutate_code((ROOT / self.file).read_text("utf-8"), operator, self.occurrence))

    @property
    def mutated_line(self) -> str:
        return self.code.splitlines()[self.line - 1].strip()


def mutants() -> Iterator[Mutant]:
    """List all mutants of `model` and `actions`.

    Left out are annotations, which change nothing when run, and the decorators of classes: `frozen` and `slots` guard
    against slips that type checkers find.
    """
    names = [name for name in plugins.operator_names() if name in _ARITHMETIC or not name.startswith(_SKIPPED)]
    for package in ("model", "actions"):
        for path in sorted((ROOT / SOURCES / package).rglob("*.py")):
            text = path.read_text("utf-8")
            ignored = _ignored_lines(text)
            tree = get_ast(text)
            for name in names:
                for occurrence, line in enumerate(_lines(tree, plugins.get_operator(name)())):
                    if line not in ignored:
                        yield Mutant(path.relative_to(ROOT), name, occurrence, line)


def _ignored_lines(text: str) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        decorators = node.decorator_list if isinstance(node, ast.ClassDef) else []
        for ignored in (*decorators, getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(ignored, ast.expr):
                lines.update(range(ignored.lineno, (ignored.end_lineno or ignored.lineno) + 1))
    return lines


def _lines(node: Any, operator: Any) -> Iterator[int]:
    """Find the lines where an operator applies, in the order in which Cosmic Ray counts occurrences."""
    for (line, _column), _end in operator.mutation_positions(node):
        yield line
    for child in getattr(node, "children", ()):
        yield from _lines(child, operator)


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Mutants that are not tested: all of a file, or those that behave like the original."""

    files: frozenset[str]
    lines: frozenset[tuple[str, str]]
    """Files with mutated lines, without their indentation."""

    def __contains__(self, mutant: Mutant) -> bool:
        file = str(mutant.file.relative_to(SOURCES))
        return file in self.files or (file, mutant.mutated_line) in self.lines


def load_exclusions() -> Exclusions:
    """Read what mutants.toml excludes. Each entry has a reason, which a KeyError asks for."""
    document = tomllib.loads(EXCLUSIONS.read_text("utf-8"))
    files = frozenset(entry["file"] for entry in document.get("file", []) if entry["reason"])
    equivalent = document.get("equivalent", [])
    return Exclusions(files, frozenset((entry["file"], entry["line"]) for entry in equivalent if entry["reason"]))


def existing_tests(tests: set[str]) -> set[str]:
    """Leave out tests that have been renamed since the coverage was measured: pytest would fail without any mutant."""
    files = sorted({test.partition("::")[0] for test in tests if (ROOT / test.partition("::")[0]).exists()})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return tests & set(done.stdout.splitlines())


def related_tests(data: CoverageData, mutant: Mutant) -> list[str]:
    """List the tests that executed the line or, for a line that runs on import, any line of the file."""
    by_line = data.contexts_by_lineno(str(ROOT / mutant.file))
    of_file = {context for contexts in by_line.values() for context in contexts}
    contexts = set(by_line.get(mutant.line, ())) - {""} or of_file - {""}
    return sorted({context.partition("|")[0] for context in contexts})


def is_killed(mutant: Mutant, tests: list[str], folder: Path) -> bool:
    """Run the tests against a copy of the sources that has the mutant."""
    file = folder / mutant.file
    original = file.read_text("utf-8")
    file.write_text(mutant.code, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "auto", "-p", "no:cacheprovider", *tests]
    environ = os.environ | {"PYTHONPATH": str(folder / "src")}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=TIME_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return True
    finally:
        file.write_text(original, encoding="utf-8")
    return done.returncode != 0


def main() -> int:
    """Test the mutants, print what became of each, and fail if more than one in 25 survives."""
    parser = argparse.ArgumentParser(prog="./run mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="choose the same mutants again")
    parser.add_argument("--count", type=int, default=25, help="number of mutants (default: 25)")
    options = parser.parse_args()
    chance = random.Random(options.seed)  # noqa: S311 - a sample, not a secret
    data = CoverageData(str(COVERAGE))
    data.read()
    candidates = list(mutants())
    chance.shuffle(candidates)
    exclusions = load_exclusions()
    chosen = list(islice((mutant for mutant in candidates if mutant not in exclusions), options.count))
    related = {mutant: related_tests(data, mutant) for mutant in chosen}
    existing = existing_tests({test for tests in related.values() for test in tests})
    print(f"Seed {options.seed}: {len(chosen)} of {len(candidates)} mutants.", flush=True)
    survivors = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        for number, mutant in enumerate(chosen, 1):
            tests = [test for test in related[mutant] if test in existing]
            tests = tests if len(tests) <= TEST_LIMIT else chance.sample(tests, TEST_LIMIT)
            killed = bool(tests) and is_killed(mutant, tests, folder)
            survivors += not killed
            verdict = f"killed ({len(tests)} tests)" if killed else f"SURVIVED {len(tests)} tests"
            print(f"{number:3} {mutant.file}:{mutant.line}: {mutant.mutated_line[:90]}: {verdict}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants were killed.")
    return int(survivors * 25 > len(chosen))


if __name__ == "__main__":
    sys.exit(main())
