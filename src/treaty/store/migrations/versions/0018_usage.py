"""The usage index. It is empty: the indexing worker of the servers adds the contents of existing pacts."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _add_terms()
    _add_interactions()
    _add_links()
    if op.get_bind().dialect.name == "sqlite":
        _add_full_text_index()


def _key(table: str, column: str, referred: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{referred}")
    return sa.ForeignKeyConstraint([column], [f"{referred}.id"], name=name, ondelete="CASCADE")


def _add_terms() -> None:
    op.create_table(
        "usage_term",
        sa.Column("id", sa.Integer(), sa.Identity(start=1), nullable=False),
        sa.Column("provider_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_term")),
        _key("usage_term", "provider_id", "pacticipant"),
        sa.UniqueConstraint("provider_id", "name", "place", name=op.f("uq_usage_term_provider_id_name_place")),
    )
    op.create_index("ix_usage_term_provider_id_place", "usage_term", ["provider_id", "place"])
    op.create_index("ix_usage_term_provider_id_field", "usage_term", ["provider_id", "field"])
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_usage_term_words",
            "usage_term",
            [sa.text("array_to_tsvector(string_to_array(words, ' '))")],
            postgresql_using="gin",
        )


def _add_interactions() -> None:
    op.create_table(
        "usage_interaction",
        sa.Column("id", sa.Integer(), sa.Identity(start=1), nullable=False),
        sa.Column("consumer_id", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("description_id", sa.Integer(), nullable=False),
        sa.Column("operation_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_interaction")),
        _key("usage_interaction", "consumer_id", "pacticipant"),
        _key("usage_interaction", "provider_id", "pacticipant"),
        _key("usage_interaction", "description_id", "usage_term"),
        _key("usage_interaction", "operation_id", "usage_term"),
        sa.UniqueConstraint(
            "consumer_id",
            "provider_id",
            "digest",
            name=op.f("uq_usage_interaction_consumer_id_provider_id_digest"),
        ),
    )
    for column in ("provider_id", "description_id", "operation_id"):
        op.create_index(f"ix_usage_interaction_{column}", "usage_interaction", [column])


def _add_links() -> None:
    op.create_table(
        "usage_expectation",
        sa.Column("term_id", sa.Integer(), nullable=False),
        sa.Column("interaction_id", sa.Integer(), nullable=False),
        sa.Column("strictness", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("term_id", "interaction_id", name=op.f("pk_usage_expectation")),
        _key("usage_expectation", "term_id", "usage_term"),
        _key("usage_expectation", "interaction_id", "usage_interaction"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage_occurrence",
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("interaction_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", "interaction_id", name=op.f("pk_usage_occurrence")),
        _key("usage_occurrence", "content_id", "content"),
        _key("usage_occurrence", "interaction_id", "usage_interaction"),
        sqlite_with_rowid=False,
    )
    for table in ("usage_expectation", "usage_occurrence"):
        op.create_index(f"ix_{table}_interaction_id", table, ["interaction_id"])
    op.create_table(
        "usage_content",
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("format", sa.SmallInteger(), nullable=False),
        sa.Column("interactions", sa.Integer(), nullable=False),
        sa.Column("is_truncated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", name=op.f("pk_usage_content")),
        _key("usage_content", "content_id", "content"),
    )


def _add_full_text_index() -> None:
    # The words are split already (model/usage/words.py). The tokenizer `ascii` splits at spaces only, since words have
    # neither punctuation nor upper-case letters. Positions are not needed, since all queries are for sets of words.
    op.execute(
        "CREATE VIRTUAL TABLE usage_text USING fts5"
        "(words, content='usage_term', content_rowid='id', tokenize='ascii', detail='none', columnsize=0)"
    )
    op.execute(
        "CREATE TRIGGER usage_term_added AFTER INSERT ON usage_term BEGIN"
        " INSERT INTO usage_text (rowid, words) VALUES (new.id, new.words); END"
    )
    op.execute(
        "CREATE TRIGGER usage_term_removed AFTER DELETE ON usage_term BEGIN"
        " INSERT INTO usage_text (usage_text, rowid, words) VALUES ('delete', old.id, old.words); END"
    )
