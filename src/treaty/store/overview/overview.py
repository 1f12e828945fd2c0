"""The overview: every integration with its state, filtered, sorted and paged by the database."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    ScalarSelect,
    Select,
    Table,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    union,
    union_all,
)

from treaty.model.decisions.matrix import VersionKey
from treaty.model.overview.network import NetworkEdge
from treaty.model.overview.overview import (
    EnvironmentReference,
    IntegrationSummary,
    Overview,
    OverviewFilter,
    OverviewSorting,
    PactByTag,
    PactState,
    UnverifiedPair,
    compute_pact_state,
)
from treaty.model.paging import Page, Paged
from treaty.model.webhooks.deliveries import DeliveryStatus
from treaty.store.decisions import matrix
from treaty.store.engine.database import fetch_column, fetch_rows, fetch_scalar
from treaty.store.pacticipants.integrations import LATEST_WITH_TAG, select_running_pacts
from treaty.store.pacticipants.pacticipants import escape_like
from treaty.store.tables import (
    Time,
    branch,
    branch_version,
    deployed_version,
    environment,
    integration,
    label,
    pacticipant,
    publication,
    released_version,
    tag_head,
    triggered_webhook,
    verification,
    version,
)
from treaty.store.verifications import select_newest_id

MAX_WORDS: Final = 5

_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")
_consumer_version: Final = version.alias("consumer_version")
_provider_version: Final = version.alias("provider_version")
_candidate: Final = publication.alias("candidate")
_newer: Final = verification.alias("newer")


@dataclass(frozen=True, slots=True)
class _OverviewShape:
    """What a statement filters and sorts by."""

    words: int
    has_label: bool
    has_environment: bool
    has_branch: bool
    sorting: OverviewSorting
    is_reversed: bool

    @property
    def shows_several(self) -> bool:
        """Whether there may be several pacts of a pair, of which the newest is meant."""
        return self.has_environment and not self.has_branch


_IS_OF_PAIR: Final = (publication.c.consumer_id == integration.c.consumer_id) & (
    publication.c.provider_id == integration.c.provider_id
)
NEWEST_RESULT: Final = select_newest_id(publication.c.content_id)
"""The newest result for a publication's content."""
_WAS_VERIFIED: Final = (
    exists()
    .where(_newer.c.consumer_id == integration.c.consumer_id, _newer.c.provider_id == integration.c.provider_id)
    .correlate(integration)
)
_NOT_VERIFIED: Final = case((_WAS_VERIFIED, PactState.CHANGED.value), else_=PactState.UNKNOWN.value)
_STATE: Final = case(
    (publication.c.id.is_(None), PactState.NO_PACT.value),
    (verification.c.id.is_(None), _NOT_VERIFIED),
    (verification.c.success, PactState.VERIFIED.value),
    (verification.c.was_pending, PactState.PENDING.value),
    else_=PactState.FAILED.value,
)
_RANKS: Final = {state.value: rank for rank, state in enumerate(PactState)}
"""Ranks of states, the worst first."""


_PLACE: Final = select(environment.c.id).where(environment.c.name == bindparam("environment")).scalar_subquery()
_RUNNING_THERE: Final = union_all(
    select(deployed_version.c.version_id).where(
        deployed_version.c.environment_id == _PLACE, deployed_version.c.undeployed_at.is_(None)
    ),
    select(released_version.c.version_id).where(
        released_version.c.environment_id == _PLACE, released_version.c.support_ended_at.is_(None)
    ),
)
_running: Final = _RUNNING_THERE.subquery("running")

# In an environment, a pact is judged by the results of every provider version there. Only where the provider has no
# version there, by the newest result.
_live_version: Final = version.alias("live_version")
_live_result: Final = verification.alias("live_result")
_IS_LIVE: Final = (_live_version.c.pacticipant_id == integration.c.provider_id) & _live_version.c.id.in_(_RUNNING_THERE)
_PROVIDER_IS_LIVE: Final = exists().where(_IS_LIVE).correlate(integration)
_IS_RESULT_OF_LIVE: Final = (
    (_live_result.c.content_id == publication.c.content_id)
    & (_live_result.c.provider_version_id == _live_version.c.id)
    & _live_result.c.is_latest
)
_WORST_LIVE_RESULT: Final = (
    select(_live_result.c.id)
    .where(_IS_RESULT_OF_LIVE, _IS_LIVE)
    .order_by(_live_result.c.success, func.coalesce(_live_result.c.was_pending, false()), _live_result.c.id.desc())
    .limit(1)
    .correlate(publication, integration)
    .scalar_subquery()
)
_IS_RESULT_MISSING: Final = (
    exists()
    .where(_IS_LIVE, ~exists().where(_IS_RESULT_OF_LIVE).correlate(publication, _live_version))
    .correlate(publication, integration)
)
_STATE_THERE: Final = case((verification.c.success & _IS_RESULT_MISSING, _NOT_VERIFIED), else_=_STATE)


def _state(shape: _OverviewShape) -> ColumnElement[Any]:
    return _STATE_THERE if shape.has_environment else _STATE


def _result(shape: _OverviewShape) -> ColumnElement[Any]:
    """Id of the result that a pact is judged by."""
    return (
        case((_PROVIDER_IS_LIVE, _WORST_LIVE_RESULT), else_=NEWEST_RESULT) if shape.has_environment else NEWEST_RESULT
    )


def _pact_of_branch() -> ScalarSelect[int]:
    pact = (
        select(_candidate.c.id)
        .where(
            _candidate.c.consumer_version_id == branch_version.c.version_id,
            _candidate.c.provider_id == integration.c.provider_id,
            _candidate.c.is_current,
        )
        .correlate(branch_version, integration)
        .scalar_subquery()
    )
    return (
        select(pact)
        .select_from(branch_version.join(branch, branch.c.id == branch_version.c.branch_id))
        .where(
            branch.c.pacticipant_id == integration.c.consumer_id,
            branch.c.name == bindparam("branch"),
            pact.is_not(None),
        )
        .order_by(branch_version.c.position.desc())
        .limit(1)
        .correlate(integration)
        .scalar_subquery()
    )


def _with_pacts(shape: _OverviewShape) -> FromClause:
    """Join integrations with the pact that is shown of each; or with all that are in an environment."""
    if shape.shows_several:
        is_there = publication.c.consumer_version_id == _running.c.version_id
        return _running.join(publication, is_there).join(integration, _IS_OF_PAIR)
    pact = _pact_of_branch() if shape.has_branch else integration.c.latest_publication_id
    return integration.outerjoin(publication, publication.c.id == pact)


def _with_names(source: FromClause) -> FromClause:
    return source.outerjoin(_consumer, _consumer.c.id == integration.c.consumer_id).outerjoin(
        _provider, _provider.c.id == integration.c.provider_id
    )


def _with_all(source: FromClause, result: ColumnElement[Any]) -> FromClause:
    """Join names, versions and the result with an id. Each is there once or not at all."""
    return (
        _with_names(source)
        .outerjoin(_consumer_version, _consumer_version.c.id == publication.c.consumer_version_id)
        .outerjoin(verification, verification.c.id == result)
        .outerjoin(_provider_version, _provider_version.c.id == verification.c.provider_version_id)
    )


_IDENTITY: Final = (
    integration.c.consumer_id,
    integration.c.provider_id,
    _consumer.c.name.label("consumer"),
    _provider.c.name.label("provider"),
    _consumer_version.c.id.label("version_id"),
    _consumer_version.c.number.label("version"),
    publication.c.created_at.label("published_at"),
    _provider_version.c.number.label("provider_version"),
    verification.c.created_at.label("verified_at"),
)


@lru_cache(maxsize=256)
def _asked(shape: _OverviewShape, *columns: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """Select columns of all integrations that are left."""
    return select(*columns).select_from(_with_all(_with_pacts(shape), _result(shape))).where(*_criteria(shape))


@lru_cache(maxsize=256)
def _standing(shape: _OverviewShape) -> Select[*tuple[Any, ...]]:
    """Select how all stand that are left, in order."""
    is_old = case((publication.c.created_at <= bindparam("overdue_since", type_=Time), 1), else_=0)
    return _asked(
        shape,
        integration.c.id,
        publication.c.id.label("publication_id"),
        publication.c.position,
        verification.c.id.label("verification_id"),
        _state(shape).label("state"),
        is_old.label("is_old"),
    ).order_by(*_order(shape))


def _criteria(shape: _OverviewShape) -> list[ColumnElement[bool]]:
    criteria: list[ColumnElement[bool]] = []
    if shape.words:
        sides = (_consumer.c.name, _consumer.c.display_name, _provider.c.name, _provider.c.display_name)
        words: list[BindParameter[str]] = [bindparam(f"word{at}") for at in range(shape.words)]
        criteria.append(or_(*(side.icontains(word, escape="!") for side in sides for word in words)))
    if shape.has_label:
        owners = (integration.c.consumer_id, integration.c.provider_id)
        criteria.append(
            exists()
            .where(label.c.name == bindparam("label"), label.c.pacticipant_id.in_(owners))
            .correlate(integration)
        )
    if shape.has_environment or shape.has_branch:
        criteria.append(publication.c.id.is_not(None))
    if shape.shows_several:
        criteria.append(publication.c.is_current)
    if shape.has_environment and shape.has_branch:
        criteria.append(publication.c.consumer_version_id.in_(_RUNNING_THERE))
    return criteria


def _order(shape: _OverviewShape) -> list[ColumnElement[Any]]:
    names = [func.lower(_consumer.c.name), func.lower(_provider.c.name), integration.c.id]
    if shape.sorting in {OverviewSorting.CONSUMER, OverviewSorting.PROVIDER}:
        chosen = names.pop(0 if shape.sorting is OverviewSorting.CONSUMER else 1)
        return [chosen.desc() if shape.is_reversed else chosen, *names]
    newest_first: dict[OverviewSorting, ColumnElement[Any]] = {
        OverviewSorting.PUBLISHED: publication.c.created_at,
        OverviewSorting.VERIFIED: verification.c.created_at,
    }
    chosen = newest_first.get(shape.sorting, case(_RANKS, value=_state(shape)))
    is_descending = (shape.sorting in newest_first) != shape.is_reversed
    return [(chosen.desc() if is_descending else chosen.asc()).nulls_last(), *names]


def _shape_of(wanted: OverviewFilter, sorting: OverviewSorting, *, is_reversed: bool) -> _OverviewShape:
    return _OverviewShape(
        words=len(wanted.words[:MAX_WORDS]),
        has_label=wanted.label is not None,
        has_environment=wanted.environment is not None,
        has_branch=wanted.branch is not None,
        sorting=sorting,
        is_reversed=is_reversed,
    )


def _params(wanted: OverviewFilter) -> dict[str, Any]:
    words = {f"word{at}": escape_like(word) for at, word in enumerate(wanted.words[:MAX_WORDS])}
    return {**words, "label": wanted.label, "environment": wanted.environment, "branch": wanted.branch}


def load_overview(  # noqa: PLR0913 - what is shown, and what is picked out, in one look at all
    db: Connection,
    wanted: OverviewFilter,
    page: Page,
    sorting: OverviewSorting = OverviewSorting.CONSUMER,
    *,
    is_reversed: bool = False,
    limit: int = 0,
    overdue_since: datetime,
) -> Overview:
    """Look at all integrations that a filter leaves: count them, list a page, pick out some that need attention."""
    of_any_state = replace(wanted, state=None)
    shape = _shape_of(of_any_state, sorting, is_reversed=is_reversed)
    found = fetch_rows(db, _standing(shape), {**_params(of_any_state), "overdue_since": overdue_since})
    standing = _worst_of_each(found) if shape.shows_several else found
    chosen = standing if wanted.state is None else [row for row in standing if row.state == wanted.state.value]
    listed = chosen[page.offset : page.offset + page.limit]
    failed, overdue = _worst(standing, limit)
    shown = _shown(db, {row.id: row for row in (*listed, *failed, *overdue)}.values(), wanted.environment)
    return Overview(
        counts={PactState(state): count for state, count in Counter(row.state for row in standing).items()},
        integrations=Paged([shown[row.id] for row in listed], page, len(chosen)),
        failed=[shown[row.id] for row in failed],
        overdue=[shown[row.id] for row in overdue],
    )


def _worst_of_each(found: Sequence[Any]) -> Sequence[Any]:
    """Keep the pact of each pair with the worst state, the newest of several.

    Several versions of a consumer may run in one environment, and what is said of it must hold for all of them.
    """
    worst: dict[int, Any] = {}
    for row in found:
        if row.id not in worst or _badness(worst[row.id]) < _badness(row):
            worst[row.id] = row
    return found if len(worst) == len(found) else [row for row in found if worst[row.id] is row]


def _badness(row: Any) -> tuple[int, int]:
    return (-_RANKS[row.state], row.position)


def _worst(standing: Sequence[Any], limit: int) -> tuple[Sequence[Any], Sequence[Any]]:
    """Pick out what broke last, and what waits longest. Ids grow with time."""
    failed = [row for row in standing if row.state == PactState.FAILED.value] if limit else []
    overdue = [row for row in standing if row.is_old and row.state == PactState.CHANGED.value] if limit else []
    failed.sort(key=lambda row: -row.verification_id)
    overdue.sort(key=lambda row: row.publication_id)
    return failed[:limit], overdue[:limit]


def _shown(db: Connection, standing: Iterable[Any], environment_name: str | None) -> Mapping[int, IntegrationSummary]:
    """Read all that is shown of some integrations, by their ids."""
    publications = [row.publication_id for row in standing if row.publication_id is not None]
    others = [row.id for row in standing if row.publication_id is None]
    of_publications = _OF_PUBLICATIONS if environment_name is None else _OF_PUBLICATIONS_THERE
    place = {} if environment_name is None else {"environment": environment_name}
    found = [
        row
        for statement, ids, params in ((of_publications, publications, place), (_OF_IDS, others, {}))
        for start in range(0, len(ids), BATCH_SIZE)
        for row in fetch_rows(db, statement, {**params, "ids": ids[start : start + BATCH_SIZE]})
    ]
    return {row.id: seen for row, seen in zip(found, _at_a_glance(db, found), strict=True)}


@lru_cache(maxsize=256)
def _lines(shape: _OverviewShape) -> Select[*tuple[Any, ...]]:
    names = (_consumer.c.name.label("consumer"), _provider.c.name.label("provider"))
    columns = (integration.c.id, *names, publication.c.position, _state(shape).label("state"))
    return _asked(shape, *columns).order_by(*_order(shape))


def list_lines(db: Connection, wanted: OverviewFilter) -> list[NetworkEdge]:
    """List all integrations that a filter leaves, by the names of their consumers and providers."""
    shape = _shape_of(wanted, OverviewSorting.CONSUMER, is_reversed=False)
    found = fetch_rows(db, _lines(shape), _params(wanted))
    shown = _worst_of_each(found) if shape.shows_several else found
    return [NetworkEdge(consumer=row.consumer, provider=row.provider, state=PactState(row.state)) for row in shown]


_NUMBER: Final = select(func.count()).select_from(integration)


def count_integrations(db: Connection) -> int:
    """Count all integrations."""
    found: int = fetch_scalar(db, _NUMBER, {})
    return found


def _unfiltered(sorting: OverviewSorting) -> _OverviewShape:
    return _shape_of(OverviewFilter(), sorting, is_reversed=False)


_IDS: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
_SHOWN: Final = (*_IDENTITY, _STATE.label("state"))
_OF_IDS: Final = _asked(_unfiltered(OverviewSorting.CONSUMER), integration.c.id, *_SHOWN).where(
    integration.c.id.in_(_IDS)
)


def _of_publications(shape: _OverviewShape) -> Select[*tuple[Any, ...]]:
    source = _with_all(publication.join(integration, _IS_OF_PAIR), _result(shape))
    columns = (integration.c.id, *_IDENTITY, _state(shape).label("state"))
    return select(*columns).select_from(source).where(publication.c.id.in_(_IDS))


_OF_PUBLICATIONS: Final = _of_publications(_unfiltered(OverviewSorting.CONSUMER))
_OF_PUBLICATIONS_THERE: Final = _of_publications(replace(_unfiltered(OverviewSorting.CONSUMER), has_environment=True))
_OF_TAGGED: Final = _OF_PUBLICATIONS.add_columns(
    publication.c.id.label("publication_id"),
    integration.c.latest_publication_id,
    verification.c.provider_version_id,
)
_PER_SIDE: Final = {
    side: _asked(_unfiltered(other), *_SHOWN)
    .where(named.c.name == bindparam("pacticipant"))
    .order_by(*_order(_unfiltered(other)))
    for side, other, named in (
        ("consumer", OverviewSorting.PROVIDER, _consumer),
        ("provider", OverviewSorting.CONSUMER, _provider),
    )
}


def list_of_pacticipant(db: Connection, name: str, *, role: str) -> list[IntegrationSummary]:
    """List the integrations where a pacticipant has a role: `consumer` or `provider`."""
    return _at_a_glance(db, fetch_rows(db, _PER_SIDE[role], {"pacticipant": name}))


# By tag


@lru_cache(maxsize=64)
def _by_tag(shape: _OverviewShape, *, names_tags: bool) -> Select[*tuple[Any, ...]]:
    """Select which pacts are shown by tag, in order."""
    tagged = select(LATEST_WITH_TAG.label("id")).join_from(
        integration, tag_head, tag_head.c.pacticipant_id == integration.c.consumer_id
    )
    if names_tags:
        tagged = tagged.where(tag_head.c.name.in_(bindparam("tags", expanding=True)))
    wanted = union(
        select(integration.c.latest_publication_id.label("id")),
        tagged,
        select_running_pacts(deployed_version, deployed_version.c.undeployed_at),
        select_running_pacts(released_version, released_version.c.support_ended_at),
    ).subquery("wanted")
    source = publication.join(wanted, wanted.c.id == publication.c.id).join(integration, _IS_OF_PAIR)
    order = (func.lower(_consumer.c.name), publication.c.position.desc(), func.lower(_provider.c.name))
    found = select(publication.c.id).select_from(_with_names(source)).where(*_criteria(shape))
    return found.order_by(*order, publication.c.id)


def list_by_tag(db: Connection, wanted: OverviewFilter, tags: Sequence[str], page: Page) -> Paged[PactByTag]:
    """List a page of the pacts that matter: latest of all, latest with a tag (or with those named), or running."""
    shape = _shape_of(
        OverviewFilter(words=wanted.words, label=wanted.label), OverviewSorting.CONSUMER, is_reversed=False
    )
    params = {**_params(wanted), **({"tags": list(tags)} if tags else {})}
    every = fetch_column(db, _by_tag(shape, names_tags=bool(tags)), params)
    ids = every[page.offset : page.offset + page.limit]
    found = {
        row.publication_id: row
        for start in range(0, len(ids), BATCH_SIZE)
        for row in fetch_rows(db, _OF_TAGGED, {"ids": ids[start : start + BATCH_SIZE]})
    }
    return Paged(_pacts_by_tag(db, [found[one] for one in ids]), page, len(every))


def _pacts_by_tag(db: Connection, found: Sequence[Any]) -> list[PactByTag]:
    keys: dict[int, VersionKey] = {row.version_id: (row.consumer, row.version) for row in found}
    keys |= {row.provider_version_id: (row.provider, row.provider_version) for row in found if row.provider_version}
    seen = matrix.load_versions(db, keys, keys.values())
    return [
        PactByTag(
            integration=integration_,
            is_latest=row.latest_publication_id == row.publication_id,
            version_summary=seen[row.consumer, row.version],
            provider_version_summary=seen[row.provider, row.provider_version] if row.provider_version else None,
        )
        for row, integration_ in zip(found, _at_a_glance(db, found), strict=True)
    ]


_PLACES: Final = union_all(
    *(
        select(recorded.c.version_id, environment.c.display_name, environment.c.is_production)
        .join(environment, environment.c.id == recorded.c.environment_id)
        .where(recorded.c.version_id.in_(bindparam("ids", expanding=True)), ended_at.is_(None))
        for recorded, ended_at in (
            (deployed_version, deployed_version.c.undeployed_at),
            (released_version, released_version.c.support_ended_at),
        )
    )
)
_LATEST_DELIVERIES: Final = (
    select(func.max(triggered_webhook.c.id))
    .where(
        triggered_webhook.c.consumer_id.in_(bindparam("ids", expanding=True)),
        triggered_webhook.c.webhook_id.is_not(None),
    )
    .group_by(
        triggered_webhook.c.consumer_id,
        triggered_webhook.c.provider_id,
        triggered_webhook.c.webhook_id,
        triggered_webhook.c.event,
    )
)
_DELIVERIES: Final = select(
    triggered_webhook.c.consumer_id, triggered_webhook.c.provider_id, triggered_webhook.c.status
).where(triggered_webhook.c.id.in_(_LATEST_DELIVERIES))
_WORST: Final = (DeliveryStatus.SUCCESS, DeliveryStatus.NOT_RUN, DeliveryStatus.RETRYING, DeliveryStatus.FAILURE)
BATCH_SIZE: Final = 500
"""How many ids a statement takes, so that it stays short."""


def _at_a_glance(db: Connection, found: Sequence[Any]) -> list[IntegrationSummary]:
    places = _places(db, sorted({row.version_id for row in found if row.version_id is not None}))
    webhooks = _webhooks(db, sorted({row.consumer_id for row in found}))
    return [
        IntegrationSummary(
            consumer=row.consumer,
            provider=row.provider,
            version=row.version,
            published_at=row.published_at,
            state=PactState(row.state),
            provider_version=row.provider_version,
            verified_at=row.verified_at,
            environments=places.get(row.version_id, []),
            webhooks=webhooks.get((row.consumer_id, row.provider_id)),
        )
        for row in found
    ]


def _places(db: Connection, ids: Sequence[int]) -> Mapping[int, list[EnvironmentReference]]:
    found: dict[int, set[EnvironmentReference]] = defaultdict(set)
    for start in range(0, len(ids), BATCH_SIZE):
        for row in fetch_rows(db, _PLACES, {"ids": ids[start : start + BATCH_SIZE]}):
            found[row.version_id].add(EnvironmentReference(name=row.display_name, is_production=row.is_production))
    return {at: sorted(places, key=lambda one: (one.is_production, one.name)) for at, places in found.items()}


def _webhooks(db: Connection, ids: Sequence[int]) -> Mapping[tuple[int, int], DeliveryStatus]:
    found: dict[tuple[int, int], DeliveryStatus] = {}
    for start in range(0, len(ids), BATCH_SIZE):
        for row in fetch_rows(db, _DELIVERIES, {"ids": ids[start : start + BATCH_SIZE]}):
            pair = (row.consumer_id, row.provider_id)
            found[pair] = max(found.get(pair, DeliveryStatus.SUCCESS), DeliveryStatus(row.status), key=_WORST.index)
    return found


# What needs attention

_Recorded = tuple[Table, ColumnElement[Any]]
_LIVE: Final[tuple[_Recorded, ...]] = (
    (deployed_version, deployed_version.c.undeployed_at),
    (released_version, released_version.c.support_ended_at),
)
"""What is live somewhere: where it is recorded, and when it ended."""


def _unproven_pairs(consumer_runs: _Recorded, provider_runs: _Recorded) -> Select[*tuple[Any, ...]]:
    """Select versions in one environment that have no successful result between them.

    One statement for each combination of deployed and released, since a union would not let indexes find the rows.
    """
    consumer_table, provider_table = (
        table.alias(role) for (table, _), role in ((consumer_runs, "consumer_runs"), (provider_runs, "provider_runs"))
    )
    consumer_ended, provider_ended = consumer_table.c[consumer_runs[1].name], provider_table.c[provider_runs[1].name]
    unproven = (
        select(
            verification.c.id.is_(None).label("is_unverified"),
            consumer_table.c.environment_id,
            consumer_table.c.version_id.label("consumer_version_id"),
            provider_table.c.version_id.label("provider_version_id"),
            publication.c.consumer_id,
            publication.c.provider_id,
            verification.c.success,
        )
        .distinct()
        .select_from(consumer_table)
        .join(publication, publication.c.consumer_version_id == consumer_table.c.version_id)
        .join(
            provider_table,
            (provider_table.c.environment_id == consumer_table.c.environment_id)
            & (provider_table.c.pacticipant_id == publication.c.provider_id)
            & provider_ended.is_(None),
        )
        .outerjoin(
            verification,
            (verification.c.content_id == publication.c.content_id)
            & (verification.c.provider_version_id == provider_table.c.version_id)
            & verification.c.is_latest,
        )
        .where(
            publication.c.consumer_version_id.in_(bindparam("ids", expanding=True)),
            consumer_table.c.environment_id.in_(bindparam("environments", expanding=True)),
            consumer_ended.is_(None),
            publication.c.is_current,
            or_(verification.c.id.is_(None), ~verification.c.success),
        )
        .order_by(
            verification.c.id.is_(None),
            consumer_table.c.environment_id,
            consumer_table.c.version_id,
            provider_table.c.version_id,
        )
        .limit(bindparam("most", type_=Integer))
        .subquery("unproven")
    )
    return (
        select(
            environment.c.display_name.label("environment"),
            _consumer.c.name.label("consumer"),
            _consumer_version.c.number.label("consumer_version"),
            _provider.c.name.label("provider"),
            _provider_version.c.number.label("provider_version"),
            unproven.c.success,
        )
        .join_from(unproven, environment, environment.c.id == unproven.c.environment_id)
        .join(_consumer, _consumer.c.id == unproven.c.consumer_id)
        .join(_provider, _provider.c.id == unproven.c.provider_id)
        .join(_consumer_version, _consumer_version.c.id == unproven.c.consumer_version_id)
        .join(_provider_version, _provider_version.c.id == unproven.c.provider_version_id)
    )


_UNPROVEN_PAIRS: Final = {
    (consumer_runs[0].name, provider_runs[0].name): _unproven_pairs(consumer_runs, provider_runs)
    for consumer_runs in _LIVE
    for provider_runs in _LIVE
}
_RUNNING: Final = union_all(
    *(
        select(literal(table.name).label("record"), table.c.version_id, table.c.environment_id)
        .join(environment, environment.c.id == table.c.environment_id)
        .where(ended_at.is_(None), environment.c.is_production == bindparam("is_production"))
        for table, ended_at in _LIVE
    )
)


def list_unverified_pairs(db: Connection, *, limit: int) -> list[UnverifiedPair]:
    """List versions that run together without a success between them, those in production and failures first.

    Other environments are only looked into for what production leaves room for.
    """
    found: list[UnverifiedPair] = []
    for is_production in (True, False):
        if len(found) < limit:
            found += _unproven_in(db, limit - len(found), is_production=is_production)
    return found


def _unproven_in(db: Connection, limit: int, *, is_production: bool) -> list[UnverifiedPair]:
    """Look into production, or elsewhere.

    What runs is asked for on its own, since a database left to itself would begin with all pacts there ever were.
    """
    running = fetch_rows(db, _RUNNING, {"is_production": is_production})
    environments = sorted({row.environment_id for row in running})
    records = sorted({row.record for row in running})
    found = {
        _together(row): None
        for consumer_runs in records
        for ids in _in_parts({row.version_id for row in running if row.record == consumer_runs})
        for provider_runs in records
        for row in fetch_rows(
            db,
            _UNPROVEN_PAIRS[consumer_runs, provider_runs],
            {"ids": ids, "environments": environments, "most": limit},
        )
    }
    return sorted(found, key=_urgency)[:limit]


def _in_parts(ids: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), BATCH_SIZE):
        yield ordered[start : start + BATCH_SIZE]


def _urgency(pair: UnverifiedPair) -> tuple[object, ...]:
    return (pair.state is PactState.UNKNOWN, pair.environment, pair.consumer.lower(), pair.provider.lower())


def _together(row: Any) -> UnverifiedPair:
    return UnverifiedPair(
        environment=row.environment,
        consumer=row.consumer,
        consumer_version=row.consumer_version,
        provider=row.provider,
        provider_version=row.provider_version,
        state=compute_pact_state(success=row.success, was_pending=None),
    )


# Looking for an application

_LIKE: Final = or_(
    *(side.icontains(bindparam("part"), escape="!") for side in (pacticipant.c.name, pacticipant.c.display_name))
)
_NAMES: Final = (
    select(pacticipant.c.name)
    .where(_LIKE)
    .order_by(func.lower(pacticipant.c.name), pacticipant.c.id)
    .limit(bindparam("limit", type_=Integer))
    .offset(bindparam("offset", type_=Integer))
)
_NUMBER_OF_NAMES: Final = select(func.count()).select_from(pacticipant).where(_LIKE)
_NUMBERED: Final = (
    select(pacticipant.c.name, version.c.number)
    .join_from(version, pacticipant)
    .where(version.c.number == bindparam("number"))
    .order_by(func.lower(pacticipant.c.name))
    .limit(20)
)


def list_names_like(db: Connection, part: str, page: Page) -> Paged[str]:
    """List a page of the pacticipants whose names hold a text."""
    params = {"part": escape_like(part)}
    found = fetch_rows(db, _NAMES, {**params, "limit": page.limit, "offset": page.offset})
    return Paged([row.name for row in found], page, fetch_scalar(db, _NUMBER_OF_NAMES, params))


def list_versions_with_number(db: Connection, number: str) -> list[tuple[str, str]]:
    """List some versions, of any pacticipant, that have a number."""
    return [(row.name, row.number) for row in fetch_rows(db, _NUMBERED, {"number": number})]
