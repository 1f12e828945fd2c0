"""Passwords, tokens and sessions: which credentials are accepted, and which attacks fail."""

import base64
import hashlib
import statistics
import time
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.api import golden
from tests.api.browsers import FORM, PAGE, Browser
from tests.api.client import SECRET_KEY
from tests.api.credentials import PASSWORD, SESSION, basic, bearer, dump_tables, hash_quickly
from tests.databases import on_sqlite
from treaty.actions.accounts import accounts as account_actions
from treaty.actions.accounts import credentials, throttling
from treaty.errors import Conflict, Invalid
from treaty.model.accounts import passwords
from treaty.model.accounts.access import Role, generate_token, is_well_formed_token
from treaty.model.accounts.throttling import compute_counter_keys
from treaty.settings import Secret, Settings
from treaty.store.accounts import accounts as stored
from treaty.store.accounts import sessions, tokens
from treaty.store.engine.database import fetch_rows
from treaty.store.engine.vault import get_vault
from treaty.store.tables import guess

OTHER = "one more battery, please"


@pytest.fixture
def browser(api, accounts):
    accounts(Role.ADMINISTRATOR)
    return Browser(api)


# Tokens


def test_a_token_lets_its_user_in_until_it_is_over(api, accounts, clock, database):
    accounts(Role.READ_WRITE)
    owner = database.read(lambda db: stored.find_by_name(db, "read-write"))
    draft = credentials.TokenDraft(name="short", expires_at=clock.now + timedelta(days=1))
    vault = get_vault(Settings(secret_key=Secret(SECRET_KEY)))
    issued = database.write(lambda db: credentials.add_token(db, owner, draft, vault=vault, now=clock.now))
    assert api.get("/user", headers=bearer(issued)).json()["name"] == "read-write"
    clock.now += timedelta(days=1)
    refused = api.get("/user", headers=bearer(issued))
    assert refused.status == 401
    assert "This token has expired" in refused.json()["error"]


def test_a_token_that_reads_only_does_not_write_whatever_its_user_may(api, accounts):
    issued = accounts(Role.ADMINISTRATOR, token=Role.READ_ONLY)
    assert api.get("/pacticipants", headers=bearer(issued)).status == 200
    refused = api.post("/pacticipants", {"name": "A"}, headers=bearer(issued))
    assert (refused.status, refused.json()["missingPermission"]) == (403, "manage pacticipants")
    assert api.post("/pacts/provider/P/for-verification", {}, headers=bearer(issued)).status == 404


def test_a_revoked_token_and_one_of_a_disabled_user_are_refused_at_once_by_every_process(
    make_api, accounts, database, clock
):
    ci_token, user_token = accounts(Role.READ_WRITE, "ci", system=True), accounts(Role.READ_ONLY)
    processes = [make_api(), make_api()]
    for process in processes:
        assert process.get("/user", headers=bearer(ci_token)).json()["typeDescription"] == "system"
        assert process.get("/user", headers=bearer(user_token)).status == 200
    database.write(lambda db: credentials.revoke_token(db, ci_token.token))
    database.write(
        lambda db: account_actions.disable_account(db, account_actions.get_account(db, "read-only"), now=clock.now)
    )
    for process in processes:
        assert [process.get("/user", headers=bearer(each)).status for each in (ci_token, user_token)] == [401, 401]
        assert process.get("/user", headers=basic("read-only", PASSWORD)).status == 401


def test_when_and_from_where_a_token_was_used_is_noted(api, accounts, database, clock):
    issued = accounts(Role.READ_WRITE)
    for minutes in (0, 0.5, 5):
        clock.now += timedelta(minutes=minutes)
        api.get("/", headers=bearer(issued))
    stored_token = database.read(lambda db: tokens.find(db, issued.token.uuid))
    assert (stored_token.used_at, stored_token.used_from) == (clock.now, "127.0.0.1")


def test_the_two_default_tokens_of_each_user_are_listed_and_regenerated(api, accounts):
    issued = accounts(Role.READ_WRITE)
    items = api.get("/settings/tokens", headers=bearer(issued)).json()["_embedded"]["items"]
    assert [token["description"] for token in items[:2]] == ["Read only token (developer)", "Read/write token (CI)"]
    path = f"/settings/tokens/{items[1]['uuid']}/regenerate"
    owner = basic("read-write", PASSWORD)
    first, second = (api.post(path, {}, headers=owner) for _ in range(2))
    assert (first.status, first.json()["description"]) == (201, "Read/write token (CI)")
    statuses = [
        api.get("/user", headers={"authorization": f"Bearer {answer.json()['value']}"}).status
        for answer in (first, second)
    ]
    assert statuses == [401, 200]
    listed = api.get("/settings/tokens", headers=bearer(issued)).json()["_embedded"]["items"][1]["value"]
    assert listed.startswith("treaty_****")
    assert listed != second.json()["value"]


def test_users_regenerate_only_their_own_tokens_and_within_their_permissions(api, accounts):
    mine, reader = accounts(Role.READ_WRITE), accounts(Role.READ_WRITE, "ro", token=Role.READ_ONLY)
    path = f"/settings/tokens/{mine.token.uuid}/regenerate"
    other = accounts(Role.READ_WRITE, "other")
    assert api.post(path, {}, headers=basic("other", PASSWORD)).status == 404
    assert api.post(path, {}, headers=bearer(other)).status == 403
    own = api.get("/settings/tokens", headers=bearer(reader)).json()["_embedded"]["items"][1]["uuid"]
    assert api.post(f"/settings/tokens/{own}/regenerate", {}, headers=bearer(reader)).status == 403


def test_a_token_regenerates_only_itself_and_keeps_its_expiry(api, accounts, clock, database):
    accounts(Role.ADMINISTRATOR)
    issued = _add_token(database, "administrator", clock, expires_at=clock.now + timedelta(days=3))
    for listed in api.get("/settings/tokens", headers=bearer(issued)).json()["_embedded"]["items"]:
        path = f"/settings/tokens/{listed['uuid']}/regenerate"
        if listed["uuid"] != issued.token.uuid:
            refused = api.post(path, {}, headers=bearer(issued))
            assert (refused.status, refused.json()["missingPermission"]) == (403, "manage tokens of their own")
            assert "A token can regenerate only itself." in refused.json()["error"]
    clock.now += timedelta(days=1)
    renewed = api.post(f"/settings/tokens/{issued.token.uuid}/regenerate", {}, headers=bearer(issued)).json()
    assert renewed["expiresAt"] == "2024-05-09T07:08:09+00:00"
    assert api.get("/user", headers=bearer(issued)).status == 401
    successor = {"authorization": f"Bearer {renewed['value']}"}
    assert api.get("/user", headers=successor).status == 200
    clock.now += timedelta(days=2)
    assert api.get("/user", headers=successor).status == 401


def test_new_tokens_expire_within_the_maximum_lifetime_and_existing_ones_stay(make_api, accounts, clock, database):
    lasting = accounts(Role.READ_WRITE)
    days = timedelta(days=1)
    for expires_at in (None, clock.now + 31 * days):
        with pytest.raises(Invalid, match="must be within 30 days, the maximum that the setting token_max_lifetime"):
            _add_token(database, "read-write", clock, max_lifetime=30 * days, expires_at=expires_at)
    _add_token(database, "read-write", clock, max_lifetime=30 * days, expires_at=clock.now + 30 * days)
    api = make_api(token_max_lifetime=30 * days)
    assert api.get("/user", headers=bearer(lasting)).status == 200
    owner = basic("read-write", PASSWORD)
    items = api.get("/settings/tokens", headers=owner).json()["_embedded"]["items"]
    default, lasting_uuid = items[1]["uuid"], lasting.token.uuid
    renewed = [api.post(f"/settings/tokens/{uuid}/regenerate", {}, headers=owner) for uuid in (default, lasting_uuid)]
    assert [answer.json()["expiresAt"] for answer in renewed] == ["2024-06-05T07:08:09+00:00"] * 2
    clock.now += 30 * days
    assert [api.get("/user", headers=bearer_of(answer)).status for answer in renewed] == [401, 401]
    again = [api.post(f"/settings/tokens/{uuid}/regenerate", {}, headers=owner) for uuid in (default, lasting_uuid)]
    assert [answer.status for answer in again] == [201, 409], "a default token cannot be replaced by a new one"
    assert "has expired. Create a new one" in again[1].json()["error"]
    assert api.get("/user", headers=bearer_of(again[0])).status == 200


def bearer_of(answer):
    return {"authorization": f"Bearer {answer.json()['value']}"}


def test_tokens_that_expire_soon_or_are_unused_are_marked(make_api, accounts, clock, database):
    accounts(Role.READ_WRITE)
    days = timedelta(days=1)
    expiring = _add_token(database, "read-write", clock, name="expiring", expires_at=clock.now + 96 * days)
    used = _add_token(database, "read-write", clock, name="used")
    api, owner = make_api(token_max_lifetime=60 * days), basic("read-write", PASSWORD)

    def marks():
        items = api.get("/settings/tokens", headers=owner).json()["_embedded"]["items"]
        return {item["description"]: [name for name in ("expiresSoon", "unused") if name in item] for item in items}

    defaults: dict[str, list[str]] = {name: [] for name in sorted(credentials.DEFAULT_TOKEN_NAMES)}
    assert marks() == {**defaults, "of the tests": [], "expiring": [], "used": []}
    clock.now += 89 * days
    for token in (expiring, used):
        assert api.get("/user", headers=bearer(token)).status == 200
    assert marks()["expiring"] == ["expiresSoon"]
    clock.now += 1 * days
    assert marks() == {**defaults, "of the tests": ["unused"], "expiring": ["expiresSoon"], "used": []}
    browser = Browser(api)
    browser.sign_in("read-write")
    page = browser.get("/settings/tokens").text
    texts = ("Expires within a week", "Unused for 90 days", "Longer than 60 days")
    assert [page.count(text) for text in texts] == [1, 1, 2]
    assert '<option value="60"' in page
    assert '<option value=""' not in page.partition('name="days"')[2]
    api.post(f"/settings/tokens/{_uuid_of(api, owner, 'of the tests')}/regenerate", {}, headers=owner)
    assert marks()["of the tests"] == [], "a new text has not been used yet"
    clock.now += 6 * days
    assert marks()["expiring"] == [], "it has expired"


def _uuid_of(api, owner, name):
    items = api.get("/settings/tokens", headers=owner).json()["_embedded"]["items"]
    return next(item["uuid"] for item in items if item["description"] == name)


def _add_token(database, user, clock, *, max_lifetime=credentials.NO_MAXIMUM, name="another", **properties):
    vault = get_vault(Settings(secret_key=Secret(SECRET_KEY)))
    draft = credentials.TokenDraft(name=name, **properties)

    def add(db):
        owner = account_actions.get_account(db, user)
        return credentials.add_token(db, owner, draft, vault=vault, now=clock.now, max_lifetime=max_lifetime)

    return database.write(add)


@on_sqlite
@pytest.mark.parametrize(
    ("name", "is_valid"),
    [("a" * 100, True), ("a" * 101, False), ("a" * 200, False), ("", False), (" ", False), ("a\nb", False)],
)
def test_a_token_has_a_name_of_one_line(database, accounts, clock, name, is_valid):
    accounts(Role.READ_WRITE)
    if is_valid:
        assert _add_token(database, "read-write", clock, name=name).token.name == name
        return
    with pytest.raises(Invalid, match="must be a text of 100 characters at most, on one line"):
        _add_token(database, "read-write", clock, name=name)


def test_slips_in_a_token_are_found_by_its_checksum():
    token = generate_token()
    assert is_well_formed_token(token)
    assert not any(
        is_well_formed_token(malformed)
        for malformed in (token[:-1], token + "x", token.lower(), token[:9] + "_" + token[10:], "")
    )
    assert not is_well_formed_token("treaty_" + "\N{SUPERSCRIPT TWO}" * 38)


# Passwords


def test_a_password_that_is_changed_is_refused_at_once_by_every_process(make_api, accounts, database, clock):
    accounts(Role.READ_WRITE)
    processes = [make_api(), make_api()]
    for process in processes:
        assert process.get("/", headers=basic("Read-Write", PASSWORD)).status == 200
    its_hash = hash_quickly(OTHER)
    database.write(
        lambda db: account_actions.set_password(
            db, account_actions.get_account(db, "read-write"), its_hash, now=clock.now
        )
    )
    for process in processes:
        assert process.get("/", headers=basic("read-write", PASSWORD)).status == 401
        assert process.get("/", headers=basic("read-write", OTHER)).status == 200


@pytest.mark.parametrize("weak", ["short", "password1234", "aaaaaaaaaaaaaaaa", "ada.lovelace", "x" * 300])
def test_weak_passwords_have_a_weakness_and_strong_ones_none(weak):
    assert passwords.find_weakness(weak, ("ada.lovelace", ""))
    assert passwords.find_weakness(PASSWORD) is None


@on_sqlite
def test_guessing_is_throttled_and_other_users_and_addresses_are_not(make_api, accounts, clock):
    accounts(Role.READ_WRITE, "ada")
    accounts(Role.READ_WRITE, "ben")
    api = make_api(trusted_proxies=("127.0.0.1",))
    away = {"x-forwarded-for": "192.0.2.7"}
    statuses = [api.get("/", headers={**away, **basic("ada", f"guess {number}")}).status for number in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    slowed = api.get("/", headers={**away, **basic("ada", PASSWORD)})
    assert (slowed.status, slowed.headers["retry-after"]) == (429, "1")
    assert api.get("/", headers={**away, **basic("ben", PASSWORD)}).status == 200
    assert api.get("/", headers=basic("ada", PASSWORD)).status == 200, "from elsewhere it is as if nothing had happened"
    clock.now += timedelta(seconds=2)
    assert api.get("/", headers={**away, **basic("ada", "guess again")}).status == 401
    assert api.get("/", headers={**away, **basic("ada", "guess again")}).headers["retry-after"] == "2"


def test_guessing_fills_no_database_and_leaves_no_name_in_it(make_api, accounts, clock, database):
    accounts(Role.READ_WRITE, "ada")
    api = make_api(trusted_proxies=("127.0.0.1",))
    for number in range(8):
        away = {"x-forwarded-for": f"192.0.2.{number}"}
        assert api.get("/", headers={**away, **basic(f"a secret {number}" + "x" * 5000, "ada")}).status == 401
    rows = database.read(lambda db: fetch_rows(db, select(guess), {}))
    assert len(rows) == 24, "an address, an account, and the account from the address, for each"
    assert max(len(str(tuple(row))) for row in rows) < 300
    assert "secret" not in str(rows)
    clock.now += timedelta(minutes=16)
    assert api.get("/", headers=basic("ada", "wrong")).status == 401
    assert len(database.read(lambda db: fetch_rows(db, select(guess), {}))) == 3


def test_an_address_that_guesses_at_many_names_has_to_wait_for_all(make_api, accounts, clock, database):
    accounts(Role.READ_WRITE, "ada")
    for number in range(100):
        keys = compute_counter_keys(f"nobody {number}", "192.0.2.7", is_known=False)
        database.write(lambda db, keys=keys: throttling.reserve_attempt(db, keys, now=clock.now))
    api = make_api(trusted_proxies=("127.0.0.1",))
    slowed = api.get("/", headers={"x-forwarded-for": "192.0.2.7", **basic("ada", PASSWORD)})
    assert (slowed.status, slowed.headers["retry-after"]) == (429, "1")
    assert api.get("/", headers={"x-forwarded-for": "192.0.2.8", **basic("ada", PASSWORD)}).status == 200


@on_sqlite
def test_an_unknown_name_takes_as_long_as_a_wrong_password(make_api, accounts, database, clock):
    accounts(Role.READ_WRITE, "ada")
    its_hash = passwords.hash_password(PASSWORD)  # as hard to verify as those of users, unlike those of other tests
    database.write(
        lambda db: account_actions.set_password(db, account_actions.get_account(db, "ada"), its_hash, now=clock.now)
    )
    api = make_api(trusted_proxies=("127.0.0.1",))
    taken: dict[str, list[float]] = {"ada": [], "nobody": []}
    for number in range(24):
        for name, times in taken.items():
            started = time.process_time()  # a busy machine does not add to it
            headers = {**basic(name, "wrong"), "x-forwarded-for": f"192.0.2.{number}"}
            assert api.get("/", headers=headers).status == 401
            times.append(time.process_time() - started)
    wrong_password_seconds, unknown_name_seconds = (statistics.median(times[2:]) for times in taken.values())
    assert 0.5 < wrong_password_seconds / unknown_name_seconds < 2


# Sessions


def test_signing_in_gives_a_session_that_ends_when_it_is_idle_and_in_any_case(browser, clock):
    signed_in = browser.sign_in()
    assert (signed_in.status, signed_in.headers["location"]) == (303, "/")
    for attribute in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert attribute in signed_in.headers["set-cookie"]
    assert browser.get("/settings/account").status == 200
    clock.now += timedelta(hours=11)
    assert browser.get("/settings/account").status == 200, "what is used is not idle"
    clock.now += timedelta(hours=12)
    assert browser.get("/settings/account").status == 303
    browser.sign_in()
    statuses = []
    for _ in range(16):
        clock.now += timedelta(hours=11)
        statuses.append(browser.get("/settings/account").status)
    assert statuses == [200] * 15 + [303], "a week is over"


def test_a_page_that_updates_itself_does_not_keep_a_session_from_expiring(browser, clock):
    browser.sign_in()
    open_page = Browser(browser.api, **{"x-treaty-automatic": "yes"})
    open_page.cookies = browser.cookies
    clock.now += timedelta(hours=11)
    assert open_page.get("/settings/account").status == 200
    clock.now += timedelta(hours=2)
    assert open_page.get("/settings/account").status == 303, "nobody was there for 13 hours"


def test_sessions_of_a_disabled_user_stay_ended_when_the_user_is_enabled_again(browser, accounts, database, clock):
    accounts(Role.READ_WRITE, "ada")
    elsewhere = Browser(browser.api)
    assert elsewhere.sign_in("ada").status == 303
    browser.sign_in()
    csrf = browser.token("/settings/account")
    ada = database.read(lambda db: stored.find_by_name(db, "ada")).uuid
    statuses = [elsewhere.get("/settings/account").status]
    for change in ("disable", "enable"):
        assert browser.post(f"/settings/users/{ada}", csrf_token=csrf, do=change).status == 303
        statuses.append(elsewhere.get("/settings/account").status)
    assert statuses == [200, 303, 303]
    assert database.read(lambda db: sessions.list_of_account(db, ada)) == []
    assert elsewhere.sign_in("ada").status == 303
    database.write(
        lambda db: account_actions.disable_account(db, account_actions.get_account(db, "ada"), now=clock.now)
    )
    database.write(lambda db: account_actions.enable_account(db, account_actions.get_account(db, "ada"), now=clock.now))
    assert elsewhere.get("/settings/account").status == 303, "by command, too"


def test_a_token_is_not_created_for_a_disabled_user(accounts, database, clock):
    accounts(Role.READ_WRITE, "ada")
    ada = database.read(lambda db: stored.find_by_name(db, "ada"))
    database.write(lambda db: account_actions.disable_account(db, ada, now=clock.now))
    vault = get_vault(Settings(secret_key=Secret(SECRET_KEY)))
    with pytest.raises(Conflict, match=r"'ada' is disabled\. Enable the user first: `treaty user enable ada`\."):
        database.write(
            lambda db: credentials.add_token(db, ada, credentials.TokenDraft(name="x"), vault=vault, now=clock.now)
        )


def test_the_password_of_a_user_of_the_settings_changes_no_account_of_the_same_name(make_api, accounts):
    accounts(Role.READ_WRITE, "ada")
    browser = Browser(make_api(basic_auth_username="ada", basic_auth_password="of the settings"))  # noqa: S106 - of the test
    assert browser.sign_in("ada").status == 303
    csrf = browser.token("/settings/account")
    fields = {"current": "of the settings", "password": OTHER, "again": OTHER}
    refused = browser.post("/settings/account", csrf_token=csrf, **fields)
    assert (refused.status, "is wrong" in refused.text) == (400, True)
    assert browser.post("/settings/account", csrf_token=csrf, **{**fields, "current": PASSWORD}).status == 303


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://pacts.example.org", "__Host-treaty"),
        ("http://localhost:9292", "__Host-treaty"),
        ("http://pacts", "treaty"),
    ],
)
@on_sqlite
def test_cookies_are_as_safe_as_the_address_allows(make_api, accounts, base_url, name):
    accounts(Role.ADMINISTRATOR)
    browser = Browser(make_api(base_urls=(base_url,)))
    cookie = browser.sign_in().headers["set-cookie"]
    assert cookie.startswith(f"{name}=")
    assert ("; Secure" in cookie) is name.startswith("__Host-")


@on_sqlite
def test_a_session_that_was_planted_is_not_the_one_that_is_opened(browser):
    browser.cookies[SESSION] = planted = "planted-by-an-attacker"
    browser.sign_in()
    assert browser.cookies[SESSION] != planted
    first = browser.cookies[SESSION]
    csrf = browser.token("/settings/account")
    browser.post("/sign-in", csrf_token=csrf, name="administrator", password=PASSWORD)
    assert browser.cookies[SESSION] != first
    assert browser.api.get("/user", headers={"cookie": f"{SESSION}={first}"}).status == 401


@on_sqlite
@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/x\r\nset-cookie: a=b",
        "evil.example",
        "/a\\b",
        "",
    ],
)
def test_signing_in_does_not_redirect_to_other_sites(browser, onward):
    answer = browser.sign_in(next=onward)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert "a=b" not in answer.headers["set-cookie"]


@on_sqlite
def test_signing_in_leads_on_to_pages_whatever_their_names(browser):
    assert browser.sign_in(next="/pacticipants/Caf\N{LATIN SMALL LETTER E WITH ACUTE} %2F?q=a b").headers[
        "location"
    ] == ("/pacticipants/Caf%C3%A9%20%2F?q=a%20b")


@on_sqlite
def test_a_write_with_a_session_needs_its_csrf_token(browser):
    browser.sign_in()
    csrf = browser.token("/settings/account")
    cookie = {"cookie": f"{SESSION}={browser.cookies[SESSION]}"}
    assert browser.api.post("/pacticipants", {"name": "A"}, headers=cookie).status == 403
    assert (
        browser.api.post("/pacticipants", {"name": "A"}, headers={**cookie, "x-csrf-token": csrf + "x"}).status == 403
    )
    assert browser.api.post("/pacticipants", {"name": "A"}, headers={**cookie, "x-csrf-token": csrf}).status == 201
    assert browser.post("/settings/users/new", name="eve").status == 403
    assert browser.post("/settings/sessions/end", csrf_token="").status == 403


@on_sqlite
@pytest.mark.parametrize(
    "fetch_headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
@pytest.mark.parametrize("is_open", [True, False], ids=["open", "signed in"])
def test_every_route_rejects_writes_from_a_browser_on_another_site(api, accounts, fetch_headers, is_open):
    authorization = {} if is_open else basic("administrator", PASSWORD)
    if not is_open:
        accounts(Role.ADMINISTRATOR)
    for kind, route in golden.routes():
        if route.method != "GET":
            path = route.url.fill(**dict.fromkeys(route.url.names, "x"))
            answer = api.request(
                route.method, path, b"a=b", type=FORM, accept=PAGE, headers={**fetch_headers, **authorization}
            )
            assert answer.status == 403, (kind, route.method, path)
            assert "sent by a page of another site" in answer.text


@on_sqlite
def test_a_form_of_the_sign_in_page_is_refused_without_its_cookie(browser):
    csrf = browser.token("/sign-in")
    browser.cookies.clear()
    answer = browser.post("/sign-in", csrf_token=csrf, name="administrator", password=PASSWORD)
    assert answer.status == 400
    assert "without the cookie" in answer.text


@on_sqlite
def test_guessing_on_the_sign_in_page_is_slowed_down_too(browser):
    statuses = [browser.sign_in(its_password=f"guess {number}").status for number in range(6)]
    assert statuses == [400] * 5 + [429]


def test_tokens_do_not_change_settings(api, accounts):
    issued = accounts(Role.ADMINISTRATOR)
    for path in ("/settings/users/new", "/settings/tokens/new", "/settings/account", "/settings/sessions/end"):
        refused = api.post(path, b"name=eve", type=FORM, accept=PAGE, headers=bearer(issued))
        assert refused.status == 403
        assert "Tokens cannot change settings" in refused.text


def test_the_last_administrator_stays(browser, database):
    browser.sign_in()
    csrf = browser.token("/settings/account")
    uuid = database.read(lambda db: stored.find_by_name(db, "administrator")).uuid
    for fields in ({"do": "disable"}, {"do": "role", "role": "read-only"}):
        refused = browser.post(f"/settings/users/{uuid}", csrf_token=csrf, **fields)
        assert refused.status == 400
        assert "is the only administrator" in refused.text
    assert browser.get("/settings/users").status == 200


def test_users_of_the_settings_sign_in_by_form_and_their_sessions_end_with_their_password(make_api):
    users = {"basic_auth_username": "ci", "basic_auth_password": "first one"}
    browser = Browser(make_api(**users))
    assert browser.sign_in("ci", "first one").status == 303
    assert (
        "signed in as ci, a user of the server's settings, who may read and write"
        in browser.get("/settings/account").text
    )
    browser.api = make_api(**{**users, "basic_auth_password": "second one"})
    assert browser.get("/settings/account").status == 401


# The database


def test_a_copy_of_the_database_holds_nothing_to_sign_in_with(api, accounts, database):
    issued = accounts(Role.ADMINISTRATOR)
    browser = Browser(api)
    browser.sign_in()
    default = api.get("/settings/tokens", headers=bearer(issued)).json()["_embedded"]["items"][0]["uuid"]
    owner = basic("administrator", PASSWORD)
    regenerated = api.post(f"/settings/tokens/{default}/regenerate", {}, headers=owner).json()["value"]
    copy = dump_tables(database)
    assert issued.token.uuid in copy, "the dump is whole"
    secrets = [issued.text, regenerated, browser.cookies[SESSION], PASSWORD, SECRET_KEY]
    for secret in secrets:
        raw = secret.encode()
        for form in (
            secret,
            raw.hex(),
            base64.b64encode(raw).decode().rstrip("="),
            base64.urlsafe_b64encode(raw).decode().rstrip("="),
            *(hashlib.new(name, raw).hexdigest() for name in ("md5", "sha1", "sha256", "sha512", "blake2b")),
        ):
            assert form not in copy
