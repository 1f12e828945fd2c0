"""An index of the publications of a pair in the order of their versions, from which the matrix reads the newest."""

from alembic import op

from treaty.store.migrations.online import LargeIndex, create_unless_built

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

INDEXES = (
    LargeIndex(
        "ix_publication_newest",
        "publication",
        ("provider_id", "consumer_id", "consumer_version_id", "is_current", "content_id"),
    ),
)


def upgrade() -> None:
    for index in INDEXES:
        create_unless_built(index)
    # The new index has its column first.
    op.drop_index("ix_publication_provider_id", "publication")
