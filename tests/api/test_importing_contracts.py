"""Contracts of providers, their self-verifications and profiles are imported, and decide as in the source."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests.api.comparisons import FITTING, UNFITTING, count_events, deployable, finish_comparisons, publish_contract
from tests.api.contracts import OPENAPI, PUBLISH, build, document
from tests.api.history import History
from tests.api.imports import import_from
from treaty.workers.comparisons import ComparisonWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.client import Api, Clock
    from treaty.store.engine.database import Database

CONTRACT = "/contracts/bi-directional/provider/Prices/version/1/provider-contract"
RESULTS = f"{CONTRACT}-verification-results"
PROFILE = "/provider-contracts/provider/Prices/profile"


@pytest.fixture
def source(make_separate_api: Callable[[str], Api]) -> Api:
    source = make_separate_api("source")
    history = History(source)
    history.publish("Shop", "1", "Prices", FITTING, branch="main")
    history.publish("Till", "1", "Prices", UNFITTING, branch="main")
    publish_contract(source)
    assert source.put(PROFILE, {"profile": "pactflow"}).status == 200
    history.deploy("Prices", "1", "production")
    return source


def without_times(api: Api, path: str) -> list[Any]:
    (items,) = api.get(path).json()["_embedded"].values()
    return [{name: value for name, value in item.items() if not name.startswith("_")} for item in items]


@pytest.mark.parametrize("hides_export", [False, True])
def test_contracts_are_copied_with_their_results_and_decide(api: Api, source: Api, *, hides_export: bool) -> None:
    report = import_from(source, api, hides_export=hides_export)
    assert report.refused == []
    assert report.copied["provider-contracts"] == 1
    assert without_times(api, CONTRACT) == without_times(source, CONTRACT)
    assert without_times(api, RESULTS) == without_times(source, RESULTS)
    assert [deployable(api, pacticipant=name) for name in ("Shop", "Till")] == [True, False]
    again = import_from(source, api, hides_export=hides_export)
    assert (again.copied["provider-contracts"], again.existing["provider-contracts"]) == (0, 1)


def test_the_profile_is_copied_unless_one_was_set_here(api: Api, source: Api) -> None:
    import_from(source, api)
    assert api.get(PROFILE).json()["profile"] == "pactflow"
    api.put(PROFILE, {"profile": "reference"})
    import_from(source, api)
    assert api.get(PROFILE).json()["profile"] == "reference"


def test_several_named_contracts_of_a_version_are_copied(api: Api, source: Api) -> None:
    named = [{"name": name, **document(OPENAPI.replace("/prices", f"/{name}"))} for name in ("one", "two")]
    assert source.post(f"{PUBLISH}-contracts", build("2", contracts=named)).status == 200
    import_from(source, api, hides_export=True)
    path = CONTRACT.replace("version/1", "version/2")
    assert without_times(api, path) == without_times(source, path)


def test_a_newer_self_verification_is_copied_later(api: Api, source: Api, clock: Clock) -> None:
    import_from(source, api)
    clock.now += timedelta(minutes=1)
    publish_contract(source, success=False)
    clock.now += timedelta(minutes=1)
    import_from(source, api)
    assert deployable(api) is False
    clock.now += timedelta(minutes=1)
    publish_contract(api, success=True)
    import_from(source, api)
    assert deployable(api) is True, "the newest result is the one from here"


def test_another_document_of_the_version_stays(api: Api, source: Api) -> None:
    publish_contract(api, source=OPENAPI.replace("/prices", "/others"))
    report = import_from(source, api)
    assert [line for line in report.left if "another document" in line]
    assert "/others" in str(without_times(api, CONTRACT))


def test_imported_contracts_trigger_no_webhooks(api: Api, source: Api, database: Database, clock: Clock) -> None:
    request = {"method": "POST", "url": "https://ci.example.org/build"}
    events = [{"name": f"provider_verification_{name}"} for name in ("published", "succeeded", "failed")]
    assert api.post("/webhooks", {"events": events, "request": request}).status == 201
    import_from(source, api)
    finish_comparisons(ComparisonWorker(database, clock=clock))
    count = text("SELECT count(*) FROM verification WHERE comparison_id IS NOT NULL")
    assert database.read(lambda db: db.execute(count).scalar()) == 2
    assert count_events(database) == {}


def fact(**more: Any) -> dict[str, Any]:
    return {
        "kind": "provider-contract",
        "provider": "Prices",
        "version": "1",
        "content": b64encode(OPENAPI.encode()).decode(),
        "contentType": "application/yaml",
        "specification": "oas",
        "createdAt": "2024-01-31T09:00:00Z",
        **more,
    }


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"content": "?"}, "content must be base64"),
        ({"content": b64encode(b"{").decode()}, "not valid"),
        ({"specification": "protobuf"}, "specification"),
        ({"version": " "}, "cannot be blank"),
        ({"version": "7"}, "Version 7 of Prices was not copied"),
        ({"selfVerification": {"success": True, "createdAt": "x"}}, "cannot be read"),
        ({"selfVerification": {"success": True, "createdAt": "2024-01-31T09:00:00Z", "content": "?"}}, "base64"),
    ],
)
def test_a_contract_that_cannot_be_read_is_refused_with_the_reason(api: Api, more: dict[str, Any], reason: str) -> None:
    publish_contract(api)
    body = {"source": "https://old.example.org", "run": "1", "facts": [fact(**more)]}
    answer = api.post("/import", body)
    assert answer.status == 200, answer.text
    (outcome,) = answer.json()["outcomes"]
    assert (outcome["outcome"], reason in outcome["reason"]) == ("refused", True), outcome
