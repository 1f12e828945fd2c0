"""A broker that delivers webhooks, and the contents of its queue."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from tests.api.client import BASE, Answer, Api
from tests.waiting import eventually
from treaty.actions.webhooks import deliveries
from treaty.model.webhooks.parameters import build_parameters
from treaty.settings import Settings
from treaty.store.engine.database import Database
from treaty.store.webhooks import deliveries as queue
from treaty.store.webhooks.due_deliveries import ClaimRequest
from treaty.web.application import build_application
from treaty.web.parameter_urls import PARAMETER_URLS
from treaty.workers.deliveries import DeliveryWorker

PAIR = {"consumer": {"name": "Till"}, "provider": {"name": "Ledger"}}
LATER = timedelta(days=2)
OPEN = {"webhook_scheme_whitelist": ("http", "https"), "webhook_host_whitelist": ("127.0.0.1", "localhost")}


class Broker:
    """A broker that delivers."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings
        self.worker = DeliveryWorker(database, settings, PARAMETER_URLS)
        self.api = Api(build_application(settings, database, worker=self.worker))
        for name in ("Till", "Ledger"):
            self.api.post("/pacticipants", {"name": name})

    def hook(self, url: str, *events: str, request: dict[str, Any] | None = None, **more: Any) -> str:
        """Create a webhook for the pair, and return its path."""
        body = {"request": {"method": "POST", "url": url, **(request or {})}, **PAIR, **more}
        answer = self.api.post(
            "/webhooks", {**body, "events": [{"name": event} for event in events or ["contract_published"]]}
        )
        assert answer.status == 201, answer.text
        return answer.link("self")

    def publish(self, version: str, content: object = None, **more: object) -> Answer:
        answer = self.api.publish("Till", version, "Ledger", content, **more)
        assert answer.status == 200, answer.text
        return answer

    def triggered(self, version: str) -> list[dict[str, Any]]:
        page = self.api.get(f"/pacts/provider/Ledger/consumer/Till/version/{version}/triggered-webhooks").json()
        webhooks: list[dict[str, Any]] = page["_embedded"]["triggeredWebhooks"]
        return webhooks

    def until(self, version: str, status: str) -> dict[str, Any]:
        """Wait until the one delivery of a version has come to a status."""
        eventually(lambda: self.triggered(version)[0]["status"] == status, lambda: self.triggered(version))
        return self.triggered(version)[0]

    def logs(self, version: str) -> str:
        return self.api.get(find_logs(self.triggered(version)[0]), accept="text/plain").text


def find_logs(triggered: dict[str, Any]) -> str:
    path: str = triggered["_links"]["pb:logs"]["href"].removeprefix(BASE)
    return path


def claim_all(broker: Broker) -> list[dict[str, str]]:
    """Claim all queued deliveries, and return the values of the parameters of each."""
    return parameters_of_queue(broker.database, at=datetime.now(UTC) + timedelta(days=1000))


def parameters_of_queue(database: Database, *, at: datetime) -> list[dict[str, str]]:
    """Claim the deliveries that are due, end them, and return the values of the parameters of each."""
    values: list[dict[str, str]] = []
    while claimed := database.write(
        lambda db: deliveries.claim(db, ClaimRequest(owner="test", now=at, until=at + LATER, limit=50))
    ):
        values += [build_parameters(delivery.facts, delivery.context, PARAMETER_URLS) for delivery in claimed]
        # Later deliveries about the same pair wait for these.
        for delivery in claimed:
            database.write(partial(queue.abandon, uuid=delivery.uuid, owner="test"))
    return values


def verify(broker: Broker, version: str, provider_version: str, *, success: bool = True) -> None:
    pact = broker.api.get(f"/pacts/provider/Ledger/consumer/Till/version/{version}")
    result = {"success": success, "providerApplicationVersion": provider_version}
    assert broker.api.post(pact.link("pb:publish-verification-results"), result).status == 201
