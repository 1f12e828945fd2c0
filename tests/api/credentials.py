"""Credentials of users: a password with a quick hash, and the headers that they are sent in."""

from typing import Final

from argon2 import PasswordHasher
from pydantic import SecretStr

from tests.api.client import SECRET_KEY
from treaty.settings import Settings
from treaty.store.engine.vault import get_vault

PASSWORD = "a stapled horse, correctly"  # noqa: S105
VAULT: Final = get_vault(Settings(secret_key=SecretStr(SECRET_KEY)))
_HASHER: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def hash_quickly(password: str) -> str:
    """Hash a password with the least effort. It is verified as quickly, since the hash contains the parameters."""
    return _HASHER.hash(password)
