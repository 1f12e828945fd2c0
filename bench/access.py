"""The latency that authentication adds to a request, by the kind of credential."""

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
from bench.wire import Request, encode_request
from tests import postgres

NAME: Final = "access"
MAX_MILLISECONDS: Final = 0.3
PATH: Final = "/pacticipants"
_PASSWORD: Final = "of a server that ends with the bench"  # noqa: S105 - of no use elsewhere
_COMMANDS: Final = (
    ("user", "add", "ci", "--password-stdin"),
    ("token", "create", "--user", "ci", "--name", "bench"),
)


@dataclass(frozen=True, slots=True)
class AccessLatencies:
    """Median latencies in milliseconds on a kind of database, by the kind of credential: bare (none), basic, bearer."""

    database: str
    latencies: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        return dict(self.latencies)

    def format_lines(self) -> Iterable[str]:
        """Yield the line of the report."""
        anonymous = self.latencies["bare"]
        added = {kind: latency - anonymous for kind, latency in self.latencies.items() if kind != "bare"}
        verdict = "met" if max(added.values()) < MAX_MILLISECONDS else "not met"
        latencies = ", ".join(f"{kind} {latency:.3f}" for kind, latency in self.latencies.items())
        additions = ", ".join(f"{kind} +{latency:.3f}" for kind, latency in added.items())
        yield f"{self.database}: ms for a request: {latencies} ({additions}; target +{MAX_MILLISECONDS:g}: {verdict})"


def measure(folder: Path, *, seconds: float, rounds: int) -> AccessLatencies:
    """Measure latencies on SQLite."""
    urls = tuple(f"sqlite:///{folder / name}.sqlite" for name in ("open", "closed"))
    return AccessLatencies("SQLite", _measure_latencies(urls, folder, seconds=seconds, rounds=rounds))


def measure_on_postgres(folder: Path, *, seconds: float, rounds: int) -> AccessLatencies:
    """Measure latencies on a PostgreSQL server that is started for this. Raises `postgres.Unavailable`."""
    with postgres.server() as server, postgres.database(server) as open_, postgres.database(server) as closed:
        return AccessLatencies(
            "PostgreSQL", _measure_latencies((open_, closed), folder, seconds=seconds, rounds=rounds)
        )


def _measure_latencies(urls: tuple[str, ...], folder: Path, *, seconds: float, rounds: int) -> dict[str, float]:
    """Measure latencies in alternating rounds on a server with open access and on one with a user."""
    token = [_run_treaty(arguments, urls[1], folder) for arguments in _COMMANDS][-1]
    basic = base64.b64encode(f"ci:{_PASSWORD}".encode()).decode()
    headers = {"basic": f"authorization: Basic {basic}", "bearer": f"authorization: Bearer {token}"}
    ports = servers.free_port(), servers.free_port()
    latencies: dict[str, list[float]] = {"bare": [], **{kind: [] for kind in headers}}
    serve = partial(servers.treaty_server, log=Path(os.devnull), folder=folder)
    with ExitStack() as running:
        running.enter_context(serve(urls[0], ports[0], {}))
        running.enter_context(serve(urls[1], ports[1], {"TREATY_PUBLIC_HEARTBEAT": "1"}))
        load_generator = running.enter_context(servers.load_generator())
        requests = {"bare": (ports[0], _encode_request(ports[0]))}
        requests |= {kind: (ports[1], _encode_request(ports[1], header)) for kind, header in headers.items()}
        for _ in range(rounds):
            for kind, (port, request) in requests.items():
                latencies[kind] += load_generator.run(port, [request], clients=1, seconds=seconds).latencies
    return {kind: median(samples) * 1000 for kind, samples in latencies.items()}


def _encode_request(port: int, *headers: str) -> Request:
    """Encode a request for an empty list, whose cost is mostly that of authentication."""
    return encode_request("GET", PATH, NAME, f"127.0.0.1:{port}", headers=headers)


def _run_treaty(arguments: tuple[str, ...], database: str, folder: Path) -> str:
    treaty = Path(sys.executable).parent / "treaty"
    command = [str(treaty), *arguments, "--database-url", database]
    completed = subprocess.run(command, input=_PASSWORD + "\n", cwd=folder, capture_output=True, text=True, check=True)
    return completed.stdout.strip()
