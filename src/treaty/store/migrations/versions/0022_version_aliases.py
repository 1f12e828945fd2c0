"""Aliases of versions, for builds that leave a pacticipant unchanged."""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "version_alias",
        sa.Column("id", sa.Integer(), sa.Identity(start=1), nullable=False),
        sa.Column("pacticipant_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_version_alias")),
        *(
            sa.ForeignKeyConstraint(
                [f"{table}_id"],
                [f"{table}.id"],
                name=op.f(f"fk_version_alias_{table}_id_{table}"),
                ondelete="CASCADE",
            )
            for table in ("pacticipant", "version")
        ),
        sa.UniqueConstraint("pacticipant_id", "name", name=op.f("uq_version_alias_pacticipant_id_name")),
    )
    op.create_index("ix_version_alias_version_id", "version_alias", ["version_id"])
