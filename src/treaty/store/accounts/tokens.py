"""Tokens: credentials of programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Executable, bindparam, insert, select, update

from treaty.model.accounts.access import Account, Role, Token
from treaty.model.accounts.scopes import Limits
from treaty.store.accounts import credentials
from treaty.store.accounts.limits import dump_limits, load_limits
from treaty.store.engine.database import execute, fetch_rows
from treaty.store.tables import account, token

_TOKENS: Final = (
    select(
        token.c.uuid,
        *credentials.OWNER_COLUMNS,
        token.c.name,
        token.c.role,
        token.c.ending,
        token.c.created_at,
        token.c.expires_at,
        token.c.used_at,
        token.c.used_from,
        token.c.issued_at,
        token.c.limits,
    )
    .join_from(token, account)
    .order_by(account.c.key, token.c.id)
)
_OF_ACCOUNT: Final = _TOKENS.where(account.c.uuid == bindparam("account_uuid"))
_BY_UUID: Final = _TOKENS.where(token.c.uuid == bindparam("token_uuid"))
# Without locking the account, too: changes of a token and of its account must not wait for each other.
_LOCKED: Final = _BY_UUID.with_for_update(of=token)
# The join requires an active account, so disabling one rejects all of its tokens without a write to them.
_PRESENTED: Final = (
    select(
        token.c.uuid,
        token.c.name,
        token.c.role,
        token.c.expires_at,
        token.c.used_at,
        *credentials.OWNER_COLUMNS,
        account.c.role.label("account_role"),
        token.c.limits,
        account.c.limits.label("account_limits"),
    )
    .join_from(token, account)
    .where(token.c.hash == bindparam("hash"), account.c.is_active)
)
_ADDED_COLUMNS: Final = ("uuid", "name", "role", "ending", "expires_at", "created_at", "issued_at")
_ADD: Final = insert(token).values(
    account_id=credentials.OWNER_ID,
    hash=bindparam("hash"),
    limits=bindparam("limits"),
    **{name: bindparam(name) for name in _ADDED_COLUMNS},
)
_REPLACE_HASH: Final = (
    update(token)
    .where(token.c.uuid == bindparam("token_uuid"))
    .values(
        hash=bindparam("new_hash"),
        ending=bindparam("new_ending"),
        issued_at=bindparam("issued_at"),
        expires_at=bindparam("expires_at"),
        used_at=None,
        used_from=None,
    )
)
_RECORD_USE: Final = credentials.build_use_update(token, used_at=token.c.used_at, address=token.c.used_from)
_REMOVE: Final = credentials.build_deletion(token)
_CLEAR_ALL_HASHES: Final = update(token).values(hash=None, ending=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class PresentedToken:
    """A token that a request presents, with its owner."""

    uuid: str
    name: str
    role: Role
    expires_at: datetime | None
    used_at: datetime | None
    account: str
    user: str
    account_role: Role
    limits: Limits | None
    account_limits: Limits | None


def find_by_hash(db: Connection, secret_hash: str) -> PresentedToken | None:
    """Find the token with a hash, unless its account is disabled."""
    return credentials.find_presented(db, _PRESENTED, secret_hash, PresentedToken)


def list_all(db: Connection) -> Sequence[Token]:
    return _fetch(db, _TOKENS, {})


def list_of_account(db: Connection, uuid: str) -> Sequence[Token]:
    """List an account's tokens, the two that each account has first."""
    return _fetch(db, _OF_ACCOUNT, {"account_uuid": uuid})


def find(db: Connection, uuid: str) -> Token | None:
    return next(iter(_fetch(db, _BY_UUID, {"token_uuid": uuid})), None)


def lock(db: Connection, uuid: str) -> Token | None:
    """Find a token, and lock it until the transaction ends."""
    return next(iter(_fetch(db, _LOCKED, {"token_uuid": uuid})), None)


def _fetch(db: Connection, statement: Executable, params: dict[str, object]) -> list[Token]:
    return [
        Token(**{**row._asdict(), "role": Role(row.role), "limits": load_limits(row.limits)})
        for row in fetch_rows(db, statement, params)
    ]


def add(db: Connection, owner: Account, new_token: Token, secret_hash: str | None) -> None:
    """Add a token; without a hash it cannot be used until it is regenerated."""
    values = {name: getattr(new_token, name) for name in _ADDED_COLUMNS}
    stored = {**values, "limits": dump_limits(new_token.limits)}
    execute(db, _ADD, {**stored, "hash": secret_hash, "account_uuid": owner.uuid})


def replace_hash(db: Connection, changed: Token, *, secret_hash: str | None) -> None:
    """Give a token another secret, or none, with its ending, expiry and time.

    The former secret is rejected from the end of the transaction.
    """
    params = {"token_uuid": changed.uuid, "new_hash": secret_hash, "new_ending": changed.ending}
    execute(db, _REPLACE_HASH, {**params, "issued_at": changed.issued_at, "expires_at": changed.expires_at})


def record_use(db: Connection, uuid: str, *, at: datetime, address: str | None) -> None:
    credentials.record_use(db, _RECORD_USE, uuid, at=at, address=address)


def remove(db: Connection, uuid: str) -> None:
    credentials.remove(db, _REMOVE, uuid)


def clear_all_hashes(db: Connection) -> int:
    """Leave every token without a secret; return their number."""
    return execute(db, _CLEAR_ALL_HASHES, {})
