"""The first tables."""

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "environment",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("is_production", sa.Boolean(), nullable=False),
        sa.Column("contacts", sa.Text(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("updated_at", Time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environment")),
        sa.UniqueConstraint("name", name=op.f("uq_environment_name")),
        sa.UniqueConstraint("uuid", name=op.f("uq_environment_uuid")),
    )
    op.create_table(
        "pacticipant",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("repository_url", sa.Text(), nullable=True),
        sa.Column("repository_name", sa.Text(), nullable=True),
        sa.Column("repository_namespace", sa.Text(), nullable=True),
        sa.Column("main_branch", sa.Text(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("updated_at", Time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pacticipant")),
        sa.UniqueConstraint("name", name=op.f("uq_pacticipant_name")),
    )
    op.create_table(
        "content",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("consumer_id", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Integer(), nullable=False),
        sa.Column("sha", sa.Text(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consumer_id"], ["pacticipant.id"], name=op.f("fk_content_consumer_id_pacticipant"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["pacticipant.id"], name=op.f("fk_content_provider_id_pacticipant"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content")),
        sa.UniqueConstraint("consumer_id", "provider_id", "sha", name=op.f("uq_content_consumer_id_provider_id_sha")),
    )
    op.create_index(op.f("ix_content_provider_id"), "content", ["provider_id"], unique=False)
    op.create_table(
        "label",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("pacticipant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("updated_at", Time(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pacticipant_id"], ["pacticipant.id"], name=op.f("fk_label_pacticipant_id_pacticipant"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label")),
        sa.UniqueConstraint("pacticipant_id", "name", name=op.f("uq_label_pacticipant_id_name")),
    )
    op.create_index(op.f("ix_label_name"), "label", ["name"], unique=False)
    op.create_table(
        "version",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("pacticipant_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("build_url", sa.Text(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("updated_at", Time(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pacticipant_id"],
            ["pacticipant.id"],
            name=op.f("fk_version_pacticipant_id_pacticipant"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_version")),
        sa.UniqueConstraint("pacticipant_id", "number", name=op.f("uq_version_pacticipant_id_number")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_version_pacticipant_id_position"), "version", ["pacticipant_id", "position"], unique=False)
    op.create_table(
        "webhook",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("consumer_id", sa.Integer(), nullable=True),
        sa.Column("provider_id", sa.Integer(), nullable=True),
        sa.Column("consumer_label", sa.Text(), nullable=True),
        sa.Column("provider_label", sa.Text(), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("filters", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", Time(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("updated_at", Time(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consumer_id"], ["pacticipant.id"], name=op.f("fk_webhook_consumer_id_pacticipant"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["pacticipant.id"], name=op.f("fk_webhook_provider_id_pacticipant"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
        sa.UniqueConstraint("uuid", name=op.f("uq_webhook_uuid")),
    )
    op.create_index(op.f("ix_webhook_consumer_id"), "webhook", ["consumer_id"], unique=False)
    op.create_index(op.f("ix_webhook_provider_id"), "webhook", ["provider_id"], unique=False)
    op.create_table(
        "branch",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("pacticipant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("head_version_id", sa.Integer(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("updated_at", Time(), nullable=False),
        sa.ForeignKeyConstraint(
            ["head_version_id"], ["version.id"], name=op.f("fk_branch_head_version_id_version"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["pacticipant_id"],
            ["pacticipant.id"],
            name=op.f("fk_branch_pacticipant_id_pacticipant"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_branch")),
        sa.UniqueConstraint("pacticipant_id", "name", name=op.f("uq_branch_pacticipant_id_name")),
    )
    op.create_index(op.f("ix_branch_head_version_id"), "branch", ["head_version_id"], unique=False)
    op.create_table(
        "deployed_version",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("pacticipant_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("environment_id", sa.Integer(), nullable=False),
        sa.Column("application_instance", sa.Text(), nullable=True),
        sa.Column("is_auto_created", sa.Boolean(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("updated_at", Time(), nullable=False),
        sa.Column("undeployed_at", Time(), nullable=True),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environment.id"],
            name=op.f("fk_deployed_version_environment_id_environment"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pacticipant_id"],
            ["pacticipant.id"],
            name=op.f("fk_deployed_version_pacticipant_id_pacticipant"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name=op.f("fk_deployed_version_version_id_version"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployed_version")),
        sa.UniqueConstraint("uuid", name=op.f("uq_deployed_version_uuid")),
    )
    op.create_index(op.f("ix_deployed_version_pacticipant_id"), "deployed_version", ["pacticipant_id"], unique=False)
    op.create_index(
        "ix_deployed_version_running",
        "deployed_version",
        ["pacticipant_id"],
        unique=False,
        sqlite_where=sa.text("undeployed_at IS NULL"),
        postgresql_where=sa.text("undeployed_at IS NULL"),
    )
    op.create_index(
        op.f("ix_deployed_version_version_id_environment_id"),
        "deployed_version",
        ["version_id", "environment_id"],
        unique=False,
    )
    op.create_table(
        "publication",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("consumer_id", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Integer(), nullable=False),
        sa.Column("consumer_version_id", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consumer_id"], ["pacticipant.id"], name=op.f("fk_publication_consumer_id_pacticipant"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["consumer_version_id"],
            ["version.id"],
            name=op.f("fk_publication_consumer_version_id_version"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["content_id"], ["content.id"], name=op.f("fk_publication_content_id_content"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["pacticipant.id"], name=op.f("fk_publication_provider_id_pacticipant"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication")),
        sa.UniqueConstraint(
            "consumer_version_id",
            "provider_id",
            "revision",
            name=op.f("uq_publication_consumer_version_id_provider_id_revision"),
        ),
    )
    op.create_index(
        op.f("ix_publication_consumer_id_provider_id_position"),
        "publication",
        ["consumer_id", "provider_id", "position"],
        unique=False,
    )
    op.create_index(op.f("ix_publication_content_id_position"), "publication", ["content_id", "position"], unique=False)
    op.create_index(op.f("ix_publication_created_at"), "publication", ["created_at"], unique=False)
    op.create_index(op.f("ix_publication_provider_id"), "publication", ["provider_id"], unique=False)
    op.create_table(
        "released_version",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("pacticipant_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("environment_id", sa.Integer(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("updated_at", Time(), nullable=False),
        sa.Column("support_ended_at", Time(), nullable=True),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environment.id"],
            name=op.f("fk_released_version_environment_id_environment"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pacticipant_id"],
            ["pacticipant.id"],
            name=op.f("fk_released_version_pacticipant_id_pacticipant"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name=op.f("fk_released_version_version_id_version"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_released_version")),
        sa.UniqueConstraint("uuid", name=op.f("uq_released_version_uuid")),
        sa.UniqueConstraint("version_id", "environment_id", name=op.f("uq_released_version_version_id_environment_id")),
    )
    op.create_index(op.f("ix_released_version_pacticipant_id"), "released_version", ["pacticipant_id"], unique=False)
    op.create_index(
        "ix_released_version_supported",
        "released_version",
        ["environment_id", "pacticipant_id"],
        unique=False,
        sqlite_where=sa.text("support_ended_at IS NULL"),
        postgresql_where=sa.text("support_ended_at IS NULL"),
    )
    op.create_index(
        "ix_released_version_supported_of",
        "released_version",
        ["pacticipant_id"],
        unique=False,
        sqlite_where=sa.text("support_ended_at IS NULL"),
        postgresql_where=sa.text("support_ended_at IS NULL"),
    )
    op.create_table(
        "tag",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("pacticipant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("updated_at", Time(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pacticipant_id"], ["pacticipant.id"], name=op.f("fk_tag_pacticipant_id_pacticipant"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name=op.f("fk_tag_version_id_version"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag")),
        sa.UniqueConstraint("version_id", "name", name=op.f("uq_tag_version_id_name")),
    )
    op.create_index(
        op.f("ix_tag_pacticipant_id_name_position"), "tag", ["pacticipant_id", "name", "position"], unique=False
    )
    op.create_table(
        "tag_head",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("pacticipant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pacticipant_id"],
            ["pacticipant.id"],
            name=op.f("fk_tag_head_pacticipant_id_pacticipant"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name=op.f("fk_tag_head_version_id_version"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_head")),
        sa.UniqueConstraint("pacticipant_id", "name", name=op.f("uq_tag_head_pacticipant_id_name")),
    )
    op.create_index(op.f("ix_tag_head_version_id"), "tag_head", ["version_id"], unique=False)
    op.create_table(
        "verification",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=101), nullable=False),
        sa.Column("consumer_id", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("provider_version_id", sa.Integer(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("is_latest", sa.Boolean(), nullable=False),
        sa.Column("is_wip", sa.Boolean(), nullable=False),
        sa.Column("was_pending", sa.Boolean(), nullable=True),
        sa.Column("build_url", sa.Text(), nullable=True),
        sa.Column("verified_at", Time(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("selectors", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("verified_by", sa.Text(), nullable=True),
        sa.Column("test_results", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["consumer_id"],
            ["pacticipant.id"],
            name=op.f("fk_verification_consumer_id_pacticipant"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["content_id"], ["content.id"], name=op.f("fk_verification_content_id_content"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["pacticipant.id"],
            name=op.f("fk_verification_provider_id_pacticipant"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["provider_version_id"],
            ["version.id"],
            name=op.f("fk_verification_provider_version_id_version"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_verification_consumer_id_provider_id"), "verification", ["consumer_id", "provider_id"], unique=False
    )
    op.create_index(
        op.f("ix_verification_content_id_provider_version_id"),
        "verification",
        ["content_id", "provider_version_id"],
        unique=False,
    )
    op.create_index(op.f("ix_verification_provider_id"), "verification", ["provider_id"], unique=False)
    op.create_index(op.f("ix_verification_provider_version_id"), "verification", ["provider_version_id"], unique=False)
    op.create_table(
        "webhook_event",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_event_webhook_id_webhook"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_event")),
        sa.UniqueConstraint("webhook_id", "name", name=op.f("uq_webhook_event_webhook_id_name")),
    )
    op.create_table(
        "branch_version",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_auto_created", sa.Boolean(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("updated_at", Time(), nullable=False),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branch.id"], name=op.f("fk_branch_version_branch_id_branch"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name=op.f("fk_branch_version_version_id_version"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_branch_version")),
        sa.UniqueConstraint("branch_id", "version_id", name=op.f("uq_branch_version_branch_id_version_id")),
    )
    op.create_index(
        op.f("ix_branch_version_branch_id_position"), "branch_version", ["branch_id", "position"], unique=False
    )
    op.create_index(op.f("ix_branch_version_version_id"), "branch_version", ["version_id"], unique=False)
    op.create_table(
        "integration",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("consumer_id", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Integer(), nullable=False),
        sa.Column("latest_publication_id", sa.Integer(), nullable=True),
        sa.Column("contract_data_updated_at", Time(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consumer_id"], ["pacticipant.id"], name=op.f("fk_integration_consumer_id_pacticipant"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["latest_publication_id"],
            ["publication.id"],
            name=op.f("fk_integration_latest_publication_id_publication"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["pacticipant.id"], name=op.f("fk_integration_provider_id_pacticipant"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integration")),
        sa.UniqueConstraint("consumer_id", "provider_id", name=op.f("uq_integration_consumer_id_provider_id")),
    )
    op.create_index(
        op.f("ix_integration_latest_publication_id"), "integration", ["latest_publication_id"], unique=False
    )
    op.create_index(op.f("ix_integration_provider_id"), "integration", ["provider_id"], unique=False)
    op.create_table(
        "tag_success",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("verification_id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("is_wip", sa.Boolean(), nullable=False),
        sa.Column("verified_at", Time(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"], ["content.id"], name=op.f("fk_tag_success_content_id_content"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["verification_id"],
            ["verification.id"],
            name=op.f("fk_tag_success_verification_id_verification"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_success")),
    )
    op.create_index(op.f("ix_tag_success_content_id_tag"), "tag_success", ["content_id", "tag"], unique=False)
    op.create_index(op.f("ix_tag_success_verification_id"), "tag_success", ["verification_id"], unique=False)
    op.create_table(
        "triggered_webhook",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=True),
        sa.Column("consumer_id", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Integer(), nullable=False),
        sa.Column("publication_id", sa.Integer(), nullable=True),
        sa.Column("verification_id", sa.Integer(), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", Time(), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consumer_id"],
            ["pacticipant.id"],
            name=op.f("fk_triggered_webhook_consumer_id_pacticipant"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["pacticipant.id"],
            name=op.f("fk_triggered_webhook_provider_id_pacticipant"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["publication_id"],
            ["publication.id"],
            name=op.f("fk_triggered_webhook_publication_id_publication"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["verification_id"],
            ["verification.id"],
            name=op.f("fk_triggered_webhook_verification_id_verification"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_triggered_webhook_webhook_id_webhook"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_triggered_webhook")),
        sa.UniqueConstraint("uuid", name=op.f("uq_triggered_webhook_uuid")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_triggered_webhook_consumer_id_provider_id_webhook_id_event"),
        "triggered_webhook",
        ["consumer_id", "provider_id", "webhook_id", "event"],
        unique=False,
    )
    op.create_index(
        "ix_triggered_webhook_due",
        "triggered_webhook",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_triggered_webhook_order",
        "triggered_webhook",
        ["webhook_id", "consumer_id", "provider_id", "id"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_triggered_webhook_provider_id"), "triggered_webhook", ["provider_id"], unique=False)
    op.create_index(op.f("ix_triggered_webhook_publication_id"), "triggered_webhook", ["publication_id"], unique=False)
    op.create_index(
        op.f("ix_triggered_webhook_verification_id"), "triggered_webhook", ["verification_id"], unique=False
    )
    op.create_index(op.f("ix_triggered_webhook_webhook_id"), "triggered_webhook", ["webhook_id"], unique=False)
    op.create_table(
        "webhook_execution",
        sa.Column("id", sa.Integer(), sa.Identity(always=False, start=1), nullable=False),
        sa.Column("triggered_webhook_id", sa.Integer(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("logs", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["triggered_webhook_id"],
            ["triggered_webhook.id"],
            name=op.f("fk_webhook_execution_triggered_webhook_id_triggered_webhook"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_execution")),
    )
    op.create_index(
        op.f("ix_webhook_execution_triggered_webhook_id"), "webhook_execution", ["triggered_webhook_id"], unique=False
    )
    op.create_index(
        "uq_deployed_version_running",
        "deployed_version",
        ["environment_id", "pacticipant_id", sa.text("coalesce(application_instance, '')")],
        unique=True,
        sqlite_where=sa.text("undeployed_at IS NULL"),
        postgresql_where=sa.text("undeployed_at IS NULL"),
    )
