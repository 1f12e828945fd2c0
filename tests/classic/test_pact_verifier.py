"""The program `pact-verifier`, as tutorials for pact-python 1 and 2 call it."""

import json
import subprocess
import sys

import httpx
import pytest
from click.testing import CliRunner

from tests.waiting import PATIENCE
from tests.whole import servers, shop
from treaty.pact_verifier import main

OPTIONS = [
    "--provider-base-url",
    "--pact-url",
    "--pact-urls",
    "--provider-states-url",
    "--provider-states-setup-url",
    "--pact-broker-username",
    "--pact-broker-url",
    "--consumer-version-tag",
    "--consumer-version-selector",
    "--provider-version-tag",
    "--provider-version-branch",
    "--pact-broker-password",
    "--pact-broker-token",
    "--provider",
    "--custom-provider-header",
    "-t, --timeout",
    "-a, --provider-app-version",
    "-r, --publish-verification-results",
    "--verbose / --no-verbose",
    "--log-dir",
    "--log-level",
    "--enable-pending / --no-enable-pending",
    "--include-wip-pacts-since",
]
"""The options of pact-python 1.7 and 2.3."""


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setenv("PACT_DO_NOT_TRACK", "true")


@pytest.fixture(scope="module")
def pact(tmp_path_factory):
    return shop.write_pact(tmp_path_factory.mktemp("pacts"))


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize("option", OPTIONS)
def test_help_describes_every_option_of_pact_python(option):
    assert f"  {option} " in run("--help").output.replace("\n", " \n")


@pytest.mark.parametrize(("is_broken", "code"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("form", ["argument", "folder", "--pact-url", "--pact-urls"])
def test_files_are_verified(pact, is_broken, code, form):
    sources = {"argument": [pact], "folder": [pact.parent], "--pact-urls": ["--pact-urls", f"{pact},{pact}"]}
    with shop.prices(is_broken=is_broken) as url:
        result = run(
            *sources.get(form, [form, pact]),
            f"--provider-base-url={url}",
            f"--provider-states-setup-url={url}/states",
            "--custom-provider-header=X: y",
            "--timeout=60",
        )
    assert result.exit_code == code
    assert "a request for a price" in result.output


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "Missing option '--provider-base-url'"),
        (["--provider-base-url", "http://api"], "--pact-broker-url and --provider"),
        (["--provider-base-url", "http://api", "--pact-broker-url", "http://broker"], "--provider"),
        (["--provider-base-url", "http://api", "nowhere.json"], "could not be found: nowhere.json"),
        (["--provider-base-url", "http://api", "--provider", "Prices", "-r"], "--pact-broker-url"),
    ],
)
def test_missing_options_are_named(words, reason):
    result = run(*words)
    assert result.exit_code == 2
    assert reason in result.output


def test_results_need_a_version(pact):
    result = run(pact, "--provider-base-url=http://api", "--publish-verification-results")
    assert "--provider-app-version" in result.output
    assert result.exit_code == 2


def test_options_without_an_effect_are_reported(pact):
    with shop.prices() as url:
        result = run(pact, f"--provider-base-url={url}", "--provider-states-url=http://x", "--log-level=DEBUG")
    assert "Warning: --provider-states-url has no effect." in result.output
    assert "Warning: log_level has no effect without log_dir." in result.output
    assert result.exit_code == 0


def test_the_program_verifies_the_pacts_of_a_broker_and_publishes_the_results(tmp_path, pact):
    with servers.running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", cwd=tmp_path) as server, shop.prices() as url:
        publish_pact(server.address, pact)
        options = {
            "--provider-base-url": url,
            "--provider": shop.PROVIDER,
            "--pact-broker-url": server.address,
            "--provider-states-setup-url": f"{url}/states",
            "--consumer-version-selector": '{"branch": "main"}',
            "--provider-version-branch": "main",
            "--provider-version-tag": "dev",
            "--provider-app-version": "77",
        }
        words = [f"{name}={value}" for name, value in options.items()]
        command = [f"{sys.prefix}/bin/pact-verifier", *words, "--publish-verification-results", "--enable-pending"]
        process = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (process.returncode, "a request for a price" in process.stdout) == (0, True), process.stderr
        version = read(f"{server.address}/pacticipants/Prices/versions/77")
        assert [tag["name"] for tag in version["_embedded"]["tags"]] == ["dev"]
        matrix = read(f"{server.address}/matrix?q[][pacticipant]=Prices&q[][version]=77")
        assert [row["verificationResult"]["success"] for row in matrix["matrix"]] == [True]


def publish_pact(broker, pact):
    body = json.loads(pact.read_text("utf-8"))
    path = "/pacticipants/Web%20Shop/branches/main/versions/1"
    httpx.put(broker + path, json={}).raise_for_status()
    httpx.put(f"{broker}/pacts/provider/Prices/consumer/Web%20Shop/version/1", json=body).raise_for_status()


def read(url):
    return httpx.get(url).raise_for_status().json()


def test_a_missing_pact_python_is_explained(pact, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] in {"pact", "pact_ffi"}]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in [
        name for name in sys.modules if name.startswith(("treaty.pact.", "treaty.testing.")) or name == "treaty.pact"
    ]:
        monkeypatch.delitem(sys.modules, name)
    result = run(pact, "--provider-base-url=http://api")
    assert "pact-verifier needs pact-python 4: run `pip install '.[pytest]'`" in result.output
    assert result.exit_code == 1
