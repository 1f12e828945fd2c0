"""The broker of a test run: the configured one, or a temporary Treaty that ends with the run."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from treaty.distribution import install_hint
from treaty.errors import ClientError

if TYPE_CHECKING:
    from treaty.client import BrokerClient, BrokerConnection

_URL: Final = re.compile(r"Treaty is at (http://\S+)")
"""The line that `treaty serve` prints once it accepts requests."""
_START_TIMEOUT_SECONDS: Final = 60
_END_TIMEOUT_SECONDS: Final = 10
# The server ends with pytest even if pytest is killed: a pipe from it to the server then closes.
_SERVER_SCRIPT: Final = """
import os, signal, threading

def end_with_pytest():
    os.read(0, 1)  # nothing is ever written, so this returns once the other end is closed, or killed
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=end_with_pytest, daemon=True).start()

from treaty.cli import treaty

treaty()
"""


@dataclass(frozen=True, kw_only=True)
class PactBroker:
    """The URL of a broker, the credentials of the run, and a client for it."""

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if "@" in self.url:
            # Summaries and tests print the URL, so it must not contain a password.
            connection = self._connection()
            for name in ("url", "username", "password"):
                object.__setattr__(self, name, getattr(connection, name))

    @functools.cached_property
    def client(self) -> BrokerClient:
        """A client that is connected on first use, and shared by all tests."""
        from treaty.client import BrokerClient  # noqa: PLC0415 - httpx takes long to load

        return BrokerClient(self._connection())

    def _connection(self) -> BrokerConnection:
        from treaty.client import BrokerConnection, RetryPolicy  # noqa: PLC0415 - as above

        return BrokerConnection(
            base_url=self.url,
            address_option="--broker-url",
            username=self.username,
            password=self.password,
            token=self.token,
            retry_policy=RetryPolicy(attempts=3),
        )

    def close(self) -> None:
        if "client" in self.__dict__:  # cached_property stores it there on first use
            self.client.__exit__()


class TemporaryBroker:
    """A Treaty server for this run, with an empty database that is deleted when it ends."""

    def __init__(self) -> None:
        """Start the server and wait until it accepts requests. Raises ClientError if it does not start."""
        if not importlib.util.find_spec("sqlalchemy"):
            raise ClientError(f"--run-broker needs the server's packages: {install_hint('server')}")
        self._folder = Path(tempfile.mkdtemp(prefix="treaty-broker-"))
        self._log = self._folder / "log"
        self._process = self._start()
        try:
            self.url = self._wait_for_url()
        except ClientError:
            self.end()
            raise

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_END_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> subprocess.Popen[bytes]:
        database = f"sqlite:///{(self._folder / 'treaty.sqlite').as_posix()}"
        command = [sys.executable, "-c", _SERVER_SCRIPT, "serve", "--port", "0", "--database-url", database]
        with self._log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - the arguments are constants
                command, cwd=self._folder, env=_environment(), stdin=subprocess.PIPE, stdout=log, stderr=log
            )

    def _wait_for_url(self) -> str:
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if match := _URL.search(self._read_log()):
                return match[1]
            time.sleep(0.02)
        raise ClientError(f"The broker for this run did not start: {self._read_log().strip()[-2000:]}")

    def _read_log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")


def _environment() -> dict[str, str]:
    """Return the environment without settings, which are meant for other brokers."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TREATY_", "PACT_BROKER_"))}
