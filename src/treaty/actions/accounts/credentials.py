"""Credentials: tokens for programs, sessions for browsers, and the link for the first administrator."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from treaty.errors import Conflict, Invalid, NotFound, Unauthenticated
from treaty.model.accounts.access import ENDING, LONGEST, Account, Role, Session, Token, new_secret, new_token
from treaty.model.audit import Action, Values
from treaty.store import audit
from treaty.store.accounts import accounts, sessions, tokens
from treaty.store.engine import keys
from treaty.store.engine.vault import Vault

SETUP_LASTS: Final = timedelta(days=1)
READ_ONLY: Final = "Read only token (developer)"
READ_WRITE: Final = "Read/write token (CI)"
"""The two tokens that every account has, under the names by which clients of the paid product look for them."""
TOKEN: Final = "token"  # noqa: S105 - the name of a kind
SESSION: Final = "session"
SETUP: Final = "setup"
PROOF: Final = "proof"


@dataclass(frozen=True, kw_only=True, slots=True)
class Issued:
    """A token with its text, which is shown this once."""

    token: Token
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewToken:
    """What is said about a token that is to be made."""

    name: str
    role: Role = Role.READ_WRITE
    expires_at: datetime | None = None


def add_token(db: Connection, owner: Account, draft: NewToken, *, vault: Vault, now: datetime) -> Issued:
    """Create a token. Raises Invalid, and Conflict for a name that is taken and an owner who is disabled."""
    _check(draft, now)
    current = accounts.lock(db, owner.uuid)
    if current is None or not current.is_active:
        raise Conflict(f"'{owner.name}' is disabled. Enable the user first: `treaty user enable {owner.name}`.")
    if any(existing.name == draft.name for existing in tokens.of_account(db, owner.uuid)):
        raise Conflict(f"'{owner.name}' has a token called '{draft.name}' already.")
    text = new_token()
    new = Token(
        uuid=str(uuid4()),
        account=owner.uuid,
        user=owner.name,
        name=draft.name,
        role=draft.role,
        ending=text[-ENDING:],
        created_at=now,
        expires_at=draft.expires_at,
        used_at=None,
        used_from=None,
    )
    tokens.add(db, owner, new, keys.ensure(db, vault).hash(TOKEN, text))
    expires_at = new.expires_at.isoformat() if new.expires_at else None
    after = {"role": new.role.value, "expires_at": expires_at}
    audit.note(db, Action.TOKEN_CREATION, resource=owner.name, params=_which(new), after=after)
    return Issued(token=new, text=text)


def _which(token: Token) -> Values:
    return {"token": token.name, "uuid": token.uuid}


def _check(draft: NewToken, now: datetime) -> None:
    name = draft.name
    if not name.strip() or len(name) > LONGEST or not name.isprintable():
        raise Invalid.member("name", f"must be a text of {LONGEST} characters at most, on one line")
    if draft.expires_at is not None and draft.expires_at <= now:
        raise Invalid.member("expiresAt", "must be in the future")


def regenerate(db: Connection, uuid: str, *, account: str | None, vault: Vault) -> Issued:
    """Give a token another value; the former one is rejected at once. Raises NotFound for a token of another user."""
    token = tokens.lock(db, uuid)
    if token is None or token.account != account:
        raise NotFound(f"You have no token with the uuid '{uuid}'.")
    text = new_token()
    tokens.renew(db, uuid, its_hash=keys.ensure(db, vault).hash(TOKEN, text), ending=text[-ENDING:])
    audit.note(db, Action.TOKEN_REGENERATION, resource=token.user, params=_which(token))
    return Issued(token=replace(token, ending=text[-ENDING:], used_at=None, used_from=None), text=text)


def revoke(db: Connection, token: Token) -> None:
    """Reject a token from now on. The two that every account has stay, without a value. Raises NotFound."""
    if tokens.lock(db, token.uuid) is None:
        raise NotFound(f"There is no token with the uuid '{token.uuid}'.")
    if token.name in {READ_ONLY, READ_WRITE}:
        tokens.renew(db, token.uuid, its_hash=None, ending=None)
    else:
        tokens.remove(db, token.uuid)
    audit.note(db, Action.TOKEN_REVOCATION, resource=token.user, params=_which(token))


def revoke_all(db: Connection) -> int:
    """End all tokens and sessions, and delete the key that hashes them."""
    # The key goes first: transactions that hash with it are waited for, so that what they add is ended, too.
    keys.forget(db)
    count = tokens.disarm(db)
    sessions.end_all(db)
    audit.note(db, Action.TOKEN_REVOCATION, before={"tokens": count})
    return count


# Sessions


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A new session, with what stands in its cookie."""

    session: Session
    secret: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SignIn:
    """Who signs in, an account or a user of the settings, and from where."""

    user: str
    account: str | None
    password: str | None = None
    """The password hash of the account that was verified."""
    proof: str | None
    """Proves a user of the settings."""
    address: str | None
    agent: str | None


def open_session(db: Connection, who: SignIn, *, vault: Vault, now: datetime) -> Opened:
    """Sign a browser in, with a new secret, whatever the browser had before.

    Raises Unauthenticated if the account was disabled or got another password since the password was verified.
    """
    keyed = keys.ensure(db, vault)
    if who.account is not None and not _is_still_valid(db, who.account, who, now):
        raise Unauthenticated("Your account was disabled, or has another password by now. Sign in again.")
    secret = new_secret()
    new = Session(uuid=str(uuid4()), user=who.user, created_at=now, seen_at=now, address=who.address, agent=who.agent)
    sessions.add(
        db,
        new,
        its_hash=keyed.hash(SESSION, secret),
        account_uuid=who.account,
        proof=None if who.proof is None else keyed.hash(PROOF, who.proof),
    )
    audit.note(db, Action.SIGN_IN, resource=who.user)
    return Opened(session=new, secret=secret)


def _is_still_valid(db: Connection, account: str, who: SignIn, now: datetime) -> bool:
    return who.password is not None and accounts.note_sign_in(db, account, password=who.password, at=now)


def end_session(db: Connection, uuid: str, *, user: str) -> None:
    """Sign a browser out."""
    sessions.end(db, uuid)
    audit.note(db, Action.SIGN_OUT, resource=user)


def end_sessions(db: Connection, one: Account) -> None:
    """Sign somebody out everywhere."""
    sessions.end_of_account(db, one.uuid)
    audit.note(db, Action.SIGN_OUT, resource=one.name, params={"where": "everywhere"})


# The link for the first administrator


def make_setup_link(db: Connection, *, vault: Vault, now: datetime) -> str | None:
    """Make the secret of a link by which the first administrator is made; none where there are users."""
    if accounts.is_any(db):
        return None
    secret = new_secret()
    keys.set_setup(db, _hash(db, vault, secret), now + SETUP_LASTS)
    audit.note(db, Action.SETUP_LINK_CREATION)
    return secret


def _hash(db: Connection, vault: Vault, secret: str) -> str:
    return keys.ensure(db, vault, is_changing=True).hash(SETUP, secret)
