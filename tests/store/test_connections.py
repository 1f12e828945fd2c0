"""Connections that break: a server that ends them, one that does not answer, and one that is gone."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import literal, select
from sqlalchemy.exc import OperationalError

from tests import postgres
from treaty.store.database import Postgresql, open_database, scalar

ONE = select(literal(1))


@pytest.fixture
def url(postgres_url: str) -> Iterator[str]:
    """Connections to SQLite do not break."""
    with postgres.database(postgres_url) as found:
        yield found


def test_when_the_server_ended_all_connections_work_goes_on_with_new_ones(url: str) -> None:
    database = open_database(url, connections=2)
    assert database.read(lambda db: scalar(db, ONE, {})) == 1
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert database.write(lambda db: scalar(db, ONE, {})) == 1
    assert database.read(lambda db: scalar(db, ONE, {})) == 1
    database.close()


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = open_database(f"postgresql://treaty@127.0.0.1:{silent.getsockname()[1]}/treaty", wait=2)
        began = time.monotonic()
        with pytest.raises(OperationalError, match="timeout"):
            database.read(lambda db: scalar(db, ONE, {}))
        assert time.monotonic() - began < 10
        database.close()


def test_what_the_url_says_of_patience_counts(url: str) -> None:
    database = open_database(f"{url}?keepalives_idle=7")
    assert isinstance(database, Postgresql)
    with database.engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        said = driver.info.get_parameters()
        assert (said["keepalives_idle"], said["connect_timeout"]) == ("7", "5")
    database.close()
