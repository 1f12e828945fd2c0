"""Versions that run in the same environment without a successful result between them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
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
    literal,
    null,
    or_,
    select,
    union_all,
)

from treaty.model.overview.attention import Attention, CauseGroup, group_by_cause
from treaty.model.overview.overview import UnverifiedTogether, compute_pact_state
from treaty.store.engine.batches import fetch_in_batches, split
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
    consumer_runs, provider_runs = (
        table.alias(alias)
        for (table, _), alias in ((consumer_record, "consumer_runs"), (provider_record, "provider_runs"))
    )
    consumer_ended_at = consumer_runs.c[consumer_record[1].name]
    provider_ended_at = provider_runs.c[provider_record[1].name]
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
            (provider_runs.c.environment_id == consumer_runs.c.environment_id)
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
            publication.c.consumer_version_id.in_(bindparam("ids", expanding=True)),
            consumer_runs.c.environment_id.in_(bindparam("environments", expanding=True)),
            consumer_ended_at.is_(None),
            publication.c.is_current,
            or_(is_unverified, ~verification.c.success),
        )
    )


_RUNNING_VERSIONS: Final = union_all(
    *(
        select(literal(table.name).label("record"), table.c.version_id, table.c.environment_id).where(
            ended_at.is_(None)
        )
        for table, ended_at in _RECORDS.values()
    )
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
    # The running versions are fetched first: in a single statement, the databases would begin with all publications.
    ids: dict[str, set[int]] = defaultdict(set)
    for record, version_id, environment_id in fetch_rows(db, _RUNNING_VERSIONS, {}):
        if environment_id in environments:
            ids[record].add(version_id)
    has_contracts = has_any_contracts(db)
    # A version that is both deployed and released yields the same pair several times: a dictionary keeps it once.
    return list(
        dict.fromkeys(
            pair
            for consumer_record in sorted(ids)
            for provider_record in sorted(ids)
            for batch in split(ids[consumer_record])
            for pair in fetch_tuples(
                db,
                _select_unverified_pairs(consumer_record, provider_record, has_contracts=has_contracts),
                {"ids": batch, "environments": sorted(environments)},
                _Pair,
            )
        )
    )


def _merge_environments(pairs: Iterable[_Pair], environments: Mapping[int, Any]) -> list[_Together]:
    """Merge the environments in which the same versions run together; the first result determines the state."""
    merged: dict[tuple[int, int], list[_Pair]] = defaultdict(list)
    for pair in pairs:
        merged[pair.consumer_version, pair.provider_version].append(pair)
    return [
        _Together(
            same[0],
            tuple(dict.fromkeys(environments[pair.environment].display_name for pair in same)),
            any(environments[pair.environment].is_production for pair in same),
        )
        for same in merged.values()
    ]


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
