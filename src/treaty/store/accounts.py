"""Accounts: who may sign in, and as what."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, exists, func, insert, select, update

from treaty.model.access import Account, Role, key_of
from treaty.store.database import first, rows, run, scalar
from treaty.store.tables import account

_COLUMNS: Final = [one for one in account.c if one.name not in {"id", "key"}]
_ACCOUNTS: Final = select(*_COLUMNS).order_by(account.c.is_system, account.c.key)
_BY_KEY: Final = _ACCOUNTS.where(account.c.key == bindparam("name_key"))
_BY_UUID: Final = _ACCOUNTS.where(account.c.uuid == bindparam("account_uuid"))
_IS_ANY: Final = select(exists(select(account.c.id)))
_ADMINISTRATORS: Final = select(func.count()).where(
    account.c.role == Role.ADMINISTRATOR.value, account.c.is_active, account.c.password.is_not(None)
)
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
_CHANGE: Final = (
    update(account)
    .where(account.c.uuid == bindparam("account_uuid"))
    .values({name: bindparam(name) for name in _WRITTEN if name not in {"uuid", "created_at"}})
)
_NOTE: Final = update(account).where(account.c.uuid == bindparam("account_uuid")).values(signed_in_at=bindparam("at"))


def is_any(db: Connection) -> bool:
    """Whether there are accounts at all: without them a server asks for no credentials of its own accord."""
    return bool(scalar(db, _IS_ANY, {}))


def administrators(db: Connection) -> int:
    """Count who can sign in and manage users."""
    count: int = scalar(db, _ADMINISTRATORS, {})
    return count


def every(db: Connection) -> Sequence[Account]:
    """List all, people before system accounts."""
    return [_account(row) for row in rows(db, _ACCOUNTS, {})]


def named(db: Connection, name: str) -> Account | None:
    row = first(db, _BY_KEY, {"name_key": key_of(name)})
    return None if row is None else _account(row)


def find(db: Connection, uuid: str) -> Account | None:
    row = first(db, _BY_UUID, {"account_uuid": uuid})
    return None if row is None else _account(row)


def add(db: Connection, new: Account) -> None:
    run(db, _ADD, {name: getattr(new, name) for name in _WRITTEN})


def change(db: Connection, changed: Account) -> None:
    values = {name: getattr(changed, name) for name in _WRITTEN}
    run(db, _CHANGE, {**values, "account_uuid": changed.uuid})


def note_sign_in(db: Connection, uuid: str, *, at: datetime) -> None:
    run(db, _NOTE, {"account_uuid": uuid, "at": at})


def _account(row: Any) -> Account:
    return Account(**{**row._asdict(), "role": Role(row.role)})
