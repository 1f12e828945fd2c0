"""Addresses from which accounts have signed in, which an attack from the same place does not lock out."""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trusted_address",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("latest", Time(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_trusted_address")),
    )
    op.create_index("ix_trusted_address_latest", "trusted_address", ["latest"])
