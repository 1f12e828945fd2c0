"""The consumer's side: a pact that a test fills, and that is written once the test has passed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest
from pact import Pact

from treaty.testing import pact_files
from treaty.testing.logs import logged_to

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

_UNNAMED: Final = (
    "The fixture `pact` has to know whose pact it is: mark the test with "
    '@pytest.mark.pact(consumer="...", provider="...").'
)

_UNTRIED: Final = "The pact's interactions were never tried: use `pact.serve()` or `pact.verify()`."


class RecordedPact(Pact):
    """A pact that knows whether its interactions were tried: only then may they be written."""

    is_exercised = False

    def serve(self, *args: Any, **options: Any) -> Any:
        self.is_exercised = True
        return super().serve(*args, **options)

    def verify(self, *args: Any, **options: Any) -> Any:
        self.is_exercised = True
        return super().verify(*args, **options)


class PactRecorder:
    def __init__(self, pact: RecordedPact, folder: Path) -> None:
        self.pact = pact
        self._folder = folder

    def logging(self) -> AbstractContextManager[None]:
        """Write what the mock provider logs beside the pacts."""
        worker = os.environ.get("PYTEST_XDIST_WORKER", "")
        return logged_to(self._folder / f"pact-mock-service{'-' * bool(worker)}{worker}.log")

    def write(self) -> None:
        content = pact_files.read_content(self.pact)
        if not any(content.get(kind) for kind in ("interactions", "messages")):
            return
        if not self.pact.is_exercised:
            pytest.fail(_UNTRIED, pytrace=False)
        pact_files.add(self._folder, content)


def start_recording(item: pytest.Item, folder: Path) -> PactRecorder:
    given = merge_markers(item)
    if not given.get("consumer") or not given.get("provider"):
        pytest.fail(_UNNAMED, pytrace=False)
    pact = RecordedPact(given["consumer"], given["provider"])
    return PactRecorder(pact.with_specification(given.get("specification", "V4")), folder)


def merge_markers(item: pytest.Item) -> dict[str, Any]:
    """Unite the markers of a test: what stands nearer to it counts."""
    united: dict[str, Any] = {}
    for marker in item.iter_markers("pact"):
        united = {**dict(zip(("consumer", "provider"), marker.args, strict=False)), **marker.kwargs, **united}
    return united
