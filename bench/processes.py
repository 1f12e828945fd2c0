"""A server of one process beside one of two, on PostgreSQL: the throughput of reads and of publishing."""

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
from bench.servers import Driver
from bench.stores import Store
from bench.wire import Request, request

NAME: Final = "processes"
MIN_RATIO: Final = 1.8
CLIENTS: Final = 16
"""The system distributes them among processes, so that few clients might all have the same process."""
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
    """A short round with a server. Times are in milliseconds of a processor for each request."""

    per_second: float
    server: float
    """Of all processes of the server."""
    database: float
    """Of PostgreSQL's processes."""
    client: float

    @property
    def processor(self) -> float:
        return self.server + self.database + self.client


@dataclass(frozen=True, slots=True)
class _Target:
    """A running server on a copy of a history."""

    store: Store
    database: str
    port: int
    pid: int

    def measure(self, driver: Driver, requests: Sequence[Request], seconds: float) -> _Round:
        total, server = self._processor_seconds()
        result = driver.drive(self.port, requests, clients=CLIENTS, seconds=seconds, sleeps=True)
        total_after, server_after = self._processor_seconds()
        worked, of_server = total_after - total, server_after - server
        per_request = 1000 / len(result.times)
        return _Round(
            per_second=len(result.times) / result.elapsed,
            server=of_server * per_request,
            database=(worked - of_server) * per_request,
            client=result.processor * per_request,
        )

    def _processor_seconds(self) -> tuple[float, float]:
        """Return for how long the server and PostgreSQL have worked together, and the server alone."""
        return self.store.processor_seconds(self.database, self.pid), servers.all_processor_seconds(self.pid)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """An operation with one process and with two: medians of the rounds. Times are in milliseconds for each request."""

    operation: str
    title: str
    per_second: float
    per_second_of_two: float
    ratio: float
    """Of consecutive rounds."""
    limit: float
    """The ratio if all processors of the machine did nothing but work for the requests to two processes."""
    server: float
    server_of_two: float
    database: float
    database_of_two: float
    client: float

    @classmethod
    def build(cls, operation: Operation, first: Sequence[_Round], second: Sequence[_Round]) -> "Comparison":
        per_second = median(one.per_second for one in first)
        processor = median(two.processor for two in second)
        return cls(
            operation=operation.name,
            title=operation.title,
            per_second=per_second,
            per_second_of_two=median(two.per_second for two in second),
            ratio=median(two.per_second / one.per_second for one, two in zip(first, second, strict=True)),
            limit=(os.cpu_count() or 1) * 1000 / processor / per_second,
            server=median(one.server for one in first),
            server_of_two=median(two.server for two in second),
            database=median(one.database for one in first),
            database_of_two=median(two.database for two in second),
            client=median(two.client for two in second),
        )

    @property
    def line(self) -> str:
        """Write the row of the table."""
        rates = f"{self.per_second:9.0f}{self.per_second_of_two:9.0f}{self.ratio:9.2f}{self.limit:9.2f}"
        times = (self.server, self.server_of_two, self.database, self.database_of_two, self.client)
        verdict = "met" if self.ratio >= MIN_RATIO else "not met"
        return f"{self.title:28}{rates}{''.join(f'{time:9.2f}' for time in times)}  {verdict}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(store: Store, history: History, *, seconds: float, rounds: int) -> Iterator[Comparison]:
    """Measure in turn on a server of one process and on one of two, each with a copy of a history."""
    with ExitStack() as running:
        driver = running.enter_context(servers.driver())
        targets = [_serve(store, history, count, running) for count in (1, 2)]
        for name in COMPARED:
            operation = next(operation for operation in OPERATIONS if operation.name == name)
            yield _compare(driver, targets, operation, history, seconds=seconds, rounds=rounds)


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
    driver: Driver, targets: Sequence[_Target], operation: Operation, history: History, *, seconds: float, rounds: int
) -> Comparison:
    requests = [_requests(operation, history, target.port) for target in targets]
    for number, (target, target_requests) in enumerate(zip(targets, requests, strict=True), start=1):
        count = number * target.store.warm_up_requests
        driver.warm_up(target.port, target_requests, count=count, seconds=WARM_UP, sleeps=True)
    measured: tuple[list[_Round], list[_Round]] = ([], [])
    for _ in range(rounds):
        for target, target_requests, target_rounds in zip(targets, requests, measured, strict=True):
            target_rounds.append(target.measure(driver, target_requests, seconds))
    return Comparison.build(operation, *measured)


def _requests(operation: Operation, history: History, port: int) -> list[Request]:
    templates = operations.prepare_requests(operation, history)
    host = f"127.0.0.1:{port}"
    return [request(template.method, template.path, name, host, template.body) for name, template in templates.items()]
