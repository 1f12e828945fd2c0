"""`publish --validate`: checks all files before the first is sent, and sends none of them if one has errors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from treaty.cli import json_faults, output, pact_problems
from treaty.cli.pact_problems import PactProblem, Severity
from treaty.cli.program import Failure
from treaty.exact_json import MAX_PLAIN_INTEGER_DIGITS, Number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treaty.client import Json

_INVALID_EXIT_CODE: Final = 2
_UNREADABLE_EXIT_CODE: Final = 3
"""Exit codes of the Rust client, whose option this is."""
_NEXT_STEP: Final = "Nothing was published. Fix the pacts where they are generated: in the consumer's tests."


@dataclass(frozen=True, slots=True)
class FileReport:
    """Problems of a file."""

    source: str
    problems: Sequence[PactProblem]
    strict: bool

    @property
    def has_errors(self) -> bool:
        return any(problem.is_error(strict=self.strict) for problem in self.problems)

    @property
    def as_json(self) -> Json:
        results = [
            {"path": problem.path, "level": self._level(problem).upper(), "message": problem.message}
            for problem in self.problems
        ]
        return {"source": self.source, "results": results}

    @property
    def lines(self) -> Iterator[str]:
        for problem in self.problems:
            level = self._level(problem)
            text = _printable(f"{self.source}: {level} at {problem.path}: {problem.message}")
            yield output.red(text) if level == "error" else output.yellow(text)

    def _level(self, problem: PactProblem) -> str:
        return "error" if problem.is_error(strict=self.strict) else "warning"


def _printable(text: str) -> str:
    """Escape surrogates that are no pair: JSON may contain them, but no output can."""
    return text.encode(errors="backslashreplace").decode()


def validate(paths: Sequence[str], *, strict: bool, form: str) -> None:
    """Print the problems of files. Exits with 2 if there are errors, with 3 if a file cannot be read."""
    reports = [FileReport(path, _check_file(path), strict) for path in paths]
    for line in (line for report in reports for line in report.lines):
        output.print_error(line)
    if any(report.has_errors for report in reports):
        if form != "text":
            output.show_value([report.as_json for report in reports], form)
        output.print_error(_NEXT_STEP)
        raise SystemExit(_INVALID_EXIT_CODE)


def _check_file(path: str) -> Sequence[PactProblem]:
    try:
        # utf-8-sig: editors on Windows begin files with a byte order mark.
        return _check_text(Path(path).read_text(encoding="utf-8-sig"))
    except ValueError as error:
        return _problems_of([f"Not valid JSON: {error}"])
    except OSError as error:
        raise _UnreadableFile(
            f"Could not read the pact file {path}: {error.strerror}\nCheck the path, and the file's permissions."
        ) from error


def _check_text(text: str) -> Sequence[PactProblem]:
    try:
        tree = json.loads(text, parse_int=_parse_integer)
    except json.JSONDecodeError as error:
        return _problems_of([f"Not valid JSON: {error.msg}, in line {error.lineno}, column {error.colno}"])
    except RecursionError:
        return _problems_of([f"Not valid JSON: {fault}" for fault in json_faults.find_faults(text)])
    # The other checks may fail on what no broker accepts anyway.
    return _problems_of(json_faults.find_faults(text)) or pact_problems.check_pact(tree)


def _parse_integer(literal: str) -> int | float:
    return int(literal) if len(literal) < MAX_PLAIN_INTEGER_DIGITS else Number.from_text(literal)


def _problems_of(faults: Sequence[str]) -> list[PactProblem]:
    return [PactProblem("/", fault, Severity.ERROR) for fault in faults]


class _UnreadableFile(Failure):
    exit_code = _UNREADABLE_EXIT_CODE
