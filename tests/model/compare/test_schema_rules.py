"""A case for each rule about the transformation of schemas, and for how pacts are read."""

import pytest

from tests.model.compare.http_cases import (
    TEXT,
    WHOLE,
    Case,
    json_content,
    ref,
    response_case,
    thing,
)
from tests.model.compare.schema_rule_cases import CASES
from treaty.model.compare.documents import UnusableDocument, UnusablePact
from treaty.model.compare.findings import ABSENT
from treaty.model.compare.interactions import decode_contents
from treaty.model.compare.profiles import Profile


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_each_rule_gives_the_findings_of_the_reference_engine(case):
    assert sorted(case.notes()) == sorted(case.expected)


@pytest.mark.parametrize(
    ("interaction", "state"),
    [
        ({"providerState": "an order exists"}, "an order exists"),
        ({}, "[none]"),
        ({"providerStates": [{"name": "an order exists"}]}, "[none]"),
    ],
)
def test_a_finding_names_the_single_provider_state(interaction, state):
    finding = Case(rule="V5", path="/x", interaction=interaction).compare().findings[0]
    assert finding.as_json()["mockDetails"]["interactionState"] == state


@pytest.mark.parametrize(
    "changes",
    [
        {"request": {"method": "GET"}},
        {"request": {"path": "/orders"}},
        {"response": {}},
        {"response": {"status": "200"}},
        {"response": {"status": True}},
        {"request": None},
    ],
)
def test_an_http_interaction_without_method_path_or_status_cannot_be_compared(changes):
    with pytest.raises(UnusablePact, match=r"interactions\[0\] \(\"an interaction\"\) has no"):
        Case(rule="O9", interaction=changes).compare()


@pytest.mark.parametrize("version", [{"swagger": "1.2"}, {"openapi": "4.0"}, {"openapi": 3}, {}])
def test_a_document_of_another_kind_or_version_cannot_be_compared(version):
    case = Case(rule="O9")
    content = {name: value for name, value in case.content.items() if name != "openapi"}
    with pytest.raises(UnusableDocument, match=r"api\.json is not an OpenAPI document"):
        Case(rule="O9", version="x", document={**content, "openapi": None, **version}).compare()


def test_findings_have_the_shape_that_clients_read():
    case = response_case("shape", thing(a=WHOLE), {"a": "x"})
    assert case.compare().findings[0].as_json() == {
        "code": "response.body.incompatible",
        "type": "error",
        "message": 'The pact has "x" as a in the response body, but the document gives it the type integer. '
        "The consumer relies on a response that the provider does not promise.",
        "source": "spec-mock-validation",
        "interactionIndex": 0,
        "mockDetails": {
            "interactionDescription": "an interaction",
            "interactionState": "[none]",
            "location": "[root].interactions[0].response.body.a",
            "mockFile": "pact",
            "value": "x",
        },
        "specDetails": {
            "location": "[root].paths./orders.get.responses.200.content.application/json.schema.properties.a.type",
            "pathMethod": "get",
            "pathName": "/orders",
            "specFile": "oas",
            "documentName": "api.json",
            "value": "integer",
        },
    }


def test_each_unlisted_property_has_a_finding_that_names_it():
    findings = response_case("names", thing(a=TEXT), {"b": 1, "c": 2}).compare().findings
    assert [name for finding in findings for name in ("b", "c") if f'"{name}"' in finding.message] == ["b", "c"]


def test_each_branch_with_the_same_reference_has_its_finding():
    case = response_case("same branches", {"anyOf": [ref("A"), ref("A")]}, {"b": 1}, schemas={"A": thing(a=TEXT)})
    locations = [finding.as_json()["specDetails"]["location"] for finding in case.compare().findings]
    assert len(locations) == 3
    assert len(set(locations)) == 2


def test_a_finding_names_the_closest_branch():
    schema = {"oneOf": [TEXT, thing(a=TEXT, b=TEXT, c=TEXT), thing(a=TEXT, b=WHOLE, c=TEXT)]}
    body = {"a": "x", "b": 1, "c": 5}
    findings = response_case("closest", schema, body, profile=Profile.STRICT).compare().findings
    assert [finding.closest_branch for finding in findings if finding.closest_branch] == [
        "[root].paths./orders.get.responses.200.content.application/json.schema.oneOf.2"
    ]


def test_unknown_formats_broken_references_and_bodies_of_other_types_are_reported():
    schema = thing(a={**TEXT, "format": "color"}, b=ref("Nothing"))
    comparison = response_case("notes", schema, {"a": "x", "b": 1}).compare()
    assert sorted(note.code for note in comparison.notes) == ["format.unknown", "reference.broken"]
    assert (comparison.compared, comparison.interactions) == (1, 1)
    image = Case(rule="image", responses={"200": {"content": {"image/png": {}}}}, response={"body": "x"}).compare()
    assert (image.compared, image.interactions, image.is_compatible) == (0, 1, True)


def test_deprecated_operations_parameters_headers_and_properties_are_listed():
    comparison = Case(
        rule="deprecated",
        operation={
            "deprecated": True,
            "parameters": [{"name": "a", "in": "query", "schema": TEXT, "deprecated": True}],
        },
        responses={
            "200": {
                "headers": {"X-Old": {"schema": TEXT, "deprecated": True}},
                **json_content(thing(order=ref("Old"), other={**TEXT, "deprecated": True})),
            }
        },
        schemas={"Old": thing(id={**WHOLE, "deprecated": True})},
        request={"query": "a=1"},
        response={"headers": {"X-Old": "x"}, "body": {"order": {"id": 1}}},
    ).compare()
    assert comparison.is_compatible
    assert [(use.kind, use.name, use.pact_location) for use in comparison.used] == [
        ("operation", "GET /orders", "[root].interactions[0]"),
        ("query parameter", "a", "[root].interactions[0].request.query.a"),
        ("header", "X-Old", "[root].interactions[0].response.headers.X-Old"),
        ("property", "id", "[root].interactions[0].response.body.order.id"),
    ]


@pytest.mark.parametrize(
    ("contents", "decoded"),
    [
        *[(nothing, ABSENT) for nothing in (ABSENT, None, False, 0, "")],
        *[(plain, plain) for plain in (1, True, "x", [], [0])],
        ({"content": {"a": 1}}, {"a": 1}),
        ({"content": 0, "encoded": False}, 0),
        ({"content": "[1]", "encoded": "JSON"}, [1]),
        ({"content": "[1", "encoded": "JSON"}, "[1"),
        ({"content": "[1]", "encoded": False}, "[1]"),
        ({"content": "eA==", "encoded": "base64"}, "x"),
        ({"content": "e", "encoded": "base64"}, "e"),
        # Both alphabets
        *[({"content": text, "encoded": "base64"}, ">>>") for text in ("Pj4+", "Pj4-")],
        *[({"content": text, "encoded": "base64"}, "???") for text in ("Pz8/", "Pz8_")],
        ({"content": {"a": 1}, "encoded": "JSON"}, {"a": 1}),
    ],
)
def test_the_contents_of_version_4_are_decoded(contents, decoded):
    assert decode_contents(contents) == decoded
