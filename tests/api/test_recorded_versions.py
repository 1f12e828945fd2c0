"""The versions that were deployed or released, and the integrations connected with a pacticipant."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.client import Api, Clock
from tests.api.history import History

PATH = "/pacticipants/Foo/deployed-or-released/versions"
DAYS = [f"2024-05-{day:02}T07:08:09+00:00" for day in range(6, 12)]


@pytest.fixture
def environments(api: Api) -> dict[str, str]:
    """UUIDs of two environments, by name."""
    uuids = {}
    for name in ("test", "live"):
        response = api.post("/environments", {"name": name, "production": name == "live"})
        uuids[name] = response.json()["uuid"]
    for number in ("1", "2", "3", "4"):
        api.put(f"/pacticipants/Foo/versions/{number}", {})
    return uuids


def record(api: Api, kind: str, version: str, environment: str, body: object = None) -> str:
    path = f"/pacticipants/Foo/versions/{version}/{kind}-versions/environment/{environment}"
    response = api.post(path, body or {})
    assert response.status == 201, response.text
    path_of_record: str = response.link("self")
    return path_of_record


def listed(api: Api, query: str = "") -> list[dict[str, Any]]:
    versions: list[dict[str, Any]] = api.get(PATH + query).json()["_embedded"]["versions"]
    return versions


TIMES = ("deployedAt", "undeployedAt", "releasedAt", "supportEndedAt")


def test_versions_come_newest_first_with_the_times_at_which_they_were_live(
    api: Api, clock: Clock, environments: dict[str, str]
) -> None:
    record(api, "deployed", "1", environments["live"])
    clock.now += timedelta(days=1)
    record(api, "deployed", "2", environments["test"])
    released = record(api, "released", "1", environments["live"])
    clock.now += timedelta(days=1)
    record(api, "deployed", "2", environments["live"])
    clock.now += timedelta(days=1)
    record(api, "deployed", "3", environments["test"])
    clock.now += timedelta(days=1)
    api.patch(released, {"currentlySupported": False})
    shown = [(version["number"], {name: version[name] for name in TIMES if name in version}) for version in listed(api)]
    assert shown == [
        ("3", {"deployedAt": DAYS[3]}),
        ("2", {"deployedAt": DAYS[2]}),  # live is still there, although test is not
        ("1", {"deployedAt": DAYS[0], "undeployedAt": DAYS[2], "releasedAt": DAYS[1], "supportEndedAt": DAYS[4]}),
    ]


def test_each_deployment_and_release_has_its_environment_and_its_times(
    api: Api, clock: Clock, environments: dict[str, str]
) -> None:
    first = record(api, "deployed", "1", environments["live"], {"applicationInstance": "blue"})
    released = record(api, "released", "1", environments["test"])
    clock.now += timedelta(days=1)
    api.patch(first, {"currentlyDeployed": False})
    (version,) = listed(api)
    (deployment,), (release,) = (version["_embedded"][f"{kind}Versions"] for kind in ("deployed", "released"))
    assert deployment["_embedded"]["environment"]["name"] == "live"
    assert deployment["_embedded"]["environment"]["production"] is True
    assert deployment["_links"]["self"]["href"].endswith(first)
    shown = {name: value for name, value in deployment.items() if not name.startswith("_")}
    assert shown == {
        "uuid": first.rpartition("/")[2],
        "currentlyDeployed": False,
        "applicationInstance": "blue",
        "deployedAt": DAYS[0],
        "undeployedAt": DAYS[1],
    }
    assert (release["currentlySupported"], release["releasedAt"]) == (True, DAYS[0])
    assert "supportEndedAt" not in release
    assert release["_links"]["self"]["href"].endswith(released)
    # Otherwise, a version is as in other lists.
    (plain,) = (
        version
        for version in api.get("/pacticipants/Foo/versions").json()["_embedded"]["versions"]
        if version["number"] == "1"
    )
    assert version["_links"] == plain["_links"]
    assert plain["_embedded"].items() <= version["_embedded"].items()


def test_the_list_has_pages(api: Api, environments: dict[str, str]) -> None:
    for number in ("1", "2", "3"):
        record(api, "released", number, environments["live"])
    assert [version["number"] for version in listed(api, "?pageSize=2&pageNumber=1")] == ["3", "2"]
    page = api.get(f"{PATH}?pageSize=2&pageNumber=2")
    assert [version["number"] for version in page.json()["_embedded"]["versions"]] == ["1"]
    assert page.json()["page"] == {"number": 2, "size": 2, "totalElements": 3, "totalPages": 2}
    assert page.link("previous") == f"{PATH}?size=2&page=1"
    assert page.link("pb:pacticipant") == "/pacticipants/Foo"


def test_unknown_pacticipants_have_no_lists(api: Api) -> None:
    api.put("/pacticipants/Foo/versions/1", {})
    assert listed(api) == []
    assert api.get("/pacticipants/Bar/deployed-or-released/versions").status == 404
    assert api.get("/pacticipant/Bar/network").status == 404


def test_the_network_of_a_pacticipant_has_everything_that_is_connected_with_it(api: Api) -> None:
    history = History(api)
    for consumer, provider in (("A", "B"), ("B", "C"), ("C", "D"), ("X", "Y")):
        history.publish(consumer, "1", provider, "a")
    network = api.get("/pacticipant/A/network")

    def pairs(query: str = "") -> list[tuple[str, str]]:
        integrations = api.get(f"/pacticipant/A/network{query}").json()["integrations"]
        return sorted(
            (integration["consumer"]["name"], integration["provider"]["name"]) for integration in integrations
        )

    assert pairs() == [("A", "B"), ("B", "C"), ("C", "D")]
    assert pairs("?maxPacticipants=2") == [("A", "B")]
    assert network.link("self") == "/pacticipant/A/network"
    assert network.link("pb:pacticipant") == "/pacticipants/A"
    in_list = api.get("/integrations").json()["_embedded"]["integrations"]
    assert all(integration in in_list for integration in network.json()["integrations"])
