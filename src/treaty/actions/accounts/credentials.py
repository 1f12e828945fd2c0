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
from treaty.model.audit import Action, FieldValues
from treaty.store import audit
from treaty.store.accounts import accounts, sessions, tokens
from treaty.store.engine import keys
from treaty.store.engine.vault import Vault

SETUP_LINK_LIFETIME: Final = timedelta(days=1)
READ_ONLY_TOKEN_NAME: Final = "Read only token (developer)"  # noqa: S105 - a name
READ_WRITE_TOKEN_NAME: Final = "Read/write token (CI)"  # noqa: S105 - a name
"""The two tokens that every account has, under the names by which clients of the paid product look for them."""
TOKEN_PURPOSE: Final = "token"  # noqa: S105 - the name of a kind
SESSION_PURPOSE: Final = "session"
SETUP_PURPOSE: Final = "setup"
PROOF_PURPOSE: Final = "proof"


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedToken:
    """A token with its text, which is shown this once."""

    token: Token
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenDraft:
    """What is said about a token that is to be made."""

    name: str
    role: Role = Role.READ_WRITE
    expires_at: datetime | None = None


def add_token(db: Connection, owner: Account, draft: TokenDraft, *, vault: Vault, now: datetime) -> IssuedToken:
    """Create a token. Raises Invalid, and Conflict for a name that is taken and an owner who is disabled."""
    _check(draft, now)
    current = accounts.lock(db, owner.uuid)
    if current is None or not current.is_active:
        raise Conflict(f"'{owner.name}' is disabled. Enable the user first: `treaty user enable {owner.name}`.")
    if any(existing.name == draft.name for existing in tokens.list_of_account(db, owner.uuid)):
        raise Conflict(f"'{owner.name}' has a token called '{draft.name}' already.")
    text = generate_token()
    new = Token(
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
    )
    tokens.add(db, owner, new, keys.ensure(db, vault).hash(TOKEN_PURPOSE, text))
    expires_at = new.expires_at.isoformat() if new.expires_at else None
    after = {"role": new.role.value, "expires_at": expires_at}
    audit.record(db, Action.TOKEN_CREATION, resource=owner.name, params=_which(new), after=after)
    return IssuedToken(token=new, text=text)


def _which(token: Token) -> FieldValues:
    return {"token": token.name, "uuid": token.uuid}


def _check(draft: TokenDraft, now: datetime) -> None:
    name = draft.name
    if not name.strip() or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise Invalid.member("name", f"must be a text of {MAX_NAME_LENGTH} characters at most, on one line")
    if draft.expires_at is not None and draft.expires_at <= now:
        raise Invalid.member("expiresAt", "must be in the future")


def regenerate_token(db: Connection, uuid: str, *, account: str | None, vault: Vault) -> IssuedToken:
    """Give a token another value; the former one is rejected at once. Raises NotFound for a token of another user."""
    token = tokens.lock(db, uuid)
    if token is None or token.account != account:
        raise NotFound(f"You have no token with the uuid '{uuid}'.")
    text = generate_token()
    tokens.replace_hash(
        db, uuid, secret_hash=keys.ensure(db, vault).hash(TOKEN_PURPOSE, text), ending=text[-TOKEN_ENDING_LENGTH:]
    )
    audit.record(db, Action.TOKEN_REGENERATION, resource=token.user, params=_which(token))
    return IssuedToken(
        token=replace(token, ending=text[-TOKEN_ENDING_LENGTH:], used_at=None, used_from=None), text=text
    )


def revoke_token(db: Connection, token: Token) -> None:
    """Reject a token from now on. The two that every account has stay, without a value. Raises NotFound."""
    if tokens.lock(db, token.uuid) is None:
        raise NotFound(f"There is no token with the uuid '{token.uuid}'.")
    if token.name in {READ_ONLY_TOKEN_NAME, READ_WRITE_TOKEN_NAME}:
        tokens.replace_hash(db, token.uuid, secret_hash=None, ending=None)
    else:
        tokens.remove(db, token.uuid)
    audit.record(db, Action.TOKEN_REVOCATION, resource=token.user, params=_which(token))


def revoke_all_credentials(db: Connection) -> int:
    """End all tokens and sessions, and delete the key that hashes them."""
    # The key goes first: transactions that hash with it are waited for, so that what they add is ended, too.
    keys.remove(db)
    count = tokens.clear_hash(db)
    sessions.end_all(db)
    audit.record(db, Action.TOKEN_REVOCATION, before={"tokens": count})
    return count


# Sessions


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedSession:
    """A new session, with what stands in its cookie."""

    session: Session
    secret: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionDraft:
    """Who signs in, an account or a user of the settings, and from where."""

    user: str
    account: str | None
    password: str | None = None
    """The password hash of the account that was verified."""
    proof: str | None
    """Proves a user of the settings."""
    address: str | None
    agent: str | None


def open_session(db: Connection, who: SessionDraft, *, vault: Vault, now: datetime) -> OpenedSession:
    """Sign a browser in, with a new secret, whatever the browser had before.

    Raises Unauthenticated if the account was disabled or got another password since the password was verified.
    """
    keyed = keys.ensure(db, vault)
    if who.account is not None and not _is_still_valid(db, who.account, who, now):
        raise Unauthenticated("Your account was disabled, or has another password by now. Sign in again.")
    secret = generate_secret()
    new = Session(uuid=str(uuid4()), user=who.user, created_at=now, seen_at=now, address=who.address, agent=who.agent)
    sessions.add(
        db,
        new,
        secret_hash=keyed.hash(SESSION_PURPOSE, secret),
        account_uuid=who.account,
        proof=None if who.proof is None else keyed.hash(PROOF_PURPOSE, who.proof),
    )
    audit.record(db, Action.SIGN_IN, resource=who.user)
    return OpenedSession(session=new, secret=secret)


def _is_still_valid(db: Connection, account: str, who: SessionDraft, now: datetime) -> bool:
    return who.password is not None and accounts.record_sign_in(db, account, password=who.password, at=now)


def end_session(db: Connection, uuid: str, *, user: str) -> None:
    """Sign a browser out."""
    sessions.end(db, uuid)
    audit.record(db, Action.SIGN_OUT, resource=user)


def end_sessions(db: Connection, one: Account) -> None:
    """Sign somebody out everywhere."""
    sessions.end_of_account(db, one.uuid)
    audit.record(db, Action.SIGN_OUT, resource=one.name, params={"where": "everywhere"})


# The link for the first administrator


def create_setup_link(db: Connection, *, vault: Vault, now: datetime) -> str | None:
    """Make the secret of a link by which the first administrator is made; none where there are users."""
    if accounts.has_any(db):
        return None
    secret = generate_secret()
    keys.set_setup_hash(db, _hash(db, vault, secret), now + SETUP_LINK_LIFETIME)
    audit.record(db, Action.SETUP_LINK_CREATION)
    return secret


def _hash(db: Connection, vault: Vault, secret: str) -> str:
    return keys.ensure(db, vault, is_changing=True).hash(SETUP_PURPOSE, secret)
