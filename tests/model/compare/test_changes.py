"""A change of a document affects each pact whose comparison it changes, and few others."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.model.compare.changed_documents import generator
from tests.model.compare.generated_pairs import generate
from tests.scale import choose
from treaty.model.compare.changes import DocumentChanges
from treaty.model.compare.documents import Document, UnusablePact
from treaty.model.compare.engine import CompiledDocument, compare, compile_document
from treaty.model.compare.profiles import Profile
from treaty.model.compare.schema_changes import MAX_VISITS
from treaty.model.usage.candidates import Candidates, OperationPatterns
from treaty.model.usage.expectations import Place, index_tree

PROVIDERS = choose(4, slow=8, long=100)
CHANGES = 10
"""Changes of each provider's document. In the long form, that is a thousand."""


def compile_one(content: Any, profile: Profile, specification: Any = "oas") -> list[CompiledDocument]:
    return [compile_document(Document("api", specification, content), profile)]


def describe(pact: Any, documents: list[CompiledDocument]) -> Any:
    """Return the result of a comparison, apart from notes, which are about the document."""
    try:
        result = compare(pact, documents).as_json()
    except UnusablePact as error:
        return str(error)
    return {name: value for name, value in result.items() if name != "notes"}


def is_clean(result: Any) -> bool:
    return not isinstance(result, str) and not result["findings"] and not result["deprecated"]


def operations_of(pact: Any) -> set[str | None]:
    keys = [interaction.operation for interaction in index_tree(pact).interactions.values()]
    return {key[1] if key and key[0] is Place.OPERATION else None for key in keys}


def test_candidates_include_each_pact_with_another_result(capsys: pytest.CaptureFixture[str]) -> None:
    shares: list[float] = []
    read_shares: list[float] = []
    changed_count = 0
    for seed in range(PROVIDERS):
        random_provider = generator(seed)
        provider, profile = random_provider.provider(), list(Profile)[seed % 3]
        old = compile_one(provider.document, profile)
        results = [describe(pact, old) for pact in provider.pacts]
        for _ in range(CHANGES):
            new = compile_one(random_provider.change(provider.document), profile)
            changes = DocumentChanges(old, new)
            candidates = Candidates(changes)
            affected = read = 0
            for pact, result in zip(provider.pacts, results, strict=True):
                is_candidate = candidates.may_include(operations_of(pact), is_clean=is_clean(result))
                is_affected = changes.affects(pact, is_clean=is_clean(result))
                assert is_candidate or not is_affected
                if not is_affected:
                    assert describe(pact, new) == result, (seed, pact)
                else:
                    changed_count += describe(pact, new) != result
                affected, read = affected + is_affected, read + is_candidate
            shares.append(affected / len(provider.pacts))
            read_shares.append(read / len(provider.pacts))
    share, read_share = (sum(values) / len(values) for values in (shares, read_shares))
    with capsys.disabled():
        print(f"\n{len(shares)} changes: {share:.1%} of the pacts compared, {read_share:.1%} read")  # noqa: T201 - a figure
    assert changed_count > len(shares) / 2
    assert share < 0.3


@pytest.mark.parametrize("seed", range(choose(25, slow=50, long=1000)))
def test_candidates_include_each_message_with_another_result(seed: int) -> None:
    random_provider = generator(seed)
    pairs = [pair for pair in map(generate, range(seed * 20, seed * 20 + 20)) if pair.asyncapi]
    for pair in pairs:
        old = compile_one(pair.asyncapi, Profile.STRICT, "asyncapi")
        result = describe(pair.pact, old)
        for _ in range(3):
            content = copy.deepcopy(pair.asyncapi)
            random_provider.change_anything(content)
            if content.get("asyncapi") != pair.asyncapi["asyncapi"]:
                continue
            new = compile_one(content, Profile.STRICT, "asyncapi")
            if not DocumentChanges(old, new).affects(pair.pact, is_clean=is_clean(result)):
                assert describe(pair.pact, new) == result


RESPONSE: Any = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
    },
}
LINE: Any = {"type": "object", "properties": {"price": {"type": "number"}, "code": {"type": "string"}}}


def build(**more: Any) -> Any:
    """Build a document with two operations that share a schema."""
    content = {"application/json": {"schema": RESPONSE}}
    operation: Any = {"responses": {"200": {"description": "", "content": content}}}
    document: Any = {
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "1"},
        "paths": {f"/{name}/{{id}}": {"get": copy.deepcopy(operation)} for name in ("orders", "carts")},
        "components": {"schemas": {"Line": LINE}},
    }
    return {**document, **more}


def pact(path: str, body: Any, **request: Any) -> Any:
    interaction = {
        "description": "a request",
        "request": {"method": "GET", "path": path, **request},
        "response": {"status": 200, "headers": {"Content-Type": "application/json"}, "body": body},
    }
    return {"interactions": [interaction], "metadata": {"pactSpecification": {"version": "2.0.0"}}}


PACTS = {
    "price": pact("/orders/1", {"lines": [{"price": 1.5}]}),
    "code": pact("/carts/1", {"lines": [{"code": "x"}]}),
    "id": pact("/orders/1", {"id": 1}),
}


def line(**more: Any) -> Any:
    return {"components": {"schemas": {"Line": {**LINE, **more}}}}


def paths(change: Any) -> Any:
    changed = copy.deepcopy(build()["paths"])
    change(changed)
    return {"paths": changed}


def parameter(**more: Any) -> Any:
    declared = {"name": "page", "in": "query", "schema": {"type": "integer"}, **more}
    return paths(lambda items: items["/orders/{id}"]["get"].update(parameters=[declared]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"info": {"title": "Shop", "version": "2"}}, []),
        (line(properties={**LINE["properties"], "added": {"type": "string"}}), []),
        (line(description="A line of an order"), []),
        (line(required=["price"]), []),
        (line(properties={**LINE["properties"], "price": {"type": "string"}}), ["price"]),
        (line(properties={"price": {"type": "number"}}), ["code"]),
        (line(additionalProperties=True), ["price", "code"]),
        (line(oneOf=[{"type": "object"}, {"type": "string"}]), ["price", "code"]),
        (paths(lambda items: items.pop("/carts/{id}")), ["code"]),
        (paths(lambda items: items.update({"/orders/mine": items["/carts/{id}"]})), []),
        (paths(lambda items: items.update({"/orders/1": items["/carts/{id}"]})), ["price", "id"]),
        (paths(lambda items: items["/orders/{id}"]["get"].update(summary="Find an order")), []),
        (parameter(), []),
        (parameter(required=True), ["price", "id"]),
        ({"servers": [{"url": "/v2"}]}, ["price", "code", "id"]),
        ({"security": [{"key": []}]}, ["price", "code", "id"]),
        ({"openapi": "3.0.3"}, ["price", "code", "id"]),
    ],
)
def test_a_change_affects_the_pacts_that_use_the_changed_parts(change: Any, expected: list[str]) -> None:
    old, new = (compile_one(content, Profile.STRICT) for content in (build(), build(**change)))
    changes = DocumentChanges(old, new)
    assert [name for name, pact in PACTS.items() if changes.affects(pact, is_clean=True)] == expected


def test_a_pact_with_findings_is_compared_again_after_any_change_of_its_operations() -> None:
    old = compile_one(build(), Profile.STRICT)
    change = line(properties={**LINE["properties"], "added": {"type": "string"}})
    changes = DocumentChanges(old, compile_one(build(**change), Profile.STRICT))
    assert changes.affects(PACTS["id"], is_clean=False)
    assert not changes.affects(pact("/prices", {}), is_clean=False)


@pytest.mark.parametrize(("count", "expected"), [(MAX_VISITS // 2, False), (MAX_VISITS, True)])
def test_very_many_changes_count_as_a_change_of_the_whole_body(count: int, *, expected: bool) -> None:
    def build_with(schema: Any) -> Any:
        return build(**line(properties={"used": {}, **{f"member{number}": schema for number in range(count)}}))

    contents = (build_with({"type": "integer"}), build_with({"type": "string"}))
    changes = DocumentChanges(*(compile_one(content, Profile.STRICT) for content in contents))
    assert changes.affects(pact("/orders/1", {"lines": [{"used": "x"}]}), is_clean=True) is expected


def test_other_documents_affect_all() -> None:
    old = compile_one(build(), Profile.STRICT)
    for new in (
        [],
        [compile_document(Document("other", "oas", build()), Profile.STRICT)],
        [*old, *compile_one({"asyncapi": "3.0.0"}, Profile.STRICT, "asyncapi")],
        compile_one(build(), Profile.REFERENCE),
    ):
        assert DocumentChanges(old, new).affects(PACTS["id"], is_clean=True)


@pytest.mark.parametrize(
    ("template", "name", "expected"),
    [
        ("/orders/{id}", "GET /orders/{id}", True),
        ("/orders/{id}", "GET /orders/new", True),
        ("/orders/{id}", "POST /orders/{id}", False),
        ("/orders/{id}", "GET /orders/{id}/lines", False),
        ("/orders/new", "GET /orders/{id}", False),
        ("/orders/2024-01-01", "GET /orders/{id}", True),
        ("/orders/new", "GET /orders/{any}", True),
        ("/orders", "GET /orders/x#a/{any}", False),
        ("/orders/x", "GET /orders/x#a/b", True),
        ("/orders/x", "GET /orders/{any}/{any}", True),
        ("/orders/{id}.json", "GET /orders/a.json", True),
        ("/a b/{id}", "GET /a%20b/{id}", True),
        ("/Orders/", "GET /orders", True),
        ("/files/*", "GET /files/a/b", True),
        ("/files/a*", "GET /files", True),
        ("/files/*", "GET /other/a", False),
        ("/{a/b}/x", "GET /y/x", True),
        ("/v1/orders", "GET /orders", False),
        ("/", "GET /", True),
    ],
)
def test_an_indexed_operation_may_belong_to_a_template(template: str, name: str, *, expected: bool) -> None:
    assert OperationPatterns([("GET", template)]).may_match(name) is expected
