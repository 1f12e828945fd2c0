"""Counting attempts to sign in with a password, in the database, so that all processes count together."""

from datetime import datetime

from sqlalchemy import Connection

from treaty.errors import Throttled
from treaty.model.guessing import FORGOTTEN, TRUSTED_FOR, Keys, wait
from treaty.store import guesses


def reserve(db: Connection, keys: Keys, *, now: datetime) -> None:
    """Count an attempt as failed before its password is compared. Raises Throttled if it has to wait.

    The counters are locked, so of attempts that arrive together only as many get past as one after the other would.
    """
    counters = guesses.lock(db, keys.counted)
    is_trusted = guesses.is_trusted(db, keys, since=now - TRUSTED_FOR)
    if seconds := wait(keys, counters, is_trusted=is_trusted, now=now):
        raise Throttled(seconds)
    for key in keys.counted:
        guesses.count(db, key, now=now, before=now - FORGOTTEN)
    guesses.forget_old(db, failures_before=now - FORGOTTEN, trust_before=now - TRUSTED_FOR)


def note_success(db: Connection, keys: Keys, *, now: datetime) -> None:
    """Take back an attempt that succeeded, forget the account's failures from its address, and trust the address."""
    guesses.lock(db, keys.counted)
    for key in keys.counted:
        if key == keys.pair:
            guesses.forget(db, key)
        else:
            guesses.take_back(db, key)
    guesses.trust(db, keys, now=now)


def note_trust(db: Connection, keys: Keys, *, now: datetime) -> None:
    """Record that an account has signed in from an address."""
    guesses.trust(db, keys, now=now)
