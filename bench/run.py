"""A run of the benchmarks: builds databases, starts servers, and measures each operation in alternating rounds."""

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
    histories,
    huge,
    operations,
    pace,
    pages,
    processes,
    results,
    scale,
    servers,
    usage,
)
from bench.histories import History
from bench.operations import OPERATIONS, Operation, RequestTemplate
from bench.recording import Recording, record
from bench.results import Measurements, OperationResult, Round
from bench.servers import LoadGenerator
from bench.stores import SqliteStore, Store, postgres_store
from bench.wire import Request, encode_request

CLIENTS: Final = (1, 8)
WARM_UP: Final = 0.1
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server under test: its database, port and process, and the requests of each operation."""

    database: str
    port: int
    pid: int
    requests: Mapping[str, Sequence[Request]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """The real server and the floor on copies of a history."""

    store: Store
    history: History
    real: Target
    floor: Target
    recordings: Mapping[str, Recording]


def main() -> None:
    options = _parse_options()
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
                operation_results, startup = _measure_operations(store, selection, options)
                document["figures"] += [result.as_json() for result in operation_results]
                document["startup"][store.kind] = startup
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def _is_chosen(name: str, options: argparse.Namespace) -> bool:
    return any(part in name for part in options.only or [""])


def _measure_others(sqlite: Sequence[Store], folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run the benchmarks that measure other things than operations, mostly on SQLite only."""
    return {
        deliveries.NAME: {
            history.name: _measure_deliveries(history, store, options)
            for store in sqlite
            for history in (histories.SMALL, histories.LARGE)
        },
        access.NAME: _measure_access(folder, options),
        attacks.NAME: _measure_attacks(folder, options) if sqlite else None,
        comparisons.NAME: _measure_comparisons(options),
    }


def _measure_operations(
    store: Store, selection: Sequence[Operation], options: argparse.Namespace
) -> tuple[list[OperationResult], dict[str, float | None]]:
    chosen = [
        history
        for history in histories.ALL
        if any(history in operations.list_histories(operation) for operation in selection)
    ]
    with ExitStack() as running:
        benches = [_start_bench(store, history, selection, running) for history in chosen]
        startup = _measure_startup(benches[-1])
        load_generator = running.enter_context(servers.load_generator())
        print(f"\n{store.kind}\n{results.format_row(results.COLUMNS)}", flush=True)
        operation_results = list(_measure_all(load_generator, benches, selection, options))
        startup["MiB after the run"] = servers.measure_memory(benches[-1].real.pid)
    print("\n" + "\n".join(results.format_server(startup)))
    return operation_results, startup


def _compare_processes(store: Store, options: argparse.Namespace) -> list[dict[str, Any]]:
    _build(histories.LARGE, store)
    operation_results = []
    print("\n" + processes.HEADER, flush=True)
    for comparison in processes.compare(store, histories.LARGE, seconds=options.seconds, rounds=options.rounds):
        print(comparison.row, flush=True)
        operation_results.append(comparison.as_json())
    return operation_results


def _measure_deliveries(history: History, store: Store, options: argparse.Namespace) -> dict[str, float] | None:
    if not _is_chosen(deliveries.NAME, options):
        return None
    _build(history, store)
    url = store.copy(history.name, f"{history.name}_deliveries")
    result = deliveries.measure(url, store.folder, is_quick=options.quick)
    print("\n".join(f"{history.name}: {line}" for line in result.format_lines()), flush=True)
    return result.as_json()


def _measure_access(folder: Path, options: argparse.Namespace) -> dict[str, dict[str, float]] | None:
    if not _is_chosen(access.NAME, options):
        return None
    operation_results = {}
    on_sqlite = [] if options.no_sqlite else [access.measure]
    on_postgres = [access.measure_on_postgres] if options.postgres else []
    for measure in [*on_sqlite, *on_postgres]:
        result = measure(folder, seconds=options.seconds, rounds=options.rounds)
        print("\n".join(result.format_lines()), flush=True)
        operation_results[result.database] = result.as_json()
    return operation_results


def _measure_attacks(folder: Path, options: argparse.Namespace) -> dict[str, float] | None:
    if not _is_chosen(attacks.NAME, options):
        return None
    result = attacks.measure(folder)
    print("\n".join(result.format_lines()), flush=True)
    return result.as_json()


def _measure_comparisons(options: argparse.Namespace) -> dict[str, Any] | None:
    if not _is_chosen(comparisons.NAME, options):
        return None
    result = comparisons.measure(rounds=50 if options.quick else 200)
    print("\n".join(result.format_lines()), flush=True)
    return result.as_json()


def _build(history: History, store: Store) -> None:
    """Build the database of a history if it does not exist."""
    if store.exists(history.name):
        return
    started_at = time.monotonic()
    histories.build(history, store.create(history.name))
    size = store.size(history.name) / 2**20
    seconds = time.monotonic() - started_at
    print(f"{store.kind}, {history.name} history: {size:.0f} MiB, built in {seconds:.1f} s", flush=True)


def _parse_options() -> argparse.Namespace:
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
    parser.add_argument(
        "--only", action="append", metavar="NAME", help=f"only operations whose name contains NAME: {names}"
    )
    parser.add_argument("--pages", action="store_true", help="measure the pages of a large system instead")
    parser.add_argument("--usage", action="store_true", help="measure queries of the usage index instead")
    parser.add_argument("--scale", choices=huge.SCALES, help="compare this history with the large one instead")
    parser.add_argument(
        "--folder",
        type=Path,
        help="folder for the histories of --scale and --builds-per-minute, which later runs use again",
    )
    parser.add_argument(
        "--postgres",
        action="store_true",
        help="measure on a PostgreSQL server, too, which is started for the run (not --pages)",
    )
    parser.add_argument("--no-sqlite", action="store_true", help="do not measure on SQLite (not --pages, --usage)")
    parser.add_argument(
        "--builds-per-minute",
        type=float,
        metavar="N",
        help="measure a steady load of N builds per minute, on the history of --scale",
    )
    parser.add_argument("--no-webhooks", action="store_true", help="--builds-per-minute: without webhooks")
    parser.add_argument("--minutes", type=float, default=10.0, help="duration of --builds-per-minute (default 10)")
    parser.add_argument("--quick", action="store_true", help="run fewer and shorter rounds, for rough figures")
    parser.add_argument("--seconds", type=float, help="duration of a round (default 0.5)")
    parser.add_argument("--rounds", type=int, help="number of rounds with each server (default 7)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to a file, too")
    options = parser.parse_args()
    options.seconds = options.seconds or (0.15 if options.quick else 0.5)
    options.rounds = options.rounds or (3 if options.quick else 7)
    return options


def _start_bench(store: Store, history: History, selection: Sequence[Operation], running: ExitStack) -> Bench:
    """Build a history, record the operations on it, and start the real server and the floor on a copy each."""
    _build(history, store)
    relevant = [operation for operation in selection if history in operations.list_histories(operation)]
    templates = {
        name: template
        for operation in relevant
        for name, template in operations.build_requests(operation, history).items()
    }
    ports = servers.free_port(), servers.free_port()
    # Writes are recorded first, so that reads are recorded on the data that both servers will have.
    recordings = record(store.url(history.name), dict(reversed(templates.items())), f"127.0.0.1:{ports[0]}")
    real, floor = (f"{history.name}_{kind}" for kind in ("real", "floor"))
    urls = [store.copy(history.name, name) for name in (real, floor)]
    server = servers.treaty_server(urls[0], ports[0], {}, log=Path(os.devnull), folder=store.folder)
    pid = running.enter_context(server)
    floor_pid = running.enter_context(servers.floor_server(urls[1], recordings, ports[1]))
    return Bench(
        store=store,
        history=history,
        real=_build_target(real, ports[0], pid, templates),
        floor=_build_target(floor, ports[1], floor_pid, templates),
        recordings=recordings,
    )


def _build_target(database: str, port: int, pid: int, templates: Mapping[str, RequestTemplate]) -> Target:
    requests: dict[str, list[Request]] = {}
    for name, template in templates.items():
        wire_request = encode_request(template.method, template.path, name, f"127.0.0.1:{port}", template.body)
        requests.setdefault(name.partition(".")[0], []).append(wire_request)
    return Target(database, port, pid, requests)


def _measure_startup(bench: Bench) -> dict[str, float | None]:
    url = bench.store.url(bench.history.name)
    startups = [servers.measure_startup(url, bench.store.folder) for _ in range(3)]
    sizes = [startup.mebibytes for startup in startups if startup.mebibytes is not None]
    return {
        results.HEARTBEAT: median(startup.seconds for startup in startups),
        results.IDLE: median(sizes) if sizes else None,
    }


def _measure_all(
    load_generator: LoadGenerator, benches: Sequence[Bench], selection: Sequence[Operation], options: argparse.Namespace
) -> Iterator[OperationResult]:
    for operation in selection:
        relevant = [bench for bench in benches if bench.history in operations.list_histories(operation)]
        for bench in relevant:
            for target in (bench.real, bench.floor):
                load_generator.warm_up(
                    target.port,
                    target.requests[operation.name],
                    count=bench.store.warm_up_requests,
                    seconds=WARM_UP,
                    sleeps=bench.store.has_processes,
                )
        for clients in CLIENTS:
            for result in _measure(load_generator, relevant, operation, clients, options):
                print(results.format_row(results.format_cells(result)), flush=True)
                yield result


def _measure(
    load_generator: LoadGenerator,
    benches: Sequence[Bench],
    operation: Operation,
    clients: int,
    options: argparse.Namespace,
) -> Iterator[OperationResult]:
    """Measure an operation on all histories, in alternating rounds.

    Other work on the machine then affects all servers and histories alike.
    """
    by_history = {bench.history.name: Measurements() for bench in benches}
    for _ in range(options.rounds):
        for bench in benches:
            measurements = by_history[bench.history.name]
            for target, rounds in ((bench.real, measurements.real), (bench.floor, measurements.floor)):
                rounds.append(
                    _run_round(load_generator, bench.store, target, operation, clients=clients, seconds=options.seconds)
                )
    baseline = by_history[operation.baseline.name] if operation.baseline and clients == 1 else None
    for bench in benches:
        name = bench.history.name
        statements = len(bench.recordings[f"{operation.name}.0"].statements)
        yield by_history[name].aggregate(
            operation,
            name,
            database=bench.store.kind,
            clients=clients,
            statements=statements,
            baseline=baseline if bench.history is histories.LARGE else None,
        )


def _run_round(
    load_generator: LoadGenerator, store: Store, target: Target, operation: Operation, *, clients: int, seconds: float
) -> Round:
    cpu_seconds_before = store.read_processor_seconds(target.database, target.pid)
    requests, sleeps = target.requests[operation.name], store.has_processes
    result = load_generator.run(target.port, requests, clients=clients, seconds=seconds, sleeps=sleeps)
    cpu_seconds = store.read_processor_seconds(target.database, target.pid) - cpu_seconds_before
    return Round.from_result(result, cpu_seconds or None)
