"""Verdicts of comparisons trigger webhooks, once for each pair of contents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.comparisons import FITTING, UNFITTING, count_events, finish_comparisons, publish_contract
from tests.api.history import History
from treaty.workers.comparisons import ComparisonWorker

if TYPE_CHECKING:
    from tests.api.client import Api
    from treaty.store.engine.database import Database

EVENTS = (
    "provider_verification_published",
    "provider_verification_succeeded",
    "provider_verification_failed",
    "contract_requiring_verification_published",
)


@pytest.fixture
def history(api: Api) -> History:
    request = {"method": "POST", "url": "https://ci.example.org/build"}
    assert api.post("/webhooks", {"events": [{"name": name} for name in EVENTS], "request": request}).status == 201
    return History(api)


def test_a_verdict_triggers_one_event_for_equal_contents(
    api: Api, history: History, comparison_worker: ComparisonWorker, database: Database
) -> None:
    history.publish("Shop", "1", "Prices", FITTING, branch="main")
    for version in ("1", "2"):
        publish_contract(api, version)
        finish_comparisons(comparison_worker)
        assert count_events(database) == {"published": 1, "succeeded": 1}
    history.publish("Shop", "2", "Prices", UNFITTING, branch="main")
    finish_comparisons(comparison_worker)
    assert count_events(database) == {"published": 2, "succeeded": 1, "failed": 1}


def test_a_changed_verdict_triggers_a_new_event(
    api: Api, history: History, comparison_worker: ComparisonWorker, database: Database
) -> None:
    history.publish("Shop", "1", "Prices", FITTING, branch="main")
    publish_contract(api, success=None)
    finish_comparisons(comparison_worker)
    assert count_events(database) == {}
    publish_contract(api, success=True)
    finish_comparisons(comparison_worker)
    assert count_events(database) == {"published": 1, "succeeded": 1}
    publish_contract(api, success=False)
    finish_comparisons(comparison_worker)
    assert count_events(database) == {"published": 2, "succeeded": 1, "failed": 1}


def test_compared_pacts_do_not_require_a_verification(
    api: Api, history: History, comparison_worker: ComparisonWorker, database: Database
) -> None:
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    history.publish("Shop", "1", "Prices", FITTING)
    finish_comparisons(comparison_worker)
    assert "contract_requiring_verification_published" not in count_events(database)
    message = {"description": "a price changed", "contents": {"price": 1}}
    content = {"consumer": {"name": "Shop"}, "provider": {"name": "Prices"}, "messages": [message]}
    api.put("/pacts/provider/Prices/consumer/Shop/version/2", content)
    finish_comparisons(comparison_worker)
    assert count_events(database)["contract_requiring_verification_published"] == 1
