"""Counting wrong passwords."""

from datetime import datetime

from sqlalchemy import Connection

from treaty.model.guessing import FORGOTTEN, Guesser
from treaty.store import guesses


def note_failure(db: Connection, guesser: Guesser, *, now: datetime) -> None:
    """Count a wrong password, and forget those that count no more, so that guessing fills nothing."""
    before = now - FORGOTTEN
    guesses.count(db, guesser.pair, now=now, before=before)
    guesses.count(db, guesser.everything, now=now, before=before)
    guesses.forget_old(db, before=before)


def note_success(db: Connection, guesser: Guesser) -> None:
    """Forget what an account's wrong passwords from an address were."""
    guesses.forget(db, guesser.pair)
