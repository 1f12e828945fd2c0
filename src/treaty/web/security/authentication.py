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

from treaty.actions.accounts import accounts as account_actions
from treaty.actions.accounts import credentials
from treaty.actions.accounts import throttling as throttling_actions
from treaty.errors import Forbidden, NotFound, Throttled, Unauthenticated
from treaty.model.accounts import passwords
from treaty.model.accounts.access import (
    ANONYMOUS_CALLER,
    OPEN_ACCESS_CALLER,
    Account,
    Caller,
    CredentialType,
    Role,
    is_well_formed_token,
    normalize_name,
)
from treaty.model.accounts.throttling import (
    PAIR_LIMIT,
    TRUST_DURATION,
    CounterKeys,
    FailureCounter,
    compute_counter_keys,
    compute_wait,
)
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.accounts import accounts, sessions, throttling, tokens
from treaty.store.engine import keys
from treaty.store.engine.database import Busy, Database
from treaty.store.engine.keys import KeyedHasher
from treaty.store.engine.vault import get_vault
from treaty.web.http.request import Request
from treaty.web.http.router import Route
from treaty.web.security import csrf, open_access
from treaty.web.security.permissions import PERMISSIONS_BY_ROLE, Permission
from treaty.web.security.throttling import SetupThrottle

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
class BasicCredentials:
    """A name and a password."""

    name: str
    password: str

    @cached_property
    def key(self) -> bytes:
        """Under which this process remembers the two, without keeping them."""
        return hmac.digest(_OWN_KEY, f"{self.name}\0{self.password}".encode(), "sha256")


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token's text."""

    text: str


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """A session's secret."""

    secret: str


@dataclass(frozen=True, slots=True)
class UnsupportedAuthorization:
    """An `Authorization` header of no kind that is known here."""


RequestCredential = BasicCredentials | BearerToken | SessionCookie | UnsupportedAuthorization | None


def read_credential(call: Request) -> RequestCredential:
    """Read what a request says about who it comes from; the header counts more than the cookie."""
    header = call.headers.get("authorization")
    if header is None:
        secret = csrf.find_cookie(call, csrf.SESSION_COOKIE) if "cookie" in call.headers else None
        return SessionCookie(secret) if secret else None
    scheme, _, given = header.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return BearerToken(given.strip())
        case "basic":
            return _basic(given.strip())
        case _:
            return UnsupportedAuthorization()


def _basic(given: str) -> BasicCredentials | UnsupportedAuthorization:
    try:
        name, colon, its_password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return UnsupportedAuthorization()
    return BasicCredentials(name, its_password) if colon else UnsupportedAuthorization()


class PasswordCheckRequired(Exception):
    """A password that has to be checked, which takes long on purpose; a transaction is not to wait for it."""


AuthenticateInTransaction = Callable[[Connection], None]


class RunInThread(Protocol):
    """Runs a function in a thread, and waits for it without blocking the event loop."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


class ReadOnce(Protocol):
    """A way of asking the database a single question."""

    def __call__(self, work: Callable[[Connection], T], /) -> T: ...


class Authenticator:
    """Finds out who asks, and lets them do what their role allows."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.database = database
        self._settings = settings
        self._vault = get_vault(settings)
        self._users = _users(settings)
        self._has_users = bool(self._users)
        self._without_users_until = 0.0
        self._keyed: KeyedHasher | None = None
        self._names_of_users = {normalize_name(str(one.user)) for one, _ in self._users}
        self._verified = _Verified()
        self._checks = _Checks()
        self._trust = _Recently(_TRUST_NOTED_FOR)
        self._setup_throttle = SetupThrottle()

    @property
    def has_challenge(self) -> bool:
        """Whether browsers are to ask for a name and a password of their own accord, as with the original."""
        return bool(self._users)

    def forget_open_access(self) -> None:
        """Forget that there are no users."""
        self._without_users_until = 0.0

    async def begin(
        self,
        request: Request,
        route: Route | None,
        *,
        run_in_thread: RunInThread,
        may_block: bool,
        may_defer: bool,
    ) -> "AuthenticateInTransaction | None":
        """Authenticate and authorize the caller, in the cheapest of three ways.

        - On the event loop, where that takes one short statement at most (`may_block`: unless writes would block it).
        - Within the transaction of the handler, which saves a round trip on PostgreSQL (`may_defer`). The function that
          does so is returned; in the other cases the caller is authenticated already, and the result is None.
        - In a thread, where a password has to be verified, which takes long on purpose.

        Raises Unauthenticated, Throttled and Forbidden.
        """
        credential = read_credential(request)
        with self._count_pending(credential, request):
            if may_block and self._is_quick(request, credential):
                try:
                    self._authenticate(request, route, credential, can_wait=False)
                except PasswordCheckRequired:
                    pass  # the password was changed since it was verified last
                else:
                    return None
            elif may_defer and not self._needs_verification(credential):
                return partial(self._authenticate, request, route, credential)
            await run_in_thread(partial(self._authenticate, request, route, credential))
        return None

    def authenticate(self, request: Request, route: Route) -> None:
        """Authenticate and authorize the caller, in a thread. Raises Unauthenticated, Throttled and Forbidden."""
        self._authenticate(request, route, read_credential(request))

    def _is_quick(self, request: Request, credential: RequestCredential) -> bool:
        """Whether authentication takes one short statement at most."""
        if self._had_no_users_lately() and (credential is None or request.source.open_access_obstacle is None):
            return True
        if not isinstance(credential, BasicCredentials):
            return self.database.is_local or (credential is None and self._has_users)
        return self.database.is_local and not self._needs_verification(credential)

    def _needs_verification(self, credential: RequestCredential) -> bool:
        return isinstance(credential, BasicCredentials) and not self._verified.knows(credential)

    def _count_pending(self, credential: RequestCredential, request: Request) -> AbstractContextManager[object]:
        """Count a password that has to be verified from the moment at which the request arrives.

        Otherwise many guesses at the same time could pass before the first one has been counted as a failure.
        """
        if isinstance(credential, BasicCredentials) and self._needs_verification(credential):
            return self._checks.pending(credential, request.address)
        return nullcontext()

    def _authenticate(
        self,
        call: Request,
        route: Route | None,
        credential: RequestCredential,
        db: Connection | None = None,
        *,
        can_wait: bool = True,
    ) -> None:
        """Authenticate and authorize the caller, within a transaction if there is one.

        Raises Unauthenticated, Throttled and Forbidden, and PasswordCheckRequired where a password has to be verified
        within a transaction or on the event loop.
        """
        if call.source.open_access_obstacle is None and self._had_no_users_lately():
            call.caller = OPEN_ACCESS_CALLER
        else:
            self._identify_unless_public(call, route, credential, db, can_wait=can_wait)
        self.authorize(call, route)

    def _identify_unless_public(
        self,
        call: Request,
        route: Route | None,
        credential: RequestCredential,
        db: Connection | None,
        *,
        can_wait: bool,
    ) -> None:
        try:
            self._identify(call, credential, db, can_wait=can_wait)
        except (Unauthenticated, Throttled):
            if not self.is_public(call, route):
                raise
        finally:
            if db is None:
                self.record_credential_use(call)

    def _identify(self, call: Request, credential: RequestCredential, db: Connection | None, *, can_wait: bool) -> None:
        ask: ReadOnce = partial(self.database.read_once, within=db)
        if self._has_no_users(ask):
            call.open_access_obstacle = call.source.open_access_obstacle
            if call.open_access_obstacle is None:
                call.caller = OPEN_ACCESS_CALLER
                return
        match credential:
            case BearerToken(text):
                call.caller = self._by_token(text, call, ask)
            case BasicCredentials():
                call.caller = self.authenticate_password(credential, call, db, can_wait=can_wait).caller
            case SessionCookie(secret):
                call.caller = self._by_session(secret, call, ask)
            case UnsupportedAuthorization():
                raise Unauthenticated(_UNREADABLE)

    def _had_no_users_lately(self) -> bool:
        return not self._has_users and time.monotonic() < self._without_users_until

    def _has_no_users(self, ask: ReadOnce) -> bool:
        if self._has_users or self._had_no_users_lately():
            return not self._has_users
        if ask(accounts.has_any):
            self._has_users = True  # accounts are disabled, but never removed
            return False
        self._without_users_until = time.monotonic() + _WITHOUT_USERS_FOR
        return True

    # Tokens

    def _by_token(self, text: str, call: Request, ask: ReadOnce) -> Caller:
        if not is_well_formed_token(text):
            hint = "This is not a token of this broker, or not the whole of one."
            raise Unauthenticated(f"{hint} {_NEW_TOKEN}", is_bearer=True)
        found = self._looked_up(
            ask, lambda db, keyed: tokens.find_by_hash(db, keyed.hash(credentials.TOKEN_PURPOSE, text))
        )
        if found is None or (found.expires_at is not None and found.expires_at <= call.now):
            what = (
                "is not known: it was revoked or regenerated, or its user is disabled" if found is None else "is over"
            )
            raise Unauthenticated(f"This token {what}. {_NEW_TOKEN}", is_bearer=True)
        if _is_due(found.used_at, call.now):
            call.record_use = lambda db: tokens.record_use(db, found.uuid, at=call.now, address=call.address)
        return Caller(
            kind=CredentialType.TOKEN,
            role=Role.READ_ONLY if found.role is Role.READ_ONLY else found.account_role,
            user=found.user,
            account=found.account,
            token=found.name,
            credential=found.uuid,
        )

    def _looked_up(self, ask: ReadOnce, find: Callable[[Connection, KeyedHasher], T | None]) -> T | None:
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

    def record_credential_use(self, call: Request) -> None:
        """Note when something was used. That it could not be noted is no reason to refuse it."""
        write, call.record_use = call.record_use, None
        if write is not None:
            with suppress(Busy, DBAPIError):
                self.database.write(write)

    # Names and passwords

    def authenticate_password(
        self, given: BasicCredentials, call: Request, db: Connection | None = None, *, can_wait: bool = True
    ) -> "AuthenticatedCaller":
        """Find out whose name and password these are.

        Raises Unauthenticated, Throttled after too many failures, and TakesLong within a transaction, and where it may
        not wait.
        """
        arrived_at = time.monotonic()
        attempt = self._attempt(given, call, db)
        call.failed_login_user = attempt.failed_login_user
        self._check_throttle(attempt, call.now, db)
        # What was verified before is good without being counted only as long as few others are being checked: one of
        # them may be the guess that exhausts the limit.
        identified = None if self._checks.is_crowded(given, call.address) else self._remembered(attempt)
        if identified is None:
            if db is not None or not can_wait:
                raise PasswordCheckRequired
            return self._checked(attempt, call, arrived_at)
        if self._trust.is_due(attempt.keys.pair):
            call.record_use = lambda db: throttling_actions.record_trust(db, attempt.keys, now=call.now)
        return identified

    def _attempt(self, given: BasicCredentials, call: Request, db: Connection | None) -> "_Attempt":
        """Look up all that is needed to judge a name and a password, usually in one statement."""
        known, unknown = (
            compute_counter_keys(given.name, call.address, is_known=is_known) for is_known in (True, False)
        )
        account, counters = self.database.read_once(
            lambda db: (
                (None, throttling.list_counters(db, known=known, unknown=unknown))
                if self._verified.has(given, _OF_SETTINGS)
                else throttling.find_account_and_counters(db, given.name, known=known, unknown=unknown)
            ),
            within=db,
        )
        is_known = account is not None or normalize_name(given.name) in self._names_of_users
        return _Attempt(
            given=given,
            account=account,
            its_hash=account.password if account is not None and account.is_active else None,
            failed_login_user=account.name if account is not None else self._of_settings(given.name),
            keys=known if is_known else unknown,
            counters=counters,
        )

    def _check_throttle(self, attempt: "_Attempt", now: datetime, db: Connection | None) -> None:
        """Raise Throttled for an attempt that has to wait, whether or not its password is right."""
        if not attempt.counters or not compute_wait(attempt.keys, attempt.counters, is_trusted=False, now=now):
            return
        is_trusted = self.database.read_once(
            lambda db: throttling.is_trusted_address(db, attempt.keys, since=now - TRUST_DURATION), within=db
        )
        if seconds := compute_wait(attempt.keys, attempt.counters, is_trusted=is_trusted, now=now):
            raise Throttled(seconds)

    def _remembered(self, attempt: "_Attempt", *, since: float = 0.0) -> "AuthenticatedCaller | None":
        """Return who it is if the password was verified lately (or `since` a time), and is still the same."""
        given, account = attempt.given, attempt.account
        if self._verified.has(given, _OF_SETTINGS, since=since):
            user = self.find_settings_user(given)
            return None if user is None else AuthenticatedCaller(user, None)
        if account is not None and self._verified.has(given, attempt.its_hash, since=since):
            return AuthenticatedCaller(_caller(account), attempt.its_hash)
        return None

    def _checked(self, attempt: "_Attempt", call: Request, arrived_at: float) -> "AuthenticatedCaller":
        """Count an attempt as failed, compare its password, and take it back if it is right.

        Requests that come with the same credentials at the same time are one attempt if they are right.
        """
        with self._checks.pending(attempt.given, call.address) as turn, turn:
            if identified := self._remembered(attempt, since=arrived_at):
                return identified
            self.database.write(lambda db: throttling_actions.reserve_attempt(db, attempt.keys, now=call.now))
            identified = self._compared(attempt)
            self.database.write(lambda db: throttling_actions.record_success(db, attempt.keys, now=call.now))
            self._trust.is_due(attempt.keys.pair)
            self._verified.add(attempt.given, identified.password or _OF_SETTINGS)
            return identified

    def _compared(self, attempt: "_Attempt") -> "AuthenticatedCaller":
        """Compare a password. Raises Unauthenticated, after the same time whether or not there is such a user."""
        if user := self.find_settings_user(attempt.given):
            return AuthenticatedCaller(user, None)
        if not passwords.is_correct(attempt.given.password, attempt.its_hash) or attempt.account is None:
            self._verified.forget(attempt.given)
            raise Unauthenticated("The name or the password is wrong.")
        return AuthenticatedCaller(_caller(attempt.account), attempt.its_hash)

    def _of_settings(self, name: str) -> str | None:
        return next((one.user for one, _ in self._users if one.user == name), None)

    def find_settings_user(self, given: BasicCredentials) -> Caller | None:
        """Find the user of the settings with this name and password."""
        proof = _proof(given.name, given.password)
        found = [one for one, its_proof in self._users if hmac.compare_digest(proof, its_proof)]
        return found[0] if found else None

    def check_setup_link(self, link: str, call: Request) -> None:
        """Check that a link may create the first administrator, without a write. Raises NotFound and Throttled."""
        try:
            self.database.read(lambda db: account_actions.check_setup_link(db, link, vault=self._vault, now=call.now))
        except NotFound:
            self._setup_throttle.count_failure(call.address, call.now)
            raise

    # Sessions

    def _by_session(self, secret: str, call: Request, ask: ReadOnce) -> Caller:
        found = self._looked_up(
            ask, lambda db, keyed: sessions.find_by_hash(db, keyed.hash(credentials.SESSION_PURPOSE, secret))
        )
        if found is None or self.is_session_expired(found.created_at, found.seen_at, call.now):
            return ANONYMOUS_CALLER
        owner = self._owner(found)
        if owner is None or self._keyed is None:
            return ANONYMOUS_CALLER
        call.csrf_token = self._keyed.hash("csrf", secret)
        if _is_due(found.seen_at, call.now):
            call.record_use = lambda db: sessions.record_use(db, found.uuid, at=call.now, address=call.address)
        return owner

    def is_session_expired(self, created_at: datetime, seen_at: datetime, now: datetime) -> bool:
        """Whether a session has ended by itself."""
        settings = self._settings
        is_idle = now - seen_at >= settings.session_idle_timeout
        return is_idle or now - created_at >= settings.session_lifetime

    def _owner(self, found: sessions.PresentedSession) -> Caller | None:
        if found.proof is not None and self._keyed is not None:
            keyed = self._keyed
            owners = [
                one for one, proof in self._users if keyed.hash(credentials.PROOF_PURPOSE, proof.hex()) == found.proof
            ]
            user = owners[0].user if owners else None
            role = owners[0].role if owners else None
        else:
            user, role = (found.user, found.role) if found.is_active else (None, None)
        if user is None:
            return None
        return Caller(kind=CredentialType.SESSION, role=role, user=user, account=found.account, credential=found.uuid)

    def sign_in(self, given: BasicCredentials, call: Request) -> str:
        """Check a name and a password, and open a session. Says what is to stand in its cookie."""
        return self.open_session(self.authenticate_password(given, call), given, call)

    def open_session(self, identified: "AuthenticatedCaller", given: BasicCredentials, call: Request) -> str:
        """Open a session for a caller whose password was verified; the one that the browser had is over.

        Raises Unauthenticated if the account has changed since.
        """
        caller = identified.caller
        who = credentials.SessionDraft(
            user=str(caller.user),
            account=caller.account,
            password=identified.password,
            proof=None if caller.account else _proof(given.name, given.password).hex(),
            address=call.address,
            agent=call.headers.get("user-agent", "")[:200] or None,
        )

        def write(db: Connection) -> str:
            if call.caller.kind is CredentialType.SESSION and call.caller.credential:
                sessions.end(db, call.caller.credential)
            self._end_old(db, call.now)
            return credentials.open_session(db, who, vault=self._vault, now=call.now).secret

        with audit.acting_as(replace(call.actor, user=caller.user, account=caller.account), at=call.now):
            return self.database.write(write)

    def _end_old(self, db: Connection, now: datetime) -> None:
        settings = self._settings
        sessions.end_old(
            db,
            seen_before=now - settings.session_idle_timeout,
            created_before=now - settings.session_lifetime,
        )

    # What is allowed

    def authorize(self, call: Request, route: Route | None) -> None:
        """Let a caller do what it asks for. Raises Unauthenticated for nobody in particular, and Forbidden."""
        needed = route.permission if route else Permission.READ
        if call.has_permission(needed) or self.is_public(call, route):
            return
        if not call.caller.is_known:
            obstacle = call.open_access_obstacle
            raise Unauthenticated(
                _WHO_ARE_YOU if obstacle is None else f"{open_access.explain_obstacle(obstacle)} {_SEND}"
            )
        raise Forbidden(
            f"{call.caller.title} may not {needed.value}: the role is {_role(call.caller)}. "
            "Use credentials that may, or ask an administrator for them.",
            missing_permission=needed.value,
        )

    def is_public(self, call: Request, route: Route | None) -> bool:
        """Whether everybody may do this."""
        needed = route.permission if route else Permission.READ
        if needed in PERMISSIONS_BY_ROLE[None]:
            return True
        if call.method not in _READS and (route is None or needed is not Permission.READ):
            return False
        settings = self._settings
        return (
            (settings.allow_public_read and needed in _PUBLIC)
            or (settings.public_heartbeat and needed is Permission.READ_HEARTBEAT)
            or (settings.enable_public_badge_access and needed is Permission.READ_BADGE)
        )


def get_authenticator(call: Request) -> Authenticator:
    """Return the gate of the server that received a request."""
    assert isinstance(call.authenticator, Authenticator)  # noqa: S101 - the application puts it there
    return call.authenticator


_PUBLIC: Final = {Permission.READ, Permission.READ_BADGE, Permission.READ_HEARTBEAT}
_NEW_TOKEN: Final = "Make a new one under Settings, API tokens, or with `treaty token create`."  # noqa: S105 - a hint
_UNREADABLE: Final = (
    "The Authorization header cannot be read. It is `Bearer TOKEN`, or `BasicCredentials` and NAME:PASSWORD in base64."
)
_SEND: Final = "Send a token as `Authorization: Bearer TOKEN`, or a name and a password by basic auth."
_WHO_ARE_YOU: Final = f"This broker asks who you are. {_SEND}"


def _role(caller: Caller) -> str:
    return f"{caller.role.value}" if caller.role else "none"


def _caller(one: Account) -> Caller:
    return Caller(kind=CredentialType.BASIC, role=one.role, user=one.name, account=one.uuid)


def _is_due(noted_at: datetime | None, now: datetime) -> bool:
    return noted_at is None or now - noted_at >= _NOTED_EVERY


def _users(settings: Settings) -> list[tuple[Caller, bytes]]:
    """List the users of the settings, with what proves who they are."""
    given = (
        (settings.basic_auth_username, settings.basic_auth_password, Role.READ_WRITE),
        (settings.basic_auth_read_only_username, settings.basic_auth_read_only_password, Role.READ_ONLY),
    )
    return [
        (Caller(kind=CredentialType.BASIC, role=role, user=name), _proof(name, secret.get_secret_value()))
        for name, secret, role in given
        if name and secret and name.strip() and secret.get_secret_value().strip()
    ]


_OWN_KEY: Final = secrets.token_bytes(32)
"""The key of what this process alone remembers."""


def _proof(name: str, its_password: str) -> bytes:
    """Hash a name and a password, so that they can be compared in a time that says nothing about them."""
    return sha256(f"{name}\0{its_password}".encode()).digest()


@dataclass(frozen=True, slots=True)
class AuthenticatedCaller:
    """A caller whose password was verified."""

    caller: Caller
    password: str | None
    """The hash that the password was compared with; None for users of the settings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    """A name and a password, and what was looked up to judge them."""

    given: BasicCredentials
    account: Account | None
    its_hash: str | None
    """The hash of the account's password, if it is active and has one."""
    failed_login_user: str | None
    """The name of the user who was meant, if there is one."""
    keys: CounterKeys
    counters: list[FailureCounter]


class _Checks:
    """The passwords that are being checked. Requests that come with the same credentials wait for each other."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._turns: dict[bytes, Lock] = {}
        self._counts: collections.Counter[bytes] = collections.Counter()
        self._of_crowds: dict[str, collections.Counter[bytes]] = {}

    def is_crowded(self, given: BasicCredentials, address: str | None) -> bool:
        """Whether so many passwords are being checked for a name and an address that they may exhaust the limit."""
        of_crowds = self._of_crowds
        return bool(of_crowds) and len(of_crowds.get(_crowd(given, address), ())) >= PAIR_LIMIT.allowed_failures

    @contextmanager
    def pending(self, given: BasicCredentials, address: str | None) -> Iterator[Lock]:
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


def _crowd(given: BasicCredentials, address: str | None) -> str:
    return compute_counter_keys(given.name, address, is_known=True).pair


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

    def knows(self, given: BasicCredentials) -> bool:
        """Whether a password fitted lately, though it may have been changed since."""
        found = self._found.get(given.key)
        return found is not None and found[1] + _VERIFIED_FOR > time.monotonic()

    def has(self, given: BasicCredentials, its_hash: str | None, *, since: float = 0.0) -> bool:
        """Whether a password was found to fit a hash lately, and not before a time."""
        found = self._found.get(given.key)
        if found is None or found[0] != its_hash:
            return False
        return found[1] >= max(since, time.monotonic() - _VERIFIED_FOR)

    def forget(self, given: BasicCredentials) -> None:
        self._found.pop(given.key, None)

    def add(self, given: BasicCredentials, its_hash: str) -> None:
        self._found[given.key] = its_hash, time.monotonic()
        while len(self._found) > _MOST_VERIFIED:
            self._found.popitem(last=False)
