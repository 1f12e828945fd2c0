"""The `pact` fixture of consumers: a pact that a test adds interactions to, written if the test passes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest
from pact import Pact

from treaty.pytest_plugin.markers import merge_markers
from treaty.testing import pact_files
from treaty.testing.logs import logged_to

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

_MISSING_NAMES: Final = (
    "The fixture `pact` needs the names of the consumer and the provider: mark the test with "
    '@pytest.mark.pact(consumer="...", provider="...").'
)
_NOT_EXERCISED: Final = "The pact's interactions were never exercised: use `pact.serve()` or `pact.verify()`."


class RecordedPact(Pact):
    """A pact that records whether its interactions were exercised.

    A test that only describes interactions proves nothing about the consumer, so its pact must not be written.
    """

    is_exercised = False

    def serve(self, *args: Any, **options: Any) -> Any:
        self.is_exercised = True
        return super().serve(*args, **options)

    def verify(self, *args: Any, **options: Any) -> Any:
        self.is_exercised = True
        return super().verify(*args, **options)


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
    """Create a pact from the markers of a test. Fails the test if the consumer or the provider is missing."""
    marker = merge_markers(item)
    if not marker.get("consumer") or not marker.get("provider"):
        pytest.fail(_MISSING_NAMES, pytrace=False)
    pact = RecordedPact(marker["consumer"], marker["provider"])
    return PactRecorder(pact.with_specification(marker.get("specification", "V4")), folder)
