"""The HAL client, against another broker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Connect
from treaty.client import BrokerClient, BrokerConnection, ResourceLink, RetryPolicy, Tls, encode_query
from treaty.errors import ClientError, MissingRelation, NotHal, Refused, Unreachable

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OtherBroker


@pytest.mark.parametrize(
    ("template", "values", "url"),
    [
        ("http://b/{a}/x/{b}", {"a": "feat/x", "b": "1 2"}, "http://b/feat%2Fx/x/1%202"),
        ("http://b/{a}/{b}", {"a": "é%+"}, "http://b/%C3%A9%25%2B/"),
        ("http://b/plain", {"a": "1"}, "http://b/plain"),
    ],
)
def test_templates_are_filled_with_encoded_values(template: str, values: dict[str, str], url: str) -> None:
    assert ResourceLink(template).fill(**values) == url


def test_a_query_is_added_to_the_query_of_a_link() -> None:
    assert ResourceLink("http://b/x").with_query({"a": "1&2"}) == "http://b/x?a=1%262"
    assert ResourceLink("http://b/x?y=1").with_query({"a": "1"}) == "http://b/x?y=1&a=1"
    assert ResourceLink("http://b/x").with_query({}) == "http://b/x"
    assert encode_query([("q[][a]", "[")]) == "?q[][a]=%5B"


def test_links_may_be_alone_or_many_and_relative(connect: Connect, broker: OtherBroker) -> None:
    links = {"one": {"href": "/a"}, "many": [{"href": "b", "name": "x"}, {"href": "http://c/"}], "none": []}
    broker.answer("GET /deep/er", {"_links": links})
    resource = connect(broker.url).get(f"{broker.url}/deep/er")
    assert resource.link("one").href == f"{broker.url}/a"
    assert [link.href for link in resource.links("many")] == [f"{broker.url}/deep/b", "http://c/"]
    assert resource.link("missing", "many").name == "x"
    with pytest.raises(MissingRelation, match="Could not find relation 'none' in resource at http"):
        resource.link("none")


def test_the_index_is_read_once(connect: Connect, broker: OtherBroker) -> None:
    other = connect(broker.url)
    assert other.link("pb:environment", uuid="a b") == f"{broker.url}/elsewhere/environments/a%20b"
    assert other.link("pb:environments") == f"{broker.url}/elsewhere/environments"
    assert broker.lines == ["GET /"]


def test_a_password_is_not_shown() -> None:
    connection = BrokerConnection(base_url="http://b", username="me", password="hidden", token="hidden")  # noqa: S106 - nothing to hide
    assert "hidden" not in repr(connection)


@pytest.mark.parametrize("status", [500, 503, 408, 429])
def test_temporary_errors_are_retried(connect: Connect, broker: OtherBroker, status: int) -> None:
    waits: list[float] = []
    broker.answer("GET /x", "busy", status=status)
    broker.answer("GET /x", "busy", status=status)
    broker.answer("GET /x", {"a": 1})
    assert connect(broker.url, waits).get(f"{broker.url}/x").body == {"a": 1}
    assert waits == [0.5, 1]


def test_waits_double_up_to_the_longest(connect: Connect, broker: OtherBroker) -> None:
    waits: list[float] = []
    broker.answer("POST /x", "down", status=500)
    with pytest.raises(Refused) as refused:
        connect(broker.url, waits).post(f"{broker.url}/x", {})
    assert waits == [0.5, 1, 2, 4, 5, 5, 5]
    assert len(broker.requests) == 8
    assert (refused.value.status, refused.value.body) == (500, "down")


@pytest.mark.parametrize("attempts", [0, 1])
def test_one_attempt_is_the_least(connect: Connect, broker: OtherBroker, attempts: int) -> None:
    broker.answer("GET /x", status=500)
    with pytest.raises(Refused):
        connect(broker.url, retry_policy=RetryPolicy(attempts=attempts)).get(f"{broker.url}/x")
    assert broker.lines == ["GET /x"]


@pytest.mark.parametrize("status", [400, 401, 404, 409])
def test_errors_of_the_client_are_not_retried(connect: Connect, broker: OtherBroker, status: int) -> None:
    broker.answer("GET /x", "no", status=status)
    with pytest.raises(
        Refused, match=f"Error making request to {broker.url}/x status={status}: The response is not valid JSON: no"
    ):
        connect(broker.url).get(f"{broker.url}/x")
    assert len(broker.requests) == 1


def test_the_client_waits_as_long_as_retry_after_demands(connect: Connect, broker: OtherBroker) -> None:
    waits: list[float] = []
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    for delay in ("10", "1000", soon, "nonsense"):
        broker.answer("GET /x", status=429, headers={"Retry-After": delay})
    broker.answer("GET /x", {})
    connect(broker.url, waits).get(f"{broker.url}/x")
    assert waits[:2] == [12, 120]
    assert waits[2] == pytest.approx(120, abs=5)
    assert waits[3] == 4


def test_a_broker_that_does_not_listen_is_tried_again_and_each_failure_noted() -> None:
    notes: list[str] = []
    waits: list[float] = []
    connection = BrokerConnection(base_url="http://127.0.0.1:1", retry_policy=RetryPolicy(attempts=3))
    with (
        BrokerClient(connection, report_retry=notes.append, sleep=waits.append) as other,
        pytest.raises(Unreachable) as error,
    ):
        _ = other.index
    assert waits == [0.5, 1]
    assert [note.rpartition(" attempt ")[2] for note in notes] == ["1 of 3", "2 of 3", "3 of 3"]
    assert error.value.hint.startswith("Is the broker running")


def test_a_redirection_is_followed_when_reading_only(connect: Connect, broker: OtherBroker) -> None:
    broker.answer("GET /old", status=302, headers={"Location": "/new"})
    broker.answer("GET /new", {"a": 1})
    broker.answer("POST /old", status=302, headers={"Location": "/new"})
    assert connect(broker.url).get(f"{broker.url}/old").body == {"a": 1}
    with pytest.raises(Refused) as refused:
        connect(broker.url).post(f"{broker.url}/old", {})
    assert "--broker-base-url" in refused.value.hint


def test_redirections_that_never_end_are_given_up(connect: Connect, broker: OtherBroker) -> None:
    broker.answer("GET /round", status=302, headers={"Location": "/round"})
    with pytest.raises(Refused):
        connect(broker.url).get(f"{broker.url}/round")
    assert len(broker.requests) == 6


@pytest.mark.parametrize("text", ["<html>", "[1]", "3"])
def test_a_response_that_is_not_hal_raises_an_error(connect: Connect, broker: OtherBroker, text: str) -> None:
    broker.answer("GET /x", text)
    with pytest.raises(NotHal, match="Did not get a valid HAL response body from"):
        connect(broker.url).get(f"{broker.url}/x")


def test_requests_have_content_type_accept_and_user_agent_headers(connect: Connect, broker: OtherBroker) -> None:
    other = connect(broker.url, headers={"X-A": "1"})
    for line in ("GET /x", "PUT /x", "PATCH /x", "DELETE /x"):
        broker.answer(line, status=204)
    other.get(f"{broker.url}/x")
    other.put(f"{broker.url}/x", {"ü": 1})
    other.patch(f"{broker.url}/x", {})
    other.delete(f"{broker.url}/x")
    kinds = [request.headers.get("content-type") for request in broker.requests]
    assert kinds == [None, "application/json", "application/merge-patch+json", None]
    assert broker.requests[1].body.decode() == '{"ü":1}'
    assert {request.headers["accept"] for request in broker.requests} == {"application/hal+json"}
    assert {request.headers["x-a"] for request in broker.requests} == {"1"}
    assert all(request.headers["user-agent"].startswith("treaty/") for request in broker.requests)


def test_a_proxy_is_used(connect: Connect, broker: OtherBroker) -> None:
    broker.answer("GET http://broker.example.org/x", {"a": 1})
    other = connect("http://broker.example.org", proxy=broker.url)
    assert other.get("http://broker.example.org/x").body == {"a": 1}


def test_a_proxy_comes_from_the_environment(
    connect: Connect, broker: OtherBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", broker.url)
    broker.answer("GET http://broker.example.org/x", {"a": 1})
    assert connect("http://broker.example.org").get("http://broker.example.org/x").body == {"a": 1}


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://x"])
def test_a_proxy_that_cannot_be_used_is_explained(
    connect: Connect, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(ClientError, match="Could not set up the connection: ") as error:
        _ = connect("http://broker.example.org").index
    assert "HTTP_PROXY" in error.value.hint


def test_an_answer_that_is_garbled_is_explained(connect: Connect, broker: OtherBroker) -> None:
    broker.answer("GET /x", "no gzip", headers={"Content-Encoding": "gzip"})
    with pytest.raises(Unreachable):
        connect(broker.url).get(f"{broker.url}/x")


def test_a_token_may_end_in_a_newline(connect: Connect, broker: OtherBroker) -> None:
    _ = connect(broker.url, token="abc\n").index  # noqa: S106 - nothing to hide
    assert broker.last.headers["authorization"] == "Bearer abc"


@pytest.mark.parametrize("trusts_system_store", [True, False])
def test_an_authority_of_ones_own_is_trusted(
    connect: Connect, secure: str, certificate: Path, *, trusts_system_store: bool
) -> None:
    tls = Tls(certificate=str(certificate), trusts_system_store=trusts_system_store)
    assert connect(secure, tls=tls).index.body == {}


def test_an_unknown_authority_is_not_trusted_and_not_tried_again(connect: Connect, secure: str) -> None:
    waits: list[float] = []
    with pytest.raises(Unreachable) as error:
        _ = connect(secure, waits).index
    assert error.value.hint.startswith("Give the authority that signed the broker's certificate as --ssl-certificate")
    assert waits == []


def test_certificates_need_not_be_verified(connect: Connect, secure: str) -> None:
    assert connect(secure, tls=Tls(verify=False)).index.body == {}
    assert connect(secure, tls=Tls(verify=False, trusts_system_store=False)).index.body == {}


def test_plain_http_may_lead_to_https(connect: Connect, broker: OtherBroker, secure: str, certificate: Path) -> None:
    broker.answer("GET /x", status=301, headers={"Location": f"{secure}/x"})
    tls = Tls(certificate=str(certificate))
    assert connect(broker.url, tls=tls).get(f"{broker.url}/x").body == {}


def test_a_certificate_that_cannot_be_read_is_explained(connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="Could not read the certificates: "):
        _ = connect("https://127.0.0.1:1", tls=Tls(certificate=str(tmp_path / "nope.pem"))).index
