"""Disks that are slow: every write of some processes is delayed by strace."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

CALLS: Final = "pwrite64,pwritev,fsync,fdatasync"


def can_delay() -> bool:
    """Return whether strace is installed and may attach to other processes."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        try:
            with slowed([process.pid], seconds=0):
                return True
        except (FileNotFoundError, RuntimeError):
            return False
        finally:
            process.kill()


@contextmanager
def slowed(processes: Sequence[int], *, seconds: float) -> Iterator[None]:
    """Delay each write and flush of processes, and of those that they start. Raises RuntimeError without permission."""
    ids = [word for process in processes for word in ("-p", str(process))]
    delay = f"inject={CALLS}:delay_exit={int(seconds * 1_000_000)}"
    command = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={CALLS}", "-e", delay, *ids]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        try:
            line = strace.stderr.readline()
            if "attached" not in line:
                raise RuntimeError(f"strace cannot attach to processes: {line.strip()}")
            yield
        finally:
            strace.terminate()  # it detaches, and the processes go on


def list_family(process: int) -> list[int]:
    """List a process and all those that it has started, directly or not."""
    children = Path(f"/proc/{process}/task/{process}/children")
    own = [int(child) for child in children.read_text("ascii").split()] if children.exists() else []
    return [process, *(descendant for child in own for descendant in list_family(child))]
