"""The requests of SmartBear's MCP server, as its version 0.41 sends them with fetch of Node: each response is JSON.

It accepts everything, and sends `Content-Type: application/json` also without a body.
"""

import base64
import json
from typing import Any, Final

import pytest

from tests.api.client import Api, pact
from tests.api.history import History

pytestmark = pytest.mark.slow_on_postgresql  # about requests; other tests have the same statements

HEADERS: Final = {
    "accept-language": "*",
    "sec-fetch-mode": "cors",
    "user-agent": "SmartBear MCP Server/0.41.0 stdio (client: tests; clientVersion: 1)",
}
SHOP, PRICES = "/pacticipants/Web%20Shop", "/pacticipants/Prices%2Fv2"
CONTRACT: Final = {
    "consumerName": "Web Shop",
    "providerName": "Prices/v2",
    "content": base64.b64encode(json.dumps(pact("Web Shop", "Prices/v2")).encode()).decode(),
    "contentType": "application/json",
    "specification": "pact",
}
PUBLICATION: Final = {"pacticipantName": "Web Shop", "pacticipantVersionNumber": "3", "contracts": [CONTRACT]}
SELECTION: Final = {
    "consumerVersionSelectors": [{"branch": "feat/x"}, {"deployedOrReleased": True}],
    "includePendingStatus": True,
    "includeWipPactsSince": "2020-01-01",
    "providerVersionBranch": "main",
    "providerVersionTags": ["main"],
}
WEBHOOK: Final = {
    "description": "build",
    "events": [{"name": "contract_published"}],
    "request": {"method": "POST", "url": "https://ci.example.org/builds"},
    "enabled": True,
}
_LATEST_ON_BRANCH: Final = "q[]pacticipant=Web%20Shop&q[]branch=feat%2Fx&q[]latest=true"
REQUESTS: Final[list[tuple[str, str, object, int]]] = [
    ("POST", "/contracts/publish", PUBLICATION, 200),
    ("POST", "/pacts/provider/Prices%2Fv2/for-verification", SELECTION, 200),
    ("GET", "/pacts/provider/Prices%2Fv2/provider-states", None, 200),
    ("GET", "/can-i-deploy?pacticipant=Web+Shop&version=1&environment=test", None, 200),
    ("GET", "/matrix?latestby=cvp&limit=100&q[]pacticipant=Web%20Shop&q[]version=1", None, 200),
    ("GET", f"/matrix?limit=100&{_LATEST_ON_BRANCH}&q[]pacticipant=Prices%2Fv2&q[]environment=test", None, 200),
    ("GET", "/matrix?limit=5&q[]pacticipant=Web%20Shop&q[]latest=false&q[]mainBranch=true", None, 200),
    ("GET", "/metrics", None, 200),
    ("GET", "/pacticipants?page=1&size=5", None, 200),
    ("POST", "/pacticipants", {"name": "Scratch", "mainBranch": "main"}, 201),
    ("GET", SHOP, None, 200),
    ("PUT", SHOP, {"displayName": "Shop", "mainBranch": "main"}, 200),
    ("PATCH", PRICES, {"repositoryUrl": "https://git.example.org/prices"}, 200),
    ("GET", f"{SHOP}/branches?q=feat&pageNumber=1&pageSize=5", None, 200),
    ("GET", f"{SHOP}/branches/feat%2Fx", None, 200),
    ("GET", f"{SHOP}/branches/feat%2Fx/versions?page=1&size=5", None, 200),
    ("GET", f"{SHOP}/versions?page=1&size=5", None, 200),
    ("GET", f"{SHOP}/versions/1", None, 200),
    ("PUT", f"{SHOP}/versions/1", {"buildUrl": "https://ci.example.org/1"}, 200),
    ("GET", f"{SHOP}/latest-version", None, 200),
    ("GET", f"{SHOP}/latest-version/dev", None, 200),
    ("PUT", f"{SHOP}/labels/web", {}, 201),
    ("GET", f"{SHOP}/labels/web", None, 200),
    ("GET", "/labels?page=1&size=5", None, 200),
    ("GET", "/pacticipants/label/web", None, 200),
    ("GET", "/environments", None, 200),
    ("POST", "/environments", {"name": "live", "production": False, "teamUuids": []}, 201),
    ("GET", "/environments/{environment}", None, 200),
    ("PUT", "/environments/{environment}", {"name": "test", "production": True, "displayName": "Test"}, 200),
    ("POST", f"{SHOP}/versions/1/deployed-versions/environment/{{environment}}", {}, 201),
    ("POST", f"{SHOP}/versions/1/released-versions/environment/{{environment}}", {}, 201),
    ("GET", "/environments/{environment}/deployed-versions/currently-deployed", None, 200),
    ("GET", "/environments/{environment}/released-versions/currently-supported", None, 200),
    ("GET", f"{SHOP}/versions/1/deployed-versions/environment/{{environment}}", None, 200),
    ("GET", f"{SHOP}/versions/1/released-versions/environment/{{environment}}", None, 200),
    ("GET", "/integrations", None, 200),
    ("GET", "/pacticipant/Web%20Shop/network", None, 200),
    ("POST", "/webhooks", {**WEBHOOK, "teamUuid": None}, 201),
    ("GET", "/webhooks", None, 200),
    ("GET", "/webhooks/{webhook}", None, 200),
    ("PUT", "/webhooks/{webhook}", {**WEBHOOK, "consumer": None, "provider": None}, 200),
    ("POST", "/webhooks/execute", {}, 400),
    ("DELETE", "/webhooks/{webhook}", None, 204),
    ("DELETE", f"{SHOP}/labels/web", None, 204),
    ("DELETE", f"{SHOP}/branches/feat%2Fx", None, 204),
    ("DELETE", "/pacticipants/Scratch", None, 204),
    ("DELETE", "/environments/{environment}", None, 204),
    ("DELETE", "/integrations/provider/Prices%2Fv2/consumer/Web%20Shop", None, 204),
    ("DELETE", "/integrations", None, 204),
]
"""In the order in which they are sent: method, path, body and expected status."""


@pytest.fixture
def uuids(api: Api) -> dict[str, str]:
    """Names in the paths: an environment and a webhook, beside versions on a branch and with a tag."""
    history = History(api)
    for version in ("1", "2"):
        history.publish("Web Shop", version, "Prices/v2")
        history.branch("Web Shop", version, "feat/x")
    history.tag("Web Shop", "1", "dev")
    webhook = api.put("/webhooks/AAAAAAAAAAAAAAAAAAAAAA", WEBHOOK).json()["uuid"]
    return {"environment": history.environment("test"), "webhook": webhook}


def test_each_response_is_json_with_the_expected_status(api: Api, uuids: dict[str, str]) -> None:
    for method, path, body, status in REQUESTS:
        answer = api.request(method, path.format(**uuids), body, accept="*/*", headers=HEADERS)
        assert answer.status == status, f"{method} {path}: {answer.text}"
        if status == 204:
            assert answer.body == b""
        else:
            assert answer.headers["content-type"] == "application/hal+json;charset=utf-8", f"{method} {path}"
            assert isinstance(answer.json(), dict)


LISTS: Final = {
    "/pacticipants?pageNumber=2&pageSize=1": "pacticipants",
    "/labels?pageNumber=2&pageSize=1": "labels",
    f"{SHOP}/versions?pageNumber=2&pageSize=1": "versions",
    f"{SHOP}/branches?page=2&size=1": "branches",
    f"{SHOP}/branches/feat%2Fx/versions?pageNumber=2&pageSize=1": "versions",
    "/integrations?pageNumber=2&pageSize=1": "integrations",
}


@pytest.mark.usefixtures("uuids")
@pytest.mark.parametrize("path", LISTS)
def test_lists_are_paged_with_both_spellings_of_the_parameters(api: Api, path: str) -> None:
    for label in ("a", "b"):
        api.put(f"{SHOP}/labels/{label}", {})
    History(api).branch("Web Shop", "1", "main")
    History(api).publish("Web Shop", "1", "Stock")
    other = path.replace("pageNumber", "page").replace("pageSize", "size")
    if other == path:
        other = path.replace("page=", "pageNumber=").replace("size=", "pageSize=")
    pages: list[dict[str, Any]] = [api.get(spelling).json() for spelling in (path, other)]
    for page in pages:
        assert page["page"]["number"] == 2
        assert page["page"]["size"] == 1
        assert len(page["_embedded"][LISTS[path]]) == 1
    assert pages[0]["_embedded"] == pages[1]["_embedded"]
