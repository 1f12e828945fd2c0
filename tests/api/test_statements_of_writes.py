"""The number of statements of a build's writes. Each is a round trip to PostgreSQL while pacticipants are locked."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from tests.api.client import Answer, Api
from treaty.settings import Settings
from treaty.store.engine.database import open_database
from treaty.store.migrations import migrate
from treaty.web.application import build_application

Count = Callable[[Callable[[], Answer]], int]


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[tuple[Api, Count]]:
    """An application on SQLite, with a function that counts the statements of a request."""
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    database = open_database(url)
    migrate(database)
    statements: list[str] = []

    def trace(db: object) -> None:
        driver = cast("sqlite3.Connection", db.connection.dbapi_connection)  # type: ignore[attr-defined]  # of a connection
        driver.set_trace_callback(statements.append)

    def count(send: Callable[[], Answer]) -> int:
        statements.clear()
        assert send().status in {200, 201}
        # Triggers' statements are traced as comments, and the accounts are only looked for after some seconds.
        return sum(
            not statement.startswith(("--", "BEGIN", "COMMIT")) and "FROM account" not in statement
            for statement in statements
        )

    with closing(Api(build_application(Settings(database_url=url, log_level="error"), database))) as api:
        database.read(trace)
        yield api, count
    database.close()


def test_a_build_takes_few_statements(counted: tuple[Api, Count]) -> None:
    api, count = counted
    build = {"branch": "main", "buildUrl": "https://ci.example.org/1"}
    api.publish("Foo", "1", "Bar", "a", **build)
    path = api.get("/pacts/provider/Bar/consumer/Foo/latest").link("pb:publish-verification-results")
    api.post(path, {"success": True, "providerApplicationVersion": "1"})
    counts = {
        # Among them two events in the log, and the parts of the usage index that the content changes.
        "new content": count(lambda: api.publish("Foo", "2", "Bar", "b", **build)),
        "the same content": count(lambda: api.publish("Foo", "3", "Bar", "b", **build)),
        "a repeated publication": count(lambda: api.publish("Foo", "3", "Bar", "b", **build)),
        "a result": count(lambda: api.post(path, {"success": True, "providerApplicationVersion": "2"})),
    }
    assert counts == {"new content": 29, "the same content": 12, "a repeated publication": 8, "a result": 10}
