"""What tokens and sessions have in common: an owner, a keyed hash of their secret, and their latest use."""

from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Column, Connection, Delete, Executable, Table, Update, bindparam, delete, select, update

from treaty.model.accounts.access import Role
from treaty.store.accounts.limits import load_limits
from treaty.store.engine.database import execute, fetch_first
from treaty.store.tables import account

Presented = TypeVar("Presented")

OWNER_ID: Final = select(account.c.id).where(account.c.uuid == bindparam("account_uuid")).scalar_subquery()
"""The id of the account with the UUID `account_uuid`."""
OWNER_COLUMNS: Final = (account.c.uuid.label("account"), account.c.name.label("user"))


def build_use_update(table: Table, *, used_at: Column[Any], address: Column[Any]) -> Update:
    """Build the statement for `record_use`."""
    used_by = update(table).where(table.c.uuid == bindparam("credential_uuid"))
    return used_by.values({used_at: bindparam("now"), address: bindparam("client_address")})


def record_use(db: Connection, statement: Update, uuid: str, *, at: datetime, address: str | None) -> None:
    """Record when and from where a token or session was used."""
    execute(db, statement, {"credential_uuid": uuid, "now": at, "client_address": address})


def build_deletion(table: Table) -> Delete:
    """Build the statement for `remove`."""
    return delete(table).where(table.c.uuid == bindparam("credential_uuid"))


def remove(db: Connection, statement: Delete, uuid: str) -> None:
    execute(db, statement, {"credential_uuid": uuid})


def find_presented(
    db: Connection, statement: Executable, secret_hash: str, presented_type: type[Presented]
) -> Presented | None:
    """Find the token or session that has the parameter `hash`, with its roles and limits converted."""
    row = fetch_first(db, statement, {"hash": secret_hash})
    if row is None:
        return None
    values = row._asdict()
    roles = {name: Role(values[name]) for name in ("role", "account_role") if values.get(name)}
    limits = {name: load_limits(values[name]) for name in ("limits", "account_limits") if name in values}
    return presented_type(**{**values, **roles, **limits})
