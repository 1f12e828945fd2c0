"""Recordings of requests to the real application: transactions with statements and parameters, and responses."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice, pairwise
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from starlette.types import ASGIApp, Message

from bench.dialects import Access, find_dialect
from bench.operations import RequestTemplate
from bench.wire import build_unique_value, encode_request
from treaty.app import prepare_logging
from treaty.settings import Settings
from treaty.store.engine.database import Database, open_database
from treaty.web.application import build_application

T = TypeVar("T")

SHA_LENGTH: Final = 40
_TIME_INSERT: Final = "INSERT INTO audit (id, "
"""Start of the statements whose first parameter is an id that is derived from the time."""
MAX_REPETITIONS: Final = 10
"""Requests until two in a row must have executed the same statements."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as the driver received it, and the indexes of the parameters that differ between requests."""

    sql: str
    parameters: tuple[Any, ...]
    has_rows: bool = False
    """Whether each parameter is a row of parameters for one execution (`executemany`)."""
    unique_parameters: tuple[int, ...] = ()
    """Parameters that contain the unique value of the request."""
    hash_parameters: tuple[int, ...] = ()
    """Parameters that are hashes of it."""
    time_parameters: tuple[int, ...] = ()
    """Parameters that are derived from the time, and must be unique."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """Statements that the application executed in one transaction."""

    access: Access
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """The transactions of a request, and its response."""

    transactions: tuple[Transaction, ...]
    unique_value: bytes
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def statements(self) -> list[Statement]:
        return [statement for transaction in self.transactions for statement in transaction.statements]

    @property
    def shape(self) -> list[tuple[Access, list[str]]]:
        """The kinds and SQL texts of the transactions. Recordings of the same request differ in parameters only."""
        return [
            (transaction.access, [statement.sql for statement in transaction.statements])
            for transaction in self.transactions
        ]


class _LoggedDatabase:
    """A database that logs its transactions."""

    def __init__(self, database: Database) -> None:
        self._executions = find_dialect(database).log_executions(database.engine)
        self._accesses: list[tuple[Access, int]] = []
        """Each with the number of executions before it."""
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

    def clear(self) -> None:
        self._accesses.clear()
        self._executions.clear()

    def _log_access(self, access: Access) -> None:
        self._accesses.append((access, len(self._executions)))

    def read_once(self, work: Callable[[Connection], T], *, within: Connection | None = None) -> T:
        if within is None:
            self._log_access(Access.READ_ONCE)
        return self._database.read_once(work, within=within)

    def read(self, work: Callable[[Connection], T]) -> T:
        self._log_access(Access.READ)
        return self._database.read(work)

    def write(self, work: Callable[[Connection], T]) -> T:
        self._log_access(Access.WRITE)
        return self._database.write(work)

    def forbid_waiting(self) -> None:
        self._database.forbid_waiting()

    def write_in_snapshot(self, work: Callable[[Connection], T]) -> T:
        self._log_access(Access.WRITE_IN_SNAPSHOT)
        return self._database.write_in_snapshot(work)

    def checkpoint(self) -> None:
        self._database.checkpoint()

    def erase_deleted_data(self) -> bool:
        return self._database.erase_deleted_data()

    def close(self) -> None:
        self._database.close()


def record(url: str, templates: Mapping[str, RequestTemplate], host: str) -> dict[str, Recording]:
    """Send each request until its statements repeat, and return the last recording of each, by name."""
    settings = Settings(database_url=url, log_level="error")
    prepare_logging(settings)
    database = _LoggedDatabase(open_database(url))
    app = build_application(settings, database)
    try:
        return {name: _record(app, database, template, name, host) for name, template in templates.items()}
    finally:
        app.close()
        database.close()


def _record(app: ASGIApp, database: _LoggedDatabase, template: RequestTemplate, name: str, host: str) -> Recording:
    unique_values = [build_unique_value("rec", abs(hash((name, number))) % 10**9) for number in range(MAX_REPETITIONS)]
    first, second = _find_stable_pair(
        _execute(app, database, template, name, host, unique_value) for unique_value in unique_values
    )
    assert first.status == second.status < HTTPStatus.BAD_REQUEST, f"{name}: {second.status} {second.body[:500]!r}"
    pairs = zip(first.transactions, second.transactions, strict=True)
    transactions = tuple(_compare_transactions(left, right, second.unique_value) for left, right in pairs)
    return Recording(transactions, second.unique_value, second.status, second.headers, second.body)


def _find_stable_pair(recordings: Iterator[Recording]) -> tuple[Recording, Recording]:
    """Return the first two consecutive recordings with the same statements.

    The first recording is left out, since that request fills caches and executes more statements than the later ones,
    which are measured. Two recordings are needed to find the parameters that differ.
    """
    for first, second in pairwise(islice(recordings, 1, None)):
        if first.shape == second.shape:
            return first, second
    raise AssertionError("the statements differ between repetitions")


def _compare_transactions(first: Transaction, second: Transaction, unique_value: bytes) -> Transaction:
    pairs = zip(first.statements, second.statements, strict=True)
    return Transaction(
        second.access, tuple(_mark_variable_parameters(left, right, unique_value) for left, right in pairs)
    )


def _mark_variable_parameters(first: Statement, second: Statement, unique_value: bytes) -> Statement:
    unique_parameters, hash_parameters = [], []
    for index, (left, right) in enumerate(zip(first.parameters, second.parameters, strict=True)):
        if replace_unique_value(right, unique_value, b"") != right:
            unique_parameters.append(index)
        elif left != right and isinstance(right, str) and len(right) == SHA_LENGTH:
            hash_parameters.append(index)
    time_parameters = (0,) if second.sql.startswith(_TIME_INSERT) else ()
    return Statement(
        second.sql,
        second.parameters,
        second.has_rows,
        tuple(unique_parameters),
        tuple(hash_parameters),
        time_parameters,
    )


def replace_unique_value(value: Any, unique_value: bytes, other: bytes) -> Any:
    """Replace the unique value of a request in a parameter, or in each value of a row or an array."""
    match value:
        case str():
            return value.replace(unique_value.decode(), other.decode())
        case bytes():
            return value.replace(unique_value, other)
        case list() | tuple():
            return type(value)(replace_unique_value(element, unique_value, other) for element in value)
        case _:
            return value


def _execute(
    app: ASGIApp, database: _LoggedDatabase, template: RequestTemplate, name: str, host: str, unique_value: bytes
) -> Recording:
    raw = encode_request(template.method, template.path, name, host, template.body).render(unique_value)
    database.clear()
    status, headers, body = asyncio.run(send_request(app, raw))
    return Recording(database.transactions, unique_value, status, headers, body)


async def send_request(app: ASGIApp, raw: bytes) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
    """Send a request to an application in this process; return status, headers and body of the response."""
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
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    start, *chunks = messages
    return start["status"], tuple(start["headers"]), b"".join(message.get("body", b"") for message in chunks)
