"""A single server of two processes, with SQLite on a disk that can be filled."""

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.cluster import Process, wait_until
from tests import postgres, small_disks
from tests.small_disks import SmallDisk


@dataclass(slots=True)
class Single:
    """The running server, with its disk, port and settings."""

    folder: Path
    disk: SmallDisk
    settings: Mapping[str, str]
    port: int = field(default_factory=postgres.free_port)
    secret_key: str = field(default_factory=lambda: secrets.token_hex(16))
    server: Process = field(init=False)

    def start(self) -> None:
        """Start the server, and wait until it responds."""
        self.server = Process(self._start)
        wait_until(self._is_responding, "the server does not respond")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.disk.folder / "treaty.sqlite"

    def read_log(self) -> str:
        """Return the complete log of the server."""
        return (self.folder / "log").read_text("utf-8", errors="replace")

    def _is_responding(self) -> bool:
        if self.server.process.poll() is not None:  # the port can be in use until the former workers have ended
            self.server.restart()
        try:
            return httpx.get(f"{self.url}/diagnostic/status/heartbeat").is_success
        except httpx.HTTPError:
            return False

    def _start(self) -> subprocess.Popen[bytes]:
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("TREATY_", "PACT_BROKER_"))
        }
        environ |= {
            **self.settings,
            "TREATY_SECRET_KEY": self.secret_key,
            "TREATY_OPEN_ACCESS": "true",
            "TREATY_DATABASE_URL": f"sqlite:///{self.database}",
        }
        program = [sys.executable, "-c", "from treaty.cli import treaty; treaty()"]
        command = [*program, "serve", "--port", str(self.port), "--workers", "2", "--log-level", "warn"]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=environ, stdout=log, stderr=log)


@contextmanager
def running(settings: Mapping[str, str]) -> Iterator[Single]:
    """Run the server until the block ends. Raises `small_disks.Unavailable` if this user cannot mount disks."""
    with tempfile.TemporaryDirectory(prefix="treaty-single-") as name:
        folder = Path(name)
        (folder / "disk").mkdir()
        with small_disks.mounted(folder / "disk", megabytes=64) as disk:
            single = Single(folder, disk, settings)
            single.start()
            try:
                yield single
            finally:
                single.server.end()
