"""Bodies that are sequences of JSON values, each with the `itemSchema` of its media type (OpenAPI 3.2)."""

import json
from collections.abc import Sequence
from typing import Any, Final

from treaty.model.compare.exchanges import Exchange
from treaty.model.compare.findings import ABSENT
from treaty.model.compare.openapi import Body

_TYPES: Final = frozenset({"application/jsonl", "application/x-ndjson", "application/ndjson", "application/json-seq"})
_RECORD_SEPARATOR: Final = "\x1e"


def find_items(exchange: Exchange, declared: Body, media_type: str, body: Any) -> Sequence[Any] | None:
    """Return the values of a body that is a sequence of JSON values; None if it is compared as others are."""
    document = exchange.operation.document
    if not document.has_additions or declared.item_schema_of(media_type) is ABSENT:
        return None
    items = _parse(body) if media_type.partition(";")[0].strip().lower() in _TYPES else None
    if items is None and body is not ABSENT:
        document.note(
            "media-type.item-schema.ignored",
            f"Items of {media_type} bodies cannot be compared, except lines of JSON.",
            exchange.operation.location,
        )
    return items


def _parse(body: Any) -> Sequence[Any] | None:
    if isinstance(body, list):
        return body
    if not isinstance(body, str):
        return None
    separator = _RECORD_SEPARATOR if _RECORD_SEPARATOR in body else "\n"
    try:
        return [json.loads(item) for item in body.split(separator) if item.strip()]
    except (ValueError, RecursionError):
        return None
