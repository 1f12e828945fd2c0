"""The operations of contents, from the usage index."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import BindParameter, Connection, bindparam, case, select

from treaty.model.usage.expectations import Place
from treaty.model.usage.formats import CONTENT_FORMAT
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.tables import usage_content, usage_interaction, usage_occurrence, usage_term

_IDS: Final[BindParameter[Sequence[int]]] = bindparam("ids", expanding=True)
_INDEXED: Final = select(usage_content.c.content_id).where(
    usage_content.c.content_id.in_(_IDS), usage_content.c.format == CONTENT_FORMAT, ~usage_content.c.is_truncated
)
_OPERATIONS: Final = (
    select(
        usage_occurrence.c.content_id,
        case((usage_term.c.place == Place.OPERATION.value, usage_term.c.name)).label("operation"),
    )
    .select_from(usage_occurrence)
    .join(usage_interaction, usage_interaction.c.id == usage_occurrence.c.interaction_id)
    .outerjoin(usage_term, usage_term.c.id == usage_interaction.c.operation_id)
    .where(usage_occurrence.c.content_id.in_(_IDS))
    .distinct()
)


def load_operations(db: Connection, content_ids: Collection[int]) -> dict[int, set[str | None]]:
    """Load the operations of each content that is indexed completely; None for an interaction without a path."""
    operations: dict[int, set[str | None]] = {
        row.content_id: set() for row in fetch_in_batches(db, _INDEXED, content_ids)
    }
    for row in fetch_in_batches(db, _OPERATIONS, operations):
        operations[row.content_id].add(row.operation)
    return operations
