"""Positions of environments in the pipeline."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("environment", sa.Column("position", sa.Integer(), nullable=True))
