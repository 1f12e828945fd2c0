"""If the first process of a server is killed, the others end, and release the port."""

import socket
from urllib.parse import urlsplit

import pytest

from tests.waiting import eventually
from tests.whole import servers


@pytest.mark.slow
def test_the_workers_end_with_the_first_process(tmp_path):
    server = servers.start(f"sqlite:///{tmp_path / 'broker.sqlite'}", "--workers", "2", cwd=tmp_path)
    port = urlsplit(server.address).port
    assert port
    eventually(lambda: accepts_connections(port))
    server.kill()
    eventually(lambda: not accepts_connections(port))


def accepts_connections(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
