"""Sessions: browsers that are signed in, or whose user still has to enter a code."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from treaty.model.accounts.access import Role, Session
from treaty.store.accounts import credentials
from treaty.store.engine.database import execute, fetch_all, fetch_one
from treaty.store.tables import account, pending_sign_in, session

# An outer join: sessions of users of the settings have no account.
_PRESENTED: Final = (
    select(
        session.c.uuid,
        session.c.created_at,
        session.c.seen_at,
        session.c.authenticated_at,
        session.c.proof,
        *credentials.OWNER_COLUMNS,
        account.c.role.label("role"),
        account.c.is_active,
        account.c.second_factor_at,
    )
    .select_from(session.outerjoin(account))
    .where(session.c.hash == bindparam("hash"))
)
_ADDED_COLUMNS: Final = ("uuid", "created_at", "seen_at", "address", "agent")
_ADD: Final = insert(session).values(
    hash=bindparam("hash"),
    account_id=credentials.OWNER_ID,
    proof=bindparam("proof"),
    **{name: bindparam(name) for name in _ADDED_COLUMNS},
)
_OF_ACCOUNT: Final = (
    select(
        session.c.uuid,
        account.c.name.label("user"),
        session.c.created_at,
        session.c.seen_at,
        session.c.address,
        session.c.agent,
    )
    .join_from(session, account)
    .where(account.c.uuid == bindparam("account_uuid"))
    .order_by(session.c.seen_at.desc(), session.c.id.desc())
)
_RECORD_USE: Final = credentials.build_use_update(session, used_at=session.c.seen_at, address=session.c.address)
_RECORD_AUTHENTICATION: Final = (
    update(session).where(session.c.uuid == bindparam("session_uuid")).values(authenticated_at=bindparam("at"))
)
_END: Final = credentials.build_deletion(session)
_END_OTHERS: Final = delete(session).where(
    session.c.account_id == credentials.OWNER_ID, session.c.uuid != bindparam("kept_uuid")
)
_END_OLD: Final = delete(session).where(
    or_(
        session.c.seen_at < bindparam("seen_before", type_=session.c.seen_at.type),
        session.c.created_at < bindparam("created_before", type_=session.c.created_at.type),
    )
)
_END_ALL: Final = delete(session)


@dataclass(frozen=True, kw_only=True, slots=True)
class PresentedSession:
    """A session whose cookie a request presents, with its owner: an account, or (by `proof`) a user of the settings."""

    uuid: str
    created_at: datetime
    seen_at: datetime
    authenticated_at: datetime | None
    """The latest re-authentication; None since the session was opened."""
    proof: str | None
    """Keyed hash of the name and the password of a user of the settings."""
    account: str | None
    user: str | None
    role: Role | None
    is_active: bool | None
    second_factor_at: datetime | None


def find_by_hash(db: Connection, secret_hash: str) -> PresentedSession | None:
    return credentials.find_presented(db, _PRESENTED, secret_hash, PresentedSession)


def list_of_account(db: Connection, uuid: str) -> Sequence[Session]:
    """List an account's sessions, the latest seen first."""
    return fetch_all(db, _OF_ACCOUNT, {"account_uuid": uuid}, Session)


def add(db: Connection, new_session: Session, *, secret_hash: str, account_uuid: str | None, proof: str | None) -> None:
    values = {name: getattr(new_session, name) for name in _ADDED_COLUMNS}
    execute(db, _ADD, {**values, "hash": secret_hash, "account_uuid": account_uuid, "proof": proof})


def record_use(db: Connection, uuid: str, *, at: datetime, address: str | None) -> None:
    credentials.record_use(db, _RECORD_USE, uuid, at=at, address=address)


def record_authentication(db: Connection, uuid: str, *, at: datetime) -> bool:
    """Record that the user of a session has authenticated again; return whether the session still exists."""
    return execute(db, _RECORD_AUTHENTICATION, {"session_uuid": uuid, "at": at}) == 1


def end(db: Connection, uuid: str) -> None:
    credentials.remove(db, _END, uuid)


def end_of_account(db: Connection, uuid: str, *, kept_session: str | None = None) -> int:
    """End an account's sessions, except `kept_session` if there is one; return their number.

    Its pending sign-ins end, too: their password may have been replaced.
    """
    execute(db, _END_PENDING_OF_ACCOUNT, {"account_uuid": uuid})
    return execute(db, _END_OTHERS, {"account_uuid": uuid, "kept_uuid": kept_session or ""})


def end_old(db: Connection, *, seen_before: datetime, created_before: datetime) -> None:
    """Delete the sessions that are idle or old. They are rejected already; this only frees their space."""
    execute(db, _END_OLD, {"seen_before": seen_before, "created_before": created_before})


def end_all(db: Connection) -> int:
    execute(db, _END_ALL_PENDING, {})
    return execute(db, _END_ALL, {})


# Pending sign-ins: the password was right, and a code is required next

_FIND_PENDING: Final = (
    select(pending_sign_in.c.id, *credentials.OWNER_COLUMNS, pending_sign_in.c.created_at)
    .join_from(pending_sign_in, account)
    .where(pending_sign_in.c.hash == bindparam("hash"))
)
_ADD_PENDING: Final = insert(pending_sign_in).values(
    hash=bindparam("hash"), account_id=credentials.OWNER_ID, created_at=bindparam("created_at")
)
_END_PENDING: Final = delete(pending_sign_in).where(pending_sign_in.c.id == bindparam("pending_id"))
_END_PENDING_OF_ACCOUNT: Final = delete(pending_sign_in).where(pending_sign_in.c.account_id == credentials.OWNER_ID)
_END_OLD_PENDING: Final = delete(pending_sign_in).where(
    pending_sign_in.c.created_at < bindparam("created_before", type_=pending_sign_in.c.created_at.type)
)
_END_ALL_PENDING: Final = delete(pending_sign_in)


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingSignIn:
    """A browser whose user has entered the right password, and has to enter a code next."""

    id: int
    account: str
    user: str
    created_at: datetime


def find_pending(db: Connection, secret_hash: str) -> PendingSignIn | None:
    return fetch_one(db, _FIND_PENDING, {"hash": secret_hash}, PendingSignIn)


def add_pending(db: Connection, *, secret_hash: str, account_uuid: str, at: datetime) -> None:
    execute(db, _ADD_PENDING, {"hash": secret_hash, "account_uuid": account_uuid, "created_at": at})


def end_pending(db: Connection, pending: PendingSignIn) -> bool:
    """Remove a pending sign-in; return whether it still existed."""
    return execute(db, _END_PENDING, {"pending_id": pending.id}) == 1


def end_old_pending(db: Connection, *, created_before: datetime) -> None:
    execute(db, _END_OLD_PENDING, {"created_before": created_before})
