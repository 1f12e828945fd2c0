"""The event log: which events it has, in which order, and how clients follow it with cursors."""

from __future__ import annotations

import base64
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Table, delete, insert, select, text

from tests.api.client import BASE, Api
from tests.api.history import History, q
from tests.databases import open_kept
from tests.histories import history_settings
from tests.scale import choose
from tests.waiting import PATIENCE
from treaty.actions.webhooks.event_log import record_events
from treaty.model.webhooks.event_log import NewEvent
from treaty.model.webhooks.events import EVENT_NAMES
from treaty.store.tables import event, event_log
from treaty.workers.events import EventLogWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from tests.api.client import Answer, Clock
    from treaty.store.engine.database import Database

NOW = datetime(2026, 1, 2, tzinfo=UTC)
REQUEST = {"method": "POST", "url": "https://example.org/hook"}
REQUIRED = "contract_requiring_verification_published"


@pytest.fixture
def history(api: Api) -> History:
    return History(api)


def read(api: Api, query: str = "") -> list[dict[str, Any]]:
    """Read all events after a cursor, in pages of two."""
    events: list[dict[str, Any]] = []
    path = f"/events?limit=2&{query}"
    while page := _page(api, path)["_embedded"]["events"]:
        events += page
        path = _page(api, path)["_links"]["next"]["href"]
    return events


def _page(api: Api, path: str) -> dict[str, Any]:
    answer = api.get(path)
    assert answer.status == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def _cursor(api: Api, query: str = "after=latest") -> str:
    cursor: str = _page(api, f"/events?{query}")["cursor"]
    return cursor


def _names(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["name"] for event in events]


def test_an_event_has_links_to_the_pact_the_versions_the_result_and_the_next_step(api: Api, history: History) -> None:
    history.publish("Shop", "1", "Prices", branch="main", tags=["dev"], buildUrl="https://ci.test/1")
    number = history.verify("Shop", "1", "Prices", by="7")
    history.deploy("Prices", "7", "production")
    history.publish("Shop", "2", "Prices", "another thing", branch="main")
    events = read(api)
    assert _names(events) == [
        "contract_published",
        "contract_content_changed",
        "provider_verification_published",
        "provider_verification_succeeded",
        "contract_published",
        REQUIRED,
        "contract_content_changed",
    ]
    published, changed, result, required = (events[index] for index in (0, 1, 2, 5))
    assert published["details"] == {
        "consumerVersionBranch": "main",
        "consumerVersionTags": ["dev"],
        "buildUrl": "https://ci.test/1",
    }
    assert "comment" in changed["details"]
    assert result["verificationNumber"] == number
    assert result["providerVersion"] == "7"
    assert required["providerVersion"] == "7"
    assert required["details"]["providerVersionDescriptions"] == ["deployed in production"]
    for each in events:
        followed = {relation for relation, link in each["_links"].items() if api.get(link["href"]).status == 200}
        assert followed == set(each["_links"])
    assert {"pact", "verificationResult", "consumerVersion", "providerVersion"} < result["_links"].keys()
    assert read(api, f"after={required['cursor']}") == events[6:]


def test_a_result_published_to_the_pact_of_an_event_belongs_to_its_consumer_version(api: Api, history: History) -> None:
    history.version("Prices", "7")
    history.deploy("Prices", "7", "production")
    history.publish("Shop", "1", "Prices")
    history.publish("Shop", "2", "Prices")
    pacts = {event["consumerVersion"]: event["_links"]["pact"]["href"] for event in read(api, f"name={REQUIRED}")}
    path = api.get(pacts["1"]).link("pb:publish-verification-results")
    assert api.post(path, {"success": False, "providerApplicationVersion": "7"}).status == 201
    assert [event["consumerVersion"] for event in read(api, "name=provider_verification_failed")] == ["1"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=contract_published", 2),
        ("name[]=contract_published&name[]=contract_content_changed", 4),
        ("consumer=Shop", 2),
        ("provider=Prices", 4),
        ("provider=Stock", 0),
        ("consumer=Till&provider=Prices&name=contract_published", 1),
    ],
)
def test_filters_select_events(api: Api, history: History, query: str, expected: int) -> None:
    history.version("Stock", "1")
    history.publish("Shop", "1", "Prices")
    history.publish("Till", "1", "Prices")
    assert len(read(api, query)) == expected


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("after=nonsense", "must be a cursor"),
        (f"after={base64.urlsafe_b64encode(b'1.x.-1.0').decode()}", "must be a cursor"),
        (f"after={base64.urlsafe_b64encode(b'2.x.1.0').decode().rstrip('=')}", "must be a cursor"),
        ("after=%C3%A4", "must be a cursor"),
        ("limit=0", "from 1 to 1000"),
        ("limit=1001", "from 1 to 1000"),
        ("wait=61", "from 0 to 60"),
        ("wait=-1", "from 0 to 60"),
        ("wait=soon", "from 0 to 60"),
        ("name=contract_publishd", "Did you mean contract_published"),
        ("name=x", "Known are: contract_published, "),
        ("name[x]=contract_published", "must be the name of an event"),
        ("provider[]=Prices", "must be a string"),
    ],
)
def test_a_parameter_that_cannot_be_understood_is_refused_with_the_reason(api: Api, query: str, reason: str) -> None:
    answer = api.get(f"/events?{query}")
    assert answer.status == 400
    assert reason in answer.text


def test_an_unknown_application_is_worth_a_warning(api: Api, history: History) -> None:
    history.publish("Shop", "1", "Prices")
    (warning,) = _page(api, "/events?provider=Price")["warnings"]
    assert warning.startswith("There is no application 'Price' yet, so there are no events of it. Did you mean Prices?")
    assert "warnings" not in _page(api, "/events?provider=Prices")


def test_events_follow_the_new_name_of_an_application(api: Api, history: History) -> None:
    history.publish("Shop", "1", "Prices")
    cursor = _cursor(api, "after=start&limit=1")
    assert api.post("/pacticipants/Prices/rename", {"name": "Tariffs"}).status == 200
    assert len(read(api, "provider=Tariffs")) == 2
    page = _page(api, f"/events?provider=Prices&after={cursor}")
    assert [event["provider"] for event in page["_embedded"]["events"]] == ["Tariffs"]
    assert "renamed to 'Tariffs'" in page["warnings"][0]


def test_events_of_a_deleted_application_stay(api: Api, history: History) -> None:
    history.publish("Shop", "1", "Prices")
    before = read(api)
    assert api.delete("/pacticipants/Shop").status == 204
    assert read(api) == before


def test_events_that_are_rolled_back_are_not_in_the_log(api: Api, history: History) -> None:
    history.publish("Shop", "1", "Prices")
    cursor = _cursor(api)
    assert api.publish("Shop", "1", "Prices", "another thing").status == 409
    assert read(api, f"after={cursor}") == []


# Cursors that cannot be followed


def _expired(answer: Answer, reason: str) -> None:
    assert answer.status == 410
    assert reason in answer.json()["error"]
    assert "after=start" in answer.json()["error"]


def test_a_cursor_before_removed_events_is_refused(
    api: Api, history: History, database: Database, clock: Clock
) -> None:
    beginning = _cursor(api)
    history.publish("Shop", "1", "Prices")
    clock.now += timedelta(days=20)
    middle = _cursor(api)
    history.publish("Shop", "2", "Prices", "another thing")
    clock.now += timedelta(days=15)
    kept = read(api, f"after={middle}")
    EventLogWorker(database, timedelta(days=30), clock=clock).step()
    assert read(api) == kept
    assert read(api, f"after={middle}") == kept
    _expired(api.get(f"/events?after={beginning}"), "2 of the events after the cursor were removed")
    end = _cursor(api)
    clock.now += timedelta(days=40)
    EventLogWorker(database, timedelta(days=30), clock=clock).step()
    assert read(api, f"after={end}") == read(api) == []
    history.publish("Shop", "3", "Prices", "a third thing")
    assert _names(read(api, f"after={end}")) == ["contract_published", "contract_content_changed"]
    _expired(api.get(f"/events?after={middle}"), "were removed")


def test_events_without_a_reader_are_removed_too_unless_they_are_kept_forever(
    api: Api, history: History, database: Database, clock: Clock
) -> None:
    history.publish("Shop", "1", "Prices")
    clock.now += timedelta(days=1000)
    EventLogWorker(database, timedelta(0), clock=clock).step()
    assert len(read(api)) == 2
    history.publish("Shop", "2", "Prices")
    clock.now += timedelta(days=40)
    EventLogWorker(database, timedelta(days=30), clock=clock).step()
    assert read(api) == []


def _dump(table: Table, db: Connection) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in db.execute(select(table))]  # noqa: SLF001 - public in SQLAlchemy


def test_a_cursor_survives_a_copy_of_the_database_and_is_refused_by_an_older_one(
    api: Api, history: History, database: Database, clock: Clock
) -> None:
    history.publish("Shop", "1", "Prices")
    older = _cursor(api)
    backup = {table: database.read(partial(_dump, table)) for table in (event, event_log)}
    clock.now += timedelta(minutes=1)
    history.publish("Shop", "2", "Prices", "another thing")
    newer = _cursor(api)

    def restore(db: Connection) -> None:
        for table, rows in backup.items():
            db.execute(delete(table))
            db.execute(insert(table), rows)

    database.write(restore)
    assert read(api, f"after={older}") == []
    _expired(api.get(f"/events?after={newer}"), "restored from a backup")
    clock.now += timedelta(minutes=1)
    history.publish("Shop", "3", "Prices", "a third thing")
    assert {event["consumerVersion"] for event in read(api, f"after={older}")} == {"3"}
    _expired(api.get(f"/events?after={newer}"), "restored from a backup")


def test_a_cursor_of_another_broker_is_refused(api: Api, history: History, database: Database) -> None:
    history.publish("Shop", "1", "Prices")
    cursor = _cursor(api)
    database.write(lambda db: db.execute(text("UPDATE event_log SET uuid = 'another'")))
    _expired(api.get(f"/events?after={cursor}"), "from the event log of another database")


# Waiting


@pytest.fixture
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow clients to wait for longer than the patience of the tests: responses are not due to the end of the wait."""
    monkeypatch.setattr("treaty.web.api.webhooks.event_log.MAX_WAIT_SECONDS", 10**6)


@pytest.mark.usefixtures("long_waits")
def test_a_waiting_client_gets_the_event_of_another_process_that_it_waits_for(make_api: Callable[..., Api]) -> None:
    api, other = make_api(), History(make_api())

    def publish() -> None:
        other.publish("Till", "1", "Stock")
        other.publish("Shop", "1", "Prices")

    answer = api.waiting("/events?after=latest&wait=9000&consumer=Shop&name=contract_published", publish)
    assert [event["consumer"] for event in answer.json()["_embedded"]["events"]] == ["Shop"]


def test_waiting_ends_without_an_event_and_the_cursor_skips_events_outside_the_filter(
    api: Api, history: History
) -> None:
    history.publish("Shop", "1", "Prices")
    answer = api.get("/events?after=start&provider=Stock&wait=1")
    assert answer.json()["_embedded"]["events"] == []
    assert answer.json()["cursor"] == _cursor(api)


@pytest.mark.usefixtures("long_waits")
def test_a_client_that_disconnects_no_longer_waits(api: Api) -> None:
    assert api.abandoned("/events?after=latest&wait=9000").status == 400
    assert api.waiting_clients == 0


@pytest.mark.usefixtures("long_waits")
def test_closing_the_application_ends_all_waiting(api: Api) -> None:
    answer = api.waiting("/events?after=latest&wait=9000", api.end_waiting)
    assert answer.json()["_embedded"]["events"] == []
    assert api.get("/events?after=latest&wait=9000").status == 200


def test_too_many_waiting_clients_get_503_with_retry_after(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treaty.web.event_feed.MAX_WAITING", 0)
    answer = api.get("/events?after=latest&wait=60")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert api.get("/events?after=latest").status == 200


# Completeness


NAMES = ("A", "B", "C")
OPERATIONS = st.one_of(
    st.tuples(
        st.just("publish"),
        st.sampled_from(NAMES),
        st.integers(1, 3),
        st.sampled_from(NAMES),
        st.integers(1, 2),
        st.sampled_from([None, "main", "feat"]),
        st.sampled_from([None, "dev"]),
    ),
    st.tuples(st.just("verify"), st.integers(0, 5), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("deploy"), st.sampled_from(NAMES), st.integers(1, 3)),
    st.tuples(st.just("branch"), st.sampled_from(NAMES), st.integers(1, 3)),
)


def _perform(api: Api, history: History, operation: Sequence[Any]) -> None:
    match operation:
        case ("publish", consumer, version, provider, content, branch, tag):
            tags = {"tags": [tag]} if tag else {}
            api.publish(
                consumer, str(version), provider, f"thing {content}", **tags, **({"branch": branch} if branch else {})
            )
        case ("verify", index, by, success):
            pacts = _page(api, "/pacts/latest")["pacts"]
            if pacts:
                selectors = {"consumerVersionSelectors": [{"latest": True}, {"tag": "dev"}, {"mainBranch": True}]}
                provider = pacts[index % len(pacts)]["_embedded"]["provider"]["name"]
                answer = api.post(f"/pacts/provider/{q(provider)}/for-verification", selectors).json()
                for pact in answer["_embedded"]["pacts"]:
                    path = api.get(pact["_links"]["self"]["href"]).link("pb:publish-verification-results")
                    api.post(path, {"success": success, "providerApplicationVersion": str(by)})
        case ("deploy", name, version):
            history.version(name, str(version))
            history.deploy(name, str(version), "production")
        case ("branch", name, version):
            history.branch(name, str(version), "main")


def _deliveries(database: Database) -> Counter[tuple[object, ...]]:
    statement = text("""
        SELECT t.event, c.name AS consumer, v.number AS consumer_version, p.name AS provider, t.verification_id
        FROM triggered_webhook t JOIN pacticipant c ON c.id = t.consumer_id JOIN pacticipant p ON p.id = t.provider_id
        JOIN publication u ON u.id = t.publication_id JOIN version v ON v.id = u.consumer_version_id
    """)
    rows = database.read(lambda db: db.execute(statement).all())
    return Counter((row.event, row.consumer, row.consumer_version, row.provider, row.verification_id) for row in rows)


@pytest.mark.slow_on_postgresql
def test_the_log_has_exactly_the_events_of_a_webhook_for_everything(
    make_api: Callable[..., Api], database: Database
) -> None:
    api = make_api(check_for_potential_duplicate_pacticipant_names=False)
    history = History(api)

    @history_settings(choose(6, slow=20, long=2000))
    @given(st.lists(OPERATIONS, min_size=1, max_size=10))
    def check(operations: list[Sequence[Any]]) -> None:
        for name in NAMES:
            api.delete(f"/pacticipants/{name}")
            api.put(f"/pacticipants/{name}", {"mainBranch": "main"})
        database.write(lambda db: db.execute(text("DELETE FROM triggered_webhook")))
        api.delete("/webhooks/AAAAAAAAAAAAAAAAAAAAAA")
        hook = {"events": [{"name": name} for name in EVENT_NAMES], "request": REQUEST}
        assert api.put("/webhooks/AAAAAAAAAAAAAAAAAAAAAA", hook).status in {200, 201}
        cursor = _cursor(api)
        for operation in operations:
            _perform(api, history, operation)
        logged = read(api, f"after={cursor}")
        assert _deliveries(database) == Counter(
            (
                event["name"],
                event["consumer"],
                event["consumerVersion"],
                event["provider"],
                event.get("verificationNumber"),
            )
            for event in logged
        )

    check()


@pytest.mark.slow_on_postgresql
def test_the_log_without_webhooks_is_the_same_as_with_one(make_api: Callable[..., Api]) -> None:
    """The shortcut for pairs without webhooks skips the deliveries only."""
    api = make_api()
    history = History(api)
    history.publish("Shop", "1", "Prices", branch="main")
    without = read(api)
    cursor = _cursor(api)
    api.post("/webhooks", {"events": [{"name": name} for name in EVENT_NAMES], "request": REQUEST})
    history.publish("Till", "1", "Prices", branch="main")
    assert _names(read(api, f"after={cursor}")) == _names(without)


def test_an_event_whose_transaction_commits_late_is_not_lost(api: Api, database: Database, database_url: str) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite runs one write at a time")
    has_event, may_commit = threading.Event(), threading.Event()

    def record_slowly(db: Connection) -> None:
        record_events(db, [NewEvent(name="contract_published", consumer="Slow")], now=NOW)
        has_event.set()
        assert may_commit.wait(PATIENCE)

    api.get("/events")
    cursor = _cursor(api)
    with ThreadPoolExecutor(1) as threads, closing(open_kept(database_url, connections=1)) as other:
        recording = threads.submit(other.write, record_slowly)
        try:
            assert has_event.wait(PATIENCE)
            quick_event = NewEvent(name="contract_published", consumer="Quick")
            database.write(lambda db: record_events(db, [quick_event], now=NOW))
            quick = read(api, f"after={cursor}")
        finally:
            may_commit.set()
        recording.result()
    assert [event["consumer"] for event in quick] == ["Quick"]
    assert [event["consumer"] for event in read(api, f"after={quick[-1]['cursor']}")] == ["Slow"]
    assert [event["consumer"] for event in read(api, f"after={cursor}")] == ["Quick", "Slow"]


def _follow(api: Api, is_done: threading.Event) -> list[dict[str, Any]]:
    """Follow the log in small pages until it has ended, after `is_done` was set."""
    events: list[dict[str, Any]] = []
    path = "/events?after=start&limit=7"
    while True:
        was_done = is_done.is_set()
        page = _page(api, path)
        events += page["_embedded"]["events"]
        path = page["_links"]["next"]["href"].removeprefix(BASE)
        if was_done and not page["_embedded"]["events"]:
            return events


def test_a_follower_gets_every_event_of_concurrent_writers_once_and_in_the_order_of_each_pact(
    make_api: Callable[..., Api], database_url: str
) -> None:
    reader, publishers = make_api(), [make_api() for _ in range(3)]
    for index in range(4):
        History(reader).version(f"P{index}", "1")
    versions = range(1, choose(8, slow=16, long=100) + 1)
    is_done = threading.Event()

    def publish(index: int) -> None:
        # One provider is the same for all publishers.
        for version in versions:
            for provider in ("P0", f"P{index + 1}"):
                answer = publishers[index].publish(f"C{index}", str(version), provider, f"thing {version}")
                assert answer.status in {200, 201}, answer.text

    def record_slowly(index: int) -> None:
        """Record events in transactions that commit late, so that many of them overlap."""
        with closing(open_kept(database_url, connections=1)) as database:
            for version in versions:
                database.write(partial(_record_slowly, f"S{index}", str(version)))

    with ThreadPoolExecutor(7) as threads:
        following = threads.submit(_follow, reader, is_done)
        writing = [threads.submit(work, index) for work in (publish, record_slowly) for index in range(3)]
        wait(writing)
        is_done.set()
        followed = following.result()
    for work in writing:
        work.result()
    assert [event["cursor"] for event in followed] == [event["cursor"] for event in read(reader)]
    order: dict[tuple[str, str], list[int]] = {}
    for each in followed:
        if each["name"] == "contract_published":
            order.setdefault((each["consumer"], each["provider"]), []).append(int(each["consumerVersion"]))
    assert len(order) == 2 * len(publishers) + 3
    assert all(numbers == list(versions) for numbers in order.values())


def _record_slowly(consumer: str, version: str, db: Connection) -> None:
    event = NewEvent(name="contract_published", consumer=consumer, consumer_version=version, provider="P")
    record_events(db, [event], now=NOW)
    time.sleep(random.uniform(0, 0.02))  # noqa: S311 - not a secret
