"""Aliases of versions: a build that leaves an application unchanged names the version that it contains."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.api.client import publication

if TYPE_CHECKING:
    from tests.api.client import Answer, Api

VERSIONS = "/pacticipants/Web%20Shop/versions"
ALIAS = f"{VERSIONS}/1/aliases/c2"
IS_ALIAS = "Version 'c2' of 'Web Shop' is an alias of version '1'."


@pytest.fixture
def shop(api: Api) -> Api:
    """A broker with the versions 1 and 9 of a consumer; `c2` is an alias of version 1."""
    for version in ("1", "9"):
        body = publication("Web Shop", version, "Prices", version)
        assert api.post("/contracts/publish", {**body, "branch": "main", "tags": ["dev"]}).status == 200
    assert api.put(ALIAS, {}).status == 201
    return api


def add_environment(api: Api) -> str:
    added = api.post("/environments", {"name": "production", "displayName": "Production", "production": True})
    assert added.status == 201
    return str(added.json()["uuid"])


def verify(api: Api, pact: Any, version: str, *, success: bool = True) -> Answer:
    href = pact.json()["_links"]["pb:publish-verification-results"]["href"]
    path = urlsplit(href).path
    return api.post(path, {"success": success, "providerApplicationVersion": version})


def test_an_alias_can_be_shown_listed_and_removed(shop: Api) -> None:
    shown = shop.get(ALIAS).json()
    assert (shown["name"], shown["version"]) == ("c2", "1")
    assert shop.put(ALIAS, {}).status == 200
    assert shop.put(f"{VERSIONS}/1/aliases/feat%2Fx", {}).status == 201
    listed = shop.get(f"{VERSIONS}/1/aliases").json()["_embedded"]["aliases"]
    assert [alias["name"] for alias in listed] == ["c2", "feat/x"]
    assert shop.delete(ALIAS).status == 204
    assert [shop.get(ALIAS).status, shop.delete(ALIAS).status, shop.get(f"{VERSIONS}/c2").status] == [404] * 3


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        (f"{VERSIONS}/9/aliases/c2", 409, "'c2' is already an alias of version '1' of 'Web Shop'."),
        (f"{VERSIONS}/1/aliases/1", 409, "'1' is the number of this version of 'Web Shop' itself."),
        (f"{VERSIONS}/8/aliases/c3", 404, ""),
        ("/pacticipants/Till/versions/1/aliases/c3", 404, ""),
        (f"{VERSIONS}/1/aliases/%20", 400, "blank"),
    ],
)
def test_an_alias_that_cannot_be_added_is_refused(shop: Api, path: str, status: int, text: str) -> None:
    response = shop.put(path, {})
    assert (response.status, text in response.text) == (status, True), response.text
    assert shop.get(f"{VERSIONS}/c2").json()["number"] == "1"


def test_an_alias_of_an_alias_is_one_of_the_version(shop: Api) -> None:
    assert shop.put(f"{VERSIONS}/c2/aliases/c3", {}).status == 201
    assert shop.get(f"{VERSIONS}/c3").json()["number"] == "1"


READS: dict[str, tuple[str, Callable[[Any], Any], Any]] = {
    "version": (f"{VERSIONS}/c2", lambda answer: answer["number"], "1"),
    "tag": (f"{VERSIONS}/c2/tags/dev", lambda answer: answer["name"], "dev"),
    "branch": (
        "/pacticipants/Web%20Shop/branches/main/versions/c2",
        lambda answer: answer["_links"]["pb:version"]["name"],
        "1",
    ),
    "pact": (
        "/pacts/provider/Prices/consumer/Web%20Shop/version/c2",
        lambda answer: answer["interactions"][0]["request"]["path"],
        "/1",
    ),
    "difference": (
        "/pacts/provider/Prices/consumer/Web%20Shop/version/9/diff/version/c2",
        lambda text: "/1" in text and "/9" in text,
        True,
    ),
    "results": (
        "/verification-results/consumer/Web%20Shop/version/c2/latest",
        lambda answer: answer["providerSummary"]["unknown"],
        ["Prices"],
    ),
}


@pytest.mark.parametrize("name", READS)
def test_a_read_by_an_alias_is_one_of_the_version(shop: Api, name: str) -> None:
    path, find, expected = READS[name]
    response = shop.get(path, **({"accept": "text/plain"} if name == "difference" else {}))
    assert response.status == 200
    assert find(response.text if name == "difference" else response.json()) == expected
    if name in {"version", "tag", "branch"}:
        assert response.json()["warnings"] == [IS_ALIAS]


def test_a_version_of_the_same_number_wins(shop: Api) -> None:
    assert shop.get(f"{VERSIONS}/c2").json()["number"] == "1"
    body = publication("Web Shop", "c2", "Prices", "c2")
    assert shop.post("/contracts/publish", body).status == 200
    assert shop.get(f"{VERSIONS}/c2").json()["number"] == "c2"
    pact = shop.get("/pacts/provider/Prices/consumer/Web%20Shop/version/c2").json()
    assert pact["interactions"][0]["request"]["path"] == "/c2"
    again = shop.put(ALIAS, {})
    assert again.status == 200
    assert again.json()["warnings"] == [
        "The alias has no effect, since there is a version 'c2' of 'Web Shop', which wins over it."
    ]


def test_writes_by_an_alias_change_the_version_and_add_none(shop: Api) -> None:
    environment = add_environment(shop)
    assert shop.put(f"{VERSIONS}/c2/tags/prod", {}).status == 201
    assert shop.put("/pacticipants/Web%20Shop/branches/release/versions/c2", {}).status == 201
    deployed = shop.post(f"{VERSIONS}/c2/deployed-versions/environment/{environment}", {})
    assert deployed.status == 201
    assert deployed.json()["_embedded"]["version"]["number"] == "1"
    assert IS_ALIAS in deployed.json()["warnings"]
    version = shop.get(f"{VERSIONS}/1").json()
    assert [tag["name"] for tag in version["_embedded"]["tags"]] == ["dev", "prod"]
    assert [branch["name"] for branch in version["_embedded"]["branchVersions"]] == ["main", "release"]
    numbers = [version["number"] for version in shop.get(VERSIONS).json()["_embedded"]["versions"]]
    assert numbers == ["9", "1"]


def test_nothing_is_removed_by_an_alias(shop: Api) -> None:
    for path in (f"{VERSIONS}/c2", f"{VERSIONS}/c2/tags/dev", "/pacts/provider/Prices/consumer/Web%20Shop/version/c2"):
        response = shop.delete(path)
        assert response.status == 409
        assert f"{IS_ALIAS} Nothing was removed." in response.text
    assert shop.get("/pacts/provider/Prices/consumer/Web%20Shop/version/1").status == 200
    assert shop.get(f"{VERSIONS}/1/tags/dev").status == 200


def test_results_for_an_alias_count_for_the_version(shop: Api) -> None:
    pact = shop.get("/pacts/provider/Prices/consumer/Web%20Shop/version/1")
    assert verify(shop, pact, "p1").status == 201
    assert shop.put("/pacticipants/Prices/versions/p1/aliases/p2", {}).status == 201
    result = verify(shop, pact, "p2", success=False)
    assert result.json()["providerApplicationVersion"] == "p1"
    assert [
        version["number"] for version in shop.get("/pacticipants/Prices/versions").json()["_embedded"]["versions"]
    ] == ["p1"]


def ask(api: Api, version: str) -> Any:
    query = f"pacticipant=Web%20Shop&version={version}&environment=production"
    return api.get(f"/can-i-deploy?{query}").json()


def test_a_decision_about_an_alias_is_about_its_version_and_has_a_notice(shop: Api) -> None:
    environment = add_environment(shop)
    pact = shop.get("/pacts/provider/Prices/consumer/Web%20Shop/version/1")
    assert verify(shop, pact, "p1").status == 201
    path = f"/pacticipants/Prices/versions/p1/deployed-versions/environment/{environment}"
    assert shop.post(path, {}).status == 201
    answer = ask(shop, "c2")
    assert answer["summary"]["deployable"] is True
    assert {"type": "info", "text": IS_ALIAS} in answer["notices"]
    assert answer["matrix"][0]["consumer"]["version"]["number"] == "1"
    assert ask(shop, "1")["matrix"] == answer["matrix"]
    query = "q[][pacticipant]=Web%20Shop&q[][version]=c2&q[][pacticipant]=Prices&q[][version]=p1"
    assert shop.get(f"/matrix?{query}").json()["summary"]["deployable"] is True
    assert ask(shop, "c4")["summary"]["deployable"] is None or "c4" in ask(shop, "c4")["summary"]["reason"]


def test_a_cached_decision_about_an_alias_ends_with_the_alias(shop: Api) -> None:
    add_environment(shop)
    answers = [ask(shop, "c2")["matrix"] for _ in range(3)]
    body = publication("Web Shop", "c2", "Prices", "c2")
    assert shop.post("/contracts/publish", body).status == 200
    assert IS_ALIAS not in ask(shop, "c2")["summary"]["reason"]
    assert answers[0] == answers[2]


def test_a_commit_of_a_monorepo_that_touches_two_services_blocks_none(api: Api) -> None:
    environment = add_environment(api)
    services = [f"service-{number}" for number in range(30)]
    pairs = [*pairwise(services)]

    def build(service: str, version: str) -> None:
        for consumer, provider in pairs:
            if consumer == service:
                published = api.post("/contracts/publish", publication(service, version, provider, "a"))
                assert published.status == 200
            if provider == service:
                pact = api.get(f"/pacts/provider/{service}/consumer/{consumer}/latest")
                assert verify(api, pact, version).status == 201

    for service in services:
        build(service, "c1")
        path = f"/pacticipants/{service}/versions/c1/deployed-versions/environment/{environment}"
        assert api.post(path, {}).status == 201
    for service in services:
        if service in services[4:6]:
            build(service, "c2")
        else:
            assert api.put(f"/pacticipants/{service}/versions/c1/aliases/c2", {}).status == 201
    # The pact that the two services share has the content of the first commit, whose result counts.
    for service in services:
        query = f"pacticipant={service}&version=c2&environment=production"
        assert api.get(f"/can-i-deploy?{query}").json()["summary"]["deployable"] is True, service
