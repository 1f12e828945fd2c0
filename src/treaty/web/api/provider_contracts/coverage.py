"""Coverage: which operations of a provider version consumers use, and which its self-verification has exercised."""

from typing_extensions import TypedDict

from treaty.errors import NotFound
from treaty.model.provider_contracts.coverage import ContractCoverage, Coverage, CoveredOperation
from treaty.model.provider_contracts.shown_operations import ShownOperations
from treaty.store.provider_contracts import coverage
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Omittable
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


class UsingConsumerDocument(TypedDict):
    name: str
    verifiedByPact: bool | None


class CoveredOperationDocument(TypedDict):
    operation: str
    method: Omittable[str]
    path: Omittable[str]
    summary: Omittable[str]
    deprecated: bool
    evidence: str
    cases: int
    detail: Omittable[str]
    claimedOnly: bool
    consumers: list[UsingConsumerDocument]


class ReportDocument(TypedDict):
    format: Omittable[str]
    problem: Omittable[str]
    failures: int
    firstFailure: Omittable[str]
    unknownOperations: list[str]
    unknownOperationCount: int


class ContractCoverageDocument(TypedDict):
    name: Omittable[str]
    specification: str
    success: Omittable[bool]
    verifier: Omittable[str]
    isKnown: bool
    report: Omittable[ReportDocument]
    operations: list[CoveredOperationDocument]


class UndocumentedOperationDocument(TypedDict):
    operation: str
    consumers: list[str]


CoverageLinks = TypedDict(
    "CoverageLinks",
    {
        "self": Link,
        "pf:provider-contract": Link,
        "pf:provider-contract-verification-results": Link,
        "pb:pacticipant-version": Link,
    },
)


class CoverageDocument(TypedDict):
    summary: str
    operationCount: int
    exercisedCount: int
    claimedOnlyCount: int
    isKnown: bool
    isIndexComplete: bool
    contracts: list[ContractCoverageDocument]
    undocumentedOperations: list[UndocumentedOperationDocument]
    _links: CoverageLinks


@router.get(urls.COVERAGE, permission=Permission.READ, response=CoverageDocument, is_slow=True)
def get_coverage(request: Request, provider: str, version: str) -> Coverage:
    """Return which operations of a provider version consumers use, and which its self-verification has exercised."""
    loaded = coverage.load(request.db, provider, version)
    if loaded is None:
        raise NotFound
    return loaded


@represent.register
def coverage_document(content: Coverage) -> Hal:
    names = {"provider": content.provider, "version": content.version}
    path = urls.BIDIRECTIONAL.fill(**names)
    version_path = urls.VERSION.fill(pacticipant=content.provider, version=content.version)
    return Hal(
        {
            "summary": content.summary,
            "operationCount": len(content.operations),
            "exercisedCount": content.exercised_count,
            "claimedOnlyCount": len(content.claimed_only),
            "isKnown": content.is_known,
            "isIndexComplete": content.is_index_complete,
            "contracts": [_represent_contract(contract) for contract in content.contracts],
            "undocumentedOperations": [
                {"operation": operation.name, "consumers": list(operation.consumers)}
                for operation in content.undocumented
            ],
        },
        links={
            "self": Link(urls.COVERAGE.fill(**names), f"{content.provider} ({content.version})"),
            "pf:provider-contract": Link(f"{path}/provider-contract"),
            "pf:provider-contract-verification-results": Link(f"{path}/provider-contract-verification-results"),
            "pb:pacticipant-version": Link(version_path, "Pacticipant version", name=content.version),
        },
    )


def _represent_contract(contract: ContractCoverage) -> Hal:
    return Hal(
        {
            "name": contract.name or None,
            "specification": contract.specification,
            "success": contract.success,
            "verifier": contract.verifier,
            "isKnown": contract.is_known,
            "report": None if contract.shown is None else _represent_report(contract.shown),
            "operations": [_represent_operation(operation) for operation in contract.operations],
        }
    )


def _represent_report(shown: ShownOperations) -> Hal:
    return Hal(
        {
            "format": shown.format,
            "problem": shown.problem,
            "failures": shown.failures,
            "firstFailure": shown.first_failure or None,
            "unknownOperations": list(shown.unmatched),
            "unknownOperationCount": shown.unmatched_count,
        }
    )


def _represent_operation(covered: CoveredOperation) -> Hal:
    operation = covered.operation
    return Hal(
        {
            "operation": operation.key,
            "method": operation.target.method if operation.target else None,
            "path": operation.target.path if operation.target else None,
            "summary": operation.summary or None,
            "deprecated": operation.is_deprecated,
            "evidence": covered.evidence.value,
            "cases": covered.cases,
            "detail": covered.detail or None,
            "claimedOnly": covered.is_claimed_only,
            "consumers": [
                {"name": consumer.name, "verifiedByPact": consumer.is_verified} for consumer in covered.consumers
            ],
        }
    )
