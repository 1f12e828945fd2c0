"""What the real application does for a request: its statements with their parameters, and its answer."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice, pairwise
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from starlette.types import ASGIApp, Message

from bench.dialects import Access, find_dialect
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
    has_rows: bool = False
    """Whether each parameter is a row of parameters, for an execution each."""
    named: tuple[int, ...] = ()
    """Those that hold what fills the request's blank."""
    hashed: tuple[int, ...] = ()
    """Those that are computed of it."""
    timed: tuple[int, ...] = ()
    """Those that are made of the time, and unique."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """Statements that the application executed together."""

    access: Access
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """All that a request came to."""

    transactions: tuple[Transaction, ...]
    filling: bytes
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def statements(self) -> list[Statement]:
        return [statement for transaction in self.transactions for statement in transaction.statements]

    @property
    def shape(self) -> list[tuple[Access, list[str]]]:
        """What two recordings of a request have in common."""
        return [
            (transaction.access, [statement.sql for statement in transaction.statements])
            for transaction in self.transactions
        ]


class _LoggedDatabase:
    """A database that logs its transactions."""

    def __init__(self, database: Database) -> None:
        self._executions = find_dialect(database).log_executions(database.engine)
        self._accesses: list[tuple[Access, int]] = []
        """With the number of executions before each."""
        self._database = database
        self.engine: Engine = database.engine
        self.is_local = database.is_local

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """The transactions that executed statements, without those that begin and end them."""
        starts = [*(start for _, start in self._accesses), len(self._executions)]
        transactions = (
            Transaction(access, self._statements(start, end))
            for (access, _), (start, end) in zip(self._accesses, pairwise(starts), strict=True)
        )
        return tuple(transaction for transaction in transactions if transaction.statements)

    def _statements(self, start: int, end: int) -> tuple[Statement, ...]:
        return tuple(
            Statement(sql, tuple(parameters), has_rows)
            for sql, parameters, has_rows in self._executions[start:end]
            if not sql.startswith(("BEGIN", "COMMIT"))
        )

    def forget(self) -> None:
        self._accesses.clear()
        self._executions.clear()

    def _note(self, access: Access) -> None:
        self._accesses.append((access, len(self._executions)))

    def read_once(self, work: Callable[[Connection], T], *, within: Connection | None = None) -> T:
        if within is None:
            self._note(Access.READ_ONCE)
        return self._database.read_once(work, within=within)

    def read(self, work: Callable[[Connection], T]) -> T:
        self._note(Access.READ)
        return self._database.read(work)

    def write(self, work: Callable[[Connection], T]) -> T:
        self._note(Access.WRITE)
        return self._database.write(work)

    def forbid_waiting(self) -> None:
        self._database.forbid_waiting()

    def write_in_snapshot(self, work: Callable[[Connection], T]) -> T:
        self._note(Access.WRITE_IN_SNAPSHOT)
        return self._database.write_in_snapshot(work)

    def checkpoint(self) -> None:
        self._database.checkpoint()

    def erase_deleted_data(self) -> bool:
        return self._database.erase_deleted_data()

    def close(self) -> None:
        self._database.close()


def record(url: str, wanted: Mapping[str, Asked], host: str) -> dict[str, Recording]:
    """Do each request some times on a database, and say what the last time came to."""
    settings = Settings(database_url=url, log_level="error")
    prepare_logging(settings)
    database = _LoggedDatabase(open_database(url))
    app = build_application(settings, database)
    try:
        return {name: _record(app, database, template, name, host) for name, template in wanted.items()}
    finally:
        app.close()
        database.close()


def _record(app: ASGIApp, database: _LoggedDatabase, asked: Asked, name: str, host: str) -> Recording:
    fillings = [unique("rec", abs(hash((name, number))) % 10**9) for number in range(MOST_PLAYS)]
    first, second = _settled(_play(app, database, asked, name, host, filling) for filling in fillings)
    assert first.status == second.status < HTTPStatus.BAD_REQUEST, f"{name}: {second.status} {second.body[:500]!r}"
    pairs = zip(first.transactions, second.transactions, strict=True)
    transactions = tuple(_compare_transactions(left, right, second.filling) for left, right in pairs)
    return Recording(transactions, second.filling, second.status, second.headers, second.body)


def _settled(plays: Iterator[Recording]) -> tuple[Recording, Recording]:
    """Take the first two in a row with the same statements: what is remembered by then is asked for no more."""
    for first, second in pairwise(islice(plays, 1, None)):
        if first.shape == second.shape:
            return first, second
    raise AssertionError("the statements differ from time to time")


def _compare_transactions(first: Transaction, second: Transaction, filling: bytes) -> Transaction:
    pairs = zip(first.statements, second.statements, strict=True)
    return Transaction(second.access, tuple(_compared(left, right, filling) for left, right in pairs))


def _compared(first: Statement, second: Statement, filling: bytes) -> Statement:
    named, hashed = [], []
    for index, (left, right) in enumerate(zip(first.parameters, second.parameters, strict=True)):
        if replace_filling(right, filling, b"") != right:
            named.append(index)
        elif left != right and isinstance(right, str) and len(right) == SHA_LENGTH:
            hashed.append(index)
    timed = (0,) if second.sql.startswith(_TIMED) else ()
    return Statement(second.sql, second.parameters, second.has_rows, tuple(named), tuple(hashed), timed)


def replace_filling(value: Any, filling: bytes, other: bytes) -> Any:
    """Replace what fills a blank in a parameter, or in each value of a row or an array."""
    match value:
        case str():
            return value.replace(filling.decode(), other.decode())
        case bytes():
            return value.replace(filling, other)
        case list() | tuple():
            return type(value)(replace_filling(element, filling, other) for element in value)
        case _:
            return value


def _play(app: ASGIApp, database: _LoggedDatabase, asked: Asked, name: str, host: str, filling: bytes) -> Recording:
    raw = request(asked.method, asked.path, name, host, asked.body).filled(filling)
    database.forget()
    status, headers, body = asyncio.run(call(app, raw))
    return Recording(database.transactions, filling, status, headers, body)


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
