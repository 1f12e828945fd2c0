"""Credentials of users, the headers that they are sent in, and all that a database stores about them."""

import base64
from typing import Final

from argon2 import PasswordHasher
from sqlalchemy import text

from tests.api.client import SECRET_KEY
from treaty.actions.accounts.credentials import IssuedToken
from treaty.settings import Secret, Settings
from treaty.store.engine.database import Database
from treaty.store.engine.vault import get_vault

SESSION = "__Host-treaty"
PASSWORD = "a stapled horse, correctly"  # noqa: S105
VAULT: Final = get_vault(Settings(secret_key=Secret(SECRET_KEY)))
_TABLES: Final = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}
_HASHER: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def hash_quickly(password: str) -> str:
    """Hash a password with the least effort. It is verified as quickly, since the hash contains the parameters."""
    return _HASHER.hash(password)


def basic(name: str, its_password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{its_password}".encode()).decode()}


def bearer(issued: IssuedToken) -> dict[str, str]:
    return {"authorization": f"Bearer {issued.text}"}


def dump_tables(database: Database) -> str:
    """Write all rows of all tables as text, to search it for secrets."""
    with database.engine.connect() as connection:
        tables = [row[0] for row in connection.execute(text(_TABLES[connection.dialect.name]))]
        return "\n".join(
            str(tuple(row))
            for table in tables
            for row in connection.execute(text(f'SELECT * FROM "{table}"'))  # noqa: S608 - our own tables
        )
