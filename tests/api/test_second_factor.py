"""Second factors: set up, required at sign-in, accepted once, and removed, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.api.browsers import Browser
from tests.api.client import SECRET_KEY
from tests.api.credentials import PASSWORD, SESSION, basic, bearer, dump_tables
from tests.api.second_factors import PAGE, STEP, Device, find_secret, post_form, set_up_device
from tests.databases import on_sqlite
from treaty.actions.accounts import credentials, second_factors
from treaty.actions.accounts.accounts import get_account
from treaty.errors import Unauthenticated
from treaty.model.accounts.access import Role
from treaty.settings import Secret, Settings
from treaty.store.engine.database import open_database
from treaty.store.engine.vault import KeyStatus, get_vault
from treaty.store.maintenance import encrypted_columns


def enter(browser, code, **fields):
    return browser.post("/sign-in/code", csrf_token=browser.token("/sign-in/code"), code=code, **fields)


@pytest.fixture
def browser(api, accounts):
    accounts(Role.READ_WRITE, "ada")
    browser = Browser(api)
    browser.sign_in("ada")
    return browser


@pytest.fixture
def device(browser, clock):
    return set_up_device(browser, clock)


@pytest.fixture
def vault():
    return get_vault(Settings(secret_key=Secret(SECRET_KEY)))


def is_signed_in(browser):
    return browser.get("/settings/account").status == 200


# Setting up and signing in


def test_signing_in_takes_the_password_and_then_a_code(api, browser, device):
    assert len(set(device.recovery_codes)) == 10
    assert api.get("/user", headers={"cookie": f"{SESSION}={browser.cookies[SESSION]}"}).json()["secondFactor"] is True
    other = Browser(api)
    after_password = other.sign_in("ada", next="/matrix")
    assert after_password.headers["location"] == "/sign-in/code?next=%2Fmatrix"
    assert SESSION not in other.cookies
    assert not is_signed_in(other)
    assert 'value="/matrix"' in other.get("/sign-in/code?next=%2Fmatrix").text
    done = enter(other, device.next_code(), next="/matrix")
    assert (done.status, done.headers["location"]) == (303, "/matrix")
    assert is_signed_in(other)


def test_the_secret_and_the_codes_are_shown_once_and_stored_unreadably(browser, device, database):
    pages = [browser.get(path).text for path in (PAGE, "/settings/account")]
    pages.append(dump_tables(database))
    for secret in (device.secret, *device.recovery_codes, *(code.replace("-", "") for code in device.recovery_codes)):
        assert not [page for page in pages if secret in page]
    assert "10 recovery codes left" in pages[0]


def test_setting_up_ends_the_other_sessions_and_counts_only_with_a_right_code(api, browser, clock):
    other = Browser(api)
    other.sign_in("ada")
    shown = post_form(browser, f"{PAGE}/set-up")
    secret = find_secret(shown)
    assert 'src="data:image/svg+xml' in shown.text
    wrong = post_form(browser, f"{PAGE}/confirm", code="000000")
    assert (wrong.status, secret in wrong.text, "This code is wrong" in wrong.text) == (400, True, True)
    assert Browser(api).sign_in("ada").headers["location"] == "/", "without a code"
    assert post_form(browser, f"{PAGE}/confirm", code=Device(clock, secret).code()).status == 200
    assert (is_signed_in(browser), is_signed_in(other)) == (True, False)
    again = post_form(browser, f"{PAGE}/set-up")
    assert (again.status, "You have a second factor already" in again.text) == (400, True)
    assert post_form(browser, f"{PAGE}/confirm", code=Device(clock, secret).code(1)).status == 400


def test_the_session_is_another_one_than_before_the_code(api, device):
    other = Browser(api)
    other.cookies[SESSION] = "planted-by-an-attacker"
    other.sign_in("ada")
    pending = other.cookies["__Host-treaty-code"]
    enter(other, device.next_code())
    assert other.cookies[SESSION] not in {"planted-by-an-attacker", pending}
    for secret in ("planted-by-an-attacker", pending):
        assert api.get("/user", headers={"cookie": f"{SESSION}={secret}"}).status == 401


@pytest.mark.parametrize(("steps", "is_accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
@on_sqlite
def test_codes_of_the_neighbouring_periods_are_accepted(api, device, clock, steps, is_accepted):
    clock.now += 10 * STEP
    other = Browser(api)
    other.sign_in("ada")
    assert enter(other, device.code(steps)).status == (303 if is_accepted else 400)


def test_a_code_is_accepted_once_even_by_another_browser(api, device):
    first, second = Browser(api), Browser(api)
    first.sign_in("ada")
    second.sign_in("ada")
    code = device.next_code()
    assert [enter(browser, code).status for browser in (first, second)] == [303, 400]
    assert enter(second, device.code(-1)).status == 400, "an earlier code"
    assert "or it has been used" in enter(second, code).text


def test_a_recovery_code_takes_the_place_of_a_code_once(api, browser, device):
    first = device.recovery_codes[0]
    statuses = []
    for code in (first.lower().replace("-", " "), first):
        other = Browser(api)
        other.sign_in("ada")
        statuses.append(enter(other, code).status)
    assert statuses == [303, 400]
    assert "9 recovery codes left" in browser.get(PAGE).text
    renewed = post_form(browser, f"{PAGE}/recovery-codes")
    assert (renewed.status, "no longer work" in renewed.text) == (200, True)
    other = Browser(api)
    other.sign_in("ada")
    assert enter(other, device.recovery_codes[1]).status == 400, "replaced"


def test_the_time_to_enter_a_code_is_short(api, device, clock):
    other = Browser(api)
    other.sign_in("ada")
    csrf = other.token("/sign-in/code")
    clock.now += timedelta(minutes=5)
    late = other.post("/sign-in/code", csrf_token=csrf, code=device.code())
    assert (late.status, "The time to enter the code is over" in late.text) == (400, True)
    assert SESSION not in other.cookies


@pytest.mark.parametrize("change", ["password", "disable", "reset"])
def test_a_sign_in_between_password_and_code_ends_with_a_change_of_the_account(api, device, database, change, accounts):
    accounts(Role.ADMINISTRATOR, "root")
    admin = Browser(api)
    admin.sign_in("root")
    other = Browser(api)
    other.sign_in("ada")
    uuid = database.read(lambda db: get_account(db, "ada")).uuid
    new = "one more battery, please"
    fields = {
        "password": {"do": "password", "password": new, "again": new},
        "disable": {"do": "disable"},
        "reset": {"do": "second-factor"},
    }
    assert post_form(admin, f"/settings/users/{uuid}", **fields[change]).status == 303
    assert enter(other, device.next_code()).status == 400
    assert SESSION not in other.cookies


# Basic authentication, and administrators


def test_basic_auth_does_not_get_by_with_the_password_alone(make_api, api, browser, accounts, clock):
    issued = accounts(Role.READ_ONLY, "ben")
    processes = [api, make_api()]
    ada = basic("ada", PASSWORD)
    assert [process.get("/user", headers=ada).status for process in processes] == [200, 200], "cached from here on"
    set_up_device(browser, clock)
    for process in processes:
        refused = process.get("/user", headers=ada)
        assert refused.status == 401
        assert "ada signs in with a second factor" in refused.json()["error"]
        assert "use a token" in refused.json()["error"]
    assert api.get("/user", headers=bearer(issued)).json()["secondFactor"] is False


def test_administrators_set_up_a_second_factor_first_where_the_setting_requires_it(make_api, accounts, clock):
    issued, _ = accounts(Role.ADMINISTRATOR), accounts(Role.READ_WRITE, "ada")
    api = make_api(require_administrator_second_factor=True)
    admin = Browser(api)
    assert admin.sign_in().status == 303
    for path in ("/", "/settings/users", "/settings/account", "/matrix"):
        sent_on = admin.get(path)
        assert (sent_on.status, sent_on.headers["location"].endswith(PAGE)) == (303, True), path
    csrf = admin.token(PAGE)
    cookie = {"cookie": f"{SESSION}={admin.cookies[SESSION]}", "x-csrf-token": csrf}
    for refused in (api.get("/", headers=cookie), api.post("/pacticipants", {"name": "A"}, headers=cookie)):
        assert (refused.status, PAGE in refused.json()["error"]) == (403, True)
    assert admin.post("/settings/users/new", csrf_token=csrf, name="eve").headers["location"].endswith(PAGE)
    refused = api.get("/", headers=basic("administrator", PASSWORD))
    assert (refused.status, "use a token" in refused.json()["error"]) == (401, True)
    assert api.get("/", headers=bearer(issued)).status == 200
    assert api.get("/", headers=basic("ada", PASSWORD)).status == 200, "others need none"
    shown = admin.post(f"{PAGE}/set-up", csrf_token=csrf)
    device = Device(clock, find_secret(shown))
    assert admin.post(f"{PAGE}/confirm", csrf_token=csrf, code=device.code()).status == 200
    assert admin.get("/settings/users").status == 200


# Removing


def test_removing_it_takes_the_password_and_a_code(api, browser, device, database):
    code = device.next_code()
    assert post_form(browser, f"{PAGE}/remove", own_password="wrong", own_code=code).status == 403  # noqa: S106
    assert post_form(browser, f"{PAGE}/remove", own_password=PASSWORD, own_code="000000").status == 403
    assert post_form(browser, f"{PAGE}/remove", own_password=PASSWORD).status == 403
    done = post_form(browser, f"{PAGE}/remove", own_password=PASSWORD, own_code=code)
    assert done.headers["location"].startswith(PAGE)
    assert Browser(api).sign_in("ada").headers["location"] == "/"
    assert api.get("/user", headers=basic("ada", PASSWORD)).status == 200
    left = database.read(lambda db: [db.scalar(text(f"SELECT count(*) FROM {name}")) for name in TABLES])  # noqa: S608
    assert left == [0, 0]
    assert post_form(browser, f"{PAGE}/remove", own_password=PASSWORD).status == 400
    assert post_form(browser, f"{PAGE}/recovery-codes").status == 400


TABLES = ("second_factor", "recovery_code")


@pytest.mark.usefixtures("device")
def test_an_administrator_removes_the_second_factor_of_a_user(api, browser, accounts, database):
    accounts(Role.ADMINISTRATOR, "root")
    admin = Browser(api)
    admin.sign_in("root")
    path = f"/settings/users/{database.read(lambda db: get_account(db, 'ada')).uuid}"
    assert "Remove second factor" in admin.get(path).text
    assert post_form(admin, path, do="second-factor").status == 303
    assert not is_signed_in(browser)
    assert Browser(api).sign_in("ada").headers["location"] == "/"
    again = post_form(admin, path, do="second-factor")
    assert (again.status, "has no second factor" in again.text) == (400, True)
    kinds = database.read(
        lambda db: db.execute(
            text("SELECT type, who, resource FROM audit WHERE type LIKE 'second_factor%' ORDER BY id")
        )
    )
    assert [tuple(row) for row in kinds] == [
        ("second_factor_setup", "ada", "ada"),
        ("second_factor_removal", "root", "ada"),
    ]


def test_uses_of_the_second_factor_are_audited_without_secrets(api, device, database):
    other = Browser(api)
    other.sign_in("ada")
    enter(other, "123456")
    enter(other, device.recovery_codes[0])
    rows = [tuple(row) for row in database.read(lambda db: db.execute(text("SELECT * FROM audit ORDER BY id")))]
    kinds = [row[1] for row in rows if row[1] not in {"sign_in", "user_creation", "token_creation"}]
    assert kinds == [
        "second_factor_setup",
        "recovery_codes_creation",
        "sign_in_failure",
        "recovery_code_use",
    ]
    assert not [row for row in rows if device.secret in str(row) or device.recovery_codes[0] in str(row)]


# Guessing and races


def test_guessing_codes_is_slowed_down_from_all_addresses_together(make_api, device):
    other = Browser(make_api(trusted_proxies=("127.0.0.1",)))
    statuses = []
    for number in range(7):
        other.headers = {"x-forwarded-for": f"198.51.100.{number}"}
        other.sign_in("ada")
        statuses.append(enter(other, f"{number}00000").status)
    assert statuses == [400] * 5 + [429] * 2
    other.sign_in("ada")
    slowed = enter(other, device.next_code())
    assert slowed.status == 303, "the wait is over"
    assert is_signed_in(other)


@pytest.mark.usefixtures("device")
def test_a_right_password_gives_no_more_guesses(api):
    statuses = []
    for number in range(6):
        other = Browser(api)
        other.sign_in("ada")
        statuses.append(enter(other, f"{number}00000").status)
    assert statuses == [400] * 5 + [429]


def test_an_attacker_elsewhere_does_not_lock_out_a_user_where_codes_were_right_before(make_api, device):
    api = make_api(trusted_proxies=("127.0.0.1",))
    home, elsewhere = (Browser(api, **{"x-forwarded-for": address}) for address in ("192.0.2.7", "198.51.100.8"))
    home.sign_in("ada")
    assert enter(home, device.next_code()).status == 303
    statuses = []
    for number in range(6):
        elsewhere.sign_in("ada")
        statuses.append(enter(elsewhere, f"{number}00000").status)
    assert statuses[-1] == 429
    home.sign_in("ada")
    assert enter(home, device.code(1)).status == 303


@pytest.mark.parametrize("kind", ["one-time password", "recovery code"])
def test_of_many_requests_with_the_same_code_one_is_accepted(device, database_url, database, vault, clock, kind):
    uuid = database.read(lambda db: get_account(db, "ada")).uuid
    code = device.next_code() if kind == "one-time password" else device.recovery_codes[0]
    databases = [open_database(database_url, connections=1) for _ in range(6)]

    def accept(each):
        return each.write(lambda db: second_factors.accept_code(db, uuid, code, vault=vault, now=clock.now))

    with ThreadPoolExecutor(len(databases)) as threads:
        outcomes = list(threads.map(accept, databases))
    for each in databases:
        each.close()
    assert sorted(outcomes) == [False] * 5 + [True]


@pytest.mark.usefixtures("browser")
def test_of_parallel_confirmations_one_counts(database_url, database, vault, clock):
    ada = database.read(lambda db: get_account(db, "ada"))
    secret = database.write(lambda db: second_factors.start_set_up(db, ada, vault=vault, now=clock.now))
    code, databases = Device(clock, secret).code(), [open_database(database_url, connections=1) for _ in range(4)]

    def confirm(each):
        try:
            return each.write(
                lambda db: second_factors.confirm_set_up(db, ada, code, kept_session=None, vault=vault, now=clock.now)
            )
        except Exception as error:  # noqa: BLE001 - which one is asserted below
            return type(error).__name__

    with ThreadPoolExecutor(len(databases)) as threads:
        outcomes = list(threads.map(confirm, databases))
    for each in databases:
        each.close()
    (codes,) = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
    assert [outcome for outcome in outcomes if outcome is not codes] == ["Conflict"] * 3
    assert database.write(lambda db: second_factors.accept_code(db, ada.uuid, codes[0], vault=vault, now=clock.now))


def test_a_password_checked_before_the_account_changed_opens_no_session(browser, database, vault, clock):
    ada = database.read(lambda db: get_account(db, "ada"))
    draft = credentials.SessionDraft(user="ada", account=ada.uuid, password=ada.password, address=None, agent=None)
    set_up_device(browser, clock)
    with pytest.raises(Unauthenticated, match="Sign in again"):
        database.write(lambda db: credentials.open_session(db, draft, vault=vault, now=clock.now))
    hashed = "another hash"
    with pytest.raises(Unauthenticated, match="Sign in again"):
        database.write(lambda db: credentials.start_sign_in(db, ada.uuid, hashed, vault=vault, now=clock.now))


def test_the_secret_is_encrypted_again_when_the_key_changes(device, database):
    column = next(each for each in encrypted_columns.ENCRYPTED_COLUMNS if each.column.table.name == "second_factor")
    newer = get_vault(
        Settings(secret_key=Secret("another key, which is newer"), previous_secret_keys=(Secret(SECRET_KEY),))
    )
    assert database.read(lambda db: encrypted_columns.count_by_key(db, newer))[KeyStatus.OLDER] == 2
    batch = database.write(lambda db: encrypted_columns.rotate(db, column, newer, after=None, limit=20))
    assert batch.rotated_count == 1
    uuid = database.read(lambda db: get_account(db, "ada")).uuid
    code = device.next_code()
    assert database.write(lambda db: second_factors.accept_code(db, uuid, code, vault=newer, now=device.clock.now))


@on_sqlite
def test_a_lost_key_is_reported_and_recovery_codes_still_work(make_api, device, database):
    database.write(lambda db: db.execute(text("UPDATE second_factor SET secret = 'v2:lost:AAAA'")))
    other = Browser(make_api())
    other.sign_in("ada")
    lost = enter(other, device.next_code())
    assert (lost.status, "treaty user reset-second-factor NAME" in lost.text) == (500, True)
    assert enter(other, device.recovery_codes[0]).status == 303
