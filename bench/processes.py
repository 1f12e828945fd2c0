"""Comparison of the throughput of a server with one process and with two, on PostgreSQL."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench import operations, servers
from bench.histories import History
from bench.operations import OPERATIONS, Operation
from bench.servers import LoadGenerator
from bench.stores import Store
from bench.wire import Request, encode_request

NAME: Final = "processes"
MIN_RATIO: Final = 1.8
CLIENTS: Final = 16
"""The operating system chooses the process of a connection, so that a few clients could all have the same one."""
WARM_UP: Final = 0.5
"""Seconds."""
COMPARED: Final = (
    "get-pact",
    "can-i-deploy",
    "for-verification",
    "publish-verification",
    "publish-same",
    "publish-new",
)
_SETTINGS: Final = {"TREATY_SECRET_KEY": "a key of the benchmark, which is no secret"}
_COLUMNS: Final = ("req/s", "with 2", "ratio", "limit", "server", "with 2", "database", "with 2", "client")
HEADER: Final = f"{f'{NAME}, {CLIENTS} clients':28}{''.join(f'{column:>9}' for column in _COLUMNS)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Round:
    """A round with a server. Times are milliseconds of processor time for each request."""

    per_second: float
    server: float
    """Processes of the server."""
    database: float
    """Processes of PostgreSQL for the database."""
    client: float

    @property
    def cpu_ms(self) -> float:
        return self.server + self.database + self.client


@dataclass(frozen=True, slots=True)
class _Target:
    """A running server on a copy of a history."""

    store: Store
    database: str
    port: int
    pid: int

    def measure(self, load_generator: LoadGenerator, requests: Sequence[Request], seconds: float) -> _Round:
        total_before, server = self._read_processor_seconds()
        result = load_generator.run(self.port, requests, clients=CLIENTS, seconds=seconds, sleeps=True)
        total_after, server_after = self._read_processor_seconds()
        cpu_total, cpu_server = total_after - total_before, server_after - server
        per_request = 1000 / len(result.latencies)
        return _Round(
            per_second=len(result.latencies) / result.elapsed,
            server=cpu_server * per_request,
            database=(cpu_total - cpu_server) * per_request,
            client=result.cpu_seconds * per_request,
        )

    def _read_processor_seconds(self) -> tuple[float, float]:
        """Return the processor time of the server and PostgreSQL together, and of the server alone."""
        return self.store.read_processor_seconds(self.database, self.pid), servers.read_all_processor_seconds(self.pid)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """An operation with one process and with two.

    All values are medians of the rounds. Times are milliseconds of processor time for each request.
    """

    operation: str
    title: str
    per_second: float
    per_second_of_two: float
    ratio: float
    """Median ratio of consecutive rounds."""
    limit: float
    """Upper bound of the ratio on this machine: if all processors worked for the requests to two processes only."""
    server: float
    server_of_two: float
    database: float
    database_of_two: float
    client: float

    @classmethod
    def build(cls, operation: Operation, first: Sequence[_Round], second: Sequence[_Round]) -> "Comparison":
        per_second = median(of_one.per_second for of_one in first)
        cpu_ms = median(of_two.cpu_ms for of_two in second)
        return cls(
            operation=operation.name,
            title=operation.title,
            per_second=per_second,
            per_second_of_two=median(of_two.per_second for of_two in second),
            ratio=median(of_two.per_second / of_one.per_second for of_one, of_two in zip(first, second, strict=True)),
            limit=(os.cpu_count() or 1) * 1000 / cpu_ms / per_second,
            server=median(of_one.server for of_one in first),
            server_of_two=median(of_two.server for of_two in second),
            database=median(of_one.database for of_one in first),
            database_of_two=median(of_two.database for of_two in second),
            client=median(of_two.client for of_two in second),
        )

    @property
    def row(self) -> str:
        """Return the row of the table."""
        rates = f"{self.per_second:9.0f}{self.per_second_of_two:9.0f}{self.ratio:9.2f}{self.limit:9.2f}"
        times = (self.server, self.server_of_two, self.database, self.database_of_two, self.client)
        verdict = "met" if self.ratio >= MIN_RATIO else "not met"
        return f"{self.title:28}{rates}{''.join(f'{time:9.2f}' for time in times)}  {verdict}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(store: Store, history: History, *, seconds: float, rounds: int) -> Iterator[Comparison]:
    """Measure operations in alternating rounds on a server of one process and on one of two."""
    with ExitStack() as running:
        load_generator = running.enter_context(servers.load_generator())
        targets = [_serve(store, history, count, running) for count in (1, 2)]
        for name in COMPARED:
            operation = next(operation for operation in OPERATIONS if operation.name == name)
            yield _compare(load_generator, targets, operation, history, seconds=seconds, rounds=rounds)


def _serve(store: Store, history: History, count: int, running: ExitStack) -> _Target:
    name = f"{history.name}_{NAME}_{count}"
    url = store.copy(history.name, name)
    running.callback(store.drop, name)
    port = servers.free_port()
    settings = {**_SETTINGS, "TREATY_WORKERS": str(count)}
    server = servers.treaty_server(url, port, settings, log=Path(os.devnull), folder=store.folder)
    pid = running.enter_context(server)
    servers.wait_until_idle(pid)
    return _Target(store, name, port, pid)


def _compare(
    load_generator: LoadGenerator,
    targets: Sequence[_Target],
    operation: Operation,
    history: History,
    *,
    seconds: float,
    rounds: int,
) -> Comparison:
    requests = [_encode_requests(operation, history, target.port) for target in targets]
    for number, (target, target_requests) in enumerate(zip(targets, requests, strict=True), start=1):
        count = number * target.store.warm_up_requests
        load_generator.warm_up(target.port, target_requests, count=count, seconds=WARM_UP, sleeps=True)
    rounds_by_target: tuple[list[_Round], list[_Round]] = ([], [])
    for _ in range(rounds):
        for target, target_requests, target_rounds in zip(targets, requests, rounds_by_target, strict=True):
            target_rounds.append(target.measure(load_generator, target_requests, seconds))
    return Comparison.build(operation, *rounds_by_target)


def _encode_requests(operation: Operation, history: History, port: int) -> list[Request]:
    templates = operations.build_requests(operation, history)
    host = f"127.0.0.1:{port}"
    return [
        encode_request(template.method, template.path, name, host, template.body)
        for name, template in templates.items()
    ]
