"""Builds of consumers and providers with tokens that permit exactly the requests of the build."""

import pytest

from tests.api.browsers import Browser
from tests.api.client import pact
from tests.api.credentials import bearer
from tests.databases import on_sqlite
from treaty.model.accounts.access import Role
from treaty.model.accounts.scopes import SCOPES_BY_BUILD, BuildKind, Scope

PUBLISH = (
    "publish",
    "pacts",
    "-a",
    "1",
    "--branch",
    "main",
    "--tag",
    "main",
    "--build-url",
    "https://ci.example.org/1",
)
SHOP = ("--pacticipant", "Shop", "--version", "1")
CONSUMER_BUILD = [
    ("create-or-update-pacticipant", "--name", "Shop", "--main-branch", "main"),
    PUBLISH,
    ("create-version-tag", *SHOP, "--tag", "beta"),
    ("create-or-update-version", *SHOP, "--branch", "next"),
    ("can-i-deploy", *SHOP),
    ("describe-version", *SHOP),
]
DEPLOYMENT = ("record-deployment", *SHOP, "--environment", "test")
UNDEPLOYMENT = ("record-undeployment", "--pacticipant", "Shop", "--environment", "test")
RELEASE = ("record-release", *SHOP, "--environment", "test")
SUPPORT_END = ("record-support-ended", *SHOP, "--environment", "test")


@on_sqlite
def test_a_consumer_build_does_its_work_and_no_more(run_build, limited_token):
    unlimited = limited_token()
    token = limited_token(*SCOPES_BY_BUILD[BuildKind.CONSUMER], applications=["Shop"])
    assert run_build(unlimited, "create-environment", "--name", "test").exit_code == 0
    assert run_build(unlimited, *PUBLISH[:3], "0").exit_code == 0
    for words in CONSUMER_BUILD:
        done = run_build(token, *words)
        # Nothing has been verified, so the build waits; the question itself is answered.
        assert done.exit_code == (words[0] == "can-i-deploy"), (words, done.output)
        assert "403" not in done.output
    for words, missing in (
        (DEPLOYMENT, "This token lacks the scope record-deployments"),
        (("delete-branch", "--pacticipant", "Shop", "--branch", "next"), "no scope permits this request"),
        (("create-environment", "--name", "live"), "no scope permits this request"),
        (
            ("create-webhook", "https://x.example.org", "-X", "POST", "--contract-published"),
            "no scope permits this request",
        ),
        (("create-or-update-version", "--pacticipant", "Prices", "--version", "1"), "This token is not for Prices"),
    ):
        refused = run_build(token, *words)
        assert refused.exit_code != 0, words
        assert missing in refused.output, (words, refused.output)


@on_sqlite
def test_the_command_line_names_the_missing_scope(run_build, limited_token):
    refused = run_build(
        limited_token(*SCOPES_BY_BUILD[BuildKind.PROVIDER]), "can-i-deploy", "--pacticipant", "x", "--latest"
    )
    assert "403" not in refused.output
    refused = run_build(limited_token(Scope.RECORD_DEPLOYMENTS), "can-i-deploy", "--pacticipant", "x", "--version", "1")
    assert refused.exit_code != 0
    assert "This token lacks the scope read: use one that has it" in refused.output
    assert "administrator (token “build 1”) may not read: it is limited to record-deployments." in refused.output


@on_sqlite
@pytest.mark.parametrize("scopes", [{Scope.RECORD_DEPLOYMENTS}, {Scope.RECORD_DEPLOYMENTS, Scope.READ}])
def test_a_deployment_needs_no_other_scope(run_build, limited_token, scopes):
    unlimited, token = limited_token(), limited_token(*scopes, applications=["Shop"])
    assert run_build(unlimited, "create-environment", "--name", "test").exit_code == 0
    assert run_build(unlimited, *PUBLISH).exit_code == 0
    for words in (DEPLOYMENT, UNDEPLOYMENT, RELEASE, SUPPORT_END, ("create-version-tag", *SHOP, "--tag", "live")):
        done = run_build(token, *words)
        assert done.exit_code == 0, (words, done.output)


@on_sqlite
@pytest.mark.parametrize("scopes", [SCOPES_BY_BUILD[BuildKind.PROVIDER], {Scope.PUBLISH_RESULTS}])
def test_a_provider_build_does_its_work_and_no_more(make_api, limited_token, scopes):
    api, unlimited = make_api(), limited_token()
    assert api.post("/environments", {"name": "test", "production": False}, headers=unlimited).status == 201
    for provider in ("Prices", "Stock"):
        api.put(f"/pacts/provider/{provider}/consumer/Shop/version/1", pact("Shop", provider), headers=unlimited)
    token = limited_token(*scopes, applications=["Prices"])
    index = api.get("/", headers=token).json()["_links"]
    path = index["pb:provider-pacts-for-verification"]["href"].replace("{provider}", "Prices")
    selected = api.post(path, {"includePendingStatus": True, "providerVersionBranch": "main"}, headers=token)
    (pact_to_verify,) = selected.json()["_embedded"]["pacts"]
    verified = api.get(pact_to_verify["_links"]["self"]["href"], headers=token).json()
    results = verified["_links"]["pb:publish-verification-results"]["href"]
    assert api.put("/pacticipants/Prices/branches/main/versions/7", {}, headers=token).status == 201
    assert api.put("/pacticipants/Prices/versions/7/tags/main", {}, headers=token).status == 201
    body = {"success": True, "providerApplicationVersion": "7"}
    assert api.post(results, body, headers=token).status == 201
    others = api.post(results.replace("/Prices/", "/Stock/"), body, headers=token)
    assert (others.status, others.json()["missingApplications"]) == (403, ["Stock"])
    refused = api.put("/pacts/provider/Stock/consumer/Prices/version/7", pact("Prices", "Stock"), headers=token)
    assert refused.json()["missingScopes"] == ["publish-pacts"]
    can_ask = api.get("/can-i-deploy?pacticipant=Prices&version=7&environment=test", headers=token)
    assert can_ask.status == (200 if Scope.READ in scopes else 403)


# The page


@pytest.fixture
def browser(make_api, accounts):
    accounts(Role.ADMINISTRATOR)
    browser = Browser(make_api())
    browser.sign_in()
    return browser


def _create(browser, **fields):
    csrf = browser.token("/settings/tokens")
    return browser.post("/settings/tokens/new", csrf_token=csrf, name="of a job", days="30", **fields)


def _issued(page):
    return {"authorization": "Bearer treaty_" + page.text.partition("<code>treaty_")[2].partition("<")[0]}


@pytest.mark.parametrize(
    ("fields", "described"),
    [
        ({"may": "consumer-build"}, "read, publish-pacts"),
        ({"may": "provider-build", "applications": "Prices\n\n Stock "}, "publish-verification-results for Prices and"),
        ({"may": "consumer-build", "scopes": "record-deployments"}, "read, publish-pacts, record-deployments"),
        ({"may": "read-only", "scopes": "record-deployments", "applications": "Shop"}, "record-deployments for Shop"),
        ({"may": "read-write", "applications": "Shop"}, "publish-verification-results, record-deployments for Shop"),
        ({"may": "read-write"}, "read and write"),
        ({"may": "read-only"}, '<td data-name="Permissions">read</td>'),
    ],
)
@on_sqlite
def test_the_page_creates_tokens_for_builds(browser, fields, described):
    created = _create(browser, **fields)
    assert created.status == 200
    assert described in created.text
    api, headers = browser.api, _issued(created)
    permitted = {
        "publish-pacts": api.put("/pacts/provider/P/consumer/Shop/version/1", pact("Shop", "P"), headers=headers),
        "environments": api.post("/environments", {"name": "x", "production": True}, headers=headers),
    }
    can_publish = fields["may"] in {"consumer-build", "read-write"}
    assert (permitted["publish-pacts"].status == 403) is not can_publish
    assert (permitted["environments"].status == 403) is not (fields == {"may": "read-write"})
    assert api.get("/pacticipants", headers=headers).status == 200


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"may": "everything"}, "must be one of the options"),
        ({"may": "read-write", "scopes": "publish-pacts"}, "permits everything already"),
        ({"may": "read-only", "applications": "Shop"}, "choose a scope that writes"),
    ],
)
@on_sqlite
def test_the_page_shows_the_reason_for_a_refused_token(browser, fields, reason):
    refused = _create(browser, **fields)
    assert (refused.status, reason in refused.text) == (400, True)
    assert "of a job" not in browser.get("/settings/tokens").text.partition("Create a token")[0]


@on_sqlite
def test_a_system_account_is_limited_on_its_page(browser, accounts):
    issued = accounts(Role.READ_WRITE, "ci", system=True)
    page = f"/settings/users/{issued.token.account}"
    csrf = browser.token(page)
    limits = {"do": "limits", "csrf_token": csrf, "scopes": "publish-pacts", "applications": "Shop\nCart"}
    assert browser.post(page, **limits).status == 303
    assert "publish-pacts for Cart and Shop" in browser.get(page).text
    assert "limited to publish-pacts for Cart and Shop" in browser.get("/settings/users").text
    assert "by the limits of the account" in browser.get("/settings/tokens").text
    refused = browser.api.get("/pacticipants", headers=bearer(issued))
    assert refused.json()["missingScopes"] == ["read"]
    assert browser.post(page, do="limits", csrf_token=csrf).status == 303
    assert browser.api.get("/pacticipants", headers=bearer(issued)).status == 200
    person = browser.api.get("/user", headers={"cookie": f"__Host-treaty={browser.cookies['__Host-treaty']}"}).json()
    wrong = browser.post(f"/settings/users/{person['uuid']}", **limits)
    assert (wrong.status, "is a person" in wrong.text) == (400, True)
