"""A PostgreSQL server for the tests, in a temporary folder.

Run as a program, this module prints the URL of a server, which runs until standard input is closed. The system closes
it even if the test run is killed, so that no server is left running.
"""

import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

OLDEST: Final = 15
"""Oldest supported major version."""
_START_TIMEOUT: Final = 60.0
_STOP_TIMEOUT: Final = 30.0
_ATTEMPTS: Final = 5

# The data is not needed after the tests, so flushing it to the disk would only take time.
_SETTINGS: Final[Mapping[str, str]] = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "synchronous_commit": "off",
    "unix_socket_directories": "",
}


class Unavailable(Exception):
    """PostgreSQL cannot be started here. The message gives the reason."""


@contextmanager
def server() -> Iterator[str]:
    """Run a server in another process until the block ends; yield its URL.

    Raises:
        Unavailable: PostgreSQL is not installed, is too old or does not start.
    """
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C must reach the tests only, which then stop the server
    ) as process:
        try:
            yield _read_url(process)
        finally:
            process.terminate()


class Maintenance:
    """Creates, renames and drops databases of a server, which are identified by their URLs."""

    def __init__(self, server_url: str) -> None:
        self._url = re.sub(r"^postgresql\+\w+:", "postgresql:", server_url)
        self._server = psycopg.connect(self._url, autocommit=True)

    def close(self) -> None:
        self._server.close()

    def create(self, template: str = "template0") -> str:
        """Create a database with a random name, and return its URL."""
        name = _build_name()
        self._server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        return self._url_of(name)

    def plan_quickly(self, url: str) -> None:
        """Have tables joined in the order of statements: with few rows, finding a better order takes too long."""
        statement = sql.SQL("ALTER DATABASE {} SET join_collapse_limit = 1").format(sql.Identifier(_get_name(url)))
        self._server.execute(statement)

    def rename(self, url: str) -> str:
        """Terminate the connections to a database, and rename it, so that clients cannot reconnect. Return its URL."""
        old_name, name = _get_name(url), _build_name()
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old_name), sql.Identifier(name))
        for _ in range(_ATTEMPTS):
            self._server.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [old_name]
            )
            try:
                self._server.execute(rename)
            except psycopg.errors.ObjectInUse:  # a client has reconnected
                continue
            return self._url_of(name)
        raise TimeoutError(f"{old_name} is still in use after several attempts")

    def drop(self, url: str) -> None:
        """Drop a database, even if it is in use."""
        self._server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(_get_name(url))))

    def _url_of(self, name: str) -> str:
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()


def _build_name() -> str:
    return f"treaty_test_{secrets.token_hex(8)}"


def _get_name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


@contextmanager
def database(server_url: str, *, template: str = "template0") -> Iterator[str]:
    """Create a database until the block ends; yield its URL."""
    with closing(Maintenance(server_url)) as maintenance:
        url = maintenance.create(template)
        try:
            yield url
        finally:
            maintenance.drop(url)


def find_binaries() -> Path:
    """Return the folder with `initdb` and `postgres` of the newest version.

    Raises:
        Unavailable: PostgreSQL is not installed, or only too old versions.
    """
    on_path = shutil.which("postgres")
    beside_path = Path("/usr/lib/postgresql").glob("*/bin")
    folders = ([Path(on_path).resolve().parent] if on_path else []) + sorted(beside_path, key=_version, reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and _version(folder) >= OLDEST:
            return folder
    raise Unavailable(f"PostgreSQL {OLDEST} or later is not installed")


def _version(folder: Path) -> int:
    try:
        result = subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    match = re.search(r"\d+", result.stdout)
    return int(match[0]) if match else 0


def _read_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    assert process.stderr
    line = process.stdout.readline().strip()
    if not line:
        raise Unavailable(process.stderr.read().strip())
    return line


@contextmanager
def _running_server() -> Iterator[str]:
    binaries = find_binaries()
    owner = find_owner()
    with new_folder(owner) as folder:
        password = create_cluster(binaries, folder, owner)
        process, port = start_cluster(binaries, folder, owner)
        try:
            yield f"postgresql://treaty:{password}@127.0.0.1:{port}/postgres"
        finally:
            stop_cluster(process)


@contextmanager
def new_folder(owner: pwd.struct_passwd | None) -> Iterator[Path]:
    """Create a folder for the files of a server until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="treaty-postgres-"))
    try:
        if owner:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_owner() -> pwd.struct_passwd | None:
    """Return the user that runs the server, or None for the current one. PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in users:
            return users[name]
    raise Unavailable("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")


def run_as_owner(command: list[str | Path], folder: Path, owner: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},  # without PGDATA and other variables of other servers
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
            start_new_session=True,
        )


def create_cluster(binaries: Path, folder: Path, owner: pwd.struct_passwd | None) -> str:
    """Create a cluster, and return its password, since all users of the machine can connect to the port.

    The password is checked with MD5: SCRAM is slow by design, and tests connect thousands of times.
    """
    password = secrets.token_hex(16)
    password_file = folder / "password"
    password_file.write_text(password)
    options = ["--username=treaty", f"--pwfile={password_file}", "--auth=md5", "--encoding=UTF8"]
    command: list[str | Path] = [
        binaries / "initdb",
        f"--pgdata={folder / 'data'}",
        "--locale=C",
        "--no-sync",
        *options,
    ]
    if run_as_owner(command, folder, owner).wait() != 0:
        raise _failure(folder)
    return password


def start_cluster(
    binaries: Path, folder: Path, owner: pwd.struct_passwd | None, settings: Mapping[str, str] = _SETTINGS
) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server on a free port, and return its process and port.

    There are several attempts, since another process can take the port first.
    """
    options = [f"--{name}={value}" for name, value in settings.items()]
    for _ in range(_ATTEMPTS):
        port = free_port()
        process = run_as_owner([binaries / "postgres", "-D", folder / "data", "-p", str(port), *options], folder, owner)
        try:
            if _is_up(process, folder / "data" / "postmaster.pid"):
                return process, port
        except BaseException:
            stop_cluster(process)
            raise
        stop_cluster(process)
    raise _failure(folder)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _is_up(process: subprocess.Popen[bytes], status: Path) -> bool:
    """Wait until the server is ready, according to the eighth line of its status file. Return False if it has ended."""
    deadline = time.monotonic() + _START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        if status.exists() and "ready" in "".join(status.read_text().splitlines()[7:8]):
            return True
        time.sleep(0.02)
    return False


def stop_cluster(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # the "fast" shutdown, which does not wait for clients
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _failure(folder: Path) -> Unavailable:
    lines = (folder / "log").read_text(errors="replace").strip().splitlines()[-5:]
    return Unavailable("PostgreSQL does not start: " + " / ".join(lines))


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        with _running_server() as url:
            sys.stdout.write(f"{url}\n")
            sys.stdout.flush()
            sys.stdin.read()
    except Unavailable as absence:
        sys.exit(str(absence))
    except KeyboardInterrupt:
        sys.exit()


if __name__ == "__main__":
    main()
