"""The examples work as their READMEs describe, each in a folder and an environment of its own."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.examples import environments
from tests.waiting import PATIENCE
from tests.whole import servers

pytestmark = pytest.mark.slow  # each project has an environment of its own

ROOT = Path(__file__).parents[2]
UNWANTED = shutil.ignore_patterns("*.log", "node_modules", "__pycache__")


@pytest.fixture
def examples(tmp_path):
    return shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=UNWANTED)


@pytest.fixture
def broker(tmp_path):
    with servers.running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", cwd=tmp_path) as server:
        yield server.address


def environ(**more):
    names = {"PATH", "HOME", "LANG", "SYSTEMROOT", "TMPDIR"}
    kept = {name: value for name, value in os.environ.items() if name in names}
    return {**kept, "PACT_DO_NOT_TRACK": "true", **more}


def call(folder, *words, code=0, **more):
    programs = environments.programs(folder.name)
    command = [str(programs / "python"), *words]
    done = subprocess.run(
        command, cwd=folder, env=environ(**more), capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def run_tests(folder, *words, code=0, **more):
    return call(folder, "-m", "pytest", "-p", "no:cacheprovider", *words, code=code, **more)


def test_the_consumer_leaves_its_pact_and_a_log(examples):
    (examples / "consumer/userserviceclient-userservice.json").unlink()
    run_tests(examples / "consumer")
    left = {path.name for path in (examples / "consumer").iterdir()}
    assert {"userserviceclient-userservice.json", "pact-mock-service.log"} <= left


def test_the_pact_in_the_repository_equals_the_one_that_the_consumer_writes(examples):
    run_tests(examples / "consumer")
    path = Path("examples/consumer/userserviceclient-userservice.json")
    written, kept = (json.loads((folder / path).read_text("utf-8")) for folder in (examples.parent, ROOT))
    assert written["interactions"] == kept["interactions"]


def test_the_consumer_publishes_to_a_broker(examples, broker):
    run_tests(examples / "consumer", "--publish-pact", "2", PACT_BROKER_BASE_URL=broker)
    assert httpx.get(f"{broker}/pacts/provider/UserService/consumer/UserServiceClient/version/2").status_code == 200


def test_the_consumer_publishes_to_a_broker_of_its_own(examples):
    printed = run_tests(examples / "consumer", "--publish-pact", "2", "--run-broker", "True")
    assert "Pact successfully published for UserServiceClient version 2" in printed


@pytest.fixture(params=["flask_provider", "fastapi_provider"])
def provider(request, examples):
    return examples / request.param


def test_providers_are_verified_from_files(provider):
    assert "UserService against UserServiceClient: 2 of 2" in run_tests(provider)


def test_providers_are_verified_from_the_broker(examples, provider, broker):
    run_tests(examples / "consumer", "--publish-pact", "2", "--pact-branch", "main", PACT_BROKER_BASE_URL=broker)
    words = ("--provider-version", "1", "--provider-branch", "main", "--publish-verification")
    printed = run_tests(provider, "--broker-url", broker, *words)
    assert "Result published" in printed
    assert "Computer says yes" in printed


def test_a_broken_provider_fails_with_the_mismatch(provider):
    printed = run_tests(provider, code=1, USER_SERVICE="broken")
    assert "UserService does not honour its pact with UserServiceClient: a request for UserA" in printed
    assert "Actual map is missing the following keys: created_on" in printed


PUBLISHING_BOTH = ("--run-broker", "--publish-pact", "1", "--publish-provider-contract", "1")


@pytest.fixture(params=["fastapi", "flask"])
def catalogue(request, examples):
    return examples / request.param


def test_a_provider_publishes_its_own_contract(catalogue):
    printed = run_tests(catalogue, *PUBLISHING_BOTH)
    assert "Self-verification of Catalogue: success (1 passed)" in printed
    assert "The provider contract was published for Catalogue version 1." in printed
    assert printed.count("Computer says yes") == 2


def test_a_breaking_change_of_the_contract_is_found_without_replaying_the_pact(catalogue):
    printed = run_tests(catalogue, *PUBLISHING_BOTH, CATALOGUE="broken")
    assert "Self-verification of Catalogue: success (1 passed)" in printed
    assert printed.count("Computer says no") == 2
    assert 'The pact has the property "price" in the response body' in printed


def test_messages_are_published_and_verified(examples, broker):
    folder = examples / "message"
    run_tests(folder, "test_mailer.py", "--publish-pact", "1", "--pact-branch", "main", PACT_BROKER_BASE_URL=broker)
    words = ("--provider-version", "1", "--provider-branch", "main", "--publish-verification")
    assert "Computer says yes" in run_tests(folder, "test_shop.py", *words, PACT_BROKER_BASE_URL=broker)


def test_the_classic_example_runs_with_files_and_a_broker(examples, broker):
    folder = examples / "classic"
    run_tests(folder, "test_consumer.py")
    run_tests(folder, "test_provider.py")
    run_tests(folder, "test_consumer.py", "--publish-pact", "2", "--pact-branch", "main", PACT_BROKER_BASE_URL=broker)
    assert "2 passed" in run_tests(folder, "test_provider.py", PACT_BROKER_BASE_URL=broker)


def test_both_sides_are_deployed_independently(examples):
    printed = call(examples / "pipeline", "pipeline.py")
    assert "The broker calls" in printed
    assert printed.rstrip().endswith("=== Both sides were deployed independently.")


def test_the_broker_without_containers_needs_credentials(examples):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    path = f"{environments.programs('broker', 'treaty-pact[server]')}{os.pathsep}{os.environ['PATH']}"
    command = ["sh", "./serve.sh"]
    folder = examples / "broker"
    with subprocess.Popen(
        command, cwd=folder, env=environ(PORT=str(port), PATH=path), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("Treaty is at" in line for line in process.stderr)
        answers = [
            httpx.get(f"http://127.0.0.1:{port}/", auth=auth).status_code
            for auth in (None, ("pact_workshop", "pact_workshop"))
        ]
        process.terminate()
        process.communicate()
    assert answers == [401, 200]
