"""Connections that break: a server that ends them, one that does not respond, and one that has stopped."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest
from sqlalchemy import Column, Connection, MetaData, Table, event, func, literal, select, text
from sqlalchemy.exc import ProgrammingError

from tests import postgres
from treaty.store.engine.database import Postgresql, Unavailable, fetch_scalar, open_database

ONE = select(literal(1))


@pytest.fixture
def url(postgres_url: str) -> Iterator[str]:
    """Connections to SQLite do not break."""
    with postgres.database(postgres_url) as url:
        yield url


def test_after_the_server_ended_all_connections_new_ones_are_opened(url: str) -> None:
    database = open_database(url, connections=2)
    assert database.read(lambda db: fetch_scalar(db, ONE, {})) == 1
    end_connections(url)
    assert database.write(lambda db: fetch_scalar(db, ONE, {})) == 1
    assert database.read(lambda db: fetch_scalar(db, ONE, {})) == 1
    database.close()


def end_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_read_once_uses_the_driver_alone(url: str) -> None:
    database = open_database(url, connections=1)
    executed: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda _db, _cursor, sql, *_: executed.append(sql))
    assert database.read_once(lambda db: fetch_scalar(db, ONE, {})) == 1
    assert executed == []
    database.close()


def test_read_once_succeeds_after_the_server_ended_all_connections(url: str) -> None:
    database = open_database(url, connections=3)
    every_connection = Barrier(3)

    def ask(db: Connection) -> object:
        every_connection.wait(5)
        return fetch_scalar(db, ONE, {})

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(database.read_once, [ask] * 3)) == [1, 1, 1]
    end_connections(url)
    for _ in range(6):
        assert database.read_once(lambda db: fetch_scalar(db, ONE, {})) == 1
    database.close()


def test_read_once_succeeds_after_the_type_of_a_column_changed(url: str) -> None:
    database = open_database(url, connections=1)
    database.write(lambda db: db.execute(text("CREATE TABLE place AS SELECT 1 AS name")))
    statement = select(Table("place", MetaData(), Column("name")).c.name)
    assert {database.read_once(lambda db: fetch_scalar(db, statement, {})) for _ in range(10)} == {1}
    database.write(lambda db: db.execute(text("ALTER TABLE place ALTER name TYPE text")))
    assert {database.read_once(lambda db: fetch_scalar(db, statement, {})) for _ in range(10)} == {"1"}
    database.close()


def test_a_failed_query_raises_its_error_and_the_connection_stays_usable(url: str) -> None:
    database = open_database(url, connections=1)
    with pytest.raises(ProgrammingError, match='relation "nowhere" does not exist'):
        database.read_once(lambda db: fetch_scalar(db, select(Table("nowhere", MetaData(), Column("x"))), {}))
    assert database.read_once(lambda db: fetch_scalar(db, ONE, {})) == 1
    database.close()


def test_read_once_within_a_read_succeeds_after_the_server_ended_all_connections(url: str) -> None:
    database = open_database(url, connections=2)

    def ask(db: Connection) -> list[object]:
        return [database.read_once(lambda db: fetch_scalar(db, ONE, {}), within=db), fetch_scalar(db, ONE, {})]

    assert database.read(ask) == [1, 1]
    end_connections(url)
    assert database.read(ask) == [1, 1]
    database.close()


def test_simultaneous_work_uses_at_most_the_configured_number_of_connections(url: str) -> None:
    database = open_database(url, connections=2)

    def ask(number: int) -> object:
        work = (database.read_once, database.read, database.write)[number % 3]
        return work(lambda db: fetch_scalar(db, select(func.pg_sleep(0.01)), {}))

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(ask, range(60)))
    with psycopg.connect(url) as other:
        count = other.execute(
            "SELECT count(*) - 1 FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"  # and no autovacuum worker
        )
        assert count.fetchone() == (2,)
    with database.engine.connect() as first, database.engine.connect() as second:
        assert {first.get_isolation_level(), second.get_isolation_level()} == {"READ COMMITTED"}
    database.close()


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = open_database(f"postgresql://treaty@127.0.0.1:{silent.getsockname()[1]}/treaty", wait=2)
        began = time.monotonic()
        with pytest.raises(Unavailable, match="timeout"):
            database.read(lambda db: fetch_scalar(db, ONE, {}))
        assert time.monotonic() - began < 10
        database.close()


def test_parameters_of_the_url_override_the_default_timeouts(url: str) -> None:
    database = open_database(f"{url}?keepalives_idle=7")
    assert isinstance(database, Postgresql)
    with database.engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        parameters = driver.info.get_parameters()
        assert (parameters["keepalives_idle"], parameters["connect_timeout"]) == ("7", "5")
    database.close()
