"""Worker processes of a server, which Python's fork server starts."""

import time
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Final

import structlog

_ATTEMPTS: Final = 5
_PAUSE_SECONDS: Final = 0.5


class WorkerProcess(ForkServerProcess):
    """A process that is started by another fork server if that is killed meanwhile.

    The first process would end with an error otherwise, and its workers with it.
    """

    def start(self) -> None:
        """Start the process. Raises EOFError or OSError if the fork server ends each time."""
        for attempt in range(_ATTEMPTS):
            try:
                super().start()
            except (EOFError, ConnectionError) as error:
                if attempt == _ATTEMPTS - 1:
                    raise
                reason = f"the process that workers are forked from has ended ({error!r}); starting another one"
                structlog.get_logger("treaty").warning("worker", reason=reason)
                time.sleep(_PAUSE_SECONDS)
            else:
                return


class _WorkerContext(ForkServerContext):
    Process = WorkerProcess


CONTEXT: Final = _WorkerContext()
