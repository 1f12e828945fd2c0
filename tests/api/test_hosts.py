"""Which `Host` headers are accepted."""

import socket
from urllib.parse import urlsplit

import pytest

from tests.databases import on_sqlite
from tests.waiting import PATIENCE
from tests.whole.servers import running

VALID = {
    "a.example": "http://a.example",
    "A.Example.": "http://A.Example.",
    "build_server-1:8080": "http://build_server-1:8080",
    "192.0.2.1": "http://192.0.2.1",
    "192.0.2.1:80": "http://192.0.2.1",
    "[2001:db8::1]": "http://[2001:db8::1]",
    "[::1]:9292": "http://[::1]:9292",
    "a.example:": "http://a.example",
    "a.example:0": "http://a.example:0",
    "a.example:65535": "http://a.example:65535",
}
INVALID = [
    "",
    " ",
    ":80",
    "a b",
    "a.example, b.example",
    "a.example,b.example",
    "a.example/path",
    "a.example?q",
    "a.example#f",
    "http://a.example",
    "user@a.example",
    "a.example:port",
    "a.example:65536",
    "a.example:-1",
    "a.example:80:80",
    "2001:db8::1",
    "[2001:db8::1",
    "[2001:db8::1]x",
    "[2001:db8::1%eth0]",
    "[]",
    "[1.2.3.4]",
    "[v1.x]",
    "a..example",
    ".example",
    "bröker.example",
    "a%2Fb",
    'a"b',
    "a<b>",
    "a\\b",
    "a'b",
    "a;b",
    "a\tb",
    "a" * 254,
    "a." * 100_000,
]


@on_sqlite
@pytest.mark.parametrize("host", VALID)
def test_a_host_is_a_name_or_an_address_with_a_port(make_api, host):
    answer = make_api(open_access=True).get("/", headers={"host": host})
    assert (answer.status, answer.json()["_links"]["self"]["href"]) == (200, VALID[host])


@on_sqlite
@pytest.mark.parametrize("host", INVALID)
def test_anything_else_is_refused_with_a_reason(make_api, host):
    for settings in ({"open_access": True}, {"base_urls": ("https://a.example",), "open_access": True}, {}):
        refused = make_api(**settings).get("/", headers={"host": host})
        assert refused.status == 400, settings
        assert refused.json()["error"].startswith("The Host header "), refused.json()


@on_sqlite
def test_nothing_is_written_for_a_request_with_an_invalid_host(api):
    assert api.post("/pacticipants", {"name": "A"}, headers={"host": "a/b"}).status == 400
    assert api.get("/pacticipants/A").status == 404


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hosts")
    with running(f"sqlite:///{folder / 'treaty.sqlite'}", cwd=folder) as server:
        yield server.address


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: localhost\r\n", 200),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\nX: y\r\nhOST: localhost\r\n", 400),
        ("GET / HTTP/1.1\r\nX: y\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n", 400),
        ("GET / HTTP/1.0\r\n", 401),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n", 401),
        # Only a proxy may be asked for another server's address.
        ("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n", 401),
        # A request to upgrade to another protocol is a request like any other.
        ("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", 401),
    ],
)
def test_a_server_takes_one_host_from_each_request(address, request_text, status):
    head, body = exchanged(address, request_text)
    assert int(head.split()[1]) == status, body
    assert "http://evil.example" not in body


def exchanged(address, text):
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as connection:
        connection.sendall(f"{text}Accept: application/hal+json\r\nConnection: close\r\n\r\n".encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = received.decode().partition("\r\n\r\n")
    return head, body
