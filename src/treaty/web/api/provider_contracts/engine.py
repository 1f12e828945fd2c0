"""The comparison engine after an upgrade: which verdicts its results would change, and accepting them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from typing_extensions import TypedDict

from treaty.actions.provider_contracts.recomparisons import accept_engine
from treaty.model.provider_contracts.recomparisons import ChangedComparison, EngineReport, Outcome, VersionInUse
from treaty.model.provider_contracts.results import to_status
from treaty.store.provider_contracts import recomparisons
from treaty.web import urls
from treaty.web.api.paging import PAGE_PARAMETERS, PageLinks, PageState, page_links, page_state, read_page
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Omittable
from treaty.web.http.bodies import Body, RequiredNonBlankLine, with_example
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

DEFAULT_PAGE: Final = (1, 50)


class AcceptedEngineBody(Body):
    model_config = with_example({"engine": "2"})

    engine: RequiredNonBlankLine
    """The version of the engine whose report was read."""


class OutcomeDocument(TypedDict):
    engine: str
    isCompatible: bool
    describesAllInteractions: bool


class ConsumerVersionInUse(TypedDict):
    number: str
    environments: list[str]
    isOnMainBranch: bool


class ProviderVersionInUse(ConsumerVersionInUse):
    before: str
    """Status of the pair by the former engine, together with the self-verification of the version."""
    after: str


ChangeLinks = TypedDict("ChangeLinks", {"pb:pact-version": Link, "pf:comparison": Omittable[Link]})


class ChangedComparisonDocument(TypedDict):
    consumer: str
    provider: str
    pactVersionSha: str
    profile: str
    isInUse: bool
    isAccepted: bool
    before: OutcomeDocument
    after: OutcomeDocument
    newFindings: list[Mapping[str, Any]]
    resolvedFindings: list[Mapping[str, Any]]
    consumerVersions: list[ConsumerVersionInUse]
    providerVersions: list[ProviderVersionInUse]
    _links: ChangeLinks


class ChangedComparisons(TypedDict):
    changes: list[ChangedComparisonDocument]


class ComparisonCounts(TypedDict):
    total: int
    current: int
    remaining: int
    changed: int
    changedInUse: int
    accepted: int
    failed: int


EngineLinks = TypedDict("EngineLinks", {"self": Link, "pb:accepted-engine": Link})


class EngineDocumentLinks(EngineLinks, PageLinks):
    pass


class EngineDocument(PageState):
    engine: str
    status: str
    summary: str
    comparisons: ComparisonCounts
    _embedded: ChangedComparisons
    _links: EngineDocumentLinks


@router.get(
    urls.COMPARISON_ENGINE,
    permission=Permission.READ,
    is_slow=True,
    query=PAGE_PARAMETERS,
    response=EngineDocument,
    errors=("400",),
)
def show_comparison_engine(request: Request) -> EngineReport:
    """Show which verdicts about provider contracts the server's comparison engine would change, after an upgrade.

    Those of versions in environments and on main branches are listed first. Until the engine is accepted, the former
    results decide.
    """
    return recomparisons.load_report(request.db, read_page(request, DEFAULT_PAGE))


@router.post(
    urls.ACCEPTED_ENGINE,
    permission=Permission.ACCEPT_ENGINE,
    body=AcceptedEngineBody,
    response=EngineDocument,
    errors=("409",),
)
def accept_comparison_engine(request: Request) -> EngineReport:
    """Accept the results of the server's comparison engine, so that they decide instead of the former ones.

    Returns 409 while the engine has not computed all comparisons yet, and for another engine than the server's.
    """
    body = request.body(AcceptedEngineBody)
    accept_engine(request.db, body.engine, base_url=request.base_url, now=request.now)
    request.has_queued = True
    return recomparisons.load_report(request.db, read_page(request, DEFAULT_PAGE))


@represent.register
def engine_report(report: EngineReport) -> Hal:
    progress, path = report.progress, urls.COMPARISON_ENGINE.fill()
    return Hal(
        {
            "engine": progress.engine,
            "status": progress.status.value,
            "summary": progress.summary,
            "comparisons": {
                "total": progress.total,
                "current": progress.current,
                "remaining": progress.remaining,
                "changed": progress.changed,
                "changedInUse": report.changed_in_use,
                "accepted": progress.accepted,
                "failed": progress.failed,
            },
            **page_state(report.changes),
        },
        links={
            "self": Link(path, "Comparison engine"),
            "pb:accepted-engine": Link(urls.ACCEPTED_ENGINE.fill(), "Accept the results of the engine"),
            **page_links(report.changes, path),
        },
        embedded={"changes": [_represent_change(change) for change in report.changes.items]},
    )


def _represent_change(change: ChangedComparison) -> Hal:
    names = {"provider": change.provider, "consumer": change.consumer, "sha": change.sha}
    newest = change.provider_versions[-1].number if change.provider_versions else None
    return Hal(
        {
            "consumer": change.consumer,
            "provider": change.provider,
            "pactVersionSha": change.sha,
            "profile": change.profile,
            "isInUse": change.is_in_use,
            "isAccepted": change.is_accepted,
            "before": _represent_outcome(change.before),
            "after": _represent_outcome(change.after),
            "newFindings": list(change.findings),
            "resolvedFindings": list(change.resolved_findings),
            "consumerVersions": [_represent_version(version) for version in change.consumer_versions],
            "providerVersions": _represent_provider_versions(change),
        },
        links={
            "pb:pact-version": Link(urls.PACT_VERSION.fill(**names), "The pact"),
            "pf:comparison": None
            if newest is None
            else Link(urls.COMPARISON.fill(**names, version=newest), "The comparison that decides"),
        },
    )


def _represent_outcome(outcome: Outcome) -> OutcomeDocument:
    return {
        "engine": outcome.engine,
        "isCompatible": outcome.is_compatible,
        "describesAllInteractions": outcome.is_complete,
    }


def _represent_version(version: VersionInUse) -> ConsumerVersionInUse:
    return {
        "number": version.number,
        "environments": list(version.environments),
        "isOnMainBranch": version.is_on_main,
    }


def _represent_provider_versions(change: ChangedComparison) -> Sequence[ProviderVersionInUse]:
    return [
        {
            **_represent_version(version),
            "before": to_status(change.before.decide(is_self_verified=version.is_self_verified)).value,
            "after": to_status(change.after.decide(is_self_verified=version.is_self_verified)).value,
        }
        for version in change.provider_versions
    ]
