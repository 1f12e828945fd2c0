"""Servers and commands of Treaty as processes."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import IO, Final

from tests import databases
from tests.waiting import PATIENCE
from tests.whole import forked

BIN: Final = Path(sys.executable).parent
_ADDRESS: Final = re.compile(r"Treaty is at (https?://\S+)")


class Server:
    """A running server."""

    def __init__(
        self, process: subprocess.Popen[str] | forked.Process, address: str, errors: list[str], thread: Thread
    ) -> None:
        self.process = process
        self.address = address
        self._errors = errors
        self._thread = thread

    @property
    def log(self) -> str:
        """Its output to standard error so far."""
        return "".join(self._errors)

    def kill(self) -> None:
        """Kill the process."""
        self.process.kill()
        self._wait(PATIENCE)

    def end(self) -> int:
        """Terminate the process, and return its status. Running requests and deliveries can delay it by a minute."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self._wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def _wait(self, seconds: float) -> int:
        status = self.process.wait(seconds)
        self._thread.join(seconds)
        return status


def list_workers(process: int) -> list[int]:
    """List the worker processes of a server, which are forked from one of its children."""
    return [worker for child in _list_children(process) for worker in _list_children(child)]


def find_fork_server(process: int) -> int:
    """Return the id of the process from which the workers of a server are forked, or 0."""
    return next((child for child in _list_children(process) if b"forkserver" in _read_command(child)), 0)


def _read_command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def _list_children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split()]


@contextmanager
def running(
    database_url: str,
    *options: str,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    has_tables: bool = True,
    is_forked: bool = True,
) -> Iterator[Server]:
    """Run a server on a free port until the block ends."""
    server = start(database_url, *options, cwd=cwd, environ=environ, has_tables=has_tables, is_forked=is_forked)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end()


def start(
    database_url: str,
    *options: str,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    has_tables: bool = True,
    is_forked: bool = True,
) -> Server:
    """Start a server on a free port, and wait until it listens.

    A missing file of SQLite is created with all tables beforehand, which takes less time than the migrations in the
    server, unless `has_tables` is false. The server is started as a program if `is_forked` is false.
    """
    if has_tables:
        databases.create_missing_file(database_url)
    words = ["treaty", "serve", "--port", "0", "--database-url", database_url, "--log-level", "warn", *options]
    return launch(words, cwd or Path.cwd(), {**os.environ, **(environ or {})}, is_forked=is_forked)


def launch(words: Sequence[str], cwd: Path, environ: Mapping[str, str], *, is_forked: bool = True) -> Server:
    """Start a server with exactly these arguments and variables, and wait until it listens."""
    process, stream = _start_process(words, cwd, environ, is_forked=is_forked)
    errors: list[str] = []
    thread = Thread(target=_collect, args=(stream, errors), daemon=True)
    thread.start()
    return Server(process, _wait_for_address(process, errors), errors, thread)


def _start_process(
    words: Sequence[str], folder: Path, environ: Mapping[str, str], *, is_forked: bool
) -> tuple[subprocess.Popen[str] | forked.Process, IO[str]]:
    """Start a process, and return it with the stream of its standard error."""
    if not (is_forked and forked.can_fork(words)):
        process = subprocess.Popen(
            [str(BIN / words[0]), *words[1:]], stderr=subprocess.PIPE, text=True, cwd=folder, env=environ
        )
        assert process.stderr is not None
        return process, process.stderr
    reading, writing = os.pipe()
    child = forked.Process(forked.Call(words, folder, environ, {2: forked.Descriptor(writing)}))
    os.close(writing)
    return child, os.fdopen(reading)


def _collect(stream: IO[str], errors: list[str]) -> None:
    with stream:
        for line in stream:
            errors.append(line)  # noqa: PERF402 - lines must be visible as soon as they are written


def _wait_for_address(process: subprocess.Popen[str] | forked.Process, errors: list[str]) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        match = _ADDRESS.search("".join(errors))
        if match:
            return match[1]
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    raise AssertionError("the server did not start:\n" + "".join(errors))


def run(*words: str, cwd: Path, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the tests' environment, without the variables of Pact and of CI systems."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PACT_", "GITHUB_", "GIT_"))}
    return run_in(cwd, words, {**clean, "PACT_DO_NOT_TRACK": "true", **environ}, stdin)


def run_in(
    cwd: Path, words: Sequence[str], environ: Mapping[str, str], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program of the tests' environment, in a folder and with exactly these variables."""
    if forked.can_fork(words):
        return forked.run(words, cwd=cwd, environ=environ, stdin=stdin)
    return subprocess.run(
        [str(BIN / words[0]), *words[1:]],
        cwd=cwd,
        env=environ,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
