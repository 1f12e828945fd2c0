"""Tokens and system accounts that are limited to scopes and applications."""

from datetime import timedelta

import pytest

from tests.api import golden
from tests.api.client import SECRET_KEY, pact, publication
from tests.api.writes import CONSUMER, FORM, PAIR, PROVIDER, WRITES, world
from tests.databases import on_sqlite
from treaty.actions.accounts import accounts as account_actions
from treaty.actions.accounts import credentials
from treaty.errors import Conflict, Invalid
from treaty.model.accounts.access import Role
from treaty.model.accounts.scopes import WRITE_SCOPES, Limits, Scope, build_limits, combine_limits
from treaty.settings import Secret, Settings
from treaty.store.accounts.limits import load_limits
from treaty.store.engine.vault import get_vault
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission
from treaty.web.urls import Url

pytestmark = pytest.mark.slow_on_postgresql  # about permissions, which need no statements of their own

SELF_ONLY = "regenerate_token"
"""The handler of the only write that concerns the token itself rather than an application."""


def send(api, method, path, body, headers):
    types = {"PATCH": "application/merge-patch+json"}
    kind = types.get(method, "application/json") if "/pacts/" not in path else "application/json"
    return api.request(method, path, body, type=kind, headers=headers)


def write_routes():
    """List the handlers of the API's writes that have an example request, with one of their routes."""
    return {
        route.handler.__name__: route
        for kind, route in golden.routes()
        if kind == "api" and not route.is_read_only and route.handler.__name__ in WRITES
    }


# Routes


@on_sqlite
def test_every_route_opens_to_the_scopes_that_the_table_names(make_api, limited_token):
    headers = {scope: limited_token(scope) for scope in Scope}
    api = make_api(host="192.0.2.1")
    wrong = []
    for kind, route in golden.routes():
        if route.handler.__name__ == SELF_ONLY:
            continue
        path = route.url.fill(**dict.fromkeys(route.url.names, "x"))
        options = {"accept": "text/html"} if kind != "api" else {}
        options |= {"type": FORM} if kind == "form" else {}
        answers = {scope: api.request(route.method, path, b"", headers=headers[scope], **options) for scope in Scope}
        opened = [scope.value for scope, answer in answers.items() if answer.status not in {401, 403}]
        if opened != golden.list_scopes(route):
            wrong.append((kind, route.method, route.url.template, opened))
    assert wrong == []


def test_no_write_is_open_to_scopes_without_naming_the_application():
    writes = [route for _, route in golden.routes() if not route.is_read_only and route.scopes]
    assert {route.handler.__name__ for route in writes if route.application is None} == set()
    assert {route.permission for route in writes} == {
        Permission.PUBLISH_PACT,
        Permission.PUBLISH_VERIFICATION,
        Permission.RECORD_DEPLOYMENT,
        Permission.OVERRIDE_DECISION,
        Permission.MANAGE_PACTICIPANT,
        Permission.MANAGE_VERSION,
        Permission.USE_OWN_ACCOUNT,
    }
    # A revoked override can still be read, so that nothing is deleted.
    deletions = [route for route in writes if route.method == "DELETE"]
    assert [route.permission for route in deletions] == [Permission.OVERRIDE_DECISION]
    with pytest.raises(ValueError, match="names no application"):
        Router().post(Url("/x"), permission=Permission.PUBLISH_PACT, scopes={Scope.PUBLISH_PACTS})


def test_every_write_needs_its_scope_and_its_application(make_api, limited_token):
    it = world(make_api(open_access=True))
    limited_to = {scope: limited_token(scope) for scope in Scope} | {
        "other": limited_token(*Scope, applications=["Other"])
    }
    acting = {"create_pacticipant": "New"} | dict.fromkeys(
        ("publish_verification", "publish_verification_with_metadata"), PROVIDER
    )
    api = make_api()
    for name, route in write_routes().items():
        path, body = WRITES[name](it)
        for scope in set(Scope) - route.scopes:
            refused = send(api, route.method, path, body, limited_to[scope])
            assert refused.status == 403, (name, scope)
            missing = [required_scope.value for required_scope in Scope if required_scope in route.scopes]
            assert refused.json().get("missingScopes", []) == missing, (name, scope)
        if route.scopes:
            refused = send(api, route.method, path, body, limited_to["other"])
            assert refused.status == 403, name
            assert refused.json()["missingApplications"] == [acting.get(name, CONSUMER)], name
    for name, route in write_routes().items():
        path, body = WRITES[name](it)
        for scope in route.scopes:
            done = send(api, route.method, path, body, limited_token(scope, applications=[acting.get(name, CONSUMER)]))
            assert done.status < 400, (name, scope, done.text)
    assert {name for name, route in write_routes().items() if route.scopes} == {
        *("create_pacticipant", "replace_pacticipant", "change_pacticipant", "replace_version", "change_version"),
        *("put_on_branch", "put_tag", "add_alias", "publish_contracts", "put_pact", "patch_pact"),
        *("publish_provider_contract", "publish_several_provider_contracts", "put_provider_contract"),
        *("publish_verification", "publish_verification_with_metadata"),
        *("record_deployment", "change_deployed_version", "record_release", "change_released_version"),
        *("add_override", "remove_override"),
    }


# Reasons


def test_a_refusal_names_the_scope_or_the_application_and_the_next_step(make_api, limited_token):
    headers = limited_token(Scope.READ, Scope.PUBLISH_PACTS, applications=["Shop"])
    api = make_api()
    cases = [
        api.post("/pacts/provider/P/consumer/Shop/pact-version/x/verification-results", {}, headers=headers),
        api.put("/pacts/provider/P/consumer/Cart/version/1", pact("Cart", "P"), headers=headers),
        api.delete("/pacticipants/Shop", headers=headers),
    ]
    name = "administrator (token “build 0”)"
    limits = "limited to read, publish-pacts for Shop"
    hint = "create one under Settings, API tokens, or with `treaty token create`."
    assert [answer.json() for answer in cases] == [
        {
            "error": f"{name} may not publish verification results: it is {limits}. Use a token with the scope "
            f"publish-verification-results: {hint}",
            "missingPermission": "publish verification results",
            "missingScopes": ["publish-verification-results"],
        },
        {
            "error": f"{name} may not publish pacts for Cart: it is {limits}. Use a token for Cart: {hint}",
            "missingPermission": "publish pacts",
            "missingApplications": ["Cart"],
        },
        {
            "error": f"{name} may not manage pacticipants: it is {limits}, and no scope permits this request. "
            "Use credentials without scopes.",
            "missingPermission": "manage pacticipants",
        },
    ]
    problem = api.delete("/pacticipants/Shop", headers=headers, accept="application/hal+json, application/problem+json")
    assert (problem.json()["status"], problem.json()["missingPermission"]) == (403, "manage pacticipants")


def test_a_refusal_is_in_the_audit_trail_and_nothing_is_written(make_api, limited_token):
    headers, unlimited = limited_token(Scope.PUBLISH_PACTS, applications=["Shop"]), limited_token()
    api = make_api()
    assert api.post("/contracts/publish", publication("Cart", "1", "P"), headers=headers).status == 403
    events = api.get("/audit", headers=unlimited).json()["events"]
    refusals = [event for event in events if event["type"] == "access_refusal"]
    assert [event["credential"]["name"] for event in refusals] == ["build 0"]
    assert api.get("/pacticipants", headers=unlimited).json()["_embedded"]["pacticipants"] == []


@pytest.mark.parametrize(
    ("pacticipant", "consumer", "status"),
    [("Shop", "Shop", 200), ("Cart", "Cart", 403), ("Shop", "Cart", 400), ("Cart", "Shop", 400), ("shop", "shop", 403)],
)
@on_sqlite
def test_an_application_is_written_only_under_its_own_name(make_api, limited_token, pacticipant, consumer, status):
    headers = limited_token(Scope.PUBLISH_PACTS, applications=["Shop", "Prices"])
    body = publication(consumer, "1", "Stock") | {"pacticipantName": pacticipant}
    published = make_api().post("/contracts/publish", body, headers=headers)
    assert published.status == status, published.text
    assert ("missingApplications" in published.json()) is (status == 403)


@on_sqlite
def test_publishing_adds_the_provider_though_the_token_is_not_for_it(make_api, limited_token):
    api, headers = make_api(), limited_token(Scope.READ, Scope.PUBLISH_PACTS, applications=["Shop"])
    assert api.post("/contracts/publish", publication("Shop", "1", "Prices"), headers=headers).status == 200
    assert api.get("/pacticipants/Prices", headers=headers).status == 200
    assert api.patch("/pacticipants/Prices", {"mainBranch": "main"}, headers=headers).status == 403


@on_sqlite
def test_a_tag_that_records_a_deployment_needs_the_scope_for_deployments(make_api, limited_token):
    api = make_api()
    body = {"name": "production", "production": True}
    assert api.post("/environments", body, headers=limited_token()).status == 201
    path = "/pacticipants/Shop/versions/1/tags/"
    headers = limited_token(Scope.PUBLISH_PACTS)
    assert api.put(f"{path}main", {}, headers=headers).status == 201
    refused = api.put(f"{path}production", {}, headers=headers)
    assert (refused.status, refused.json()["missingScopes"]) == (403, ["record-deployments"])
    assert api.put(f"{path}production", {}, headers=limited_token(Scope.RECORD_DEPLOYMENTS)).status == 201
    without = make_api(create_deployed_versions_for_tags=False)
    assert without.put("/pacticipants/Shop/versions/2/tags/production", {}, headers=headers).status == 201


# Reading


@on_sqlite
def test_scopes_hide_no_links_so_that_clients_learn_which_scope_is_missing(make_api, limited_token):
    api, unlimited, reader = make_api(), limited_token(), limited_token(Scope.READ)
    api.put("/pacts/provider/Prices/consumer/Shop/version/1", pact("Shop", "Prices"), headers=unlimited)
    for path in ("/", f"{PAIR}/version/1", "/pacticipants/Shop/versions/1", "/integrations"):
        assert api.get(path, headers=reader).json() == api.get(path, headers=unlimited).json()


@on_sqlite
def test_reads_are_not_limited_by_application_and_public_ones_not_at_all(make_api, limited_token):
    unlimited = limited_token()
    make_api().post("/contracts/publish", publication("Cart", "1", "Prices"), headers=unlimited)
    for_shop = limited_token(Scope.READ, Scope.PUBLISH_PACTS, applications=["Shop"])
    without_read = limited_token(Scope.PUBLISH_PACTS)
    path = "/pacts/provider/Prices/consumer/Cart/version/1"
    assert [make_api().get(path, headers=token_headers).status for token_headers in (for_shop, without_read)] == [
        200,
        403,
    ]
    assert make_api(allow_public_read=True).get(path, headers=without_read).status == 200


@on_sqlite
def test_a_build_can_read_the_scopes_and_applications_of_its_token(make_api, limited_token):
    headers = limited_token(Scope.PUBLISH_PACTS, applications=["Shop"])
    user = make_api().get("/user", headers=headers).json()
    assert (user["scopes"], user["applications"]) == (["publish-pacts"], ["Shop"])
    listed = make_api().get("/settings/tokens", headers=limited_token(Scope.READ)).json()["_embedded"]["items"]
    by_name = {token["description"]: token for token in listed}
    assert (by_name["build 0"]["scopes"], by_name["build 0"]["applications"]) == (["publish-pacts"], ["Shop"])
    assert [by_name[name]["readOnly"] for name in ("build 0", "build 1")] == [False, True]
    assert "scopes" not in by_name["of the tests"]


# System accounts


def test_the_limits_of_a_system_account_apply_to_its_tokens_at_once_in_every_process(
    make_api, limited_token, accounts, database, clock
):
    issued = accounts(Role.READ_WRITE, "ci", system=True)
    unlimited = {"authorization": f"Bearer {issued.text}"}
    for_both = limited_token(*Scope, of="ci", applications=["Shop", "Cart"])
    processes = [make_api(), make_api()]
    limits = [
        None,
        Limits(frozenset({Scope.PUBLISH_PACTS})),
        Limits(frozenset({Scope.PUBLISH_PACTS}), frozenset({"Shop", "Till"})),
        Limits(frozenset({Scope.READ})),
    ]
    statuses = []
    for step, limit in enumerate(limits):
        database.write(
            lambda db, limit=limit: account_actions.set_limits(
                db, account_actions.get_account(db, "ci"), limit, now=clock.now
            )
        )
        for process in processes:
            bodies = [publication(name, str(step), "Prices") for name in ("Shop", "Cart", "Till")]
            statuses.append(
                [
                    process.post("/contracts/publish", body, headers=headers).status
                    for headers in (unlimited, for_both)
                    for body in bodies
                ]
            )
    assert statuses == [
        *[[200, 200, 200, 200, 200, 403]] * 2,
        *[[200, 200, 200, 200, 200, 403]] * 2,
        *[[200, 403, 200, 200, 403, 403]] * 2,
        *[[403] * 6] * 2,
    ]


@on_sqlite
def test_people_have_no_limits_but_their_tokens_have(accounts, database, clock):
    accounts(Role.READ_WRITE, "ada")
    limits = Limits(frozenset({Scope.READ}))
    with pytest.raises(Conflict, match="give the person's tokens scopes instead"):
        database.write(
            lambda db: account_actions.set_limits(db, account_actions.get_account(db, "ada"), limits, now=clock.now)
        )
    draft = account_actions.AccountDraft(name="ben", role=Role.READ_ONLY, limits=limits)
    with pytest.raises(Invalid, match="system accounts and tokens only"):
        database.write(lambda db: account_actions.add_account(db, draft, now=clock.now))


@on_sqlite
def test_a_scope_never_exceeds_the_role_of_the_owner(make_api, limited_token, accounts):
    accounts(Role.READ_ONLY, "reader")
    refused = make_api().put(
        "/pacts/provider/P/consumer/C/version/1", pact("C", "P"), headers=limited_token(*Scope, of="reader")
    )
    assert (refused.status, refused.json()["missingPermission"]) == (403, "publish pacts")
    assert "the role is read-only" in refused.json()["error"]


# Rules


ALL = frozenset(Scope)
READ = frozenset({Scope.READ})


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (None, None, None),
        (Limits(READ), None, Limits(READ)),
        (None, Limits(ALL, frozenset("A")), Limits(ALL, frozenset("A"))),
        (Limits(ALL), Limits(READ, frozenset("A")), Limits(READ, frozenset("A"))),
        (Limits(ALL, frozenset("AB")), Limits(ALL, frozenset("BC")), Limits(ALL, frozenset("B"))),
        (Limits(WRITE_SCOPES, frozenset("A")), Limits(READ, frozenset("B")), Limits(frozenset(), frozenset())),
    ],
)
def test_the_limits_of_token_and_account_intersect(first, second, both):
    assert combine_limits(first, second) == combine_limits(second, first) == both


@pytest.mark.parametrize(
    ("scopes", "applications", "reason"),
    [
        ([Scope.READ], ["Shop"], "choose a scope that writes"),
        ([], [" "], "cannot be blank"),
        ([], ["x" * 3000], "cannot be longer"),
        ([], [str(number) for number in range(101)], "must have 100 names at most"),
    ],
)
def test_limits_that_make_no_sense_are_refused(scopes, applications, reason):
    with pytest.raises(Invalid, match=reason):
        build_limits(scopes, applications)


def test_a_scope_of_a_newer_version_grants_nothing():
    stored = '{"scopes": ["fly", "read"], "applications": null}'
    assert load_limits(stored) == Limits(READ)


def test_a_read_only_token_with_scopes_is_refused(database, accounts, clock):
    accounts(Role.READ_WRITE)
    draft = credentials.TokenDraft(name="x", role=Role.READ_ONLY, limits=Limits(ALL), expires_at=None)
    vault = get_vault(Settings(secret_key=Secret(SECRET_KEY)))
    with pytest.raises(Invalid, match="do not go with a read-only token"):
        database.write(
            lambda db: credentials.add_token(
                db,
                account_actions.get_account(db, "read-write"),
                draft,
                vault=vault,
                now=clock.now + timedelta(seconds=1),
            )
        )


def test_a_sentence_names_only_the_first_of_many_applications():
    names = frozenset("GFEDCBA")
    assert Limits(READ, names).describe() == "read for A, B, C, D, E and 2 others"
    assert Limits(READ, names - {"G"}).describe() == "read for A, B, C, D, E and F"


@on_sqlite
def test_the_audit_trail_has_the_limits_of_a_token_that_has_any(api, accounts, limited_token):
    limited_token(Scope.PUBLISH_PACTS, Scope.READ, applications=["web-shop"])
    administrator = accounts(Role.ADMINISTRATOR, "another administrator")
    headers = {"authorization": f"Bearer {administrator.text}"}
    entries = api.get("/audit?type=token_creation", headers=headers).json()["events"]
    after = {entry["payload"]["params"]["token"]: entry["after"] for entry in entries}
    limited_token, unlimited_token = after["build 0"], after["of the tests"]
    assert limited_token["scopes"] == ["read", "publish-pacts"]
    assert limited_token["applications"] == ["web-shop"]
    assert not {"scopes", "applications"} & unlimited_token.keys()
