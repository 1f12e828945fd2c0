"""The original client of PactFlow, written in Ruby, publishes contracts of providers in both of its ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.test_provider_contracts import OPENAPI
from tests.clients.registry import PROVIDER_CONTRACTS, RUBY, client, exercises
from tests.clients.test_ruby import program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.access import Access

OLD_API = "publish_provider_contracts_using_old_api"

pytestmark = client(RUBY)


@exercises(PROVIDER_CONTRACTS)
@pytest.mark.parametrize("features", ["", OLD_API])
def test_a_contract_is_published_with_its_result(broker: Access, tmp_path: Path, features: str) -> None:
    (tmp_path / "api.yml").write_text(OPENAPI)
    (tmp_path / "results.txt").write_text("fine")
    output = broker.call(
        *(
            program("ruby", "pactflow"),
            "publish-provider-contract",
            "api.yml",
            "--provider",
            "Prices",
            "-a",
            "1",
            "--branch",
            "main",
        ),
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
