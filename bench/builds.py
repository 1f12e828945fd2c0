"""The builds of a history, as requests to the application in this process with a simulated clock."""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from sqlalchemy import event

from bench.company import Client, Clock, pair_path, segment
from bench.histories import ENVIRONMENTS, PER_BRANCH, PER_CONTENT, History, is_on_main, number, time_of
from treaty.app import prepare_logging
from treaty.model.pacts import content as contents
from treaty.model.pacts import documents
from treaty.settings import Settings
from treaty.store.engine.database import Database
from treaty.web.application import build_application

PER_TAG: Final = 10
"""Number of versions of which one is tagged."""


@dataclass(frozen=True, kw_only=True)
class Team:
    """Applications with pacts between them."""

    applications: Sequence[str]
    edges: Sequence[tuple[int, int]]
    """Consumer and provider of each integration, as indexes of applications."""
    pact: Callable[[int, int], bytes]
    """Returns the pact of an edge and the index of a content."""
    repeats_results: bool = False
    """Whether every second version verifies the newest content twice."""

    def providers(self, application: int) -> Iterator[tuple[int, int]]:
        """Yield the edges of a consumer with the provider of each."""
        return ((edge, provider) for edge, (consumer, provider) in enumerate(self.edges) if consumer == application)


@dataclass
class Builds:
    """Runs the builds of a team, version by version."""

    client: Client
    clock: Clock
    history: History
    team: Team
    environments: dict[str, str] = field(default_factory=dict)
    """UUIDs by name."""

    def run(self, progress: Callable[[int], None] = lambda _version: None) -> None:
        """Run all builds. `progress` is called with the index of each built version."""
        self._add_applications()
        for version in range(self.history.versions):
            self.clock.now = time_of(version)
            for application in range(len(self.team.applications)):
                self._add_version(application, version)
            for edge in range(len(self.team.edges)):
                self._verify(edge, version)
            for name in self.team.applications:
                self._promote(name, version)
            progress(version)

    def _add_applications(self) -> None:
        self.clock.now = time_of(0)
        environments = self.client.send("GET", "/environments")["_embedded"]["environments"]
        self.environments = {environment["name"]: environment["uuid"] for environment in environments}
        for name in self.team.applications:
            body = {"name": name, "displayName": name.title(), "mainBranch": "main"}
            self.client.send("POST", "/pacticipants", body)

    def _add_version(self, application: int, version: int) -> None:
        """Publish the pacts of an application, or record the version if it consumes no other."""
        name = self.team.applications[application]
        branch = "main" if is_on_main(version) else f"feat/{version // PER_BRANCH}"
        edges = list(self.team.providers(application))
        if not edges:
            path = f"/pacticipants/{segment(name)}/branches/{segment(branch)}/versions/{segment(number(version))}"
            self.client.send("PUT", path, {})
            return
        contracts = [
            {
                "consumerName": name,
                "providerName": self.team.applications[provider],
                "specification": "pact",
                "contentType": "application/json",
                "content": base64.b64encode(self.team.pact(edge, version // PER_CONTENT)).decode(),
            }
            for edge, provider in edges
        ]
        body = {
            "pacticipantName": name,
            "pacticipantVersionNumber": number(version),
            "branch": branch,
            "contracts": contracts,
        }
        self.client.send("POST", "/contracts/publish", body)

    def _verify(self, edge: int, version: int) -> None:
        """Publish results for the newest content, for the one before it, and maybe for the newest one again."""
        newest = version // PER_CONTENT
        repeated = (newest,) if self.team.repeats_results and version % 2 else ()
        consumer, provider = (self.team.applications[at] for at in self.team.edges[edge])
        for content in (newest, max(newest - 1, 0), *repeated):
            body = {
                "success": is_success(version),
                "providerApplicationVersion": number(version),
                "buildUrl": f"https://ci.example.org/builds/{version}",
            }
            sha = _find_sha(self.team.pact(edge, content))
            self.client.send("POST", f"{pair_path(consumer, provider)}/pact-version/{sha}/verification-results", body)

    def _promote(self, name: str, version: int) -> None:
        """Tag, deploy and release a version if the history requires it."""
        path = f"/pacticipants/{segment(name)}/versions/{segment(number(version))}"
        if version % PER_TAG == 0:
            self.client.send("PUT", f"{path}/tags/dev", {})
        for environment, (every, last) in zip(ENVIRONMENTS, self.history.deployments, strict=True):
            if version <= last and version % every == last % every:
                uuid = self.environments[environment]
                self.client.send("POST", f"{path}/deployed-versions/environment/{uuid}", {})
        if version == self.history.in_production:
            uuid = self.environments["production"]
            self.client.send("POST", f"{path}/released-versions/environment/{uuid}", {})


def is_success(version: int) -> bool:
    """Return whether the results of a provider version are successes."""
    return version % 25 != 1


@cache
def _find_sha(pact: bytes) -> str:
    return contents.build_content(documents.parse_document(pact)).sha


def run(database: Database, history: History, team: Team, progress: Callable[[int], None]) -> None:
    """Run the builds of a team on a database that contains the environments."""
    is_sqlite = database.engine.dialect.name == "sqlite"
    if is_sqlite:  # an interrupted build starts over, so that data may be lost
        event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    clock = Clock(time_of(0))
    settings = Settings(database_url=_url(database), open_access=True, log_level="error")
    prepare_logging(settings)
    client = Client(build_application(settings, database, clock=clock), {})
    Builds(client, clock, history, team).run(progress)
    client.close()


def _url(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
