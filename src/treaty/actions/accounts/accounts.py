"""Accounts: adding, changing, disabling and enabling them.

Passwords are hashed by the callers: hashing takes long, and these writes lock rows and may run twice.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from treaty.actions.accounts.credentials import READ_ONLY_TOKEN_NAME, READ_WRITE_TOKEN_NAME, SETUP_PURPOSE
from treaty.errors import Conflict, Forbidden, Invalid, NotFound
from treaty.model.accounts.access import Account, Role, Token, find_email_problem, find_name_problem
from treaty.model.accounts.scopes import Limits, list_limits
from treaty.model.audit import Action, FieldValues, collect_fields, diff_fields
from treaty.store import audit
from treaty.store.accounts import accounts, sessions, setup_links, tokens
from treaty.store.engine.vault import Vault


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountDraft:
    """The properties of an account to add."""

    name: str
    role: Role
    email: str | None = None
    password: str | None = None
    """The hash of the password; None for system accounts."""
    is_system: bool = False
    limits: Limits | None = None
    """Only for system accounts."""


def add_account(db: Connection, draft: AccountDraft, *, now: datetime) -> Account:
    """Add an account with its two default tokens, which have no secrets yet. Raises Invalid and Conflict."""
    _check_draft(draft)
    if accounts.find_by_name(db, draft.name):
        raise Conflict(f"There is a user called '{draft.name}' already.")
    account = Account(
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
        limits=draft.limits,
    )
    accounts.add(db, account)
    audit.record(db, Action.USER_CREATION, resource=account.name, after=_audited_fields(account))
    for name, role in ((READ_ONLY_TOKEN_NAME, Role.READ_ONLY), (READ_WRITE_TOKEN_NAME, Role.READ_WRITE)):
        tokens.add(db, account, _build_default_token(account, name, role, now), None)
    return account


def _check_draft(draft: AccountDraft) -> None:
    problem = find_name_problem(draft.name)
    if problem:
        raise Invalid.member("name", problem)
    problem = find_email_problem(draft.email) if draft.email else None
    if problem:
        raise Invalid.member("email", problem)
    if draft.limits is not None and not draft.is_system:
        raise Invalid.member("scopes", _LIMITED_PERSON)


_LIMITED_PERSON: Final = "can be set for system accounts and tokens only: give the person's tokens scopes instead"


def _build_default_token(owner: Account, name: str, role: Role, now: datetime) -> Token:
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


SETUP_LINK_EXPIRED: Final = (
    "This link has expired: it works once, within a day, until the server is started again, and as long as there are "
    "no users. The newest link is in the server's output."
)


def check_setup_possible(db: Connection, *, now: datetime) -> None:
    """Check that some link may create the first administrator. Raises NotFound."""
    if accounts.has_any(db) or not setup_links.has_valid(db, now):
        raise NotFound(SETUP_LINK_EXPIRED)


def check_setup_link(db: Connection, link: str, *, vault: Vault, now: datetime) -> None:
    """Check with reads only that a link may create the first administrator. Raises NotFound."""
    if accounts.has_any(db) or not setup_links.is_valid(db, vault.list_hashes(SETUP_PURPOSE, link), now):
        raise NotFound(SETUP_LINK_EXPIRED)


def add_first_administrator(db: Connection, draft: AccountDraft, *, link: str, vault: Vault, now: datetime) -> Account:
    """Add the first administrator with a setup link, and invalidate the link. Raises NotFound."""
    if accounts.has_any(db):
        raise NotFound(SETUP_LINK_EXPIRED)
    # Of two parallel requests with the same link, only one consumes it.
    if not setup_links.consume(db, vault.list_hashes(SETUP_PURPOSE, link), now):
        raise NotFound(SETUP_LINK_EXPIRED)
    return add_account(db, draft, now=now)


def check_administrator(db: Connection, uuid: str | None) -> None:
    """Check that a caller still is an administrator, and lock this until the transaction ends. Raises Forbidden.

    Otherwise an administrator who is demoted while the request runs could undo the demotion.
    """
    accounts.lock_administrators(db)
    if uuid not in accounts.list_administrators(db):
        raise Forbidden("You are no longer an administrator. Ask an administrator to make this change.")


def get_account(db: Connection, name: str) -> Account:
    """Find an account by its name. Raises NotFound."""
    account = accounts.find_by_name(db, name)
    if account is None:
        raise NotFound(f"There is no user called '{name}'.")
    return account


def get_account_by_uuid(db: Connection, uuid: str) -> Account:
    """Find an account by its UUID. Raises NotFound."""
    account = accounts.find(db, uuid)
    if account is None:
        raise NotFound(f"There is no user with the uuid '{uuid}'.")
    return account


def set_password(db: Connection, account: Account, password: str, *, now: datetime) -> None:
    """Set another password (hashed), and end all sessions of the account. Raises NotFound and Conflict."""
    _check_has_password(_lock(db, account))
    accounts.set_password(db, account.uuid, password, at=now)
    _record_password_change(db, account, kept_session=None)


def change_own_password(
    db: Connection, account: Account, *, old: str, new: str, kept_session: str | None, now: datetime
) -> None:
    """Replace the verified password hash `old`, and end the account's sessions except `kept_session`.

    Raises Conflict if the account was disabled or got another password since `old` was verified.
    """
    _check_has_password(account)
    if not accounts.replace_password(db, account.uuid, old=old, new=new, at=now):
        raise Conflict(
            "Your account was changed in the meantime: it is disabled or has another password. Nothing was saved. "
            "Sign in again, or ask an administrator."
        )
    _record_password_change(db, account, kept_session=kept_session)


def _check_has_password(account: Account) -> None:
    if account.is_system:
        raise Conflict(f"'{account.name}' is a system account: it has tokens, but no password.")


def _record_password_change(db: Connection, account: Account, *, kept_session: str | None) -> None:
    audit.record(db, Action.PASSWORD_CHANGE, resource=account.name)
    sessions.end_of_account(db, account.uuid, kept_session=kept_session)


def set_role(db: Connection, account: Account, role: Role, *, now: datetime) -> Account:
    """Change the role of an account. Raises NotFound, and Conflict for the last administrator."""
    current = _lock_for_access(db, account, is_removal=role is not Role.ADMINISTRATOR)
    accounts.set_role(db, current.uuid, role, at=now)
    return _record_change(db, current, replace(current, role=role, updated_at=now))


def set_limits(db: Connection, account: Account, limits: Limits | None, *, now: datetime) -> Account:
    """Limit a system account to scopes and applications, or lift its limits. All of its tokens follow at once.

    Raises NotFound, and Conflict for a person.
    """
    current = _lock(db, account)
    if not current.is_system:
        raise Conflict(f"'{current.name}' is a person: scopes {_LIMITED_PERSON}.")
    accounts.set_limits(db, current.uuid, limits, at=now)
    return _record_change(db, current, replace(current, limits=limits, updated_at=now))


def disable_account(db: Connection, account: Account, *, now: datetime) -> Account:
    """Disable an account, and end its sessions. Raises NotFound, and Conflict for the last administrator.

    Its tokens stay, but are rejected while it is disabled.
    """
    current = _lock_for_access(db, account, is_removal=True)
    accounts.set_active(db, current.uuid, active=False, at=now)
    # For good, unlike tokens: enabling the account must not revive a session that someone else may hold.
    sessions.end_of_account(db, current.uuid)
    return _record_change(db, current, replace(current, is_active=False, updated_at=now))


def enable_account(db: Connection, account: Account, *, now: datetime) -> Account:
    """Enable an account again; its tokens work again. Raises NotFound."""
    current = _lock(db, account)
    accounts.set_active(db, current.uuid, active=True, at=now)
    return _record_change(db, current, replace(current, is_active=True, updated_at=now))


def _lock(db: Connection, account: Account) -> Account:
    """Lock an account and return its current state; `account` may be outdated. Raises NotFound."""
    current = accounts.lock(db, account.uuid)
    if current is None:
        raise NotFound(f"There is no user called '{account.name}'.")
    return current


def _lock_for_access(db: Connection, account: Account, *, is_removal: bool) -> Account:
    """Lock all administrators, then an account whose access changes, so that an administrator remains.

    All such changes lock in this order, so that they cannot deadlock. Raises NotFound, and Conflict for the last
    administrator.
    """
    accounts.lock_administrators(db)
    current = _lock(db, account)
    if is_removal and accounts.list_administrators(db) == [current.uuid]:
        raise Conflict(f"'{current.name}' is the only administrator. Add another administrator first.")
    return current


def _record_change(db: Connection, old: Account, new: Account) -> Account:
    before, after = diff_fields(_audited_fields(old), _audited_fields(new))
    audit.record(db, Action.USER_CHANGE, resource=old.name, before=before, after=after)
    return new


def _audited_fields(account: Account) -> FieldValues:
    # The name is the resource of the event already, and the hash of the password must not leave its column.
    fields = collect_fields(account, "uuid", "name", "password", "limits")
    return {**fields, **({} if account.limits is None else list_limits(account.limits))}
