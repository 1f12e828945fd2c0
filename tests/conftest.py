"""What every test may ask for: a fresh database, on each kind that Treaty supports."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests import postgres

POSTGRES_URL: Final = "TREATY_TEST_POSTGRES_URL"

# How long an example takes says something about the machine, and nothing about what is tested.
settings.register_profile("treaty", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("treaty")


def pytest_configure(config: pytest.Config) -> None:
    _forget_own_settings()
    if _has_workers(config) and POSTGRES_URL not in os.environ:
        _share_a_server(config)


def _forget_own_settings() -> None:
    """Keep the tests away from the broker that the developer's environment names."""
    for name in list(os.environ):
        if name.startswith(("TREATY_", "PACT_BROKER_")) and not name.startswith("TREATY_TEST_"):
            del os.environ[name]


def _has_workers(config: pytest.Config) -> bool:
    return config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")


def _share_a_server(config: pytest.Config) -> None:
    """Start one server for all workers, which inherit its URL."""
    stack = ExitStack()
    config.add_cleanup(stack.close)
    with suppress(postgres.Unavailable):  # each test that wants one says so
        os.environ[POSTGRES_URL] = stack.enter_context(postgres.server())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("TREATY_TEST_LONG") == "1":
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server where tests may create databases."""
    with ExitStack() as stack:
        try:
            url = os.environ.get(POSTGRES_URL) or stack.enter_context(postgres.server())
        except postgres.Unavailable as absence:
            outcome = pytest.fail if os.environ.get("CI") in {"true", "1"} else pytest.skip
            raise outcome.Exception(str(absence), pytrace=False) from None
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of the test's own; the test runs once for each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'treaty.sqlite'}"
        return
    with postgres.database(request.getfixturevalue("postgres_url")) as url:
        yield url
