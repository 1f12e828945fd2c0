"""`GET /export`: all that an import into another Treaty needs, in pages."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.api.client import Answer, Api, pact
from tests.api.history import History
from treaty.store.maintenance import exports

KINDS = (
    *("pacticipants", "versions", "pacts", "overwritten-pacts", "results", "provider-contracts"),
    *("environments", "deployments", "releases"),
)


@pytest.fixture
def filled(make_api: Callable[..., Api], clock: Any) -> Api:
    api = make_api(allow_dangerous_contract_modification=True)
    history = History(api)
    for number in range(7):
        clock.now += timedelta(microseconds=1_500_001)
        history.publish("Shop", str(number), "Prices", number // 2, branch="main", tags=["dev", f"t{number}"])
        history.verify("Shop", str(number), "Prices", f"p{number}")
        history.deploy("Shop", str(number), "test")
    done(api.put("/pacts/provider/Prices/consumer/Shop/version/3", pact("Shop", "Prices", "changed")))
    history.release("Prices", "p1", "live")
    return api


def pages(api: Api, kind: str) -> list[list[dict[str, Any]]]:
    """Follow the links of an export to all pages of a kind."""
    links = {link["name"]: link["href"] for link in api.get("/export").json()["_links"]["pages"]}
    fact_pages, href = [], links[kind]
    while href:
        document = done(api.get(href)).json()
        fact_pages.append(document["facts"])
        href = document["_links"].get("next", {}).get("href")
    return fact_pages


def done(answer: Answer) -> Answer:
    assert answer.status == 200, answer.text
    return answer


def test_an_export_counts_the_facts_in_its_pages(filled: Api) -> None:
    document = done(filled.get("/export")).json()
    assert tuple(link["name"] for link in document["_links"]["pages"]) == KINDS
    counts = {kind["name"]: kind["count"] for kind in document["kinds"]}
    assert counts == {kind: sum(map(len, pages(filled, kind))) for kind in KINDS}
    assert counts["pacts"] == 7
    assert (counts["overwritten-pacts"], counts["deployments"], counts["releases"]) == (1, 7, 1)


def test_small_pages_contain_the_same_facts_in_the_same_order(filled: Api, monkeypatch: Any) -> None:
    whole = {kind: pages(filled, kind) for kind in KINDS}
    monkeypatch.setattr(exports, "PAGE_SIZE", 2)
    for kind, (facts,) in whole.items():
        small = pages(filled, kind)
        assert all(len(page) <= 2 for page in small), kind
        assert list(itertools.chain(*small)) == facts, kind


def test_a_page_ends_when_it_is_large_enough(filled: Api, monkeypatch: Any) -> None:
    whole = {kind: pages(filled, kind) for kind in ("pacts", "results")}
    monkeypatch.setattr(exports, "MAX_PAGE_BYTES", 0)
    monkeypatch.setattr(exports, "_BYTES_CHUNK", 3)
    for kind, (facts,) in whole.items():
        small = pages(filled, kind)
        assert [len(page) for page in small if page] == [3, 3, 1], kind
        assert list(itertools.chain(*small)) == facts, kind


def test_facts_added_after_an_export_began_are_not_in_its_pages(filled: Api) -> None:
    document = filled.get("/export").json()
    History(filled).publish("Other", "1", "Prices", "new")
    names = [fact["name"] for fact in follow(filled, document, "pacticipants")]
    assert sorted(names) == ["Prices", "Shop"]
    assert {fact["pacticipant"] for fact in follow(filled, document, "versions")} == {"Shop", "Prices"}
    assert {fact["consumer"] for fact in follow(filled, document, "pacts")} == {"Shop"}


def follow(api: Api, document: Any, kind: str) -> list[dict[str, Any]]:
    (href,) = [link["href"] for link in document["_links"]["pages"] if link["name"] == kind]
    facts: list[dict[str, Any]] = done(api.get(href)).json()["facts"]
    return facts


def test_times_have_fractions_of_a_second_and_versions_name_the_one_below(filled: Api) -> None:
    versions = [fact for (page,) in [pages(filled, "versions")] for fact in page if fact["pacticipant"] == "Shop"]
    assert [fact["above"] for fact in versions] == [None, "0", "1", "2", "3", "4", "5"]
    assert all("." in fact["createdAt"] for fact in versions)
    (head,) = [fact for fact in versions if fact["branches"][0]["isHead"]]
    assert head["number"] == "6"


def test_a_pact_is_exported_byte_for_byte(filled: Api) -> None:
    body = (
        '{"consumer":{"name":"Shop"},"provider":{"name":"Prices"},"interactions":[{"_id":"mine","description":"odd",'
        '"response":{"body":[1.10,1e2,1234567890123456789012,-0,1e400]}}],"createdAt":"ours"}'
    )
    assert filled.put("/pacts/provider/Prices/consumer/Shop/version/9", body.encode()).status == 201
    assert pages(filled, "pacts")[0][-1]["content"] == body


ANSWERS = {
    "/export/spaceships": 404,
    "/export/pacts?after=x": 400,
    "/export/pacts?after=1-2": 400,
    "/export/versions?after=1-x": 400,
    "/export/pacts?after=99999999999999999999": 400,
    "/export/pacts?until=-1": 400,
    "/export/pacts?until=2147483648": 400,
    "/export/pacts?until=%D9%A3": 400,
    "/export/pacts": 200,
    "/export/versions?after=1-1&until=3": 200,
}


def test_a_page_that_does_not_exist_is_refused(api: Api) -> None:
    assert {path: api.get(path).status for path in ANSWERS} == ANSWERS
