"""Wrong passwords: how many are looked at, by account and address, before the next one has to wait.

An account is never locked: from another address it is as if nothing had happened.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from typing import Final

from treaty.model.access import key_of

FREE: Final = 5
"""Wrong passwords of one account from one address that cost nothing."""
FREE_OF_ADDRESS: Final = 100
"""Wrong passwords from one address, whatever the account."""
LONGEST_WAIT: Final = 300
"""Seconds."""
FORGOTTEN: Final = timedelta(minutes=15)
"""How long wrong passwords count after the latest one."""
_UNKNOWN_NAMES: Final = 4096
"""Names of nobody are counted in so many groups: people type passwords where names belong, so none is to be kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Guesser:
    """Where somebody tries passwords from, and whose."""

    name: str
    whose: str | None
    """The account's uuid, or the name of a user of the settings; None for nobody's."""
    address: str | None

    @property
    def pair(self) -> str:
        """What counts the account's wrong passwords from the address."""
        if self.whose is not None:
            return _key(self.address, "known", self.whose)
        group = int.from_bytes(sha256(key_of(self.name).encode()).digest()[:4]) % _UNKNOWN_NAMES
        return _key(self.address, "unknown", str(group))

    @property
    def everything(self) -> str:
        """What counts all wrong passwords from the address."""
        return _key(self.address)


def _key(address: str | None, *of: str) -> str:
    return sha256("\0".join((address or "", *of)).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Guesses:
    """How many wrong passwords there were, and when the latest was."""

    key: str
    count: int
    latest: datetime


def wait(guesser: Guesser, found: Iterable[Guesses], *, now: datetime) -> int:
    """Say for how many seconds the next password has to wait."""
    free = {guesser.pair: FREE, guesser.everything: FREE_OF_ADDRESS}
    return max((_wait(one, free[one.key], now) for one in found), default=0)


def waited(guesser: Guesser, found: Iterable[Guesses], *, now: datetime) -> Guesses | None:
    """Find what a password had to wait for, if it had to."""
    return next((one for one in found if one.key == guesser.pair and not _is_free(one, FREE, now)), None)


def _is_free(guesses: Guesses, free: int, now: datetime) -> bool:
    return guesses.count < free or now - guesses.latest > FORGOTTEN


def _wait(guesses: Guesses, free: int, now: datetime) -> int:
    if _is_free(guesses, free, now):
        return 0
    seconds = min(1 << min(guesses.count - free, 20), LONGEST_WAIT)
    return max(ceil((guesses.latest - now).total_seconds() + seconds), 0)
