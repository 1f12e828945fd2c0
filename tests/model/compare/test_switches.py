"""The switches of a document, the profile `pactflow` that has most of them on, and the differences of `strict`."""

from dataclasses import replace

import pytest

from tests.model.compare.http_cases import (
    TEXT,
    WHOLE,
    Case,
    json_content,
    response_case,
    thing,
)
from tests.model.compare.switch_cases import ENUM, RETURNED, SERVERS, STRICT, SWITCHES, UNKNOWN_PATH
from treaty.model.compare.profiles import Profile


@pytest.mark.parametrize(("name", "case", "off", "on"), SWITCHES, ids=[name for name, *_ in SWITCHES])
def test_a_document_turns_a_switch_on_and_off(name, case, off, on):
    setting = f"x-opc-config-{name}"
    assert tuple(case.notes()) == off
    assert tuple(replace(case, info={setting: True}).notes()) == on
    assert tuple(replace(case, info={setting: "false"}).notes()) == off


@pytest.mark.parametrize(("name", "case", "off", "on"), SWITCHES, ids=[name for name, *_ in SWITCHES])
def test_the_profile_of_the_hosted_product_has_all_switches_on_but_one(name, case, off, on):
    expected = off if name == "case-insensitive" else on
    assert tuple(replace(case, profile=Profile.PACTFLOW).notes()) == expected


def test_a_document_turns_off_a_switch_of_the_profile():
    case = Case(rule="slash", path="/orders/", profile=Profile.PACTFLOW)
    assert case.notes() == []
    assert replace(case, info={"x-opc-config-ignore-trailing-slash": False}).notes() == [UNKNOWN_PATH]


@pytest.mark.parametrize(("case", "reference", "strict"), STRICT, ids=[case.rule for case, *_ in STRICT])
def test_the_strict_profile_differs_from_the_reference(case, reference, strict):
    assert sorted(case.notes()) == sorted(reference)
    assert sorted(replace(case, profile=Profile.STRICT).notes()) == sorted(strict)


def test_version_2_rules_count_in_the_strict_profile():
    rules = {"$.body.a": {"match": "type"}}
    case = Case(
        rule="version 2",
        responses={"200": json_content(thing(a=ENUM))},
        response={"body": {"a": "X"}, "matchingRules": rules},
        profile=Profile.STRICT,
    )
    assert case.notes() == []


def test_an_unknown_path_is_explained():
    def message(**more):
        return Case(rule="message", profile=Profile.STRICT, **more).compare().findings[0].message

    assert message(document=SERVERS) == (
        "The document has no operation GET /orders. It has /v1/orders, because its servers have the base path /v1."
    )
    assert message(request={"method": "PUT"}).endswith("The path has the methods GET only.")
    assert message(path="/x").endswith("The provider does not promise to serve this path.")
    assert message(path="/orders?a=1").endswith(
        "The path of the pact contains a query, which belongs in its own member."
    )


@pytest.mark.parametrize("body", [0, 0.0, False])
def test_only_the_strict_profile_compares_bodies_that_are_zero_or_false(body):
    case = response_case("a body like none", TEXT, body)
    assert case.notes() == []
    assert replace(case, profile=Profile.STRICT).notes() == [RETURNED.format("", "type")]


@pytest.mark.parametrize("body", [None, ""])
def test_an_empty_body_counts_as_absent(body):
    case = response_case("no body", WHOLE, body)
    assert case.notes() == replace(case, profile=Profile.STRICT).notes() == []


@pytest.mark.parametrize(
    ("content_type", "fits"),
    [("application/json", True), ("application/json;charset=utf-8", True), ("text/plain;application/json", False)],
)
def test_parameters_of_the_content_type_of_a_response_do_not_count(content_type, fits):
    case = response_case("content type", TEXT, "x")
    assert (not replace(case, response={"headers": {"Content-Type": content_type}, "body": "x"}).notes()) is fits
