"""Coverage: which operations consumers use, and which the self-verification of a provider version has exercised."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests.api.contracts import PUBLISH, PUBLISH_SEVERAL, PUT, build, notices
from tests.api.coverage import COVERAGE, contract, junit, publish, publish_pact
from tests.api.history import History
from treaty.web.api.provider_contracts import publication

if TYPE_CHECKING:
    from tests.api.client import Answer, Api
    from treaty.store.engine.database import Database

SAME_STATEMENTS = pytest.mark.slow_on_postgresql
ASYNCAPI = """\
asyncapi: 3.0.0
info: {title: Prices, version: 1.0.0}
channels: {prices: {messages: {changed: {payload: {type: object}}}}}
operations: {priceChanged: {action: send, channel: {$ref: '#/channels/prices'}}}
"""


def operations(api: Api) -> dict[str, dict[str, Any]]:
    (document,) = api.get(COVERAGE).json()["contracts"]
    return {operation["operation"]: operation for operation in document["operations"]}


def test_operations_that_consumers_use_and_the_report_lacks_are_claimed_but_not_shown(api: Api) -> None:
    publish_pact(api, "Shop", "1", "GET /v1/prices", "GET /v1/prices/17")
    publish_pact(api, "Till", "1", "GET /v1/prices/4711", "DELETE /v1/prices/1")
    answer = publish(api, junit(list="passed", add="skipped"))
    summary = "1 of 3 operations exercised; 1 that consumers use was not: GET /prices/{sku}."
    assert summary in notices(answer)
    by_operation = operations(api)
    evidence = {name: (operation["evidence"], operation["claimedOnly"]) for name, operation in by_operation.items()}
    assert evidence == {
        "GET /prices": ("passed", False),
        "POST /prices": ("skipped", False),
        "GET /prices/{sku}": ("not exercised", True),
    }
    assert [consumer["name"] for consumer in by_operation["GET /prices/{sku}"]["consumers"]] == ["Shop", "Till"]
    body = api.get(COVERAGE).json()
    assert (body["summary"], body["exercisedCount"], body["claimedOnlyCount"]) == (summary, 1, 1)
    assert body["undocumentedOperations"] == [{"operation": "DELETE /v1/prices/{id}", "consumers": ["Till"]}]
    assert (by_operation["POST /prices"]["deprecated"], by_operation["GET /prices"]["summary"]) == (True, "List prices")


@SAME_STATEMENTS
def test_the_notice_leaves_out_consumers_if_they_have_very_many_interactions(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_pact(api, "Shop", "1", "GET /v1/prices", "GET /v1/prices/17")
    monkeypatch.setattr(publication, "MAX_INTERACTIONS", 1)
    assert "2 of 3 operations exercised." in notices(publish(api, junit(list="passed", add="passed")))
    assert api.get(COVERAGE).json()["claimedOnlyCount"] == 1


def test_coverage_is_linked_from_the_results_of_the_self_verification(api: Api) -> None:
    publish(api, junit(list="passed"))
    answer = api.get("/contracts/bi-directional/provider/Prices/version/1/provider-contract-verification-results")
    assert api.get(answer.link("pb:coverage")).json()["exercisedCount"] == 1
    assert api.get("/contracts/bi-directional/provider/Prices/version/2/coverage").status == 404


def test_the_newest_report_counts(api: Api) -> None:
    publish(api, junit(list="passed", get="passed"))
    publish(api, junit(list="failed"), success=False)
    assert {name: operation["evidence"] for name, operation in operations(api).items()} == {
        "GET /prices": "failed",
        "POST /prices": "not exercised",
        "GET /prices/{sku}": "not exercised",
    }
    assert operations(api)["GET /prices"]["detail"] == "500 instead of 200"


def test_coverage_follows_the_pacts_in_use(api: Api) -> None:
    publish(api, junit(list="passed"))
    publish_pact(api, "Shop", "1", "GET /v1/prices/17")
    assert operations(api)["GET /prices/{sku}"]["claimedOnly"]
    publish_pact(api, "Shop", "2", "GET /v1/prices")
    assert not operations(api)["GET /prices/{sku}"]["consumers"]
    History(api).deploy("Shop", "1", "production")
    assert operations(api)["GET /prices/{sku}"]["claimedOnly"]


@pytest.mark.parametrize("success", [True, False])
def test_results_of_verifiers_for_pacts_are_shown_beside(api: Api, success: bool) -> None:  # noqa: FBT001
    publish_pact(api, "Shop", "1", "GET /v1/prices/17")
    publish(api, junit(list="passed"))
    assert operations(api)["GET /prices/{sku}"]["consumers"] == [{"name": "Shop", "verifiedByPact": None}]
    History(api).verify("Shop", "1", "Prices", "1", success=success)
    assert operations(api)["GET /prices/{sku}"]["consumers"] == [{"name": "Shop", "verifiedByPact": success}]


@SAME_STATEMENTS
@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (None, "was published without a report"),
        ("all tests passed", "No line of it names an operation with an outcome."),
        ("<html></html>", "It is XML, but not JUnit XML"),
        ('<testsuite><testcase name="test_prices"/></testsuite>', "Its cases name no operation"),
    ],
)
def test_without_a_readable_report_the_evidence_of_all_operations_is_unknown(
    api: Api, report: str | None, reason: str
) -> None:
    publish_pact(api, "Shop", "1", "GET /v1/prices")
    answer = publish(api, report)
    body = api.get(COVERAGE).json()
    assert (body["isKnown"], body["claimedOnlyCount"]) == (False, 0)
    assert reason in body["summary"]
    assert {operation["evidence"] for operation in operations(api).values()} == {"unknown"}
    assert ("publish a report that names them" in notices(answer)) == (report is not None)


@SAME_STATEMENTS
def test_a_contract_without_a_self_verification_has_no_coverage(api: Api) -> None:
    api.post(PUBLISH, build(contract={**contract(None), "selfVerificationResults": None}))
    assert "There is no self-verification." in api.get(COVERAGE).json()["summary"]


def warnings(answer: Answer) -> list[str]:
    return [notice["text"] for notice in answer.json()["notices"] if notice["type"] == "warning"]


@SAME_STATEMENTS
def test_a_success_with_failures_in_its_report_gets_a_warning(api: Api) -> None:
    (warning,) = warnings(publish(api, junit(list="passed", get="failed", other="failed")))
    assert "has 2 failures, of which the first is GET /prices/{sku}: 500 instead of 200." in warning
    assert not any("report" in text for text in warnings(publish(api, junit(get="failed"), success=False)))
    assert not warnings(publish(api, junit(get="passed")))


@SAME_STATEMENTS
def test_a_report_of_another_api_gets_a_warning(api: Api) -> None:
    report = '<testsuite><testcase name="GET /users"/><testcase name="POST /users"/></testsuite>'
    (warning,) = warnings(publish(api, report))
    assert "no operation of the provider contract, but others, such as GET /users" in warning
    (document,) = api.get(COVERAGE).json()["contracts"]
    assert document["report"]["unknownOperations"] == ["GET /users", "POST /users"]


@SAME_STATEMENTS
def test_several_contracts_with_one_report_get_no_warning_if_it_is_about_one_of_them(api: Api) -> None:
    report = junit(list="passed", add="passed", get="passed")
    contracts = [contract(report, name="http"), contract(report, name="events", source=ASYNCAPI)]
    answer = api.post(PUBLISH_SEVERAL, build(contracts=contracts))
    assert (answer.status, warnings(answer)) == (200, [])
    assert "3 of 4 operations exercised." in notices(answer)
    failed = contract(junit(list="failed"), name="http"), contract(junit(list="failed"), name="events", source=ASYNCAPI)
    assert len(warnings(api.post(PUBLISH_SEVERAL, build(contracts=failed)))) == 1


@SAME_STATEMENTS
def test_the_older_way_of_publishing_reads_the_report_too(api: Api) -> None:
    document = contract(junit(list="passed"))
    names = {"specification": "contractType", "selfVerificationResults": "verificationResults"}
    body = {names.get(name, name): value for name, value in document.items()}
    assert "1 of 3 operations exercised." in notices(api.put(PUT, body))


@SAME_STATEMENTS
def test_messages_of_an_asyncapi_document_are_found_by_the_name_of_the_operation(api: Api) -> None:
    report = '<testsuite><testcase name="priceChanged"/></testsuite>'
    api.post(PUBLISH, build(contract=contract(report, source=ASYNCAPI)))
    assert operations(api)["priceChanged"]["evidence"] == "passed"


@pytest.mark.parametrize("stored", [None, '{"rules": 0}'])
def test_reports_that_were_published_before_are_read_when_they_are_needed(
    api: Api, database: Database, stored: str | None
) -> None:
    publish(api, junit(list="passed", get="failed"), success=False)
    before = api.get(COVERAGE).json()
    database.write(lambda db: db.execute(text("UPDATE self_verification SET report = :report"), {"report": stored}))
    assert api.get(COVERAGE).json() == before


def test_an_incomplete_index_is_reported(api: Api, database: Database) -> None:
    publish_pact(api, "Shop", "1", "GET /v1/prices")
    publish(api, junit(list="passed"))
    assert api.get(COVERAGE).json()["isIndexComplete"]
    database.write(lambda db: db.execute(text("DELETE FROM usage_content")))
    assert not api.get(COVERAGE).json()["isIndexComplete"]


@SAME_STATEMENTS
def test_a_report_that_is_not_encoded_is_read_as_it_is(api: Api) -> None:
    document = contract(None)
    document["selfVerificationResults"]["content"] = json.dumps(
        {"results": {"tool": {"name": "pytest"}, "tests": [{"name": "GET /prices", "status": "passed"}]}}
    )
    api.post(PUBLISH, build(contract=document))
    (loaded,) = api.get(COVERAGE).json()["contracts"]
    assert loaded["report"]["format"] == "CTRF of Schemathesis"
    results = api.get("/contracts/bi-directional/provider/Prices/version/1/provider-contract-verification-results")
    (result,) = results.json()["_embedded"]["results"]
    assert base64.b64decode(result["content"]).startswith(b"{")
