"""A server as a process, and a team's two applications with real Pact libraries."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.servers import Server, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server on SQLite."""
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}") as server:
        yield server
