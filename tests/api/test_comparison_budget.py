"""A request compares for a limited time: the rest is left to the worker, even within a single pair."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.client import pact
from tests.api.comparisons import FITTING, deployable, finish_comparisons, publish_contract
from tests.api.history import History
from treaty.actions.provider_contracts.comparisons import ComparisonBudget, compare_pairs
from treaty.model.provider_contracts.comparisons import PairKey
from treaty.web import application
from treaty.workers.comparisons import ComparisonWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.client import Api, Clock
    from treaty.store.engine.database import Database

INTERACTIONS = 5
PLENTY = 10**9


def publish(api: Api) -> PairKey:
    """Publish a pact with several interactions and a contract, and return the pair."""
    request = {"method": "GET", "path": "/prices"}
    interactions = [
        {"description": f"a request {number}", "request": request, "response": {"status": 200}}
        for number in range(INTERACTIONS)
    ]
    content = {**pact("Shop", "Prices"), "interactions": interactions}
    assert api.put("/pacts/provider/Prices/consumer/Shop/version/1", content).status == 201
    publish_contract(api)
    link = api.get("/pacts/provider/Prices/consumer/Shop/version/1").link("pb:pact-version")
    return PairKey("Shop", "Prices", link.rpartition("/")[2], "1")


def compare(database: Database, clock: Clock, key: PairKey, **limits: Any) -> list[PairKey]:
    budget = ComparisonBudget(**{"is_expired": lambda: False, "max_bytes": PLENTY, **limits})
    return compare_pairs(database, [key], base_url="https://broker.example.org", now=clock(), budget=budget)


def expire_after(calls: int) -> Callable[[], bool]:
    numbers = count(1)
    return lambda: next(numbers) > calls


@pytest.mark.parametrize("calls", range(INTERACTIONS + 1))
def test_a_comparison_stops_between_two_interactions(api: Api, database: Database, clock: Clock, calls: int) -> None:
    key = publish(api)
    assert compare(database, clock, key, is_expired=expire_after(calls)) == [key]
    assert deployed(api) is None, "half of a comparison is no result"


def test_a_comparison_with_enough_time_is_finished(api: Api, database: Database, clock: Clock) -> None:
    key = publish(api)
    assert compare(database, clock, key, is_expired=expire_after(INTERACTIONS + 1)) == []
    assert deployed(api) is True


def deployed(api: Api) -> bool | None:
    """Return the stored verdict, without a comparison in the request."""
    path = "/contracts/bi-directional/provider/Prices/version/1/cross-contract-verification-results"
    results = api.get(path).json()["_embedded"]["results"]
    return results[0]["verificationStatus"] == "success" if results else None


def test_a_large_pair_is_left_to_the_worker_while_a_small_one_is_compared_at_once(
    make_api: Any, comparison_worker: ComparisonWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = make_api()
    history = History(api)
    history.publish("Shop", "1", "Prices", FITTING)
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    monkeypatch.setattr(application, "COMPARED_BYTES_PER_SECOND", 0.1)
    assert deployable(api) is None
    finish_comparisons(comparison_worker)
    assert deployable(api) is True
    history.publish("Till", "1", "Prices", FITTING)
    monkeypatch.setattr(application, "COMPARED_BYTES_PER_SECOND", PLENTY)
    assert deployable(api, pacticipant="Till") is True
