"""A run: the databases are made, the servers started, and each operation is measured in short alternating rounds."""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench import (
    access,
    attacks,
    comparisons,
    deliveries,
    figures,
    histories,
    huge,
    operations,
    pace,
    pages,
    processes,
    scale,
    servers,
    usage,
)
from bench.figures import Figures, Measured, Round
from bench.histories import History
from bench.operations import OPERATIONS, Asked, Operation
from bench.recording import Recording, record
from bench.servers import Driver
from bench.stores import SqliteStore, Store, postgres_store
from bench.wire import Request, request

CLIENTS: Final = (1, 8)
WARM_UP: Final = 0.1
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something to send requests to: its database, port and process, and the requests of each operation."""

    database: str
    port: int
    pid: int
    requests: Mapping[str, Sequence[Request]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A history with the real server and its floor."""

    store: Store
    history: History
    real: Target
    floor: Target
    recordings: Mapping[str, Recording]


def main() -> None:
    options = _options()
    if options.usage:
        usage.main(options)
        return
    if options.pages:
        pages.main(options)
        return
    if options.builds_per_minute:
        pace.main(options)
        return
    if options.scale:
        scale.main(options)
        return
    selection = [operation for operation in OPERATIONS if _is_chosen(operation.name, options)]
    document: dict[str, Any] = {"figures": [], "startup": {}}
    with tempfile.TemporaryDirectory(prefix="treaty-bench-") as name, ExitStack() as running:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        stores: list[Store] = [] if options.no_sqlite else [SqliteStore(folder)]
        document |= _measure_others(stores, folder, options)
        compares_processes = options.postgres and _is_chosen(processes.NAME, options)
        if options.postgres and (selection or compares_processes):
            stores.append(running.enter_context(postgres_store(folder)))
        if compares_processes:
            document[processes.NAME] = _compare_processes(stores[-1], options)
        for store in stores:
            if selection:
                results, startup = _measure_operations(store, selection, options)
                document["figures"] += [result.as_json() for result in results]
                document["startup"][store.kind] = startup
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def _is_chosen(name: str, options: argparse.Namespace) -> bool:
    return any(part in name for part in options.only or [""])


def _measure_others(sqlite: Sequence[Store], folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure all but the operations of clients, mostly on SQLite only."""
    return {
        deliveries.NAME: {
            history.name: _delivered(history, store, options)
            for store in sqlite
            for history in (histories.SMALL, histories.LARGE)
        },
        access.NAME: _admitted(folder, options),
        attacks.NAME: _attacked(folder, options) if sqlite else None,
        comparisons.NAME: _compared(options),
    }


def _measure_operations(
    store: Store, selection: Sequence[Operation], options: argparse.Namespace
) -> tuple[list[Figures], dict[str, float | None]]:
    chosen = [
        history
        for history in histories.ALL
        if any(history in operations.histories_of(operation) for operation in selection)
    ]
    with ExitStack() as running:
        benches = [_bench(store, history, selection, running) for history in chosen]
        startup = _startup(benches[-1])
        driver = running.enter_context(servers.driver())
        print(f"\n{store.kind}\n{figures.line(figures.COLUMNS)}", flush=True)
        results = list(_measured(driver, benches, selection, options))
        startup["MiB after the run"] = servers.memory(benches[-1].real.pid)
    print("\n" + "\n".join(figures.summary(startup)))
    return results, startup


def _compare_processes(store: Store, options: argparse.Namespace) -> list[dict[str, Any]]:
    _build(histories.LARGE, store)
    comparisons_of_processes = []
    print("\n" + processes.HEADER, flush=True)
    for comparison in processes.compare(store, histories.LARGE, seconds=options.seconds, rounds=options.rounds):
        print(comparison.line, flush=True)
        comparisons_of_processes.append(comparison.as_json())
    return comparisons_of_processes


def _delivered(history: History, store: Store, options: argparse.Namespace) -> dict[str, float] | None:
    if not _is_chosen(deliveries.NAME, options):
        return None
    _build(history, store)
    url = store.copy(history.name, f"{history.name}_deliveries")
    measured = deliveries.measure(url, store.folder, is_quick=options.quick)
    print("\n".join(f"{history.name}: {line}" for line in measured.summary()), flush=True)
    return measured.as_json()


def _admitted(folder: Path, options: argparse.Namespace) -> dict[str, dict[str, float]] | None:
    if not _is_chosen(access.NAME, options):
        return None
    results = {}
    on_sqlite = [] if options.no_sqlite else [access.measure]
    on_postgres = [access.measure_on_postgres] if options.postgres else []
    for measure in [*on_sqlite, *on_postgres]:
        measured = measure(folder, seconds=options.seconds, rounds=options.rounds)
        print("\n".join(measured.summary()), flush=True)
        results[measured.database] = measured.as_json()
    return results


def _attacked(folder: Path, options: argparse.Namespace) -> dict[str, float] | None:
    if not _is_chosen(attacks.NAME, options):
        return None
    measured = attacks.measure(folder)
    print("\n".join(measured.summary()), flush=True)
    return measured.as_json()


def _compared(options: argparse.Namespace) -> dict[str, Any] | None:
    if not _is_chosen(comparisons.NAME, options):
        return None
    measured = comparisons.measure(rounds=50 if options.quick else 200)
    print("\n".join(measured.summary()), flush=True)
    return measured.as_json()


def _build(history: History, store: Store) -> None:
    """Build the database of a history, once."""
    if store.exists(history.name):
        return
    began = time.monotonic()
    histories.build(history, store.create(history.name))
    size = store.size(history.name) / 2**20
    seconds = time.monotonic() - began
    print(f"{store.kind}, {history.name} history: {size:.0f} MiB, built in {seconds:.1f} s", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    names = ", ".join(
        [
            *(operation.name for operation in OPERATIONS),
            deliveries.NAME,
            access.NAME,
            attacks.NAME,
            comparisons.NAME,
            f"{processes.NAME} (on PostgreSQL)",
        ]
    )
    parser.add_argument("--only", action="append", metavar="NAME", help=f"operations whose name holds NAME: {names}")
    parser.add_argument("--pages", action="store_true", help="measure the pages of a whole system instead")
    parser.add_argument("--usage", action="store_true", help="measure queries of the usage index instead")
    parser.add_argument("--scale", choices=huge.SCALES, help="compare this history with the large one instead")
    parser.add_argument("--folder", type=Path, help="--scale, --builds-per-minute: where histories remain")
    parser.add_argument(
        "--postgres",
        action="store_true",
        help="also on a PostgreSQL of its own (not --pages), where servers of one and two processes are compared, too",
    )
    parser.add_argument("--no-sqlite", action="store_true", help="leave out SQLite (not --pages, --usage)")
    parser.add_argument(
        "--builds-per-minute", type=float, metavar="N", help="measure builds at this pace, on the history of --scale"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="--builds-per-minute: how long (default 10)")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds; rough figures")
    parser.add_argument("--seconds", type=float, help="length of a round (default 0.5)")
    parser.add_argument("--rounds", type=int, help="rounds with each server (default 7)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file, too")
    options = parser.parse_args()
    options.seconds = options.seconds or (0.15 if options.quick else 0.5)
    options.rounds = options.rounds or (3 if options.quick else 7)
    return options


def _bench(store: Store, history: History, wanted: Sequence[Operation], running: ExitStack) -> Bench:
    """Make a history's database, record on it, and start two servers on a copy each."""
    _build(history, store)
    concerned = [operation for operation in wanted if history in operations.histories_of(operation)]
    templates = {
        name: template
        for operation in concerned
        for name, template in operations.prepare_requests(operation, history).items()
    }
    ports = servers.free_port(), servers.free_port()
    # What changes something is recorded first, so that the rest is recorded on what both servers will have.
    recordings = record(store.url(history.name), dict(reversed(templates.items())), f"127.0.0.1:{ports[0]}")
    real, floor = (f"{history.name}_{kind}" for kind in ("real", "floor"))
    urls = [store.copy(history.name, name) for name in (real, floor)]
    server = servers.treaty_server(urls[0], ports[0], {}, log=Path(os.devnull), folder=store.folder)
    pid = running.enter_context(server)
    floor_pid = running.enter_context(servers.floor_server(urls[1], recordings, ports[1]))
    return Bench(
        store=store,
        history=history,
        real=_target(real, ports[0], pid, templates),
        floor=_target(floor, ports[1], floor_pid, templates),
        recordings=recordings,
    )


def _target(database: str, port: int, pid: int, asked: Mapping[str, Asked]) -> Target:
    requests: dict[str, list[Request]] = {}
    for name, template in asked.items():
        wire_request = request(template.method, template.path, name, f"127.0.0.1:{port}", template.body)
        requests.setdefault(name.partition(".")[0], []).append(wire_request)
    return Target(database, port, pid, requests)


def _startup(bench: Bench) -> dict[str, float | None]:
    url = bench.store.url(bench.history.name)
    return {
        figures.HEARTBEAT: median(servers.start_time(url, bench.store.folder) for _ in range(3)),
        figures.IDLE: servers.memory(bench.real.pid),
    }


def _measured(
    driver: Driver, benches: Sequence[Bench], wanted: Sequence[Operation], options: argparse.Namespace
) -> Iterator[Figures]:
    for operation in wanted:
        concerned = [bench for bench in benches if bench.history in operations.histories_of(operation)]
        for bench in concerned:
            for target in (bench.real, bench.floor):
                driver.warm_up(
                    target.port,
                    target.requests[operation.name],
                    count=bench.store.warm_up_requests,
                    seconds=WARM_UP,
                    sleeps=bench.store.has_processes,
                )
        for clients in CLIENTS:
            for result in _figures(driver, concerned, operation, clients, options):
                print(figures.line(figures.cells(result)), flush=True)
                yield result


def _figures(
    driver: Driver, benches: Sequence[Bench], operation: Operation, clients: int, options: argparse.Namespace
) -> Iterator[Figures]:
    """Measure an operation on all histories, the servers in turn, so that a change of the machine meets them alike."""
    measurements = {bench.history.name: Measured() for bench in benches}
    for _ in range(options.rounds):
        for bench in benches:
            measured = measurements[bench.history.name]
            for target, rounds in ((bench.real, measured.real), (bench.floor, measured.floor)):
                rounds.append(_round(driver, bench.store, target, operation, clients=clients, seconds=options.seconds))
    shorter = measurements[operation.compared_with.name] if operation.compared_with and clients == 1 else None
    for bench in benches:
        name = bench.history.name
        statements = len(bench.recordings[f"{operation.name}.0"].statements)
        compared = shorter if bench.history is histories.LARGE else None
        yield measurements[name].figures(
            operation,
            name,
            database=bench.store.kind,
            clients=clients,
            statements=statements,
            shorter=compared,
        )


def _round(
    driver: Driver, store: Store, target: Target, operation: Operation, *, clients: int, seconds: float
) -> Round:
    before = store.processor_seconds(target.database, target.pid)
    requests, sleeps = target.requests[operation.name], store.has_processes
    result = driver.drive(target.port, requests, clients=clients, seconds=seconds, sleeps=sleeps)
    processor = store.processor_seconds(target.database, target.pid) - before
    return Round.of(result, processor or None)
