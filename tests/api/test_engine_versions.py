"""After an upgrade of the comparison engine, former results decide until changed verdicts are accepted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests.api.comparisons import (
    FITTING,
    UNFITTING,
    can_i_deploy,
    count_events,
    deployable,
    finish_comparisons,
    publish_contract,
)
from tests.api.history import History
from treaty.model.compare.engine_version import ENGINE_VERSION
from treaty.model.provider_contracts import comparisons
from treaty.workers.comparisons import ComparisonWorker
from treaty.workers.recomparisons import RecomparisonWorker

if TYPE_CHECKING:
    from tests.api.client import Answer, Api, Clock
    from treaty.store.engine.database import Database

ENGINE = "/provider-contracts/engine"
PAGE = "/settings/comparisons"
FORMER_FINDING = {
    "code": "request.former",
    "type": "error",
    "message": "A finding of the former engine.",
    "mockDetails": {"location": "[root].interactions[0]"},
}


@pytest.fixture
def history(api: Api) -> History:
    return History(api)


@pytest.fixture
def comparer(database: Database, clock: Clock) -> ComparisonWorker:
    return ComparisonWorker(database, clock=clock)


@pytest.fixture
def recomparer(database: Database, clock: Clock) -> RecomparisonWorker:
    return RecomparisonWorker(database, clock=clock)


def pretend_former_engine(database: Database, *, is_compatible: bool | None = None) -> None:
    """Leave the comparisons as an older Treaty has stored them, with another verdict if it is given."""
    details = json.dumps({"success": is_compatible, "findings": [] if is_compatible else [FORMER_FINDING]})
    database.write(lambda db: db.execute(text("UPDATE comparison SET engine = '0'")))
    if is_compatible is None:
        return
    params = {"is_compatible": is_compatible, "details": details.encode()}
    database.write(
        lambda db: (
            db.execute(
                text(
                    "UPDATE comparison SET is_compatible = :is_compatible, announced_success = :is_compatible,"
                    " details = :details"
                ),
                params,
            ),
            db.execute(
                text("UPDATE verification SET success = :is_compatible WHERE comparison_id IS NOT NULL"), params
            ),
        )
    )


def compare_by_former_engine(
    api: Api, history: History, database: Database, *, content: str = FITTING, is_compatible: bool | None = False
) -> None:
    history.publish("Shop", "1", "Prices", content, branch="main")
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    assert deployable(api) is (content == FITTING)
    pretend_former_engine(database, is_compatible=is_compatible)


def report(api: Api) -> Any:
    answer = api.get(ENGINE)
    assert answer.status == 200, answer.text
    return answer.json()


def accept(api: Api, engine: str = ENGINE_VERSION) -> Answer:
    return api.post(f"{ENGINE}/accepted", {"engine": engine})


def engines(database: Database) -> list[tuple[Any, ...]]:
    rows = database.read(lambda db: db.execute(text("SELECT engine, is_compatible FROM comparison ORDER BY id")).all())
    return [(engine, bool(is_compatible)) for engine, is_compatible in rows]


def test_nothing_waits_without_an_upgrade(api: Api, history: History, recomparer: RecomparisonWorker) -> None:
    history.publish("Shop", "1", "Prices", FITTING)
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    assert deployable(api) is True
    recomparer.step()
    body = report(api)
    assert (body["status"], body["engine"], body["comparisons"]["total"]) == ("current", ENGINE_VERSION, 1)
    assert body["_embedded"]["changes"] == []


@pytest.mark.parametrize(("content", "former"), [(FITTING, False), (UNFITTING, True)])
def test_a_changed_verdict_counts_once_it_is_accepted(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker, *, content: str, former: bool
) -> None:
    compare_by_former_engine(api, history, database, content=content, is_compatible=former)
    assert deployable(api) is former
    assert report(api)["status"] == "recomputing"
    recomparer.step()
    assert deployable(api) is former, "nobody has accepted the new result"
    body = report(api)
    assert (body["status"], body["comparisons"]["changed"], body["comparisons"]["changedInUse"]) == ("waiting", 1, 1)
    assert accept(api).status == 200
    assert deployable(api) is (not former)
    assert (report(api)["status"], report(api)["comparisons"]["changed"]) == ("current", 0)
    (row,) = can_i_deploy(api)["matrix"]
    assert row["verificationResult"]["success"] is (not former)


def test_the_report_names_the_versions_in_use_both_verdicts_and_the_new_findings(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker
) -> None:
    compare_by_former_engine(api, history, database, content=UNFITTING, is_compatible=True)
    recomparer.step()
    (change,) = report(api)["_embedded"]["changes"]
    assert {name: change[name] for name in ("consumer", "provider", "profile", "isInUse")} == {
        "consumer": "Shop",
        "provider": "Prices",
        "profile": "strict",
        "isInUse": True,
    }
    assert change["before"] == {"engine": "0", "isCompatible": True, "describesAllInteractions": True}
    assert change["after"] == {"engine": ENGINE_VERSION, "isCompatible": False, "describesAllInteractions": True}
    assert [finding["code"] for finding in change["newFindings"]] == ["request.path-or-method.unknown"]
    assert change["resolvedFindings"] == []
    assert change["consumerVersions"] == [{"number": "1", "environments": [], "isOnMainBranch": True}]
    (version,) = change["providerVersions"]
    assert (version["number"], version["environments"]) == ("1", ["production"])
    assert (version["before"], version["after"]) == ("success", "failure")
    assert all(api.get(link["href"]).status == 200 for link in change["_links"].values())


def test_findings_that_the_engine_no_longer_has_are_listed(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker
) -> None:
    compare_by_former_engine(api, history, database)
    recomparer.step()
    (change,) = report(api)["_embedded"]["changes"]
    assert change["newFindings"] == []
    assert [finding["code"] for finding in change["resolvedFindings"]] == ["request.former"]


@pytest.mark.parametrize("content", [FITTING, UNFITTING])
def test_a_result_that_changes_no_verdict_replaces_the_former_one_by_itself(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker, content: str
) -> None:
    compare_by_former_engine(api, history, database, content=content, is_compatible=None)
    before = can_i_deploy(api)
    recomparer.step()
    assert engines(database) == [(ENGINE_VERSION, content == FITTING)]
    assert report(api)["status"] == "current"
    assert can_i_deploy(api)["summary"] == before["summary"]


def test_an_upgrade_makes_no_answer_unknown(
    make_api: Any, database: Database, comparer: ComparisonWorker, recomparer: RecomparisonWorker
) -> None:
    """With no time for comparisons in a request, a missing result would show."""
    api = make_api(comparison_budget=0)
    history = History(api)
    history.publish("Shop", "1", "Prices", FITTING)
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    assert deployable(api) is None
    finish_comparisons(comparer)
    pretend_former_engine(database, is_compatible=False)
    assert deployable(api) is False
    recomparer.step()
    assert deployable(api) is False
    assert accept(api).status == 200
    assert deployable(api) is True


def test_pairs_that_were_never_compared_are_compared_by_the_new_engine_only(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker
) -> None:
    compare_by_former_engine(api, history, database)
    history.publish("Till", "1", "Prices", FITTING)
    assert deployable(api, pacticipant="Till") is True
    assert engines(database) == [("0", False), (ENGINE_VERSION, True)]
    recomparer.step()
    assert engines(database) == [("0", False), (ENGINE_VERSION, True)]
    assert [change["consumer"] for change in report(api)["_embedded"]["changes"]] == ["Shop"]


def test_another_version_with_equal_contents_shares_the_former_result_until_then(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker
) -> None:
    compare_by_former_engine(api, history, database)
    publish_contract(api, "2")
    history.deploy("Prices", "2", "production")
    assert deployable(api) is False
    recomparer.step()
    accept(api)
    assert deployable(api) is True


def test_a_report_that_is_not_complete_or_of_another_engine_cannot_be_accepted(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker
) -> None:
    compare_by_former_engine(api, history, database)
    refused = accept(api)
    assert (refused.status, "has not computed 1 of 1 comparisons yet" in refused.text) == (409, True)
    recomparer.step()
    refused = accept(api, "0")
    assert (refused.status, f"compares with engine {ENGINE_VERSION}, not 0" in refused.text) == (409, True)
    assert deployable(api) is False
    assert accept(api, "").status == 400


def test_only_accepted_changes_trigger_webhooks_and_are_audited(
    api: Api, history: History, database: Database, comparer: ComparisonWorker, recomparer: RecomparisonWorker
) -> None:
    compare_by_former_engine(api, history, database)
    request = {"method": "POST", "url": "https://ci.example.org/build"}
    names = ("provider_verification_succeeded", "provider_verification_failed")
    assert api.post("/webhooks", {"events": [{"name": name} for name in names], "request": request}).status == 201
    recomparer.step()
    finish_comparisons(comparer)
    assert count_events(database) == {}
    accept(api)
    finish_comparisons(comparer)
    assert count_events(database) == {"succeeded": 1}
    events = api.get("/audit?type=engine_acceptance").json()["events"]
    assert [(event["resource"], event["after"]) for event in events] == [(ENGINE_VERSION, {"changed_comparisons": 1})]


def test_results_that_a_changed_completeness_permits_are_recorded(
    api: Api, history: History, database: Database, comparer: ComparisonWorker, recomparer: RecomparisonWorker
) -> None:
    """By the former engine the contract did not describe all interactions, so that there was no result."""
    compare_by_former_engine(api, history, database, is_compatible=None)
    database.write(
        lambda db: (
            db.execute(text("DELETE FROM verification")),
            db.execute(text("UPDATE comparison SET is_complete = :no"), {"no": False}),
        )
    )
    assert deployable(api) is None
    recomparer.step()
    assert deployable(api) is None
    accept(api)
    finish_comparisons(comparer)
    assert deployable(api) is True


def test_a_second_upgrade_recomputes_comparisons_that_were_not_accepted(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker
) -> None:
    compare_by_former_engine(api, history, database)
    recomparer.step()
    database.write(lambda db: db.execute(text("UPDATE recomparison SET engine = '0', is_compatible = NULL")))
    assert report(api)["status"] == "recomputing"
    recomparer.step()
    assert report(api)["status"] == "waiting"


def test_after_a_fault_of_the_engine_the_former_result_stays(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare_by_former_engine(api, history, database)
    monkeypatch.setattr(comparisons, "compare_contents", lambda _inputs: 1 / 0)
    recomparer.step()
    body = report(api)
    assert (body["status"], body["comparisons"]["failed"]) == ("current", 1)
    assert "could not be computed" in body["summary"]
    assert accept(api).status == 200
    assert deployable(api) is False


def test_a_server_of_a_former_version_leaves_newer_results_alone(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker
) -> None:
    """While servers are upgraded one after the other, both versions run."""
    compare_by_former_engine(api, history, database)
    database.write(lambda db: db.execute(text("UPDATE comparison SET engine = '1000'")))
    recomparer.step()
    assert report(api)["status"] == "current"
    assert deployable(api) is False


def test_more_results_than_one_transaction_takes_are_applied_by_the_worker(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("treaty.actions.provider_contracts.recomparisons.ACCEPTED_AT_ONCE", 1)
    for consumer in ("Shop", "Till", "Cart"):
        history.publish(consumer, "1", "Prices", FITTING)
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    for consumer in ("Shop", "Till", "Cart"):
        assert deployable(api, pacticipant=consumer) is True
    pretend_former_engine(database, is_compatible=False)
    recomparer.step()
    answer = accept(api).json()
    assert (answer["status"], answer["comparisons"]["accepted"]) == ("switching", 2)
    recomparer.step()
    assert report(api)["status"] == "current"
    assert [deployable(api, pacticipant=consumer) for consumer in ("Shop", "Till", "Cart")] == [True, True, True]


def test_the_changes_are_paged(api: Api, history: History, database: Database, recomparer: RecomparisonWorker) -> None:
    for consumer in ("Shop", "Till", "Cart"):
        history.publish(consumer, "1", "Prices", FITTING)
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    history.deploy("Till", "1", "production")
    for consumer in ("Shop", "Till", "Cart"):
        assert deployable(api, pacticipant=consumer) is True
    pretend_former_engine(database, is_compatible=False)
    recomparer.step()
    consumers, url = [], f"{ENGINE}?page=1&size=2"
    while url:
        body = api.get(url).json()
        consumers += [change["consumer"] for change in body["_embedded"]["changes"]]
        url = body["_links"].get("next", {}).get("href")
    assert (consumers[0], sorted(consumers)) == ("Till", ["Cart", "Shop", "Till"]), "versions in use are first"


def test_the_page_shows_the_changes_and_accepts_them(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker
) -> None:
    compare_by_former_engine(api, history, database, content=UNFITTING, is_compatible=True)
    recomparer.step()
    page = api.get(PAGE, accept="text/html").text
    assert "changes the verdict of 1 of 1 comparisons" in page
    assert f"Accept all results of engine {ENGINE_VERSION}" in page
    form = "application/x-www-form-urlencoded"
    refused = api.request("POST", PAGE, b"engine=0", accept="text/html", type=form)
    assert (refused.status, "not 0" in refused.text) == (409, True)
    accepted = api.request("POST", PAGE, f"engine={ENGINE_VERSION}".encode(), accept="text/html", type=form)
    assert accepted.status == 303
    assert "Accepted. The new results decide." in api.get(accepted.headers["location"], accept="text/html").text
    assert deployable(api) is False


def test_metrics_count_comparisons_to_recompute_and_to_accept(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker
) -> None:
    compare_by_former_engine(api, history, database)
    assert "treaty_comparisons_to_recompute 1.0" in prometheus(api)
    recomparer.step()
    assert "treaty_comparisons_to_accept 1.0" in prometheus(api)


def prometheus(api: Api) -> str:
    return api.get("/metrics/prometheus", accept="*/*").text


def test_the_clean_up_removes_waiting_results_with_their_versions(
    api: Api, history: History, database: Database, recomparer: RecomparisonWorker
) -> None:
    compare_by_former_engine(api, history, database)
    recomparer.step()
    assert api.delete("/pacticipants/Prices/versions/1").status == 204
    database.write(lambda db: db.execute(text("DELETE FROM comparison")))
    assert database.read(lambda db: db.execute(text("SELECT count(*) FROM recomparison")).scalar()) == 0
