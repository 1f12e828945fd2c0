"""Example data of a company: 40 applications, 122 integrations, 66 branches of one of them, and 30 days of builds.

The builds send requests to the application in this process, with a simulated clock. Every page has data to show:
failures with long messages, pending pacts, failed deliveries, overrides. All data but UUIDs is reproducible: names,
commits, results, and times before `end`.

`.venv/bin/python -m bench.company FILE` builds a SQLite database; `--users` adds accounts to it.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import structlog
from argon2 import PasswordHasher
from sqlalchemy import Connection, event
from starlette.types import Message

from treaty.actions.accounts import accounts, credentials
from treaty.actions.webhooks.deliveries import build_request, claim, record_attempt
from treaty.model.accounts.access import Role
from treaty.model.audit import Actor
from treaty.model.webhooks.deliveries import Attempt, Delivery, NoResponse, WebhookResponse
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.engine.database import Database, open_database
from treaty.store.engine.vault import get_vault
from treaty.store.migrations import migrate
from treaty.store.webhooks import due_deliveries
from treaty.store.webhooks.due_deliveries import ClaimRequest
from treaty.web.application import Server, build_application
from treaty.web.parameter_urls import PARAMETER_URLS

DAYS: Final = 30
INTEGRATIONS: Final = 122
FEATURE_BRANCHES: Final = 64
"""Feature branches of the first application, which also has a main branch and a release branch."""
LARGE_PACT: Final = 200
"""Interactions of the pact of the first integration."""
FAILURES: Final = 50
"""Interactions of this pact that its provider fails."""
PASSWORD: Final = "contracts of a real company"  # noqa: S105 - of example accounts
ENVIRONMENTS: Final = ("dev", "test", "staging", "production")

CONSUMERS: Final = (
    "checkout-web-frontend",
    "customer-self-service-portal",
    "mobile-shopping-app-android",
    "mobile-shopping-app-ios",
    "back-office-administration-console",
    "partner-marketplace-portal",
    "warehouse-handheld-scanner-app",
    "store-point-of-sale-terminal",
    "call-center-agent-desktop",
    "marketing-campaign-landing-pages",
    "bff/web",
    "bff/mobile-gateway",
)
SERVICES: Final = (
    "order-management-service",
    "order-fulfilment-orchestrator",
    "shopping-basket-service",
    "product-catalogue-search-api",
    "price-calculation-engine",
    "stock-availability-service",
    "payment-authorization-gateway",
    "payment-settlement-batch-processor",
    "customer-identity-and-access-service",
    "customer-profile-service",
    "loyalty-points-accounting",
    "notification-dispatch-service",
    "email-template-renderer",
    "recommendation-engine-ml-inference",
    "fraud-detection-scoring-service",
    "shipping-carrier-integration",
    "returns-and-refunds-service",
    "tax-calculation-adapter",
    "invoice-document-generator",
    "data-platform-event-collector",
    "legacy/erp-adapter",
    "Größenberatung-Rückgabe-API",
    '"smart" address-validation',
    "gift-cards 🎁",
    "geolocation-store-finder",
    "supplier-purchase-order-exchange",
    "media-asset-transformation-pipeline",
    "audit-and-compliance-archive",
)
APPLICATIONS: Final = (*CONSUMERS, *SERVICES)
TEAMS: Final = ("checkout", "catalogue", "payments", "customer-experience", "logistics", "platform")
UNVERIFIED: Final = "audit-and-compliance-archive"
"""A provider without any results."""
RELEASED: Final = ("mobile-shopping-app-android", "mobile-shopping-app-ios")
"""Applications of which several versions are released at once, instead of deployed one after the other."""
SHOP: Final = "checkout-web-frontend"
ORDERS: Final = "order-management-service"


@cache
def integrations() -> Sequence[tuple[str, str]]:
    """List pairs of consumers and providers. Services consume later ones; the first ones have the most consumers."""
    generator = random.Random(20)  # noqa: S311 - not for secrets
    pairs = {(SHOP, ORDERS): None, ("bff/web", "legacy/erp-adapter"): None, ("bff/web", "gift-cards 🎁"): None}
    pairs |= dict.fromkeys((SHOP, name) for name in SERVICES[1:8])
    pairs |= dict.fromkeys((name, UNVERIFIED) for name in (ORDERS, "payment-authorization-gateway", "bff/web"))
    while len(pairs) < INTEGRATIONS:
        consumer = generator.randrange(len(APPLICATIONS) - 4)
        first = max(len(CONSUMERS), consumer + 1)
        provider = APPLICATIONS[first + int(generator.random() ** 1.5 * (len(APPLICATIONS) - 1 - first))]
        if APPLICATIONS[consumer] != provider:
            pairs[APPLICATIONS[consumer], provider] = None
    return tuple(pairs)


def commit(application: str, branch: str, build: int) -> str:
    """Return the version of a build: a commit of 40 hexadecimal digits."""
    return hashlib.sha1(f"{application} {branch} {build}".encode()).hexdigest()  # noqa: S324 - as Git does


_TOPICS: Final = (
    "show-delivery-date-in-basket",
    "some-very-long-branch-name-that-describes-the-whole-change",
    "remove-legacy-voucher-field",
    "support-split-payments",
    "upgrade-design-system",
    "fix-rounding-of-taxes",
    "accessibility-of-address-form",
    "guest-checkout",
)


@cache
def feature_branches() -> Sequence[str]:
    kinds = ("feature", "feature", "feature", "bugfix", "spike")
    return tuple(
        f"{kinds[at % len(kinds)]}/JIRA-{1234 + 37 * at}-{_TOPICS[at % len(_TOPICS)]}" for at in range(FEATURE_BRANCHES)
    )


# Contents of pacts, and results


def pact(consumer: str, provider: str, content: int) -> dict[str, Any]:
    """Build a content of the pact of a pair. Each number has another content."""
    is_large = (consumer, provider) == (SHOP, ORDERS)
    count = LARGE_PACT if is_large else 2 + (len(consumer) + len(provider)) % 5
    return {
        "consumer": {"name": consumer},
        "provider": {"name": provider},
        "interactions": [_interaction(provider, at, content) for at in range(count)],
        "metadata": {"pactSpecification": {"version": "3.0.0"}, "pact-js": {"version": "12.1.0"}},
    }


_RESOURCES: Final = ("orders", "customers", "products", "payments", "shipments", "vouchers", "addresses", "invoices")
_VERBS: Final = (
    ("GET", 200, "a request for"),
    ("POST", 201, "a request to create"),
    ("DELETE", 204, "a request to cancel"),
)


def _interaction(provider: str, at: int, content: int) -> dict[str, Any]:
    resource = _RESOURCES[(at + len(provider)) % len(_RESOURCES)]
    method, status, text = _VERBS[at % len(_VERBS)]
    # Contents differ in the first interaction only, like small changes of a consumer.
    total = {"total": "12.50" if content % 2 else 12.5, "revision": content} if at == 0 else {"total": 12.5}
    response: dict[str, Any] = {"status": status, "headers": {"Content-Type": "application/json; charset=utf-8"}}
    if method != "DELETE":
        response["body"] = {"id": 4711 + at, "currency": "EUR", **total, "items": [{"sku": "A-1", "count": 2}]}
        response["matchingRules"] = {"body": {"$.id": {"matchers": [{"match": "integer"}]}}}
    return {
        "description": f"{text} {resource} number {4711 + at} of a signed-in customer",
        "providerStates": [{"name": f"the customer has {resource} with the number {4711 + at}", "params": {"id": at}}],
        "request": {"method": method, "path": f"/api/v2/customers/42/{resource}/{4711 + at}", **_body(method)},
        "response": response,
    }


def _body(method: str) -> dict[str, Any]:
    return {"body": {"currency": "EUR", "express": True}} if method == "POST" else {}


_TRACE: Final = "\n".join(
    [
        "java.net.ConnectException: Connection refused: inventory.test.svc.cluster.local/10.3.0.17:8443",
        *(f"\tat com.example.orders.{name}({name}.java:{line})" for name, line in (("Client", 214), ("Filter", 88))),
        *(
            f"\tat org.springframework.web.client.RestTemplate.execute(RestTemplate.java:{line})"
            for line in range(700, 718)
        ),
        "Caused by: java.util.concurrent.TimeoutException: no connection to the pool within 30000 ms",
    ]
)


def test_results(content: Mapping[str, Any], *, success: bool) -> dict[str, Any]:
    """Return the results of a content's interactions, in the format of the Ruby verifier."""
    tests = []
    for at, interaction in enumerate(content["interactions"]):
        is_failed = not success and at % (len(content["interactions"]) // FAILURES or len(content["interactions"])) == 0
        test = {
            "testDescription": "has a matching body",
            "interactionDescription": interaction["description"],
            "interactionProviderState": interaction["providerStates"][0]["name"],
            "status": "failed" if is_failed else "passed",
        }
        tests.append({**test, **(_problem(at) if is_failed else {})})
    return {"tests": tests, "summary": {"exampleCount": len(tests)}}


def _problem(at: int) -> dict[str, Any]:
    if at % 20 == 4:  # noqa: PLR2004 - some
        return {"exceptions": [{"message": _TRACE}]}
    if at % 20 == 8:  # noqa: PLR2004 - others
        text = (
            f'Expected "Wed, 0{at % 9} Dec 2026" to be a date with the format yyyy-MM-dd at $.items[{at}].deliveryDate'
        )
        return {"differences": [{"description": text}]}
    return {"differences": [{"description": 'Could not find key "currency" at $ (keys present: id, total, items)'}]}


DOCUMENT: Final = """\
openapi: 3.1.0
info: {title: Tax calculation, version: 2.0.0}
paths:
  /api/v2/customers/{customer}/{resource}/{id}:
    get:
      responses:
        200:
          description: The tax
          content: {application/json: {schema: {type: object, properties: {id: {type: integer}}}}}
"""


# Clients


class Clock:
    def __init__(self, start: datetime) -> None:
        self.now = start

    def __call__(self) -> datetime:
        return self.now


class Client:
    """Sends requests to the application in this process, without a socket."""

    def __init__(self, app: Server, tokens: Mapping[str, str]) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._tokens = tokens

    @property
    def has_users(self) -> bool:
        return bool(self._tokens)

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        self._app.close()

    def send(
        self, method: str, path: str, body: object = None, *, user: str = "ci", kind: str = "application/json"
    ) -> Any:
        """Send a request, and return the response's document. Raises RuntimeError for an error."""
        sent = b"" if body is None else json.dumps(body).encode()
        headers = {"host": "broker.example.org", "accept": "application/hal+json", "content-type": kind}
        headers["user-agent"] = "pact_broker-client/1.77.0"
        if self._tokens:
            headers["authorization"] = f"Bearer {self._tokens[user]}"
        status, text = self._loop.run_until_complete(self._exchange(method, path, sent, headers))
        if status >= 400:  # noqa: PLR2004 - an error
            raise RuntimeError(f"{method} {path}: {status} {text.decode()[:500]}")
        return json.loads(text or b"null")

    async def _exchange(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        target = path.removeprefix("http://broker.example.org")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": target.partition("?")[0],
            "raw_path": target.partition("?")[0].encode(),
            "query_string": target.partition("?")[2].encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("10.0.0.17", 1),
            "server": ("broker.example.org", 80),
        }
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, send)
        return messages[0]["status"], b"".join(message.get("body", b"") for message in messages[1:])


def segment(name: str) -> str:
    return quote(name, safe="")


def pair_path(consumer: str, provider: str) -> str:
    return f"/pacts/provider/{segment(provider)}/consumer/{segment(consumer)}"


@dataclass
class Company:
    """Runs the builds of the company, and records their state."""

    client: Client
    clock: Clock
    generator: random.Random
    environments: dict[str, str] = field(default_factory=dict)
    """UUIDs by name."""
    contents: dict[tuple[str, str], int] = field(default_factory=dict)
    """The current content of each pair."""
    heads: dict[str, str] = field(default_factory=dict)
    """The latest version of each application's main branch."""
    broken: set[tuple[str, str]] = field(default_factory=set)
    """Pairs whose verifications fail until a repair."""

    def create_organization(self) -> None:
        """Add environments, applications with contacts and labels, a secret, and webhooks."""
        for position, name in enumerate(ENVIRONMENTS, start=1):
            contacts = [{"name": "Site reliability", "details": {"chat": "#sre", "phone": "+49 30 123456"}}]
            body = {
                "name": name,
                "displayName": name.title(),
                "production": name == "production",
                "contacts": contacts if name == "production" else [],
                "recordsDecisions": name == "production",
                "position": position,
            }
            self.environments[name] = self.client.send("POST", "/environments", body, user="grace.hopper")["uuid"]
        for at, name in enumerate(APPLICATIONS):
            self._describe(name, TEAMS[at % len(TEAMS)])
        secret = {
            "name": "CI_TRIGGER_TOKEN",
            "description": "Token of the pipelines of the checkout team",
            "value": "an example, not a secret",
        }
        if self.client.has_users:  # open access does not permit it
            self.client.send("POST", "/secrets", secret, user="grace.hopper")
        for webhook in WEBHOOKS:
            self.client.send("POST", "/webhooks", webhook, user="ada.lovelace")

    def _describe(self, name: str, team: str) -> None:
        repository = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)
        body = {
            "name": name,
            "mainBranch": "main",
            "repositoryUrl": f"https://git.example.org/{team}/{repository}",
            "contacts": [{"name": f"Team {team}", "details": {"email": f"{team}@example.org", "chat": f"#{team}"}}],
        }
        self.client.send("POST", "/pacticipants", body, user="grace.hopper")
        self.client.send("PUT", f"/pacticipants/{segment(name)}/labels/team-{team}", {}, user="grace.hopper")

    # Builds

    def publish(self, consumer: str, version: str, branch: str, contents: Mapping[str, int]) -> None:
        contracts = [
            {
                "consumerName": consumer,
                "providerName": provider,
                "specification": "pact",
                "contentType": "application/json",
                "content": _encode_pact(consumer, provider, content),
            }
            for provider, content in contents.items()
        ]
        body = {
            "pacticipantName": consumer,
            "pacticipantVersionNumber": version,
            "branch": branch,
            "buildUrl": f"https://ci.example.org/{segment(consumer)}/builds/{version[:7]}",
            "contracts": contracts,
        }
        self.client.send("POST", "/contracts/publish", body)

    def verify(self, consumer: str, provider: str, version: str, *, success: bool, selection: str = "") -> None:
        """Publish a result of a provider version for the latest pact of a consumer's main branch, or for another."""
        path = selection or f"{pair_path(consumer, provider)}/branch/main/latest"
        document = self.client.send("GET", path)
        body = {
            "success": success,
            "providerApplicationVersion": version,
            "buildUrl": f"https://ci.example.org/{segment(provider)}/builds/{version[:7]}",
            "testResults": test_results(document, success=success),
            "verifiedBy": {"implementation": "Pact-JVM", "version": "4.6.14"},
        }
        self.client.send("POST", document["_links"]["pb:publish-verification-results"]["href"], body)

    def deploy(self, name: str, version: str, environment: str, instance: str | None = None) -> None:
        """Record a deployment. For production, request the decision first, as pipelines do."""
        path = f"/pacticipants/{segment(name)}/versions/{version}"
        uuid = self.environments[environment]
        if environment == "production" and instance in (None, "eu-central"):
            query = {"environment": environment, "versions": [{"pacticipant": name, "version": version}]}
            decision = self.client.send("POST", "/decisions", query)
            if not decision["deployable"] and self.generator.random() > 0.2:  # noqa: PLR2004 - a few deploy anyway
                return
        if name in RELEASED:
            self.client.send("POST", f"{path}/released-versions/environment/{uuid}", {})
        else:
            body = {"applicationInstance": instance} if instance else {}
            self.client.send("POST", f"{path}/deployed-versions/environment/{uuid}", body)

    def build(self, name: str, number: int) -> None:
        """Run a build of a main branch: publish pacts, verify changed ones, and verify the pacts of its consumers."""
        version = commit(name, "main", number)
        providers = [provider for consumer, provider in integrations() if consumer == name]
        changed = [provider for provider in providers if number == 0 or self.generator.random() < 0.25]  # noqa: PLR2004
        for provider in changed:
            self.contents[name, provider] = self.contents.get((name, provider), -1) + 1
        if providers:
            self.publish(name, version, "main", {provider: self.contents[name, provider] for provider in providers})
        else:
            self._add_version(name, version)
        self.heads[name] = version
        for provider in changed:
            if provider in self.heads:
                self._verify(name, provider)
        if providers:
            self._add_version(name, version)
        for consumer, provider in integrations():
            if provider == name and consumer in self.heads:
                self._verify(consumer, name)

    def _verify(self, consumer: str, provider: str) -> None:
        if provider == UNVERIFIED:
            return
        pair = (consumer, provider)
        if pair in self.broken:
            if self.generator.random() < 0.6:  # noqa: PLR2004 - most are repaired soon
                self.broken.discard(pair)
        elif self.generator.random() < 0.07:  # noqa: PLR2004 - a few break
            self.broken.add(pair)
        self.clock.now += timedelta(minutes=3)
        self.verify(consumer, provider, self.heads[provider], success=pair not in self.broken)

    def _add_version(self, name: str, version: str) -> None:
        path = f"/pacticipants/{segment(name)}/branches/main/versions/{version}"
        self.client.send("PUT", path, {})

    def build_feature(self, at: int, branch: str) -> None:
        """Publish the pacts of a feature branch, some of which contain new expectations of one provider."""
        version = commit(SHOP, branch, 0)
        contents = {
            provider: self.contents[SHOP, provider] for consumer, provider in integrations() if consumer == SHOP
        }
        provider = list(contents)[at % len(contents)]
        if at % 3:
            contents[provider] = 1000 + at
        self.publish(SHOP, version, branch, contents)
        if at % 4 == 1:
            self.clock.now += timedelta(minutes=6)
            path = f"{pair_path(SHOP, provider)}/version/{version}"
            self.verify(SHOP, provider, self.heads[provider], success=at % 8 == 1, selection=path)

    def verify_pending(self, provider: str, number: int) -> None:
        """Verify the pacts that the broker selects for a provider, including pending ones and work in progress."""
        body = {
            "consumerVersionSelectors": [{"mainBranch": True}, {"deployedOrReleased": True}],
            "includePendingStatus": True,
            "providerVersionBranch": "main",
            "includeWipPactsSince": (self.clock.now - timedelta(days=4)).date().isoformat(),
        }
        pacts = self.client.send("POST", f"/pacts/provider/{segment(provider)}/for-verification", body)
        version = commit(provider, "main", number)
        self._add_version(provider, version)
        self.heads[provider] = version
        for at, entry in enumerate(pacts["_embedded"]["pacts"]):
            href = entry["_links"]["self"]["href"]
            consumer = entry["_links"]["self"]["name"].split(" (")[0].removeprefix("Pact between ")
            self.verify(consumer, provider, version, success=at % 3 != 1, selection=href)

    def finish(self) -> None:
        """Add the current problems: the large pact fails, some pacts are new, and two decisions are overridden."""
        for consumer, provider in integrations()[3:120:13]:
            self.verify(consumer, provider, self.heads[provider], success=provider == UNVERIFIED)
        version = commit(SHOP, "release/2026-11", 0)
        self.publish(SHOP, version, "release/2026-11", {ORDERS: 2000, SERVICES[4]: self.contents[SHOP, SERVICES[4]]})
        self.verify(SHOP, ORDERS, self.heads[ORDERS], success=False)
        document = {
            "content": base64.b64encode(DOCUMENT.encode()).decode(),
            "contentType": "application/yaml",
            "specification": "oas",
            "selfVerificationResults": {"success": True, "verifier": "schemathesis"},
        }
        body = {"pacticipantVersionNumber": commit("tax-calculation-adapter", "main", 99), "branch": "main"}
        self.client.send(
            "POST", "/provider-contracts/provider/tax-calculation-adapter/publish", {**body, "contract": document}
        )
        for name, counterpart, reason in (
            (SHOP, ORDERS, "Fixes the outage of the checkout (INC-2231). Orders ignores the currency for now."),
            ("payment-authorization-gateway", None, "Rotates an expired certificate; the contracts did not change."),
        ):
            override = {"pacticipantName": name, "pacticipantVersionNumber": self.heads[name], "reason": reason}
            scope = {"environmentName": "production", **({"counterpart": counterpart} if counterpart else {})}
            self.client.send("POST", "/overrides", {**override, **scope}, user="grace.hopper")
        for name in (SHOP, "bff/web", "order-fulfilment-orchestrator"):
            self.deploy(name, self.heads[name], "production")


@cache
def _encode_pact(consumer: str, provider: str, content: int) -> str:
    return base64.b64encode(json.dumps(pact(consumer, provider, content), ensure_ascii=False).encode()).decode()


# Webhooks, and their receivers


def _webhook(events: Sequence[str], url: str, description: str | None, **fields: object) -> dict[str, Any]:
    body = {"pact": "${pactbroker.pactUrl}", "result": "${pactbroker.githubVerificationStatus}"}
    request = {"method": "POST", "url": url, "headers": {"Content-Type": "application/json"}, "body": body}
    described = {"description": description} if description else {}
    return {**described, "events": [{"name": name} for name in events], "request": request, **fields}


WEBHOOKS: Final = (
    _webhook(
        ["contract_requiring_verification_published"],
        "https://ci.example.org/api/v4/projects/order-management-service/trigger/pipeline",
        "Start the build that verifies changed pacts",
        provider={"name": ORDERS},
    ),
    _webhook(
        ["provider_verification_failed"],
        "https://chat.example.org/services/T024BE7LD/B0249NXPA/contracts",
        "Post failed verifications to #contracts",
        provider={"label": "team-catalogue"},
    ),
    _webhook(
        ["provider_verification_published"],
        "https://git.example.org/api/v3/repos/checkout/checkout-web-frontend/statuses",
        "Report results as the commit status of checkout-web-frontend",
        consumer={"name": SHOP},
        provider={"name": ORDERS},
    ),
    _webhook(
        ["contract_content_changed"],
        "https://data-warehouse.internal.example.org:8443/ingest/contracts",
        "Feed the data warehouse",
        consumer={"name": "bff/web"},
    ),
    _webhook(
        ["contract_published"],
        "https://catalog.example.org/hooks/pacts",
        None,
        provider={"name": "legacy/erp-adapter"},
    ),
    _webhook(
        ["contract_published", "provider_verification_published"],
        "https://old-ci.example.org/job/verify-everything/buildWithParameters",
        "Start the old CI (switched off since the move)",
        enabled=False,
    ),
)


def _respond(url: str) -> WebhookResponse | NoResponse:
    if "chat.example.org" in url:
        return _response(403, "Forbidden", b"invalid_token")
    if "data-warehouse" in url:
        return NoResponse("ConnectTimeout", "no connection to data-warehouse.internal.example.org within 5 seconds")
    if "catalog" in url:
        text = "certificate verify failed: certificate has expired (catalog.example.org)"
        return NoResponse("SSLCertVerificationError", text)
    return _response(201, "Created", b'{"id": 4711, "status": "created"}')


def _response(status: int, reason: str, body: bytes) -> WebhookResponse:
    return WebhookResponse(status=status, reason=reason, headers=(("Content-Type", "application/json"),), body=body)


def _deliver(database: Database, settings: Settings, now: datetime) -> None:
    """Record attempts of all deliveries that are due, as a worker does, with simulated responses of the receivers."""
    request = ClaimRequest(owner="company", now=now, until=now + timedelta(seconds=10), limit=50)

    def attempt_due(db: Connection) -> None:
        for delivery in claim(db, request):
            _attempt(db, delivery, settings, now)

    while database.read(lambda db: due_deliveries.has_due(db, request)):
        with audit.acting_as(Actor(credential_name="worker"), at=now):
            database.write(attempt_due)


def _attempt(db: Connection, delivery: Delivery, settings: Settings, now: datetime) -> None:
    sent = build_request(delivery, settings=settings, parameter_urls=PARAMETER_URLS, at=now)
    finished_at = now + timedelta(milliseconds=5000 if "warehouse" in sent.url else 180)
    attempt = Attempt(request=sent, outcome=_respond(sent.url), started_at=now, finished_at=finished_at)
    record_attempt(db, delivery, attempt, owner="company", jitter=1, settings=settings)


# Building


USERS: Final = (
    ("grace.hopper", Role.ADMINISTRATOR),
    ("ada.lovelace", Role.READ_WRITE),
    ("a.very.long.name.of.a.person.with.an.address@subsidiary.example.org", Role.READ_ONLY),
)


def _add_users(db: Connection, settings: Settings, now: datetime) -> dict[str, str]:
    """Add users and the system account of builds, and return a token of each by its name."""
    vault, hasher = get_vault(settings), PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    tokens = {}
    for name, role in (*USERS, ("ci", Role.READ_WRITE)):
        password = None if name == "ci" else hasher.hash(PASSWORD)
        account = accounts.AccountDraft(name=name, role=role, password=password, is_system=name == "ci")
        owner = accounts.add_account(db, account, now=now)
        token = credentials.TokenDraft(name="Builds", role=role)
        tokens[name] = credentials.add_token(db, owner, token, vault=vault, now=now).text
    return tokens


Step = tuple[timedelta, Callable[[Company], None]]
"""Time since the first day, and the step."""


def _plan() -> list[Step]:
    """List the steps of all builds, ordered by time."""
    steps: list[Step] = []
    for at, name in enumerate(APPLICATIONS):
        # Providers start before their consumers, so that the first pacts are verified, too.
        first = timedelta(hours=(len(APPLICATIONS) - at) / 4)
        every = timedelta(days=2 + at % 5, minutes=17 * at)
        for number in range((timedelta(days=DAYS) - first) // every):
            steps += _plan_build(name, number, first + number * every)
    for at, branch in enumerate(feature_branches()):
        when = timedelta(days=1.5 + (DAYS - 1.6) * at / FEATURE_BRANCHES)
        steps.append((when, partial(Company.build_feature, at=at, branch=branch)))
    for at, provider in enumerate((ORDERS, SERVICES[2], SERVICES[4])):
        for day in (DAYS - 9, DAYS - 2):
            when = timedelta(days=day, hours=at)
            steps.append((when, partial(Company.verify_pending, provider=provider, number=1000 + day)))
    return sorted(steps, key=lambda step: step[0])


def _plan_build(name: str, number: int, when: timedelta) -> Iterator[Step]:
    yield when, partial(Company.build, name=name, number=number)
    version = commit(name, "main", number)
    instances = ("eu-central", "us-east") if name == SERVICES[6] else (None,)
    for hours, environment in ((0.5, "dev"), (2, "test"), (9, "staging"), (26, "production")):
        # Not each build reaches every environment, and the archive is deployed to dev only.
        if (number + hours) % 3 < 2.5 - hours / 26 and (name != UNVERIFIED or environment == "dev"):
            for instance in instances:
                deploy = partial(Company.deploy, name=name, version=version, environment=environment, instance=instance)
                yield when + timedelta(hours=hours), deploy


def build(path: Path, *, end: datetime | None = None, has_users: bool = False) -> None:
    """Build the database of the company in a SQLite file. The last build runs shortly before `end`, by default now."""
    # Logs of deliveries show responses only if the list of hosts is set.
    settings = Settings(database_url=f"sqlite:///{path}", open_access=not has_users, webhook_host_whitelist=("/.*/",))
    database = open_database(settings.database_url)
    # An interrupted build starts over, so that data may be lost.
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    migrate(database)
    end = end or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    clock = Clock(end - timedelta(days=DAYS))
    tokens = database.write(lambda db: _add_users(db, settings, clock.now)) if has_users else {}
    client = Client(build_application(settings, database, clock=clock), tokens)
    company = Company(client, clock, random.Random(7))  # noqa: S311 - not for secrets
    company.create_organization()
    for when, run in _plan():
        if end - timedelta(days=DAYS) + when > end - timedelta(minutes=30):
            break
        clock.now = max(clock.now, end - timedelta(days=DAYS) + when)
        run(company)
        _deliver(database, settings, clock.now + timedelta(seconds=1))
    clock.now = max(clock.now, end - timedelta(minutes=30))
    company.finish()
    _deliver(database, settings, end)
    client.close()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
    database.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.company", description=__doc__)
    parser.add_argument("file", type=Path, help="SQLite file to create")
    parser.add_argument("--users", action="store_true", help=f"add accounts; their password is: {PASSWORD}")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    started_at = time.monotonic()
    build(options.file, has_users=options.users)
    print(
        f"{options.file}: {options.file.stat().st_size / 2**20:.0f} MiB, built in {time.monotonic() - started_at:.1f} s"
    )


if __name__ == "__main__":
    main()
