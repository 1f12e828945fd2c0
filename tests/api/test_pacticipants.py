"""Pacticipants and their labels: creating, describing, finding and removing them."""

import random
import string
from datetime import timedelta
from typing import Any

import pytest

from tests.api.client import Api, Clock

JSON = "application/json"
PROBLEM = "application/problem+json"


def create(api: Api, name: str, **more: object) -> dict[str, Any]:
    answer = api.post("/pacticipants", {"name": name, **more})
    assert answer.status == 201
    body: dict[str, Any] = answer.json()
    return body


def names(api: Api, path: str) -> list[str]:
    return [pacticipant["name"] for pacticipant in api.get(path).json()["_embedded"]["pacticipants"]]


def test_the_location_of_a_new_pacticipant_returns_it(api: Api) -> None:
    created = api.post("/pacticipants", {"name": "Till", "mainBranch": "trunk"})
    assert api.get(created.headers["location"]).json()["mainBranch"] == "trunk"


def test_a_pacticipant_has_the_properties_it_was_created_with(api: Api) -> None:
    properties = {
        "name": "till",
        "displayName": "The Till",
        "mainBranch": "trunk",
        "repositoryUrl": "https://code.example/shop/till",
        "repositoryName": "till",
        "repositoryNamespace": "shop",
    }
    create(api, **properties)
    shown = api.get("/pacticipants/till").json()
    assert {name: shown.get(name) for name in properties} == properties


def test_a_display_name_is_made_of_the_name(api: Api) -> None:
    assert create(api, "stock-keeper_api.v2")["displayName"] == "Stock Keeper Api V2"


def test_creating_a_pacticipant_again_changes_nothing(api: Api) -> None:
    create(api, "Till", mainBranch="main")
    assert create(api, "Till", mainBranch="other")["mainBranch"] == "main"


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"name": ["is missing"]}),
        ({"name": ""}, {"name": ["must be filled"]}),
        ({"name": None}, {"name": ["must be a string"]}),
        ({"name": " "}, {"name": ["cannot be blank"]}),
        ({"name": "a\nb"}, {"name": ["cannot contain multiple lines"]}),
        ({"name": "a", "mainBranch": "a b"}, {"mainBranch": ["cannot contain spaces"]}),
        ({"name": "a", "mainBranch": ""}, {"mainBranch": ["cannot be blank"]}),
        (
            {"name": "a", "displayName": "a\nb", "repositoryUrl": 5},
            {"displayName": ["cannot contain multiple lines"], "repositoryUrl": ["must be a string"]},
        ),
    ],
)
def test_an_invalid_pacticipant_returns_400_and_its_errors(api: Api, body: object, errors: object) -> None:
    answer = api.post("/pacticipants", body)
    assert (answer.status, answer.json()) == (400, {"errors": errors})
    assert names(api, "/pacticipants") == []


def test_validation_errors_are_available_as_a_problem_document(api: Api) -> None:
    answer = api.post("/pacticipants", {"name": "a", "mainBranch": "a b"}, accept=PROBLEM)
    assert answer.headers["content-type"].startswith(PROBLEM)
    assert answer.json()["errors"][0]["pointer"] == "/mainBranch"


def test_an_empty_body_returns_400(api: Api) -> None:
    answer = api.post("/pacticipants")
    assert answer.status == 400
    assert answer.json()["error"].startswith("JSON::ParserError - ")


def test_a_name_may_hold_anything_that_a_path_can(api: Api) -> None:
    create(api, "Fish & Chips/North+South 100% Söhne")
    path = "/pacticipants/Fish%20%26%20Chips%2FNorth%2BSouth%20100%25%20S%C3%B6hne"
    shown = api.get(path)
    assert shown.json()["name"] == "Fish & Chips/North+South 100% Söhne"
    assert shown.link("self") == path


def test_merging_changes_only_the_properties_of_the_body(api: Api) -> None:
    create(api, "Till", mainBranch="main", repositoryName="till")
    changed = api.patch("/pacticipants/Till", {"mainBranch": None, "repositoryUrl": "u"}).json()
    assert "mainBranch" not in changed
    assert (changed["repositoryName"], changed["repositoryUrl"]) == ("till", "u")


def test_merging_takes_ordinary_json_too(api: Api) -> None:
    create(api, "Till")
    assert api.patch("/pacticipants/Till", {"displayName": "Desk"}, type=JSON).json()["displayName"] == "Desk"


def test_a_display_name_that_is_taken_back_is_made_of_the_name(api: Api) -> None:
    create(api, "the-till", displayName="Desk")
    assert api.patch("/pacticipants/the-till", {"displayName": None}).json()["displayName"] == "The Till"


def test_merging_creates_a_missing_pacticipant(api: Api) -> None:
    created = api.patch("/pacticipants/Till", {"mainBranch": "main"})
    assert (created.status, created.headers["location"]) == (201, "http://localhost/pacticipants/Till")
    assert api.patch("/pacticipants/Till").status == 200


def test_no_way_leads_to_a_blank_name(api: Api) -> None:
    for method, path in (("PATCH", "/pacticipants/%20"), ("PUT", "/pacticipants/%20/labels/a")):
        assert api.request(method, path).json() == {"errors": {"name": ["cannot be blank"]}}


def test_replacing_resets_properties_that_the_body_lacks(api: Api) -> None:
    before = create(api, "Till", displayName="Desk", repositoryName="till")
    replaced = api.put("/pacticipants/Till", {"mainBranch": "develop"}).json()
    assert (replaced["displayName"], replaced["mainBranch"]) == ("Till", "develop")
    assert "repositoryName" not in replaced
    assert replaced["createdAt"] == before["createdAt"]


def test_replacing_creates_nothing(api: Api) -> None:
    answer = api.put("/pacticipants/Till", {"mainBranch": "main"})
    assert (answer.status, answer.json()) == (404, {"error": "No pacticipant with name 'Till' found"})


def test_replacing_with_a_merge_patch_returns_415(api: Api) -> None:
    create(api, "Till", mainBranch="main")
    assert api.put("/pacticipants/Till", {}, type="application/merge-patch+json").status == 415
    assert api.get("/pacticipants/Till").json()["mainBranch"] == "main"


def test_a_change_is_dated(api: Api, clock: Clock) -> None:
    assert "updatedAt" not in create(api, "Till")
    clock.now += timedelta(hours=1)
    changed = api.patch("/pacticipants/Till", {"mainBranch": "main"}).json()
    assert (changed["createdAt"], changed["updatedAt"]) == ("2024-05-06T07:08:09+00:00", "2024-05-06T08:08:09+00:00")


def test_the_latest_version_is_embedded(api: Api) -> None:
    api.put("/pacticipants/Till/versions/2", {})
    api.put("/pacticipants/Till/versions/1", {})
    assert api.get("/pacticipants/Till").json()["_embedded"]["latestVersion"]["number"] == "1"


def test_a_pacticipant_links_to_where_it_runs(api: Api) -> None:
    uuid = api.post("/environments", {"name": "live", "production": True}).json()["uuid"]
    for number in ("1", "2"):
        api.put(f"/pacticipants/Till/versions/{number}", {})
        deployed = api.post(f"/pacticipants/Till/versions/{number}/deployed-versions/environment/{uuid}", {})
    links = api.get("/pacticipants/Till").json()["_links"]["pb:deployed-environments"]
    assert [link["href"] for link in links] == [deployed.headers["location"]]


def test_removing_a_pacticipant_removes_all_that_belongs_to_it(api: Api) -> None:
    api.publish("Till", "1", "Ledger", branch="main", tags=["prod"])
    api.put("/pacticipants/Till/labels/red")
    assert api.delete("/pacticipants/Till").status == 204
    assert names(api, "/pacticipants") == ["Ledger"]
    create(api, "Till")
    for path in ("versions/1", "branches/main", "labels/red", "latest-version/prod"):
        assert api.get(f"/pacticipants/Till/{path}").status == 404
    assert api.get("/pacts/provider/Ledger/consumer/Till/latest").status == 404


def test_removing_a_provider_leaves_its_consumers_versions(api: Api) -> None:
    api.publish("Till", "1", "Ledger", branch="main")
    assert api.delete("/pacticipants/Ledger").status == 204
    assert api.get("/pacticipants/Till/versions/1").json()["_links"]["pb:pact-versions"] == []


def test_a_missing_pacticipant_cannot_be_removed(api: Api) -> None:
    assert api.delete("/pacticipants/Till").json() == {"error": "No pacticipant with name 'Till' found"}


def test_pacticipants_are_listed_by_name_whatever_its_case(api: Api) -> None:
    for name in ("Carrot", "apple", "Banana"):
        create(api, name)
    assert names(api, "/pacticipants") == ["apple", "Banana", "Carrot"]


def test_old_clients_find_each_pacticipant_at_the_top_of_the_list(api: Api) -> None:
    create(api, "Till")
    assert [pacticipant["name"] for pacticipant in api.get("/pacticipants").json()["pacticipants"]] == ["Till"]


@pytest.mark.parametrize(
    ("query", "found"), [("TILL", ["Till", "till_2"]), ("l_2", ["till_2"]), ("%25", []), ("!", ["wow!"])]
)
def test_a_search_finds_names_that_contain_the_text_in_any_case(api: Api, query: str, found: list[str]) -> None:
    for name in ("Till", "till_2", "Tilx2", "wow!"):
        create(api, name)
    assert names(api, f"/pacticipants?q={query}") == found


def test_a_page_links_to_the_next_and_previous_ones(api: Api) -> None:
    for name in ("a", "b", "c"):
        create(api, name)
    first = api.get("/pacticipants?page=1&size=2")
    assert first.json()["page"] == {"number": 1, "size": 2, "totalElements": 3, "totalPages": 2}
    second = api.get(first.link("next")).json()
    assert [pacticipant["name"] for pacticipant in second["_embedded"]["pacticipants"]] == ["c"]
    assert "next" not in second["_links"]
    assert second["_links"]["previous"]["href"] == "http://localhost/pacticipants?size=2&page=1"


def test_a_page_beyond_the_end_is_empty(api: Api) -> None:
    create(api, "a")
    assert names(api, "/pacticipants?page=999999999999999999&size=999999999999999999") == []


def test_a_page_is_counted_from_one(api: Api) -> None:
    answer = api.get("/pacticipants?page=0&size=x")
    assert answer.status == 400
    assert answer.json()["errors"] == {
        "page": ["must be greater than or equal to 1"],
        "size": ["must be an integer"],
    }


def test_a_label_is_new_once(api: Api) -> None:
    created = api.put("/pacticipants/Till/labels/red%2F1")
    assert (created.status, created.headers["location"]) == (201, "http://localhost/pacticipants/Till/labels/red%2F1")
    assert api.put("/pacticipants/Till/labels/red%2F1", {}).status == 200
    assert api.get("/pacticipants/Till/labels/red%2F1").json() == created.json()


def test_labels_are_embedded_by_name(api: Api) -> None:
    for label in ("red", "blue"):
        api.put(f"/pacticipants/Till/labels/{label}")
    assert [label["name"] for label in api.get("/pacticipants/Till").json()["_embedded"]["labels"]] == ["blue", "red"]


def test_a_label_lists_its_pacticipants(api: Api) -> None:
    for name, label in (("Till", "red"), ("Ledger", "red"), ("Bank", "blue")):
        api.put(f"/pacticipants/{name}/labels/{label}")
    assert names(api, "/pacticipants/label/red") == ["Ledger", "Till"]
    assert names(api, "/pacticipants/label/green") == []
    listed = api.get("/labels?size=1").json()
    assert (listed["_embedded"]["labels"], listed["page"]["totalElements"]) == ([{"name": "blue"}], 2)


def test_a_label_can_be_taken_off(api: Api) -> None:
    api.put("/pacticipants/Till/labels/red")
    assert api.delete("/pacticipants/Till/labels/red").status == 204
    assert api.delete("/pacticipants/Till/labels/red").status == 404
    assert api.get("/pacticipants/Till/labels/red").status == 404


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("/pacticipants/{}/versions/1", "name"),
        ("/pacticipants/Till/versions/{}", "version"),
        ("/pacticipants/Till/versions/1/tags/{}", "tag"),
        ("/pacticipants/Till/branches/{}/versions/1", "branch"),
        ("/pacticipants/Till/labels/{}", "label"),
    ],
)
def test_names_are_accepted_up_to_the_length_that_an_index_can_store(api: Api, path: str, member: str) -> None:
    letters = "".join(random.Random(1).choices(string.ascii_letters, k=2000))  # noqa: S311 - incompressible text
    assert api.put(path.format(letters)).status == 201
    answer = api.put(path.format(letters + "x"))
    assert (answer.status, answer.json()) == (400, {"errors": {member: ["cannot be longer than 2000 bytes"]}})
