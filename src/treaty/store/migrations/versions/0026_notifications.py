"""Webhooks for several consumers or providers, digests, and the marks of events that a worker finds."""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("lists_consumers", "lists_providers"):
        op.add_column("webhook", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("webhook", sa.Column("digest_seconds", sa.Integer(), nullable=True))
    op.add_column("integration", sa.Column("unused_since", Time(), nullable=True))
    _create_members()
    _create_digest_events()
    _create_marks()


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), sa.Identity(start=1), nullable=False)


def _key(table: str, column: str, target: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete=ondelete)


def _create_members() -> None:
    op.create_table(
        "webhook_member",
        _id(),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("pacticipant_id", sa.Integer(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_member")),
        _key("webhook_member", "webhook_id", "webhook"),
        _key("webhook_member", "pacticipant_id", "pacticipant"),
    )
    for column in ("webhook_id", "pacticipant_id"):
        op.create_index(f"ix_webhook_member_{column}", "webhook_member", [column])


def _create_digest_events() -> None:
    op.create_table(
        "digest_event",
        _id(),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("consumer_id", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Integer(), nullable=False),
        sa.Column("triggered_webhook_id", sa.Integer(), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("consumer_version", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digest_event")),
        _key("digest_event", "webhook_id", "webhook"),
        _key("digest_event", "consumer_id", "pacticipant"),
        _key("digest_event", "provider_id", "pacticipant"),
        _key("digest_event", "triggered_webhook_id", "triggered_webhook", "SET NULL"),
    )
    for columns in (
        ["webhook_id", "triggered_webhook_id"],
        ["triggered_webhook_id"],
        ["consumer_id", "provider_id"],
        ["provider_id"],
    ):
        op.create_index(f"ix_digest_event_{'_'.join(columns)}", "digest_event", columns)


def _create_marks() -> None:
    op.create_table(
        "overdue_verification",
        _id(),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("provider_version", sa.Text(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overdue_verification")),
        _key("overdue_verification", "content_id", "content"),
        sa.UniqueConstraint(
            "content_id", "provider_version", name=op.f("uq_overdue_verification_content_id_provider_version")
        ),
    )
