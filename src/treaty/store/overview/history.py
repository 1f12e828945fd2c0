"""What pages show of versions and pacts over time, each with its newest result."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Integer, ScalarSelect, Select, bindparam, exists, func, select, union_all

from treaty.model.decisions.matrix import VersionKey, VersionSummary
from treaty.model.overview.history import PairGrid, PairView, PublicationInHistory, ResultInHistory, ResultTotals
from treaty.model.overview.overview import compute_pact_state
from treaty.model.pacts.pacts import Pact
from treaty.model.paging import Page, Paged
from treaty.store.decisions import matrix
from treaty.store.engine.database import fetch_all, fetch_rows, fetch_scalar
from treaty.store.overview.overview import BATCH_SIZE, NEWEST_RESULT
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


def _id_of(role: str) -> Any:
    return select(pacticipant.c.id).where(pacticipant.c.name == bindparam(role)).scalar_subquery()


_CONSUMER_ID: Final = _id_of("consumer")
_PROVIDER_ID: Final = _id_of("provider")
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
        verification.c.success,
        verification.c.was_pending,
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


def _pact_of(version_id: Any) -> ScalarSelect[int]:
    return (
        select(_candidate.c.id)
        .where(
            _candidate.c.consumer_version_id == version_id,
            _candidate.c.provider_id == _PROVIDER_ID,
            _candidate.c.is_current,
        )
        .scalar_subquery()
    )


_PACT_OF_PLACE: Final = _pact_of(branch_version.c.version_id)
_NEWEST_OF_BRANCH: Final = (
    select(_PACT_OF_PLACE)
    .where(branch_version.c.branch_id == branch.c.id, _PACT_OF_PLACE.is_not(None))
    .order_by(branch_version.c.position.desc())
    .limit(1)
    .correlate(branch)
    .scalar_subquery()
)
_PACT_OF_TAGGED: Final = _pact_of(tag.c.version_id)
_NEWEST_WITH_TAG: Final = (
    select(_PACT_OF_TAGGED)
    .where(
        tag.c.pacticipant_id == tag_head.c.pacticipant_id, tag.c.name == tag_head.c.name, _PACT_OF_TAGGED.is_not(None)
    )
    .order_by(tag.c.position.desc())
    .limit(1)
    .correlate(tag_head)
    .scalar_subquery()
)
_THERE: Final = union_all(
    *(
        select(recorded.c.version_id).where(recorded.c.pacticipant_id == _CONSUMER_ID, ended_at.is_(None))
        for recorded, ended_at in (
            (deployed_version, deployed_version.c.undeployed_at),
            (released_version, released_version.c.support_ended_at),
        )
    )
)
_VIEWS: Final[Mapping[PairView, Select[*tuple[Any, ...]]]] = {
    PairView.ALL: _PUBLICATIONS,
    PairView.BRANCH: _PUBLICATIONS.where(
        publication.c.id.in_(select(_NEWEST_OF_BRANCH).where(branch.c.pacticipant_id == _CONSUMER_ID))
    ),
    PairView.TAG: _PUBLICATIONS.where(
        publication.c.id.in_(select(_NEWEST_WITH_TAG).where(tag_head.c.pacticipant_id == _CONSUMER_ID))
    ),
    PairView.ENVIRONMENT: _PUBLICATIONS.where(publication.c.consumer_version_id.in_(_THERE)),
}
_COUNTS: Final = {
    view: select(func.count()).select_from(statement.limit(None).offset(None).order_by(None).subquery())
    for view, statement in _VIEWS.items()
}


def list_publications(
    db: Connection, consumer: str, provider: str, page: Page, view: PairView = PairView.ALL
) -> Paged[PublicationInHistory]:
    """List a page of the pacts of a pair, newest first: all, or one for each branch, tag or environment."""
    pair = {"consumer": consumer, "provider": provider}
    found = fetch_rows(db, _VIEWS[view], {**pair, "limit": page.limit, "offset": page.offset})
    keys: dict[int, VersionKey] = {row.version_id: (consumer, row.version) for row in found}
    keys |= {row.provider_version_id: (provider, row.provider_version) for row in found if row.provider_version}
    seen = matrix.load_versions(db, keys, keys.values())
    made = [
        PublicationInHistory(
            version=row.version,
            version_summary=seen[consumer, row.version],
            published_at=row.created_at,
            sha=row.sha,
            state=compute_pact_state(success=row.success, was_pending=row.was_pending),
            verification=row.verification,
            provider_version=row.provider_version,
            provider_version_summary=seen[provider, row.provider_version] if row.provider_version else None,
            verified_at=row.verified_at,
        )
        for row in found
    ]
    return Paged(made, page, fetch_scalar(db, _COUNTS[view], pair))


_RESULTS: Final = (
    select(
        verification.c.id.label("number"),
        version.c.number.label("provider_version"),
        verification.c.success,
        verification.c.created_at,
    )
    .join_from(verification, version, version.c.id == verification.c.provider_version_id)
    .join(content, content.c.id == verification.c.content_id)
    .where(
        content.c.consumer_id == _CONSUMER_ID, content.c.provider_id == _PROVIDER_ID, content.c.sha == bindparam("sha")
    )
    .order_by(*NEWEST_FIRST)
    .limit(bindparam("most", type_=Integer))
)


def list_results(db: Connection, pact: Pact, *, limit: int) -> list[ResultInHistory]:
    """List the newest results for the content of a pact."""
    params = {"consumer": pact.consumer, "provider": pact.provider, "sha": pact.sha, "most": limit}
    return fetch_all(db, _RESULTS, params, ResultInHistory)


# The grid of a pair

_verified: Final = verification.alias("verified")
_COLUMNS: Final = (
    select(version.c.id, version.c.number)
    .where(
        version.c.pacticipant_id == _PROVIDER_ID,
        exists().where(_verified.c.provider_version_id == version.c.id, _verified.c.consumer_id == _CONSUMER_ID),
    )
    .order_by(version.c.position.desc())
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("offset", type_=Integer))
)
_CELLS: Final = (
    select(
        content.c.sha,
        version.c.number.label("provider_version"),
        verification.c.id.label("number"),
        verification.c.success,
        verification.c.created_at,
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
)


def load_grid(db: Connection, consumer: str, provider: str, page: Page, columns: Page) -> PairGrid:
    """Set a page of the consumer's versions against a page of the provider's."""
    pair = {"consumer": consumer, "provider": provider}
    found = fetch_rows(db, _COLUMNS, {**pair, "limit": columns.limit + 1, "offset": columns.offset})
    shown = found[: columns.limit]
    keys: dict[int, VersionKey] = {row.id: (provider, row.number) for row in shown}
    seen = matrix.load_versions(db, keys, keys.values())
    listed = list_publications(db, consumer, provider, page)
    shas = sorted({one.sha for one in listed.items})
    cells = fetch_rows(db, _CELLS, {**pair, "shas": shas, "ids": list(keys)}) if shas and keys else []
    return PairGrid(
        publications=listed,
        versions=[(row.number, seen[provider, row.number]) for row in shown],
        has_more_versions=len(found) > len(shown),
        results={(row.sha, row.provider_version): _result(row) for row in cells},
    )


def _result(row: Any) -> ResultInHistory:
    return ResultInHistory(
        number=row.number, provider_version=row.provider_version, success=row.success, created_at=row.created_at
    )


def load_version(db: Connection, version_id: int, key: VersionKey) -> VersionSummary:
    """Find where a version stands."""
    return matrix.load_versions(db, {version_id: key}, [key])[key]


# Versions of a pacticipant

_NUMBERED: Final = (
    select(version.c.id)
    .where(
        version.c.pacticipant_id == _id_of("pacticipant"), version.c.number.in_(bindparam("numbers", expanding=True))
    )
    .scalar_subquery()
)
_AS_CONSUMER: Final = (
    select(version.c.number, verification.c.success, func.count().label("times"))
    .select_from(publication)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .outerjoin(verification, verification.c.id == NEWEST_RESULT)
    .where(publication.c.consumer_version_id.in_(_NUMBERED), publication.c.is_current)
    .group_by(version.c.number, verification.c.success)
)
_AS_PROVIDER: Final = (
    select(version.c.number, verification.c.success, func.count().label("times"))
    .select_from(verification)
    .join(version, version.c.id == verification.c.provider_version_id)
    .where(verification.c.provider_version_id.in_(_NUMBERED), verification.c.is_latest)
    .group_by(version.c.number, verification.c.success)
)


def count_results(
    db: Connection, pacticipant: str, numbers: Sequence[str]
) -> Mapping[str, tuple[ResultTotals, ResultTotals]]:
    """Count the results of versions: those of their pacts, and those that they gave to others' pacts."""
    found: list[dict[str, dict[bool | None, int]]] = []
    for statement in (_AS_CONSUMER, _AS_PROVIDER):
        counts: dict[str, dict[bool | None, int]] = defaultdict(dict)
        for start in range(0, len(numbers), BATCH_SIZE):
            part = list(numbers[start : start + BATCH_SIZE])
            for row in fetch_rows(db, statement, {"pacticipant": pacticipant, "numbers": part}):
                counts[row.number][row.success] = row.times
        found.append(counts)
    mine, others = found
    return {number: (_tally(mine[number]), _tally(others[number])) for number in numbers}


def _tally(counts: Mapping[bool | None, int]) -> ResultTotals:
    return ResultTotals(verified=counts.get(True, 0), failed=counts.get(False, 0), unknown=counts.get(None, 0))
