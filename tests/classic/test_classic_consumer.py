"""The classic API's consumers, as tutorials have them."""

import json
import socket

import httpx
import pytest

from tests.whole import servers
from treaty.errors import ClientError
from treaty.pact import Consumer, EachLike, Format, Like, Provider, Term, get_generated_values
from treaty.testing import pact_files


@pytest.fixture(autouse=True)
def _anew():
    pact_files.reset()
    yield
    pact_files.reset()


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture
def make(tmp_path, port):
    def make(**options):
        folders = {"pact_dir": str(tmp_path), "log_dir": str(tmp_path)}
        consumer = Consumer("User ServiceClient", version="1", tags=["dev"])
        return consumer.has_pact_with(Provider("UserService"), port=port, **folders, **options)

    return make


@pytest.fixture
def pact(make):
    pact = make()
    pact.start_service()
    yield pact
    pact.stop_service()


def content(tmp_path):
    return json.loads((tmp_path / "user_serviceclient-userservice.json").read_text("utf-8"))


def user(pact, name="UserA", **response):
    pact.given(f"{name} exists").upon_receiving(f"a request for {name}").with_request(
        "get", f"/users/{name}"
    ).will_respond_with(200, **(response or {"body": {"name": name}}))


def test_a_conversation_is_written_as_a_pact_of_version_2_with_a_log_beside_it(pact, tmp_path):
    user(pact)
    with pact:
        assert httpx.get(f"{pact.uri}/users/UserA").json() == {"name": "UserA"}
    found = content(tmp_path)
    assert found["metadata"]["pactSpecification"]["version"] == "2.0.0"
    assert found["interactions"][0]["providerState"] == "UserA exists"
    assert "/users/UserA" in (tmp_path / "pact-mock-service.log").read_text("utf-8")


def test_conversations_follow_each_other_on_the_same_port(pact, tmp_path):
    for name in ("UserA", "UserB", "UserC"):
        user(pact, name)
        with pact:
            httpx.get(f"{pact.uri}/users/{name}")
    assert len(content(tmp_path)["interactions"]) == 3


def test_a_conversation_may_hold_several_interactions(pact, tmp_path):
    user(pact, "UserA")
    user(pact, "UserB")
    with pact:
        for name in ("UserA", "UserB"):
            httpx.get(f"{pact.uri}/users/{name}")
    assert len(content(tmp_path)["interactions"]) == 2


def test_setup_and_verify_do_the_same_as_a_block(pact, tmp_path):
    user(pact)
    pact.setup()
    httpx.get(f"{pact.uri}/users/UserA")
    pact.verify()
    assert len(content(tmp_path)["interactions"]) == 1


def test_what_was_not_asked_for_fails_and_is_not_written(pact, tmp_path):
    user(pact)
    with pytest.raises(AssertionError, match="The pact was not kept"), pact:
        httpx.get(f"{pact.uri}/users/Somebody")
    assert list(tmp_path.glob("*.json")) == []


def test_what_a_test_raises_is_not_hidden_and_ends_the_conversation(pact):
    user(pact)
    with pytest.raises(KeyError), pact:
        raise KeyError
    user(pact, "UserB")
    with pact:
        httpx.get(f"{pact.uri}/users/UserB")


def test_matchers_are_written_as_rules_and_examples(pact, tmp_path):
    body = {"id": Format().uuid, "groups": EachLike({"id": Like(7)}, minimum=2), "when": Term(r"\d{4}", "2024")}
    (
        pact.upon_receiving("an order")
        .with_request("post", Term(r"/orders/\d+", "/orders/7"), body={"n": 1}, headers={"X": "y"}, query={"q": "1"})
        .will_respond_with(201, headers={"Location": Term(r"/orders/\d+", "/orders/7")}, body=body)
    )
    with pact:
        answer = httpx.post(f"{pact.uri}/orders/9?q=1", json={"n": 1}, headers={"X": "y"})
        assert answer.json() == get_generated_values(body)
        assert answer.headers["Location"] == "/orders/7"
    rules = content(tmp_path)["interactions"][0]["response"]["matchingRules"]
    assert rules["$.body.groups"]["min"] == 2
    assert rules["$.body.when"]["regex"] == r"\d{4}"
    assert rules["$.headers.Location"]["regex"] == r"/orders/\d+"


def test_a_query_may_be_text(pact):
    pact.upon_receiving("a search").with_request("GET", "/", query="a=1&b=2").will_respond_with(200, body="fine")
    with pact:
        assert httpx.get(f"{pact.uri}/?a=1&b=2").text == "fine"


def test_an_interaction_that_lacks_something_is_told(pact):
    pact.upon_receiving("nothing").with_request("GET", "/")
    with pytest.raises(ValueError, match="lacks its response"):
        pact.setup()
    pact.will_respond_with(200)


@pytest.mark.parametrize(("mode", "count"), [("overwrite", 1), ("merge", 2)])
def test_what_an_earlier_run_wrote_stays_only_if_it_is_merged(make, tmp_path, mode, count):
    for name in ("UserA", "UserB"):
        pact_files.reset()
        pact = make(file_write_mode=mode)
        user(pact, name)
        with pact:
            httpx.get(f"{pact.uri}/users/{name}")
    assert len(content(tmp_path)["interactions"]) == count


def test_an_example_that_does_not_match_is_refused():
    with pytest.raises(ValueError, match="The example 'seven' does not match"):
        Term(r"^\d+$", "seven")


def test_pacts_are_published_by_hand_and_when_the_service_stops(make, tmp_path):
    with servers.running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", cwd=tmp_path) as server:
        pact = make(publish_to_broker=True, broker_base_url=server.address)
        user(pact)
        with pact:
            httpx.get(f"{pact.uri}/users/UserA")
        pact.publish_to_broker(
            broker_base_url=server.address,
            consumer_version="2",
            broker_username="pact_workshop",
            broker_password="pact_workshop",  # noqa: S106 - the workshop's
            tags=["prod"],
        )
        pact.stop_service()
        for version, tag in (("1", "dev"), ("2", "prod")):
            found = httpx.get(f"{server.address}/pacticipants/User%20ServiceClient/versions/{version}").json()
            assert [each["name"] for each in found["_embedded"]["tags"]] == [tag]


def test_publishing_without_an_address_is_told(make):
    with pytest.raises(ClientError, match="broker_base_url"):
        make().publish_to_broker(consumer_version="1")
