"""Results of comparisons by a newer version of the engine, which wait until they are accepted."""

import sqlalchemy as sa
from alembic import op

from treaty.store.migrations.online import LargeIndex, create_unless_built
from treaty.store.tables import Time

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None
INDEXES = (LargeIndex("ix_comparison_engine", "comparison", ["engine"]),)


def upgrade() -> None:
    for index in INDEXES:
        create_unless_built(index)
    op.create_table(
        "recomparison",
        sa.Column("id", sa.Integer(), sa.Identity(start=1), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recomparison")),
        sa.Column("comparison_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["comparison_id"],
            ["comparison.id"],
            name=op.f("fk_recomparison_comparison_id_comparison"),
            ondelete="CASCADE",
        ),
        sa.Column("engine", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Boolean(), nullable=True) for name in ("is_compatible", "is_complete")),
        sa.Column("accepted_base_url", sa.Text(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=True),
        sa.UniqueConstraint("comparison_id", name=op.f("uq_recomparison_comparison_id")),
    )
