"""A run: the databases are made, the servers started, and each operation is measured in short alternating rounds."""

import argparse
import json
import shutil
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
    scale,
    servers,
    usage,
)
from bench.figures import Figures, Measured, Round
from bench.histories import History
from bench.operations import OPERATIONS, Asked, Operation
from bench.recording import Recording, record
from bench.servers import Driver
from bench.wire import Request, request

CLIENTS: Final = (1, 8)
WARM_UP: Final = 0.1
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something to send requests to: its port, its process, and the requests of each operation."""

    port: int
    pid: int
    requests: Mapping[str, Sequence[Request]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A history with the real server and its floor."""

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
    selection = [operation for operation in OPERATIONS if any(part in operation.name for part in options.only or [""])]
    chosen = [
        history
        for history in histories.ALL
        if any(history in operations.histories_of(operation) for operation in selection)
    ]
    with tempfile.TemporaryDirectory(prefix="treaty-bench-") as folder, ExitStack() as running:
        delivered = {
            history.name: _delivered(history, Path(folder), options) for history in (histories.SMALL, histories.LARGE)
        }
        admitted = _admitted(Path(folder), options)
        attacked = _attacked(Path(folder), options)
        compared = _compared(options)
        if not selection:
            return
        benches = [_bench(history, selection, Path(folder), running) for history in chosen]
        startup = _startup(Path(folder) / f"{chosen[-1].name}.sqlite", benches[-1])
        driver = running.enter_context(servers.driver())
        print("\n" + figures.line(figures.COLUMNS), flush=True)
        results = list(_measured(driver, benches, selection, options))
        startup["MiB after the run"] = servers.memory(benches[-1].real.pid)
    print("\n" + "\n".join(figures.summary(startup)))
    if options.json:
        document = {
            "figures": [result.as_json() for result in results],
            "startup": startup,
            deliveries.NAME: delivered,
            access.NAME: admitted,
            attacks.NAME: attacked,
            comparisons.NAME: compared,
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def _delivered(history: History, folder: Path, options: argparse.Namespace) -> dict[str, float] | None:
    if not any(part in deliveries.NAME for part in options.only or [""]):
        return None
    path = Path(shutil.copy(_built(history, folder), folder / f"{history.name}-deliveries.sqlite"))
    measured = deliveries.measure(path, is_quick=options.quick)
    print("\n".join(f"{history.name}: {line}" for line in measured.summary()), flush=True)
    return measured.as_json()


def _admitted(folder: Path, options: argparse.Namespace) -> dict[str, dict[str, float]] | None:
    if not any(part in access.NAME for part in options.only or [""]):
        return None
    results = {}
    for measure in (access.measure, access.measure_on_postgres) if options.postgres else (access.measure,):
        measured = measure(folder, seconds=options.seconds, rounds=options.rounds)
        print("\n".join(measured.summary()), flush=True)
        results[measured.database] = measured.as_json()
    return results


def _attacked(folder: Path, options: argparse.Namespace) -> dict[str, float] | None:
    if not any(part in attacks.NAME for part in options.only or [""]):
        return None
    measured = attacks.measure(folder)
    print("\n".join(measured.summary()), flush=True)
    return measured.as_json()


def _compared(options: argparse.Namespace) -> dict[str, Any] | None:
    if not any(part in comparisons.NAME for part in options.only or [""]):
        return None
    measured = comparisons.measure(rounds=50 if options.quick else 200)
    print("\n".join(measured.summary()), flush=True)
    return measured.as_json()


def _built(history: History, folder: Path) -> Path:
    """Make a history's database, once."""
    path = folder / f"{history.name}.sqlite"
    if not path.exists():
        began = time.monotonic()
        histories.build(history, path)
        size = path.stat().st_size / 2**20
        print(f"{history.name} history: {size:.0f} MiB, built in {time.monotonic() - began:.1f} s", flush=True)
    return path


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    names = ", ".join(
        [*(operation.name for operation in OPERATIONS), deliveries.NAME, access.NAME, attacks.NAME, comparisons.NAME]
    )
    parser.add_argument("--only", action="append", metavar="NAME", help=f"operations whose name holds NAME: {names}")
    parser.add_argument("--pages", action="store_true", help="measure the pages of a whole system instead")
    parser.add_argument("--usage", action="store_true", help="measure queries of the usage index instead")
    parser.add_argument("--scale", choices=huge.SCALES, help="compare this history with the large one instead")
    parser.add_argument("--folder", type=Path, help="--scale, --builds-per-minute: where histories remain")
    parser.add_argument(
        "--postgres",
        action="store_true",
        help=f"{access.NAME}, --usage, --scale, --builds-…: also on a PostgreSQL of its own",
    )
    parser.add_argument("--no-sqlite", action="store_true", help="--scale, --builds-per-minute: not on SQLite")
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


def _bench(history: History, wanted: Sequence[Operation], folder: Path, running: ExitStack) -> Bench:
    """Make a history's database, record on it, and start two servers on a copy each."""
    built = _built(history, folder)
    concerned = [operation for operation in wanted if history in operations.histories_of(operation)]
    templates = {
        name: template
        for operation in concerned
        for name, template in operations.prepare_requests(operation, history).items()
    }
    ports = servers.free_port(), servers.free_port()
    # What changes something is recorded first, so that the rest is recorded on what both servers will have.
    recordings = record(built, dict(reversed(templates.items())), f"127.0.0.1:{ports[0]}")
    real, floor = (Path(shutil.copy(built, folder / f"{history.name}-{kind}.sqlite")) for kind in ("real", "floor"))
    pid = running.enter_context(servers.real_server(real, ports[0]))
    floor_pid = running.enter_context(servers.floor_server(floor, recordings, ports[1]))
    return Bench(
        history=history,
        real=_target(ports[0], pid, templates),
        floor=_target(ports[1], floor_pid, templates),
        recordings=recordings,
    )


def _target(port: int, pid: int, asked: Mapping[str, Asked]) -> Target:
    requests: dict[str, list[Request]] = {}
    for name, template in asked.items():
        wire_request = request(template.method, template.path, name, f"127.0.0.1:{port}", template.body)
        requests.setdefault(name.partition(".")[0], []).append(wire_request)
    return Target(port, pid, requests)


def _startup(path: Path, bench: Bench) -> dict[str, float | None]:
    return {
        figures.HEARTBEAT: median(servers.start_time(path) for _ in range(3)),
        figures.IDLE: servers.memory(bench.real.pid),
    }


def _measured(
    driver: Driver, benches: Sequence[Bench], wanted: Sequence[Operation], options: argparse.Namespace
) -> Iterator[Figures]:
    for operation in wanted:
        concerned = [bench for bench in benches if bench.history in operations.histories_of(operation)]
        for bench in concerned:
            for target in (bench.real, bench.floor):
                driver.drive(target.port, target.requests[operation.name], clients=1, seconds=WARM_UP)
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
                rounds.append(_round(driver, target, operation, clients=clients, seconds=options.seconds))
    shorter = measurements[operation.compared_with.name] if operation.compared_with and clients == 1 else None
    for bench in benches:
        name = bench.history.name
        statements = len(bench.recordings[f"{operation.name}.0"].statements)
        compared = shorter if bench.history is histories.LARGE else None
        yield measurements[name].figures(operation, name, clients=clients, statements=statements, shorter=compared)


def _round(driver: Driver, target: Target, operation: Operation, *, clients: int, seconds: float) -> Round:
    before = servers.processor_seconds(target.pid)
    result = driver.drive(target.port, target.requests[operation.name], clients=clients, seconds=seconds)
    after = servers.processor_seconds(target.pid)
    return Round.of(result, None if before is None or after is None else after - before)
