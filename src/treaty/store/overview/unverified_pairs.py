"""Versions that run in the same environment without a successful result between them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    case,
    cast,
    false,
    null,
    or_,
    select,
    union,
)

from treaty.model.overview.attention import Attention, CauseGroup, group_by_cause
from treaty.model.overview.overview import IntegrationSummary, UnverifiedTogether, compute_pact_state
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.conditions import IsAmong
from treaty.store.engine.database import fetch_rows, fetch_tuples
from treaty.store.provider_contracts.conditions import has_any_contracts, is_uncompared
from treaty.store.tables import (
    deployed_version,
    environment,
    pacticipant,
    publication,
    released_version,
    verification,
    version,
)


class _Pair(NamedTuple):
    """Ids of a consumer and a provider version that run in an environment, and their result, which is no success."""

    environment: int
    consumer: int
    consumer_version: int
    provider: int
    provider_version: int
    success: bool | None


class _Together(NamedTuple):
    """The same for all environments in which the two run together, production first."""

    pair: _Pair
    environments: tuple[str, ...]
    is_production: bool


PairIds = tuple[int, int]
"""Ids of a consumer and a provider."""


@dataclass(frozen=True, slots=True)
class UnverifiedPairs:
    """Versions that run together without a successful result, grouped by cause. Production comes first."""

    groups: Sequence[CauseGroup[_Together]]
    total: int
    has_more: bool
    """Whether there are more than `total`, because counting stopped there."""
    names: Mapping[int, str]

    @property
    def failed_pairs(self) -> set[PairIds]:
        """The pairs with versions whose result is a failure."""
        return _list_failed(self.groups)

    def list_failed_in(self, shown: slice) -> set[PairIds]:
        """The same for a slice of the groups."""
        return _list_failed(self.groups[shown])


def _list_failed(groups: Iterable[CauseGroup[_Together]]) -> set[PairIds]:
    pairs = (item.pair for group in groups for item in group.items)
    return {(pair.consumer, pair.provider) for pair in pairs if pair.success is False}


def _select_running(table: Table, ended_at: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    is_in_environments = IsAmong(table.c.environment_id, "environments")
    columns = (table.c.pacticipant_id, table.c.environment_id, table.c.version_id)
    return select(*columns).where(ended_at.is_(None), is_in_environments)


@cache
def _select_unverified_pairs(*, has_contracts: bool) -> Select[*tuple[Any, ...]]:
    """Select consumer and provider versions in one environment that have no successful result between them.

    Rows are narrow, because all of them are counted and only some are shown.
    """
    # The running versions are selected first, since they are few compared with all publications, and in the order of
    # their index: those of one application follow each other, and their publications and results are in the same pages.
    # A version that is both deployed and released runs there once, hence the union.
    running = (
        union(
            _select_running(deployed_version, deployed_version.c.undeployed_at),
            _select_running(released_version, released_version.c.support_ended_at),
        )
        .cte("running")
        .prefix_with("MATERIALIZED")
    )
    provider = running.alias("running_provider")
    # A success of a verifier is no result for a provider version whose contract has not been compared.
    lacks_comparison = is_uncompared(publication.c.content_id, provider.c.version_id) if has_contracts else false()
    is_unverified = or_(verification.c.id.is_(None), and_(verification.c.success, lacks_comparison))
    return (
        select(
            running.c.environment_id,
            running.c.pacticipant_id.label("consumer_id"),
            running.c.version_id.label("consumer_version_id"),
            publication.c.provider_id,
            provider.c.version_id.label("provider_version_id"),
            case((is_unverified, cast(null(), verification.c.success.type)), else_=verification.c.success).label(
                "success"
            ),
        )
        .select_from(running)
        .join(publication, publication.c.consumer_version_id == running.c.version_id)
        .join(
            provider,
            (provider.c.environment_id == running.c.environment_id)
            & (provider.c.pacticipant_id == publication.c.provider_id),
        )
        .outerjoin(
            verification,
            (verification.c.content_id == publication.c.content_id)
            & (verification.c.provider_version_id == provider.c.version_id)
            & verification.c.is_latest,
        )
        .where(
            publication.c.is_current,
            or_(is_unverified, ~verification.c.success),
        )
    )


_ENVIRONMENTS: Final = select(environment.c.id, environment.c.display_name, environment.c.is_production)
_IDS: Final[Any] = bindparam("ids", expanding=True)
_NAMES: Final = select(pacticipant.c.id, pacticipant.c.name).where(pacticipant.c.id.in_(_IDS))
_NUMBERS: Final = select(version.c.id, version.c.number).where(version.c.id.in_(_IDS))


def list_unverified(db: Connection, *, max_counted: int | None = None) -> UnverifiedPairs:
    """List the versions that run together without a successful result.

    Production comes first, then the largest groups. Counting stops at `max_counted` pairs: then other environments are
    only queried if production has fewer.
    """
    environments = {row.id: row for row in fetch_rows(db, _ENVIRONMENTS, {})}
    production = {id_ for id_, row in environments.items() if row.is_production}
    if max_counted is None:
        pairs = _list_pairs(db, environments)
    else:
        pairs = _list_pairs(db, production)
        if len(pairs) <= max_counted:
            pairs += _list_pairs(db, environments.keys() - production)
    names = _load_texts(db, _NAMES, {id_ for pair in pairs for id_ in (pair.consumer, pair.provider)})
    lowered = {id_: name.lower() for id_, name in names.items()}

    def sort_key(pair: _Pair) -> tuple[object, ...]:
        place = environments[pair.environment]
        names_of_pair = (lowered[pair.consumer], lowered[pair.provider])
        versions = (pair.consumer_version, pair.provider_version)  # several may run in one environment
        return (not place.is_production, pair.success is None, place.display_name, *names_of_pair, *versions)

    pairs.sort(key=sort_key)
    together = _merge_environments(pairs[:max_counted], environments)
    groups = group_by_cause(
        together,
        provider=lambda item: (item.pair.success, item.pair.provider_version),
        consumer=lambda item: (item.pair.success, item.pair.consumer_version),
    )
    groups.sort(key=lambda group: not any(item.is_production for item in group.items))
    has_more = max_counted is not None and len(pairs) > max_counted
    return UnverifiedPairs(groups, len(together), has_more, names)


def describe_unverified(
    db: Connection, unverified: UnverifiedPairs, shown: slice, failed_latest: Mapping[PairIds, IntegrationSummary]
) -> Attention[UnverifiedTogether]:
    """Load the details of a slice of the groups. `failed_latest` are pairs whose latest pacts failed."""
    groups = _describe(db, unverified.groups[shown], unverified.names, failed_latest)
    return Attention(groups, unverified.total, unverified.has_more, group_count=len(unverified.groups))


def _list_pairs(db: Connection, environments: Collection[int]) -> list[_Pair]:
    if not environments:
        return []
    statement = _select_unverified_pairs(has_contracts=has_any_contracts(db))
    # A pact with a result of each kind yields its pair twice: a dictionary keeps it once.
    return list(dict.fromkeys(fetch_tuples(db, statement, {"environments": sorted(environments)}, _Pair)))


def _merge_environments(pairs: Iterable[_Pair], environments: Mapping[int, Any]) -> list[_Together]:
    """Merge the environments in which the same versions run together; the first result determines the state."""
    names = {id_: (row.display_name,) for id_, row in environments.items()}
    merged: dict[tuple[int, int], _Together] = {}
    for pair in pairs:
        key = (pair.consumer_version, pair.provider_version)
        first = merged.get(key)
        if first is None:
            # Production comes first, so the first pair decides whether any environment is a production environment.
            merged[key] = _Together(pair, names[pair.environment], environments[pair.environment].is_production)
        else:
            both = dict.fromkeys(first.environments + names[pair.environment])
            merged[key] = _Together(first.pair, tuple(both), first.is_production)
    return list(merged.values())


def _describe(
    db: Connection,
    groups: Sequence[CauseGroup[_Together]],
    names: Mapping[int, str],
    failed_latest: Mapping[PairIds, IntegrationSummary],
) -> list[CauseGroup[UnverifiedTogether]]:
    pairs = [item.pair for group in groups for item in group.items]
    numbers = _load_texts(
        db, _NUMBERS, {id_ for pair in pairs for id_ in (pair.consumer_version, pair.provider_version)}
    )
    return [
        CauseGroup(
            group.is_of_provider,
            [
                UnverifiedTogether(
                    environments=item.environments,
                    consumer=names[item.pair.consumer],
                    consumer_version=numbers[item.pair.consumer_version],
                    provider=names[item.pair.provider],
                    provider_version=numbers[item.pair.provider_version],
                    # A pending failure is a failure here: both versions already run together.
                    state=compute_pact_state(success=item.pair.success, was_pending=None),
                    failed_latest=(
                        failed_latest.get((item.pair.consumer, item.pair.provider))
                        if item.pair.success is False
                        else None
                    ),
                )
                for item in group.items
            ],
        )
        for group in groups
    ]


def _load_texts(db: Connection, statement: Select[*tuple[int, str]], ids: Collection[int]) -> dict[int, str]:
    return dict(tuple(row) for row in fetch_in_batches(db, statement, ids))
