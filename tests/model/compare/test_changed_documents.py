"""The effect of a new document on a consumer."""

import json
from dataclasses import replace

import pytest

from tests.model.compare.http_cases import TEXT, WHOLE, Case, Json, json_content, thing
from treaty.model.compare.findings import Comparison, Severity
from treaty.model.compare.profiles import Profile
from treaty.model.compare.reading import read_document
from treaty.model.compare.reports import (
    ComparedPact,
    Effect,
    Report,
    SelectedPact,
    compare_changes,
    compare_new_version,
    compare_pacts,
)

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


def test_only_pacts_that_a_new_version_can_affect_or_that_have_findings_are_compared_again() -> None:
    """Findings and notes name the document, so that comparisons with them cannot be reused."""
    clean = Case(
        rule="", template="/clean", responses={"200": json_content(thing(a=TEXT))}, response={"body": {"a": "x"}}
    )
    affected = replace(clean, template="/affected")
    failing = replace(clean, template="/failing", response={"body": {"a": 1}})
    deprecated = replace(clean, template="/deprecated", operation={"deprecated": True})
    cases = (clean, affected, failing, deprecated)
    paths = {case.template: case.content["paths"][case.template] for case in cases}
    old = {**clean.content, "paths": paths}
    new = {
        **old,
        "paths": {**paths, affected.template: replace(affected, responses=FAILING).content["paths"]["/affected"]},
    }
    documents = [
        [read_document(json.dumps(content).encode(), name=name)] for content, name in ((old, "old"), (new, "new"))
    ]
    pacts = [SelectedPact(content=case.contract) for case in cases]
    before, afresh = (compare_pacts(pacts, document, Profile.REFERENCE) for document in documents)
    after = compare_new_version(before, documents[1])
    assert [pact.is_reused for pact in after.pacts] == [True, False, False, False]
    assert after.as_json() == afresh.as_json()
    assert [pact.comparison.is_compatible for pact in after.pacts] == [True, False, False, True]


def test_findings_are_counted_by_severity() -> None:
    counts = [[report(responses).count(severity) for severity in Severity] for responses in (FAILING, WARNING, FITTING)]
    assert counts == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
