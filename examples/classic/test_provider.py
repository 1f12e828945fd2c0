"""The provider as tutorials have it: against the pact's file, or a broker's pacts if PACT_BROKER_BASE_URL names one."""

import os
import threading
from collections.abc import Iterator

import pytest
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from treaty.pact import Verifier

app = Flask(__name__)
users: dict[str, dict[str, object]] = {}


@app.get("/users/<name>")
def user(name: str) -> tuple[Response, int]:
    return (jsonify(users[name]), 200) if name in users else (jsonify({}), 404)


@app.post("/_pact/provider_states")
def provider_states() -> Response:
    if (request.json or {}).get("state") == "UserA exists and is not an administrator":
        users["UserA"] = {
            "name": "UserA",
            "id": "fc763eba-0905-41c5-a27f-3934ab26786c",
            "created_on": "2016-12-15T20:16:01",
            "admin": False,
        }
    return jsonify({})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_against_the_file(url: str) -> None:
    verifier = Verifier(provider="UserService", provider_base_url=url)
    success, _ = verifier.verify_pacts(
        "./userserviceclient-userservice.json", provider_states_setup_url=f"{url}/_pact/provider_states"
    )
    assert success == 0


@pytest.mark.skipif("PACT_BROKER_BASE_URL" not in os.environ, reason="PACT_BROKER_BASE_URL names no broker")
def test_against_the_broker(url: str) -> None:
    verifier = Verifier(provider="UserService", provider_base_url=url)
    success, _ = verifier.verify_with_broker(
        broker_url=os.environ["PACT_BROKER_BASE_URL"],
        broker_username=os.environ.get("PACT_BROKER_USERNAME"),
        broker_password=os.environ.get("PACT_BROKER_PASSWORD"),
        provider_states_setup_url=f"{url}/_pact/provider_states",
        publish_version="3",
        publish_verification_results=True,
        provider_branch="main",
        provider_tags=["dev"],
        enable_pending=False,
    )
    assert success == 0
