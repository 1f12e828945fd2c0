"""How long queries of the usage index take with 300,000 interactions, and how large it is for each of them."""

import argparse
import gc
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Table, insert, text

from tests import postgres
from treaty.model.paging import Page
from treaty.model.usage.expectations import FORMAT
from treaty.model.usage.usage import UsageQuery
from treaty.model.usage.words import list_words
from treaty.store import tables
from treaty.store.engine.database import Database, open_database
from treaty.store.migrations import migrate
from treaty.store.usage import queries
from treaty.store.usage.words import join_words

NAME: Final = "usage"
ROUNDS: Final = 40
MOST_MS: Final = 50.0
START: Final = datetime(2024, 1, 1, tzinfo=UTC)
PER_CONTENT: Final = 30
EXPECTATIONS: Final = 20
IN_USE: Final = 4
"""Contents of a pair that are in use: on main and in three environments."""
TERMS: Final = {"operation": 50, "response.body": 300, "request.query": 20, "state": 30, "description": 60}
WORDS: Final = ("order", "item", "price", "customer", "ship", "pay", "cart", "stock", "total", "code", "name", "date")
USAGE_TABLES: Final = ("usage_term", "usage_interaction", "usage_expectation", "usage_occurrence", "usage_content")


@dataclass(frozen=True)
class Size:
    """A provider with many consumers and a long history, and many smaller ones."""

    interactions: int = 300_000
    largest: int = 100
    """Consumers of the largest provider, each with 10 contents."""
    others: int = 5
    """Consumers of each other provider."""
    contents: int = 10


def build(database: Database, size: Size) -> None:
    """Fill an empty database."""
    chance = random.Random(7)  # noqa: S311 - it is no secret
    migrate(database)
    with database.engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))  # no foreign keys are checked
        filler = _Filler(connection, chance, size)
        remaining, consumers = size.interactions, size.largest
        while remaining > 0:
            filler.add_provider(consumers)
            remaining -= consumers * size.contents * PER_CONTENT
            consumers = size.others
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE" if connection.dialect.name == "sqlite" else "VACUUM ANALYZE"))


class _Filler:
    """Adds providers with consumers, contents and interactions."""

    def __init__(self, db: Connection, chance: random.Random, size: Size) -> None:
        self._db, self._chance, self._size = db, chance, size
        self._ids: dict[str, int] = {}
        self._add(
            tables.environment,
            [
                {"uuid": str(UUID(int=at)), "name": name, "display_name": name, "is_production": False, **_times()}
                for at, name in enumerate(("test", "staging", "production"))
            ],
        )

    def _add(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Add rows with the next ids, and return these."""
        first = self._ids.get(table.name, 0) + 1
        self._ids[table.name] = first + len(rows) - 1
        ids = list(range(first, first + len(rows)))
        numbered = [{"id": one, **row} for one, row in zip(ids, rows, strict=True)]
        self._db.execute(insert(table), numbered)
        return ids

    def add_provider(self, consumers: int) -> None:
        number = self._ids.get("pacticipant", 0)
        (provider,) = self._add(tables.pacticipant, [_pacticipant(f"provider-{number}")])
        terms = {place: self._add(tables.usage_term, list(self._terms(provider, place))) for place in TERMS}
        expectations: list[tuple[int, int, int]] = []
        for at in range(consumers):
            self._add_consumer(f"consumer-{number}-{at}", provider, terms, expectations)
        _copy(self._db, "usage_expectation", sorted(expectations))

    def _terms(self, provider: int, place: str) -> Iterator[dict[str, Any]]:
        for at in range(TERMS[place]):
            one, two = (WORDS[(at * factor + at // 12) % len(WORDS)] for factor in (1, 5))
            name = {
                "operation": f"GET /{one}s/{{id}}/{two}s{at}",
                "response.body": f"/{one}s/*/{two}{at}" if at else "/id",
                "request.query": f"{one}{two.title()}{at}",
            }.get(place, f"{one} with {two} exists {at}")
            field = name.rpartition("/")[2] if place in {"response.body", "request.query"} else None
            words = join_words(provider, list_words(name))
            yield {"provider_id": provider, "place": place, "name": name, "field": field, "words": words}

    def _add_consumer(
        self, name: str, provider: int, terms: Mapping[str, Sequence[int]], expectations: list[tuple[int, int, int]]
    ) -> None:
        (consumer,) = self._add(tables.pacticipant, [{**_pacticipant(name), "main_branch": "main"}])
        pair = {"consumer_id": consumer, "provider_id": provider}
        count = self._size.contents
        versions = self._add(
            tables.version,
            [{"pacticipant_id": consumer, "number": str(at), "position": at, **_times()} for at in range(count)],
        )
        bodies = [{**pair, "sha": f"{at:040}", "body": b"{}", "created_at": START} for at in range(count)]
        contents = self._add(tables.content, bodies)
        publications = self._add(
            tables.publication,
            [
                {
                    **pair,
                    "consumer_version_id": version,
                    "content_id": content,
                    "revision": 1,
                    "position": at,
                    "is_current": True,
                    "created_at": START,
                }
                for at, (version, content) in enumerate(zip(versions, contents, strict=True))
            ],
        )
        self._add_places(consumer, versions)
        latest = {"latest_publication_id": publications[-1], "created_at": START}
        self._add(tables.integration, [{**pair, **latest}])
        for content in contents:
            self._add_content(content, pair, terms, expectations)

    def _add_places(self, consumer: int, versions: Sequence[int]) -> None:
        head = {"head_version_id": versions[-1]}
        (branch,) = self._add(tables.branch, [{"pacticipant_id": consumer, "name": "main", **head, **_times()}])
        self._add(
            tables.branch_version,
            [
                {"branch_id": branch, "version_id": one, "position": at, "is_auto_created": False, **_times()}
                for at, one in enumerate(versions)
            ],
        )
        self._add(
            tables.deployed_version,
            [
                {
                    "uuid": str(UUID(int=consumer << 8 | at)),
                    "pacticipant_id": consumer,
                    "version_id": versions[-at - 1],
                    "environment_id": at,
                    "is_auto_created": False,
                    **_times(),
                }
                for at in range(1, IN_USE)
            ],
        )

    def _add_content(
        self,
        content: int,
        pair: Mapping[str, int],
        terms: Mapping[str, Sequence[int]],
        expectations: list[tuple[int, int, int]],
    ) -> None:
        chance = self._chance
        rows: list[dict[str, Any]] = [
            {
                **pair,
                "digest": f"{content:020}{at:020}",
                "kind": "HTTP",
                "description_id": chance.choice(terms["description"]),
                "operation_id": chance.choice(terms["operation"]),
            }
            for at in range(PER_CONTENT)
        ]
        ids = self._add(tables.usage_interaction, rows)
        for row, interaction in zip(rows, ids, strict=True):
            first = terms["response.body"][0]
            others = chance.sample(terms["response.body"][1:], EXPECTATIONS - 6)
            chosen = {row["description_id"], row["operation_id"], first, *others, chance.choice(terms["state"])}
            chosen |= set(chance.sample(terms["request.query"], 2))
            expectations += ((term, interaction, chance.randint(2, 6)) for term in chosen)
        _copy(self._db, "usage_occurrence", [(content, interaction) for interaction in ids])
        marker = {"content_id": content, "format": FORMAT, "interactions": len(ids), "is_truncated": False}
        self._db.execute(insert(tables.usage_content), [marker])


def _pacticipant(name: str) -> dict[str, Any]:
    return {"name": name, "display_name": name, **_times()}


def _times() -> dict[str, datetime]:
    return {"created_at": START, "updated_at": START}


def _copy(db: Connection, table: str, rows: Sequence[tuple[int, ...]]) -> None:
    driver: Any = db.connection.dbapi_connection
    if db.dialect.name == "sqlite":
        driver.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608 - a constant
        return
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


QUERIES: Final[Mapping[str, Callable[[Connection], object]]] = {
    name: (lambda db, query=query: queries.find_usage(db, query, Page(1, 20)))
    for name, query in {
        "rare field": UsageQuery(provider="provider-0", field="price20"),
        "field of all": UsageQuery(provider="provider-0", field="id"),
        "pointer": UsageQuery(provider="provider-0", pointer="/orders/*/order12", part="response"),
        "operation": UsageQuery(provider="provider-0", operation="GET /orders/{id}/orders12"),
        "any operation": UsageQuery(provider="provider-0", operation="GET /{x}/{y}/{z}"),
        "operation and field": UsageQuery(provider="provider-0", operation="GET /orders/{id}/orders12", field="id"),
        "state": UsageQuery(provider="provider-0", state="item with ship exists 1"),
        "text": UsageQuery(provider="provider-0", text="customer price"),
        "text of many": UsageQuery(provider="provider-0", text="exists"),
        "unused": UsageQuery(provider="provider-0", field="nothing"),
        "small provider": UsageQuery(provider="provider-101", field="id"),
    }.items()
} | {
    "operations of a provider": lambda db: queries.list_operations(db, "provider-0", Page(1, 20)),
    "search everywhere": lambda db: queries.search(db, "customer price", 50),
    "search a letter": lambda db: queries.search(db, "c", 50),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """How long processors work for a query, in milliseconds: those of this process and of PostgreSQL."""

    database: str
    query: str
    p50: float
    p95: float


def measure(database: Database, rounds: int) -> Iterator[Figures]:
    """Run each query again and again."""
    gc.collect()
    gc.freeze()  # a later collection would go through all that has been built
    for name, work in QUERIES.items():
        times = [database.read(partial(_timed, work)) for _ in range(rounds + 1)]
        later = sorted(times[1:])
        p95 = later[min(len(later) - 1, len(later) * 95 // 100)]
        yield Figures(database=database.engine.dialect.name, query=name, p50=median(later), p95=p95)


def _timed(work: Callable[[Connection], object], db: Connection) -> float:
    began = _processor_ms(db)
    work(db)
    return _processor_ms(db) - began


def _processor_ms(db: Connection) -> float:
    own = time.process_time() * 1000
    if db.dialect.name == "sqlite":
        return own
    driver: Any = db.connection.dbapi_connection
    # Nanoseconds on a processor. The clock would include what other programs do meanwhile.
    nanoseconds = Path(f"/proc/{driver.info.backend_pid}/schedstat").read_text("ascii").split()[0]
    return own + int(nanoseconds) / 1e6


def count_bytes(database: Database, interactions: int) -> float:
    """Return the size of the index for each interaction, in bytes."""
    with database.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            total = connection.execute(
                text("SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%usage%'")
                if _has_dbstat(connection)
                else text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
            ).scalar_one()
        else:
            sizes = " + ".join(f"pg_total_relation_size('{name}')" for name in USAGE_TABLES)
            total = connection.execute(text(f"SELECT {sizes}")).scalar_one()
    return float(total) / interactions


def _has_dbstat(connection: Connection) -> bool:
    options = connection.execute(text("PRAGMA compile_options")).scalars()
    return "ENABLE_DBSTAT_VTAB" in set(options)


def main(options: argparse.Namespace) -> None:
    """Measure the queries, and print what was found."""
    size = Size(interactions=60_000) if options.quick else Size()
    with tempfile.TemporaryDirectory(prefix="treaty-bench-") as folder, ExitStack() as running:
        urls = [f"sqlite:///{Path(folder) / 'usage.sqlite'}"]
        if options.postgres:
            server = running.enter_context(postgres.server())
            urls.append(running.enter_context(postgres.database(server)))
        for url in urls:
            database = open_database(url, connections=2)
            began = time.monotonic()
            build(database, size)
            seconds, per_interaction = time.monotonic() - began, count_bytes(database, size.interactions)
            print(
                f"{database.engine.dialect.name}: {per_interaction:.0f} bytes an interaction, built in {seconds:.0f} s"
            )
            for one in measure(database, 5 if options.quick else ROUNDS):
                is_met = "met" if one.p95 <= MOST_MS else "MISSED"
                print(f"{one.database:12}{one.query:28}{one.p50:8.1f} ms{one.p95:8.1f} ms  {is_met}", flush=True)
            database.close()
