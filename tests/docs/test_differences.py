"""Treaty behaves as docs/differences.md describes."""

import base64
import json

import httpx
import pytest

from tests.whole.servers import running

JSON = {"content-type": "application/json"}
ONLY_JSON = {"accept": "application/json"}
HAL = {"accept": "application/hal+json"}
TEXT = {"accept": "text/plain"}
PAIR = "/pacts/provider/Bar/consumer/Foo"
WEBHOOK = {"events": [{"name": "contract_published"}], "request": {"method": "POST", "url": "https://example.org"}}


def pact(path):
    interaction = {"description": path, "request": {"method": "GET", "path": path}, "response": {"status": 200}}
    return {"consumer": {"name": "Foo"}, "provider": {"name": "Bar"}, "interactions": [interaction]}


def publication(version, path, branch):
    contract = {
        "consumerName": "Foo",
        "providerName": "Bar",
        "specification": "pact",
        "contentType": "application/json",
        "content": base64.b64encode(json.dumps(pact(path)).encode()).decode(),
    }
    return {
        "pacticipantName": "Foo",
        "pacticipantVersionNumber": version,
        "branch": branch,
        "contracts": [contract],
    }


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("differences")
    with running(f"sqlite:///{folder / 'treaty.sqlite'}", cwd=folder) as server:
        yield server.address


@pytest.fixture(scope="module")
def broker(address):
    """A broker with three versions of Foo: 1 and 2 on main, 3 on a branch."""
    with httpx.Client(base_url=address) as client:
        for version, path, branch in (("1", "/a", "main"), ("2", "/b", "main"), ("3", "/c", "feat/x")):
            client.post("/contracts/publish", json=publication(version, path, branch)).raise_for_status()
        client.post("/environments", json={"name": "live", "production": True}).raise_for_status()
        yield client


@pytest.mark.parametrize(
    ("status", "method", "path", "more"),
    [
        (200, "HEAD", "/pacticipants/Foo", {}),
        (200, "GET", "/pacticipants", {"headers": ONLY_JSON}),
        (406, "POST", "/contracts/publish", {"headers": ONLY_JSON, "json": publication("1", "/a", "main")}),
        (200, "GET", "/pacticipants/Foo", {"headers": {"if-match": '"x"'}}),
        (200, "GET", f"{PAIR}/latest", {"headers": {**ONLY_JSON, "referer": "http://elsewhere.example/"}}),
        (400, "NONSENSE", "/pacticipants", {}),
        (200, "OPTIONS", "/matrix/provider/Bar/consumer/Foo", {}),
        (200, "OPTIONS", "/pacticipants/Foo/latest-version/a/can-i-deploy/to/b", {}),
        (400, "POST", "/environments", {"headers": JSON}),
        (415, "POST", "/environments", {"content": "hello"}),
        (400, "PUT", f"{PAIR}/version/1", {"content": "hello"}),
        (400, "POST", "/pacts/provider/Bar/for-verification", {"json": []}),
        (400, "POST", "/contracts/publish", {"json": {**publication("1", "/a", "main"), "contracts": []}}),
        (400, "PUT", "/pacticipants/%20/versions/1/tags/x", {"json": {}}),
        (400, "POST", "/pacticipants", {"json": {"name": "n" * 2001}}),
        (422, "GET", "/pacticipants/a%00b", {}),
        (400, "POST", "/pacticipants", {"json": {"name": "a\0b"}}),
        (400, "GET", "/pacticipants?q=a%00b", {}),
        (422, "GET", "/pacticipants/%ff", {}),
        (400, "GET", "/matrix?q[][pacticipant]=Foo&latestby=x", {}),
        (400, "GET", "/matrix?q=Foo", {}),
        (200, "GET", "/matrix?q[][pacticipant]=Foo&latestby=cp", {}),
        (400, "GET", "/pacticipants/Foo/branches?page=x", {}),
        (200, "POST", "/pacts/provider/Bar/for-verification", {"json": {"providerVersionTags": None}}),
        (404, "GET", "/dashboard/provider/Nobody/consumer/Foo", {}),
        (400, "POST", "/webhooks", {"json": {**WEBHOOK, "events": ["x"]}}),
        (400, "POST", "/webhooks/consumer/Foo", {"json": {**WEBHOOK, "consumer": {"label": "x"}}}),
        (
            200,
            "GET",
            "/pacticipants/Foo/branches/main/latest-version/can-i-deploy/to-environment/live",
            {"headers": TEXT},
        ),
    ],
)
def test_the_status_is(broker, status, method, path, more):
    assert broker.request(method, path, **more).status_code == status


def test_an_answer_that_the_client_has_is_not_sent_again(broker):
    tag = broker.get("/pacticipants").headers["etag"]
    assert broker.get("/pacticipants", headers={"if-none-match": tag}).status_code == 304


def test_the_reference_of_a_failure_is_the_request_id(broker):
    failed = broker.get("/test/error", headers=HAL)
    assert failed.json()["error"]["reference"] == failed.headers["x-request-id"]


def test_forwarded_headers_count_from_trusted_proxies_only(broker):
    answer = broker.get("/", headers={"x-forwarded-host": "elsewhere.example"})
    assert "elsewhere" not in answer.text


def test_the_location_header_leads_to_the_created_pacticipant(broker):
    location = broker.post("/pacticipants", json={"name": "New One"}).headers["location"]
    assert broker.get(location).json()["name"] == "New One"


def test_each_problem_is_reported_once(broker):
    assert broker.post("/pacticipants", json={"name": " "}).json() == {"errors": {"name": ["cannot be blank"]}}


def test_a_webhook_keeps_its_events(broker):
    created = broker.post("/webhooks", json=WEBHOOK).json()
    path = created["_links"]["self"]["href"]
    changed = broker.put(path, json={"request": WEBHOOK["request"]}).json()
    assert changed["events"] == created["events"]


def test_branches_named_by_a_text_stay(broker):
    for branch in ("stays", "goes"):
        broker.put(f"/pacticipants/Other/branches/{branch}/versions/1", json={})
    broker.delete("/pacticipants/Other/branches?exclude=stays")
    left = broker.get("/pacticipants/Other/branches").json()["_embedded"]["branches"]
    assert [branch["name"] for branch in left] == ["stays"]


def test_a_difference_is_with_the_version_that_is_named(broker):
    text = broker.get(f"{PAIR}/version/3/diff/version/1", headers=TEXT).text
    assert text.startswith("# Diff between versions 1 and 3 ")


def test_the_latest_result_with_a_tag_is_that_of_the_tag(broker):
    for version, tag, success in (("1", "good", True), ("2", "bad", False)):
        broker.put(f"/pacticipants/Foo/versions/{version}/tags/{tag}", json={})
        links = broker.get(f"{PAIR}/version/{version}").json()["_links"]
        result = {"success": success, "providerApplicationVersion": "p"}
        broker.post(links["pb:publish-verification-results"]["href"], json=result).raise_for_status()
    for tag, success in (("good", True), ("bad", False)):
        assert broker.get(f"{PAIR}/latest/{tag}/verification-results/latest").json()["success"] is success


def test_links_lead_to_the_resources_of_their_relations(broker):
    pact_links = broker.get(f"{PAIR}/latest").json()["_links"]
    assert pact_links["pb:consumer-webhooks"]["href"].endswith("/webhooks/consumer/Foo")
    (integration,) = broker.get("/integrations", headers=HAL).json()["_embedded"]["integrations"]
    assert broker.get(integration["_links"]["pb:matrix"]["href"]).is_success
    assert broker.get(integration["_links"]["pb:group"]["href"]).is_success


def test_numbers_are_kept_as_written(broker):
    written = json.dumps(pact("/numbers")).replace("200", "1.10").replace('"/numbers"}', "12345678901234567890123}")
    broker.put(f"{PAIR}/version/numbers", content=written, headers=JSON).raise_for_status()
    stored = broker.get(f"{PAIR}/version/numbers").text
    assert '"status":1.10' in stored
    assert '"path":12345678901234567890123' in stored


def test_only_pacts_of_the_main_branch_go(broker):
    broker.delete(f"{PAIR}/branch/versions")
    left = broker.get(f"{PAIR}/versions").json()["_embedded"]["pacts"]
    numbers = [pact["_embedded"]["consumerVersion"]["number"] for pact in left]
    assert numbers == ["numbers", "3"]


def test_an_integration_is_deleted_for_any_accept_header(broker):
    assert broker.delete("/integrations/provider/Bar/consumer/Foo", headers=HAL).status_code == 204
