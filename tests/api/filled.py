"""A small world: every pacticipant has versions 1 and 2, on branches, with tags, a label, and places where they run."""

from tests.api.client import Answer, Api
from tests.api.history import History, q

CONSUMERS = ("Web Shop", "Till/2 ü")
PROVIDER = "Prices"
BRANCH, OTHER_BRANCH = "main", "feat/discounts"
TAG, LABEL = "main", "shop"


def fill(api: Api) -> dict[str, str]:
    """Fill a broker, and return the UUIDs that it assigned, by the first word of the paths that contain them."""
    history = History(api)
    for number, branch in (("1", BRANCH), ("2", OTHER_BRANCH)):
        for consumer in CONSUMERS:
            history.publish(consumer, number, PROVIDER, f"{consumer} {number}", branch=branch, tags=[TAG])
            _describe(api, consumer)
    history.publish(CONSUMERS[0], "3", PROVIDER, "without a tag", branch=OTHER_BRANCH)
    for number, branch in (("1", BRANCH), ("2", OTHER_BRANCH)):
        for consumer in CONSUMERS:
            history.verify(consumer, number, PROVIDER, number, success=number == "1")
        history.branch(PROVIDER, number, branch)
        history.tag(PROVIDER, number, TAG)
    _describe(api, PROVIDER)
    for pacticipant in (*CONSUMERS, PROVIDER):
        history.deploy(pacticipant, "1", "production")
        history.deploy(pacticipant, "2", "test", "blue")
        history.release(pacticipant, "1", "production")
    return {
        "environments": history.environment("production"),
        "webhooks": _webhook(api),
        "decisions": _decision(api),
    }


def _decision(api: Api) -> str:
    versions = [{"pacticipant": CONSUMERS[0], "version": "2"}]
    answer = done(api.post("/decisions", {"environment": "production", "versions": versions, "record": True}))
    return answer.link("self").rpartition("/")[2]


def _describe(api: Api, pacticipant: str) -> None:
    details = {"mainBranch": BRANCH, "repositoryUrl": "https://git.example.org/shop"}
    done(api.patch(f"/pacticipants/{q(pacticipant)}", details))
    done(api.put(f"/pacticipants/{q(pacticipant)}/labels/{LABEL}", {}))


def _webhook(api: Api) -> str:
    body = {
        "description": "Verify what changed",
        "consumer": {"name": CONSUMERS[0]},
        "provider": {"name": PROVIDER},
        "events": [{"name": "contract_published"}],
        "request": {"method": "POST", "url": "https://ci.example.org/verify", "headers": {"X-Job": "verify"}},
    }
    uuid: str = done(api.post("/webhooks", body)).json()["uuid"]
    done(api.publish(CONSUMERS[0], "2", PROVIDER, f"{CONSUMERS[0]} 2", branch=OTHER_BRANCH, tags=[TAG]))
    return uuid


def done(answer: Answer) -> Answer:
    assert answer.status in {200, 201}, answer.text
    return answer
