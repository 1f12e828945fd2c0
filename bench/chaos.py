"""Two nodes work for teams while their parts are killed, paused, replaced and cut off. Then everything is compared.

Ends with 1 if an acknowledged write or a delivery was lost, an answer was wrong, a failed response had no Retry-After,
or a planned restart failed a request.
"""

import argparse
import contextlib
import io
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
from bench.chaos_clients import BODY, Ledger, Team
from bench.cluster import FAKETIME, Cluster
from bench.deliveries import OPEN
from bench.receiver import Receiver, receiving
from tests import postgres
from tests.docs.generated import ROOT
from tests.whole import proxies

SETTINGS: Final = {**OPEN, "TREATY_WEBHOOK_RETRY_SCHEDULE": "1 1 1 2 2 3 5 5 10 10"}
DRAIN_SECONDS: Final = 90.0
RECOVERY_SECONDS: Final = 60.0
"""Time after which clients must be served again."""
PACKAGE: Final = "src"


@dataclass(slots=True)
class Chaos:
    """A run: a cluster, its clients, and what happened so far."""

    cluster: Cluster
    receiver: Receiver
    seconds: float
    """Time between two injections."""
    ledger: Ledger = field(default_factory=Ledger)
    report: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def inject(self, name: str, action: Callable[["Chaos"], None], *, must_not_fail: bool) -> None:
        """Carry out a fault, and report the failed requests and the time until the last of them."""
        began, requests, failures = time.monotonic(), self.ledger.requests, len(self.ledger.failed_at)
        action(self)
        self.wait_for_recovery()
        time.sleep(self.seconds)
        failed = self.ledger.failed_at[failures:]
        last = max(failed, default=began) - began
        line = f"{name}: {self.ledger.requests - requests} requests, {len(failed)} failed, the last after {last:.1f} s"
        self.report.append(line)
        print(line, flush=True)
        if must_not_fail and failed:
            self.problems.append(f"{name}: {len(failed)} requests failed")

    def wait_for_recovery(self) -> None:
        """Wait until a write is acknowledged again."""
        end = time.monotonic() + RECOVERY_SECONDS
        with httpx.Client(base_url=self.cluster.url, timeout=RECOVERY_SECONDS) as client:
            while time.monotonic() < end:
                if client.put("/pacticipants/probe/versions/1", json={}).is_success:
                    return
                time.sleep(0.1)
        self.problems.append("no write was acknowledged within a minute")


# Faults


def kill_node(index: int, chaos: Chaos) -> None:
    chaos.cluster.nodes[index].kill()
    time.sleep(chaos.seconds)
    chaos.cluster.start_node(index)


def restart_nodes(chaos: Chaos) -> None:
    """Restart the nodes one after the other, as a deployment of Treaty does."""
    for index in range(2):
        chaos.cluster.nodes[index].end()
        chaos.cluster.start_node(index)
        time.sleep(2)  # nginx uses a node again after a second


def upgrade_nodes(chaos: Chaos) -> None:
    """Replace the earlier version, node by node: the first new node migrates the schema below the other one."""
    for index in range(2):
        chaos.cluster.nodes[index].end()
        chaos.cluster.node_sources[index] = None
        chaos.cluster.start_node(index)
        time.sleep(max(2, chaos.seconds))


def pause_node(chaos: Chaos) -> None:
    clusters.pause(chaos.cluster.nodes[0].process, 3)


def kill_bouncer(chaos: Chaos) -> None:
    chaos.cluster.bouncer.kill()
    time.sleep(1)
    chaos.cluster.bouncer.restart()


def exhaust_connections(chaos: Chaos) -> None:
    """Take all connections of the primary, so that PgBouncer cannot open another one."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(psycopg.OperationalError):
            for _ in range(clusters.MAX_CONNECTIONS):
                stack.enter_context(psycopg.connect(chaos.cluster.direct_url(0)))
        time.sleep(3)


def end_connections(chaos: Chaos) -> None:
    """End all connections to the primary, as an administrator or a restart of PgBouncer's host does."""
    with psycopg.connect(chaos.cluster.direct_url(0), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def change_clock(offset: str, chaos: Chaos) -> None:
    """Restart a node whose clock is wrong, let it work, and correct it."""
    for variables in ({"LD_PRELOAD": FAKETIME, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}, {}):
        chaos.cluster.nodes[1].end()
        chaos.cluster.node_variables[1] = variables
        chaos.cluster.start_node(1)
        time.sleep(max(2, chaos.seconds))


def fail_over(chaos: Chaos) -> None:
    """Kill the primary, and promote the standby two seconds later."""
    chaos.cluster.databases[0].kill()
    time.sleep(2)
    chaos.cluster.promote_standby()


Fault = tuple[str, Callable[[Chaos], None], bool]
"""A name, what to do, and whether no request may fail."""


def plan(*, is_short: bool, is_upgrade: bool) -> Sequence[Fault]:
    """Choose the faults. Losing the primary comes last, because nothing replaces the standby."""
    upgrade: list[Fault] = [("upgrade of both nodes", upgrade_nodes, True)] if is_upgrade else []
    basic: list[Fault] = [
        ("kill -9 of a node", partial(kill_node, 0), False),
        ("kill -9 of PgBouncer", kill_bouncer, False),
    ]
    more: list[Fault] = [
        ("restart of both nodes", restart_nodes, True),
        ("kill -9 of the other node", partial(kill_node, 1), False),
        ("a node paused for 3 s", pause_node, False),
        ("all connections of PostgreSQL taken for 3 s", exhaust_connections, False),
        ("all connections of PostgreSQL ended", end_connections, False),
        *(
            (
                f"a clock that is {offset[1:]} {'ahead' if offset[0] == '+' else 'behind'}",
                partial(change_clock, offset),
                False,
            )
            for offset in ("+2h", "-2h")
            if Path(FAKETIME).exists()
        ),
    ]
    last: list[Fault] = [("failover of PostgreSQL", fail_over, False)]
    return [*upgrade, *basic, *([] if is_short else more), *last]


# The run


def run(*, teams: int, pause: float, seconds: float, is_short: bool, upgrade_from: str | None = None) -> Chaos:
    """Run all faults under load. The result's problems are empty if everything held."""
    with (
        _source_of(upgrade_from) as source,
        receiving(fails_every=5) as receiver,
        clusters.running(SETTINGS, source=source) as cluster,
    ):
        chaos = Chaos(cluster, receiver, seconds)
        _prepare(chaos)
        members = [Team(number, cluster.url, chaos.ledger) for number in range(teams)]
        with _working(members, pause):
            time.sleep(seconds)
            for name, fault, must_not_fail in plan(is_short=is_short, is_upgrade=upgrade_from is not None):
                chaos.inject(name, fault, must_not_fail=must_not_fail)
        try:
            chaos.problems += [problem for team in members for problem in team.check()]
        except TimeoutError as error:
            chaos.problems.append(str(error))
        chaos.problems += chaos.ledger.problems
        chaos.problems += _undelivered(chaos)
        chaos.problems += _tracebacks(cluster)
    return chaos


@contextmanager
def _source_of(revision: str | None) -> Iterator[Path | None]:
    """Extract the package of an earlier revision; both versions use the libraries that are installed."""
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
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            members.extractall(folder, filter="data")
        yield Path(folder) / PACKAGE


def _prepare(chaos: Chaos) -> None:
    with httpx.Client(base_url=chaos.cluster.url, timeout=60) as client:
        production = {"name": "production", "displayName": "Production", "production": True}
        client.post("/environments", json=production).raise_for_status()
        request = {"method": "POST", "url": chaos.receiver.url, "body": BODY}
        webhook = {"events": [{"name": "contract_published"}], "request": request}
        client.post("/webhooks", json=webhook).raise_for_status()


@contextmanager
def _working(teams: Sequence[Team], pause: float) -> Iterator[None]:
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


def _undelivered(chaos: Chaos) -> Iterator[str]:
    """Wait for the deliveries of all acknowledged publications. Yields those that never arrived."""
    waiting, end = set(chaos.ledger.published), time.monotonic() + DRAIN_SECONDS
    while waiting and time.monotonic() < end:
        waiting -= {arrival.body for arrival in chaos.receiver.take() if arrival.is_taken}
        time.sleep(0.2)
    yield from (f"{body}: its webhook was not delivered" for body in sorted(waiting))


def _tracebacks(cluster: Cluster) -> Iterator[str]:
    """Yield the first traceback of each node: outages of parts are reported in one line each."""
    for index in range(2):
        log = cluster.read_log(index)
        if "Traceback" in log:
            yield f"node {index + 1} logged a traceback: {log[log.index('Traceback') :][:8000]}"


def main() -> None:
    options = _read_options()
    try:
        chaos = run(
            teams=options.teams,
            pause=1 / options.pace,
            seconds=options.seconds,
            is_short=options.short,
            upgrade_from=options.upgrade_from,
        )
    except (clusters.MissingProgram, postgres.Unavailable, proxies.Unavailable) as absence:
        sys.exit(str(absence))
    ledger = chaos.ledger
    print(
        f"{ledger.requests} requests, {len(ledger.failed_at)} failed and repeated; {len(ledger.published)} publications"
    )
    for problem in chaos.problems[:20]:
        print(f"PROBLEM  {problem}")
    print(f"{len(chaos.problems)} problems." if chaos.problems else "Nothing was lost, and no answer was wrong.")
    sys.exit(1 if chaos.problems else 0)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run chaos", description=__doc__)
    parser.add_argument("--teams", type=int, default=6, help="teams that work at the same time (default 6)")
    parser.add_argument("--pace", type=float, default=10.0, help="requests per second of each team (default 10)")
    parser.add_argument("--seconds", type=float, default=8.0, help="time between two faults (default 8)")
    parser.add_argument("--short", action="store_true", help="only the most important faults")
    parser.add_argument("--upgrade-from", metavar="REVISION", help="start with an earlier revision, and upgrade it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
