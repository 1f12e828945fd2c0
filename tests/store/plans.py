"""Query plans of the store's statements on SQLite."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar, cast

from sqlalchemy import Connection

from treaty.store.engine.database import Database

T = TypeVar("T")


def plans(database: Database, ask: Callable[[Connection], T]) -> tuple[T, dict[str, list[str]]]:
    """Run a query; return its result and the steps of each of its statements, in order."""
    executed: list[str] = []

    def work(db: Connection) -> tuple[T, dict[str, list[str]]]:
        driver = cast("sqlite3.Connection", db.connection.dbapi_connection)
        driver.set_trace_callback(executed.append)
        result = ask(db)
        driver.set_trace_callback(None)
        statements = [statement for statement in executed if statement.startswith(("SELECT", "WITH"))]
        return result, {
            statement: [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}")] for statement in statements
        }

    return database.read(work)
