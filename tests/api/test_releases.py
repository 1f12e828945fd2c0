"""Recording which versions are released to which environments."""

from collections.abc import Callable

import pytest

from tests.api.client import Answer, Api, Clock

Release = Callable[..., Answer]
Supported = Callable[..., list[str]]
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def live(api: Api) -> str:
    """The UUID of an environment; versions 1 and 2 of till-app are there to be released to it."""
    for number in ("1", "2"):
        api.put(f"/pacticipants/till-app/versions/{number}", {})
    uuid: str = api.post("/environments", {"name": "live", "production": True}).json()["uuid"]
    return uuid


@pytest.fixture
def release(api: Api, live: str) -> Release:
    def release(version: str, environment: str = live) -> Answer:
        return api.post(f"/pacticipants/till-app/versions/{version}/released-versions/environment/{environment}", {})

    return release


@pytest.fixture
def supported(api: Api, live: str) -> Supported:
    def supported(query: str = "") -> list[str]:
        page = api.get(f"/environments/{live}/released-versions/currently-supported{query}").json()
        return [release["_embedded"]["version"]["number"] for release in page["_embedded"]["releasedVersions"]]

    return supported


def test_the_location_of_a_recorded_release_returns_it(api: Api, release: Release) -> None:
    recorded = release("1")
    assert recorded.status == 201
    assert recorded.headers["location"] == "http://localhost" + recorded.link("self")
    assert recorded.json()["currentlySupported"] is True
    assert api.get(recorded.link("self")).json() == recorded.json()


def test_a_version_is_released_to_an_environment_once(release: Release) -> None:
    first, second = release("1"), release("1")
    assert (second.status, second.headers["location"]) == (200, first.headers["location"])
    assert second.json() == first.json()


def test_several_versions_are_supported_at_once(release: Release, supported: Supported) -> None:
    release("1")
    release("2")
    assert supported() == ["1", "2"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("?pacticipant=till-app", ["1", "2"]), ("?version=2", ["2"]), ("?pacticipant=nobody&version=2", [])],
)
def test_supported_versions_are_filtered_by_pacticipant_and_version(
    release: Release, supported: Supported, query: str, expected: object
) -> None:
    release("1")
    release("2")
    assert supported(query) == expected


def test_the_release_of_a_version_is_listed_by_the_readable_name_of_its_pacticipant(
    api: Api, release: Release, live: str
) -> None:
    uuid = release("1").json()["uuid"]
    page = api.get(f"/pacticipants/till-app/versions/1/released-versions/environment/{live}").json()
    assert [release["uuid"] for release in page["_embedded"]["releasedVersions"]] == [uuid]
    assert page["_links"]["self"]["title"] == "Released versions for Till App version 1 in Live"
    other = api.get(f"/pacticipants/till-app/versions/2/released-versions/environment/{live}").json()
    assert other["_embedded"]["releasedVersions"] == []


def test_support_ends_and_begins_again(api: Api, release: Release, supported: Supported, clock: Clock) -> None:
    path = release("1").link("self")
    ended = api.patch(path, {"currentlySupported": False}).json()
    assert (ended["currentlySupported"], ended["supportEndedAt"]) == (False, "2024-05-06T07:08:09+00:00")
    assert supported() == []
    clock.now = clock.now.replace(year=2025)
    again = release("1")
    assert again.status == 200
    assert again.json()["currentlySupported"] is True
    assert again.json()["createdAt"] == ended["createdAt"]
    assert again.json()["updatedAt"] == "2025-05-06T07:08:09+00:00"
    assert "supportEndedAt" not in again.json()
    assert again.json() == api.get(path).json()


def test_support_that_ended_keeps_its_first_time(api: Api, release: Release, clock: Clock) -> None:
    path = release("1").link("self")
    ended = api.patch(path, {"currentlySupported": False}).json()
    clock.now = clock.now.replace(year=2025)
    assert api.patch(path, {"currentlySupported": False}).json() == ended


def test_support_cannot_be_set_back(api: Api, release: Release) -> None:
    refused = api.patch(release("1").link("self"), {"currentlySupported": True})
    text = "The currentlySupported property cannot be set back to true. Please record a new deployment."
    assert (refused.status, refused.json()) == (422, {"errors": {"currentlySupported": [text]}})


def test_a_missing_version_environment_or_release_returns_404(api: Api, release: Release, live: str) -> None:
    assert release("none").status == 404
    assert release("1", environment=NOWHERE).status == 404
    assert api.get(f"/pacticipants/till-app/versions/none/released-versions/environment/{live}").status == 404
    assert api.get(f"/environments/{NOWHERE}/released-versions/currently-supported").status == 404
    assert api.get(f"/released-versions/{NOWHERE}").status == 404
