"""A broker with something of everything, for the browser to look at."""

import base64
import json
import urllib.request
from typing import Any
from urllib.parse import quote

TRICK = '"><script>document.title = "run"</script><img src=x onerror=alert(1)>{{ 7 * 7 }}'
LONG = "a-name-that-goes-on-and-on-without-any-place-where-it-could-be-broken-" * 2
UNBROKEN = "n" * 255
SHA = "5f3c9a1b7d8e4f60a1b2c3d4e5f60718293a4b5c"


class Filler:
    """Publishes over HTTP, as clients do."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, method: str, path: str, body: object = None, kind: str = "application/json") -> Any:
        headers = {"content-type": kind, "accept": "application/hal+json"}
        sent = None if body is None else json.dumps(body).encode()
        url = path if path.startswith("http") else self._address + path
        request = urllib.request.Request(url, sent, headers, method=method)  # noqa: S310 - a server of the test's own
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")

    def publish(self, consumer: str, version: str, branch: str, provider: str, content: object) -> None:
        contract = {
            "consumerName": consumer,
            "providerName": provider,
            "specification": "pact",
            "contentType": "application/json",
            "content": base64.b64encode(json.dumps(content).encode()).decode(),
        }
        body = {"pacticipantName": consumer, "pacticipantVersionNumber": version, "branch": branch}
        self.ask("POST", "/contracts/publish", {**body, "tags": [branch], "contracts": [contract]})

    def verify(self, consumer: str, version: str, provider: str, provider_version: str, *, success: bool) -> None:
        pair = f"/pacts/provider/{quote(provider, safe='')}/consumer/{quote(consumer, safe='')}"
        pact = self.ask("GET", f"{pair}/version/{version}")
        body = {
            "success": success,
            "providerApplicationVersion": provider_version,
            "buildUrl": "javascript:alert(1)",
            "testResults": {"tests": [{"testDescription": TRICK, "status": "failed"}, *tested(success=success)]},
        }
        self.ask("POST", pact["_links"]["pb:publish-verification-results"]["href"], body)

    def publish_document(self, provider: str, version: str, text: str, **result: object) -> None:
        contract = {
            "content": base64.b64encode(text.encode()).decode(),
            "contentType": "application/yaml",
            "specification": "oas",
            "selfVerificationResults": {"success": True, "verifier": "schemathesis", **result},
        }
        body = {"pacticipantVersionNumber": version, "branch": "main", "contract": contract}
        self.ask("POST", f"/provider-contracts/provider/{quote(provider, safe='')}/publish", body)

    def environment(self, name: str) -> Any:
        environments = self.ask("GET", "/environments")["_embedded"]["environments"]
        return next(environment for environment in environments if environment["name"] == name)

    def deploy(self, name: str, version: str, environment: str) -> None:
        uuid = self.environment(environment)["uuid"]
        self.ask("POST", f"/pacticipants/{quote(name)}/versions/{version}/deployed-versions/environment/{uuid}", {})


def tested(*, success: bool) -> list[dict[str, Any]]:
    """The results of the Ruby verifier for the interactions of `pact`."""
    order = {"testDescription": "has a matching body", "interactionDescription": "a request for an order"}
    difference = {"description": 'Expected a number at $.items[0].price, and got "12.50"'}
    failed = {"status": "failed", "differences": [difference]}
    message = {"testDescription": "has matching content", "interactionDescription": "an order was shipped"}
    return [{**order, **({"status": "passed"} if success else failed)}, {**message, "status": "passed"}]


def pact(status: int, *, has_message: bool) -> dict[str, Any]:
    """A pact with rules, generators and states; and one with a message, if wanted."""
    interaction = {
        "type": "Synchronous/HTTP",
        "description": "a request for an order",
        "pending": True,
        "providerStates": [{"name": "order 7 exists", "params": {"id": 7}}, {"name": "the user is signed in"}],
        "request": {
            "method": "GET",
            "path": "/orders/7",
            "query": {"expand": ["items"]},
            "headers": {"Accept": ["application/json"]},
            "matchingRules": {"path": {"matchers": [{"match": "regex", "regex": "/orders/[0-9]+"}]}},
            "generators": {"path": {"type": "ProviderState", "expression": "/orders/${id}"}},
        },
        "response": {
            "status": status,
            "headers": {"Content-Type": ["application/json"]},
            "body": {
                "content": {"id": 7, "placedAt": "2026-01-02", "items": [{"sku": "A-1", "price": 12.5}], "note": LONG},
                "contentType": "application/json",
                "encoded": False,
            },
            "matchingRules": {
                "body": {
                    "$.id": {"matchers": [{"match": "integer"}]},
                    "$.placedAt": {"matchers": [{"match": "date", "format": "yyyy-MM-dd"}]},
                    "$.items": {"matchers": [{"match": "type", "min": 1}]},
                    "$.items[*].price": {"matchers": [{"match": "decimal"}]},
                }
            },
            "generators": {"body": {"$.id": {"type": "RandomInt", "min": 1, "max": 999}}},
        },
    }
    message = {
        "type": "Asynchronous/Messages",
        "description": "an order was shipped",
        "contents": {"content": {"order": 7}, "contentType": "application/json", "encoded": False},
        "metadata": {"topic": "orders"},
    }
    interactions = [interaction, message] if has_message else [interaction]
    return {"interactions": interactions, "metadata": {"pactSpecification": {"version": "4.0"}}}


DOCUMENT = """\
openapi: 3.1.0
info: {title: 'Orders', version: 3.3.0}
paths:
  /orders/{id}:
    get:
      summary: TRICK
      deprecated: true
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
      responses:
        200:
          description: The order
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Order'}
  /LONG:
    post: {responses: {204: {description: done}}}
components:
  schemas:
    Order:
      type: object
      required: [id]
      properties:
        id: {type: integer}
        placedAt: {type: string, format: date}
        items:
          type: array
          items: {type: object, properties: {sku: {type: string}, price: {type: string}}}
"""
"""A document that does not satisfy `pact`."""


def fill(address: str) -> dict[str, str]:
    """Fill an empty broker; return the paths of all kinds of pages by their kinds."""
    filler = Filler(address)
    for name in ("test", "production"):
        body = {"name": name, "displayName": name.title(), "production": name == "production"}
        filler.ask("POST", "/environments", body)
    for number in range(60):  # before there are webhooks, whose deliveries would keep the broker busy
        filler.publish(f"app-{number:02}", "1", "main", f"service-{number % 7}", {"interactions": []})
    filler.publish("Web Shop", SHA, "main", "orders-api", pact(200, has_message=True))
    filler.verify("Web Shop", SHA, "orders-api", "3.1.0", success=True)
    filler.verify("Web Shop", SHA, "orders-api", "3.2.0", success=False)
    filler.deploy("Web Shop", SHA, "production")
    filler.deploy("orders-api", "3.2.0", "production")
    request = {"method": "POST", "url": "https://localhost/x", "headers": {"Authorization": "x", "X-Trick": TRICK}}
    event = {
        "events": [{"name": "contract_published"}],
        "request": {**request, "body": {TRICK: "${pactbroker.pactUrl}"}},
    }
    more = {"tags": [TRICK, "main"], "environments": ["production"], "secret": "x"}
    filler.ask("POST", "/webhooks", {"description": TRICK, **event, **more})
    webhook = filler.ask("POST", "/webhooks", {"description": "Start the provider's build", **event})
    filler.publish("Web Shop", "2", "feat/new-basket", "orders-api", pact(201, has_message=False))
    document = DOCUMENT.replace("TRICK", json.dumps(TRICK)).replace("LONG", LONG)
    filler.publish_document("orders-api", "3.3.0", document, content=TRICK)
    hostile = {"interactions": [{"description": TRICK, "request": {"path": TRICK, "body": {TRICK: TRICK}}}, None, 7]}
    filler.publish(TRICK, "1", "main", LONG, hostile)
    filler.publish(UNBROKEN, UNBROKEN, UNBROKEN, UNBROKEN, hostile)
    filler.ask("PUT", "/pacticipants/Web%20Shop/labels/team-checkout", {})
    production = filler.environment("production")
    contacts = [{"name": "Payments", "details": {"e-mail": "pay@example.org", "chat": "https://chat.example.org/pay"}}]
    stands = {"name": "production", "displayName": production["displayName"], "production": True}
    filler.ask("PUT", f"/environments/{production['uuid']}", {**stands, "contacts": [*contacts, {"name": TRICK}]})
    filler.ask("PATCH", "/pacticipants/Web%20Shop", {"mainBranch": "main"}, "application/merge-patch+json")
    status = filler.ask("GET", "/pacts/provider/orders-api/consumer/Web%20Shop/webhooks/status")
    logs = status["_embedded"]["triggeredWebhooks"][0]["_links"]["pb:logs"]["href"]
    paths = _paths(webhook["_links"]["self"]["href"].removeprefix(address), logs.removeprefix(address))
    return {**paths, **_forms(f"/environments/{production['uuid']}", paths["webhook"])}


def _forms(environment: str, webhook: str) -> dict[str, str]:
    return {
        "webhook-new": "/webhooks/new",
        "webhook-template": "/webhooks/new?template=github",
        "webhook-edit": f"{webhook}/edit",
        "webhook-delete": f"{webhook}/delete",
        "webhook-try": f"{webhook}/try",
        "environment": environment,
        "environment-new": "/environments/new",
        "environment-edit": f"{environment}/edit",
        "environment-delete": f"{environment}/delete",
        "environment-history": f"{environment}/history/Web%20Shop",
        "environment-what-if": f"{environment}/what-if?change=undeploy&pacticipant=Web%20Shop",
    }


CONTRACT = "/contracts/bi-directional/provider/orders-api/version/3.3.0"


def _paths(webhook: str, logs: str) -> dict[str, str]:
    pair = "/pacts/provider/orders-api/consumer/Web%20Shop"
    trick, long = quote(TRICK, safe=""), quote(LONG, safe="")
    selectors = "q[][pacticipant]=Web%20Shop&q[][version]=2&environment=production"
    return {
        "overview": "/",
        "overview-filtered": "/?q=shop&environment=production&sort=state",
        "overview-by-tag": "/?tags=true",
        "application": "/pacticipants/Web%20Shop?version=2&to=production",
        "application-unknown-version": "/pacticipants/Web%20Shop?version=22222222",
        "provider": "/pacticipants/orders-api",
        "version": f"/pacticipants/Web%20Shop/versions/{SHA}",
        "version-of-provider": "/pacticipants/orders-api/versions/3.3.0",
        "version-missing": f"/pacticipants/Web%20Shop/versions/{SHA[:-1]}x",
        "version-hostile": f"/pacticipants/{trick}/versions/1",
        "application-delete": "/pacticipants/orders-api/delete",
        "provider-states": "/pacticipants/orders-api?show=states",
        "interactions": "/pacticipants/orders-api/interactions",
        "usage": "/pacticipants/orders-api/usage",
        "usage-query": "/pacticipants/orders-api/usage?text=order",
        "network": "/pacticipants/orders-api/network",
        "network-whole": "/network",
        "attention": "/attention",
        "pending": "/pending",
        "stale": "/pending?stale=30",
        "trends": "/trends",
        "trend-rows": "/trends/rows",
        "pact": f"{pair}/latest",
        "pact-search": f"{pair}/version/{SHA}?q=shipped",
        "pact-hostile": f"/pacts/provider/{long}/consumer/{trick}/latest",
        "application-hostile": f"/pacticipants/{trick}",
        "application-unbroken": f"/pacticipants/{UNBROKEN}",
        "version-unbroken": f"/pacticipants/{UNBROKEN}/versions/{UNBROKEN}",
        "pair-unbroken": f"/dashboard/provider/{UNBROKEN}/consumer/{UNBROKEN}",
        "pact-unbroken": f"/pacts/provider/{UNBROKEN}/consumer/{UNBROKEN}/latest",
        "network-unbroken": f"/network?focus={UNBROKEN}",
        "difference": f"{pair}/version/2/diff/previous-distinct",
        "contract": f"{CONTRACT}/provider-contract",
        "contract-text": f"{CONTRACT}/provider-contract/document?line=12",
        "contract-missing": "/pacticipants/Web%20Shop/provider-contract",
        "comparison": f"{CONTRACT}/consumer/Web%20Shop/version/{SHA}/cross-contract-verification-results",
        "matrix-compared": "/matrix?q[][pacticipant]=Web%20Shop&q[][pacticipant]=orders-api",
        "matrix": f"/matrix?{selectors}",
        "matrix-pair": "/matrix/provider/orders-api/consumer/Web%20Shop",
        "pair": "/dashboard/provider/orders-api/consumer/Web%20Shop",
        "pair-grid": "/dashboard/provider/orders-api/consumer/Web%20Shop?view=grid",
        "environments": "/environments",
        "webhooks": "/webhooks",
        "audit": "/settings/audit",
        "webhook": webhook,
        "delivery": logs,
        "verification": f"{pair}/version/{SHA}/verification-results/latest",
        "search": "/search?q=a",
        "not-found": "/pacticipants/nobody",
        "api": "/docs?q=labels",
        "proxies": "/docs/proxies",
        "guide": "/docs/guide",
        "guide-page": "/docs/guide/configuration",
        "guide-search": "/docs/guide?q=webhook",
        "guide-missing": "/docs/guide/webhoks",
        "relation": "/doc/pacticipants?context=index",
        "explorer": "/explorer#/pacticipants/Web%20Shop",
        "explorer-request": "/hal-browser/browser.html#POST /contracts/publish",
    }
