"""Authentication: finding out which caller a request comes from, once per request.

`request_credentials` parses what the request presents; `passwords` and `stored_credentials` verify it; `authorization`
decides what the caller may do. This module connects them, and chooses where the work runs.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from treaty.actions.accounts.accounts import check_setup_link
from treaty.errors import NotFound, Throttled, Unauthenticated
from treaty.model.accounts.access import OPEN_ACCESS_CALLER, Caller
from treaty.settings import Settings
from treaty.store.accounts import accounts
from treaty.store.engine.database import Busy, Database
from treaty.store.engine.vault import get_vault
from treaty.web.http.request import Request
from treaty.web.http.router import Route
from treaty.web.security.authorization import authorize, is_public
from treaty.web.security.passwords import AuthenticatedCaller, PasswordCheckRequired, PasswordVerifier
from treaty.web.security.request_credentials import (
    BasicCredentials,
    BearerToken,
    RequestCredential,
    SessionCookie,
    UnsupportedAuthorization,
    read_credential,
)
from treaty.web.security.second_factors import SecondFactorVerifier
from treaty.web.security.settings_users import SettingsUsers
from treaty.web.security.stored_credentials import (
    KeyedLookup,
    ReadOnce,
    Sessions,
    authenticate_token,
    requires_second_factor,
)
from treaty.web.security.throttling import SetupThrottle

__all__ = ["AuthenticateInTransaction", "Authenticator", "PasswordCheckRequired", "RunInThread", "get_authenticator"]

T = TypeVar("T")

_OPEN_ACCESS_CACHE_LIFETIME: Final = 1.0
"""Seconds for which a process relies on its last query that found no users.

Another process may have added the first user; for this long, open access may outlast that.
"""
_UNREADABLE_HEADER: Final = (
    "The Authorization header cannot be read. Send `Bearer TOKEN`, or `Basic` and NAME:PASSWORD in base64."
)

_BASIC_AUTH_HINT: Final = (
    "So the password alone is not accepted here: use a token, as `Authorization: Bearer TOKEN`. Create one under "
    "Settings, API tokens."
)

AuthenticateInTransaction = Callable[[Connection], None]


class RunInThread(Protocol):
    """Runs a function in a thread, and waits for it without blocking the event loop."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


class Authenticator:
    """Authenticates and authorizes the requests of one server."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.database: Final = database
        self._settings = settings
        self._settings_users = SettingsUsers(settings)
        self._lookup = KeyedLookup(settings)
        self.passwords: Final = PasswordVerifier(database, self._settings_users)
        self.sessions: Final = Sessions(settings, database, self._lookup, self._settings_users)
        self.second_factors: Final = SecondFactorVerifier(settings, database)
        self._setup_throttle = SetupThrottle()
        self._has_users = self._settings_users.has_any
        self._open_access_checked_until = 0.0

    @property
    def has_challenge(self) -> bool:
        """Whether browsers shall prompt for a name and a password themselves, as with the original broker."""
        return self._settings_users.has_any

    def forget_open_access(self) -> None:
        """Forget the cached query that found no users, because this process has added the first one."""
        self._open_access_checked_until = 0.0

    async def begin(
        self,
        request: Request,
        route: Route | None,
        *,
        run_in_thread: RunInThread,
        may_block: bool,
        may_defer: bool,
    ) -> AuthenticateInTransaction | None:
        """Authenticate and authorize the caller, in the cheapest of three ways.

        - On the event loop, if one short statement is enough: on SQLite that takes less time than switching to a
          thread. Not while writes run in threads (`may_block` is false), since it could wait for them.
        - Within the transaction of the handler (`may_defer`), which saves a round trip on PostgreSQL. The function that
          does so is returned; in the other cases the caller is authenticated already, and the result is None.
        - In a thread otherwise. Hashing a password takes long on purpose, and a query to PostgreSQL waits for the
          network; on the event loop, all other requests would wait with it.

        Raises Unauthenticated, Throttled and Forbidden.
        """
        credential = read_credential(request)
        with self.passwords.count_pending(credential, request.address):
            if may_block and self._is_quick(request, credential):
                try:
                    self._authenticate(request, route, credential, can_block=False)
                except (PasswordCheckRequired, Busy):
                    pass  # a changed password, guesses of others, or a lock on the SQLite file: go on in a thread
                else:
                    return None
            elif may_defer and not self.passwords.needs_verification(credential):
                return partial(self._authenticate, request, route, credential, can_block=False)
            await run_in_thread(partial(self._authenticate, request, route, credential))
        return None

    def authenticate(self, request: Request, route: Route) -> None:
        """Authenticate and authorize the caller once more, in a thread, because circumstances have changed.

        The body may have arrived so slowly that the credential may be revoked by now, or a password that was to be
        accepted within the transaction has to be hashed. Raises Unauthenticated, Throttled and Forbidden.
        """
        self._authenticate(request, route, read_credential(request))

    def _is_quick(self, request: Request, credential: RequestCredential) -> bool:
        """Whether authentication takes one short statement at most. Queries to PostgreSQL wait for the network."""
        if self._is_open_access_cached() and (credential is None or request.source.open_access_obstacle is None):
            return True
        if not isinstance(credential, BasicCredentials):
            return self.database.is_local or (credential is None and self._has_users)
        return self.database.is_local and not self.passwords.needs_verification(credential)

    def _authenticate(
        self,
        request: Request,
        route: Route | None,
        credential: RequestCredential,
        db: Connection | None = None,
        *,
        can_block: bool = True,
    ) -> None:
        """Authenticate and authorize the caller, within the transaction `db` if there is one.

        Raises Unauthenticated, Throttled and Forbidden, and PasswordCheckRequired if a password has to be hashed but
        the work cannot block.
        """
        # Without users, most requests end here, without a query.
        if request.source.open_access_obstacle is None and self._is_open_access_cached():
            request.caller = OPEN_ACCESS_CALLER
        else:
            self._identify_unless_public(request, route, credential, db, can_block=can_block)
        authorize(request, route, self._settings)

    def _identify_unless_public(
        self,
        request: Request,
        route: Route | None,
        credential: RequestCredential,
        db: Connection | None,
        *,
        can_block: bool,
    ) -> None:
        try:
            self._identify(request, credential, db, can_block=can_block)
        except (Unauthenticated, Throttled):
            # A public route stays readable with an outdated token, which clients send without knowing the route.
            if not is_public(request, route, self._settings):
                raise
        finally:
            # Within a transaction that only reads, the application records the use after it has ended.
            if db is None:
                self.record_credential_use(request)

    def _identify(
        self, request: Request, credential: RequestCredential, db: Connection | None, *, can_block: bool
    ) -> None:
        read: ReadOnce = partial(self.database.read_once, within=db)
        if self._has_no_users(read):
            request.open_access_obstacle = request.source.open_access_obstacle
            if request.open_access_obstacle is None:
                request.caller = OPEN_ACCESS_CALLER
                return
        match credential:
            case BearerToken(text):
                request.caller = authenticate_token(text, request, self._lookup, read)
            case BasicCredentials():
                authenticated = self.passwords.verify(credential, request, db, can_block=can_block)
                request.caller = self._get_basic_caller(authenticated)
            case SessionCookie(secret):
                request.caller = self.sessions.authenticate(secret, request, read)
            case UnsupportedAuthorization():
                raise Unauthenticated(_UNREADABLE_HEADER)

    def _get_basic_caller(self, authenticated: AuthenticatedCaller) -> Caller:
        """Return a caller that needs no second factor. Raises Unauthenticated for others: basic auth has no code."""
        caller = authenticated.caller
        if authenticated.has_second_factor:
            raise Unauthenticated(f"{caller.user} signs in with a second factor. {_BASIC_AUTH_HINT}")
        if caller.account is not None and requires_second_factor(caller.role, self._settings):
            raise Unauthenticated(f"Administrators of this broker sign in with a second factor. {_BASIC_AUTH_HINT}")
        return caller

    def _is_open_access_cached(self) -> bool:
        return not self._has_users and time.monotonic() < self._open_access_checked_until

    def _has_no_users(self, read: ReadOnce) -> bool:
        if self._has_users or self._is_open_access_cached():
            return not self._has_users
        if read(accounts.has_any):
            self._has_users = True  # for good: accounts can be disabled, but not deleted
            return False
        self._open_access_checked_until = time.monotonic() + _OPEN_ACCESS_CACHE_LIFETIME
        return True

    def record_credential_use(self, request: Request) -> None:
        """Record when the credential was used, if that is due. A failure to do so does not reject the request."""
        write, request.record_use = request.record_use, None
        if write is not None:
            with suppress(Busy, DBAPIError):
                self.database.write(write)

    def check_setup_link(self, link: str, request: Request) -> None:
        """Check that a link may create the first administrator, without a write. Raises NotFound and Throttled."""
        vault = get_vault(self._settings)
        try:
            self.database.read(lambda db: check_setup_link(db, link, vault=vault, now=request.now))
        except NotFound:
            self._setup_throttle.count_failure(request.address, request.now)
            raise


def get_authenticator(request: Request) -> Authenticator:
    """Return the authenticator of the server that received a request."""
    assert isinstance(request.authenticator, Authenticator)  # noqa: S101 - the application puts it there
    return request.authenticator
