"""Users and tokens on the command line."""

import json
from datetime import UTC, datetime

import httpx
import psycopg
import pytest
from pyotp.totp import TOTP

from bench.histories import History, build
from tests import databases, postgres
from tests.databases import on_sqlite
from tests.whole import servers
from treaty.actions.accounts import second_factors
from treaty.actions.accounts.accounts import get_account
from treaty.model.audit import ActorCredential, AuditFilter
from treaty.settings import Secret, Settings
from treaty.store import audit
from treaty.store.engine.database import open_database
from treaty.store.engine.vault import get_vault

pytestmark = pytest.mark.long_on_postgresql
PASSWORD = "a stapled horse, correctly"  # noqa: S105 - of a database that ends with the test


@pytest.fixture
def treaty(database_url, tmp_path):
    def run(*words, stdin=PASSWORD + "\n"):
        return servers.run("treaty", *words, "--database-url", database_url, cwd=tmp_path, stdin=stdin)

    return run


def test_a_user_is_added_changed_and_listed(treaty):
    added = treaty("user", "add", "ada", "--role", "administrator", "--email", "ada@example.org", "--password-stdin")
    assert (added.returncode, added.stdout) == (0, "Added ada, administrator.\n")
    assert treaty("user", "add", "ci", "--system").stdout == "Added ci, read-write.\n"
    assert treaty("user", "role", "ci", "read-only").stdout == "Changed the role of ci to read-only.\n"
    assert treaty("user", "disable", "ci").stdout == "Disabled ci.\n"
    users = json.loads(treaty("user", "list", "--output", "json").stdout)
    assert [(user["name"], user["role"], user["active"], user["system"]) for user in users] == [
        ("ada", "administrator", True, False),
        ("ci", "read-only", False, True),
    ]
    assert treaty("user", "enable", "CI").returncode == 0
    assert "system account" in treaty("user", "list").stdout
    assert treaty("user", "password", "ada", "--password-stdin").stdout == "Set the password of ada.\n"


def test_removing_the_second_factor_lets_a_user_sign_in_with_the_password_alone(treaty, database_url, tmp_path):
    treaty("user", "add", "ada", "--password-stdin")
    database = open_database(database_url, connections=1)
    vault = get_vault(Settings(database_url=database_url, secret_key=Secret("a key of the test, which is no secret")))
    ada, now = database.read(lambda db: get_account(db, "ada")), datetime.now(UTC)
    secret = database.write(lambda db: second_factors.start_set_up(db, ada, vault=vault, now=now))
    code = TOTP(secret).at(now)
    database.write(lambda db: second_factors.confirm_set_up(db, ada, code, kept_session=None, vault=vault, now=now))
    database.close()
    with servers.running(database_url, cwd=tmp_path) as server:
        refused = httpx.get(f"{server.address}/user", auth=("ada", PASSWORD))
        assert (refused.status_code, "use a token" in refused.json()["error"]) == (401, True)
        assert treaty("user", "reset-second-factor", "ada").stdout == "Removed the second factor of ada.\n"
        assert httpx.get(f"{server.address}/user", auth=("ada", PASSWORD)).status_code == 200
    assert "'ada' has no second factor" in treaty("user", "reset-second-factor", "ada").stderr


@pytest.mark.parametrize(
    ("words", "stdin", "reason"),
    [
        (("user", "add", "ada", "--password-stdin"), "password1234\n", "easy to guess"),
        (("user", "add", "ada", "--password-stdin"), "short\n", "must have 12 characters or more"),
        (("user", "add", "ada"), "", "--password-stdin"),
        (("user", "add", "a:b", "--system"), "", "must not contain a colon"),
        (("user", "add", "ada", "--system", "--email", "x"), "", "must be an e-mail address"),
        (("user", "disable", "nobody"), "", "There is no user called 'nobody'"),
        (("user", "reset-second-factor", "nobody"), "", "There is no user called 'nobody'"),
        (("token", "create", "--user", "nobody", "--name", "x"), "", "There is no user called 'nobody'"),
        (("token", "create", "--user", "x", "--name", "x", "--expires", "soon"), "", "such as 90d"),
        (("token", "revoke", "x"), "", "There is no token with the UUID 'x'"),
        (("token", "revoke"), "", "treaty token list"),
    ],
)
@on_sqlite
def test_refused_commands_print_the_reason(treaty, words, stdin, reason):
    refused = treaty(*words, stdin=stdin)
    assert refused.returncode != 0
    assert reason in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_token_is_printed_alone_listed_and_revoked(treaty):
    treaty("user", "add", "ci", "--system")
    completed = treaty("token", "create", "--user", "ci", "--name", "GitHub", "--read-only", "--expires", "90d")
    token = completed.stdout.strip()
    assert token.startswith("treaty_")
    assert "not shown again" in completed.stderr
    again = treaty("token", "create", "--user", "ci", "--name", "GitHub")
    assert again.returncode == 1
    assert "has a token called 'GitHub' already" in again.stderr
    listed = treaty("token", "list", "--user", "ci", "--output", "json").stdout
    (listed_token,) = [each for each in json.loads(listed) if each["name"] == "GitHub"]
    assert (listed_token["role"], listed_token["value"][-4:], token in listed) == ("read-only", token[-4:], False)
    assert treaty("token", "revoke", listed_token["uuid"]).stdout == "Revoked.\n"
    assert treaty("token", "list").stdout == "There are no tokens.\n"
    assert "Revoked all tokens" in treaty("token", "revoke", "--all").stdout


def test_tokens_and_system_accounts_are_limited_to_scopes_and_applications(treaty):
    assert treaty("user", "add", "ci", "--system", "--for", "consumer-build", "--application", "Shop").returncode == 0
    create = ("token", "create", "--user", "ci", "--name")
    assert treaty(*create, "a", "--for", "provider-build", "--scope", "record-deployments").returncode == 0
    assert treaty(*create, "b", "--application", "Shop", "--application", "Cart", "--expires", "3d").returncode == 0
    assert "limit writes only" in treaty(*create, "c", "--scope", "read", "--application", "Shop").stderr
    assert "choose one of the two" in treaty(*create, "d", "--scope", "read", "--read-only").stderr
    listed = json.loads(treaty("token", "list", "--output", "json").stdout)
    assert [(token["name"], token["scopes"], token["applications"], token["expiresSoon"]) for token in listed[2:]] == [
        ("a", ["read", "publish-verification-results", "record-deployments"], None, False),
        (
            "b",
            ["read", "publish-pacts", "publish-verification-results", "record-deployments"],
            ["Cart", "Shop"],
            True,
        ),
    ]
    shown = treaty("token", "list").stdout
    assert "read, publish-verification-results, record-deployments" in shown
    assert "expires within a week" in shown
    (user,) = json.loads(treaty("user", "list", "--output", "json").stdout)
    assert (user["scopes"], user["applications"]) == (["read", "publish-pacts"], ["Shop"])
    assert "read, publish-pacts for Shop" in treaty("user", "list").stdout
    assert treaty("user", "limit", "ci", "--scope", "read").stdout == "Limited ci to read.\n"
    assert treaty("user", "limit", "ci").stdout == "Lifted the limits of ci.\n"
    person = treaty("user", "add", "ada", "--scope", "read", "--password-stdin")
    assert (person.returncode, "system accounts and tokens only" in person.stderr) == (1, True)


@on_sqlite
def test_the_maximum_lifetime_applies_to_the_command_line(treaty, monkeypatch):
    treaty("user", "add", "ci", "--system")
    create = ("token", "create", "--user", "ci", "--name")
    assert treaty(*create, "old").returncode == 0
    monkeypatch.setenv("TREATY_TOKEN_MAX_LIFETIME", "30")
    refused = treaty(*create, "new")
    assert (refused.returncode, "must be within 30 days" in refused.stderr) == (1, True)
    assert treaty(*create, "new", "--expires", "30d").returncode == 0
    assert "valid for more than 30 days" in treaty("token", "list").stdout


@on_sqlite
def test_the_last_administrator_is_not_shut_out(treaty):
    treaty("user", "add", "ada", "--role", "administrator", "--password-stdin")
    for words in (("user", "disable", "ada"), ("user", "role", "ada", "read-only")):
        refused = treaty(*words)
        assert refused.returncode == 1
        assert "is the only administrator" in refused.stderr


@on_sqlite
def test_changes_by_commands_are_audited_under_the_names_of_the_commands(treaty, database_url):
    treaty("user", "add", "ada", "--role", "administrator", "--password-stdin")
    treaty("user", "add", "ci", "--system")
    treaty("user", "role", "ci", "read-only")
    treaty("user", "disable", "ci")
    treaty("user", "enable", "ci")
    treaty("user", "password", "ada", "--password-stdin")
    token = treaty("token", "create", "--user", "ci", "--name", "GitHub", "--expires", "90d").stdout.strip()
    listed = json.loads(treaty("token", "list", "--output", "json").stdout)
    (uuid,) = [row["uuid"] for row in listed if row["name"] == "GitHub"]
    treaty("token", "revoke", uuid)
    treaty("token", "revoke", "--all")
    trail = events(database_url)
    assert [(event.actor.credential_name, event.type, event.resource) for event in trail] == [
        ("treaty user add", "user_creation", "ada"),
        ("treaty user add", "user_creation", "ci"),
        ("treaty user role", "user_change", "ci"),
        ("treaty user disable", "user_change", "ci"),
        ("treaty user enable", "user_change", "ci"),
        ("treaty user password", "password_change", "ada"),
        ("treaty token create", "token_creation", "ci"),
        ("treaty token revoke", "token_revocation", "ci"),
        ("treaty token revoke", "token_revocation", None),
    ]
    assert {(event.actor.user, event.actor.credential, event.actor.address) for event in trail} == {
        (None, ActorCredential.SYSTEM, None)
    }
    assert trail[2].details["after"] == {"role": "read-only"}
    assert trail[6].details["params"] == {"token": "GitHub", "uuid": uuid}
    details = str([event.details for event in trail])
    assert PASSWORD not in details
    assert token not in details


def test_removals_by_the_clean_up_command_are_audited_under_its_name(tmp_path):
    build(History(name="old", pairs=1, versions=200, bystanders=0), f"sqlite:///{tmp_path / 'old.sqlite'}")
    url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    cleaned = servers.run("treaty", "clean", "--database-url", url, "--output", "json", cwd=tmp_path)
    count = json.loads(cleaned.stdout)["clean"]["branches"]["deleted"]
    trail = [event for event in events(url) if event.type == "cleaning"]
    assert {(event.actor.user, event.actor.credential_name) for event in trail} == {(None, "treaty clean")}
    resources = [(event.resource, *event.details["before"]) for event in trail]
    assert set(resources) == {
        (name, kind) for name in ("consumer-000", "provider-000") for kind in ("branches", "versions")
    }
    assert sum(len(event.details["before"].get("branches", [])) for event in trail) == count > 0


def events(url):
    database = open_database(url)
    trail = database.read(
        lambda db: audit.list_events(db, AuditFilter(), start=None, is_newest_first=False, limit=5000)
    )
    database.close()
    return trail


@pytest.fixture
def shared_url(postgres_url):
    with postgres.database(postgres_url) as url:
        databases.migrated(url)
        yield url


@pytest.fixture
def elsewhere(shared_url, tmp_path):
    """Commands on a shared database, each in a new folder, as if from another machine."""

    def run(machine, *words, **environ):
        folder = tmp_path / machine
        folder.mkdir(exist_ok=True)
        return servers.run("treaty", *words, "--database-url", shared_url, cwd=folder, **environ)

    return run


def rows_of(url):
    with psycopg.connect(url) as db:
        return [db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("token", "access", "audit")]  # noqa: S608 - names of ours


CREATE = ("token", "create", "--user", "ci", "--name")


def test_the_first_key_of_a_shared_database_is_reported_as_needed_by_every_server(elsewhere, shared_url, tmp_path):
    assert elsewhere("one", "user", "add", "ci", "--system").returncode == 0
    assert not (tmp_path / "one" / "treaty.key").exists()
    completed = elsewhere("one", *CREATE, "build")
    key = tmp_path / "one" / "treaty.key"
    assert completed.returncode == 0
    assert f"There is a new key in {key}. Every server of this database needs it" in completed.stderr
    assert "new key" not in elsewhere("one", *CREATE, "another").stderr
    headers = {"authorization": f"Bearer {completed.stdout.strip()}"}
    environ = {"TREATY_SECRET_KEY": key.read_text().strip()}
    with servers.running(shared_url, cwd=tmp_path, environ=environ) as server:
        assert httpx.get(f"{server.address}/user", headers=headers).status_code == 200
        assert "secret_key" not in server.log


def test_a_key_that_the_servers_of_a_shared_database_lack_encrypts_nothing(elsewhere, shared_url, tmp_path):
    elsewhere("one", "user", "add", "ci", "--system")
    elsewhere("one", *CREATE, "build")
    before = rows_of(shared_url)
    missing = elsewhere("two", *CREATE, "another")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert f"secret_key: is not set, there is no {tmp_path / 'two' / 'treaty.key'}" in missing.stderr
    assert "TREATY_SECRET_KEY" in missing.stderr
    assert list((tmp_path / "two").iterdir()) == []
    wrong = elsewhere("two", *CREATE, "another", TREATY_SECRET_KEY="another key, " * 2)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "1 secret is encrypted with another key than that of secret_key." in wrong.stderr
    assert "Add the other key to previous_secret_keys, or set secret_key" in wrong.stderr
    assert rows_of(shared_url) == before


def test_a_server_with_another_key_logs_it_at_once_and_reports_it_for_tokens(elsewhere, shared_url, tmp_path):
    elsewhere("one", "user", "add", "ci", "--system")
    token = elsewhere("one", *CREATE, "build").stdout.strip()
    (tmp_path / "two").mkdir()
    with servers.running(shared_url, cwd=tmp_path / "two") as server:
        assert "1 secret is encrypted with another key" in server.log
        assert "TREATY_SECRET_KEY" in server.log
        assert "tokens and sessions cannot be checked" in server.log
        response = httpx.get(f"{server.address}/user", headers={"authorization": f"Bearer {token}"})
        assert response.status_code == 500
        assert "secret_key: tokens and sessions were stored under another key" in response.text
