"""Wrong passwords, counted for all processes."""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guess",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("latest", Time(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_guess")),
    )
    op.create_index("ix_guess_latest", "guess", ["latest"])
