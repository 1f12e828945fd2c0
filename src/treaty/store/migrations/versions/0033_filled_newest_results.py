"""The copies of newest results that the previous revision has room for, and their index."""

from alembic import op
from sqlalchemy import Connection, text

from treaty.store.migrations.online import LargeIndex, begin_separately, create_unless_built

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None
INDEXES = (LargeIndex("ix_integration_newest_result_id", "integration", ["newest_result_id"]),)
BATCH_SIZE = 500
_NEWEST = """(
    SELECT {column} FROM verification AS result
    WHERE result.content_id = (SELECT content_id FROM publication WHERE id = latest_publication_id)
    ORDER BY result.created_at DESC, result.id DESC LIMIT 1
)"""
_STATE = "CASE WHEN result.success THEN 'verified' WHEN result.was_pending THEN 'pending' ELSE 'failed' END"
_FILL = f"""
    UPDATE integration SET
        newest_result_id = {_NEWEST.format(column="result.id")},
        newest_result_state = coalesce({_NEWEST.format(column=_STATE)}, 'none'),
        newest_result_publication_id = latest_publication_id,
        newest_result_at = contract_data_updated_at
    WHERE newest_result_at IS NULL"""  # noqa: S608 - constants
_LOCK = """
    SELECT id FROM integration WHERE id > :after AND newest_result_at IS NULL
    ORDER BY id LIMIT :size FOR UPDATE SKIP LOCKED"""


def prepare(db: Connection) -> None:
    """Fill the columns while other servers write, a batch in each transaction.

    The rows are locked first: a single statement could wait for the write of a new result, and would then copy the
    result before it, with the time of the new one. Rows that another transaction has locked are skipped: the states of
    these integrations are computed until their next write.
    """
    after: int | None = 0
    while after is not None:
        with begin_separately(db):
            ids = list(db.execute(text(_LOCK), {"after": after, "size": BATCH_SIZE}).scalars())
            db.execute(text(f"{_FILL} AND id = ANY(:ids)"), {"ids": ids})
        after = ids[-1] if ids else None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":  # no other server writes
        op.execute(_FILL)
    for index in INDEXES:
        create_unless_built(index)
