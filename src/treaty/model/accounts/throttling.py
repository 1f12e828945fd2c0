"""Throttling of password guesses: how many attempts may fail before the next one has to wait.

Each attempt is counted before its password is compared: for the account from the address, for the address, for the
network of an IPv6 address, and for the account. Success takes it back. Beyond a limit each further failure doubles the
wait.

For an address from which the account has signed in before, only the account's failures from there count. So an attacker
can lock out neither an office that shares an address, nor a user whose account is attacked from elsewhere.
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
    """Number of attempts that failed or are still being verified."""

    key: str
    count: int
    latest: datetime

    def is_expired(self, now: datetime) -> bool:
        return now - self.latest > FAILURE_LIFETIME


_MAX_DOUBLINGS: Final = 20
"""A wait is never doubled more often. Every limit's maximum is lower, and the number stays small."""


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """A limit of failures, beyond which the next attempt has to wait."""

    allowed_failures: int
    max_wait: int
    """Seconds."""

    def remaining_wait(self, counter: FailureCounter, now: datetime) -> int:
        """Return the seconds until the next attempt is allowed."""
        if counter.count < self.allowed_failures:
            return 0
        seconds = min(1 << min(counter.count - self.allowed_failures, _MAX_DOUBLINGS), self.max_wait)
        return max(ceil((counter.latest - now).total_seconds() + seconds), 0)


PAIR_LIMIT: Final = FailureLimit(5, 300)
"""For one account from one address."""
TRUSTED_PAIR_LIMIT: Final = FailureLimit(5, 30)
"""For one account from an address from which it has signed in before."""
ADDRESS_LIMIT: Final = FailureLimit(100, 300)
"""For all accounts from one address."""
NETWORK_LIMIT: Final = FailureLimit(1000, 300)
"""For all accounts from one IPv6 network (/48), which providers assign to a single customer."""
ACCOUNT_LIMIT: Final = FailureLimit(100, 60)
"""For one account from all addresses."""
FAILURE_LIFETIME: Final = timedelta(minutes=15)
"""Time after the latest failure at which a counter expires."""
TRUST_DURATION: Final = timedelta(days=30)
"""Time after the latest success of an account from an address for which the address is trusted."""
CODE_LIMIT: Final = FailureLimit(5, 300)
"""For codes of an account's second factor, from all addresses. Only who knows the password can guess them."""
_UNKNOWN_NAME_GROUPS: Final = 4096
"""Unknown names are counted in this many groups.

People type passwords into the field for the name. The few bits that identify a group do not reveal what was typed.
"""


@dataclass(frozen=True, slots=True)
class CounterKeys:
    """Keys of the counters of an attempt. They are hashes, which do not reveal names."""

    pair: str
    account: str
    address: str | None
    """None for codes, which are counted for their account only."""
    network: str | None
    """None for addresses other than IPv6."""

    @property
    def in_lock_order(self) -> list[str]:
        """All keys, in the order in which transactions lock them to avoid deadlocks."""
        return sorted(key for key in (self.pair, self.account, self.address, self.network) if key is not None)

    def limits(self, *, is_trusted: bool) -> Mapping[str | None, FailureLimit]:
        if is_trusted:
            return {self.pair: TRUSTED_PAIR_LIMIT}
        if self.address is None:
            return {self.account: CODE_LIMIT}
        return {
            self.pair: PAIR_LIMIT,
            self.account: ACCOUNT_LIMIT,
            self.address: ADDRESS_LIMIT,
            self.network: NETWORK_LIMIT,
        }


def compute_counter_keys(name: str, address: str | None, *, is_known: bool) -> CounterKeys:
    """Return the keys for an attempt to sign in with the name of a user or (not `is_known`) an unknown name."""
    # Longer names belong to no account; caching them would let anyone fill the memory.
    return (_compute_keys if len(name) <= MAX_NAME_LENGTH else _compute_keys.__wrapped__)(name, address, is_known)


@lru_cache(maxsize=4096)
def _compute_keys(name: str, address: str | None, is_known: bool) -> CounterKeys:  # noqa: FBT001 - a key of the cache
    owner = ("known", normalize_name(name)) if is_known else ("unknown", _name_group(name))
    source, network = normalize_source(address)
    return CounterKeys(
        pair=_hash(source, *owner),
        account=_hash("anywhere", *owner),
        address=_hash(source),
        network=None if network is None else _hash(network),
    )


def compute_code_keys(account: str, address: str | None) -> CounterKeys:
    """Return the keys for an attempt to enter a code of an account, by its UUID.

    They differ from those for passwords, because a right password deletes the failures of its account from its address.
    """
    source, _ = normalize_source(address)
    return CounterKeys(
        pair=_hash(source, "code", account), account=_hash("anywhere", "code", account), address=None, network=None
    )


def _name_group(name: str) -> str:
    digest = sha256(normalize_name(name).encode()).digest()
    return str(int.from_bytes(digest) % _UNKNOWN_NAME_GROUPS)


def _hash(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


def normalize_source(address: str | None) -> tuple[str, str | None]:
    """Return the source that an address is counted as, and the wider IPv6 network that is counted as well.

    Every client with IPv6 can use all addresses of its /64, so these count as one source. IPv4 addresses mapped into
    IPv6 count as IPv4.
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
    """Return the seconds for which an attempt has to wait. Counters of other keys are ignored."""
    limits = keys.limits(is_trusted=is_trusted)
    return max(
        (limits[counter.key].remaining_wait(counter, now) for counter in counters if counter.key in limits), default=0
    )
