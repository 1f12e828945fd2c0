"""Metadata in URLs: why a pact was selected, carried from the fetch of the pact to the publication of its result.

It is a nested query string in URL-safe Base64 without padding. Clients copy it; only the broker reads it. The keys and
their order are the original's.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectedBy:
    """A selector that matched a pact; `version_id` is the consumer version that it matched."""

    branch: str | None = None
    tag: str | None = None
    is_latest: bool = False
    environment: str | None = None
    version_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Metadata:
    """The selection of a pact, as its URL carries it."""

    version_number: str | None = None
    version_id: int | None = None
    tags: tuple[str, ...] = ()
    is_wip: bool = False
    is_pending: bool | None = None
    selected_by: tuple[SelectedBy, ...] = ()

    @property
    def version_ids(self) -> tuple[int, ...]:
        """The ids of all consumer versions in the metadata, without repetitions."""
        ids = [self.version_id, *(selected_by.version_id for selected_by in self.selected_by)]
        return tuple(dict.fromkeys(version_id for version_id in ids if version_id is not None))


@lru_cache(maxsize=4096)
def encode(metadata: Metadata) -> str:
    """Encode metadata as a path segment."""
    text = "&".join([f"{key}={quote_plus(value)}" for key, value in _pairs(metadata)])
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _pairs(metadata: Metadata) -> Iterable[tuple[str, str]]:
    """Yield the percent-encoded keys with their values. `s%5B%5D%5Bb%5D` is `s[][b]`."""
    if metadata.version_number is not None:
        yield "cvn", metadata.version_number
    for tag in metadata.tags:
        yield "cvt%5B%5D", tag
    if metadata.version_id is not None:
        yield "cv", str(metadata.version_id)
    for selected_by in metadata.selected_by:
        values = {
            "b": selected_by.branch,
            "t": selected_by.tag,
            "l": "true" if selected_by.is_latest else None,
            "e": selected_by.environment,
            "cv": selected_by.version_id,
        }
        yield from ((f"s%5B%5D%5B{key}%5D", str(value)) for key, value in values.items() if value is not None)
    if metadata.is_wip:
        yield "w", "true"
    if metadata.is_pending is not None:
        yield "p", "true" if metadata.is_pending else "false"


def decode_segment(segment: str) -> str:
    """Decode a path segment to a query string, which is empty if the segment cannot be decoded."""
    # The standard alphabet of Base64 is accepted as well as the URL-safe one, as in the original.
    padded = segment + "=" * (-len(segment) % 4)
    try:
        return base64.urlsafe_b64decode(padded.replace("+", "-").replace("/", "_")).decode()
    except (binascii.Error, ValueError):
        return ""


def parse_query(query: Mapping[str, Any]) -> Metadata:
    """Read metadata from a parsed query string. Values of a wrong type are ignored.

    A damaged URL must not prevent a build from publishing its result.
    """
    selectors = [selector for selector in _list(query.get("s")) if isinstance(selector, Mapping)]
    pending = query.get("p")
    return Metadata(
        version_number=_text(query.get("cvn")),
        version_id=_number(query.get("cv")),
        tags=tuple(tag for tag in _list(query.get("cvt")) if isinstance(tag, str)),
        is_wip=query.get("w") == "true",
        is_pending={"true": True, "false": False}.get(pending) if isinstance(pending, str) else None,
        selected_by=tuple(_selected_by(selector) for selector in selectors),
    )


def _selected_by(selector: Mapping[str, Any]) -> SelectedBy:
    return SelectedBy(
        branch=_text(selector.get("b")),
        tag=_text(selector.get("t")),
        is_latest=selector.get("l") == "true",
        environment=_text(selector.get("e")),
        version_id=_number(selector.get("cv")),
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> int | None:
    # The length keeps ids within the range of the databases' integers.
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10 else None  # noqa: PLR2004 - an id fits into nine digits
