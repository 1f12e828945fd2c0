"""The self-verification of a provider: the outcome of the tests of a run that compare it with its own document.

These are the tests of Schemathesis, and tests with the marker `self_verification`.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pytest

MARKER: Final = "self_verification"
_SCHEMATHESIS: Final = "schemathesis"
_OPERATION: Final = re.compile(
    r"\[((?:GET|PUT|POST|DELETE|OPTIONS|HEAD|PATCH|TRACE|QUERY) /.*?)\](?=\[|$)", re.MULTILINE
)
"""Part of the name of a test. Schemathesis names each after its operation, as in `test_api[GET /orders/{id}]`."""
_MAX_MESSAGE_LENGTH: Final = 1000
_PASSED, _SKIPPED, _FAILED = "passed", "skipped", "failed"
_SEVERITY: Final = (_PASSED, _SKIPPED, _FAILED)
"""Of several outcomes, such as those of a test and of its teardown, the last one in this order counts."""


def is_self_verification(item: pytest.Item) -> bool:
    return _is_of_schemathesis(item) or item.get_closest_marker(MARKER) is not None


def _is_of_schemathesis(item: pytest.Item) -> bool:
    """Whether Schemathesis has created the test, its function, or the class of a stateful test."""
    function, test_class = getattr(item, "function", None), getattr(item, "cls", None)
    origins = [type(item), function, *getattr(test_class, "__mro__", ())]
    modules = (str(getattr(origin, "__module__", "")) for origin in origins)
    return any(module.partition(".")[0] == _SCHEMATHESIS for module in modules)


def find_tested_document(item: pytest.Item) -> Mapping[str, Any] | None:
    """Return the document that a test of Schemathesis has been created from; None if this is unknown until it runs."""
    # There is no public way from a test to its schema.
    metadata = getattr(getattr(item, "test_function", None), "_schemathesis_metadata", None)
    document = getattr(getattr(metadata, "schema", None), "raw_schema", None)
    return document if isinstance(document, dict) else None


def identify(item: pytest.Item) -> str:
    """Return a test's id. With some versions of pytest, all tests of Schemathesis for a function have the same one."""
    parent = item.parent.nodeid if item.parent else ""
    return f"{parent}::{item.name}"


def to_report_data(item: pytest.Item, collected_id: str, report: pytest.TestReport) -> dict[str, Any]:
    """Describe what a report is about, as plain data, since reports are sent from workers to the main process.

    A test of Schemathesis that gets its schema from a fixture has a report for each operation. With pytest 8, such a
    report has a longer id than the test had when it was collected; with pytest 9, it is that of a subtest.
    """
    marked = [str(argument) for marker in item.iter_markers(MARKER) for argument in marker.args]
    names = (str(getattr(item, "operation_label", None) or ""), *_OPERATION.findall(f"{report.nodeid}\n{item.name}"))
    return {
        "test": identify(item),
        "operations": [name for name in names if name][:1] or marked,
        "is_part": report.nodeid != collected_id,
        "is_schemathesis": _is_of_schemathesis(item),
    }


@dataclass(slots=True, kw_only=True)
class Outcome:
    """The outcome of a test for an operation; of the test itself if it names no operation."""

    name: str
    test: str
    status: str
    message: str
    seconds: float
    start: float
    stop: float

    def to_ctrf(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": self.status,
            "duration": round(self.seconds * 1000),
            "suite": [self.test.partition("::")[0]],
            **({"message": self.message} if self.message else {}),
        }


@dataclass(slots=True)
class Selection:
    """The self-verification tests that a run has collected, as each process that collects tests reports it."""

    tests: Sequence[str]
    """Their ids, in order."""
    removed: int
    """How many others were deselected."""
    is_partial: bool
    """Whether the run selects single tests, so that it is unknown how many others there are."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the provider conforms to its document; None, with the reason, if the run does not prove it."""

    success: bool | None
    reason: str = ""


@dataclass(slots=True)
class SelfVerification:
    """The outcomes of a run, in its main process."""

    selection: Selection | None = None
    failed_reports: int = 0
    """Reports of any test. A run can fail although there are none, if a plugin decides so."""
    _outcomes: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    _finished: set[str] = field(default_factory=set)
    _tools: set[bool] = field(default_factory=set)

    def add_selection(self, selection: Selection) -> None:
        """Add the tests of a process. Workers of pytest-xdist all collect the same ones."""
        if self.selection is None:
            self.selection = selection
        self.selection.removed = max(self.selection.removed, selection.removed)
        self.selection.is_partial |= selection.is_partial

    def collect(self, report: pytest.TestReport, about: Mapping[str, Any]) -> None:
        """Add the outcome of a phase of a test, with the data from `to_report_data`."""
        status = _status(report)
        if status is None:
            return
        self._tools.add(bool(about["is_schemathesis"]))
        label = _subtest_label(report)
        if not about["is_part"] and label is None:
            self._finished.add(about["test"])
        for name in [label] if label else about["operations"] or [about["test"]]:
            self._add(
                Outcome(
                    name=name,
                    test=about["test"],
                    status=status,
                    message=_message(report),
                    seconds=report.duration,
                    start=getattr(report, "start", 0.0),
                    stop=getattr(report, "stop", 0.0),
                )
            )

    def _add(self, outcome: Outcome) -> None:
        key = (outcome.test, outcome.name)
        earlier = self._outcomes.get(key)
        if earlier is None or _SEVERITY.index(outcome.status) > _SEVERITY.index(earlier.status):
            self._outcomes[key] = outcome

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """Outcomes, without those of tests whose operations have their own."""
        tests_with_parts = {test for test, name in self._outcomes if name != test}
        failed_parts = {
            test for (test, name), each in self._outcomes.items() if name != test and each.status == _FAILED
        }
        return [
            outcome
            for (test, name), outcome in self._outcomes.items()
            # Such a test may have failed itself, in its teardown.
            if name != test or test not in tests_with_parts or (outcome.status == _FAILED and test not in failed_parts)
        ]

    @property
    def has_unfinished(self) -> bool:
        return self.selection is None or not self._finished.issuperset(self.selection.tests)

    def judge(self, *, has_passed: bool, document: Mapping[str, Any]) -> Verdict:
        """Decide. A success needs every self-verification test of the suite to have run and passed."""
        if self._count(_FAILED):
            return Verdict(success=False)
        reason = self._find_gap() or self._find_foreign_operations(document)
        if not reason and not has_passed and not self.failed_reports:
            reason = "the run has failed although no test has: a plugin, such as one for coverage, has decided so"
        return Verdict(success=None, reason=reason) if reason else Verdict(success=True)

    def _find_gap(self) -> str:
        selection = self.selection
        if selection is None or self.has_unfinished:
            return "not all self-verification tests have finished"
        if selection.removed:
            total = len(selection.tests) + selection.removed
            return f"only {len(selection.tests)} of {total} self-verification tests were selected to run"
        if selection.is_partial:
            return "the run selects single tests or failed tests; run whole files or folders"
        if not selection.tests:
            return "no test is one of Schemathesis, or has the marker self_verification"
        if skipped := self._count(_SKIPPED):
            return f"{skipped} of {len(self.outcomes)} self-verification tests were skipped"
        return ""

    def _find_foreign_operations(self, document: Mapping[str, Any]) -> str:
        paths = document.get("paths")
        operations = [each.name for each in self.outcomes if each.name != each.test]
        if not isinstance(paths, dict) or not operations:
            return ""
        if any(operation.endswith(str(path)) for operation in operations for path in paths):
            return ""
        return f"the tested operations, such as {operations[0]}, are not in the document"

    def _count(self, status: str) -> int:
        return sum(outcome.status == status for outcome in self.outcomes)

    def describe(self) -> str:
        """Summarize the outcomes: `3 passed, 1 failed`."""
        counts = [(self._count(status), status) for status in (_FAILED, _PASSED, _SKIPPED)]
        return ", ".join(f"{number} {status}" for number, status in counts if number)

    @property
    def failures(self) -> Sequence[str]:
        return [outcome.name for outcome in self.outcomes if outcome.status == _FAILED]

    @property
    def tool(self) -> str:
        """The name of the tool, which is Schemathesis if all tests are its own."""
        return _SCHEMATHESIS if self._tools == {True} else "pytest"

    def to_ctrf(self) -> bytes:
        """Write the report in the Common Test Report Format (https://ctrf.io), with an entry for each operation."""
        outcomes = self.outcomes
        counts = {status: self._count(status) for status in _SEVERITY}
        report = {
            "reportFormat": "CTRF",
            "specVersion": "0.0.0",
            "results": {
                "tool": {"name": self.tool, "version": version_of(self.tool)},
                "summary": {
                    "tests": len(outcomes),
                    **counts,
                    "pending": 0,
                    "other": 0,
                    "start": round(min((each.start for each in outcomes), default=0.0) * 1000),
                    "stop": round(max((each.stop for each in outcomes), default=0.0) * 1000),
                },
                "tests": [outcome.to_ctrf() for outcome in outcomes],
            },
        }
        return json.dumps(report, ensure_ascii=False).encode()


def version_of(tool: str) -> str:
    return importlib.metadata.version(tool)


def _status(report: pytest.TestReport) -> str | None:
    """Return the outcome of a phase, or None if the phase proves nothing, such as a setup before the test runs."""
    if report.outcome not in _SEVERITY:
        return None  # a plugin will run the test again
    if report.failed or (report.skipped and hasattr(report, "wasxfail")):
        return _FAILED  # an expected failure is a known difference from the document
    return report.outcome if report.skipped or report.when == "call" else None


def _subtest_label(report: pytest.TestReport) -> str | None:
    """Return the operation of a subtest, which is empty if it names none; None for the report of a whole test."""
    context = getattr(report, "context", None)
    if context is None:
        return None
    label: str = context.kwargs.get("label", "")  # as `repr` writes it
    return label.strip("'\"")


def _message(report: pytest.TestReport) -> str:
    """Return the reason of a failure or of a skipped test, without the traceback."""
    if report.passed:
        return ""
    crash = getattr(report.longrepr, "reprcrash", None)
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    text = str(getattr(crash, "message", "") or reason)
    return text if len(text) <= _MAX_MESSAGE_LENGTH else f"{text[:_MAX_MESSAGE_LENGTH]}…"


def list_documents(items: Iterable[pytest.Item]) -> list[Mapping[str, Any]]:
    """List the different documents that the tests of Schemathesis have been created from."""
    documents: list[Mapping[str, Any]] = []
    for item in items:
        document = find_tested_document(item)
        if document is not None and document not in documents:
            documents.append(document)
    return documents
