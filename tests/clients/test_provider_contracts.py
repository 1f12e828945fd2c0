"""The original client of PactFlow, written in Ruby, publishes contracts of providers in both of its ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.contracts import OPENAPI
from tests.clients.registry import PROVIDER_CONTRACTS, RUBY, client, exercises
from tests.clients.toolchains import find_ruby_program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.access import Access

OLD_API = "publish_provider_contracts_using_old_api"

pytestmark = client(RUBY)


@exercises(PROVIDER_CONTRACTS)
def test_a_contract_is_published_with_its_result(broker: Access, tmp_path: Path) -> None:
    assert "The provider contract was published" in publish(broker, tmp_path)
    check_published(broker)


@exercises(PROVIDER_CONTRACTS)
def test_a_contract_is_published_in_the_older_way(broker: Access, tmp_path: Path) -> None:
    assert "Successfully published" in publish(broker, tmp_path, features=OLD_API)
    check_published(broker)


def publish(broker: Access, folder: Path, features: str = "") -> str:
    (folder / "api.yml").write_text(OPENAPI)
    (folder / "results.txt").write_text("fine")
    return broker.call(
        *(
            find_ruby_program("ruby", "pactflow"),
            "publish-provider-contract",
            "api.yml",
            "--provider",
            "Prices",
            "-a",
            "1",
        ),
        *("--branch", "main", "--tag", "dev", "--verification-exit-code", "0", "--verification-results", "results.txt"),
        cwd=folder,
        PACTFLOW_FEATURES=features,
    )


def check_published(broker: Access) -> None:
    response = broker.http.get(
        "contracts/bi-directional/provider/Prices/version/1/provider-contract-verification-results"
    )
    assert response.json()["verificationStatus"] == "success"
    version = broker.http.get("pacticipants/Prices/versions/1").json()
    assert [tag["name"] for tag in version["_embedded"]["tags"]] == ["dev"]
