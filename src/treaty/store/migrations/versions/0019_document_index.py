"""The words of providers' documents, for search, and a covering index of the usage index.

The first is empty: the indexing worker of the servers adds existing documents.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _add_documents()
    op.create_index("ix_usage_expectation_interaction_id_term_id", "usage_expectation", ["interaction_id", "term_id"])
    op.drop_index("ix_usage_expectation_interaction_id", "usage_expectation")


def _add_documents() -> None:
    op.create_table(
        "document_index",
        sa.Column("provider_document_id", sa.Integer(), nullable=False),
        sa.Column("format", sa.SmallInteger(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("provider_document_id", name=op.f("pk_document_index")),
        sa.ForeignKeyConstraint(
            ["provider_document_id"],
            ["provider_document.id"],
            name=op.f("fk_document_index_provider_document_id_provider_document"),
            ondelete="CASCADE",
        ),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_document_index_words",
            "document_index",
            [sa.text("array_to_tsvector(string_to_array(words, ' '))")],
            postgresql_using="gin",
        )
    else:
        _add_full_text_index()


def _add_full_text_index() -> None:
    # As the index of the words in pacts, `usage_text`.
    op.execute(
        "CREATE VIRTUAL TABLE usage_text_documents USING fts5(words, content='document_index',"
        " content_rowid='provider_document_id', tokenize='ascii', detail='none', columnsize=0)"
    )
    op.execute(
        "CREATE TRIGGER document_index_added AFTER INSERT ON document_index BEGIN"
        " INSERT INTO usage_text_documents (rowid, words) VALUES (new.provider_document_id, new.words); END"
    )
    op.execute(
        "CREATE TRIGGER document_index_removed AFTER DELETE ON document_index BEGIN"
        " INSERT INTO usage_text_documents (usage_text_documents, rowid, words)"
        " VALUES ('delete', old.provider_document_id, old.words); END"
    )
