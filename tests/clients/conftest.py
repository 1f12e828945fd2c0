"""Fixtures for the clients of a Pact Broker in other languages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.clients import access
from tests.clients.access import Access


@pytest.fixture(params=access.WAYS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Access]:
    """A broker on SQLite, reached directly with a token, and one on PostgreSQL, behind a proxy with a password."""
    if request.param == access.PLAIN:
        with access.plain(f"sqlite:///{tmp_path / 'treaty.sqlite'}", tmp_path) as plain:
            yield plain
        return
    with (
        postgres.database(request.getfixturevalue("postgres_url")) as url,
        access.guarded(url, tmp_path) as guarded,
    ):
        yield guarded
