"""What Pact's library logs, in a file."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOGGER: Final = logging.getLogger("pact")
_FORM: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_begun: set[Path] = set()


@contextmanager
def logged_to(path: Path, level: int = logging.INFO) -> Iterator[None]:
    """Log to a file until the block ends; the first block of a process begins the file anew."""
    handler = open_log(path, level)
    try:
        yield
    finally:
        close_log(handler)


def open_log(path: Path, level: int = logging.INFO) -> logging.Handler:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="a" if path in _begun else "w", encoding="utf-8")
    _begun.add(path)
    handler.setFormatter(logging.Formatter(_FORM))
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(min(_LOGGER.level or level, level))
    return handler


def close_log(handler: logging.Handler) -> None:
    _LOGGER.removeHandler(handler)
    handler.close()
