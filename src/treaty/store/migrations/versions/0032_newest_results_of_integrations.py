"""Copies of the newest results for the latest pacts in their integrations."""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Alembic would add the key on its own, which SQLite cannot do.
    op.execute(
        "ALTER TABLE integration ADD COLUMN newest_result_id INTEGER"
        " CONSTRAINT fk_integration_newest_result_id_verification REFERENCES verification (id) ON DELETE SET NULL"
    )
    op.add_column("integration", sa.Column("newest_result_state", sa.Text(), nullable=True))
    op.add_column("integration", sa.Column("newest_result_publication_id", sa.Integer(), nullable=True))
    op.add_column("integration", sa.Column("newest_result_at", Time(), nullable=True))
