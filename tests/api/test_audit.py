"""The audit trail: changes with their actors, recorded in the transaction of the change, without secrets."""

import ast
import base64
import inspect
import json
import pkgutil
import re
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import select, text

from tests.api.browsers import Browser
from tests.api.client import publication
from tests.api.credentials import PASSWORD, basic
from tests.api.writes import FORM, FORMS, WEBHOOK, WRITE_NOTHING, WRITES, world
from tests.databases import on_sqlite, open_kept
from treaty import actions
from treaty.actions.maintenance import integrity
from treaty.actions.maintenance.backups import record_backup
from treaty.model.accounts.access import Role
from treaty.model.audit import (
    Action,
    encode_details,
    event_time,
    event_uuid,
    find_event_id,
    first_event_id,
    generate_event_id,
)
from treaty.model.maintenance.backups import Manifest
from treaty.model.maintenance.retention import DEFAULT_VERSION_SELECTORS, Retention, add_in_use_selectors
from treaty.settings import Settings
from treaty.store.tables import audit as trail
from treaty.web.routers import list_routers
from treaty.workers.cleanup import Cleaner

WRITER, READER = ("writer", "w-canary-5d1c"), ("reader", "r-canary-77aa")
USERS = {
    "basic_auth_username": WRITER[0],
    "basic_auth_password": WRITER[1],
    "basic_auth_read_only_username": READER[0],
    "basic_auth_read_only_password": READER[1],
}


def events(api, query="", **options):
    answer = api.get(f"/audit{query}", **options)
    assert answer.status == 200, answer.text
    return answer.json()["events"]


def latest(api, **options):
    return events(api, "?sort=-timestamp", **options)[0]


@pytest.fixture
def database(api, database_url):  # noqa: ARG001 - the client has brought the schema up to date
    database = open_kept(database_url, connections=2)
    yield database
    database.close()


ACCOUNTS = {
    *("change_password", "end_sessions", "sign_out", "make_token", "renew_token", "regenerate_token", "revoke_token"),
    *("add_user", "change_user"),
    *("add_secret", "change_secret", "remove_secret"),
    *("set_up_second_factor", "confirm_second_factor", "create_recovery_codes", "remove_own_second_factor"),
}
"""Handlers that need accounts; their events are tested below, or with the secrets."""


def routes():
    for router in list_routers(Settings()):
        for resource in router.endpoints.values():
            yield from ((route, WRITES) for route in resource.routes.values())
            if resource.form:
                yield resource.form, FORMS


def written():
    """Every route that writes; a URL with several spellings is represented by its handler."""
    write_routes = {}
    for route, table in routes():
        name = route.handler.__name__
        if not route.is_read_only and route.needs_database and name not in ACCOUNTS:
            write_routes["form " * (table is FORMS) + name] = (route.method, table.get(name))
    return write_routes


# Nothing that is done is left out


@on_sqlite
@pytest.mark.parametrize("name", written())
def test_every_route_that_writes_leaves_an_event_of_its_own_kind(api, name):
    method, write = written()[name]
    assert write, f"say in tests/api/writes.py how {name} is called"
    it = world(api)
    before = {event["uuid"] for event in events(api)}
    path, body = write(it)
    kind = {"PATCH": "application/merge-patch+json"}.get(method, "application/json")
    is_form = name.startswith("form ")
    kind = "application/json" if name == "patch_pact" else FORM if is_form else kind
    it.send(method, path, body, type=kind, **({"accept": "text/html"} if is_form else {}))
    new = [event for event in events(api) if event["uuid"] not in before]
    assert new, f"{name} left no event"
    assert {event["type"] for event in new} <= {action.value for action in Action}, f"{name} notes nothing by itself"
    assert {(event["payload"]["method"], event["payload"]["path"]) for event in new} == {
        (method, path.partition("?")[0])
    }


def test_the_table_of_writes_names_existing_handlers_only():
    names = {route.handler.__name__ for route, _ in routes()}
    assert {*WRITES, *FORMS, *WRITE_NOTHING, *ACCOUNTS} <= names


WITHOUT_EVENTS = {
    "maintenance.cleanup.claim_cleanup": "a lease names the process at work, and ends",
    "maintenance.cleanup.release_cleanup": "likewise",
    "maintenance.key_rotation.claim_rotation": "likewise",
    "maintenance.key_rotation.release_rotation": "likewise",
    "usage.claim_indexing": "likewise",
    "usage.release_indexing": "likewise",
    "provider_contracts.recomparisons.claim_recomparing": "likewise",
    "provider_contracts.recomparisons.release_recomparing": "likewise",
    "provider_contracts.recomparisons.record_recomparisons": "no verdict changes",
    "usage.index_document_of_provider": "the index says nothing that the document does not say",
    "usage.index_published": "a part of a publication, which is recorded",
    "usage.index_steps": "the index says nothing that the pacts, whose publication is recorded, do not say",
    "maintenance.cleanup.plan_cleanup": "it only reads",
    "maintenance.cleanup.list_old_versions": "it only reads",
    "maintenance.integrity.check_integrity": "it only reads",
    "pacts.merging.merge_contract": "a part of a publication, which is recorded",
    "accounts.accounts.get_account": "it only reads",
    "accounts.accounts.get_account_by_uuid": "it only reads",
    "accounts.accounts.check_administrator": "it only reads",
    "accounts.accounts.check_setup_link": "it only reads",
    "accounts.accounts.check_setup_possible": "it only reads",
    "accounts.second_factors.find_pending_secret": "it only reads",
    "accounts.second_factors.start_set_up": "a secret counts once it is confirmed, which is recorded",
    "accounts.credentials.start_sign_in": "the sign-in is recorded once its code is right",
    "webhooks.deliveries.prepare_past_event_test": "it only reads",
    "webhooks.deliveries.prepare_test": "it only reads",
    "webhooks.events.is_matching": "it only reads",
    "webhooks.event_log.record_events": "the change that caused the event is recorded",
    "webhooks.event_log.record_contract_events": "likewise",
    "webhooks.event_log.record_incomplete_comparison": "likewise",
    "webhooks.event_log.record_verification_events": "likewise",
    "webhooks.event_log.assign_positions": "it only orders the events",
    "webhooks.event_log.remove_old_events": "a setting says how long they are kept",
    "webhooks.named_secrets.find_used": "it only reads",
    "webhooks.named_secrets.list_uses": "it only reads",
    "webhooks.plain_secrets.list_plain_values": "it only reads",
    "webhooks.plain_secrets.mask_logs": "the encryption that follows is recorded",
    "accounts.throttling.reserve_attempt": "the response that rejects the password is recorded",
    "accounts.throttling.record_success": "the sign-in is recorded",
    "accounts.throttling.record_trust": "likewise",
    "accounts.credentials.remove_expired_sessions": "expired sessions are rejected already",
    "webhooks.deliveries.claim": "deliveries have a log of their own",
    "webhooks.events.enqueue_for_contract": "the event that caused the delivery is recorded",
    "webhooks.events.enqueue_for_verification": "likewise",
    "webhooks.events.enqueue_for_incomplete_comparison": "likewise",
    "webhooks.events.enqueue": "likewise",
    "webhooks.events.build_required_context": "it only reads",
    "webhooks.notices.enqueue_for_failing_webhook": "the failing webhook is recorded",
    "webhooks.notices.enqueue_for_blocked_deployment": "the decision is recorded",
    "webhooks.notices.report_overdue": "deliveries have a log of their own",
    "webhooks.notices.report_use": "likewise",
    "webhooks.digests.enqueue_digest": "likewise",
    "provider_contracts.comparisons.enqueue_pairs": "the result of the comparison is recorded",
    "pacts.publications.check_names_in_use": "it only checks",
    "pacts.publications.find_similar_names": "it only reads",
    "versions.versions.ensure_version": "it is a part of a recorded action",
    "versions.versions.check_not_renamed": "it only checks",
}


def test_every_action_records_an_event():
    recording = {"treaty.store.audit.record"}
    calls: dict[str, set[str]] = {}
    for module in pkgutil.walk_packages(actions.__path__, f"{actions.__name__}."):
        calls |= calls_by_function(module.name)
    while more := {name for name, called in calls.items() if name not in recording and called & recording}:
        recording |= more
    public = {name for name in calls if takes_db(name) and not name.rpartition(".")[2].startswith("_")}
    assert {name.removeprefix("treaty.actions.") for name in public - recording} == set(WITHOUT_EVENTS)


def calls_by_function(module):
    """The dotted names of the functions that each function of a module calls."""
    tree = ast.parse(Path(inspect.getfile(import_module(module))).read_text("utf-8"))
    imported = {
        alias.asname or alias.name: f"{statement.module}.{alias.name}"
        for statement in tree.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }

    def full_name(called):
        first, dot, rest = called.partition(".")
        return imported.get(first, f"{module}.{first}") + dot + rest

    return {
        f"{module}.{function.name}": {
            full_name(ast.unparse(call.func)) for call in ast.walk(function) if isinstance(call, ast.Call)
        }
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
    }


def takes_db(name):
    module, _, function = name.rpartition(".")
    return "db" in inspect.signature(getattr(import_module(module), function)).parameters


# The fields of an event


def test_an_event_has_the_user_the_change_the_time_the_address_and_the_credential(make_api, clock):
    api = make_api(**USERS)
    headers = {**basic(*WRITER), "user-agent": "pact/1", "referer": "https://ci.example.org/job?token=abc"}
    answer = api.post("/contracts/publish?x=1", publication("Shop", "1", "Prices", branch="main"), headers=headers)
    event = latest(api, headers=basic(*WRITER))
    sha = event["after"].pop("sha")
    assert len(sha) == 40
    assert event == {
        "uuid": event["uuid"],
        "timestamp": clock.now.isoformat(timespec="milliseconds"),
        "type": "pact_publication",
        "user_email": "writer",
        "db_user_id": None,
        "credential": {"type": "basic", "name": None, "uuid": None},
        "address": "127.0.0.1",
        "requestId": answer.headers["x-request-id"],
        "outcome": "done",
        "status": None,
        "count": 1,
        "resource": "Shop",
        "relatedResource": "Prices",
        "before": None,
        "after": {"branch": "main"},
        "payload": {
            "path": "/contracts/publish",
            "queryString": "x=1",
            "method": "POST",
            "userAgent": "pact/1",
            "referer": "https://ci.example.org/job",
            "params": {"version": "1"},
        },
    }


def test_a_change_has_only_the_changed_fields_before_and_after(api):
    api.patch("/pacticipants/Shop", {})
    api.patch("/pacticipants/Shop", {"mainBranch": "main", "repositoryUrl": "https://git.example.org/shop"})
    api.patch("/pacticipants/Shop", {"mainBranch": "trunk"})
    event = latest(api)
    assert (event["type"], event["before"], event["after"]) == (
        "pacticipant_change",
        {"main_branch": "main"},
        {"main_branch": "trunk"},
    )


def test_a_removal_has_the_fields_of_the_removed_resource(api):
    environment = api.post("/environments", {"name": "live", "production": True}).json()
    api.delete(f"/environments/{environment['uuid']}")
    event = latest(api)
    assert (event["type"], event["resource"], event["after"]) == ("environment_removal", "live", None)
    assert event["before"]["is_production"] is True


def test_resources_created_by_a_publication_have_their_own_events(api):
    api.publish("Shop", "1", "Prices", branch="main")
    changes = [(event["type"], event["resource"]) for event in events(api)]
    assert sorted(changes) == [
        ("pact_publication", "Shop"),
        ("pacticipant_change", "Shop"),
        ("pacticipant_creation", "Prices"),
        ("pacticipant_creation", "Shop"),
    ]


def test_a_content_is_named_by_its_hash(make_api):
    api = make_api(allow_dangerous_contract_modification=True)
    for content in ("one", "two"):
        api.publish("Shop", "1", "Prices", content)
    first, second = events(api, "?type=pact_publication")
    assert second["before"] == {"sha": first["after"]["sha"]}
    assert "request for one" not in json.dumps(first)


def test_behind_a_trusted_proxy_the_address_is_the_one_that_the_proxy_saw(make_api):
    api = make_api(trusted_proxies=("127.0.0.1", "10.0.0.0/8"), open_access=True)
    for headers, address in (
        ({"x-forwarded-for": "6.6.6.6, 192.0.2.7, 10.1.1.1"}, "192.0.2.7"),
        ({"x-forwarded-for": "6.6.6.6, [2001:db8::7]:4711"}, "2001:db8::7"),
        ({"x-forwarded-for": "nonsense"}, "127.0.0.1"),
        ({}, "127.0.0.1"),
    ):
        api.patch("/pacticipants/Shop", {}, headers=headers)
        assert latest(api)["address"] == address


def test_without_a_trusted_proxy_a_forwarded_address_is_ignored(make_api):
    api = make_api(open_access=True)
    api.patch("/pacticipants/Shop", {}, headers={"x-forwarded-for": "192.0.2.7"})
    assert latest(api)["address"] == "127.0.0.1"


def test_long_lists_and_texts_are_truncated(api):
    names = [f"branch-{number}-{'x' * 180}" for number in range(40)]
    for name in names:
        api.put(f"/pacticipants/Shop/branches/{name}/versions/1", {})
    api.delete("/pacticipants/Shop/branches", headers={"user-agent": "u" * 5000, "referer": "r" * 5000})
    event = latest(api)
    assert event["before"]["branches"][-1] == "… and 20 more"
    assert len(json.dumps(event)) < 6000


# In the transaction of the change


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        (lambda api: api.patch("/pacticipants/Shop", {}, type="text/plain"), 415),
        (lambda api: api.patch("/pacticipants/Shop", {}, accept="text/csv"), 406),
        (lambda api: api.publish("Shop", "1", "Prices", "changed"), 409),
        (lambda api: api.delete("/pacticipants/Nobody"), 404),
        (lambda api: api.post("/environments", {"name": "live", "production": True}), 400),
    ],
)
def test_denied_and_rolled_back_requests_record_no_event(api, request_of, status):
    api.publish("Shop", "1", "Prices")
    api.post("/environments", {"name": "live", "production": True})
    before = events(api)
    assert request_of(api).status == status
    assert events(api) == before


def test_a_write_whose_event_cannot_be_kept_is_not_done(api, database):
    drop = {"sqlite": "DROP TABLE audit", "postgresql": "DROP TABLE audit"}
    database.write(lambda db: db.execute(text(drop[db.dialect.name])))
    assert api.patch("/pacticipants/Shop", {}).status == 500
    assert api.get("/pacticipants/Shop").status == 404


# Denied requests


def test_the_first_denied_request_is_recorded_at_once_and_then_a_count_for_each_minute(make_api, clock):
    api = make_api(**USERS, trusted_proxies=("127.0.0.1",))
    guess = {**basic("writer", "guess-canary"), "x-forwarded-for": "192.0.2.7"}
    statuses = [api.get("/", headers=guess).status for _ in range(50)]
    assert set(statuses) == {401, 429}
    api.get("/")
    api.put("/pacticipants/Shop", {}, headers=basic(*READER))
    refusals = events(api, headers=basic(*WRITER))
    assert [
        (event["type"], event["user_email"], event["status"], event["outcome"], event["count"]) for event in refusals
    ] == [
        ("sign_in_failure", None, 401, "refused", 1),
        ("sign_in_failure", None, 429, "refused", 1),
        ("access_refusal", None, 401, "refused", 1),
        ("access_refusal", "reader", 403, "refused", 1),
    ]
    clock.now += timedelta(minutes=1)
    api.get("/")
    later = events(api, headers=basic(*WRITER))[4:]
    assert sum(event["count"] for event in later if event["type"] == "sign_in_failure") == 48
    assert len(later) == 3


def test_refusals_from_a_thousand_addresses_fill_no_disk(make_api):
    api = make_api(**USERS, trusted_proxies=("127.0.0.1",))
    for number in range(300):
        api.get("/", headers={"x-forwarded-for": f"192.0.{number // 256}.{number % 256}"})
    refusals = events(api, headers=basic(*WRITER))
    more = events(api, f"?from={refusals[-1]['uuid']}", headers=basic(*WRITER))
    assert len(refusals) + len(more) - 1 <= 101
    assert more[-1]["address"] is None


def test_counted_denied_requests_are_recorded_when_the_server_stops(make_api):
    api = make_api(**USERS)
    for _ in range(5):
        api.get("/")
    api._app._handler._denied_requests.close()  # noqa: SLF001 - as the server does when it stops
    assert [event["count"] for event in events(api, headers=basic(*WRITER))] == [1, 4]


# Secrets


def test_no_secret_is_ever_in_it(make_api, database_url):
    api = make_api(**USERS)
    headers = basic(*WRITER)
    request: dict[str, object] = {
        "method": "POST",
        "url": "https://user-canary:url-canary@ci.example.org/path-canary?key=query-canary",
        "headers": {"Authorization": "Bearer header-canary", "X-Job": "plain-canary"},
        "body": {"token": "body-canary"},
        "username": "name-canary",
        "password": "password-canary",
    }
    base: dict[str, object] = {**WEBHOOK, "consumer": None, "provider": None, "secret": "sign-canary"}
    for url in ("https://ci.example.org/path-canary?key=query-canary", "https://ci.example.org/other-canary"):
        body = {
            **WEBHOOK,
            "consumer": None,
            "provider": None,
            "secret": "sign-canary",
            "request": {**request, "url": url},
        }
        response = api.post("/webhooks", body, headers=headers)
        assert response.status == 201, response.text
        path = f"/webhooks/{response.json()['uuid']}"
        changed = {**base, "secret": "resign-canary", "request": {**request, "url": url, "password": "new-canary"}}
        assert api.put(path, changed, headers=headers).status == 200
        assert api.delete(path, headers=headers).status == 204
    api.patch("/pacticipants/Shop", {"repositoryUrl": "https://git:push-canary@git.example.org/shop"}, headers=headers)
    build = {"buildUrl": "https://ci:build-canary@ci.example.org/7?token=ask-canary"}
    api.put("/pacticipants/Shop/versions/1", build, headers=headers)
    api.put("/pacticipants/Shop/labels/a?access_token=param-canary&plain=1", {}, headers=headers)
    api.patch("/pacticipants/Shop", {}, headers={**headers, "referer": "https://x:ref-canary@x.org/?a=from-canary"})
    for wrong in (
        basic("writer", "typo-canary"),
        basic("tokenasname-canary", "x"),
        {"authorization": "Bearer t-canary"},
    ):
        api.get("/", headers=wrong)
    trail_events = events(api, headers=headers)
    assert {"webhook_creation", "webhook_change", "webhook_removal", "version_creation"} <= {
        event["type"] for event in trail_events
    }
    database = open_kept(database_url, connections=1)
    kept = str(database.read(lambda db: db.execute(select(trail)).all()))
    database.close()
    for shown in (kept, json.dumps(trail_events), api.get("/audit/export", accept="*/*", headers=headers).text):
        assert "canary" not in shown
        assert base64.b64encode(":".join(WRITER).encode()).decode() not in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://git.example.org/shop", "https://git.example.org/shop"),
        ("https://git:canary@git.example.org:8443/shop", "https://git.example.org:8443/shop"),
        ("https://canary@git.example.org/shop?token=canary#canary", "https://git.example.org/shop"),
        ("ssh://git:canary@git.example.org/shop.git", "ssh://git.example.org/shop.git"),
        ("team/shop", "team/shop"),
        ("team/shop?token=canary", "(hidden)"),
        ("canary@git.example.org:shop.git", "(hidden)"),
        ("git:canary@git.example.org/shop", "(hidden)"),
        ("//git:canary@git.example.org/shop", "(hidden)"),
        ("https://[canary", "(hidden)"),
        ("https:///canary?canary", "(hidden)"),
    ],
)
@on_sqlite
def test_of_urls_only_that_stays_which_names_a_place(api, url, shown):
    assert api.patch("/pacticipants/Shop", {"repositoryUrl": url, "repositoryName": "a name?"}).status == 201
    created = latest(api)["after"]
    assert (created["repository_url"], created["repository_name"]) == (shown, "a name?")
    assert api.put("/pacticipants/Shop/versions/1", {"buildUrl": url}, headers={"referer": url}).status == 201
    saved = latest(api)
    assert (saved["after"]["build_url"], saved["payload"]["referer"]) == (shown, shown)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("plain=1&page=2", "plain=1&page=2"),
        ("access_token=canary&plain=1", "access_token=(hidden)&plain=1"),
        ("plain=1&API-Key=canary&Password=canary", "plain=1&API-Key=(hidden)&Password=(hidden)"),
        ("token", "token"),
    ],
)
@on_sqlite
def test_of_queries_the_values_are_hidden_that_are_named_like_secrets(api, query, shown):
    assert api.put(f"/pacticipants/Shop/labels/a?{query}", {}).status == 201
    assert latest(api)["payload"]["queryString"] == shown


def test_a_changed_secret_is_marked_as_changed_without_its_value(api):
    request: dict[str, object] = {
        "method": "POST",
        "url": "https://ci.example.org/a",
        "headers": {"x-job": "1"},
        "password": "p",
    }
    body: dict[str, object] = {**WEBHOOK, "consumer": None, "provider": None, "request": request}
    path = f"/webhooks/{api.post('/webhooks', body).json()['uuid']}"
    api.put(path, {**body, "request": {**request, "url": "https://ci.example.org/b", "password": "q"}})
    event = latest(api)
    assert event["before"] == {"url": "https://ci.example.org/(hidden)", "password": "(hidden)"}
    assert event["after"] == {"url": "https://ci.example.org/(hidden, changed)", "password": "(hidden, changed)"}


# Changes without a request


def test_clean_ups_and_repairs_are_recorded_with_the_system_as_their_actor(api, database, clock):
    for number in ("1", "2", "3"):
        api.put(f"/pacticipants/Till/branches/main/versions/{number}", {})
    database.write(lambda db: db.execute(text("UPDATE branch SET head_version_id = NULL")))
    database.write(integrity.repair_integrity)
    clock.now += timedelta(days=200)
    Cleaner(
        database,
        Retention(versions=add_in_use_selectors(DEFAULT_VERSION_SELECTORS)),
        clock=clock,
        pause=lambda _: False,
    ).clean()
    system_events = [event for event in events(api) if event["credential"]["type"] == "system"]
    assert [event["payload"]["params"]["rows"] for event in system_events if event["type"] == "repair"] == [1]
    cleaned = [event for event in system_events if event["type"] == "cleaning"]
    assert {(event["resource"], event["user_email"], event["credential"]["name"]) for event in cleaned} == {
        ("Till", None, "cleaner")
    }
    left = api.get("/pacticipants/Till/versions").json()["_embedded"]["versions"]
    gone = {number for event in cleaned for number in event["before"]["versions"]}
    assert gone
    assert gone == {"1", "2", "3"} - {version["number"] for version in left}


def test_old_events_are_removed_and_the_removal_is_recorded(api, database, clock):
    api.patch("/pacticipants/Old", {})
    clock.now += timedelta(days=40)
    api.patch("/pacticipants/New", {})
    cleaner = Cleaner(
        database, Retention(versions=()), audit_max_age=timedelta(days=30), clock=clock, pause=lambda _: False
    )
    assert cleaner.clean_history() == 1
    assert [(event["type"], event["resource"]) for event in events(api)] == [
        ("pacticipant_creation", "New"),
        ("cleaning", None),
    ]
    assert events(api)[1]["before"] == {"audit": 1}
    assert api.get("/pacticipants/Old").status == 200


def test_without_an_age_it_stays_for_ever(api, database, clock):
    api.patch("/pacticipants/Old", {})
    clock.now += timedelta(days=4000)
    assert Cleaner(database, Retention(versions=()), clock=clock, pause=lambda _: False).clean_history() == 0
    assert len(events(api)) == 1


# Reading


@pytest.fixture
def long_trail(api, clock):
    for number in range(25):
        clock.now += timedelta(hours=1)
        api.patch(f"/pacticipants/App-{number}", {})
    return api


def pages(api, query, between=lambda: None):
    resources, path = [], f"/audit{query}"
    while path:
        document = api.get(path).json()
        resources.append([event["resource"] for event in document["events"]])
        path = document["_links"].get("next", {}).get("href", "").removeprefix("http://localhost")
        between()
    return resources


@pytest.mark.parametrize("sort", ["", "&sort=-timestamp", "&sort=%2Btimestamp", "&sort=+timestamp"])
def test_pages_lead_to_one_another_and_none_moves_while_events_are_added(long_trail, clock, sort):
    def add():
        clock.now += timedelta(seconds=1)
        long_trail.patch(f"/pacticipants/Later-{clock.now:%M%S}", {})

    resources = pages(long_trail, f"?pageSize=10{sort}&until=2024-05-07T08:08:09.500Z", add)
    names = [f"App-{number}" for number in range(25)]
    assert [resource for page in resources for resource in page] == (names[::-1] if "-" in sort else names)


def test_pages_have_numbers(long_trail):
    assert [event["resource"] for event in events(long_trail, "?pageNumber=3&pageSize=10")] == [
        f"App-{number}" for number in range(20, 25)
    ]
    assert [event["resource"] for event in events(long_trail, "?page=2&size=2")] == ["App-2", "App-3"]


def test_a_list_can_continue_from_the_uuid_or_the_time_of_an_event(long_trail):
    tenth = events(long_trail)[10]
    assert events(long_trail, f"?from={tenth['uuid']}")[0] == tenth
    assert events(long_trail, f"?from={tenth['uuid']}&sort=-timestamp")[0] == tenth
    since = tenth["timestamp"].replace("+", "%2B")
    assert events(long_trail, f"?since={since}")[0] == tenth
    assert events(long_trail, f"?since={tenth['timestamp']}")[0] == tenth


def test_filters_select_events_by_resource_type_user_and_credential(make_api):
    api = make_api(**USERS)
    headers = basic(*WRITER)
    api.patch("/pacticipants/Shop", {}, headers=headers)
    api.post("/contracts/publish", publication("Shop", "1", "Prices"), headers=headers)
    api.get("/")

    def kinds(query):
        return [event["type"] for event in events(api, query, headers=headers)]

    assert kinds("?resource=Prices") == ["pacticipant_creation", "pact_publication"]
    assert kinds("?type=pact_publication") == ["pact_publication"]
    assert kinds("?user=writer&type=access_refusal") == []
    assert kinds("?credential=anonymous") == ["access_refusal"]
    assert kinds("?address=192.0.2.1") == []
    assert kinds("?until=2024-05-06") == []
    assert kinds("?userUuid=00000000-0000-4000-8000-000000000000") == []
    assert len(kinds("?since=2024-05-06T07:00:00Z&until=2024-05-07&credential=basic&user=writer")) == 3


def test_an_export_has_the_same_events_as_the_pages(long_trail):
    for query in ("", "&sort=-timestamp", "&since=2024-05-06T20:00:00Z&resource=App-20"):
        exported = long_trail.get(f"/audit/export?x=1{query}", accept="*/*")
        assert exported.headers["content-type"] == "application/x-ndjson;charset=utf-8"
        assert "attachment" in exported.headers["content-disposition"]
        listed = events(long_trail, f"?x=1{query}")
        assert [json.loads(line) for line in exported.text.splitlines()] == listed
        assert listed


def test_a_long_export_is_whole(api, database):
    now = datetime(2024, 5, 6, tzinfo=UTC)
    row = dict.fromkeys((column.name for column in trail.columns), None)
    numbers = [generate_event_id(now) for _ in range(1700)]
    rows = [{**row, "id": number, "type": "x", "credential": "system", "count": 1} for number in numbers]
    database.write(lambda db: db.execute(trail.insert(), rows))
    lines = api.get("/audit/export", accept="*/*").text.splitlines()
    assert [json.loads(line)["uuid"] for line in lines] == [event_uuid(number) for number in numbers]
    assert api.request("HEAD", "/audit/export", accept="*/*").body == b""


@pytest.mark.parametrize(
    ("query", "member"),
    [
        ("since=yesterday", "since"),
        ("until=2024-99-99", "until"),
        ("from=nonsense", "from"),
        ("from=00000000-0000-4000-8000-000000000000", "from"),
        ("sort=name", "sort"),
        ("pageSize=101", "pageSize"),
        ("pageSize=0", "pageSize"),
        ("pageNumber=x", "pageNumber"),
        ("pageNumber=99999999", "pageNumber"),
    ],
)
def test_an_invalid_parameter_returns_400_and_its_name(api, query, member):
    answer = api.get(f"/audit?{query}")
    assert (answer.status, list(answer.json()["errors"])) == (400, [member])


@pytest.mark.parametrize("path", ["/audit", "/audit/export"])
def test_readers_and_strangers_do_not_read_it(make_api, path):
    api = make_api(**USERS, allow_public_read=True)
    assert api.get(path, accept="*/*", headers=basic(*WRITER)).status == 200
    assert api.get(path, accept="*/*", headers=basic(*READER)).status in {401, 403}
    assert api.get(path, accept="*/*").status == 401


# Numbers and names


def test_ids_and_uuids_of_events_contain_their_time_and_are_ordered():
    moments = [datetime(2024, 5, 6, 7, 8, 9, 123000, UTC) + timedelta(milliseconds=step) for step in (0, 1, 60_000)]
    numbers = [generate_event_id(at) for at in moments]
    assert [event_time(number) for number in numbers] == moments
    assert [find_event_id(event_uuid(number)) for number in numbers] == numbers
    assert [first_event_id(at) <= number for at, number in zip(moments, numbers, strict=True)] == [True] * 3
    assert sorted(event_uuid(number) for number in numbers) == [event_uuid(number) for number in numbers]
    assert max(numbers) < 2**63


def test_details_are_bounded_whatever_is_in_them():
    long = {f"name-{number}": "x" * 1000 for number in range(1000)}
    assert len(encode_details({}, long, {"a": ["y" * 1000] * 1000}) or "") <= 8000
    assert encode_details({}, {}, {}) is None


# Users, tokens and sessions


def summarize_events(api, headers):
    return [
        (event["type"], event["user_email"], event["credential"]["type"], event["resource"])
        for event in events(api, headers=headers)
    ]


def test_the_page_of_users_shows_the_age_of_the_latest_backup(api, accounts, database, clock):
    accounts(Role.ADMINISTRATOR)
    browser = Browser(api)
    browser.sign_in("administrator", PASSWORD)
    assert "none is recorded" in browser.get("/settings/users").text
    manifest = Manifest(
        treaty_version="1", revision="1", database_kind="sqlite", created_at=clock.now - timedelta(days=3), tables=()
    )
    database.write(lambda db: record_backup(db, manifest, size=1))
    assert re.search(r"Latest backup: <time [^>]*>3 days ago</time>", browser.get("/settings/users").text)


def test_events_of_tokens_and_users_name_the_user_who_changed_them(api, accounts):
    admin = accounts(Role.ADMINISTRATOR)
    headers = {"authorization": f"Bearer {admin.text}"}
    browser = Browser(api)
    browser.sign_in("administrator", "wrong-canary")
    browser.sign_in("nobody-canary", "wrong-canary")
    assert browser.sign_in("administrator", PASSWORD).status == 303
    assert browser.get("/settings/tokens").status == 200
    answer = browser.send("/settings/tokens/new", name="ci", may="read-only", days="30")
    text_of = re.search(r"treaty_\w{38}", answer.text)
    assert text_of, answer.text
    (creation,) = events(api, "?type=token_creation&user=administrator", headers=headers)
    uuid = creation["payload"]["params"]["uuid"]
    renewed = re.search(r"treaty_\w{38}", browser.send(f"/settings/tokens/{uuid}/renew").text)
    browser.send(f"/settings/tokens/{uuid}/revoke")
    new = {"kind": "person", "password": "a long pass canary", "again": "a long pass canary"}
    added = browser.send("/settings/users/new", name="bob", email="", role="read-only", **new)
    assert added.status == 303, added.text
    path = added.headers["location"].partition("?")[0]
    browser.send(path, do="role", role="read-write")
    browser.send(path, do="disable")
    browser.send(path, do="enable")
    browser.send(path, do="password", password="another long canary", again="another long canary")  # noqa: S106 - of the test
    again = "my own new long canary"
    browser.send("/settings/account", current=PASSWORD, password=again, again=again)
    shown_tokens = api.get("/settings/tokens", headers=headers)
    assert shown_tokens.status == 200, shown_tokens.text
    tokens = shown_tokens.json()["_embedded"]["items"]
    owner = base64.b64encode(f"administrator:{again}".encode()).decode()
    api.post(f"/settings/tokens/{tokens[0]['uuid']}/regenerate", {}, headers={"authorization": f"Basic {owner}"})
    browser.send("/sign-out")
    browser.sign_in("administrator", again)
    browser.get("/settings/account")
    browser.send("/settings/sessions/end")
    summaries = summarize_events(api, headers)
    mine = [summary for summary in summaries if summary[2] != "system"]
    assert mine == [
        ("sign_in_failure", None, "anonymous", "administrator"),
        ("sign_in_failure", None, "anonymous", None),
        ("sign_in", "administrator", "anonymous", "administrator"),
        ("token_creation", "administrator", "session", "administrator"),
        ("token_regeneration", "administrator", "session", "administrator"),
        ("token_revocation", "administrator", "session", "administrator"),
        ("user_creation", "administrator", "session", "bob"),
        ("user_change", "administrator", "session", "bob"),
        ("user_change", "administrator", "session", "bob"),
        ("user_change", "administrator", "session", "bob"),
        ("password_change", "administrator", "session", "bob"),
        ("password_change", "administrator", "session", "administrator"),
        ("token_regeneration", "administrator", "basic", "administrator"),
        ("sign_out", "administrator", "session", "administrator"),
        ("sign_in", "administrator", "anonymous", "administrator"),
        ("sign_out", "administrator", "session", "administrator"),
    ]
    shown = json.dumps(events(api, headers=headers))
    secrets = ["canary", PASSWORD, admin.text, text_of[0], renewed[0] if renewed else "", "argon2"]
    assert [secret for secret in secrets if secret and secret in shown] == []


def test_events_can_be_filtered_by_the_name_of_a_token(api, accounts):
    admin = accounts(Role.ADMINISTRATOR)
    writer = accounts(Role.READ_WRITE)
    headers = {"authorization": f"Bearer {admin.text}"}
    api.patch("/pacticipants/Shop", {}, headers={"authorization": f"Bearer {writer.text}"})
    (event,) = events(api, "?credential=of+the+tests", headers=headers)
    assert (event["user_email"], event["credential"]) == (
        "read-write",
        {"type": "bearer", "name": "of the tests", "uuid": writer.token.uuid},
    )
    assert events(api, f"?userUuid={event['db_user_id']}", headers=headers) == [event]
    assert api.get("/audit", headers={"authorization": f"Bearer {writer.text}"}).status == 403


def test_signing_out_without_a_session_records_no_event(make_api):
    api = make_api(**USERS)
    browser = Browser(api)
    for _ in range(5):
        browser.get("/sign-in")
        browser.send("/sign-out")
    assert events(api, headers=basic(*WRITER)) == []
