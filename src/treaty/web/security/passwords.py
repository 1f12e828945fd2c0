"""Verification of passwords, with throttling of guesses and a cache of verified passwords.

A verification runs in this order, and the order matters:

1. Look up the account and its failure counters. Too many failures reject the attempt, even with the right password.
2. A password that was verified lately, for the hash that the account still has, is accepted without hashing.
3. Otherwise count the attempt as failed, in the database, **before** hashing. Hashing takes long enough for thousands
   of parallel guesses to arrive; counted afterwards, all of them would be compared before the first one counts.
4. Hash and compare, in the same time for unknown names. If the password is right, take the failure back.
"""

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from treaty.actions.accounts.throttling import record_success, record_trust, reserve_attempt
from treaty.errors import Throttled, Unauthenticated
from treaty.model.accounts.access import Account, Caller, CredentialType
from treaty.model.accounts.passwords import is_correct
from treaty.model.accounts.throttling import (
    TRUST_DURATION,
    CounterKeys,
    FailureCounter,
    compute_counter_keys,
    compute_wait,
)
from treaty.store.accounts import throttling
from treaty.store.engine.database import Database
from treaty.web.http.request import Request
from treaty.web.security.password_caches import PendingVerifications, RecordedSuccesses, VerifiedPasswords
from treaty.web.security.request_credentials import BasicCredentials, RequestCredential
from treaty.web.security.settings_users import SettingsUsers

_NOT_PENDING: Final = nullcontext()
_SETTINGS_HASH: Final = "settings"
"""Takes the place of the password hash for users of the settings, whose passwords stay while the process runs."""


class PasswordCheckRequired(Exception):
    """The password has to be hashed, which takes too long for the event loop or within a transaction."""


@dataclass(frozen=True, slots=True)
class AuthenticatedCaller:
    """A caller whose password was verified."""

    caller: Caller
    password_hash: str | None
    """The hash that the password matched; None for users of the settings."""
    has_second_factor: bool = False
    """Whether the password alone is not enough."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    """Credentials, with the state of the database that decides about them."""

    credentials: BasicCredentials
    account: Account | None
    password_hash: str | None
    """The hash of the account's password, if the account is active and has a password."""
    user: str | None
    """The existing user with this name, for the audit trail."""
    keys: CounterKeys
    counters: list[FailureCounter]


class PasswordVerifier:
    """Verifies names and passwords of accounts and of the users of the settings."""

    def __init__(self, database: Database, settings_users: SettingsUsers) -> None:
        self._database = database
        self._settings_users = settings_users
        self._verified = VerifiedPasswords()
        self._pending = PendingVerifications()
        self._recorded_successes = RecordedSuccesses()

    def needs_verification(self, credential: RequestCredential) -> bool:
        """Whether a credential is a password that has not been verified lately."""
        return isinstance(credential, BasicCredentials) and not self._verified.has_any(credential)

    def count_pending(self, credential: RequestCredential, address: str | None) -> AbstractContextManager[object]:
        """Count a password that has to be verified as pending, from the moment at which its request arrives.

        Otherwise many guesses could wait for a thread before the first one is counted as a failure.
        """
        if isinstance(credential, BasicCredentials) and self.needs_verification(credential):
            return self._pending.add(credential, address)
        return _NOT_PENDING

    def verify(
        self,
        credentials: BasicCredentials,
        request: Request,
        db: Connection | None = None,
        *,
        can_block: bool = True,
    ) -> AuthenticatedCaller:
        """Verify a name and a password; look up within the transaction `db` if there is one.

        Raises Unauthenticated, Throttled after too many failures, and PasswordCheckRequired if the password has to be
        hashed, but the caller cannot block.
        """
        arrived_at = time.monotonic()
        attempt = self._load_attempt(credentials, request, db)
        request.failed_login_user = attempt.user
        self._check_throttle(attempt, request.now, db)
        # A cached password is accepted without being counted. Beside enough pending guesses to exhaust the limit, it
        # is counted like them: one after the other, the right one would have come too late, too.
        is_guessing = self._pending.may_exhaust_limit(credentials, request.address)
        authenticated = None if is_guessing else self._find_verified(attempt)
        if authenticated is None:
            if not can_block:
                raise PasswordCheckRequired
            return self._hash_and_count(attempt, request, arrived_at)
        if self._recorded_successes.mark_if_due(attempt.keys.pair):
            request.record_use = lambda db: record_trust(db, attempt.keys, now=request.now)
        return authenticated

    def _load_attempt(self, credentials: BasicCredentials, request: Request, db: Connection | None) -> _Attempt:
        """Load all that decides about an attempt, usually in one statement."""
        name = credentials.name
        # Unknown names have other keys than known ones, but which name is known is not known before the query.
        known_keys = compute_counter_keys(name, request.address, is_known=True)
        unknown_keys = compute_counter_keys(name, request.address, is_known=False)
        account, counters = self._database.read_once(
            lambda db: (
                (None, throttling.list_counters(db, known_keys=known_keys, unknown_keys=unknown_keys))
                if self._verified.has(credentials, _SETTINGS_HASH)
                else throttling.find_account_and_counters(db, name, known_keys=known_keys, unknown_keys=unknown_keys)
            ),
            within=db,
        )
        is_known = account is not None or self._settings_users.has_similar_name(name)
        return _Attempt(
            credentials=credentials,
            account=account,
            password_hash=account.password if account is not None and account.is_active else None,
            user=account.name if account is not None else self._settings_users.find_name(name),
            keys=known_keys if is_known else unknown_keys,
            counters=counters,
        )

    def _check_throttle(self, attempt: _Attempt, now: datetime, db: Connection | None) -> None:
        """Raise Throttled for an attempt that has to wait, whether or not its password is right."""
        if not attempt.counters or not compute_wait(attempt.keys, attempt.counters, is_trusted=False, now=now):
            return
        is_trusted = self._database.read_once(
            lambda db: throttling.is_trusted_address(db, attempt.keys, since=now - TRUST_DURATION), within=db
        )
        if seconds := compute_wait(attempt.keys, attempt.counters, is_trusted=is_trusted, now=now):
            raise Throttled(seconds)

    def _find_verified(self, attempt: _Attempt, *, since: float = 0.0) -> AuthenticatedCaller | None:
        """Return the caller if the password was verified lately (or after `since`) and has not changed."""
        credentials, account = attempt.credentials, attempt.account
        if self._verified.has(credentials, _SETTINGS_HASH, since=since):
            caller = self._settings_users.find(credentials)
            return None if caller is None else AuthenticatedCaller(caller, None)
        if account is not None and self._verified.has(credentials, attempt.password_hash, since=since):
            return _build_authenticated(account, attempt.password_hash)
        return None

    def _hash_and_count(self, attempt: _Attempt, request: Request, arrived_at: float) -> AuthenticatedCaller:
        """Count an attempt as failed, verify its password, and take the failure back if it is right.

        Parallel requests with the same credentials count once if they are right: a build with many jobs is no attack.
        """
        with self._pending.add(attempt.credentials, request.address) as credential_lock, credential_lock:
            if authenticated := self._find_verified(attempt, since=arrived_at):
                return authenticated
            self._database.write(lambda db: reserve_attempt(db, attempt.keys, now=request.now))
            authenticated = self._compare(attempt)
            self._database.write(lambda db: record_success(db, attempt.keys, now=request.now))
            self._recorded_successes.mark_if_due(attempt.keys.pair)
            self._verified.add(attempt.credentials, authenticated.password_hash or _SETTINGS_HASH)
            return authenticated

    def _compare(self, attempt: _Attempt) -> AuthenticatedCaller:
        """Compare a password. Raises Unauthenticated, after the same time whether or not the user exists."""
        if caller := self._settings_users.find(attempt.credentials):
            return AuthenticatedCaller(caller, None)
        # Compare first: checking the account before would answer faster for unknown names, and so reveal them.
        if not is_correct(attempt.credentials.password, attempt.password_hash) or attempt.account is None:
            self._verified.forget(attempt.credentials)
            raise Unauthenticated("The name or the password is wrong.")
        return _build_authenticated(attempt.account, attempt.password_hash)


def _build_authenticated(account: Account, password_hash: str | None) -> AuthenticatedCaller:
    caller = Caller(kind=CredentialType.BASIC, role=account.role, user=account.name, account=account.uuid)
    return AuthenticatedCaller(caller, password_hash, account.has_second_factor)
