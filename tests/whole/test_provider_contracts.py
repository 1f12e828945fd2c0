"""Consumer and provider publish concurrently, the server is killed, and each acknowledged pair is still compared."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import TYPE_CHECKING, Any

import httpx

from tests.api.client import publication
from tests.api.contracts import OPENAPI, build, document
from tests.waiting import PATIENCE, eventually
from tests.whole import shop
from tests.whole.servers import run, running, start

if TYPE_CHECKING:
    from pathlib import Path

    from tests.whole.servers import Server

PROVIDER, PATHS = "Prices", ("prices", "orders")
CONSUMERS, VERSIONS = ("Shop", "Till"), tuple(str(number) for number in range(4))
PUBLICATIONS = [*product(CONSUMERS, VERSIONS), *((PROVIDER, version) for version in VERSIONS)]
WITHOUT_TIME = ("--comparison-budget", "0")


def described_path(version: str) -> str:
    return PATHS[int(version) % 2]


def publish(address: str, name: str, version: str) -> bool:
    """Publish a pact or a contract on a new branch, and return whether it was acknowledged."""
    path = described_path(version)
    if name == PROVIDER:
        contract = document(OPENAPI.replace("/prices", f"/{path}"))
        url, body = f"provider-contracts/provider/{PROVIDER}/publish", build(version, contract=contract)
    else:
        url, body = "contracts/publish", publication(name, version, PROVIDER, path)
    try:
        response = httpx.post(f"{address}/{url}", json={**body, "branch": f"feat/{version}"}, timeout=PATIENCE)
    except httpx.HTTPError:
        return False
    assert response.status_code == 200, response.text
    return True


def verdict(server: Server, consumer: str, version: str, provider_version: str) -> Any:
    pairs = [("pacticipant", consumer), ("version", version), ("pacticipant", PROVIDER), ("version", provider_version)]
    query = "&".join(f"q[][{name}]={value}" for name, value in pairs)
    response = httpx.get(f"{server.address}/matrix?{query}&latestby=cvpv", timeout=PATIENCE)
    return response.json()["summary"]["deployable"]


def test_pairs_that_are_published_at_once_are_all_compared(database_url: str) -> None:
    server = start(database_url, *WITHOUT_TIME)
    half_way = threading.Semaphore(0)

    def publish_one(publication: tuple[str, str]) -> bool:
        is_acknowledged = publish(server.address, *publication)
        half_way.release()
        return is_acknowledged

    with ThreadPoolExecutor(4) as threads:
        acknowledged = threads.map(publish_one, PUBLICATIONS)
        for _ in range(len(PUBLICATIONS) // 2):
            assert half_way.acquire(timeout=PATIENCE)
        server.kill()
        published = [
            publication
            for publication, is_acknowledged in zip(PUBLICATIONS, acknowledged, strict=True)
            if is_acknowledged
        ]
    with running(database_url, *WITHOUT_TIME) as again:
        # A contract that was not acknowledged is published again, as a build would do.
        rest = [publication for publication in PUBLICATIONS if publication not in published]
        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(lambda publication: publish(again.address, *publication), rest))
        for (consumer, version), provider_version in product(product(CONSUMERS, VERSIONS), VERSIONS):
            is_fitting = described_path(version) == described_path(provider_version)

            def find(pair: tuple[str, str, str] = (consumer, version, provider_version)) -> list[Any]:
                is_deployable = verdict(again, *pair)
                return [] if is_deployable is None else [is_deployable]

            assert eventually(find) == [is_fitting], (consumer, version, provider_version)


def test_the_rust_client_publishes_and_queries(server: Server, tmp_path: Path) -> None:
    pacts = tmp_path / "pacts"
    pacts.mkdir()
    shop.write_pact(pacts)
    (tmp_path / "api.yml").write_text(OPENAPI.replace("/prices:", "/prices/{name}:"))
    (tmp_path / "results.txt").write_text("fine")

    def rust(*words: str) -> Any:
        return run("pact", *words, cwd=tmp_path, PACT_BROKER_BASE_URL=server.address)

    published = rust(
        *("pactflow", "publish-provider-contract", "api.yml", "--provider", shop.PROVIDER, "-a", "b1"),
        *("--branch", "main", "--tag", "dev", "--verification-exit-code", "0", "--verification-results", "results.txt"),
    )
    assert (published.returncode, "The provider contract was published" in published.stdout) == (0, True), published
    assert rust("broker", "publish", "pacts", "--consumer-app-version", "1", "--branch", "main").returncode == 0
    environment = ("broker", "create-environment", "--name", "bdct", "--production")
    assert rust(*environment).returncode == 0
    place = ("--pacticipant", shop.PROVIDER, "--version", "b1", "--environment", "bdct")
    assert rust("broker", "record-deployment", *place).returncode == 0
    consumer = ("--pacticipant", shop.CONSUMER, "--version", "1")
    decision = rust("broker", "can-i-deploy", *consumer, "--to-environment", "bdct")
    assert "BDCT" in decision.stdout, decision
    changed = rust(
        *("pactflow", "publish-provider-contract", "results.txt", "--provider", shop.PROVIDER, "-a", "b1"),
    )
    assert (changed.returncode, "contract" in changed.stdout + changed.stderr) == (1, True), changed


def test_the_document_is_returned_as_it_was_published(server: Server) -> None:
    source = "\ufeff" + OPENAPI + "# with a comment\n"
    contract = document(source)
    body = build("unchanged", contract=contract)
    url = f"{server.address}/provider-contracts/provider/Unchanged/publish"
    assert httpx.post(url, json=body, timeout=PATIENCE).status_code == 200
    path = "contracts/bi-directional/provider/Unchanged/version/unchanged/provider-contract"
    (stored,) = httpx.get(f"{server.address}/{path}", timeout=PATIENCE).json()["_embedded"]["contracts"]
    assert base64.b64decode(stored["content"]).decode() == source
