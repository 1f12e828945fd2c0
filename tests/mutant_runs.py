"""Runs tests against sources that have a mutant, each time in a process forked from one with the libraries imported.

The sources are a copy in a temporary folder, so that the working tree stays as it is.
"""

import itertools
import multiprocessing
import os
import resource
import select
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from hypothesis import Phase, settings

ROOT: Final = Path(__file__).resolve().parents[1]

PROCESSOR_LIMIT: Final = 120
"""Seconds of processor time for one test. A mutant that makes it loop forever counts as killed."""
TIME_LIMIT: Final = 900
"""Seconds until a run ends without a verdict: its tests wait for something, or the machine is busy."""

# Everything that takes long to import, except Treaty.
_PRELOADED: Final = ("__main__", "alembic.command", "cryptography.fernet", "httpx", "networkx", "psycopg")
_PRELOADED_FOR_SERVERS: Final = ("pydantic", "sqlalchemy", "starlette.applications", "structlog", "uvicorn")

_times = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run: the tests that failed, or the reason for which no test could."""

    failed: Sequence[str] = ()
    error: str | None = None
    is_finished: bool = True


def copy_sources(folder: Path) -> Path:
    """Copy the sources into a new folder, without compiled files: those would name the working tree."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@contextmanager
def replaced(path: Path, text: str) -> Iterator[None]:
    """Replace the text of a file for a while.

    Python recompiles a file if its size or its time in whole seconds has changed. A mutant often has the same size as
    the original, so each text gets a time of its own.
    """
    original, time = path.read_bytes(), path.stat().st_mtime
    path.write_text(text, encoding="utf-8")
    new_time = time + next(_times)
    os.utime(path, (new_time, new_time))
    try:
        yield
    finally:
        path.write_bytes(original)
        os.utime(path, (time, time))


def preload_libraries() -> None:
    """Have the processes of `run_tests` forked. Only `./run mutants` may call this.

    A process has one fork server, and that of the tests (`tests/whole/forked.py`) has imported Treaty.
    """
    multiprocessing.set_start_method("forkserver")
    multiprocessing.set_forkserver_preload([*_PRELOADED, *_PRELOADED_FOR_SERVERS])


def run_tests(folder: Path, tests: Sequence[str], *, seed: int, stops_at_failure: bool) -> Outcome:
    """Run tests in this order against the sources in a folder."""
    is_preloaded = multiprocessing.get_start_method(allow_none=True) == "forkserver"
    context: Any = multiprocessing.get_context("forkserver" if is_preloaded else "spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(folder, tests, seed, stops_at_failure, sender), daemon=True)
    process.start()
    sender.close()
    outcome = Outcome(is_finished=False)
    try:
        if receiver.poll(TIME_LIMIT):
            outcome = receiver.recv()
    except EOFError:
        process.join()
        outcome = Outcome(error=f"the process ended with status {process.exitcode}")
    finally:
        process.kill()
        process.join()
        receiver.close()
    return outcome


def _run(folder: Path, tests: Sequence[str], seed: int, stops_at_failure: bool, outcome: Connection) -> None:  # noqa: FBT001
    Thread(target=_end_with_parent, args=(outcome,), daemon=True).start()
    sys.dont_write_bytecode = False  # otherwise each run would compile Treaty again
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    # Before the installed Treaty, which is the working tree.
    sys.path.insert(0, str(folder / "src"))
    os.environ["PYTHONPATH"] = str(folder / "src")
    selection = _Selection(tests)
    files = sorted({test.partition("::")[0] for test in tests})
    # pytest cannot rewrite the assertions of plugins that are preloaded, which have none.
    warning = "ignore::pytest.PytestAssertRewriteWarning"
    options = [
        "-q",
        "-W",
        warning,
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        f"--hypothesis-seed={seed}",
        "--rootdir",
        str(ROOT),
    ]
    status = pytest.main([*options, *(["-x"] if stops_at_failure else []), *files], plugins=[selection])
    expected = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED}
    error = selection.error if status in expected else f"pytest ended with status {int(status)}"
    outcome.send(Outcome(tuple(selection.failed), error))


def _end_with_parent(outcome: Connection) -> None:
    """End this process when no process waits for its outcome any more, because `./run mutants` was interrupted."""
    poll = select.poll()
    poll.register(outcome.fileno(), 0)  # errors, such as a closed other end, are always reported
    poll.poll()
    os._exit(1)


@dataclass(eq=False)
class _Selection:
    """A plugin of pytest that runs the selected tests of the collected files, in the order of the selection.

    Tests that have been renamed since the selection was made are left out.
    """

    tests: Sequence[str]
    failed: list[str] = field(default_factory=list)
    error: str | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        # A counterexample suffices, however large it is.
        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutants", settings.get_profile("treaty"), phases=phases)
        settings.load_profile("mutants")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        # With `-x`, pytest ends as if a test had failed.
        if report.failed:
            self.error = f"{report.nodeid} cannot be imported"

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        by_id = {item.nodeid: item for item in items}
        items[:] = [by_id[test] for test in self.tests if test in by_id]

    def pytest_runtest_setup(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, maximum = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + PROCESSOR_LIMIT, maximum))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)
