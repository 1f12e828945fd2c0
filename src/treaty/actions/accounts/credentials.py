"""Credentials: tokens for programs, sessions for browsers, and the link for the first administrator."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from treaty.errors import Conflict, Invalid, NotFound, Unauthenticated
from treaty.model.accounts.access import (
    MAX_NAME_LENGTH,
    TOKEN_ENDING_LENGTH,
    Account,
    Role,
    Session,
    Token,
    generate_secret,
    generate_token,
)
from treaty.model.accounts.scopes import Limits, list_limits
from treaty.model.accounts.second_factors import PENDING_SIGN_IN_LIFETIME
from treaty.model.audit import Action, FieldValues
from treaty.store import audit
from treaty.store.accounts import accounts, sessions, setup_links, tokens
from treaty.store.accounts.sessions import PendingSignIn
from treaty.store.engine import keys
from treaty.store.engine.vault import Vault

SETUP_LINK_LIFETIME: Final = timedelta(days=1)
READ_ONLY_TOKEN_NAME: Final = "Read only token (developer)"  # noqa: S105 - a name
READ_WRITE_TOKEN_NAME: Final = "Read/write token (CI)"  # noqa: S105 - a name
"""Names of the two default tokens of every account. Clients of PactFlow look for tokens with these names."""
DEFAULT_TOKEN_NAMES: Final = frozenset({READ_ONLY_TOKEN_NAME, READ_WRITE_TOKEN_NAME})
# Each kind of secret is hashed with its purpose: a token presented as a session's cookie has another hash.
TOKEN_PURPOSE: Final = "token"  # noqa: S105 - the name of a kind
SESSION_PURPOSE: Final = "session"
PENDING_SIGN_IN_PURPOSE: Final = "pending sign-in"
SETUP_PURPOSE: Final = "setup"
PROOF_PURPOSE: Final = "proof"


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedToken:
    """A token with its text, which is shown only now and not stored."""

    token: Token
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenDraft:
    """The properties of a token to create."""

    name: str
    role: Role = Role.READ_WRITE
    expires_at: datetime | None = None
    limits: Limits | None = None


NO_MAXIMUM: Final = timedelta(0)
"""The value of the setting `token_max_lifetime` that permits tokens without expiry."""


def add_token(
    db: Connection,
    owner: Account,
    draft: TokenDraft,
    *,
    vault: Vault,
    now: datetime,
    max_lifetime: timedelta = NO_MAXIMUM,
) -> IssuedToken:
    """Create a token. Raises Invalid, and Conflict for a name that is taken or a disabled owner."""
    _check_draft(draft, now)
    _check_lifetime(draft, max_lifetime, now)
    # Locked, so that no token is added to an account that is being disabled.
    current = accounts.lock(db, owner.uuid)
    if current is None or not current.is_active:
        raise Conflict(f"'{owner.name}' is disabled. Enable the user first: `treaty user enable {owner.name}`.")
    if any(existing.name == draft.name for existing in tokens.list_of_account(db, owner.uuid)):
        raise Conflict(f"'{owner.name}' has a token called '{draft.name}' already.")
    text = generate_token()
    token = Token(
        uuid=str(uuid4()),
        account=owner.uuid,
        user=owner.name,
        name=draft.name,
        role=draft.role,
        ending=text[-TOKEN_ENDING_LENGTH:],
        created_at=now,
        expires_at=draft.expires_at,
        used_at=None,
        used_from=None,
        issued_at=now,
        limits=draft.limits,
    )
    tokens.add(db, owner, token, keys.ensure(db, vault).hash(TOKEN_PURPOSE, text))
    expires_at = token.expires_at.isoformat() if token.expires_at else None
    after = {"role": token.role.value, "expires_at": expires_at, **_audited_limits(token)}
    audit.record(db, Action.TOKEN_CREATION, resource=owner.name, params=_audited_identity(token), after=after)
    return IssuedToken(token=token, text=text)


def _audited_identity(token: Token) -> FieldValues:
    return {"token": token.name, "uuid": token.uuid}


def _audited_limits(token: Token) -> FieldValues:
    return {} if token.limits is None else list_limits(token.limits)


def _check_draft(draft: TokenDraft, now: datetime) -> None:
    name = draft.name
    if not name.strip() or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise Invalid.member("name", f"must be a text of {MAX_NAME_LENGTH} characters at most, on one line")
    if draft.expires_at is not None and draft.expires_at <= now:
        raise Invalid.member("expiresAt", "must be in the future")
    if draft.limits is not None and draft.role is Role.READ_ONLY:
        raise Invalid.member("scopes", "do not go with a read-only token: choose one of the two")


def _check_lifetime(draft: TokenDraft, max_lifetime: timedelta, now: datetime) -> None:
    if max_lifetime and (draft.expires_at is None or draft.expires_at - now > max_lifetime):
        text = f"must be within {max_lifetime.days} days, the maximum that the setting token_max_lifetime permits"
        raise Invalid.member("expiresAt", text)


def regenerate_token(
    db: Connection,
    uuid: str,
    *,
    account: str | None,
    vault: Vault,
    now: datetime,
    max_lifetime: timedelta = NO_MAXIMUM,
) -> IssuedToken:
    """Replace the text of a token for its owner; the former one is rejected at once.

    Raises NotFound for a token of another account, so that this does not reveal which tokens exist, and Conflict for an
    expired one.
    """
    token = tokens.lock(db, uuid)
    if token is None or token.account != account:
        raise NotFound(f"You have no token with the uuid '{uuid}'.")
    # The default tokens last: clients look for them by name, so they cannot be replaced by new ones.
    expires_at = None if token.name in DEFAULT_TOKEN_NAMES else token.expires_at
    return _replace_text(db, replace(token, expires_at=_cap(expires_at, max_lifetime, now)), vault=vault, now=now)


def renew_own_token(
    db: Connection, uuid: str, *, vault: Vault, now: datetime, max_lifetime: timedelta = NO_MAXIMUM
) -> IssuedToken:
    """Replace the text of the token that makes the request. Its expiry stays: a leaked token must not outlive itself.

    Raises NotFound if the token was removed in the meantime.
    """
    token = tokens.lock(db, uuid)
    if token is None or token.ending is None:
        raise NotFound(f"There is no token with the uuid '{uuid}'.")
    return _replace_text(db, replace(token, expires_at=_cap(token.expires_at, max_lifetime, now)), vault=vault, now=now)


def _cap(expires_at: datetime | None, max_lifetime: timedelta, now: datetime) -> datetime | None:
    """Return the expiry that a token gets with a new text: what it had, within the maximum lifetime."""
    if not max_lifetime:
        return expires_at
    latest = now + max_lifetime
    return latest if expires_at is None else min(expires_at, latest)


def _replace_text(db: Connection, token: Token, *, vault: Vault, now: datetime) -> IssuedToken:
    if token.is_expired(now):
        raise Conflict(f"The token '{token.name}' has expired. Create a new one, and revoke this one.")
    text = generate_token()
    regenerated = replace(token, ending=text[-TOKEN_ENDING_LENGTH:], issued_at=now, used_at=None, used_from=None)
    tokens.replace_hash(db, regenerated, secret_hash=keys.ensure(db, vault).hash(TOKEN_PURPOSE, text))
    audit.record(db, Action.TOKEN_REGENERATION, resource=token.user, params=_audited_identity(token))
    return IssuedToken(token=regenerated, text=text)


def revoke_token(db: Connection, token: Token) -> None:
    """Delete a token; the two default tokens of an account only lose their texts. Raises NotFound."""
    if tokens.lock(db, token.uuid) is None:
        raise NotFound(f"There is no token with the uuid '{token.uuid}'.")
    if token.name in DEFAULT_TOKEN_NAMES:
        revoked = replace(token, ending=None, expires_at=None, issued_at=None)
        tokens.replace_hash(db, revoked, secret_hash=None)
    else:
        tokens.remove(db, token.uuid)
    audit.record(db, Action.TOKEN_REVOCATION, resource=token.user, params=_audited_identity(token))


def revoke_all_credentials(db: Connection) -> int:
    """Revoke all tokens, end all sessions, and delete the key of their hashes. Returns the number of tokens."""
    # Deleting the key first waits for transactions that hash with it, so that their tokens and sessions are ended, too.
    keys.remove(db)
    setup_links.remove(db)
    count = tokens.clear_all_hashes(db)
    sessions.end_all(db)
    audit.record(db, Action.TOKEN_REVOCATION, before={"tokens": count})
    return count


# Sessions


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedSession:
    """A new session with its secret, which the cookie contains and the database does not."""

    session: Session
    secret: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionDraft:
    """A session to open: for an account, or for a user of the settings (with `proof`)."""

    user: str
    account: str | None
    password: str | None = None
    """The hash that the account's password matched."""
    proof: str | None = None
    """Hash of the name and the password of a user of the settings."""
    address: str | None
    agent: str | None
    """The `User-Agent` header."""
    replaced: str | None = None
    """The UUID of the session that the browser had, which ends."""
    pending: PendingSignIn | None = None
    """The sign-in whose code was accepted; None without a second factor."""


def open_session(db: Connection, draft: SessionDraft, *, vault: Vault, now: datetime) -> OpenedSession:
    """Open a session with a new secret; a secret that the browser had before is never reused (session fixation).

    Raises Unauthenticated if the account was disabled, or got another password or second factor, since these were
    verified.
    """
    hasher = keys.ensure(db, vault)
    if draft.account is not None and not _record_sign_in(db, draft.account, draft, now):
        raise Unauthenticated(_ACCOUNT_CHANGED)
    if draft.replaced is not None:
        sessions.end(db, draft.replaced)
    secret = generate_secret()
    session = Session(
        uuid=str(uuid4()), user=draft.user, created_at=now, seen_at=now, address=draft.address, agent=draft.agent
    )
    sessions.add(
        db,
        session,
        secret_hash=hasher.hash(SESSION_PURPOSE, secret),
        account_uuid=draft.account,
        proof=None if draft.proof is None else hasher.hash(PROOF_PURPOSE, draft.proof),
    )
    audit.record(db, Action.SIGN_IN, resource=draft.user)
    return OpenedSession(session=session, secret=secret)


_ACCOUNT_CHANGED: Final = "Your account has been disabled, or its password has been changed. Sign in again."


def _record_sign_in(db: Connection, account: str, draft: SessionDraft, now: datetime) -> bool:
    """Record a sign-in; return whether the account is active and has the verified credentials."""
    if draft.pending is not None:
        # Another password or second factor removes pending sign-ins, so an existing one proves that both are the same.
        return accounts.record_sign_in_by_code(db, account, at=now) and sessions.end_pending(db, draft.pending)
    return draft.password is not None and accounts.record_sign_in(db, account, password=draft.password, at=now)


def start_sign_in(db: Connection, account: str, password_hash: str, *, vault: Vault, now: datetime) -> str:
    """Remember that a browser has presented the right password of an account, and return a secret for its cookie.

    The sign-in is complete with a code of the second factor. Raises Unauthenticated if the account has been disabled or
    has another password since the password was verified.
    """
    hasher = keys.ensure(db, vault)
    current = accounts.lock(db, account)
    if current is None or not current.is_active or current.password != password_hash:
        raise Unauthenticated(_ACCOUNT_CHANGED)
    sessions.end_old_pending(db, created_before=now - PENDING_SIGN_IN_LIFETIME)
    secret = generate_secret()
    secret_hash = hasher.hash(PENDING_SIGN_IN_PURPOSE, secret)
    sessions.add_pending(db, secret_hash=secret_hash, account_uuid=account, at=now)
    return secret


def record_reauthentication(db: Connection, session: str, *, user: str, now: datetime) -> None:
    """Record that the user of a session has authenticated again. Raises Unauthenticated if the session has ended."""
    if not sessions.record_authentication(db, session, at=now):
        raise Unauthenticated("Your session has ended. Sign in again.")
    audit.record(db, Action.REAUTHENTICATION, resource=user)


def remove_expired_sessions(db: Connection, *, idle_timeout: timedelta, lifetime: timedelta, now: datetime) -> None:
    """Remove the sessions that have reached their idle timeout or lifetime. They are rejected already."""
    sessions.end_old(db, seen_before=now - idle_timeout, created_before=now - lifetime)


def end_session(db: Connection, uuid: str, *, user: str) -> None:
    """End a session, because its user signs out."""
    sessions.end(db, uuid)
    audit.record(db, Action.SIGN_OUT, resource=user)


def end_sessions(db: Connection, account: Account) -> None:
    """End all sessions of an account, because its user signs out everywhere."""
    sessions.end_of_account(db, account.uuid)
    audit.record(db, Action.SIGN_OUT, resource=account.name, params={"where": "everywhere"})


# The link for the first administrator


def create_setup_link(db: Connection, *, vault: Vault, now: datetime) -> str | None:
    """Create the secret of a link that adds the first administrator; None if there are users.

    It replaces the former link, so that only the one in the latest output of the server works.
    """
    if accounts.has_any(db):
        return None
    secret = generate_secret()
    # Hashed with the key of the server itself. That of credentials is encrypted, and a server without users, which
    # creates a link at each start, need not load the cipher.
    newest_hash, *_ = vault.list_hashes(SETUP_PURPOSE, secret)
    setup_links.replace(db, newest_hash, now + SETUP_LINK_LIFETIME)
    audit.record(db, Action.SETUP_LINK_CREATION)
    return secret
