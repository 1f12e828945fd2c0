"""The pytest plugin: options, fixtures and hooks.

pytest loads it in every run of an environment where Treaty is installed, so it imports the other modules only when a
suite uses them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from treaty.pytest_plugin import options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pact import Pact

    from treaty.pytest_plugin.brokers import PactBroker
    from treaty.pytest_plugin.run import PluginRun
    from treaty.pytest_plugin.verification import PactVerifier

_RUN: Final[pytest.StashKey[PluginRun]] = pytest.StashKey()
_PARSER: Final[pytest.StashKey[pytest.Parser]] = pytest.StashKey()
_HEADER: Final[pytest.StashKey[list[str]]] = pytest.StashKey()
_PASSED: Final = pytest.StashKey[bool]()
_MARKER: Final = (
    "pact(consumer, provider, **options): the pact that a test is about. Options of consumers: `specification`; of "
    "providers: `selectors`, `include_pending`, `include_wip_since`, `pacts` (files) and `allow_no_pacts`."
)

_SELF_VERIFICATION_MARKER: Final = (
    "self_verification(*operations): a test that compares the provider with its own OpenAPI document, and the "
    'operations that it exercises, such as "GET /orders/{id}". Tests of Schemathesis need no marker.'
)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options if a conftest.py loads the plugin, which is too late for the next hook."""
    config = pluginmanager.get_plugin("pytestconfig")
    if config is not None and options.are_conftests_loading(pluginmanager):
        _add_options(config, parser)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> Any:
    result = yield
    _add_options(early_config, parser)
    options.restore_positional_arguments(early_config, args)
    return result


def _add_options(config: pytest.Config, parser: pytest.Parser) -> None:
    options.add_options(parser, config)
    config.stash[_PARSER] = parser


def pytest_configure(config: pytest.Config) -> None:
    from treaty.pytest_plugin.run import PluginRun  # noqa: PLC0415 - `pytest --version` and `--help` do not need it

    config.addinivalue_line("markers", _MARKER)
    config.addinivalue_line("markers", _SELF_VERIFICATION_MARKER)
    config.stash[_RUN] = PluginRun(config)
    options.release_names(config.stash[_PARSER])


def pytest_unconfigure(config: pytest.Config) -> None:
    if run := config.stash.get(_RUN, None):
        run.end()


def pytest_report_header(config: pytest.Config) -> list[str]:
    lines = [config.stash[_RUN].header(), _describe_foreign_options(config)]
    config.stash[_HEADER] = [line for line in lines if line]
    return config.stash[_HEADER]


def _describe_foreign_options(config: pytest.Config) -> str | None:
    foreign_options = options.list_foreign_options(config, config.stash[_PARSER])
    return options.describe_foreign_options(foreign_options) if foreign_options else None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[_RUN].start()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the URL of the run's broker to a worker of pytest-xdist."""
    node.workerinput["treaty_broker"] = node.config.stash[_RUN].start()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add the pacts that a worker of pytest-xdist has written to those of the run."""
    node.config.stash[_RUN].add_worker_output(getattr(node, "workeroutput", {}))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pact_verifier" in metafunc.fixturenames and metafunc.definition.get_closest_marker("pact"):
        from treaty.pytest_plugin import verification  # noqa: PLC0415 - few suites verify providers

        verification.parametrize(metafunc, metafunc.config.stash[_RUN])


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("self_verification"):
        from treaty.errors import ClientError  # noqa: PLC0415 - few suites use the marker
        from treaty.pytest_plugin import markers  # noqa: PLC0415 - likewise

        try:
            markers.check_self_verification(item)
        except ClientError as error:
            pytest.fail(str(error), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    run = item.config.stash[_RUN]
    run.attach_verification(item, report)
    if call.when == "call":
        item.stash[_PASSED] = report.passed
        if report.failed:
            run.forget_unfinished_interactions()
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report_data := getattr(report, "treaty_verified", None):
        from treaty.pytest_plugin import results  # noqa: PLC0415 - few suites verify providers

        results.collect(report_data)
    other_provider = getattr(report, "treaty_other_provider", None)
    if other_provider is not None:
        from treaty.pytest_plugin import results  # noqa: PLC0415 - as above

        results.collect_other_provider(other_provider)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    run = session.config.stash[_RUN]
    if run.is_worker:
        run.send_to_main_process()
    elif run.has_results:
        from treaty.pytest_plugin import summary  # noqa: PLC0415 - most suites have nothing to publish

        is_published = summary.publish_and_summarize(run, session)
        if not is_published and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash[_RUN].summary
    line = _describe_foreign_options(config)
    if line and line not in config.stash.get(_HEADER, []):
        lines = [*lines, line]  # a conftest.py of a subfolder declares options
    if lines:
        terminalreporter.section("pacts")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def pact_broker(pytestconfig: pytest.Config) -> PactBroker:
    """The configured broker, or the temporary one of this run: `url`, credentials, and a `client`."""
    if broker := pytestconfig.stash[_RUN].broker:
        return broker
    pytest.fail("No broker is configured. Give --broker-url (PACT_BROKER_BASE_URL), or --run-broker.", pytrace=False)


@pytest.fixture(scope="session")
def provider_contract(pytestconfig: pytest.Config) -> Callable[[object], Mapping[str, Any]]:
    """A function that returns the OpenAPI document of an application, which is published after the tests."""
    from treaty.errors import ClientError  # noqa: PLC0415 - few suites use it
    from treaty.pytest_plugin import documents  # noqa: PLC0415 - likewise

    def use(application: object) -> Mapping[str, Any]:
        __tracebackhide__ = True
        contract = pytestconfig.stash[_RUN].provider_contract
        try:
            document = documents.read(application, f"The {type(application).__name__}", pytestconfig.rootpath)
            if contract:
                contract.use(document)
        except ClientError as error:
            pytest.fail(f"{error}\n{error.hint}".rstrip(), pytrace=False)
        return document.content

    return use


@pytest.fixture
def pact(request: pytest.FixtureRequest) -> Iterator[Pact]:
    """A pact between the marker's consumer and provider. Its interactions are written if the test passes."""
    from treaty.pytest_plugin import recording  # noqa: PLC0415 - few suites use it

    recorder = recording.start_recording(request.node, request.config.stash[_RUN].folder)
    with recorder.logging():
        yield recorder.pact
    has_passed = request.node.stash.get(_PASSED, False)
    recorder.pact.release(has_passed=has_passed)
    if has_passed:
        recorder.write()


@pytest.fixture
def pact_verifier(request: pytest.FixtureRequest) -> Iterator[PactVerifier]:
    """An interaction that the marker's provider has to honour: call `verify`. The test runs once for each."""
    from treaty.pytest_plugin import verification  # noqa: PLC0415 - few suites use it

    yield verification.create_verifier(request)
    if request.node.stash.get(_PASSED, False):
        verification.fail_if_unused(request.node)
