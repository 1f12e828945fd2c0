"""Values computed from many rows, reused while the database has not changed at all.

Each connection has its own few values, together with the state of the database that they were computed from. SQLite
counts the commits of other connections (`PRAGMA data_version`) and the rows that this one has changed; the snapshot of
a transaction on PostgreSQL names the transactions that it sees. So a value is never older than a write of any process,
unlike values that expire. Use it only in transactions that read, and not in handlers of cached responses, whose queries
must all be logged.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")

MAX_VALUES: Final = 8
"""Maximum number of values that a connection keeps."""
_INFO_KEY: Final = "values of this snapshot"


def reuse(db: Connection, key: Hashable, compute: Callable[[], T]) -> T:
    """Return the value with this key, computed again if anything has been written since. It must not be changed."""
    values: OrderedDict[Hashable, tuple[object, Any]] = db.info.setdefault(_INFO_KEY, OrderedDict())
    stamp = _read_stamp(db)
    stored = values.get(key)
    if stored is not None and stored[0] == stamp:
        values.move_to_end(key)
        value: T = stored[1]
        return value
    value = compute()
    values[key] = (stamp, value)
    values.move_to_end(key)
    if len(values) > MAX_VALUES:
        values.popitem(last=False)
    return value


def _read_stamp(db: Connection) -> object:
    """Return what differs after any write. The first query of a transaction also determines what it sees."""
    driver: Any = db.connection.dbapi_connection
    if db.dialect.name == "sqlite":
        return (driver.execute("PRAGMA data_version").fetchone()[0], driver.total_changes)
    return driver.execute("SELECT pg_current_snapshot()::text").fetchone()[0]
