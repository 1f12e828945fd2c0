"""Publications, results and deployments of some days, for trends, and lists of those of one day."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Integer, bindparam, func, literal, or_, select, union_all

from treaty.model.overview.overview import PactState
from treaty.model.overview.trends import FirstResult, Pair, PublishedPact, RecordedResult
from treaty.model.paging import Page, Paged
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_rows, fetch_scalar
from treaty.store.overview import overview
from treaty.store.tables import (
    Time,
    content,
    deployed_version,
    environment,
    integration,
    pacticipant,
    publication,
    released_version,
    verification,
    version,
)

_SINCE: Final = bindparam("since", type_=Time)
_UNTIL: Final = bindparam("until", type_=Time)
_IDS: Final[Any] = bindparam("ids", expanding=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What happened since a time, and the state that it began with."""

    pacts: Sequence[PublishedPact]
    results: Sequence[RecordedResult]
    """Those since the time, and those that determined the state of the pacts before."""
    quiet: Mapping[Pair, bool]
    """Integrations with a pact for which nothing happened, and whether their latest pact is verified."""


_PUBLICATION_COLUMNS: Final = (
    publication.c.consumer_id,
    publication.c.provider_id,
    publication.c.created_at,
    publication.c.position,
    publication.c.revision,
    publication.c.content_id,
)
_PUBLICATIONS: Final = select(*_PUBLICATION_COLUMNS).where(publication.c.created_at >= _SINCE)
_earlier: Final = publication.alias("earlier")
_LATEST_BEFORE: Final = (
    select(_earlier.c.id)
    .where(
        _earlier.c.consumer_id == integration.c.consumer_id,
        _earlier.c.provider_id == integration.c.provider_id,
        _earlier.c.created_at < _SINCE,
    )
    .order_by(_earlier.c.position.desc(), _earlier.c.revision.desc())
    .limit(1)
    .correlate(integration)
    .scalar_subquery()
)
_PUBLICATIONS_BEFORE: Final = (
    select(*_PUBLICATION_COLUMNS)
    .join_from(integration, publication, publication.c.id == _LATEST_BEFORE)
    .where(integration.c.id.in_(_IDS))
)
_RESULT_COLUMNS: Final = (
    verification.c.id,
    verification.c.consumer_id,
    verification.c.provider_id,
    verification.c.created_at,
    verification.c.content_id,
    verification.c.provider_version_id,
    verification.c.comparison_id.is_not(None).label("is_comparison"),
    verification.c.success,
)
_RESULTS: Final = select(*_RESULT_COLUMNS).where(verification.c.created_at >= _SINCE)
_newest: Final = verification.alias("newest")
_NEWEST_VERSION_BEFORE: Final = (
    select(_newest.c.provider_version_id)
    .where(_newest.c.content_id == content.c.id, _newest.c.created_at < _SINCE)
    .order_by(_newest.c.created_at.desc(), _newest.c.id.desc())
    .limit(1)
    .correlate(content)
    .scalar_subquery()
)
# All results of that version: a verification and a comparison both have to succeed.
_RESULTS_BEFORE: Final = (
    select(*_RESULT_COLUMNS)
    .join_from(
        content,
        verification,
        (verification.c.content_id == content.c.id)
        & (verification.c.provider_version_id == _NEWEST_VERSION_BEFORE)
        & (verification.c.created_at < _SINCE),
    )
    .where(content.c.id.in_(_IDS))
)


def load_history(db: Connection, *, since: datetime) -> History:
    """Load all publications and results since a time."""
    params = {"since": since}
    pacts = [_build_pact(row) for row in fetch_rows(db, _PUBLICATIONS, params)]
    results = [_build_result(row) for row in fetch_rows(db, _RESULTS, params)]
    active = {pact.pair for pact in pacts} | {result.pair for result in results}
    states = overview.load_states(db)
    ids = [id_ for id_, pair, _ in states if pair in active]
    pacts += [_build_pact(row) for row in fetch_in_batches(db, _PUBLICATIONS_BEFORE, ids, params)]
    contents = {pact.content_id for pact in pacts}
    results += [_build_result(row) for row in fetch_in_batches(db, _RESULTS_BEFORE, contents, params)]
    quiet = {
        pair: state is PactState.VERIFIED
        for _, pair, state in states
        if pair not in active and state is not PactState.NO_PACT
    }
    return History(pacts=pacts, results=results, quiet=quiet)


def _build_pact(row: Any) -> PublishedPact:
    return PublishedPact(
        pair=(row.consumer_id, row.provider_id),
        at=row.created_at,
        order=(row.position, row.revision),
        content_id=row.content_id,
    )


def _build_result(row: Any) -> RecordedResult:
    return RecordedResult(
        pair=(row.consumer_id, row.provider_id),
        at=row.created_at,
        number=row.id,
        content_id=row.content_id,
        version_id=row.provider_version_id,
        is_comparison=bool(row.is_comparison),
        success=row.success,
    )


_deployments: Final = union_all(
    *(
        select(
            table.c.pacticipant_id,
            table.c.version_id,
            table.c.environment_id,
            table.c.created_at,
            literal(is_release).label("is_release"),
        ).where(table.c.created_at >= _SINCE, table.c.created_at < _UNTIL)
        for table, is_release in ((deployed_version, False), (released_version, True))
    )
).subquery("deployments")
_DEPLOYMENT_TIMES: Final = select(_deployments.c.pacticipant_id, _deployments.c.created_at)


def list_deployment_times(
    db: Connection, *, since: datetime, until: datetime, pacticipants: Collection[int] | None
) -> list[datetime]:
    """List the times of deployments and releases, of some pacticipants (ids) or of all."""
    rows = fetch_rows(db, _DEPLOYMENT_TIMES, {"since": since, "until": until})
    return [row.created_at for row in rows if pacticipants is None or row.pacticipant_id in pacticipants]


_FIRST_RESULT: Final = (
    select(func.min(verification.c.created_at, type_=Time))
    .where(verification.c.content_id == content.c.id)
    .correlate(content)
    .scalar_subquery()
)
_FIRST_RESULTS: Final = select(
    content.c.consumer_id, content.c.provider_id, content.c.created_at, _FIRST_RESULT.label("verified_at")
).where(
    content.c.created_at >= _SINCE,
    content.c.id.in_(select(publication.c.content_id).where(publication.c.created_at >= _SINCE)),
)


def list_first_results(db: Connection, *, since: datetime) -> list[FirstResult]:
    """List the contents that were published first since a time."""
    return [
        FirstResult(pair=(row.consumer_id, row.provider_id), published_at=row.created_at, verified_at=row.verified_at)
        for row in fetch_rows(db, _FIRST_RESULTS, {"since": since})
    ]


_NAMES: Final = select(pacticipant.c.id, pacticipant.c.name)
_NAMES_OF: Final = _NAMES.where(pacticipant.c.name.in_(bindparam("names", expanding=True)))


def load_names(db: Connection) -> dict[int, str]:
    """Load the names of all pacticipants by their ids."""
    return {row.id: row.name for row in fetch_rows(db, _NAMES, {})}


def find_ids(db: Connection, names: Collection[str]) -> dict[str, int]:
    """Map names of pacticipants to their ids, without those that do not exist."""
    return {row.name: row.id for row in fetch_rows(db, _NAMES_OF, {"names": list(names)})} if names else {}


# The rows behind a bar

_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")
_ANY: Final = bindparam("any", type_=Integer)
_PAGE: Final = {"limit": bindparam("limit", type_=Integer), "offset": bindparam("offset", type_=Integer)}


def _is_of_pair(consumer_id: Any, provider_id: Any) -> Any:
    """Match a pair, an application in either role, or anything: parameters are NULL if they do not matter."""
    names = {name: bindparam(name, type_=Integer) for name in ("consumer", "provider", "application")}
    return (
        or_(names["consumer"].is_(None), consumer_id == names["consumer"])
        & or_(names["provider"].is_(None), provider_id == names["provider"])
        & or_(
            names["application"].is_(None),
            consumer_id == names["application"],
            provider_id == names["application"],
        )
    )


_IS_RESULT_OF_DAY: Final = (
    (verification.c.created_at >= _SINCE)
    & (verification.c.created_at < _UNTIL)
    & _is_of_pair(verification.c.consumer_id, verification.c.provider_id)
)
_RESULT_ROWS: Final = (
    select(
        verification.c.id.label("number"),
        verification.c.success,
        verification.c.created_at,
        verification.c.comparison_id.is_not(None).label("is_comparison"),
        content.c.sha,
        _consumer.c.name.label("consumer"),
        _provider.c.name.label("provider"),
        version.c.number.label("provider_version"),
    )
    .select_from(verification)
    .join(content, content.c.id == verification.c.content_id)
    .join(_consumer, _consumer.c.id == verification.c.consumer_id)
    .join(_provider, _provider.c.id == verification.c.provider_id)
    .join(version, version.c.id == verification.c.provider_version_id)
    .where(_IS_RESULT_OF_DAY)
    .order_by(verification.c.success, verification.c.created_at.desc(), verification.c.id.desc())
    .limit(_PAGE["limit"])
    .offset(_PAGE["offset"])
)
_RESULT_COUNT: Final = select(func.count()).select_from(verification).where(_IS_RESULT_OF_DAY)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrendFilter:
    """The pacticipants (ids) that trends are about; all are None for everything."""

    consumer: int | None = None
    provider: int | None = None
    application: int | None = None

    def matches(self, pair: Pair) -> bool:
        consumer, provider = pair
        return (
            self.consumer in (None, consumer)
            and self.provider in (None, provider)
            and (self.application is None or self.application in pair)
        )

    @property
    def pacticipants(self) -> frozenset[int] | None:
        ids = frozenset(id_ for id_ in (self.consumer, self.provider, self.application) if id_ is not None)
        return ids or None


def list_results(
    db: Connection, trend_filter: TrendFilter, page: Page, *, since: datetime, until: datetime
) -> Paged[Any]:
    """List a page of the results of a time, failures first."""
    params = {"since": since, "until": until, **_filter_params(trend_filter)}
    rows = fetch_rows(db, _RESULT_ROWS, {**params, "limit": page.limit, "offset": page.offset})
    return Paged(rows, page, fetch_scalar(db, _RESULT_COUNT, params))


_IS_OF_DEPLOYED: Final = or_(
    bindparam("is_any"), _deployments.c.pacticipant_id.in_(bindparam("pacticipants", expanding=True))
)
_DEPLOYMENT_ROWS: Final = (
    select(
        pacticipant.c.name.label("pacticipant"),
        version.c.number.label("version"),
        environment.c.display_name.label("environment"),
        environment.c.is_production,
        environment.c.uuid,
        _deployments.c.created_at,
        _deployments.c.is_release,
    )
    .select_from(_deployments)
    .join(pacticipant, pacticipant.c.id == _deployments.c.pacticipant_id)
    .join(version, version.c.id == _deployments.c.version_id)
    .join(environment, environment.c.id == _deployments.c.environment_id)
    .where(_IS_OF_DEPLOYED)
    .order_by(
        _deployments.c.created_at.desc(),
        _deployments.c.version_id,
        _deployments.c.environment_id,
        _deployments.c.is_release,
    )
    .limit(_PAGE["limit"])
    .offset(_PAGE["offset"])
)
_DEPLOYMENT_COUNT: Final = select(func.count()).select_from(_deployments).where(_IS_OF_DEPLOYED)


def list_deployments(
    db: Connection, trend_filter: TrendFilter, page: Page, *, since: datetime, until: datetime
) -> Paged[Any]:
    """List a page of the deployments and releases of a time, the newest first."""
    ids = trend_filter.pacticipants
    params = {"since": since, "until": until, "is_any": ids is None, "pacticipants": sorted(ids or {0})}
    rows = fetch_rows(db, _DEPLOYMENT_ROWS, {**params, "limit": page.limit, "offset": page.offset})
    return Paged(rows, page, fetch_scalar(db, _DEPLOYMENT_COUNT, params))


def _filter_params(trend_filter: TrendFilter) -> dict[str, int | None]:
    return {
        "consumer": trend_filter.consumer,
        "provider": trend_filter.provider,
        "application": trend_filter.application,
    }
