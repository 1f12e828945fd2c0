"""Changes of a document that mean nothing change no verdict, code or location in the pact."""

import copy
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.model.compare.sample import DOCUMENT, PACT
from treaty.model.compare.documents import Document
from treaty.model.compare.engine import compare
from treaty.model.compare.pointers import find
from treaty.model.compare.profiles import Profile

CHANGES: list[tuple[tuple[Any, ...], Any]] = [
    ((0, "request", "path"), "/orders/x"),
    ((0, "request", "headers", "X-Trace"), "x"),
    ((0, "request", "headers", "X-Key"), None),
    ((0, "response", "headers", "X-Count"), "x"),
    ((0, "response", "headers", "X-Other"), "x"),
    ((0, "response", "status"), 302),
    ((0, "response", "body", "id"), "x"),
    ((0, "response", "body", "other"), 1),
    ((0, "response", "body", "lines", 0, "count"), 0),
    ((0, "response", "body", "lines", 0, "size"), "L"),
    ((0, "response", "body", "lines", 0, "gift"), "x"),
    ((0, "response", "body", "payment", "kind"), "cash"),
    ((0, "response", "body", "payment", "kind"), "cheque"),
    ((0, "response", "body", "parent", "parent"), {"note": 5}),
    ((1, "request", "body", "lines"), None),
    ((1, "request", "body", "lines", 0, "count"), -1),
    ((1, "request", "query"), "a=1"),
    ((2, "response", "body"), "x"),
]
PACTS = st.lists(st.sampled_from(CHANGES), min_size=0, max_size=5)
SETTINGS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors]
)


def changed_pact(changes):
    pact = copy.deepcopy(PACT)
    for (index, *steps, last), value in changes:
        parent: Any = pact["interactions"][index]
        for step in steps:
            # An earlier change may have removed the place.
            parent = parent[step] if isinstance(parent, list) else parent.get(step, {})
        if value is None:
            parent.pop(last, None)
        else:
            parent[last] = value
    return pact


def verdicts(document, pact, profile):
    comparison = compare(pact, [Document("api", "oas", document)], profile)
    return sorted({(finding.code, finding.pact.location if finding.pact else "") for finding in comparison.findings})


def reordered(node, shuffle):
    if isinstance(node, dict):
        names = list(node)
        shuffle(names)
        return {name: reordered(node[name], shuffle) for name in names}
    return [reordered(child, shuffle) for child in node] if isinstance(node, list) else node


def renamed(node, names):
    """Rename schemas, in their definitions and in all references."""
    if isinstance(node, dict):
        return {key: renamed(child, names) for key, child in node.items()}
    if isinstance(node, list):
        return [renamed(child, names) for child in node]
    prefix = "#/components/schemas/"
    if isinstance(node, str) and node.startswith(prefix):
        return prefix + names[node.removeprefix(prefix)]
    return node


def inlined(node, document, depth):
    """Replace references by their targets, as deep as schemas that contain themselves need to be here."""
    if isinstance(node, list):
        return [inlined(child, document, depth) for child in node]
    if not isinstance(node, dict):
        return node
    if "oneOf" in node:
        return node  # the branches of a discriminator are found by their references
    if "$ref" in node and depth > 0:
        return inlined(find(document, node["$ref"]), document, depth - 1)
    return {key: inlined(child, document, depth) for key, child in node.items()}


@given(changes=PACTS, seed=st.integers(0, 1000), profile=st.sampled_from(Profile))
@SETTINGS
def test_the_order_of_a_document_changes_no_verdict(changes, seed, profile):
    pact = changed_pact(changes)
    shuffled = reordered(DOCUMENT, random.Random(seed).shuffle)  # noqa: S311 - no secret
    assert verdicts(shuffled, pact, profile) == verdicts(DOCUMENT, pact, profile)


@given(changes=PACTS, profile=st.sampled_from(Profile))
@SETTINGS
def test_names_of_schemas_change_no_verdict(changes, profile):
    schemas = DOCUMENT["components"]["schemas"]
    names = {name: f"api/{name} ~ v2" for name in schemas}
    escaped = {name: renamed.replace("~", "~0").replace("/", "~1") for name, renamed in names.items()}
    document: Any = renamed(DOCUMENT, escaped)
    document["components"]["schemas"] = {
        names[name]: schema for name, schema in document["components"]["schemas"].items()
    }
    pact = changed_pact(changes)
    assert verdicts(document, pact, profile) == verdicts(DOCUMENT, pact, profile)


@given(changes=PACTS, depth=st.integers(1, 6), profile=st.sampled_from(Profile))
@SETTINGS
def test_inlined_references_change_no_verdict(changes, depth, profile):
    document = {**DOCUMENT, "paths": inlined(DOCUMENT["paths"], DOCUMENT, depth)}
    pact = changed_pact(changes)
    assert verdicts(document, pact, profile) == verdicts(DOCUMENT, pact, profile)


@pytest.mark.parametrize("schema", ["Order", "Base", "Line", "Card", "Cash"])
@pytest.mark.parametrize("profile", Profile)
def test_an_additional_optional_property_of_a_response_turns_no_yes_into_a_no(schema, profile):
    document = copy.deepcopy(DOCUMENT)
    target = document["components"]["schemas"][schema]
    target = target["allOf"][1] if "allOf" in target else target
    target["properties"]["added"] = {"type": "string"}
    assert compare(PACT, [Document("api", "oas", document)], profile).is_compatible
