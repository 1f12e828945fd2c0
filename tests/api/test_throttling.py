"""Guessing passwords is slowed down, whether or not a guess is right, and others are not locked out by it."""

import asyncio
import base64
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from tests.api.browsers import Browser
from tests.api.client import SECRET_KEY
from tests.api.credentials import PASSWORD
from tests.databases import on_sqlite
from treaty.actions.accounts import credentials
from treaty.actions.accounts import throttling as throttling_actions
from treaty.model.accounts.access import Role
from treaty.model.accounts.throttling import ACCOUNT_LIMIT, ADDRESS_LIMIT, compute_counter_keys
from treaty.settings import Secret, Settings
from treaty.store.accounts import throttling
from treaty.store.engine.database import open_database
from treaty.store.engine.vault import get_vault
from treaty.store.tables import account, guess

OFFICE, ELSEWHERE = "192.0.2.7", "198.51.100.8"
CI_PASSWORD = "of the build server"  # noqa: S105
USERS = {"basic_auth_username": "ci", "basic_auth_password": CI_PASSWORD}
PEOPLE = {"ada": PASSWORD, "ci": CI_PASSWORD}


def authorize(name, its_password, address):
    encoded = base64.b64encode(f"{name}:{its_password}".encode()).decode()
    return {"authorization": f"Basic {encoded}", "x-forwarded-for": address}


@pytest.fixture
def api(make_api, accounts):
    accounts(Role.READ_WRITE, "ada")
    accounts(Role.READ_WRITE, "ben")
    return make_api(trusted_proxies=("127.0.0.1",), **USERS)


@pytest.fixture
def ask(api):
    def ask(name, its_password, address=OFFICE):
        return api.get("/user", headers=authorize(name, its_password, address))

    return ask


def statuses(ask, name, count, address=OFFICE):
    return [ask(name, f"guess {number}", address).status for number in range(count)]


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("was_right_before", [False, True], ids=["never right", "right before"])
def test_the_right_password_has_to_wait_like_any_other(ask, clock, name, was_right_before):
    if was_right_before:
        assert ask(name, PEOPLE[name]).status == 200
    assert statuses(ask, name, 6) == [401] * 5 + [429]
    slowed = ask(name, PEOPLE[name])
    assert (slowed.status, slowed.headers["retry-after"]) == (429, "1")
    assert "Try again in 1 second" in slowed.json()["error"]
    assert "tokens" in slowed.json()["error"]
    clock.now += timedelta(seconds=1)
    assert ask(name, PEOPLE[name]).status == 200
    # A password that was right before gives no new information, so repeated builds give an attacker no more guesses.
    assert statuses(ask, name, 5) == ([401] + [429] * 4 if was_right_before else [401] * 5)
    assert ask(name, PEOPLE[name], ELSEWHERE).status == 200


@pytest.mark.parametrize("name", PEOPLE)
def test_a_right_password_in_another_process_has_to_wait_too(make_api, ask, name):
    other = make_api(trusted_proxies=("127.0.0.1",), **USERS)
    right = authorize(name, PEOPLE[name], OFFICE)
    assert other.get("/user", headers=right).status == 200
    assert statuses(ask, name, 5) == [401] * 5
    assert other.get("/user", headers=right).status == 429


def test_tokens_of_a_throttled_user_are_accepted(api, ask, accounts):
    issued = accounts(Role.READ_WRITE, "eve")
    assert statuses(ask, "eve", 6)[-1] == 429
    headers = {"authorization": f"Bearer {issued.text}", "x-forwarded-for": OFFICE}
    assert api.get("/user", headers=headers).status == 200


def exhaust(database, clock, limit, *, names, addresses):
    """Count as many failures as a limit allows, of names from addresses in turn."""
    for number in range(limit.allowed_failures):
        keys = compute_counter_keys(
            names[number % len(names)], addresses[number % len(addresses)], is_known=names == ["ada"]
        )
        database.write(lambda db, keys=keys: throttling_actions.reserve_attempt(db, keys, now=clock.now))


def test_a_success_takes_back_its_own_attempt_and_the_failures_of_its_pair_only(database, clock):
    # Keys are hashes: with several names, the pair's key comes before and after the others.
    for name in map(str, range(6)):
        keys = compute_counter_keys(name, OFFICE, is_known=True)
        elsewhere = compute_counter_keys(name, ELSEWHERE, is_known=True)
        for attempt in (keys, elsewhere, keys):
            database.write(lambda db, keys=attempt: throttling_actions.reserve_attempt(db, keys, now=clock.now))
        counts = database.read(lambda db: dict(db.execute(select(guess.c.key, guess.c.count)).all()))
        database.write(lambda db, keys=keys: throttling_actions.record_success(db, keys, now=clock.now))
        after = database.read(lambda db: dict(db.execute(select(guess.c.key, guess.c.count)).all()))
        counts[keys.account] -= 1
        counts[keys.address] -= 1
        del counts[keys.pair]
        assert after == counts


def test_an_attacker_does_not_lock_an_office_out_that_shares_the_address(ask, database, clock):
    assert ask("ada", PASSWORD).status == 200
    exhaust(database, clock, ADDRESS_LIMIT, names=[f"nobody {number}" for number in range(50)], addresses=[OFFICE])
    assert ask("ben", PASSWORD).status == 429, "who has never signed in from there has to wait"
    assert ask("ada", PASSWORD).status == 200
    assert statuses(ask, "ada", 6) == [401] * 5 + [429], "more slowly than without an attacker"


def test_a_trusted_account_that_is_attacked_from_its_own_address_waits_for_half_a_minute_at_most(ask, database, clock):
    assert ask("ada", PASSWORD).status == 200
    keys = compute_counter_keys("ada", OFFICE, is_known=True)
    for _ in range(60):
        database.write(lambda db: throttling.increment(db, keys.pair, now=clock.now, before=clock.now))
    assert ask("ada", PASSWORD).headers["retry-after"] == "30"
    clock.now += timedelta(seconds=30)
    assert ask("ada", PASSWORD).status == 200


def test_guessing_at_an_account_from_many_addresses_is_slowed_down(ask, database, clock):
    assert ask("ada", PASSWORD).status == 200
    exhaust(database, clock, ACCOUNT_LIMIT, names=["ada"], addresses=[f"203.0.113.{number}" for number in range(100)])
    assert ask("ada", PASSWORD, ELSEWHERE).status == 429
    assert ask("ben", PASSWORD, ELSEWHERE).status == 200
    assert ask("ada", PASSWORD).status == 200, "from where she has signed in before, she does not wait"


def test_signing_in_from_an_address_is_remembered_though_the_password_was_verified_for_another(ask, database, clock):
    for address in (OFFICE, ELSEWHERE):
        assert ask("ada", PASSWORD, address).status == 200
    exhaust(database, clock, ACCOUNT_LIMIT, names=["ada"], addresses=[f"203.0.113.{number}" for number in range(100)])
    assert [ask("ada", PASSWORD, address).status for address in (OFFICE, ELSEWHERE)] == [200, 200]


@pytest.mark.parametrize(
    "addresses",
    [
        [f"2001:db8:0:1::{number}" for number in range(6)],
        ["192.0.2.9", "::ffff:192.0.2.9", "::ffff:c000:209", "192.0.2.9", "::FFFF:192.0.2.9", "192.0.2.9"],
    ],
    ids=["IPv6", "mapped"],
)
def test_other_spellings_and_addresses_of_a_network_do_not_help(ask, addresses):
    answers = [ask("ada", f"guess {number}", address).status for number, address in enumerate(addresses)]
    assert answers == [401] * 5 + [429]


def test_right_passwords_count_nothing(ask, database):
    for name, its_password in PEOPLE.items():
        assert statuses(ask, name, 3) == [401] * 3
        assert ask(name, its_password).status == 200
    counts = database.read(lambda db: db.execute(select(guess.c.key, guess.c.count)).all())
    keys = {name: compute_counter_keys(name, OFFICE, is_known=True) for name in PEOPLE}
    positive_counts = {key: count for key, count in counts if count}
    assert positive_counts == {keys["ada"].address: 6, keys["ada"].account: 3, keys["ci"].account: 3}


def test_a_name_with_any_characters_returns_401(ask):
    for name in ("a\0b", "a\nb", "\N{SNOWMAN}", "x" * 3000, ""):
        assert ask(name, "guess").status == 401


# Many at once


def at_once(api, credentials):
    """Send requests with names and passwords at the same time."""

    async def together():
        requests = (
            api._send("GET", "/user", b"", {"host": "localhost", "accept": "*/*", **headers})  # noqa: SLF001 - of a helper
            for headers in (authorize(name, its_password, OFFICE) for name, its_password in credentials)
        )
        return await asyncio.gather(*requests)

    return [answer.status for answer in api._loop.run_until_complete(together())]  # noqa: SLF001 - likewise


@pytest.mark.parametrize("name", [*PEOPLE, "nobody"])
@pytest.mark.parametrize("is_same", [False, True], ids=["different", "the same"])
def test_of_sixty_wrong_passwords_at_once_five_are_checked(api, name, is_same):
    statuses_at_once = at_once(api, [(name, "guess" if is_same else f"guess {number}") for number in range(60)])
    assert Counter(statuses_at_once) == {401: 5, 429: 55}


@pytest.mark.parametrize("name", PEOPLE)
def test_a_right_password_among_many_wrong_ones_at_once_is_not_found(api, name):
    right = (name, PEOPLE[name])
    assert at_once(api, [right]) == [200]
    statuses_at_once = at_once(api, [*((name, f"guess {number}") for number in range(59)), right])
    assert Counter(statuses_at_once) == {401: 5, 429: 55}


@pytest.mark.parametrize("name", PEOPLE)
def test_simultaneous_builds_with_the_right_password_are_all_accepted(api, name):
    assert at_once(api, [(name, PEOPLE[name])] * 60) == [200] * 60


# Pages


def browse(api, address=OFFICE):
    return Browser(api, **{"x-forwarded-for": address})


@on_sqlite
def test_the_sign_in_page_shows_the_waiting_time(api):
    answers = [browse(api).submit("/sign-in", name="ada", password=f"guess {number}") for number in range(6)]
    assert [answer.status for answer in answers] == [400] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "1"
    assert "Try again in 1 second" in answers[-1].text
    assert browse(api).submit("/sign-in", name="ada", password=PASSWORD).status == 429


@on_sqlite
def test_guessing_the_password_on_the_page_that_changes_it_is_throttled(api):
    browser = browse(api)
    assert browser.submit("/sign-in", name="ada", password=PASSWORD).status == 303
    new = {"password": "one more battery, please", "again": "one more battery, please"}
    answers = [browser.submit("/settings/account", current=f"guess {number}", **new) for number in range(6)]
    assert [answer.status for answer in answers] == [400] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "1"
    assert browser.submit("/settings/account", current=PASSWORD, **new).status == 429


# The setup link


@pytest.fixture
def link(database, clock):
    vault = get_vault(Settings(secret_key=Secret(SECRET_KEY)))
    return database.write(lambda db: credentials.create_setup_link(db, vault=vault, now=clock.now))


NEW = {"name": "ada", "email": "", "password": PASSWORD, "again": PASSWORD}


def test_invalid_setup_links_are_throttled_and_audited_and_the_valid_one_is_not(make_api, link, database):
    api = make_api(trusted_proxies=("127.0.0.1",))
    browser = browse(api)
    answers = [browser.submit("/setup", link=f"guess {number}", **NEW) for number in range(6)]
    assert [answer.status for answer in answers] == [404] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "1"
    assert "Too many invalid setup links" in answers[-1].text
    assert browse(api, ELSEWHERE).submit("/setup", link="guess", **NEW).status == 404
    assert database.read(lambda db: db.scalar(select(func.count()).select_from(account))) == 0
    assert browser.submit("/setup", link=link, **NEW).status == 303
    refused = database.read(
        lambda db: db.execute(text("SELECT type, status, address FROM audit WHERE path = '/setup'"))
    )
    refusals = {tuple(row) for row in refused if row[1] is not None}
    assert refusals == {
        ("sign_in_failure", 404, OFFICE),
        ("sign_in_failure", 429, OFFICE),
        ("sign_in_failure", 404, ELSEWHERE),
    }


@pytest.mark.parametrize("end", ["a user", "a newer link", "a day"])
def test_a_setup_link_ends_with_the_first_user_the_next_link_or_after_a_day(
    make_api, link, database, clock, accounts, end
):
    browser = Browser(make_api())
    clock.now += timedelta(days=1, seconds=-1)
    assert browser.api.get("/setup", accept="text/html").status == 200
    csrf_token = browser.token("/setup")
    if end == "a user":
        accounts(Role.READ_ONLY, "ben")
    elif end == "a newer link":
        vault = get_vault(Settings(secret_key=Secret(SECRET_KEY)))
        database.write(lambda db: credentials.create_setup_link(db, vault=vault, now=clock.now))
    else:
        clock.now += timedelta(seconds=1)
    assert browser.api.get("/setup", accept="text/html").status == (200 if end == "a newer link" else 404)
    assert browser.post("/setup", link=link, **NEW, csrf_token=csrf_token).status == 404
    names = database.read(lambda db: db.scalars(select(account.c.name)).all())
    assert names == (["ben"] if end == "a user" else [])


@pytest.mark.usefixtures("link")
def test_an_invalid_setup_link_waits_for_no_write(make_api, database_url):
    api = make_api()
    browser = browse(api)
    assert browser.submit("/setup", link="guess", **NEW).status == 404
    blocker = open_database(database_url, connections=1)
    with blocker.engine.connect() as connection:
        if blocker.is_local:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("LOCK TABLE account, access, guess, audit IN EXCLUSIVE MODE")
        assert browser.submit("/setup", link="another guess", **NEW).status == 404
        connection.exec_driver_sql("ROLLBACK")
    blocker.close()
