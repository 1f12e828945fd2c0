"""Processes of Treaty and pytest that are forked from a process that has already imported them.

A short-lived `treaty` spends most of its time on imports, and the tests start it hundreds of times. A forked process
has its own arguments, environment, folder and files, and can be ended by signals. In a run that measures coverage, all
processes are started as programs.
"""

import atexit
import multiprocessing
import os
import pkgutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from multiprocessing import forkserver, reduction
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

from tests.waiting import PATIENCE
from treaty import web

_PRELOADED: Final = (
    *("treaty.cli.server", "treaty.cli.accounts", "treaty.app", "alembic.command", "alembic.config", "zxcvbn"),
    *("pytest", "_pytest.pytester", "pact.pact", "pact.verifier"),  # for projects that use the plugin
    *(
        module.name for module in pkgutil.walk_packages(web.__path__, f"{web.__name__}.")
    ),  # the server imports them late
)
_PROGRAMS: Final = ("treaty", "pact-broker", "pytest")
_IS_POSSIBLE: Final = sys.platform == "linux" and not any(name.startswith("COV") for name in os.environ)
_ROOT: Final = Path(__file__).parents[2]
_context = multiprocessing.get_context("forkserver")


def can_fork(words: Sequence[str]) -> bool:
    """Return whether a call of a program can be forked."""
    return _IS_POSSIBLE and words[0] in _PROGRAMS


@dataclass(frozen=True)
class Call:
    """A call of a program: its words, folder and environment, and descriptors for its standard streams."""

    words: Sequence[str]
    folder: Path
    environ: Mapping[str, str]
    streams: Mapping[int, "Descriptor"]


@dataclass(frozen=True)
class Descriptor:
    """An open file, which a process receives."""

    number: int

    def __reduce__(self) -> tuple[Any, ...]:
        return _receive_descriptor, (reduction.DupFd(self.number),)


def _receive_descriptor(duplicate: Any) -> Descriptor:
    return Descriptor(duplicate.detach())


class Process:
    """A forked process, with the part of the interface of `subprocess.Popen` that tests use."""

    def __init__(self, call: Call) -> None:
        _start_fork_server()
        self._process = _context.Process(target=_run_in_child, args=(call,), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("treaty", timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


@cache
def _start_fork_server() -> None:
    """Start the process from which others are forked. Each test process has only one."""
    _context.set_forkserver_preload([*_PRELOADED, "tests.whole.frozen"])
    with chdir(_ROOT):  # where it finds `tests`: Python 3.11 does not pass sys.path on to it
        forkserver.ensure_running()


def run(
    words: Sequence[str], *, cwd: Path, environ: Mapping[str, str], stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, as `subprocess.run` does."""
    with TemporaryFile("w+") as input_file, TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        input_file.write(stdin)
        input_file.seek(0)
        streams = {number: Descriptor(file.fileno()) for number, file in enumerate((input_file, output, errors))}
        status = Process(Call(words, cwd, environ, streams)).wait(PATIENCE)
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(words, status, output.read(), errors.read())


def _run_in_child(call: Call) -> None:
    """Set up streams, folder, environment and arguments, and run the program."""
    for number, descriptor in call.streams.items():
        os.dup2(descriptor.number, number)
        os.close(descriptor.number)
        setattr(sys, ("stdin", "stdout", "stderr")[number], os.fdopen(number, "w" if number else "r", closefd=False))
    os.chdir(call.folder)
    os.environ.clear()
    os.environ.update(call.environ)
    sys.argv = list(call.words)
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]  # noqa: SLF001 - may have children
    try:
        _run_program(call.words[0])
    finally:
        atexit._run_exitfuncs()  # noqa: SLF001 - processes of multiprocessing end without them


def _run_program(name: str) -> None:
    if name == "pytest":
        import pytest  # noqa: PLC0415 - only processes that are forked need it

        sys.exit(pytest.console_main())
    from treaty import cli  # noqa: PLC0415 - likewise

    {"treaty": cli.treaty, "pact-broker": cli.pact_broker}[name]()
