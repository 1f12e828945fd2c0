"""A consumer that requests prices and their provider, with tests that use real Pact libraries."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from flask import Flask, Response, jsonify
from pact import Pact, Verifier, match
from pact.verifier import BrokerSelectorBuilder
from werkzeug.serving import make_server

CONSUMER = "Web Shop"
PROVIDER = "Prices"


def write_pact(folder: Path) -> Path:
    """Run the consumer's test against pact-python's mock provider, which writes the pact."""
    pact = Pact(CONSUMER, PROVIDER).with_specification("V4")
    (
        pact.upon_receiving("a request for a price")
        .given("product 7 is for sale")
        .with_request("GET", "/products/7/price")
        .will_respond_with(200)
        .with_header("Content-Type", "application/json")
        .with_body({"product": 7, "price": match.decimal(12.5)})
    )
    with pact.serve() as mock:
        response = httpx.get(f"{mock.url}/products/7/price")
        assert response.json()["product"] == 7
    pact.write_file(folder)
    (pact_file,) = folder.glob("*.json")
    return pact_file


@contextmanager
def prices(*, is_broken: bool = False) -> Iterator[str]:
    """Run the provider until the block ends. If it is broken, the field `price` has another name."""
    app = Flask("prices")

    @app.get("/products/<int:number>/price")
    def price(number: int) -> Response:
        return jsonify({"product": number, "amount" if is_broken else "price": 12.5})

    @app.post("/states")
    def prepare() -> str:
        return "every product is for sale"

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def verify(
    broker: str,
    provider: str,
    version: str,
    branch: str,
    known: Mapping[str, Any] = MappingProxyType({}),
    **selector: Any,
) -> bool:
    """Verify the provider against the pacts that the broker selects, publish the results, and return their success."""
    verifier = Verifier(PROVIDER, host="127.0.0.1").add_transport(url=provider)
    verifier.state_handler(f"{provider}/states", body=True)
    source = verifier.broker_source(broker, selector=True, **known)
    assert isinstance(source, BrokerSelectorBuilder)
    source.consumer_version(**selector).provider_branch(branch).build()
    verifier.set_publish_options(version=version, branch=branch)
    try:
        verifier.verify()
    except RuntimeError:
        return False
    return True
