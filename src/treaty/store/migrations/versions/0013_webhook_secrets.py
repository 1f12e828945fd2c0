"""Named secrets of webhooks, and a mark on databases whose webhooks may contain secrets in plain text.

Encrypting these needs the server's key, so the next server that starts does it, and removes the mark.
"""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_MARK = """
    INSERT INTO lease (name, owner, until)
    SELECT 'plain-secrets', '', '1970-01-01T00:00:00.000000+00:00'
    WHERE EXISTS (SELECT 1 FROM webhook) OR EXISTS (SELECT 1 FROM webhook_execution)
"""


def upgrade() -> None:
    op.create_table(
        "secret",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("origins", sa.Text(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("updated_at", Time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret")),
        sa.UniqueConstraint("name", name=op.f("uq_secret_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_secret_uuid")),
    )
    op.execute(_MARK)
