"""Short methods that build a history: publications, results, deployments and releases."""

from dataclasses import dataclass, field
from urllib.parse import quote

from tests.api.client import Answer, Api


def q(name: str) -> str:
    return quote(name, safe="")


@dataclass
class History:
    """Sends the steps of a history to the broker. Versions are created as they are needed."""

    api: Api
    environments: dict[str, str] = field(default_factory=dict)

    def publish(self, consumer: str, version: str, provider: str, content: object = None, **more: object) -> None:
        self._done(self.api.publish(consumer, version, provider, content or "a thing", **more))

    def verify(self, consumer: str, version: str, provider: str, by: str, *, success: bool = True) -> int:
        """Publish a result for a pact, and return its number."""
        pact = self.api.get(f"/pacts/provider/{q(provider)}/consumer/{q(consumer)}/version/{q(version)}")
        path = self._done(pact).link("pb:publish-verification-results")
        result = self._done(self.api.post(path, {"success": success, "providerApplicationVersion": by}))
        return int(result.link("self").rpartition("/")[2])

    def version(self, pacticipant: str, version: str) -> None:
        self._done(self.api.put(f"/pacticipants/{q(pacticipant)}/versions/{q(version)}", {}))

    def tag(self, pacticipant: str, version: str, tag: str) -> None:
        self._done(self.api.put(f"/pacticipants/{q(pacticipant)}/versions/{q(version)}/tags/{q(tag)}", {}))

    def branch(self, pacticipant: str, version: str, branch: str) -> None:
        self._done(self.api.put(f"/pacticipants/{q(pacticipant)}/branches/{q(branch)}/versions/{q(version)}", {}))

    def deploy(self, pacticipant: str, version: str, environment: str, instance: str | None = None) -> str:
        """Record a deployment, and return the path of the record."""
        body = {} if instance is None else {"applicationInstance": instance}
        place = f"deployed-versions/environment/{self.environment(environment)}"
        path = f"/pacticipants/{q(pacticipant)}/versions/{q(version)}/{place}"
        return self._done(self.api.post(path, body)).link("self")

    def release(self, pacticipant: str, version: str, environment: str) -> str:
        """Record a release, and return the path of the record."""
        place = f"released-versions/environment/{self.environment(environment)}"
        path = f"/pacticipants/{q(pacticipant)}/versions/{q(version)}/{place}"
        return self._done(self.api.post(path, {})).link("self")

    def environment(self, name: str) -> str:
        """Find or create an environment, and return its UUID."""
        if name not in self.environments:
            response = self._done(self.api.post("/environments", {"name": name, "production": False}))
            self.environments[name] = response.json()["uuid"]
        return self.environments[name]

    @staticmethod
    def _done(answer: Answer) -> Answer:
        assert answer.status in {200, 201, 204}, answer.text
        return answer


def fill_ledger(api: Api) -> History:
    """Publish pacts of Till with Ledger: versions 1 and 2 alike on main, 3 bare, 4 on a branch, 5 tagged."""
    history = History(api)
    history.publish("Till", "1", "Ledger", 1, branch="main", tags=["prod"])
    history.publish("Till", "2", "Ledger", 1, branch="main", tags=["dev"])
    history.publish("Till", "3", "Ledger", 2)
    history.publish("Till", "4", "Ledger", 3, branch="feat/x")
    history.publish("Till", "5", "Ledger", 4, tags=["dev"])
    return history
