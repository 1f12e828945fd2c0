"""Slow disks: strace delays the writes of processes."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SYSTEM_CALLS: Final = "pwrite64,pwritev,fsync,fdatasync"


def can_delay() -> bool:
    """Return whether strace is installed and has the permission to attach to other processes."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        try:
            with slowed_down([process.pid], seconds=0):
                return True
        except (FileNotFoundError, RuntimeError):
            return False
        finally:
            process.kill()


@contextmanager
def slowed_down(processes: Sequence[int], *, seconds: float) -> Iterator[None]:
    """Delay each write and flush of processes and their children until the block ends.

    Raises RuntimeError if strace lacks the permission.
    """
    ids = [word for process in processes for word in ("-p", str(process))]
    delay = f"inject={SYSTEM_CALLS}:delay_exit={int(seconds * 1_000_000)}"
    command = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={SYSTEM_CALLS}", "-e", delay, *ids]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        try:
            line = strace.stderr.readline()
            if "attached" not in line:
                raise RuntimeError(f"strace cannot attach to processes: {line.strip()}")
            yield
        finally:
            strace.terminate()  # detaches without ending the processes


def list_process_tree(process: int) -> list[int]:
    """List the ids of a process and all its descendants."""
    children = Path(f"/proc/{process}/task/{process}/children")
    child_ids = [int(child) for child in children.read_text("ascii").split()] if children.exists() else []
    return [process, *(descendant for child in child_ids for descendant in list_process_tree(child))]
