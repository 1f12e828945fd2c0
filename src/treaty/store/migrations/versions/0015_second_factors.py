"""Second factors of accounts, and the latest authentication of sessions."""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("second_factor_at", Time(), nullable=True))
    op.add_column("session", sa.Column("authenticated_at", Time(), nullable=True))
    op.create_table(
        "pending_sign_in",
        *_of_account("pending_sign_in"),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.UniqueConstraint("hash", name=op.f("uq_pending_sign_in_hash")),
    )
    op.create_index("ix_pending_sign_in_account_id", "pending_sign_in", ["account_id"])
    op.create_index("ix_pending_sign_in_created_at", "pending_sign_in", ["created_at"])
    op.create_table(
        "second_factor",
        *_of_account("second_factor"),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("latest_step", sa.Integer(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.UniqueConstraint("account_id", name=op.f("uq_second_factor_account_id")),
    )
    op.create_table(
        "recovery_code",
        *_of_account("recovery_code"),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.UniqueConstraint("account_id", "hash", name=op.f("uq_recovery_code_account_id_hash")),
    )


def _of_account(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.Integer(), sa.Identity(start=1), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f(f"fk_{table}_account_id_account"), ondelete="CASCADE"
        ),
    ]
