"""The Reviews service does what its consumers expect: a test for each interaction of each of their pacts."""

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from reviews import Reviews

if TYPE_CHECKING:
    from treaty.pytest_plugin.verification import PactVerifier


@pytest.fixture(scope="session")
def reviews_url() -> Iterator[str]:
    """Run the service."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Reviews)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.pact(provider="Reviews")
def test_reviews(pact_verifier: "PactVerifier", reviews_url: str) -> None:
    pact_verifier.verify(reviews_url)
