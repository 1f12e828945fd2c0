"""The original client of PactFlow, written in Ruby, publishes contracts of providers in both of its ways."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.api.test_provider_contracts import OPENAPI
from tests.clients import toolchains

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.access import Access

CLIENT = "pact-python-cli==2.6.4.0"
"""The last release that contains the client in Ruby."""
OLD_API = "publish_provider_contracts_using_old_api"


@pytest.fixture(scope="session")
def pactflow() -> str:
    """Install the client beside the tests' own environment, which has a newer one, and return its program's path."""
    folder = toolchains.ROOT / ".venv" / "clients" / "ruby"
    program = folder / "pact_cli" / "bin" / "pactflow"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "ruby.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), CLIENT]
            done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
            if done.returncode:
                toolchains.unavailable(f"{CLIENT} cannot be installed: {done.stderr[-500:]}")
    return str(program)


@pytest.mark.parametrize("features", ["", OLD_API])
def test_a_contract_is_published_with_its_result(broker: Access, pactflow: str, tmp_path: Path, features: str) -> None:
    (tmp_path / "api.yml").write_text(OPENAPI)
    (tmp_path / "results.txt").write_text("fine")
    output = broker.call(
        *(pactflow, "publish-provider-contract", "api.yml", "--provider", "Prices", "-a", "1", "--branch", "main"),
        *("--tag", "dev", "--verification-exit-code", "0", "--verification-results", "results.txt"),
        cwd=tmp_path,
        PACTFLOW_FEATURES=features,
    )
    assert ("Successfully published" if features else "The provider contract was published") in output
    found = broker.http.get("contracts/bi-directional/provider/Prices/version/1/provider-contract-verification-results")
    assert found.json()["verificationStatus"] == "success"
    assert [tag["name"] for tag in broker.http.get("pacticipants/Prices/versions/1").json()["_embedded"]["tags"]] == [
        "dev"
    ]
