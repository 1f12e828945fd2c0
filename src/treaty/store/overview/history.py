"""Histories for pages: pacts of a pair and versions of a pacticipant, each with its newest result."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Integer,
    ScalarSelect,
    Select,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    union_all,
)

from treaty.model.decisions.matrix import VersionKey, VersionSummary
from treaty.model.overview.history import PairGrid, PairView, PublicationInHistory, ResultInHistory, ResultTotals
from treaty.model.overview.overview import compute_pact_state
from treaty.model.pacts.pacts import Pact
from treaty.model.paging import Page, Paged
from treaty.store.decisions import matrix
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_all, fetch_rows, fetch_scalar
from treaty.store.overview.overview import NEWEST_RESULT
from treaty.store.provider_contracts.conditions import decisive_success
from treaty.store.tables import (
    branch,
    branch_version,
    content,
    deployed_version,
    pacticipant,
    publication,
    released_version,
    tag,
    tag_head,
    verification,
    version,
)
from treaty.store.verifications import NEWEST_FIRST


def _select_id(role: str) -> Any:
    return select(pacticipant.c.id).where(pacticipant.c.name == bindparam(role)).scalar_subquery()


_CONSUMER_ID: Final = _select_id("consumer")
_PROVIDER_ID: Final = _select_id("provider")
_provider_version: Final = version.alias("provider_version")
_candidate: Final = publication.alias("candidate")

# Publications of a pair

_PUBLICATIONS: Final = (
    select(
        version.c.id.label("version_id"),
        version.c.number.label("version"),
        publication.c.created_at,
        content.c.sha,
        verification.c.id.label("verification"),
        decisive_success(verification).label("success"),
        verification.c.was_pending,
        verification.c.comparison_id.is_not(None).label("is_comparison"),
        verification.c.created_at.label("verified_at"),
        _provider_version.c.id.label("provider_version_id"),
        _provider_version.c.number.label("provider_version"),
    )
    .select_from(publication)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .join(content, content.c.id == publication.c.content_id)
    .outerjoin(verification, verification.c.id == NEWEST_RESULT)
    .outerjoin(_provider_version, _provider_version.c.id == verification.c.provider_version_id)
    .where(
        publication.c.consumer_id == _CONSUMER_ID,
        publication.c.provider_id == _PROVIDER_ID,
        publication.c.is_current,
    )
    .order_by(publication.c.position.desc())
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("offset", type_=Integer))
)


def _select_pact_id(version_id: Any) -> ScalarSelect[int]:
    """Select the current publication of a consumer version for the provider."""
    return (
        select(_candidate.c.id)
        .where(
            _candidate.c.consumer_version_id == version_id,
            _candidate.c.provider_id == _PROVIDER_ID,
            _candidate.c.is_current,
        )
        .scalar_subquery()
    )


# The head of a branch or tag may have no pact with this provider; then the newest version that has one counts.
_PACT_ON_BRANCH: Final = _select_pact_id(branch_version.c.version_id)
_NEWEST_OF_BRANCH: Final = (
    select(_PACT_ON_BRANCH)
    .where(branch_version.c.branch_id == branch.c.id, _PACT_ON_BRANCH.is_not(None))
    .order_by(branch_version.c.position.desc())
    .limit(1)
    .correlate(branch)
    .scalar_subquery()
)
_PACT_WITH_TAG: Final = _select_pact_id(tag.c.version_id)
_NEWEST_WITH_TAG: Final = (
    select(_PACT_WITH_TAG)
    .where(
        tag.c.pacticipant_id == tag_head.c.pacticipant_id, tag.c.name == tag_head.c.name, _PACT_WITH_TAG.is_not(None)
    )
    .order_by(tag.c.position.desc())
    .limit(1)
    .correlate(tag_head)
    .scalar_subquery()
)
_RUNNING_VERSIONS: Final = union_all(
    *(
        select(recorded.c.version_id).where(recorded.c.pacticipant_id == _CONSUMER_ID, ended_at.is_(None))
        for recorded, ended_at in (
            (deployed_version, deployed_version.c.undeployed_at),
            (released_version, released_version.c.support_ended_at),
        )
    )
)
# Dozens of feature branches must not push what matters to another page: the main branch, and what runs somewhere.
_ON_MAIN_BRANCH: Final = (
    select(branch_version.c.version_id)
    .join_from(branch_version, branch, branch.c.id == branch_version.c.branch_id)
    .join(pacticipant, pacticipant.c.id == branch.c.pacticipant_id)
    .where(pacticipant.c.name == bindparam("consumer"), branch.c.name == pacticipant.c.main_branch)
)
_IS_PINNED: Final = or_(
    publication.c.consumer_version_id.in_(_RUNNING_VERSIONS), publication.c.consumer_version_id.in_(_ON_MAIN_BRANCH)
)
_PUBLICATIONS_BY_VIEW: Final[Mapping[PairView, Select[*tuple[Any, ...]]]] = {
    PairView.ALL: _PUBLICATIONS,
    PairView.BRANCH: _PUBLICATIONS.where(
        or_(
            publication.c.id.in_(select(_NEWEST_OF_BRANCH).where(branch.c.pacticipant_id == _CONSUMER_ID)),
            publication.c.consumer_version_id.in_(_RUNNING_VERSIONS),
        )
    )
    .order_by(None)
    .order_by(case((_IS_PINNED, 0), else_=1), publication.c.position.desc()),
    PairView.TAG: _PUBLICATIONS.where(
        publication.c.id.in_(select(_NEWEST_WITH_TAG).where(tag_head.c.pacticipant_id == _CONSUMER_ID))
    ),
    PairView.ENVIRONMENT: _PUBLICATIONS.where(publication.c.consumer_version_id.in_(_RUNNING_VERSIONS)),
}
_COUNT_BY_VIEW: Final = {
    view: select(func.count()).select_from(statement.limit(None).offset(None).order_by(None).subquery())
    for view, statement in _PUBLICATIONS_BY_VIEW.items()
}


def list_publications(
    db: Connection, consumer: str, provider: str, page: Page, view: PairView = PairView.ALL
) -> Paged[PublicationInHistory]:
    """List a page of the pacts of a pair, newest first; most views keep one for each branch, tag or environment.

    The view by branch begins with the main branch and the versions that run in an environment.
    """
    pair = {"consumer": consumer, "provider": provider}
    rows = fetch_rows(db, _PUBLICATIONS_BY_VIEW[view], {**pair, "limit": page.limit, "offset": page.offset})
    keys: dict[int, VersionKey] = {row.version_id: (consumer, row.version) for row in rows}
    keys |= {row.provider_version_id: (provider, row.provider_version) for row in rows if row.provider_version}
    summaries = matrix.load_versions(db, keys, keys.values())
    publications = [
        PublicationInHistory(
            version=row.version,
            version_summary=summaries[consumer, row.version],
            published_at=row.created_at,
            sha=row.sha,
            state=compute_pact_state(success=row.success, was_pending=row.was_pending),
            verification=row.verification,
            is_comparison=bool(row.is_comparison),
            provider_version=row.provider_version,
            provider_version_summary=summaries[provider, row.provider_version] if row.provider_version else None,
            verified_at=row.verified_at,
        )
        for row in rows
    ]
    return Paged(publications, page, fetch_scalar(db, _COUNT_BY_VIEW[view], pair))


_RESULTS: Final = (
    select(
        verification.c.id.label("number"),
        version.c.number.label("provider_version"),
        verification.c.success,
        verification.c.created_at,
        verification.c.comparison_id.is_not(None).label("is_comparison"),
    )
    .join_from(verification, version, version.c.id == verification.c.provider_version_id)
    .join(content, content.c.id == verification.c.content_id)
    .where(
        content.c.consumer_id == _CONSUMER_ID, content.c.provider_id == _PROVIDER_ID, content.c.sha == bindparam("sha")
    )
    .order_by(*NEWEST_FIRST)
    .limit(bindparam("limit", type_=Integer))
)


def list_results(db: Connection, pact: Pact, *, limit: int) -> list[ResultInHistory]:
    """List the newest results for the content of a pact, including those for other versions with the same content."""
    params = {"consumer": pact.consumer, "provider": pact.provider, "sha": pact.sha, "limit": limit}
    return fetch_all(db, _RESULTS, params, ResultInHistory)


# The grid of a pair

_result: Final = verification.alias("verified")
_PROVIDER_VERSIONS: Final = (
    select(version.c.id, version.c.number)
    .where(
        version.c.pacticipant_id == _PROVIDER_ID,
        exists().where(_result.c.provider_version_id == version.c.id, _result.c.consumer_id == _CONSUMER_ID),
    )
    .order_by(version.c.position.desc())
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("offset", type_=Integer))
)
_GRID_RESULTS: Final = (
    select(
        content.c.sha,
        version.c.number.label("provider_version"),
        verification.c.id.label("number"),
        decisive_success(verification).label("success"),
        verification.c.created_at,
        verification.c.comparison_id.is_not(None).label("is_comparison"),
    )
    .select_from(content)
    .join(verification, verification.c.content_id == content.c.id)
    .join(version, version.c.id == verification.c.provider_version_id)
    .where(
        content.c.consumer_id == _CONSUMER_ID,
        content.c.provider_id == _PROVIDER_ID,
        content.c.sha.in_(bindparam("shas", expanding=True)),
        verification.c.provider_version_id.in_(bindparam("ids", expanding=True)),
        verification.c.is_latest,
    )
    # Of a verification and a comparison, the later one replaces the other in the grid.
    .order_by(verification.c.success.desc(), verification.c.id)
)


def load_grid(db: Connection, consumer: str, provider: str, page: Page, columns: Page) -> PairGrid:
    """Load results for a page of consumer versions (rows) and a page of provider versions (columns)."""
    pair = {"consumer": consumer, "provider": provider}
    # One more than a page of columns shows whether there are more, without counting all provider versions.
    rows = fetch_rows(db, _PROVIDER_VERSIONS, {**pair, "limit": columns.limit + 1, "offset": columns.offset})
    shown_rows = rows[: columns.limit]
    keys: dict[int, VersionKey] = {row.id: (provider, row.number) for row in shown_rows}
    summaries = matrix.load_versions(db, keys, keys.values())
    publications = list_publications(db, consumer, provider, page)
    shas = sorted({pact.sha for pact in publications.items})
    result_rows = fetch_rows(db, _GRID_RESULTS, {**pair, "shas": shas, "ids": list(keys)}) if shas and keys else []
    return PairGrid(
        publications=publications,
        versions=[(row.number, summaries[provider, row.number]) for row in shown_rows],
        has_more_versions=len(rows) > len(shown_rows),
        results={
            (row.sha, row.provider_version): ResultInHistory(
                number=row.number,
                provider_version=row.provider_version,
                success=bool(row.success),
                created_at=row.created_at,
                is_comparison=bool(row.is_comparison),
            )
            for row in result_rows
            if row.success is not None
        },
    )


def load_version_summary(db: Connection, version_id: int, key: VersionKey) -> VersionSummary:
    """Load the branches, tags and environments of a version."""
    return matrix.load_versions(db, {version_id: key}, [key])[key]


# Versions of a pacticipant

_VERSION_IDS: Final = (
    select(version.c.id)
    .where(
        version.c.pacticipant_id == _select_id("pacticipant"),
        version.c.number.in_(bindparam("numbers", expanding=True)),
    )
    .scalar_subquery()
)
_OUTCOME: Final = decisive_success(verification).label("outcome")
_COUNTS_AS_CONSUMER: Final = (
    select(version.c.number, _OUTCOME, func.count().label("times"))
    .select_from(publication)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .outerjoin(verification, verification.c.id == NEWEST_RESULT)
    .where(publication.c.consumer_version_id.in_(_VERSION_IDS), publication.c.is_current)
    .group_by(version.c.number, "outcome")
)
_COUNTS_AS_PROVIDER: Final = (
    # A verification and a comparison of the same content count once.
    select(version.c.number, _OUTCOME, func.count(verification.c.content_id.distinct()).label("times"))
    .select_from(verification)
    .join(version, version.c.id == verification.c.provider_version_id)
    .where(verification.c.provider_version_id.in_(_VERSION_IDS), verification.c.is_latest)
    .group_by(version.c.number, "outcome")
)


def count_results(
    db: Connection, pacticipant: str, numbers: Sequence[str]
) -> Mapping[str, tuple[ResultTotals, ResultTotals]]:
    """Count, by version number, the results for a version's pacts and those that it gave as a provider."""
    counts_by_role: list[dict[str, dict[bool | None, int]]] = []
    for statement in (_COUNTS_AS_CONSUMER, _COUNTS_AS_PROVIDER):
        counts: dict[str, dict[bool | None, int]] = defaultdict(dict)
        params = {"pacticipant": pacticipant}
        for row in fetch_in_batches(db, statement, numbers, params, parameter="numbers"):
            counts[row.number][row.outcome] = row.times
        counts_by_role.append(counts)
    as_consumer, as_provider = counts_by_role
    return {number: (_build_counts(as_consumer[number]), _build_counts(as_provider[number])) for number in numbers}


def _build_counts(counts: Mapping[bool | None, int]) -> ResultTotals:
    return ResultTotals(verified=counts.get(True, 0), failed=counts.get(False, 0), unknown=counts.get(None, 0))
