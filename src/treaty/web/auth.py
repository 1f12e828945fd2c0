"""Who asks, and what they may do: the original's two users in the settings, and accounts with tokens and sessions.

A token or session is looked up for each request, so one that was revoked is refused at once by every process. To check
a password takes long on purpose; that it fits is remembered for some minutes, together with its hash as it was then.
Whether too many passwords were wrong is looked up before any password is compared, remembered or not.
"""

import base64
import binascii
import collections
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from hashlib import sha256
from threading import Lock
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from treaty.actions import admitting, guessing, issuing
from treaty.errors import Forbidden, NotFound, Throttled, Unauthenticated
from treaty.model import password
from treaty.model.access import ANYBODY, NOBODY, Account, Caller, Credential, Role, is_token, key_of
from treaty.model.guessing import PAIR, TRUSTED_FOR, Counter, Keys, keys_of, wait
from treaty.settings import Settings
from treaty.store import accounts, audit, guesses, keys, sessions, tokens
from treaty.store.database import Busy, Database
from treaty.store.keys import Keyed
from treaty.store.vault import vault_of
from treaty.web import open_access, origins
from treaty.web.routing import GRANTED, Call, Permission, Route
from treaty.web.throttling import SetupThrottle

T = TypeVar("T")

_WITHOUT_USERS_FOR: Final = 1.0
"""Seconds for which a server takes it for granted that there are no users."""
_VERIFIED_FOR: Final = 300.0
_MOST_VERIFIED: Final = 1000
_NOTED_EVERY: Final = timedelta(minutes=1)
"""How exactly it is known when a token or a session was used."""
_TRUST_NOTED_FOR: Final = 86_400.0
"""Seconds after which the success of an account from an address is recorded again."""
_READS: Final = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class Basic:
    """A name and a password."""

    name: str
    password: str

    @cached_property
    def key(self) -> bytes:
        """Under which this process remembers the two, without keeping them."""
        return hmac.digest(_OWN_KEY, f"{self.name}\0{self.password}".encode(), "sha256")


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Cookie:
    """A session's secret."""

    secret: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An `Authorization` header of no kind that is known here."""


Presented = Basic | Bearer | Cookie | Unreadable | None


def credential_of(call: Call) -> Presented:
    """Read what a request says about who it comes from; the header counts more than the cookie."""
    header = call.headers.get("authorization")
    if header is None:
        secret = origins.cookie(call, origins.SESSION) if "cookie" in call.headers else None
        return Cookie(secret) if secret else None
    scheme, _, given = header.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return Bearer(given.strip())
        case "basic":
            return _basic(given.strip())
        case _:
            return Unreadable()


def _basic(given: str) -> Basic | Unreadable:
    try:
        name, colon, its_password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return Unreadable()
    return Basic(name, its_password) if colon else Unreadable()


class TakesLong(Exception):
    """A password that has to be checked, which takes long on purpose; a transaction is not to wait for it."""


class Ask(Protocol):
    """A way of asking the database a single question."""

    def __call__(self, work: Callable[[Connection], T], /) -> T: ...


class Gate:
    """Finds out who asks, and lets them do what their role allows."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.database = database
        self._settings = settings
        self._vault = vault_of(settings)
        self._users = _users(settings)
        self._has_users = bool(self._users)
        self._without_users_until = 0.0
        self._keyed: Keyed | None = None
        self._names_of_users = {key_of(str(one.user)) for one, _ in self._users}
        self._verified = _Verified()
        self._checks = _Checks()
        self._trust = _Recently(_TRUST_NOTED_FOR)
        self._setup_throttle = SetupThrottle()

    @property
    def has_challenge(self) -> bool:
        """Whether browsers are to ask for a name and a password of their own accord, as with the original."""
        return bool(self._users)

    def look_again(self) -> None:
        """Forget that there are no users."""
        self._without_users_until = 0.0

    def is_quick(self, call: Call, credential: Presented) -> bool:
        """Whether finding out who asks takes a short statement at most, and no thread."""
        if self._had_no_users_lately() and (credential is None or call.source.obstacle is None):
            return True
        if not isinstance(credential, Basic):
            return self.database.is_local or (credential is None and self._has_users)
        return self.database.is_local and self._verified.knows(credential)

    def arriving(self, credential: Presented, call: Call) -> AbstractContextManager[object]:
        """Count a password that has to be checked from the moment at which the request arrives."""
        if isinstance(credential, Basic) and not self._verified.knows(credential):
            return self._checks.pending(credential, call.address)
        return nullcontext()

    def admit(
        self,
        call: Call,
        route: Route | None,
        credential: Presented,
        db: Connection | None = None,
        *,
        may_wait: bool = True,
    ) -> None:
        """Find out who asks, and whether they may; within a transaction, which spares the way to the database.

        Raises Unauthenticated, Throttled and Forbidden, and TakesLong where a transaction should not last so long, or
        the event loop may not wait.
        """
        if call.source.obstacle is None and self._had_no_users_lately():
            call.caller = ANYBODY
        else:
            self._identify_unless_public(call, route, credential, db, may_wait=may_wait)
        self.check(call, route)

    def _identify_unless_public(
        self, call: Call, route: Route | None, credential: Presented, db: Connection | None, *, may_wait: bool
    ) -> None:
        try:
            self._identify(call, credential, db, may_wait=may_wait)
        except (Unauthenticated, Throttled):
            if not self.is_public(call, route):
                raise
        finally:
            if db is None:
                self.note_use(call)

    def _identify(self, call: Call, credential: Presented, db: Connection | None, *, may_wait: bool) -> None:
        ask: Ask = partial(self.database.glance, within=db)
        if self._has_no_users(ask):
            call.closed_because = call.source.obstacle
            if call.closed_because is None:
                call.caller = ANYBODY
                return
        match credential:
            case Bearer(text):
                call.caller = self._by_token(text, call, ask)
            case Basic():
                call.caller = self.by_password(credential, call, db, may_wait=may_wait).caller
            case Cookie(secret):
                call.caller = self._by_session(secret, call, ask)
            case Unreadable():
                raise Unauthenticated(_UNREADABLE)

    def _had_no_users_lately(self) -> bool:
        return not self._has_users and time.monotonic() < self._without_users_until

    def _has_no_users(self, ask: Ask) -> bool:
        if self._has_users or self._had_no_users_lately():
            return not self._has_users
        if ask(accounts.is_any):
            self._has_users = True  # accounts are disabled, but never removed
            return False
        self._without_users_until = time.monotonic() + _WITHOUT_USERS_FOR
        return True

    # Tokens

    def _by_token(self, text: str, call: Call, ask: Ask) -> Caller:
        if not is_token(text):
            hint = "This is not a token of this broker, or not the whole of one."
            raise Unauthenticated(f"{hint} {_NEW_TOKEN}", is_bearer=True)
        found = self._looked_up(ask, lambda db, keyed: tokens.presented(db, keyed.hash(issuing.TOKEN, text)))
        if found is None or (found.expires_at is not None and found.expires_at <= call.now):
            what = (
                "is not known: it was revoked or regenerated, or its user is disabled" if found is None else "is over"
            )
            raise Unauthenticated(f"This token {what}. {_NEW_TOKEN}", is_bearer=True)
        if _is_due(found.used_at, call.now):
            call.noting = lambda db: tokens.note_use(db, found.uuid, at=call.now, address=call.address)
        return Caller(
            kind=Credential.TOKEN,
            role=Role.READ_ONLY if found.role is Role.READ_ONLY else found.account_role,
            user=found.user,
            account=found.account,
            token=found.name,
            credential=found.uuid,
        )

    def _looked_up(self, ask: Ask, find: Callable[[Connection, Keyed], T | None]) -> T | None:
        """Look up a keyed hash. What is not found is looked up again with the key as it is now."""
        keyed = self._keyed
        found = None if keyed is None else ask(lambda db: find(db, keyed))
        if found is not None:
            return found
        fresh = ask(lambda db: keys.find(db, self._vault))
        if fresh is None or (keyed is not None and fresh.key == keyed.key):
            return None
        self._keyed = fresh
        return ask(lambda db: find(db, fresh))

    def note_use(self, call: Call) -> None:
        """Note when something was used. That it could not be noted is no reason to refuse it."""
        write, call.noting = call.noting, None
        if write is not None:
            with suppress(Busy, DBAPIError):
                self.database.write(write)

    # Names and passwords

    def by_password(
        self, given: Basic, call: Call, db: Connection | None = None, *, may_wait: bool = True
    ) -> "Identified":
        """Find out whose name and password these are.

        Raises Unauthenticated, Throttled after too many failures, and TakesLong within a transaction, and where it may
        not wait.
        """
        arrived_at = time.monotonic()
        attempt = self._attempt(given, call, db)
        call.claimed = attempt.claimed
        self._check_throttle(attempt, call.now, db)
        # What was verified before is good without being counted only as long as few others are being checked: one of
        # them may be the guess that exhausts the limit.
        identified = None if self._checks.is_crowded(given, call.address) else self._remembered(attempt)
        if identified is None:
            if db is not None or not may_wait:
                raise TakesLong
            return self._checked(attempt, call, arrived_at)
        if self._trust.is_due(attempt.keys.pair):
            call.noting = lambda db: guessing.note_trust(db, attempt.keys, now=call.now)
        return identified

    def _attempt(self, given: Basic, call: Call, db: Connection | None) -> "_Attempt":
        """Look up all that is needed to judge a name and a password, usually in one statement."""
        known, unknown = (keys_of(given.name, call.address, is_known=is_known) for is_known in (True, False))
        account, counters = self.database.glance(
            lambda db: (
                (None, guesses.counters(db, known=known, unknown=unknown))
                if self._verified.has(given, _OF_SETTINGS)
                else guesses.look_up(db, given.name, known=known, unknown=unknown)
            ),
            within=db,
        )
        is_known = account is not None or key_of(given.name) in self._names_of_users
        return _Attempt(
            given=given,
            account=account,
            its_hash=account.password if account is not None and account.is_active else None,
            claimed=account.name if account is not None else self._of_settings(given.name),
            keys=known if is_known else unknown,
            counters=counters,
        )

    def _check_throttle(self, attempt: "_Attempt", now: datetime, db: Connection | None) -> None:
        """Raise Throttled for an attempt that has to wait, whether or not its password is right."""
        if not attempt.counters or not wait(attempt.keys, attempt.counters, is_trusted=False, now=now):
            return
        is_trusted = self.database.glance(
            lambda db: guesses.is_trusted(db, attempt.keys, since=now - TRUSTED_FOR), within=db
        )
        if seconds := wait(attempt.keys, attempt.counters, is_trusted=is_trusted, now=now):
            raise Throttled(seconds)

    def _remembered(self, attempt: "_Attempt", *, since: float = 0.0) -> "Identified | None":
        """Return who it is if the password was verified lately (or `since` a time), and is still the same."""
        given, account = attempt.given, attempt.account
        if self._verified.has(given, _OF_SETTINGS, since=since):
            user = self.user_of_settings(given)
            return None if user is None else Identified(user, None)
        if account is not None and self._verified.has(given, attempt.its_hash, since=since):
            return Identified(_caller(account), attempt.its_hash)
        return None

    def _checked(self, attempt: "_Attempt", call: Call, arrived_at: float) -> "Identified":
        """Count an attempt as failed, compare its password, and take it back if it is right.

        Requests that come with the same credentials at the same time are one attempt if they are right.
        """
        with self._checks.pending(attempt.given, call.address) as turn, turn:
            if identified := self._remembered(attempt, since=arrived_at):
                return identified
            self.database.write(lambda db: guessing.reserve(db, attempt.keys, now=call.now))
            identified = self._compared(attempt)
            self.database.write(lambda db: guessing.note_success(db, attempt.keys, now=call.now))
            self._trust.is_due(attempt.keys.pair)
            self._verified.add(attempt.given, identified.password or _OF_SETTINGS)
            return identified

    def _compared(self, attempt: "_Attempt") -> "Identified":
        """Compare a password. Raises Unauthenticated, after the same time whether or not there is such a user."""
        if user := self.user_of_settings(attempt.given):
            return Identified(user, None)
        if not password.fits(attempt.given.password, attempt.its_hash) or attempt.account is None:
            self._verified.forget(attempt.given)
            raise Unauthenticated("The name or the password is wrong.")
        return Identified(_caller(attempt.account), attempt.its_hash)

    def _of_settings(self, name: str) -> str | None:
        return next((one.user for one, _ in self._users if one.user == name), None)

    def user_of_settings(self, given: Basic) -> Caller | None:
        """Find the user of the settings with this name and password."""
        proof = _proof(given.name, given.password)
        found = [one for one, its_proof in self._users if hmac.compare_digest(proof, its_proof)]
        return found[0] if found else None

    def check_setup_link(self, link: str, call: Call) -> None:
        """Check that a link may create the first administrator, without a write. Raises NotFound and Throttled."""
        try:
            self.database.read(lambda db: admitting.check_setup_link(db, link, vault=self._vault, now=call.now))
        except NotFound:
            self._setup_throttle.fail(call.address, call.now)
            raise

    # Sessions

    def _by_session(self, secret: str, call: Call, ask: Ask) -> Caller:
        found = self._looked_up(ask, lambda db, keyed: sessions.presented(db, keyed.hash(issuing.SESSION, secret)))
        if found is None or self.is_over(found.created_at, found.seen_at, call.now):
            return NOBODY
        owner = self._owner(found)
        if owner is None or self._keyed is None:
            return NOBODY
        call.csrf = self._keyed.hash("csrf", secret)
        if _is_due(found.seen_at, call.now):
            call.noting = lambda db: sessions.note_use(db, found.uuid, at=call.now, address=call.address)
        return owner

    def is_over(self, created_at: datetime, seen_at: datetime, now: datetime) -> bool:
        """Whether a session has ended by itself."""
        settings = self._settings
        is_idle = now - seen_at >= settings.session_idle_timeout
        return is_idle or now - created_at >= settings.session_lifetime

    def _owner(self, found: sessions.Presented) -> Caller | None:
        if found.proof is not None and self._keyed is not None:
            keyed = self._keyed
            owners = [one for one, proof in self._users if keyed.hash(issuing.PROOF, proof.hex()) == found.proof]
            user = owners[0].user if owners else None
            role = owners[0].role if owners else None
        else:
            user, role = (found.user, found.role) if found.is_active else (None, None)
        if user is None:
            return None
        return Caller(kind=Credential.SESSION, role=role, user=user, account=found.account, credential=found.uuid)

    def sign_in(self, given: Basic, call: Call) -> str:
        """Check a name and a password, and open a session. Says what is to stand in its cookie."""
        return self.open_session(self.by_password(given, call), given, call)

    def open_session(self, identified: "Identified", given: Basic, call: Call) -> str:
        """Open a session for a caller whose password was verified; the one that the browser had is over.

        Raises Unauthenticated if the account has changed since.
        """
        caller = identified.caller
        who = issuing.SignIn(
            user=str(caller.user),
            account=caller.account,
            password=identified.password,
            proof=None if caller.account else _proof(given.name, given.password).hex(),
            address=call.address,
            agent=call.headers.get("user-agent", "")[:200] or None,
        )

        def write(db: Connection) -> str:
            if call.caller.kind is Credential.SESSION and call.caller.credential:
                sessions.end(db, call.caller.credential)
            self._end_old(db, call.now)
            return issuing.open_session(db, who, vault=self._vault, now=call.now).secret

        with audit.by(replace(call.actor, user=caller.user, account=caller.account), at=call.now):
            return self.database.write(write)

    def _end_old(self, db: Connection, now: datetime) -> None:
        settings = self._settings
        sessions.end_old(
            db,
            seen_before=now - settings.session_idle_timeout,
            made_before=now - settings.session_lifetime,
        )

    # What is allowed

    def check(self, call: Call, route: Route | None) -> None:
        """Let a caller do what it asks for. Raises Unauthenticated for nobody in particular, and Forbidden."""
        needed = route.permission if route else Permission.READ
        if call.may(needed) or self.is_public(call, route):
            return
        if not call.caller.is_known:
            obstacle = call.closed_because
            raise Unauthenticated(_WHO_ARE_YOU if obstacle is None else f"{open_access.no_users(obstacle)} {_SEND}")
        raise Forbidden(
            f"{call.caller.title} may not {needed.value}: the role is {_role(call.caller)}. "
            "Use credentials that may, or ask an administrator for them.",
            missing=needed.value,
        )

    def is_public(self, call: Call, route: Route | None) -> bool:
        """Whether everybody may do this."""
        needed = route.permission if route else Permission.READ
        if needed in GRANTED[None]:
            return True
        if call.method not in _READS and (route is None or needed is not Permission.READ):
            return False
        settings = self._settings
        return (
            (settings.allow_public_read and needed in _PUBLIC)
            or (settings.public_heartbeat and needed is Permission.READ_HEARTBEAT)
            or (settings.enable_public_badge_access and needed is Permission.READ_BADGE)
        )


_PUBLIC: Final = {Permission.READ, Permission.READ_BADGE, Permission.READ_HEARTBEAT}
_NEW_TOKEN: Final = "Make a new one under Settings, API tokens, or with `treaty token create`."  # noqa: S105 - a hint
_UNREADABLE: Final = (
    "The Authorization header cannot be read. It is `Bearer TOKEN`, or `Basic` and NAME:PASSWORD in base64."
)
_SEND: Final = "Send a token as `Authorization: Bearer TOKEN`, or a name and a password by basic auth."
_WHO_ARE_YOU: Final = f"This broker asks who you are. {_SEND}"


def _role(caller: Caller) -> str:
    return f"{caller.role.value}" if caller.role else "none"


def _caller(one: Account) -> Caller:
    return Caller(kind=Credential.BASIC, role=one.role, user=one.name, account=one.uuid)


def _is_due(noted_at: datetime | None, now: datetime) -> bool:
    return noted_at is None or now - noted_at >= _NOTED_EVERY


def _users(settings: Settings) -> list[tuple[Caller, bytes]]:
    """List the users of the settings, with what proves who they are."""
    given = (
        (settings.basic_auth_username, settings.basic_auth_password, Role.READ_WRITE),
        (settings.basic_auth_read_only_username, settings.basic_auth_read_only_password, Role.READ_ONLY),
    )
    return [
        (Caller(kind=Credential.BASIC, role=role, user=name), _proof(name, secret.get_secret_value()))
        for name, secret, role in given
        if name and secret and name.strip() and secret.get_secret_value().strip()
    ]


_OWN_KEY: Final = secrets.token_bytes(32)
"""The key of what this process alone remembers."""


def _proof(name: str, its_password: str) -> bytes:
    """Hash a name and a password, so that they can be compared in a time that says nothing about them."""
    return sha256(f"{name}\0{its_password}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Identified:
    """A caller whose password was verified."""

    caller: Caller
    password: str | None
    """The hash that the password was compared with; None for users of the settings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    """A name and a password, and what was looked up to judge them."""

    given: Basic
    account: Account | None
    its_hash: str | None
    """The hash of the account's password, if it is active and has one."""
    claimed: str | None
    """The name of the user who was meant, if there is one."""
    keys: Keys
    counters: list[Counter]


class _Checks:
    """The passwords that are being checked. Requests that come with the same credentials wait for each other."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._turns: dict[bytes, Lock] = {}
        self._counts: collections.Counter[bytes] = collections.Counter()
        self._of_crowds: dict[str, collections.Counter[bytes]] = {}

    def is_crowded(self, given: Basic, address: str | None) -> bool:
        """Whether so many passwords are being checked for a name and an address that they may exhaust the limit."""
        of_crowds = self._of_crowds
        return bool(of_crowds) and len(of_crowds.get(_crowd(given, address), ())) >= PAIR.free

    @contextmanager
    def pending(self, given: Basic, address: str | None) -> Iterator[Lock]:
        """Count credentials as being checked; give what requests with the same ones wait for."""
        key, crowd = given.key, _crowd(given, address)
        with self._lock:
            turn = self._turns.setdefault(key, Lock())
            of_crowd = self._of_crowds.setdefault(crowd, collections.Counter())
            self._counts[key] += 1
            of_crowd[key] += 1
        try:
            yield turn
        finally:
            with self._lock:
                if _is_last(self._counts, key):
                    del self._turns[key]
                if _is_last(of_crowd, key) and not of_crowd:
                    del self._of_crowds[crowd]


def _is_last(counter: "collections.Counter[bytes]", key: bytes) -> bool:
    """Count one less; if that leaves none, forget the key and return True."""
    counter[key] -= 1
    return not counter[key] and not counter.pop(key)


def _crowd(given: Basic, address: str | None) -> str:
    return keys_of(given.name, address, is_known=True).pair


class _Recently:
    """What need not be recorded again for some time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: OrderedDict[str, float] = OrderedDict()

    def is_due(self, key: str) -> bool:
        """Whether something is to be recorded now; if so, it is not for some time."""
        if self._until.get(key, 0.0) > time.monotonic():
            return False
        self._until[key] = time.monotonic() + self._seconds
        while len(self._until) > _MOST_VERIFIED:
            self._until.popitem(last=False)
        return True


_OF_SETTINGS: Final = "settings"
"""Stands for a password's hash with users of the settings: their passwords are the same as long as the process runs."""


class _Verified:
    """Which passwords were found to fit, for which hashes: one that was changed has another hash."""

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def knows(self, given: Basic) -> bool:
        """Whether a password fitted lately, though it may have been changed since."""
        found = self._found.get(given.key)
        return found is not None and found[1] + _VERIFIED_FOR > time.monotonic()

    def has(self, given: Basic, its_hash: str | None, *, since: float = 0.0) -> bool:
        """Whether a password was found to fit a hash lately, and not before a time."""
        found = self._found.get(given.key)
        if found is None or found[0] != its_hash:
            return False
        return found[1] >= max(since, time.monotonic() - _VERIFIED_FOR)

    def forget(self, given: Basic) -> None:
        self._found.pop(given.key, None)

    def add(self, given: Basic, its_hash: str) -> None:
        self._found[given.key] = its_hash, time.monotonic()
        while len(self._found) > _MOST_VERIFIED:
            self._found.popitem(last=False)
