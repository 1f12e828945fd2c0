"""Fixtures: servers as processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.servers import Server, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server on SQLite."""
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}") as server:
        yield server


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on SQLite for independent tests of a module."""
    with running(f"sqlite:///{tmp_path_factory.mktemp('shared') / 'treaty.sqlite'}") as server:
        yield server
