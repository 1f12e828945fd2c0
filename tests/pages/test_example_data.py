"""The example data: a shop with a month of history, so that every page has something to show."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from sqlalchemy import select

from tests.api.client import SECRET_KEY, Api, build_settings
from tests.databases import open_kept
from tests.pages.conftest import BROWSER, Shown, read_page
from treaty.actions.maintenance.integrity import check_integrity
from treaty.example_data import add_example_data
from treaty.store import tables
from treaty.web.application import build_application

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
PAIR = "/pacts/provider/Orders/consumer/Web%20Shop"
APPLICATIONS = [
    *("Mobile App", "Notifications", "Orders", "Payments"),
    *("Prices", "Shipping", "Stock", "Web Shop"),
]


class Shop:
    """A broker with the example data, which its tests only read."""

    def __init__(self, url: str) -> None:
        self.settings = build_settings(database_url=url, log_level="error", secret_key=SECRET_KEY)
        self.database = open_kept(url, connections=2)
        self.is_added = self.database.write(self.add)
        self.api = Api(build_application(self.settings, self.database, clock=lambda: NOW))

    def add(self, db) -> bool:
        return add_example_data(db, now=NOW, settings=self.settings)

    def show(self, path: str) -> Shown:
        return read_page(self.api.get(path, accept=BROWSER))

    def times(self, column) -> list[datetime]:
        return self.database.read(lambda db: list(db.execute(select(column).order_by(column)).scalars()))


@pytest.fixture(scope="module")
def shop(shared_database_url):
    shop = Shop(shared_database_url)
    assert shop.is_added
    yield shop
    shop.api.close()
    shop.database.close()


def test_it_has_eight_applications_and_three_environments(shop):
    listed = shop.api.get("/pacticipants").json()["_embedded"]["pacticipants"]
    assert sorted(pacticipant["name"] for pacticipant in listed) == APPLICATIONS
    listed = shop.api.get("/environments").json()["_embedded"]["environments"]
    assert sorted(environment["name"] for environment in listed) == ["production", "staging", "test"]


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("/", ["Failed, pending", "Overdue", "Webhook", "Changed since verified", "Verified"]),
        ("/pacticipants/Web%20Shop?version=8e2f4a1&to=production", ["No", "Team Checkout", "storefront"]),
        (
            "/contracts/bi-directional/provider/Prices/version/6e93a0f/provider-contract",
            ["Find the price of a product"],
        ),
        (f"{PAIR}/version/8e2f4a1", ["a request for an order", "deliveryDate"]),
        (f"{PAIR}/version/8e2f4a1/verification-results/latest", ["missing the following keys: deliveryDate"]),
        (f"{PAIR}/version/8e2f4a1/diff/previous-distinct", ["deliveryDate"]),
        ("/?tags=true", ["Mobile App", "Payments", "feat/gift-cards"]),
        ("/webhooks", ["Start the verification build of Orders", "Tell the chat of Team Checkout"]),
        ("/decisions", ["Staging", "Production", "8e2f4a1"]),
        ("/decisions?deployable=false", ["d9b3a70", "1f7b6a5", "95e2b1c"]),
        ("/overrides", ["2.5.0-gift-cards", "before Payments accepts gift cards"]),
        ("/overrides?state=ended", ["95e2b1c", "today's outage"]),
        ("/decisions/trends", ["Staging", "Production"]),
        ("/settings/audit", ["web-shop-ci", "prices-ci"]),
        ("/pacticipants/Orders?show=states", ["order 7 exists"]),
        ("/network", ["Notifications"]),
    ],
)
def test_a_page_has_something_to_show(shop, path, texts):
    shown = shop.show(path)
    assert shown.status == 200
    assert [text for text in texts if text not in shown.text] == []


@pytest.mark.parametrize("name", APPLICATIONS)
def test_each_application_has_a_page_with_contacts_and_a_place_in_each_environment(shop, name):
    text = shop.show(f"/pacticipants/{name.replace(' ', '%20')}").text
    assert "Team " in text
    assert all(environment in text for environment in ("Test", "Staging", "Production"))


@pytest.mark.parametrize(
    ("name", "version", "environment", "deployable"),
    [
        ("Web Shop", "8e2f4a1", "staging", False),
        ("Web Shop", "8e2f4a1", "production", False),
        ("Web Shop", "40c7e2d", "production", True),
        ("Notifications", "a85f0d3", "staging", None),
        ("Orders", "e03d7f8", "production", True),
        ("Payments", "1f7b6a5", "production", False),
    ],
)
def test_there_is_a_version_for_each_answer(shop, name, version, environment, deployable):
    query = f"pacticipant={name.replace(' ', '%20')}&version={version}&environment={environment}"
    assert shop.api.get(f"/can-i-deploy?{query}").json()["summary"]["deployable"] is deployable


def test_each_no_that_was_repaired_became_a_yes(shop):
    decisions = shop.api.get("/decisions?pacticipant=Web%20Shop&version=d9b3a70").json()["decisions"]
    assert [each["deployable"] for each in decisions] == [True, True, False]


@pytest.mark.parametrize(
    "column",
    [
        tables.publication.c.created_at,
        tables.verification.c.verified_at,
        tables.deployed_version.c.created_at,
        tables.decision.c.created_at,
        tables.event.c.created_at,
        tables.webhook_execution.c.created_at,
    ],
    ids=lambda column: column.table.name,
)
def test_its_history_is_within_the_thirty_days_before_the_start(shop, column):
    times = shop.times(column)
    assert times
    assert NOW - timedelta(days=30) <= times[0]
    assert times[-1] <= NOW


def test_nothing_is_left_to_be_sent(shop):
    assert shop.times(tables.triggered_webhook.c.status) == sorted(["success"] * 5 + ["failure"] * 2)
    assert set(shop.times(tables.triggered_webhook.c.due_at)) == {None}


def test_it_is_consistent(shop):
    findings = shop.database.read(check_integrity)
    assert [finding for finding in findings if finding.broken] == []


UNUSUAL: Final = {
    "order_versions_by_date": False,
    "webhook_retry_schedule": (),
    "webhook_host_whitelist": ("ci.example.org",),
    "verification_overdue_after": 0,
    "max_document_bytes": 100,
    "base_urls": ("https://pacts.example.org/broker",),
    "override_max_duration": 1,
}


def test_it_is_added_with_unusual_settings(database, database_url):
    settings = build_settings(database_url=database_url, log_level="error", secret_key=SECRET_KEY, **UNUSUAL)
    assert database.write(lambda db: add_example_data(db, now=NOW, settings=settings))
    findings = database.read(check_integrity)
    assert [finding for finding in findings if finding.broken] == []


def test_a_database_that_is_not_empty_gets_none(api, database, database_url):
    api.post("/pacticipants", {"name": "Mine"})
    settings = build_settings(database_url=database_url, log_level="error", secret_key=SECRET_KEY)
    assert not database.write(lambda db: add_example_data(db, now=NOW, settings=settings))
    listed = api.get("/pacticipants").json()["_embedded"]["pacticipants"]
    assert [pacticipant["name"] for pacticipant in listed] == ["Mine"]
