"""The steps that every client is seen to perform: both sides of a contract are published, verified and deployed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from tests.clients.access import Access
from tests.whole.shop import CONSUMER, PROVIDER

PRICE: Final[Mapping[str, Any]] = {
    "description": "a request for a price",
    "providerState": "product 7 is for sale",
    "request": {"method": "GET", "path": "/products/7/price"},
    "response": {
        "status": 200,
        "headers": {"Content-Type": "application/json"},
        "body": {"product": 7, "price": 12.5},
        "matchingRules": {"$.body.price": {"match": "type"}},
    },
}
DISCOUNT: Final[Mapping[str, Any]] = {
    "description": "a request for a discount",
    "providerState": "product 7 is for sale",
    "request": {"method": "GET", "path": "/products/7/discount"},
    "response": {"status": 200},
}
"""An expectation that the provider does not meet."""


@dataclass(frozen=True)
class CommandLine:
    """A `pact-broker` of some language."""

    program: tuple[str, ...]
    broker: Access
    folder: Path

    def __call__(self, *words: str, code: int = 0, **environ: str) -> str:
        return self.broker.call(*self.program, *words, cwd=self.folder, code=code, **environ)

    def publish(self, version: str, *words: str, interactions: tuple[Mapping[str, Any], ...] = (PRICE,)) -> str:
        """Publish a pact of the Web Shop."""
        write_pact(self.folder / "pacts", *interactions)
        return self("publish", "pacts", "--consumer-app-version", version, *words)


class Verify(Protocol):
    """Verifies the provider against the pacts that the broker selects, and publishes the results.

    Fails the test unless the verifier reports success.
    """

    def __call__(self, version: str, *selectors: Mapping[str, Any], branch: str = "", tag: str = "") -> object: ...


def write_pact(folder: Path, *interactions: Mapping[str, Any]) -> Path:
    """Write a pact of the Web Shop as a client would."""
    pact = {
        "consumer": {"name": CONSUMER},
        "provider": {"name": PROVIDER},
        "interactions": interactions,
        "metadata": {"pactSpecification": {"version": "2.0.0"}},
    }
    folder.mkdir(exist_ok=True)
    path = folder / "web-shop-prices.json"
    path.write_text(json.dumps(pact), encoding="utf-8")
    return path


def deploy_with_branches(cli: CommandLine, verify: Verify) -> None:
    """Deploy both sides to an environment."""
    cli("create-environment", "--name", "production", "--production")
    published = cli.publish("1", "--branch", "main")
    assert f"Pact successfully published for {CONSUMER} version 1 and provider {PROVIDER}." in published
    question = ("can-i-deploy", "--pacticipant", CONSUMER, "--version", "1", "--to-environment", "production")
    assert "Computer says no" in cli(*question, code=1)
    verify("a1", {"mainBranch": True}, branch="main")
    for application, version in ((PROVIDER, "a1"), (CONSUMER, "1")):
        deployed = ("--pacticipant", application, "--version", version, "--environment", "production")
        assert "Recorded deployment" in cli("record-deployment", *deployed)
        assert cli.broker.deployed(application, version) == ["Production"]
        assert "Computer says yes" in cli(*question)
    unknown = ("--pacticipant", CONSUMER, "--version", "9")
    assert "Computer says no" in cli("can-i-deploy", *unknown, "--to-environment", "production", code=1)


def add_pending_expectation(cli: CommandLine, verify: Verify) -> None:
    """Publish an expectation that the provider does not meet yet, after both sides were deployed: its build passes."""
    cli.publish("2", "--branch", "feat/discount", interactions=(PRICE, DISCOUNT))
    verify("a2", {"deployedOrReleased": True}, branch="main")
    assert cli.broker.is_verified(CONSUMER, "1", PROVIDER, "a2")
    assert not cli.broker.is_verified(CONSUMER, "2", PROVIDER, "a2")


def deploy_with_tags(cli: CommandLine, verify: Verify) -> None:
    """Deploy both sides as before there were branches and environments."""
    cli.publish("1", "--tag", "master")
    verify("a1", {"tag": "master", "latest": True}, tag="master")
    assert cli.broker.is_verified(CONSUMER, "1", PROVIDER, "a1")
    consumer = ("--pacticipant", CONSUMER, "--version", "1")
    assert "Computer says no" in cli("can-i-deploy", *consumer, "--to", "prod", code=1)
    cli("create-version-tag", "--pacticipant", PROVIDER, "--version", "a1", "--tag", "prod")
    assert "Computer says yes" in cli("can-i-deploy", *consumer, "--to", "prod")


def manage_applications(cli: CommandLine) -> None:
    """Create, change and describe an application, its versions, branches and tags."""
    name, version = ("--name", "Till/2 ü"), ("--pacticipant", "Till/2 ü", "--version", "1")
    cli("create-or-update-pacticipant", *name, "--display-name", "The Till")
    cli("create-or-update-pacticipant", *name, "--main-branch", "main")
    assert "The Till" in cli("describe-pacticipant", *name)
    assert "The Till" in cli("list-pacticipants")
    cli("create-or-update-version", *version, "--branch", "feat/x", "--tag", "dev")
    cli("create-version-tag", *version, "--tag", "feat/tag")
    described = cli("describe-version", *version)
    assert "feat/tag" in described
    assert "dev" in described
    cli("delete-branch", "--pacticipant", "Till/2 ü", "--branch", "feat/x")


def manage_environments(cli: CommandLine) -> None:
    """Create, change and delete an environment; record and end a deployment and a release in it."""
    version, where = ("--pacticipant", "Till/2 ü", "--version", "1"), ("--environment", "test")
    cli("create-environment", "--name", "test")
    (created,) = cli.broker.http.get("environments").json()["_embedded"]["environments"]
    cli("create-or-update-version", *version, "--branch", "main")
    cli("record-deployment", *version, *where, "--application-instance", "blue")
    assert cli.broker.deployed("Till%2F2%20%C3%BC", "1") == ["Test"]
    cli("record-undeployment", *version[:2], *where, "--application-instance", "blue")
    assert cli.broker.deployed("Till%2F2%20%C3%BC", "1") == []
    cli("record-release", *version, *where)
    cli("record-support-ended", *version, *where)
    uuid = ("--uuid", created["uuid"])
    cli("update-environment", *uuid, "--name", "testing", "--display-name", "For tests")
    assert "For tests" in cli("describe-environment", *uuid)
    cli("delete-environment", *uuid)
    assert "testing" not in cli("list-environments")


def manage_webhooks(cli: CommandLine) -> None:
    """Create a webhook, and another one with a UUID of the client's own, which it changes."""
    hook = ("https://example.org/hook", "--request", "POST", "--header", "Content-Type: application/json")
    cli("create-webhook", *hook, "--data", "{}", "--description", "one", "--contract-content-changed")
    uuid = cli("generate-uuid").split()[-1]
    for description in ("another", "a changed one"):
        words = ("--data", "{}", "--description", description, "--provider-verification-published")
        cli("create-or-update-webhook", *hook, *words, "--uuid", uuid)
    links = cli.broker.http.get("webhooks").json()["_links"]["pb:webhooks"]
    changed = cli.broker.http.get(f"webhooks/{uuid}").json()
    assert len(links) == 2
    assert changed["description"] == "a changed one"


def fail_with_wrong_credentials(cli: CommandLine, *words: str) -> None:
    """Fail with the reason, and not with success, where the broker does not know the credentials."""
    secret = {"PACT_BROKER_TOKEN", "PACT_BROKER_PASSWORD"} & set(cli.broker.environ)
    output = cli(*words, code=1, **dict.fromkeys(secret, "wrong"))
    assert "401" in output or "Unauthorized" in output or "uthentication failed" in output, output
