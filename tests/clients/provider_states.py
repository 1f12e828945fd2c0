"""Creates the provider states that the tests of the Rust command line name, in a broker without users."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

COMMIT: Final = "5556b8149bf8bac76bc30f50a8a2dd4c22c85f30"
TEST_ENVIRONMENT: Final = "16926ef3-590f-4e3f-838e-719717aa88c9"
DEPLOYABLE: Final = "cb632df3-0a0d-4227-aac3-60114dd36479"
"""The test environment of the interactions about deployments."""
DEPLOYED: Final = "ff3adecf-cfc5-4653-a4e3-f1861092f8e0"
ALSO_DEPLOYED: Final = "58a013bc-31d6-434a-b026-46ecbd9e3a2d"


@dataclass
class States:
    """Creates states through the API. UUIDs that an interaction names are written into the database afterwards."""

    http: httpx.Client
    database: Path
    _results: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def clear(self) -> None:
        """Remove all that the states and the interactions have created."""
        self._results.clear()
        for link in self._fetch("webhooks")["_links"]["pb:webhooks"]:
            self._send("DELETE", link["href"])
        for pacticipant in self._fetch("pacticipants")["_embedded"]["pacticipants"]:
            self._send("DELETE", f"pacticipants/{quote(pacticipant['name'], safe='')}")
        for environment in self._fetch("environments")["_embedded"]["environments"]:
            self._send("DELETE", f"environments/{environment['uuid']}")

    def create(self, state: str) -> None:
        """Create a state. Raises LookupError if it is unknown."""
        for pattern, create in _STATES:
            if match := re.fullmatch(pattern, state):
                create(self, *match.groups())
                return
        message = f"no function creates the provider state: {state}"
        raise LookupError(message)

    def pacticipant(self, name: str) -> None:
        details = {"displayName": name, "repositoryUrl": "http://foo"}
        self._send("POST", "pacticipants", {"name": name, **details})

    def version(self, name: str, number: str, *tags: str, branch: str = "") -> None:
        path = f"pacticipants/{quote(name)}"
        self._send("PUT", f"{path}/versions/{number}", {})
        if branch:
            self._send("PUT", f"{path}/branches/{branch}/versions/{number}", {})
        for tag in tags:
            self._send("PUT", f"{path}/versions/{number}/tags/{tag}", {})

    def pact(self, consumer: str, number: str, provider: str, *, branch: str = "") -> None:
        self.version(consumer, number, branch=branch)
        # Each version has a pact of its own, whose results are not those of another version.
        interaction = {
            "description": f"a request of version {number}",
            "request": {"method": "GET", "path": "/"},
            "response": {"status": 200},
        }
        pact = {"consumer": {"name": consumer}, "provider": {"name": provider}, "interactions": [interaction]}
        path = f"pacts/provider/{quote(provider)}/consumer/{quote(consumer)}/version/{number}"
        published = self._send("PUT", path, pact).json()
        self._results[consumer, number, provider] = published["_links"]["pb:publish-verification-results"]["href"]

    def result(self, pact: tuple[str, str, str], number: str, *tags: str, success: bool = True) -> None:
        if pact not in self._results:
            self.pact(*pact)
        self._send("POST", self._results[pact], {"success": success, "providerApplicationVersion": number})
        self.version(pact[2], number, *tags)

    def environment(self, name: str, uuid: str = "") -> str:
        contact = {"name": "Foo team", "details": {"emailAddress": "foo@example.org"}}
        body = {"name": name, "displayName": name.capitalize(), "production": False, "contacts": [contact]}
        created: str = self._send("POST", "environments", body).json()["uuid"]
        return self._rename("environment", created, uuid)

    def deploy(self, number: str, environment: str, uuid: str, target: str | None = None) -> None:
        path = f"pacticipants/Foo/versions/{number}/deployed-versions/environment/{environment}"
        deployed = self._send("POST", path, {} if target is None else {"target": target}).json()
        self._rename("deployed_version", deployed["uuid"], uuid)

    def release(self, name: str, number: str, environment: str, uuid: str = "") -> None:
        path = f"pacticipants/{name}/versions/{number}/released-versions/environment/{environment}"
        self._rename("released_version", self._send("POST", path, {}).json()["uuid"], uuid)

    def webhook(self, uuid: str) -> None:
        _pricing(self)  # interactions replace the webhook by one for these two
        request = {"method": "POST", "url": "http://example.org", "headers": {"Content-Type": "application/json"}}
        body = {"description": "a webhook", "events": [{"name": "contract_published"}], "request": request}
        self._send("PUT", f"webhooks/{uuid}", body)

    def _rename(self, table: str, old_uuid: str, uuid: str) -> str:
        if not uuid:
            return old_uuid
        with sqlite3.connect(self.database, timeout=60) as db:
            db.execute(f"UPDATE {table} SET uuid = ? WHERE uuid = ?", (uuid, old_uuid))  # noqa: S608 - our own names
        return uuid

    def _fetch(self, path: str) -> Any:
        return self._send("GET", path).json()

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        # Links lead to the base URL, which is not where the server listens.
        return self.http.request(method, urlsplit(path).path, json=body).raise_for_status()


FOO: Final = ("Foo", "1.2.3", "Bar")
NEXT_FOO: Final = ("Foo", "1.2.4", "Bar")


def _results_of_two(states: States, *tags: str) -> None:
    states.result(FOO, "4.5.6", *tags)
    states.result(FOO, "5.6.7")


def _two_pacts(states: States) -> None:
    states.result(FOO, "4.5.6")
    states.result(NEXT_FOO, "4.5.6")


def _released(states: States, numbers: Mapping[str, bool]) -> None:
    production = states.environment("production")
    for number, success in numbers.items():
        states.result(FOO, number, success=success)
        states.release("Bar", number, production)


def _version_and_environments(states: States, *names: str, uuid: str = TEST_ENVIRONMENT) -> None:
    states.version("Foo", COMMIT)
    for name in names:
        states.environment(name, uuid if name == "test" else "")


def _release(states: States) -> None:
    _version_and_environments(states, "test")
    states.release("Foo", COMMIT, TEST_ENVIRONMENT, DEPLOYED)


def _deployment(states: States, _environment: str, also: str | None) -> None:
    """A deployment to customer-1, and perhaps an earlier one to another instance, or to none ("null")."""
    _version_and_environments(states, "test")
    if also:
        states.deploy(COMMIT, TEST_ENVIRONMENT, ALSO_DEPLOYED, None if also == "null" else also)
    states.deploy(COMMIT, TEST_ENVIRONMENT, DEPLOYED, "customer-1")


def _pricing(states: States) -> None:
    states.pacticipant("Pricing Service")
    states.pacticipant("Condor")


def _nothing(_states: States) -> None:
    """The broker is as it starts."""


_VERSION: Final = f"version {COMMIT} of pacticipant Foo exists with"
_VERIFIED: Final = r"the pact for Foo version 1\.2\.3 has been (?:successfully )?verified by Bar version 4\.5\.6"
_STATES: Final[tuple[tuple[str, Callable[..., object]], ...]] = (
    (r"the (?:pb:)?\S+ relations? (?:exists? in the index resource|are present)", _nothing),
    (r"the pb:publish-contracts relations exists in the index resource", _nothing),
    (r"'Condor' does not exist in the pact-broker|a webhook with uuid \S+ does not exist", _nothing),
    (r"a pacticipant with name (\S+) exists", States.pacticipant),
    (r"'(Condor)' exists in the pact-broker", lambda states, name: states.version(name, "1.3.0")),
    (r"'(\S+)' exists in the pact-broker with the latest version (\S+)", States.version),
    (r"'(\S+)' exists in the pact-broker with version (\S+), tagged with '(\S+)'", States.version),
    (r"the 'Pricing Service' and 'Condor' already exist in the pact-broker", _pricing),
    (r"a branch named main exists for pacticipant Foo", lambda states: states.version("Foo", "1", branch="main")),
    (
        r"a pact between Condor and the Pricing Service exists(?: with branch (\S+))?",
        lambda states, branch: states.pact("Condor", "1.3.0", "Pricing Service", branch=branch or ""),
    ),
    (r"a webhook with the uuid (\S+) exists", States.webhook),
    (r"an environment with name (\S+) and UUID (\S+) exists", States.environment),
    (r"an environment exists", lambda states: states.environment("test")),
    (
        rf"{_VERSION} a test environment available for deployment",
        lambda states: _version_and_environments(states, "test", uuid=DEPLOYABLE),
    ),
    (rf"{_VERSION} a test environment available for release", lambda states: _version_and_environments(states, "test")),
    (
        rf"{_VERSION} 2 environments that aren't test .*",
        lambda states: _version_and_environments(states, "prod", "dev"),
    ),
    (rf"{_VERSION} a test environment is released with id {DEPLOYED}", _release),
    (
        r"a version is deployed (?:twice )?to environment with UUID (\S+) with target customer-1(?: and target (\S+))?",
        _deployment,
    ),
    (r"a currently deployed version exists with application instance (customer-1)()", _deployment),
    (
        r"a currently deployed version exists (without) application instance",
        lambda states, _: _deployment(states, "", "null"),
    ),
    (_VERIFIED, lambda states: states.result(FOO, "4.5.6")),
    (rf"{_VERIFIED} \(tagged (\S+)\) and version 5\.6\.7", _results_of_two),
    (r"the pact for Foo version 1\.2\.3 and 1\.2\.4 has been verified by Bar version 4\.5\.6", _two_pacts),
    (r"Bar versions 10 \(failing\) and 11 .*", lambda states: _released(states, {"10": False, "11": True})),
    (r"Bar versions 10 and 11 are both .*", lambda states: _released(states, {"10": True, "11": True})),
)


def names_of(interaction: Mapping[str, Any]) -> Iterator[str]:
    """List the provider states of an interaction, in any version of the specification."""
    if "providerState" in interaction:
        yield interaction["providerState"]
    for state in interaction.get("providerStates", ()):
        yield state["name"]
