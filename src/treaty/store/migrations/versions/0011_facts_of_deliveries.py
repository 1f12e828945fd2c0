"""Facts of queued deliveries, stored when what they are about is removed."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("triggered_webhook", sa.Column("facts", sa.Text(), nullable=True))
