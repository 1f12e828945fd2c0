"""Authentication: what it adds to a request, by the kind of credential."""

import base64
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench import servers
from bench.wire import Request, request
from tests import postgres

NAME: Final = "access"
MOST_MILLISECONDS: Final = 0.3
PATH: Final = "/pacticipants"
_PASSWORD: Final = "of a server that ends with the bench"  # noqa: S105 - and so of no use to anybody
_COMMANDS: Final = (
    ("user", "add", "ci", "--password-stdin"),
    ("token", "create", "--user", "ci", "--name", "bench"),
)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The median time of a request in milliseconds on a kind of database, by the kind of credential."""

    database: str
    times: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        return dict(self.times)

    def summary(self) -> Iterable[str]:
        """Write figures for people."""
        bare = self.times["bare"]
        added = {kind: time - bare for kind, time in self.times.items() if kind != "bare"}
        verdict = "met" if max(added.values()) < MOST_MILLISECONDS else "not met"
        times = ", ".join(f"{kind} {time:.3f}" for kind, time in self.times.items())
        more = ", ".join(f"{kind} +{time:.3f}" for kind, time in added.items())
        yield f"{self.database}: ms for a request: {times} ({more}; target +{MOST_MILLISECONDS:g}: {verdict})"


def measure(folder: Path, *, seconds: float, rounds: int) -> Admitted:
    """Measure on SQLite."""
    urls = tuple(f"sqlite:///{folder / name}.sqlite" for name in ("open", "closed"))
    return Admitted("SQLite", _times(urls, folder, seconds=seconds, rounds=rounds))


def measure_on_postgres(folder: Path, *, seconds: float, rounds: int) -> Admitted:
    """Measure on a PostgreSQL that is started for it. Raises Unavailable."""
    with postgres.server() as server, postgres.database(server) as open_, postgres.database(server) as closed:
        return Admitted("PostgreSQL", _times((open_, closed), folder, seconds=seconds, rounds=rounds))


def _times(urls: tuple[str, ...], folder: Path, *, seconds: float, rounds: int) -> dict[str, float]:
    """Measure in turn on a server that is open and on one with a user, each with a database of its own."""
    token = [_run(words, urls[1], folder) for words in _COMMANDS][-1]
    basic = base64.b64encode(f"ci:{_PASSWORD}".encode()).decode()
    headers = {"basic": f"authorization: Basic {basic}", "bearer": f"authorization: Bearer {token}"}
    ports = servers.free_port(), servers.free_port()
    times: dict[str, list[float]] = {"bare": [], **{kind: [] for kind in headers}}
    serve = partial(servers.treaty_server, log=Path(os.devnull), folder=folder)
    with ExitStack() as running:
        running.enter_context(serve(urls[0], ports[0], {}))
        running.enter_context(serve(urls[1], ports[1], {"TREATY_PUBLIC_HEARTBEAT": "1"}))
        driver = running.enter_context(servers.driver())
        requests = {"bare": (ports[0], _request(ports[0]))}
        requests |= {kind: (ports[1], _request(ports[1], header)) for kind, header in headers.items()}
        for _ in range(rounds):
            for kind, (port, request) in requests.items():
                times[kind] += driver.drive(port, [request], clients=1, seconds=seconds).times
    return {kind: median(durations) * 1000 for kind, durations in times.items()}


def _request(port: int, *headers: str) -> Request:
    """Ask for a list that is empty, so that there is little else to do."""
    return request("GET", PATH, NAME, f"127.0.0.1:{port}", headers=headers)


def _run(words: tuple[str, ...], database: str, folder: Path) -> str:
    treaty = Path(sys.executable).parent / "treaty"
    command = [str(treaty), *words, "--database-url", database]
    completed = subprocess.run(command, input=_PASSWORD + "\n", cwd=folder, capture_output=True, text=True, check=True)
    return completed.stdout.strip()
