"""Files with a position in the event log, which survive the kill of the command and of the machine."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from treaty.cli.output_files import naming
from treaty.cli.program import Failure


class CursorFile:
    """A file with a cursor. Without a path, the cursor is only in memory."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path).absolute() if path else None
        self.cursor = self._read()
        """The stored cursor; "" if there is none yet."""

    @property
    def path(self) -> Path | None:
        return self._path

    def _read(self) -> str:
        if self._path is None or not self._path.exists():
            return ""
        cursor = self._path.read_text("utf-8", "replace").strip()
        if not cursor.replace("-", "").replace("_", "").isalnum() or not cursor.isascii():
            raise Failure(
                f"{self._path} contains no cursor, so it is not known which events were handed over.\n"
                "Restore the file, or delete it to begin at the end of the log, or with --from start at its beginning."
            )
        return cursor

    def store(self, cursor: str) -> None:
        """Replace the cursor. A kill at any time leaves the file with the former or the new cursor."""
        if cursor == self.cursor:
            return
        if self._path is not None:
            with naming(self._path):
                _replace(self._path, f"{cursor}\n")
        self.cursor = cursor


def _replace(path: Path, content: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, where the system can open folders."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
