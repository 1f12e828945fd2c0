"""Servers that share a database authenticate the same users, tokens and sessions."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.api.credentials import PASSWORD, hash_quickly
from tests.waiting import PATIENCE
from tests.whole import servers
from tests.whole.users import SECRET_KEY, count_failures, get_user
from treaty.actions.accounts import accounts, credentials

OTHER = "one more battery, please"


@pytest.fixture
def both(database_url: str, tmp_path: Path) -> Iterator[list[servers.Server]]:
    environ = {"TREATY_SECRET_KEY": SECRET_KEY, "TREATY_TRUSTED_PROXIES": "127.0.0.1"}
    with (
        servers.running(database_url, cwd=tmp_path, environ=environ) as first,
        servers.running(database_url, cwd=tmp_path, environ=environ) as second,
    ):
        yield [first, second]


def test_revoked_credentials_are_refused_at_once_by_every_process(database, both, add_user):
    def statuses(account):
        requests = [(server, account.headers[kind]) for kind in ("token", "password", "session") for server in both]
        return [httpx.get(f"{server.address}/user", headers=headers).status_code for server, headers in requests]

    revoked, disabled, changed, ended = (add_user(name) for name in ("revoked", "disabled", "changed", "ended"))
    assert [statuses(user) for user in (revoked, disabled, changed, ended)] == [[200] * 6] * 4
    now, its_hash = datetime.now(UTC), hash_quickly(OTHER)
    database.write(lambda db: credentials.revoke_token(db, revoked.token))
    database.write(lambda db: accounts.disable_account(db, accounts.get_account(db, "disabled"), now=now))
    database.write(lambda db: accounts.set_password(db, accounts.get_account(db, "changed"), its_hash, now=now))
    database.write(lambda db: credentials.end_session(db, ended.session, user="ended"))
    assert statuses(revoked) == [401, 401, 200, 200, 200, 200]
    assert statuses(disabled) == [401, 401, 401, 401, 401, 401]
    assert statuses(changed) == [200, 200, 401, 401, 401, 401]
    assert statuses(ended) == [200, 200, 200, 200, 401, 401]


@pytest.mark.slow_on_postgresql
@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_wrong_passwords_are_counted_together_whichever_process_they_are_sent_to(database, both, add_user, name):
    add_user("ada")
    add_user("ben")
    assert [get_user(both[number % 2], name, f"guess {number}").status_code for number in range(5)] == [401] * 5
    # As if there had been more of them: a second would be over before all is asked.
    count_failures(database, name, times=4, at=datetime.now(UTC), is_known=name == "ada")
    slowed = [get_user(server, name, PASSWORD) for server in both]
    assert [each.status_code for each in slowed] == [429, 429]
    assert all(0 < int(each.headers["retry-after"]) <= 16 for each in slowed)
    assert [get_user(server, "ben", PASSWORD).status_code for server in both] == [200, 200]
    assert [get_user(server, "ada", PASSWORD, "192.0.2.8").status_code for server in both] == [200, 200]


@pytest.mark.slow_on_postgresql
def test_of_many_simultaneous_passwords_after_a_wait_one_is_checked(database, both, add_user):
    add_user("ada")
    # The next one may be looked at after eight seconds, and the one after it in sixteen.
    count_failures(database, "ada", times=8, at=datetime.now(UTC) - timedelta(seconds=60))
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda number: get_user(both[number % 2], "ada", f"guess {number}").status_code, range(8))
    assert sorted(answers) == [401] + [429] * 7


@pytest.fixture
def kept_connections(database_url: str) -> list[int]:
    """Ids of the PostgreSQL processes for connections of this test process, which stay open for later tests."""
    if database_url.startswith("sqlite"):
        return []
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()").fetchall()
    return [pid for (pid,) in rows]


def test_credentials_are_accepted_after_the_database_ended_its_connections(
    kept_connections, database_url, both, add_user
):
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has none that end")
    ada = add_user("ada")
    for kind in ("token", "password", "session"):
        requests = [(server, ada.headers[kind]) for server in both]
        assert [httpx.get(f"{server.address}/user", headers=headers).status_code for server, headers in requests] == [
            200
        ] * 2
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND NOT pid = ANY(%s)",
                [kept_connections],
            )
        assert [httpx.get(f"{server.address}/user", headers=headers).status_code for server, headers in requests] == [
            200
        ] * 2


@pytest.mark.slow_on_postgresql
def test_the_right_password_resets_the_count_of_wrong_ones_in_every_process(both, add_user):
    first, second = both
    add_user("ada")
    assert [get_user(first, "ada", f"guess {number}").status_code for number in range(4)] == [401] * 4
    assert get_user(second, "ada", PASSWORD).status_code == 200
    assert [get_user(first, "ada", f"guess {number}").status_code for number in range(5)] == [401] * 5


def test_servers_that_start_at_once_on_an_empty_database_both_come_up(empty_database_url: str, tmp_path: Path) -> None:
    environ = {"TREATY_EXAMPLE_DATA": "true", "TREATY_DATABASE_STARTUP_TIMEOUT": str(PATIENCE)}
    with ThreadPoolExecutor(2) as threads, ExitStack() as stack:
        starts = [
            threads.submit(servers.start, empty_database_url, cwd=tmp_path, environ=environ, has_tables=False)
            for _ in range(2)
        ]
        started = [start.result() for start in starts]
        for server in started:
            stack.callback(server.end)
        new, read = started[0].address, started[1].address
        httpx.post(f"{new}/pacticipants", json={"name": "Added"}).raise_for_status()
        assert names_at(new) == names_at(read)
        assert len(names_at(new)) == len(set(names_at(new))) > 1
        assert "Added" in names_at(read)


def names_at(address: str) -> list[str]:
    return [each["name"] for each in httpx.get(f"{address}/pacticipants").json()["_embedded"]["pacticipants"]]
