"""The secret of the set-up link is in no request line, so in no log; the form takes it instead."""

import hmac
from hashlib import sha256

import pytest
from sqlalchemy import text

from tests.api.browsers import PAGE, Browser
from tests.api.client import SECRET_KEY
from tests.api.credentials import PASSWORD
from treaty import app
from treaty.actions.accounts import credentials
from treaty.model.accounts.access import Role
from treaty.settings import Secret, Settings
from treaty.store.engine.vault import get_vault

pytestmark = pytest.mark.slow_on_postgresql  # about a form, and not about data

NEW = {"name": "ada", "email": "", "password": PASSWORD, "again": PASSWORD}


@pytest.fixture
def secret(api, database, clock):  # noqa: ARG001 - the client has brought the schema up to date
    vault = get_vault(Settings(secret_key=Secret(SECRET_KEY)))
    return database.write(lambda db: credentials.create_setup_link(db, vault=vault, now=clock.now))


def submit(api, **fields):
    browser = Browser(api)
    return browser.post("/setup", csrf_token=browser.token("/setup"), **{**NEW, **fields})


def test_the_printed_link_has_its_secret_in_the_fragment(database_url, api):  # noqa: ARG001 - likewise
    settings = Settings(database_url=database_url, secret_key=Secret(SECRET_KEY))
    link = app.create_setup_link(settings, "https://pacts.example.org")
    assert link is not None
    address, hash_sign, secret = link.partition("#")
    assert (address, hash_sign, len(secret) > 40) == ("https://pacts.example.org/setup", "#", True)


@pytest.mark.parametrize("prefix", ["", "https://pacts.example.org/setup#"], ids=["the secret", "the whole link"])
def test_the_form_takes_the_secret(api, secret, database, prefix):
    assert "Secret of the link" in api.get("/setup", accept=PAGE).text
    assert submit(api, link=prefix + secret).status == 303
    audit = database.read(lambda db: [str(row) for row in db.execute(text("SELECT * FROM audit"))])
    assert audit
    assert not [row for row in audit if secret in row]


def test_a_wrong_secret_can_be_corrected_without_typing_the_rest_again(api, secret):
    wrong = submit(api, link=secret[:-1], email="ada@example.org")
    assert wrong.status == 404
    assert "This link has expired" in wrong.text
    assert 'value="ada@example.org"' in wrong.text
    assert secret[:-1] not in wrong.text
    assert submit(api, link=secret).status == 303


def test_a_link_of_an_earlier_version_is_rejected_with_the_reason(api, secret):
    refused = api.get(f"/setup?link={secret}", accept=PAGE)
    assert refused.status == 404
    assert "printed by an earlier version of this server" in refused.text
    assert "newest link is in the server&#39;s output" in refused.text
    assert api.get("/setup", accept=PAGE).status == 200, "the newest link works"


def test_a_link_works_while_the_key_that_it_was_made_with_is_a_former_one(make_api, secret):
    other_key = "a key of another server"
    assert submit(make_api(secret_key=other_key), link=secret).status == 404
    rotated = make_api(secret_key=other_key, previous_secret_keys=(SECRET_KEY,))
    assert submit(rotated, link=secret).status == 303


@pytest.mark.usefixtures("secret")
def test_who_can_change_the_database_cannot_make_a_link_without_the_key(api, database):
    hashes = [hmac.new(key, b"setup\0known", sha256).hexdigest() for key in (b"", b"setup")]
    for stored in (*hashes, sha256(b"known").hexdigest(), "known"):
        params = {"hash": stored}
        database.write(lambda db, params=params: db.execute(text("UPDATE setup_link SET hash = :hash"), params))
        assert submit(api, link="known").status == 404


@pytest.mark.usefixtures("secret")
def test_revoking_all_credentials_invalidates_the_link(api, database):
    assert api.get("/setup", accept=PAGE).status == 200
    database.write(credentials.revoke_all_credentials)
    assert api.get("/setup", accept=PAGE).status == 404


def test_the_form_is_shown_only_while_a_link_is_valid(api, secret, clock, accounts):  # noqa: ARG001 - there is a link
    assert api.get("/setup", accept=PAGE).status == 200
    clock.now += credentials.SETUP_LINK_LIFETIME
    assert api.get("/setup", accept=PAGE).status == 404
    clock.now -= credentials.SETUP_LINK_LIFETIME
    accounts(Role.READ_ONLY)
    assert api.get("/setup", accept=PAGE).status == 404
