"""Chaos tests: they inject faults into servers under load, and check all acknowledged writes afterwards.

First two nodes on a cluster with PostgreSQL; then, unless the run is short, one server of two processes with SQLite.

Exits with 1 if an acknowledged write or a delivery was lost, a response was wrong, a failed response had no
Retry-After, or a planned restart failed a request.
"""

import argparse
import contextlib
import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import psycopg

from bench import cluster as clusters
from bench import disks
from bench import single as singles
from bench.chaos_clients import BODY, Ledger, Team
from bench.cluster import FAKETIME, Cluster
from bench.deliveries import WEBHOOK_SETTINGS
from bench.receiver import Receiver, receiving
from bench.single import Single
from tests import postgres, small_disks
from tests.docs.generated import ROOT
from tests.small_disks import SmallDisk
from tests.whole import proxies, servers
from treaty.store.migrations import HEAD

SETTINGS: Final = {**WEBHOOK_SETTINGS, "TREATY_WEBHOOK_RETRY_SCHEDULE": "1 1 1 2 2 3 5 5 10 10"}
DRAIN_SECONDS: Final = 90.0
RECOVERY_SECONDS: Final = 60.0
"""Maximum time after a fault until a write is acknowledged again."""
PACKAGE: Final = "src"
WORKERS: Final = 2
"""Worker processes of the servers that have several."""
DELAY_SECONDS: Final = 0.2
"""Seconds by which a slow disk delays each write."""


@dataclass(slots=True)
class Chaos:
    """A run: an address, its clients, and the report and problems so far."""

    url: str
    receiver: Receiver
    seconds: float
    """Time between two injections."""
    ledger: Ledger = field(default_factory=Ledger)
    report: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def inject(self, name: str, action: Callable[[], None], *, must_not_fail: bool) -> None:
        """Inject a fault, and report the number of failed requests and the time until the last of them."""
        started_at, requests, failures = time.monotonic(), self.ledger.requests, len(self.ledger.failed_at)
        action()
        self.wait_for_recovery()
        time.sleep(self.seconds)
        failed = self.ledger.failed_at[failures:]
        last_failure = max(failed, default=started_at) - started_at
        counts = f"{self.ledger.requests - requests} requests, {len(failed)} failed"
        line = f"{name}: {counts}, the last after {last_failure:.1f} s"
        self.report.append(line)
        print(line, flush=True)
        if must_not_fail and failed:
            causes = "; ".join(self.ledger.failures[failures:])
            self.problems.append(f"{name}: {len(failed)} requests failed: {causes}")

    def wait_for_recovery(self) -> None:
        """Wait until a write is acknowledged again."""
        end = time.monotonic() + RECOVERY_SECONDS
        with httpx.Client(base_url=self.url, timeout=RECOVERY_SECONDS) as client:
            while time.monotonic() < end:
                with contextlib.suppress(httpx.TransportError):
                    if client.put("/pacticipants/probe/versions/1", json={}).is_success:
                        return
                time.sleep(0.1)
        self.problems.append("no write was acknowledged within a minute")


Fault = tuple[str, Callable[[], None], bool]
"""Name, action, and whether no request may fail."""


# Faults of the cluster


@dataclass(frozen=True, slots=True)
class ClusterFaults:
    """The faults of a cluster."""

    cluster: Cluster
    seconds: float
    """Time for which a state lasts, at least."""

    def list(self, *, is_short: bool, is_upgrade: bool) -> Sequence[Fault]:
        """List the faults. Losing the primary comes last, because nothing replaces the standby."""
        upgrade: list[Fault] = [("upgrade of both nodes", self.upgrade_nodes, True)] if is_upgrade else []
        basic: list[Fault] = [
            ("kill -9 of a node", partial(self.kill_node, 0), False),
            ("kill -9 of PgBouncer", self.kill_bouncer, False),
        ]
        last: list[Fault] = [("failover of PostgreSQL", self.fail_over, False)]
        return [*upgrade, *basic, *([] if is_short else self._list_more()), *last]

    def _list_more(self) -> Iterator[Fault]:
        yield ("restart of both nodes", self.restart_nodes, True)
        yield ("kill -9 of the other node, which has two worker processes", partial(self.kill_node, 1), False)
        if self.cluster.node_options[1]:
            yield ("kill -9 of a worker process, four times", self.kill_workers, False)
            yield ("kill -9 of the fork server", self.kill_fork_server, False)
        yield ("a node paused for 3 s", self.pause_node, False)
        yield ("all connections of PostgreSQL taken for 3 s", self.exhaust_connections, False)
        yield ("all connections of PostgreSQL ended", self.end_connections, False)
        if self.cluster.disk is not None:
            yield ("the disk of PostgreSQL full", partial(self.fill_disk, self.cluster.disk), False)
        if disks.can_delay():
            yield (f"each write of PostgreSQL delayed by {DELAY_SECONDS} s", self.slow_down_disk, False)
        if Path(FAKETIME).exists():
            for offset in ("+2h", "-2h"):
                direction = "ahead" if offset[0] == "+" else "behind"
                yield (f"a clock that is {offset[1:]} {direction}", partial(self.change_clock, offset), False)
        yield ("upgrade of both nodes with a long migration", self.migrate_nodes, True)

    def kill_node(self, index: int) -> None:
        self.cluster.nodes[index].kill()
        time.sleep(self.seconds)
        self.cluster.start_node(index)

    def restart_nodes(self) -> None:
        """Restart the nodes one after the other, as a deployment of Treaty does."""
        for index in range(2):
            self.cluster.nodes[index].end()
            self.cluster.start_node(index)
            time.sleep(2)  # nginx uses a node again after a second

    def upgrade_nodes(self) -> None:
        """Replace the earlier version, node by node: the first new node migrates the schema below the other one."""
        self._replace_nodes(None)

    def migrate_nodes(self) -> None:
        """Upgrade to a later version, whose migration writes many rows and indexes tables that are in use."""
        self._replace_nodes(_write_later_version(self.cluster.folder))

    def _replace_nodes(self, source: Path | None) -> None:
        for index in range(2):
            self.cluster.nodes[index].end()
            self.cluster.node_sources[index] = source
            self.cluster.start_node(index)
            time.sleep(max(2, self.seconds))

    def kill_workers(self) -> None:
        _kill_workers(self.cluster.nodes[1].process.pid, self.seconds)

    def kill_fork_server(self) -> None:
        _kill_fork_server(self.cluster.nodes[1].process.pid, self.seconds)

    def pause_node(self) -> None:
        clusters.pause(self.cluster.nodes[0].process, 3)

    def kill_bouncer(self) -> None:
        self.cluster.bouncer.kill()
        time.sleep(1)
        self.cluster.bouncer.restart()

    def exhaust_connections(self) -> None:
        """Take all connections of the primary, so that PgBouncer cannot open another one."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(psycopg.OperationalError):
                for _ in range(clusters.MAX_CONNECTIONS):
                    stack.enter_context(psycopg.connect(self.cluster.direct_url(0)))
            time.sleep(3)

    def end_connections(self) -> None:
        """End all connections to the primary, as an administrator or a restart of PgBouncer's host does."""
        with psycopg.connect(self.cluster.direct_url(0), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    def fill_disk(self, disk: SmallDisk) -> None:
        _fill_disk(disk, self.seconds)

    def slow_down_disk(self) -> None:
        with disks.slowed_down(disks.list_process_tree(self.cluster.databases[0].pid), seconds=DELAY_SECONDS):
            time.sleep(max(5, self.seconds))

    def change_clock(self, offset: str) -> None:
        """Restart a node with a wrong clock, and after some time with the correct one."""
        for variables in ({"LD_PRELOAD": FAKETIME, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}, {}):
            self.cluster.nodes[0].end()
            self.cluster.node_variables[0] = variables
            self.cluster.start_node(0)
            time.sleep(max(2, self.seconds))

    def fail_over(self) -> None:
        """Kill the primary, and promote the standby two seconds later."""
        self.cluster.databases[0].kill()
        time.sleep(2)
        self.cluster.promote_standby()


def _kill_workers(first: int, pause: float) -> None:
    """Kill worker processes, each after the one before it was replaced."""
    for number in range(4):
        clusters.wait_until(lambda: len(servers.list_workers(first)) == WORKERS, "a worker is not replaced")
        os.kill(servers.list_workers(first)[number % WORKERS], signal.SIGKILL)
        time.sleep(pause / 2)


def _kill_fork_server(first: int, pause: float) -> None:
    killed = servers.find_fork_server(first)
    os.kill(killed, signal.SIGKILL)
    clusters.wait_until(
        lambda: servers.find_fork_server(first) not in {0, killed} and len(servers.list_workers(first)) == WORKERS,
        "the fork server is not replaced",
    )
    time.sleep(pause)


def _fill_disk(disk: SmallDisk, seconds: float) -> None:
    """Keep a disk full for some time, and free it. It is filled repeatedly, since the database releases some space."""
    end = time.monotonic() + max(15, seconds)
    while time.monotonic() < end:
        disk.fill()
        time.sleep(0.5)
    disk.free()


def _write_later_version(folder: Path) -> Path:
    """Write a later version of the package, which has one more migration. Returns its folder."""
    source = folder / "later" / PACKAGE
    shutil.copytree(ROOT / PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    text = _LATER_MIGRATION.format(before=HEAD, revision=f"{int(HEAD) + 1:04}")
    (source / "treaty/store/migrations/versions" / f"{int(HEAD) + 1:04}_chaos.py").write_text(text, encoding="utf-8")
    return source


_LATER_MIGRATION: Final = """
from alembic import op
from treaty.store.migrations.online import LargeIndex, create_unless_built

revision, down_revision, branch_labels, depends_on = "{revision}", "{before}", None, None
TABLES = ("verification", "version", "publication")
INDEXES = tuple(LargeIndex(f"ix_chaos_{{table}}", table, ["created_at", "id"]) for table in TABLES)


def upgrade():
    for index in INDEXES:
        create_unless_built(index)
    op.execute("CREATE TABLE chaos AS SELECT n, md5(n::text) AS text FROM generate_series(1, 2000000) AS n")
    op.execute("CREATE INDEX ix_chaos ON chaos (text)")
    op.execute("ALTER TABLE verification ADD COLUMN chaos integer")
"""


# Faults of a single server


@dataclass(frozen=True, slots=True)
class SingleFaults:
    """The faults of one server of two processes, with SQLite."""

    single: Single
    seconds: float

    def list(self) -> Iterator[Fault]:
        """Yield the faults."""
        yield ("SQLite: kill -9 of a worker process, four times", self.kill_workers, False)
        yield ("SQLite: kill -9 of the fork server", self.kill_fork_server, False)
        yield ("SQLite: kill -9 of the first process", self.kill_server, False)
        yield ("SQLite: the file locked by another program for 5 s", self.lock_file, False)
        yield ("SQLite: the disk full", self.fill_disk, False)
        if disks.can_delay():
            yield (f"SQLite: each write delayed by {DELAY_SECONDS} s", self.slow_down_disk, False)

    def kill_workers(self) -> None:
        _kill_workers(self.single.server.process.pid, self.seconds)

    def kill_fork_server(self) -> None:
        _kill_fork_server(self.single.server.process.pid, self.seconds)

    def kill_server(self) -> None:
        self.single.server.kill()
        self.single.start()

    def lock_file(self) -> None:
        with contextlib.closing(sqlite3.connect(self.single.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(5)

    def fill_disk(self) -> None:
        _fill_disk(self.single.disk, self.seconds)

    def slow_down_disk(self) -> None:
        with disks.slowed_down(servers.list_workers(self.single.server.process.pid), seconds=DELAY_SECONDS):
            time.sleep(max(5, self.seconds))


# The run


def run(*, teams: int, pause: float, seconds: float, is_short: bool, upgrade_from: str | None = None) -> Chaos:
    """Inject all faults of a cluster under load. The problems of the returned run are empty if it passed."""
    with (
        _extract_revision(upgrade_from) as source,
        receiving(fails_every=5) as receiver,
        clusters.running(SETTINGS, source=source, workers=1 if is_short else WORKERS) as cluster,
    ):
        chaos = Chaos(cluster.url, receiver, seconds)
        faults = ClusterFaults(cluster, seconds).list(is_short=is_short, is_upgrade=upgrade_from is not None)
        _run_faults(chaos, faults, teams=teams, pause=pause)
        chaos.problems += _find_tracebacks([cluster.read_log(index) for index in range(2)])
    return chaos


def run_single(*, teams: int, pause: float, seconds: float) -> Chaos:
    """Inject all faults of a single server under load. Raises `small_disks.Unavailable`."""
    with receiving(fails_every=5) as receiver, singles.running(SETTINGS) as single:
        chaos = Chaos(single.url, receiver, seconds)
        _run_faults(chaos, list(SingleFaults(single, seconds).list()), teams=teams, pause=pause)
        chaos.problems += _find_tracebacks([single.read_log()])
    return chaos


def _run_faults(chaos: Chaos, faults: Sequence[Fault], *, teams: int, pause: float) -> None:
    """Inject the faults while teams send requests, and check their writes and deliveries afterwards."""
    _prepare(chaos)
    team_clients = [Team(number, chaos.url, chaos.ledger) for number in range(teams)]
    with _running_teams(team_clients, pause):
        time.sleep(chaos.seconds)
        for name, fault, must_not_fail in faults:
            chaos.inject(name, fault, must_not_fail=must_not_fail)
    try:
        chaos.problems += [problem for team in team_clients for problem in team.check()]
    except TimeoutError as error:
        chaos.problems.append(str(error))
    chaos.problems += chaos.ledger.problems
    chaos.problems += _find_undelivered(chaos)


@contextmanager
def _extract_revision(revision: str | None) -> Iterator[Path | None]:
    """Extract the package of an earlier revision until the block ends. Both versions use the installed libraries."""
    if revision is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="treaty-revision-") as folder:
        archive = subprocess.run(
            [clusters.find_program("git", "git"), "archive", revision, PACKAGE],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder) / PACKAGE


def _prepare(chaos: Chaos) -> None:
    with httpx.Client(base_url=chaos.url, timeout=60) as client:
        production = {"name": "production", "displayName": "Production", "production": True}
        client.post("/environments", json=production).raise_for_status()
        request = {"method": "POST", "url": chaos.receiver.url, "body": BODY}
        webhook = {"events": [{"name": "contract_published"}], "request": request}
        client.post("/webhooks", json=webhook).raise_for_status()


@contextmanager
def _running_teams(teams: Sequence[Team], pause: float) -> Iterator[None]:
    is_over = threading.Event()
    threads = [threading.Thread(target=team.work, args=(is_over, pause), daemon=True) for team in teams]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join(2 * RECOVERY_SECONDS)


def _find_undelivered(chaos: Chaos) -> Iterator[str]:
    """Wait for the deliveries of all acknowledged publications. Yields those that never arrived."""
    missing, end = set(chaos.ledger.expected_deliveries), time.monotonic() + DRAIN_SECONDS
    while missing and time.monotonic() < end:
        missing -= {arrival.body for arrival in chaos.receiver.pop_arrivals() if arrival.is_acknowledged}
        time.sleep(0.2)
    yield from (f"{body}: its webhook was not delivered" for body in sorted(missing))


def _find_tracebacks(logs: Sequence[str]) -> Iterator[str]:
    """Yield the first traceback of each log. Servers must report an outage in one line, without a traceback."""
    for number, log in enumerate(logs, 1):
        if "Traceback" in log:
            yield f"node {number} logged a traceback: {log[log.index('Traceback') :][:8000]}"


def main() -> None:
    options = _parse_options()
    load = {"teams": options.teams, "pause": 1 / options.pace, "seconds": options.seconds}
    try:
        runs = [run(**load, is_short=options.short, upgrade_from=options.upgrade_from)]
        if not options.short:
            runs.append(run_single(**load))
    except (clusters.MissingProgram, postgres.Unavailable, proxies.Unavailable, small_disks.Unavailable) as error:
        sys.exit(str(error))
    problems = [problem for chaos in runs for problem in chaos.problems]
    for ledger in (chaos.ledger for chaos in runs):
        counts = f"{ledger.requests} requests, {len(ledger.failed_at)} failed and repeated"
        print(f"{counts}; {len(ledger.expected_deliveries)} publications")
    for problem in problems[:20]:
        print(f"PROBLEM  {problem}")
    print(f"{len(problems)} problems." if problems else "No problems.")
    sys.exit(1 if problems else 0)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run chaos", description=__doc__)
    parser.add_argument("--teams", type=int, default=6, help="number of concurrent teams (default 6)")
    parser.add_argument("--pace", type=float, default=10.0, help="requests per second of each team (default 10)")
    parser.add_argument("--seconds", type=float, default=8.0, help="time between two faults (default 8)")
    parser.add_argument("--short", action="store_true", help="inject only the most important faults")
    parser.add_argument(
        "--upgrade-from", metavar="REVISION", help="start with an earlier revision, and upgrade it under load"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
