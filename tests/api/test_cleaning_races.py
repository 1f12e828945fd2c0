"""Versions that are deployed while a clean-up runs keep everything that decisions about them need."""

import random
import threading
from datetime import timedelta

import pytest

from tests.api.history import History
from tests.scale import choose
from treaty.model.maintenance.retention import KeepVersions, Retention, add_in_use_selectors
from treaty.store.engine.database import open_database
from treaty.workers.cleanup import Cleaner

PAIRS = 30
"""Versions of the consumer, each with a content of its own, that a version of the provider has verified."""
RETENTION = Retention(
    versions=add_in_use_selectors([KeepVersions(latest=True)]), branches=(), success_max_age=timedelta(0)
)
SEEDS = choose((1,), slow=(1, 2), long=(1, 2, 3))


@pytest.fixture
def history(api, clock):
    history = History(api)
    history.environment("test")
    for number in map(str, range(PAIRS)):
        history.publish("Till", number, "Ledger", {"content": number})
        history.verify("Till", number, "Ledger", number)
    clock.now = clock.now.replace(year=clock.now.year + 1)
    history.version("Till", "latest")
    history.version("Ledger", "latest")
    return history


@pytest.fixture
def database(api, database_url):  # noqa: ARG001 - the client has brought the schema up to date
    database = open_database(database_url, connections=3)
    yield database
    database.close()


def is_deployable(api, name, number):
    answer = api.get(f"/matrix?q[][pacticipant]={name}&q[][version]={number}&latestby=cvp")
    return answer.status == 200 and answer.json()["summary"]["deployable"] is True


def deploy(history, name, number):
    """Deploy a version to an instance of its own; return whether it was still there."""
    body = {"applicationInstance": f"{name}-{number}"}
    place = f"deployed-versions/environment/{history.environment('test')}"
    return history.api.post(f"/pacticipants/{name}/versions/{number}/{place}", body).status == 201


@pytest.mark.parametrize("seed", SEEDS)
def test_versions_deployed_between_two_transactions_stay_deployable(seed, history, database, clock):
    left = [(name, str(number)) for name in ("Till", "Ledger") for number in range(PAIRS)]
    random.Random(seed).shuffle(left)  # noqa: S311 - only an order, which is to be the same each time
    deployed: list[tuple[str, str]] = []

    def deploy_some(_seconds):
        until = len(deployed) + 3
        while left and len(deployed) < until:
            version = left.pop()
            if is_deployable(history.api, *version) and deploy(history, *version):
                deployed.append(version)

    removed = Cleaner(database, RETENTION, clock=clock, pause=deploy_some).clean()["clean"]
    assert removed["versions"].gone > 0
    assert deployed
    assert [version for version in deployed if not is_deployable(history.api, *version)] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_versions_deployed_during_a_clean_up_stay_deployable(seed, history, database, clock):
    versions = [(name, str(number)) for name in ("Till", "Ledger") for number in range(PAIRS)]
    random.Random(seed).shuffle(versions)  # noqa: S311 - only an order, which is to be the same each time
    cleaner = Cleaner(database, RETENTION, clock=clock, pause=threading.Event().wait)
    thread = threading.Thread(target=cleaner.clean)
    thread.start()
    deployed = [version for version in versions if deploy(history, *version) and is_deployable(history.api, *version)]
    thread.join()
    assert [version for version in deployed if not is_deployable(history.api, *version)] == []


def test_a_content_that_is_published_again_after_planning_stays_and_no_removal_of_it_is_recorded(api, database, clock):
    history = History(api)
    consumers = ("Book", "Till")
    for name in consumers:
        history.publish(name, "1", "Ledger", name)
    clock.now = clock.now.replace(year=clock.now.year + 1)
    for name in consumers:
        history.publish(name, "latest", "Ledger", f"another thing of {name}")

    def removed_contents():
        events = api.get("/audit?type=cleaning").json()["events"]
        return [event["before"]["pact_versions"] for event in events if "pact_versions" in event["before"]]

    def publish_again(_seconds):
        if removed_contents() == [1]:
            for name in consumers:
                history.publish(name, "later", "Ledger", name)

    removed = Cleaner(database, RETENTION, clock=clock, pause=publish_again).clean()["clean"]
    assert removed["pact_versions"].gone == 1
    assert removed_contents() == [1]
    for name in consumers:
        assert api.get(f"/pacts/provider/Ledger/consumer/{name}/version/later").status == 200
