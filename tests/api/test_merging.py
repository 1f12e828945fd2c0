"""Merging the pacts that several jobs publish for one version: by `PATCH`, and by `onConflict: merge`."""

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

import pytest

from tests.api.client import Api
from tests.api.merging import PAIR, PARTS, WAYS, Merge, http, list_descriptions, pact, patch, publish, stored

pytestmark = pytest.mark.slow_on_postgresql  # about contents, which are stored like any others

PROBLEM = "application/hal+json, application/problem+json"


@pytest.mark.parametrize("merge", WAYS)
def test_a_version_that_has_a_pact_gets_the_interactions_of_another_one(api: Api, merge: Merge) -> None:
    assert merge(api, pact(http("a"))).status in {200, 201}
    merged = merge(api, pact(http("a", status=404), http("b"), http("a", providerState="closed")))
    assert merged.status == 200, merged.text
    shown = [
        (interaction["description"], interaction.get("providerState"), interaction["response"]["status"])
        for interaction in stored(api)["interactions"]
    ]
    assert shown == [("a", None, 404), ("b", None, 200), ("a", "closed", 200)]


@pytest.mark.parametrize("merge", WAYS)
@pytest.mark.parametrize(("earlier", "later"), [("/", "/other"), ("/other", "/")])
def test_a_different_request_is_refused_with_its_name_and_the_difference(
    api: Api, merge: Merge, earlier: str, later: str
) -> None:
    merge(api, pact(http("a", earlier, providerState="closed")))
    before = stored(api)
    refused = merge(api, pact(http("b"), http("a", later, providerState="closed")))
    assert refused.status == 409
    assert "Cannot merge the pact for Till version 1 and provider Ledger" in refused.text
    text = json.dumps(refused.json(), ensure_ascii=False)
    assert r"the interaction \"a\" (provider state \"closed\") has a different request in each" in text
    assert rf"-    \"path\": \"{earlier}\"\n+    \"path\": \"{later}\"" in text
    assert stored(api) == before


def test_a_refusal_has_the_form_of_its_resource(api: Api) -> None:
    patch(api, pact(http("a")))
    assert set(patch(api, pact(http("a", "/b"))).json()) == {"error"}
    assert patch(api, pact(http("a", "/b")), accept=PROBLEM).json()["detail"].startswith("Cannot merge the pact for")
    refused = publish(api, pact(http("a", "/b"))).json()
    assert [notice["type"] for notice in refused["notices"]] == ["error", "info"]
    assert refused["errors"]["contracts"] == [refused["notices"][0]["text"]]


def test_one_contract_that_cannot_be_merged_keeps_all_from_being_published(api: Api) -> None:
    publish(api, pact(http("a")))
    names = {"pacticipantName": "Till", "pacticipantVersionNumber": "1", "branch": "new"}
    contracts = [
        {
            "consumerName": "Till",
            "providerName": provider,
            "specification": "pact",
            "contentType": "application/json",
            "content": base64.b64encode(json.dumps(content).encode()).decode(),
            "onConflict": "merge",
        }
        for provider, content in (
            ("Stock", {"interactions": [http("c")]}),
            ("Ledger", pact(http("a", "/b"))),
            ("Ledger", {"interactions": {}}),
        )
    ]
    refused = api.post("/contracts/publish", {**names, "contracts": contracts})
    assert (refused.status, len(refused.json()["errors"]["contracts"])) == (409, 2)
    assert api.get("/pacticipants/Stock").status == 404
    assert api.get("/pacticipants/Till/branches/new").status == 404


@pytest.mark.parametrize("merge", WAYS)
def test_messages_are_merged(api: Api, merge: Merge) -> None:
    first, second = ({"description": name, "contents": {"n": name}} for name in "ab")
    metadata = {"pactSpecification": {"version": "3.0.0"}}
    for message in (first, second, {**first, "contents": {"n": 2}}):
        assert merge(api, {"messages": [message], "metadata": metadata}).status in {200, 201}
    assert [item["contents"]["n"] for item in stored(api)["messages"]] == [2, "b"]


PLUGIN = {"name": "protobuf", "version": "0.3", "configuration": {"abc": {"protoDescriptors": "Cg=="}}}
RPC = {
    "type": "Synchronous/Messages",
    "description": "rpc",
    "request": {"contents": {"contentType": "application/protobuf", "encoded": "base64", "content": "CgNmb28="}},
    "response": [],
    "pluginConfiguration": {"protobuf": {"descriptorKey": "abc", "service": "A/B"}},
}


def with_plugin(*interactions: object) -> dict[str, Any]:
    return pact(*interactions, metadata={"pactSpecification": {"version": "4.0"}, "plugins": [PLUGIN]})


@pytest.mark.parametrize("merge", WAYS)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_plugins_come_with_the_interactions_that_need_them(api: Api, merge: Merge, order: tuple[int, int]) -> None:
    plain = pact({**http("plain"), "type": "Synchronous/HTTP"}, version="4.0")
    for index in order:
        merge(api, (plain, with_plugin(RPC))[index])
    assert list_descriptions(api) == ["plain", "rpc"]
    assert stored(api)["metadata"]["plugins"] == [PLUGIN]


def test_content_that_is_stored_already_gets_the_plugin_of_a_merged_one_with_the_same_hash(api: Api) -> None:
    other = {**http("b"), "type": "Synchronous/HTTP"}
    api.put(f"{PAIR}/version/1", pact(RPC, other, version="4.0"))
    for part in (pact(other, version="4.0"), with_plugin(RPC)):
        assert patch(api, part, version="2").status in {200, 201}
    assert patch(api, with_plugin(RPC), version="3").status == 201
    shas = {api.get(f"{PAIR}/version/{number}").link("pb:pact-version") for number in "12"}
    assert len(shas) == 1
    for number in "12":
        assert stored(api, number)["metadata"]["plugins"] == [PLUGIN]


@pytest.mark.parametrize("merge", WAYS)
def test_versions_of_the_specification_are_mixed_where_nothing_is_lost(api: Api, merge: Merge) -> None:
    merge(api, pact(http("old", providerState="s")))
    body = {"contentType": "application/json", "encoded": False, "content": {"a": 1}}
    new = {"type": "Synchronous/HTTP", "description": "new", "request": {"method": "POST", "path": "/", "body": body}}
    assert merge(api, pact(new, version="4.0")).status == 200
    assert stored(api)["interactions"][0]["providerStates"] == [{"name": "s"}]
    image = {"status": 200, "headers": {"Content-Type": "image/png"}, "body": "aGk="}
    refused = merge(api, pact({**http("picture"), "response": image}))
    assert refused.status == 409
    assert 'the interaction \\"picture\\" cannot be upgraded from specification version 2.0.0 to 4.0' in refused.text


@pytest.mark.parametrize("merge", WAYS)
@pytest.mark.parametrize("content", [{}, {"interactions": None}, {"interactions": {"a": 1}}])
def test_merging_content_without_interactions_returns_409_and_the_reason(
    api: Api, merge: Merge, content: object
) -> None:
    merge(api, pact(http("a")))
    refused = merge(api, content)
    assert (refused.status, "interactions" in refused.text) == (409, True)


@pytest.mark.parametrize("merge", WAYS)
def test_merged_numbers_are_stored_character_for_character(api: Api, merge: Merge) -> None:
    numbers = "[1.10,1e2,1e400,-0,12345678901234567890123]"
    part = json.dumps(pact({**http("a"), "response": {"status": 200, "body": "N"}})).replace('"N"', numbers)
    for content in (part.encode(), pact(http("b"))):
        assert merge(api, content).status in {200, 201}
    assert f'"body":{numbers}' in api.get(f"{PAIR}/version/1").text


# A pact that was fetched from a broker


@pytest.mark.parametrize("content", [pact(http("a"), {**http("b"), "_id": "mine"}), {"strange": [1.5]}])
@pytest.mark.parametrize("way", ["PUT", "PATCH", "overwrite", "merge"])
def test_a_fetched_pact_that_is_published_again_is_the_same_content(api: Api, content: object, way: str) -> None:
    published = api.put(f"{PAIR}/version/1", content)
    fetched = api.get(f"{PAIR}/version/1").json()
    if way in {"PUT", "PATCH"}:
        again = api.request(way, f"{PAIR}/version/2", fetched)
    else:
        again = publish(api, fetched, "2", onConflict=way)
    assert again.status in {200, 201}, again.text
    assert api.get(f"{PAIR}/version/2").link("pb:pact-version") == published.link("pb:pact-version")
    assert api.get(f"{PAIR}/version/1").body == published.body


def test_members_named_like_those_of_a_broker_count_if_no_broker_has_added_them(api: Api) -> None:
    links = [
        api.put(f"{PAIR}/version/{number}", {"a": 1, "_links": {"self": number}}).link("pb:pact-version")
        for number in (1, 2)
    ]
    assert links[0] != links[1]


# Jobs at the same time


@pytest.fixture
def apis(make_api: Callable[..., Api]) -> list[Api]:
    return [make_api() for _ in PARTS]


@pytest.mark.parametrize("merge", WAYS)
def test_parallel_jobs_end_with_all_parts(apis: list[Api], merge: Merge) -> None:
    links = set()
    with ThreadPoolExecutor(len(PARTS)) as threads:
        # The first version also adds the pacticipants, and later ones are merged while others publish theirs.
        for number, order in enumerate(permutations(PARTS), 1):
            answers = list(threads.map(lambda job: merge(*job, str(number)), zip(apis, order, strict=True)))  # noqa: B023 - the results are read in the same round
            assert {answer.status for answer in answers} <= {200, 201}, [answer.text for answer in answers]
            stored_pact = apis[0].get(f"{PAIR}/version/{number}")
            links.add(stored_pact.link("pb:pact-version"))
            assert sorted(interaction["description"] for interaction in stored_pact.json()["interactions"]) == [
                "a",
                "b",
                "c",
                "shared",
            ]
            assert {"a", "b", "c"} < stored_pact.json()["metadata"].keys()
    assert len(links) == 1
