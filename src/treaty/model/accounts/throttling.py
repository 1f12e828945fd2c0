"""Throttling of password guesses: how many are checked before the next one has to wait.

Each attempt is counted for an account from an address, for the address, for the network of an IPv6 address and for the
account, before its password is compared. Success takes it back. Beyond a limit each further failure doubles the wait.

An account that has signed in from an address before is held up there by its own failures only, so that one attacker
neither locks out an office that shares an address, nor a user whose account is attacked from elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Final

from treaty.model.accounts.access import MAX_NAME_LENGTH, normalize_name


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureCounter:
    """Attempts that failed or are still being checked."""

    key: str
    count: int
    latest: datetime

    def is_expired(self, now: datetime) -> bool:
        return now - self.latest > FAILURE_LIFETIME


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """How many failures are free of charge, and for how many seconds later ones make the next attempt wait at most."""

    allowed_failures: int
    max_wait: int

    def wait(self, counter: FailureCounter, now: datetime) -> int:
        """Return the seconds that are left to wait."""
        if counter.count < self.allowed_failures or counter.is_expired(now):
            return 0
        seconds = min(1 << min(counter.count - self.allowed_failures, 20), self.max_wait)
        return max(ceil((counter.latest - now).total_seconds() + seconds), 0)


PAIR_LIMIT: Final = FailureLimit(5, 300)
"""Of one account from one address."""
TRUSTED_PAIR_LIMIT: Final = FailureLimit(5, 30)
"""The same where the account has signed in from the address before."""
ADDRESS_LIMIT: Final = FailureLimit(100, 300)
"""From one address, whatever the account."""
NETWORK_LIMIT: Final = FailureLimit(1000, 300)
"""From one IPv6 network of 2⁸⁰ addresses, which is what a customer of a provider has."""
ACCOUNT_LIMIT: Final = FailureLimit(100, 60)
"""Of one account, whatever the address."""
FAILURE_LIFETIME: Final = timedelta(minutes=15)
"""How long failures count after the latest one."""
TRUST_DURATION: Final = timedelta(days=30)
"""How long an address is trusted after the account's latest success."""
_UNKNOWN_NAMES: Final = 4096
"""Names of nobody are counted in so many groups. People type passwords where names belong, so none is stored."""


@dataclass(frozen=True, slots=True)
class CounterKeys:
    """Under which keys an attempt is counted. They are hashes, from which no name can be read."""

    pair: str
    account: str
    address: str
    network: str | None
    """None for addresses other than IPv6."""

    @property
    def in_lock_order(self) -> list[str]:
        """All of them, in the order in which they are locked."""
        return sorted(key for key in (self.pair, self.account, self.address, self.network) if key is not None)

    def limits(self, *, is_trusted: bool) -> Mapping[str | None, FailureLimit]:
        if is_trusted:
            return {self.pair: TRUSTED_PAIR_LIMIT}
        return {
            self.pair: PAIR_LIMIT,
            self.account: ACCOUNT_LIMIT,
            self.address: ADDRESS_LIMIT,
            self.network: NETWORK_LIMIT,
        }


def compute_counter_keys(name: str, address: str | None, *, is_known: bool) -> CounterKeys:
    """Return the keys for an attempt to sign in with a name, that of an account or (not `is_known`) of nobody."""
    return (_keys if len(name) <= MAX_NAME_LENGTH else _keys.__wrapped__)(name, address, is_known)


@lru_cache(maxsize=4096)
def _keys(name: str, address: str | None, is_known: bool) -> CounterKeys:  # noqa: FBT001 - a cache's key, given in one place
    whose = ("known", normalize_name(name)) if is_known else ("unknown", _group(name))
    source, network = normalize_source(address)
    return CounterKeys(
        pair=_hash(source, *whose),
        account=_hash("anywhere", *whose),
        address=_hash(source),
        network=None if network is None else _hash(network),
    )


def _group(name: str) -> str:
    return str(int.from_bytes(sha256(normalize_name(name).encode()).digest()[:4]) % _UNKNOWN_NAMES)


def _hash(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


def normalize_source(address: str | None) -> tuple[str, str | None]:
    """Return what stands for an address in counting, and the wider network that is counted besides.

    Whoever has one IPv6 address has 2⁶⁴, so these count as one; IPv4 addresses mapped into IPv6 count as IPv4.
    """
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or "", None
    if not isinstance(parsed, IPv6Address):
        return str(parsed), None
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped), None
    return f"{int(parsed) >> 64:x}/64", f"{int(parsed) >> 80:x}/48"


def compute_wait(keys: CounterKeys, counters: Iterable[FailureCounter], *, is_trusted: bool, now: datetime) -> int:
    """Return for how many seconds an attempt has to wait; those of other keys do not matter."""
    limits = keys.limits(is_trusted=is_trusted)
    return max((limits[one.key].wait(one, now) for one in counters if one.key in limits), default=0)
