"""Webhooks over HTTP: creating, replacing, listing and removing them, and the errors of refused ones."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import BASE, Answer, Api, Clock

STARS = "*" * 10
REQUEST = {"method": "POST", "url": "https://example.org/hook"}
SIDES = {"consumer": {"name": "Till"}, "provider": {"name": "Ledger"}}
OPEN = {"webhook_scheme_whitelist": ("http", "https")}


@pytest.fixture
def pair(api: Api) -> Api:
    """A client of a broker that knows Till and Ledger."""
    for name in ("Till", "Ledger"):
        api.post("/pacticipants", {"name": name})
    return api


def _errors(answer: Answer) -> Any:
    assert answer.status == 400, answer.text
    return answer.json()["errors"]


def test_the_location_of_a_new_webhook_returns_it(pair: Api) -> None:
    response = pair.post("/webhooks", {"description": "d", "request": {**REQUEST, "body": {"a": [1]}}, **SIDES})
    assert response.status == 201
    assert response.headers["location"] == BASE + response.link("self")
    body = response.json()
    assert len(body["uuid"]) == 22
    assert (body["description"], body["enabled"], body["events"]) == (
        "d",
        True,
        [{"name": "contract_content_changed"}],
    )
    assert body["request"] == {**REQUEST, "body": {"a": [1]}}
    assert "updatedAt" not in body
    assert pair.get(response.link("self")).json() == body


def test_without_a_description_it_is_called_by_method_and_host(pair: Api) -> None:
    request = {"method": "post", "url": "https://example.org/${pactbroker.consumerName}"}
    for description in ({}, {"description": " "}):
        response = pair.post("/webhooks", {"request": {**REQUEST, **request}, **description})
        assert response.json()["description"] == "POST example.org"


def test_secrets_are_not_shown_unless_they_are_filled_in(pair: Api) -> None:
    headers = {"Authorization": "a", "X-My-Token": "b", "X-Plain": "c", "X-Token": "${pactbroker.consumerName}"}
    response = pair.post("/webhooks", {"request": {**REQUEST, "headers": headers, "username": "u", "password": "p"}})
    assert response.json()["request"]["headers"] == {
        "authorization": STARS,
        "x-my-token": STARS,
        "x-plain": "c",
        "x-token": "${pactbroker.consumerName}",
    }
    assert (response.json()["request"]["username"], response.json()["request"]["password"]) == ("u", STARS)


def test_replacing_a_webhook_keeps_the_secrets_that_are_not_sent(pair: Api) -> None:
    secrets = {"headers": {"Authorization": "a", "X-Plain": "c"}, "username": "u", "password": "p", "body": 1}
    path = pair.post("/webhooks", {"request": {**REQUEST, **secrets}, "enabled": False, "secret": "s"}).link("self")
    put = pair.put(path, {"request": {**REQUEST, "headers": {"authorization": STARS}, "username": "v"}})
    assert put.status == 200
    assert put.json()["request"] == {
        **REQUEST,
        "headers": {"authorization": STARS},
        "username": "v",
        "password": STARS,
    }
    assert (put.json()["enabled"], put.json()["secret"]) == (True, STARS)


def test_replacing_a_webhook_clears_its_sides_and_keeps_its_description_and_events(pair: Api, clock: Clock) -> None:
    events = [{"name": "contract_published"}]
    path = pair.post("/webhooks", {"description": "d", "request": REQUEST, "events": events, **SIDES}).link("self")
    clock.now = clock.now.replace(year=2025)
    put = pair.put(path, {"request": REQUEST}).json()
    assert (put["description"], put["events"]) == ("d", events)
    assert not {"consumer", "provider"} & put.keys()
    assert put["updatedAt"] == "2025-05-06T07:08:09+00:00"


def test_putting_an_unknown_uuid_makes_a_webhook_of_that_uuid(pair: Api) -> None:
    response = pair.put("/webhooks/an-uuid-of-our-own", {"request": REQUEST})
    assert (response.status, "location" in response.headers, response.json()["uuid"]) == (
        201,
        False,
        "an-uuid-of-our-own",
    )
    assert _errors(pair.put("/webhooks/short", {"request": REQUEST})) == {
        "uuid": ["The UUID can only contain the characters A-Z, a-z, 0-9, _ and -, and must be 16 or more characters."]
    }


def test_a_removed_webhook_returns_404(pair: Api) -> None:
    path = pair.post("/webhooks", {"request": REQUEST}).link("self")
    assert pair.delete(path).status == 204
    assert [pair.get(path).status, pair.delete(path).status] == [404, 404]


@pytest.mark.parametrize(
    ("path", "sides"),
    [
        ("/webhooks/provider/Ledger/consumer/Till", SIDES),
        ("/pacts/provider/Ledger/consumer/Till/webhooks", SIDES),
        ("/webhooks/provider/Ledger", {"provider": {"name": "Ledger"}}),
        ("/webhooks/consumer/Till", {"consumer": {"name": "Till"}}),
    ],
)
def test_the_sides_of_the_path_count(pair: Api, path: str, sides: dict[str, Any]) -> None:
    webhook = pair.post(path, {"request": REQUEST}).json()
    assert {role: webhook[role] for role in ("consumer", "provider") if role in webhook} == sides
    listed = pair.get(path).json()["_links"]["pb:webhooks"]
    assert [link["href"] for link in listed] == [webhook["_links"]["self"]["href"]]


def test_the_list_of_all_webhooks_can_be_filtered_by_the_pacticipants_that_they_name(pair: Api) -> None:
    sides: dict[str, dict[str, Any]] = {
        "pair": SIDES,
        "consumer": {"consumer": SIDES["consumer"]},
        "provider": {"provider": SIDES["provider"]},
        "all": {},
        "label": {"consumer": {"label": "web"}, "provider": SIDES["provider"]},
    }
    for description, body in sides.items():
        pair.post("/webhooks", {"description": description, "request": REQUEST, **body})

    def listed(query: str) -> set[str]:
        entries = pair.get(f"/webhooks{query}").json()["_links"]["pb:webhooks"]
        return {entry["name"] for entry in entries}

    assert listed("") == set(sides)
    assert listed("?consumer=Till") == {"pair", "consumer"}
    assert listed("?provider=Ledger") == {"pair", "provider", "label"}
    assert listed("?consumer=Till&provider=Ledger") == {"pair"}
    assert listed("?consumer=Nobody") == set()
    assert pair.get("/webhooks?consumer=").json() == {"errors": {"consumer": ["cannot be blank"]}}
    assert pair.get("/webhooks?consumer[]=Till").json() == {"errors": {"consumer": ["must be a string"]}}


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks",
        "/webhooks?consumer=Till",
        "/webhooks/provider/Ledger/consumer/Till",
        "/pacts/provider/Ledger/consumer/Till/webhooks",
    ],
)
def test_lists_contain_each_webhook_as_it_is_read_alone(pair: Api, path: str) -> None:
    webhooks = [
        pair.post("/webhooks", {"request": REQUEST, **SIDES, "description": name}).json() for name in ("a", "b")
    ]
    listed = pair.get(path).json()
    assert listed["_embedded"]["webhooks"] == [
        pair.get(webhook["_links"]["self"]["href"]).json() for webhook in webhooks
    ]
    assert [link["name"] for link in listed["_links"]["pb:webhooks"]] == ["a", "b"]


def test_lists_hold_the_webhooks_of_exactly_their_sides(pair: Api) -> None:
    for sides in (
        {},
        SIDES,
        {"provider": {"name": "Ledger"}},
        {"consumer": {"label": "l"}, "provider": {"name": "Ledger"}},
    ):
        pair.post("/webhooks", {"request": REQUEST, **sides})

    def titles(path: str) -> list[str]:
        return [link["title"] for link in pair.get(path).json()["_links"]["pb:webhooks"]]

    both = "A webhook for the pact between Till and Ledger"
    of_provider = ["A webhook for all pacts with provider Ledger"]
    labelled = "A webhook for the pact between consumers labeled 'l' and Ledger"
    assert titles("/webhooks/provider/Ledger") == [*of_provider, labelled]
    assert titles("/webhooks/provider/Ledger/consumer/Till") == [both]
    assert titles("/webhooks/consumer/Till") == []
    assert titles("/webhooks") == ["A webhook for all pacts", both, *of_provider, labelled]


@pytest.mark.parametrize(
    ("path", "role", "name"),
    [
        ("/webhooks/provider/Nobody", "provider", "Nobody"),
        ("/webhooks/consumer/Nobody", "consumer", "Nobody"),
        ("/webhooks/provider/Nobody/consumer/No%20one", "consumer", "No one"),
        ("/pacts/provider/Ledger/consumer/No%20one/webhooks/status", "consumer", "No one"),
    ],
)
def test_a_pacticipant_that_is_missing_is_named(pair: Api, path: str, role: str, name: str) -> None:
    answer = pair.get(path)
    assert (answer.status, answer.json()) == (404, {"error": f"No {role} with name '{name}' found"})


SEE = "See /doc/webhooks#whitelist for more information."


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"request": ["is missing"]}),
        ({"request": {}}, {"request": ["must be filled"]}),
        ({"request": []}, {"request": ["must be a hash"]}),
        ({"request": {"method": "POST"}}, {"request.url": ["is missing"]}),
        ({"request": {**REQUEST, "method": "JUMP"}}, {"request.method": ["is not a recognised HTTP method"]}),
        ({"request": {**REQUEST, "method": "GET"}}, {"request.method": [f"must be POST. {SEE}"]}),
        ({"request": {**REQUEST, "url": 5}}, {"request.url": ["must be a string"]}),
        (
            {"request": {**REQUEST, "url": "example.org"}},
            {"request.url": ["is not a valid URL eg. http://example.org"]},
        ),
        (
            {"request": {**REQUEST, "url": "https://h:x/"}},
            {"request.url": ["is not a valid URL eg. http://example.org"]},
        ),
        (
            {"request": {**REQUEST, "url": "https://[::1/"}},
            {"request.url": ["is not a valid URL eg. http://example.org"]},
        ),
        ({"request": {**REQUEST, "url": "http://example.org"}}, {"request.url": [f"scheme must be https. {SEE}"]}),
        (
            {"request": {**REQUEST, "url": "https://${pactbroker.consumerName}/"}},
            {"request.url": ["cannot have a template parameter in the host"]},
        ),
        ({"request": {**REQUEST, "headers": None}}, {"request.headers": ["must be a hash"]}),
        ({"request": {**REQUEST, "headers": {"a": {}}}}, {"request.headers.a": ["must be a string"]}),
        (
            {"request": {**REQUEST, "headers": {"a": "b\r\nevil: yes"}}},
            {"request.headers.a": ["cannot contain multiple lines"]},
        ),
        (
            {"request": {**REQUEST, "headers": {"a b": "c"}}},
            {"request.headers": ["'a b' is not a valid header name"]},
        ),
        ({"request": {**REQUEST, "password": 5}}, {"request.password": ["must be a string"]}),
        ({"request": REQUEST, "events": ["contract_published"]}, {"events": ["must be a hash (at index 0)"]}),
        ({"request": REQUEST, "events": "x"}, {"events": ["must be an array"]}),
        ({"request": REQUEST, "enabled": "yes"}, {"enabled": ["must be boolean"]}),
        ({"request": REQUEST, "consumer": {"name": " "}}, {"consumer.name": ["cannot be blank"]}),
        ({"request": REQUEST, "provider": {"label": 5}}, {"provider.label": ["must be a string"]}),
        ({"request": REQUEST, "tags": "prod"}, {"tags": ["must be an array of strings"]}),
        ({"request": REQUEST, "mainBranchOnly": 1}, {"mainBranchOnly": ["must be boolean"]}),
        ({"request": REQUEST, "pauseWhenFailing": "yes"}, {"pauseWhenFailing": ["must be boolean"]}),
        ({"request": REQUEST, "secret": 1}, {"secret": ["must be a string"]}),
        ({"request": REQUEST, "description": []}, {"description": ["must be a string"]}),
    ],
)
def test_an_invalid_webhook_returns_its_errors_by_field(
    pair: Api, body: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    assert _errors(pair.post("/webhooks", body)) == errors
    assert _errors(pair.put("/webhooks/an-uuid-of-our-own", body)) == errors
    assert _errors(pair.post("/webhooks/execute", body)) == errors


def test_a_label_beside_the_name_of_the_path_is_refused(pair: Api) -> None:
    answer = pair.post("/webhooks/consumer/Till", {"request": REQUEST, "consumer": {"label": "l"}})
    assert _errors(answer) == {"consumer.label": ["name and label cannot be provided at the same time"]}


def test_hosts_that_are_not_on_the_whitelist_are_refused(make_api: Callable[..., Api]) -> None:
    api = make_api(webhook_host_whitelist=(r"/.*-ok\..*/", "b.example", "10.0.0.0/8"))
    refused = api.post("/webhooks", {"request": {"method": "POST", "url": "https://elsewhere.example/"}})
    assert _errors(refused) == {
        "request.url": [f'host must be in the whitelist /.*-ok\\..*/, "b.example", "10.0.0.0/8". {SEE}']
    }
    for host in ("it-is-ok.example", "b.example", "10.1.2.3"):
        assert api.post("/webhooks", {"request": {"method": "POST", "url": f"https://{host}/"}}).status == 201


def test_several_methods_can_be_allowed(make_api: Callable[..., Api]) -> None:
    api = make_api(webhook_http_method_whitelist=("POST", "GET"))
    assert api.post("/webhooks", {"request": {**REQUEST, "method": "get"}}).status == 201
    assert _errors(api.post("/webhooks", {"request": {**REQUEST, "method": "PUT"}})) == {
        "request.method": [f"must be one of POST, GET. {SEE}"]
    }


def test_filters_are_kept_and_shown(pair: Api) -> None:
    filters = {"consumerBranches": ["main"], "providerBranches": [], "tags": ["t"], "environments": ["prod"]}
    webhook = pair.post("/webhooks", {"request": REQUEST, **filters, "mainBranchOnly": True}).json()
    assert {name: webhook[name] for name in (*filters, "mainBranchOnly")} == {**filters, "mainBranchOnly": True}


def test_removing_a_pacticipant_removes_its_webhooks(pair: Api) -> None:
    path = pair.post("/webhooks", {"request": REQUEST, **SIDES}).link("self")
    assert pair.delete("/pacticipants/Ledger").status == 204
    assert pair.get(path).status == 404
