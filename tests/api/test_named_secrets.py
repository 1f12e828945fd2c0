"""Named secrets: webhooks use them, approved servers receive them, and no response contains them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import SECRET_KEY, Answer, Api
from tests.api.credentials import PASSWORD
from tests.databases import on_sqlite
from tests.receiver import Receiver, Reply
from treaty.actions.maintenance.key_rotation import reencrypt
from treaty.model.accounts.access import Role
from treaty.settings import Secret, Settings
from treaty.store.engine.vault import get_vault
from treaty.store.maintenance.encrypted_columns import ENCRYPTED_COLUMNS

VALUE = 'planted "val&1"/1'
OPEN = {"webhook_scheme_whitelist": ("http", "https"), "webhook_host_whitelist": ("127.0.0.1", "localhost")}
ANYWHERE = {"webhook_scheme_whitelist": ("http", "https")}


class Client:
    """A client of the API with a role."""

    def __init__(self, api: Api, token: str) -> None:
        self.api = api
        self.headers = {"authorization": f"Bearer {token}"}

    def send(self, method: str, path: str, body: object = None, **options: Any) -> Answer:
        return self.api.request(method, path, body, headers=self.headers, **options)

    def hook(self, url: str, **request: Any) -> Answer:
        return self.send("POST", "/webhooks", {"request": {"method": "POST", "url": url, **request}})


@pytest.fixture
def clients(make_api: Callable[..., Api], accounts) -> Callable[..., dict[str, Client]]:
    """Make clients of each role, of a server with these settings."""
    tokens = {role: accounts(role).text for role in Role}

    def make(**settings: Any) -> dict[str, Client]:
        api = make_api(**settings)
        return {role.value: Client(api, token) for role, token in tokens.items()}

    return make


@pytest.fixture
def admin(clients) -> Client:
    client: Client = clients(**ANYWHERE)["administrator"]
    return client


def _add(client: Client, name: str = "TOKEN", value: str = VALUE, **more: Any) -> str:
    response = client.send("POST", "/secrets", {"name": name, "value": value, **more})
    assert response.status == 201, response.text
    return response.link("self")


def _errors(answer: Answer, status: int = 400) -> Any:
    assert answer.status == status, answer.text
    return answer.json().get("errors") or answer.json()["error"]


# The resource


def test_a_secret_is_created_listed_changed_and_deleted_without_its_value(admin: Client) -> None:
    body = {"name": "TOKEN", "value": VALUE, "description": "d", "teamUuid": None}
    response = admin.send("POST", "/secrets", body)
    assert response.status == 201
    created = response.json()
    assert created["_links"]["self"]["href"].rpartition("/")[2] == created["uuid"]
    assert response.headers["location"] == created["_links"]["self"]["href"]
    path = response.link("self")
    assert (created["name"], created["description"], created["allowedOrigins"]) == ("TOKEN", "d", [])
    assert admin.send("GET", path).json() == created
    assert admin.send("GET", "/secrets").json()["_embedded"]["secrets"] == [created]
    changed = admin.send(
        "PUT", path, {"name": "OTHER", "allowedOrigins": ["ci.example.org", "http://CI.example.org:80/"]}
    )
    assert changed.status == 200
    assert (changed.json()["name"], changed.json()["description"]) == ("OTHER", "d")
    assert changed.json()["allowedOrigins"] == ["https://ci.example.org", "http://ci.example.org"]
    assert "description" not in admin.send("PUT", path, {"description": None}).json()
    answers = [response, changed, admin.send("GET", path), admin.send("GET", "/secrets")]
    assert not [answer for answer in answers if "planted" in answer.text]
    assert admin.send("DELETE", path).status == 204
    assert [admin.send(method, path, {}).status for method in ("GET", "PUT", "DELETE")] == [404, 404, 404]


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        ({"value": VALUE}, "name", "is missing"),
        ({"name": "A"}, "value", "is missing"),
        ({"name": "A", "value": ""}, "value", "must be filled"),
        ({"name": "A", "value": 1}, "value", "must be a string"),
        ({"name": "A B", "value": VALUE}, "name", "can only contain"),
        ({"name": "A}", "value": VALUE}, "name", "can only contain"),
        ({"name": "A" * 101, "value": VALUE}, "name", "can only contain"),
        ({"name": "A", "value": "abc"}, "value", "at least 4 characters"),
        ({"name": "A", "value": " abcd"}, "value", "without spaces at its ends"),
        ({"name": "TAKEN", "value": VALUE}, "name", "already used"),
        (
            {"name": "A", "value": VALUE, "allowedOrigins": ["https://h.example/path"]},
            "allowedOrigins",
            "without a path",
        ),
        ({"name": "A", "value": VALUE, "allowedOrigins": ["*.example"]}, "allowedOrigins", "must be an origin"),
        ({"name": "A", "value": VALUE, "allowedOrigins": ["ftp://h.example"]}, "allowedOrigins", "must be an origin"),
        ({"name": "A", "value": VALUE, "allowedOrigins": [""]}, "allowedOrigins", "must be an origin"),
    ],
)
@on_sqlite
def test_an_invalid_secret_is_refused_with_the_reason(admin: Client, body, field, text) -> None:
    _add(admin, "TAKEN")
    errors = _errors(admin.send("POST", "/secrets", body))
    assert list(errors) == [field]
    assert text in str(errors[field])


@on_sqlite
def test_only_callers_that_may_manage_secrets_write_them(clients) -> None:
    roles = clients()
    path = _add(roles["administrator"])
    writer, reader = roles["read-write"], roles["read-only"]
    refused = writer.send("POST", "/secrets", {"name": "A", "value": VALUE})
    assert (refused.status, refused.json()["missingPermission"]) == (403, "manage secrets")
    assert [writer.send(method, path, {}).status for method in ("PUT", "DELETE")] == [403, 403]
    assert [writer.send("GET", url).status for url in ("/secrets", path)] == [200, 200]
    assert [reader.send("GET", url).status for url in ("/secrets", path)] == [403, 403]


@on_sqlite
def test_the_user_of_the_settings_manages_secrets_and_open_access_does_not(make_api) -> None:
    body = {"name": "A", "value": VALUE}
    assert make_api().post("/secrets", body).status == 401
    api = make_api(basic_auth_username="ci", basic_auth_password=PASSWORD)
    basic = {"authorization": "Basic Y2k6YSBzdGFwbGVkIGhvcnNlLCBjb3JyZWN0bHk="}
    assert api.post("/secrets", body, headers=basic).status == 201


# Use in webhooks


def test_webhooks_send_secrets_everywhere_in_a_request_and_show_them_nowhere(clients, receiver: Receiver) -> None:
    admin = clients(**OPEN)["administrator"]
    _add(admin)
    _add(admin, "USER", "planted user")
    # The receiver echoes all that it got.
    in_urls = "planted+%22val%261%22%2f1 planted%20%22val%261%22/1"
    echo = f"{VALUE} {json.dumps(VALUE)} {in_urls} planted &quot;val&amp;1&quot;/1"
    receiver.replies = [Reply(200, echo.encode(), {"x-echo": "planted user"})]
    request = {
        "headers": {
            "X-Key": "part-${user.TOKEN}",
            "X-Plain": "${secret.TOKEN}",
            "X-User": "${user.USER}",
            "Content-Type": "application/json",
        },
        "body": {"token": "${user.TOKEN}", "all": ["${secret.TOKEN}", '{"in": "${user.TOKEN}"}']},
    }
    response = admin.hook(f"{receiver.url}/${{user.TOKEN}}/x?key=${{secret.TOKEN}}", **request)
    assert response.status == 201, response.text
    assert response.json()["request"]["headers"]["x-plain"] == "${secret.TOKEN}"
    assert response.json()["request"]["headers"]["x-key"] == "*" * 10
    tested = admin.send("POST", f"{response.link('self')}/execute")
    assert tested.json()["success"] is True, tested.text
    assert "planted" not in tested.text
    assert "val&1" not in tested.text
    (arrival,) = receiver.arrivals
    assert arrival.path == "/planted%20%22val%261%22%2F1/x?key=planted+%22val%261%22%2F1"
    assert (arrival.headers["x-key"], arrival.headers["x-plain"]) == (f"part-{VALUE}", VALUE)
    assert arrival.json() == {"token": VALUE, "all": [VALUE, json.dumps({"in": VALUE})]}


@on_sqlite
def test_user_and_password_can_be_secrets(clients, receiver: Receiver) -> None:
    admin = clients(**OPEN)["administrator"]
    _add(admin, "USER", "aladdin")
    _add(admin, "PASSWORD", "opensesame")
    response = admin.hook(receiver.url, username="${user.USER}", password="${user.PASSWORD}")  # noqa: S106 - placeholders
    shown = response.json()["request"]
    assert (shown["username"], shown["password"]) == ("${user.USER}", "${user.PASSWORD}")
    tested = admin.send("POST", f"{response.link('self')}/execute")
    assert receiver.arrivals[0].headers["authorization"] == "Basic YWxhZGRpbjpvcGVuc2VzYW1l"
    assert "YWxhZGRpbjpvcGVuc2VzYW1l" not in tested.text


@pytest.mark.parametrize(
    "url", ["https://${user.TOKEN}/", "https://h.example:${user.TOKEN}/", "${user.TOKEN}://h.example/"]
)
@on_sqlite
def test_a_secret_cannot_choose_the_server(admin: Client, url: str) -> None:
    _add(admin)
    assert "request.url" in _errors(admin.hook(url))


@on_sqlite
def test_an_unknown_secret_is_named(admin: Client) -> None:
    for text in ("${user.MISSING}", "${secret.MISSING}", "Bearer abc${user.MISSING}"):
        answer = admin.hook("https://ci.example.org/", headers={"Authorization": text})
        assert "There is no secret with the name 'MISSING'" in str(_errors(answer))
    assert "'A B'" in str(_errors(admin.hook("https://ci.example.org/", body={"${user.A B}": 1})))
    unsaved = {"request": {"method": "POST", "url": "https://ci.example.org/${user.MISSING}"}}
    assert "'MISSING'" in str(_errors(admin.send("POST", "/webhooks/execute", unsaved)))


def test_a_secret_is_sent_to_approved_servers_only(clients) -> None:
    roles = clients(**ANYWHERE)
    admin, writer = roles["administrator"], roles["read-write"]
    path = _add(admin, allowedOrigins=["https://ci.example.org"])
    allowed = writer.hook("https://ci.example.org:443/a", body="${user.TOKEN}")
    assert allowed.status == 201, allowed.text
    hook = allowed.link("self")
    places: list[dict[str, object]] = [
        {"url": "https://evil.example/", "body": "${user.TOKEN}"},
        {"url": "https://evil.example/", "headers": {"X-A": "a ${secret.TOKEN}"}},
        {"url": "https://evil.example/${user.TOKEN}"},
        {"url": "http://ci.example.org/", "body": {"a": ["${user.TOKEN}"]}},
        {"url": "https://ci.example.org:8443/", "body": {"${user.TOKEN}": 1}},
        {"url": "https://evil.example/", "username": "${user.TOKEN}", "password": "p"},
        {"url": "https://evil.example/", "username": "u", "password": "p${user.TOKEN}"},
    ]
    for place in places:
        body = {"request": {"method": "POST", **place}}
        for method, target in (("POST", "/webhooks"), ("PUT", hook), ("POST", "/webhooks/execute")):
            refused = writer.send(method, target, body)
            assert refused.status == 403, (place, target, refused.text)
            assert refused.json()["missingPermission"] == "manage secrets"
            assert "may be sent to https://ci.example.org, not to" in refused.text
    assert len(writer.send("GET", "/webhooks").json()["_links"]["pb:webhooks"]) == 1
    # An administrator approves a server by saving a webhook.
    assert admin.hook("https://new.example/", body="${user.TOKEN}").status == 201
    assert admin.send("GET", path).json()["allowedOrigins"] == ["https://ci.example.org", "https://new.example"]
    assert writer.hook("https://new.example/other", body="${user.TOKEN}").status == 201


def test_a_server_that_is_no_longer_approved_gets_nothing(clients, receiver: Receiver) -> None:
    admin = clients(**OPEN)["administrator"]
    path = _add(admin)
    hook = admin.hook(receiver.url, body="${user.TOKEN}").link("self")
    admin.send("PUT", path, {"allowedOrigins": ["https://elsewhere.example"]})
    tested = admin.send("POST", f"{hook}/execute").json()
    assert tested["success"] is False
    assert "may be sent to https://elsewhere.example, not to http://127.0.0.1" in tested["error"]["message"]
    assert receiver.arrivals == []


def test_a_secret_in_use_is_neither_deleted_nor_renamed(clients, receiver: Receiver) -> None:
    admin = clients(**OPEN)["administrator"]
    path = _add(admin)
    hook = admin.send(
        "POST",
        "/webhooks",
        {
            "description": "Build",
            "request": {"method": "POST", "url": receiver.url, "headers": {"A": "x${user.TOKEN}"}},
        },
    ).link("self")
    for answer in (admin.send("DELETE", path), admin.send("PUT", path, {"name": "OTHER"})):
        assert f"Build ({hook.rpartition('/')[2]})" in str(_errors(answer, 409))
    assert admin.send("PUT", path, {"name": "TOKEN", "value": "another planted"}).status == 200
    admin.send("POST", f"{hook}/execute")
    assert receiver.arrivals[0].headers["a"] == "xanother planted"
    assert admin.send("DELETE", f"{path}?force=true").status == 204
    tested = admin.send("POST", f"{hook}/execute").json()
    assert tested["success"] is False
    assert "There is no secret with the name 'TOKEN'" in tested["logs"]
    assert len(receiver.arrivals) == 1


@on_sqlite
def test_a_placeholder_in_a_name_is_not_replaced(clients, receiver: Receiver) -> None:
    """Clients that publish choose the names of applications and versions."""
    admin = clients(**OPEN)["administrator"]
    _add(admin, allowedOrigins=[receiver.url])
    name = "${user.TOKEN}"
    admin.send("POST", "/contracts/publish", _publication(name))
    hook = admin.hook(receiver.url, body="${pactbroker.consumerVersionBranch} ${user.TOKEN}").link("self")
    admin.send("POST", f"{hook}/execute")
    assert receiver.arrivals[0].body.decode() == f"{name} {VALUE}"


def _publication(branch: str) -> dict[str, Any]:
    contract = {
        "consumerName": "Till",
        "providerName": "Ledger",
        "specification": "pact",
        "contentType": "application/json",
    }
    return {
        "pacticipantName": "Till",
        "pacticipantVersionNumber": "1",
        "branch": branch,
        "contracts": [{**contract, "content": "eyJpbnRlcmFjdGlvbnMiOltdfQ=="}],
    }


@on_sqlite
def test_the_beginning_of_a_secret_at_the_end_of_a_truncated_response_is_masked(clients, receiver: Receiver) -> None:
    admin = clients(**OPEN, webhook_max_response_bytes=20)["administrator"]
    _add(admin, value="0123456789abcdef")
    receiver.replies = [Reply(200, b"you sent 0123456789abcdef")]
    hook = admin.hook(receiver.url, body="${user.TOKEN}").link("self")
    tested = admin.send("POST", f"{hook}/execute")
    assert "you sent" in tested.json()["logs"]
    assert "0123" not in tested.text


# At rest


def test_secrets_are_encrypted_and_a_new_key_reencrypts_them(clients, database, receiver: Receiver) -> None:
    admin = clients(**OPEN)["administrator"]
    _add(admin)
    hook = admin.hook(receiver.url, body="${user.TOKEN}").link("self")
    settings = Settings(secret_key=Secret("a newer key of the tests"), previous_secret_keys=(Secret(SECRET_KEY),))
    columns = [column for column in ENCRYPTED_COLUMNS if column.column.table.name == "secret"]
    stored = [_stored(database)]
    for column in columns:
        database.write(lambda db, column=column: reencrypt(db, column, get_vault(settings), after=None))
    stored.append(_stored(database))
    assert stored[0] != stored[1]
    assert all(text.startswith("v2:") and "planted" not in text for text in stored)
    newer = clients(**OPEN, secret_key="a newer key of the tests", previous_secret_keys=(SECRET_KEY,))["administrator"]  # noqa: S106 - of the test
    newer.send("POST", f"{hook}/execute")
    assert receiver.arrivals[-1].body.decode() == VALUE


def _stored(database) -> str:
    text: str = database.read(lambda db: db.exec_driver_sql("SELECT value FROM secret").scalar_one())
    return text


def test_the_audit_trail_names_secrets_without_their_values(admin: Client) -> None:
    path = _add(admin)
    admin.send("PUT", path, {"value": "another planted"})
    admin.hook("https://ci.example.org/", body="${user.TOKEN}")
    admin.send("DELETE", f"{path}?force=true")
    text = admin.send("GET", "/audit?size=100").text
    assert "planted" not in text
    events = [event for event in json.loads(text)["events"] if event["type"].startswith("secret_")]
    assert [event["type"] for event in events] == [
        "secret_creation",
        "secret_change",
        "secret_change",
        "secret_removal",
    ]
    assert "https://ci.example.org" in json.dumps(events[2])
    assert "(hidden, changed)" in json.dumps(events[1])


def test_two_requests_cannot_create_the_same_secret(admin: Client) -> None:
    _add(admin)
    assert "already used" in str(_errors(admin.send("POST", "/secrets", {"name": "TOKEN", "value": VALUE})))


@on_sqlite
def test_named_secrets_are_masked_even_without_redaction(clients, receiver: Receiver) -> None:
    admin = clients(**OPEN, webhook_redact_sensitive_data=False)["administrator"]
    _add(admin)
    hook = admin.hook(receiver.url, body="${user.TOKEN} of ${pactbroker.consumerName}").link("self")
    logs = admin.send("POST", f"{hook}/execute").json()["logs"]
    assert "********** of" in logs
    assert "planted" not in logs
