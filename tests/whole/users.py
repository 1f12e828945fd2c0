"""Users of servers that share a database, with the credentials that they sign in with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import httpx

from tests.api.credentials import basic
from treaty.model.accounts.access import Token
from treaty.model.accounts.throttling import compute_counter_keys
from treaty.settings import Secret, Settings
from treaty.store.accounts import throttling
from treaty.store.engine.vault import get_vault

SECRET_KEY = "the key of both servers, which is no secret"  # noqa: S105
VAULT = get_vault(Settings(secret_key=Secret(SECRET_KEY)))


@dataclass(frozen=True)
class User:
    """A user with its credentials."""

    token: Token
    session: str
    headers: Mapping[str, Mapping[str, str]]


def get_user(server, name, its_password, address="192.0.2.7"):
    headers = {**basic(name, its_password), "x-forwarded-for": address}
    return httpx.get(f"{server.address}/user", headers=headers)


def count_failures(database, name, *, times, at, is_known=True, address="192.0.2.7"):
    """Count wrong passwords as if they had been sent."""
    keys = compute_counter_keys(name, address, is_known=is_known)
    for _ in range(times):
        database.write(lambda db: throttling.increment(db, keys.pair, now=at, before=at - timedelta(minutes=15)))
