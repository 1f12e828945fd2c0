"""Commands whose credentials lack a permission: they name it, and do not take the broker for an old one."""

import pytest

from tests.api.credentials import bearer
from tests.api.history import History
from tests.databases import on_sqlite
from treaty.model.accounts.access import Role
from treaty.model.accounts.scopes import Scope

SHOP = ("--pacticipant", "Shop", "--version", "1")
WEBHOOK = ("https://ci.example.org", "-X", "POST", "--contract-published")
UUID = "0123456789abcdef0123"
PUBLISH = ("publish", "pacts", "-a", "2")
COMMANDS = [
    ((*PUBLISH, "--branch", "main", "--tag", "dev"), "publish pacts"),
    ((*PUBLISH, "--merge"), "publish pacts"),
    ((*PUBLISH, "-o", "json"), "publish pacts"),
    (("record-deployment", *SHOP, "--environment", "test"), "record deployments and releases"),
    (("record-deployment", *SHOP, "--environment", "no such one"), "record deployments and releases"),
    (("can-i-deploy", *SHOP, "--to-environment", "test", "--record"), "record decisions"),
    (("can-i-deploy", "--set", "Shop@1", "--to-environment", "test", "--record"), "record decisions"),
    (("record-release", *SHOP, "--environment", "test"), "record deployments and releases"),
    (
        ("record-undeployment", "--pacticipant", "Shop", "--environment", "test"),
        "record deployments and releases",
    ),
    (("create-or-update-version", *SHOP, "--branch", "main"), "manage versions, branches and tags"),
    (("create-or-update-version", *SHOP, "--tag", "dev"), "manage versions, branches and tags"),
    (("create-version-tag", *SHOP, "--tag", "dev"), "manage versions, branches and tags"),
    (("delete-version-tag", *SHOP, "--tag", "dev"), "manage versions, branches and tags"),
    (("delete-branch", "--pacticipant", "Shop", "--branch", "main"), "manage versions, branches and tags"),
    (("create-or-update-pacticipant", "--name", "Shop", "--main-branch", "main"), "manage pacticipants"),
    (("create-or-update-pacticipant", "--name", "Till", "--main-branch", "main"), "manage pacticipants"),
    (("create-environment", "--name", "prod"), "manage environments"),
    (("create-webhook", *WEBHOOK), "manage webhooks"),
    (("create-or-update-webhook", *WEBHOOK, "--uuid", UUID), "manage webhooks"),
    (("test-webhook", "--uuid", UUID), "manage webhooks"),
    (("delete-webhook", "--uuid", UUID), "manage webhooks"),
]


@pytest.fixture
def reader(make_api, accounts):
    """The credentials of a user that may only read, in a broker with data of every kind."""
    issued = accounts(Role.READ_WRITE, "writer")
    writer = make_api()
    send, headers = writer.request, bearer(issued)
    writer.request = lambda *arguments, **options: send(*arguments, **{**options, "headers": headers})
    history = History(writer)
    history.publish("Shop", "1", "Prices", branch="main")
    history.deploy("Shop", "1", "test")
    request = {"method": "POST", "url": "https://ci.example.org"}
    webhook = {"request": request, "events": [{"name": "contract_published"}]}
    assert writer.put(f"/webhooks/{UUID}", webhook).status == 201
    return bearer(accounts(Role.READ_ONLY, "reader"))


@on_sqlite
@pytest.mark.parametrize(("words", "permission"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
def test_a_missing_permission_is_reported_before_anything_else(run_build, reader, words, permission):
    result = run_build(reader, *words)
    assert result.exit_code == 1
    lines = [line for line in result.output.splitlines() if not line.startswith("Tagging ")]
    assert f"may not {permission}" in lines[0]
    assert any("permission" in line for line in lines)
    for misleading in ("upgrade", "does not support", "old version"):
        assert misleading not in result.output


@on_sqlite
@pytest.mark.parametrize(
    ("words", "scope"),
    [(PUBLISH, "publish-pacts"), (("record-deployment", *SHOP, "--environment", "test"), "record-deployments")],
)
def test_a_missing_scope_is_named(run_build, reader, limited_token, words, scope):
    result = run_build(limited_token(Scope.READ), *words)
    assert (reader != {}, result.exit_code) == (True, 1)
    assert f"Use a token with the scope {scope}" in result.output.splitlines()[0]
    assert f"This token lacks the scope {scope}: use one that has it" in result.output


@on_sqlite
def test_missing_credentials_are_reported_before_anything_else(run_build, reader):
    assert reader
    result = run_build({"authorization": "Bearer none"}, *PUBLISH)
    assert result.exit_code == 1
    assert "401" in result.output
    assert "upgrade" not in result.output
