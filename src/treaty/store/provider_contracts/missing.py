"""Collects the pairs whose comparison a request needs, wherever in the request that is found out.

The server compares them after the request's transaction, and runs the request again.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from treaty.model.provider_contracts.comparisons import PairKey

_missing: Final[ContextVar[dict[PairKey, None] | None]] = ContextVar("missing_comparisons", default=None)


@contextmanager
def collect_missing() -> Iterator[dict[PairKey, None]]:
    """Collect missing pairs; the dictionary keeps their order, and each of them once."""
    pairs: dict[PairKey, None] = {}
    token = _missing.set(pairs)
    try:
        yield pairs
    finally:
        _missing.reset(token)


def has_missing() -> bool:
    """Whether the request has noted missing pairs."""
    return bool(_missing.get())


def note_missing(pairs: Iterable[PairKey]) -> None:
    """Note pairs that have to be compared. Does nothing outside of requests, as in commands."""
    collected = _missing.get()
    if collected is not None:
        collected.update(dict.fromkeys(pairs))
