"""Processor time of the queries of the usage index with 300,000 interactions, and the size of the index."""

import argparse
import gc
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Connection, Table, insert, text

from bench import histories
from tests import postgres
from treaty.model.paging import Page
from treaty.model.usage.expectations import IndexedInteraction, Place, TermKey, field_of, index_tree
from treaty.model.usage.formats import CONTENT_FORMAT
from treaty.model.usage.usage import ExpectedOperations, Usage, UsageQuery
from treaty.model.usage.words import list_words
from treaty.store import tables
from treaty.store.engine.database import Database, open_database
from treaty.store.migrations import migrate
from treaty.store.usage import queries
from treaty.store.usage.interactions import list_interactions
from treaty.store.usage.words import join_words
from treaty.web.api import usage as usage_api  # noqa: F401 - registers the representations
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, RenderContext, render

NAME: Final = "usage"
ROUNDS: Final = 40
MAX_MS: Final = 50.0
"""Target: maximum of the 95th percentile."""
START: Final = datetime(2024, 1, 1, tzinfo=UTC)
PER_CONTENT: Final = 30
IN_USE: Final = 4
"""Contents of a pair that are in use: one on main, and one in each of three environments."""
POOL: Final = 1500
"""Different interactions of a provider, from which those of its consumers are drawn."""
OPERATIONS, FIELDS, PARAMETERS, STATES, DESCRIPTIONS = 50, 300, 20, 30, 60
CONTAINERS, FIELDS_OF_CONTAINER = 3, 3
"""Lists in a response, and the fields of their items."""
WORDS: Final = ("order", "item", "price", "customer", "ship", "pay", "cart", "stock", "total", "code", "name", "date")
USAGE_TABLES: Final = ("usage_term", "usage_interaction", "usage_expectation", "usage_occurrence", "usage_content")
REPORT_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Size:
    """Size of the data: a provider with many consumers and a long history, and many smaller providers."""

    interactions: int = 300_000
    largest: int = 100
    """Consumers of the largest provider, each with 10 contents."""
    others: int = 5
    """Consumers of each other provider."""
    contents: int = 10


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer of a provider. `contents` has the numbers of the interactions in the pool, for each version."""

    name: str
    contents: Sequence[Sequence[int]]


def plan(size: Size) -> Iterator[tuple[str, Sequence[Consumer]]]:
    """Yield the names of providers with their consumers. A size always yields the same data."""
    generator = random.Random(7)  # noqa: S311 - not for secrets
    remaining, consumers, number = size.interactions, size.largest, 0
    while remaining > 0:
        yield (
            f"provider-{number}",
            [_plan_consumer(generator, f"consumer-{number}-{at}", size) for at in range(consumers)],
        )
        remaining -= consumers * size.contents * PER_CONTENT
        number += 1 + consumers
        consumers = size.others


def _plan_consumer(generator: random.Random, name: str, size: Size) -> Consumer:
    drawn = generator.sample(range(POOL), size.contents * PER_CONTENT)
    return Consumer(name, [drawn[at : at + PER_CONTENT] for at in range(0, len(drawn), PER_CONTENT)])


@cache
def interactions() -> Sequence[Mapping[str, Any]]:
    """Return the pool of interactions, in the format of pacts."""
    generator = random.Random(11)  # noqa: S311 - not for secrets
    return [_interaction(generator, at) for at in range(POOL)]


def _interaction(generator: random.Random, number: int) -> Mapping[str, Any]:
    operation, parameters = generator.randrange(OPERATIONS), generator.sample(range(PARAMETERS), 2)
    body: dict[str, Any] = {"id": 1}
    rules: dict[str, Any] = {}
    for container in generator.sample(WORDS, CONTAINERS):
        fields = generator.sample(range(WORDS.index(container), FIELDS, len(WORDS)), FIELDS_OF_CONTAINER)
        body[f"{container}s"] = [{f"{_two_words(at)[1]}{at}": "text" for at in fields}]
        if generator.random() < 0.5:  # noqa: PLR2004 - every other
            rules[f"$.{container}s"] = {"matchers": [{"match": "type"}]}
    return {
        "description": _sentence(number % DESCRIPTIONS),
        "providerStates": [{"name": _sentence(generator.randrange(STATES))}],
        "request": {
            "method": "GET",
            "path": _path(operation),
            "query": {"{}{}{}".format(*_two_words(at), at): ["1"] for at in parameters},
        },
        "response": {
            "status": 200,
            "headers": {"Content-Type": "application/json"},
            "body": body,
            "matchingRules": {"body": rules},
        },
    }


def _two_words(at: int) -> tuple[str, str]:
    return WORDS[at % len(WORDS)], WORDS[(at * 5 + at // 12) % len(WORDS)]


def _sentence(at: int) -> str:
    first, second = _two_words(at)
    return f"{first} with {second} exists {at}"


def _path(at: int) -> str:
    first, second = _two_words(at)
    return f"/{first}s/1/{second}s{at}"


def build_pact(provider: str, consumer: str, numbers: Sequence[int]) -> dict[str, Any]:
    """Build a pact from interactions of the pool."""
    return {
        "consumer": {"name": consumer},
        "provider": {"name": provider},
        "interactions": [interactions()[number] for number in numbers],
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }


def build(database: Database, size: Size, report: Callable[[int], None] = lambda _: None) -> None:
    """Fill an empty database with the rows that publications of the pacts would write, except for their bodies.

    `report` is called with the number of interactions every few seconds.
    """
    migrate(database)
    is_sqlite = database.engine.dialect.name == "sqlite"
    if is_sqlite:
        database.read_once(lambda db: db.exec_driver_sql("PRAGMA foreign_keys = OFF").close())
    filler = _Filler(size)
    database.write(filler.add_pool)
    total, reported_at = 0, time.monotonic()
    for provider, consumers in plan(size):
        # One transaction for each provider: with one for each row, there would be six million commits.
        total += database.write(partial(filler.add_provider, provider=provider, consumers=consumers))
        if time.monotonic() - reported_at > REPORT_SECONDS:
            reported_at = time.monotonic()
            report(total)
    database.write(filler.remove_pool)
    if is_sqlite:
        database.read_once(lambda db: db.exec_driver_sql("PRAGMA foreign_keys = ON").close())
    else:
        histories.analyze(database)


_POOL_TABLES: Final[Mapping[str, str]] = {
    "pool_interaction": "number INTEGER PRIMARY KEY, digest TEXT, kind TEXT, description INTEGER, operation INTEGER",
    "pool_expectation": "number INTEGER, term INTEGER, strictness INTEGER, PRIMARY KEY (number, term)",
    "drawn": "interaction_id INTEGER PRIMARY KEY, consumer_id INTEGER, content_id INTEGER, number INTEGER",
}
# The database builds the rows from the pool: Python would need minutes for six million. Terms have consecutive ids.
_ADD_DRAWN: Final = (
    """
    INSERT INTO usage_interaction (id, consumer_id, provider_id, digest, kind, description_id, operation_id)
    SELECT drawn.interaction_id, drawn.consumer_id, {provider_id}, digest, kind,
        {first_term} + description, {first_term} + operation
    FROM drawn JOIN pool_interaction ON pool_interaction.number = drawn.number ORDER BY drawn.interaction_id
    """,
    """
    INSERT INTO usage_expectation (term_id, interaction_id, strictness)
    SELECT {first_term} + term, drawn.interaction_id, strictness
    FROM drawn JOIN pool_expectation ON pool_expectation.number = drawn.number ORDER BY 1, 2
    """,
    """
    INSERT INTO usage_occurrence (content_id, interaction_id)
    SELECT content_id, interaction_id FROM drawn ORDER BY 1, 2
    """,
    "DELETE FROM drawn",
)


class _Filler:
    """Adds providers with consumers, contents and interactions to a database."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._ids: dict[str, int] = {}
        self._items = [next(iter(index_tree(tree).interactions.items())) for tree in self._list_pacts()]
        self._terms = {key: at for at, key in enumerate(dict.fromkeys(self._list_keys()))}

    def _list_pacts(self) -> Iterator[dict[str, Any]]:
        return (build_pact("provider", "consumer", [number]) for number in range(POOL))

    def _list_keys(self) -> Iterator[TermKey]:
        return (key for _, item in self._items for key in item.expectations)

    def add_pool(self, db: Connection) -> None:
        """Add the environments, and temporary tables with the indexed interactions of the pool."""
        self._add(
            db,
            tables.environment,
            [
                {"uuid": str(UUID(int=at)), "name": name, "display_name": name, "is_production": False, **_timestamps()}
                for at, name in enumerate(("test", "staging", "production"))
            ],
        )
        for name, columns in _POOL_TABLES.items():
            db.execute(text(f"CREATE TABLE {name} ({columns})"))
        _copy(
            db,
            "pool_interaction",
            [
                (number, digest, item.kind, self._terms[Place.DESCRIPTION, item.description], self._operation_of(item))
                for number, (digest, item) in enumerate(self._items)
            ],
        )
        _copy(
            db,
            "pool_expectation",
            [
                (number, self._terms[key], int(strictness))
                for number, (_, item) in enumerate(self._items)
                for key, strictness in item.expectations.items()
            ],
        )

    def _operation_of(self, item: IndexedInteraction) -> int:
        assert item.operation
        return self._terms[item.operation]

    def remove_pool(self, db: Connection) -> None:
        for name in _POOL_TABLES:
            db.execute(text(f"DROP TABLE {name}"))

    def _add(self, db: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Add rows with the next ids, and return the ids."""
        first = self._ids.get(table.name, 0) + 1
        self._ids[table.name] = first + len(rows) - 1
        ids = list(range(first, first + len(rows)))
        numbered = [{"id": row_id, **row} for row_id, row in zip(ids, rows, strict=True)]
        db.execute(insert(table), numbered)
        return ids

    def add_provider(self, db: Connection, provider: str, consumers: Sequence[Consumer]) -> int:
        """Add a provider with its consumers, and return the number of their interactions."""
        if db.dialect.name == "postgresql":
            db.execute(text("SET LOCAL session_replication_role = replica"))  # without checks of foreign keys
        (provider_id,) = self._add(db, tables.pacticipant, [_pacticipant(provider)])
        terms = [
            {
                "provider_id": provider_id,
                "place": place.value,
                "name": name,
                "field": field_of(place, name),
                "words": join_words(provider_id, list_words(name)),
            }
            for place, name in self._terms
        ]
        first_term, *_ = self._add(db, tables.usage_term, terms)
        drawn = [row for consumer in consumers for row in self._add_consumer(db, consumer, provider_id)]
        first = self._ids.get("usage_interaction", 0) + 1
        self._ids["usage_interaction"] = first + len(drawn) - 1
        _copy(db, "drawn", [(first + at, *row) for at, row in enumerate(drawn)])
        for statement in _ADD_DRAWN:
            db.execute(text(statement.format(provider_id=provider_id, first_term=first_term)))
        return len(drawn)

    def _add_consumer(self, db: Connection, consumer_plan: Consumer, provider: int) -> Iterator[tuple[int, int, int]]:
        """Add a consumer with its contents, and yield consumer, content and number of each interaction."""
        (consumer,) = self._add(db, tables.pacticipant, [{**_pacticipant(consumer_plan.name), "main_branch": "main"}])
        pair = {"consumer_id": consumer, "provider_id": provider}
        count = len(consumer_plan.contents)
        versions = self._add(
            db,
            tables.version,
            [{"pacticipant_id": consumer, "number": str(at), "position": at, **_timestamps()} for at in range(count)],
        )
        bodies = [{**pair, "sha": f"{at:040}", "body": b"{}", "created_at": START} for at in range(count)]
        contents = self._add(db, tables.content, bodies)
        publications = self._add(
            db,
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
        self._add_branch_and_deployments(db, consumer, versions)
        latest = {"latest_publication_id": publications[-1], "created_at": START}
        self._add(db, tables.integration, [{**pair, **latest}])
        markers = [
            {"content_id": content, "format": CONTENT_FORMAT, "interactions": len(numbers), "is_truncated": False}
            for content, numbers in zip(contents, consumer_plan.contents, strict=True)
        ]
        db.execute(insert(tables.usage_content), markers)
        for content, numbers in zip(contents, consumer_plan.contents, strict=True):
            yield from ((consumer, content, number) for number in numbers)

    def _add_branch_and_deployments(self, db: Connection, consumer: int, versions: Sequence[int]) -> None:
        head = {"head_version_id": versions[-1]}
        (branch,) = self._add(
            db, tables.branch, [{"pacticipant_id": consumer, "name": "main", **head, **_timestamps()}]
        )
        self._add(
            db,
            tables.branch_version,
            [
                {"branch_id": branch, "version_id": version, "position": at, "is_auto_created": False, **_timestamps()}
                for at, version in enumerate(versions)
            ],
        )
        self._add(
            db,
            tables.deployed_version,
            [
                {
                    "uuid": str(UUID(int=consumer << 8 | at)),
                    "pacticipant_id": consumer,
                    "version_id": versions[-at - 1],
                    "environment_id": at,
                    "is_auto_created": False,
                    **_timestamps(),
                }
                for at in range(1, IN_USE)
            ],
        )


def _pacticipant(name: str) -> dict[str, Any]:
    return {"name": name, "display_name": name, **_timestamps()}


def _timestamps() -> dict[str, datetime]:
    return {"created_at": START, "updated_at": START}


def _copy(db: Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
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
        "rare field": UsageQuery(provider="provider-0", field="pay20"),
        "field of all": UsageQuery(provider="provider-0", field="id"),
        "pointer": UsageQuery(provider="provider-0", pointer="/orders/*/item12", part="response"),
        "operation": UsageQuery(provider="provider-0", operation="GET /orders/{id}/items12"),
        "any operation": UsageQuery(provider="provider-0", operation="GET /{x}/{y}/{z}"),
        "operation and field": UsageQuery(provider="provider-0", operation="GET /orders/{id}/items12", field="id"),
        "state": UsageQuery(provider="provider-0", state="item with pay exists 1"),
        "text": UsageQuery(provider="provider-0", text="customer price"),
        "text of many": UsageQuery(provider="provider-0", text="exists"),
        "unused": UsageQuery(provider="provider-0", field="nothing"),
        "small provider": UsageQuery(provider="provider-101", field="id"),
    }.items()
} | {
    "operations of a provider": lambda db: queries.list_operations(db, "provider-0", Page(1, 20)),
    "interactions of a provider": lambda db: list_interactions(db, "provider-0", Page(1, 20), max_interactions=20),
    "interactions with a text": lambda db: list_interactions(
        db, "provider-0", Page(1, 20), text="customer", max_interactions=20
    ),
    "search everywhere": lambda db: queries.search(db, "customer price", 50),
    "search a letter": lambda db: queries.search(db, "c", 50),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryTimes:
    """Processor time of a query in milliseconds: of this process and of PostgreSQL's."""

    database: str
    query: str
    p50: float
    p95: float


def measure(database: Database, rounds: int) -> Iterator[QueryTimes]:
    """Run each query `rounds` times after a warm-up, and yield its times."""
    gc.collect()
    gc.freeze()  # otherwise collections would visit all objects of the build
    for name, work in QUERIES.items():
        times = [database.read(partial(_measure_ms, work)) for _ in range(rounds + 1)]
        sorted_times = sorted(times[1:])
        p95 = sorted_times[min(len(sorted_times) - 1, len(sorted_times) * 95 // 100)]
        yield QueryTimes(database=database.engine.dialect.name, query=name, p50=median(sorted_times), p95=p95)


def _measure_ms(work: Callable[[Connection], object], db: Connection) -> float:
    started_at = _processor_ms(db)
    _render(work(db))
    return _processor_ms(db) - started_at


def _render(result: object) -> None:
    """Render the responses of `GET /usage` and `GET /usage/operations`; rendering of pages (1 to 5 ms) is left out."""
    if isinstance(result, Usage | ExpectedOperations):
        render(cast("Hal", represent.hal(result)), RenderContext("https://treaty.example.org"))


def _processor_ms(db: Connection) -> float:
    process_ms = time.process_time() * 1000
    if db.dialect.name == "sqlite":
        return process_ms
    driver: Any = db.connection.dbapi_connection
    # Nanoseconds of processor time: wall time would include the work of other programs.
    nanoseconds = Path(f"/proc/{driver.info.backend_pid}/schedstat").read_text("ascii").split()[0]
    return process_ms + int(nanoseconds) / 1e6


def count_bytes(database: Database, interactions: int) -> float:
    """Return the bytes of the index for each interaction."""
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


def _print_progress(name: str, size: Size, started_at: float, interactions: int) -> None:
    seconds = time.monotonic() - started_at
    print(f"{name}: {interactions:,} of {size.interactions:,} interactions after {seconds:.0f} s", flush=True)


def _has_dbstat(connection: Connection) -> bool:
    options = connection.execute(text("PRAGMA compile_options")).scalars()
    return "ENABLE_DBSTAT_VTAB" in set(options)


def main(options: argparse.Namespace) -> None:
    """Measure the queries, and print the results."""
    size = Size(interactions=60_000) if options.quick else Size()
    with tempfile.TemporaryDirectory(prefix="treaty-bench-") as folder, ExitStack() as running:
        urls = [f"sqlite:///{Path(folder) / 'usage.sqlite'}"]
        if options.postgres:
            server = running.enter_context(postgres.server())
            urls.append(running.enter_context(postgres.database(server)))
        for url in urls:
            database = open_database(url, connections=2)
            started_at = time.monotonic()
            report = partial(_print_progress, database.engine.dialect.name, size, started_at)
            report(0)
            build(database, size, report)
            seconds, per_interaction = time.monotonic() - started_at, count_bytes(database, size.interactions)
            print(
                f"{database.engine.dialect.name}: {per_interaction:.0f} bytes/interaction, built in {seconds:.0f} s",
                flush=True,
            )
            for result in measure(database, 5 if options.quick else ROUNDS):
                verdict = "met" if result.p95 <= MAX_MS else "MISSED"
                print(
                    f"{result.database:12}{result.query:28}{result.p50:8.1f} ms{result.p95:8.1f} ms  {verdict}",
                    flush=True,
                )
            database.close()
