"""An index that finds versions by the beginning of their numbers."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_version_number", "version", ["number"], postgresql_ops={"number": "text_pattern_ops"})
