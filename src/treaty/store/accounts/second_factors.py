"""Second factors: secrets of one-time passwords, and hashes of recovery codes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from treaty.store.accounts.credentials import OWNER_ID
from treaty.store.engine.database import execute, fetch_scalar
from treaty.store.tables import recovery_code, second_factor

_FIND_SECRET: Final = select(second_factor.c.secret).where(second_factor.c.account_id == OWNER_ID)
_ADD: Final = insert(second_factor).values(
    account_id=OWNER_ID, secret=bindparam("secret"), created_at=bindparam("created_at")
)
_REMOVE: Final = delete(second_factor).where(second_factor.c.account_id == OWNER_ID)
# Comparing in the statement, so that of several requests with the same code only one is accepted.
_ACCEPT_STEP: Final = (
    update(second_factor)
    .where(
        second_factor.c.account_id == OWNER_ID,
        or_(second_factor.c.latest_step.is_(None), second_factor.c.latest_step < bindparam("step")),
    )
    .values(latest_step=bindparam("step"))
)
_ADD_RECOVERY_CODE: Final = insert(recovery_code).values(account_id=OWNER_ID, hash=bindparam("hash"))
_COUNT_RECOVERY_CODES: Final = select(func.count()).where(recovery_code.c.account_id == OWNER_ID)
_REMOVE_RECOVERY_CODES: Final = delete(recovery_code).where(recovery_code.c.account_id == OWNER_ID)
_CONSUME_RECOVERY_CODE: Final = _REMOVE_RECOVERY_CODES.where(recovery_code.c.hash == bindparam("presented_hash"))


def find_secret(db: Connection, account: str) -> str | None:
    """Find the encrypted secret of an account's one-time passwords, which may still be being set up."""
    secret: str | None = fetch_scalar(db, _FIND_SECRET, {"account_uuid": account})
    return secret


def replace_secret(db: Connection, account: str, secret: str, *, at: datetime) -> None:
    """Store another encrypted secret for an account."""
    execute(db, _REMOVE, {"account_uuid": account})
    execute(db, _ADD, {"account_uuid": account, "secret": secret, "created_at": at})


def accept_step(db: Connection, account: str, step: int) -> bool:
    """Accept the code of a period, if no code of this or a later period was accepted before; return whether it was."""
    return execute(db, _ACCEPT_STEP, {"account_uuid": account, "step": step}) == 1


def remove(db: Connection, account: str) -> None:
    """Remove the secret and the recovery codes of an account."""
    execute(db, _REMOVE, {"account_uuid": account})
    execute(db, _REMOVE_RECOVERY_CODES, {"account_uuid": account})


def replace_recovery_codes(db: Connection, account: str, hashes: Iterable[str]) -> None:
    execute(db, _REMOVE_RECOVERY_CODES, {"account_uuid": account})
    for each_hash in hashes:
        execute(db, _ADD_RECOVERY_CODE, {"account_uuid": account, "hash": each_hash})


def count_recovery_codes(db: Connection, account: str) -> int:
    return int(fetch_scalar(db, _COUNT_RECOVERY_CODES, {"account_uuid": account}))


def consume_recovery_code(db: Connection, account: str, code_hash: str) -> bool:
    """Remove a recovery code; return whether it existed. Of several parallel transactions only one gets True."""
    return execute(db, _CONSUME_RECOVERY_CODE, {"account_uuid": account, "presented_hash": code_hash}) == 1
