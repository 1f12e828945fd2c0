"""Writes the log of Pact's library to a file."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOGGER: Final = logging.getLogger("pact")
_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_opened_paths: set[Path] = set()
"""Files that this process has begun. Later tests append to them; files of earlier runs are overwritten."""


@contextmanager
def logged_to(path: Path, level: int = logging.INFO) -> Iterator[None]:
    """Log to a file until the block ends. The first block of a process overwrites the file."""
    handler = open_log(path, level)
    try:
        yield
    finally:
        close_log(handler)


def open_log(path: Path, level: int = logging.INFO) -> logging.Handler:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="a" if path in _opened_paths else "w", encoding="utf-8")
    _opened_paths.add(path)
    handler.setFormatter(logging.Formatter(_FORMAT))
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(min(_LOGGER.level or level, level))
    return handler


def close_log(handler: logging.Handler) -> None:
    _LOGGER.removeHandler(handler)
    handler.close()
