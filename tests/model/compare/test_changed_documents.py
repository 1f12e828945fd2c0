"""The effect of a new document on a consumer."""

from dataclasses import replace

import pytest

from tests.model.compare.http_cases import TEXT, WHOLE, Case, Json, json_content, thing
from treaty.model.compare.findings import Comparison
from treaty.model.compare.profiles import Profile
from treaty.model.compare.reports import ComparedPact, Effect, Report, SelectedPact, compare_changes

FITTING = {"200": json_content(thing(a=TEXT))}
FAILING = {"200": json_content(thing(a=WHOLE))}
OTHERWISE_FAILING = {"200": json_content(thing(a={**TEXT, "maxLength": 0}))}
WARNING = {"default": json_content(thing(a=TEXT))}
PACT = Case(rule="", response={"body": {"a": "x"}})


def report(responses: Json) -> Report:
    comparison: Comparison = replace(PACT, responses=responses).compare()
    compared = ComparedPact(pact=SelectedPact(content=PACT.contract), comparison=comparison)
    return Report(pacts=(compared,), documents=(), profile=Profile.REFERENCE)


@pytest.mark.parametrize(
    ("old", "new", "effect", "codes"),
    [
        (FITTING, FITTING, Effect.NONE, []),
        (FITTING, WARNING, Effect.WARNS, ["response.status.default"]),
        (WARNING, WARNING, Effect.NONE, []),
        (WARNING, FITTING, Effect.NONE, []),
        (FITTING, FAILING, Effect.BREAKS, ["response.body.incompatible"]),
        (FAILING, FAILING, Effect.STILL_BROKEN, []),
        (FAILING, OTHERWISE_FAILING, Effect.BREAKS, ["response.body.incompatible"]),
        (FAILING, FITTING, Effect.FIXES, []),
        (FAILING, WARNING, Effect.FIXES, ["response.status.default"]),
    ],
)
def test_a_new_document_affects_a_consumer(old: Json, new: Json, effect: Effect, codes: list[str]) -> None:
    (change,) = compare_changes(report(old), report(new))
    assert (change.effect, [finding.code for finding in change.findings]) == (effect, codes)
