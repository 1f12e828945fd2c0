"""A server of one process beside one of two, on PostgreSQL: the throughput of reads and of publishing."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
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
HEADER: Final = (
    f"{f'{NAME}, {CLIENTS} clients':28}{'req/s':>8}{'with 2':>8}{'ratio':>7}{'CPU ms':>8}{'with 2':>8}{'client':>8}"
    f"{'limit':>8}"
)


@dataclass(slots=True)
class _Target:
    """A running server on a copy of a history. Times are in milliseconds of a processor for each request."""

    store: Store
    database: str
    port: int
    pid: int
    rates: list[float] = field(default_factory=list)
    """Requests per second."""
    processor: list[float] = field(default_factory=list)
    """Times of the server's processes and of PostgreSQL's."""
    client: list[float] = field(default_factory=list)

    def measure(self, driver: Driver, requests: Sequence[Request], seconds: float) -> None:
        before = self.store.processor_seconds(self.database, self.pid)
        result = driver.drive(self.port, requests, clients=CLIENTS, seconds=seconds, sleeps=True)
        worked = self.store.processor_seconds(self.database, self.pid) - before
        count = len(result.times)
        self.rates.append(count / result.elapsed)
        self.processor.append(worked / count * 1000)
        self.client.append(result.processor / count * 1000)

    def forget(self) -> None:
        for figures in (self.rates, self.processor, self.client):
            figures.clear()


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """An operation with one process and with two: medians of the rounds."""

    operation: str
    title: str
    per_second: float
    per_second_of_two: float
    ratio: float
    """Of consecutive rounds."""
    processor: float
    """Milliseconds for which the server and PostgreSQL worked for a request."""
    processor_of_two: float
    client: float
    """The same of the client, with two processes."""
    limit: float
    """The ratio if all processors of the machine worked for the requests to two processes all the time."""

    @property
    def line(self) -> str:
        """Write the row of the table."""
        rates = f"{self.per_second:8.0f}{self.per_second_of_two:8.0f}{self.ratio:7.2f}"
        times = f"{self.processor:8.2f}{self.processor_of_two:8.2f}{self.client:8.2f}{self.limit:8.2f}"
        verdict = "met" if self.ratio >= MIN_RATIO else "not met"
        return f"{self.title:28}{rates}{times}  {verdict}"

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
    for target, target_requests in zip(targets, requests, strict=True):
        target.measure(driver, target_requests, WARM_UP)
        target.forget()
    for _ in range(rounds):
        for target, target_requests in zip(targets, requests, strict=True):
            target.measure(driver, target_requests, seconds)
    first, second = targets
    busy = median(map(sum, zip(second.processor, second.client, strict=True)))
    return Comparison(
        operation=operation.name,
        title=operation.title,
        per_second=median(first.rates),
        per_second_of_two=median(second.rates),
        ratio=median(two / one for one, two in zip(first.rates, second.rates, strict=True)),
        processor=median(first.processor),
        processor_of_two=median(second.processor),
        client=median(second.client),
        limit=(os.cpu_count() or 1) * 1000 / busy / median(first.rates) if busy else 0.0,
    )


def _requests(operation: Operation, history: History, port: int) -> list[Request]:
    templates = operations.prepare_requests(operation, history)
    host = f"127.0.0.1:{port}"
    return [request(template.method, template.path, name, host, template.body) for name, template in templates.items()]
