"""Secrets of webhooks stay with the server that they were entered for, and no response contains them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import Answer, Api
from tests.databases import on_sqlite
from tests.receiver import Receiver, Reply
from treaty.model.accounts.access import Role

pytestmark = pytest.mark.slow_on_postgresql  # about the contents of responses, and not about data

STARS = "*" * 10
URL = "https://ci.example.org/build"
OTHER = "https://evil.example/collect"
SECRETS: dict[str, Any] = {
    "headers": {"Authorization": "Bearer planted-1", "Deploy-Key": "planted-2", "X-Job": "7"},
    "username": "ci",
    "password": "planted-3",
}
OPEN = {"webhook_scheme_whitelist": ("http", "https"), "webhook_host_whitelist": ("127.0.0.1", "localhost")}


@pytest.fixture
def path(api: Api) -> str:
    """The path of a webhook with each kind of secret."""
    return api.post("/webhooks", {"request": {"method": "POST", "url": URL, **SECRETS}, "secret": "planted-4"}).link(
        "self"
    )


def _errors(answer: Answer) -> dict[str, list[str]]:
    assert answer.status == 400, answer.text
    errors: dict[str, list[str]] = answer.json()["errors"]
    return errors


# Another server


@pytest.mark.parametrize(
    ("request_change", "secret", "field"),
    [
        ({"headers": {"authorization": STARS}}, "new", "request.headers.authorization"),
        ({"headers": {"AUTHORIZATION": ""}}, "new", "request.headers.authorization"),
        ({"headers": {"deploy-key": "***"}}, "new", "request.headers.deploy-key"),
        ({"username": "ci"}, "new", "request.password"),
        ({"username": "ci", "password": STARS}, "new", "request.password"),
        ({"username": "ci", "password": ""}, "new", "request.password"),
        ({}, None, "secret"),
        ({}, STARS, "secret"),
    ],
)
def test_a_secret_is_not_kept_for_another_server(api: Api, path: str, request_change, secret, field) -> None:
    before = api.get(path).json()
    body = {"request": {"method": "POST", "url": OTHER, **request_change}, "secret": secret}
    errors = _errors(api.put(path, body))
    assert set(errors) == {field}
    assert "enter the secrets again" in errors[field][0]
    assert "was entered for https://ci.example.org, and the URL leads to https://evil.example now" in errors[field][0]
    assert api.get(path).json() == before


@pytest.mark.parametrize(
    "url",
    [
        "http://ci.example.org/build",
        "https://ci.example.org:8443/build",
        "https://ci.example.org./build",
        "https://ci.example.org.evil.example/build",
        "https://evil.example/?ci.example.org",
    ],
)
@on_sqlite
def test_another_scheme_host_or_port_is_another_server(make_api: Callable[..., Api], url: str) -> None:
    api = make_api(webhook_scheme_whitelist=("http", "https"))
    path = api.post("/webhooks", {"request": {"method": "POST", "url": URL, **SECRETS}}).link("self")
    errors = _errors(api.put(path, {"request": {"method": "POST", "url": url, **SECRETS, "password": STARS}}))
    assert set(errors) == {"request.password"}


@on_sqlite
def test_secrets_are_kept_for_other_paths_of_the_same_server(api: Api, path: str) -> None:
    for url in ("https://CI.example.org:443/other?x=1", "https://ci.example.org"):
        headers = {"authorization": STARS, "deploy-key": STARS}
        put = api.put(path, {"request": {"method": "POST", "url": url, "headers": headers, "username": "ci"}})
        assert put.status == 200, put.text
        assert put.json()["request"]["password"] == STARS
        assert put.json()["secret"] == STARS


def test_secrets_that_are_entered_again_move_with_the_webhook(api: Api, path: str) -> None:
    put = api.put(path, {"request": {"method": "POST", "url": OTHER, **SECRETS}, "secret": "planted-4"})
    assert put.status == 200
    assert put.json()["request"]["headers"] == {"authorization": STARS, "deploy-key": STARS, "x-job": "7"}


@on_sqlite
def test_a_webhook_moves_without_its_secrets(api: Api, path: str) -> None:
    put = api.put(path, {"request": {"method": "POST", "url": OTHER, "headers": {"x-job": "***"}}, "secret": ""})
    assert put.status == 200, put.text
    # Without a user there is no basic authentication, so the password is dropped.
    assert put.json()["request"] == {"method": "POST", "url": OTHER, "headers": {"x-job": "7"}}
    assert "secret" not in put.json()


@on_sqlite
@pytest.mark.parametrize(("method", "target"), [("PUT", "/webhooks/another-uuid-of-mine"), ("POST", "/webhooks")])
def test_a_copy_of_a_webhook_needs_its_secrets(api: Api, path: str, method: str, target: str) -> None:
    copy = api.get(path).json()
    errors = _errors(api.request(method, target, {"request": copy["request"], "secret": copy["secret"]}))
    assert set(errors) == {
        "request.headers.authorization",
        "request.headers.deploy-key",
        "request.password",
        "secret",
    }
    assert all("enter the secrets again" in text for texts in errors.values() for text in texts)


@on_sqlite
def test_a_test_of_an_unsaved_webhook_needs_its_secrets(make_api: Callable[..., Api], receiver: Receiver) -> None:
    api = make_api(**OPEN)
    request = {"method": "POST", "url": receiver.url, "headers": {"Authorization": "Bearer planted-1"}}
    path = api.post("/webhooks", {"request": request}).link("self")
    shown = api.get(path).json()
    assert set(_errors(api.post("/webhooks/execute", shown))) == {"request.headers.authorization"}
    assert receiver.arrivals == []
    assert api.post("/webhooks/execute", {"request": request}).json()["success"] is True


@on_sqlite
def test_the_url_contains_no_user(api: Api) -> None:
    errors = _errors(api.post("/webhooks", {"request": {"method": "POST", "url": "https://a:b@ci.example.org/"}}))
    assert "use username and password" in errors["request.url"][0]


# Webhooks as readers see them


def test_headers_that_could_be_credentials_are_masked_and_kept_by_their_mask(
    make_api: Callable[..., Api], receiver: Receiver
) -> None:
    api = make_api(**OPEN)
    headers = {"Deploy": "planted-1", "X-Api-Key": "planted-2", "X-Job": "7", "Accept": "text/plain"}
    path = api.post("/webhooks", {"request": {"method": "POST", "url": receiver.url, "headers": headers}}).link("self")
    shown = api.get(path).json()["request"]
    assert shown["headers"] == {"deploy": STARS, "x-api-key": STARS, "x-job": "7", "accept": "text/plain"}
    assert api.put(path, {"request": shown}).json()["request"] == shown
    receiver.replies = [Reply(200, b"heard planted-1 and planted-2")]
    tested = api.post(f"{path}/execute")
    assert "planted" not in tested.text
    (arrival,) = receiver.arrivals
    assert (arrival.headers["deploy"], arrival.headers["x-api-key"]) == ("planted-1", "planted-2")


@pytest.fixture
def tokens(accounts) -> dict[str, dict[str, str]]:
    """The credentials of each role."""
    return {role.value: {"authorization": f"Bearer {accounts(role).text}"} for role in Role}


def test_readers_see_neither_path_nor_body_of_a_webhook(make_api: Callable[..., Api], tokens) -> None:
    api = make_api()
    request = {"method": "POST", "url": "https://hooks.example/T0/planted-5", "body": {"key": "planted-6"}}
    writer, reader = tokens["read-write"], tokens["read-only"]
    response = api.post("/webhooks", {"request": {**request, "username": "planted-7"}}, headers=writer)
    path = response.link("self")
    assert api.get(path, headers=writer).json()["request"] == {**request, "username": "planted-7"}
    shown = api.get(path, headers=reader)
    hidden = {"method": "POST", "url": f"https://hooks.example/{STARS}", "body": STARS, "username": STARS}
    assert shown.json()["request"] == hidden
    assert shown.json()["description"] == "POST hooks.example"
    assert api.get("/webhooks", headers=reader).json()["_embedded"]["webhooks"] == [shown.json()]
    for page in (path, "/webhooks", f"{path}/delete"):
        assert "planted" not in api.get(page, accept="text/html", headers=reader).text
    for page in (f"{path}/edit", f"{path}/try"):
        assert api.get(page, accept="text/html", headers=reader).status == 403
    # Masked values, as a reader sees them, represent the stored values.
    put = api.put(path, {"request": shown.json()["request"]}, headers=writer)
    assert put.json()["request"] == {**request, "username": "planted-7"}
    body = {"request": {**hidden, "url": f"https://other.example/{STARS}"}}
    assert api.put(path, body, headers=writer).status == 400


WEBHOOK_PATHS = (
    "/webhooks",
    "/webhooks/{uuid}",
    "/webhooks/provider/Ledger",
    "/webhooks/consumer/Till",
    "/webhooks/provider/Ledger/consumer/Till",
    "/pacts/provider/Ledger/consumer/Till/webhooks",
    "/pacts/provider/Ledger/consumer/Till/webhooks/status",
    "/pacts/provider/Ledger/consumer/Till/version/1/triggered-webhooks",
    "/triggered-webhooks/{delivery}/logs",
    "/secrets",
)


@on_sqlite
def test_no_webhook_is_part_of_public_reading(make_api: Callable[..., Api], tokens) -> None:
    api, writer = make_api(allow_public_read=True), tokens["read-write"]
    publication = {"method": "POST", "url": "https://hooks.example/planted"}
    for name in ("Till", "Ledger"):
        api.post("/pacticipants", {"name": name}, headers=writer)
    response = api.post(
        "/webhooks", {"request": publication, "events": [{"name": "contract_published"}]}, headers=writer
    )
    pact = {"consumer": {"name": "Till"}, "provider": {"name": "Ledger"}, "interactions": []}
    api.put("/pacts/provider/Ledger/consumer/Till/version/1", pact, headers=writer)
    triggered = api.get("/pacts/provider/Ledger/consumer/Till/version/1/triggered-webhooks", headers=writer).json()
    delivery = triggered["_embedded"]["triggeredWebhooks"][0]["_links"]["pb:logs"]["href"].split("/")[-2]
    assert api.get("/pacticipants").status == 200
    for template in WEBHOOK_PATHS:
        path = template.format(uuid=response.json()["uuid"], delivery=delivery)
        answer = api.get(path, accept="*/*")
        assert answer.status == 401, path
        assert "Authorization: Bearer" in answer.text
        assert api.get(path, accept="*/*", headers=writer).status == 200, path
        page = api.get(path, accept="text/html")
        assert page.status in {303, 401}, path


@on_sqlite
def test_readers_see_the_failure_of_a_delivery_but_not_its_request(
    make_api: Callable[..., Api], tokens, database
) -> None:
    api, writer, reader = make_api(), tokens["read-write"], tokens["read-only"]
    request = {"method": "POST", "url": "https://hooks.example/planted"}
    api.post("/webhooks", {"request": request, "events": [{"name": "contract_published"}]}, headers=writer)
    pact = {"consumer": {"name": "Till"}, "provider": {"name": "Ledger"}, "interactions": []}
    api.put("/pacts/provider/Ledger/consumer/Till/version/1", pact, headers=writer)
    insert = (
        "INSERT INTO webhook_execution (triggered_webhook_id, success, status, milliseconds, created_at, logs)"
        " SELECT id, success, 500, 7, created_at, 'POST https://hooks.example/planted' FROM triggered_webhook"
        " CROSS JOIN (SELECT 1 = 0 AS success) AS outcome"
    )
    database.write(lambda db: db.exec_driver_sql(insert).close())
    listed = api.get("/pacts/provider/Ledger/consumer/Till/version/1/triggered-webhooks", headers=reader).json()
    path = listed["_embedded"]["triggeredWebhooks"][0]["_links"]["pb:logs"]["href"].removeprefix("http://localhost")
    (execution,) = api.get(path, headers=reader).json()["executions"]
    assert (execution["success"], execution["responseStatus"]) == (False, 500)
    for accept in ("application/hal+json", "text/plain", "text/html"):
        assert "planted" in api.get(path, accept=accept, headers=writer).text
        shown = api.get(path, accept=accept, headers=reader).text
        assert "planted" not in shown
        assert "shown to users who may manage webhooks" in shown


# The list of allowed hosts


@on_sqlite
def test_a_host_that_is_no_longer_on_the_list_gets_no_delivery(
    make_api: Callable[..., Api], receiver: Receiver
) -> None:
    api = make_api(**OPEN)
    path = api.post("/webhooks", {"request": {"method": "POST", "url": receiver.url}}).link("self")
    assert api.post(f"{path}/execute").json()["success"] is True
    for hosts in (("ci.example.org",), ("10.0.0.0/8",), (r"/127\.0\.0\.1/",)):
        stricter = make_api(webhook_scheme_whitelist=("http", "https"), webhook_host_whitelist=hosts)
        tested = stricter.post(f"{path}/execute").json()
        assert tested["success"] is False
        assert "127.0.0.1 is not on the list in the setting webhook_host_whitelist" in tested["error"]["message"]
    assert len(receiver.arrivals) == 1
