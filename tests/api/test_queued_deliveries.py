"""Queued deliveries survive the removal of their subjects, or the audit log records their cancellation."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from tests.api.client import SECRET_KEY
from tests.api.deliveries import OPEN, Broker
from tests.api.history import History
from tests.databases import open_kept
from tests.receiver import receiving
from treaty.actions.versions.removal import remove_version
from treaty.actions.webhooks import deliveries
from treaty.model.maintenance.retention import KeepBranches, KeepVersions, Retention, add_in_use_selectors
from treaty.settings import Settings
from treaty.store.tables import triggered_webhook, version
from treaty.store.versions import versions
from treaty.store.webhooks.due_deliveries import ClaimRequest
from treaty.web.parameter_urls import PARAMETER_URLS
from treaty.workers.cleanup import Cleaner

PARAMETERS = (
    *("consumerName", "consumerVersionNumber", "consumerVersionTags", "consumerVersionBranch", "pactUrl"),
    *("providerName", "providerVersionNumber", "providerVersionTags", "providerVersionBranch"),
    *("verificationResultUrl", "githubVerificationStatus", "eventName"),
)
BODY = {name: f"${{pactbroker.{name}}}" for name in PARAMETERS}
PAIR = "/pacts/provider/Ledger/consumer/Till"


@pytest.fixture
def broker(database_url: str) -> Iterator[Broker]:
    """A broker that has queued two deliveries, and does not send them until its worker is started."""
    with ExitStack() as stack:
        database = open_kept(database_url, connections=4)
        stack.callback(database.close)
        options = {**OPEN, "allow_dangerous_contract_modification": True}
        settings = Settings(database_url=database_url, secret_key=SECRET_KEY, log_level="fatal", **options)  # type: ignore[arg-type]  # as mypy sees unpacked settings
        broker = Broker(database, settings)
        stack.callback(broker.api.close)
        history = History(broker.api)
        history.version("Till", "0")
        history.tag("Till", "0", "dev")
        for number in ("8", "9"):
            history.version("Ledger", number)
            history.branch("Ledger", number, "feat/y")
            history.tag("Ledger", number, "prod")
        broker.hook("http://127.0.0.1:1/published", request={"body": BODY})
        broker.hook("http://127.0.0.1:1/verified", "provider_verification_published", request={"body": BODY})
        broker.publish("1", "a thing", branch="feat/x", tags=["dev"])
        history.verify("Till", "1", "Ledger", "9")
        broker.publish("2", "another thing", branch="main")
        yield broker


def queued_requests(broker: Broker) -> dict[str, Any]:
    """Build the requests of version 1 that would be sent now, by the event."""
    requests = list_queued_requests(broker)
    return {body["eventName"]: body for body in requests if body["consumerVersionNumber"] == "1"}


def list_queued_requests(broker: Broker) -> list[dict[str, Any]]:
    """Build all requests that would be sent now."""
    now = datetime.now(UTC)
    claim = ClaimRequest(owner="test", now=now + timedelta(hours=1), until=now, limit=10)
    return [
        json.loads(
            deliveries.build_request(delivery, settings=broker.settings, parameter_urls=PARAMETER_URLS, at=now).body
        )
        for delivery in broker.database.write(lambda db: deliveries.claim(db, claim))
    ]


def delete(path: str) -> Callable[[Broker], None]:
    def remove(broker: Broker) -> None:
        assert broker.api.delete(path).status in {200, 202, 204}

    return remove


def delete_result(broker: Broker) -> None:
    result = broker.api.get(f"{PAIR}/version/1/verification-results/latest").link("self")
    assert broker.api.delete(result).status == 204


def clean(broker: Broker) -> None:
    retention = Retention(
        versions=add_in_use_selectors([KeepVersions(pacticipant="Till", latest=True)]),
        branches=(KeepBranches(branches=("main",)),),
        overwritten_max_age=timedelta(0),
    )
    later = datetime.now(UTC) + timedelta(days=100)
    removed = Cleaner(broker.database, retention, clock=lambda: later, pause=lambda _: False).clean()["clean"]
    assert removed["versions"].gone == 2
    assert removed["branches"].gone == 2  # the tag dev has made a branch of its own
    assert removed["triggered_webhooks"].gone == 0


REMOVALS: dict[str, Callable[[Broker], None]] = {
    "consumer version": delete("/pacticipants/Till/versions/1"),
    "provider version": delete("/pacticipants/Ledger/versions/9"),
    "pact": delete(f"{PAIR}/version/1"),
    "all pacts": delete(f"{PAIR}/versions"),
    "pacts of a branch": delete(f"{PAIR}/branch/feat%2Fx"),
    "pacts with a tag": delete(f"{PAIR}/tag/dev"),
    "consumer branch": delete("/pacticipants/Till/branches/feat%2Fx"),
    "provider branch": delete("/pacticipants/Ledger/branches/feat%2Fy"),
    "membership of a branch": delete("/pacticipants/Till/branches/feat%2Fx/versions/1"),
    "several branches": delete("/pacticipants/Till/branches?exclude[]=main"),
    "result": delete_result,
    "clean-up": clean,
}


@pytest.mark.parametrize("remove", REMOVALS.values(), ids=REMOVALS)
def test_a_queued_delivery_is_sent_with_its_parameters_as_they_were(broker, remove):
    before = queued_requests(broker)
    assert before["provider_verification_published"]["providerVersionBranch"] == "feat/y"
    assert before["contract_published"]["consumerVersionBranch"] == "feat/x"
    remove(broker)
    assert queued_requests(broker) == before


def publish_again(broker: Broker) -> None:
    History(broker.api).publish("Till", "1", "Ledger", "a third thing")


def verify_again(broker: Broker) -> None:
    # The delivery about the first of these results is the next one, without those about the result that stays.
    broker.database.write(lambda db: db.execute(update(triggered_webhook).values(due_at=None, status="success")))
    for success in (False, True):
        History(broker.api).verify("Till", "1", "Ledger", "9", success=success)


@pytest.mark.parametrize(
    ("kind", "repeat"), [("pact_publications", publish_again), ("verification_results", verify_again)]
)
def test_a_queued_delivery_stays_the_same_after_its_subject_is_overwritten_and_removed(broker, kind, repeat):
    repeat(broker)
    before = list_queued_requests(broker)
    retention = Retention(versions=(KeepVersions(max_age=200),), branches=(), overwritten_max_age=timedelta(days=50))
    later = datetime.now(UTC) + timedelta(days=100)
    removed = Cleaner(broker.database, retention, clock=lambda: later, pause=lambda _: False).clean()["overwritten"]
    assert removed[kind].gone == 1
    assert list_queued_requests(broker) == before
    cleanings = broker.api.get("/audit?type=cleaning").json()["events"]
    assert [event["before"] for event in cleanings if kind in (event["before"] or {})] == [{kind: 1}]


def test_removing_an_integration_keeps_the_parameters_of_deliveries_of_other_pairs(broker):
    history = History(broker.api)
    assert broker.api.patch("/pacticipants/Ledger", {"mainBranch": "trunk"}).status == 200
    history.branch("Ledger", "10", "trunk")
    history.tag("Ledger", "10", "prod")
    history.publish("Kiosk", "1", "Ledger")
    event = "contract_requiring_verification_published"
    broker.hook("http://127.0.0.1:1/required", event, request={"body": {**BODY, "consumerVersionNumber": "1"}})
    broker.publish("3", "a third thing")
    before = queued_requests(broker)[event]
    assert (before["providerVersionNumber"], before["providerVersionTags"]) == ("10", "prod")
    delete("/integrations/provider/Ledger/consumer/Kiosk")(broker)
    assert broker.api.get("/pacticipants/Ledger/versions/10").status == 404
    assert queued_requests(broker)[event] == before


@pytest.mark.slow_on_postgresql
def test_more_versions_than_a_statement_takes_are_removed_beside_a_queued_delivery(broker):
    History(broker.api).publish("Kiosk", "1", "Ledger")
    broker.database.write(_add_many_versions)
    delete("/integrations/provider/Ledger/consumer/Kiosk")(broker)
    count = select(func.count()).select_from(version).where(version.c.number.like("idle%"))
    assert broker.database.read(lambda db: db.execute(count).scalar()) == 0


def _add_many_versions(db):
    """Add as many versions as exceed the number of parameters, which is 65,535 on PostgreSQL."""
    db.execute(
        text("""
            WITH RECURSIVE number (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM number WHERE value < 70000)
            INSERT INTO version (pacticipant_id, number, position, created_at, updated_at)
            SELECT id, 'idle' || value, 1000 + value, created_at, updated_at FROM number, pacticipant
            WHERE pacticipant.name = 'Ledger'
        """)
    )
    db.execute(text("ANALYZE version"))  # autovacuum does that within a minute


def test_a_delivery_that_is_sent_again_while_its_version_is_removed_is_not_lost(broker, monkeypatch):
    broker.database.write(lambda db: db.execute(update(triggered_webhook).values(due_at=None, status="success")))
    uuid = broker.triggered("1")[0]["_links"]["pb:logs"]["href"].split("/")[-2]
    is_removing, may_remove, remove = threading.Event(), threading.Event(), versions.remove

    def remove_later(*arguments):
        is_removing.set()
        may_remove.wait(2)  # one that keeps others waiting goes on
        remove(*arguments)

    monkeypatch.setattr(versions, "remove", remove_later)
    with ThreadPoolExecutor(1) as threads:
        removal = threads.submit(broker.database.write, lambda db: remove_version(db, "Till", "1"))
        assert is_removing.wait(60)
        status = broker.api.post(f"/triggered-webhooks/{uuid}/redeliver").status
        may_remove.set()
        removal.result(60)
    query = select(triggered_webhook.c.due_at).where(triggered_webhook.c.uuid == uuid)
    left = broker.database.read(lambda db: db.execute(query).scalar())
    assert (status, left is None) in {(202, False), (404, True)}


def test_a_queued_delivery_arrives_after_everything_that_it_is_about_is_removed(broker):
    with receiving() as receiver:
        broker.hook(receiver.url, request={"body": BODY})
        broker.publish("3", "a third thing", branch="feat/x")
        uuid = broker.triggered("3")[0]["_links"]["pb:logs"]["href"].split("/")[-2]
        delete("/pacticipants/Till/versions/3")(broker)
        broker.worker.start()
        try:
            arrival = receiver.wait(1)[0].json()
        finally:
            broker.worker.stop()
    assert (arrival["consumerVersionNumber"], arrival["consumerVersionBranch"]) == ("3", "feat/x")
    assert (
        "Successfully executed webhook" in broker.api.get(f"/triggered-webhooks/{uuid}/logs", accept="text/plain").text
    )


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/pacticipants/Till", "The pacticipant Till has been removed."),
        ("/pacticipants/Ledger", "The pacticipant Ledger has been removed."),
        ("/integrations/provider/Ledger/consumer/Till", "The integration has been removed."),
        ("/integrations", "All pacticipants have been removed."),
    ],
)
def test_deliveries_of_a_removed_application_or_integration_are_recorded_as_cancelled(broker, path, reason):
    delete(path)(broker)
    events = broker.api.get("/audit?type=webhook_cancellation").json()["events"]
    cancelled = [event["payload"]["params"] for event in events]
    assert {(delivery["event"], delivery["version"]) for delivery in cancelled} == {
        ("contract_published", "1"),
        ("contract_published", "2"),
        ("provider_verification_published", "1"),
    }
    assert {(delivery["consumer"], delivery["provider"], delivery["reason"]) for delivery in cancelled} == {
        ("Till", "Ledger", reason)
    }
    assert all(event["resource"] and event["payload"]["params"]["delivery"] for event in events)
