"""Recording which versions run where."""

from collections.abc import Callable

import pytest

from tests.api.client import Answer, Api, Clock

Deploy = Callable[..., Answer]
Running = Callable[..., list[tuple[str, str | None]]]
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def staging(api: Api) -> str:
    """The UUID of an environment; versions 1 and 2 of Till are there to go to it."""
    for number in ("1", "2"):
        api.put(f"/pacticipants/Till/versions/{number}", {})
    uuid: str = api.post("/environments", {"name": "staging", "production": False}).json()["uuid"]
    return uuid


@pytest.fixture
def deploy(api: Api, staging: str) -> Deploy:
    def deploy(version: str, body: object = None, environment: str = staging) -> Answer:
        return api.post(f"/pacticipants/Till/versions/{version}/deployed-versions/environment/{environment}", body)

    return deploy


@pytest.fixture
def running(api: Api, staging: str) -> Running:
    """List which versions run, and in which places."""

    def running(query: str = "", environment: str = staging) -> list[tuple[str, str | None]]:
        page = api.get(f"/environments/{environment}/deployed-versions/currently-deployed{query}").json()
        items = page["_embedded"]["deployedVersions"]
        return [
            (deployed_version["_embedded"]["version"]["number"], deployed_version.get("applicationInstance"))
            for deployed_version in items
        ]

    return running


def test_the_location_of_a_recorded_deployment_returns_it(api: Api, deploy: Deploy) -> None:
    recorded = deploy("1")
    assert recorded.status == 201
    assert recorded.headers["location"] == "http://localhost" + recorded.link("self")
    assert recorded.json()["currentlyDeployed"] is True
    assert recorded.json()["_embedded"]["environment"]["name"] == "staging"
    assert api.get(recorded.link("self")).json() == recorded.json()


def test_deploying_the_same_version_again_changes_nothing(deploy: Deploy) -> None:
    first, second = deploy("1"), deploy("1")
    assert second.status == 201
    assert first.json() == second.json()


def test_a_version_takes_the_place_of_the_one_before(api: Api, deploy: Deploy, running: Running) -> None:
    first = deploy("1")
    deploy("2")
    assert running() == [("2", None)]
    ended = api.get(first.link("self")).json()
    assert (ended["currentlyDeployed"], ended["undeployedAt"]) == (False, "2024-05-06T07:08:09+00:00")


def test_deploying_an_older_version_again_makes_a_new_record(
    api: Api, staging: str, deploy: Deploy, running: Running
) -> None:
    first = deploy("1")
    deploy("2")
    again = deploy("1")
    assert running() == [("1", None)]
    page = api.get(f"/pacticipants/Till/versions/1/deployed-versions/environment/{staging}").json()
    assert [deployed_version["uuid"] for deployed_version in page["_embedded"]["deployedVersions"]] == [
        again.json()["uuid"],
        first.json()["uuid"],
    ]
    assert page["_links"]["self"]["title"] == "Deployed versions for Till version 1 in environment Staging"


def test_each_place_has_a_version_of_its_own(deploy: Deploy, running: Running) -> None:
    deploy("1", {"applicationInstance": "blue"})
    deploy("1", {"target": "green"})
    deploy("1")
    deploy("2", {"applicationInstance": "blue", "target": "green"})
    assert sorted(running(), key=str) == [("1", "green"), ("1", None), ("2", "blue")]


def test_other_environments_are_left_alone(api: Api, deploy: Deploy, running: Running) -> None:
    other = api.post("/environments", {"name": "other", "production": False}).json()["uuid"]
    deploy("1", environment=other)
    deploy("2")
    assert running(environment=other) == [("1", None)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?applicationInstance=blue", [("2", "blue")]),
        ("?target=blue", [("2", "blue")]),
        ("?applicationInstance=", [("1", None)]),
        ("?pacticipant=Till", [("2", "blue"), ("1", None)]),
        ("?pacticipant=Till&applicationInstance=pink", []),
        ("?pacticipant=nobody", []),
    ],
)
def test_deployed_versions_are_filtered_by_pacticipant_and_instance(
    deploy: Deploy, running: Running, query: str, expected: object
) -> None:
    deploy("1")
    deploy("2", {"applicationInstance": "blue"})
    assert running(query) == expected


@pytest.mark.parametrize(("given", "stored"), [(3, "3"), (True, "true"), (None, None)])
def test_a_place_is_a_text(deploy: Deploy, given: object, stored: str | None) -> None:
    assert deploy("1", {"applicationInstance": given}).json().get("applicationInstance") == stored


def test_a_missing_version_or_environment_returns_404(api: Api, deploy: Deploy, staging: str) -> None:
    assert deploy("none").status == 404
    assert deploy("1", environment=NOWHERE).status == 404
    assert api.get(f"/pacticipants/Till/versions/none/deployed-versions/environment/{staging}").status == 404
    assert api.get(f"/environments/{NOWHERE}/deployed-versions/currently-deployed").status == 404


def test_a_refused_content_type_deploys_nothing(api: Api, staging: str, running: Running) -> None:
    path = f"/pacticipants/Till/versions/1/deployed-versions/environment/{staging}"
    assert api.post(path, {}, type="text/plain").status == 415
    assert running() == []


@pytest.mark.parametrize("kind", ["deployed", "released"])
@pytest.mark.parametrize("body", [None, {"applicationInstance": "blue"}])
def test_a_deployment_or_release_needs_no_content_type(api: Api, staging: str, kind: str, body: object) -> None:
    path = f"/pacticipants/Till/versions/1/{kind}-versions/environment/{staging}"
    recorded = api.post(path, body, type=None)
    assert (recorded.status, recorded.headers["location"]) == (201, recorded.json()["_links"]["self"]["href"])
    assert recorded.json().get("applicationInstance") == ((body and kind == "deployed" and "blue") or None)
    assert api.post(path, b"a=b", type=None).status == 415
    assert api.post(path, body, type="application/x-www-form-urlencoded").status == 415


def test_writes_whose_content_type_the_original_requires_still_require_it(api: Api) -> None:
    """The original accepts these without a body, but not without a content type."""
    for path in ("versions/1/tags/dev", "branches/main/versions/1", "labels/blue"):
        assert api.put(f"/pacticipants/Till/{path}", type=None).status == 415


def test_an_ended_deployment_keeps_the_time_of_its_end(
    api: Api, deploy: Deploy, running: Running, clock: Clock
) -> None:
    path = deploy("1").link("self")
    ended = api.patch(path, {"currentlyDeployed": False})
    assert (ended.status, ended.json()["currentlyDeployed"]) == (200, False)
    assert running() == []
    clock.now = clock.now.replace(year=2025)
    again = api.patch(path, {"currentlyDeployed": False})
    assert again.json() == ended.json() == api.get(path).json()
    assert again.json()["undeployedAt"] == "2024-05-06T07:08:09+00:00"


def test_an_ended_deployment_cannot_be_set_back(api: Api, deploy: Deploy) -> None:
    path = deploy("1").link("self")
    refused = api.patch(path, {"currentlyDeployed": True})
    text = "The currentlyDeployed property cannot be set back to true. Please record a new deployment."
    assert (refused.status, refused.json()) == (422, {"errors": {"currentlyDeployed": [text]}})


def test_an_empty_patch_changes_nothing(api: Api, deploy: Deploy) -> None:
    recorded = deploy("1")
    assert api.patch(recorded.link("self"), {}).json() == recorded.json()
    assert api.patch(recorded.link("self")).json() == recorded.json()


def test_a_patch_of_another_type_changes_nothing(api: Api, deploy: Deploy, running: Running) -> None:
    path = deploy("1").link("self")
    assert api.patch(path, {"currentlyDeployed": False}, type="application/json").status == 415
    assert running() == [("1", None)]


def test_an_unknown_deployment_is_not_found(api: Api) -> None:
    assert api.get(f"/deployed-versions/{NOWHERE}").status == 404
    assert api.patch(f"/deployed-versions/{NOWHERE}", {"currentlyDeployed": True}).status == 404


def test_deployments_go_with_their_environment(api: Api, deploy: Deploy, staging: str) -> None:
    path = deploy("1").link("self")
    api.delete(f"/environments/{staging}")
    assert api.get(path).status == 404
