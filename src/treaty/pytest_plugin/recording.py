"""The `pact` fixture of consumers: a pact that a test adds interactions to, written if the test passes."""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING, Any, Final

import pytest
from pact import Pact
from pact.error import MismatchesError
from pact.pact import PactServer

from treaty.errors import ClientError
from treaty.pytest_plugin.markers import merge_markers
from treaty.testing import pact_files
from treaty.testing.logs import logged_to

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

_MISSING_NAMES: Final = (
    "The fixture `pact` needs the names of the consumer and the provider: mark the test with "
    '@pytest.mark.pact(consumer="...", provider="...").'
)
_NOT_EXERCISED: Final = "The pact's interactions were never exercised: use `pact.serve()` or `pact.verify()`."


_kept_handles: Final[list[object]] = []
"""Handles of the library that tracebacks of failed tests refer to; `treaty.testing.pact_handles` has the reason."""
atexit.register(_kept_handles.clear)


class RecordedServer(PactServer):
    """A mock provider that releases its port even if a traceback refers to it."""

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            super().__exit__(exc_type, exc_value, traceback)
        except MismatchesError:
            self.release()
            raise

    def release(self) -> None:
        if self._handle:
            self._mismatches = list(self.mismatches)
            self._handle = None


class RecordedPact(Pact):
    """A pact that records whether its interactions were exercised.

    A test that only describes interactions proves nothing about the consumer, so its pact must not be written.
    """

    def __init__(self, consumer: str, provider: str) -> None:
        super().__init__(consumer, provider)
        self.is_exercised = False
        self._servers: list[RecordedServer] = []

    def serve(
        self,
        addr: str = "localhost",
        port: int = 0,
        transport: str = "http",
        transport_config: str | None = None,
        *,
        raises: bool = True,
        verbose: bool = True,
    ) -> PactServer:
        self.is_exercised = True
        server = RecordedServer(self._handle, addr, port, transport, transport_config, raises=raises, verbose=verbose)
        self._servers.append(server)
        return server

    def verify(self, *args: Any, **options: Any) -> Any:
        self.is_exercised = True
        return super().verify(*args, **options)

    def release(self, *, has_passed: bool) -> None:
        """Stop the mock providers. The traceback of a failed test may be freed at any time; the handle must not."""
        for server in self._servers:
            server.release()
        if not has_passed:
            _kept_handles.append(self._handle)


class PactRecorder:
    """Writes a test's pact to the folder of pacts."""

    def __init__(self, pact: RecordedPact, folder: Path) -> None:
        self.pact = pact
        self._folder = folder

    def logging(self) -> AbstractContextManager[None]:
        """Write the mock provider's log beside the pacts; each worker of pytest-xdist has its own file."""
        worker = os.environ.get("PYTEST_XDIST_WORKER", "")
        return logged_to(self._folder / f"pact-mock-service{'-' * bool(worker)}{worker}.log")

    def write(self) -> None:
        """Write the pact, unless it has no interactions. Fails the test if they were not exercised."""
        content = pact_files.read_content(self.pact)
        if not any(content.get(kind) for kind in ("interactions", "messages")):
            return
        if not self.pact.is_exercised:
            pytest.fail(_NOT_EXERCISED, pytrace=False)
        pact_files.add(self._folder, content)


def start_recording(item: pytest.Item, folder: Path) -> PactRecorder:
    """Create a pact from the markers of a test. Fails the test if a name is missing, or an argument is invalid."""
    try:
        marker = merge_markers(item)
    except ClientError as error:
        pytest.fail(str(error), pytrace=False)
    if not marker.get("consumer") or not marker.get("provider"):
        pytest.fail(_MISSING_NAMES, pytrace=False)
    pact = RecordedPact(marker["consumer"], marker["provider"])
    return PactRecorder(pact.with_specification(marker.get("specification", "V4")), folder)
