"""Projects whose conftest.py declares options with the names of the plugin's own."""

import textwrap

import pytest

FILES = {
    "conftest.py": """
        def pytest_addoption(parser):
            parser.addoption("--broker-url", action="store", default="own")
            parser.addoption("--publish-pact", type=str, action="store", help="Upload the pact", metavar="VERSION")
            parser.addoption("--run-broker", type=bool, action="store")
            parser.addini("pact_branch", "the project's own", type="linelist")
        """,
    "test_options.py": """
        def test_options(request):
            values = [request.config.getoption(f"--{name}") for name in ("broker-url", "publish-pact", "run-broker")]
            assert values == ["x", "7", None]
            assert request.config.getini("pact_branch") == []
            assert request.config.getoption("treaty_pact_tag") == ["dev"]
        """,
    # pytest loads the conftest.py of such a folder after it has parsed the command line.
    "consumers/web/conftest.py": """
        def pytest_addoption(parser):
            parser.addoption("--deploy-to", action="store", default="nowhere")
        """,
    "consumers/web/test_late_option.py": """
        def test_late_option(request):
            assert request.config.getoption("--deploy-to") == "nowhere"
        """,
}


@pytest.fixture
def project(pytester):
    for name, text in FILES.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "workers", [pytest.param((), id="alone"), pytest.param(("-n", "1"), id="with xdist", marks=pytest.mark.slow)]
)
def test_options_of_a_conftest_take_precedence_with_a_line_that_names_the_others(run, workers):
    lines = run("--broker-url", "x", "--publish-pact", "7", "--pact-tag", "dev", *workers).str()
    assert "conftest.py declares --publish-pact, --run-broker, --broker-url itself" in lines
    assert "for the plugin, set TREATY_PUBLISH_PACT, TREATY_RUN_BROKER, PACT_BROKER_BASE_URL" in lines
    assert "2 passed" in lines


def test_a_conftest_may_load_the_plugin_and_declare_its_options(pytester, run, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(
        """
        pytest_plugins = ["treaty.pytest_plugin"]


        def pytest_addoption(parser):
            parser.addoption("--broker-url", action="store", default="own")
        """
    )
    pytester.makepyfile(
        """
        def test_options(request):
            assert request.config.getoption("--broker-url") == "x"
            assert request.config.getoption("treaty_pact_branch") == "main"
        """
    )
    assert "declares --broker-url itself" in run("--broker-url", "x", "--pact-branch", "main").str()
