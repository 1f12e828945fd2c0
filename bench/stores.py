"""Databases of the benchmarks, which later runs can use again: SQLite files, or the files of a PostgreSQL server."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import psycopg
from psycopg import sql

from bench import servers
from tests import postgres

_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "1GB",
    "effective_cache_size": "3GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
}
"""For a machine with 4 GiB of memory. Unlike in tests, commits are flushed to the disk."""


class Store(Protocol):
    """A collection of databases with names."""

    kind: str
    """SQLite or PostgreSQL."""
    folder: Path
    warm_up_requests: int
    """Number of requests to a process after which its latency no longer falls."""
    has_processes: bool
    """Whether the database has processes of its own, so that the load generator should not poll."""

    def url(self, name: str) -> str:
        """Return the URL of a database. SQLite creates it when it is opened."""
        ...

    def create(self, name: str) -> str:
        """Create a database if it is missing, and return its URL."""
        ...

    def exists(self, name: str) -> bool: ...

    def size(self, name: str) -> int:
        """Return the size of a database in bytes."""
        ...

    def copy(self, name: str, copied_name: str) -> str:
        """Copy a database that is not in use, and return the URL of the copy."""
        ...

    def drop(self, name: str) -> None:
        """Remove a database if it exists."""

    def read_processor_seconds(self, name: str, server: int) -> float:
        """Return the processor time for requests in seconds.

        On SQLite it is that of the server's first thread, which executes requests. On PostgreSQL it is that of all
        threads of the server and of the processes of its database.
        """
        ...


@dataclass(slots=True)
class SqliteStore:
    """A folder with SQLite files."""

    folder: Path
    kind: str = "SQLite"
    warm_up_requests: int = 1
    has_processes: bool = False

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.sqlite"

    def url(self, name: str) -> str:
        return f"sqlite:///{self.path(name)}"

    def create(self, name: str) -> str:
        return self.url(name)

    def exists(self, name: str) -> bool:
        return self.path(name).exists()

    def size(self, name: str) -> int:
        return self.path(name).stat().st_size

    def copy(self, name: str, copied_name: str) -> str:
        self.drop(copied_name)
        shutil.copyfile(self.path(name), self.path(copied_name))
        return self.url(copied_name)

    def drop(self, name: str) -> None:
        for path in self.folder.glob(f"{name}.sqlite*"):
            path.unlink()

    def read_processor_seconds(self, name: str, server: int) -> float:  # noqa: ARG002 - SQLite runs within the server
        return servers.read_processor_seconds(server) or 0.0


@dataclass(slots=True)
class PostgresStore:
    """A running PostgreSQL server."""

    folder: Path
    server_url: str
    kind: str = "PostgreSQL"
    warm_up_requests: int = 128
    """Each of eight connections prepares a statement after two executions, and PostgreSQL decides after five more
    whether to use a generic plan."""
    has_processes: bool = True

    def url(self, name: str) -> str:
        return f"{self.server_url}/{name}"

    def create(self, name: str) -> str:
        if not self.exists(name):
            with self._connect() as db:
                db.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        return self.url(name)

    def exists(self, name: str) -> bool:
        with self._connect() as db:
            return db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None

    def size(self, name: str) -> int:
        with self._connect() as db:
            row = db.execute("SELECT pg_database_size(%s)", [name]).fetchone()
        assert row
        return int(row[0])

    def copy(self, name: str, copied_name: str) -> str:
        self.drop(copied_name)
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        with self._connect() as db:
            db.execute(statement.format(sql.Identifier(copied_name), sql.Identifier(name)))
        return self.url(copied_name)

    def drop(self, name: str) -> None:
        with self._connect() as db:
            db.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def read_processor_seconds(self, name: str, server: int) -> float:
        with self._connect() as db:
            query = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
            backends = [pid for (pid,) in db.execute(query, [name])]
        return servers.read_all_processor_seconds(server) + sum(
            servers.read_processor_seconds(pid) or 0.0 for pid in backends
        )

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url("postgres"), autocommit=True)


@contextmanager
def postgres_store(folder: Path) -> Iterator[PostgresStore]:
    """Run a PostgreSQL server until the block ends. Its files remain in the folder. Raises `postgres.Unavailable`."""
    binaries, owner = postgres.find_binaries(), postgres.find_owner()
    cluster_folder = folder / "postgres"
    password_file = cluster_folder / "password"
    if password_file.exists():
        password = password_file.read_text()
    else:
        cluster_folder.mkdir(parents=True, exist_ok=True)
        if owner:
            os.chown(cluster_folder, owner.pw_uid, owner.pw_gid)
        password = postgres.create_cluster(binaries, cluster_folder, owner)
    process, port = postgres.start_cluster(binaries, cluster_folder, owner, _SETTINGS)
    try:
        yield PostgresStore(folder, f"postgresql://treaty:{password}@127.0.0.1:{port}")
    finally:
        postgres.stop_cluster(process)
