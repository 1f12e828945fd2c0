"""Contracts of providers, and their comparison with pacts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from treaty.store.tables import Time

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pacticipant", sa.Column("comparison_profile", sa.Text(), nullable=True))
    op.add_column("version", sa.Column("documents_sha", sa.Text(), nullable=True))
    op.add_column("version", sa.Column("is_self_verified", sa.Boolean(), nullable=True))
    _create_partial_index("ix_version_with_documents", "version", ["pacticipant_id", "documents_sha"], "documents_sha")
    _create_contracts()
    _create_comparisons()


def _create_contracts() -> None:
    op.create_table(
        "provider_document",
        *_id("provider_document"),
        *_to("provider_document", "pacticipant", "provider_id"),
        sa.Column("sha", sa.Text(), nullable=False),
        sa.Column("specification", sa.Text(), nullable=False),
        sa.Column("operations", sa.Text(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("provider_id", "sha", name=op.f("uq_provider_document_provider_id_sha")),
    )
    op.create_table(
        "provider_contract",
        *_id("provider_contract"),
        *_to("provider_contract", "version"),
        *_to("provider_contract", "provider_document"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.UniqueConstraint("version_id", "name", name=op.f("uq_provider_contract_version_id_name")),
    )
    _create_index("provider_contract", "provider_document_id")
    op.create_table(
        "self_verification",
        *_id("self_verification"),
        *_to("self_verification", "provider_contract"),
        sa.Column("success", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("content_type", "format")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("verifier", "verifier_version")),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
    )
    _create_index("self_verification", "provider_contract_id")


def _create_comparisons() -> None:
    op.create_table(
        "comparison",
        *_id("comparison"),
        *_to("comparison", "content"),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("documents_sha", "engine", "profile")),
        sa.Column("is_compatible", sa.Boolean(), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("announced_success", sa.Boolean(), nullable=True),
        sa.Column("created_at", Time(), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint(
            *("content_id", "documents_sha", "engine", "profile"),
            name=op.f("uq_comparison_content_id_documents_sha_engine_profile"),
        ),
    )
    op.add_column("verification", sa.Column("comparison_id", sa.Integer(), nullable=True))
    _create_partial_index("ix_verification_compared", "verification", ["comparison_id"], "comparison_id")
    op.create_table(
        "comparison_task",
        *_id("comparison_task"),
        *_to("comparison_task", "version", is_nullable=True),
        *_to("comparison_task", "content", is_nullable=True),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("due_at", Time(), nullable=False),
        sa.Column("created_at", Time(), nullable=False),
        sa.UniqueConstraint("version_id", "content_id", name=op.f("uq_comparison_task_version_id_content_id")),
    )
    _create_index("comparison_task", "content_id")
    _create_index("comparison_task", "due_at")


def _id(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.Integer(), sa.Identity(start=1), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]


def _to(table: str, other: str, name: str | None = None, *, is_nullable: bool = False) -> list[sa.schema.SchemaItem]:
    column = name or f"{other}_id"
    key: Any = sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), ondelete="CASCADE"
    )
    return [sa.Column(column, sa.Integer(), nullable=is_nullable), key]


def _create_index(table: str, column: str) -> None:
    op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def _create_partial_index(name: str, table: str, columns: list[str], column: str) -> None:
    condition = sa.text(f"{column} IS NOT NULL")
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
