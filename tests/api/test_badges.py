"""Badges: their paths and their texts."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from urllib.parse import unquote

import pytest

from tests.api.client import Answer, Api
from tests.api.history import History

pytestmark = pytest.mark.slow_on_postgresql  # about images; the decisions have tests of their own

PACT = "/pacts/provider/Bar_Thing%20Api/consumer/foo-App"
TAGGED = "/pacticipants/Foo/latest-version/dev/can-i-deploy/to/prod/badge"
BRANCH = "/pacticipants/Foo/branches/main/latest-version/can-i-deploy/to-environment/test/badge"
MERGE = "/pacticipants/Foo/main-branch/can-i-merge/badge"


@pytest.fixture
def history(api: Api) -> History:
    return History(api)


def words(answer: Answer) -> tuple[str, str, str]:
    """The texts and the colour of the badge that a response points to."""
    assert answer.status == 307, answer.text
    path = answer.headers["location"].removeprefix("https://img.shields.io/badge/").removesuffix(".svg")
    pieces = [unquote(piece).replace("\0", "-").replace("__", "_") for piece in path.replace("--", "\0").split("-")]
    left, right, colour = pieces
    return left, right, colour


def badge(api: Api, path: str) -> tuple[str, str, str]:
    return words(api.get(path, accept="image/svg+xml"))


def test_a_badge_of_a_pact_follows_its_results(api: Api, history: History) -> None:
    path, name = f"{PACT}/latest/badge", "foo-app/bar_thing api pact"
    assert badge(api, path) == ("pact not found", "unknown", "lightgrey")
    history.publish("foo-App", "1", "Bar_Thing Api", 1)
    assert badge(api, path) == (name, "unknown", "lightgrey")
    history.verify("foo-App", "1", "Bar_Thing Api", "10")
    assert badge(api, path) == (name, "verified", "brightgreen")
    history.publish("foo-App", "2", "Bar_Thing Api", 2)
    assert badge(api, path) == (name, "changed", "orange")
    history.verify("foo-App", "2", "Bar_Thing Api", "11", success=False)
    assert badge(api, path) == (name, "failed", "red")


def test_badges_of_tags_see_only_the_versions_with_them(api: Api, history: History) -> None:
    history.publish("foo-App", "1", "Bar_Thing Api", 1, tags=["dev"])
    history.verify("foo-App", "1", "Bar_Thing Api", "10")
    history.tag("Bar_Thing Api", "10", "p-tag")
    history.publish("foo-App", "2", "Bar_Thing Api", 2, branch="feat/x")
    history.verify("foo-App", "2", "Bar_Thing Api", "11", success=False)
    name = "foo-app/bar_thing api pact"
    assert badge(api, f"{PACT}/latest/dev/badge") == (name, "verified", "brightgreen")
    assert badge(api, f"{PACT}/latest/none/badge") == ("pact not found", "unknown", "lightgrey")
    assert badge(api, f"{PACT}/latest-untagged/badge") == (name, "failed", "red")
    matrix = "/matrix/provider/Bar_Thing%20Api/latest/{}/consumer/foo-App/latest/dev/badge"
    assert badge(api, matrix.format("p-tag"))[0] == "foo-app (dev)/bar_thing api (p-tag) pact"
    assert badge(api, matrix.format("p-tag"))[1:] == ("verified", "brightgreen")
    assert badge(api, matrix.format("none"))[1:] == ("unknown", "lightgrey")


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ("label=consumer", "foo-app pact"),
        ("label=PROVIDER", "bar_thing api pact"),
        ("label=other", "foo-app/bar_thing api pact"),
        ("initials=true", "fa/bta pact"),
        ("initials=yes", "foo-app/bar_thing api pact"),
    ],
)
def test_names_on_badges_can_be_shortened(api: Api, history: History, options: str, left: str) -> None:
    history.publish("foo-App", "1", "Bar_Thing Api")
    assert badge(api, f"{PACT}/latest/badge?{options}")[0] == left
    assert badge(api, f"{PACT}/latest/badge.svg?{options}")[0] == left


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        (f"{PACT}/latest/badge.svg", "application/hal+json", 307),
        (f"{PACT}/latest/badge", "*/*", 307),
        (f"{PACT}/latest/badge", "application/hal+json", 406),
    ],
)
def test_badges_are_images_only(api: Api, path: str, accept: str, status: int) -> None:
    assert api.get(path, accept=accept).status == status


def test_badges_of_deploying_are_green_only_when_it_is_safe(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar", branch="main", tags=["dev"])
    history.environment("test")
    assert badge(api, TAGGED) == ("can-i-deploy", "dev to prod", "red")
    assert badge(api, BRANCH) == ("can-i-deploy", "main to test", "red")
    assert badge(api, MERGE) == ("can-i-merge", "unknown", "lightgrey")
    history.branch("Bar", "10", "main")
    history.tag("Bar", "10", "prod")
    history.verify("Foo", "1", "Bar", "10")
    history.deploy("Bar", "10", "test")
    assert badge(api, TAGGED)[2] == badge(api, BRANCH)[2] == "brightgreen"
    assert badge(api, f"{TAGGED}?label=till") == ("till", "dev to prod", "brightgreen")
    assert badge(api, MERGE) == ("can-i-merge", "success", "brightgreen")
    history.branch("Bar", "11", "main")
    history.verify("Foo", "1", "Bar", "11", success=False)
    assert badge(api, MERGE) == ("can-i-merge", "failed", "red")


@pytest.mark.parametrize(
    ("path", "what"),
    [
        (TAGGED.replace("Foo", "Nobody"), "pacticipant"),
        (BRANCH.replace("Foo", "Nobody"), "pacticipant"),
        (MERGE.replace("Foo", "Nobody"), "pacticipant"),
        (TAGGED.replace("dev", "none"), "version"),
        (BRANCH.replace("main", "none"), "branch"),
        (BRANCH.replace("environment/test", "environment/moon"), "environment"),
        (MERGE.replace("Foo", "Bar"), "main branch version"),
    ],
)
def test_a_missing_resource_has_a_badge_that_names_its_kind(api: Api, history: History, path: str, what: str) -> None:
    history.publish("Foo", "1", "Bar", branch="main", tags=["dev"])
    history.environment("test")
    answer = api.get(path, accept="image/svg+xml")
    assert words(answer) == (what, "not found", "lightgrey")
    assert answer.headers["cache-control"] == "no-cache"


def test_merging_looks_at_the_tag_of_the_main_branch_where_the_branch_has_no_versions(
    api: Api, history: History
) -> None:
    history.publish("Foo", "1", "Bar")
    history.publish("Foo", "2", "Bar", "other")
    assert api.put("/pacticipants/Foo", {"mainBranch": "trunk"}).status == 200
    assert badge(api, MERGE)[0] == "main branch version"
    history.tag("Foo", "1", "trunk")
    assert badge(api, MERGE) == ("can-i-merge", "unknown", "lightgrey")


def test_badges_of_merging_may_be_kept_for_a_while(make_api: Callable[..., Api]) -> None:
    for settings, cache in (({}, "max-age=30"), ({"badge_default_cache_setting": "max-age=5"}, "max-age=5")):
        api = make_api(**settings)
        History(api).publish("Foo", "1", "Bar", branch="main")
        assert api.get(MERGE, accept="image/svg+xml").headers["cache-control"] == cache


def test_another_server_may_draw_badges(make_api: Callable[..., Api]) -> None:
    api = make_api(shields_io_base_url="https://shields.example/")
    location = api.get(f"{PACT}/latest/badge.svg").headers["location"]
    assert location == "https://shields.example/badge/pact%20not%20found-unknown-lightgrey.svg"


@pytest.mark.parametrize(
    "settings",
    [{"badge_provider_mode": "proxy"}, {"shields_io_base_url": ""}, {"shields_io_base_url": "null"}],
)
def test_badges_can_be_drawn_here(make_api: Callable[..., Api], settings: dict[str, str]) -> None:
    api = make_api(**settings)
    history = History(api)
    history.publish("A-->&<b>", "1", "Bar")
    number = history.verify("A-->&<b>", "1", "Bar", "10")
    answer = api.get("/pacts/provider/Bar/consumer/A--%3E&%3Cb%3E/latest/badge.svg")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("image/svg+xml")
    image = ET.fromstring(answer.text)  # noqa: S314 - our own image
    texts = [element.text for element in image.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["a-->&<b>/bar pact", "verified"]
    assert f"Bar version 10 number {number} -->" in answer.text.splitlines()[0]
    assert api.get(MERGE.replace("Foo", "Nobody"), accept="image/svg+xml").status == 200


def test_badges_may_be_public(make_api: Callable[..., Api]) -> None:
    api = make_api(basic_auth_username="u", basic_auth_password="p", enable_public_badge_access=True)  # noqa: S106 - a test's own
    assert api.get(f"{PACT}/latest/badge.svg").status == 307
    assert api.get("/matrix").status == 401
