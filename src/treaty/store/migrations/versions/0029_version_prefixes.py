"""An index that finds versions by the beginning of their numbers."""

from treaty.store.migrations.online import LargeIndex, create_unless_built

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None
INDEXES = (LargeIndex("ix_version_number", "version", ["number"], "text_pattern_ops"),)


def upgrade() -> None:
    for index in INDEXES:
        create_unless_built(index)
