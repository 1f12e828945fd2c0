"""Coverage of a provider version: which operations of its documents are used, and which of them were exercised.

An operation that consumers use, and that the provider claims to have but has not exercised, is *claimed, not shown*.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

from treaty.model.provider_contracts.contracts import Specification, describe_name
from treaty.model.provider_contracts.outline import DocumentOperation, OperationFinder
from treaty.model.provider_contracts.reports.cases import Outcome, Target
from treaty.model.provider_contracts.shown_operations import ShownOperations
from treaty.model.usage.operations import ANY, ID, OperationQuery
from treaty.model.wording import choose_form

MAX_NAMED: Final = 5
"""Operations that a summary names."""


class Evidence(StrEnum):
    """What the self-verification shows of an operation."""

    PASSED = "passed"
    FAILED = "failed"
    EXERCISED = "exercised"
    """It was called; the report does not say whether the response was right."""
    SKIPPED = "skipped"
    NOT_EXERCISED = "not exercised"
    UNKNOWN = "unknown"
    """There is no report that says which operations were exercised."""


_SHOWN: Final = {Evidence.PASSED, Evidence.FAILED, Evidence.EXERCISED}
_NOT_SHOWN: Final = {Evidence.SKIPPED, Evidence.NOT_EXERCISED}


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationUse:
    """An operation that a consumer's pacts in use expect, as the usage index has it."""

    consumer: str
    kind: str
    """`operation` or `message`."""
    name: str
    """`GET /orders/{id}`, or the name of a message."""
    is_verified: bool | None
    """Whether a verifier has verified the pact with the provider version; None if there is no result."""


@dataclass(frozen=True, slots=True)
class UndocumentedOperation:
    """An operation that consumers use, and that no OpenAPI document of the provider version has."""

    name: str
    consumers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UsingConsumer:
    """A consumer that uses an operation. A pact without a result of a verifier has `is_verified` None."""

    name: str
    is_verified: bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CoveredOperation:
    """An operation of a document, with its consumers and what the self-verification shows of it."""

    operation: DocumentOperation
    consumers: tuple[UsingConsumer, ...]
    evidence: Evidence
    cases: int = 0
    detail: str = ""
    """The reason of the first failure."""

    @property
    def is_exercised(self) -> bool:
        return self.evidence in _SHOWN

    @property
    def is_claimed_only(self) -> bool:
        """Whether consumers use it, and the self-verification has not exercised it: claimed, not shown."""
        return bool(self.consumers) and self.evidence in _NOT_SHOWN

    @property
    def is_verified_by_pacts(self) -> bool:
        """Whether a verifier has verified a pact that uses it."""
        return any(consumer.is_verified for consumer in self.consumers)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContractCoverage:
    """Coverage of one document of a provider version."""

    name: str
    specification: Specification
    success: bool | None
    """The outcome of the self-verification; None if there is none."""
    verifier: str | None
    shown: ShownOperations | None
    """What the report says; None if the self-verification has no content."""
    operations: Sequence[CoveredOperation]

    @property
    def label(self) -> str:
        return describe_name(self.name)

    @property
    def is_known(self) -> bool:
        """Whether there is a report that says of each operation whether it was exercised."""
        return self.shown is not None and self.shown.problem is None

    @property
    def problem(self) -> str | None:
        """Why it is unknown which operations were exercised, in a sentence."""
        if self.success is None:
            return "There is no self-verification."
        if self.shown is None:
            return "The self-verification was published without a report."
        return (
            f"The report of the self-verification does not tell. {self.shown.problem}" if self.shown.problem else None
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """Coverage of a provider version."""

    provider: str
    version: str
    contracts: Sequence[ContractCoverage]
    is_index_complete: bool
    """Whether all pacts in use are indexed. Otherwise there may be more consumers."""
    undocumented: tuple[UndocumentedOperation, ...]

    @property
    def operations(self) -> list[CoveredOperation]:
        return [operation for contract in self.contracts for operation in contract.operations]

    @property
    def exercised_count(self) -> int:
        return sum(operation.is_exercised for operation in self.operations)

    @property
    def claimed_only(self) -> list[CoveredOperation]:
        """The operations that are claimed, not shown."""
        return [operation for operation in self.operations if operation.is_claimed_only]

    @property
    def is_known(self) -> bool:
        """Whether the exercised operations of at least one document are known."""
        return any(contract.is_known for contract in self.contracts)

    @property
    def summary(self) -> str:
        """A sentence such as "2 of 3 operations exercised; 1 that consumers use was not: GET /orders."."""
        total = len(self.operations)
        if not self.is_known:
            problems = dict.fromkeys(contract.problem for contract in self.contracts if contract.problem)
            unknown_part = choose_form(total, "whether the operation was", f"which of the {total} operations were")
            return f"It is unknown {unknown_part} exercised. {' '.join(problems)}".strip()
        claimed = self.claimed_only
        unknown = sum(operation.evidence is Evidence.UNKNOWN for operation in self.operations)
        text = f"{self.exercised_count} of {total} operations exercised{f' ({unknown} unknown)' if unknown else ''}"
        if not claimed:
            is_covered = not unknown and any(operation.consumers for operation in self.operations)
            return f"{text}, among them all that consumers use." if is_covered else f"{text}."
        names = [operation.operation.key for operation in claimed]
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        was = choose_form(len(names), "was", "were")
        return f"{text}; {len(names)} that consumers use {was} not: {', '.join(names[:MAX_NAMED])}{more}."


@dataclass(frozen=True, kw_only=True, slots=True)
class OutlinedContract:
    """A document of a provider version as coverage needs it."""

    name: str
    specification: Specification
    operations: Sequence[DocumentOperation]
    success: bool | None
    verifier: str | None
    shown: ShownOperations | None


def compute_coverage(
    *,
    provider: str,
    version: str,
    contracts: Iterable[OutlinedContract],
    uses: Iterable[OperationUse],
    is_index_complete: bool,
) -> Coverage:
    """Compute the coverage of a provider version from its documents, their reports, and what consumers use."""
    outlined = list(contracts)
    has_http = any(contract.specification == "oas" for contract in outlined)
    consumers: dict[tuple[str, str], dict[str, bool | None]] = {}
    undocumented: dict[str, set[str]] = {}
    finders = [_UseFinder(contract) for contract in outlined]
    for use in uses:
        matches = [(finder, operation) for finder in finders if (operation := finder.find(use))]
        for finder, operation in matches:
            own = consumers.setdefault((finder.contract.name, operation.key), {})
            own[use.consumer] = _worse(own.get(use.consumer, use.is_verified), use.is_verified)
        if not matches and has_http and use.kind != "message":
            undocumented.setdefault(use.name, set()).add(use.consumer)
    return Coverage(
        provider=provider,
        version=version,
        contracts=[_cover(contract, consumers) for contract in outlined],
        is_index_complete=is_index_complete,
        undocumented=tuple(
            UndocumentedOperation(name, tuple(sorted(names))) for name, names in sorted(undocumented.items())
        ),
    )


def _worse(left: bool | None, right: bool | None) -> bool | None:  # noqa: FBT001 - values, not switches
    """Combine the results of two pacts of a consumer: a failure counts, and then a missing result."""
    if False in (left, right):
        return False
    return None if None in (left, right) else True


class _UseFinder:
    """Finds the operation of a document that a consumer uses."""

    def __init__(self, contract: OutlinedContract) -> None:
        self.contract = contract
        self._finder = OperationFinder(contract.operations)

    def find(self, use: OperationUse) -> DocumentOperation | None:
        if self.contract.specification == "asyncapi":
            return self._finder.find_named(use.name) if use.kind == "message" else None
        if use.kind == "message":
            return None
        method, _, path = use.name.partition(" ")
        operation = self._finder.find(Target(method, path))
        # A segment that the index generalizes may be fixed in the document, such as the version in `/1.0/orders`.
        return operation or (self._find_fixed(use.name) if ANY in path or ID in path else None)

    def _find_fixed(self, name: str) -> DocumentOperation | None:
        candidates = self._queries.get(name.count("/"), ())
        matching = [operation for query, operation in candidates if query.matches(name)]
        return min(matching, key=lambda operation: operation.key.count("{"), default=None)

    @cached_property
    def _queries(self) -> Mapping[int, list[tuple[OperationQuery, DocumentOperation]]]:
        """Queries for the operations, by the number of slashes."""
        queries: dict[int, list[tuple[OperationQuery, DocumentOperation]]] = {}
        for operation in self.contract.operations:
            if operation.target and operation.target.path.startswith("/"):
                for base in (*operation.base_paths, ""):
                    path = base + operation.target.path
                    query = OperationQuery(f"{operation.target.method} {path}")
                    queries.setdefault(path.count("/"), []).append((query, operation))
        return queries


def _cover(contract: OutlinedContract, consumers: dict[tuple[str, str], dict[str, bool | None]]) -> ContractCoverage:
    return ContractCoverage(
        name=contract.name,
        specification=contract.specification,
        success=contract.success,
        verifier=contract.verifier,
        shown=contract.shown,
        operations=[
            _cover_operation(operation, contract.shown, consumers.get((contract.name, operation.key), {}))
            for operation in contract.operations
        ],
    )


def _cover_operation(
    operation: DocumentOperation, shown: ShownOperations | None, consumers: dict[str, bool | None]
) -> CoveredOperation:
    using = tuple(UsingConsumer(name, is_verified) for name, is_verified in sorted(consumers.items()))
    exercised = shown.operations.get(operation.key) if shown else None
    if exercised is not None:
        evidence = _EVIDENCE[exercised.outcome]
        return CoveredOperation(
            operation=operation, consumers=using, evidence=evidence, cases=exercised.cases, detail=exercised.detail
        )
    is_known = shown is not None and shown.problem is None
    return CoveredOperation(
        operation=operation, consumers=using, evidence=Evidence.NOT_EXERCISED if is_known else Evidence.UNKNOWN
    )


_EVIDENCE: Final = {
    Outcome.FAILED: Evidence.FAILED,
    Outcome.PASSED: Evidence.PASSED,
    Outcome.EXERCISED: Evidence.EXERCISED,
    Outcome.SKIPPED: Evidence.SKIPPED,
}
