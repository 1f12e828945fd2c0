"""Fields that are not understood are ignored, as by the original, and the response names them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.api import golden
from tests.api.client import publication
from tests.api.history import History
from tests.api.writes import WEBHOOK, WRITES, world
from tests.databases import on_sqlite
from treaty.web.http.unknown_members import MAX_NAMED

if TYPE_CHECKING:
    from tests.api.client import Answer, Api

ROUTES = {
    route.handler.__name__: route
    for kind, route in golden.routes()
    if kind == "api" and route.body is not None and route.response is not None
}
NOT_OBSERVED = {
    # A pact may have any members, and the response is the pact.
    *("put_pact", "patch_pact"),
    # They send requests, and respond with their logs.
    *("execute_webhook", "execute_unsaved_webhook"),
    # The original has no such routes, and a secret needs users.
    *("add_secret", "change_secret", "look_up_imported_facts"),
}


def send(api: Api, name: str, path: str, body: object) -> Answer:
    route = ROUTES[name]
    kind = "application/merge-patch+json" if route.method == "PATCH" else "application/json"
    return api.request(route.method, path, body, type=kind)


def warnings(answer: Answer) -> list[str]:
    assert answer.status in {200, 201}, answer.text
    texts: list[str] = answer.json().get("warnings", [])
    return texts


BODIES = sorted(name for name in ROUTES if name in WRITES and name not in NOT_OBSERVED)


def test_every_route_with_a_body_is_tested_or_excused() -> None:
    others = {"select_pacts_for_verification", "compare_contracts", "decide_about_set", "ask_what_if"}
    assert set(ROUTES) - NOT_OBSERVED - set(BODIES) - others == set()


@on_sqlite
@pytest.mark.parametrize("name", BODIES)
def test_an_unknown_field_is_ignored_and_named(api: Api, name: str) -> None:
    path, body = WRITES[name](world(api))
    sent: dict[str, Any] = {**(body or {}), "nonsense": {"a": 1}}  # type: ignore[dict-item]  # bodies of JSON are objects
    assert warnings(send(api, name, path, sent)) == ["The field `nonsense` is not known and was ignored."]


@on_sqlite
@pytest.mark.parametrize("name", BODIES)
def test_without_unknown_fields_there_are_no_warnings(api: Api, name: str) -> None:
    path, body = WRITES[name](world(api))
    assert "warnings" not in send(api, name, path, body).json()


@on_sqlite
@pytest.mark.parametrize(("name", "is_named"), [("teamUuid", False), ("mianBranch", True)])
def test_an_unknown_field_without_a_value_is_named_only_if_it_is_misspelt(
    api: Api, name: str, *, is_named: bool
) -> None:
    """Clients of other brokers send all of their fields."""
    assert bool(warnings(api.post("/pacticipants", {"name": "Shop", name: None}))) is is_named


@on_sqlite
def test_a_misspelt_field_gets_a_suggestion(api: Api) -> None:
    created = api.post("/pacticipants", {"name": "Shop", "mainBranhc": "main", "repository_URL": "u", "x": 1})
    assert warnings(created) == [
        "The field `mainBranhc` is not known and was ignored. Did you mean mainBranch?",
        "The field `repository_URL` is not known and was ignored. Did you mean repositoryUrl?",
        "The field `x` is not known and was ignored.",
    ]
    assert "mainBranch" not in api.get("/pacticipants/Shop").json()
    assert "warnings" not in api.get("/pacticipants/Shop").json()


@on_sqlite
def test_fields_of_inner_objects_are_named_with_their_place(api: Api) -> None:
    body = publication("Shop", "1", "Prices")
    body["contracts"][0]["onConfict"] = "merge"
    assert warnings(api.post("/contracts/publish", body)) == [
        "The field `contracts[0].onConfict` is not known and was ignored. Did you mean onConflict?"
    ]
    webhook = {**WEBHOOK, "request": {"method": "POST", "url": "https://ci.example.org", "userName": "x"}}
    assert warnings(api.post("/webhooks", webhook)) == [
        "The field `request.userName` is not known and was ignored. Did you mean username?"
    ]


@on_sqlite
def test_a_comparison_names_ignored_fields(api: Api) -> None:
    document = base64.b64encode(b'{"openapi": "3.1.0", "info": {}, "paths": {}}').decode()
    body = {"documents": [{"content": document}], "pacts": [], "profil": "reference"}
    assert warnings(api.post("/contracts/compare", body)) == [
        "The field `profil` is not known and was ignored. Did you mean profile?"
    ]


@on_sqlite
def test_decisions_name_ignored_fields(api: Api) -> None:
    history = History(api)
    history.version("Shop", "1")
    history.deploy("Shop", "1", "prod")
    member = {"pacticipant": "Shop", "version": "1", "verzion": "2"}
    assert warnings(api.post("/decisions", {"environment": "prod", "versions": [member]})) == [
        "The field `versions[0].verzion` is not known and was ignored. Did you mean version?"
    ]
    change = {"change": "retire", "pacticipant": "Shop", "aplicationInstance": "blue"}
    assert warnings(api.post("/decisions/what-if", {"environment": "prod", "changes": [change]})) == [
        "The field `changes[0].aplicationInstance` is not known and was ignored. Did you mean applicationInstance?"
    ]


@on_sqlite
def test_pacts_for_verification_name_ignored_fields_each_time(api: Api) -> None:
    """Their responses are cached."""
    History(api).publish("Shop", "1", "Prices")
    body = {"consumerVersionSelectors": [{"latest": True, "brnch": "x"}], "providerVersionBanch": "main"}
    for _ in range(4):
        assert warnings(api.post("/pacts/provider/Prices/for-verification", body)) == [
            "The field `providerVersionBanch` is not known and was ignored. Did you mean providerVersionBranch?",
            "The field `consumerVersionSelectors[0].brnch` is not known and was ignored. Did you mean branch?",
        ]


@on_sqlite
@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/pacticipants/Shop", "PATCH"),
        ("/pacticipants/Shop", "PUT"),
        ("/pacticipants/Shop/versions/1", "PUT"),
        ("/pacticipants/Shop/labels/shop", "PUT"),
        ("/environments/{environment}", "PUT"),
        ("/webhooks/{webhook}", "PUT"),
        ("/deployed-versions/{deployed}", "PATCH"),
    ],
)
def test_a_document_can_be_sent_back_without_warnings(api: Api, path: str, method: str) -> None:
    objects = world(api)
    filled = path.format(environment=objects.environment, webhook=objects.webhook, deployed=objects.deployed)
    document = api.get(filled).json() | ({"currentlyDeployed": False} if "deployed-versions" in path else {})
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    assert warnings(api.request(method, filled, document, type=kind)) == []


@on_sqlite
def test_a_field_that_cannot_be_changed_is_named(api: Api) -> None:
    objects = world(api)
    text = "The field `number` cannot be changed here and was ignored."
    assert warnings(api.put("/pacticipants/Shop/versions/1", {"number": "2"})) == [text]
    text = "The field `uuid` cannot be changed here and was ignored."
    environment = {"uuid": "another", "name": "live", "production": True}
    assert warnings(api.put(f"/environments/{objects.environment}", environment)) == [text]


@on_sqlite
def test_another_name_in_a_change_is_ignored_with_the_way_to_rename(api: Api) -> None:
    api.post("/pacticipants", {"name": "Shop"})
    way = '/pacticipants/Shop/rename with {"name": "Store"}'
    expected = [
        f"The field `name` was ignored: the application keeps the name Shop. To rename it, send POST {way}.",
    ]
    changed = api.patch("/pacticipants/Shop", {"name": "Store", "mainBranch": "main"})
    assert (warnings(changed), changed.json()["name"], changed.json()["mainBranch"]) == (expected, "Shop", "main")
    assert warnings(api.put("/pacticipants/Shop", {"name": "Store"})) == expected
    assert warnings(api.put("/pacticipants/Shop", {"name": "Shop"})) == []


@on_sqlite
def test_creating_an_existing_pacticipant_names_the_ignored_fields(api: Api) -> None:
    api.post("/pacticipants", {"name": "Shop", "mainBranch": "main"})
    assert warnings(api.post("/pacticipants", {"name": "Shop", "mainBranch": "main"})) == []
    [warning] = warnings(api.post("/pacticipants", {"name": "Shop", "mainBranch": "trunk", "displayName": "The shop"}))
    assert warning == (
        "Shop exists already and was not changed. These fields were ignored: displayName, mainBranch. To change the "
        "application, send PATCH /pacticipants/Shop."
    )


@on_sqlite
def test_a_body_full_of_unknown_fields_gets_a_bounded_list(api: Api) -> None:
    body = {"name": "Shop", **{f"field{number}": number for number in range(5000)}}
    texts = warnings(api.post("/pacticipants", body))
    assert len(texts) == MAX_NAMED + 1
    assert texts[-1] == "Further fields are not known and were ignored."


@on_sqlite
def test_texts_of_clients_are_escaped_in_warnings(api: Api) -> None:
    name = 'a"\\\u2028</script>'
    assert warnings(api.post("/pacticipants", {"name": "Shop", name: 1})) == [
        f"The field `{name}` is not known and was ignored."
    ]
    assert json.loads(api.post("/pacticipants", {"name": "Shop", name: 1}).body)
