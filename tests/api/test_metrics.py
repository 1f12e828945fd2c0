"""What the broker holds, in numbers."""

import pytest

from tests.api.history import History


@pytest.fixture
def history(api):
    return History(api)


def metrics(api):
    return api.get("/metrics").json()


def test_an_empty_broker_holds_nothing(api):
    found = metrics(api)
    assert found["pacticipants"] == {"count": 0, "withMainBranchSetCount": 0}
    assert found["pactPublications"] == {"count": 0, "first": None, "last": None}
    assert found["verificationResultsPerPactVersion"] == {"distribution": {}}


def test_pacts_are_counted_with_their_revisions_and_contents(make_api, clock):
    api = make_api(allow_dangerous_contract_modification=True)
    first = clock.now
    api.publish("Till", "1", "Ledger", "a", branch="main")
    clock.now = clock.now.replace(hour=12)
    api.publish("Till", "1", "Ledger", "b")
    api.publish("Till", "2", "Ledger", "b")
    found = metrics(api)
    times = {"first": first.isoformat(), "last": clock.now.isoformat()}
    assert found["pactPublications"] == {"count": 3, **times}
    assert found["pactVersions"] == {"count": 2}
    assert found["pactRevisionsPerConsumerVersion"] == {"distribution": {"1": 1, "2": 1}}
    assert found["integrations"] == {"count": 1}
    assert found["pacticipants"] == {"count": 2, "withMainBranchSetCount": 1}
    assert found["pacticipantVersions"] == {
        "count": 2,
        "withUserCreatedBranchCount": 1,
        "withBranchCount": 1,
        "withBranchSetCount": 1,
    }


def test_interactions_are_those_of_the_latest_pacts(api, history):
    history.publish("Till", "1", "Ledger", "a")
    history.publish("Till", "2", "Ledger", "b")
    history.publish("Shop", "1", "Ledger", "c")
    assert metrics(api)["interactions"] == {
        "latestInteractionsCount": 2,
        "latestMessagesCount": 0,
        "latestInteractionsAndMessagesCount": 2,
    }


def test_equal_results_of_a_version_are_distinct_once(api, history):
    history.publish("Till", "1", "Ledger", "a")
    history.publish("Till", "2", "Ledger", "b")
    for success in (False, True, True):
        history.verify("Till", "1", "Ledger", "7", success=success)
    history.verify("Till", "1", "Ledger", "8")
    history.verify("Till", "2", "Ledger", "8")
    found = metrics(api)
    counts = {name: found["verificationResults"][f"{name}Count"] for name in ("success", "failure", "distinct")}
    assert counts == {"success": 4, "failure": 1, "distinct": 4}
    assert found["verificationResultsPerPactVersion"] == {"distribution": {"1": 1, "4": 1}}


def test_tags_deployments_and_releases_are_counted(api, history):
    history.publish("Till", "1", "Ledger")
    for version in ("1", "2"):
        history.version("Till", version)
        history.tag("Till", version, "dev")
        history.deploy("Till", version, "test")
        history.release("Till", version, "shops")
    history.version("Ledger", "1")
    history.tag("Ledger", "1", "dev")
    found = metrics(api)
    assert found["tags"] == {"count": 3, "distinctCount": 1, "distinctWithPacticipantCount": 2}
    assert found["environments"] == {"count": 2}
    assert found["deployedVersions"] == {"count": 2, "userCreatedCount": 2, "currentlyDeployedCount": 1}
    assert found["releasedVersions"] == {"count": 2, "currentlySupportedCount": 2}
