"""Tokens and sessions, found by keyed hashes of their secrets.

Each request looks its token or session up in the database, so every process rejects a revoked one at once. The database
holds hashes only: a copy of it contains nothing to sign in with.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Connection

from treaty.actions.accounts.credentials import (
    PENDING_SIGN_IN_PURPOSE,
    SESSION_PURPOSE,
    TOKEN_PURPOSE,
    SessionDraft,
    open_session,
    remove_expired_sessions,
    start_sign_in,
)
from treaty.errors import Unauthenticated
from treaty.model.accounts.access import (
    ANONYMOUS_CALLER,
    Caller,
    CredentialType,
    Role,
    is_use_due,
    is_well_formed_token,
)
from treaty.model.accounts.scopes import combine_limits
from treaty.model.accounts.second_factors import PENDING_SIGN_IN_LIFETIME
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.accounts import sessions, tokens
from treaty.store.accounts.sessions import PendingSignIn, PresentedSession
from treaty.store.accounts.tokens import PresentedToken
from treaty.store.engine import keys
from treaty.store.engine.database import Database
from treaty.store.engine.keys import KeyedHasher
from treaty.store.engine.vault import get_vault
from treaty.web.http.request import Request
from treaty.web.security.passwords import AuthenticatedCaller
from treaty.web.security.request_credentials import BasicCredentials
from treaty.web.security.settings_users import SettingsUsers, compute_proof

T = TypeVar("T")

AUTOMATIC_HEADER: Final = "x-treaty-automatic"
"""Header of requests that an open page sends on its own. See static/treaty.js."""
_CSRF_PURPOSE: Final = "csrf"
_NEW_TOKEN_HINT: Final = "Create a new one under Settings, API tokens, or with `treaty token create`."  # noqa: S105 - a hint
_MAX_AGENT_LENGTH: Final = 200


class ReadOnce(Protocol):
    """Runs a single query, within the transaction of the request if there is one."""

    def __call__(self, work: Callable[[Connection], T], /) -> T: ...


class KeyedLookup:
    """Finds rows by keyed hashes. The key is in the database, encrypted, and cached here."""

    def __init__(self, settings: Settings) -> None:
        self._vault = get_vault(settings)
        self.hasher: KeyedHasher | None = None
        """The hasher of the latest lookup; None before the first credential was stored."""

    def find(self, read: ReadOnce, find: Callable[[Connection, KeyedHasher], T | None]) -> T | None:
        """Find a row with the cached key. If there is none, try once more with the current key.

        Another process may have replaced the key (`treaty token revoke --all`) or created the first one, which no
        signal announces. So only a failed lookup costs a second query.
        """
        cached = self.hasher
        row = None if cached is None else read(lambda db: find(db, cached))
        if row is not None:
            return row
        current = read(lambda db: keys.find(db, self._vault))
        if current is None or (cached is not None and current.key == cached.key):
            return None
        self.hasher = current
        return read(lambda db: find(db, current))


def authenticate_token(text: str, request: Request, lookup: KeyedLookup, read: ReadOnce) -> Caller:
    """Return the caller with this token. Raises Unauthenticated."""
    token = _find_token(text, lookup, read, request.now)
    if is_use_due(token.used_at, request.now):
        request.record_use = lambda db: tokens.record_use(db, token.uuid, at=request.now, address=request.address)
    return Caller(
        kind=CredentialType.TOKEN,
        # The account's current role: a token loses permissions as soon as its user does.
        role=Role.READ_ONLY if token.role is Role.READ_ONLY else token.account_role,
        user=token.user,
        account=token.account,
        token=token.name,
        credential=token.uuid,
        limits=combine_limits(token.limits, token.account_limits),
    )


def _find_token(text: str, lookup: KeyedLookup, read: ReadOnce, now: datetime) -> PresentedToken:
    # The checksum finds truncated and mistyped tokens without a query.
    if not is_well_formed_token(text):
        raise _rejected_token("is not a token of this broker, or it is incomplete")
    token = lookup.find(read, lambda db, hasher: tokens.find_by_hash(db, hasher.hash(TOKEN_PURPOSE, text)))
    if token is None:
        raise _rejected_token("token is not known: it was revoked or regenerated, or its user is disabled")
    if token.expires_at is not None and token.expires_at <= now:
        raise _rejected_token("token has expired")
    return token


def _rejected_token(reason: str) -> Unauthenticated:
    return Unauthenticated(f"This {reason}. {_NEW_TOKEN_HINT}", is_bearer=True)


class Sessions:
    """Sessions of browsers: finding, opening and expiring them."""

    def __init__(
        self, settings: Settings, database: Database, lookup: KeyedLookup, settings_users: SettingsUsers
    ) -> None:
        self._settings = settings
        self._database = database
        self._lookup = lookup
        self._settings_users = settings_users

    def authenticate(self, secret: str, request: Request, read: ReadOnce) -> Caller:
        """Return the caller whose session has this secret, or ANONYMOUS_CALLER.

        An unknown cookie is no error, unlike an unknown token: browsers send cookies of expired sessions, too.
        """
        session = self._lookup.find(
            read, lambda db, hasher: sessions.find_by_hash(db, hasher.hash(SESSION_PURPOSE, secret))
        )
        hasher = self._lookup.hasher
        if session is None or hasher is None or self.is_expired(session.created_at, session.seen_at, request.now):
            return ANONYMOUS_CALLER
        owner = self._find_owner(session, hasher)
        if owner is None:
            return ANONYMOUS_CALLER
        # Derived from the session's secret, so that it need not be stored, and other sites cannot know it.
        request.csrf_token = hasher.hash(_CSRF_PURPOSE, secret)
        # A page that updates itself is no sign that anybody is there: it must not keep the session from expiring.
        if AUTOMATIC_HEADER not in request.headers and is_use_due(session.seen_at, request.now):
            request.record_use = lambda db: sessions.record_use(
                db, session.uuid, at=request.now, address=request.address
            )
        return replace(
            owner,
            kind=CredentialType.SESSION,
            account=session.account,
            credential=session.uuid,
            authenticated_at=session.authenticated_at or session.created_at,
        )

    def _find_owner(self, session: PresentedSession, hasher: KeyedHasher) -> Caller | None:
        if session.proof is not None:
            return self._settings_users.find_by_stored_proof(session.proof, hasher)
        if not session.is_active:
            return None
        has_second_factor = session.second_factor_at is not None
        lacks_second_factor = not has_second_factor and requires_second_factor(session.role, self._settings)
        return Caller(
            role=session.role,
            user=session.user,
            has_second_factor=has_second_factor,
            lacks_second_factor=lacks_second_factor,
        )

    def is_expired(self, created_at: datetime, seen_at: datetime, now: datetime) -> bool:
        """Whether a session has reached its idle timeout or its lifetime."""
        settings = self._settings
        is_idle = now - seen_at >= settings.session_idle_timeout
        return is_idle or now - created_at >= settings.session_lifetime

    def open(self, authenticated: AuthenticatedCaller, presented: BasicCredentials, request: Request) -> str:
        """Open a session for a caller whose password was verified, and return its secret.

        Ends the session that the browser had, so that a cookie planted before signing in is worthless afterwards.
        Raises Unauthenticated if the account has changed since the verification.
        """
        draft = self._draft(
            str(authenticated.caller.user),
            authenticated.caller.account,
            request,
            password=authenticated.password_hash,
            proof=None if authenticated.caller.account else compute_proof(presented).hex(),
        )
        return self._open(draft, request)

    def start_sign_in(self, authenticated: AuthenticatedCaller, request: Request) -> str:
        """Remember that a password was verified, and return a secret to present with the code of the second factor.

        Raises Unauthenticated if the account has changed since the verification.
        """
        account, password_hash = str(authenticated.caller.account), str(authenticated.password_hash)
        vault = get_vault(self._settings)
        return self._database.write(lambda db: start_sign_in(db, account, password_hash, vault=vault, now=request.now))

    def find_pending(self, secret: str, request: Request) -> PendingSignIn | None:
        """Find the sign-in that waits for a code; None if the secret is unknown or has expired."""
        pending = self._lookup.find(
            self._database.read_once,
            lambda db, hasher: sessions.find_pending(db, hasher.hash(PENDING_SIGN_IN_PURPOSE, secret)),
        )
        is_valid = pending is not None and request.now - pending.created_at < PENDING_SIGN_IN_LIFETIME
        return pending if is_valid else None

    def complete_sign_in(self, pending: PendingSignIn, request: Request) -> str:
        """Open a session for a sign-in whose code was verified, and return the session's secret.

        Raises Unauthenticated if the account has changed since the password was verified.
        """
        return self._open(self._draft(pending.user, pending.account, request, pending=pending), request)

    def _draft(self, user: str, account: str | None, request: Request, **verified: Any) -> SessionDraft:
        return SessionDraft(
            user=user,
            account=account,
            address=request.address,
            agent=request.headers.get("user-agent", "")[:_MAX_AGENT_LENGTH] or None,
            replaced=request.caller.credential if request.caller.kind is CredentialType.SESSION else None,
            **verified,
        )

    def _open(self, draft: SessionDraft, request: Request) -> str:
        settings, now = self._settings, request.now

        def write(db: Connection) -> str:
            remove_expired_sessions(
                db, idle_timeout=settings.session_idle_timeout, lifetime=settings.session_lifetime, now=now
            )
            return open_session(db, draft, vault=get_vault(settings), now=now).secret

        # The request itself is anonymous; the audit trail names the user who signed in.
        with audit.acting_as(replace(request.actor, user=draft.user, account=draft.account), at=now):
            return self._database.write(write)


def requires_second_factor(role: Role | None, settings: Settings) -> bool:
    """Whether the settings require a second factor of users with this role."""
    return role is Role.ADMINISTRATOR and settings.require_administrator_second_factor
