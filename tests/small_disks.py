"""Small disks that tests can fill: file systems in memory, which only root can mount."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_FILLER: Final = "filler"
_CHUNK: Final = b"\0" * 65_536


class Unavailable(Exception):
    """Disks cannot be mounted here. The message gives the reason."""


class SmallDisk:
    """A mounted disk, which a large file fills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, *, leaving: int = 0) -> None:
        """Fill the disk, except for `leaving` bytes."""
        with suppress(OSError), (self.folder / _FILLER).open("ab", buffering=0) as file:
            while True:
                free = shutil.disk_usage(self.folder).free - leaving
                if free <= 0 or not file.write(_CHUNK[:free]):
                    break

    def free(self) -> None:
        """Remove the large file."""
        (self.folder / _FILLER).unlink(missing_ok=True)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Mount the disk read-only until the block ends, which applies to root, too."""
        _run("mount", "-o", "remount,ro", str(self.folder))
        try:
            yield
        finally:
            _run("mount", "-o", "remount,rw", str(self.folder))


@contextmanager
def mounted(folder: Path, *, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a disk at an empty folder until the block ends. Raises Unavailable."""
    owner = folder.stat()
    options = f"size={megabytes}m,mode=0755,uid={owner.st_uid},gid={owner.st_gid}"
    _run("mount", "-t", "tmpfs", "-o", options, "treaty-test", str(folder))
    try:
        yield SmallDisk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> None:
    program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None or os.geteuid() != 0:
        raise Unavailable("mounting a small disk requires root and the program mount")
    process = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
    if process.returncode:
        raise Unavailable(f"{' '.join(command)} failed: {process.stderr.strip()}")
