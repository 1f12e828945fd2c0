"""Indexes of results, deployments and releases by time, for trends."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("verification", "deployed_version", "released_version"):
        op.create_index(f"ix_{table}_created_at", table, ["created_at"])
