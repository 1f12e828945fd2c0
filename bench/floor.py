"""The floor: an application that only replays, with the database driver alone, what was recorded of the real one."""

import socket
import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import Receive, Scope, Send

from bench.recording import Recording, Statement
from bench.wire import OPERATION, unique
from treaty import app
from treaty.settings import Settings
from treaty.store.engine.database import open_database

LATE: Final = 1 << 60
"""Later than any time that something was recorded at."""


class Floor:
    """Answers each request with as many bytes as the real application, after the same statements."""

    def __init__(self, recordings: Mapping[str, Recording], db: sqlite3.Connection) -> None:
        self._recordings = {name.encode(): recording for name, recording in recordings.items()}
        self._db = db
        self._numbers = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        name = next(value for key, value in scope["headers"] if key == OPERATION.encode())
        recording = self._recordings[name]
        while (await receive()).get("more_body"):
            pass
        if recording.begin is not None:
            self._replay(recording, next(self._numbers))
        await send({"type": "http.response.start", "status": recording.status, "headers": list(recording.headers)})
        await send({"type": "http.response.body", "body": recording.body})

    def _replay(self, recording: Recording, number: int) -> None:
        assert recording.begin is not None
        filling = unique("flr", number)
        sha = f"{number:040x}"
        self._db.execute(recording.begin)
        for statement in recording.statements:
            values = _parameters(statement, recording.filling, filling, sha, time=LATE + number)
            self._db.execute(_repeatable(statement.sql), values).fetchall()
        self._db.execute("COMMIT")


@cache
def _repeatable(sql: str) -> str:
    """Let a statement add the same row again: rows of the usage index have ids that the database generated before."""
    return sql.replace("INSERT INTO usage_", "INSERT OR REPLACE INTO usage_", 1)


async def _live(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": f"{message['type']}.complete"})


def _parameters(statement: Statement, recorded: bytes, filling: bytes, sha: str, *, time: int) -> Sequence[Any]:
    """Put in what a request has of its own, so that what is unique stays so."""
    if not (statement.named or statement.hashed or statement.timed):
        return statement.parameters
    values = list(statement.parameters)
    for index in statement.named:
        value = values[index]
        is_text = isinstance(value, str)
        values[index] = (
            value.replace(recorded.decode(), filling.decode()) if is_text else value.replace(recorded, filling)
        )
    for index in statement.hashed:
        values[index] = sha
    for index in statement.timed:
        values[index] = time
    return values


def serve(path: Path, recordings: Mapping[str, Recording], port: int) -> None:
    """Serve the floor, on the server program and with the connection that the real application has."""
    settings = Settings(port=port, database_url=f"sqlite:///{path}", log_level="error")
    app.prepare_logging(settings)
    driver = open_database(settings.database_url).engine.raw_connection().driver_connection
    assert isinstance(driver, sqlite3.Connection)
    server = uvicorn.Server(app.server_config(settings, Floor(recordings, driver)))
    server.run([socket.create_server((settings.host[0], settings.port), backlog=2048)])
