"""Mutation testing of the rules: random mutants of `model` and `actions`, each of which some test should notice.

`./run mutants [--seed N] [--count 25]`. Cosmic Ray makes the mutants. For each of them, the tests that executed its
line (by the contexts in `.coverage`, from `./run coverage`) run against a copy of the sources. A mutant that no test
notices is a gap in the tests, unless it behaves like the original: then it belongs into EQUIVALENT, with the reason.
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
EQUIVALENT: Final[dict[tuple[str, str], str]] = {}
"""Mutants that behave like the original, by file and mutated line, each with the reason."""

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
            for name in names:
                for occurrence, line in enumerate(_lines(get_ast(text), plugins.get_operator(name)())):
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


def related_tests(data: CoverageData, mutant: Mutant, chance: random.Random) -> list[str]:
    """Select tests that executed the line or, for a line that runs on import, any line of the file."""
    by_line = data.contexts_by_lineno(str(ROOT / mutant.file))
    of_file = {context for contexts in by_line.values() for context in contexts}
    contexts = set(by_line.get(mutant.line, ())) - {""} or of_file - {""}
    tests = sorted({context.partition("|")[0] for context in contexts})
    return tests if len(tests) <= TEST_LIMIT else chance.sample(tests, TEST_LIMIT)


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
    data = CoverageData(str(ROOT / ".coverage"))
    data.read()
    candidates = list(mutants())
    chance.shuffle(candidates)
    tested = (mutant for mutant in candidates if (str(mutant.file), mutant.mutated_line) not in EQUIVALENT)
    chosen = list(islice(tested, options.count))
    print(f"Seed {options.seed}: {len(chosen)} of {len(candidates)} mutants.", flush=True)
    survivors = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        for number, mutant in enumerate(chosen, 1):
            tests = related_tests(data, mutant, chance)
            killed = bool(tests) and is_killed(mutant, tests, folder)
            survivors += not killed
            verdict = f"killed ({len(tests)} tests)" if killed else f"SURVIVED {len(tests)} tests"
            print(f"{number:3} {mutant.file}:{mutant.line}: {mutant.mutated_line[:90]}: {verdict}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants were killed.")
    return int(survivors * 25 > len(chosen))


if __name__ == "__main__":
    sys.exit(main())
