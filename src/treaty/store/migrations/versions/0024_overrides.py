"""Overrides of decisions, and the policy for first deployments."""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deployment_override",
        sa.Column("id", sa.Integer(), sa.Identity(start=1), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("environment_id", sa.Integer(), nullable=False),
        sa.Column("counterpart_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("expires_at", Time(), nullable=False),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.Column("revoked_at", Time(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployment_override")),
        *(
            sa.ForeignKeyConstraint(
                [column],
                [f"{table}.id"],
                name=op.f(f"fk_deployment_override_{column}_{table}"),
                ondelete="CASCADE",
            )
            for column, table in (
                ("version_id", "version"),
                ("environment_id", "environment"),
                ("counterpart_id", "pacticipant"),
            )
        ),
        sa.UniqueConstraint("uuid", name=op.f("uq_deployment_override_uuid")),
    )
    op.create_index(
        "ix_deployment_override_version_id_environment_id", "deployment_override", ["version_id", "environment_id"]
    )
    for column in ("environment_id", "counterpart_id"):
        op.create_index(f"ix_deployment_override_{column}", "deployment_override", [column])
    op.add_column(
        "environment",
        sa.Column("allows_first_deployments", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("integration", sa.Column("allows_first_deployments", sa.Boolean(), nullable=True))
