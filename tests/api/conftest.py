"""Clients of the application in this process, on both databases, and users in them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.client import SECRET_KEY, Api, Clock, build_settings
from tests.api.credentials import PASSWORD, VAULT, hash_quickly
from tests.databases import open_kept
from treaty.actions.accounts import accounts as account_actions
from treaty.actions.accounts import credentials
from treaty.actions.accounts.credentials import IssuedToken
from treaty.model.accounts.access import Role
from treaty.store.engine.database import Database
from treaty.web.application import build_application


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_api(database_url: str, clock: Clock) -> Iterator[Callable[..., Api]]:
    """Make clients of applications with settings of their own, all on the test's database."""
    apis = []

    def make(**settings: Any) -> Api:
        # A busy machine may take longer to compare than a user should wait.
        defaults = {"log_level": "error", "secret_key": SECRET_KEY, "comparison_budget": 600}
        built = build_settings(**{"database_url": database_url, **defaults, **settings})
        database = open_kept(built.database_url, connections=2)
        api = Api(build_application(built, database, clock=clock))
        apis.append((api, database))
        return api

    yield make
    for api, database in apis:
        api.close()
        database.close()


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    """A client of an application with the usual settings."""
    return make_api()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The test's database, to make users in."""
    opened = open_kept(database_url, connections=1)
    yield opened
    opened.close()


@pytest.fixture
def accounts(database: Database, clock: Clock) -> Callable[..., IssuedToken]:
    """Add a user, called as the role is unless told otherwise, and give it a token."""

    def add(role: Role, name: str = "", *, system: bool = False, token: Role = Role.READ_WRITE) -> IssuedToken:
        its_hash = None if system else hash_quickly(PASSWORD)
        draft = account_actions.AccountDraft(name=name or role.value, role=role, password=its_hash, is_system=system)
        account = database.write(lambda db: account_actions.add_account(db, draft, now=clock.now))
        draft_token = credentials.TokenDraft(name="of the tests", role=token)
        return database.write(lambda db: credentials.add_token(db, account, draft_token, vault=VAULT, now=clock.now))

    return add
