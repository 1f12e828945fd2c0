"""Questions whose answers are recorded, and the versions that they are about."""

from typing import Any

from tests.api.client import Answer, Api
from tests.api.history import History

PATH = "/decisions"
Body = dict[str, Any]


def add_decided_versions(api: Api) -> History:
    """Give `web` (1) a no, (2) a yes and (3) no result, where `prices` (1) is in production."""
    history = History(api)
    for number in ("1", "2", "3"):
        history.publish("web", number, "prices", f"web {number}")
    history.verify("web", "1", "prices", "1", success=False)
    history.verify("web", "2", "prices", "1")
    history.deploy("prices", "1", "production")
    return history


def set_question(*members: str, **body: object) -> Body:
    """Ask about a set."""
    versions = [dict(zip(("pacticipant", "version"), member.rsplit("@", 1), strict=True)) for member in members]
    return {"environment": "production", "versions": versions, **body}


def version_question(pacticipant: str, *, ignore: tuple[str, ...] = (), **criteria: Any) -> Body:
    """Ask as can-i-deploy does."""
    ignored = [{"pacticipant": name} for name in ignore]
    selectors = [{"pacticipant": pacticipant, **criteria}]
    return {"environment": "production", "selectors": selectors, **({"ignore": ignored} if ignored else {})}


def send(api: Api, body: Body, **options: Any) -> Any:
    answer: Answer = api.post(PATH, body, **options)
    assert answer.status == 200, answer.text
    return answer.json()


def record(api: Api, body: Body, **options: Any) -> tuple[Any, Any]:
    """Record the answer to a question, and return the answer with its record."""
    answer = send(api, {**body, "record": True}, **options)
    assert answer["recorded"] is True
    return answer, api.get(answer["_links"]["self"]["href"], **options).json()


def list_recorded(api: Api, query: str = "") -> list[str]:
    """List the versions of recorded decisions, the newest first."""
    decisions = api.get(f"{PATH}{query}").json()["decisions"]
    return [
        " ".join(f"{each['pacticipant']}@{each['version']}" for each in decision["versions"]) for decision in decisions
    ]


def set_recording(api: Api, history: History, *, on: bool = True) -> None:
    """Have production record each decision, or not."""
    body = {"name": "production", "production": True, "recordsDecisions": on}
    assert api.put(f"/environments/{history.environment('production')}", body).status == 200
