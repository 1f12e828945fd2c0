"""Contents and documents that wait to be indexed. Workers poll with these queries, which need no rules."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, exists, func, select

from treaty.model.usage.formats import CONTENT_FORMAT, DOCUMENT_FORMAT
from treaty.store.engine.database import fetch_column, fetch_rows, fetch_scalar
from treaty.store.tables import content, document_index, pacticipant, provider_document, usage_content


@dataclass(frozen=True, slots=True)
class WaitingContent:
    """A content that is not indexed, with the names of its pair."""

    id: int
    consumer: str
    provider: str


_IS_INDEXED: Final = exists().where(
    usage_content.c.content_id == content.c.id, usage_content.c.format == CONTENT_FORMAT
)
_consumer: Final = pacticipant.alias("consumer")
_provider: Final = pacticipant.alias("provider")
# Newest first: the pacts that are in use are most often among them.
_WAITING: Final = (
    select(content.c.id, _consumer.c.name.label("consumer"), _provider.c.name.label("provider"))
    .join_from(content, _consumer, _consumer.c.id == content.c.consumer_id)
    .join(_provider, _provider.c.id == content.c.provider_id)
    .where(content.c.id > bindparam("after"), ~_IS_INDEXED)
    .order_by(content.c.id.desc())
    .limit(bindparam("limit"))
)
# Reads an index only. Contents are large, so that reading their rows takes a hundred times as long.
_ANY: Final = select(content.c.id).where(~_IS_INDEXED).limit(1)
_NEWEST: Final = select(func.coalesce(func.max(content.c.id), 0))


def list_contents(db: Connection, limit: int, *, after: int = 0) -> list[WaitingContent]:
    """List contents that are not indexed, newest first; with `after`, only those with higher ids."""
    return [WaitingContent(*row) for row in fetch_rows(db, _WAITING, {"limit": limit, "after": after})]


def has_any(db: Connection) -> bool:
    """Whether any content is not indexed."""
    return bool(fetch_rows(db, _ANY, {}))


def find_newest_content(db: Connection) -> int:
    """Find the highest id of a content; 0 if there is none."""
    newest: int = fetch_scalar(db, _NEWEST, {})
    return newest


_IS_DOCUMENT_INDEXED: Final = exists().where(
    document_index.c.provider_document_id == provider_document.c.id, document_index.c.format == DOCUMENT_FORMAT
)
_WAITING_DOCUMENTS: Final = (
    select(provider_document.c.id).where(~_IS_DOCUMENT_INDEXED).order_by(provider_document.c.id.desc()).limit(1)
)


def find_document(db: Connection) -> int | None:
    """Find the newest document that is not indexed."""
    return next(iter(fetch_column(db, _WAITING_DOCUMENTS, {})), None)
