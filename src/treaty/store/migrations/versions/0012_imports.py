"""Remember imported facts, and order results by the time at which they were recorded."""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imported_fact",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_imported_fact")),
    )
    columns = ["content_id", "created_at", "id"]
    op.create_index("ix_verification_content_id_created_at_id", "verification", columns)
    op.drop_index("ix_verification_content_id_id", table_name="verification")
