"""Fixtures: servers as processes."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.api.credentials import PASSWORD, basic, hash_quickly
from tests.whole.servers import Server, running
from tests.whole.users import VAULT, User
from treaty.actions.accounts import accounts, credentials
from treaty.model.accounts.access import Role
from treaty.store.engine.database import Database, open_database
from treaty.store.migrations import migrate


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server on SQLite."""
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}") as server:
        yield server


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on SQLite for independent tests of a module."""
    with running(f"sqlite:///{tmp_path_factory.mktemp('shared') / 'treaty.sqlite'}") as server:
        yield server


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The database of a test with tables, open in this process, too."""
    database = open_database(database_url)
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def add_user(database: Database) -> Callable[[str], User]:
    """Add a user with a token, a password and a session."""

    def add(name: str) -> User:
        now = datetime.now(UTC)
        draft = accounts.AccountDraft(name=name, role=Role.READ_ONLY, password=hash_quickly(PASSWORD))
        account = database.write(lambda db: accounts.add_account(db, draft, now=now))
        new = credentials.TokenDraft(name="build")
        token = database.write(lambda db: credentials.add_token(db, account, new, vault=VAULT, now=now))
        who = credentials.SessionDraft(
            user=name, account=account.uuid, password=draft.password, proof=None, address=None, agent=None
        )
        session = database.write(lambda db: credentials.open_session(db, who, vault=VAULT, now=now))
        headers = {
            "token": {"authorization": f"Bearer {token.text}"},
            "password": basic(name, PASSWORD),
            "session": {"cookie": f"__Host-treaty={session.secret}"},
        }
        return User(token.token, session.session.uuid, headers)

    return add
