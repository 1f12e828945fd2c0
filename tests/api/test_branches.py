"""Branches: which version is the head, which becomes the main one, and the data that remains after their removal."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.api.client import Api, Clock

TILL = "/pacticipants/Till"


def put(api: Api, branch: str, *numbers: str) -> None:
    for number in numbers:
        assert api.put(f"{TILL}/branches/{branch}/versions/{number}").status in (200, 201)


def head(api: Api, branch: str) -> str | None:
    answer = api.get(f"{TILL}/branches/{branch}/latest-version")
    return None if answer.status == 404 else answer.json()["number"]


def names(api: Api, query: str = "") -> list[str]:
    return [branch["name"] for branch in api.get(f"{TILL}/branches{query}").json()["_embedded"]["branches"]]


def test_a_version_is_newly_on_a_branch_once(api: Api) -> None:
    path = f"{TILL}/branches/feat%2Fx%20y%2Bz/versions/1"
    created = api.put(path)
    assert (created.status, created.headers["location"]) == (201, f"http://localhost{path}")
    assert api.put(path, {}).status == 200
    assert api.get(path).json() == created.json()


def test_an_invalid_json_body_adds_no_version_to_a_branch(api: Api) -> None:
    assert api.put(f"{TILL}/branches/main/versions/1", type="text/plain").status == 415
    assert api.put(f"{TILL}/branches/main/versions/1", b"{bad").status == 400
    assert api.get(TILL).status == 404


def test_the_version_added_last_is_the_head_whatever_its_age(api: Api) -> None:
    for number in ("1", "2", "3"):
        api.put(f"{TILL}/versions/{number}", {})
    put(api, "main", "1", "3", "2")
    assert head(api, "main") == "2"
    put(api, "main", "1")
    assert head(api, "main") == "2"


def test_when_the_head_is_taken_off_the_newest_that_remains_is_the_head(api: Api) -> None:
    for number in ("1", "2", "3"):
        api.put(f"{TILL}/versions/{number}", {})
    put(api, "main", "3", "2", "1")
    assert api.delete(f"{TILL}/branches/main/versions/1").status == 204
    assert head(api, "main") == "3"
    assert api.delete(f"{TILL}/branches/main/versions/2").status == 204
    assert head(api, "main") == "3"
    api.delete(f"{TILL}/branches/main/versions/3")
    assert head(api, "main") is None
    assert names(api) == ["main"]
    assert api.get(f"{TILL}/versions/3").status == 200


def test_a_version_that_is_not_on_a_branch_cannot_be_taken_off(api: Api) -> None:
    put(api, "main", "1")
    put(api, "feat", "2")
    for path in ("main/versions/2", "main/versions/9", "none/versions/1"):
        assert api.get(f"{TILL}/branches/{path}").status == 404
        assert api.delete(f"{TILL}/branches/{path}").status == 404


def test_the_first_usual_name_becomes_the_main_branch(api: Api) -> None:
    put(api, "feat", "1")
    assert "mainBranch" not in api.get(TILL).json()
    put(api, "master", "2")
    put(api, "main", "3")
    assert api.get(TILL).json()["mainBranch"] == "master"


def test_main_branches_are_detected_according_to_the_settings(make_api: Callable[..., Api]) -> None:
    put(make_api(auto_detect_main_branch=False), "main", "1")
    api = make_api(main_branch_candidates=("trunk",))
    put(api, "main", "2")
    assert "mainBranch" not in api.get(TILL).json()
    put(api, "trunk", "3")
    assert api.get(TILL).json()["mainBranch"] == "trunk"


def test_branches_that_changed_last_come_first(api: Api, clock: Clock) -> None:
    for branch, number in (("main", "1"), ("feat/a", "2"), ("fix", "3")):
        clock.now += timedelta(minutes=2)
        put(api, branch.replace("/", "%2F"), number)
    clock.now += timedelta(minutes=2)
    put(api, "main", "4")
    assert names(api) == ["main", "fix", "feat/a"]


def test_a_branch_that_changed_a_moment_ago_keeps_its_date(api: Api, clock: Clock) -> None:
    put(api, "main", "1")
    clock.now += timedelta(seconds=60)
    put(api, "main", "2")
    assert "updatedAt" not in api.get(f"{TILL}/branches/main").json()
    clock.now += timedelta(seconds=1)
    put(api, "main", "2")
    assert api.get(f"{TILL}/branches/main").json()["updatedAt"] == "2024-05-06T07:09:10+00:00"


def test_branches_are_paged_and_can_be_searched(api: Api) -> None:
    for branch, number in (("main", "1"), ("feat%2Fa", "2"), ("feat%2Fb", "3")):
        put(api, branch, number)
    assert names(api, "?q=FEAT") == ["feat/b", "feat/a"]
    page = api.get(f"{TILL}/branches?page=2&size=2").json()
    assert [branch["name"] for branch in page["_embedded"]["branches"]] == ["main"]
    assert page["page"] == {"number": 2, "size": 2, "totalElements": 3, "totalPages": 2}
    assert api.get(f"{TILL}/branches").json()["page"]["size"] == 100
    assert api.get(f"{TILL}/branches?page=x").status == 400


def test_branches_of_an_unknown_pacticipant_are_neither_listed_nor_removed(api: Api) -> None:
    named = {"error": "No pacticipant with name 'Nobody' found"}
    assert api.get("/pacticipants/Nobody/branches").json() == named
    assert api.delete("/pacticipants/Nobody/branches").json() == named


def test_removing_a_branch_leaves_its_versions(api: Api) -> None:
    put(api, "feat", "1")
    assert api.delete(f"{TILL}/branches/feat").status == 204
    assert api.delete(f"{TILL}/branches/feat").status == 404
    assert api.get(f"{TILL}/branches/feat/versions").status == 404
    assert api.get(f"{TILL}/versions/1").json()["_embedded"]["branchVersions"] == []


def test_removing_branches_spares_the_main_one_and_those_excluded(api: Api) -> None:
    for branch, number in (("main", "1"), ("feat%2Fa", "2"), ("feat%2Fb", "3"), ("fix", "4")):
        put(api, branch, number)
    answer = api.delete(f"{TILL}/branches?exclude[]=feat%2Fb&exclude[]=none")
    text = "Scheduled deletion of 2 branches for pacticipant Till. Remaining branches are: main, feat/b"
    assert (answer.status, answer.json()) == (202, {"notices": [{"type": "success", "text": text}]})
    assert names(api) == ["feat/b", "main"]


def test_a_name_without_brackets_is_excluded_too(api: Api) -> None:
    put(api, "feat", "1")
    put(api, "fix", "2")
    api.delete(f"{TILL}/branches?exclude=feat")
    assert names(api) == ["feat"]


@pytest.mark.parametrize("query", ["exclude[a]=feat", "exclude[][a]=feat", "exclude=a&exclude[]=feat"])
def test_a_malformed_exclusion_removes_no_branch(api: Api, query: str) -> None:
    put(api, "feat", "1")
    assert api.delete(f"{TILL}/branches?{query}").status == 400
    assert names(api) == ["feat"]
