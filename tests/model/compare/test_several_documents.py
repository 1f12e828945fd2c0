"""A provider version with several documents: which of them an interaction is compared with."""

from collections.abc import Iterable
from itertools import permutations

import pytest

from tests.model.compare.http_cases import TEXT, WHOLE, Case, Json, json_content, thing
from treaty.model.compare.documents import Document
from treaty.model.compare.engine import compare
from treaty.model.compare.profiles import Profile

FITTING = {"200": json_content(thing(a=TEXT))}
FAILING = {"200": json_content(thing(a=WHOLE))}
WARNING = {"default": json_content(thing(a=TEXT))}


def document(responses: Json | None, template: str = "/orders") -> Json:
    return Case(rule="", template=template, responses=responses or FITTING).content


def codes(documents: Iterable[Json]) -> list[str]:
    pact = Case(rule="", response={"body": {"a": "x"}}).contract
    named = [Document(f"{number}.json", "oas", content) for number, content in enumerate(documents)]
    return [finding.code for finding in compare(pact, named, Profile.REFERENCE).findings]


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([document(FITTING), document(FAILING)], []),
        ([document(FITTING), document(None, "/others")], []),
        ([document(FAILING), document(None, "/others")], ["response.body.incompatible"]),
        ([document(WARNING), document(FAILING)], ["response.status.default"]),
        ([document(None, "/others"), document(None, "/more")], ["request.path-or-method.unknown"]),
    ],
)
def test_one_that_fits_counts_or_else_one_that_has_the_operation(documents: list[Json], expected: list[str]) -> None:
    assert {tuple(codes(order)) for order in permutations(documents)} == {tuple(expected)}


def test_of_several_that_fit_the_first_one_counts() -> None:
    assert codes([document(WARNING), document(FITTING)]) == ["response.status.default"]
    assert codes([document(FITTING), document(WARNING)]) == []
