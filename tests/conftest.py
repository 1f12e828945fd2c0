"""Options of the test suite, and fixtures for all tests: empty databases, on SQLite and on PostgreSQL."""

import gc
import logging
import os
import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpcore  # noqa: F401 - httpx imports it late; in a test of pytest, which removes modules, its errors would lose their types
import httpx
import pytest
import structlog
from httpx._config import DEFAULT_TIMEOUT_CONFIG  # there is no public way to change the default
from httpx._transports import default
from hypothesis import HealthCheck, settings

from tests import databases, postgres, processor_time
from tests.absence import unavailable
from tests.receiver import Receiver, receiving
from tests.waiting import PATIENCE

# So that assertions of helpers show the values that they compare, as those of test modules do. A program that calls
# pytest may have imported some of them, which pytest would warn of.
_HELPERS: Final = {f"tests.{path.name}" for path in Path(__file__).parent.iterdir() if path.is_dir()}
pytest.register_assert_rewrite(*(_HELPERS - sys.modules.keys()))

POSTGRES_URL: Final = "TREATY_TEST_POSTGRES_URL"
LONG: Final = "TREATY_TEST_LONG"
SLOW: Final = "TREATY_TEST_SLOW"

# The slowest modules run first, so that no worker still runs one when the others have finished.
_SLOWEST: Final = (
    "tests/api/test_schemathesis.py",
    "tests/api/test_cleaning.py",
    "tests/api/test_matrix_histories.py",
    "tests/api/test_concurrent_writes.py",
    "tests/api/test_decision_doors.py",
    "tests/api/test_deliveries.py",
    "tests/api/test_held_back_bodies.py",
    "tests/api/test_import_histories.py",
    "tests/api/test_queued_deliveries.py",
    "tests/api/test_response_cache_histories.py",
    "tests/classic/",
    "tests/clients/",
    "tests/deploy/test_image.py",
    "tests/docs/test_site.py",
    "tests/examples/",
    "tests/pages/test_clicks.py",
    "tests/pages/test_explorer.py",
    "tests/pages/test_first_run.py",
    "tests/pages/test_forms_in_a_browser.py",
    "tests/pages/test_in_a_browser.py",
    "tests/pages/test_layout.py",
    "tests/pages/test_open_pages.py",
    "tests/pages/test_questions_by_clicks.py",
    "tests/plugin/",
    "tests/test_harness.py",
    "tests/whole/",
)

# Clients of other languages install packages and compile. The Rust client and pact-python are in `tests/whole`, too.
_SLOW: Final = ("tests/clients/",)

# Modules whose cases differ in their statements, so that `--slow` runs each of them on PostgreSQL. Most cases of other
# tests are invalid requests, or differ in values only.
_DIFFERENT_STATEMENTS: Final = (
    "tests/api/test_can_i_deploy.py",
    "tests/api/test_causes.py",
    "tests/api/test_cleaning.py",
    "tests/api/test_document_search.py",
    "tests/api/test_doctor.py",
    "tests/api/test_every_row_counts.py",
    "tests/api/test_kinds_of_results.py",
    "tests/api/test_lists.py",
    "tests/api/test_matrix.py",
    "tests/api/test_merging.py",
    "tests/api/test_pacts_for_verification.py",
    "tests/api/test_paging.py",
    "tests/api/test_response_cache.py",
    "tests/api/test_triggering.py",
    "tests/api/test_usage.py",
    "tests/api/test_version_lookups.py",
    "tests/api/test_writes_of_new_names.py",
    "tests/store/",
)

# The cases of these tests are rows of tables, which take milliseconds and execute different lines.
_TABLES: Final = ("tests/model/",)

_POSTGRESQL: Final = "postgresql"

# Threshold of the garbage collection. With the default, 700, it takes a twentieth of the tests' time.
_GARBAGE: Final = 10_000

# The duration of an example depends on the machine, so a deadline would make tests fail on busy ones.
settings.register_profile("treaty", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("treaty")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use one worker more than there are cores, since tests often wait for processes, retries and browsers."""
    return (os.cpu_count() or 1) + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run slow tests, too, as CI does")
    parser.addoption("--long", action="store_true", help="run slow and long tests, and the long form of the others")
    parser.addoption("--first-cases", action="store_true", help="run the first case of each test only, on SQLite")
    parser.addoption("--processor-time", action="store_true", help="report the processor time of each test file")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--long"):
        os.environ[LONG] = "1"  # for modules that are loaded later, and for workers
    if config.getoption("--slow") or os.environ.get(LONG) == "1":
        os.environ[SLOW] = "1"
    if config.getoption("--processor-time"):
        _measure_processor_time(config)
    _remove_own_settings()
    _raise_timeout()
    _cache_certificates()
    _log_failures()
    if not _has_workers(config):
        gc.disable()  # during the collection of the tests, which leaves hardly any garbage
    elif POSTGRES_URL not in os.environ:
        _share_a_server(config)


def _measure_processor_time(config: pytest.Config) -> None:
    if not _has_workers(config):
        config.pluginmanager.register(processor_time.Recorder())
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(processor_time.Reporter())


def _remove_own_settings() -> None:
    """Remove the settings and proxies of the developer's environment, so that tests cannot reach a real broker."""
    for name in list(os.environ):
        is_setting = name.startswith(("TREATY_", "PACT_BROKER_")) and not name.startswith("TREATY_TEST_")
        if is_setting or name.lower() in {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}:
            del os.environ[name]


def _raise_timeout() -> None:
    """Raise the default timeout of httpx, since five seconds are too short on a busy machine."""
    DEFAULT_TIMEOUT_CONFIG.read = DEFAULT_TIMEOUT_CONFIG.connect = PATIENCE


def _cache_certificates() -> None:
    """Have clients share the certificates of authorities, which take longer to load than a request takes."""
    load = httpx.create_ssl_context

    @cache
    def load_cached(trust_env: bool, *_places: str | None) -> ssl.SSLContext:  # noqa: FBT001 - the parameter is httpx's
        return load(trust_env=trust_env)

    def create(*, verify: Any, cert: Any, trust_env: bool) -> ssl.SSLContext:
        if verify is not True or cert is not None:
            return load(verify=verify, cert=cert, trust_env=trust_env)
        return load_cached(trust_env, *map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))

    default.__dict__["create_ssl_context"] = create


def _log_failures() -> None:
    """Log failures as servers do. By default, structlog formats tracebacks with rich, which takes a second for each."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )


@pytest.fixture(autouse=True)
def restore_log_configuration() -> Iterator[None]:
    """Restore the configuration of logging, which `treaty serve` and other commands change."""
    configuration = structlog.get_config()
    yield
    structlog.configure(**configuration)


def _has_workers(config: pytest.Config) -> bool:
    return config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")


def _share_a_server(config: pytest.Config) -> None:
    """Start one PostgreSQL server for all workers, which inherit its URL."""
    stack = ExitStack()
    config.add_cleanup(stack.close)
    with suppress(postgres.Unavailable):  # tests that need it are skipped, or fail in CI
        os.environ[POSTGRES_URL] = stack.enter_context(postgres.server())


@pytest.hookimpl(trylast=True)  # after -k and -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    tiers = [tier for tier, variable in (("slow", SLOW), ("long", LONG)) if os.environ.get(variable) != "1"]
    deselected = {item for item in items if any(_belongs_to(tier, item) for tier in tiers)}
    if "long" in tiers:
        remaining = [item for item in items if item not in deselected]
        deselected |= _find_repeats(remaining, exempt=() if "slow" in tiers else _DIFFERENT_STATEMENTS)
    if config.getoption("--first-cases"):
        deselected |= _find_further_cases([item for item in items if item not in deselected])
    config.hook.pytest_deselected(items=list(deselected))
    items[:] = [item for item in items if item not in deselected]
    _distribute(items, getattr(config, "workerinput", {}).get("workercount", 1))


def _belongs_to(tier: str, item: pytest.Item) -> bool:
    if item.get_closest_marker(tier) or (tier == "slow" and item.nodeid.startswith(_SLOW)):
        return True
    return _is_on_postgresql(item) and item.get_closest_marker(f"{tier}_on_postgresql") is not None


def _find_repeats(items: list[pytest.Item], *, exempt: tuple[str, ...]) -> set[pytest.Item]:
    """Find all cases but the first one of each test on PostgreSQL, where cases take twice as long as on SQLite."""
    tests, repeats = set(), set()
    for item in items:
        test = item.nodeid.partition("[")[0]
        if _is_on_postgresql(item) and not item.get_closest_marker("each_on_postgresql"):
            if test in tests and not test.startswith(exempt):
                repeats.add(item)
            tests.add(test)
    return repeats


def _find_further_cases(items: list[pytest.Item]) -> set[pytest.Item]:
    """Find all cases but the first one of each test, and those on PostgreSQL: they execute few additional lines."""
    tests, further = set(), set()
    for item in items:
        test = item.nodeid.partition("[")[0]
        if _is_on_postgresql(item) or (test in tests and not test.startswith(_TABLES)):
            further.add(item)
        tests.add(test)
    return further


def _is_on_postgresql(item: pytest.Item) -> bool:
    return (
        isinstance(item, pytest.Function) and hasattr(item, "callspec") and _POSTGRESQL in item.callspec.params.values()
    )


def pytest_collection_finish() -> None:
    """Exempt the objects that all tests share from garbage collection, which would visit them each time."""
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    gc.enable()


def _distribute(items: list[pytest.Item], workers: int) -> None:
    """Sort tests so that each worker starts with a share of the slowest modules.

    xdist gives each worker a contiguous part of the list.
    """
    longest = [item for item in items if item.nodeid.startswith(_SLOWEST)]
    others = [item for item in items if not item.nodeid.startswith(_SLOWEST)]
    items[:] = [item for share in range(workers) for kind in (longest, others) for item in _part(kind, share, workers)]


def _part(items: list[pytest.Item], number: int, parts: int) -> list[pytest.Item]:
    return items[len(items) * number // parts : len(items) * (number + 1) // parts]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server on which tests can create databases."""
    with ExitStack() as stack:
        try:
            url = os.environ.get(POSTGRES_URL) or stack.enter_context(postgres.server())
        except postgres.Unavailable as absence:
            unavailable(str(absence))
        yield url


@pytest.fixture(scope="session")
def sqlite_original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no rows, to be copied."""
    path = tmp_path_factory.mktemp("original") / "treaty.sqlite"
    databases.create_missing_file(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_lender(postgres_url: str) -> Iterator[databases.Lender]:
    lender = databases.Lender(postgres_url)
    yield lender
    lender.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database with all tables and no rows, which only this test uses. The test runs once on each kind."""
    if request.param == "sqlite":
        yield databases.copy(request.getfixturevalue("sqlite_original"), tmp_path / "treaty.sqlite")
        return
    with request.getfixturevalue("postgres_lender").database() as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a database with all tables for independent tests of a module, which run once on each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('shared') / 'treaty.sqlite'}"
        databases.create_missing_file(url)
        yield url
        return
    with postgres.database(request.getfixturevalue("postgres_url")) as url:
        databases.migrated(url)
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a new database without tables. The test runs once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'treaty.sqlite'}"
        return
    with postgres.database(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that records the requests of webhooks."""
    with receiving() as receiver:
        yield receiver
