"""Limit tokens and system accounts to scopes and applications, and remember when the text of a token was generated."""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("limits", sa.Text(), nullable=True))
    op.add_column("token", sa.Column("limits", sa.Text(), nullable=True))
    op.add_column("token", sa.Column("issued_at", Time(), nullable=True))
