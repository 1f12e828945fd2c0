"""The Rust client, which we did not write, against Treaty."""

import httpx
import pytest

from tests.whole import shop
from tests.whole.servers import run


def rust(server, tmp_path, *words):
    return run("pact", "broker", *words, cwd=tmp_path, PACT_BROKER_BASE_URL=server.address)


def test_it_publishes_and_asks_whether_to_deploy(server, tmp_path):
    pacts = tmp_path / "pacts"
    pacts.mkdir()
    shop.write_pact(pacts)
    published = rust(server, tmp_path, "publish", "pacts", "--consumer-app-version", "1", "--branch", "main")
    assert published.returncode == 0, published
    assert "Pact successfully published for Web Shop version 1 and provider Prices." in published.stdout
    assert rust(server, tmp_path, "create-environment", "--name", "production", "--production").returncode == 0
    with shop.prices() as provider:
        assert shop.verify(server.address, provider, "a1", "main", main_branch=True)
    place = ("--pacticipant", shop.PROVIDER, "--version", "a1", "--environment", "production")
    assert rust(server, tmp_path, "record-deployment", *place).returncode == 0
    yes, no = (ask(server, tmp_path, version) for version in ("1", "2"))
    assert (yes.returncode, "Computer says yes" in yes.stdout) == (0, True), yes
    assert (no.returncode, "Computer says no" in no.stdout) == (1, True), no


@pytest.mark.slow
def test_builds_with_a_former_name_verify_but_do_not_publish(server, tmp_path):
    """The verifier is redirected to its pacts. They have the new name, so that it publishes its results under that."""
    pacts = tmp_path / "pacts"
    pacts.mkdir()
    shop.write_pact(pacts)
    publish = ("publish", "pacts", "--branch", "main", "--consumer-app-version")
    assert rust(server, tmp_path, *publish, "1").returncode == 0
    renamed = run("treaty", "rename", shop.PROVIDER, "Costs", cwd=tmp_path, PACT_BROKER_BASE_URL=server.address)
    assert renamed.returncode == 0, renamed
    with shop.prices() as provider:
        assert shop.verify(server.address, provider, "a1", "main", main_branch=True)
    place = f"{server.address}/pacts/provider/Costs/consumer/Web%20Shop/latest/verification-results/latest"
    result = httpx.get(place).json()
    assert (result["success"], result["providerApplicationVersion"]) == (True, "a1")
    late = rust(server, tmp_path, *publish, "2")
    assert (late.returncode, f"'{shop.PROVIDER}' has been renamed to 'Costs'" in late.stdout) == (1, True), late


def ask(server, tmp_path, version):
    version_of = ("--pacticipant", shop.CONSUMER, "--version", version)  # this client wants them side by side
    return rust(server, tmp_path, "can-i-deploy", *version_of, "--to-environment", "production")
