"""The additions of OpenAPI 3.2 that the profile `strict` compares. The reference engine ignores them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.model.compare.http_cases import Case
from tests.model.compare.openapi_3_2_cases import CASES, OK, UNKNOWN_PATH, case, document, lines
from treaty.model.compare.profiles import Profile
from treaty.model.compare.reading import read_document
from treaty.model.compare.yaml_documents import UnreadableDocument
from treaty.model.provider_contracts.contracts import list_operations


@pytest.mark.parametrize("one", CASES, ids=[case.rule for case in CASES])
def test_additions_are_compared(one: Case) -> None:
    assert one.notes() == list(one.expected)


@pytest.mark.parametrize("method", ["query", "copy"])
@pytest.mark.parametrize(
    "change", [{"version": "3.1.0"}, {"profile": Profile.REFERENCE}, {"profile": Profile.PACTFLOW}]
)
def test_earlier_versions_and_other_profiles_do_not_have_them(method: str, change: dict[str, Any]) -> None:
    item = {"additionalOperations": {"COPY": OK}} if method == "copy" else {}
    example = replace(case("", method=method, path_item=item), **change)
    if method == "copy":
        example = replace(example, method="get", request={"method": "COPY"})
    assert example.notes() == [UNKNOWN_PATH]


def test_items_that_cannot_be_compared_are_noted() -> None:
    example = lines("events", "data: 1\n\n", media_type="text/event-stream")
    comparison = example.compare()
    assert [note.code for note in comparison.notes] == ["media-type.item-schema.ignored"]
    assert [finding.code for finding in comparison.findings] == ["response.body.unvalidatable"]
    assert comparison.compared == 0


def test_references_to_the_address_of_the_document_itself_lead_into_it() -> None:
    own = "https://api.example.org/openapi.json"
    reference = f"{own}#/components/schemas/Count"
    read = read_document(document(own, reference), name="api.json")
    assert reference not in json.dumps(read.document.content)
    with pytest.raises(UnreadableDocument, match="leads to another file or address"):
        read_document(document(None, reference), name="api.json")
    with pytest.raises(UnreadableDocument, match="leads to another file or address"):
        read_document(document(own, "https://other.example.org/x.json#/Count"), name="api.json")


def test_published_documents_list_the_operations() -> None:
    content = case("", method="query", path_item={"additionalOperations": {"COPY": OK}}).content
    assert [operation["method"] for operation in list_operations("oas", content)] == ["QUERY", "COPY"]
