"""Sessions: which browsers are signed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from treaty.model.accounts.access import Role, Session
from treaty.store.engine.database import execute, fetch_first
from treaty.store.engine.database import fetch_all as every_of
from treaty.store.tables import account, session

_PRESENTED: Final = (
    select(
        session.c.uuid,
        session.c.created_at,
        session.c.seen_at,
        session.c.proof,
        account.c.uuid.label("account"),
        account.c.name.label("user"),
        account.c.role.label("role"),
        account.c.is_active,
    )
    .select_from(session.outerjoin(account))
    .where(session.c.hash == bindparam("hash"))
)
_ACCOUNT_ID: Final = select(account.c.id).where(account.c.uuid == bindparam("account_uuid")).scalar_subquery()
_ADD: Final = insert(session).values(
    uuid=bindparam("uuid"),
    hash=bindparam("hash"),
    account_id=_ACCOUNT_ID,
    proof=bindparam("proof"),
    seen_at=bindparam("seen_at"),
    address=bindparam("address"),
    agent=bindparam("agent"),
    created_at=bindparam("created_at"),
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
    .order_by(session.c.seen_at.desc())
)
_NOTE: Final = (
    update(session)
    .where(session.c.uuid == bindparam("session_uuid"))
    .values(seen_at=bindparam("at"), address=bindparam("address_now"))
)
_END: Final = delete(session).where(session.c.uuid == bindparam("session_uuid"))
_END_OTHERS: Final = delete(session).where(
    session.c.account_id == _ACCOUNT_ID, session.c.uuid != bindparam("session_uuid")
)
_END_OF_PROOF: Final = delete(session).where(
    session.c.proof == bindparam("its_proof"), session.c.uuid != bindparam("session_uuid")
)
_END_OLD: Final = delete(session).where(
    or_(
        session.c.seen_at < bindparam("seen_before", type_=session.c.seen_at.type),
        session.c.created_at < bindparam("made_before", type_=session.c.created_at.type),
    )
)
_END_ALL: Final = delete(session)


@dataclass(frozen=True, kw_only=True, slots=True)
class PresentedSession:
    """A session that was presented, with whose it is; one of the settings' users has a proof instead of an account."""

    uuid: str
    created_at: datetime
    seen_at: datetime
    proof: str | None
    account: str | None
    user: str | None
    role: Role | None
    is_active: bool | None


def find_by_hash(db: Connection, secret_hash: str) -> PresentedSession | None:
    row = fetch_first(db, _PRESENTED, {"hash": secret_hash})
    return None if row is None else PresentedSession(**{**row._asdict(), "role": Role(row.role) if row.role else None})


def list_of_account(db: Connection, uuid: str) -> Sequence[Session]:
    """List an account's sessions, the one that was seen last first."""
    return every_of(db, _OF_ACCOUNT, {"account_uuid": uuid}, Session)


def add(db: Connection, new: Session, *, secret_hash: str, account_uuid: str | None, proof: str | None) -> None:
    names = ("uuid", "created_at", "seen_at", "address", "agent")
    values = {name: getattr(new, name) for name in names}
    execute(db, _ADD, {**values, "hash": secret_hash, "account_uuid": account_uuid, "proof": proof})


def record_use(db: Connection, uuid: str, *, at: datetime, address: str | None) -> None:
    execute(db, _NOTE, {"session_uuid": uuid, "at": at, "address_now": address})


def end(db: Connection, uuid: str) -> None:
    execute(db, _END, {"session_uuid": uuid})


def end_of_account(db: Connection, uuid: str, *, kept_session: str | None = None) -> int:
    """End an account's sessions, all or all but one; say how many."""
    return execute(db, _END_OTHERS, {"account_uuid": uuid, "session_uuid": kept_session or ""})


def end_of_proof(db: Connection, proof: str, *, kept_session: str | None = None) -> int:
    return execute(db, _END_OF_PROOF, {"its_proof": proof, "session_uuid": kept_session or ""})


def end_old(db: Connection, *, seen_before: datetime, created_before: datetime) -> None:
    execute(db, _END_OLD, {"seen_before": seen_before, "made_before": created_before})


def end_all(db: Connection) -> int:
    return execute(db, _END_ALL, {})
