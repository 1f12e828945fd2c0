"""The contents of each page."""

import base64
import json
import re

import pytest

from tests.pages.conftest import BROWSER, deploy, verify

pytestmark = pytest.mark.slow_on_postgresql  # test_overview.py and test_network.py have more statements of pages

V4 = {
    "consumer": {"name": "Till"},
    "provider": {"name": "Ledger"},
    "interactions": [
        {
            "type": "Synchronous/HTTP",
            "description": "a request for an order",
            "pending": True,
            "providerStates": [{"name": "order 7 exists", "params": {"id": 7}}],
            "request": {
                "method": "get",
                "path": "/orders/7",
                "query": {"expand": ["items"]},
                "matchingRules": {"path": {"matchers": [{"match": "regex", "regex": "/orders/[0-9]+"}]}},
            },
            "response": {
                "status": 200,
                "body": {"content": {"id": 7, "price": 1.10}, "contentType": "application/json", "encoded": False},
                "matchingRules": {"body": {"$.id": {"matchers": [{"match": "integer"}]}}},
                "generators": {"body": {"$.id": {"type": "RandomInt", "min": 1, "max": 9}}},
            },
        },
        {
            "type": "Asynchronous/Messages",
            "description": "an order was shipped",
            "contents": {
                "content": base64.b64encode(b'{"order": 7}').decode(),
                "contentType": "application/json",
                "encoded": "base64",
            },
            "metadata": {"topic": "orders"},
        },
    ],
    "metadata": {"pactSpecification": {"version": "4.0"}},
}
PACT = "/pacts/provider/Ledger/consumer/Till"


def put(api, version, content):
    assert api.put(f"{PACT}/version/{version}", content).status in {200, 201}


# The application


def test_an_application_shows_its_providers_and_consumers(history, show):
    history.publish("Shop", "1", "Till")
    text = show("/pacticipants/Till").text
    assert "Consumes 1" in text
    assert "Provides for 1" in text
    assert {"/pacticipants/Ledger", "/pacticipants/Shop"} <= set(show("/pacticipants/Till").links)


@pytest.mark.usefixtures("history")
def test_versions_show_where_they_are_and_how_they_fared(show):
    text = show("/pacticipants/Till").text
    assert "1-3 of 3 versions" in text
    assert "feat/x" in text
    assert "tag-2" in text
    assert "1-2 of 2 versions" in show("/pacticipants/Till?branch=main").text
    assert "1-1 of 1 version" in show("/pacticipants/Till?tag=tag-3").text


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("version", "answer", "reason"),
    [
        ("1", "Yes", "All required verification results are published and successful"),
        ("2", "Not yet", "Verify the pact of Till (2) with Ledger (10), and publish the result."),
    ],
)
def test_whether_a_version_can_be_deployed_is_answered_in_place(show, version, answer, reason):
    text = show(f"/pacticipants/Till?version={version}&to=production").text
    assert f"{answer} Till {version} to" in text
    assert reason in text


@pytest.mark.usefixtures("history")
def test_a_required_deployment_is_shown_with_its_command(show):
    text = show("/pacticipants/Till?version=1&to=test").text
    assert "pact-broker record-deployment --pacticipant Ledger --version 11 --environment test" in text


def test_a_repository_is_a_link_only_to_the_web(history, show):
    change = {"repositoryUrl": "https://git.example.org/till", "mainBranch": "main"}
    history.patch("/pacticipants/Till", change)
    assert "https://git.example.org/till" in show("/pacticipants/Till").links
    history.patch("/pacticipants/Till", {**change, "repositoryUrl": "javascript:alert(1)"})
    shown = show("/pacticipants/Till")
    assert "javascript:alert(1)" in shown.text
    assert not [link for link in shown.links if "javascript" in link]


def test_provider_states_are_listed_with_their_consumers(api, show):
    api.post("/pacticipants", {"name": "Till", "mainBranch": "main"})
    put(api, "1", V4)
    api.put("/pacticipants/Till/branches/main/versions/1", {})
    text = show("/pacticipants/Ledger?show=states").text
    assert 'order 7 exists {"id":7} Till' in text


def test_a_provider_state_with_an_empty_name_can_be_seen(api, show):
    api.post("/pacticipants", {"name": "Till", "mainBranch": "main"})
    interaction = {"description": "a request", "request": {"method": "get"}, "response": {}}
    put(api, "1", {"interactions": [interaction]})
    put(api, "2", {"interactions": [{**interaction, "providerState": ""}]})
    api.put("/pacticipants/Till/branches/main/versions/2", {})
    assert "(empty name) Till" in show("/pacticipants/Ledger?show=states").text
    assert "Given (empty name)" in show(f"{PACT}/version/2").text
    assert "Given" not in show(f"{PACT}/version/1").text
    assert "a request given (empty name)" in show(f"{PACT}/version/2/diff/previous-distinct").text


# Pacts


def test_interactions_are_described_in_words(api, show):
    put(api, "1", V4)
    text = show(f"{PACT}/latest").text
    for words in (
        "a request for an order GET /orders/7",
        "order 7 exists",
        "matches //orders/[0-9]+/",
        "any integer",
        "generated: a random integer from 1 to 9",
        '"price": 1.1',
        "an order was shipped Message",
        '"order": 7',
        "topic orders",
        "Specification 4.0",
    ):
        assert words in text


def test_the_contents_lead_to_each_interaction(api, show):
    put(api, "1", V4)
    shown = show(f"{PACT}/version/1")
    anchors = {link.removeprefix("#") for link in shown.links if link.startswith("#i")}
    assert len(anchors) == 2
    assert anchors <= set(shown.ids)


def test_interactions_are_searched(api, show):
    put(api, "1", V4)
    shown = show(f"{PACT}/version/1?q=SHIPPED")
    assert "1 interaction of 2 contains “SHIPPED”" in shown.text
    assert len(shown.all("details")) == 1
    assert "No interaction contains “nothing”" in show(f"{PACT}/version/1?q=nothing").text


def test_long_pacts_are_paged_and_links_lead_to_the_right_page(api, show):
    request = {"request": {"method": "GET", "path": "/"}, "response": {"status": 200}}
    many = {**V4, "interactions": [{"description": f"d{number}", **request} for number in range(60)]}
    put(api, "1", many)
    shown = show(f"{PACT}/version/1")
    assert len(shown.all("details")) == 50
    far = next(link for link in shown.links if link.startswith("?page=2#"))
    assert far.partition("#")[2] in show(f"{PACT}/version/1?page=2").ids


def test_other_contracts_are_shown_as_they_are(api, show):
    put(api, "1", {"anything": {"else": [1, 2]}})
    text = show(f"{PACT}/version/1").text
    assert "no interactions or messages" in text
    assert '"anything": {' in text


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    "path",
    [
        f"{PACT}/latest",
        f"{PACT}/latest/tag-1",
        f"{PACT}/branch/main/latest",
        f"{PACT}/version/1",
        f"{PACT}/versions/1",
        "/pact/provider/Ledger/consumer/Till/latest",
    ],
)
def test_every_url_of_a_pact_has_its_page(show, path):
    shown = show(path)
    assert shown.status == 200
    assert "Till expects of Ledger" in shown.text


def test_versions_and_results_stand_beside_a_pact(history, show):
    shown = show(f"{PACT}/version/2")
    assert "Failed by 11" in shown.text
    assert f"{PACT}/version/2/diff/version/1" in shown.links
    assert f"{PACT}/version/2.json" in shown.links
    assert history.get(f"{PACT}/version/2.json", accept=BROWSER).json()["consumer"] == {"name": "Till"}


# Differences


def test_changes_are_shown_side_by_side(api, show):
    put(api, "1", V4)
    first, _ = V4["interactions"]
    changed = json.loads(json.dumps(first))
    changed["response"]["status"] = 201
    put(api, "2", {**V4, "interactions": [changed, {"description": "new", "request": {}, "response": {}}]})
    for path in (f"{PACT}/version/2/diff/previous-distinct", f"{PACT}/version/2/diff/version/1"):
        text = show(path).text
        assert "1 new, 1 changed, 1 removed" in text
        assert '- "status": 200, + "status": 201,' in text


def test_many_changes_are_paged(api, show):
    pair = "/pacts/provider/Warehouse/consumer/Shop"
    for version, shift in (("1", 0), ("2", 70)):
        interactions = [{"description": f"thing {number + shift}", "request": {}} for number in range(120)]
        assert api.put(f"{pair}/version/{version}", {"interactions": interactions}).status == 201
    pages = [show(f"{pair}/version/2/diff/previous-distinct?page={number}") for number in (1, 2, 3)]
    assert {page.status for page in pages} == {200}
    assert all("70 new, 0 changed, 70 removed" in page.text for page in pages)
    ranges = [text for page in pages for text in re.findall(r"[0-9]+-[0-9]+ of 140 changes", page.text)]
    assert ranges == ["1-50 of 140 changes", "51-100 of 140 changes", "101-140 of 140 changes"]
    assert any("page=3" in link for link in pages[0].links)
    assert [page.text.count("+ New") + page.text.count(" Removed") for page in pages] == [50, 50, 40]


def test_pacts_that_differ_in_the_order_of_members_alone_are_the_same(api, show):
    pair = "/pacts/provider/Warehouse/consumer/Shop"
    orders = ({"description": "a", "request": {"path": "/"}}, {"request": {"path": "/"}, "description": "a"})
    for version, interaction in zip(("1", "2"), orders, strict=True):
        assert api.put(f"{pair}/version/{version}", {"interactions": [interaction]}).status == 201
    assert "Their interactions are equal" in show(f"{pair}/version/2/diff/version/1").text


LARGE = [{"description": f"thing {number}", "request": {}, "filling": "x" * 600} for number in range(2000)]


@pytest.mark.parametrize("end", ["", "/diff/version/1"])
def test_a_few_requests_for_large_pacts_run_or_wait_and_others_return_503(make_api, end):
    api = make_api(database_max_connections=2)
    pair = "/pacts/provider/Warehouse/consumer/Shop"
    for version in ("1", "2"):
        assert api.put(f"{pair}/version/{version}", {"interactions": LARGE, "number": version}).status == 201
    answers = api.together([("GET", f"{pair}/version/2{end}", {"accept": BROWSER})] * 60)
    assert {answer.status for answer in answers} <= {200, 503}  # how many wait depends on the machine
    assert sum(answer.status == 200 for answer in answers) >= 10
    for answer in answers:
        if answer.status == 503:
            assert "Several requests about large pacts are being processed" in answer.text
            assert answer.headers["retry-after"] == "5"


@pytest.mark.usefixtures("history")
def test_the_first_pact_has_nothing_to_compare_with(show):
    assert "No earlier pact has different content" in show(f"{PACT}/version/1/diff/previous-distinct").text
    assert "Their interactions are equal" in show(f"{PACT}/version/1/diff/version/1").text
    assert show(f"{PACT}/version/1/diff/version/99").status == 404


# The matrix and the pair


@pytest.mark.usefixtures("history")
def test_the_matrix_has_a_form_for_the_query(show):
    shown = show("/matrix")
    assert len(shown.all("fieldset")) == 3
    query = "q[][pacticipant]=Till&q[][version]=1&q[][branch]=&q[][pacticipant]=&q[][version]=&environment=production"
    shown = show(f"/matrix?{query}")
    assert "Yes 1 verified, 0 failed, 0 unknown" in shown.text
    assert any(element.attributes.get("value") == f"http://localhost/matrix?{query}" for element in shown.all("input"))


@pytest.mark.usefixtures("history")
def test_the_matrix_has_the_requested_number_of_selectors(history, show):
    history.publish("Shop", "1", "Till")
    query = "&".join(f"q[][pacticipant]={name}" for name in ("Till", "Ledger", "Shop"))
    shown = show(f"/matrix?{query}&selectors=4")
    assert [
        element.attributes["value"]
        for element in shown.all("input")
        if element.attributes.get("name") == "q[][pacticipant]"
    ] == [
        "Till",
        "Ledger",
        "Shop",
        "",
    ]
    assert "1 verified, 1 failed, 2 unknown" in shown.text
    assert len(show("/matrix?selectors=99999").all("fieldset")) == 11
    assert len(show("/matrix?selectors=x").all("fieldset")) == 3


@pytest.mark.usefixtures("history")
def test_the_matrix_of_a_pair_has_every_result(show):
    shown = show("/matrix/provider/Ledger/consumer/Till")
    assert "1 verified, 1 failed, 1 unknown" in shown.text


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("q[][pacticipant]=Nobody", "Application Nobody not found"),
        ("q=x", "q must be a list of selectors"),
        ("q[][pacticipant]=Till&environment=nowhere", "Environment with name 'nowhere' does not exist"),
        ("q[][pacticipant]=Till&latestby=x", "latestby must be one of"),
    ],
)
def test_problems_of_a_query_are_shown_on_the_page(show, query, problem):
    shown = show(f"/matrix?{query}")
    assert shown.status == 200
    assert problem in shown.text


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("view", "versions"),
    [
        ("", {"1", "2", "3"}),  # 1 is not the head of a branch, but is deployed to production
        ("?view=all", {"1", "2", "3"}),
        ("?view=tag", {"1", "2", "3"}),
        ("?view=environment", {"1"}),
    ],
)
def test_the_pacts_of_a_pair_are_seen_by_branch_tag_or_environment(show, view, versions):
    shown = show(f"/dashboard/provider/Ledger/consumer/Till{view}")
    # Versions that are deployed together are listed above the view.
    listed = shown.answer.text.partition('aria-label="View pacts by"')[2]
    assert set(re.findall(f'href="{PACT}/version/([^/"]+)"', listed)) == versions


def test_a_pair_without_branches_is_seen_by_tag_or_whole(api, show):
    api.publish("Till", "1", "Ledger")
    shown = show("/dashboard/provider/Ledger/consumer/Till")
    assert [
        element.attributes["href"] for element in shown.all("a") if element.attributes.get("aria-current") == "true"
    ] == ["?view=all"]


def cells(shown):
    """The cells of the grid, by row and column; empty where there is no result."""
    table = shown.answer.text.partition('class="grid pair-grid"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in table.split("</tr>")[:-1]]
    return [[next((word for word in ("Verified", "Failed") if word in cell), "") for cell in row] for row in rows]


@pytest.mark.usefixtures("history")
def test_the_grid_of_a_pair_sets_versions_against_versions(show):
    shown = show("/dashboard/provider/Ledger/consumer/Till?view=grid")
    assert cells(shown) == [["", ""], ["Failed", ""], ["", "Verified"]]
    assert re.findall(r'<th scope="col"><a [^>]*><span class="number">(.*?)</span>', shown.answer.text) == ["11", "10"]
    assert {f"{PACT}/version/{number}" for number in (1, 2, 3)} <= set(shown.links)
    assert "Production: Production" in shown.text
    assert [link for link in shown.links if "/verification-results/" in link]


def test_versions_with_the_same_content_share_their_results_in_the_grid(history, show):
    history.publish("Till", "4", "Ledger", "thing 1")
    assert cells(show("/dashboard/provider/Ledger/consumer/Till?view=grid"))[0] == ["", "Verified"]


def test_a_long_grid_is_paged_by_rows_and_columns(history, show):
    for number in range(20, 34):
        verify(history, "3", str(number), success=True)
        history.publish("Till", str(number), "Ledger", f"thing {number}")
    path = "/dashboard/provider/Ledger/consumer/Till?view=grid"
    shown = show(path)
    assert len(cells(shown)[0]) == 10
    assert "Versions of Ledger: 1-10" in shown.text
    assert "?view=grid&columns=2" in shown.links
    shown = show(f"{path}&columns=2")
    assert len(cells(shown)[0]) == 6
    assert "?view=grid&columns=1" in shown.links
    assert "This page is empty" in show(f"{path}&columns=99999999").text
    assert show(f"{path}&columns=-1&page=x").status == 200


def test_the_grid_of_a_pair_without_results_shows_a_message(api, show):
    api.publish("Till", "1", "Ledger")
    assert "These pacts have not been verified yet" in show("/dashboard/provider/Ledger/consumer/Till?view=grid").text


@pytest.mark.usefixtures("history")
def test_an_unknown_name_is_reported_on_the_page_of_a_pair(show):
    shown = show("/dashboard/provider/Ledger/consumer/Nobody")
    assert shown.status == 200
    assert "No application found with the name Nobody" in shown.text


# Environments, webhooks, results


def test_environments_show_their_deployed_versions(history, show):
    deploy(history, "Till", "2", "test")
    text = show("/environments").text
    assert "Application Test Production Ledger - 10" in text
    assert "Till 2" in text
    assert "1-1 of 1 application" in show("/environments?q=till").text


def test_a_broker_without_environments_shows_the_command_that_creates_one(show):
    assert "pact-broker create-environment --name production" in show("/environments").text


def test_webhooks_are_shown_with_their_deliveries(make_api, show):
    api = make_api(webhook_scheme_whitelist=("http", "https"))
    body = {
        "description": "Build it",
        "events": [{"name": "contract_published"}],
        "request": {
            "method": "POST",
            "url": "https://ci.example.org/build",
            "headers": {"Authorization": "Bearer x1y2z3"},
        },
    }
    response = api.post("/webhooks", body)
    assert response.status == 201
    path = response.link("self")
    assert path in show("/webhooks").links
    api.publish("Till", "1", "Ledger")
    shown = show(path)
    assert "contract published" in shown.text
    delivery = next(link for link in shown.links if link.startswith("/triggered-webhooks/"))
    shown = show(delivery)
    assert "Not sent yet" in shown.text
    assert [form.attributes.get("action") for form in shown.all("form")][1:] == [delivery.replace("logs", "again")]
    assert "x1y2z3" not in show(path).answer.text + shown.answer.text


def test_a_verification_result_is_shown(history, show):
    more = {
        "buildUrl": "https://ci.example.org/8",
        "testResults": [{"testDescription": "it broke", "status": "failed"}],
    }
    verify(history, "3", "12", success=False, **more)
    shown = show(f"{PACT}/version/3/verification-results/latest")
    assert "Failed" in shown.text
    assert '"testDescription": "it broke"' in shown.text
    assert "https://ci.example.org/8" in shown.links


def test_the_search_finds_names_and_versions(history, show):
    assert "/pacticipants/Ledger" in show("/search?q=edg").links
    assert "/pacticipants/Ledger/versions/11" in show("/search?q=11").links
    assert "/?environment=production" in show("/search?q=prod").links
    exact = history.get("/search?q=Till", accept=BROWSER)
    assert (exact.status, exact.headers["location"]) == (303, "/pacticipants/Till")


@pytest.mark.usefixtures("history")
def test_suggestions_are_listed_also_where_one_name_fits(show):
    shown = show("/search?q=Till&suggest=yes")
    assert shown.status == 200
    assert "/pacticipants/Till" in shown.links


# Which requests get pages


def test_a_missing_resource_returns_404_as_a_page(show):
    for path in ("/pacticipants/Nobody", f"{PACT}/latest", "/webhooks/none", "/no/such/path"):
        shown = show(path)
        assert shown.status == 404
        assert shown.answer.headers["content-type"].startswith("text/html")
    assert "No application has the name Nobody." in show("/pacticipants/Nobody").text


def test_clients_of_the_api_get_no_pages(history):
    for path in ("/", "/pacticipants/Till", f"{PACT}/latest", "/environments", "/webhooks"):
        for accept in ("", "*/*", "application/hal+json", "application/hal+json, application/json, */*; q=0.01"):
            assert history.get(path, accept=accept).headers["content-type"].startswith("application/hal+json")


def test_browsers_only_read_where_the_original_has_a_page(history):
    refused = history.delete("/pacticipants/Till", accept="text/html")
    assert (refused.status, refused.headers["allows"]) == (405, "GET, HEAD")


def test_browsers_reach_the_api_where_the_original_has_no_page(api):
    assert api.post("/environments", {"name": "x", "production": False}, accept="text/html, */*").status == 201


def test_links_begin_with_the_configured_address(make_api):
    api = make_api(base_urls=("https://example.org/broker",), open_access=True)
    api.publish("Till", "1", "Ledger")
    text = api.get("/", accept=BROWSER).text
    assert 'href="https://example.org/broker/pacticipants/Till"' in text
    assert 'href="https://example.org/broker/static/treaty.css' in text


def test_a_pact_shows_the_latest_result_of_each_interaction(api, show):
    assert api.put(f"{PACT}/version/1", V4).status == 201
    first, second = (interaction["_id"] for interaction in api.get(f"{PACT}/version/1").json()["interactions"])
    failed = {"interactionId": second, "success": False, "exceptions": [{"message": "<b>No shipping</b>"}]}
    verify(api, "1", "10", success=False, testResults=[{"interactionId": first, "success": True}, failed])
    text = show(f"{PACT}/version/1").text
    assert "✓ Verified a request for an order GET /orders/7 200 Pending" in text
    assert "✕ Failed an order was shipped Message" in text
    assert "10 failed this interaction. Full result <b>No shipping</b>" in text


def test_a_verification_lists_failures_first_and_leads_to_their_interactions(api, show):
    assert api.put(f"{PACT}/version/1", V4).status == 201
    first, second = (interaction["_id"] for interaction in api.get(f"{PACT}/version/1").json()["interactions"])
    failed = {
        "interactionId": second,
        "success": False,
        "mismatches": [{"attribute": "body", "description": "differs"}],
    }
    gone = {"interactionId": "gone", "interactionDescription": "of another pact", "success": True}
    verify(api, "1", "10", success=False, testResults=[{"interactionId": first, "success": True}, failed, gone])
    shown = show(f"{PACT}/version/1/verification-results/latest")
    assert (
        "✕ Failed an order was shipped body: differs ✓ Verified 2 interactions a request for an order of another"
        in shown.text
    )
    [link] = [link for link in shown.links if "/pact-version/" in link and "#i" in link][:1]
    assert link.partition("#")[2] in show(link.partition("#")[0]).ids


@pytest.mark.usefixtures("history")
def test_an_application_is_deleted_once_its_name_was_typed(show, submit):
    text = show("/pacticipants/Ledger/delete").text
    assert "its 2 versions with their branches" in text
    assert "It runs in Production: Production 10" in text
    assert "1 consumer will have no pact with it any more: Till" in text
    refused = submit("/pacticipants/Ledger/delete", {"name": "ledger"})
    assert refused.status == 400
    assert "must be the application's name, Ledger" in refused.text
    assert show("/pacticipants/Ledger").status == 200
    moved = submit("/pacticipants/Ledger/delete", {"name": "Ledger"}).moved_to
    assert "Deleted." in show(moved).text
    assert show("/pacticipants/Ledger").status == 404
    assert show("/pacticipants/Ledger/delete").status == 404


def test_provider_states_lead_to_where_they_are_used(api, show):
    assert api.put(f"{PACT}/version/1", V4).status == 201
    assert api.put("/pacticipants/Till/branches/main/versions/1", {}).status == 201
    (link,) = (address for address in show("/pacticipants/Ledger?show=states").links if "?q=" in address)
    assert "1 interaction of 2 contains" in show(link).text


def test_a_pact_shows_its_plugins_and_their_markup(api, show):
    plugin = {"name": "protobuf", "version": "0.3.1", "configuration": {}}
    message = {
        "type": "Synchronous/Messages",
        "description": "a call",
        "request": {
            "contents": {"content": "CAcSBG5hbWU=", "contentType": "application/protobuf", "encoded": "base64"}
        },
        "pluginConfiguration": {"protobuf": {"service": "Orders/Get"}},
        "interactionMarkup": {"markup": "```protobuf\nmessage Order {}\n```", "markupType": "COMMON_MARK"},
    }
    metadata = {"pactSpecification": {"version": "4.0"}, "plugins": [plugin, 7, {"name": None}]}
    assert api.put(f"{PACT}/version/1", {**V4, "interactions": [message], "metadata": metadata}).status == 201
    text = show(f"{PACT}/version/1").text
    assert "Plugins protobuf 0.3.1" in text
    assert "8 bytes, binary 0000 08 07 12 04 6e 61 6d 65 ....name" in text
    assert "Plugin description message Order {}" in text
    assert '"service": "Orders/Get"' in text


def test_an_application_lists_some_consumers_and_all_of_them_on_request(api, show, monkeypatch):
    monkeypatch.setattr("treaty.web.pages.pacticipants.pacticipants.MAX_INTEGRATIONS", 2)
    for name in ("App", "Kiosk", "Till"):
        assert api.publish(name, "1", "Ledger").status == 200
    shown = show("/pacticipants/Ledger")
    assert "Provides for 3" in shown.text
    assert "Show all 3 consumers" in shown.text
    assert "/dashboard/provider/Ledger/consumer/Till" not in shown.links
    assert "?integrations=all" in shown.links
    everything = show("/pacticipants/Ledger?integrations=all")
    assert "/dashboard/provider/Ledger/consumer/Till" in everything.links
    assert "Show all" not in everything.text
