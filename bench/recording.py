"""What the real application does for a request: its statements with their parameters, and its answer."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

from sqlalchemy import Connection, Engine, event
from starlette.types import ASGIApp, Message

from bench.operations import Asked
from bench.wire import request, unique
from treaty.app import prepare_logging
from treaty.settings import Settings
from treaty.store.engine.database import Database, open_database
from treaty.web.application import build_application

T = TypeVar("T")

SHA_LENGTH: Final = 40
_TIMED: Final = "INSERT INTO audit (id, "
"""Begins the statements whose first parameter is made of the time."""
MOST_PLAYS: Final = 10


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as the driver was given it, and which parameters each request has of its own."""

    sql: str
    parameters: tuple[Any, ...]
    named: tuple[int, ...] = ()
    """Those that hold what fills the request's blank."""
    hashed: tuple[int, ...] = ()
    """Those that are computed of it."""
    timed: tuple[int, ...] = ()
    """Those that are made of the time, and unique."""


@dataclass(frozen=True, slots=True)
class Recording:
    """All that a request came to."""

    begin: str | None
    """How its transaction began; None when there was none."""
    statements: tuple[Statement, ...]
    filling: bytes
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class _Cursor(sqlite3.Cursor):
    """A cursor that notes what it executes."""

    def execute(self, sql: str, parameters: Any = (), /) -> "_Cursor":
        if isinstance(self.connection, _Watching):
            plain = (bytes(parameter) if isinstance(parameter, memoryview) else parameter for parameter in parameters)
            self.connection.executed.append(Statement(sql, tuple(plain)))
        super().execute(sql, parameters)
        return self


class _Watching(sqlite3.Connection):
    """A connection whose cursors do."""

    executed: ClassVar[list[Statement]] = []

    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = self.cursor().execute(sql, parameters)
        return cursor


def _watch(_dialect: object, _record: object, _arguments: object, options: dict[str, Any]) -> None:
    options["factory"] = _Watching


class _Watched:
    """A database that keeps what it is asked."""

    def __init__(self, database: Database) -> None:
        event.listen(database.engine, "do_connect", _watch)
        self._database = database
        self.engine: Engine = database.engine
        self.is_local = database.is_local
        self.begin: str | None = None

    @property
    def statements(self) -> list[Statement]:
        """What was executed, but for what begins and ends a transaction."""
        return [statement for statement in _Watching.executed if not statement.sql.startswith(("BEGIN", "COMMIT"))]

    def forget(self) -> None:
        self.begin = None
        _Watching.executed.clear()

    def read_once(self, work: Callable[[Connection], T], *, within: Connection | None = None) -> T:
        return self._database.read_once(work, within=within)

    def read(self, work: Callable[[Connection], T]) -> T:
        self.begin = "BEGIN"
        return self._database.read(work)

    def write(self, work: Callable[[Connection], T]) -> T:
        self.begin = "BEGIN IMMEDIATE"
        return self._database.write(work)

    def forbid_waiting(self) -> None:
        self._database.forbid_waiting()

    def write_in_snapshot(self, work: Callable[[Connection], T]) -> T:
        self.begin = "BEGIN IMMEDIATE"
        return self._database.write_in_snapshot(work)

    def checkpoint(self) -> None:
        self._database.checkpoint()

    def erase_deleted_data(self) -> bool:
        return self._database.erase_deleted_data()

    def close(self) -> None:
        self._database.close()


def record(path: Path, wanted: Mapping[str, Asked], host: str) -> dict[str, Recording]:
    """Do each request some times on a database, and say what the last time came to."""
    url = f"sqlite:///{path}"
    settings = Settings(database_url=url, log_level="error")
    prepare_logging(settings)
    watched = _Watched(open_database(url))
    app = build_application(settings, watched)
    try:
        return {name: _record(app, watched, template, name, host) for name, template in wanted.items()}
    finally:
        watched.close()


def _record(app: ASGIApp, watched: _Watched, asked: Asked, name: str, host: str) -> Recording:
    fillings = [unique("rec", abs(hash((name, number))) % 10**9) for number in range(MOST_PLAYS)]
    first, second = _settled(_play(app, watched, asked, name, host, filling) for filling in fillings)
    assert first.status == second.status < HTTPStatus.BAD_REQUEST, f"{name}: {second.status} {second.body[:500]!r}"
    pairs = zip(first.statements, second.statements, strict=True)
    statements = tuple(_compared(left, right, second.filling) for left, right in pairs)
    return Recording(second.begin, statements, second.filling, second.status, second.headers, second.body)


def _settled(plays: Iterator[Recording]) -> tuple[Recording, Recording]:
    """Take the first two in a row with the same statements: what is remembered by then is asked for no more."""
    for first, second in pairwise(islice(plays, 1, None)):
        if [statement.sql for statement in first.statements] == [statement.sql for statement in second.statements]:
            return first, second
    raise AssertionError("the statements differ from time to time")


def _compared(first: Statement, second: Statement, filling: bytes) -> Statement:
    named, hashed = [], []
    for index, (left, right) in enumerate(zip(first.parameters, second.parameters, strict=True)):
        if (isinstance(right, bytes) and filling in right) or (isinstance(right, str) and filling.decode() in right):
            named.append(index)
        elif left != right and isinstance(right, str) and len(right) == SHA_LENGTH:
            hashed.append(index)
    timed = (0,) if second.sql.startswith(_TIMED) else ()
    return Statement(second.sql, second.parameters, tuple(named), tuple(hashed), timed)


def _play(app: ASGIApp, watched: _Watched, asked: Asked, name: str, host: str, filling: bytes) -> Recording:
    raw = request(asked.method, asked.path, name, host, asked.body).filled(filling)
    watched.forget()
    status, headers, body = asyncio.run(call(app, raw))
    return Recording(watched.begin, tuple(watched.statements), filling, status, headers, body)


async def call(app: ASGIApp, raw: bytes) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
    """Hand a request to an application in this process."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, target, _ = first.decode().split(" ")
    path, _, query = target.partition("?")
    headers = [(key, value) for key, _, value in (line.partition(b": ") for line in lines)]
    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], tuple(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent[1:])
