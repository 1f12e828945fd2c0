"""The requests of Terraform's provider for Pact. It plans a change unless it reads resources as it wrote them."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pytest

from tests.api.client import Answer, Api
from tests.api.credentials import PASSWORD
from treaty.model.accounts.access import Role

pytestmark = pytest.mark.slow_on_postgresql  # about requests; other tests have the same statements

UUID = "99643109-adb0-4e68-b25f-7b14d6bcae16"
PARAMETER = {"pact": "${pactbroker.pactUrl}"}
FORM = 'json={"parameter": [{"name": "TAG_AND_PUSH", "value": "false"}]}'


class Terraform:
    """Sends requests with the provider's headers."""

    def __init__(self, api: Api, authorization: str) -> None:
        self._api = api
        self._headers = {"authorization": authorization, "user-agent": "go-pact/0.12.0"}

    def send(self, method: str, path: str, body: object = None) -> Answer:
        # Go's encoder ends the body with a line break. Without a body, there is no type.
        text = None if body is None else json.dumps(body).encode() + b"\n"
        return self._api.request(
            method,
            path,
            text,
            accept="application/hal+json, application/json",
            type=None if body is None else "application/json",
            headers=self._headers,
        )

    def fetch(self, path: str) -> Any:
        answer = self.send("GET", path)
        assert answer.status == 200, answer.text
        return answer.json()

    def create(self, path: str, body: object) -> Any:
        answer = self.send("POST", path, body)
        assert answer.status == 201, answer.text
        return answer.json()

    def change(self, method: str, path: str, body: object) -> Any:
        answer = self.send(method, path, body)
        assert answer.status == 200, answer.text
        return answer.json()

    def destroy(self, path: str) -> None:
        assert self.send("DELETE", path).status == 204
        assert self.send("GET", path).status == 404


@pytest.fixture
def terraform(api: Api, accounts: Callable[..., Any]) -> Terraform:
    return Terraform(api, f"Bearer {accounts(Role.ADMINISTRATOR).text}")


def test_an_application_is_created_read_changed_and_destroyed(terraform):
    application = {
        "name": "AdminUI",
        "repositoryUrl": "github.com/foo/admin",  # without a scheme, as in the provider's own example
        "mainBranch": "main",
        "displayName": "Admin UI",
    }
    assert application.items() <= terraform.create("/pacticipants", application).items()
    assert application.items() <= terraform.fetch("/pacticipants/AdminUI").items()
    changed = {**application, "repositoryUrl": "https://github.com/foo/ui"}
    assert changed.items() <= terraform.change("PATCH", "/pacticipants/AdminUI", changed).items()
    (listed,) = terraform.fetch("/pacticipants")["_embedded"]["pacticipants"]
    assert changed.items() <= listed.items()
    terraform.destroy("/pacticipants/AdminUI")


@pytest.mark.parametrize("teams", [[], None])
def test_an_environment_is_created_read_changed_and_destroyed(terraform, teams):
    """The provider always sends a UUID and teams, which are empty with an open-source broker."""
    environment = {"name": "test", "displayName": "Test", "production": False}
    created = terraform.create("/environments", {**environment, "uuid": "", "teamUuids": teams})
    assert environment.items() <= created.items()
    path = f"/environments/{created['uuid']}"
    assert {**environment, "uuid": created["uuid"]}.items() <= terraform.fetch(path).items()
    changed = {**environment, "displayName": "For tests", "production": True, "uuid": created["uuid"]}
    assert changed.items() <= terraform.change("PUT", path, {**changed, "teamUuids": teams}).items()
    assert changed.items() <= terraform.fetch(path).items()
    terraform.destroy(path)


@pytest.mark.parametrize(
    ("sides", "request_members"),
    [
        ({}, {"body": FORM}),
        ({}, {"body": ""}),
        ({}, {"body": [1, {"of": None}]}),
        ({}, {"username": "", "password": "", "headers": {}, "body": PARAMETER}),
        ({"consumer": {"name": "AdminUI"}}, {"username": "test", "password": "password1", "body": PARAMETER}),
        (
            {"consumer": {"name": "AdminUI"}, "provider": {"name": "API"}},
            # The broker returns names of headers in lower case, so that a configuration must write them so.
            {"headers": {"x-content-type": "application/json", "content-type": "application/json"}, "body": PARAMETER},
        ),
    ],
)
def test_a_webhook_is_read_as_it_was_created_and_changed(terraform, sides, request_members):
    for name in ("AdminUI", "API"):
        terraform.create("/pacticipants", {"name": name})
    webhook = {
        "description": "Build the API",
        "enabled": True,
        "events": [{"name": "contract_requiring_verification_published"}, {"name": "contract_published"}],
        "request": {"method": "POST", "url": "https://ci.example.org/build", **request_members},
        **sides,
    }
    created = terraform.create("/webhooks", webhook)
    uuid = created["_links"]["self"]["href"].rpartition("/")[2]
    assert created["uuid"] == uuid
    path = f"/webhooks/{uuid}"
    assert state(terraform.fetch(path)) == state(webhook)
    changed = {**webhook, "id": uuid, "enabled": False, "events": [{"name": "provider_verification_failed"}]}
    terraform.change("PUT", path, changed)
    assert state(terraform.fetch(path)) == state(changed)
    terraform.destroy(path)


def state(webhook: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values that the provider compares with the configuration. A password stays if it reads asterisks."""
    request = webhook["request"]
    body = request.get("body")
    assert request.get("password", "") in {"", "password1"} or request["password"].startswith("*****")
    return {
        "description": webhook["description"],
        "enabled": webhook["enabled"],
        "consumer": webhook.get("consumer", {}).get("name"),
        "provider": webhook.get("provider", {}).get("name"),
        "events": sorted(event["name"] for event in webhook["events"]),
        "url": request["url"],
        "method": request["method"],
        "username": request.get("username", ""),
        "headers": request.get("headers") or {},
        "body": body if isinstance(body, str) else json.dumps(body, sort_keys=True),
    }


def test_a_secret_is_created_read_changed_and_destroyed_without_its_value(terraform):
    secret = {"name": "deployKey", "description": "of the build"}
    created = terraform.create("/secrets", {**secret, "value": "planted value 1"})
    uuid = created["_links"]["self"]["href"].rpartition("/")[2]
    path = f"/secrets/{uuid}"
    changed = {**secret, "description": "of all builds"}
    answers = [
        created,
        terraform.fetch(path),
        terraform.change("PUT", path, {**changed, "uuid": uuid, "value": "planted value 2"}),
        terraform.fetch(path),
    ]
    for expected, answer in zip((secret, secret, changed, changed), answers, strict=True):
        assert expected.items() <= answer.items()
        assert "planted value" not in json.dumps(answer)
    terraform.destroy(path)


def test_a_token_is_found_by_its_type_and_generated_again(api, accounts):
    accounts(Role.ADMINISTRATOR, "terraform")
    password = base64.b64encode(f"terraform:{PASSWORD}".encode()).decode()
    terraform = Terraform(api, f"Basic {password}")
    tokens = {token["description"]: token for token in terraform.fetch("/settings/tokens")["_embedded"]["items"]}
    for description in ("Read only token (developer)", "Read/write token (CI)"):
        generated = terraform.send("POST", f"/settings/tokens/{tokens[description]['uuid']}/regenerate")
        assert generated.status == 201, generated.text
        assert Terraform(api, f"Bearer {generated.json()['value']}").fetch("/pacticipants")


PAID: Final[Sequence[tuple[str, str, object]]] = [
    # People and their rights are managed by `treaty user`, on pages, or by a company's own sign-in.
    ("POST", "/admin/users/invite-user", {"name": "Ada", "email": "ada@example.org", "active": True}),
    ("GET", f"/admin/users/{UUID}", None),
    ("PUT", f"/admin/users/{UUID}", {"uuid": UUID, "active": False}),
    ("PUT", f"/admin/users/{UUID}/roles", {"roles": [UUID]}),
    ("PUT", f"/admin/users/{UUID}/role/admin", {"uuid": UUID}),
    ("DELETE", f"/admin/users/{UUID}/role/admin", {"uuid": UUID}),
    ("POST", "/admin/system-accounts", {"name": "builds"}),
    # Treaty has fixed roles, and scopes of tokens in place of roles of one's own.
    ("POST", "/admin/roles", {"name": "publisher", "permissions": [{"scope": "contract_data:manage:own"}]}),
    ("GET", f"/admin/roles/{UUID}", None),
    ("PUT", f"/admin/roles/{UUID}", {"uuid": UUID, "name": "publisher", "permissions": []}),
    ("DELETE", f"/admin/roles/{UUID}", None),
    # Treaty has no teams.
    ("POST", "/admin/teams", {"name": "payments", "pacticipantNames": ["AdminUI"]}),
    ("GET", f"/admin/teams/{UUID}", None),
    ("PUT", f"/admin/teams/{UUID}", {"uuid": UUID, "name": "payments"}),
    ("DELETE", f"/admin/teams/{UUID}", None),
    ("GET", f"/admin/teams/{UUID}/users", {"uuid": UUID}),
    ("PUT", f"/admin/teams/{UUID}/users", {"users": [UUID]}),
    ("POST", f"/admin/teams/{UUID}/users", {"users": [UUID]}),
    ("DELETE", f"/admin/teams/{UUID}/users", {"users": [UUID]}),
    ("DELETE", f"/admin/teams/{UUID}/users/{UUID}", None),
    # Settings of a tenant of the hosted product.
    ("GET", "/admin/tenant/authentication-settings", None),
    ("PUT", "/admin/tenant/authentication-settings", {"authenticationSettings": {"providers": {}}}),
]
"""The requests for the resources that only the paid product has."""


def test_resources_of_the_paid_product_are_missing(terraform):
    for method, path, body in PAID:
        answer = terraform.send(method, path, body)
        assert (answer.status, list(answer.json())) == (404, ["error"]), (method, path, answer.text)
