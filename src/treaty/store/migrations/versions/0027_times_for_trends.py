"""Indexes of results, deployments and releases by time, for trends."""

from treaty.store.migrations.online import LargeIndex, create_unless_built

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None
INDEXES = tuple(
    LargeIndex(f"ix_{table}_created_at", table, ["created_at"])
    for table in ("verification", "deployed_version", "released_version")
)


def upgrade() -> None:
    for index in INDEXES:
        create_unless_built(index)
