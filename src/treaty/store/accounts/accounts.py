"""Accounts: users and system accounts, with their roles.

Each kind of change has a statement that sets only its own columns, so that parallel changes do not undo each other.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, exists, insert, select, update

from treaty.model.accounts.access import Account, Role, normalize_name
from treaty.store.engine.database import execute, fetch_column, fetch_first, fetch_rows, fetch_scalar
from treaty.store.tables import account

_COLUMNS: Final = [column for column in account.c if column.name not in {"id", "key"}]
_ACCOUNTS: Final = select(*_COLUMNS).order_by(account.c.is_system, account.c.key)
_BY_KEY: Final = _ACCOUNTS.where(account.c.key == bindparam("name_key"))
_BY_UUID: Final = _ACCOUNTS.where(account.c.uuid == bindparam("account_uuid"))
# FOR NO KEY UPDATE: adding a token or session for the account, which refers to its id, need not wait.
_LOCKED: Final = _BY_UUID.with_for_update(key_share=True)
_HAS_ANY: Final = select(exists(select(account.c.id)))
# Without a password (a system account) or disabled, an administrator cannot sign in to manage users.
_ADMINISTRATORS: Final = (
    select(account.c.uuid)
    .where(account.c.role == Role.ADMINISTRATOR.value, account.c.is_active, account.c.password.is_not(None))
    .order_by(account.c.id)
)
_LOCKED_ADMINISTRATORS: Final = _ADMINISTRATORS.with_for_update(key_share=True)
_ADDED_COLUMNS: Final = (
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
_ADD: Final = insert(account).values({name: bindparam(name) for name in _ADDED_COLUMNS})
_CHANGE: Final = update(account).where(account.c.uuid == bindparam("account_uuid"))
_SET_PASSWORD: Final = _CHANGE.values(password=bindparam("new_password"), updated_at=bindparam("at"))
# Comparing in the statement, not before it, so that a parallel change of the password is not overwritten.
_REPLACE_PASSWORD: Final = _SET_PASSWORD.where(account.c.is_active, account.c.password == bindparam("old_password"))
_SET_ROLE: Final = _CHANGE.values(role=bindparam("new_role"), updated_at=bindparam("at"))
_SET_ACTIVE: Final = _CHANGE.values(is_active=bindparam("active"), updated_at=bindparam("at"))
_SET_SECOND_FACTOR: Final = _CHANGE.values(second_factor_at=bindparam("since"), updated_at=bindparam("at"))
_RECORD_SIGN_IN: Final = _CHANGE.where(account.c.is_active).values(signed_in_at=bindparam("at"))
_RECORD_SIGN_IN_BY_PASSWORD: Final = _RECORD_SIGN_IN.where(
    account.c.password == bindparam("verified"), account.c.second_factor_at.is_(None)
)
_RECORD_SIGN_IN_BY_CODE: Final = _RECORD_SIGN_IN.where(account.c.second_factor_at.is_not(None))


def has_any(db: Connection) -> bool:
    """Whether there are accounts. Without any, a server that only its machine can reach requires no credentials."""
    return bool(fetch_scalar(db, _HAS_ANY, {}))


def list_administrators(db: Connection) -> list[str]:
    """List the UUIDs of the accounts that can sign in and manage users."""
    return fetch_column(db, _ADMINISTRATORS, {})


def lock_administrators(db: Connection) -> None:
    """Lock the accounts that `list_administrators` lists, so that no other transaction reduces their number.

    The order is fixed, so that transactions that lock several cannot deadlock.
    """
    fetch_column(db, _LOCKED_ADMINISTRATORS, {})


def lock(db: Connection, uuid: str) -> Account | None:
    """Find an account, and lock it against other changes until the transaction ends."""
    row = fetch_first(db, _LOCKED, {"account_uuid": uuid})
    return None if row is None else _build_account(row)


def list_all(db: Connection) -> Sequence[Account]:
    """List all accounts, people before system accounts."""
    return [_build_account(row) for row in fetch_rows(db, _ACCOUNTS, {})]


def find_by_name(db: Connection, name: str) -> Account | None:
    row = fetch_first(db, _BY_KEY, {"name_key": normalize_name(name)})
    return None if row is None else _build_account(row)


def find(db: Connection, uuid: str) -> Account | None:
    row = fetch_first(db, _BY_UUID, {"account_uuid": uuid})
    return None if row is None else _build_account(row)


def add(db: Connection, new_account: Account) -> None:
    execute(db, _ADD, {name: getattr(new_account, name) for name in _ADDED_COLUMNS})


def set_password(db: Connection, uuid: str, password: str, *, at: datetime) -> None:
    """Store another password hash, also if the account is disabled."""
    execute(db, _SET_PASSWORD, {"account_uuid": uuid, "new_password": password, "at": at})


def replace_password(db: Connection, uuid: str, *, old: str, new: str, at: datetime) -> bool:
    """Replace a password hash if the account is active and still has the old one; return whether it did."""
    params = {"account_uuid": uuid, "old_password": old, "new_password": new, "at": at}
    return execute(db, _REPLACE_PASSWORD, params) == 1


def set_role(db: Connection, uuid: str, role: Role, *, at: datetime) -> None:
    execute(db, _SET_ROLE, {"account_uuid": uuid, "new_role": role.value, "at": at})


def set_active(db: Connection, uuid: str, *, active: bool, at: datetime) -> None:
    execute(db, _SET_ACTIVE, {"account_uuid": uuid, "active": active, "at": at})


def set_second_factor(db: Connection, uuid: str, *, since: datetime | None, at: datetime) -> None:
    """Set the time since which signing in requires a code, too; None if it does not."""
    execute(db, _SET_SECOND_FACTOR, {"account_uuid": uuid, "since": since, "at": at})


def record_sign_in(db: Connection, uuid: str, *, password: str, at: datetime) -> bool:
    """Record a sign-in if the account is active, still has the verified password hash, and has no second factor.

    Returns whether it does. If so, the row stays locked and changes of the account wait until the transaction ends, so
    no session is opened with a password that is being replaced.
    """
    return execute(db, _RECORD_SIGN_IN_BY_PASSWORD, {"account_uuid": uuid, "verified": password, "at": at}) == 1


def record_sign_in_by_code(db: Connection, uuid: str, *, at: datetime) -> bool:
    """Record a sign-in if the account is active and has a second factor; return whether. The row stays locked."""
    return execute(db, _RECORD_SIGN_IN_BY_CODE, {"account_uuid": uuid, "at": at}) == 1


def _build_account(row: Any) -> Account:
    return Account(**{**row._asdict(), "role": Role(row.role)})
