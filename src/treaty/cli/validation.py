"""`publish --validate`: what is wrong with files is told before they are sent, and errors keep all from being sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from treaty.cli import output, pact_problems
from treaty.cli.pact_problems import PactProblem, Severity
from treaty.cli.program import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treaty.client import Json

_HAS_ERRORS: Final = 2
_NO_REPORT: Final = 3
_NEXT: Final = "Nothing was published. Pacts are mended where they are made: in the consumer's tests."


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found in a file."""

    source: str
    findings: Sequence[PactProblem]
    strict: bool

    @property
    def has_errors(self) -> bool:
        return any(finding.is_error(strict=self.strict) for finding in self.findings)

    @property
    def as_json(self) -> Json:
        results = [
            {"path": each.path, "level": self._level(each).upper(), "message": each.message} for each in self.findings
        ]
        return {"source": self.source, "results": results}

    @property
    def lines(self) -> Iterator[str]:
        for each in self.findings:
            level = self._level(each)
            text = f"{self.source}: {level} at {each.path}: {each.message}"
            yield output.red(text) if level == "error" else output.yellow(text)

    def _level(self, finding: PactProblem) -> str:
        return "error" if finding.is_error(strict=self.strict) else "warning"


def validate(paths: Sequence[str], *, strict: bool, form: str) -> None:
    """Tell what is wrong with files; with errors, exit: in 2, or in 3 if a file cannot be read at all."""
    reports = [FileReport(path, _findings(path), strict) for path in paths]
    for line in (line for report in reports for line in report.lines):
        output.print_error(line)
    if any(report.has_errors for report in reports):
        if form != "text":
            output.show_value([report.as_json for report in reports], form)
        output.print_error(_NEXT)
        raise SystemExit(_HAS_ERRORS)


def _findings(path: str) -> Sequence[PactProblem]:
    try:
        return pact_problems.check_pact(json.loads(Path(path).read_text(encoding="utf-8-sig")))
    except json.JSONDecodeError as error:
        text = f"Is no JSON: {error.msg}, in line {error.lineno}, column {error.colno}"
        return [PactProblem("/", text, Severity.ERROR)]
    except (ValueError, RecursionError) as error:
        return [PactProblem("/", f"Is no JSON: {error}", Severity.ERROR)]
    except OSError as error:
        raise _Unreadable(
            f"Could not read the pact file {path}: {error.strerror}\nGive files that may be read."
        ) from error


class _Unreadable(Failure):
    exit_code = _NO_REPORT
