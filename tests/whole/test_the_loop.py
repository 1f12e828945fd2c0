"""A team publishes, verifies and runs can-i-deploy, with pact-python and with Treaty's command line."""

import httpx

from tests.whole import shop
from tests.whole.servers import run


def broker(server, tmp_path, *words):
    return run("pact-broker", *words, cwd=tmp_path, PACT_BROKER_BASE_URL=server.address)


def run_can_i_deploy(server, tmp_path):
    question = ("--pacticipant", shop.CONSUMER, "--version", "1", "--to-environment", "production")
    return broker(server, tmp_path, "can-i-deploy", *question)


def publish(server, tmp_path):
    pacts = tmp_path / "pacts"
    pacts.mkdir()
    shop.write_pact(pacts)
    published = broker(server, tmp_path, "publish", "pacts", "--consumer-app-version", "1", "--branch", "main")
    assert published.returncode == 0, published
    assert "Pact successfully published for Web Shop version 1 and provider Prices." in published.stdout
    return published


def deploy(server, tmp_path, pacticipant, version):
    place = ("--pacticipant", pacticipant, "--version", version, "--environment", "production")
    recorded = broker(server, tmp_path, "record-deployment", *place)
    assert recorded.returncode == 0, recorded


def test_both_sides_are_deployed_when_the_provider_honours_the_pact(server, tmp_path):
    publish(server, tmp_path)
    assert broker(server, tmp_path, "create-environment", "--name", "production", "--production").returncode == 0
    before = run_can_i_deploy(server, tmp_path)
    assert (before.returncode, "Computer says no" in before.stdout) == (1, True)
    with shop.prices() as provider:
        assert shop.verify(server.address, provider, "a1", "main", main_branch=True)
    deploy(server, tmp_path, shop.PROVIDER, "a1")
    command = run_can_i_deploy(server, tmp_path)
    assert command.returncode == 0, command
    assert "Computer says yes \\o/" in command.stdout
    assert "| 1         | Prices   | a1        | true" in command.stdout
    deploy(server, tmp_path, shop.CONSUMER, "1")
    with shop.prices() as provider:
        assert shop.verify(server.address, provider, "a2", "main", deployed_or_released=True)
    assert results(server, "a2") == [True]


def test_a_provider_that_breaks_the_pact_is_not_deployable(server, tmp_path):
    publish(server, tmp_path)
    assert broker(server, tmp_path, "create-environment", "--name", "production", "--production").returncode == 0
    with shop.prices(is_broken=True) as provider:
        assert not shop.verify(server.address, provider, "b1", "main", main_branch=True)
    assert results(server, "b1") == [False]
    deploy(server, tmp_path, shop.PROVIDER, "b1")
    command = run_can_i_deploy(server, tmp_path)
    assert command.returncode == 1
    assert "Computer says no" in command.stdout
    assert "The verification for the pact between version 1 of Web Shop and the version of Prices" in command.stdout


def results(server, version):
    """Return the success of the results that a provider version has published."""
    query = f"q[][pacticipant]={shop.CONSUMER}&q[][pacticipant]={shop.PROVIDER}&q[][version]={version}&latestby=cvpv"
    rows = httpx.get(f"{server.address}/matrix?{query}").json()["matrix"]
    return [row["verificationResult"]["success"] for row in rows]
