"""Brokers with something of everything, and walks along all links from their index."""

import re
from html import unescape
from typing import Final

from tests.api.client import BASE, Api
from tests.api.history import History
from tests.api.writes import CONSUMER, DOCUMENT, PROVIDER, WRITES, World, world

PAGE: Final = "text/html"
# They report on the process, or contain the events of the backup and the restoration.
_OTHERS: Final = re.compile(r"/(audit|settings/audit|metrics|diagnostic|docs|static|openapi|test|doc)\b|[?&]after=")
_ADDITIONS: Final = (
    *("add_label", "put_on_branch", "put_tag", "add_alias", "add_environment", "record_deployment", "add_override"),
    *("put_first_deployments", "publish_contracts", "publish_provider_contract", "set_comparison_profile", "put_pact"),
    *("publish_verification", "create_webhook_of_provider", "create_webhook_of_pair", "import_facts"),
)


def fill(api: Api) -> None:
    it: World = world(api)
    for name in _ADDITIONS:
        path, body = WRITES[name](it)
        method = (
            "PUT" if name.startswith("put") or name in {"add_label", "add_alias", "set_comparison_profile"} else "POST"
        )
        it.send(method, path, body)
    history = History(api)
    results = {"success": True, "content": "", "contentType": "text/plain", "format": "text", "verifier": "x"}
    contract = {**DOCUMENT, "specification": "oas", "selfVerificationResults": results}
    body = {"pacticipantVersionNumber": "9", "contract": contract}
    it.send("POST", f"/provider-contracts/provider/{PROVIDER}/publish", body)
    history.publish("Tïll/2", "1.0+ü", PROVIDER, "a third thing")
    question = {"versions": [{"pacticipant": CONSUMER, "version": "1"}], "environment": "production", "record": True}
    it.send("POST", "/decisions", question)


def walk(api: Api, accept: str, limit: int) -> dict[str, str]:
    """Follow all links from the index, breadth first, and return the path and the body of each response."""
    bodies: dict[str, str] = {}
    waiting = ["/"]
    while waiting and len(bodies) < limit:
        path = waiting.pop(0)
        if path in bodies or _OTHERS.match(path):
            continue
        answer = api.get(path, accept=accept)
        if answer.status != 200 or accept not in answer.headers.get("content-type", ""):
            continue
        bodies[path] = re.sub(r'(name="csrf_token" value=|nonce[-=])"?[^"\']+', "", answer.text)
        waiting += _find_links(answer.text)
    return bodies


def _find_links(text: str) -> list[str]:
    hrefs = [unescape(href).removeprefix(BASE) for href in re.findall(r'href"?[=:] ?"([^"{}#]+)', text)]
    return [href for href in hrefs if href.startswith("/") and not href.startswith("//")]
