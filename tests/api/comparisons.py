"""Contracts of Prices that pacts with it are compared with, and the decisions that follow."""

from collections import Counter
from typing import Any

from sqlalchemy import text

from tests.api.client import Api
from tests.api.contracts import OPENAPI, PUBLISH, RESULT, build, document
from treaty.store.engine.database import Database
from treaty.workers.comparisons import ComparisonWorker

FITTING, UNFITTING = "prices", "orders"


def finish_comparisons(worker: ComparisonWorker) -> None:
    while worker.work_once():
        pass


def publish_contract(api: Api, version: str = "1", *, success: bool | None = True, source: str = OPENAPI) -> None:
    result = {} if success is None else {"selfVerificationResults": {**RESULT, "success": success}}
    contract = {name: value for name, value in document(source).items() if name != "selfVerificationResults"}
    answer = api.post(PUBLISH, build(version, contract={**contract, **result}))
    assert answer.status == 200, answer.text


def can_i_deploy(api: Api, version: str = "1", pacticipant: str = "Shop") -> dict[str, Any]:
    answer = api.get(f"/can-i-deploy?pacticipant={pacticipant}&version={version}&environment=production")
    assert answer.status == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def deployable(api: Api, version: str = "1", pacticipant: str = "Shop") -> bool | None:
    verdict: bool | None = can_i_deploy(api, version, pacticipant)["summary"]["deployable"]
    return verdict


def badge_state(api: Api) -> str:
    path = "/pacts/provider/Prices/consumer/Shop/latest/badge"
    location = api.get(path, accept="image/svg+xml").headers["location"]
    return next(word for word in ("unknown", "verified", "failed") if f"-{word}-" in location)


def count_events(database: Database) -> dict[str, int]:
    """Count the deliveries by event, without the common beginning of its name."""
    rows = database.read(lambda db: db.execute(text("SELECT event FROM triggered_webhook")).all())
    return dict(Counter(event.removeprefix("provider_verification_") for (event,) in rows))
