"""Provider states, which the classic API's verifier requests from the provider's URL as pact-python 1 and 2 did."""

import json
import logging
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from treaty.pact import Verifier


@dataclass
class Provider:
    """A provider that records the requests for states, and answers them with a status and a text."""

    url: str = ""
    status: int = 200
    text: str = ""
    is_healthy: bool = True
    states: list[tuple[dict[str, Any], dict[str, str]]] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def serve(provider):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            provider.states.append((body, dict(self.headers)))
            self.answer(provider.status, provider.text)

        def do_GET(self):
            provider.requests.append({"path": self.path, **self.headers})
            self.answer(200 if provider.is_healthy else 503, "{}")

        def answer(self, status, text):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format, *args):  # noqa: A002 - http.server's own name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        provider.url = f"http://127.0.0.1:{server.server_port}"
        yield provider
        server.shutdown()
        thread.join()


@pytest.fixture
def provider(monkeypatch):
    monkeypatch.setenv("PACT_DO_NOT_TRACK", "true")
    with serve(Provider()) as provider:
        yield provider


@pytest.fixture
def write_pact(tmp_path):
    def write_pact(consumer="Web", *interactions):
        described = [
            {"description": f"request {number}", "request": {"method": "GET", "path": "/"}, "response": {"status": 200}}
            | more
            for number, more in enumerate(interactions or [{"providerState": "a user"}])
        ]
        path = tmp_path / f"{consumer}.json"
        document = {"consumer": {"name": consumer}, "provider": {"name": "Api"}, "interactions": described}
        path.write_text(json.dumps(document | {"metadata": {"pactSpecification": {"version": "3.0.0"}}}))
        return path

    return write_pact


def verify(provider, *pacts, **options):
    verifier = Verifier("Api", provider.url)
    return verifier.verify_pacts(*map(str, pacts), provider_states_setup_url=f"{provider.url}/states", **options)


def test_a_request_for_a_state_names_the_consumer_and_the_states(provider, write_pact):
    pact = write_pact("Web", {"providerStates": [{"name": "a user", "params": {"name": "Fred"}}, {"name": "a cart"}]})
    assert verify(provider, pact) == 0
    assert [body for body, _ in provider.states] == [
        {"consumer": "Web", "state": "a user", "states": ["a user"], "params": {"name": "Fred"}, "action": "setup"},
        {"consumer": "Web", "state": "a cart", "states": ["a cart"], "params": {}, "action": "setup"},
    ]


def test_each_consumer_is_named_with_its_own_states(provider, write_pact, tmp_path):
    write_pact("Web")
    write_pact("Mobile")
    provider.is_healthy = False
    result = verify(provider, tmp_path)
    assert result == 1
    assert result.logs.count("has status code 200 (FAILED)") == 2
    assert sorted(body["consumer"] for body, _ in provider.states) == ["Mobile", "Web"]


@pytest.mark.parametrize("name", ["headers", "custom_provider_headers"])
@pytest.mark.parametrize("headers", [["Authorization: Bearer t", "X:  y"], {"Authorization": "Bearer t", "X": "y"}])
def test_headers_are_sent_to_the_provider_and_to_the_url_of_its_states(provider, write_pact, name, headers):
    assert verify(provider, write_pact(), **{name: headers}) == 0
    (_, state_headers), request_headers = provider.states[0], provider.requests[0]
    assert state_headers["Authorization"] == "Bearer t"
    assert state_headers["X"] == "y"
    assert {name.lower(): value for name, value in request_headers.items()}["authorization"] == "Bearer t"


def test_a_state_that_cannot_be_set_up_fails_at_once_with_the_status_and_the_text(provider, write_pact):
    provider.status, provider.text = 500, "no such table: users"
    result = verify(provider, write_pact())
    assert result == 1
    assert "answered 500 to the provider state 'a user' of Web: no such table: users" in result.logs
    assert len(provider.states) == 1


def test_an_unreachable_url_for_states_is_reported(provider, write_pact):
    result = Verifier("Api", provider.url).verify_pacts(
        write_pact(), provider_states_setup_url="http://127.0.0.1:9/states"
    )
    assert result == 1
    assert "http://127.0.0.1:9/states could not set up the provider state 'a user'" in result.logs


def test_generators_use_the_values_in_the_response(provider, write_pact):
    provider.text = '{"id": 77}'
    generators = {"path": {"type": "ProviderState", "expression": "/users/${id}", "dataType": "STRING"}}
    request = {"method": "GET", "path": "/users/1", "generators": generators}
    assert verify(provider, write_pact("Web", {"providerStates": [{"name": "a user"}], "request": request})) == 0
    assert [each["path"] for each in provider.requests] == ["/users/77"]


def test_unknown_options_are_reported(provider, write_pact):
    with pytest.warns(UserWarning, match="no effect: enable_pendig"):
        assert verify(provider, write_pact(), enable_pendig=True) == 0
    with pytest.warns(UserWarning, match="the method that verifies instead: timeout"):
        Verifier("Api", provider.url, timeout=3)


@pytest.mark.filterwarnings("error")
def test_every_option_of_pact_python_has_an_effect(provider, write_pact, tmp_path, capsys):
    options = {
        "log_dir": str(tmp_path / "logs"),
        "log_level": "INFO",
        "headers": ["X: y"],
        "timeout": 60,
        "consumer_tags": ["dev"],
        "provider_tags": ["dev"],
        "verbose": True,
        "publish_version": "1",
        "publish_verification_results": False,
        "consumer_version_selectors": [{"tag": "dev"}],
        "provider_version_branch": "main",
        "enable_pending": True,
        "include_wip_pacts_since": "2020-01-01",
    }
    logger = logging.getLogger("pact")
    level = logger.level
    try:
        assert verify(provider, write_pact(), **options) == 0
    finally:
        logger.setLevel(level)
    assert "Running provider verification" in (tmp_path / "logs/pact.log").read_text("utf-8")
    assert "request 0" in capsys.readouterr().err


def test_a_verifier_describes_itself():
    assert str(Verifier("Api", "http://api")) == "Verifier for Api with url http://api"
