"""Results and pacts of many interactions: failures first, equal messages once, long texts completely."""

import pytest

from tests.pages.conftest import verify

PACT = "/pacts/provider/Ledger/consumer/Till"
LONG = "expected a price\n" + "\n".join(f"line {number}" for number in range(100))
SAME = "body: $.price: expected 1.5 but got 'n/a'"
INTERACTIONS = 200
FAILED = 50


def _publish(api):
    items = [
        {"description": f"request {number:03}", "request": {"method": "GET", "path": f"/{number}"}, "response": {}}
        for number in range(INTERACTIONS)
    ]
    assert api.put(f"{PACT}/version/1", {"interactions": items}).status == 201
    return [item["_id"] for item in api.get(f"{PACT}/version/1").json()["interactions"]]


@pytest.fixture
def verified(api):
    """A pact of 200 interactions of which every fourth failed: one with a long message, and the others with another."""
    ids = _publish(api)
    results = []
    for number, interaction_id in enumerate(ids):
        message = LONG if number == 0 else SAME
        failure = {} if number % 4 else {"exceptions": [{"message": message}]}
        results.append({"interactionId": interaction_id, "success": bool(number % 4), **failure})
    verify(api, "1", "10", success=False, testResults=results)
    return api


@pytest.fixture
def result(verified, show):
    assert verified
    return show(f"{PACT}/version/1/verification-results/latest")


def test_the_title_and_the_heading_count_the_failures(result):
    assert result.text.startswith("Till and Ledger: 50 of 200 failed · Treaty")
    assert result.text.count("50 of 200 failed") == 2


def test_equal_messages_are_shown_once_with_all_their_interactions(result):
    shown = result.text.partition("JSON from the verifier")[0]
    assert "✕ Failed 49 interactions with this message body: $.price: expected 1.5 but got 'n/a'" in shown
    assert shown.count(SAME) == 1
    assert all(f"request {number:03}" in shown for number in range(INTERACTIONS))


def test_failures_come_before_verified_interactions(result):
    assert (
        result.text.index("request 196")
        < result.text.index("✓ Verified 150 interactions")
        < result.text.index("request 199")
    )


def test_a_long_message_is_folded_and_complete(result):
    assert "request 000 expected a price expected a price line 0" in result.text
    assert "line 99" in result.text.partition("JSON from the verifier")[0]


@pytest.mark.usefixtures("verified")
def test_the_pact_counts_its_failures_and_lists_them_alone(show):
    pact = show(f"{PACT}/version/1")
    assert pact.text.startswith("Pact of Till 1 with Ledger: 50 of 200 failed")
    assert f"{PACT}/version/1?failed=yes" in pact.links
    failed = show(f"{PACT}/version/1?failed=yes")
    assert "50 of 200 interactions failed." in failed.text
    assert len([element for element in failed.elements if element.attributes.get("class") == "interaction"]) == FAILED


@pytest.mark.usefixtures("verified")
def test_a_search_among_the_failures_stays_among_them(show):
    assert "No failed interaction contains “/199”" in show(f"{PACT}/version/1?failed=yes&q=/199").text
    assert "1 interaction of 200 contains “/196”" in show(f"{PACT}/version/1?failed=yes&q=/196").text


@pytest.mark.parametrize(("success", "outcome"), [(True, "verified"), (False, "failed")])
def test_a_result_without_details_has_a_message(api, show, success, outcome):
    _publish(api)
    verify(api, "1", "10", success=success)
    shown = show(f"{PACT}/version/1/verification-results/latest").text
    assert shown.startswith(f"Till and Ledger: {outcome} ·")
    assert "The verifier sent no details." in shown


def test_a_failure_without_a_reason_has_a_message(api, show):
    ids = _publish(api)
    results = [{"interactionId": ids[0], "success": False}, {"interactionId": ids[1], "success": True}]
    verify(api, "1", "10", success=False, testResults=results)
    shown = show(f"{PACT}/version/1/verification-results/latest").text
    assert "✕ Failed request 000 The verifier gave no reason." in shown
