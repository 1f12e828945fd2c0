"""The floor: an application that only replays, with the database driver alone, what was recorded of the real one."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Final

import uvicorn
from starlette.types import Receive, Scope, Send

from bench.dialects import Dialect, Execution, Replayer, Transactions, find_dialect
from bench.recording import Recording, Statement, Transaction, replace_filling
from bench.wire import OPERATION, unique
from treaty import app
from treaty.settings import Settings
from treaty.store.engine.database import Database, open_database

LATE: Final = 1 << 60
"""Later than any time that something was recorded at."""


class Floor:
    """Answers each request with as many bytes as the real application, after the same statements."""

    def __init__(self, recordings: Mapping[str, Recording], replayer: Replayer) -> None:
        self._recordings = {name.encode(): recording for name, recording in recordings.items()}
        self._replayer = replayer
        self._numbers = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        name = next(value for key, value in scope["headers"] if key == OPERATION.encode())
        recording = self._recordings[name]
        while (await receive()).get("more_body"):
            pass
        if recording.transactions:
            await self._replayer.replay(_fill(recording, next(self._numbers)))
        await send({"type": "http.response.start", "status": recording.status, "headers": list(recording.headers)})
        await send({"type": "http.response.body", "body": recording.body})

    def close(self) -> None:
        self._replayer.close()


def _fill(recording: Recording, number: int) -> Transactions:
    """Fill in what a request has of its own, so that what is unique stays so."""
    filling = unique("flr", number)
    sha = f"{number:040x}"
    return [
        (
            transaction.access,
            [
                Execution(
                    statement.sql,
                    _parameters(statement, recording.filling, filling, sha, time=LATE + number),
                    statement.has_rows,
                )
                for statement in transaction.statements
            ],
        )
        for transaction in recording.transactions
    ]


def _parameters(statement: Statement, recorded: bytes, filling: bytes, sha: str, *, time: int) -> Sequence[Any]:
    if not (statement.named or statement.hashed or statement.timed):
        return statement.parameters
    values = list(statement.parameters)
    for index in statement.named:
        values[index] = replace_filling(values[index], recorded, filling)
    for index in statement.hashed:
        values[index] = sha
    for index in statement.timed:
        values[index] = time
    return values


def _make_repeatable(recording: Recording, dialect: Dialect) -> Recording:
    return replace(
        recording,
        transactions=tuple(
            Transaction(
                transaction.access,
                tuple(
                    replace(statement, sql=dialect.make_repeatable(statement.sql))
                    for statement in transaction.statements
                ),
            )
            for transaction in recording.transactions
        ),
    )


async def _live(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": f"{message['type']}.complete"})


def build_floor(database: Database, recordings: Mapping[str, Recording]) -> Floor:
    """Build the floor on a database, with connections like those of the real application."""
    dialect = find_dialect(database)
    repeatable = {name: _make_repeatable(recording, dialect) for name, recording in recordings.items()}
    return Floor(repeatable, dialect.open_replayer(database))


def serve(url: str, recordings: Mapping[str, Recording], port: int) -> None:
    """Serve the floor, on the server program of the real application."""
    settings = Settings(port=port, database_url=url, log_level="error")
    app.prepare_logging(settings)
    server = uvicorn.Server(app.server_config(settings, build_floor(open_database(url), recordings)))
    server.run([socket.create_server((settings.host[0], settings.port), backlog=2048)])
