"""Counters of failed attempts to sign in, and the addresses from which accounts have signed in before.

The table is called `guess`. Its keys are hashes (see `model.accounts.throttling`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, case, delete, exists, insert, select, update

from treaty.model.accounts.access import Account, Role, normalize_name
from treaty.model.accounts.throttling import PAIR_LIMIT, CounterKeys, FailureCounter
from treaty.store.engine.database import execute, fetch_all, fetch_first, fetch_scalar
from treaty.store.tables import account, guess, trusted_address

# One statement returns the account and whether there are relevant counters, because it precedes every request with a
# name and a password. Usually there are none, and no second statement is needed.
_ACCOUNT_COLUMNS: Final = tuple(column for column in account.c if column.name not in {"id", "key"})
_ACCOUNT_FIELDS: Final = tuple(column.name for column in _ACCOUNT_COLUMNS)
_KEY_PARAMETERS: Final = ("known_pair", "known_account", "address", "network", "unknown_pair", "unknown_account")
_COUNTERS: Final = select(guess.c.key, guess.c.count, guess.c.latest).where(
    guess.c.key.in_([bindparam(name) for name in _KEY_PARAMETERS]),
    guess.c.count >= PAIR_LIMIT.allowed_failures,
)
_FIND_ACCOUNT: Final = select(*_ACCOUNT_COLUMNS, _COUNTERS.exists().label("has_counters")).where(
    account.c.key == bindparam("name_key")
)


def find_account_and_counters(
    db: Connection, name: str, *, known_keys: CounterKeys, unknown_keys: CounterKeys
) -> tuple[Account | None, list[FailureCounter]]:
    """Find the account with a name, and the counters of an attempt for the cases that it exists and that it does not.

    Counters below the lowest limit are left out.
    """
    # PostgreSQL rejects some control characters, such as NUL. No account has a name with any of them.
    name_key = normalize_name(name) if name.isprintable() else ""
    row = fetch_first(db, _FIND_ACCOUNT, {"name_key": name_key, **_key_parameters(known_keys, unknown_keys)})
    existing_account = None
    if row is not None:
        values = dict(zip(_ACCOUNT_FIELDS, row, strict=False))
        existing_account = Account(**{**values, "role": Role(values["role"])})
    # Without an account, the statement has no row that could report the counters.
    has_counters = row is None or row.has_counters
    return existing_account, list_counters(db, known_keys=known_keys, unknown_keys=unknown_keys) if has_counters else []


def list_counters(db: Connection, *, known_keys: CounterKeys, unknown_keys: CounterKeys) -> list[FailureCounter]:
    """List the counters that may make an attempt wait."""
    return fetch_all(db, _COUNTERS, _key_parameters(known_keys, unknown_keys), FailureCounter)


def _key_parameters(known_keys: CounterKeys, unknown_keys: CounterKeys) -> dict[str, str]:
    return {
        "known_pair": known_keys.pair,
        "known_account": known_keys.account,
        "address": known_keys.address or "",
        "network": known_keys.network or "",
        "unknown_pair": unknown_keys.pair,
        "unknown_account": unknown_keys.account,
    }


_MAX_REMOVED: Final = 100
"""Expired rows that one attempt deletes at most, so that it does not take long."""

_LOCKED: Final = (
    select(guess.c.key, guess.c.count, guess.c.latest)
    .where(guess.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(guess.c.key)
    .with_for_update()
)
_IS_EXPIRED: Final = guess.c.latest < bindparam("before", type_=guess.c.latest.type)
_NOW: Final = bindparam("now", type_=guess.c.latest.type)
# A request that waited for a lock has an earlier time, which must not shorten the wait of the next one.
_LATEST: Final = case((guess.c.latest > _NOW, guess.c.latest), else_=_NOW)
_INCREMENT: Final = (
    update(guess)
    .where(guess.c.key == bindparam("counter_key"))
    .values(count=case((_IS_EXPIRED, 1), else_=guess.c.count + 1), latest=_LATEST)
)
_ADD: Final = insert(guess).values(key=bindparam("counter_key"), count=bindparam("attempts"), latest=bindparam("now"))
_LOCK_ONE: Final = update(guess).where(guess.c.key == bindparam("counter_key")).values(count=guess.c.count)
_DECREMENT: Final = (
    update(guess).where(guess.c.key == bindparam("counter_key"), guess.c.count > 0).values(count=guess.c.count - 1)
)
_REMOVE: Final = delete(guess).where(guess.c.key == bindparam("counter_key"))
# Skips locked counters, which a parallel attempt is using: no attempt waits for cleaning up.
_OLD: Final = select(guess.c.key).where(_IS_EXPIRED).limit(_MAX_REMOVED).with_for_update(skip_locked=True)
_REMOVE_OLD: Final = delete(guess).where(guess.c.key.in_(_OLD))


def lock(db: Connection, keys: Sequence[str]) -> list[FailureCounter]:
    """Find counters, and lock them, so that parallel attempts count one after the other.

    The keys are locked in their order, so that transactions cannot deadlock.
    """
    return fetch_all(db, _LOCKED, {"keys": list(keys)}, FailureCounter)


def lock_or_add(db: Connection, keys: Sequence[str], *, now: datetime) -> list[FailureCounter]:
    """Lock counters as `lock` does, and add those that do not exist.

    A counter that does not exist yet cannot be locked: on PostgreSQL, many parallel attempts would find none, and all
    of them would be allowed. Of several transactions that add one, all but the first fail, and are repeated.
    """
    for key in keys:
        if not execute(db, _LOCK_ONE, {"counter_key": key}):
            execute(db, _ADD, {"counter_key": key, "attempts": 0, "now": now})
    return lock(db, keys)


def increment(db: Connection, key: str, *, now: datetime, before: datetime) -> None:
    """Count an attempt. A counter whose latest attempt was before `before` starts again at 1."""
    params = {"counter_key": key, "now": now, "before": before}
    if not execute(db, _INCREMENT, params):
        execute(db, _ADD, {"counter_key": key, "attempts": 1, "now": now})


def decrement(db: Connection, key: str) -> None:
    execute(db, _DECREMENT, {"counter_key": key})


def remove(db: Connection, key: str) -> None:
    execute(db, _REMOVE, {"counter_key": key})


def remove_old(db: Connection, *, failures_before: datetime, trust_before: datetime) -> None:
    """Delete some expired counters and trusted addresses with each attempt, so that they do not fill the database."""
    execute(db, _REMOVE_OLD, {"before": failures_before})
    execute(db, _REMOVE_OLD_TRUST, {"before": trust_before})


# Trusted addresses

_IS_TRUSTED: Final = select(
    exists().where(
        trusted_address.c.key == bindparam("pair_key"),
        trusted_address.c.latest >= bindparam("since", type_=trusted_address.c.latest.type),
    )
)
_TRUST_AGAIN: Final = (
    update(trusted_address).where(trusted_address.c.key == bindparam("pair_key")).values(latest=bindparam("now"))
)
_TRUST: Final = insert(trusted_address).values(key=bindparam("pair_key"), latest=bindparam("now"))
_OLD_TRUST: Final = (
    select(trusted_address.c.key)
    .where(trusted_address.c.latest < bindparam("before", type_=trusted_address.c.latest.type))
    .limit(_MAX_REMOVED)
    .with_for_update(skip_locked=True)
)
_REMOVE_OLD_TRUST: Final = delete(trusted_address).where(trusted_address.c.key.in_(_OLD_TRUST))


def is_trusted_address(db: Connection, keys: CounterKeys, *, since: datetime) -> bool:
    """Whether the account of an attempt has signed in from its address, `since` or later."""
    return bool(fetch_scalar(db, _IS_TRUSTED, {"pair_key": keys.pair, "since": since}))


def trust_address(db: Connection, keys: CounterKeys, *, now: datetime) -> None:
    """Record that the account of an attempt has signed in from its address."""
    params = {"pair_key": keys.pair, "now": now}
    if not execute(db, _TRUST_AGAIN, params):
        execute(db, _TRUST, params)
