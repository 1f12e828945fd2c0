"""Output of tools as text: a line for each case, with an operation and a mark such as `PASSED`, `✓` or `fail:`.

Covers Schemathesis, Dredd (output and Markdown), Drift (its table), pytest, Mocha and its relatives, TAP and Go.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from treaty.model.provider_contracts.reports.cases import (
    Case,
    Outcome,
    Report,
    Target,
    build_case,
    collect,
    read_outcome,
)

MAX_LINES: Final = 500_000
"""Lines that are examined. A report with more lines is not read."""
_MAX_LINE_LENGTH: Final = 2000

_ESCAPE: Final = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
# From here on, failures are repeated.
_SUMMARY: Final = re.compile(r"=+ short test summary info =+|.{0,20}Displaying failed tests")
_MARKS: Final = (
    # At the beginning: `pass: GET (200) /orders` (Dredd), `## Fail: …` (its Markdown), `not ok 3 - …` (TAP)
    re.compile(r"[\s#\-*>]{0,40}(?P<word>pass|fail|skip|error|ok|not ok)(?::|\s\d{1,6}\b)", re.IGNORECASE),
    # `✓ GET /orders`, `  1) GET /orders`, `--- PASS: TestOrders/GET_/orders`
    re.compile(r"\s{0,80}(?P<word>[✓✔√✅✗✘✕\u00d7❌○⏭↓]|\d{1,5}\)(?=\s))"),
    re.compile(r"\s{0,80}--- (?P<word>PASS|FAIL|SKIP):"),
    # Anywhere: pytest, also with pytest-xdist
    re.compile(r".{0,1500}\b(?P<word>PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS)\b"),
    # At the end: `GET /orders ... ok`
    re.compile(r".{1,1500}\s\.{2,}\s?(?P<word>ok|FAILED|FAIL|skipped|ERROR)\b"),
)
_SYMBOLS: Final = {
    **dict.fromkeys("✓✔√✅", Outcome.PASSED),
    **dict.fromkeys("✗✘✕\u00d7❌", Outcome.FAILED),
    **dict.fromkeys("○⏭↓", Outcome.SKIPPED),
    "xfail": Outcome.SKIPPED,
    "xpass": Outcome.PASSED,
    "not ok": Outcome.FAILED,
}


def read_text(text: str) -> Report:
    """Read the output of a tool. Raises TooManyCases."""
    lines = _ESCAPE.sub("", text).splitlines()
    if len(lines) > MAX_LINES:
        return Report(format=None, problem=f"It has more than {MAX_LINES:,} lines.")
    table = collect(_read_drift_table(lines))
    if table:
        return Report(format="Drift", cases=table, has_scenario_names=True)
    cases = collect(_read_lines(lines))
    has_summary, tested = _read_counts(lines)
    if not has_summary and not cases:
        return Report(format=None, problem="No line of it names an operation with an outcome.")
    # The sections about failures name no other operations.
    is_partial = all(case.outcome is not Outcome.PASSED for case in cases)
    return Report(format="text", cases=cases, names_failures_only=is_partial, tested_operations=tested)


def _read_lines(lines: Iterable[str]) -> Iterator[Case]:
    failed: set[Target | None] = set()
    for line in lines:
        if _SUMMARY.match(line):
            return
        case = _read_line(line)
        # The sections about failures repeat those of the list before.
        if case is None or (_is_heading(line) and case.target in failed):
            continue
        if case.outcome is Outcome.FAILED:
            failed.add(case.target)
        yield case


def _read_line(line: str) -> Case | None:
    if "/" not in line or len(line) > _MAX_LINE_LENGTH:
        return None
    outcome = Outcome.FAILED if _is_heading(line) else _read_progress(line) or _read_mark(line)
    case = build_case([line.strip(" _#")], outcome) if outcome else None
    # Without an operation, a line of text may be anything.
    return case if case is not None and case.target else None


def _is_heading(line: str) -> bool:
    """Whether it is the heading of a failure in Schemathesis and pytest: `______ GET /orders ______`."""
    return line.startswith("___") and line.rstrip().endswith("___")


_PERCENTAGE: Final = re.compile(r"\s{0,3}\d{1,3}%\]\s{0,5}")


def _read_progress(line: str) -> Outcome | None:
    """Read a line of Schemathesis 3: `GET /orders .F   [ 50%]`."""
    head, _, percentage = line.rpartition("[")
    marks = set(head[-1000:].split()[-1]) if head.strip() and _PERCENTAGE.fullmatch(percentage) else set()
    if not marks or not marks <= set(".FES"):
        return None
    return Outcome.FAILED if marks & set("FE") else Outcome.PASSED if "." in marks else Outcome.SKIPPED


def _read_mark(line: str) -> Outcome | None:
    match = next((match for mark in _MARKS if (match := mark.match(line))), None)
    # A number is the mark of a failure in Mocha's output.
    return (_SYMBOLS.get(match["word"].lower()) or read_outcome(match["word"]) or Outcome.FAILED) if match else None


# Schemathesis 4 names only the operations that failed, and counts the others.

_SELECTED: Final = re.compile(r"\s{0,20}Selected: (\d{1,6})/(\d{1,6})\s*$")
_TESTED: Final = re.compile(r"\s{0,20}Tested: (\d{1,6})\s*$")


def _read_counts(lines: Iterable[str]) -> tuple[bool, int | None]:
    """Return whether there is a summary of Schemathesis, and the number of operations if all were tested."""
    selected = total = None
    for line in lines:
        if match := _SELECTED.match(line):
            selected, total = map(int, match.groups())
        elif (match := _TESTED.match(line)) and total is not None:
            return True, total if selected == total == int(match[1]) else None
    return False, None


# Drift: │ Testcase ┆ Operation ┆ Target ┆ Result │, where the target is `source:operationId` or `source:get:/orders`

_SEPARATORS: Final = re.compile(r"[│┆|]")
_COLUMNS: Final = 4


def _read_drift_table(lines: Iterable[str]) -> Iterator[Case | None]:
    for line in lines:
        if "┆" not in line:
            continue
        cells = [cell.strip() for cell in _SEPARATORS.split(line[:_MAX_LINE_LENGTH])][1:-1]
        if len(cells) != _COLUMNS or ":" not in cells[2]:
            continue
        # Drift writes OK; anything but that and a skipped case is a failure.
        outcome = read_outcome(cells[3]) or Outcome.FAILED
        yield build_case([cells[2].partition(":")[2]], outcome)
