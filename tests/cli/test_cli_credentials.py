"""Credentials are sent to the origin of the broker's base URL, and are never printed."""

from __future__ import annotations

import base64
import json
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from treaty.cli import TREATY
from treaty.client import BrokerClient, BrokerConnection, RetryPolicy, Tls
from treaty.errors import ClientError, ForeignOrigin, Refused, Unreachable
from treaty.pact import Consumer, Provider, Verifier
from treaty.pact.broker import BrokerError
from treaty.pytest_plugin.brokers import PactBroker
from treaty.pytest_plugin.fetching import fetch_pact

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OtherBroker, Run

TOKEN = "planted-secret"  # noqa: S105 - a test looks for it
BASIC = f"Basic {base64.b64encode(b'me:p/w').decode()}"
BASE = "http://broker.example.org"
SAME = [
    (BASE, "http://broker.example.org/x"),
    (BASE, "http://BROKER.Example.org:80/x"),
    (BASE, "http://broker.example.org./x"),
    (BASE, "http://someone:else@broker.example.org/x"),
    ("http://broker.example.org:80", "http://broker.example.org/x"),
    ("http://broker.example.org.:9292/pacts", "http://broker.example.org:9292/x"),
    ("http://[::1]", "http://[0:0:0:0:0:0:0:1]:80/x"),
    ("http://bücher.example.org", "http://xn--bcher-kva.example.org/x"),
]
FOREIGN = [
    (BASE, "http://evil.example.org/x"),
    (BASE, "http://example.org/x"),
    (BASE, "http://broker.example.org.evil.example.org/x"),
    (BASE, "http://broker.example.org:8080/x"),
    (BASE, "http://broker.example.org@evil.example.org/x"),
    (BASE, "http://evil.example.org\\@broker.example.org.evil/x"),
    (BASE, "https://broker.example.org:8443/x"),
    ("http://broker.example.org:8080", "https://broker.example.org/x"),
    ("https://broker.example.org", "http://broker.example.org/x"),
    ("https://broker.example.org:9292", "http://broker.example.org:9292/x"),
    ("https://broker.example.org", "https://broker.example.org:9292/x"),
    ("http://localhost:9292", "http://127.0.0.1:9292/x"),
    ("http://[::1]:9292", "http://[::2]:9292/x"),
]
CREDENTIALS: list[dict[str, Any]] = [
    {"token": TOKEN},
    {"username": "me", "password": TOKEN},
    {"headers": {"X-Api-Key": TOKEN}},
    {"tls": Tls(client_certificate=("certificate.pem", "key.pem"))},
]
COMMANDS = [
    "list-latest-pact-versions",
    "list-environments",
    "list-pacticipants",
    "describe-version -a A --latest prod",
    "create-or-update-version -a A -e 1 --branch main",
    "record-deployment -a A -e 1 --environment test",
    "create-webhook http://127.0.0.1:1/ --request POST --provider-verification-published",
    "delete-branch -a A --branch main",
    "publish {pact} -a 1 --branch main",
]


def get_with(base_url: str, url: str, **connection: Any) -> BrokerClient:
    with BrokerClient(BrokerConnection(base_url=base_url, **connection)) as client:
        client.get(url)
        return client


def index_elsewhere(broker: OtherBroker) -> str:
    """Let the links of the index lead to the same server under another name, and return its URL."""
    elsewhere = broker.url.replace("127.0.0.1", "localhost")
    at, broker.url = broker.url, elsewhere
    broker.answer_index()
    broker.url = at
    return elsewhere


@pytest.mark.parametrize(("base_url", "url"), SAME)
def test_links_to_the_same_origin_are_followed_with_the_credentials(
    broker: OtherBroker, base_url: str, url: str
) -> None:
    with suppress(Refused):  # the broker has no answer; only the received request counts
        get_with(base_url, url, token=TOKEN, proxy=broker.url)
    assert broker.last.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("credentials", CREDENTIALS, ids=lambda each: next(iter(each)))
@pytest.mark.parametrize(("base_url", "url"), FOREIGN)
def test_a_link_to_another_origin_stops_with_a_hint(
    broker: OtherBroker, base_url: str, url: str, credentials: dict[str, Any]
) -> None:
    with pytest.raises(ForeignOrigin, match="but the credentials are for ") as error:
        get_with(base_url, url, proxy=broker.url, **credentials)
    assert broker.requests == []
    assert "treaty serve --base-url" in error.value.hint
    assert "--broker-base-url" in error.value.hint
    assert TOKEN not in f"{error.value}{error.value.hint}"


def test_the_error_names_the_link_and_the_origin_of_the_credentials() -> None:
    with pytest.raises(ForeignOrigin) as error:
        get_with("http://[::1]:9292/pacts", "https://evil.example.org/x", token=TOKEN)
    assert str(error.value) == (
        "A link in the broker's responses leads to https://evil.example.org/x, but the credentials are for "
        "http://[::1]:9292 only. They were not sent there."
    )


@pytest.mark.parametrize("location", ["http://localhost:{port}/x", "http://127.0.0.1:1/x", "//localhost:{port}/x"])
def test_a_redirect_to_another_origin_stops_with_a_hint(broker: OtherBroker, location: str) -> None:
    broker.answer("GET /x", status=302, headers={"Location": location.format(port=broker.url.rpartition(":")[2])})
    with pytest.raises(ForeignOrigin, match=f"The redirect from {broker.url}/x leads to http://"):
        get_with(broker.url, f"{broker.url}/x", headers={"X-Api-Key": TOKEN})
    assert len(broker.requests) == 1


def test_a_redirect_within_the_origin_keeps_the_credentials(broker: OtherBroker) -> None:
    broker.answer("GET /x", status=302, headers={"Location": f"{broker.url.replace('http:', 'HTTP:')}/y"})
    broker.answer("GET /y", {})
    get_with(broker.url, f"{broker.url}/x", token=TOKEN)
    assert broker.last.headers["authorization"] == f"Bearer {TOKEN}"


def test_http_may_lead_to_https_on_the_default_ports_of_the_same_host() -> None:
    # Refused by the closed port of the proxy, and not by the check of origins.
    with pytest.raises(Unreachable):
        get_with(
            BASE,
            "https://broker.example.org/x",
            token=TOKEN,
            proxy="http://127.0.0.1:1",
            retry_policy=RetryPolicy(attempts=1),
        )


def test_without_credentials_other_origins_are_followed(broker: OtherBroker) -> None:
    elsewhere = index_elsewhere(broker)
    broker.answer("GET /elsewhere/environments", {"a": 1})
    with BrokerClient(BrokerConnection(base_url=broker.url)) as client:
        assert client.get(client.link("pb:environments")).url == f"{elsewhere}/elsewhere/environments"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stops_at_a_link_to_another_origin(
    run: Run, broker: OtherBroker, tmp_path: Path, command: str
) -> None:
    pact = tmp_path / "pact.json"
    pact.write_text(json.dumps({"consumer": {"name": "A"}, "provider": {"name": "B"}, "interactions": []}))
    elsewhere = index_elsewhere(broker)
    result = run(*command.format(pact=pact).split(), "--broker-token", TOKEN)
    assert result.exit_code == 1
    assert elsewhere in result.output
    assert "treaty serve --base-url" in result.output
    assert {request.headers["host"] for request in broker.requests} == {broker.url.removeprefix("http://")}
    assert TOKEN not in result.output


def test_an_import_stops_at_a_link_of_either_broker_to_another_origin(broker: OtherBroker) -> None:
    # The source and the target are two paths of one server, with credentials of their own.
    source, target = f"{broker.url}/source", f"{broker.url}/target"
    elsewhere = broker.url.replace("127.0.0.1", "localhost")
    broker.answer("GET /source", {"_links": {"pb:pacticipants": {"href": f"{elsewhere}/pacticipants"}}})
    broker.answer("GET /target", {"_links": {"pb:import": {"href": f"{broker.url}/import"}}})
    broker.answer("POST /import", {"outcomes": []})
    command = ("import", "--from", source, "--from-token", TOKEN, "-b", target, "-k", TOKEN)
    result = CliRunner().invoke(TREATY, command)
    assert (result.exit_code, "as --from" in result.output) == (1, True)
    broker.answers["GET /target"].clear()
    broker.answer("GET /target", {"_links": {"pb:import": {"href": f"{elsewhere}/import"}}})
    result = CliRunner().invoke(TREATY, command)
    assert (result.exit_code, "as --broker-base-url" in result.output) == (1, True)
    assert {request.headers["host"] for request in broker.requests} == {broker.url.removeprefix("http://")}


def test_the_classic_api_stops_at_a_link_to_another_origin(broker: OtherBroker, tmp_path: Path) -> None:
    index_elsewhere(broker)
    (tmp_path / "a-b.json").write_text(
        json.dumps({"consumer": {"name": "A"}, "provider": {"name": "B"}, "interactions": []})
    )
    pact = Consumer("A", version="1").has_pact_with(Provider("B"), pact_dir=str(tmp_path), log_dir=str(tmp_path))
    with pytest.raises(BrokerError, match="A link in the broker's responses leads to http://localhost"):
        pact.publish_to_broker(broker.url, broker_token=TOKEN)
    with pytest.raises(ForeignOrigin, match=r"The link pb:\S+ of http\S+ leads to http://localhost"):
        Verifier("B", "http://127.0.0.1:1").verify_with_broker(broker_url=broker.url, broker_token=TOKEN)
    assert {request.headers["host"] for request in broker.requests} == {broker.url.removeprefix("http://")}


def test_the_client_of_the_pytest_plugin_stops_at_a_link_to_another_origin(broker: OtherBroker) -> None:
    index_elsewhere(broker)
    configured_broker = PactBroker(url=broker.url, token=TOKEN)
    with closing(configured_broker), pytest.raises(ForeignOrigin) as error:
        configured_broker.client.get(configured_broker.client.link("pb:environments"))
    assert "as --broker-url" in error.value.hint


def test_the_url_of_a_pact_for_the_pytest_plugin_must_be_at_the_broker(broker: OtherBroker) -> None:
    configured_broker = PactBroker(url=broker.url, token=TOKEN)
    with closing(configured_broker), pytest.raises(ForeignOrigin, match=r"The option --pact-url \(PACT_URL\) leads to"):
        fetch_pact(configured_broker.client, "http://127.0.0.1:1/pacts/provider/A/consumer/B/latest")
    assert broker.requests == []


def test_an_import_uses_credentials_in_the_address_and_does_not_pass_them_on(broker: OtherBroker) -> None:
    source = f"{broker.url}/source".replace("://", "://me:p%2Fw@")
    broker.answer("GET /source", {"_links": {"pb:pacticipants": {"href": f"{broker.url}/pacticipants"}}})
    broker.answer("GET /target", {"_links": {"pb:import": {"href": f"{broker.url}/import"}}})
    broker.answer("POST /import", {"outcomes": []})
    CliRunner().invoke(TREATY, ("import", "--from", source, "-b", f"{broker.url}/target", "-k", TOKEN))
    sent = {request.line: request for request in broker.requests}
    assert sent["POST /import"].json["source"] == f"{broker.url}/source"
    assert sent["GET /target"].headers["authorization"] == f"Bearer {TOKEN}"
    assert [sent[line].headers["authorization"] for line in ("GET /source", "GET /pacticipants")] == [BASIC] * 2


def test_a_user_and_password_in_the_base_url_are_used_in_every_request(run: Run, broker: OtherBroker) -> None:
    broker.answer("GET /elsewhere/environments", {"_embedded": {"environments": []}})
    result = run("list-environments", PACT_BROKER_BASE_URL=broker.url.replace("://", "://me:p%2Fw@"))
    assert result.exit_code == 0
    assert broker.lines == ["GET /", "GET /elsewhere/environments"]
    assert {request.headers["authorization"] for request in broker.requests} == {BASIC}


def test_other_credentials_take_precedence_over_those_in_the_base_url(run: Run, broker: OtherBroker) -> None:
    url = broker.url.replace("://", "://other:wrong@")
    run("list-environments", "-b", url, "-k", TOKEN)
    run("list-environments", "-b", url, "-u", "me", "-p", "p/w")
    run("list-environments", "-b", broker.url.replace("://", "://me:p%2Fw@"), "-u", "me")
    run("list-environments", "-b", broker.url.replace("://", "://me@"), "-p", "p/w")
    credentials = [request.headers["authorization"] for request in broker.requests]
    assert credentials == [f"Bearer {TOKEN}"] * 2 + [BASIC] * 6


@pytest.mark.parametrize("status", [200, 302, 401, 404, 500])
@pytest.mark.parametrize("telemetry", [(), ("--enable-otel", "--enable-otel-logs", "--otel-exporter", "stdout")])
def test_a_password_in_the_base_url_is_never_printed(
    run: Run, broker: OtherBroker, status: int, telemetry: tuple[str, ...]
) -> None:
    broker.answers.clear()
    broker.answer("GET /", {"_links": {}}, status=status, headers={"Location": "http://localhost:1/"})
    url = broker.url.replace("://", f"://me:{TOKEN}@")
    result = run("list-environments", "-b", url, "--verbose", *telemetry)
    assert result.exit_code == 1
    assert TOKEN not in result.output
    assert "me:" not in result.output


@pytest.mark.parametrize(
    "url",
    [
        "http://me:planted-secret@127.0.0.1:1",
        "http://me:planted/secret@127.0.0.1:1",
        "http://me:planted?secret@127.0.0.1:1",
        "http://me:12/planted-secret@127.0.0.1:1",
        "http://me:planted-secret@",
        "me:planted-secret@127.0.0.1:1",
        "//me:planted-secret@127.0.0.1:1",
        "ftp://me:planted-secret@127.0.0.1:1",
    ],
)
def test_a_base_url_that_cannot_be_used_is_explained_without_its_password(run: Run, url: str) -> None:
    result = run("list-environments", "-b", url)
    assert result.exit_code == 1
    assert "planted" not in result.output
    assert "secret" not in result.output
    assert "Error making request" in result.output or "percent-encoded" in result.output


def test_nothing_that_prints_a_connection_shows_the_password() -> None:
    connection = BrokerConnection(base_url=f"http://me:{TOKEN}@127.0.0.1:1/")
    broker = PactBroker(url=f"http://me:{TOKEN}@127.0.0.1:1")
    assert TOKEN not in f"{connection!r}{connection.url}{broker!r}"
    assert (broker.url, broker.username, broker.password) == ("http://127.0.0.1:1", "me", TOKEN)


def test_a_link_with_a_user_does_not_replace_the_credentials(broker: OtherBroker) -> None:
    broker.answer("GET /x", {})
    get_with(broker.url, broker.url.replace("://", "://someone:else@") + "/x", token=TOKEN)
    assert broker.last.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "retry_after", ["1000000", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -0000"]
)
def test_a_broker_cannot_request_to_wait_for_days(broker: OtherBroker, retry_after: str) -> None:
    waits: list[float] = []
    broker.answer("GET /x", status=429, headers={"Retry-After": retry_after})
    broker.answer("GET /x", {})
    with BrokerClient(BrokerConnection(base_url=broker.url), sleep=waits.append) as client:
        client.get(f"{broker.url}/x")
    assert waits == [120]


@pytest.mark.parametrize("retry_after", ["²", "-1", "", "1e9", "Fri, 31 Dec 99999 23:59:59 GMT"])
def test_a_wait_that_cannot_be_read_is_ignored(broker: OtherBroker, retry_after: str) -> None:
    waits: list[float] = []
    broker.answer("GET /x", status=429, headers={"Retry-After": retry_after})
    broker.answer("GET /x", {})
    with BrokerClient(BrokerConnection(base_url=broker.url), sleep=waits.append) as client:
        client.get(f"{broker.url}/x")
    assert waits == [0.5]


def test_an_unescaped_password_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ClientError, match="has an @ after its host") as error:
        BrokerConnection(base_url="http://me:a/b@broker.example.org")
    assert "%2F" in error.value.hint
