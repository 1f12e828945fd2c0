"""Secrets of webhooks are managed with forms, which never contain their values."""

import base64

import pytest

from tests.api.credentials import PASSWORD
from tests.databases import on_sqlite
from tests.pages.conftest import read_fields
from tests.pages.webhook_forms import FIELDS, create_webhook
from treaty.model.accounts.access import Role

BASIC = {"authorization": "Basic " + base64.b64encode(f"ci:{PASSWORD}".encode()).decode()}
SECRET = {"name": "TOKEN", "value": "planted-value", "description": "Builds", "origins": "ci.example.org\r\n"}
pytestmark = on_sqlite


@pytest.fixture
def api(make_api):
    """An application with a user in its settings that may manage secrets."""
    return make_api(basic_auth_username="ci", basic_auth_password=PASSWORD)


@pytest.fixture
def see(show):
    return lambda path: show(path, headers=BASIC)


@pytest.fixture
def send(submit):
    return lambda path, fields: submit(path, fields, **BASIC)


def _hook(send, **more):
    return create_webhook(send, **more)


def test_a_secret_is_created_used_changed_and_deleted(api, see, send):
    assert "/secrets" in see("/webhooks").links
    assert "There are no secrets" in see("/secrets").text
    assert send("/secrets/new", SECRET).moved_to == "/secrets?done=created"
    hook = _hook(send, headers="Authorization: Bearer ${user.TOKEN}")
    listed = see("/secrets")
    assert "TOKEN Builds https://ci.example.org Build it" in listed.text
    assert hook in listed.links
    edit_path = next(link for link in listed.links if link.endswith("/edit"))
    edit = see(edit_path)
    assert (edit.field("name")["value"], edit.field("value")["value"]) == ("TOKEN", "")
    assert edit.areas("origins") == ["https://ci.example.org"]
    fields = {**read_fields(edit), "description": "Other"}
    assert send(edit_path, fields).moved_to == "/secrets?done=saved"
    changed = see("/secrets")
    assert "TOKEN Other" in changed.text
    delete_path = edit_path.replace("/edit", "/delete")
    delete = see(delete_path)
    assert "1 webhook uses it" in delete.text
    assert hook in delete.links
    assert not [page for page in (listed, edit, changed, delete) if "planted" in page.answer.text]
    assert send(delete_path, {}).moved_to == "/secrets?done=deleted"
    assert api.get("/secrets", headers=BASIC).json()["_embedded"]["secrets"] == []


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"name": ""}, "name", "can only contain"),
        ({"name": "a b"}, "name", "can only contain"),
        ({"value": ""}, "value", "at least 4 characters"),
        ({"origins": "https://ci.example.org/path"}, "origins", "without a path"),
    ],
)
def test_a_mistake_is_explained_beside_its_field(send, changes, field, text):
    shown = send("/secrets/new", {**SECRET, **changes})
    assert shown.status == 400
    assert text in shown.text
    assert f"{field}-wrong" in shown.ids
    assert "planted" not in shown.answer.text


def test_a_secret_in_use_keeps_its_name(see, send):
    send("/secrets/new", SECRET)
    _hook(send, headers="Authorization: Bearer ${user.TOKEN}")
    edit_path = next(link for link in see("/secrets").links if link.endswith("/edit"))
    refused = send(edit_path, {**SECRET, "name": "OTHER"})
    assert refused.status == 409
    assert "Build it" in refused.text
    assert "name-wrong" in refused.ids


def test_a_webhook_form_does_not_send_a_secret_to_another_server(see, send):
    path = _hook(send, password="planted-password", username="ci", secret="planted-signing")  # noqa: S106 - of the test
    fields = {**read_fields(see(f"{path}/edit")), "url": "https://evil.example/"}
    for preview in ({}, {"preview": "yes"}):
        refused = send(f"{path}/edit", {**fields, **preview})
        assert refused.status == 400
        for title in ("the header 'authorization'", "the password", "the signing secret"):
            assert f"enter the secrets again: {title} was entered for https://ci.example.org" in refused.text
        assert {"headers-wrong", "password-wrong", "secret-wrong"} <= set(refused.ids)
        assert "planted" not in refused.answer.text
    again = {"headers": "Authorization: Bearer new", "password": "another", "secret": "another"}
    assert send(f"{path}/edit", {**fields, **again}).status == 303


def test_a_form_names_an_unknown_secret(send):
    for preview in ({}, {"preview": "yes"}):
        refused = send("/webhooks/new", {**FIELDS, "body": "${user.MISSING}", **preview})
        assert refused.status == 400
        assert "secret with the name 'missing'" in refused.text.lower()


def test_an_unapproved_server_is_explained_in_the_form(accounts, show, submit):
    writer = {"authorization": f"Bearer {accounts(Role.READ_WRITE).text}"}
    submit("/secrets/new", {**SECRET, "origins": "https://other.example"}, **BASIC)
    fields = {**FIELDS, "body": "${user.TOKEN}"}
    refused = submit("/webhooks/new", fields, **writer)
    assert refused.status == 403
    assert "may be sent to https://other.example, not to https://ci.example.org" in refused.text
    assert "url-wrong" in refused.ids
    preview = submit("/webhooks/new", {**fields, "preview": "yes"}, **writer)
    assert "The request cannot be built: The secret 'TOKEN' may be sent to" in preview.text
    approved = submit("/webhooks/new", {**fields, "preview": "yes"}, **BASIC)
    assert "**********" in approved.text
    assert "planted" not in approved.answer.text
    assert show("/secrets", headers=writer).status == 200
    assert show("/secrets/new", headers=writer).status == 403
