"""Which consumers use the operations of a contract, and whether the contract satisfies what they expect of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from treaty.model.compare.findings import Severity
from treaty.model.compare.locations import Path
from treaty.model.provider_contracts.document_outlines import Outline
from treaty.model.provider_contracts.findings import StoredFinding
from treaty.model.provider_contracts.results import ComparedContent
from treaty.model.usage.usage import ExpectedOperation

OperationKey = tuple[str, Path]
"""The name of a contract, and the path of an operation in its document."""


class OperationUser(NamedTuple):
    """A consumer that uses an operation."""

    consumer: str
    is_satisfied: bool | None
    """Whether no comparison of its pacts in use found an error in the operation; None if one is still missing."""
    sha: str | None
    """The content whose comparison explains the status, if there is one."""


@dataclass(frozen=True, slots=True)
class OperationUsers:
    """The users of operations, and the operations that consumers expect but no document describes."""

    by_operation: Mapping[OperationKey, Sequence[OperationUser]]
    undescribed: Sequence[ExpectedOperation]


def find_users(
    outlines: Mapping[str, Outline], expected: Iterable[ExpectedOperation], contents: Iterable[ComparedContent]
) -> OperationUsers:
    """Find the users of the operations of documents, which are given by the names of their contracts.

    `contents` are those of the pacts in use.
    """
    consumers: dict[OperationKey, set[str]] = {}
    undescribed: list[ExpectedOperation] = []
    for operation in expected:
        if operation.method is None:
            continue  # a message: its operation follows from the pact, which the index does not record
        key = _find_operation(outlines, operation.method, operation.path)
        if key is None:
            undescribed.append(operation)
        else:
            consumers.setdefault(key, set()).update(operation.consumers)
    statuses = _Statuses(contents)
    by_operation = {key: [statuses.find(name, key) for name in sorted(names)] for key, names in consumers.items()}
    return OperationUsers(by_operation, undescribed)


def _find_operation(outlines: Mapping[str, Outline], method: str, path: str) -> OperationKey | None:
    candidates = ((name, outline.find_operation(method, path)) for name, outline in outlines.items())
    return next(((name, operation) for name, operation in candidates if operation is not None), None)


class _Statuses:
    """The statuses of consumers, from the comparisons of their pacts in use."""

    def __init__(self, contents: Iterable[ComparedContent]) -> None:
        self._contents: dict[str, list[ComparedContent]] = {}
        for content in contents:
            self._contents.setdefault(content.consumer, []).append(content)
        self._errors: dict[str, set[OperationKey]] = {}

    def find(self, consumer: str, operation: OperationKey) -> OperationUser:
        contents = self._contents.get(consumer, [])
        failed = next((content for content in contents if operation in self._errors_of(content)), None)
        if failed is not None:
            return OperationUser(consumer, is_satisfied=False, sha=failed.sha)
        is_complete = bool(contents) and all(content.is_compatible is not None for content in contents)
        return OperationUser(
            consumer, is_satisfied=True if is_complete else None, sha=contents[-1].sha if contents else None
        )

    def _errors_of(self, content: ComparedContent) -> set[OperationKey]:
        if content.sha not in self._errors:
            self._errors[content.sha] = set(_list_errors(content))
        return self._errors[content.sha]


_PATHS: Final = "paths"


def _list_errors(content: ComparedContent) -> Iterable[OperationKey]:
    """Yield the operations in which the comparison of a content found an error."""
    details: Mapping[str, Any] = orjson.loads(content.details) if content.details else {"findings": ()}
    for finding in map(StoredFinding, details["findings"]):
        if finding.severity is Severity.ERROR and finding.operation_key:
            path, method = finding.operation_key
            yield finding.document_name, (_PATHS, path, method)
