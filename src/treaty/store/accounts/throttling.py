"""Counters of attempts to sign in, and the addresses from which accounts have signed in before."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, case, delete, exists, insert, select, update

from treaty.model.accounts.access import Account, Role, normalize_name
from treaty.model.accounts.throttling import PAIR_LIMIT, CounterKeys, FailureCounter
from treaty.store.engine.database import execute, fetch_all, fetch_first, fetch_scalar
from treaty.store.tables import account, guess, trusted_address

# The account is looked up together with whether there are counters that matter, since that precedes every request that
# has a name and a password. Usually there are none, and no second statement is needed.
_ACCOUNT: Final = tuple(one for one in account.c if one.name not in {"id", "key"})
_ACCOUNT_NAMES: Final = tuple(one.name for one in _ACCOUNT)
_COUNTERS: Final = select(guess.c.key, guess.c.count, guess.c.latest).where(
    guess.c.key.in_([bindparam(name) for name in ("pair", "whose", "source", "network", "group", "nobody")]),
    guess.c.count >= PAIR_LIMIT.allowed_failures,
)
_LOOK_UP: Final = select(*_ACCOUNT, _COUNTERS.exists().label("is_counted")).where(
    account.c.key == bindparam("name_key")
)


def find_account_and_counters(
    db: Connection, name: str, *, known: CounterKeys, unknown: CounterKeys
) -> tuple[Account | None, list[FailureCounter]]:
    """Find the account with a name, and counters of the keys that the name has if it is known and if it is not.

    Counters below the least of the limits are left out.
    """
    # Names with control characters, which no account has, may be such as PostgreSQL does not take.
    name_key = normalize_name(name) if name.isprintable() else ""
    row = fetch_first(db, _LOOK_UP, {"name_key": name_key, **_parameters(known, unknown)})
    found = None
    if row is not None:
        values = dict(zip(_ACCOUNT_NAMES, row, strict=False))
        found = Account(**{**values, "role": Role(values["role"])})
    has_counters = row is None or row.is_counted
    return found, list_counters(db, known=known, unknown=unknown) if has_counters else []


def list_counters(db: Connection, *, known: CounterKeys, unknown: CounterKeys) -> list[FailureCounter]:
    """Find the counters that may make an attempt wait."""
    return fetch_all(db, _COUNTERS, _parameters(known, unknown), FailureCounter)


def _parameters(known: CounterKeys, unknown: CounterKeys) -> dict[str, str]:
    return {
        "pair": known.pair,
        "whose": known.account,
        "source": known.address,
        "network": known.network or "",
        "group": unknown.pair,
        "nobody": unknown.account,
    }


_LOCKED: Final = (
    select(guess.c.key, guess.c.count, guess.c.latest)
    .where(guess.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(guess.c.key)
    .with_for_update()
)
_IS_OVER: Final = guess.c.latest < bindparam("before", type_=guess.c.latest.type)
_NOW: Final = bindparam("now", type_=guess.c.latest.type)
# A request that was kept waiting brings an earlier time along, which must not shorten the wait of the next one.
_LATEST: Final = case((guess.c.latest > _NOW, guess.c.latest), else_=_NOW)
_COUNT: Final = (
    update(guess)
    .where(guess.c.key == bindparam("its_key"))
    .values(count=case((_IS_OVER, 1), else_=guess.c.count + 1), latest=_LATEST)
)
_ADD: Final = insert(guess).values(key=bindparam("its_key"), count=1, latest=bindparam("now"))
_TAKE_BACK: Final = (
    update(guess).where(guess.c.key == bindparam("its_key"), guess.c.count > 0).values(count=guess.c.count - 1)
)
_FORGET: Final = delete(guess).where(guess.c.key == bindparam("its_key"))
# Counters that are being used are left to the next time, so that nobody waits for cleaning up.
_OLD: Final = select(guess.c.key).where(_IS_OVER).limit(100).with_for_update(skip_locked=True)
_FORGET_OLD: Final = delete(guess).where(guess.c.key.in_(_OLD))


def lock(db: Connection, keys: Sequence[str]) -> list[FailureCounter]:
    """Find counters, and keep other transactions from counting until this one ends."""
    return fetch_all(db, _LOCKED, {"keys": list(keys)}, FailureCounter)


def increment(db: Connection, key: str, *, now: datetime, before: datetime) -> None:
    """Count an attempt; a counter whose latest attempt was `before` begins again."""
    params = {"its_key": key, "now": now, "before": before}
    if not execute(db, _COUNT, params):
        execute(db, _ADD, params)


def decrement(db: Connection, key: str) -> None:
    """Count an attempt less."""
    execute(db, _TAKE_BACK, {"its_key": key})


def remove(db: Connection, key: str) -> None:
    execute(db, _FORGET, {"its_key": key})


def remove_old(db: Connection, *, failures_before: datetime, trust_before: datetime) -> None:
    """Delete some of what no longer counts, so that attempts do not fill the database."""
    execute(db, _FORGET_OLD, {"before": failures_before})
    execute(db, _FORGET_OLD_TRUST, {"before": trust_before})


# Trusted addresses

_IS_TRUSTED: Final = select(
    exists().where(
        trusted_address.c.key == bindparam("its_key"),
        trusted_address.c.latest >= bindparam("since", type_=trusted_address.c.latest.type),
    )
)
_TRUST_AGAIN: Final = (
    update(trusted_address).where(trusted_address.c.key == bindparam("its_key")).values(latest=bindparam("now"))
)
_TRUST: Final = insert(trusted_address).values(key=bindparam("its_key"), latest=bindparam("now"))
_OLD_TRUST: Final = (
    select(trusted_address.c.key)
    .where(trusted_address.c.latest < bindparam("before", type_=trusted_address.c.latest.type))
    .limit(100)
    .with_for_update(skip_locked=True)
)
_FORGET_OLD_TRUST: Final = delete(trusted_address).where(trusted_address.c.key.in_(_OLD_TRUST))


def is_trusted_address(db: Connection, keys: CounterKeys, *, since: datetime) -> bool:
    """Whether the account of an attempt has signed in from its address."""
    return bool(fetch_scalar(db, _IS_TRUSTED, {"its_key": keys.pair, "since": since}))


def trust_address(db: Connection, keys: CounterKeys, *, now: datetime) -> None:
    """Record that the account of an attempt has signed in from its address."""
    params = {"its_key": keys.pair, "now": now}
    if not execute(db, _TRUST_AGAIN, params):
        execute(db, _TRUST, params)
