"""The thread of a background worker: it takes steps, and pauses between them until it is woken."""

import threading
from abc import ABC, abstractmethod
from typing import ClassVar, Final

import structlog

from treaty.store.engine.health import log_failure

ERROR_PAUSE_SECONDS: Final = 3.0

log = structlog.get_logger("treaty.workers")


class PollingWorker(ABC):
    """Takes steps in a thread, from `start` until `stop`."""

    name: ClassVar[str]
    """Name of the thread, in the log too."""
    poll_seconds: float
    """Pause after a step, because other processes may have added work. This process wakes the worker."""

    def __init__(self) -> None:
        self._wake_up = threading.Event()
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._is_stopping.clear()
        self._thread = threading.Thread(target=self._run, name=f"treaty-{self.name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Take a step now, because this process has added work."""
        self._wake_up.set()

    def stop(self, timeout: float | None = None) -> None:
        """Stop after what is in progress, and wait for it, for at most `timeout` seconds."""
        self._is_stopping.set()
        self._wake_up.set()
        if self._thread is not None:
            self._thread.join(timeout)

    @abstractmethod
    def step(self) -> None:
        """Do the work that is due. It may raise any exception: the next step tries again."""

    def is_busy(self) -> bool:
        """Whether steps are needed even after `stop`, for work in progress."""
        return False

    def _run(self) -> None:
        while not self._is_stopping.is_set() or self.is_busy():
            pause = self.poll_seconds
            try:
                self.step()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next step tries again
                # The database may be unavailable for a while. Nothing is lost: what is due stays in the database.
                log_failure(log, "worker", error, name=self.name)
                pause = ERROR_PAUSE_SECONDS
            self._wake_up.wait(pause)
            self._wake_up.clear()
