"""Accounts: adding, changing, letting in and shutting out. Passwords come hashed, so a write may run again."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from treaty.actions.issuing import READ_ONLY, READ_WRITE, SETUP
from treaty.errors import Conflict, Invalid, NotFound
from treaty.model.access import Account, Role, Token, wrong_email, wrong_name
from treaty.model.audit import Action, Values, changes, fields_of
from treaty.store import accounts, audit, keys, sessions, tokens
from treaty.store.vault import Vault


@dataclass(frozen=True, kw_only=True, slots=True)
class NewAccount:
    """What is said about an account that is to be made."""

    name: str
    role: Role
    email: str | None = None
    password: str | None = None
    """Hashed."""
    is_system: bool = False


def add(db: Connection, draft: NewAccount, *, now: datetime) -> Account:
    """Add an account with its two tokens, which have no texts yet. Raises Invalid and Conflict."""
    _check(draft)
    if accounts.named(db, draft.name):
        raise Conflict(f"There is a user called '{draft.name}' already.")
    new = Account(
        uuid=str(uuid4()),
        name=draft.name,
        email=draft.email or None,
        password=draft.password,
        role=draft.role,
        is_active=True,
        is_system=draft.is_system,
        created_at=now,
        updated_at=now,
        signed_in_at=None,
    )
    accounts.add(db, new)
    audit.note(db, Action.USER_CREATION, resource=new.name, after=_said(new))
    for name, role in ((READ_ONLY, Role.READ_ONLY), (READ_WRITE, Role.READ_WRITE)):
        tokens.add(db, new, _default_token(new, name, role, now), None)
    return new


def _check(draft: NewAccount) -> None:
    problem = wrong_name(draft.name)
    if problem:
        raise Invalid.member("name", problem)
    problem = wrong_email(draft.email) if draft.email else None
    if problem:
        raise Invalid.member("email", problem)


def _default_token(owner: Account, name: str, role: Role, now: datetime) -> Token:
    return Token(
        uuid=str(uuid4()),
        account=owner.uuid,
        user=owner.name,
        name=name,
        role=role,
        ending=None,
        created_at=now,
        expires_at=None,
        used_at=None,
        used_from=None,
    )


LINK_IS_OVER: Final = (
    "This link is over: it works once, within a day, until the server is started again, and as long as there are no "
    "users. The newest one is in the server's output."
)


def add_first(db: Connection, draft: NewAccount, *, link: str, vault: Vault, now: datetime) -> Account:
    """Add the first administrator by the link that was made for it, which is then of no use. Raises NotFound."""
    link_hash = keys.ensure(db, vault).hash(SETUP, link)
    if accounts.is_any(db) or not keys.is_setup(db, link_hash, now):
        raise NotFound(LINK_IS_OVER)
    keys.set_setup(db, None, None)
    return add(db, draft, now=now)


def of_name(db: Connection, name: str) -> Account:
    """Find an account. Raises NotFound."""
    found = accounts.named(db, name)
    if found is None:
        raise NotFound(f"There is no user called '{name}'.")
    return found


def of_uuid(db: Connection, uuid: str) -> Account:
    """Find an account. Raises NotFound."""
    found = accounts.find(db, uuid)
    if found is None:
        raise NotFound(f"There is no user with the uuid '{uuid}'.")
    return found


def set_password(db: Connection, one: Account, password: str, *, but: str | None = None, now: datetime) -> None:
    """Give an account another password, which ends its sessions, all but one perhaps. Raises Conflict."""
    if one.is_system:
        raise Conflict(f"'{one.name}' is a system account: it has tokens, and no password.")
    accounts.change(db, replace(one, password=password, updated_at=now))
    audit.note(db, Action.PASSWORD_CHANGE, resource=one.name)
    sessions.end_of_account(db, one.uuid, but=but)


def set_role(db: Connection, one: Account, role: Role, *, now: datetime) -> Account:
    """Let an account do more, or less. Raises Conflict for the last administrator."""
    changed = replace(one, role=role, updated_at=now)
    _change(db, one, changed)
    _keep_an_administrator(db, one)
    return changed


def disable(db: Connection, one: Account, *, now: datetime) -> Account:
    """Shut an account out: its sessions end, and its tokens are refused. Raises Conflict for the last administrator."""
    changed = replace(one, is_active=False, updated_at=now)
    _change(db, one, changed)
    sessions.end_of_account(db, one.uuid)
    _keep_an_administrator(db, one)
    return changed


def enable(db: Connection, one: Account, *, now: datetime) -> Account:
    """Let an account in again, with the tokens that it had."""
    changed = replace(one, is_active=True, updated_at=now)
    _change(db, one, changed)
    return changed


def _change(db: Connection, one: Account, changed: Account) -> None:
    accounts.change(db, changed)
    before, after = changes(_said(one), _said(changed))
    audit.note(db, Action.USER_CHANGE, resource=one.name, before=before, after=after)


def _said(one: Account) -> Values:
    return fields_of(one, "uuid", "name", "password")


def _keep_an_administrator(db: Connection, before: Account) -> None:
    if before.role is Role.ADMINISTRATOR and before.is_active and not accounts.administrators(db):
        raise Conflict(f"'{before.name}' is the only administrator. Make another one first.")
