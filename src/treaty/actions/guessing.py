"""Counting wrong passwords."""

from datetime import datetime

from sqlalchemy import Connection

from treaty.errors import Throttled
from treaty.model.guessing import FORGOTTEN, Guesser, Guesses
from treaty.store import guesses


def claim(db: Connection, seen: Guesses, *, now: datetime) -> None:
    """Count a password that had to wait before it is looked at: of many that come at once, one is. Raises Throttled."""
    if not guesses.claim(db, seen, now=now):
        raise Throttled(1)


def note_failure(db: Connection, guesser: Guesser, *, is_claimed: bool = False, now: datetime) -> None:
    """Count a wrong password, and forget those that count no more, so that guessing fills nothing."""
    before = now - FORGOTTEN
    if not is_claimed:
        guesses.count(db, guesser.pair, now=now, before=before)
    guesses.count(db, guesser.everything, now=now, before=before)
    guesses.forget_old(db, before=before)


def note_success(db: Connection, guesser: Guesser) -> None:
    """Forget what an account's wrong passwords from an address were."""
    guesses.forget(db, guesser.pair)
