"""Problems that need attention: all of them, counted, and grouped by cause."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.pages.deployments import deploy_or_release

WEBHOOK: dict[str, Any] = {
    "description": "Build of Ledger",
    "events": [{"name": "contract_content_changed"}],
    "request": {"method": "POST", "url": "https://ci.example.org/build"},
}
ATTEMPT = (
    "INSERT INTO webhook_execution (triggered_webhook_id, success, status, milliseconds, created_at, logs) "
    "SELECT id, FALSE, 403, 1, created_at, '' FROM triggered_webhook"
)


@pytest.fixture
def shop(history):
    """Seven consumers run in production with Ledger 11, which has not verified their pacts."""
    for number in range(7):
        assert history.publish(f"app-{number}", "1", "Ledger", f"thing {number}").status == 200
        deploy_or_release(history, "deployed-versions", f"app-{number}", "1", "production")
    return history


def attention(shown):
    """The lines under Needs attention."""
    return shown.text.partition("Needs attention")[2].partition("Name In environment")[0]


@pytest.mark.usefixtures("shop")
def test_a_provider_that_has_not_verified_many_pacts_is_one_line_with_their_number(show):
    text = attention(show("/"))
    assert text.startswith(" 7 ")
    assert text.count("Not verified") == 1
    assert "Ledger 10 has not verified 7 pacts that run with it in Production : app-0 1 , app-1 1" in text
    assert "app-4 1 and 2 more" in text
    everything = show("/attention")
    assert "7 problems, grouped" in everything.text
    assert "app-5 1 , app-6 1" in everything.text
    assert "and 2 more" not in everything.text


def test_a_consumer_that_many_providers_have_not_verified_is_one_line(history, show):
    for name in ("Stock", "Prices"):
        history.publish("Till", "9", name)
        deploy_or_release(history, "deployed-versions", name, "3", "test")
    deploy_or_release(history, "deployed-versions", "Till", "9", "test")
    text = attention(show("/"))
    assert "2 providers have not verified Till 9 , which runs with them in Test : Prices 3 , Stock 3" in text


def test_failures_of_one_provider_are_one_line(history, show):
    for name in ("Kiosk", "App"):
        history.publish(name, "1", "Ledger", "broken")
        pact = history.get(f"/pacts/provider/Ledger/consumer/{name}/version/1")
        body = {"success": False, "providerApplicationVersion": "11"}
        assert history.post(pact.link("pb:publish-verification-results"), body).status == 201
    text = attention(show("/"))
    assert "Ledger 11 broke the latest pacts of 2 consumers: App 1 just now , Kiosk 1 just now" in text


def fail(history, name, version, provider_version):
    pact = history.get(f"/pacts/provider/Ledger/consumer/{name}/version/{version}")
    body = {"success": False, "providerApplicationVersion": provider_version}
    assert history.post(pact.link("pb:publish-verification-results"), body).status == 201


def test_a_pair_whose_running_versions_and_latest_pact_failed_is_one_line(history, show):
    def publish_and_fail(name, version, provider_version):
        assert history.publish(name, version, "Ledger", f"broken {version}").status == 200
        fail(history, name, version, provider_version)

    publish_and_fail("Kiosk", "1", "10")
    deploy_or_release(history, "deployed-versions", "Kiosk", "1", "production")
    text = attention(show("/"))
    assert text.startswith(" 1 ")
    assert "with Ledger 10 , whose verification failed; it is also the latest pact" in text
    publish_and_fail("Kiosk", "2", "11")
    text = attention(show("/"))
    assert text.startswith(" 1 ")
    assert "Kiosk 1 runs in Production with Ledger 10 , whose verification failed" in text
    assert "; the latest pact 2 failed with 11 , too, just now" in text
    assert "broke the latest" not in text
    failed = show("/attention?kind=failed")
    assert "There are no such problems" in failed.text
    assert failed.all("html")[0].attributes["data-failing"] == "yes"

    publish_and_fail("App", "1", "10")
    deploy_or_release(history, "deployed-versions", "App", "1", "production")
    publish_and_fail("Web", "1", "11")
    everything = show("/attention").text
    assert "3 problems, grouped" in everything
    assert "Ledger 10 failed to verify 2 pacts" in everything
    assert "App 1 (the latest pact) , Kiosk 1 (the latest pact 2 failed, too)" in everything
    assert "Ledger 11 broke the latest pact of Web 1" in everything


def test_causes_that_are_not_listed_are_counted_and_linked(history, show):
    for number in range(6):
        history.publish(f"app-{number}", "1", f"service-{number}")
        deploy_or_release(history, "deployed-versions", f"app-{number}", "1", "production")
        deploy_or_release(history, "deployed-versions", f"service-{number}", "2", "production")
    shown = show("/")
    assert "2 more: running together without a success" in shown.text
    assert "/attention?kind=together" in shown.links
    assert shown.text.count("which has not verified it") == 4
    assert show("/attention?kind=together").text.count("which has not verified it") == 6
    assert "There are no such problems" in show("/attention?kind=failed").text


def test_a_broker_without_problems_has_a_message(api, show):
    api.publish("Shop", "1", "Stock")
    assert "Nothing needs attention" in show("/attention").text
    assert "Needs attention" not in show("/").text


def test_a_failing_webhook_is_listed_with_its_reason(show, history, database):
    created = history.post("/webhooks", WEBHOOK)
    assert created.status == 201
    other = {**WEBHOOK, "description": "Another", "request": {**WEBHOOK["request"], "url": "https://other.example.org"}}
    assert history.post("/webhooks", other).status == 201
    history.publish("Till", "5", "Ledger", "thing 5")
    statements = (
        "UPDATE webhook SET failing_since = created_at, failures = 10",
        "UPDATE triggered_webhook SET status = 'failure', attempts = 1, due_at = NULL",
        ATTEMPT,
    )
    for statement in statements:
        database.write(lambda db, statement=statement: db.execute(text(statement)))
    for path in ("/", "/attention"):
        assert "Webhook Build of Ledger has been failing" in show(path).text
        assert "The latest: 403 Forbidden" in show(path).text
    uuid = created.headers["location"].rpartition("/")[2]
    for path in ("/webhooks", f"/webhooks/{uuid}", "/dashboard/provider/Ledger/consumer/Till"):
        assert "✕ Failed 403 Forbidden" in show(path).text
        assert "none yet" not in show(path).text
        assert "Build of Ledger" in show(path).text


def test_the_same_versions_in_several_environments_are_one_problem_and_production_comes_first(history, show):
    for name in ("Stock", "Prices"):
        history.publish("Shop", "1", name)
        deploy_or_release(history, "deployed-versions", name, "3", "test")
    for place in ("test", "production"):
        deploy_or_release(history, "deployed-versions", "Shop", "1", place)
        deploy_or_release(history, "deployed-versions", "Till", "3", place)
        deploy_or_release(history, "deployed-versions", "Ledger", "12", place)
    text = attention(show("/"))
    assert text.startswith(" 3 ")
    assert "Till 3 runs in Production and Test with Ledger 12 , which has not verified it" in text
    assert text.index("Ledger 12") < text.index("2 providers have not verified Shop")


def test_all_causes_of_a_kind_are_on_its_pages_once(history, show):
    for number in range(5):
        history.publish(f"app-{number}", "1", f"service-{number}")
        for name in (f"app-{number}", f"service-{number}"):
            deploy_or_release(history, "deployed-versions", name, "1", "production")
    pages = [show(f"/attention?kind=together&pageSize=2&page={number}").text for number in (1, 2, 3)]
    assert [page.count("which has not verified it") for page in pages] == [2, 2, 1]
    assert all(sum(f"app-{number} 1 runs in" in page for page in pages) == 1 for number in range(5))
    assert "1-2 of 5 lines" in pages[0]
    assert all("Running together without a success 5" in page for page in pages)


@pytest.mark.usefixtures("shop")
def test_applications_that_a_cause_does_not_name_are_behind_a_link(show):
    assert show("/").text.count("and 2 more of Ledger") == 1
    assert "/pacticipants/Ledger" in show("/").links
