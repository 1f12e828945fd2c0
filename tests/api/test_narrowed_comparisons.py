"""After a new version of a provider's document, only the pacts that it can affect are compared again."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from sqlalchemy import text
from structlog.testing import capture_logs

from tests.api.comparisons import finish_comparisons
from tests.api.contracts import RESULT, build, encode
from tests.model.compare.changed_documents import generator
from tests.model.compare.generated_pairs import pact_of
from tests.scale import choose
from treaty.model.compare.documents import Document, UnusablePact
from treaty.model.compare.engine import CompiledDocument, compare, compile_document
from treaty.model.compare.profiles import Profile

if TYPE_CHECKING:
    from tests.api.client import Answer, Api
    from treaty.store.engine.database import Database
    from treaty.workers.comparisons import ComparisonWorker

CHANGES = choose(3, slow=6, long=100)


def publish_pact(api: Api, pact: Any) -> None:
    name = pact["consumer"]["name"]
    content = encode(json.dumps({**pact, "provider": {"name": "Prices"}}))
    contract = {"consumerName": name, "providerName": "Prices", "specification": "pact", "content": content}
    body = {"pacticipantName": name, "pacticipantVersionNumber": "1", "branch": "main"}
    answer = api.post("/contracts/publish", {**body, "contracts": [{**contract, "contentType": "application/json"}]})
    assert answer.status == 200, answer.text


def publish(api: Api, document: Any, version: int) -> Answer:
    contract = {"content": encode(json.dumps(document)), "contentType": "application/json", "specification": "oas"}
    body = build(str(version), contract={**contract, "selfVerificationResults": RESULT})
    return api.post("/provider-contracts/provider/Prices/publish", body)


def list_verdicts(api: Api, version: int) -> dict[str, str]:
    path = f"/contracts/bi-directional/provider/Prices/version/{version}/cross-contract-verification-results"
    return {result["consumer"]: result["verificationStatus"] for result in api.get(path).json()["_embedded"]["results"]}


def expect(pacts: list[Any], document: Any) -> dict[str, str]:
    """Compare each pact with the document, without the broker."""
    compiled = [compile_document(Document("", "oas", document), Profile.STRICT)]
    return {pact["consumer"]["name"]: "success" if is_fitting(pact, compiled) else "failure" for pact in pacts}


def is_fitting(pact: Any, documents: list[CompiledDocument]) -> bool:
    try:
        return compare(pact, documents).is_compatible
    except UnusablePact:
        return False


@pytest.fixture
def has_logs() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))


def work_and_count(worker: ComparisonWorker) -> tuple[int, int]:
    """Run the queued comparisons, and return how many results were reused, and how many pacts were compared."""
    with capture_logs() as logs:
        finish_comparisons(worker)
    lines = [line for line in logs if line["event"] == "narrow"]
    return sum(line["reused"] for line in lines), sum(line["compared"] for line in lines)


@pytest.mark.usefixtures("has_logs")
def test_results_are_those_of_comparing_all_pacts(api: Api, comparison_worker: ComparisonWorker) -> None:
    random_provider = generator(3)
    provider = random_provider.provider()
    for pact in provider.pacts:
        publish_pact(api, pact)
    assert publish(api, provider.document, 0).status == 200
    finish_comparisons(comparison_worker)
    document, counts = provider.document, []
    for version in range(1, CHANGES + 1):
        changed = random_provider.change(document)
        if json.dumps(changed) == json.dumps(document) or publish(api, changed, version).status != 200:
            continue
        counts.append(work_and_count(comparison_worker))
        assert list_verdicts(api, version) == expect(provider.pacts, changed)
        document = changed
    assert {reused + compared for reused, compared in counts} == {len(provider.pacts)}
    assert sum(compared for _, compared in counts) < sum(reused for reused, _ in counts)


def document(**properties: str) -> Any:
    """Build a document with an operation for each name, whose response has a property of the same name."""
    shared: Any = {"properties": {name: {"type": kind} for name, kind in properties.items()}, "type": "object"}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Shared"}}}
    operation = {"get": {"responses": {"200": {"description": "", "content": content}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Prices", "version": "1"},
        "paths": {f"/{name}/{{id}}": operation for name in NAMES},
        "components": {"schemas": {"Shared": shared}},
    }


NAMES = ("price", "name", "code", "size")
TYPES = dict.fromkeys(NAMES, "string")


@pytest.fixture
def pacts(api: Api, comparison_worker: ComparisonWorker) -> list[Any]:
    """Pacts that have been compared with a document: each uses another operation and another property."""
    request: Any = {"method": "GET"}
    pacts = [
        pact_of(
            [
                {
                    "description": f"the {name}",
                    "request": {**request, "path": f"/{name}/1"},
                    "response": {"status": 200, "body": {name: "x"}},
                }
            ],
            "2.0.0",
        )
        | {"consumer": {"name": name.title()}}
        for name in NAMES
    ]
    for pact in pacts:
        publish_pact(api, pact)
    assert publish(api, document(**TYPES), 0).status == 200
    finish_comparisons(comparison_worker)
    return pacts


@pytest.mark.usefixtures("has_logs")
@pytest.mark.parametrize(
    ("changed", "compared"),
    [
        (document(**TYPES, added="string"), []),
        (document(**{**TYPES, "price": "integer"}), ["Price"]),
        ({**document(**TYPES), "paths": {}}, ["Price", "Name", "Code", "Size"]),
        ({**document(**TYPES), "servers": [{"url": "/v2"}]}, ["Price", "Name", "Code", "Size"]),
    ],
)
def test_only_pacts_that_a_change_can_affect_are_compared(
    api: Api, pacts: list[Any], comparison_worker: ComparisonWorker, changed: Any, compared: list[str]
) -> None:
    assert publish(api, changed, 1).status == 200
    assert work_and_count(comparison_worker) == (len(pacts) - len(compared), len(compared))
    expected = expect(pacts, changed)
    assert list_verdicts(api, 1) == expected
    assert [name for name, verdict in expected.items() if verdict == "failure"] == compared


@pytest.mark.usefixtures("has_logs")
def test_pacts_that_are_not_indexed_are_read(
    api: Api, pacts: list[Any], comparison_worker: ComparisonWorker, database: Database
) -> None:
    database.write(lambda db: db.execute(text("DELETE FROM usage_content")))
    assert publish(api, document(**{**TYPES, "price": "integer"}), 1).status == 200
    assert work_and_count(comparison_worker) == (len(pacts) - 1, 1)
    assert list_verdicts(api, 1)["Price"] == "failure"
