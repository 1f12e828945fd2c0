"""A table for the link that creates the first administrator.

Links of earlier versions are hashed with a key that only the cipher can read. They no longer work: each start of a
server without users creates a new link.
"""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "setup_link",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("until", Time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setup_link")),
    )
