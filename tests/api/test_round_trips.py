"""The round trips of a publication to PostgreSQL, counted by a relay between Treaty and the server."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests import databases
from tests.api.client import Api, publication
from treaty.settings import Settings
from treaty.store.engine.database import open_database
from treaty.store.migrations import migrate
from treaty.web.application import build_application


@dataclass(slots=True)
class Relay:
    """Forwards connections to a server, and counts its turns: responses after something was sent to it."""

    target: tuple[str, int]
    turns: int = 0
    _is_waiting: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self.target)
                for source, sink, is_request in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._forward, args=(source, sink, is_request), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, is_request: bool) -> None:  # noqa: FBT001 - a thread's
        with suppress(OSError), source, sink:
            while data := source.recv(65536):
                with self._lock:
                    self.turns += self._is_waiting and not is_request
                    self._is_waiting = is_request
                sink.sendall(data)


@pytest.fixture
def relayed(postgres_lender: databases.Lender) -> Iterator[tuple[Api, Relay]]:
    """An application on PostgreSQL that is connected through a relay."""
    with postgres_lender.database() as url, closing(socket.create_server(("127.0.0.1", 0))) as listener:
        parts = urlsplit(url)
        relay = Relay((parts.hostname or "", parts.port or 0))
        threading.Thread(target=relay.serve, args=(listener,), daemon=True).start()
        port = listener.getsockname()[1]
        database = open_database(url.replace(f":{parts.port}/", f":{port}/"), connections=1)
        migrate(database)
        settings = Settings(database_url=url, log_level="error")
        with closing(Api(build_application(settings, database))) as api:
            yield api, relay


def test_publishing_many_contracts_takes_as_many_round_trips_as_one(relayed: tuple[Api, Relay]) -> None:
    api, relay = relayed

    def count(version: str, providers: list[str], mark: str) -> int:
        """Publish contracts, and return the number of round trips."""
        before = relay.turns
        bodies = [
            publication("Foo", version, provider, f"{mark} of {provider}", branch="main") for provider in providers
        ]
        contracts = [contract for body in bodies for contract in body["contracts"]]
        assert api.post("/contracts/publish", {**bodies[0], "contracts": contracts}).status == 200
        return relay.turns - before

    many = [f"Bar {number}" for number in range(8)]
    count("1", many, "first")
    same = [count("2", many[:1], "first"), count("3", many, "first")]
    new = [count("4", many[:1], "second"), count("5", many, "third")]
    # Reading a large response may take another turn. Without a pipeline, each contract would take six or more.
    assert same[1] <= same[0] + 2
    assert new[1] <= new[0] + 2
