"""Versions that run in the same environment without a successful result between them."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
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

from treaty.model.overview.overview import PactState, UnverifiedPair, compute_pact_state
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_rows
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

_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")
_consumer_version: Final = version.alias("consumer_version")
_provider_version: Final = version.alias("provider_version")

_Record = tuple[Table, ColumnElement[Any]]
_RECORDS: Final[Mapping[str, _Record]] = {
    table.name: (table, ended_at)
    for table, ended_at in (
        (deployed_version, deployed_version.c.undeployed_at),
        (released_version, released_version.c.support_ended_at),
    )
}
"""The tables of running versions by their names, each with the column that is NULL while a version runs."""


@cache
def _select_unverified_pairs(
    consumer_table: str, provider_table: str, *, has_contracts: bool
) -> Select[*tuple[Any, ...]]:
    """Select consumer and provider versions in one environment that have no successful result between them.

    There is one statement for each combination of deployed and released, because the indexes cannot be used through a
    union. It is built when it is needed, since building all of them would delay the start of every server.
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
    unverified = (
        select(
            is_unverified.label("is_unverified"),
            consumer_runs.c.environment_id,
            consumer_runs.c.version_id.label("consumer_version_id"),
            provider_runs.c.version_id.label("provider_version_id"),
            publication.c.consumer_id,
            publication.c.provider_id,
            case((is_unverified, cast(null(), verification.c.success.type)), else_=verification.c.success).label(
                "success"
            ),
        )
        .distinct()
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
        .order_by(
            is_unverified,
            consumer_runs.c.environment_id,
            consumer_runs.c.version_id,
            provider_runs.c.version_id,
        )
        .limit(bindparam("limit", type_=Integer))
        .subquery("unverified")
    )
    # Names are joined after the limit, so they are only looked up for the rows that are returned.
    return (
        select(
            environment.c.display_name.label("environment"),
            _consumer.c.name.label("consumer"),
            _consumer_version.c.number.label("consumer_version"),
            _provider.c.name.label("provider"),
            _provider_version.c.number.label("provider_version"),
            unverified.c.success,
        )
        .join_from(unverified, environment, environment.c.id == unverified.c.environment_id)
        .join(_consumer, _consumer.c.id == unverified.c.consumer_id)
        .join(_provider, _provider.c.id == unverified.c.provider_id)
        .join(_consumer_version, _consumer_version.c.id == unverified.c.consumer_version_id)
        .join(_provider_version, _provider_version.c.id == unverified.c.provider_version_id)
    )


_RUNNING_VERSIONS: Final = union_all(
    *(
        select(literal(table.name).label("record"), table.c.version_id, table.c.environment_id)
        .join(environment, environment.c.id == table.c.environment_id)
        .where(ended_at.is_(None), environment.c.is_production == bindparam("is_production"))
        for table, ended_at in _RECORDS.values()
    )
)


def list_unverified_pairs(db: Connection, *, limit: int) -> list[UnverifiedPair]:
    """List versions that run together without a successful result: in production first, and failures first in each.

    Other environments are queried only if production has fewer than `limit`.
    """
    pairs: list[UnverifiedPair] = []
    for is_production in (True, False):
        if len(pairs) < limit:
            pairs += _list_pairs(db, limit - len(pairs), is_production=is_production)
    return pairs


def _list_pairs(db: Connection, limit: int, *, is_production: bool) -> list[UnverifiedPair]:
    # The running versions are fetched first: in a single statement, the databases would begin with all publications.
    running_versions = fetch_rows(db, _RUNNING_VERSIONS, {"is_production": is_production})
    params = {"environments": sorted({row.environment_id for row in running_versions}), "limit": limit}
    records = sorted({row.record for row in running_versions})
    has_contracts = has_any_contracts(db)
    # A version that is both deployed and released yields the same pair several times: a dictionary keeps it once.
    pairs = {
        _build_pair(row, is_production=is_production): None
        for consumer_record in records
        for provider_record in records
        for row in fetch_in_batches(
            db,
            _select_unverified_pairs(consumer_record, provider_record, has_contracts=has_contracts),
            {row.version_id for row in running_versions if row.record == consumer_record},
            params,
        )
    }
    return sorted(pairs, key=_sort_key)[:limit]


def _sort_key(pair: UnverifiedPair) -> tuple[object, ...]:
    return (pair.state is PactState.UNKNOWN, pair.environment, pair.consumer.lower(), pair.provider.lower())


def _build_pair(row: Any, *, is_production: bool) -> UnverifiedPair:
    return UnverifiedPair(
        environment=row.environment,
        is_production=is_production,
        consumer=row.consumer,
        consumer_version=row.consumer_version,
        provider=row.provider,
        provider_version=row.provider_version,
        # A pending failure is a failure here: both versions already run together.
        state=compute_pact_state(success=row.success, was_pending=None),
    )
