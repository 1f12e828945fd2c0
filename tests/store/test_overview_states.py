"""The overview of an environment and of a branch, compared with a plain implementation of its rules."""

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, delete, func, insert, select, update

from bench import system
from tests.databases import open_kept
from treaty.model.overview.overview import IntegrationSummary, OverviewFilter, OverviewSorting, PactState
from treaty.model.paging import Page
from treaty.store import newest_results, tables
from treaty.store.engine.database import Database
from treaty.store.overview import overview

SYSTEM = system.System(applications=9, integrations=20, versions=12, webhooks=1)
ALL = Page(1, 1000)
RANKS = list(PactState)
FILTERS = [
    OverviewFilter(environment="production"),
    OverviewFilter(branch="main"),
    OverviewFilter(branch="feat/0"),
    OverviewFilter(environment="test", branch="main"),
]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_kept(database_url)) as opened:
        opened.write(fill)
        yield opened


def fill(db: Connection) -> None:
    """Add a system in which several versions of an application run in an environment, and pacts and results lack."""
    chance = random.Random(5)  # noqa: S311 - not a secret
    system.fill(db, SYSTEM)
    for index in chance.sample(range(SYSTEM.applications * SYSTEM.versions), 60):
        _run(db, chance, index)
    for (id_,) in db.execute(select(tables.verification.c.id).order_by(tables.verification.c.id)).all():
        change = chance.choices(("delete", "fail", "pend", "outdate", None), (3, 1, 1, 1, 4))[0]
        of_result = tables.verification.c.id == id_
        if change == "delete":
            db.execute(delete(tables.verification).where(of_result))
        elif change == "outdate":
            db.execute(update(tables.verification).where(of_result).values(is_latest=False))
        elif change:
            db.execute(
                update(tables.verification).where(of_result).values(success=False, was_pending=change == "pend" or None)
            )
    publications = tables.publication
    for (id_,) in db.execute(select(publications.c.id).order_by(publications.c.id)).all():
        if chance.random() < 0.2:
            db.execute(delete(publications).where(publications.c.id == id_))
        else:
            created_at = system.START + timedelta(hours=chance.randrange(5))
            db.execute(update(publications).where(publications.c.id == id_).values(created_at=created_at))
    newest = (
        select(func.max(publications.c.id))
        .where(
            publications.c.consumer_id == tables.integration.c.consumer_id,
            publications.c.provider_id == tables.integration.c.provider_id,
        )
        .scalar_subquery()
    )
    db.execute(update(tables.integration).values(latest_publication_id=newest))
    newest_results.refresh_all(db)


def _run(db: Connection, chance: random.Random, index: int) -> None:
    """Deploy or release a version to an environment, beside those of its application that run there."""
    record = {
        "uuid": f"running-{index}",
        "pacticipant_id": index // SYSTEM.versions + 1,
        "version_id": index + 1,
        "environment_id": chance.choice((1, 3)),
        "created_at": system.START,
        "updated_at": system.START,
    }
    if chance.random() < 0.3:
        db.execute(insert(tables.released_version), record)
    else:
        more = {"application_instance": f"instance {index}", "is_auto_created": False}
        db.execute(insert(tables.deployed_version), {**record, **more})


class Row(NamedTuple):
    state: PactState
    version: str
    provider_version: str | None


def compute(db: Connection, overview_filter: OverviewFilter) -> dict[tuple[str, str], Row]:
    """Compute the state of each pair from all rows of the tables."""
    names = {row.id: row.name for row in _read(db, tables.pacticipant)}
    numbers = {row.id: row.number for row in _read(db, tables.version)}
    results = _read(db, tables.verification)
    verified = {(row.consumer_id, row.provider_id) for row in results}
    live = _list_live(db, overview_filter.environment)

    def judge(pact: Any) -> tuple[PactState, Any]:
        of_content = [row for row in results if row.content_id == pact.content_id]
        not_verified = PactState.CHANGED if (pact.consumer_id, pact.provider_id) in verified else PactState.UNKNOWN
        there = live[pact.provider_id] if overview_filter.environment else set()
        if there:
            between = [row for row in of_content if row.is_latest and row.provider_version_id in there]
            shown = min(between, key=lambda row: (row.success, bool(row.was_pending), -row.id), default=None)
            if shown and shown.success and there != {row.provider_version_id for row in between}:
                return not_verified, shown
        else:
            shown = max(of_content, key=lambda row: (row.created_at, row.id), default=None)
        if shown is None:
            return not_verified, None
        failure = PactState.PENDING if shown.was_pending else PactState.FAILED
        return PactState.VERIFIED if shown.success else failure, shown

    rows: dict[tuple[str, str], Row] = {}
    for pair, pacts in _choose_pacts(db, overview_filter, live).items():
        judged = [(*judge(pact), pact) for pact in pacts]
        state, shown, pact = min(judged, key=lambda item: (RANKS.index(item[0]), -item[2].position))
        provider_version = numbers[shown.provider_version_id] if shown else None
        rows[names[pair[0]], names[pair[1]]] = Row(state, numbers[pact.consumer_version_id], provider_version)
    return rows


def _read(db: Connection, table: Any) -> list[Any]:
    return list(db.execute(select(table)).all())


def _list_live(db: Connection, environment: str | None) -> dict[int, set[int]]:
    ids = {row.name: row.id for row in _read(db, tables.environment)}
    live: dict[int, set[int]] = defaultdict(set)
    records = [row for row in _read(db, tables.deployed_version) if row.undeployed_at is None]
    records += [row for row in _read(db, tables.released_version) if row.support_ended_at is None]
    for row in records:
        if environment and row.environment_id == ids[environment]:
            live[row.pacticipant_id].add(row.version_id)
    return live


def _choose_pacts(
    db: Connection, overview_filter: OverviewFilter, live: dict[int, set[int]]
) -> dict[tuple[int, int], list[Any]]:
    pacts: dict[tuple[int, int], list[Any]] = defaultdict(list)
    ids_of_branch = {row.id for row in _read(db, tables.branch) if row.name == overview_filter.branch}
    on_branch = {row.version_id for row in _read(db, tables.branch_version) if row.branch_id in ids_of_branch}
    for row in _read(db, tables.publication):
        if overview_filter.branch is None or row.consumer_version_id in on_branch:
            pacts[row.consumer_id, row.provider_id].append(row)
    if overview_filter.branch is not None:
        pacts = {pair: [max(rows, key=lambda row: row.position)] for pair, rows in pacts.items()}
    if overview_filter.environment is not None:
        pacts = {
            pair: [row for row in rows if row.consumer_version_id in live[pair[0]]] for pair, rows in pacts.items()
        }
    return {pair: rows for pair, rows in pacts.items() if rows}


def load(
    db: Connection, overview_filter: OverviewFilter, sorting: OverviewSorting, *, is_reversed: bool = False
) -> list[IntegrationSummary]:
    loaded = overview.load_overview(
        db, overview_filter, ALL, sorting, is_reversed=is_reversed, overdue_since=datetime.now(UTC)
    )
    states = [item.state for item in loaded.integrations.items]
    assert {state: states.count(state) for state in states} == loaded.counts
    return list(loaded.integrations.items)


def test_each_pair_has_the_state_of_its_pact(database: Database) -> None:
    def compare(db: Connection) -> None:
        for overview_filter in FILTERS:
            items = load(db, overview_filter, OverviewSorting.CONSUMER)
            shown = {
                (item.consumer, item.provider): Row(item.state, item.version or "", item.provider_version)
                for item in items
            }
            assert shown == compute(db, overview_filter)
            edges = overview.list_network_edges(db, overview_filter)
            assert [(edge.consumer, edge.provider, edge.state) for edge in edges] == [
                (item.consumer, item.provider, item.state) for item in items
            ]

    database.read(compare)


def test_lists_of_environments_and_branches_are_in_order(database: Database) -> None:
    """Names follow any other order, and pairs without the time by which a list is sorted come last."""

    def compare(db: Connection) -> None:
        for overview_filter in FILTERS:
            by_name = sorted(
                load(db, overview_filter, OverviewSorting.STATE), key=lambda it: (it.consumer, it.provider)
            )
            for is_reversed in (False, True):
                for sorting, key in (
                    (OverviewSorting.CONSUMER, lambda item: item.consumer),
                    (OverviewSorting.STATE, lambda item: RANKS.index(item.state)),
                ):
                    expected = sorted(by_name, key=key, reverse=is_reversed)
                    assert load(db, overview_filter, sorting, is_reversed=is_reversed) == expected
                by_provider = sorted(by_name, key=lambda item: item.provider, reverse=is_reversed)
                assert load(db, overview_filter, OverviewSorting.PROVIDER, is_reversed=is_reversed) == by_provider
                for sorting, name in (
                    (OverviewSorting.PUBLISHED, "published_at"),
                    (OverviewSorting.VERIFIED, "verified_at"),
                ):
                    timed = [item for item in by_name if getattr(item, name)]
                    timed.sort(key=lambda item: getattr(item, name), reverse=not is_reversed)
                    untimed = [item for item in by_name if not getattr(item, name)]
                    assert load(db, overview_filter, sorting, is_reversed=is_reversed) == timed + untimed

    database.read(compare)
