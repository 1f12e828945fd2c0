"""The interactions that the Rust command line's own tests expect of a broker: Treaty honours the pact that they write.

The other clients publish no such pact. The tests of pact-jvm and of the Rust verifier replace the broker by a stub with
paths of their own, those of pact-go v2 leave the broker to the Rust verifier, and the module proxy does not serve the
provider of Terraform. Their requests are in `test_jvm_client.py`, in the tests of the examples, and in `tests/api`.
"""

import json
from pathlib import Path

import httpx
import pytest
from pact import Verifier

from tests.clients import toolchains
from tests.clients.provider_states import States, names_of
from tests.whole import proxies, servers

UNMET = {
    "a request for the compatibility matrix where one or more versions does not exist": "the pact groups the parameters"
    " of the query by name, and a broker tells selectors apart by the order in which `can-i-deploy` sends them",
}
"""Interactions that no broker can honour as they are stated, with the reason."""


@pytest.mark.long
def test_the_interactions_of_the_command_line_are_honoured(tmp_path):
    # The pact for PactFlow has interactions with the open-source broker alone.
    pacts = [*toolchains.pacts_of_crate("pact-broker-cli").glob("pact-broker-cli-*.json")]
    assert len(pacts) == 2
    problems: dict[str, str] = {}
    for pact in pacts:
        problems |= verify_all(json.loads(pact.read_text("utf-8")), tmp_path)
    unexpected = {name: problem for name, problem in problems.items() if problem and name not in UNMET}
    assert not unexpected, "\n".join(unexpected.values())
    assert {name for name, problem in problems.items() if problem} == {*UNMET}


def verify_all(pact, folder):
    """Verify each interaction against a server in the state that it names, and return the problem of each, or none."""
    database, listening = folder / "treaty.sqlite", proxies.free_address()
    # The interactions compare links with this base URL.
    options = ("--port", listening.rpartition(":")[2], "--base-url", "http://example.org")
    webhooks = ("--webhook-scheme-whitelist", "http https")
    environ = {"TREATY_OPEN_ACCESS": "true"}
    problems: dict[str, str] = {}
    with (
        servers.running(f"sqlite:///{database}", *options, *webhooks, cwd=folder, environ=environ),
        httpx.Client(base_url=f"http://{listening}", timeout=60) as http,
    ):
        states = States(http, database)
        for interaction in pact["interactions"]:
            states.clear()
            for name in names_of(interaction):
                states.create(name)
            problem = verify(f"http://{listening}", {**pact, "interactions": [interaction]}, folder / "pact.json")
            problems[interaction["description"]] = problems.get(interaction["description"]) or problem
    return problems


def verify(address: str, pact: dict[str, object], file: Path) -> str:
    """Verify a pact, and return the problem, or none."""
    file.write_text(json.dumps(pact), "utf-8")
    verifier = Verifier("Pact Broker", host="127.0.0.1").add_transport(url=address).add_source(str(file))
    try:
        verifier.verify()
    except RuntimeError:
        return verifier.output(strip_ansi=True)
    return ""
