"""A failing test of the classic API, or of the plugin, neither hangs pytest nor breaks the tests after it."""

import json
import re
import socket
import subprocess
import sys

import pytest

from tests.waiting import PATIENCE

# The test's log handler collects garbage whenever Pact's library logs, while it holds its locks: any handle of the
# library in a reference cycle then makes the run hang each time, instead of now and then.
CONFTEST = """
import gc
import logging


class Collecting(logging.Handler):
    def emit(self, record):
        gc.collect()


handler = Collecting()


def pytest_sessionstart():
    gc.freeze()  # leaves only the objects of the tests to collect
    logging.getLogger("pact").addHandler(handler)


def pytest_sessionfinish():
    logging.getLogger("pact").removeHandler(handler)
"""
SUITE = """
import httpx
import pytest

from treaty.pact import Consumer, Provider

pact = Consumer("Web").has_pact_with(Provider("Prices"), port=PORT, pact_dir="pacts", log_dir="pacts")


def describe(name, of=pact):
    of.given("a state").upon_receiving(name).with_request("GET", f"/{name}").will_respond_with(200)


def passes(name, of=pact):
    describe(name, of)
    with of:
        assert httpx.get(f"{of.uri}/{name}").status_code == 200


def test_mismatch_fails():
    describe("mismatch")
    with pact:
        httpx.get(f"{pact.uri}/wrong")


def test_after_a_mismatch():
    passes("two")


def test_exception_in_the_block_fails():
    describe("exception")
    with pact:
        raise KeyError("in the block")


def test_after_an_exception_in_the_block():
    passes("three")


def test_exception_before_the_block_fails():
    describe("before")
    raise KeyError("before the block")


def test_after_an_exception_before_the_block():
    passes("four")


def test_setup_without_verify_fails():
    describe("setup")
    pact.setup()
    raise KeyError("after the setup")


def test_after_a_setup_without_verify():
    passes("five")


def test_another_pact_that_is_abandoned_fails():
    own = Consumer("Web").has_pact_with(Provider("Stock"), port=PORT, pact_dir="pacts", log_dir="pacts")
    describe("own", own)
    own.setup()
    httpx.get(f"{own.uri}/wrong")
    raise KeyError("own")


def test_after_an_abandoned_pact():
    passes("six")


def test_incomplete_interaction_fails():
    pact.upon_receiving("incomplete").with_request("GET", "/")
    with pact:
        pass


def test_after_an_incomplete_interaction():
    passes("seven")


@pytest.mark.parametrize("number", range(3))
def test_many_mismatches_fails(number):
    describe(f"mismatch{number}")
    with pact:
        httpx.get(f"{pact.uri}/wrong")


def test_after_many_mismatches():
    passes("eight")
"""
PLUGIN_SUITE = """
import os

import httpx
import pytest

pytestmark = pytest.mark.pact(consumer="Mobile", provider="Prices")


def ask(pact, name, path):
    pact.upon_receiving(name).with_request("GET", f"/{name}").will_respond_with(200)
    port = 0 if "PYTEST_XDIST_WORKER" in os.environ else PORT  # the plugin's users choose ports that are free
    with pact.serve(port=port) as mock:
        httpx.get(f"{mock.url}/{path}")


@pytest.mark.parametrize("number", range(3))
def test_mismatch_of_the_plugin_fails(pact, number):
    ask(pact, "one", "wrong")


def test_after_a_mismatch_of_the_plugin(pact):
    ask(pact, "two", "two")


def test_exception_of_the_plugin_fails(pact):
    ask(pact, "three", "three")
    raise KeyError("after the block")


def test_after_an_exception_of_the_plugin(pact):
    ask(pact, "four", "four")
"""
FAILED, PASSED = 13, 9
STYLES = [[f"--tb={style}"] for style in ("auto", "short", "line", "native", "no")] + [["--tb=long", "--showlocals"]]
DRIVER = """
import contextlib, io, json, sys, pytest

results = {}
for options in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        pytest.main([*json.loads(sys.argv[2]), *options])
    results[" ".join(options)] = printed.getvalue()
print(json.dumps(results))
"""
_QUIET = ["-q", "-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:hypothesispytest"]


@pytest.fixture
def run(tmp_path):
    """Run the suite with each of several lists of options; return the output and the result of the process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_suite.py").write_text(SUITE.replace("PORT", str(port)))
    (tmp_path / "test_plugin.py").write_text(PLUGIN_SUITE.replace("PORT", str(port)))

    def run(*runs):
        command = [sys.executable, "-c", DRIVER, json.dumps(runs), json.dumps(_QUIET)]
        process = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE * 2, check=False
        )
        assert process.returncode == 0, process.stderr
        # A handle that is freed when Python ends would be reported here.
        assert "Exception ignored" not in process.stderr
        return json.loads(process.stdout.splitlines()[-1])

    return run


def failed_names(printed):
    return re.findall(r"^FAILED test_\w+.py::(\w+)", printed, re.MULTILINE)


@pytest.mark.slow  # runs the tests above once for each style
def test_the_test_after_a_failing_one_passes_with_every_style_of_tracebacks(run):
    for options, text in run(*STYLES).items():
        assert f"{FAILED} failed, {PASSED} passed" in text, (options, text[-3000:])
        assert all(name.endswith("_fails") for name in failed_names(text))


@pytest.mark.slow  # each worker imports everything
def test_workers_of_xdist_take_turns_at_a_port(run, tmp_path):
    (printed,) = run(["-n", "2"]).values()
    assert f"{FAILED} failed, {PASSED} passed" in printed, printed[-3000:]
    written = json.loads((tmp_path / "pacts/web-prices.json").read_text("utf-8"))
    assert len(written["interactions"]) == len(re.findall("passes", SUITE)) - 1


def test_a_pact_of_a_module_prints_nothing_when_python_ends(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = f"""
import atexit, httpx, unittest
from treaty.pact import Consumer, Provider
pact = Consumer("A").has_pact_with(Provider("B"), port={port}, pact_dir="out", log_dir="out")
pact.start_service()
atexit.register(pact.stop_service)
for name in ("one", "two", "three"):
    pact.given("s").upon_receiving(name).with_request("get", "/" + name).will_respond_with(200)
    with pact:
        httpx.get(pact.uri + "/" + name)
pact.given("s").upon_receiving("abandoned").with_request("get", "/").will_respond_with(200)
pact.setup()
"""
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
