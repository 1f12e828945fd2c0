"""Blank names and selectors, in the paths, queries and bodies of writes and decisions."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.client import publication
from tests.api.history import History
from treaty.settings import Settings
from treaty.web.routers import list_routers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.client import Api

pytestmark = pytest.mark.slow_on_postgresql  # about requests, and not about data

BLANKS = ["", "%20", "%20%20"]
FOO = "q[][pacticipant]=Foo&q[][version]=1"
DECISION = f"/matrix?{FOO}&latestby=cvpv"
CAN_I_DEPLOY = "/can-i-deploy?pacticipant=Foo&version=1"
WIDENING = {
    "the version of a selector": "/matrix?q[][pacticipant]=Foo&q[][version]={}&latestby=cvpv&environment=prod",
    "the branch of a selector": "/matrix?q[][pacticipant]=Foo&q[][branch]={}&q[][latest]=true&latestby=cvpv",
    "the tag of a selector": "/matrix?q[][pacticipant]=Foo&q[][tag]={}&latestby=cvpv&environment=prod",
    "the environment of a selector": "/matrix?q[][pacticipant]=Foo&q[][environment]={}&latestby=cvpv",
    "the latest of a selector": "/matrix?q[][pacticipant]=Foo&q[][latest]={}&latestby=cvpv&environment=prod",
    "the main branch of a selector": "/matrix?q[][pacticipant]=Foo&q[][mainBranch]={}&latestby=cvpv",
    "the pacticipant of a selector": f"{DECISION}&q[][pacticipant]={{}}&environment=prod",
    "the environment": f"{DECISION}&environment={{}}",
    "the tag": f"{DECISION}&tag={{}}&latest=true",
    "the latest": f"{DECISION}&tag=prod&latest={{}}",
    "the main branch": f"{DECISION}&latest=true&mainBranch={{}}",
    "a version to ignore": f"{DECISION}&environment=prod&ignore[][pacticipant]=Bar&ignore[][version]={{}}",
    "a tag to ignore": f"{DECISION}&environment=prod&ignore[][pacticipant]=Bar&ignore[][tag]={{}}",
    "a pacticipant to ignore": f"{DECISION}&environment=prod&ignore[][pacticipant]={{}}",
    "the environment of a pair": "/matrix/provider/Bar/consumer/Foo?latestby=cvpv&environment={}",
    "the tag of a pair": "/matrix/provider/Bar/consumer/Foo?latestby=cvpv&latest=true&tag={}",
    "the version to deploy": "/can-i-deploy?pacticipant=Foo&version={}&environment=prod",
    "the pacticipant to deploy": "/can-i-deploy?pacticipant={}&version=1&environment=prod",
    "the environment to deploy to": f"{CAN_I_DEPLOY}&environment={{}}",
    "the tag to deploy to": f"{CAN_I_DEPLOY}&to={{}}",
    "the environment beside a tag": f"{CAN_I_DEPLOY}&to=prod&environment={{}}",
    "the tag beside an environment": f"{CAN_I_DEPLOY}&environment=prod&to={{}}",
    "a version to ignore when deploying": (
        f"{CAN_I_DEPLOY}&environment=prod&ignore[][pacticipant]=Bar&ignore[][version]={{}}"
    ),
    "the pacticipant of what runs": "/environments/{environment}/deployed-versions/currently-deployed?pacticipant={}",
    "the pacticipant of what is supported": (
        "/environments/{environment}/released-versions/currently-supported?pacticipant={}&version=1"
    ),
    "the version of what is supported": (
        "/environments/{environment}/released-versions/currently-supported?pacticipant=Foo&version={}"
    ),
    "the name of an environment": "/environments?name={}",
}
PATHS = [
    "/pacticipants/Foo/latest-version/%20/can-i-deploy/to/prod",
    "/pacticipants/Foo/latest-version/prod/can-i-deploy/to/%20",
    "/pacticipants/Foo/branches/%20/latest-version/can-i-deploy/to-environment/prod",
    "/pacticipants/Foo/branches/main/latest-version/can-i-deploy/to-environment/%20",
]


@pytest.fixture
def history(api: Api) -> History:
    return History(api)


@pytest.fixture
def environment(api: Api, history: History) -> str:
    """Foo 1 and 2 and Bar 10 are everywhere, and 1 was never verified: a wider question is answered otherwise."""
    for version, content in (("1", "a"), ("2", "b")):
        history.publish("Foo", version, "Bar", content, branch="main", tags=["prod"])
    history.verify("Foo", "2", "Bar", "10")
    history.tag("Bar", "10", "prod")
    history.deploy("Bar", "10", "prod")
    history.deploy("Foo", "1", "prod")
    uuid: str = api.get("/environments").json()["_embedded"]["environments"][0]["uuid"]
    return uuid


def test_a_blank_parameter_that_widens_a_decision_is_refused(api: Api, environment: str) -> None:
    for what, template in WIDENING.items():
        for blank in BLANKS:
            path = template.replace("{environment}", environment).replace("{}", blank)
            answer = api.get(path)
            assert answer.status == 400, (what, path)
            assert re.search(r"cannot be blank|is missing|specify|does not|not found", answer.text), (what, answer.text)


def test_a_blank_name_in_the_path_of_a_decision_is_refused(api: Api, environment: str) -> None:
    assert environment
    for path in PATHS:
        answer = api.get(path)
        assert (answer.status, "cannot be blank" in answer.text) == (400, True), path


@pytest.mark.parametrize("parameter", ["latestby=", "limit=", "success[]=&success[]=true", "days="])
def test_a_blank_parameter_that_hides_no_result_counts_as_absent(api: Api, environment: str, parameter: str) -> None:
    assert environment
    path = f"/matrix?{FOO}&environment=prod"
    assert api.get(f"{path}&{parameter}").json()["summary"] == api.get(path).json()["summary"]


def test_the_form_of_the_page_may_leave_fields_blank(api: Api, environment: str) -> None:
    assert environment
    query = "q[][pacticipant]=Foo&q[][version]=2&q[][branch]=&q[][tag]=&q[][latest]=&q[][pacticipant]=&environment="
    page = api.get(f"/matrix?{query}", accept="text/html")
    assert page.status == 200
    assert "cannot be blank" not in page.text


def writes() -> Iterator[tuple[str, str]]:
    """Yield the method and template of each route of the API that saves something."""
    for router in list_routers(Settings()):
        for resource in router.endpoints.values():
            for method, route in resource.routes.items():
                if method in {"POST", "PUT", "PATCH"} and not route.is_read_only and route.url.names:
                    yield method, route.url.template


def test_a_blank_name_in_the_path_of_a_write_is_refused(api: Api, environment: str) -> None:
    before = everything(api)
    names = {"pacticipant": "Foo", "provider": "Bar", "consumer": "Foo", "version": "1", "environment": environment}
    table = list(writes())
    assert ("PUT", "/pacticipants/{pacticipant}/versions/{version}/tags/{tag}") in table
    for method, template in table:
        for blank in re.findall(r"\{(\w+)\}", template):
            path = template.replace(f"{{{blank}}}", "%20").format_map(defaultdict(lambda: "x", names))
            answer = api.request(method, path, {})
            assert 400 <= answer.status < 500, (method, path, answer.status)
    assert everything(api) == before


def everything(api: Api) -> list[object]:
    """Read the names of all that there is."""
    labels = [label["name"] for label in api.get("/labels").json().get("_embedded", {}).get("labels", [])]
    pacticipants = api.get("/pacticipants").json()["_embedded"]["pacticipants"]
    names: list[object] = [labels]
    for pacticipant in pacticipants:
        path = f"/pacticipants/{pacticipant['name']}"
        branches = api.get(f"{path}/branches").json()["_embedded"]["branches"]
        names.append((pacticipant["name"], names_of(api, path), [branch["name"] for branch in branches]))
    return names


def names_of(api: Api, path: str) -> list[object]:
    versions = api.get(f"{path}/versions").json()["_embedded"]["versions"]
    return [(version["number"], [tag["name"] for tag in version["_embedded"]["tags"]]) for version in versions]


BODIES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/pacticipants", {"name": " "}),
    ("PATCH", "/pacticipants/Foo", {"mainBranch": " "}),
    ("PUT", "/pacticipants/Foo", {"mainBranch": ""}),
    ("PUT", "/pacticipants/Foo/versions/3", {"tags": [{"name": " "}]}),
    ("PATCH", "/pacticipants/Foo/versions/3", {"tags": [{"name": ""}]}),
    ("POST", "/environments", {"name": " ", "production": False}),
    ("POST", "/environments", {"name": "\t", "production": False}),
    ("POST", "/contracts/publish", publication("Foo", " ", "Bar")),
    ("POST", "/contracts/publish", publication("Foo", "3", "Bar", branch=" ")),
    ("POST", "/contracts/publish", publication("Foo", "3", "Bar", tags=["a", " "])),
    ("POST", "/contracts/publish", publication("Foo", "3", " ")),
    ("POST", "/contracts/publish", publication(" ", "3", "Bar")),
    ("POST", "/pacticipants/Bar/versions/10/deployed-versions/environment/{environment}", {"applicationInstance": ""}),
    ("POST", "/pacticipants/Bar/versions/10/deployed-versions/environment/{environment}", {"applicationInstance": " "}),
    ("POST", "/pacticipants/Bar/versions/10/deployed-versions/environment/{environment}", {"target": ""}),
    ("POST", "/pacts/provider/Bar/for-verification", {"providerVersionTags": [""]}),
    ("POST", "/pacts/provider/Bar/for-verification", {"providerVersionBranch": " "}),
    *(
        ("POST", "/pacts/provider/Bar/for-verification", {"consumerVersionSelectors": [selector]})
        for selector in (
            {"tag": " "},
            {"branch": " "},
            {"environment": " "},
            {"latest": True, "consumer": " "},
            {"tag": "prod", "latest": True, "fallbackTag": " "},
            {"branch": "main", "fallbackBranch": " "},
        )
    ),
]


def test_a_blank_name_in_a_body_is_refused(api: Api, environment: str) -> None:
    before = everything(api)
    for method, path, body in BODIES:
        answer = api.request(method, path.replace("{environment}", environment), body)
        assert answer.status == 400, (method, path, body, answer.status)
        assert re.search(r"blank|must be filled", answer.text), (method, path, body, answer.text)
    assert everything(api) == before


def test_pact_js_may_send_an_empty_branch_of_the_provider(api: Api, environment: str) -> None:
    assert environment
    body = {"consumerVersionSelectors": [{"latest": True}], "providerVersionBranch": "", "includePendingStatus": False}
    assert api.post("/pacts/provider/Bar/for-verification", body).status == 200


@pytest.mark.parametrize("query", ["exclude[]=main&exclude[]=", "exclude[]=", "exclude="])
def test_a_blank_branch_to_keep_removes_none(api: Api, environment: str, query: str) -> None:
    before = everything(api)
    answer = api.delete(f"/pacticipants/Foo/branches?{query}")
    assert (answer.status, "cannot be blank" in answer.text) == (400, True)
    assert (environment != "", everything(api)) == (True, before)


def test_a_blank_instance_selects_deployments_without_an_instance(api: Api, environment: str) -> None:
    path = f"/environments/{environment}/deployed-versions/currently-deployed?pacticipant=Foo&applicationInstance="
    assert len(api.get(path).json()["_embedded"]["deployedVersions"]) == 1


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (f"{CAN_I_DEPLOY}&environment=prod&ignore[][pacticipant]=Bar&ignore[][version][]=9", "must be a single value"),
        (f"{CAN_I_DEPLOY}&environment=prod&ignore[][pacticipant]=Bar&ignore[][latest]=yes", "must be true or false"),
        (f"{CAN_I_DEPLOY}&environment=prod&ignore[][pacticipant]=Bar&ignore[][number]=9", "is not known"),
        (f"{CAN_I_DEPLOY}&to=prod&environment[]=prod", "must be a single value"),
        (f"{DECISION}&environment=prod&ignore[][pacticipant]=Bar&ignore[][version][x]=9", "must be a single value"),
        (f"{DECISION}&environment=prod&ignore[][pacticipant]=Bar&ignore[][number]=9", "is not known"),
        (f"{DECISION}&environment[]=prod", "must be a single value"),
        (f"{DECISION}&latest=true&mainBranch=yes", "must be true or false"),
        ("/matrix?q[][pacticipant]=Foo&q[][version][]=1&latestby=cvpv", "must be a single value"),
    ],
)
def test_a_parameter_that_cannot_be_read_does_not_widen_a_question(api: Api, path: str, fault: str) -> None:
    history = History(api)
    history.publish("Foo", "1", "Bar")
    history.version("Bar", "8")
    history.deploy("Bar", "8", "prod")
    answer = api.get(path)
    assert answer.status == 400, answer.text
    assert fault in answer.text


def test_true_is_true_in_capitals_too(api: Api) -> None:
    history = History(api)
    history.publish("Foo", "1", "Bar")
    history.branch("Foo", "1", "main")
    history.verify("Foo", "1", "Bar", "7")
    history.version("Bar", "8")
    path = "/matrix?q[][pacticipant]=Bar&q[][version]=8&latestby=cvpv&latest=True&mainBranch=True"
    assert api.get(path).json()["summary"]["deployable"] is None
