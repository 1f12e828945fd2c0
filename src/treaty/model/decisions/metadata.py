"""Metadata in URLs: why a pact was selected, carried from where it is fetched to where its result is published.

A nested query string in URL-safe Base64 without padding. Clients copy it; only the broker reads it.
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
    """One selector that a pact was found with; `version_id` is the consumer version that it found."""

    branch: str | None = None
    tag: str | None = None
    is_latest: bool = False
    environment: str | None = None
    version_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Metadata:
    """What an URL says about the pact behind it."""

    version_number: str | None = None
    version_id: int | None = None
    tags: tuple[str, ...] = ()
    is_wip: bool = False
    is_pending: bool | None = None
    selected_by: tuple[SelectedBy, ...] = ()

    @property
    def version_ids(self) -> tuple[int, ...]:
        """Every consumer version named, each once."""
        ids = [self.version_id, *(one.version_id for one in self.selected_by)]
        return tuple(dict.fromkeys(one for one in ids if one is not None))


@lru_cache(maxsize=4096)
def encode(metadata: Metadata) -> str:
    """Make the segment of an URL that says this."""
    text = "&".join([f"{key}={quote_plus(value)}" for key, value in _pairs(metadata)])
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _pairs(metadata: Metadata) -> Iterable[tuple[str, str]]:
    """List keys, encoded as an URL has them, with their values."""
    if metadata.version_number is not None:
        yield "cvn", metadata.version_number
    for tag in metadata.tags:
        yield "cvt%5B%5D", tag
    if metadata.version_id is not None:
        yield "cv", str(metadata.version_id)
    for one in metadata.selected_by:
        given = {
            "b": one.branch,
            "t": one.tag,
            "l": "true" if one.is_latest else None,
            "e": one.environment,
            "cv": one.version_id,
        }
        yield from ((f"s%5B%5D%5B{key}%5D", str(value)) for key, value in given.items() if value is not None)
    if metadata.is_wip:
        yield "w", "true"
    if metadata.is_pending is not None:
        yield "p", "true" if metadata.is_pending else "false"


def decode_segment(segment: str) -> str:
    """Decode a segment to the query string that it holds; what cannot be decoded is as if empty."""
    padded = segment + "=" * (-len(segment) % 4)
    try:
        return base64.urlsafe_b64decode(padded.replace("+", "-").replace("/", "_")).decode()
    except (binascii.Error, ValueError):
        return ""


def parse_query(query: Mapping[str, Any]) -> Metadata:
    """Read what a decoded query string says; what makes no sense in it is passed over."""
    selectors = [one for one in _listed(query.get("s")) if isinstance(one, Mapping)]
    pending = query.get("p")
    return Metadata(
        version_number=_text(query.get("cvn")),
        version_id=_number(query.get("cv")),
        tags=tuple(one for one in _listed(query.get("cvt")) if isinstance(one, str)),
        is_wip=query.get("w") == "true",
        is_pending={"true": True, "false": False}.get(pending) if isinstance(pending, str) else None,
        selected_by=tuple(_selected_by(one) for one in selectors),
    )


def _selected_by(selector: Mapping[str, Any]) -> SelectedBy:
    return SelectedBy(
        branch=_text(selector.get("b")),
        tag=_text(selector.get("t")),
        is_latest=selector.get("l") == "true",
        environment=_text(selector.get("e")),
        version_id=_number(selector.get("cv")),
    )


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10 else None  # noqa: PLR2004 - an id fits into nine digits
