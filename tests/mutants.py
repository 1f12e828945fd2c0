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
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
from cosmic_ray import plugins
from cosmic_ray.ast import get_ast
from cosmic_ray.mutating import mutate_code
from coverage import CoverageData

from tests.mutant_runs import ROOT, Outcome, copy_sources, preload_libraries, replaced, run_tests

SOURCES: Final = Path("src") / "treaty"
PACKAGES: Final = ("model", "actions")
COVERAGE: Final = ROOT / ".venv" / "mutants.coverage"
"""Which tests executed which lines."""
DURATIONS: Final = ROOT / ".venv" / "mutants.durations.xml"
"""Report in JUnit's format with the duration of each test."""
NEW_DURATIONS: Final = DURATIONS.with_suffix(".new.xml")
TESTS: Final = (
    *("tests/api", "tests/model", "tests/pages", "tests/store"),
    *("tests/cli/test_cli_causes.py", "tests/cli/test_cli_compare.py"),
)
"""Tests that run in one process. The rules are the same on both databases, so SQLite suffices."""
LEFT_OUT: Final = "(postgresql and not on_postgresql) or browser or schemathesis"
"""Tests that are not run, by keyword. The name of a marker is one, and those that end so skip PostgreSQL anyway."""
CONFIGURATION: Final = Path(__file__).with_name("mutants.toml")
"""The excluded mutants, and the configuration of coverage."""

SECONDS_OF_SPECIFIC_TESTS: Final = 30
"""Recorded duration of the tests for one mutant that are chosen because they are specific to its file."""
SECONDS_OF_OTHER_TESTS: Final = 60
"""Recorded duration of those that are chosen at random from the others that execute its line."""

_SKIPPED: Final = tuple(
    f"core/{name}"
    for name in ("ExceptionReplacer", "RemoveDecorator", "ReplaceUnaryOperator", "ReplaceBinaryOperator", "Variable")
) + tuple(
    f"core/ReplaceComparisonOperator_{pair}"
    for pair in ("Eq_Is", "Is_Eq", "NotEq_IsNot", "IsNot_NotEq", "Lt_Is", "LtE_Is", "Gt_Is", "GtE_Is")
)
"""Prefixes of operators. Identity is equality for `None`, enum members and small numbers, so that it makes no mutants
of its own; type checkers find the other replacements."""
_ORDERING: Final = tuple(
    f"core/ReplaceComparisonOperator_{equality}_{order}"
    for equality in ("Eq", "NotEq")
    for order in ("Lt", "LtE", "Gt", "GtE")
)
"""Operators that do not apply to texts. Cosmic Ray makes no such exception for them, as it does for `None`."""
_ARITHMETIC: Final = tuple(
    f"core/ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "BitAnd_BitOr", "BitOr_BitAnd")
)
"""One replacement for each arithmetic operator: most of the others fail with a TypeError and prove nothing."""


Place = tuple[str, int]
"""A file and a line."""
Definition = frozenset[str]
"""The names of a constant, or of a class or a function, and of a member of the class."""


@dataclass(frozen=True)
class Mutant:
    """A change of one place in a file."""

    file: Path
    operator: str
    occurrence: int
    line: int

    @cached_property
    def code(self) -> str:
        operator = plugins.get_operator(self.operator)()
        return str(mutate_code((ROOT / self.file).read_text("utf-8"), operator, self.occurrence))

    @property
    def module(self) -> str:
        return ".".join(self.file.relative_to("src").with_suffix("").parts)

    @property
    def mutated_line(self) -> str:
        return self.code.splitlines()[self.line - 1].strip()

    @property
    def is_valid(self) -> bool:
        """Whether it is a program at all: Cosmic Ray puts `not` before assignments, for example."""
        try:
            compile(self.code, self.file, "exec")
        except SyntaxError:
            return False
        return True

    @cached_property
    def definition(self) -> Definition | None:
        """The definition that contains the line if it runs on import, else None."""
        return find_definition(ast.parse((ROOT / self.file).read_text("utf-8")), self.line)


def find_definition(tree: ast.Module, line: int) -> Definition | None:
    """Find the definition that contains a line outside of the bodies of functions, or return None."""
    enclosing = list(_enclosing_statements(tree, line))
    if any(isinstance(node, ast.FunctionDef) and line >= node.body[0].lineno for node in enclosing):
        return None
    names = {node.name for node in enclosing if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    assignments = (node for node in enclosing if isinstance(node, ast.Assign | ast.AnnAssign))
    names |= {
        name.id
        for node in assignments
        for name in ast.walk(node)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }
    return frozenset(names)


def _enclosing_statements(node: ast.AST, line: int) -> Iterator[ast.stmt]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt) and child.lineno <= line <= (child.end_lineno or child.lineno):
            yield child
            yield from _enclosing_statements(child, line)


def mutants() -> Iterator[Mutant]:
    """List all mutants of `model` and `actions`.

    Left out are annotations, which change nothing when run, and with them constants that are annotated in the same
    line: mostly limits, where one more or less is as good. Left out are decorators, too: `frozen` and `slots` guard
    against slips that type checkers find, and the size of a cache is not a rule.
    """
    names = [name for name in plugins.operator_names() if name in _ARITHMETIC or not name.startswith(_SKIPPED)]
    for package in PACKAGES:
        for path in sorted((ROOT / SOURCES / package).rglob("*.py")):
            text = path.read_text("utf-8")
            ignored = _ignored_lines(text)
            tree = get_ast(text)
            for name in names:
                places = _places(tree, plugins.get_operator(name)())
                for occurrence, (line, node) in enumerate(places):
                    if line not in ignored and not _is_meaningless(node, name):
                        yield Mutant(path.relative_to(ROOT), name, occurrence, line)


def _ignored_lines(text: str) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        decorators = node.decorator_list if isinstance(node, ast.ClassDef | ast.FunctionDef) else []
        for ignored in (*decorators, getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(ignored, ast.expr):
                lines.update(range(ignored.lineno, (ignored.end_lineno or ignored.lineno) + 1))
    return lines


def _places(node: Any, operator: Any) -> Iterator[tuple[int, Any]]:
    """Find the lines and nodes to which an operator applies, in the order in which Cosmic Ray counts occurrences."""
    for (line, _column), _end in operator.mutation_positions(node):
        yield line, node
    for child in getattr(node, "children", ()):
        yield from _places(child, operator)


def _is_meaningless(node: Any, operator: str) -> bool:
    """Whether the place is a comparison with a text by an alphabetical operator, or the `*` of keyword-only parameters.

    Whether a test notices the former depends on the letters in its data; type checkers find the latter.
    """
    if node.type == "comparison":
        return operator.startswith(_ORDERING) and any(child.type == "string" for child in node.children)
    return node.parent is not None and node.parent.type == "parameters"


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Mutants that are not tested: all of a file, or those that behave like the original."""

    files: frozenset[str]
    lines: frozenset[tuple[str, str]]
    """Files with mutated lines, without their indentation."""
    texts: frozenset[str]
    """Parts of mutated lines of any file."""

    def __contains__(self, mutant: Mutant) -> bool:
        file, line = str(mutant.file.relative_to(SOURCES)), mutant.mutated_line
        return file in self.files or (file, line) in self.lines or any(text in line for text in self.texts)


def load_exclusions() -> Exclusions:
    """Read the exclusions of mutants.toml. Each entry has a reason, which a KeyError asks for."""
    document = tomllib.loads(CONFIGURATION.read_text("utf-8"))
    files = frozenset(entry["file"] for entry in document.get("file", []) if entry["reason"])
    equivalent = [entry for entry in document.get("equivalent", []) if entry["reason"]]
    return Exclusions(
        files,
        frozenset((entry["file"], entry["line"]) for entry in equivalent if "text" not in entry),
        frozenset(entry["text"] for entry in equivalent if "text" in entry),
    )


def measure() -> bool:
    """Measure which tests execute which lines, and return whether the tests pass.

    When the sources have changed, lines have moved, and everything is measured again; otherwise only changed tests are.
    """
    measured_at = COVERAGE.stat().st_mtime if COVERAGE.exists() else 0.0
    sources = (path for package in PACKAGES for path in (ROOT / SOURCES / package).rglob("*.py"))
    has_moved = any(path.stat().st_mtime > measured_at for path in sources)
    places = [ROOT / name for name in TESTS]
    tests = [path for place in places for path in (sorted(place.rglob("test_*.py")) if place.is_dir() else [place])]
    changed = [str(path.relative_to(ROOT)) for path in tests if path.stat().st_mtime > measured_at]
    if has_moved:
        print("Measuring which tests execute which lines (about five minutes)...", flush=True)
        return _measure([f"--junit-xml={NEW_DURATIONS}", *TESTS])
    return not changed or _measure(["--cov-append", *changed])


def _measure(arguments: Sequence[str]) -> bool:
    """Run tests, and save their coverage if they pass."""
    new, started = COVERAGE.with_suffix(".new"), time.time()
    if "--cov-append" in arguments:
        shutil.copyfile(COVERAGE, new)
    options = ["-q", "-n", "auto", "--dist", "worksteal", "-k", f"not ({LEFT_OUT})"]
    measuring = ["--cov", f"--cov-config={CONFIGURATION}", "--cov-context=test", "--cov-report="]
    environ = os.environ | {"COVERAGE_FILE": str(new)}
    command = [sys.executable, "-m", "pytest", *options, *measuring, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        print(done.stdout)
        return False
    os.utime(new, (started, started))
    # Both are replaced only now: an interrupted run leaves the former ones, which belong together.
    if NEW_DURATIONS.exists():
        NEW_DURATIONS.rename(DURATIONS)
    new.rename(COVERAGE)
    return True


class RelatedTests:
    """The tests that execute a place, quick and specific ones first.

    A test is specific to a file if most of the lines that it executes are in this file. A test of a rule is more
    likely to notice a mutant than a test for which the rule is only part of the preparation.
    """

    def __init__(self) -> None:
        data = CoverageData(str(COVERAGE))
        data.read()
        self._contexts = {file: data.contexts_by_lineno(file) for file in data.measured_files()}
        self._lines_by_file = {
            file: Counter(test for contexts in by_line.values() for test in _tests(contexts))
            for file, by_line in self._contexts.items()
        }
        self._lines = sum(self._lines_by_file.values(), Counter[str]())
        self._seconds = _read_durations()
        self._uses = Uses((ROOT / SOURCES / package) for package in PACKAGES)

    def select(self, mutant: Mutant, chance: random.Random) -> list[str]:
        """Select tests that execute the line.

        A line that runs on import belongs to no test. Instead of it, the lines that use the defined names count. Tests
        that import from the file come first: they may compare its constants, which executes no line.
        """
        of_file = self._lines_by_file.get(str(ROOT / mutant.file), Counter())
        if mutant.definition is None:
            related = self._tests_of((str(ROOT / mutant.file), mutant.line))
        else:
            related = {
                test
                for place in self._uses.find(ROOT / mutant.file, mutant.definition)
                for test in self._tests_of(place)
            }
        # The first line of an expression may be the only one that is recorded.
        related = related or set(of_file)
        present = sorted(test for test in related if (ROOT / test.partition("::")[0]).exists())
        present.sort(key=lambda test: of_file[test] / self._lines[test] / self._seconds.get(test, 1), reverse=True)
        importing = self._list_importing(mutant) if mutant.definition is not None else []
        specific = self._limit([*dict.fromkeys([*importing, *present])], SECONDS_OF_SPECIFIC_TESTS)
        others = sorted(set(present).difference(specific))
        chance.shuffle(others)
        return [*specific, *self._limit(others, SECONDS_OF_OTHER_TESTS)]

    def _tests_of(self, place: Place) -> set[str]:
        file, line = place
        return _tests(self._contexts.get(file, {}).get(line, ()))

    def _limit(self, tests: Sequence[str], seconds: float) -> list[str]:
        """Return the first tests that take this time together."""
        ends = accumulate(self._seconds.get(test, 1) for test in tests)
        return [test for test, end in zip(tests, ends, strict=True) if end <= seconds]

    def _list_importing(self, mutant: Mutant) -> list[str]:
        """List the tests, quick ones first, in files that import the mutant's module or something from it."""
        paths = {test.partition("::")[0] for test in self._seconds}
        importing = {path for path in paths if (ROOT / path).exists() and imports(ROOT / path, mutant.module)}
        tests = [test for test in self._seconds if test.partition("::")[0] in importing]
        return sorted(tests, key=lambda test: self._seconds[test])


class Uses:
    """The lines of the sources that use a name, whatever it refers to there."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._places: defaultdict[str, set[Place]] = defaultdict(set)
        self._trees = {}
        for path in (path for folder in folders for path in folder.rglob("*.py")):
            self._trees[str(path)] = tree = ast.parse(path.read_text("utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Name):
                    self._places[node.id].add((str(path), node.lineno))
                elif isinstance(node, ast.Attribute):
                    self._places[node.attr].add((str(path), node.lineno))

    def find(self, file: Path, definition: Definition) -> set[Place]:
        """Find the lines that use names of a file, directly or in the definitions of other names of this file."""
        names, remaining, places = set(definition), list(definition), set[Place]()
        while remaining:
            for place in self._places[remaining.pop()] - places:
                places.add(place)
                if place[0] == str(file):
                    further = (find_definition(self._trees[place[0]], place[1]) or frozenset()) - names
                    names |= further
                    remaining += further
        return places


def imports(path: Path, module: str) -> bool:
    """Whether a file imports a module or something from it."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    return any(module in {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)} for node in nodes)


def _read_durations() -> dict[str, float]:
    """Read the durations of tests in seconds, at least a twentieth of a second each."""
    cases = ET.parse(DURATIONS).iter("testcase")  # noqa: S314 - written by pytest
    seconds: dict[str, float] = {}
    for case in cases:
        test = f"{case.attrib['classname'].replace('.', '/')}.py::{case.attrib['name']}"
        seconds[test] = max(0.05, float(case.attrib["time"]))
    return seconds


def _tests(contexts: Iterable[str]) -> set[str]:
    """Return the tests of contexts such as `tests/model/test_version.py::test_x|run`."""
    return {context.rpartition("|")[0] for context in contexts} - {""}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a mutant."""

    mutant: Mutant
    tests: Sequence[str]
    outcome: Outcome

    @property
    def killer(self) -> str | None:
        """The test that failed, or one of those that could not start."""
        return next(iter((*self.outcome.failed, *(self.tests if self.outcome.error else ()))), None)

    def __str__(self) -> str:
        place = f"{self.mutant.file}:{self.mutant.line}: {self.mutant.mutated_line[:100]}"
        if not self.outcome.is_finished:
            return f"{place}\n    NO VERDICT in time from {len(self.tests)} tests"
        if not self.killer:
            return f"{place}\n    SURVIVED {len(self.tests)} tests"
        return f"{place}\n    killed: {self.outcome.error or self.killer}"


class Runner:
    """Tests mutants, several at once, each in its own copy of the sources."""

    def __init__(self, related: RelatedTests, seed: int, folders: Sequence[Path]) -> None:
        self._related = related
        self._seed = seed
        self._folders: SimpleQueue[Path] = SimpleQueue()
        for folder in folders:
            self._folders.put(copy_sources(folder))

    def test(self, mutant: Mutant) -> Verdict:
        """Run the related tests until one fails."""
        tests = self._related.select(mutant, random.Random(self._seed))  # noqa: S311 - a sample, not a secret
        if not tests:
            return Verdict(mutant, tests, Outcome())
        with self._borrowed_folder() as folder, replaced(folder / mutant.file, mutant.code):
            outcome = run_tests(folder, tests, seed=self._seed, stops_at_failure=True)
        return Verdict(mutant, tests, outcome)

    def failing_without_mutant(self, tests: Sequence[str]) -> set[str]:
        """Find the tests whose failures prove nothing, since they fail without a mutant, too."""
        if not tests:
            return set()
        with self._borrowed_folder() as folder:
            outcome = run_tests(folder, tests, seed=self._seed, stops_at_failure=False)
        return set(tests) if outcome.error or not outcome.is_finished else set(outcome.failed)

    @contextmanager
    def _borrowed_folder(self) -> Iterator[Path]:
        folder = self._folders.get()
        try:
            yield folder
        finally:
            self._folders.put(folder)


def choose(count: int, chance: random.Random) -> list[Mutant]:
    """Choose mutants at random, except the excluded ones."""
    candidates = list(mutants())
    chance.shuffle(candidates)
    exclusions = load_exclusions()
    return list(islice((mutant for mutant in candidates if mutant.is_valid and mutant not in exclusions), count))


def main() -> int:
    """Test the mutants, print the outcome of each, and fail if more than one in 25 survives."""
    parser = argparse.ArgumentParser(prog="./run mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="choose the same mutants again")
    parser.add_argument("--count", type=int, default=25, help="number of mutants (default: 25)")
    options = parser.parse_args()
    preload_libraries()
    if not measure():
        print("The tests fail without mutants.", file=sys.stderr)
        return 1
    print(f"Seed {options.seed}: {options.count} mutants.", flush=True)
    chosen = choose(options.count, random.Random(options.seed))  # noqa: S311 - a sample, not a secret
    processes = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(processes) as pool:
        runner = Runner(RelatedTests(), options.seed, [Path(name) / str(part) for part in range(processes)])
        verdicts: list[Verdict] = []
        for done in as_completed(pool.submit(runner.test, mutant) for mutant in chosen):
            verdicts.append(done.result())
            print(f"{len(verdicts):3} {verdicts[-1]}", flush=True)
        killers = {verdict.killer for verdict in verdicts if verdict.killer}
        failing = runner.failing_without_mutant(sorted(killers))
    killed = sum(verdict.killer in killers - failing for verdict in verdicts)
    for test in sorted(failing):
        print(f"Fails without a mutant, too, and proves nothing: {test}")
    print(f"{killed} of {len(chosen)} mutants were killed.")
    return int((len(chosen) - killed) * 25 > len(chosen))


if __name__ == "__main__":
    sys.exit(main())
