"""Whatever is published, pages run nothing of it and link nowhere but to the web."""

import base64
import json
from urllib.parse import quote

import pytest

from tests.pages.hostile_texts import TAGS, TRICKS

# The statements behind these pages run on PostgreSQL in the tests of the API.
pytestmark = pytest.mark.long_on_postgresql


def hostile_pact(trick):
    return {
        "consumer": {"name": trick},
        "provider": {"name": "Victim"},
        "interactions": [
            {
                "_id": trick,
                "description": trick,
                "providerStates": [{"name": trick, "params": {trick: trick}}],
                "comments": {"text": [trick]},
                "request": {
                    "method": trick,
                    "path": trick,
                    "query": {trick: [trick]},
                    "headers": {trick: trick},
                    "body": {trick: [trick, {trick: None}]},
                    "matchingRules": {
                        "path": {"matchers": [{"match": "regex", "regex": trick}]},
                        "body": {"$." + trick: {"matchers": [{"match": trick}, {"match": "include", "value": trick}]}},
                        trick: trick,
                    },
                    "generators": {"body": {"$": {"type": trick}}},
                },
                "response": {"status": trick, "body": trick},
            },
            trick,
            None,
            [],
            {"request": 7, "response": [7], "providerStates": 7, "matchingRules": 7},
        ],
        "messages": [{"description": trick, "contents": trick, "metadata": {trick: trick}, "matchingRules": [trick]}],
        "metadata": trick,
    }


@pytest.fixture(params=TRICKS)
def trick(request):
    return request.param


@pytest.fixture
def pages(api, trick):
    """Publish a trick wherever a name or a text can be published, and list the pages where it may show."""
    name = quote(trick, safe="")
    pair = f"/pacts/provider/Victim/consumer/{name}"
    assert api.put(f"{pair}/version/{name}", hostile_pact(trick)).status == 201
    changed = json.loads(json.dumps(hostile_pact(trick)))
    changed["interactions"][0]["response"]["status"] = 7
    assert api.put(f"{pair}/version/2", changed).status == 201
    api.put(f"/pacticipants/{name}/branches/{name}/versions/{name}", {"buildUrl": trick})
    api.put(f"/pacticipants/{name}/versions/{name}/tags/{name}", {})
    api.put(f"/pacticipants/{name}/labels/{name}", {})
    api.patch(f"/pacticipants/{name}", {"repositoryUrl": trick, "mainBranch": "main"})
    environment = {"name": trick.replace(" ", ""), "displayName": trick, "production": True}
    response = api.post("/environments", environment)
    uuid = response.json()["uuid"]
    api.post(
        f"/pacticipants/{name}/versions/{name}/deployed-versions/environment/{uuid}", {"applicationInstance": trick}
    )
    result = {"success": False, "providerApplicationVersion": trick, "testResults": {trick: trick}, "buildUrl": trick}
    api.post(api.get(f"{pair}/version/2").link("pb:publish-verification-results"), result)
    api.post(api.get(f"{pair}/version/2").link("pb:publish-verification-results"), {**result, "buildUrl": None})
    document = {
        "openapi": "3.1.0",
        "info": {"title": trick, "version": trick},
        "paths": {trick: {"get": {"summary": trick, "responses": {}}}, "/x": {"get": {"operationId": trick}}},
        "components": {"schemas": {trick: {"type": "object"}}},
    }
    contract = {
        "name": trick,
        "content": base64.b64encode(json.dumps(document).encode()).decode(),
        "contentType": "application/json",
        "specification": "oas",
        "selfVerificationResults": {"success": False, "content": trick, "verifier": trick, "verifierVersion": trick},
    }
    build = {"pacticipantVersionNumber": trick, "contracts": [contract]}
    assert api.post("/provider-contracts/provider/Victim/publish-contracts", build).status == 200
    interaction = {"description": trick, "request": {"method": "GET", "path": trick}, "response": {"status": 200}}
    readable = {"consumer": {"name": trick}, "provider": {"name": "Victim"}, "interactions": [interaction]}
    assert api.put(f"{pair}/version/3", readable).status == 201
    contracts = f"/contracts/bi-directional/provider/Victim/version/{name}"
    return [
        f"{contracts}/provider-contract",
        f"{contracts}/provider-contract?q={name}",
        f"{contracts}/provider-contract/document?name={name}&line={name}",
        f"{contracts}/consumer/{name}/version/3/cross-contract-verification-results",
        f"{contracts}/consumer/{name}/version/{name}/cross-contract-verification-results",
        f"/pacticipants/{name}/provider-contract",
        "/",
        f"/?q={name}&branch={name}&label={name}&environment={name}&state={name}&sort={name}",
        f"/?tags=true&q={name}&tag={name}",
        f"/?tags[]={name}",
        f"/pacticipants/{name}",
        f"/pacticipants/{name}?version={name}&to={quote(environment['name'], safe='')}&tag={name}",
        f"/pacticipants/{name}/network",
        "/attention",
        f"/attention?kind={name}",
        "/pending",
        f"/pending?q={name}&wip={name}",
        f"/pending?q={name}&stale={name}",
        f"/trends?application={name}",
        f"/trends?consumer={name}&provider=Victim&by={name}",
        f"/trends/rows?application={name}&show={name}&day={name}",
        "/network",
        f"/network?focus={name}&label={name}&environment={name}&state={name}&depth={name}",
        "/pacticipants/Victim?show=states",
        f"{pair}/latest",
        f"{pair}/version/{name}?q={name}",
        f"{pair}/version/2/diff/version/{name}",
        f"{pair}/version/2/verification-results/latest",
        f"/dashboard/provider/Victim/consumer/{name}?view=all",
        f"/dashboard/provider/Victim/consumer/{name}?view=grid&columns={name}",
        f"/dashboard/provider/{name}{name}/consumer/{name}",
        f"/matrix/provider/Victim/consumer/{name}",
        f"/matrix?q[][pacticipant]={name}&q[][tag]={name}&latestby={name}",
        "/environments",
        f"/environments?q={name}",
        f"/search?q={name[:9]}",
        f"/pacticipants/{name}nobody",
    ]


def test_nothing_that_was_published_runs(show, pages):
    for path in pages:
        shown = show(path)
        assert shown.status in {200, 303, 404}, path
        assert {element.tag for element in shown.elements} <= TAGS, path
        scripts = [script.attributes for script in shown.all("script")]
        assert all(
            set(attributes) == {"type", "src"} and attributes["src"].startswith("/static/") for attributes in scripts
        ), path
        for element in shown.elements:
            assert not [name for name in element.attributes if name.startswith("on") or name == "style"], path
            for name in ("href", "src", "action", "data-api"):
                target = element.attributes.get(name)
                assert target is None or target.startswith(("/", "#", "?", "https://", "data:image/svg+xml,")), path


def test_every_page_has_a_strict_content_security_policy(show, pages):
    for path in pages:
        headers = show(path).answer.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "style-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]
        assert headers["cache-control"] == "no-store"
