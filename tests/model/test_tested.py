"""Results of each interaction, in the formats of verifiers."""

import json

import pytest

from treaty.model.pacts import documents
from treaty.model.pacts.interactions import Interaction, read_interactions
from treaty.model.verifications import interaction_results
from treaty.model.verifications.interaction_results import MAX_PROBLEM_LENGTH

RUST = [
    {"interactionId": "a", "success": True},
    {
        "interactionId": "b",
        "interactionDescription": "another request",
        "success": False,
        "mismatches": [
            {"attribute": "body", "identifier": "$.a", "description": "Expected 'x' to be equal to 1"},
            {"attribute": "status", "description": "expected 200 but was 401"},
        ],
        "exceptions": [{"message": "Connection refused"}],
    },
]
RUBY = {
    "tests": [
        {"testDescription": "has status code 200", "status": "passed", "interactionDescription": "a request"},
        {
            "testDescription": "has a matching body",
            "status": "failed",
            "interactionDescription": "a request",
            "exception": {"class": "E", "message": "a long text"},
            "differences": [{"description": "Actual: 2"}],
        },
        {"status": "passed", "interactionDescription": "another request", "interactionProviderState": "signed in"},
    ],
    "summary": {"testCount": 3, "failureCount": 1},
}


def of_pact(*items: object) -> list[Interaction]:
    interactions = read_interactions(documents.parse_document(json.dumps({"interactions": items}).encode()))
    assert interactions is not None
    return interactions


def test_a_list_has_an_entry_for_each_interaction():
    first, second = interaction_results.parse_results(json.dumps(RUST))
    assert (first.id, first.success, first.problems) == ("a", True, ())
    assert (second.id, second.success) == ("b", False)
    assert second.problems == (
        "body $.a: Expected 'x' to be equal to 1",
        "status: expected 200 but was 401",
        "Connection refused",
    )


def test_several_tests_of_an_interaction_become_one_result():
    first, second = interaction_results.parse_results(json.dumps(RUBY))
    assert (first.description, first.success) == ("a request", False)
    assert first.problems == ("has a matching body: Actual: 2",)
    assert (second.description, second.state, second.success) == ("another request", "signed in", True)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "null",
        "7",
        '"text"',
        "{}",
        "[]",
        "[null, 7, []]",
        '{"tests": {"a": 1}}',
        '[{"success": "yes", "interactionId": 7}]',
        '[{"success": true}]',
        "[" * 2000 + "]" * 2000,
        "9" * 5000,
    ],
)
def test_results_in_another_form_are_ignored(text):
    assert interaction_results.parse_results(text) == []


def test_problems_of_an_odd_form_are_left_out():
    result = {"interactionId": "a", "success": False, "mismatches": [None, {}, {"attribute": 7}], "exceptions": "text"}
    assert interaction_results.parse_results(json.dumps([result]))[0].problems == ()


def test_results_are_matched_by_the_id_that_the_broker_gave():
    first, second = of_pact({"_id": "a", "description": "a request"}, {"_id": "b", "description": "a request"})
    results = interaction_results.match_results([first, second], interaction_results.parse_results(json.dumps(RUST)))
    assert (results[first.id].success, results[second.id].success) == (True, False)


def test_results_without_ids_are_matched_by_description_and_state():
    first, second, third = of_pact(
        {"description": "a request"},
        {"description": "another request", "providerState": "signed in"},
        {"description": "another request", "providerState": "signed out"},
    )
    results = interaction_results.match_results(
        [first, second, third], interaction_results.parse_results(json.dumps(RUBY))
    )
    assert (results[first.id].success, results[second.id].success) == (False, True)
    assert third.id not in results


@pytest.mark.parametrize("without", [None, ""])
def test_results_of_a_state_with_an_empty_name_are_not_those_without_a_state(without):
    """Verifiers report an interaction without a state with null or an empty text."""
    plain, empty = of_pact({"description": "a"}, {"description": "a", "providerState": ""})
    entry = {"interactionDescription": "a", "interactionProviderState": without}
    (only,) = interaction_results.parse_results(json.dumps([{**entry, "success": True}]))
    assert interaction_results.match_results([plain], [only])[plain.id].success
    both = [{**entry, "interactionProviderState": None, "success": True}]
    both.append({**entry, "interactionProviderState": "", "success": False})
    matched = interaction_results.match_results([plain, empty], interaction_results.parse_results(json.dumps(both)))
    assert (matched[plain.id].success, matched[empty.id].success) == (True, False)


@pytest.mark.parametrize(
    ("mismatch", "problems"),
    [
        ({"description": "d"}, ("d",)),
        ({"mismatch": "m"}, ("m",)),
        ({"description": "d", "mismatch": "m"}, ("d",)),
        ({"attribute": "body"}, ("body",)),
        ({"identifier": "$.a"}, ("$.a",)),
        ({"attribute": "body", "identifier": "$.a", "mismatch": "m"}, ("body $.a: m",)),
        ({"description": " "}, ()),
        ({"description": "d" * MAX_PROBLEM_LENGTH}, ("d" * MAX_PROBLEM_LENGTH,)),
        ({"description": "d" * (MAX_PROBLEM_LENGTH + 1)}, ("d" * MAX_PROBLEM_LENGTH + "…",)),
    ],
)
def test_a_mismatch_is_described_by_its_text_and_its_position(mismatch, problems):
    result = {"interactionId": "a", "success": False, "mismatches": [mismatch]}
    assert interaction_results.parse_results(json.dumps([result]))[0].problems == problems
    result["mismatches"] = mismatch
    assert interaction_results.parse_results(json.dumps([result]))[0].problems == problems


@pytest.mark.parametrize(("excess", "is_read"), [(0, True), (1, False), (1000, False)])
def test_results_that_are_too_long_are_not_read(excess, is_read):
    text = json.dumps([{"interactionId": "a", "success": True}])
    padded = text.ljust(interaction_results.MAX_LENGTH + excess)
    assert bool(interaction_results.parse_results(padded)) is is_read


@pytest.mark.parametrize(
    ("entry", "success"),
    [
        ({"status": "passed"}, True),
        ({"status": "failed"}, False),
        ({"status": "pending"}, False),
        ({"status": "PASSED"}, False),
        ({"success": False, "status": "passed"}, False),
        ({"success": True, "status": "failed"}, True),
    ],
)
def test_only_a_test_that_passed_is_a_success(entry, success):
    (result,) = interaction_results.parse_results(json.dumps([{"interactionId": "a", **entry}]))
    assert result.success is success
