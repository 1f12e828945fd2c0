"""Search in the names of branches, labels and webhooks. What pacts contain is found by the usage index."""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, Integer, Select, bindparam, func, select

from treaty.model.usage.words import list_query_words, matches
from treaty.store.engine.database import fetch_column, fetch_rows
from treaty.store.engine.listing import escape_like
from treaty.store.tables import branch, label, pacticipant, webhook

MAX_CANDIDATES: Final = 1000
"""Branches of which the words are compared."""
_PARTS: Final = 2
"""Words by which the database chooses candidates, the longest first."""


def _has_parts(column: ColumnElement[str]) -> list[ColumnElement[bool]]:
    return [column.icontains(bindparam(f"part{index}"), escape="!") for index in range(_PARTS)]


_BRANCHES: Final = (
    select(pacticipant.c.name.label("pacticipant"), branch.c.name)
    .join_from(branch, pacticipant, pacticipant.c.id == branch.c.pacticipant_id)
    .where(*_has_parts(branch.c.name))
    .order_by(func.length(branch.c.name), branch.c.name, pacticipant.c.name)
    .limit(bindparam("limit", type_=Integer))
)
_LABELS: Final[Select[str]] = select(label.c.name).distinct().order_by(label.c.name)
_WEBHOOKS: Final = (
    select(webhook.c.uuid, webhook.c.description).where(webhook.c.description.is_not(None)).order_by(webhook.c.id)
)


def list_branches(db: Connection, text: str, limit: int) -> list[tuple[str, str]]:
    """List branches that have the words of a text, as pairs of application and branch; the shortest names first."""
    words = list_query_words(text)
    # A part of a name that a word begins with is in the name. SQLite ignores the case of ASCII letters only, so other
    # words choose no candidates.
    parts = sorted((word for word in words if word.isascii()), key=len, reverse=True)[:_PARTS]
    params = {f"part{index}": escape_like(part) for index, part in enumerate((*parts, *[""] * (_PARTS - len(parts))))}
    rows = fetch_rows(db, _BRANCHES, {**params, "limit": MAX_CANDIDATES}) if words else ()
    return [(row.pacticipant, row.name) for row in rows if matches(words, row.name)][:limit]


def list_labels(db: Connection, text: str, limit: int) -> list[str]:
    """List labels that have the words of a text."""
    words = list_query_words(text)
    return [name for name in fetch_column(db, _LABELS, {}) if matches(words, name)][:limit] if words else []


def list_webhooks(db: Connection, text: str, limit: int) -> Sequence[tuple[str, str]]:
    """List webhooks whose descriptions have the words of a text, as pairs of UUID and description."""
    words = list_query_words(text)
    return list(_iterate_webhooks(db, words))[:limit] if words else []


def _iterate_webhooks(db: Connection, words: list[str]) -> Iterator[tuple[str, str]]:
    for row in fetch_rows(db, _WEBHOOKS, {}):
        if matches(words, row.description):
            yield row.uuid, row.description
