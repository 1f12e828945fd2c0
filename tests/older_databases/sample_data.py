"""Fills a broker with a small data set of every kind, through HTTP and the command line alone."""

import base64
import json
import re
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
from sqlalchemy import text

from tests.receiver import Receiver, Reply, receiving
from tests.whole.servers import Server, run, running
from treaty.store.engine.database import open_database

PASSWORD: Final = "a fixture's password, which is no secret"  # noqa: S105
SETTINGS_USER: Final = "settings user"
ADMINISTRATOR, DEVELOPER, READER, FORMER = "administrator", "developer", "reader", "former developer"
BUILD: Final = "build server"

SHOP, TILL, MAILER, LEGACY = "Web Shop", "Till/2 \"ü\" 'quoted' %2F <b>", "Mailer", "Legacy"
PRICES, ORDERS, THROWAWAY = "Prices", "Orders/世界 🦀", "Throwaway"
BRANCH: Final = "feat/discounts & more"
TAG: Final = "beta/ü"
INSTANCE: Final = "blue/1"

DISCARD_URL: Final = "http://127.0.0.1:9"
"""Where the dumped webhooks send to: the discard port is never among those that tests listen on."""
SECRETS: Final = {
    "first format": "Bearer written-in-the-first-format",
    "second format": "Bearer written-in-the-second-format",
}
"""Values of Authorization headers, by the webhook that has them."""
PASSWORDS: Final = {
    "first format, basic": "a-password-in-the-first-format",
    "failing": "a-password-in-the-second-format",
}
"""Passwords of the user `ci`, by the webhook that has them."""
SIGNING_SECRET: Final = "signs-in-either-format"  # noqa: S105
AUTH_TOKEN: Final = "disabled"  # noqa: S105

SETTINGS: Final = {
    "PACT_BROKER_WEBHOOK_SCHEME_WHITELIST": "http https",
    "PACT_BROKER_WEBHOOK_HOST_WHITELIST": "127.0.0.1",
    "PACT_BROKER_BASIC_AUTH_USERNAME": SETTINGS_USER,
    "PACT_BROKER_BASIC_AUTH_PASSWORD": PASSWORD,
}
_NO_DELAY: Final = {"TREATY_WEBHOOK_SETTLING_TIME": "0", "TREATY_WEBHOOK_RETRY_SCHEDULE": "0"}
_LATE_RETRY: Final = {"TREATY_WEBHOOK_SETTLING_TIME": "0", "TREATY_WEBHOOK_RETRY_SCHEDULE": "300"}
_LATE_DELIVERY: Final = {"TREATY_WEBHOOK_SETTLING_TIME": "300"}


@dataclass
class Facts:
    """UUIDs and credentials that the broker made up while it was filled."""

    environments: dict[str, str] = field(default_factory=dict)
    webhooks: dict[str, str] = field(default_factory=dict)
    identities: dict[str, dict[str, str]] = field(default_factory=dict)
    """Headers that authenticate a request, by the name of the identity."""


@dataclass
class Broker:
    """Sends requests to a server and runs commands against it."""

    server: Server
    folder: Path
    database_url: str
    identity: dict[str, str]

    def send(self, method: str, path: str, body: object = None) -> Any:
        type_ = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"accept": "application/hal+json", "content-type": type_, **self.identity}
        content = None if body is None else json.dumps(body)
        response = httpx.request(method, self.server.address + path, content=content, headers=headers)
        assert response.status_code < 400, (method, path, response.status_code, response.text)
        return response.json() if response.content else None

    def client(self, *words: str) -> None:
        """Run a command of the client."""
        token = self.identity["authorization"].removeprefix("Bearer ")
        done = run(*words, cwd=self.folder, PACT_BROKER_BASE_URL=self.server.address, PACT_BROKER_TOKEN=token)
        assert done.returncode == 0, done.stdout + done.stderr

    def administer(self, *words: str, typed: str = "") -> str:
        """Run a command that opens the database itself."""
        done = run("treaty", *words, "--database-url", self.database_url, cwd=self.folder, stdin=typed)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


def fill(url: str, folder: Path, older_source: Path) -> Facts:
    """Fill an empty database; the key of secrets is in `folder`, where the servers work."""
    facts = Facts()
    settings_user = {"authorization": basic(SETTINGS_USER, PASSWORD)}
    with receiving() as willing, receiving() as unwilling:
        unwilling.replies = [Reply(status=500, body=b'{"error":"out of order"}')]
        older = {**SETTINGS, **_NO_DELAY, "PYTHONPATH": str(older_source)}
        with running(url, cwd=folder, environ=older, has_tables=False, is_forked=False) as server:
            _write_with_older_code(Broker(server, folder, url, settings_user), facts, willing)
        with running(url, cwd=folder, environ=SETTINGS | _NO_DELAY) as server:
            broker = Broker(server, folder, url, settings_user)
            _add_accounts(broker, facts)
            broker.identity = facts.identities["administrator's token"]
            _add_webhooks(broker, facts, willing, unwilling)
            _clean_up(broker)
            _add_contracts(broker)
            _add_places(broker, facts)
            _finish_deliveries(broker)
            _import(broker, folder)
        with running(url, cwd=folder, environ=SETTINGS | _LATE_RETRY) as server:
            broker = Broker(server, folder, url, broker.identity)
            publish(broker, SHOP, "4", PRICES, "a retry", branch="main")
            _wait_for_deliveries(broker, SHOP, "4", {"success", "retrying"})
    with running(url, cwd=folder, environ=SETTINGS | _LATE_DELIVERY) as server:
        broker = Broker(server, folder, url, broker.identity)
        _point_webhooks_away(broker, facts)
        publish(broker, SHOP, "5", PRICES, "a delay", branch="main")
        # The delivery about this result remembers the version of the provider that is removed.
        verify(broker, SHOP, "5", PRICES, "13", success=True)
        broker.send("DELETE", f"/pacticipants/{PRICES}/versions/13")
        facts.identities |= {
            "administrator's session": sign_in(server.address, ADMINISTRATOR),
            "developer's session": sign_in(server.address, DEVELOPER),
            "session of the settings' user": sign_in(server.address, SETTINGS_USER),
        }
        _deny_requests(server)
    return facts


def q(name: str) -> str:
    return quote(name, safe="")


def basic(name: str, password: str) -> str:
    """The Authorization header of basic authentication."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def pact(consumer: str, provider: str, content: str) -> dict[str, Any]:
    """A pact with three interactions, of which `content` makes the last one different from others."""
    interactions = [
        {
            "description": description,
            "providerStates": [{"name": 'a cart with <b>"things"</b>', "params": {"count": 2}}],
            "request": {"method": "GET", "path": f"/{number}", "headers": {"Accept": "application/json"}},
            "response": {"status": 200, "body": {"name": "ü 🦀", "price": 1.10}},
        }
        for number, description in enumerate(("a list", "a thing's price", content))
    ]
    return {
        "consumer": {"name": consumer},
        "provider": {"name": provider},
        "interactions": interactions,
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }


def _messages(consumer: str, provider: str) -> dict[str, Any]:
    messages = [
        {"description": name, "contents": {"id": 1}, "metadata": {"contentType": "application/json"}}
        for name in ("a price has changed", "a price is gone")
    ]
    return {
        "consumer": {"name": consumer},
        "provider": {"name": provider},
        "messages": messages,
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }


def publish(
    broker: Broker, consumer: str, version: str, provider: str, content: str | dict[str, Any], **more: object
) -> None:
    document = pact(consumer, provider, content) if isinstance(content, str) else content
    contract = {
        "consumerName": consumer,
        "providerName": provider,
        "specification": "pact",
        "contentType": "application/json",
        "content": base64.b64encode(json.dumps(document).encode()).decode(),
    }
    body = {"pacticipantName": consumer, "pacticipantVersionNumber": version, "contracts": [contract], **more}
    broker.send("POST", "/contracts/publish", body)


def verify(broker: Broker, consumer: str, version: str, provider: str, by: str, *, success: bool) -> None:
    path = f"/pacts/provider/{q(provider)}/consumer/{q(consumer)}/version/{q(version)}"
    pact = broker.send("GET", path)
    tests = [
        {"interactionDescription": "a list", "success": True},
        {
            "interactionDescription": "a thing's price",
            "success": success,
            "mismatches": []
            if success
            else [{"attribute": "body", "identifier": "$.price", "description": "1.1 is no 2"}],
        },
    ]
    body = {
        "success": success,
        "providerApplicationVersion": by,
        "buildUrl": f"https://ci.example.org/builds/{q(by)}",
        "testResults": {"tests": tests},
        "verifiedBy": {"implementation": "pact-python", "version": "3.0.0"},
    }
    href = pact["_links"]["pb:publish-verification-results"]["href"]
    broker.send("POST", href.removeprefix(broker.server.address), body)


def _write_with_older_code(broker: Broker, facts: Facts, willing: Receiver) -> None:
    publish(broker, LEGACY, "1", PRICES, "an old thing", branch="main", tags=["prod"])
    request = {
        "method": "POST",
        "url": willing.url,
        "headers": {"Authorization": SECRETS["first format"], "X-Plain": "v1:plain"},
        "body": {"pact": "${pactbroker.pactUrl}"},
    }
    body = {
        "description": "Written in the first format",
        "provider": {"name": PRICES},
        "events": [{"name": "contract_content_changed"}, {"name": "contract_published"}],
        "request": request,
        "secret": SIGNING_SECRET,
    }
    facts.webhooks["first format"] = broker.send("POST", "/webhooks", body)["uuid"]
    basic = {"method": "POST", "url": willing.url, "username": "ci", "password": PASSWORDS["first format, basic"]}
    body = {"description": "Of the other application", "consumer": {"name": LEGACY}, "provider": {"name": PRICES}}
    body |= {"events": [{"name": "provider_verification_published"}], "request": basic}
    facts.webhooks["first format, basic"] = broker.send("POST", "/webhooks", body)["uuid"]
    publish(broker, LEGACY, "2", PRICES, "a newer thing", branch="main")
    verify(broker, LEGACY, "2", PRICES, "9", success=True)
    _wait_for_deliveries(broker, LEGACY, "2", {"success"})


def _add_accounts(broker: Broker, facts: Facts) -> None:
    for name, role in ((ADMINISTRATOR, "administrator"), (DEVELOPER, "read-write"), (READER, "read-only")):
        broker.administer("user", "add", name, "--role", role, "--password-stdin", typed=PASSWORD + "\n")
    broker.administer("user", "add", FORMER, "--email", "former@example.org", "--password-stdin", typed=PASSWORD + "\n")
    broker.administer("user", "add", BUILD, "--system")

    def token(user: str, name: str, *options: str) -> dict[str, str]:
        text = broker.administer("token", "create", "--user", user, "--name", name, *options)
        return {"authorization": f"Bearer {text}"}

    facts.identities |= {
        "anonymous": {},
        "settings' user": broker.identity,
        "administrator's password": {"authorization": basic(ADMINISTRATOR, PASSWORD)},
        "administrator's token": token(ADMINISTRATOR, "of the administrator"),
        "developer's token": token(DEVELOPER, "laptop <b>"),
        "developer's token that only reads": token(DEVELOPER, "reading", "--read-only", "--expires", "90d"),
        "reader's token": token(READER, "dashboard"),
        "build server's token": token(BUILD, "pipeline"),
        "disabled user's token": token(FORMER, "left over"),
        "revoked token": token(DEVELOPER, "revoked"),
    }
    broker.administer("user", "disable", FORMER)
    listed = json.loads(broker.administer("token", "list", "--output", "json"))
    (revoked,) = [token["uuid"] for token in listed if token["name"] == "revoked"]
    broker.administer("token", "revoke", revoked)


def _add_webhooks(broker: Broker, facts: Facts, willing: Receiver, unwilling: Receiver) -> None:
    def add(name: str, url: str, events: list[str], request: dict[str, Any], **more: object) -> None:
        body = {"description": f"Webhook: {name}", "events": [{"name": event} for event in events], **more}
        body["request"] = {"method": "POST", "url": url, **request}
        facts.webhooks[name] = broker.send("POST", "/webhooks", body)["uuid"]

    broker.client("pact-broker", "create-or-update-pacticipant", "--name", SHOP)
    add(
        "second format",
        willing.url,
        ["provider_verification_published", "contract_published"],
        {
            "headers": {"Authorization": SECRETS["second format"], "Content-Type": "application/json"},
            "body": {"by": "${pactbroker.providerVersionNumber}", "of": "${pactbroker.consumerName}"},
        },
        consumer={"name": SHOP},
        secret=SIGNING_SECRET,
    )
    add(
        "failing",
        unwilling.url,
        ["contract_published", "provider_verification_failed"],
        {"username": "ci", "password": PASSWORDS["failing"]},
        consumer={"name": SHOP},
        provider={"name": PRICES},
    )
    add(
        "disabled",
        f"{DISCARD_URL}/hook",
        ["provider_verification_succeeded"],
        {"headers": {"X-Auth-Token": AUTH_TOKEN}},
        provider={"label": "priced"},
        enabled=False,
    )


def _clean_up(broker: Broker) -> None:
    for version in ("1", "2", "3"):
        publish(broker, THROWAWAY, version, PRICES, f"old {version}", branch="main")
    broker.administer("clean", "--keep", '{"latest": true}', "--keep-branches", "[]")


def _add_contracts(broker: Broker) -> None:
    pacts = broker.folder / "pacts"
    pacts.mkdir()
    (pacts / "shop.json").write_text(json.dumps(pact(SHOP, PRICES, "the same thing")))
    broker.client(
        *("pact-broker", "publish", str(pacts), "--consumer-app-version", "1", "--branch", "main", "--tag", "prod"),
        *("--build-url", "https://ci.example.org/builds/1"),
    )
    publish(broker, SHOP, "2", PRICES, "the same thing", branch="main", tags=["prod", TAG])
    publish(broker, SHOP, "3", PRICES, "discounts", branch=BRANCH, tags=[TAG])
    publish(broker, SHOP, "3", ORDERS, "an order")
    publish(broker, TILL, "1.0.0+ü/1", PRICES, "a receipt", branch="main", tags=["prod"])
    publish(broker, TILL, "1.1.0", PRICES, "a receipt", branch=BRANCH)
    publish(broker, TILL, "2.0.0-draft", ORDERS, "an order")
    publish(broker, MAILER, "1", PRICES, _messages(MAILER, PRICES), branch="main")
    revised = f"/pacts/provider/{q(ORDERS)}/consumer/{q(TILL)}/version/2.0.0-draft"
    broker.send("PUT", revised, pact(TILL, ORDERS, "an order"))
    broker.send("PUT", f"/pacticipants/{PRICES}/branches/main/versions/10", {})
    broker.send("PUT", f"/pacticipants/{PRICES}/versions/10/tags/tested", {})
    verify(broker, SHOP, "1", PRICES, "10", success=True)
    verify(broker, SHOP, "2", PRICES, "11", success=False)
    verify(broker, SHOP, "2", PRICES, "11", success=True)
    verify(broker, SHOP, "3", PRICES, "11", success=False)
    verify(broker, SHOP, "3", ORDERS, "1/ü", success=True)
    verify(broker, TILL, "1.0.0+ü/1", PRICES, "10", success=True)
    verify(broker, TILL, "1.1.0", PRICES, "12", success=False)
    verify(broker, MAILER, "1", PRICES, "10", success=True)
    for version, branch, tag in (("10", "main", "prod"), ("11", "main", "test"), ("12", BRANCH, TAG)):
        broker.send("PUT", f"/pacticipants/{PRICES}/branches/{q(branch)}/versions/{version}", {})
        broker.client("pact-broker", "create-version-tag", "--pacticipant", PRICES, "--version", version, "--tag", tag)
    for name in (SHOP, PRICES):
        broker.send("PUT", f"/pacticipants/{q(name)}/labels/priced", {})
        broker.send(
            "PATCH", f"/pacticipants/{q(name)}", {"repositoryUrl": "https://git.example.org/shop", "mainBranch": "main"}
        )
    broker.send("PATCH", f"/pacticipants/{q(TILL)}", {"displayName": "The <i>till</i>"})


def _add_places(broker: Broker, facts: Facts) -> None:
    broker.client(
        *("pact-broker", "create-environment", "--name", "production", "--production"),
        *(
            "--display-name",
            'Production "ü"',
            "--contact-name",
            "The team",
            "--contact-email-address",
            "team@example.org",
        ),
    )
    broker.client("pact-broker", "create-environment", "--name", "test", "--no-production")
    listed = broker.send("GET", "/environments")["_embedded"]["environments"]
    facts.environments |= {environment["name"]: environment["uuid"] for environment in listed}

    def record(command: str, name: str, version: str, environment: str, *options: str) -> None:
        words = ("--pacticipant", name, "--version", version, "--environment", environment, *options)
        broker.client("pact-broker", command, *words)

    record("record-deployment", SHOP, "1", "production")
    record("record-deployment", SHOP, "2", "production")
    record("record-deployment", SHOP, "3", "test", "--application-instance", INSTANCE)
    record("record-deployment", SHOP, "2", "test", "--application-instance", "green")
    record("record-deployment", PRICES, "10", "production")
    record("record-deployment", PRICES, "11", "test")
    record("record-deployment", MAILER, "1", "test")
    broker.client("pact-broker", "record-undeployment", "--pacticipant", MAILER, "--environment", "test")
    record("record-release", TILL, "1.0.0+ü/1", "production")
    record("record-release", TILL, "1.1.0", "production")
    record("record-support-ended", TILL, "1.1.0", "production")


def _finish_deliveries(broker: Broker) -> None:
    """Leave finished deliveries, also about a removed version."""
    publish(broker, SHOP, "withdrawn", PRICES, "a thing withdrawn", branch="main")
    _wait_for_deliveries(broker, SHOP, "withdrawn", {"success", "failure"})
    _wait_for_deliveries(broker, SHOP, "3", {"success", "failure"})
    verify(broker, SHOP, "withdrawn", PRICES, "12", success=False)
    _wait_for_deliveries(broker, SHOP, "withdrawn", {"success", "failure"})
    broker.send("DELETE", f"/pacticipants/{q(SHOP)}/versions/withdrawn")


def _wait_for_deliveries(broker: Broker, consumer: str, version: str, statuses: set[str]) -> None:
    """Wait until all deliveries about a pact have one of these statuses, and each status is there."""
    path = f"/pacts/provider/{PRICES}/consumer/{q(consumer)}/version/{q(version)}/triggered-webhooks"
    until = time.monotonic() + 60
    while True:
        listed = broker.send("GET", path)["_embedded"]["triggeredWebhooks"]
        if {delivery["status"] for delivery in listed} == statuses:
            return
        assert time.monotonic() < until, listed
        time.sleep(0.1)


def _import(broker: Broker, folder: Path) -> None:
    """Copy another broker."""
    source_folder = folder / "source"
    source_folder.mkdir()
    with running(f"sqlite:///{source_folder / 'treaty.sqlite'}", cwd=source_folder) as server:
        source = Broker(server, source_folder, "", {})
        publish(source, "Imported", "1", "Imported provider", "an imported thing", branch="main", tags=["prod"])
        verify(source, "Imported", "1", "Imported provider", "1", success=True)
        body = {"name": "imported", "displayName": "Imported", "production": False}
        uuid = source.send("POST", "/environments", body)["uuid"]
        for kind in ("deployed", "released"):
            source.send("POST", f"/pacticipants/Imported/versions/1/{kind}-versions/environment/{uuid}", {})
        broker.client("treaty", "import", "--from", server.address)


def _point_webhooks_away(broker: Broker, facts: Facts) -> None:
    """Send to the discard port from now on; the stars in the body stand for the secrets that there are."""
    for name, uuid in facts.webhooks.items():
        if name != "disabled":
            point_webhook_at(broker, uuid, DISCARD_URL)


def point_webhook_at(broker: Broker, uuid: str, url: str) -> None:
    """Change the URL of a webhook in the database: the API does not keep secrets for another server."""
    with closing(open_database(broker.database_url, connections=1)) as database:
        statement = text("UPDATE webhook SET url = :url WHERE uuid = :uuid")
        database.write(lambda db: db.execute(statement, {"url": url, "uuid": uuid}).close())


def sign_in(address: str, name: str) -> dict[str, str]:
    """Sign a browser in, and return its cookie as a header."""
    with httpx.Client(base_url=address, timeout=60) as browser:
        form = browser.get("/sign-in", headers={"accept": "text/html"})
        csrf = re.search(r'name="csrf_token" value="([^"]+)"', form.text)
        assert csrf is not None, form.text
        cookie = form.headers["set-cookie"].partition(";")[0]
        fields = {"csrf_token": csrf[1], "name": name, "password": PASSWORD, "next": "/"}
        response = browser.post("/sign-in", data=fields, headers={"cookie": cookie, "accept": "text/html"})
        assert response.status_code == 303, response.text
        return {"cookie": response.headers["set-cookie"].partition(";")[0]}


def _deny_requests(server: Server) -> None:
    """Leave events of denied requests in the audit trail."""
    for authorization in ({}, {"authorization": "Bearer wrong"}):
        assert httpx.post(f"{server.address}/environments", json={}, headers=authorization).status_code == 401
