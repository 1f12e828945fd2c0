"""Counting attempts to sign in with a password, in the database, so that all processes share the counters."""

from datetime import datetime

from sqlalchemy import Connection

from treaty.errors import Throttled
from treaty.model.accounts.throttling import FAILURE_LIFETIME, TRUST_DURATION, CounterKeys, compute_wait
from treaty.store.accounts import throttling


def reserve_attempt(db: Connection, keys: CounterKeys, *, now: datetime) -> None:
    """Count an attempt as failed before its password is compared. Raises Throttled if it has to wait.

    The counters are locked, so parallel attempts get no more guesses than sequential ones.
    """
    counters = throttling.lock_or_add(db, keys.in_lock_order, now=now)
    is_trusted = throttling.is_trusted_address(db, keys, since=now - TRUST_DURATION)
    if seconds := compute_wait(keys, counters, is_trusted=is_trusted, now=now):
        raise Throttled(seconds)
    for key in keys.in_lock_order:
        throttling.increment(db, key, now=now, before=now - FAILURE_LIFETIME)
    throttling.remove_old(db, failures_before=now - FAILURE_LIFETIME, trust_before=now - TRUST_DURATION)


def record_success(db: Connection, keys: CounterKeys, *, now: datetime) -> None:
    """Take back an attempt that succeeded, delete the account's failures from its address, and trust the address.

    The counters of the address and the account keep their other failures, which may be an attacker's.
    """
    throttling.lock(db, keys.in_lock_order)
    for key in keys.in_lock_order:
        if key == keys.pair:
            throttling.remove(db, key)
        else:
            throttling.decrement(db, key)
    throttling.trust_address(db, keys, now=now)


def record_trust(db: Connection, keys: CounterKeys, *, now: datetime) -> None:
    """Record that an account has signed in from an address."""
    throttling.trust_address(db, keys, now=now)
