"""SmartBear's MCP server: each of its tools for a broker works, or belongs to PactFlow and fails with that reason."""

import base64
import json
import re
from functools import partial
from typing import Any, Final

import pytest

from tests.clients import access, mcp, toolchains
from tests.clients.registry import (
    AUDIT,
    BRANCHES,
    CAN_I_DEPLOY,
    DEPLOYMENTS,
    ENVIRONMENTS,
    INTEGRATIONS,
    LABELS,
    MCP,
    METRICS,
    PACTICIPANTS,
    PROVIDER_STATES,
    PUBLISH,
    RELEASES,
    SECRETS,
    TAGS,
    WEBHOOKS,
    client,
    exercises,
)
from tests.receiver import receiving
from tests.whole import servers

pytestmark = client(MCP)
CONSUMER, PROVIDER = "Web Shop", "Prices/v2"
PACT: Final = {
    "consumer": {"name": CONSUMER},
    "provider": {"name": PROVIDER},
    "interactions": [
        {
            "description": "a request for a price",
            "providerStates": [{"name": "a price exists", "params": {"sku": "7"}}],
            "request": {"method": "GET", "path": "/prices/7"},
            "response": {"status": 200},
        }
    ],
    "metadata": {"pactSpecification": {"version": "3.0.0"}},
}
NOBODY: Final = "00000000-0000-0000-0000-000000000000"
PROVIDER_VERSION: Final = {"providerName": PROVIDER, "providerVersionNumber": "1"}
PAIR: Final = {**PROVIDER_VERSION, "consumerName": CONSUMER, "consumerVersionNumber": "1"}
TESTED: Final = {"success": True, "verifier": "a tool"}
DOCUMENT: Final = {
    "openapi": "3.1.0",
    "info": {"title": "Prices", "version": "1"},
    "paths": {"/prices/{sku}": {"get": {"responses": {"200": {"description": "A price"}}}}},
}
OPENAPI: Final = {
    "content": base64.b64encode(json.dumps(DOCUMENT).encode()).decode(),
    "contentType": "application/json",
    "specification": "oas",
}
ROLE: Final = {"name": "Readers", "permissions": [{"scope": "contract:read"}]}
USER: Final = {"userId": NOBODY}
TEAM: Final = {"teamId": NOBODY}
TEAMS, USERS = "Teams are a feature", "does not manage users over HTTP"
PREFERENCES, AI = "Preferences are a feature", "Generating and reviewing tests is a feature"
PAID: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "check_pactflow_ai_entitlements": ({}, AI),
    "get_user_preferences": ({}, PREFERENCES),
    "get_system_preferences": ({}, PREFERENCES),
    "get_team_metrics": ({}, TEAMS),
    "get_integrations_by_team": (TEAM, TEAMS),
    "admin_list_teams": ({}, TEAMS),
    "admin_get_team": (TEAM, TEAMS),
    "admin_create_team": ({"name": "Shop"}, TEAMS),
    "admin_update_team": ({**TEAM, "name": "Shop"}, TEAMS),
    "admin_delete_team": (TEAM, TEAMS),
    "admin_list_team_users": (TEAM, TEAMS),
    "admin_get_team_user": ({**TEAM, **USER}, TEAMS),
    "admin_set_team_users": ({**TEAM, "uuids": []}, TEAMS),
    "admin_patch_team_users": ({**TEAM, "operations": []}, TEAMS),
    "admin_remove_user_from_team": ({**TEAM, **USER}, TEAMS),
    "admin_list_users": ({"q": "ci"}, USERS),
    "admin_get_user": (USER, USERS),
    "admin_create_user": ({"email": "ada@example.org", "name": "Ada"}, USERS),
    "admin_update_user": ({**USER, "active": False}, USERS),
    "admin_delete_user": (USER, USERS),
    "admin_invite_users": ({"users": [{"email": "ada@example.org", "name": "Ada"}]}, USERS),
    "admin_set_user_roles": ({**USER, "roles": []}, USERS),
    "admin_add_role_to_user": ({**USER, "roleId": NOBODY}, USERS),
    "admin_remove_role_from_user": ({**USER, "roleId": NOBODY}, USERS),
    "admin_list_roles": ({}, USERS),
    "admin_get_role": ({"roleId": NOBODY}, USERS),
    "admin_create_role": (ROLE, USERS),
    "admin_update_role": ({**ROLE, "roleId": NOBODY}, USERS),
    "admin_delete_role": ({"roleId": NOBODY}, USERS),
    "admin_reset_roles": ({}, USERS),
    "admin_list_permissions": ({}, USERS),
    "admin_create_system_account": ({"name": "builds"}, USERS),
    "admin_get_system_account_tokens": ({"accountId": NOBODY}, USERS),
}
"""The tools of PactFlow for which Treaty has no counterpart: arguments, and the reason in the broker's 404."""
OF_PROVIDER_VERSION: Final = (
    *("provider_contract", "provider_contract_verification_results", "consumer_contracts"),
    *("consumer_contract_verification_results", "cross-contract_verification_results"),
)
OF_PAIR: Final = (
    *("consumer_by_consumer_version", "provider_by_consumer_version", "provider_check_results_by_consumer"),
    *("consumer_pact_test_results_by_consumer", "x-contract_test_results_by_consumer"),
)
"""The contracts of a version of a provider, and those of a pair, as the tools read them."""
SHARED_WITH_PACTFLOW: Final = {
    *("create_secret", "list_secrets", "get_secret", "update_secret", "delete_secret"),
    *("get_current_user", "list_api_tokens", "regenerate_api_token", "get_audit_log", "publish_provider_contract"),
    *(f"get_bdct_{name}" for name in (*OF_PROVIDER_VERSION, *OF_PAIR)),
}
"""The tools of PactFlow that work with Treaty, though not with the original broker."""


@pytest.fixture(autouse=True)
def hook(monkeypatch):
    """A receiver of webhooks, to which the broker may send them."""
    monkeypatch.setenv("PACT_BROKER_WEBHOOK_SCHEME_WHITELIST", "http https")
    monkeypatch.setenv("PACT_BROKER_WEBHOOK_HOST_WHITELIST", "127.0.0.1")
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def assistant(broker, tmp_path):
    """An assistant with the server's tools. With a token they are those of PactFlow, with a password the original's."""
    modules = toolchains.newest_node()
    with mcp.assistant((modules / ".bin/node", modules / ".bin/mcp"), tmp_path, broker.environ) as user:
        yield user


@exercises(
    *(PUBLISH, BRANCHES, TAGS, CAN_I_DEPLOY, DEPLOYMENTS, RELEASES, PACTICIPANTS, ENVIRONMENTS, WEBHOOKS),
    *(PROVIDER_STATES, LABELS, INTEGRATIONS, METRICS),
)
def test_every_tool_for_a_broker_works(assistant, broker, hook):
    publish(assistant, broker)
    describe_applications(assistant)
    look_at_versions(assistant)
    decide(assistant, broker)
    deploy_and_release(assistant)
    look_at_everything(assistant)
    use_webhooks(assistant, hook)
    delete(assistant, broker)
    others = {*PAID, *SHARED_WITH_PACTFLOW} if "PACT_BROKER_TOKEN" in broker.environ else set()
    assert assistant.tools() == assistant.used | others
    exchanges = [exchange for exchange in broker.relay.exchanges if exchange.is_of_client]
    assert {exchange.status for exchange in exchanges if exchange.method == "DELETE"} == {204}


@exercises(SECRETS, AUDIT)
@pytest.mark.parametrize("broker", [access.PLAIN], indirect=True)
def test_tools_of_pactflow_work_or_fail_with_the_reason(assistant, broker, tmp_path):
    # The server has asked whether there is an AI, and leaves these two out.
    assert assistant.tools().isdisjoint({"generate_pact_tests", "review_pact_tests"})
    for tool, (arguments, reason) in PAID.items():
        text = assistant.failure(tool, **arguments)
        assert "404 Not Found" in text
        assert reason in text
    assert "may not read the audit trail" in assistant.failure("get_audit_log")
    assert "may not manage secrets" in assistant.failure("create_secret", name="KEY", value="hush")
    promote(tmp_path)
    read_contracts(assistant, broker)
    secret = assistant.use("create_secret", name="KEY", value="hush", description="of the CI")
    chosen = {"secretId": secret["uuid"]}
    assistant.use("update_secret", **chosen, name="KEY", value="hush hush", description="of the CI")
    assert "hush" not in json.dumps(assistant.use("get_secret", **chosen))
    assert names(assistant.use("list_secrets")["_embedded"]["secrets"]) == ["KEY"]
    assistant.delete("delete_secret", **chosen)
    assert "404" in assistant.failure("get_secret", **chosen)
    assert assistant.use("get_current_user")["name"] == access.USER
    latest = assistant.use("get_audit_log", sort="-timestamp", pageSize=2, since="2020-01-01T00:00:00Z")["events"]
    assert [event["type"] for event in latest] == ["secret_removal", "secret_change"]
    tokens = assistant.use("list_api_tokens")["_embedded"]["items"]
    (token,) = (token["uuid"] for token in tokens if token["description"] == "build")
    assert assistant.use("regenerate_api_token", tokenId=token)["value"]
    assert "401" in assistant.failure("get_current_user")
    assert assistant.used == {*PAID, *SHARED_WITH_PACTFLOW, "publish_consumer_contracts"}


def read_contracts(assistant, broker):
    publish(assistant, broker)
    contract = {**OPENAPI, "selfVerificationResults": TESTED}
    assistant.use("publish_provider_contract", providerName=PROVIDER, pacticipantVersionNumber="1", contract=contract)
    parts = [(OF_PROVIDER_VERSION, PROVIDER_VERSION), (OF_PAIR, PAIR)]
    statuses = {
        name: assistant.use(f"get_bdct_{name}", **arguments)["verificationStatus"]
        for names, arguments in parts
        for name in names
    }
    # The broker does not know the results of a consumer's own tests.
    assert statuses == {name: "unknown" if name.startswith("consumer_") else "success" for name in statuses}


def promote(folder):
    words = ("user", "role", access.USER, "administrator", "--database-url", f"sqlite:///{folder / 'treaty.sqlite'}")
    done = servers.run("treaty", *words, cwd=folder)
    assert done.returncode == 0, done.stderr


def names(documents):
    return [document["name"] for document in documents]


def publish(assistant, broker):
    content = base64.b64encode(json.dumps(PACT).encode()).decode()
    contract = {"consumerName": CONSUMER, "providerName": PROVIDER, "content": content}
    contract |= {"contentType": "application/json", "specification": "pact"}
    send = partial(assistant.use, "publish_consumer_contracts", pacticipantName=CONSUMER, contracts=[contract])
    first = send(pacticipantVersionNumber="1", branch="main", tags=["dev"], buildUrl="https://ci.example/1")
    assert any("successfully published" in notice["text"] for notice in first["notices"])
    send(pacticipantVersionNumber="2", branch="feat/x")
    assert broker.versions(CONSUMER) == ["2", "1"]


def describe_applications(assistant):
    shop, prices = {"pacticipantName": CONSUMER}, {"pacticipantName": PROVIDER}
    assert assistant.use("create_pacticipant", name="Scratch", mainBranch="main")["mainBranch"] == "main"
    assistant.use("update_pacticipant", **shop, displayName="Shop", mainBranch="main")
    assistant.use("patch_pacticipant", **prices, repositoryUrl="https://git.example/prices")
    assert assistant.use("get_pacticipant", **shop)["displayName"] == "Shop"
    page = assistant.use("list_pacticipants", pageNumber=2, pageSize=2)
    assert page["page"] == {"number": 2, "size": 2, "totalElements": 3, "totalPages": 2}
    assert names(page["_embedded"]["pacticipants"]) == [CONSUMER]
    assistant.use("add_label_to_pacticipant", **shop, labelName="web")
    assert assistant.use("get_pacticipant_label", **shop, labelName="web")["name"] == "web"
    assert names(assistant.use("list_labels")["_embedded"]["labels"]) == ["web"]
    labelled = assistant.use("list_pacticipants_by_label", labelName="web")
    assert names(labelled["_embedded"]["pacticipants"]) == [CONSUMER]


def look_at_versions(assistant):
    shop = {"pacticipantName": CONSUMER}
    assert names(assistant.use("list_branches", **shop, q="feat", pageSize=1)["_embedded"]["branches"]) == ["feat/x"]
    assert assistant.use("get_branch", **shop, branchName="feat/x")["name"] == "feat/x"
    on_branch = assistant.use("get_branch_versions", **shop, branchName="feat/x")["_embedded"]["versions"]
    page = assistant.use("list_pacticipant_versions", **shop, pageNumber=1, pageSize=1)
    assert [version["number"] for version in (*on_branch, *page["_embedded"]["versions"])] == ["2", "2"]
    assert page["page"]["totalElements"] == 2
    assert assistant.use("get_latest_pacticipant_version", **shop)["number"] == "2"
    assert assistant.use("get_latest_pacticipant_version", **shop, tag="dev")["number"] == "1"
    assistant.use("update_pacticipant_version", **shop, versionNumber="1", buildUrl="https://ci.example/2")
    assert assistant.use("get_pacticipant_version", **shop, versionNumber="1")["buildUrl"] == "https://ci.example/2"


def decide(assistant, broker):
    environment = assistant.use("create_environment", name="test", production=False)["uuid"]
    can_i_deploy = partial(assistant.use, "can_i_deploy", pacticipant=CONSUMER, version="1", environment="test")
    assert can_i_deploy()["summary"]["deployable"] is None
    verify(assistant, broker)
    selectors = [{"pacticipant": CONSUMER, "branch": "main", "latest": True}, {"pacticipant": PROVIDER, "version": "5"}]
    matrix = assistant.use("matrix", q=selectors, latestby="cvpv", limit=10)
    assert matrix["summary"]["deployable"] is True
    assert [row["provider"]["version"]["number"] for row in matrix["matrix"]] == ["5"]
    consumer_matrix = assistant.use("matrix", q=[{"pacticipant": CONSUMER, "version": "2"}], latestby="cvp")
    assert consumer_matrix["matrix"][0]["verificationResult"]["success"] is True
    assistant.use("record_deployment", pacticipantName=PROVIDER, versionNumber="5", environmentId=environment)
    assert can_i_deploy()["summary"]["deployable"] is True


def verify(assistant, broker):
    """Verify the provider against the pacts that the assistant finds, as its build would."""
    response = assistant.use(
        "get_pacts_for_verification",
        providerName=PROVIDER,
        consumerVersionSelectors=[{"mainBranch": True}, {"branch": "feat/x"}],
        includePendingStatus=True,
        includeWipPactsSince="2020-01-01",
        providerVersionBranch="main",
    )
    (pact,) = response["_embedded"]["pacts"]
    assert pact["verificationProperties"]["pending"] is True
    content = broker.http.get(pact["_links"]["self"]["href"]).raise_for_status().json()
    result = {"success": True, "providerApplicationVersion": "5"}
    broker.http.post(content["_links"]["pb:publish-verification-results"]["href"], json=result).raise_for_status()


def deploy_and_release(assistant):
    environment = assistant.use("create_environment", name="live", production=False, teamUuids=[])["uuid"]
    place = {"environmentId": environment}
    assistant.use("update_environment", **place, name="live", production=True, displayName="Live")
    assert assistant.use("get_environment", **place)["production"] is True
    assert names(assistant.use("list_environments")["_embedded"]["environments"]) == ["live", "test"]
    version = {"pacticipantName": CONSUMER, "versionNumber": "1", **place}
    assert assistant.use("record_deployment", **version, applicationInstance="blue")["applicationInstance"] == "blue"
    assert assistant.use("record_release", **version)["currentlySupported"] is True
    for tool, member in (
        ("get_currently_deployed_versions", "deployedVersions"),
        ("get_currently_supported_versions", "releasedVersions"),
    ):
        (recorded,) = assistant.use(tool, **place)["_embedded"][member]
        assert recorded["_embedded"]["version"]["number"] == "1"
    (deployed,) = assistant.use("get_deployed_versions_for_version", **version)["_embedded"]["deployedVersions"]
    assert (deployed["applicationInstance"], deployed["currentlyDeployed"]) == ("blue", True)
    (released,) = assistant.use("get_released_versions_for_version", **version)["_embedded"]["releasedVersions"]
    assert released["currentlySupported"] is True
    place["environmentId"] = assistant.use("create_environment", name="gone", production=False)["uuid"]
    assistant.delete("delete_environment", **place)
    assert "404" in assistant.failure("get_environment", **place)


def look_at_everything(assistant):
    states = assistant.use("get_provider_states", provider=PROVIDER)
    assert states["providerStates"] == [{"name": "a price exists", "params": {"sku": "7"}, "consumers": [CONSUMER]}]
    for tool in ("list_integrations", "get_pacticipant_network"):
        response = assistant.use(tool, **({"pacticipantName": CONSUMER} if "network" in tool else {}))
        (integration,) = response.get("integrations") or response["_embedded"]["integrations"]
        assert (integration["consumer"]["name"], integration["provider"]["name"]) == (CONSUMER, PROVIDER)
    metrics = assistant.use("get_metrics")
    assert (metrics["pacticipants"]["count"], metrics["interactions"]["latestInteractionsCount"]) == (3, 1)


def use_webhooks(assistant, hook):
    request = {"method": "POST", "url": f"{hook.url}/builds", "body": {"consumer": "${pactbroker.consumerName}"}}
    request |= {"headers": {"Accept-Language": "en"}, "username": "ci", "password": "hush"}
    body = {"description": "build", "events": [{"name": "contract_published"}], "consumer": {"name": CONSUMER}}
    webhook = {"webhookId": assistant.use("create_webhook", **body, request=request, enabled=False)["uuid"]}
    shown = assistant.use("get_webhook", **webhook)
    assert shown["request"]["password"] != "hush"  # noqa: S105 - a test's
    page = assistant.use("list_webhooks", pageNumber=1, pageSize=5)
    assert page["_embedded"]["webhooks"] == [shown]
    assert page["pagination"]["totalItems"] == 1
    # The values that the assistant read represent the stored ones, including the masked password.
    assistant.use("update_webhook", **webhook, **body, request=shown["request"], enabled=True)
    assert assistant.use("execute_webhook", **webhook)["success"] is True
    (arrival,) = hook.wait(1)
    assert (arrival.json(), arrival.headers["authorization"]) == ({"consumer": CONSUMER}, "Basic Y2k6aHVzaA==")
    # This tool sends no webhook to test, so the original broker refuses it, too.
    assert '{"request":["is missing"]}' in assistant.failure("test_execute_webhooks")
    assistant.delete("delete_webhook", **webhook)
    assert "404" in assistant.failure("get_webhook", **webhook)


def delete(assistant, broker):
    shop = {"pacticipantName": CONSUMER}
    assistant.delete("remove_label_from_pacticipant", **shop, labelName="web")
    assert "404" in assistant.failure("get_pacticipant_label", **shop, labelName="web")
    assistant.delete("delete_branch", **shop, branchName="feat/x")
    assert "404" in assistant.failure("get_branch", **shop, branchName="feat/x")
    assistant.delete("delete_pacticipant", pacticipantName="Scratch")
    assert "404" in assistant.failure("get_pacticipant", pacticipantName="Scratch")
    assistant.delete("delete_integration", providerName=PROVIDER, consumerName=CONSUMER)
    accepted = {"Accept": "application/hal+json"}
    assert broker.http.get("integrations", headers=accepted).json()["_embedded"]["integrations"] == []
    assistant.delete("delete_all_integrations")
    assert broker.http.get("pacticipants").json()["_embedded"]["pacticipants"] == []


def test_the_page_shows_the_version_and_the_variables_that_are_tested():
    text = (toolchains.ROOT / "docs" / "assistants.md").read_text("utf-8")
    (shown,) = re.findall(r"^```json\n(.+?)^```$", text, re.MULTILINE | re.DOTALL)
    (server,) = json.loads(shown)["mcpServers"].values()
    assert server["args"] == ["-y", f"@smartbear/mcp@{MCP.packages[0].version}"]
    assert server["env"].keys() == {"PACT_BROKER_BASE_URL", "PACT_BROKER_TOKEN"}
