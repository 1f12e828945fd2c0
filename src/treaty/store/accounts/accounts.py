"""Accounts: who may sign in, and as what.

Each change is a statement of its own that sets its own columns only, so that it cannot undo a change made meanwhile.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, exists, insert, select, update

from treaty.model.accounts.access import Account, Role, normalize_name
from treaty.store.engine.database import execute, fetch_column, fetch_first, fetch_rows, fetch_scalar
from treaty.store.tables import account

_COLUMNS: Final = [one for one in account.c if one.name not in {"id", "key"}]
_ACCOUNTS: Final = select(*_COLUMNS).order_by(account.c.is_system, account.c.key)
_BY_KEY: Final = _ACCOUNTS.where(account.c.key == bindparam("name_key"))
_BY_UUID: Final = _ACCOUNTS.where(account.c.uuid == bindparam("account_uuid"))
_LOCKED: Final = _BY_UUID.with_for_update(key_share=True)
_IS_ANY: Final = select(exists(select(account.c.id)))
_ADMINISTRATORS: Final = (
    select(account.c.uuid)
    .where(account.c.role == Role.ADMINISTRATOR.value, account.c.is_active, account.c.password.is_not(None))
    .order_by(account.c.id)
)
_LOCKED_ADMINISTRATORS: Final = _ADMINISTRATORS.with_for_update(key_share=True)
_WRITTEN: Final = (
    "uuid",
    "name",
    "key",
    "email",
    "password",
    "role",
    "is_active",
    "is_system",
    "signed_in_at",
    "created_at",
    "updated_at",
)
_ADD: Final = insert(account).values({name: bindparam(name) for name in _WRITTEN})
_CHANGE: Final = update(account).where(account.c.uuid == bindparam("account_uuid"))
_SET_PASSWORD: Final = _CHANGE.values(password=bindparam("new_password"), updated_at=bindparam("at"))
_REPLACE_PASSWORD: Final = _SET_PASSWORD.where(account.c.is_active, account.c.password == bindparam("old_password"))
_SET_ROLE: Final = _CHANGE.values(role=bindparam("new_role"), updated_at=bindparam("at"))
_SET_ACTIVE: Final = _CHANGE.values(is_active=bindparam("active"), updated_at=bindparam("at"))
_NOTE_SIGN_IN: Final = _CHANGE.where(account.c.is_active, account.c.password == bindparam("verified")).values(
    signed_in_at=bindparam("at")
)


def has_any(db: Connection) -> bool:
    """Whether there are accounts at all: without them a server asks for no credentials of its own accord."""
    return bool(fetch_scalar(db, _IS_ANY, {}))


def list_administrators(db: Connection) -> list[str]:
    """List the UUIDs of the accounts that can sign in and manage users."""
    return fetch_column(db, _ADMINISTRATORS, {})


def lock_administrators(db: Connection) -> None:
    """Lock these accounts, in a fixed order, so that until the transaction ends no other one makes them fewer."""
    fetch_column(db, _LOCKED_ADMINISTRATORS, {})


def lock(db: Connection, uuid: str) -> Account | None:
    """Find an account and keep other changes away from it until the transaction ends."""
    row = fetch_first(db, _LOCKED, {"account_uuid": uuid})
    return None if row is None else _account(row)


def list_all(db: Connection) -> Sequence[Account]:
    """List all, people before system accounts."""
    return [_account(row) for row in fetch_rows(db, _ACCOUNTS, {})]


def find_by_name(db: Connection, name: str) -> Account | None:
    row = fetch_first(db, _BY_KEY, {"name_key": normalize_name(name)})
    return None if row is None else _account(row)


def find(db: Connection, uuid: str) -> Account | None:
    row = fetch_first(db, _BY_UUID, {"account_uuid": uuid})
    return None if row is None else _account(row)


def add(db: Connection, new: Account) -> None:
    execute(db, _ADD, {name: getattr(new, name) for name in _WRITTEN})


def set_password(db: Connection, uuid: str, password: str, *, at: datetime) -> None:
    """Store another password hash, whatever the state of the account."""
    execute(db, _SET_PASSWORD, {"account_uuid": uuid, "new_password": password, "at": at})


def replace_password(db: Connection, uuid: str, *, old: str, new: str, at: datetime) -> bool:
    """Store another password hash if the account is active and still has the old one; return whether it did."""
    return (
        execute(db, _REPLACE_PASSWORD, {"account_uuid": uuid, "old_password": old, "new_password": new, "at": at}) == 1
    )


def set_role(db: Connection, uuid: str, role: Role, *, at: datetime) -> None:
    execute(db, _SET_ROLE, {"account_uuid": uuid, "new_role": role.value, "at": at})


def set_active(db: Connection, uuid: str, *, active: bool, at: datetime) -> None:
    execute(db, _SET_ACTIVE, {"account_uuid": uuid, "active": active, "at": at})


def record_sign_in(db: Connection, uuid: str, *, password: str, at: datetime) -> bool:
    """Record a sign-in if the account is active and still has the password hash that was verified.

    Returns whether it does; if so, changes of the account wait until the transaction ends.
    """
    return execute(db, _NOTE_SIGN_IN, {"account_uuid": uuid, "verified": password, "at": at}) == 1


def _account(row: Any) -> Account:
    return Account(**{**row._asdict(), "role": Role(row.role)})
