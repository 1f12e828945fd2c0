"""The clients that are exercised, and their features: docs/clients.md is generated from the declarations of tests.

A test declares the client that it exercises, and the features:

    pytestmark = registry.client(registry.GO)

    @registry.exercises(PUBLISH, VERIFY)
    def test_...(broker): ...

The fixture `broker` fails the test if the client did not send the requests that a declared feature consists of.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
_LOCK: Final = "requirements.lock"


@dataclass(frozen=True)
class Package:
    """A package of a client, and the file that decides which version of it the tests install."""

    name: str
    manifest: str
    """Path in the repository: requirements, package.json, go.mod, pom.xml, Cargo.toml or a lock file of npm."""
    label: str = ""
    """Its name on the page, if it differs from the name in the manifest."""

    @property
    def version(self) -> str:
        """Read the version from the manifest. Raises LookupError if it does not fix one."""
        return version_in(ROOT / self.manifest, self.name)


@dataclass(frozen=True)
class Client:
    """A row of docs/clients.md."""

    name: str
    packages: tuple[Package, ...]


@dataclass(frozen=True)
class Feature:
    """Something that clients do with a broker, and the requests that prove it: one for each pattern."""

    name: str
    requests: tuple[str, ...]
    """Regular expressions for `METHOD /path?query` below the broker's URL, followed by a line with the body."""

    def is_seen_in(self, requests: list[str]) -> bool:
        return all(any(re.match(pattern, request, re.DOTALL) for request in requests) for pattern in self.requests)


RUBY: Final = Client(
    "Ruby",
    (
        Package("pact-python-cli", "tests/clients/packages/ruby.txt", "`pact-broker` in pact-python-cli"),
        Package(
            "pact-python-cli", "tests/clients/packages/ruby-verifier.txt", "`pact-provider-verifier` in pact-python-cli"
        ),
    ),
)
RUST: Final = Client(
    "Rust", (Package("pact-python-cli", _LOCK, "`pact broker` and `pact verifier` in pact-python-cli"),)
)
_CRATES: Final = "tests/clients/packages/crates.toml"
RUST_CRATES: Final = Client(
    "Rust, from crates.io", (Package("pact-broker-cli", _CRATES), Package("pact_verifier_cli", _CRATES))
)
PYTHON: Final = Client(
    "Python", (Package("pact-python", "tests/clients/packages/python.txt"), Package("pact-python", _LOCK))
)
JAVASCRIPT: Final = Client("JavaScript", (Package("@pact-foundation/pact", "examples/javascript/package.json"),))
GO: Final = Client("Go", (Package("github.com/pact-foundation/pact-go/v2", "examples/go/go.mod", "pact-go"),))
JVM: Final = Client("JVM", (Package("pact.version", "examples/jvm/pom.xml", "pact-jvm"),))
MCP: Final = Client("SmartBear MCP", (Package("@smartbear/mcp", "tests/clients/packages/node/package.json"),))

_PACT: Final = "/pacts/provider/[^/]+/consumer/[^/]+"
_VERSION: Final = "/pacticipants/[^/]+/versions/[^/]+"
PUBLISH: Final = Feature("publishing pacts", (rf"POST /contracts/publish|PUT {_PACT}/versions?/",))
VERIFY: Final = Feature(
    "verification of the pacts that the broker selects", (r"(POST|GET) /pacts/provider/[^/]+/for-verification",)
)
VERIFY_BY_TAG: Final = Feature(
    "verification of the latest pacts of a tag", (r"POST .*for-verification.*\"tag\"|GET /pacts/provider/.*/latest/",)
)
PENDING: Final = Feature("pending pacts", (r"POST .*for-verification.*\"includePendingStatus\": *true",))
WIP: Final = Feature("work-in-progress pacts", (r"POST .*for-verification.*\"includeWipPactsSince\"",))
RESULTS: Final = Feature("publishing results", (r"POST /pacts/.*/verification-results",))
CAN_I_DEPLOY: Final = Feature("`can-i-deploy`", (r"GET /(matrix|can-i-deploy)",))
BRANCHES: Final = Feature("branches", (r"PUT /pacticipants/[^/]+/branches/|POST /contracts/publish.*\"branch\": *\"",))
TAGS: Final = Feature("tags", (rf"PUT {_VERSION}/tags/|POST /contracts/publish.*\"tags\": *\[\"",))
PACTICIPANTS: Final = Feature("applications", (r"(POST|PUT|PATCH) /pacticipants(/[^/]+)?\n",))
ENVIRONMENTS: Final = Feature("environments", (r"(POST|PUT) /environments",))
DEPLOYMENTS: Final = Feature("deployments", (rf"POST {_VERSION}/deployed-versions/environment/",))
RELEASES: Final = Feature("releases", (rf"POST {_VERSION}/released-versions/environment/",))
WEBHOOKS: Final = Feature("webhooks", (r"(POST|PUT) /webhooks",))
PROVIDER_STATES: Final = Feature("provider states", (r"GET /pacts/provider/[^/]+/.*provider-states",))
LABELS: Final = Feature("labels", (r"PUT /pacticipants/[^/]+/labels/",))
INTEGRATIONS: Final = Feature(
    "integrations and the network", (r"GET /integrations", r"GET /pacticipants?/[^/]+/network")
)
METRICS: Final = Feature("metrics", (r"GET /metrics\n",))
SECRETS: Final = Feature("named secrets", (r"POST /secrets\n", r"PUT /secrets/"))
AUDIT: Final = Feature("the audit trail", (r"GET /audit",))
PROVIDER_CONTRACTS: Final = Feature(
    "contracts of providers",
    (r"(POST /provider-contracts/provider/[^/]+/publish|PUT /contracts/provider/[^/]+/version/)",),
)

CLIENTS: Final = (RUBY, RUST, RUST_CRATES, PYTHON, JAVASCRIPT, GO, JVM, MCP)
"""In the order of the page."""
FEATURES: Final = (
    *(PUBLISH, VERIFY, VERIFY_BY_TAG, PENDING, WIP, RESULTS, CAN_I_DEPLOY, BRANCHES, TAGS, DEPLOYMENTS, RELEASES),
    *(PACTICIPANTS, ENVIRONMENTS, WEBHOOKS, PROVIDER_STATES),
    *(LABELS, INTEGRATIONS, METRICS, SECRETS, AUDIT, PROVIDER_CONTRACTS),
)
"""In the order of the page."""


def client(exercised: Client) -> pytest.MarkDecorator:
    """Declare the client that the tests of a module, or one test, exercise."""
    return pytest.mark.client(exercised)


def exercises(*features: Feature) -> pytest.MarkDecorator:
    """Declare the features with which a test exercises its client."""
    return pytest.mark.exercises(*features)


@dataclass(frozen=True)
class Declaration:
    """The declaration of a test."""

    client: Client
    features: tuple[Feature, ...]


def declared_by(item: pytest.Item) -> Declaration:
    """Read the declaration of a test. Raises LookupError if it declares nothing."""
    mark, features = item.get_closest_marker("client"), item.get_closest_marker("exercises")
    if mark is None or features is None:
        message = f"{item.nodeid} declares no client or no features: see tests/clients/registry.py"
        raise LookupError(message)
    return Declaration(mark.args[0], features.args)


def version_in(manifest: Path, package: str) -> str:
    """Find the version of a package that a manifest fixes. Raises LookupError."""
    version = _READERS.get(manifest.suffix, _in_requirements)(manifest.read_text("utf-8"), package)
    if version is None or not re.fullmatch(r"(\d+!)?\d[\w.+-]*", version):
        message = f"{manifest.name} fixes no version of {package}: {version}"
        raise LookupError(message)
    return version


def _in_requirements(text: str, package: str) -> str | None:
    match = re.search(rf"^{re.escape(package)}==(\S+)", text, re.MULTILINE)
    return match and match[1]


def _in_json(text: str, package: str) -> str | None:
    document = json.loads(text)
    locked = document.get("packages", {}).get(f"node_modules/{package}", {}).get("version")
    return locked or {**document.get("devDependencies", {}), **document.get("dependencies", {})}.get(package)


def _in_go(text: str, package: str) -> str | None:
    match = re.search(rf"^(?:require|\t)?\s*{re.escape(package)} v(\S+)", text, re.MULTILINE)
    return match and match[1]


def _in_maven(text: str, prop: str) -> str | None:
    match = re.search(rf"<{re.escape(prop)}>([^<]+)</", text)
    return match and match[1]


def _in_cargo(text: str, package: str) -> str | None:
    match = re.search(rf'^{re.escape(package)} *= *(?:\{{.*version *= *)?"=?([^"]+)"', text, re.MULTILINE)
    return match and match[1]


_READERS: Final[dict[str, Callable[[str, str], str | None]]] = {
    ".json": _in_json,
    ".mod": _in_go,
    ".xml": _in_maven,
    ".toml": _in_cargo,
}
