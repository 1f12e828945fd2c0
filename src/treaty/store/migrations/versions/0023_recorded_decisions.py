"""Recorded decisions, and marks of deployments without one."""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decision",
        sa.Column("id", sa.Integer(), sa.Identity(start=1), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("environment_uuid", sa.Text(), nullable=False),
        sa.Column("deployable", sa.Boolean(), nullable=True),
        sa.Column("causes", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("who", "token", "client")),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sa.UniqueConstraint("uuid", name=op.f("uq_decision_uuid")),
    )
    op.create_index("ix_decision_created_at_id", "decision", ["created_at", "id"])
    op.create_index("ix_decision_environment_uuid_created_at", "decision", ["environment_uuid", "created_at"])
    op.create_table(
        "decision_version",
        sa.Column("id", sa.Integer(), sa.Identity(start=1), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=True),
        sa.Column("pacticipant", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_version")),
        *(
            sa.ForeignKeyConstraint(
                [f"{table}_id"],
                [f"{table}.id"],
                name=op.f(f"fk_decision_version_{table}_id_{table}"),
                ondelete=ondelete,
            )
            for table, ondelete in (("decision", "CASCADE"), ("version", "SET NULL"))
        ),
    )
    op.create_index("ix_decision_version_decision_id", "decision_version", ["decision_id"])
    op.create_index("ix_decision_version_version_id", "decision_version", ["version_id"])
    op.create_index("ix_decision_version_pacticipant_number", "decision_version", ["pacticipant", "number"])
    for table, name in (
        ("environment", "records_decisions"),
        ("deployed_version", "lacks_decision"),
        ("released_version", "lacks_decision"),
    ):
        op.add_column(table, sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
