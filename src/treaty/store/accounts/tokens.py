"""Tokens: what programs sign in with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Executable, bindparam, delete, insert, select, update

from treaty.model.accounts.access import Account, Role, Token
from treaty.store.engine.database import execute, fetch_first, fetch_rows
from treaty.store.tables import account, token

_TOKENS: Final = (
    select(
        token.c.uuid,
        account.c.uuid.label("account"),
        account.c.name.label("user"),
        token.c.name,
        token.c.role,
        token.c.ending,
        token.c.created_at,
        token.c.expires_at,
        token.c.used_at,
        token.c.used_from,
    )
    .join_from(token, account)
    .order_by(account.c.key, token.c.id)
)
_OF_ACCOUNT: Final = _TOKENS.where(account.c.uuid == bindparam("account_uuid"))
_ONE: Final = _TOKENS.where(token.c.uuid == bindparam("token_uuid"))
_LOCKED: Final = _ONE.with_for_update(of=token)
_PRESENTED: Final = (
    select(
        token.c.uuid,
        token.c.name,
        token.c.role,
        token.c.expires_at,
        token.c.used_at,
        account.c.uuid.label("account"),
        account.c.name.label("user"),
        account.c.role.label("account_role"),
    )
    .join_from(token, account)
    .where(token.c.hash == bindparam("hash"), account.c.is_active)
)
_ACCOUNT_ID: Final = select(account.c.id).where(account.c.uuid == bindparam("account_uuid")).scalar_subquery()
_ADD: Final = insert(token).values(
    uuid=bindparam("uuid"),
    account_id=_ACCOUNT_ID,
    name=bindparam("name"),
    role=bindparam("role"),
    hash=bindparam("hash"),
    ending=bindparam("ending"),
    expires_at=bindparam("expires_at"),
    created_at=bindparam("created_at"),
)
_RENEW: Final = (
    update(token)
    .where(token.c.uuid == bindparam("token_uuid"))
    .values(hash=bindparam("new_hash"), ending=bindparam("new_ending"), used_at=None, used_from=None)
)
_NOTE: Final = (
    update(token)
    .where(token.c.uuid == bindparam("token_uuid"))
    .values(used_at=bindparam("at"), used_from=bindparam("address"))
)
_REMOVE: Final = delete(token).where(token.c.uuid == bindparam("token_uuid"))
_REMOVE_ALL: Final = update(token).values(hash=None, ending=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class PresentedToken:
    """A token that was presented, with whose it is."""

    uuid: str
    name: str
    role: Role
    expires_at: datetime | None
    used_at: datetime | None
    account: str
    user: str
    account_role: Role


def find_by_hash(db: Connection, secret_hash: str) -> PresentedToken | None:
    """Find the token with a hash, unless its account is disabled."""
    row = fetch_first(db, _PRESENTED, {"hash": secret_hash})
    if row is None:
        return None
    return PresentedToken(**{**row._asdict(), "role": Role(row.role), "account_role": Role(row.account_role)})


def list_all(db: Connection) -> Sequence[Token]:
    return _tokens(db, _TOKENS, {})


def list_of_account(db: Connection, uuid: str) -> Sequence[Token]:
    """List an account's tokens, the two that each account has first."""
    return _tokens(db, _OF_ACCOUNT, {"account_uuid": uuid})


def find(db: Connection, uuid: str) -> Token | None:
    return next(iter(_tokens(db, _ONE, {"token_uuid": uuid})), None)


def lock(db: Connection, uuid: str) -> Token | None:
    """Find a token and keep other changes away from it until the transaction ends."""
    return next(iter(_tokens(db, _LOCKED, {"token_uuid": uuid})), None)


def _tokens(db: Connection, statement: Executable, params: dict[str, object]) -> list[Token]:
    return [Token(**{**row._asdict(), "role": Role(row.role)}) for row in fetch_rows(db, statement, params)]


def add(db: Connection, owner: Account, new: Token, secret_hash: str | None) -> None:
    names = ("uuid", "name", "role", "ending", "expires_at", "created_at")
    values = {name: getattr(new, name) for name in names}
    execute(db, _ADD, {**values, "hash": secret_hash, "account_uuid": owner.uuid})


def replace_hash(db: Connection, uuid: str, *, secret_hash: str | None, ending: str | None) -> None:
    """Give a token another text, or none; the former is of no use from now on."""
    execute(db, _RENEW, {"token_uuid": uuid, "new_hash": secret_hash, "new_ending": ending})


def record_use(db: Connection, uuid: str, *, at: datetime, address: str | None) -> None:
    execute(db, _NOTE, {"token_uuid": uuid, "at": at, "address": address})


def remove(db: Connection, uuid: str) -> None:
    execute(db, _REMOVE, {"token_uuid": uuid})


def clear_hash(db: Connection) -> int:
    """Take every token its text."""
    return execute(db, _REMOVE_ALL, {})
