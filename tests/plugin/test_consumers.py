"""Consumers: pacts are written, published and reported."""

import json
import socket

import httpx
import pytest

from tests.plugin.conftest import WITHOUT
from tests.waiting import PATIENCE, eventually


def written(pytester, path="pacts/web_shop-prices.json"):
    return json.loads((pytester.path / path).read_text("utf-8"))


def descriptions(pact):
    return sorted(interaction["description"] for interaction in pact["interactions"])


BOTH = ["a request for the price of 7", "a request for the price of 8"]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "with xdist"])
def test_every_interaction_of_a_run_is_written_into_one_pact(run, consumer, pytester, workers):
    consumer()
    run(*workers).fnmatch_lines(["Written: pacts/web_shop-prices.json (Web Shop -> Prices, 2 interactions)"])
    assert descriptions(written(pytester)) == BOTH


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "with xdist"])
def test_numbers_are_written_as_the_library_writes_them(run, consumer, broker, pytester, workers):
    consumer(**{'{"price": 12}': '{"price": 1e16}', "Web Shop": f"Exact {len(workers)}"})
    run("--broker-url", broker, "--publish-pact", "1", *workers).fnmatch_lines(["*Pact successfully published*"])
    (file,) = (pytester.path / "pacts").glob("exact_*-prices.json")
    assert file.read_text("utf-8").count('"price": 1e+16') == 2


def test_a_run_overwrites_the_pact_of_the_run_before(run, consumer, pytester):
    consumer()
    run()
    run("-k", "seven")
    assert descriptions(written(pytester)) == BOTH[:1]


def test_the_log_of_the_mock_provider_is_beside_the_pact(run, consumer, pytester):
    consumer()
    run()
    assert "/prices/7" in (pytester.path / "pacts/pact-mock-service.log").read_text("utf-8")


def test_an_interaction_of_a_test_that_fails_is_not_written(run, consumer, pytester):
    consumer(**{'== {"price": 12}': '== {"price": number + 5}'})
    run(code=1)
    assert descriptions(written(pytester)) == BOTH[:1]


def test_an_interaction_without_a_request_fails_the_test(run, consumer):
    consumer(**{"is_asked=True": "is_asked=False"})
    run(code=1).fnmatch_lines(["*2 failed*"])


def test_a_pact_that_was_never_tried_fails_the_test(run, pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.pact(consumer="Web Shop", provider="Prices")
        def test_it(pact):
            pact.upon_receiving("something").with_request("GET", "/")
        """
    )
    run(code=1).fnmatch_lines(["*interactions were never exercised*"])


def test_a_test_without_a_marker_fails_with_the_missing_marker(run, pytester):
    pytester.makepyfile("def test_it(pact):\n    pass")
    run(code=1).fnmatch_lines(["*mark the test with @pytest.mark.pact(consumer=*"])


def test_markers_of_a_module_and_of_a_test_are_united(run, pytester):
    pytester.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.pact(consumer="Web Shop", provider="Prices", specification="V3")

        @pytest.mark.pact(provider="Stock")
        def test_it(pact):
            assert (pact.consumer, pact.provider) == ("Web Shop", "Stock")
            assert pact.specification.name == "V3"
        """
    )
    run()


def test_messages_are_written_too(run, pytester):
    pytester.makepyfile(
        """
        import json
        import pytest

        @pytest.mark.pact(consumer="Mailer", provider="Shop")
        def test_it(pact):
            pact.upon_receiving("an order", "Async").with_body({"number": 7})
            pact.verify(lambda body, metadata: json.loads(body)["number"], "Async")
        """
    )
    run().fnmatch_lines(["Written: pacts/mailer-shop.json (Mailer -> Shop, 1 interaction)"])


def test_pacts_that_pact_python_writes_by_itself_are_published(run, broker, pytester):
    pytester.makepyfile(
        """
        import httpx
        from pact import Pact

        def test_it(tmp_path):
            pact = Pact("Bare", "Provider")
            pact.upon_receiving("a request").with_request("GET", "/").will_respond_with(200)
            with pact.serve() as mock:
                httpx.get(mock.url)
            pact.write_file("pacts")
        """
    )
    run("--publish-pact", "1", "--broker-url", broker)
    assert httpx.get(f"{broker}/pacts/provider/Provider/consumer/Bare/version/1").status_code == 200


@pytest.mark.parametrize(
    "workers", [pytest.param((), id="alone"), pytest.param(("-n", "2"), id="with xdist", marks=pytest.mark.slow)]
)
def test_pacts_are_published_once_all_tests_passed(run, consumer, broker, workers):
    consumer(**{"Web Shop": f"Shop {len(workers)}"})
    printed = run("--publish-pact", "2", "--broker-url", broker, "--pact-branch", "main", "--pact-tag", "a,b", *workers)
    url = f"{broker}/pacts/provider/Prices/consumer/Shop%20{len(workers)}/version/2"
    printed.fnmatch_lines([f"Published to {broker}:", f"*{url}*", "can-i-deploy Shop * 2:", "*Computer says no*"])
    assert descriptions(httpx.get(url).json()) == BOTH
    version = httpx.get(f"{broker}/pacticipants/Shop%20{len(workers)}/versions/2").json()
    assert [each["name"] for each in version["_embedded"]["branchVersions"]] == ["main"]
    assert [each["name"] for each in version["_embedded"]["tags"]] == ["a", "b"]


def test_nothing_is_published_when_a_test_fails(run, consumer, broker):
    consumer(**{'== {"price": 12}': '== {"price": number + 5}', "Web Shop": "Failing"})
    run("--publish-pact", "2", "--broker-url", broker, code=1).fnmatch_lines(["Not published: not all tests passed."])
    assert httpx.get(f"{broker}/pacticipants/Failing").status_code == 404


@pytest.mark.parametrize(
    "words",
    [
        ("--run-broker",),
        pytest.param(("--run-broker", "True"), marks=pytest.mark.slow),
        pytest.param(("--run-broker=yes", "-n", "1"), marks=pytest.mark.slow),
    ],
)
def test_a_broker_runs_for_the_run_and_ends_with_it(run, consumer, words):
    consumer()
    printed = run("--publish-pact", "2", *words)
    printed.fnmatch_lines(["Broker of this run: http://127.0.0.1:*", "*Pact successfully published*"])
    address = next(line for line in printed.lines if "Broker of this run" in line)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))


def test_the_broker_ends_even_if_pytest_is_killed(pytester, tmp_path):
    address = tmp_path / "address"
    pytester.makepyfile(
        f"""
        import os
        import pathlib
        import signal

        def test_it(pact_broker):
            pathlib.Path({str(address)!r}).write_text(pact_broker.url)
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    pytester.runpytest_subprocess("--run-broker", "-p", "no:schemathesis", timeout=PATIENCE)
    port = int(address.read_text().rpartition(":")[2])
    eventually(lambda: not is_listening(port))


def is_listening(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--run-broker", "suite"], ["--run-broker", "suite", "other"]])
def test_words_after_the_switch_are_paths_of_tests(run, consumer, pytester, words):
    """Its conftest.py is read in time for the options that it declares."""
    consumer()
    for folder in ("suite", "other"):
        pytester.mkdir(folder)
    (pytester.path / "test_consumer.py").rename(pytester.path / "suite/test_consumer.py")
    (pytester.path / "other/test_never.py").write_text("def test_it(): pass")
    conftest = "def pytest_addoption(parser):\n    parser.addoption('--mine', action='store_true')\n"
    (pytester.path / "suite/conftest.py").write_text(conftest)
    passed = {2: "*2 passed*", 3: "*3 passed*"}[len(words)]
    run(*words, "--mine").fnmatch_lines(["Broker of this run: http://127.0.0.1:*", passed])


@pytest.mark.slow
def test_a_switch_in_the_configuration_file_leaves_the_command_line_its_paths(run, consumer, pytester):
    consumer()
    (pytester.path / "pytest.ini").write_text("[pytest]\naddopts = --run-broker")
    run("test_consumer.py").fnmatch_lines(["Broker of this run: http://127.0.0.1:*", "*2 passed*"])


def test_an_invalid_value_of_the_switch_is_refused(consumer, pytester):
    consumer()
    result = pytester.runpytest_subprocess("--run-broker=maybe", "test_consumer.py")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--run-broker: 'maybe' is neither True nor False*"])


def test_an_unreachable_broker_causes_one_error_line_and_the_pacts_stay(run, consumer, pytester):
    consumer()
    printed = run("--publish-pact", "2", "--broker-url", "http://127.0.0.1:9", code=1)
    errors = [line for line in printed.lines if line.startswith("ERROR")]
    assert len(errors) == 1
    assert "http://127.0.0.1:9" in errors[0]
    assert "--broker-url" in errors[0]
    assert descriptions(written(pytester)) == BOTH


def test_publishing_without_a_broker_names_the_options(run, consumer):
    consumer()
    run("--publish-pact", "2", code=1).fnmatch_lines(["ERROR: *--broker-url (PACT_BROKER_BASE_URL), or --run-broker*"])


def test_options_are_read_from_the_configuration_file(run, consumer, broker, pytester):
    consumer(**{"Web Shop": "Configured"})
    ini = f"[pytest]\npublish_pact = 3\nbroker_url = {broker}\npact_dir = contracts\npact_tag = one two\n"
    pytester.makefile(".ini", pytest=ini)
    run()
    assert (pytester.path / "contracts/configured-prices.json").exists()
    version = httpx.get(f"{broker}/pacticipants/Configured/versions/3").json()
    assert [each["name"] for each in version["_embedded"]["tags"]] == ["one", "two"]


def test_options_are_read_from_the_environment_which_counts_before_the_file(
    run, consumer, broker, pytester, monkeypatch
):
    consumer(**{"Web Shop": "Environment"})
    pytester.makefile(".ini", pytest="[pytest]\npublish_pact = 3\nbroker_url = http://127.0.0.1:9\n")
    monkeypatch.setenv("PACT_BROKER_BASE_URL", broker)
    monkeypatch.setenv("TREATY_PUBLISH_PACT", "4")
    run()
    assert httpx.get(f"{broker}/pacticipants/Environment/versions/4").status_code == 200


def test_branch_and_build_url_are_found_out(run, consumer, broker, monkeypatch):
    consumer(**{"Web Shop": "Detected"})
    monkeypatch.setenv("GITHUB_REF", "refs/heads/feat/x")
    monkeypatch.setenv("GITHUB_SHA", "abc")
    monkeypatch.setenv("BUILD_URL", "http://ci.example.org/7")
    run("--publish-pact", "auto", "--broker-url", broker)
    version = httpx.get(f"{broker}/pacticipants/Detected/versions/abc").json()
    assert version["buildUrl"] == "http://ci.example.org/7"
    assert version["_embedded"]["branchVersions"][0]["name"] == "feat/x"


def test_the_fixture_for_the_broker_has_a_client(run, broker, pytester):
    pytester.makepyfile(
        """
        def test_it(pact_broker):
            assert pact_broker.client.index.link("pb:webhooks").href == pact_broker.url + "/webhooks"
            assert pact_broker.username == "me"
        """
    )
    run("--broker-url", broker, "--broker-username", "me", "--broker-password", "secret")


def test_the_fixture_for_the_broker_names_the_missing_option(run, pytester):
    pytester.makepyfile("def test_it(pact_broker):\n    pass")
    run(code=1).fnmatch_lines(["*No broker is configured. Give --broker-url*"])


def test_a_suite_that_uses_nothing_of_it_loads_nothing_of_it(pytester):
    pytester.makefile(".ini", pytest="[pytest]\n")
    pytester.makepyfile(
        """
        import sys

        def test_it():
            heavy = {"pact.pact", "pact_ffi", "httpx", "click", "treaty.client", "treaty.testing", "sqlalchemy"}
            assert not heavy & set(sys.modules)
        """
    )
    # A process that imports everything itself, unlike those of the other tests.
    result = pytester.runpytest_subprocess(*WITHOUT, timeout=PATIENCE)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*pacts*")
