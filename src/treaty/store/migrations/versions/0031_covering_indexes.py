"""Indexes with all columns that pages about all integrations and all running versions need."""

from alembic import op

from treaty.store.migrations.online import LargeIndex, create_unless_built

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None
INDEXES = (
    LargeIndex(
        "ix_publication_current", "publication", ["consumer_version_id", "is_current", "provider_id", "content_id"]
    ),
    LargeIndex("ix_verification_newest", "verification", ["content_id", "created_at", "id", "success", "was_pending"]),
    LargeIndex(
        "ix_deployed_version_in_use",
        "deployed_version",
        ["pacticipant_id", "environment_id", "version_id"],
        condition="undeployed_at IS NULL",
    ),
)


def upgrade() -> None:
    for index in INDEXES:
        create_unless_built(index)
    op.drop_index("ix_verification_content_id_created_at_id", "verification")
    op.drop_index("ix_deployed_version_running", "deployed_version")
