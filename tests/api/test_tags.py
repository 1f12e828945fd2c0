"""Tags: the latest version with each, and their meaning for branches and environments."""

from collections.abc import Callable
from datetime import timedelta

from tests.api.client import Api, Clock

TILL = "/pacticipants/Till"


def put(api: Api, number: str, tag: str) -> None:
    assert api.put(f"{TILL}/versions/{number}/tags/{tag}").status in (200, 201)


def latest(api: Api, tag: str) -> str | None:
    answer = api.get(f"{TILL}/latest-version/{tag}")
    return None if answer.status == 404 else answer.json()["number"]


def branches(api: Api, number: str) -> list[str]:
    embedded = api.get(f"{TILL}/versions/{number}").json()["_embedded"]
    return [branch_version["name"] for branch_version in embedded["branchVersions"]]


def running(api: Api, environment: str) -> list[str]:
    answer = api.get(f"/environments/{environment}/deployed-versions/currently-deployed").json()
    return [
        deployed_version["_embedded"]["version"]["number"]
        for deployed_version in answer["_embedded"]["deployedVersions"]
    ]


def test_a_tag_is_new_once(api: Api) -> None:
    path = f"{TILL}/versions/1%2F2/tags/feat%2Fa%20b"
    created = api.put(path)
    assert (created.status, created.headers["location"]) == (201, f"http://localhost{path}")
    assert api.put(path, {}).status == 200
    assert api.get(path).json() == created.json()


def test_an_invalid_json_body_adds_no_tag(api: Api) -> None:
    assert api.put(f"{TILL}/versions/1/tags/dev", type="text/plain").status == 415
    assert api.put(f"{TILL}/versions/1/tags/dev", b"{bad").status == 400
    assert api.get(TILL).status == 404


def test_the_newest_version_with_a_tag_is_the_latest_whenever_it_was_tagged(api: Api) -> None:
    for number in ("1", "2", "3"):
        api.put(f"{TILL}/versions/{number}", {})
    put(api, "2", "prod")
    put(api, "1", "prod")
    assert latest(api, "prod") == "2"
    put(api, "3", "prod")
    assert latest(api, "prod") == "3"


def test_versions_with_a_tag_are_listed_newest_first(api: Api) -> None:
    for number in ("1", "2", "3"):
        api.put(f"{TILL}/versions/{number}", {})
    put(api, "3", "prod")
    put(api, "1", "prod")
    page = api.get(f"{TILL}/tags/prod/versions").json()
    assert [version["number"] for version in page["_embedded"]["versions"]] == ["3", "1"]
    assert api.get(f"{TILL}/tags/none/versions").status == 404


def test_when_a_tag_is_taken_off_the_next_newest_is_the_latest(api: Api) -> None:
    put(api, "1", "prod")
    put(api, "2", "prod")
    assert api.delete(f"{TILL}/versions/2/tags/prod").status == 204
    assert latest(api, "prod") == "1"
    assert api.delete(f"{TILL}/versions/1/tags/prod").status == 204
    assert latest(api, "prod") is None
    assert api.delete(f"{TILL}/versions/1/tags/prod").status == 404


def test_a_missing_tag_is_not_found(api: Api) -> None:
    put(api, "1", "dev")
    for path in (f"{TILL}/versions/1/tags/none", f"{TILL}/versions/2/tags/dev", f"{TILL}/versions/1/tags"):
        assert api.get(path).status == 404


def test_the_first_tag_of_a_new_version_becomes_its_branch(api: Api) -> None:
    put(api, "1", "dev")
    put(api, "1", "prod")
    assert branches(api, "1") == ["dev"]


def test_a_tag_on_a_version_with_a_branch_adds_no_branch(api: Api) -> None:
    api.put(f"{TILL}/branches/feat/versions/1")
    put(api, "1", "dev")
    assert branches(api, "1") == ["feat"]


def test_a_tag_becomes_a_branch_only_while_the_version_is_new(api: Api, clock: Clock) -> None:
    api.put(f"{TILL}/versions/1", {})
    api.put(f"{TILL}/versions/2", {})
    clock.now += timedelta(seconds=10)
    put(api, "1", "dev")
    clock.now += timedelta(seconds=1)
    put(api, "2", "dev")
    assert (branches(api, "1"), branches(api, "2")) == (["dev"], [])


def test_a_tag_becomes_no_branch_if_the_setting_is_off(make_api: Callable[..., Api]) -> None:
    api = make_api(use_first_tag_as_branch=False)
    put(api, "1", "dev")
    assert branches(api, "1") == []


def test_a_tag_can_name_the_main_branch(api: Api) -> None:
    api.put(f"{TILL}/branches/feat/versions/1")
    put(api, "1", "main")
    put(api, "1", "master")
    assert api.get(TILL).json()["mainBranch"] == "main"


def test_a_tag_with_the_name_of_an_environment_records_a_deployment(api: Api) -> None:
    test = api.post("/environments", {"name": "test", "production": False}).json()["uuid"]
    put(api, "1", "test")
    assert running(api, test) == ["1"]
    put(api, "2", "test")
    assert running(api, test) == ["2"]
    put(api, "1", "test")
    assert running(api, test) == ["1"]


def test_a_tag_published_with_a_pact_records_no_deployment(api: Api) -> None:
    test = api.post("/environments", {"name": "test", "production": False}).json()["uuid"]
    api.publish("Till", "1", "Ledger", tags=["test"])
    assert (running(api, test), latest(api, "test")) == ([], "1")


def test_a_tag_records_no_deployment_if_the_setting_is_off(make_api: Callable[..., Api]) -> None:
    api = make_api(create_deployed_versions_for_tags=False)
    test = api.post("/environments", {"name": "test", "production": False}).json()["uuid"]
    put(api, "1", "test")
    assert running(api, test) == []
