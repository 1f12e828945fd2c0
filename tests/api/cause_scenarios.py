"""A history for each cause of a no: Shop 1 is to be deployed to an environment, and one thing is in its way."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from tests.api.client import Api, Clock
from tests.api.contracts import PUBLISH, RESULT, build, document
from tests.api.history import History
from treaty.model.decisions.causes import Cause
from treaty.model.webhooks.deliveries import DeliveryStatus, Execution
from treaty.store.engine.database import Database
from treaty.store.webhooks import deliveries, due_deliveries
from treaty.store.webhooks.deliveries import DeliveryUpdate
from treaty.store.webhooks.due_deliveries import ClaimRequest

QUESTION: Final = "/can-i-deploy?pacticipant=Shop&version=1&environment=test"
CONTACTS: Final = [{"name": "Team Stock", "details": {"e-mail": "stock@example.org"}}]
PRICES: Final = "prices"
"""Content of a pact that the contract of Prices satisfies."""


@dataclass
class Stage:
    """A broker with a history, whose steps are a minute apart."""

    api: Api
    database: Database
    clock: Clock

    def __post_init__(self) -> None:
        self.history = History(self.api)
        self.history.environment("test")
        assert self.api.post("/pacticipants", {"name": "Stock", "contacts": CONTACTS}).status == 201

    def wait(self) -> History:
        self.clock.now += timedelta(minutes=1)
        return self.history

    def publish(self, content: str = "a", version: str = "1", provider: str = "Stock") -> None:
        self.wait().publish("Shop", version, provider, content, branch="main")

    def build(self, version: str = "7", *, branch: str | None = "main") -> None:
        if branch:
            self.wait().branch("Stock", version, branch)
        else:
            self.wait().version("Stock", version)

    def deploy(self, version: str = "7", name: str = "Stock") -> None:
        self.wait().deploy(name, version, "test")

    def verify(self, by: str, *, of: str = "1", success: bool = True) -> None:
        self.wait().verify("Shop", of, "Stock", by, success=success)

    def webhook(self, **more: Any) -> None:
        body = {
            "description": "Build of Stock",
            "events": [{"name": "contract_requiring_verification_published"}],
            "request": {"method": "POST", "url": "https://ci.example.org/builds"},
        }
        assert self.api.post("/webhooks", body | more).status == 201

    def deliver(self, *, success: bool) -> None:
        """Attempt the queued deliveries."""
        self.wait()
        now = self.clock.now
        request = ClaimRequest(owner="test", now=now + timedelta(days=1), until=now + timedelta(days=2), limit=100)
        while uuids := self.database.write(lambda db: due_deliveries.claim(db, request)):
            for uuid in uuids:
                self._record(uuid, success=success)

    def _record(self, uuid: str, *, success: bool) -> None:
        status = DeliveryStatus.SUCCESS if success else DeliveryStatus.FAILURE
        update = DeliveryUpdate(uuid=uuid, owner="test", status=status, due_at=None)
        execution = Execution(success=success, status=200, milliseconds=1, created_at=self.clock.now, logs="")
        self.database.write(lambda db: deliveries.record_attempt(db, update, execution))

    def contract(self, *, success: bool | None = True) -> None:
        result = {} if success is None else {"selfVerificationResults": {**RESULT, "success": success}}
        contract = {name: value for name, value in document().items() if name != "selfVerificationResults"}
        self.wait()
        assert self.api.post(PUBLISH, build("7", contract={**contract, **result})).status == 200

    def ask(self) -> Any:
        answer = self.api.get(QUESTION)
        assert answer.status == 200, answer.text
        return answer.json()


def never_built(stage: Stage) -> None:
    stage.publish(version="0")


def built_without_pacts(stage: Stage) -> None:
    stage.build(branch=None)
    stage.deploy()
    stage.publish()


def not_requested(stage: Stage) -> None:
    stage.publish("old", version="0")
    stage.verify("7", of="0")
    stage.deploy()
    stage.publish()


def result_awaited(stage: Stage) -> None:
    stage.webhook()
    stage.build()
    stage.deploy()
    stage.publish()
    stage.deliver(success=True)


def webhook_failing(stage: Stage) -> None:
    stage.webhook()
    stage.build()
    stage.deploy()
    stage.publish()
    stage.deliver(success=False)


def regression(stage: Stage) -> None:
    stage.publish()
    stage.verify("6")
    stage.verify("7", success=False)
    stage.deploy()


def never_passed(stage: Stage) -> None:
    stage.publish()
    stage.verify("7", success=False)
    stage.deploy()


def not_deployed(stage: Stage) -> None:
    stage.publish()
    stage.verify("7")


def superseded(stage: Stage) -> None:
    stage.build()
    stage.deploy()
    stage.publish()
    stage.build("8")
    stage.verify("8")


def excluded_by_selector(stage: Stage) -> None:
    stage.build()
    stage.deploy()
    stage.publish()
    stage.publish("other", version="2")
    stage.verify("7", of="2")


def not_compared(stage: Stage) -> None:
    stage.publish(PRICES, provider="Prices")
    stage.contract()
    stage.deploy("7", "Prices")


def self_verification_missing(stage: Stage) -> None:
    stage.publish(PRICES, provider="Prices")
    stage.contract(success=None)
    stage.deploy("7", "Prices")


def self_verification_failed(stage: Stage) -> None:
    stage.publish(PRICES, provider="Prices")
    stage.contract(success=False)
    stage.deploy("7", "Prices")


def comparison_failed(stage: Stage) -> None:
    stage.publish("orders", provider="Prices")
    stage.contract()
    stage.deploy("7", "Prices")


def not_described(stage: Stage) -> None:
    message = {"description": "a price has changed", "contents": {"price": 1}}
    body = {
        "consumer": {"name": "Shop"},
        "provider": {"name": "Prices"},
        "messages": [message],
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }
    stage.wait()
    assert stage.api.put("/pacts/provider/Prices/consumer/Shop/version/1", body).status == 201
    stage.contract()
    stage.deploy("7", "Prices")


SCENARIOS: Final[dict[Cause, Callable[[Stage], None]]] = {
    Cause.VERSION_NEVER_BUILT: never_built,
    Cause.BUILT_WITHOUT_PACTS: built_without_pacts,
    Cause.NOT_REQUESTED: not_requested,
    Cause.RESULT_AWAITED: result_awaited,
    Cause.WEBHOOK_FAILING: webhook_failing,
    Cause.REGRESSION: regression,
    Cause.NEVER_PASSED: never_passed,
    Cause.NOT_DEPLOYED: not_deployed,
    Cause.SUPERSEDED: superseded,
    Cause.EXCLUDED_BY_SELECTOR: excluded_by_selector,
    Cause.COMPARISON_NOT_FINISHED: not_compared,
    Cause.SELF_VERIFICATION_MISSING: self_verification_missing,
    Cause.SELF_VERIFICATION_FAILED: self_verification_failed,
    Cause.COMPARISON_FAILED: comparison_failed,
    Cause.NOT_DESCRIBED: not_described,
}
SETTINGS: Final[dict[Cause, dict[str, Any]]] = {Cause.COMPARISON_NOT_FINISHED: {"comparison_budget": 0}}
"""Settings that a history needs, besides the usual ones."""
