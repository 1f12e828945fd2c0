"""A restoration whose connection is lost during its commit: the result is determined, or reported as unknown."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests import postgres
from treaty.model.maintenance.backups import BackupError
from treaty.store.engine.database import open_database
from treaty.store.engine.vault import Vault
from treaty.store.migrations import migrate
from treaty.workers.backups import BackupOptions, RestoreOptions, ServerKeys, make_backup, restore_backup


class Cut(Enum):
    """When a relay closes the connection that commits, and whether it accepts others afterwards."""

    BEFORE = "before the commit"
    AFTER = "after the commit"
    FOR_GOOD = "after the commit, for good"


class Relay:
    """Passes connections on to PostgreSQL, and cuts the first one that commits once it is armed."""

    def __init__(self, listener: socket.socket, address: tuple[str, int], cut: Cut) -> None:
        self._listener, self._address, self._cut = listener, address, cut
        self.is_armed = False
        self._is_closed = False

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_closed:
                    client.close()
                    continue
                server = socket.create_connection(self._address)
                threading.Thread(target=self._pass, args=(client, server), daemon=True).start()
                threading.Thread(target=self._pass_back, args=(server, client), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65_536):
                if self.is_armed and b"COMMIT\0" in data:
                    self.is_armed = False
                    self._is_closed = self._cut is Cut.FOR_GOOD
                    client.shutdown(socket.SHUT_RDWR)
                    if self._cut is not Cut.BEFORE:
                        server.sendall(data)
                        self.wait_for_commit()
                    break
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)  # closing it would not reach PostgreSQL while the other thread receives
        server.close()

    wait_for_commit: Callable[[], object] = staticmethod(lambda: None)

    def _pass_back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65_536):
                client.sendall(data)
        client.close()


@contextmanager
def relayed(url: str, cut: Cut) -> Iterator[tuple[str, Relay]]:
    """Yield the URL of a database behind a relay."""
    parts = urlsplit(url)
    assert parts.port
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(listener, ("127.0.0.1", parts.port), cut)
        threading.Thread(target=relay.accept, daemon=True).start()
        port = listener.getsockname()[1]
        yield parts._replace(netloc=re.sub(r":\d+$", f":{port}", parts.netloc)).geturl(), relay


class Progress:
    """Arms the relay when the rows are written."""

    def __init__(self, relay: Relay | None = None) -> None:
        self._relay = relay
        self.writes = 0

    def plan(self, steps: int) -> None:
        """Ignore the number of steps."""

    def begin(self, subject: str, total: int) -> None:  # noqa: ARG002 - part of the protocol
        if subject == "Restore rows" and self._relay is not None:
            self._relay.is_armed = not self.writes
            self.writes += 1

    def advance(self, count: int = 1) -> None:
        """Ignore the progress."""

    def end(self) -> None:
        """Ignore the end."""


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A backup of a database with a pacticipant."""
    path = tmp_path / "backup.zip"
    with closing(open_database(f"sqlite:///{tmp_path / 'treaty.sqlite'}")) as database:
        migrate(database)
        insert = (
            "INSERT INTO pacticipant (name, display_name, created_at, updated_at)"
            " VALUES ('shop', 'Shop', '2026-01-01', '2026-01-01')"
        )
        database.write(lambda db: db.exec_driver_sql(insert).close())
        make_backup(database, path, BackupOptions(), vault=Vault(tuple), progress=Progress())
    return path


@pytest.mark.parametrize("cut", Cut, ids=lambda cut: cut.value)
def test_the_result_of_a_lost_commit_is_found_out_or_reported_as_unknown(
    cut: Cut, backup: Path, postgres_url: str
) -> None:
    with (
        postgres.database(postgres_url) as url,
        relayed(url, cut) as (relayed_url, relay),
        psycopg.connect(url, autocommit=True) as other,
        closing(open_database(relayed_url)) as database,
    ):
        # The locks of the restoration end with its commit.
        relay.wait_for_commit = lambda: other.execute("SELECT * FROM pacticipant FOR SHARE")
        migrate(database)
        progress = Progress(relay)
        keys = ServerKeys(keys=(), vault=Vault(tuple), hint="")

        def restore() -> None:
            restore_backup(database, backup, RestoreOptions(), server_keys=keys, read_passphrase=str, progress=progress)

        if cut is Cut.FOR_GOOD:
            with pytest.raises(BackupError, match=r"unknown whether the backup was written.*repeat the command"):
                restore()
        else:
            restore()
        assert progress.writes == (2 if cut is Cut.BEFORE else 1)
        assert other.execute("SELECT name FROM pacticipant").fetchall() == [("shop",)]
