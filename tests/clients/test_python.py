"""pact-python: the current one, and version 2, whose classic API runs the programs in Ruby."""

import sys

import pytest
from pact import Verifier

from tests.clients import access, story, toolchains
from tests.clients.registry import BRANCHES, PENDING, PUBLISH, PYTHON, RESULTS, VERIFY, WIP, client, exercises
from tests.clients.story import CommandLine
from tests.whole import proxies, servers, shop

pytestmark = client(PYTHON)
CONSUMER_TEST = """
import os, sys, urllib.request
from pact import Consumer, Like, Provider

version, port = sys.argv[1:]
pact = Consumer("Web Shop", version=version, branch="main").has_pact_with(
    Provider("Prices"), host_name="127.0.0.1", port=int(port), pact_dir=".", log_dir=".", publish_to_broker=True,
    broker_base_url=os.environ["PACT_BROKER_BASE_URL"], broker_token=os.environ.get("PACT_BROKER_TOKEN"),
    broker_username=os.environ.get("PACT_BROKER_USERNAME"), broker_password=os.environ.get("PACT_BROKER_PASSWORD"),
)
pact.start_service()
pact.given("product 7 is for sale").upon_receiving("a request for a price")
pact.with_request("get", "/products/7/price").will_respond_with(200, body={"product": 7, "price": Like(12.5)})
with pact:
    urllib.request.urlopen(pact.uri + "/products/7/price").read()
pact.stop_service()
"""
VERIFICATION = """
import os, sys
from pact import Verifier

version, provider = sys.argv[1:]
status, _ = Verifier("Prices", provider).verify_with_broker(
    broker_url=os.environ["PACT_BROKER_BASE_URL"], broker_token=os.environ.get("PACT_BROKER_TOKEN"),
    broker_username=os.environ.get("PACT_BROKER_USERNAME"), broker_password=os.environ.get("PACT_BROKER_PASSWORD"),
    publish_version=version, publish_verification_results=True, provider_version_branch="main",
    consumer_version_selectors=[{"mainBranch": True}], enable_pending=True, include_wip_pacts_since="2020-01-01",
    provider_states_setup_url=provider + "/states",
)
sys.exit(status)
"""


@pytest.fixture
def cli(broker, tmp_path):
    """Treaty's own `pact-broker`, because the current pact-python has none."""
    return CommandLine((str(servers.BIN / "pact-broker"),), broker, tmp_path)


@pytest.fixture
def verify(broker, monkeypatch):
    if broker.authority:
        monkeypatch.setenv("SSL_CERT_FILE", str(broker.authority))

    def run(version, *selectors, branch="", credentials=None):
        verifier = Verifier(shop.PROVIDER, host="127.0.0.1")
        source = verifier.broker_source(
            broker.url, selector=True, use_env=False, **(credentials or build_credentials(broker))
        )
        names = {"mainBranch": "main_branch", "deployedOrReleased": "deployed_or_released"}
        for selector in selectors:
            source.consumer_version(**{names[name]: value for name, value in selector.items()})
        source.provider_branch(branch).include_pending().include_wip_since("2020-01-01").build()
        verifier.set_publish_options(version=version, branch=branch)
        with shop.prices() as provider:
            verifier.add_transport(url=provider).state_handler(f"{provider}/states", body=True)
            verifier.verify()

    return run


def build_credentials(broker):
    names = {"token": "PACT_BROKER_TOKEN", "username": "PACT_BROKER_USERNAME", "password": "PACT_BROKER_PASSWORD"}
    return {option: broker.environ[name] for option, name in names.items() if name in broker.environ}


@access.ESPECIALLY_GUARDED
@exercises(VERIFY, PENDING, WIP, RESULTS)
def test_the_verifier_takes_selected_and_pending_pacts_and_publishes_results(cli, verify, broker):
    story.deploy_with_branches(cli, verify)
    story.add_pending_expectation(cli, verify)
    secret = {"token", "password"} & build_credentials(broker).keys()
    with pytest.raises(RuntimeError):
        verify(
            "a3",
            {"mainBranch": True},
            branch="main",
            credentials={**build_credentials(broker), **dict.fromkeys(secret, "x")},
        )
    assert broker.versions(shop.PROVIDER) == ["a2", "a1"]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="pact-python 2 is for Python 3.13 at most")
@access.ESPECIALLY_GUARDED
@exercises(PUBLISH, BRANCHES, VERIFY, PENDING, WIP, RESULTS)
def test_version_2_publishes_pacts_and_results(broker, tmp_path):
    python = str(toolchains.installed_packages("python") / "python")
    port = proxies.free_address().rpartition(":")[2]
    with shop.prices() as provider:
        program = (python, "-W", "ignore", "-c")
        broker.call(*program, CONSUMER_TEST, "1", port, cwd=tmp_path)
        broker.call(*program, VERIFICATION, "a1", provider, cwd=tmp_path)
    assert broker.is_verified(shop.CONSUMER, "1", shop.PROVIDER, "a1")
