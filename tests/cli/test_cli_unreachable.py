"""A broker that cannot be reached is one line: at once if retrying cannot help, and else after counted attempts."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import pytest

from .commands import NO_ANSWER, WORDS, call, list_commands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    from .conftest import OtherBroker, Run

REQUEST = "Error making request to "


class RunCommand(Protocol):
    def __call__(self, name: str, url: str, *words: str) -> Result: ...


@pytest.fixture
def run_command(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """Run a command with all that it needs; waiting between attempts takes no time.

    The authorities of the system take longer to load than all the rest, and none of them has signed a certificate here.
    """
    monkeypatch.setattr(time, "sleep", lambda _: None)
    file = tmp_path / "pact.json"
    file.write_text(json.dumps({"consumer": {"name": "Foo"}, "provider": {"name": "Bar"}, "interactions": []}))
    return lambda name, url, *words: run(*call(name, str(file)), "-b", url, *words, SSL_TRUST_STORE="false")


@contextmanager
def answering(respond: Callable[[socket.socket], object]) -> Iterator[str]:
    """Accept connections on a free port, and handle each with a function; the value is the port's address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    respond(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def read_and_end(connection: socket.socket) -> None:
    connection.recv(65536)


@pytest.fixture
def unknown_host(monkeypatch: pytest.MonkeyPatch) -> str:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    return "https://brokre.example.org"


def test_the_table_has_every_command_that_needs_a_broker() -> None:
    assert set(list_commands()) == set(WORDS)


def assert_one_line(result: Result, *texts: str, name: str = "") -> None:
    assert result.exit_code == NO_ANSWER.get(name, 1)
    assert isinstance(result.exception, SystemExit)
    lines = result.output.splitlines()
    assert len(lines) == 1, result.output
    for text in (REQUEST, *texts):
        assert text in lines[0]
    assert lines[0].endswith((".", "?")) or "://" in lines[0].rpartition(" ")[2]


@pytest.mark.parametrize("name", WORDS)
def test_an_unknown_host_is_one_line_at_once(name: str, run_command: RunCommand, unknown_host: str) -> None:
    result = run_command(name, unknown_host)
    assert_one_line(
        result, "the host brokre.example.org is unknown.", "Check its spelling in --broker-base-url", name=name
    )


@pytest.mark.parametrize("name", WORDS)
def test_an_untrusted_certificate_is_one_line_at_once(name: str, run_command: RunCommand, secure: str) -> None:
    assert_one_line(run_command(name, secure), "is not trusted: self", "--ssl-certificate (SSL_CERT_FILE).", name=name)


@pytest.mark.parametrize("name", WORDS)
def test_http_spoken_to_https_is_one_line_at_once(name: str, run_command: RunCommand, secure: str) -> None:
    result = run_command(name, secure.replace("https", "http"))
    assert_one_line(result, "expects https. Give the address with https as --broker-base-url", secure, name=name)


@pytest.mark.parametrize("name", WORDS)
def test_https_spoken_to_http_is_one_line_at_once(name: str, run_command: RunCommand, broker: OtherBroker) -> None:
    result = run_command(name, broker.url.replace("http", "https"))
    assert_one_line(result, "does not speak https. Give the port for https in --broker-base-url", broker.url, name=name)


@pytest.mark.parametrize("name", WORDS)
def test_a_refused_connection_is_attempted_again_and_counted(name: str, run_command: RunCommand) -> None:
    result = run_command(name, "http://127.0.0.1:1", "--retries", "3")
    lines = result.output.splitlines()
    assert [line.rpartition(", ")[2] for line in lines[:3]] == [f"attempt {number} of 3" for number in (1, 2, 3)]
    assert all(line in result.stderr for line in lines[:3])
    assert "127.0.0.1:1 refused the connection. Is the broker running, and is --broker-base-url" in lines[3]
    assert (result.exit_code, len(lines)) == (NO_ANSWER.get(name, 1), 4)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_temporary_failures_of_the_broker_are_retried_and_the_attempts_are_counted(
    run_command: RunCommand, broker: OtherBroker, status: int
) -> None:
    broker.answers.clear()
    broker.answer("GET /", status=status)
    result = run_command("list-environments", broker.url, "--retries", "2")
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"ERROR: Error making request - status={status} ")
    assert [line.rpartition(", ")[2] for line in lines[:2]] == ["attempt 1 of 2", "attempt 2 of 2"]
    assert result.stdout == f"{REQUEST}{broker.url} status={status}: The response is empty.\n"


def test_a_broker_that_comes_up_meanwhile_is_used(run_command: RunCommand, broker: OtherBroker) -> None:
    broker.answers.clear()
    broker.answer("GET /", "starting", status=503)
    broker.answer("GET /", {"_links": {"pb:environments": {"href": "/e"}}})
    broker.answer("GET /e", {})
    result = run_command("list-environments", broker.url, "--retries", "5")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "ERROR: Error making request - status=503 Service Unavailable, attempt 1 of 5\n"


def test_a_connection_that_ends_is_attempted_again(run_command: RunCommand) -> None:
    with answering(read_and_end) as address:
        result = run_command("list-environments", f"http://{address}", "--retries", "2")
    assert [line.rpartition(", ")[2] for line in result.stderr.splitlines()] == ["attempt 1 of 2", "attempt 2 of 2"]
    assert "Is the broker running" in result.stdout


@pytest.mark.parametrize(("scheme", "greeting"), [("http", b"220 mail\r\n\r\n"), ("https", b"SSH-2.0-OpenSSH_9.6\r\n")])
def test_a_port_of_another_protocol_is_one_line_at_once(run_command: RunCommand, scheme: str, greeting: bytes) -> None:
    def greet(connection: socket.socket) -> None:
        connection.sendall(greeting)
        connection.recv(65536)

    with answering(greet) as address:
        result = run_command("list-environments", f"{scheme}://{address}")
    assert_one_line(result, f"does not speak {'HTTP' if scheme == 'http' else 'https'}.", "--broker-base-url")


@pytest.mark.parametrize(
    "body",
    [
        "<html><h1>400 Bad Request</h1><center>The plain HTTP request was sent to HTTPS port</center></html>",
        "Client sent an HTTP request to an HTTPS server.\n",
        "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
    ],
)
def test_the_response_of_a_proxy_that_expects_https_is_one_line(
    run_command: RunCommand, broker: OtherBroker, body: str
) -> None:
    broker.answers.clear()
    broker.answer("GET /", body, status=400)
    assert_one_line(run_command("list-environments", broker.url), "expects https. Give the address with https")


@pytest.mark.parametrize(("status", "attempts"), [("407 Proxy Authentication Required", 0), ("503 Unavailable", 2)])
def test_a_proxy_that_refuses_is_named(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, status: str, attempts: int
) -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    with answering(refuse) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@{address}")
        result = run_command("list-environments", "https://broker.example.org", "--retries", "2")
    assert f"the proxy http://{address} refused the connection to broker.example.org:443: {status[:3]}" in result.stdout
    assert len(result.stderr.splitlines()) == attempts
    assert "secret" not in result.output


@pytest.mark.parametrize("host", ["a" * 64 + ".example.org", "brok\u00e9r..example.org"])
def test_a_host_that_cannot_exist_is_one_line(run_command: RunCommand, host: str) -> None:
    assert_one_line(run_command("list-environments", f"https://{host}"))


@pytest.mark.parametrize("name", WORDS)
def test_json_is_one_object_for_an_unreachable_broker(name: str, run_command: RunCommand, unknown_host: str) -> None:
    words = ["--json"] if name == "provider-states list" else ["--output", "json"]
    if name in {"alias", "create-version-tag", "delete-version-tag", "delete-branch", "delete-webhook", "test-webhook"}:
        pytest.skip("the command has no JSON")
    result = run_command(name, unknown_host, *words)
    if result.stdout:
        assert REQUEST in json.loads(result.stdout)["error"]["message"]
    assert len(result.output.splitlines()) == 1


def test_temporary_failures_of_name_resolution_are_retried(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose network is starting."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    result = run_command("list-environments", "https://broker.example.org", "--retries", "2")
    assert [line.rpartition(", ")[2] for line in result.stderr.splitlines()] == ["attempt 1 of 2", "attempt 2 of 2"]
    assert "the host broker.example.org cannot be looked up at the moment." in result.stdout


def test_a_certificate_for_another_host_is_one_line(
    run_command: RunCommand, secure: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = socket.getaddrinfo

    def look_up_here(_: str, *args: object, **options: object) -> object:
        return look_up("127.0.0.1", *args, **options)  # type: ignore[arg-type]  # the arguments of getaddrinfo

    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)
    url = secure.replace("127.0.0.1", "broker.example.org")
    result = run_command("list-environments", url, "--ssl-certificate", str(certificate))
    assert_one_line(result, "Hostname mismatch", "with a host that its certificate names as --broker-base-url.")


def test_the_host_that_a_redirect_leads_to_is_named(
    run_command: RunCommand, broker: OtherBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = socket.getaddrinfo

    def fail_for_the_other(host: str, *args: object, **options: object) -> object:
        if host == "other.example.org":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *args, **options)  # type: ignore[arg-type]  # the arguments of getaddrinfo

    monkeypatch.setattr(socket, "getaddrinfo", fail_for_the_other)
    broker.answers.clear()
    broker.answer("GET /", status=302, headers={"Location": "http://other.example.org/"})
    assert_one_line(run_command("list-environments", broker.url), broker.url, "the host other.example.org is unknown.")
