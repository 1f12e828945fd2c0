"""The floor of the benchmarks: a minimal application that replays recordings of the real one.

It executes the recorded statements with the database driver alone, and returns the recorded response. So both servers
have the same cost for the database, the disk and HTTP, and the difference is the cost of Treaty's own code.
"""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Final

import uvicorn
from starlette.types import Receive, Scope, Send

from bench.dialects import Dialect, Execution, Replayer, Transactions, find_dialect
from bench.recording import Recording, Statement, Transaction, replace_unique_value
from bench.wire import OPERATION_HEADER, build_unique_value
from treaty import app
from treaty.settings import Settings
from treaty.store.engine.database import Database, open_database

LATE: Final = 1 << 60
"""Added to numbers, so that ids derived from the time are later than all recorded ones."""


class Floor:
    """Executes the recorded statements of each request, and returns the recorded response."""

    def __init__(self, recordings: Mapping[str, Recording], replayer: Replayer) -> None:
        self._recordings = {name.encode(): recording for name, recording in recordings.items()}
        self._replayer = replayer
        self._numbers = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _handle_lifespan(receive, send)
            return
        name = next(value for key, value in scope["headers"] if key == OPERATION_HEADER.encode())
        recording = self._recordings[name]
        while (await receive()).get("more_body"):
            pass
        if recording.transactions:
            await self._replayer.replay(_render_transactions(recording, next(self._numbers)))
        await send({"type": "http.response.start", "status": recording.status, "headers": list(recording.headers)})
        await send({"type": "http.response.body", "body": recording.body})

    def close(self) -> None:
        self._replayer.close()


def _render_transactions(recording: Recording, number: int) -> Transactions:
    """Replace the recorded values that must be unique, as a second insert of the same ones would fail."""
    unique_value = build_unique_value("flr", number)
    sha = f"{number:040x}"
    return [
        (
            transaction.access,
            [
                Execution(
                    statement.sql,
                    _render_parameters(statement, recording.unique_value, unique_value, sha, time=LATE + number),
                    statement.has_rows,
                )
                for statement in transaction.statements
            ],
        )
        for transaction in recording.transactions
    ]


def _render_parameters(
    statement: Statement, recorded_value: bytes, unique_value: bytes, sha: str, *, time: int
) -> Sequence[Any]:
    if not (statement.unique_parameters or statement.hash_parameters or statement.time_parameters):
        return statement.parameters
    values = list(statement.parameters)
    for index in statement.unique_parameters:
        values[index] = replace_unique_value(values[index], recorded_value, unique_value)
    for index in statement.hash_parameters:
        values[index] = sha
    for index in statement.time_parameters:
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


async def _handle_lifespan(receive: Receive, send: Send) -> None:
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
