"""Comparison of each operation on the history of a whole company with the large history, on both databases."""

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
from bench.servers import LoadGenerator
from bench.stores import SqliteStore, Store, postgres_store
from bench.wire import Request, encode_request

MAX_OF_LARGE: Final = 1.3
"""Target: maximum ratio of the processor time to that on the large history."""
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
    """Median latencies of the rounds of the current operation, in milliseconds."""
    cpu_times: list[float] = field(default_factory=list)
    size: float = 0.0
    """Mean bytes of a response's body."""

    def measure(self, load_generator: LoadGenerator, operation: Operation, seconds: float) -> None:
        """Run a round with one client."""
        cpu_seconds_before = self.store.read_processor_seconds(self.database, self.pid)
        result = load_generator.run(self.port, self.requests[operation.name], clients=1, seconds=seconds)
        cpu_seconds = self.store.read_processor_seconds(self.database, self.pid) - cpu_seconds_before
        self.size = result.size
        self.times.append(median(result.latencies) * 1000)
        self.cpu_times.append(cpu_seconds / len(result.latencies) * 1000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """An operation on both histories. Times are medians in milliseconds. Processor times include PostgreSQL's."""

    database: str
    operation: str
    large: float
    huge: float
    large_processor: float
    huge_processor: float
    ratio: float
    processor_ratio: float
    """Median ratio of consecutive rounds. Other work on the machine hardly affects it."""
    size_ratio: float
    """Ratio of the sizes of responses: lists without pages have more entries on the larger history."""

    @property
    def verdict(self) -> str:
        if self.processor_ratio <= MAX_OF_LARGE:
            return "met"
        if self.processor_ratio <= MAX_OF_LARGE * self.size_ratio:
            return f"met: the response has {self.size_ratio:.1f} times as many bytes"
        return "NOT MET"


def main(options: argparse.Namespace) -> None:
    """Build the histories, measure the operations on both, and print and write the results."""
    scale = SCALES[options.scale]
    selection = [operation for operation in OPERATIONS if any(part in operation.name for part in options.only or [""])]
    report: dict[str, Any] = {"scale": options.scale, "operations": [], "disk": {}}
    with ExitStack() as running:
        folder = options.folder or Path(running.enter_context(tempfile.TemporaryDirectory(prefix="treaty-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        load_generator = running.enter_context(servers.load_generator())
        stores: list[Store] = [] if options.no_sqlite else [SqliteStore(folder)]
        if options.postgres:
            stores.append(running.enter_context(postgres_store(folder)))
        for store in stores:
            for built_scale in (REFERENCE, scale):
                huge.build(store, built_scale)
            sizes = disk.measure(store.url(scale.name))
            report["disk"][store.kind] = sizes.as_json()
            print("\n".join(disk.format_lines(store.kind, sizes)), flush=True)
            report["operations"] += [
                asdict(comparison) for comparison in _compare(store, scale, selection, load_generator, options)
            ]
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def _compare(
    store: Store,
    scale: Scale,
    selection: Sequence[Operation],
    load_generator: LoadGenerator,
    options: argparse.Namespace,
) -> Iterator[Comparison]:
    with ExitStack() as running:
        large, larger = (
            running.enter_context(serve(store, served_scale, selection)) for served_scale in (REFERENCE, scale)
        )
        print(f"\n{store.kind:40}{'large':>9}{scale.name:>9}{'ratio':>7}{'CPU ms':>9}{'CPU ms':>9}{'ratio':>7}")
        for operation in selection:
            comparison = _measure(store, operation, large, larger, load_generator, options)
            print(_format_row(operation, comparison), flush=True)
            yield comparison


@contextmanager
def serve(store: Store, scale: Scale, selection: Sequence[Operation]) -> Iterator[Target]:
    """Serve a copy of a history until the block ends, after the server has completed its work in the background."""
    name = f"{scale.name}_copy"
    url = store.copy(scale.name, name)
    port = servers.free_port()
    try:
        with servers.treaty_server(url, port, {}, log=Path(os.devnull), folder=store.folder) as pid:
            servers.wait_until_idle(pid)
            target = Target(
                store,
                name,
                port,
                pid,
                {operation.name: _encode_requests(operation, scale, port) for operation in selection},
            )
            yield target
    finally:
        store.drop(name)


def _encode_requests(operation: Operation, scale: Scale, port: int) -> list[Request]:
    templates = operations.build_requests(operation, scale.history)
    host = f"127.0.0.1:{port}"
    return [
        encode_request(template.method, template.path, name, host, template.body)
        for name, template in templates.items()
    ]


def _measure(
    store: Store,
    operation: Operation,
    large: Target,
    larger: Target,
    load_generator: LoadGenerator,
    options: argparse.Namespace,
) -> Comparison:
    """Measure an operation in alternating rounds, so that other work on the machine affects both servers alike."""
    for target in (large, larger):
        load_generator.warm_up(
            target.port, target.requests[operation.name], count=store.warm_up_requests, seconds=WARM_UP
        )
        target.times.clear()
        target.cpu_times.clear()
    for _ in range(options.rounds):
        for target in (large, larger):
            target.measure(load_generator, operation, options.seconds)
    return Comparison(
        database=store.kind,
        operation=operation.name,
        large=median(large.times),
        huge=median(larger.times),
        large_processor=median(large.cpu_times),
        huge_processor=median(larger.cpu_times),
        ratio=_median_ratio(larger.times, large.times),
        processor_ratio=_median_ratio(larger.cpu_times, large.cpu_times),
        size_ratio=larger.size / large.size if large.size else 1.0,
    )


def _median_ratio(times: Sequence[float], reference: Sequence[float]) -> float:
    return median(
        time / reference_time for time, reference_time in zip(times, reference, strict=True) if reference_time
    )


def _format_row(operation: Operation, comparison: Comparison) -> str:
    latencies = f"{comparison.large:9.2f}{comparison.huge:9.2f}{comparison.ratio:7.2f}"
    cpu_times = f"{comparison.large_processor:9.2f}{comparison.huge_processor:9.2f}{comparison.processor_ratio:7.2f}"
    return f"{operation.name:40}{latencies}{cpu_times}  {comparison.verdict}"
