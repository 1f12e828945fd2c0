"""Reports the processor time that each test file takes: `./run test --processor-time`.

Wall time depends on other work on the machine. Processor time is that of the worker and of all processes that it has
started, such as servers and browsers. That of PostgreSQL, which all workers share, is part of the total only.
"""

import os
import resource
import time
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")
_SHOWN_FILES: Final = 40
_SHOWN_TESTS: Final = 20


def measure() -> float:
    """Return the processor time of this process and of those that it has started, in seconds.

    Without `/proc`, processes that are still running are left out.
    """
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = _measure_running_processes(os.getpid()) if _has_child_processes() else 0.0
    return time.process_time() + ended.ru_utime + ended.ru_stime + running


def _has_child_processes() -> bool:
    """Return whether there are child processes: if not, reading `/proc` would take a tenth of the tests' time."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return _PROC.is_dir()


def _measure_running_processes(parent: int) -> float:
    children, ticks = defaultdict[int, list[int]](list), dict[int, int]()
    for name in filter(str.isdigit, os.listdir(_PROC)):  # noqa: PTH208 - pathlib takes three times as long
        try:
            with open(f"{_PROC}/{name}/stat", "rb") as file:  # noqa: PTH123 - likewise
                # The name of the program, in parentheses, may contain spaces.
                fields = file.read().rpartition(b")")[2].split()
        except OSError:  # it has ended
            continue
        children[int(fields[1])].append(int(name))
        ticks[int(name)] = sum(map(int, fields[11:15]))
    pending, total = list(children[parent]), 0
    while pending:
        pid = pending.pop()
        total += ticks[pid]
        pending += children[pid]
    return total / _TICKS


class Recorder:
    """Measures each test, in the process that runs it."""

    def __init__(self) -> None:
        self._last = measure()

    def pytest_collection_finish(self) -> None:
        self._last = measure()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        report = yield
        if call.when == "teardown":
            now = measure()
            report.processor_time = now - self._last  # xdist sends the report to the main process
            self._last = now
        return report


class Reporter:
    """Adds up the measurements of the workers, and prints the sum at the end."""

    def __init__(self) -> None:
        self._tests: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            # There can be several reports: a worker that replaces a lost one repeats fixtures of modules and sessions.
            self._tests[report.nodeid] = self._tests.get(report.nodeid, 0) + getattr(report, "processor_time", 0)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        write = terminalreporter.write_line
        terminalreporter.section("processor time in seconds, including processes that tests started")
        files, counts = defaultdict[str, float](float), defaultdict[str, int](int)
        for test, seconds in self._tests.items():
            files[test.partition("::")[0]] += seconds
            counts[test.partition("::")[0]] += 1
        write("seconds  tests  file")
        for name, seconds in _find_largest(files, _SHOWN_FILES):
            write(f"{seconds:7.1f} {counts[name]:6}  {name}")
        write("")
        write("seconds  test")
        for name, seconds in _find_largest(self._tests, _SHOWN_TESTS):
            write(f"{seconds:7.1f}  {name}")
        write("")
        write(f"{sum(self._tests.values()):7.1f}  all {len(self._tests)} tests")
        write(f"{measure():7.1f}  in total, with collection and, if the tests have started it, PostgreSQL")


def _find_largest(seconds: dict[str, float], number: int) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda entry: -entry[1])[:number]
