"""What the reports of self-verifications show. Those of existing ones are read when they are needed."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("self_verification", sa.Column("report", sa.Text(), nullable=True))
