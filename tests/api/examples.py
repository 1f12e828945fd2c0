"""Recording the responses of a broker with a small history: the examples of the OpenAPI document.

`./run renew` writes them down.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.api.client import BASE, Api
from tests.api.example_history import add_example_history
from tests.api.history import q
from treaty.actions.webhooks.named_secrets import SecretDraft, add_secret
from treaty.settings import Settings
from treaty.store.engine.database import Database, open_database
from treaty.store.engine.vault import get_vault
from treaty.store.migrations import migrate
from treaty.web.application import build_application
from treaty.web.openapi.examples import EXAMPLES_FILE

DOCUMENT: Final = EXAMPLES_FILE
HAL = "application/hal+json"
EXTENDED: Final = f"application/vnd.pactbrokerextended.v1+json, {HAL};q=0.1"
"""Clients that accept the extended media type alone get a page, as browsers do."""
PUBLIC: Final = "https://pacts.example.org"
NOW: Final = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
CONSUMER, PROVIDER = "Example App", "Example API"
OLDEST, NEWEST = "1.0.0", "1.2.0-beta"
PAIR: Final = f"/pacts/provider/{q(PROVIDER)}/consumer/{q(CONSUMER)}"

Send = Callable[[str, str, object], Any]
"""Sends a request with a body, and returns the response's body."""


def part() -> str:
    """Record all examples, as the file has them."""
    with TemporaryDirectory() as folder, broker(f"sqlite:///{Path(folder) / 'examples.sqlite'}") as api:
        return json.dumps(recorded(api), indent=1, ensure_ascii=False) + "\n"


@contextmanager
def broker(database_url: str) -> Iterator[Api]:
    """Open a broker with the example history."""
    settings = Settings(database_url=database_url, log_level="error", security_contacts=("tel:1",))
    database = open_database(settings.database_url, connections=2)
    migrate(database)
    _seed(database, settings)
    api = Api(build_application(settings, database, clock=lambda: NOW))
    try:
        yield api
    finally:
        api.close()
        database.close()


def _seed(database: Database, settings: Settings) -> None:
    database.write(lambda db: add_example_history(db, now=NOW, settings=settings))
    # Without users, the API rejects new secrets.
    database.write(lambda db: add_secret(db, _SECRET, vault=get_vault(settings), now=NOW))


def recorded(api: Api) -> dict[str, Any]:
    """Ask for a document of each kind; those about deleted data come last."""
    parameters = enrich(lambda method, path, body: api.request(method, path, body).json())
    documents = {name: api.get(path).json() for name, path in _documents(api, parameters).items()}
    documents["ComparisonReport"] = api.post("/contracts/compare", _COMPARED).json()
    documents["SetDecision"] = api.post("/decisions", _SET).json()
    documents["WhatIf"] = api.post("/decisions/what-if", _CHANGES).json()
    for name, method, path, accept in _BETTER:
        documents[name] = api.request(method, path, accept=accept).json()
    text = json.dumps(dict(sorted(documents.items()))).replace(BASE, PUBLIC)
    public: dict[str, Any] = json.loads(_with_steady_uuids(text))
    return public


def _documents(api: Api, given: Mapping[str, str]) -> dict[str, str]:
    """Return the path of a document of each kind; the OpenAPI document itself is too long for an example."""
    paths = api.get("/openapi.json", accept="*/*").json()["paths"]
    document_paths: dict[str, str] = {}
    for template, methods in paths.items():
        name = _schema_name(methods.get("get", {}))
        if name is not None and name != "OpenApi":
            document_paths.setdefault(name, filled(template, given))
    return document_paths


def _schema_name(operation: Mapping[str, Any]) -> str | None:
    content = operation.get("responses", {}).get("200", {}).get("content", {})
    references = [media["schema"].get("$ref") for name, media in content.items() if name.endswith("json")]
    return references[0].rpartition("/")[2] if references and references[0] else None


def _with_steady_uuids(text: str) -> str:
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f-]{21}", "018f4c9d-0fa8-8000-8000-000000000001", text)
    text = re.sub(
        r"(?<=[\"=])MS[45][\w-]{50,}", "MS4wMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDEuMS4w", text
    )  # a cursor
    text = re.sub(r'"requestId": "\w+"', '"requestId": "kXqWcPfLzA"', text)
    text = re.sub(
        r'"revision": "[0-9a-f.]+", "changedAt": "[^"]+"',
        '"revision": "3445a02f6e8a0001.6.0", "changedAt": "2024-05-06T07:08:09+00:00"',
        text,
    )
    uuids = dict.fromkeys(re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{21}|(?<=webhooks/)[\w-]{22}", text))
    for number, uuid in enumerate(uuids, start=1):
        text = text.replace(uuid, f"00000000-0000-4000-8000-{number:012}")
    return text


_BETTER: Final = (
    ("EventLog", "GET", "/events?name=contract_published&limit=1", HAL),
    ("TriggeredWebhooks", "GET", f"{PAIR}/version/1.3.0/triggered-webhooks", HAL),
    ("ExtendedPact", "GET", f"{PAIR}/version/{OLDEST}", EXTENDED),
    ("ExtendedVerification", "GET", f"{PAIR}/version/{OLDEST}/verification-results/latest", EXTENDED),
    ("RemovedBranches", "DELETE", f"/pacticipants/{q(CONSUMER)}/branches?exclude[]=main", HAL),
    ("DeletedPacts", "DELETE", f"{PAIR}/version/{NEWEST}", HAL),
)
_SET: Final = {
    "environment": "production",
    "versions": [{"pacticipant": CONSUMER, "version": NEWEST}, {"pacticipant": PROVIDER, "version": "1.0.0"}],
}
_CHANGES: Final = {
    "environment": "production",
    "changes": [{"change": "deploy", "pacticipant": CONSUMER, "version": NEWEST}],
}
_OPENAPI: Final = """\
openapi: 3.1.0
info: {title: Example API, version: '1'}
paths:
  /orders:
    get:
      responses: {'200': {description: Orders, content: {application/json: {schema: {type: array}}}}}
"""
_COMPARED: Final = {
    "documents": [{"name": "api.yaml", "content": base64.b64encode(_OPENAPI.encode()).decode()}],
    "pacts": [
        {
            "consumer": {"name": CONSUMER},
            "provider": {"name": PROVIDER},
            "interactions": [
                {
                    "description": "a request for orders",
                    "request": {"method": "GET", "path": "/orders"},
                    "response": {"status": 200, "body": {"total": 0}},
                }
            ],
        }
    ],
}
_QUERIES: Final = {
    "/pacticipants/{pacticipant}/version-lookup": "?version=1.0.0",
    "/audit": "?type=webhook_creation",
    "/can-i-deploy": f"?pacticipant={q(CONSUMER)}&version={OLDEST}&environment=production",
    "/usage": f"?provider={q(PROVIDER)}&field=price",
    "/usage/operations": f"?provider={q(PROVIDER)}",
    "/matrix": f"?q[][pacticipant]={q(CONSUMER)}&q[][version]={NEWEST}&q[][pacticipant]={q(PROVIDER)}",
}


def filled(template: str, given: Mapping[str, str]) -> str:
    """Put names of the example history into the template of a path, and a query behind it if it needs one."""
    needs_uuid = template.startswith("/pacticipants") and "can-i-deploy" not in template
    names = {
        **dict.fromkeys(("pacticipant", "consumer"), CONSUMER),
        "provider": PROVIDER,
        "version": NEWEST if "previous" in template else OLDEST,
        "comparison": NEWEST,
        "consumerVersion": OLDEST,
        **dict.fromkeys(("branch", "tag", "providerTag", "environmentTag"), "main"),
        "environment": given["environments"] if needs_uuid else "production",
        "label": "shop",
        "alias": "c0ffee1",
        "uuid": given.get(template.split("/")[1], ""),
        **dict.fromkeys(("sha", "pactVersion"), given["sha"]),
        "metadata": "Y3ZuPTEuMC4w",
        "number": given["number"],
        "kind": "versions",
        "name": "documentation.css",
    }
    path = re.sub(r"\{(\w+)\}", lambda placeholder: q(names[placeholder[1]]), template)
    return path + _QUERIES.get(template, "")


_OVERRIDE: Final = {
    "pacticipantName": CONSUMER,
    "pacticipantVersionNumber": OLDEST,
    "environmentName": "production",
    "reason": "It repairs the outage of today, and Example API does not use the changed field.",
}
_CONTRACT: Final = {
    "content": "b3BlbmFwaTogMy4xLjAKaW5mbzoge3RpdGxlOiBFeGFtcGxlIEFQSSwgdmVyc2lvbjogMS4wLjB9CnBhdGhzOiB7fQo=",
    "contentType": "application/yaml",
    "contractType": "oas",
    "verificationResults": {
        "success": True,
        "content": "YWxsIHRlc3RzIHBhc3NlZA==",
        "contentType": "text/plain",
        "format": "text",
        "verifier": "schemathesis",
        "verifierVersion": "4.0.0",
    },
}


def enrich(send: Send) -> dict[str, str]:
    """Add missing data to the example history. Returns values for URL templates; UUIDs by the first words of paths."""
    for name, number in ((CONSUMER, OLDEST), (PROVIDER, "2.4.0")):
        send("PUT", f"/pacticipants/{q(name)}/labels/shop", {})
        send("PUT", f"/pacticipants/{q(name)}/versions/{number}/tags/main", {})
    send("PUT", f"/pacticipants/{q(CONSUMER)}/versions/{OLDEST}/aliases/c0ffee1", {})
    send("PUT", f"/contracts/provider/{q(PROVIDER)}/version/{OLDEST}", _CONTRACT)
    override = send("POST", "/overrides", _OVERRIDE)["uuid"]
    webhook = send("POST", "/webhooks", _WEBHOOK)["uuid"]
    pact = send("GET", f"{PAIR}/version/{OLDEST}", None)
    published = send("PUT", f"{PAIR}/version/1.3.0", {**pact, "_links": None})
    result = send("POST", _path(published, "pb:publish-verification-results"), _RESULT)
    triggered = send("GET", _path(published, "pb:triggered-webhooks"), None)["_embedded"]["triggeredWebhooks"]
    return {
        **_places(send),
        "webhooks": webhook,
        "decisions": send("POST", "/decisions", {**_SET, "record": True})["_links"]["self"]["href"].rpartition("/")[2],
        "overrides": override,
        "secrets": next((secret["uuid"] for secret in send("GET", "/secrets", None)["_embedded"]["secrets"]), ""),
        "triggered-webhooks": _path(triggered[0], "pb:logs").split("/")[2],
        "sha": published["_links"]["pb:pact-version"]["name"],
        "number": _path(result, "self").rpartition("/")[2],
    }


def _places(send: Send) -> dict[str, str]:
    environments = send("GET", "/environments?name=production", None)["_embedded"]["environments"]
    place = f"environment/{environments[0]['uuid']}"
    released = send("POST", f"/pacticipants/{q(CONSUMER)}/versions/{OLDEST}/released-versions/{place}", {})
    deployed = send("POST", f"/pacticipants/{q(PROVIDER)}/versions/2.4.0/deployed-versions/{place}", {})
    return {
        "environments": environments[0]["uuid"],
        "released-versions": released["uuid"],
        "deployed-versions": deployed["uuid"],
    }


def _path(document: Any, relation: str) -> str:
    href: str = document["_links"][relation]["href"]
    return "/" + href.split("/", 3)[3]


_WEBHOOK: Final = {
    "description": "Verify what changed",
    "consumer": {"name": CONSUMER},
    "provider": {"name": PROVIDER},
    "events": [{"name": "contract_published"}],
    "request": {
        "method": "POST",
        "url": "https://ci.example.org/verify",
        "headers": {"content-type": "application/json"},
        "body": {"pact": "${pactbroker.pactUrl}"},
    },
}
_SECRET: Final = SecretDraft(
    name="CI_TOKEN", value="the token", description="Starts builds", origins=("https://ci.example.org",)
)
_RESULT: Final = {
    "success": True,
    "providerApplicationVersion": "2.5.0",
    "buildUrl": "https://ci.example.org/builds/18",
    "verifiedBy": {"implementation": "pact-python", "version": "4.0.0"},
}
