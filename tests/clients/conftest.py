"""Fixtures for the clients of a Pact Broker in other languages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import access, recordings, registry
from tests.clients.access import Access


@pytest.fixture(params=access.WAYS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Access]:
    """A broker on SQLite, reached directly with a token, and one on PostgreSQL, behind a proxy with a password."""
    registry.declared_by(request.node)
    if request.param == access.PLAIN:
        with access.plain(f"sqlite:///{tmp_path / 'treaty.sqlite'}", tmp_path) as plain:
            yield plain
        return
    with (
        request.getfixturevalue("postgres_lender").database() as url,
        access.guarded(url, tmp_path) as guarded,
    ):
        yield guarded


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that passes although its client did not use the declared features, or sent undeclared requests."""
    yield
    if isinstance(item, pytest.Function) and isinstance(broker := item.funcargs.get("broker"), Access):
        requests = broker.requests()
        unseen = [feature.name for feature in registry.declared_by(item).features if not feature.is_seen_in(requests)]
        lines = "\n".join(request.partition("\n")[0] for request in requests)
        assert unseen == [], f"declared, but not seen among the client's requests:\n{lines}"
        recordings.check(item, broker)
