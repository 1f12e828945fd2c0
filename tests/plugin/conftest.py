"""Projects that use the plugin: a consumer, a provider, and a broker between them."""

import os

import pytest

from tests.whole import servers

CONSUMER = """
    import json
    from urllib.request import urlopen

    import pytest

    pytestmark = pytest.mark.pact(consumer="Web Shop", provider="Prices")


    def ask_for(pact, number, status=200, is_asked=True):
        interaction = pact.upon_receiving(f"a request for the price of {number}").given(f"{number} is for sale")
        interaction.with_request("GET", f"/prices/{number}").will_respond_with(status).with_body({"price": 12})
        with pact.serve() as mock:
            if is_asked:
                with urlopen(f"{mock.url}/prices/{number}") as answer:
                    assert json.load(answer) == {"price": 12}


    def test_seven(pact):
        ask_for(pact, 7)


    def test_eight(pact):
        ask_for(pact, 8)
"""

PROVIDER = """
    import json
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    import pytest

    PRICES = {}


    class Prices(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({NAME: PRICES.get(self.path)}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass


    @pytest.fixture(scope="session")
    def prices():
        with ThreadingHTTPServer(("127.0.0.1", 0), Prices) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()


    def is_for_sale(state):
        PRICES["/prices/" + state.split()[0]] = 12


    @pytest.mark.pact(provider="Prices"MORE)
    def test_prices(pact_verifier, prices):
        pact_verifier.verify(prices, states=is_for_sale)
"""


# Other installed packages, which take long to load.
WITHOUT = [f"-pno:{name}" for name in ("cacheprovider", "schemathesis", "hypothesispytest", "anyio")]
# pytest warns of packages that are imported before it starts, as they are in the process that it is forked from.
_FORKED = "-Wignore::pytest.PytestAssertRewriteWarning"


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """Neither the developer's CI system nor this repository determines the version of the build."""
    for name in list(os.environ):
        if name.startswith(("PYTEST_", "GITHUB_", "CI", "GIT_")) or name.endswith("_BRANCH"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PACT_DO_NOT_TRACK", "true")
    monkeypatch.setenv("PYTHONWARNINGS", "error::ResourceWarning")


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broker")
    with servers.running(f"sqlite:///{folder / 'treaty.sqlite'}", cwd=folder) as server:
        yield server.address


@pytest.fixture
def run(pytester):
    """Call pytest as its users do, and return its exit code and output."""
    pytester.makefile(".ini", pytest="[pytest]\n")

    def run(*options, code=0):
        words = ["pytest", f"--basetemp={pytester.path / 'temporary'}", *WITHOUT, _FORKED, "-rA", *map(str, options)]
        done = servers.run_in(pytester.path, words, {**os.environ, "HOME": str(pytester.path)})
        assert done.returncode == code, done.stdout + done.stderr
        return pytest.LineMatcher((done.stdout + done.stderr).splitlines())

    return run


@pytest.fixture
def consumer(pytester):
    def consumer(**changes):
        text = CONSUMER
        for old, new in changes.items():
            text = text.replace(old, new)
        pytester.makepyfile(test_consumer=text)

    return consumer


@pytest.fixture
def provider(pytester):
    def provider(*, name="price", more=""):
        pytester.makepyfile(test_provider=PROVIDER.replace("NAME", repr(name)).replace("MORE", more))

    return provider
