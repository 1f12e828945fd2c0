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

from bench import figures, histories, operations, servers
from bench.figures import Figures, Round
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
    """Something to send requests to: its port, and the requests of each operation."""

    port: int
    requests: Mapping[str, Sequence[Request]]


@dataclass(frozen=True, slots=True)
class Bench:
    """A history with the real server and its floor."""

    history: History
    real: Target
    floor: Target
    recordings: Mapping[str, Recording]
    pid: int


def main() -> None:
    options = _options()
    wanted = [one for one in OPERATIONS if any(part in one.name for part in options.only or [""])]
    chosen = [histories.SMALL, histories.LARGE]
    with tempfile.TemporaryDirectory(prefix="treaty-bench-") as folder, ExitStack() as running:
        benches = [_bench(history, wanted, Path(folder), running) for history in chosen]
        startup = _startup(Path(folder) / f"{chosen[-1].name}.sqlite", benches[-1])
        driver = running.enter_context(servers.driver())
        print("\n" + figures.HEAD, flush=True)
        found = list(_measured(driver, benches, wanted, options))
        startup["MiB after the run"] = servers.memory(benches[-1].pid)
    print("\n" + "\n".join(figures.summary(startup)))
    if options.json:
        document = {"figures": [one.as_json() for one in found], "startup": startup}
        options.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    names = ", ".join(one.name for one in OPERATIONS)
    parser.add_argument("--only", action="append", metavar="NAME", help=f"operations whose name holds NAME: {names}")
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
    built = folder / f"{history.name}.sqlite"
    began = time.monotonic()
    histories.build(history, built)
    size = built.stat().st_size / 2**20
    print(f"{history.name} history: {size:.0f} MiB, built in {time.monotonic() - began:.1f} s", flush=True)
    asked = {name: one for operation in wanted for name, one in operations.asked(operation, history).items()}
    ports = servers.free_port(), servers.free_port()
    recordings = record(built, asked, f"127.0.0.1:{ports[0]}")
    real, floor = (Path(shutil.copy(built, folder / f"{history.name}-{kind}.sqlite")) for kind in ("real", "floor"))
    pid = running.enter_context(servers.real_server(real, ports[0]))
    running.enter_context(servers.floor_server(floor, recordings, ports[1]))
    return Bench(history, *(_target(port, asked) for port in ports), recordings, pid)


def _target(port: int, asked: Mapping[str, Asked]) -> Target:
    requests: dict[str, list[Request]] = {}
    for name, one in asked.items():
        made = request(one.method, one.path, name, f"127.0.0.1:{port}", one.body)
        requests.setdefault(name.partition(".")[0], []).append(made)
    return Target(port, requests)


def _startup(path: Path, bench: Bench) -> dict[str, float | None]:
    return {
        "seconds to the first heartbeat": median(servers.start_time(path) for _ in range(3)),
        "MiB when idle": servers.memory(bench.pid),
    }


def _measured(
    driver: Driver, benches: Sequence[Bench], wanted: Sequence[Operation], options: argparse.Namespace
) -> Iterator[Figures]:
    for operation in wanted:
        for bench in benches:
            for target in (bench.real, bench.floor):
                driver.drive(target.port, target.requests[operation.name], clients=1, seconds=WARM_UP)
        for clients in CLIENTS:
            for one in _figures(driver, benches, operation, clients, options):
                print(figures.row(one), flush=True)
                yield one


def _figures(
    driver: Driver, benches: Sequence[Bench], operation: Operation, clients: int, options: argparse.Namespace
) -> Iterator[Figures]:
    """Measure an operation on all histories, the servers in turn, so that a change of the machine meets them alike."""
    real: dict[str, list[Round]] = {bench.history.name: [] for bench in benches}
    floor: dict[str, list[Round]] = {bench.history.name: [] for bench in benches}
    sizes: dict[str, float] = {}
    for _ in range(options.rounds):
        for bench in benches:
            name = bench.history.name
            for target, rounds in ((bench.real, real[name]), (bench.floor, floor[name])):
                requests = target.requests[operation.name]
                result = driver.drive(target.port, requests, clients=clients, seconds=options.seconds)
                rounds.append(Round.of(result))
                known = sizes.setdefault(name, result.size)
                assert abs(result.size - known) <= known / 50, f"{operation.name}: {result.size} bytes, not {known}"
    small, large = benches[0].history.name, benches[-1].history.name
    for bench in benches:
        name = bench.history.name
        is_compared = operation.is_bounded and clients == 1 and name == large
        of_small = figures.costs(real[large], real[small]) if is_compared else None
        recording: Any = bench.recordings[f"{operation.name}.0"]
        yield _summed(operation, name, clients, real[name], floor[name], of_small, len(recording.statements), sizes[name])


def _summed(  # noqa: PLR0913 - what figures are made of
    operation: Operation,
    history: str,
    clients: int,
    real: Sequence[Round],
    floor: Sequence[Round],
    of_small: float | None,
    statements: int,
    size: float,
) -> Figures:
    of_floor = figures.ratios(real, floor)
    return Figures(
        operation=operation.name,
        title=operation.title,
        history=history,
        clients=clients,
        per_second=median(one.per_second for one in real),
        p50=median(one.p50 for one in real),
        p99=median(one.p99 for one in real),
        of_floor=median(of_floor),
        least_of_floor=min(of_floor),
        most_of_floor=max(of_floor),
        floor_per_second=median(one.per_second for one in floor),
        of_small=of_small,
        statements=statements,
        size=size,
    )
