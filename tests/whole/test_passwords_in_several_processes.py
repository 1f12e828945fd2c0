"""Passwords with several server processes, which the tests of this file share."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from math import log2

import pytest
from sqlalchemy import delete

from tests.api.credentials import PASSWORD
from tests.whole import servers
from tests.whole.users import SECRET_KEY, count_failures, get_user
from treaty.store.tables import account, guess

USERS = {"TREATY_BASIC_AUTH_USERNAME": "ci", "TREATY_BASIC_AUTH_PASSWORD": PASSWORD}


@pytest.fixture(scope="module")
def database_url(shared_database_url: str) -> str:
    return shared_database_url


@pytest.fixture(scope="module")
def shared_servers(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[servers.Server]]:
    environ = {"TREATY_SECRET_KEY": SECRET_KEY, "TREATY_TRUSTED_PROXIES": "127.0.0.1", **USERS}
    folder = tmp_path_factory.mktemp("servers")
    with (
        servers.running(database_url, "--workers", "2", cwd=folder, environ=environ) as first,
        servers.running(database_url, cwd=folder, environ=environ) as second,
    ):
        yield [first, second]


@pytest.fixture
def two_with_users(shared_servers, database) -> Iterator[list[servers.Server]]:
    """The servers, without users in the database and without recent failures."""
    yield shared_servers
    for table in (account, guess):
        database.write(lambda db, table=table: db.execute(delete(table)))


@pytest.mark.slow_on_postgresql
@pytest.mark.parametrize("name", ["ada", "ci"])
def test_of_sixty_passwords_that_come_at_once_to_several_processes_five_are_checked(two_with_users, add_user, name):
    add_user("ada")
    began_at = time.monotonic()
    with ThreadPoolExecutor(30) as threads:
        guesses_at_once = threads.map(
            lambda number: get_user(two_with_users[number % 2], name, f"guess {number}").status_code, range(60)
        )
        counts = Counter(guesses_at_once)
    # On a slow machine another one is due after a second, one more after two more seconds, and so on.
    due = int(log2(time.monotonic() - began_at + 1))
    assert counts[401] + counts[429] == 60
    assert 5 <= counts[401] <= 5 + due


@pytest.mark.slow_on_postgresql
@pytest.mark.parametrize("name", ["ada", "ci"])
def test_a_right_password_that_a_process_has_verified_waits_for_failures_in_another(
    two_with_users, add_user, database, name
):
    add_user("ada")
    first, second = two_with_users
    assert get_user(second, name, PASSWORD).status_code == 200
    count_failures(database, name, times=9, at=datetime.now(UTC))
    responses = [get_user(server, name, PASSWORD) for server in (second, first)]
    assert [response.status_code for response in responses] == [429, 429]
    assert all("Try again in" in response.json()["error"] for response in responses)
    assert [get_user(server, name, PASSWORD, "198.51.100.8").status_code for server in (second, first)] == [200, 200]


@pytest.mark.slow_on_postgresql
def test_simultaneous_builds_with_the_right_password_are_accepted_by_every_process(two_with_users, add_user):
    add_user("ada")
    with ThreadPoolExecutor(30) as threads:
        for name in ("ada", "ci"):
            responses = threads.map(
                lambda number, name=name: get_user(two_with_users[number % 2], name, PASSWORD), range(60)
            )
            assert {response.status_code for response in responses} == {200}
