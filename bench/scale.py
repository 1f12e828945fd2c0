"""Each operation on the history of a whole company, compared with the large history: on SQLite and on PostgreSQL."""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench import disk, huge, operations, servers
from bench.huge import REFERENCE, SCALES, Scale
from bench.operations import OPERATIONS, Operation
from bench.servers import Driver
from bench.stores import SqliteStore, Store, postgres_store
from bench.wire import Request, request

MAX_OF_LARGE: Final = 1.3
"""Times that an operation may take of its time on the large history."""
WARM_UP: Final = 0.2
"""Seconds."""


@dataclass(slots=True)
class Target:
    """A running server on a copy of a history."""

    store: Store
    database: str
    port: int
    pid: int
    requests: Mapping[str, Sequence[Request]]
    times: list[float] = field(default_factory=list)
    """Median times of the rounds of the current operation, in milliseconds."""
    processor_times: list[float] = field(default_factory=list)
    size: float = 0.0
    """Bytes of a response's body."""

    def measure(self, driver: Driver, operation: Operation, seconds: float) -> None:
        """Run a round with one client."""
        before = self.store.processor_seconds(self.database, self.pid)
        result = driver.drive(self.port, self.requests[operation.name], clients=1, seconds=seconds)
        worked = self.store.processor_seconds(self.database, self.pid) - before
        self.size = result.size
        self.times.append(median(result.times) * 1000)
        self.processor_times.append(worked / len(result.times) * 1000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """An operation on both histories. Times are medians, in milliseconds; processor times include PostgreSQL's."""

    database: str
    operation: str
    large: float
    huge: float
    large_processor: float
    huge_processor: float
    ratio: float
    processor_ratio: float
    """Of consecutive rounds. Other work on the machine hardly affects this one."""
    size_ratio: float
    """Of the responses' sizes: lists without pages have more entries on the larger history."""

    @property
    def verdict(self) -> str:
        if self.processor_ratio <= MAX_OF_LARGE:
            return "met"
        if self.processor_ratio <= MAX_OF_LARGE * self.size_ratio:
            return f"met: the response has {self.size_ratio:.1f} times as many bytes"
        return "NOT MET"


def main(options: argparse.Namespace) -> None:
    """Build the histories, and measure."""
    scale = SCALES[options.scale]
    selection = [operation for operation in OPERATIONS if any(part in operation.name for part in options.only or [""])]
    report: dict[str, Any] = {"scale": options.scale, "operations": [], "disk": {}}
    with ExitStack() as running:
        folder = options.folder or Path(running.enter_context(tempfile.TemporaryDirectory(prefix="treaty-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        driver = running.enter_context(servers.driver())
        stores: list[Store] = [] if options.no_sqlite else [SqliteStore(folder)]
        if options.postgres:
            stores.append(running.enter_context(postgres_store(folder)))
        for store in stores:
            for built_scale in (REFERENCE, scale):
                huge.build(store, built_scale)
            sizes = disk.measure(store.url(scale.name))
            report["disk"][store.kind] = sizes.as_json()
            print("\n".join(disk.summary(store.kind, sizes)), flush=True)
            report["operations"] += [
                asdict(comparison) for comparison in _compare(store, scale, selection, driver, options)
            ]
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def _compare(
    store: Store, scale: Scale, wanted: Sequence[Operation], driver: Driver, options: argparse.Namespace
) -> Iterator[Comparison]:
    with ExitStack() as running:
        large, other = (
            running.enter_context(serve(store, served_scale, wanted)) for served_scale in (REFERENCE, scale)
        )
        print(f"\n{store.kind:40}{'large':>9}{scale.name:>9}{'ratio':>7}{'CPU ms':>9}{'CPU ms':>9}{'ratio':>7}")
        for operation in wanted:
            comparison = _measure(store, operation, large, other, driver, options)
            print(_line(operation, comparison), flush=True)
            yield comparison


@contextmanager
def serve(store: Store, scale: Scale, wanted: Sequence[Operation]) -> Iterator[Target]:
    """Serve a copy of a history, and wait until the server has nothing to do."""
    name = f"{scale.name}_copy"
    url = store.copy(scale.name, name)
    port = servers.free_port()
    try:
        with servers.treaty_server(url, port, {}, log=Path(os.devnull), folder=store.folder) as pid:
            servers.wait_until_idle(pid)
            target = Target(
                store, name, port, pid, {operation.name: _requests(operation, scale, port) for operation in wanted}
            )
            yield target
    finally:
        store.drop(name)


def _requests(operation: Operation, scale: Scale, port: int) -> list[Request]:
    templates = operations.prepare_requests(operation, scale.history)
    host = f"127.0.0.1:{port}"
    return [request(template.method, template.path, name, host, template.body) for name, template in templates.items()]


def _measure(
    store: Store, operation: Operation, large: Target, other: Target, driver: Driver, options: argparse.Namespace
) -> Comparison:
    """Measure in turn, so that other work on the machine affects both alike."""
    for target in (large, other):
        driver.drive(target.port, target.requests[operation.name], clients=1, seconds=WARM_UP)
        target.times.clear()
        target.processor_times.clear()
    for _ in range(options.rounds):
        for target in (large, other):
            target.measure(driver, operation, options.seconds)
    return Comparison(
        database=store.kind,
        operation=operation.name,
        large=median(large.times),
        huge=median(other.times),
        large_processor=median(large.processor_times),
        huge_processor=median(other.processor_times),
        ratio=_ratio(other.times, large.times),
        processor_ratio=_ratio(other.processor_times, large.processor_times),
        size_ratio=other.size / large.size if large.size else 1.0,
    )


def _ratio(times: Sequence[float], reference: Sequence[float]) -> float:
    return median(
        duration / reference_duration
        for duration, reference_duration in zip(times, reference, strict=True)
        if reference_duration
    )


def _line(operation: Operation, one: Comparison) -> str:
    figures = f"{one.large:9.2f}{one.huge:9.2f}{one.ratio:7.2f}{one.large_processor:9.2f}{one.huge_processor:9.2f}"
    return f"{operation.name:40}{figures}{one.processor_ratio:7.2f}  {one.verdict}"
