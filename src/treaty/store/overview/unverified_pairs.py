"""Versions that run in the same environment without a successful result between them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    null,
    or_,
    select,
)

from treaty.model.overview.attention import Attention, CauseGroup, group_by_cause
from treaty.model.overview.overview import UnverifiedTogether, compute_pact_state
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.conditions import IsAmong
from treaty.store.engine.database import fetch_first, fetch_rows, fetch_tuples
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

_Record = tuple[Table, ColumnElement[Any]]
_RECORDS: Final[Mapping[str, _Record]] = {
    table.name: (table, ended_at)
    for table, ended_at in (
        (deployed_version, deployed_version.c.undeployed_at),
        (released_version, released_version.c.support_ended_at),
    )
}
"""The tables of running versions by their names, each with the column that is NULL while a version runs."""


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


@cache
def _select_unverified_pairs(
    consumer_table: str, provider_table: str, *, has_contracts: bool
) -> Select[*tuple[Any, ...]]:
    """Select consumer and provider versions in one environment that have no successful result between them.

    There is one statement for each combination of deployed and released, because the indexes cannot be used through a
    union. It is built when it is needed, since building all of them would delay the start of every server. Rows are
    narrow, because all of them are counted and only some are shown.
    """
    consumer_record, provider_record = _RECORDS[consumer_table], _RECORDS[provider_table]
    consumer_runs: FromClause = consumer_record[0].alias("consumer_runs")
    provider_runs = provider_record[0].alias("provider_runs")
    provider_ended_at = provider_runs.c[provider_record[1].name]
    # The running versions are selected first, since they are few compared with all publications, and in the order of
    # their index: those of one application follow each other, and their publications and results are in the same pages.
    columns = (consumer_runs.c.environment_id, consumer_runs.c.pacticipant_id, consumer_runs.c.version_id)
    is_running = consumer_runs.c[consumer_record[1].name].is_(None)
    is_in_environments = IsAmong(consumer_runs.c.environment_id, "environments")
    consumer_runs = select(*columns).where(is_running, is_in_environments).cte("running").prefix_with("MATERIALIZED")
    # A success of a verifier is no result for a provider version whose contract has not been compared.
    lacks_comparison = is_uncompared(publication.c.content_id, provider_runs.c.version_id) if has_contracts else false()
    is_unverified = or_(verification.c.id.is_(None), and_(verification.c.success, lacks_comparison))
    return (
        select(
            consumer_runs.c.environment_id,
            consumer_runs.c.pacticipant_id.label("consumer_id"),
            consumer_runs.c.version_id.label("consumer_version_id"),
            publication.c.provider_id,
            provider_runs.c.version_id.label("provider_version_id"),
            case((is_unverified, cast(null(), verification.c.success.type)), else_=verification.c.success).label(
                "success"
            ),
        )
        .select_from(consumer_runs)
        .join(publication, publication.c.consumer_version_id == consumer_runs.c.version_id)
        .join(
            provider_runs,
            # The sum prevents SQLite, which has no statistics, from reading all running versions of the environment for
            # each pact: those of the provider are few.
            (provider_runs.c.environment_id + 0 == consumer_runs.c.environment_id)
            & (provider_runs.c.pacticipant_id == publication.c.provider_id)
            & provider_ended_at.is_(None),
        )
        .outerjoin(
            verification,
            (verification.c.content_id == publication.c.content_id)
            & (verification.c.provider_version_id == provider_runs.c.version_id)
            & verification.c.is_latest,
        )
        .where(
            publication.c.is_current,
            or_(is_unverified, ~verification.c.success),
        )
    )


_RECORDS_IN_USE: Final = select(
    *(exists().where(ended_at.is_(None)).label(name) for name, (_, ended_at) in _RECORDS.items())
)
_ENVIRONMENTS: Final = select(environment.c.id, environment.c.display_name, environment.c.is_production)
_IDS: Final[Any] = bindparam("ids", expanding=True)
_NAMES: Final = select(pacticipant.c.id, pacticipant.c.name).where(pacticipant.c.id.in_(_IDS))
_NUMBERS: Final = select(version.c.id, version.c.number).where(version.c.id.in_(_IDS))


def load_unverified(db: Connection, shown: slice, *, max_counted: int | None = None) -> Attention[UnverifiedTogether]:
    """Group the versions that run together without a successful result, and load the groups of a slice.

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
        return (not place.is_production, pair.success is None, place.display_name, *names_of_pair)

    pairs.sort(key=sort_key)
    together = _merge_environments(pairs[:max_counted], environments)
    groups = group_by_cause(
        together,
        provider=lambda item: (item.pair.success, item.pair.provider_version),
        consumer=lambda item: (item.pair.success, item.pair.consumer_version),
    )
    groups.sort(key=lambda group: not any(item.is_production for item in group.items))
    described = _describe(db, groups[shown], names)
    has_more = max_counted is not None and len(pairs) > max_counted
    return Attention(described, len(together), has_more, group_count=len(groups))


def _list_pairs(db: Connection, environments: Collection[int]) -> list[_Pair]:
    if not environments:
        return []
    has_contracts = has_any_contracts(db)
    in_use = fetch_first(db, _RECORDS_IN_USE, {})
    records = [name for name, is_in_use in zip(_RECORDS, in_use, strict=True) if is_in_use]
    # A version that is both deployed and released yields the same pair several times: a dictionary keeps it once.
    return list(
        dict.fromkeys(
            pair
            for consumer_record, provider_record in product(records, repeat=2)
            for pair in fetch_tuples(
                db,
                _select_unverified_pairs(consumer_record, provider_record, has_contracts=has_contracts),
                {"environments": sorted(environments)},
                _Pair,
            )
        )
    )


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
    db: Connection, groups: Sequence[CauseGroup[_Together]], names: Mapping[int, str]
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
                )
                for item in group.items
            ],
        )
        for group in groups
    ]


def _load_texts(db: Connection, statement: Select[*tuple[int, str]], ids: Collection[int]) -> dict[int, str]:
    return dict(tuple(row) for row in fetch_in_batches(db, statement, ids))
