"""Counting attempts to sign in with a password, in the database, so that all processes count together."""

from datetime import datetime

from sqlalchemy import Connection

from treaty.errors import Throttled
from treaty.model.accounts.throttling import FORGOTTEN, TRUSTED_FOR, Keys, wait
from treaty.store.accounts import throttling


def reserve(db: Connection, keys: Keys, *, now: datetime) -> None:
    """Count an attempt as failed before its password is compared. Raises Throttled if it has to wait.

    The counters are locked, so of attempts that arrive together only as many get past as one after the other would.
    """
    counters = throttling.lock(db, keys.counted)
    is_trusted = throttling.is_trusted(db, keys, since=now - TRUSTED_FOR)
    if seconds := wait(keys, counters, is_trusted=is_trusted, now=now):
        raise Throttled(seconds)
    for key in keys.counted:
        throttling.count(db, key, now=now, before=now - FORGOTTEN)
    throttling.forget_old(db, failures_before=now - FORGOTTEN, trust_before=now - TRUSTED_FOR)


def note_success(db: Connection, keys: Keys, *, now: datetime) -> None:
    """Take back an attempt that succeeded, forget the account's failures from its address, and trust the address."""
    throttling.lock(db, keys.counted)
    for key in keys.counted:
        if key == keys.pair:
            throttling.forget(db, key)
        else:
            throttling.take_back(db, key)
    throttling.trust(db, keys, now=now)


def note_trust(db: Connection, keys: Keys, *, now: datetime) -> None:
    """Record that an account has signed in from an address."""
    throttling.trust(db, keys, now=now)
