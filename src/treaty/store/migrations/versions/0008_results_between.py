"""Whether two versions get along, found without reading the results themselves."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["content_id", "provider_version_id", "is_latest", "success"]
    op.create_index("ix_verification_between", "verification", columns)
    op.drop_index("ix_verification_content_id_provider_version_id", table_name="verification")
