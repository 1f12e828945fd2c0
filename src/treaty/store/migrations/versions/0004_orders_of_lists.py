"""The orders in which lists have pacticipants and integrations."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_pacticipant_lower_name", "pacticipant", [sa.text("lower(name)")])
    busiest = ("(contract_data_updated_at IS NULL)", "contract_data_updated_at DESC", "id DESC")
    op.create_index("ix_integration_busiest", "integration", [sa.text(one) for one in busiest])
