"""Collects the pairs whose comparison a request needs, wherever in the request that is found out.

The server compares them after the request's transaction, and runs the request again.
"""

from collections.abc import Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from treaty.model.provider_contracts.comparisons import PairKey

_missing: Final["ContextVar[dict[PairKey, None] | None]"] = ContextVar("missing_comparisons", default=None)


class collect_missing:  # noqa: N801 - a context manager, used as a function
    """Collect missing pairs; the dictionary keeps their order, and each of them once.

    A class, since every request passes here, and a generator takes several times as long.
    """

    __slots__ = ("_token",)

    def __enter__(self) -> "dict[PairKey, None]":
        pairs: dict[PairKey, None] = {}
        self._token = _missing.set(pairs)
        return pairs

    def __exit__(self, *_: object) -> None:
        _missing.reset(self._token)


def has_missing() -> bool:
    """Whether the request has noted missing pairs."""
    return bool(_missing.get())


def note_missing(pairs: "Iterable[PairKey]") -> None:
    """Note pairs that have to be compared. Does nothing outside of requests, as in commands."""
    collected = _missing.get()
    if collected is not None:
        collected.update(dict.fromkeys(pairs))
