"""The overview: every integration with its state, filtered, sorted and paged by the database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
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

from treaty.model.delivery import Status
from treaty.model.network import Line
from treaty.model.overview import Counts, Filter, IntegrationAtAGlance, Place, Sorting, State, Together, state_of
from treaty.model.page import Page, Paged
from treaty.store.database import column, rows, scalar
from treaty.store.pacticipants import literally
from treaty.store.tables import (
    branch,
    branch_version,
    deployed_version,
    environment,
    integration,
    label,
    pacticipant,
    publication,
    released_version,
    triggered_webhook,
    verification,
    version,
)

MOST_WORDS: Final = 5

_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")
_consumer_version: Final = version.alias("consumer_version")
_provider_version: Final = version.alias("provider_version")
_candidate: Final = publication.alias("candidate")
_newer: Final = verification.alias("newer")


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a statement filters and sorts by."""

    words: int
    has_label: bool
    has_environment: bool
    has_branch: bool
    has_state: bool
    sorting: Sorting
    is_reversed: bool


NEWEST_RESULT: Final = (
    # Adding nothing keeps PostgreSQL from walking through the results of everything, newest first, until it meets one.
    select(func.max(_newer.c.id + 0)).where(_newer.c.content_id == publication.c.content_id).scalar_subquery()
)
"""The newest result for a publication's content."""
_WAS_VERIFIED: Final = (
    exists()
    .where(_newer.c.consumer_id == integration.c.consumer_id, _newer.c.provider_id == integration.c.provider_id)
    .correlate(integration)
)
_STATE: Final = case(
    (publication.c.id.is_(None), State.NO_PACT.value),
    (verification.c.id.is_(None), case((_WAS_VERIFIED, State.CHANGED.value), else_=State.UNKNOWN.value)),
    (verification.c.success, State.VERIFIED.value),
    (verification.c.was_pending, State.PENDING.value),
    else_=State.FAILED.value,
)
_WORST_FIRST: Final = case({state.value: at for at, state in enumerate(State)}, value=_STATE)


def _running(owner: ColumnElement[int]) -> Any:
    """Select the versions of a pacticipant that are in an environment now."""
    place = select(environment.c.id).where(environment.c.name == bindparam("environment")).scalar_subquery()
    return union_all(
        select(deployed_version.c.version_id).where(
            deployed_version.c.environment_id == place,
            deployed_version.c.pacticipant_id == owner,
            deployed_version.c.undeployed_at.is_(None),
        ),
        select(released_version.c.version_id).where(
            released_version.c.environment_id == place,
            released_version.c.pacticipant_id == owner,
            released_version.c.support_ended_at.is_(None),
        ),
    )


def _pact_there() -> ScalarSelect[int]:
    return (
        select(_candidate.c.id)
        .where(
            _candidate.c.consumer_version_id.in_(_running(integration.c.consumer_id)),
            _candidate.c.provider_id == integration.c.provider_id,
            _candidate.c.is_current,
        )
        .order_by(_candidate.c.position.desc())
        .limit(1)
        .correlate(integration)
        .scalar_subquery()
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


def _shown_pact(shape: _Shape) -> Any:
    if shape.has_branch:
        return _pact_of_branch()
    return _pact_there() if shape.has_environment else integration.c.latest_publication_id


@lru_cache(maxsize=256)
def _listing(shape: _Shape) -> Select[*tuple[Any, ...]]:
    pact = _shown_pact(shape)
    found = (
        select(
            integration.c.consumer_id,
            integration.c.provider_id,
            _consumer.c.name.label("consumer"),
            _provider.c.name.label("provider"),
            _consumer_version.c.id.label("version_id"),
            _consumer_version.c.number.label("version"),
            publication.c.created_at.label("published_at"),
            _STATE.label("state"),
            _provider_version.c.number.label("provider_version"),
            verification.c.created_at.label("verified_at"),
        )
        .select_from(integration)
        .join(_consumer, _consumer.c.id == integration.c.consumer_id)
        .join(_provider, _provider.c.id == integration.c.provider_id)
        .outerjoin(publication, publication.c.id == pact)
        .outerjoin(_consumer_version, _consumer_version.c.id == publication.c.consumer_version_id)
        .outerjoin(verification, verification.c.id == NEWEST_RESULT)
        .outerjoin(_provider_version, _provider_version.c.id == verification.c.provider_version_id)
        .where(*_criteria(shape))
    )
    return found.order_by(*_order(shape))


def _criteria(shape: _Shape) -> list[ColumnElement[bool]]:
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
    if shape.has_environment and shape.has_branch:
        criteria.append(publication.c.consumer_version_id.in_(_running(integration.c.consumer_id)))
    if shape.has_state:
        criteria.append(bindparam("state") == _STATE)
    return criteria


def _order(shape: _Shape) -> list[ColumnElement[Any]]:
    names = [func.lower(_consumer.c.name), func.lower(_provider.c.name), integration.c.id]
    first: dict[Sorting, ColumnElement[Any]] = {
        Sorting.CONSUMER: names[0],
        Sorting.PROVIDER: names[1],
        Sorting.PUBLISHED: publication.c.created_at,
        Sorting.VERIFIED: verification.c.created_at,
        Sorting.STATE: _WORST_FIRST,
    }
    newest_first = shape.sorting in {Sorting.PUBLISHED, Sorting.VERIFIED}
    chosen = first[shape.sorting]
    ordered = chosen.desc() if newest_first != shape.is_reversed else chosen.asc()
    return [ordered.nulls_last(), *names]


@lru_cache(maxsize=256)
def _part(shape: _Shape) -> Select[*tuple[Any, ...]]:
    return _listing(shape).limit(bindparam("limit", type_=Integer)).offset(bindparam("offset", type_=Integer))


@lru_cache(maxsize=256)
def _counting(shape: _Shape) -> Select[*tuple[Any, ...]]:
    found = _listing(shape).order_by(None).subquery("found")
    return select(found.c.state, func.count()).group_by(found.c.state)


def _shape_of(wanted: Filter, sorting: Sorting, *, is_reversed: bool) -> _Shape:
    return _Shape(
        words=len(wanted.words[:MOST_WORDS]),
        has_label=wanted.label is not None,
        has_environment=wanted.environment is not None,
        has_branch=wanted.branch is not None,
        has_state=wanted.state is not None,
        sorting=sorting,
        is_reversed=is_reversed,
    )


def _params(wanted: Filter) -> dict[str, Any]:
    words = {f"word{at}": literally(word) for at, word in enumerate(wanted.words[:MOST_WORDS])}
    state = wanted.state and wanted.state.value
    return {
        **words,
        "label": wanted.label,
        "environment": wanted.environment,
        "branch": wanted.branch,
        "state": state,
    }


def count(db: Connection, wanted: Filter) -> Counts:
    """Count the integrations that a filter leaves, by their states, whichever state it asks for."""
    wanted = replace(wanted, state=None)
    statement = _counting(_shape_of(wanted, Sorting.CONSUMER, is_reversed=False))
    return {State(state): number for state, number in rows(db, statement, _params(wanted))}


def listed(
    db: Connection, wanted: Filter, page: Page, sorting: Sorting = Sorting.CONSUMER, *, is_reversed: bool = False
) -> list[IntegrationAtAGlance]:
    """List a page of the integrations that a filter leaves."""
    statement = _part(_shape_of(wanted, sorting, is_reversed=is_reversed))
    return _at_a_glance(db, rows(db, statement, {**_params(wanted), "limit": page.limit, "offset": page.offset}))


@lru_cache(maxsize=256)
def _lines(shape: _Shape) -> Select[*tuple[Any, ...]]:
    names = (_consumer.c.name.label("consumer"), _provider.c.name.label("provider"))
    return _listing(shape).with_only_columns(*names, _STATE.label("state"))


def every_line(db: Connection, wanted: Filter) -> list[Line]:
    """List all integrations that a filter leaves, by the names of their consumers and providers."""
    found = rows(db, _lines(_shape_of(wanted, Sorting.CONSUMER, is_reversed=False)), _params(wanted))
    return [Line(consumer=row.consumer, provider=row.provider, state=State(row.state)) for row in found]


_PER_SIDE: Final = {
    side: _listing(_Shape(0, False, False, False, False, other, False)).where(  # noqa: FBT003 - a filter without any
        named.c.name == bindparam("pacticipant")
    )
    for side, other, named in (
        ("consumer", Sorting.PROVIDER, _consumer),
        ("provider", Sorting.CONSUMER, _provider),
    )
}


def of_pacticipant(db: Connection, name: str, *, role: str) -> list[IntegrationAtAGlance]:
    """List the integrations where a pacticipant has a role: `consumer` or `provider`."""
    return _at_a_glance(db, rows(db, _PER_SIDE[role], {"pacticipant": name}))


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
_WORST: Final = (Status.SUCCESS, Status.NOT_RUN, Status.RETRYING, Status.FAILURE)
AT_ONCE: Final = 500
"""How many ids a statement takes, so that it stays short."""


def _at_a_glance(db: Connection, found: Sequence[Any]) -> list[IntegrationAtAGlance]:
    places = _places(db, sorted({row.version_id for row in found if row.version_id is not None}))
    webhooks = _webhooks(db, sorted({row.consumer_id for row in found}))
    return [
        IntegrationAtAGlance(
            consumer=row.consumer,
            provider=row.provider,
            version=row.version,
            published_at=row.published_at,
            state=State(row.state),
            provider_version=row.provider_version,
            verified_at=row.verified_at,
            places=places.get(row.version_id, []),
            webhooks=webhooks.get((row.consumer_id, row.provider_id)),
        )
        for row in found
    ]


def _places(db: Connection, ids: Sequence[int]) -> Mapping[int, list[Place]]:
    found: dict[int, set[Place]] = defaultdict(set)
    for start in range(0, len(ids), AT_ONCE):
        for row in rows(db, _PLACES, {"ids": ids[start : start + AT_ONCE]}):
            found[row.version_id].add(Place(name=row.display_name, is_production=row.is_production))
    return {at: sorted(places, key=lambda one: (one.is_production, one.name)) for at, places in found.items()}


def _webhooks(db: Connection, ids: Sequence[int]) -> Mapping[tuple[int, int], Status]:
    found: dict[tuple[int, int], Status] = {}
    for start in range(0, len(ids), AT_ONCE):
        for row in rows(db, _DELIVERIES, {"ids": ids[start : start + AT_ONCE]}):
            pair = (row.consumer_id, row.provider_id)
            found[pair] = max(found.get(pair, Status.SUCCESS), Status(row.status), key=_WORST.index)
    return found


# What needs attention

_consumer_runs: Final = deployed_version.alias("consumer_runs")
_provider_runs: Final = deployed_version.alias("provider_runs")
_TOGETHER: Final = (
    select(
        environment.c.display_name.label("environment"),
        environment.c.is_production,
        _consumer.c.name.label("consumer"),
        _consumer_version.c.number.label("consumer_version"),
        _provider.c.name.label("provider"),
        _provider_version.c.number.label("provider_version"),
        verification.c.success,
    )
    .select_from(_consumer_runs)
    .join(environment, environment.c.id == _consumer_runs.c.environment_id)
    .join(publication, publication.c.consumer_version_id == _consumer_runs.c.version_id)
    .join(
        _provider_runs,
        (_provider_runs.c.environment_id == _consumer_runs.c.environment_id)
        & (_provider_runs.c.pacticipant_id == publication.c.provider_id)
        & _provider_runs.c.undeployed_at.is_(None),
    )
    .join(_consumer, _consumer.c.id == publication.c.consumer_id)
    .join(_provider, _provider.c.id == publication.c.provider_id)
    .join(_consumer_version, _consumer_version.c.id == _consumer_runs.c.version_id)
    .join(_provider_version, _provider_version.c.id == _provider_runs.c.version_id)
    .outerjoin(
        verification,
        (verification.c.content_id == publication.c.content_id)
        & (verification.c.provider_version_id == _provider_runs.c.version_id)
        & verification.c.is_latest,
    )
    .where(
        publication.c.consumer_version_id.in_(bindparam("ids", expanding=True)),
        _consumer_runs.c.undeployed_at.is_(None),
        publication.c.is_current,
        or_(verification.c.id.is_(None), ~verification.c.success),
    )
)
_RUNNING: Final = select(deployed_version.c.version_id).where(deployed_version.c.undeployed_at.is_(None)).distinct()


def unproven(db: Connection, *, most: int) -> list[Together]:
    """List versions that run together without a success between them, those in production and failures first.

    What runs is asked for on its own, since a database left to itself would begin with all pacts there ever were.
    """
    running = column(db, _RUNNING, {})
    found = [
        row
        for start in range(0, len(running), AT_ONCE)
        for row in rows(db, _TOGETHER, {"ids": running[start : start + AT_ONCE]})
    ]
    return [_together(row) for row in sorted(found, key=_urgency)[:most]]


def _urgency(row: Any) -> tuple[object, ...]:
    return (not row.is_production, row.success is None, row.environment, row.consumer.lower(), row.provider.lower())


def _together(row: Any) -> Together:
    return Together(
        environment=row.environment,
        consumer=row.consumer,
        consumer_version=row.consumer_version,
        provider=row.provider,
        provider_version=row.provider_version,
        state=state_of(success=row.success, was_pending=None),
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


def names_like(db: Connection, part: str, page: Page) -> Paged[str]:
    """List a page of the pacticipants whose names hold a text."""
    params = {"part": literally(part)}
    found = rows(db, _NAMES, {**params, "limit": page.limit, "offset": page.offset})
    return Paged([row.name for row in found], page, scalar(db, _NUMBER_OF_NAMES, params))


def versions_numbered(db: Connection, number: str) -> list[tuple[str, str]]:
    """List some versions, of any pacticipant, that have a number."""
    return [(row.name, row.number) for row in rows(db, _NUMBERED, {"number": number})]
