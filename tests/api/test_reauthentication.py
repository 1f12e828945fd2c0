"""Sessions change users, credentials and secrets only if their user has entered the password lately."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.api import golden
from tests.api.browsers import FORM, PAGE, Browser
from tests.api.credentials import PASSWORD, SESSION, basic, bearer
from tests.api.second_factors import set_up_device
from tests.databases import on_sqlite
from treaty.actions.accounts.accounts import get_account
from treaty.model.accounts.access import REAUTHENTICATION_LIFETIME, Role
from treaty.store.accounts import accounts as stored
from treaty.store.accounts import sessions, tokens
from treaty.web.security.permissions import Permission

pytestmark = pytest.mark.slow_on_postgresql  # about permissions, which need no statements of their own

OTHER = "one more battery, please"
AGAIN = "/sign-in/again"


@pytest.fixture
def browser(api, accounts):
    accounts(Role.ADMINISTRATOR)
    browser = Browser(api)
    browser.sign_in()
    return browser


@pytest.fixture
def stale(browser, clock):
    """A browser whose user signed in ten minutes ago."""
    browser.csrf = browser.token("/settings/account")
    clock.now += REAUTHENTICATION_LIFETIME
    return browser


def post(browser, path, **fields):
    return browser.post(path, csrf_token=browser.csrf, **fields)


def hidden(page):
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))


# Which routes

SENSITIVE_PLACES = ("/settings/users", "/settings/tokens", "/settings/account", "/secrets", "/settings/secrets")
"""Where users, roles, tokens, second factors and secrets are changed."""
EXEMPT = {
    "/settings/account": "the form contains the current password",
    "/settings/account/second-factor/remove": "the form contains the password and a code",
    "/settings/sessions/end": "it only takes access away",
}


def test_every_route_that_changes_users_credentials_or_secrets_is_marked():
    writes = [route for _, route in golden.routes() if not route.is_read_only]
    concerned = {
        route.url.template: route
        for route in writes
        if route.url.template.startswith(SENSITIVE_PLACES)
        or route.permission in {Permission.MANAGE_USER, Permission.USE_OWN_ACCOUNT}
    }
    assert {path for path, route in concerned.items() if not route.is_sensitive} == set(EXEMPT)


def test_pages_with_password_forms_are_sensitive_so_that_reauthentication_comes_before_typing():
    pages = {route.url.template for kind, route in golden.routes() if kind == "page" and route.is_sensitive}
    assert {"/settings/users", "/settings/users/{uuid}"} <= pages


@on_sqlite
def test_every_sensitive_route_asks_sessions_for_the_password_after_ten_minutes_but_not_tokens(stale, api, accounts):
    issued = accounts(Role.ADMINISTRATOR, "root")
    cookie = {"cookie": f"{SESSION}={stale.cookies[SESSION]}", "x-csrf-token": stale.csrf}
    marked = [(kind, route) for kind, route in golden.routes() if route.is_sensitive]
    assert marked
    for kind, route in marked:
        path = route.url.fill(**dict.fromkeys(route.url.names, "x"))
        options = {"accept": PAGE} if kind != "api" else {}
        options |= {"type": FORM} if kind == "form" else {}
        answer = api.request(route.method, path, b"", headers=cookie, **options)
        is_asked = AGAIN in answer.headers["location"] if kind == "page" else "your password again" in answer.text
        assert (answer.status, is_asked) == (303 if kind == "page" else 403, True), (route.method, path)
        for other in (bearer(issued), basic("administrator", PASSWORD)):
            response = api.request(route.method, path, b"", headers=other, **options)
            assert AGAIN not in response.headers.get("location", "")
            assert "your password again" not in response.text


def test_a_session_counts_as_authenticated_for_ten_minutes(browser, clock):
    clock.now += REAUTHENTICATION_LIFETIME - timedelta(seconds=1)
    assert browser.get("/settings/users").status == 200
    clock.now += timedelta(seconds=1)
    assert browser.get("/settings/users").status == 303
    assert browser.get("/settings/account").status == 200, "what changes nothing needs no password"


# Pages


def test_a_page_asks_for_the_password_and_continues_to_the_requested_page(stale, database, clock):
    uuid = database.read(lambda db: stored.find_by_name(db, "administrator")).uuid
    sent_on = stale.get(f"/settings/users/{uuid}?a=b")
    assert sent_on.status == 303
    page = stale.get(sent_on.headers["location"])
    assert (page.status, "Enter your password again" in page.text) == (200, True)
    fields = hidden(page)
    wrong = stale.post(AGAIN, **fields, own_password="wrong")  # noqa: S106 - of the test
    assert (wrong.status, "password is wrong" in wrong.text) == (403, True)
    assert stale.get("/settings/users").status == 303
    done = stale.post(AGAIN, **fields, own_password=PASSWORD)
    assert (done.status, done.headers["location"]) == (303, f"/settings/users/{uuid}?a=b")
    assert stale.get("/settings/users").status == 200
    clock.now += REAUTHENTICATION_LIFETIME
    assert stale.get("/settings/users").status == 303, "again after another ten minutes"


@on_sqlite
def test_entering_the_password_again_does_not_redirect_to_other_sites(stale):
    assert post(stale, AGAIN, own_password=PASSWORD, next="//evil.example").headers["location"] == "/"


# Forms


def test_a_form_that_was_submitted_too_late_is_not_lost(stale, database):
    fields = {"name": "ci", "may": "read-only", "days": "30"}
    page = post(stale, "/settings/tokens/new", **fields)
    assert page.status == 403
    assert 'action="/settings/tokens/new"' in page.text
    resumed = hidden(page)
    assert {name: resumed[name] for name in fields} == fields
    uuid = database.read(lambda db: stored.find_by_name(db, "administrator")).uuid
    assert [token for token in database.read(lambda db: tokens.list_of_account(db, uuid)) if token.name == "ci"] == []
    wrong = stale.post("/settings/tokens/new", **resumed, own_password="wrong")  # noqa: S106 - of the test
    assert (wrong.status, "password is wrong" in wrong.text) == (403, True)
    assert {name: hidden(wrong)[name] for name in fields} == fields
    done = stale.post("/settings/tokens/new", **resumed, own_password=PASSWORD)
    assert (done.status, "treaty_" in done.text) == (200, True)
    assert post(stale, "/settings/tokens/new", **{**fields, "name": "other"}).status == 200, "asked once in ten minutes"


def test_secrets_of_such_a_form_are_entered_again_and_are_not_in_the_page(stale, database):
    new = {"name": "ben", "email": "", "role": "read-only", "kind": "person", "password": OTHER, "again": OTHER}
    page = post(stale, "/settings/users/new", **new)
    assert page.status == 403
    assert OTHER not in page.text
    resumed = hidden(page)
    assert not {"password", "again"} & set(resumed)
    assert re.findall(r'<input type="password" [^>]*name="(\w+)"', page.text) == ["own_password", "password", "again"]
    done = stale.post("/settings/users/new", **resumed, own_password=PASSWORD, password=OTHER, again=OTHER)
    assert done.status == 303, done.text
    assert database.read(lambda db: get_account(db, "ben")).role is Role.READ_ONLY


@on_sqlite
def test_a_form_from_another_site_is_not_shown_again(stale):
    refused = stale.post("/settings/tokens/new", csrf_token="x", name="planted by another site")  # noqa: S106 - of the test
    assert refused.status == 403
    assert "planted" not in refused.text


def test_guessing_the_password_again_is_slowed_down(stale):
    statuses = [post(stale, "/settings/tokens/new", name="x", own_password=f"guess {n}").status for n in range(6)]
    assert statuses == [403] * 5 + [429]
    slowed = post(stale, AGAIN, own_password=PASSWORD)
    assert (slowed.status, slowed.headers["retry-after"]) == (429, "1")


def test_with_a_second_factor_the_code_is_entered_again_too(browser, clock, database):
    device = set_up_device(browser, clock)
    browser.csrf = browser.token("/settings/account")
    clock.now += REAUTHENTICATION_LIFETIME
    page = post(browser, "/settings/tokens/new", name="ci", may="read-only", days="30")
    assert 'name="own_code"' in page.text
    resumed = hidden(page)
    for code in ("", "000000"):
        assert browser.post("/settings/tokens/new", **resumed, own_password=PASSWORD, own_code=code).status == 403
    sent = {**resumed, "own_password": PASSWORD, "own_code": device.code()}
    assert browser.post("/settings/tokens/new", **sent).status == 200
    clock.now += REAUTHENTICATION_LIFETIME
    assert browser.post("/settings/tokens/new", **{**sent, "name": "b"}).status == 403, "each code once"
    kinds = database.read(lambda db: db.execute(text("SELECT type FROM audit WHERE path = '/settings/tokens/new'")))
    assert {row[0] for row in kinds} == {"sign_in_failure", "reauthentication", "token_creation"}


# Secrets of webhooks


def test_a_secret_is_approved_for_another_server_only_after_the_password(stale, api, clock):
    cookie = {"cookie": f"{SESSION}={stale.cookies[SESSION]}", "x-csrf-token": stale.csrf}
    secret = {"name": "ci", "description": "", "value": "canary of the build server", "origins": ""}
    page = post(stale, "/secrets/new", **secret)
    assert (page.status, "canary" in page.text) == (403, False)
    assert re.findall(r'<input type="password" [^>]*name="(\w+)"', page.text) == ["own_password", "value"]
    resumed = {**hidden(page), "value": secret["value"], "own_password": PASSWORD}
    assert stale.post("/secrets/new", **resumed).status == 303
    webhook = {
        "events": [{"name": "contract_published"}],
        "request": {"method": "POST", "url": "https://evil.example.org/", "headers": {"X-Job": "${user.ci}"}},
    }
    clock.now += REAUTHENTICATION_LIFETIME
    refused = api.post("/webhooks", webhook, headers=cookie)
    assert (refused.status, AGAIN in refused.json()["error"]) == (403, True)
    assert post(stale, AGAIN, own_password=PASSWORD).status == 303
    assert api.post("/webhooks", webhook, headers=cookie).status == 201


# The API, and sessions


def test_a_write_to_the_api_is_refused_with_the_address_of_the_form(stale, api, accounts):
    issued = accounts(Role.READ_WRITE, "ada")
    own = api.get("/settings/tokens", headers=basic("administrator", PASSWORD)).json()["_embedded"]["items"][0]["uuid"]
    cookie = {"cookie": f"{SESSION}={stale.cookies[SESSION]}", "x-csrf-token": stale.csrf}
    path = f"/settings/tokens/{own}/regenerate"
    refused = api.post(path, {}, headers=cookie)
    assert (refused.status, f"http://localhost{AGAIN}" in refused.json()["error"]) == (403, True)
    assert api.post("/pacticipants", {"name": "A"}, headers=cookie).status == 201, "not sensitive"
    assert post(stale, AGAIN, own_password=PASSWORD).status == 303
    assert api.post(path, {}, headers=cookie).status == 201
    by_itself = f"/settings/tokens/{issued.token.uuid}/regenerate"
    assert api.post(by_itself, {}, headers=bearer(issued)).status == 201


def test_users_of_the_settings_enter_their_password_again_too(make_api, accounts, clock):
    accounts(Role.READ_WRITE, "ada")
    api = make_api(basic_auth_username="ada", basic_auth_password="of the settings")  # noqa: S106 - of the test
    of_settings, of_account = Browser(api), Browser(api)
    of_settings.sign_in("ada", "of the settings")
    of_account.sign_in("ada", PASSWORD)
    clock.now += REAUTHENTICATION_LIFETIME
    for browser, right, wrong in (
        (of_settings, "of the settings", PASSWORD),
        (of_account, PASSWORD, "of the settings"),
    ):
        browser.csrf = browser.token(AGAIN)
        assert post(browser, AGAIN, own_password=wrong).status == 403
        assert post(browser, AGAIN, own_password=right).status == 303


def test_a_session_that_ends_meanwhile_is_not_authenticated_again(stale, database):
    (ended,) = database.read(lambda db: sessions.list_of_account(db, get_account(db, "administrator").uuid))
    database.write(lambda db: sessions.end(db, ended.uuid))
    assert not database.write(lambda db: sessions.record_authentication(db, ended.uuid, at=ended.created_at))
    assert stale.get(AGAIN).status == 303


@on_sqlite
def test_a_session_that_an_older_server_opened_counts_from_its_start(stale, database):
    database.write(lambda db: db.execute(text("UPDATE session SET authenticated_at = NULL")))
    assert stale.get("/settings/users").status == 303


def test_asking_for_the_password_is_not_audited_as_a_denied_request(stale, database):
    post(stale, "/settings/tokens/new", name="ci")
    post(stale, AGAIN, own_password=PASSWORD)
    kinds = database.read(lambda db: db.execute(text("SELECT type, who FROM audit WHERE path IS NOT NULL ORDER BY id")))
    assert [tuple(row) for row in kinds] == [("sign_in", "administrator"), ("reauthentication", "administrator")]
