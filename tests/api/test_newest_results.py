"""The state of an integration follows from its rows alone: neither their writers nor earlier copies matter."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from tests.api.client import Api, Clock, pact
from tests.api.imports import RESULT, import_facts
from tests.waiting import PATIENCE, eventually
from treaty.actions.maintenance import integrity
from treaty.store import newest_results
from treaty.store.engine.database import Database, Postgresql, open_database
from treaty.store.migrations import migrate
from treaty.store.overview import overview

RULE = "the newest result that each integration has a copy of is that of its latest pact"
PAIR = "/pacts/provider/Prices/consumer/Shop"


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    """An application in which a version may publish another pact."""
    return make_api(allow_dangerous_contract_modification=True)


def states(database: Database) -> list[str]:
    """The states of all integrations; also checks that they are those without any copies."""
    stored = [state.value for *_, state in database.read(overview.load_states)]
    computed: list[str] = []

    def look_without_copies(db: Connection) -> None:
        db.execute(text("UPDATE integration SET newest_result_at = NULL"))
        computed.extend(state.value for *_, state in overview.load_states(db))
        raise Undone

    with pytest.raises(Undone):
        database.write(look_without_copies)
    assert stored == computed
    assert [rule for rule in database.read(integrity.check_integrity) if rule.broken] == []
    return stored


class Undone(Exception):
    """Rolls a transaction back."""


def copies(database: Database) -> list[str | None]:
    """The states that are copied and valid, and None for each integration without."""
    statement = "SELECT newest_result_state FROM integration WHERE newest_result_at = contract_data_updated_at"
    return [state for (state,) in database.read(lambda db: db.execute(text(statement)).all())]


def publish(api: Api, version: str, description: str = "x") -> None:
    content = {**pact("Shop", "Prices"), "interactions": [{"description": description}]}
    assert api.put(f"{PAIR}/version/{version}", content).status in {200, 201}


def verify(api: Api, version: str, *, success: bool, by: str = "9", **more: object) -> str:
    link = api.get(f"{PAIR}/version/{version}").link("pb:publish-verification-results")
    answer = api.post(link, {"success": success, "providerApplicationVersion": by, **more})
    assert answer.status == 201
    return answer.link("self")


def test_each_write_changes_the_state_at_once(api: Api, database: Database, clock: Clock) -> None:
    steps: list[tuple[Callable[[], object], str]] = []
    numbers: dict[str, str] = {}

    def record(name: str, version: str, *, success: bool, by: str = "9") -> None:
        numbers[name] = verify(api, version, success=success, by=by)

    steps = [
        (lambda: publish(api, "1", "a"), "unknown"),
        (lambda: record("first", "1", success=True), "verified"),
        (lambda: record("second", "1", success=False, by="10"), "failed"),
        (lambda: api.delete(numbers["second"]), "verified"),
        (lambda: publish(api, "2", "b"), "changed"),
        (lambda: record("third", "1", success=False, by="11"), "changed"),  # a result for another content
        (lambda: publish(api, "3", "a"), "failed"),
        (lambda: api.delete("/pacticipants/Prices/versions/11"), "verified"),
        (lambda: publish(api, "4", "b"), "changed"),
        (lambda: record("fourth", "4", success=True, by="12"), "verified"),
        (lambda: publish(api, "4", "c"), "changed"),  # another revision
        (lambda: api.delete(f"{PAIR}/version/4"), "verified"),  # version 3 again
        (lambda: api.delete("/pacticipants/Shop/versions/3"), "verified"),  # version 2, with the content of version 4
        (lambda: api.delete("/pacticipants/Prices/versions/12"), "changed"),
        (lambda: api.delete("/pacticipants/Prices/versions/9"), "unknown"),
        (lambda: api.delete(f"{PAIR}/versions"), "no-pact"),
        (lambda: publish(api, "5", "a"), "unknown"),
        (lambda: record("fifth", "5", success=True), "verified"),
    ]
    for index, (write, state) in enumerate(steps):
        clock.now += timedelta(seconds=1)
        write()
        assert (index, states(database)) == (index, [state])


def test_writes_of_pacts_and_results_refresh_the_copy(api: Api, database: Database) -> None:
    """Otherwise pages would be right, but slow."""
    publish(api, "1")
    verify(api, "1", success=True)
    assert copies(database) == ["verified"]
    publish(api, "2", "another")
    assert copies(database) == ["none"]
    verify(api, "2", success=False)
    assert copies(database) == ["failed"]
    publish(api, "3")
    assert copies(database) == ["verified"]


def test_imported_results_count_by_the_time_of_their_recording(api: Api, database: Database, clock: Clock) -> None:
    publish(api, "1")
    verify(api, "1", success=True)
    sha = api.get(f"{PAIR}/latest").link("pb:publish-verification-results").split("pact-version/")[1].split("/")[0]
    older, newer = (
        {**RESULT, "sha": sha, "number": number, "success": False, "providerVersion": "8", "recordedAt": at.isoformat()}
        for number, at in enumerate((clock.now - timedelta(days=9), clock.now + timedelta(microseconds=1)))
    )
    assert import_facts(api, older) == ["copied"]
    assert states(database) == ["verified"]
    assert import_facts(api, newer) == ["copied"]
    assert states(database) == ["failed"]


NEWER_FAILURE = """
    INSERT INTO verification (consumer_id, provider_id, content_id, provider_version_id, success, is_latest, is_wip,
        verified_at, created_at)
    SELECT consumer_id, provider_id, content_id, provider_version_id, false, true, false, :now, :now FROM verification
"""
OUTDATED = "UPDATE verification SET is_latest = false"
CHANGE_OF_PAIR = "UPDATE integration SET contract_data_updated_at = :now"
NOW = "2030-01-01T00:00:00.000000+00:00"


def execute(db: Connection, *statements: str) -> None:
    for statement in statements:
        db.execute(text(statement), {"now": NOW} if ":now" in statement else {})


@pytest.mark.each_on_postgresql
@pytest.mark.parametrize(
    ("statements", "state"),
    [
        ((OUTDATED, NEWER_FAILURE, CHANGE_OF_PAIR), "failed"),
        (("DELETE FROM verification",), "unknown"),
        (("UPDATE integration SET latest_publication_id = NULL",), "no-pact"),
        (("DELETE FROM publication",), "no-pact"),
    ],
)
def test_writes_of_an_earlier_treaty_invalidate_the_copy(
    api: Api, database: Database, statements: tuple[str, ...], state: str
) -> None:
    """During a rolling update, its servers do not know the copy."""
    publish(api, "1")
    verify(api, "1", success=True)
    assert states(database) == ["verified"]
    database.write(lambda db: execute(db, *statements))
    assert [found.value for *_, found in database.read(overview.load_states)] == [state]


def test_a_wrong_copy_is_found_and_repaired(api: Api, database: Database) -> None:
    publish(api, "1")
    verify(api, "1", success=True)
    database.write(lambda db: db.execute(text("UPDATE integration SET newest_result_state = 'failed'")))
    assert [rule.rule for rule in database.read(integrity.check_integrity) if rule.broken] == [RULE]
    database.write(integrity.repair_integrity)
    assert states(database) == ["verified"]


def test_random_histories(api: Api, database: Database, clock: Clock) -> None:
    chance = random.Random(11)  # noqa: S311 - not a secret
    published: list[str] = []
    for number in range(60):
        clock.now += timedelta(seconds=chance.choice((0, 1)))
        version = chance.choice(published) if published and chance.random() < 0.3 else str(number)
        match chance.choice(("publish", "verify", "verify", "delete", "clear")) if published else "publish":
            case "publish":
                publish(api, version, chance.choice("abc"))
                published.append(version)
            case "verify" if api.get(f"{PAIR}/version/{version}").status == 200:
                verify(api, version, success=chance.random() < 0.5, by=chance.choice("789"))
            case "delete":
                api.delete(f"/pacticipants/Prices/versions/{chance.choice('789')}")
            case "clear":
                api.delete(f"{PAIR}/version/{version}")
            case _:
                continue
        states(database)


# Migration

COLUMNS = ("newest_result_id", "newest_result_state", "newest_result_publication_id", "newest_result_at")
COPIES = text(f"SELECT {', '.join(COLUMNS)} FROM integration")  # noqa: S608 - constants


def remove_copies(db: Connection) -> None:
    """Go back to the revision before that which fills the copies."""
    for name in COLUMNS:
        db.execute(text(f"UPDATE integration SET {name} = NULL"))  # noqa: S608 - a constant
    db.execute(text("DROP INDEX ix_integration_newest_result_id"))
    # Of later revisions
    db.execute(text("DROP TABLE setup_link"))
    db.execute(text("DROP INDEX ix_publication_newest"))
    db.execute(text("CREATE INDEX ix_publication_provider_id ON publication (provider_id)"))
    db.execute(text("UPDATE alembic_version SET version_num = '0032'"))


@pytest.fixture
def upgraded(database_url: str) -> Iterator[Database]:
    """A database that upgrades as that of a server does."""
    with closing(open_database(database_url, connections=1)) as database:
        yield database


def test_an_upgrade_fills_the_copies(api: Api, upgraded: Database) -> None:
    for version, success in (("1", True), ("2", False)):
        publish(api, version, version)
        verify(api, version, success=success)
    publish(api, "3", "1")
    expected = upgraded.read(lambda db: db.execute(COPIES).all())
    assert expected[0][1] == "verified"
    upgraded.write(remove_copies)
    migrate(upgraded)
    assert upgraded.read(lambda db: db.execute(COPIES).all()) == expected


def test_an_upgrade_beside_an_earlier_server_copies_no_outdated_result(api: Api, upgraded: Database) -> None:
    if not isinstance(upgraded, Postgresql):
        pytest.skip("no other server writes to a SQLite file during an upgrade")
    publish(api, "1")
    verify(api, "1", success=True)
    upgraded.write(remove_copies)
    thread = threading.Thread(target=migrate, args=[upgraded], daemon=True)
    with upgraded.connect_separately() as other, upgraded.connect_separately() as watcher:
        other.exec_driver_sql("BEGIN")
        execute(other, OUTDATED, NEWER_FAILURE, CHANGE_OF_PAIR)
        thread.start()
        # At the latest, the index waits for the end of the other transaction.
        query = text("SELECT FROM pg_stat_activity WHERE query LIKE '%newest_result_id%' AND wait_event_type = 'Lock'")
        eventually(lambda: watcher.execute(query).all())
        other.exec_driver_sql("COMMIT")
    thread.join(PATIENCE)
    assert states(upgraded) == ["failed"]


def test_refreshing_all_copies_at_once_gives_the_same_values(api: Api, database: Database) -> None:
    publish(api, "1")
    verify(api, "1", success=True)
    expected = database.read(lambda db: db.execute(COPIES).all())
    database.write(lambda db: db.execute(text("UPDATE integration SET newest_result_state = NULL")))
    database.write(newest_results.refresh_all)
    assert database.read(lambda db: db.execute(COPIES).all()) == expected
