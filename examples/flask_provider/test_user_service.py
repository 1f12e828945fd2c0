"""The user service honours its pacts: one test for each interaction of each of them."""

import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from user_service import USERS, create_app
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from treaty.pytest_plugin.verification import PactVerifier


@pytest.fixture(scope="session")
def user_service() -> Iterator[str]:
    """Run the service; with USER_SERVICE=broken it breaks its pact."""
    app = create_app(is_broken=os.environ.get("USER_SERVICE") == "broken")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def add_user_a() -> None:
    USERS["UserA"] = {"name": "UserA", "created_on": "2016-12-15T20:16:01", "admin": False}


def remove_user_b() -> None:
    USERS.pop("UserB", None)


STATES = {
    "UserA exists and is not an administrator": add_user_a,
    "UserB does not exist": remove_user_b,
}


@pytest.mark.pact(provider="UserService")
def test_user_service(pact_verifier: "PactVerifier", user_service: str) -> None:
    pact_verifier.verify(user_service, states=STATES)
