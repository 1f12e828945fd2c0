"""What runs together: in each environment the versions of consumers and of their providers, and their results."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    Table,
    bindparam,
    case,
    false,
    select,
    union_all,
)

from treaty.model.deployments import pipeline_key
from treaty.model.overview.overview import (
    EnvironmentReference,
    RunningPair,
    compute_pact_state,
    compute_worst_state,
)
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.conditions import IsAmong
from treaty.store.engine.database import fetch_rows
from treaty.store.provider_contracts.conditions import decisive_success, has_any_contracts, is_uncompared
from treaty.store.tables import (
    content,
    deployed_version,
    environment,
    pacticipant,
    publication,
    released_version,
    verification,
    version,
)
from treaty.store.verifications import select_newest_id

_Record = tuple[Table, ColumnElement[Any]]
_RECORDS: Final[tuple[_Record, ...]] = (
    (deployed_version, deployed_version.c.undeployed_at),
    (released_version, released_version.c.support_ended_at),
)
"""The tables of running versions, each with the column that is NULL while a version runs."""
_IDS: Final[Any] = bindparam("ids", expanding=True)
_IS_OF_PROVIDERS: Final = IsAmong(publication.c.provider_id, "providers")
_provider_version: Final = version.alias("provider_version")


def _select_pacts(record: _Record) -> Select[*tuple[Any, ...]]:
    """Select the pacts of running consumer versions, each with its newest result."""
    runs, ended_at = record
    return (
        select(
            publication.c.consumer_id,
            publication.c.provider_id,
            runs.c.environment_id,
            environment.c.name,
            environment.c.display_name,
            environment.c.is_production,
            environment.c.position,
            environment.c.created_at,
            runs.c.version_id,
            version.c.number.label("version"),
            content.c.sha,
            verification.c.id.label("verification"),
            decisive_success(verification).label("success"),
            verification.c.was_pending,
            verification.c.comparison_id.is_not(None).label("is_comparison"),
            _provider_version.c.number.label("verified_by"),
        )
        .select_from(runs)
        .join(environment, environment.c.id == runs.c.environment_id)
        .join(version, version.c.id == runs.c.version_id)
        .join(publication, publication.c.consumer_version_id == runs.c.version_id)
        .join(content, content.c.id == publication.c.content_id)
        .outerjoin(verification, verification.c.id == select_newest_id(publication.c.content_id))
        .outerjoin(_provider_version, _provider_version.c.id == verification.c.provider_version_id)
        .where(runs.c.pacticipant_id.in_(_IDS), ended_at.is_(None), publication.c.is_current, _IS_OF_PROVIDERS)
    )


def _select_neighbours(consumers: _Record, providers: _Record, *, has_contracts: bool) -> Select[*tuple[Any, ...]]:
    """Select the provider versions that run in the same environments as those pacts, with their results.

    There is a part for each combination of deployed and released, because indexes cannot be used through a union.
    """
    runs, provider_runs = consumers[0].alias("consumer_runs"), providers[0].alias("provider_runs")
    content_id = publication.c.content_id
    lacks_comparison = is_uncompared(content_id, provider_runs.c.version_id) if has_contracts else false()
    return (
        select(
            runs.c.environment_id,
            runs.c.version_id,
            publication.c.provider_id,
            version.c.number.label("provider_version"),
            verification.c.id.label("verification"),
            case((verification.c.success & lacks_comparison, None), else_=verification.c.success).label("success"),
            verification.c.was_pending,
            verification.c.comparison_id.is_not(None).label("is_comparison"),
        )
        .select_from(runs)
        .join(publication, publication.c.consumer_version_id == runs.c.version_id)
        .join(
            provider_runs,
            # The sum prevents SQLite, which has no statistics, from reading all running versions of the environment for
            # each pact: those of the provider are few.
            (provider_runs.c.environment_id + 0 == runs.c.environment_id)
            & (provider_runs.c.pacticipant_id == publication.c.provider_id)
            & provider_runs.c[providers[1].name].is_(None),
        )
        .join(version, version.c.id == provider_runs.c.version_id)
        .outerjoin(
            verification,
            (verification.c.content_id == content_id)
            & (verification.c.provider_version_id == provider_runs.c.version_id)
            & verification.c.is_latest,
        )
        .where(
            runs.c.pacticipant_id.in_(_IDS),
            runs.c[consumers[1].name].is_(None),
            publication.c.is_current,
            _IS_OF_PROVIDERS,
        )
    )


_PACTS: Final = union_all(*map(_select_pacts, _RECORDS))


@cache  # built when they are needed, since they would delay the start of every server
def _select_all_neighbours(*, has_contracts: bool) -> CompoundSelect[*tuple[Any, ...]]:
    return union_all(
        *(
            _select_neighbours(consumers, providers, has_contracts=has_contracts)
            for consumers in _RECORDS
            for providers in _RECORDS
        )
    )


def load_environments(
    db: Connection, pairs: Collection[tuple[int, int]]
) -> Mapping[tuple[int, int], list[EnvironmentReference]]:
    """Load the environments in which any pact of each pair runs, by pipeline, with the worst state there.

    Pairs are ids of consumer and provider.
    """
    running: dict[tuple[int, int], dict[str, list[RunningPair]]] = defaultdict(lambda: defaultdict(list))
    for pair, member in _list_running(db, *_split_pairs(pairs)):
        if pair in pairs:
            running[pair][member.environment].append(member)
    return {pair: list(map(_summarize, environments.values())) for pair, environments in running.items()}


def _summarize(members: Sequence[RunningPair]) -> EnvironmentReference:
    first = members[0]
    return EnvironmentReference(
        name=first.display_name,
        key=first.environment,
        is_production=first.is_production,
        state=compute_worst_state(member.state for member in members),
    )


_PACTICIPANT_ID: Final = select(pacticipant.c.id, pacticipant.c.name).where(
    pacticipant.c.name.in_(bindparam("names", expanding=True))
)


def list_of_pair(db: Connection, consumer: str, provider: str) -> list[RunningPair]:
    """List the versions of a pair that run in the same environment, in the order of the pipeline."""
    ids = {row.name: row.id for row in fetch_rows(db, _PACTICIPANT_ID, {"names": [consumer, provider]})}
    if len(ids) < len({consumer, provider}):
        return []
    return [member for _, member in _list_running(db, [ids[consumer]], [ids[provider]])]


def _split_pairs(pairs: Collection[tuple[int, int]]) -> tuple[Collection[int], Collection[int]]:
    return {consumer for consumer, _ in pairs}, {provider for _, provider in pairs}


def _list_running(
    db: Connection, consumer_ids: Collection[int], provider_ids: Collection[int]
) -> Iterable[tuple[tuple[int, int], RunningPair]]:
    """List the running versions of the pacts between some consumers and providers, each with the ids of its pair."""
    params = {"providers": sorted(provider_ids)}
    # A version that is both deployed and released to an environment runs there once.
    pacts = {
        (row.environment_id, row.version_id, row.provider_id): row
        for row in fetch_in_batches(db, _PACTS, consumer_ids, params)
    }
    if not pacts:
        return
    neighbours: dict[tuple[int, int, int], dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for row in fetch_in_batches(db, _select_all_neighbours(has_contracts=has_any_contracts(db)), consumer_ids, params):
        neighbours[row.environment_id, row.version_id, row.provider_id][row.provider_version].append(row)
    for key, pact in sorted(pacts.items(), key=lambda item: (*pipeline_key(item[1]), item[1].version)):
        pair = (pact.consumer_id, pact.provider_id)
        if key not in neighbours:
            yield pair, _build_pair(pact, None, pact, pact.verified_by)
        for provider_version, results in neighbours.get(key, {}).items():
            yield pair, _build_pair(pact, provider_version, min(results, key=_severity), provider_version)


def _severity(result: Any) -> tuple[int, bool]:
    """Sort the results of one version: failures first, since a verification and a comparison both have to succeed."""
    return ({False: 0, None: 1, True: 2}[result.success], bool(result.was_pending))


def _build_pair(pact: Any, provider_version: str | None, result: Any, verified_by: str | None) -> RunningPair:
    return RunningPair(
        environment=pact.name,
        display_name=pact.display_name,
        is_production=pact.is_production,
        consumer_version=pact.version,
        provider_version=provider_version,
        state=compute_pact_state(success=result.success, was_pending=result.was_pending),
        sha=pact.sha,
        verification=result.verification,
        verified_by=verified_by if result.verification is not None else None,
        is_comparison=bool(result.is_comparison),
    )
