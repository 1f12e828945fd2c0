"""The page of the operations of a provider version: those that consumers use, and those that were exercised."""

import pytest

from tests.api.contracts import PUBLISH, PUBLISH_SEVERAL, build
from tests.api.coverage import COVERAGE, contract, junit, publish, publish_pact
from treaty.web.pages.provider_contracts import coverage

# The statements are the same for the API, whose tests run on both databases.
pytestmark = pytest.mark.slow_on_postgresql


def test_operations_that_are_claimed_and_not_shown_are_first(api, show):
    publish_pact(api, "Web-Shop", "1", "GET /v1/prices/17", "DELETE /v1/prices/1")
    publish(api, junit(list="passed", add="failed", other="failed"))
    page = show(COVERAGE)
    assert "2 of 3 operations exercised; 1 that consumers use was not: GET /prices/{sku}." in page.text
    rows = page.text[page.text.index("Operation Self-verification") :]
    assert "GET /prices/{sku} △ Claimed, not shown - Not exercised Web-Shop ? Not verified" in rows
    assert rows.index("GET /prices/{sku}") < rows.index("GET /prices ✓ Passed") < rows.index("✕ Failed")
    assert "POST /prices deprecated ✕ Failed 500 instead of 200 none" in rows
    assert "published as a success, but its report has failures, of which the first is POST /prices" in page.text
    assert "Consumers use operations that the document does not have: DELETE /v1/prices/{id} Web-Shop" in page.text
    assert "/pacticipants/Web-Shop" in page.links


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ("nothing", "It is unknown which of the 3 operations were exercised."),
        ('<testsuite><testcase name="GET /users"/></testsuite>', "It is probably the report of another API."),
    ],
)
def test_a_report_without_results_for_the_document_is_explained(api, show, report, expected):
    publish(api, report)
    assert expected in show(COVERAGE).text


def test_each_document_has_a_table(api, show):
    contracts = [contract(junit(list="passed"), name=name) for name in ("public", "internal <b>")]
    api.post(PUBLISH_SEVERAL, build(contracts=contracts))
    page = show(COVERAGE)
    assert page.text.count("GET /prices ✓ Passed") == 2
    assert "internal <b>" in page.text


def test_a_large_document_is_cut(api, show, monkeypatch):
    monkeypatch.setattr(coverage, "MAX_OPERATIONS", 2)
    api.post(PUBLISH, build(contract=contract(None)))
    assert "1 more are in the JSON document" in show(COVERAGE).text


def test_a_version_without_a_contract_has_no_such_page(api, show):
    publish(api, None)
    assert api.get(COVERAGE.replace("/1/", "/2/"), accept="text/html").status == 404
    assert "The self-verification was published without a report." in show(COVERAGE).text
