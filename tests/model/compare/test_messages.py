"""The texts of findings and notes, which people read in reports: those of each rule, as `messages.txt` records them.

`TREATY_TEST_RENEW=1` writes the file again.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from tests.model.compare import asyncapi_cases, http_rule_cases, openapi_3_2_cases, schema_rule_cases, switch_cases
from treaty.model.compare.findings import Comparison, Finding
from treaty.model.compare.messages import MAX_VALUE, show
from treaty.model.compare.profiles import Profile

GOLDEN: Final = Path(__file__).with_name("messages.txt")


def list_comparisons() -> Iterator[tuple[str, Comparison]]:
    """Compare the cases of the rules, each with the profile in which it matters."""
    tables: Sequence[Sequence[Any]] = (http_rule_cases.CASES, schema_rule_cases.CASES, openapi_3_2_cases.CASES)
    for case in (case for table in tables for case in table):
        yield case.rule, case.compare()
    for name, case, *_ in switch_cases.SWITCHES:
        yield f"switch {name}", case.compare()
        yield f"switch {name}, on", replace(case, info={f"x-opc-config-{name}": True}).compare()
    for case, *_ in switch_cases.STRICT:
        yield f"strict: {case.rule}", replace(case, profile=Profile.STRICT).compare()
    tables_of_messages = ((asyncapi_cases.CASES, Profile.REFERENCE), (asyncapi_cases.STRICT, Profile.STRICT))
    for cases, profile in tables_of_messages:
        for rule, (change, interaction, _) in cases.items():
            yield rule, asyncapi_cases.compared([interaction], asyncapi_cases.document(change), profile=profile)


def describe(finding: Finding, indent: str = "  ") -> Iterator[str]:
    yield f"{indent}{finding.type.value}: {finding.message}"
    if finding.closest_branch:
        yield f"{indent}  closest branch: {finding.closest_branch}"
    for cause in finding.causes:
        yield from describe(cause, f"{indent}  ")


@pytest.mark.parametrize(("surplus", "expected"), [(0, '"'), (1, "…")])
def test_long_values_are_truncated(surplus: int, expected: str) -> None:
    shown = show("x" * (MAX_VALUE - 2 + surplus))
    assert (len(shown), shown[-1]) == (MAX_VALUE, expected)


def test_findings_and_notes_have_these_texts() -> None:
    lines: list[str] = []
    for rule, comparison in list_comparisons():
        texts = [line for finding in comparison.findings for line in describe(finding)]
        texts += [f"  note: {note.message}" for note in comparison.notes]
        texts += [f"  deprecated: {use.kind} {use.name}" for use in comparison.used]
        if texts:
            lines += [rule, *texts]
    text = "\n".join([*lines, ""])
    if os.environ.get("TREATY_TEST_RENEW") == "1":
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text("utf-8")
