"""An index of the newest results."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_verification_content_id_id"), "verification", ["content_id", "id"], unique=False)
