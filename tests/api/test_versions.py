"""Versions: saving them, finding the latest, listing and removing them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import Api

TILL = "/pacticipants/Till"
NOT_FOUND = {"error": "The requested document was not found on this server."}


def save(api: Api, *numbers: str) -> None:
    for number in numbers:
        assert api.put(f"{TILL}/versions/{number}", {}).status == 201


def numbers(answer: Any) -> list[str]:
    return [version["number"] for version in answer.json()["_embedded"]["versions"]]


def tags(api: Api, number: str) -> list[str]:
    return [tag["name"] for tag in api.get(f"{TILL}/versions/{number}").json()["_embedded"]["tags"]]


def deploy(api: Api, number: str, environment: str, instance: str | None = None) -> str:
    body = {"applicationInstance": instance}
    answer = api.post(f"{TILL}/versions/{number}/deployed-versions/environment/{environment}", body)
    return answer.headers["location"]


def test_a_version_is_new_once(api: Api) -> None:
    assert api.put(f"{TILL}/versions/1", {"buildUrl": "https://ci.example/1"}).status == 201
    assert api.put(f"{TILL}/versions/1", {"buildUrl": "https://ci.example/2"}).status == 200
    assert api.get(f"{TILL}/versions/1").json()["buildUrl"] == "https://ci.example/2"


def test_a_version_that_is_saved_without_a_build_loses_it(api: Api) -> None:
    api.put(f"{TILL}/versions/1", {"buildUrl": "https://ci.example/1"})
    assert "buildUrl" not in api.put(f"{TILL}/versions/1", {}).json()


def test_merging_keeps_the_build(api: Api) -> None:
    api.put(f"{TILL}/versions/1", {"buildUrl": "https://ci.example/1"})
    assert api.patch(f"{TILL}/versions/1", {"tags": []}).json()["buildUrl"] == "https://ci.example/1"
    assert "buildUrl" not in api.patch(f"{TILL}/versions/1", {"buildUrl": None}).json()


def test_a_version_has_the_tags_that_were_given_last(api: Api) -> None:
    api.patch(f"{TILL}/versions/1", {"tags": [{"name": "dev"}, {"name": "test"}]})
    api.put(f"{TILL}/versions/1", {})
    assert tags(api, "1") == ["dev", "test"]
    api.put(f"{TILL}/versions/1", {"_embedded": {"tags": [{"name": "test"}, {"name": "prod"}]}})
    assert tags(api, "1") == ["test", "prod"]
    api.patch(f"{TILL}/versions/1", {"tags": []})
    assert tags(api, "1") == []


def test_tags_saved_with_a_version_add_no_branches(api: Api) -> None:
    api.put(f"{TILL}/versions/1", {"tags": [{"name": "main"}]})
    assert api.get(f"{TILL}/branches/main").status == 404
    assert "mainBranch" not in api.get(TILL).json()


@pytest.mark.parametrize(
    "body", [{"tags": ["dev"]}, {"tags": "dev"}, {"buildUrl": 1}, {"tags": [{"name": ""}]}, {"_embedded": 1}]
)
def test_a_body_of_another_shape_is_refused(api: Api, body: object) -> None:
    assert api.put(f"{TILL}/versions/1", body).status == 400
    assert api.get(TILL).status == 404


def test_merging_and_replacing_need_their_own_content_types(api: Api) -> None:
    assert api.patch(f"{TILL}/versions/1", {}, type="application/json").status == 415
    assert api.put(f"{TILL}/versions/1", {}, type="application/merge-patch+json").status == 415
    assert api.get(f"{TILL}/versions/1").status == 404


def test_a_missing_version_is_not_found(api: Api) -> None:
    save(api, "1")
    for path in ("versions/2", "latest-version/prod", "branches/main/latest-version"):
        answer = api.get(f"{TILL}/{path}")
        assert (answer.status, answer.json()) == (404, NOT_FOUND)
    assert api.get("/pacticipants/Nobody/latest-version").json() == NOT_FOUND


def test_the_version_that_came_last_is_the_latest(api: Api) -> None:
    save(api, "2.0.0", "10", "abc", "1.0.0")
    assert api.get(f"{TILL}/latest-version").json()["number"] == "1.0.0"
    assert numbers(api.get(f"{TILL}/versions")) == ["1.0.0", "abc", "10", "2.0.0"]


def test_the_latest_version_has_the_requested_path_as_its_link(api: Api) -> None:
    save(api, "1")
    assert api.get(f"{TILL}/latest-version").link("self") == f"{TILL}/latest-version"


def test_numbers_can_decide_the_order(make_api: Callable[..., Api]) -> None:
    api = make_api(order_versions_by_date=False)
    save(api, "1.0.0", "2.0.0", "foo")
    for number in ("1.9.0", "1.10.0", "1.10.0-rc.1"):
        api.publish("Till", number, "Ledger", number, branch="main", tags=["dev"])
    ordered = ["2.0.0", "1.10.0", "1.10.0-rc.1", "1.9.0", "1.0.0", "foo"]
    assert numbers(api.get(f"{TILL}/versions")) == ordered
    assert numbers(api.get(f"{TILL}/branches/main/versions")) == ordered[1:4]
    assert numbers(api.get(f"{TILL}/tags/dev/versions")) == ordered[1:4]
    assert api.get(f"{TILL}/latest-version/dev").json()["number"] == "1.10.0"


UNORDERED = (
    "Version number 'abc' cannot be parsed to a version number. The expected format (unless this configuration has "
    "been overridden) is a semantic version. eg. 1.3.0 or 2.0.4.rc1"
)


def test_where_numbers_decide_the_order_pacts_and_results_need_a_number(make_api: Callable[..., Api]) -> None:
    api = make_api(order_versions_by_date=False)
    path = "/pacts/provider/Ledger/consumer/Till/version"
    for method in ("PUT", "PATCH"):
        refused = api.request(method, f"{path}/abc", {"interactions": []})
        assert (refused.status, refused.json()) == (400, {"errors": {"consumer_version_number": [UNORDERED]}})
    assert api.get("/pacticipants/Till").status == 404
    # As in the original, this resource does not check the number.
    assert api.publish("Till", "abc", "Ledger", "a").status == 200
    results = api.put(f"{path}/v1.0", {"interactions": []}).link("pb:publish-verification-results")
    refused = api.post(results, {"success": True, "providerApplicationVersion": "abc"})
    assert (refused.status, refused.json()) == (400, {"errors": {"providerApplicationVersion": [UNORDERED]}})
    assert api.post(results, {"success": True, "providerApplicationVersion": "2"}).status == 201


def test_where_dates_decide_the_order_numbers_are_any_text(api: Api) -> None:
    response = api.put("/pacts/provider/Ledger/consumer/Till/version/abc", {"interactions": []})
    assert response.status == 201
    results = response.link("pb:publish-verification-results")
    assert api.post(results, {"success": True, "providerApplicationVersion": "abc"}).status == 201


def test_versions_are_paged(api: Api) -> None:
    save(api, "1", "2", "3")
    page = api.get(f"{TILL}/versions?pageNumber=2&pageSize=2")
    assert numbers(page) == ["1"]
    assert page.json()["page"] == {"number": 2, "size": 2, "totalElements": 3, "totalPages": 2}
    assert page.link("self") == f"{TILL}/versions?pageNumber=2&pageSize=2"
    assert page.link("previous") == f"{TILL}/versions?size=2&page=1"


def test_versions_of_an_unknown_pacticipant_return_404(api: Api) -> None:
    answer = api.get("/pacticipants/Nobody/versions")
    assert (answer.status, answer.json()) == (404, {"error": "No pacticipant with name 'Nobody' found"})


def test_a_listed_version_links_to_itself(api: Api) -> None:
    save(api, "1")
    listed = api.get(f"{TILL}/versions").json()
    assert listed["_embedded"]["versions"][0]["_links"]["self"]["href"] == f"http://localhost{TILL}/versions/1"
    assert listed["_links"]["pb:versions"][0]["title"] == "Version 1 - 06/05/2024"


def test_a_version_shows_its_branches_and_tags(api: Api) -> None:
    save(api, "1", "2")
    for path in ("branches/main/versions/1", "branches/feat%2Fx/versions/1", "branches/main/versions/2"):
        api.put(f"{TILL}/{path}")
    api.put(f"{TILL}/versions/1/tags/prod")
    embedded = api.get(f"{TILL}/versions/1").json()["_embedded"]
    assert [(branch["name"], branch["latest"]) for branch in embedded["branchVersions"]] == [
        ("main", False),
        ("feat/x", True),
    ]
    assert [tag["name"] for tag in embedded["tags"]] == ["prod"]


def test_a_version_links_to_its_pacts(api: Api) -> None:
    for provider in ("Ledger", "bank"):
        api.publish("Till", "1", provider)
    api.publish("Till", "2", "Ledger")
    links = api.get(f"{TILL}/versions/1").json()["_links"]["pb:pact-versions"]
    assert [link["href"] for link in links] == [
        "http://localhost/pacts/provider/bank/consumer/Till/version/1",
        "http://localhost/pacts/provider/Ledger/consumer/Till/version/1",
    ]


def test_a_version_links_to_where_it_runs_and_ran(api: Api) -> None:
    save(api, "1", "2")
    live = api.post("/environments", {"name": "live", "displayName": "Live", "production": True}).json()["uuid"]
    first, second = deploy(api, "1", live, "blue"), deploy(api, "1", live)
    deploy(api, "2", live)
    links = api.get(f"{TILL}/versions/1").json()["_links"]
    links_by_href = {link["href"]: link for link in links["pb:deployed-environments"]}
    assert (links_by_href[first]["currently_deployed"], links_by_href[first]["application_instance"]) == (True, "blue")
    assert (links_by_href[second]["currently_deployed"], links_by_href[second]["name"]) == (False, "Live")
    assert "application_instance" not in links_by_href[second]
    assert [link["name"] for link in links["pb:record-deployment"]] == ["live"]
    assert links["pb:record-release"][0]["href"].endswith(f"{TILL}/versions/1/released-versions/environment/{live}")


def test_versions_of_an_environment_ran_there_or_were_released_to_it(api: Api) -> None:
    save(api, "1", "2", "3", "4")
    live, test = (
        api.post("/environments", {"name": name, "displayName": name, "production": True}).json()["uuid"]
        for name in ("live", "test")
    )
    deploy(api, "1", live)
    deploy(api, "3", live)
    deploy(api, "2", test)
    api.post(f"{TILL}/versions/4/released-versions/environment/{live}", {})
    api.post(f"{TILL}/versions/3/released-versions/environment/{live}", {})
    listed = api.get(f"{TILL}/environments/{live}/versions")
    assert numbers(listed) == ["4", "3", "1"]
    assert listed.json()["_links"]["self"]["title"] == "Versions for Till in environment live"


def test_of_environment_and_pacticipant_the_missing_one_is_named(api: Api) -> None:
    live = api.post("/environments", {"name": "live", "production": True}).json()["uuid"]
    assert api.get(f"{TILL}/environments/{live}/versions").json() == {"error": "No pacticipant with name 'Till' found"}
    assert api.get(f"{TILL}/environments/none/versions").json() == NOT_FOUND


def test_a_removed_version_leaves_its_places_to_the_next(api: Api) -> None:
    for number in ("1", "2", "3"):
        api.publish("Till", number, "Ledger", number, branch="main", tags=["prod"])
    assert api.delete(f"{TILL}/versions/3").status == 204
    assert api.get(f"{TILL}/branches/main/latest-version").json()["number"] == "2"
    assert api.get(f"{TILL}/latest-version/prod").json()["number"] == "2"
    assert api.get("/pacts/provider/Ledger/consumer/Till/latest").headers["x-pact-consumer-version"] == "2"
    assert api.delete(f"{TILL}/versions/3").json() == NOT_FOUND


def test_a_removed_version_that_was_not_first_changes_nothing_for_others(api: Api) -> None:
    for number in ("1", "2"):
        api.publish("Till", number, "Ledger", number, branch="main", tags=["prod"])
    api.delete(f"{TILL}/versions/1")
    assert api.get(f"{TILL}/branches/main/latest-version").json()["number"] == "2"
    assert api.get(f"{TILL}/latest-version/prod").json()["number"] == "2"
    assert api.get("/pacts/provider/Ledger/consumer/Till/latest").headers["x-pact-consumer-version"] == "2"


def test_removing_the_last_version_empties_its_branch_and_removes_its_tag(api: Api) -> None:
    api.publish("Till", "1", "Ledger", branch="main", tags=["prod"])
    api.delete(f"{TILL}/versions/1")
    assert numbers(api.get(f"{TILL}/branches/main/versions")) == []
    for path in ("branches/main/latest-version", "latest-version/prod", "tags/prod/versions"):
        assert api.get(f"{TILL}/{path}").status == 404
    assert api.get("/pacts/provider/Ledger/consumer/Till/latest").status == 404


def test_a_version_is_given_at_most_100_tags_at_once(api: Api) -> None:
    refused = api.put("/pacticipants/Shop/versions/1", {"tags": [{"name": f"t{number}"} for number in range(101)]})
    assert (refused.status, refused.json()["errors"]) == (400, {"tags": ["size cannot be greater than 100"]})
    assert api.get("/pacticipants/Shop").status == 404
