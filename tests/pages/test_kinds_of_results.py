"""Lists with results of verifiers and of comparisons show the kind of each."""

import pytest

from tests.api.contracts import RESULT
from tests.api.history import History
from tests.pages.comparisons import OF_VERSIONS, interaction, pact, publish_document, publish_pact

COMPARED, VERIFIED = "(Compared with the provider contract)", "(Verified by a verifier)"
PAIR = "provider/Prices/consumer/Shop"
MATRIX = "/matrix?q[][pacticipant]=Shop&q[][version]=1&q[][pacticipant]=Prices&q[][version]=1"
PAGES = {
    "matrix": MATRIX,
    "matrix of the pair": f"/matrix/{PAIR}",
    "pact": f"/pacts/{PAIR}/version/1",
    "pair": f"/dashboard/{PAIR}?view=all",
    "grid": f"/dashboard/{PAIR}?view=grid",
    "overview": "/",
    "overview by tag": "/?tags=true",
    "consumer": "/pacticipants/Shop",
    "provider": "/pacticipants/Prices",
}


@pytest.fixture
def api(make_api):
    """A broker that has the time to compare within each request, however busy the machine is."""
    return make_api(comparison_budget=600)


@pytest.fixture
def compared(api):
    publish_pact(api, pact(interaction({"amount": 1})))
    publish_document(api)
    assert api.get(OF_VERSIONS).json()["verificationStatus"] == "success"
    return History(api)


@pytest.mark.usefixtures("compared")
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_each_list_marks_results_of_comparisons_and_links_to_them(show, path):
    page = show(path)
    assert COMPARED in page.text, page.text
    assert "⇄ Compared with the provider contract" in page.text
    if path not in {"/", "/?tags=true"} and not path.startswith("/pacticipants"):
        (link, *_) = [link for link in page.links if link.startswith("/contracts/provider/")]
        assert "Verdict ✓ Verified" in show(link).text


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_without_contracts_of_providers_no_list_has_a_legend(api, show, path):
    publish_pact(api, pact(interaction({"amount": 1})))
    History(api).verify("Shop", "1", "Prices", "1")
    page = show(path)
    assert "Verified" in page.text
    assert VERIFIED not in page.text
    assert "Compared" not in page.text


@pytest.mark.parametrize("path", [PAGES["matrix"], PAGES["pact"]])
def test_results_of_verifiers_and_of_comparisons_have_different_labels(compared, show, path):
    compared.verify("Shop", "1", "Prices", "1")
    page = show(path)
    assert COMPARED in page.text
    assert VERIFIED in page.text


@pytest.mark.parametrize(
    ("success", "text", "next_step"),
    [
        (None, "(Self-verification of the provider contract is missing)", "self-verification of Prices is missing"),
        (False, COMPARED, "self-verification of Prices failed"),
    ],
)
def test_a_missing_or_failed_self_verification_is_shown_and_explained(api, show, success, text, next_step):
    publish_pact(api, pact(interaction({"amount": 1})))
    publish_document(api, selfVerificationResults=None if success is None else {**RESULT, "success": success})
    page = show(MATRIX)
    assert text in page.text
    assert OF_VERSIONS in page.links
    assert next_step in show(OF_VERSIONS).text


def test_the_page_of_a_result_leads_to_the_comparison(compared, api, show):
    (comparison,) = api.get(OF_VERSIONS).json()["_embedded"]["results"]
    latest = show(f"/pacts/{PAIR}/version/1/verification-results/latest")
    assert latest.moved_to == comparison["_links"]["self"]["href"].removeprefix("http://localhost")
    compared.verify("Shop", "1", "Prices", "2")
    assert show(f"/pacts/{PAIR}/version/1/verification-results/latest").status == 200
