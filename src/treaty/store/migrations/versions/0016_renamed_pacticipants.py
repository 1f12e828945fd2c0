"""Former names and contacts of pacticipants."""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pacticipant", sa.Column("contacts", sa.Text(), nullable=True))
    op.add_column("pacticipant", sa.Column("renamed_at", Time(), nullable=True))
    op.create_table(
        "former_name",
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_former_name")),
        sa.Column("pacticipant_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pacticipant_id"],
            ["pacticipant.id"],
            name=op.f("fk_former_name_pacticipant_id_pacticipant"),
            ondelete="CASCADE",
        ),
        sa.Column("created_at", Time(), nullable=False),
    )
    op.create_index("ix_former_name_pacticipant_id", "former_name", ["pacticipant_id"])
