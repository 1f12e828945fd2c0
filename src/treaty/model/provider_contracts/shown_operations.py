"""The operations that a self-verification has exercised: its report, related to the document that it is about."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from treaty.model.provider_contracts.outline import DocumentOperation, OperationFinder
from treaty.model.provider_contracts.reports.cases import Case, Outcome, Report, Target
from treaty.model.provider_contracts.reports.reading import read_report

RULES: Final = 1
"""Version of the rules by which reports are read. A report that was read by other rules is read again."""
MAX_UNMATCHED: Final = 20
"""Operations that are listed although the document does not have them."""
_MAX_MATCHES: Final = 5_000_000
"""Pairs of a path and an operation that are compared for a report."""
_MIN_PATHS: Final = 100
_MAX_PREFIX: Final = 3
"""Segments before the paths of the document that a deployment may add."""
_ORDER: Final = tuple(Outcome)
"""From the worst outcome to the best."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownOperation:
    """An operation of the document that the report has cases for."""

    outcome: Outcome
    cases: int
    detail: str = ""
    """The reason of the first failure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownOperations:
    """What the report of a self-verification says about the operations of the document."""

    format: str | None
    """The format of the report; None if it could not be read."""
    problem: str | None
    """Why the report does not say of each operation whether it was exercised: a sentence about it."""
    operations: Mapping[str, ShownOperation]
    """By the key of the operation."""
    unmatched: tuple[str, ...]
    """Some of the operations that the document does not have."""
    unmatched_count: int
    failures: int
    """Failed cases, also of operations that the document does not have."""
    first_failure: str

    @property
    def lists_operations(self) -> bool:
        """Whether the report says which operations were exercised."""
        return bool(self.operations or self.unmatched_count)

    @property
    def is_of_another_api(self) -> bool:
        """Whether the report has operations, but none of the document."""
        return not self.operations and self.unmatched_count > 0

    def as_json(self) -> str:
        """Return the text that is stored."""
        operations = {key: [shown.outcome.value, shown.cases, shown.detail] for key, shown in self.operations.items()}
        members = {name: getattr(self, name) for name in _STORED}
        return orjson.dumps({"rules": RULES, **members, "operations": operations}).decode()


_STORED: Final = ("format", "problem", "unmatched", "unmatched_count", "failures", "first_failure")


def load_shown(text: str | None) -> ShownOperations | None:
    """Load what `as_json` returned; None if it was stored by other rules, or not at all."""
    stored: Mapping[str, Any] = orjson.loads(text) if text else {}
    if stored.get("rules") != RULES:
        return None
    operations = {
        key: ShownOperation(outcome=Outcome(outcome), cases=cases, detail=detail)
        for key, (outcome, cases, detail) in stored["operations"].items()
    }
    members = {name: stored[name] for name in _STORED}
    return ShownOperations(**{**members, "unmatched": tuple(stored["unmatched"])}, operations=operations)


def read_shown(
    content: bytes, operations: Sequence[DocumentOperation], *, hints: tuple[str | None, ...] = ()
) -> ShownOperations:
    """Read a report, and relate it to the operations of a document. Takes seconds for large reports. Never raises."""
    return relate(read_report(content, hints=hints), OperationFinder(operations))


def relate(report: Report, finder: OperationFinder) -> ShownOperations:
    """Relate the cases of a report to the operations of a document."""
    if len({case.target for case in report.cases}) > _limit_paths(finder):
        report = Report(format=None, problem=_TOO_MANY_PATHS)
    shown, unmatched = _match(report, finder)
    if not shown and unmatched:
        shown, unmatched = _match_below_prefix(report, finder) or (shown, unmatched)
    is_complete = not report.names_failures_only
    if report.tested_operations is not None and report.tested_operations == len(finder.operations):
        shown, is_complete = {operation.key: _PASSED for operation in finder.operations} | shown, True
    failures = [case for case in report.cases if case.outcome is Outcome.FAILED]
    return ShownOperations(
        format=report.format,
        problem=report.problem or _find_problem(is_complete=is_complete, has_operations=bool(shown or unmatched)),
        operations=shown,
        unmatched=tuple(unmatched[:MAX_UNMATCHED]),
        unmatched_count=len(unmatched),
        failures=len(failures),
        first_failure=_describe_failure(failures[0]) if failures else "",
    )


_PASSED: Final = ShownOperation(outcome=Outcome.PASSED, cases=1)
_TOO_MANY_PATHS: Final = "It has too many different paths."
_FAILURES_ONLY: Final = "It does not name the operations that passed."
_NO_OPERATIONS: Final = "Its cases name no operation, such as GET /orders."


def _limit_paths(finder: OperationFinder) -> int:
    return max(_MIN_PATHS, _MAX_MATCHES // max(finder.route_count, 1))


def _find_problem(*, is_complete: bool, has_operations: bool) -> str | None:
    if not is_complete:
        return _FAILURES_ONLY
    return None if has_operations else _NO_OPERATIONS


def _describe_failure(case: Case) -> str:
    name = str(case.target) if case.target else case.name
    return f"{name}: {case.detail}" if case.detail else name


_Matches = tuple[dict[str, ShownOperation], list[str]]


def _match(report: Report, finder: OperationFinder, prefix: str = "") -> _Matches:
    """Return the operations of the document that have cases, and the names of other operations in the report."""
    cases: dict[str, list[Case]] = {}
    unmatched: dict[str, None] = {}
    targets = {case.target for case in report.cases if case.target}
    operations = {target: _find_target(target, finder, prefix) for target in targets}
    for case in report.cases:
        operation = (operations[case.target] if case.target else None) or _find_by_name(case, report, finder)
        if operation is not None:
            cases.setdefault(operation.key, []).append(case)
        elif case.target is not None:
            unmatched[str(case.target)] = None
    return {key: _combine(own) for key, own in cases.items()}, list(unmatched)


def _find_target(target: Target, finder: OperationFinder, prefix: str) -> DocumentOperation | None:
    if prefix and not target.path.startswith(prefix):
        return None
    return finder.find(Target(target.method, target.path.removeprefix(prefix)) if prefix else target)


_BRACKETS: Final = re.compile(r"\[([^\[\]]+)\]$")


def _find_by_name(case: Case, report: Report, finder: OperationFinder) -> DocumentOperation | None:
    """Find the operation by the name of the case, or the parameter of a test: `test_api[listOrders]`."""
    parameter = _BRACKETS.search(case.name)
    names = (case.name, parameter[1] if parameter else "")
    operation = next(filter(None, map(finder.find_named, names)), None)
    if operation is None and report.has_scenario_names:
        return finder.find_scenario(case.name.rpartition(":")[2]) or finder.find_scenario(case.name)
    return operation


def _combine(cases: Sequence[Case]) -> ShownOperation:
    """Combine the cases of an operation: the worst outcome counts, and a skipped case only if there is no other."""
    outcome = min((case.outcome for case in cases), key=_ORDER.index)
    detail = next((case.detail for case in cases if case.outcome is Outcome.FAILED and case.detail), "")
    return ShownOperation(outcome=outcome, cases=sum(case.count for case in cases), detail=detail)


def _match_below_prefix(report: Report, finder: OperationFinder) -> _Matches | None:
    """Match paths without what the deployment has added before all of them, such as `/api`."""
    paths = [case.target.path for case in report.cases if case.target]
    segments = _common_segments(paths)[:_MAX_PREFIX]
    for length in range(1, len(segments) + 1):
        shown, unmatched = _match(report, finder, "/" + "/".join(segments[:length]))
        if shown:
            return shown, unmatched
    return None


def _common_segments(paths: Iterable[str]) -> list[str]:
    common: list[str] | None = None
    for path in paths:
        segments = path.strip("/").split("/")
        if common is None:
            common = segments
        pairs = zip(common, segments, strict=False)
        common = common[: next((index for index, (left, right) in enumerate(pairs) if left != right), len(segments))]
    return common or []
