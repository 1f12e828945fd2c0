"""The page of a comparison: the verdict, its conditions, and both sides of each finding."""

import json
from urllib.parse import urlencode

import pytest

from tests.api.contracts import PUBLISH, RESULT, build, document
from tests.api.history import History
from tests.pages.comparisons import DOCUMENT, OF_VERSIONS, interaction, pact, publish_document, publish_pact


@pytest.fixture
def api(make_api):
    """A broker that has the time to compare within each request, however busy the machine is."""
    return make_api(comparison_budget=600)


@pytest.fixture
def history(api):
    return History(api)


def path_of_content(api):
    (result,) = api.get(OF_VERSIONS).json()["_embedded"]["results"]
    return result["_links"]["self"]["href"]


def marked(page):
    """The lines of excerpts that are marked."""
    html = page.answer.text
    return [part.partition("</mark>")[0].partition(">")[2].strip() for part in html.split('<mark class="line"')[1:]]


def test_a_finding_is_shown_with_the_pact_and_the_document_at_its_location(api, show):
    publish_pact(api, pact(interaction({"amount": "12.50", "currency": "EUR"}, providerState="a price exists")))
    publish_document(api)
    page = show(OF_VERSIONS)
    assert page.status == 200
    assert "Verdict ✕ Failed" in page.text
    assert "Compared 1 of 1 interaction" in page.text
    assert "Profile strict" in page.text
    assert "a price given a price exists GET /prices/{id}" in page.text
    assert marked(page) == ["&#34;amount&#34;: &#34;12.50&#34;,", "amount: {type: number}"]
    assert "In the document of Prices, line 17" in page.text
    assert "/contracts/bi-directional/provider/Prices/version/1/provider-contract/document?name=&line=17#line-17" in (
        page.links
    )
    assert show(path_of_content(api)).text == page.text


def test_a_comparison_is_for_browsers_a_page_and_for_clients_hal(api, show):
    publish_pact(api, pact(interaction({"amount": 12.5})))
    publish_document(api)
    path = path_of_content(api)
    assert show(path).answer.headers["content-type"].startswith("text/html")
    for accept in ("application/hal+json", "*/*", "application/json"):
        assert api.get(path, accept=accept).json()["summary"] == {"success": True}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((1, True, None), "Verdict ✓ Verified"),
        ((1, True, True), "Verdict ✓ Verified"),
        ((1, True, False), "Verdict ✕ Failed"),
        ((1, False, None), "Verdict ✕ Failed"),
        ((1, None, None), "Verdict ? Not verified"),
        ((1, None, True), "Verdict ? Not verified"),
        (("1", True, True), "Verdict ✕ Failed"),
    ],
)
def test_the_verdict_combines_comparison_self_verification_and_verifier(api, history, show, conditions, expected):
    amount, self_verified, verified = conditions
    publish_pact(api, pact(interaction({"amount": amount})))
    result = None if self_verified is None else {**RESULT, "success": self_verified}
    publish_document(api, selfVerificationResults=result)
    if verified is not None:
        history.verify("Shop", "1", "Prices", "1", success=verified)
    page = show(OF_VERSIONS)
    assert expected in page.text
    sentences = {
        "found no error" if amount == 1 else "found 1 error",
        {True: "self-verification of Prices succeeded", False: "Prices failed", None: "of Prices is missing"}[
            self_verified
        ],
        {True: "A verifier verified the pact", False: "A verifier failed", None: "No verifier has"}[verified],
    }
    assert not {sentence for sentence in sentences if sentence not in page.text}


def test_a_pact_that_the_documents_describe_in_part_needs_a_verifier_too(api, history, show):
    message = {"type": "Asynchronous/Messages", "description": "a change", "contents": {"content": {"price": 1}}}
    exchange = {**interaction({}), "type": "Synchronous/HTTP"}
    exchange["response"] = {"status": 200}
    metadata = {"pactSpecification": {"version": "4.0"}}
    publish_pact(api, {**pact(exchange, message), "metadata": metadata})
    publish_document(api)
    page = show(OF_VERSIONS)
    assert "Verdict ? Not verified" in page.text
    assert "does not describe all kinds of interactions" in page.text
    history.verify("Shop", "1", "Prices", "1", success=True)
    assert "Verdict ✓ Verified" in show(OF_VERSIONS).text


def test_a_body_of_version_4_is_shown_where_the_value_is(api, show):
    body = {"content": {"amount": "12.50"}, "contentType": "application/json", "encoded": False}
    content = pact({**interaction(body), "type": "Synchronous/HTTP"})
    publish_pact(api, {**content, "metadata": {"pactSpecification": {"version": "4.0"}}})
    publish_document(api)
    assert marked(show(OF_VERSIONS))[0] == "&#34;amount&#34;: &#34;12.50&#34;"


def test_errors_are_before_warnings_and_each_interaction_has_its_own_section(api, show):
    with_query = interaction({}, "with a query", providerState="x")
    with_query["request"] = {**with_query["request"], "query": "page=1"}
    wrong = interaction({"amount": "1", "size": 1}, "two faults")
    publish_pact(api, pact(with_query, wrong, interaction({}, "unknown", "/orders")))
    publish_document(api)
    page = show(OF_VERSIONS)
    titles = [element.tag for element in page.elements if element.tag in {"h2", "h3"}]
    order = [
        page.text.index(text) for text in ("3 errors", "two faults", "unknown", "1 warning", "with a query given x")
    ]
    assert order == sorted(order)
    assert titles.count("h3") == 3


def test_a_minified_document_is_shown_around_the_column(api, show):
    publish_pact(api, pact(interaction({"amount": "1"})))
    padding = {f"p{number}": {"type": "string"} for number in range(200)}
    schema = {"type": "object", "properties": {**padding, "amount": {"type": "number"}, "z": {}}}
    content = {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}
    parsed = {
        "openapi": "3.1.0",
        "info": {"title": "Prices", "version": "1"},
        "paths": {"/prices/{id}": {"get": {"responses": content}}},
    }
    publish_document(api, json.dumps(parsed))
    located = marked(show(OF_VERSIONS))[1]
    assert "&#34;amount&#34;: {&#34;type&#34;: &#34;number&#34;}" in located
    assert located.startswith("…")
    assert len(located) < 3000


def test_of_a_document_that_is_too_large_to_look_for_lines_the_value_is_shown(api, show):
    publish_pact(api, pact(interaction({"amount": "1"})))
    publish_document(api, DOCUMENT + f"x-padding: {'x' * 3_000_000}\n")
    page = show(OF_VERSIONS)
    assert "The document is too large to show its lines here, so its value is shown." in page.text
    assert marked(page)[1] == "&#34;type&#34;: &#34;number&#34;"
    assert len(page.answer.body) < 50_000


def test_several_documents_are_named(api, show):
    publish_pact(api, pact(interaction({"amount": "1"})))
    contracts = [{"name": name, **document(text)} for name, text in (("a/b ü", DOCUMENT), ("other", EMPTY))]
    answer = api.post(f"{PUBLISH}-contracts", build(contracts=contracts))
    assert answer.status == 200, answer.text
    page = show(OF_VERSIONS)
    assert "In the document a/b ü of Prices, line 17" in page.text
    path = "/contracts/bi-directional/provider/Prices/version/1/provider-contract/document"
    assert f"{path}?{urlencode({'name': 'a/b ü', 'line': 17})}#line-17" in page.links


EMPTY = "openapi: 3.1.0\ninfo: {title: Other, version: 1.0.0}\npaths: {}\n"


def test_many_findings_are_paged(api, show):
    publish_pact(api, pact(*(interaction({}, f"request {number}", f"/x/{number}") for number in range(60))))
    publish_document(api)
    page = show(OF_VERSIONS)
    assert "60 errors" in page.text
    assert "1-50 of 60 findings" in page.text
    assert page.text.count("In the pact of Shop") == 50
    assert show(f"{OF_VERSIONS}?page=2").text.count("In the pact of Shop") == 10


def test_a_document_of_no_known_kind_is_explained(api, show):
    publish_pact(api, pact(interaction({})))
    publish_document(api, "not: a contract\n")
    page = show(OF_VERSIONS)
    assert "✕ Incompatible" in page.text
    assert page.status == 200


def test_without_time_to_compare_the_page_has_a_message(make_api, show):
    del show
    api = make_api(comparison_budget=0)
    publish_pact(api, pact(interaction({})))
    publish_document(api)
    answer = api.get(OF_VERSIONS, accept="text/html")
    assert answer.status == 200
    assert "has not been compared" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        OF_VERSIONS.replace("/version/1", "/version/9"),
        OF_VERSIONS.replace("Shop", "Nobody"),
        "/contracts/provider/Prices/version/1/consumer/Shop/pact-version/abc/verification-results",
    ],
)
def test_missing_versions_and_pacticipants_return_404(api, show, path):
    publish_pact(api, pact(interaction({})))
    publish_document(api)
    assert show(path).status == 404
