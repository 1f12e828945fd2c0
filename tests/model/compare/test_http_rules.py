"""A case for each rule about routes, credentials, requests and responses, with the findings of the reference engine."""

from dataclasses import replace

import pytest

from tests.model.compare.http_cases import FLAG, TEXT, WHOLE, Case, json_content
from tests.model.compare.http_rule_cases import CASES, QUERY, query


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_each_rule_gives_the_findings_of_the_reference_engine(case):
    assert sorted(case.notes()) == sorted(case.expected)


@pytest.mark.parametrize(
    ("status", "is_compared"), [(200, True), (302, True), (399, True), (400, False), (401, False), (500, False)]
)
def test_the_query_of_a_request_that_the_provider_refuses_is_not_compared(status, is_compared):
    responses = {str(status): {"description": "any"}}
    case = query("refused", "a=x", WHOLE, responses=responses, response={"status": status})
    assert case.notes() == ([QUERY.format("", "type")] if is_compared else [])


def test_responses_of_an_operation_have_schemas_of_their_own():
    responses = {
        str(status): {**json_content(schema), "headers": {"X-A": {"schema": schema}}}
        for status, schema in ((200, WHOLE), (201, TEXT), (202, FLAG))
    }
    case = Case(rule="own schemas", responses=responses)
    examples = {200: 1, 201: "x", 202: True}
    interactions = [
        {**case.contract["interactions"][0], "response": {"status": status, "body": body, "headers": {"X-A": header}}}
        for status, body in examples.items()
        for header in ("1", "x", "true")
    ]
    findings = replace(case, pact={"interactions": interactions}).compare().findings
    # A text fits any header.
    assert [finding.interaction_index for finding in findings] == [1, 2, 6, 7]
    assert {finding.code for finding in findings} == {"response.header.incompatible"}


def test_findings_carry_the_index_and_follow_the_order_of_the_interactions():
    case = Case(rule="O1", path="/other")
    interaction = case.contract["interactions"][0]
    ordered = Case(rule="O1", pact={"interactions": [interaction, None, interaction]}).compare()
    assert [finding.interaction_index for finding in ordered.findings] == [0, 2]
    assert [finding.pact and finding.pact.location for finding in ordered.findings] == [
        "[root].interactions[0].request.path",
        "[root].interactions[2].request.path",
    ]


def test_findings_follow_the_order_of_the_request_and_the_response():
    assert CASES[0].notes() == list(CASES[0].expected)
