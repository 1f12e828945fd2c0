"""Publishing contracts of providers, in the three ways in which clients do it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.contracts import (
    OPENAPI,
    PUBLISH,
    PUBLISH_SEVERAL,
    PUT,
    RESULT,
    build,
    document,
    encode,
    notices,
    publish,
)

if TYPE_CHECKING:
    from tests.api.client import Api


def test_a_provider_version_publishes_its_contract(api: Api) -> None:
    answer = publish(api)
    body = answer.json()
    assert (answer.status, answer.headers["content-type"]) == (200, "application/hal+json;charset=utf-8")
    assert body["_embedded"]["version"]["number"] == "1"
    assert [link["name"] for link in body["_links"]["pb:pacticipant-version-tags"]] == ["dev"]
    assert "The provider contract was published for Prices version 1." in notices(answer)
    for relation in ("pb:pacticipant-version", "pb:branch-version", "pf:provider-contract", "pf:ui"):
        assert api.get(answer.link(relation)).status == 200, relation
    assert api.get("/pacticipants/Prices/versions/1").json()["buildUrl"] == "https://ci/1"


@pytest.mark.parametrize("accept", ["application/hal+json,application/problem+json", "application/problem+json", "*/*"])
def test_each_client_gets_hal(api: Api, accept: str) -> None:
    answer = api.post(PUBLISH, build(contract=document()), accept=accept)
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "application/hal+json")


def test_members_that_are_null_are_absent(api: Api) -> None:
    contract = {**document(), "selfVerificationResults": None}
    body: dict[str, Any] = {
        "pacticipantVersionNumber": "1",
        "branch": None,
        "buildUrl": None,
        "tags": [],
        "contract": contract,
    }
    answer = api.post(PUBLISH, body)
    assert (answer.status, answer.json()["_links"]["pb:pacticipant-version-tags"]) == (200, [])
    assert "pb:branch-version" not in answer.json()["_links"]
    assert "Test Prices against its own contract" in notices(answer)


def test_the_same_contract_can_be_published_again_with_another_result(api: Api) -> None:
    publish(api)
    answer = publish(api, selfVerificationResults={**RESULT, "success": False})
    assert (answer.status, "with the same content" in notices(answer)) == (200, True)
    assert "failed" in notices(answer)


def test_the_document_of_a_version_does_not_change(api: Api) -> None:
    publish(api)
    answer = publish(api, OPENAPI + "# changed\n")
    assert (answer.status, answer.json()["notices"][0]["type"]) == (409, "error")
    assert "publish the changed document with a new version number" in answer.json()["errors"]["contracts"][0]
    assert publish(api, OPENAPI + "# changed\n", version="2").status == 200


def test_a_refused_contract_stores_nothing(api: Api) -> None:
    publish(api)
    body = build(contract=document(OPENAPI + "# changed\n"))
    assert api.post(PUBLISH, {**body, "tags": ["prod"], "branch": "other"}).status == 409
    assert api.get("/pacticipants/Prices/versions/1/tags/prod").status == 404
    assert api.get("/pacticipants/Prices/branches/other").status == 404


NO_BASE64 = {"content": "?", "contentType": "application/yaml", "specification": "oas"}


@pytest.mark.parametrize(
    ("body", "member", "text"),
    [
        (build(contract=NO_BASE64), "contract.content", "is not valid Base64"),
        (build(contract=document("a: [")), "contract.content", "cannot be used: "),
        (build(contract=document("- a")), "contract.content", "a list instead of an object"),
        (build(contract=document("a: &x 1\nb: *x\n")), "contract.content", "cannot be used: "),
        (build(contract=document(OPENAPI, specification="asyncapi")), "contract.content", "Declare it as 'oas'"),
        (
            build(contract=document(OPENAPI, specification="protobuf")),
            "contract.specification",
            "one of: oas, asyncapi",
        ),
        (build(contract=document(OPENAPI, contentType="image/png")), "contract.contentType", "must be one of"),
        (build(contract=document(OPENAPI, selfVerificationResults={})), "contract.selfVerificationResults", "success"),
        (build(" ", contract=document()), "pacticipantVersionNumber", "cannot be blank"),
        (build(contract=None), "contract", "must be a hash"),
        (build(), "contract", "is missing"),
        (build(contract=document("x: 1\n$ref: 'other.yaml'\nopenapi: 3.1.0")), "contract.content", "another file"),
    ],
)
def test_an_unusable_contract_is_refused_with_the_reason(api: Api, body: object, member: str, text: str) -> None:
    answer = api.post(PUBLISH, body)
    assert answer.status == 400
    errors = answer.json()["errors"]
    key = next(name for name in errors if name.startswith(member))
    assert text in f"{key} {errors[key][0]}"
    assert api.get("/pacticipants/Prices").status == 404


def test_errors_are_problems_for_clients_that_ask_for_them(api: Api) -> None:
    answer = api.post(PUBLISH, build(contract=NO_BASE64), accept="application/hal+json,application/problem+json")
    assert (answer.status, answer.json()["errors"][0]["pointer"]) == (400, "/contract/content")


def test_an_object_of_another_kind_is_stored_with_a_warning(api: Api) -> None:
    answer = publish(api, "---\nsome: contract\n")
    assert (answer.status, "neither an OpenAPI nor an AsyncAPI document" in notices(answer)) == (200, True)


def test_a_version_has_several_contracts_with_names(api: Api) -> None:
    contracts = [{"name": name, **document(OPENAPI + f"# {name}\n")} for name in ("orders", "events")]
    answer = api.post(PUBLISH_SEVERAL, build(contracts=contracts))
    assert (answer.status, answer.json()["contracts"]) == (200, ["orders", "events"])
    assert answer.json()["_embedded"]["version"]["number"] == "1"
    more = [{"name": "prices", **document()}]
    assert api.post(PUBLISH_SEVERAL, build(contracts=more)).status == 200
    changed = [{"name": "orders", **document()}]
    assert api.post(PUBLISH_SEVERAL, build(contracts=changed)).status == 409


@pytest.mark.parametrize(
    ("contracts", "text"),
    [
        ([], "size cannot be less than 1"),
        ([{"name": "a", **document()}] * 2, "several have the name 'a'"),
        ([document()], "name is missing (at index 0)"),
        ([{"name": "a", **NO_BASE64}], "content is not valid Base64 (at index 0)"),
    ],
)
def test_several_contracts_are_refused_with_the_reason(api: Api, contracts: object, text: str) -> None:
    answer = api.post(PUBLISH_SEVERAL, build(contracts=contracts))
    assert (answer.status, text in json.dumps(answer.json()["errors"])) == (400, True)


def test_the_older_way_puts_the_contract_at_its_version(api: Api) -> None:
    contract = document()
    body = {
        "content": contract["content"],
        "contentType": "application/yaml",
        "contractType": "oas",
        "verificationResults": RESULT,
    }
    first, second = api.put(PUT, body), api.put(PUT, body)
    assert (first.status, second.status) == (201, 200)
    assert all("href" in answer.json()["_links"]["pf:ui"] for answer in (first, second))
    assert api.put(PUT, {**body, "content": encode("openapi: 3.0.0")}).status == 409


def test_the_index_has_the_relations_that_clients_look_for(api: Api) -> None:
    links = api.get("/").json()["_links"]
    assert links["pf:publish-provider-contract"]["href"].endswith("/provider-contracts/provider/{provider}/publish")
    assert links["pf:publish-provider-contract"]["templated"]
    assert links["pf:publish-provider-contracts"]["href"].endswith("/publish-contracts")


def test_a_document_that_is_too_large_is_refused(make_api: Any) -> None:
    answer = publish(make_api(max_document_bytes=100), OPENAPI)
    assert (answer.status, "more than the limit" in json.dumps(answer.json())) == (400, True)
