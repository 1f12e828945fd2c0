"""Metrics of the broker and its data."""

from datetime import timedelta

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families

from tests.api.history import History


@pytest.fixture
def history(api):
    return History(api)


def metrics(api):
    return api.get("/metrics").json()


def test_an_empty_broker_holds_nothing(api):
    figures = metrics(api)
    assert figures["pacticipants"] == {"count": 0, "withMainBranchSetCount": 0}
    assert figures["pactPublications"] == {"count": 0, "first": None, "last": None}
    assert figures["verificationResultsPerPactVersion"] == {"distribution": {}}


def test_pacts_are_counted_with_their_revisions_and_contents(make_api, clock):
    api = make_api(allow_dangerous_contract_modification=True)
    first = clock.now
    api.publish("Till", "1", "Ledger", "a", branch="main")
    clock.now = clock.now.replace(hour=12)
    api.publish("Till", "1", "Ledger", "b")
    api.publish("Till", "2", "Ledger", "b")
    figures = metrics(api)
    times = {"first": first.isoformat(), "last": clock.now.isoformat()}
    assert figures["pactPublications"] == {"count": 3, **times}
    assert figures["pactVersions"] == {"count": 2}
    assert figures["pactRevisionsPerConsumerVersion"] == {"distribution": {"1": 1, "2": 1}}
    assert figures["integrations"] == {"count": 1}
    assert figures["pacticipants"] == {"count": 2, "withMainBranchSetCount": 1}
    assert figures["pacticipantVersions"] == {
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
    figures = metrics(api)
    counts = {name: figures["verificationResults"][f"{name}Count"] for name in ("success", "failure", "distinct")}
    assert counts == {"success": 4, "failure": 1, "distinct": 4}
    assert figures["verificationResultsPerPactVersion"] == {"distribution": {"1": 1, "4": 1}}


def test_tags_deployments_and_releases_are_counted(api, history):
    history.publish("Till", "1", "Ledger")
    for version in ("1", "2"):
        history.version("Till", version)
        history.tag("Till", version, "dev")
        history.deploy("Till", version, "test")
        history.release("Till", version, "shops")
    history.version("Ledger", "1")
    history.tag("Ledger", "1", "dev")
    figures = metrics(api)
    assert figures["tags"] == {"count": 3, "distinctCount": 1, "distinctWithPacticipantCount": 2}
    assert figures["environments"] == {"count": 2}
    assert figures["deployedVersions"] == {"count": 2, "userCreatedCount": 2, "currentlyDeployedCount": 1}
    assert figures["releasedVersions"] == {"count": 2, "currentlySupportedCount": 2}


# Prometheus


def samples(api):
    """Read the metrics as Prometheus does: values by name and labels."""
    answer = api.get("/metrics/prometheus", accept="text/plain;version=0.0.4,*/*;q=0.2")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4;charset=utf-8"
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_prometheus_gets_open_metrics_if_it_prefers_them(api):
    api.get("/pacticipants")
    answer = api.get("/metrics/prometheus", accept="application/openmetrics-text;version=x;q=0.6,*/*;q=0.2")
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0;charset=utf-8"
    names = [
        family.name for family in parse_open_metrics(answer.text)
    ]  # refuses a second end, and more than one family
    assert {"treaty_http_request_seconds", "treaty_decisions", "treaty_usage_contents"} <= set(names)


def test_requests_are_counted_by_template_and_status(api, history):
    history.version("Till", "1")
    for name in ("Till", "Nobody", "feat%2Fx"):
        api.get(f"/pacticipants/{name}")
    api.get("/no/such/place")
    api.request("BREW", "/")
    by_labels = samples(api)
    route = "/pacticipants/{pacticipant}"
    assert by_labels["treaty_http_request_seconds_count", "/pacticipants/{pacticipant}", "200", "GET"] == 1
    assert by_labels["treaty_http_request_seconds_count", route, "404", "GET"] == 2
    assert by_labels["treaty_http_request_seconds_count", "404", "GET", "none"] == 1
    assert by_labels["treaty_http_request_seconds_count", "/", "501", "other"] == 1
    assert by_labels["treaty_http_request_seconds_bucket", "+Inf", route, "404", "GET"] == 2


def test_decisions_are_counted_by_verdict(api, history):
    history.publish("Till", "1", "Ledger", "a")
    history.publish("Till", "2", "Ledger", "b")
    history.publish("Till", "3", "Ledger", "c")
    history.verify("Till", "1", "Ledger", "9")
    history.verify("Till", "2", "Ledger", "9", success=False)
    history.deploy("Ledger", "9", "test")
    for number in ("1", "2", "3", "3"):
        api.get(f"/can-i-deploy?pacticipant=Till&version={number}&environment=test")
    by_labels = samples(api)
    assert [by_labels["treaty_decisions_total", verdict] for verdict in ("yes", "no", "unknown")] == [1, 1, 2]


def test_queued_deliveries_are_counted_with_the_age_of_the_oldest(api, clock):
    body = {"events": [{"name": "contract_published"}], "request": {"method": "POST", "url": "https://example.org"}}
    assert api.post("/webhooks", body).status == 201
    assert samples(api)["treaty_webhook_deliveries_owed",] == 0
    api.publish("Till", "1", "Ledger")
    clock.now += timedelta(seconds=90)
    api.publish("Till", "2", "Ledger")
    by_labels = samples(api)
    assert by_labels["treaty_webhook_deliveries_owed",] == 2
    assert by_labels["treaty_webhook_oldest_owed_seconds",] == 90
    assert by_labels["treaty_webhook_attempts", "success"] == 0


def test_connections_to_the_database_are_counted(api):
    by_labels = samples(api)
    assert by_labels["treaty_database_connections_open",] >= by_labels["treaty_database_connections_in_use",] >= 1


def test_metrics_need_permission_to_read(make_api):
    api = make_api(basic_auth_username="ann", basic_auth_password="secret")  # noqa: S106 - of the test
    assert api.get("/metrics/prometheus").status == 401
