"""The Rust client of the Pact Foundation, against Treaty."""

import httpx

from tests.whole import shop
from tests.whole.servers import run


def rust(server, tmp_path, *words):
    return run("pact", "broker", *words, cwd=tmp_path, PACT_BROKER_BASE_URL=server.address)


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
