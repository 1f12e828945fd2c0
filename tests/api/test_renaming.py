"""Renaming an application: its history follows, its former name leads to it, and nothing is written under it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.api import examples, golden
from tests.api.client import SECRET_KEY, pact
from tests.api.examples import CONSUMER, EXTENDED, PROVIDER
from tests.api.history import History
from tests.api.writes import WEBHOOK, WRITES, world
from tests.databases import on_sqlite
from treaty.actions.accounts import accounts as account_actions
from treaty.actions.accounts import credentials
from treaty.actions.webhooks import deliveries
from treaty.model.accounts.access import Role
from treaty.model.accounts.scopes import Scope, build_limits
from treaty.model.maintenance.retention import KeepVersions, Retention, add_in_use_selectors
from treaty.settings import Secret, Settings
from treaty.store.engine.vault import get_vault
from treaty.store.webhooks.due_deliveries import ClaimRequest
from treaty.web.parameter_urls import PARAMETER_URLS
from treaty.workers.cleanup import Cleaner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.client import Answer, Api, Clock
    from treaty.web.http.router import Route

REQUEST = {"method": "POST", "url": "https://ci.example.org/build"}
NEW = {CONSUMER: "New/App", PROVIDER: "Neue API"}


def q(name: str) -> str:
    return quote(name, safe="")


def rename(api: Api, old: str, new: str, query: str = "") -> Answer:
    return api.post(f"/pacticipants/{q(old)}/rename{query}", {"name": new})


def with_new_names(path: str) -> str:
    for old, new in NEW.items():
        path = path.replace(q(old), q(new))
    return path


def read(api: Api, kind: str, route: Route, path: str) -> Answer:
    accept = "text/html" if kind == "page" else EXTENDED if EXTENDED in route.produces else "*/*"
    return api.request(route.method, path, {} if route.method == "POST" else None, accept=accept)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, dict[str, str]]]:
    """A broker with something at each path, whose applications have been renamed."""
    url = f"sqlite:///{tmp_path_factory.mktemp('renamed') / 'treaty.sqlite'}"
    with examples.broker(url) as api:
        parameters = examples.enrich(lambda method, path, body: api.request(method, path, body).json())
        for old, new in NEW.items():
            assert rename(api, old, new).status == 200
        yield api, parameters


READS = [(kind, route) for kind, route in golden.routes() if route.is_read_only and route.url.has_pacticipant]


@pytest.mark.parametrize(
    ("kind", "route"), READS, ids=[f"{kind} {route.method} {route.url.template}" for kind, route in READS]
)
def test_every_read_of_a_former_name_leads_to_the_new_one(filled, kind, route):
    api, parameters = filled
    path = examples.filled(route.url.template, parameters) + "?page=1"
    answer = read(api, kind, route, path)
    assert (answer.status, answer.headers.get("location", "").removeprefix("http://localhost")) == (
        308,
        with_new_names(path),
    )
    assert answer.headers["cache-control"] == "no-store"
    assert "has been renamed" in answer.text
    assert read(api, kind, route, with_new_names(path)).status < 400


# Writes

FORMER = {"pacticipant": "Shop", "consumer": "Shop", "provider": "Prices"}
REFUSED = {
    route.handler.__name__
    for kind, route in golden.routes()
    if kind == "api" and not route.is_read_only and route.url.has_pacticipant and route.needs_database
} - {"rename_pacticipant"}


@on_sqlite
def test_every_write_to_a_former_name_is_refused_with_the_new_one(api: Api) -> None:
    ids = world(api)
    requests = {name: WRITES[name](ids) for name in sorted(REFUSED - {"create_webhook_of_provider"})}
    requests["publish_contracts"] = WRITES["publish_contracts"](ids)
    methods = {route.handler.__name__: route.method for kind, route in golden.routes() if kind == "api"}
    assert rename(api, "Shop", "Store").status == 200
    before = state(api)
    for name, (path, body) in requests.items():
        kind = (
            "application/merge-patch+json" if methods[name] == "PATCH" and "/pacts/" not in path else "application/json"
        )
        answer = api.request(methods[name], path, body, type=kind)
        assert (name, answer.status) == (name, 409)
        assert "'Shop' has been renamed to 'Store'" in answer.text
        assert "Use the new name" in answer.text
    assert state(api) == before


def state(api: Api) -> object:
    listed = api.get("/pacticipants").json()["_embedded"]["pacticipants"]
    return listed, api.get("/pacticipants/Store/versions").json(), api.get("/webhooks").json()


@on_sqlite
def test_a_former_name_of_a_provider_is_refused_too(api: Api) -> None:
    History(api).publish("Shop", "1", "Prices")
    rename(api, "Prices", "Costs")
    path = "/pacts/provider/Prices/consumer/Shop/version/2"
    for answer in (api.publish("Shop", "2", "Prices"), api.put(path, pact("Shop", "Prices"))):
        assert answer.status == 409
        assert "'Prices' has been renamed to 'Costs'" in answer.text
    assert api.publish("Shop", "2", "Prices").json()["notices"][0]["type"] == "error"
    assert api.get("/pacticipants/Shop/versions/2").status == 404


@on_sqlite
def test_errors_of_webhooks_and_decisions_name_the_new_name(api: Api) -> None:
    world(api)
    rename(api, "Shop", "Store")
    refused = api.post("/webhooks", WEBHOOK)
    assert refused.status == 400
    text = "does not match an existing pacticipant: it was renamed to 'Store'"
    assert refused.json() == {"errors": {"consumer.name": [text]}}
    decision = api.get("/can-i-deploy?pacticipant=Shop&version=1&environment=production")
    assert decision.status == 400
    assert decision.json() == {"errors": {"pacticipant": [text]}}
    matrix = api.get("/matrix?q[][pacticipant]=Shop&q[][version]=1")
    assert matrix.json() == {"errors": ["Pacticipant Shop not found: it was renamed to Store. Use the new name."]}


# Data that follows the name


def test_everything_that_belongs_to_the_application_follows_its_name(api: Api) -> None:
    ids = world(api)
    answer = rename(api, "Shop", "Store/2")
    assert (answer.status, answer.headers["location"]) == (200, "http://localhost/pacticipants/Store%2F2")
    renamed = api.get("/pacticipants/Store%2F2").json()
    assert (renamed["name"], renamed["displayName"], renamed["formerNames"]) == ("Store/2", "Store/2", ["Shop"])
    assert [label["name"] for label in renamed["_embedded"]["labels"]] == ["shop"]
    assert renamed["_links"]["pb:deployed-environments"][0]["href"].endswith(ids.deployed)
    numbers = [it["number"] for it in api.get("/pacticipants/Store%2F2/versions").json()["_embedded"]["versions"]]
    assert numbers == ["2", "1"]
    assert api.get("/pacticipants/Store%2F2/branches/feat%2Fx/versions/1").status == 200
    assert api.get("/pacticipants/Store%2F2/versions/1/tags/beta").status == 200
    assert api.get(f"/webhooks/{ids.webhook}").json()["consumer"]["name"] == "Store/2"
    pair = "/pacts/provider/Prices/consumer/Store%2F2"
    assert api.get(f"{pair}/version/1/verification-results/latest").json()["success"] is True
    triggered = api.get(f"{pair}/version/2/triggered-webhooks").json()["_embedded"]["triggeredWebhooks"]
    assert [it["_links"]["pb:logs"]["href"].split("/")[-2] for it in triggered] == [ids.delivery]
    question = "/can-i-deploy?pacticipant=Store%2F2&version=1&environment=production"
    summary = api.get(question).json()["summary"]
    assert summary["unknown"] == 1  # Prices is not deployed
    assert summary["reason"].startswith("Store/2 (1) is overridden for production until ")
    integrations = api.get("/integrations").json()["_embedded"]["integrations"]
    assert [(it["consumer"]["name"], it["provider"]["name"]) for it in integrations] == [("Store/2", "Prices")]


@on_sqlite
def test_a_display_name_follows_only_if_it_is_the_default(api: Api) -> None:
    api.post("/pacticipants", {"name": "web-shop"})
    api.post("/pacticipants", {"name": "till", "displayName": "The Till"})
    assert rename(api, "web-shop", "web-store").json()["displayName"] == "Web Store"
    assert rename(api, "till", "checkout").json()["displayName"] == "The Till"


@on_sqlite
def test_the_audit_trail_has_both_names(api: Api) -> None:
    api.post("/pacticipants", {"name": "Shop"})
    rename(api, "Shop", "Store")
    for name in ("Shop", "Store"):
        events = api.get(f"/audit?type=pacticipant_rename&resource={name}").json()
        [event] = next(value for value in events.values() if isinstance(value, list))
        assert (event["before"]["name"], event["after"]["name"]) == ("Shop", "Store")


@on_sqlite
def test_cached_responses_have_the_new_name(api: Api) -> None:
    History(api).publish("Shop", "1", "Prices")
    paths = ("/pacts/latest", "/pacticipants", "/integrations", "/dashboard", "/pacts/provider/Prices/latest")
    for _ in range(3):
        assert all("Shop" in api.get(path).text for path in paths)
    rename(api, "Shop", "Store")
    for path in paths:
        assert "Store" in api.get(path).text
        assert "Shop" not in api.get(path).text.replace('"formerNames":["Shop"]', "")


# Pacts

UNUSUAL = (
    b'{"metadata":{"a":[1.10,1e2,-0,12345678901234567890123]},"interactions":[{"description":"consumer",'
    b'"request":{"body":{"consumer":{"name":"Shop"},"provider":{"name":"Prices"}}}}],'
    b'"provider":{"x":"\\ud800","name":"Prices"},"consumer":{"name":"Shop"},"last":"Shop"}'
)


@pytest.mark.parametrize("document", [json.dumps(pact("Shop", "Prices")).encode(), UNUSUAL])
def test_a_pact_keeps_its_hash_and_its_bytes_but_for_the_names(api: Api, document: bytes) -> None:
    path = "/pacts/provider/{}/consumer/{}/version/1"
    published = api.put(path.format("Prices", "Shop"), document)
    rename(api, "Shop", 'Sto"re')
    rename(api, "Prices", "Costs")
    served = api.get(path.format("Costs", "Sto%22re"))
    assert (served.json()["consumer"]["name"], served.json()["provider"]["name"]) == ('Sto"re', "Costs")
    assert name_of_content(served) == name_of_content(published)

    # The last occurrence of each is the name of the pact; others belong to its interactions.
    expected = content(published)
    for old, new in (('"Shop"}', '"Sto\\"re"}'), ('"Prices"}', '"Costs"}')):
        before, _, after = expected.rpartition(old) if document is UNUSUAL else expected.partition(old)
        expected = before + new + after
    assert content(served) == expected
    rename(api, 'Sto"re', "Shop")
    rename(api, "Costs", "Prices")
    assert content(api.get(path.format("Prices", "Shop"))) == content(published)


def content(answer: Answer) -> str:
    return answer.text.partition(',"createdAt"')[0]


def name_of_content(answer: Answer) -> object:
    return answer.json()["_links"]["pb:pact-version"]["name"]


@on_sqlite
def test_a_pact_that_is_published_again_after_the_rename_needs_no_new_verification(api: Api) -> None:
    history = History(api)
    history.publish("Shop", "1", "Prices")
    history.verify("Shop", "1", "Prices", "7")
    rename(api, "Shop", "Store")
    fetched = api.get("/pacts/provider/Prices/consumer/Store/version/1")
    again = api.put("/pacts/provider/Prices/consumer/Store/version/2", fetched.body)
    assert again.status == 201
    assert name_of_content(again) == name_of_content(fetched)
    assert api.get("/pacts/provider/Prices/consumer/Store/version/2/verification-results/latest").status == 200
    same = api.publish("Store", "1", "Prices", "a thing")
    assert same.status == 200, same.text
    merged = api.patch(
        "/pacts/provider/Prices/consumer/Store/version/1", pact("Store", "Prices", "more"), type="application/json"
    )
    assert merged.json()["consumer"]["name"] == "Store"
    assert len(merged.json()["interactions"]) == 2


@on_sqlite
def test_a_verifier_with_the_former_names_finds_its_pacts(api: Api) -> None:
    history = History(api)
    history.publish("Shop", "1", "Prices", branch="main")
    rename(api, "Shop", "Store")
    rename(api, "Prices", "Costs")
    selection = {"consumerVersionSelectors": [{"consumer": "Shop", "branch": "main"}]}
    redirected = api.post("/pacts/provider/Prices/for-verification", selection)
    assert redirected.status == 308
    [pact_to_verify] = api.post(redirected.headers["location"], selection).json()["_embedded"]["pacts"]
    served = api.get(pact_to_verify["_links"]["self"]["href"]).json()
    assert (served["consumer"]["name"], served["provider"]["name"]) == ("Store", "Costs")


# Names


def test_names_lead_to_the_present_one_through_several_renames(api: Api, clock: Clock) -> None:
    History(api).version("a", "1")
    for old, new in (("a", "b"), ("b", "c")):
        clock.now += timedelta(seconds=1)
        assert rename(api, old, new).status == 200
    for former in ("a", "b"):
        assert (
            api.get(f"/pacticipants/{former}/versions/1").headers["location"]
            == "http://localhost/pacticipants/c/versions/1"
        )
    assert api.get("/pacticipants/c").json()["formerNames"] == ["b", "a"]
    clock.now += timedelta(seconds=1)
    assert rename(api, "c", "a").status == 200
    assert api.get("/pacticipants/a/versions/1").status == 200
    assert api.get("/pacticipants/a").json()["formerNames"] == ["c", "b"]
    assert api.delete("/pacticipants/a").status == 204
    assert api.get("/pacticipants/b").status == 404
    assert api.put("/pacticipants/b/versions/1", {}).status == 201


def test_a_former_name_can_be_taken_by_a_new_application(api: Api) -> None:
    History(api).version("Shop", "1")
    rename(api, "Shop", "Store")
    created = api.post("/pacticipants", {"name": "Shop"})
    assert created.status == 201
    assert created.json()["warnings"][0].startswith("Shop was a former name of Store. From now on it is another")
    assert api.get("/pacticipants/Shop").json()["name"] == "Shop"
    assert api.get("/pacticipants/Shop/versions").json()["_embedded"]["versions"] == []
    assert "formerNames" not in api.get("/pacticipants/Store").json()
    assert api.put("/pacticipants/Shop/versions/9", {}).status == 201
    assert rename(api, "Store", "Shop").status == 409


def test_an_application_can_be_renamed_to_a_former_name_of_another(api: Api) -> None:
    api.post("/pacticipants", {"name": "a"})
    api.post("/pacticipants", {"name": "other"})
    rename(api, "a", "b")
    assert rename(api, "other", "a").json()["name"] == "a"
    assert api.get("/pacticipants/other").headers["location"].endswith("/pacticipants/a")
    assert "formerNames" not in api.get("/pacticipants/b").json()


def test_names_that_are_not_free_or_no_names_are_refused(api: Api) -> None:
    for name in ("Shop", "Prices"):
        api.post("/pacticipants", {"name": name})
    taken = rename(api, "Shop", "Prices")
    assert (taken.status, "There is another application with the name 'Prices'" in taken.text) == (409, True)
    assert rename(api, "Nobody", "x").json() == {"error": "No pacticipant with name 'Nobody' found"}
    for name, problem in (
        ("", "must be filled"),
        (" ", "cannot be blank"),
        ("x" * 2001, "cannot be longer than 2000 bytes"),
    ):
        assert rename(api, "Shop", name).json() == {"errors": {"name": [problem]}}
    assert api.post("/pacticipants/Shop/rename", {}).json() == {"errors": {"name": ["is missing"]}}
    assert api.get("/pacticipants/Shop").status == 200


@on_sqlite
def test_the_same_name_and_a_repeated_request_change_nothing(api: Api) -> None:
    api.post("/pacticipants", {"name": "Shop"})
    assert "formerNames" not in rename(api, "Shop", "Shop").json()
    assert rename(api, "Shop", "Store").status == 200
    assert rename(api, "Shop", "Store").json()["formerNames"] == ["Shop"]
    assert "has been renamed to 'Store'" in rename(api, "Shop", "Other").json()["error"]
    assert "has been renamed to 'Store'" in rename(api, "Shop", "Shop").json()["error"]


@on_sqlite
def test_a_name_may_differ_in_case_only(api: Api) -> None:
    api.post("/pacticipants", {"name": "shop"})
    assert rename(api, "shop", "Shop").json()["name"] == "Shop"
    assert api.get("/pacticipants/shop").headers["location"] == "http://localhost/pacticipants/Shop"
    assert api.get("/pacticipants/Shop").status == 200


@on_sqlite
def test_a_name_like_that_of_another_application_has_to_be_allowed(api: Api) -> None:
    for name in ("price-api", "Shop"):
        api.post("/pacticipants", {"name": name})
    refused = rename(api, "Shop", "PriceService")
    assert (refused.status, "so similar to 'price-api'" in refused.text) == (409, True)
    assert rename(api, "Shop", "PriceService", "?allowSimilarNames=true").status == 200
    # Its own name is not another one.
    assert rename(api, "price-api", "price_service").status == 409
    assert rename(api, "PriceService", "Shop").status == 200
    assert rename(api, "price-api", "price_service").status == 200
    # A former name no longer belongs to an application.
    assert api.publish("Consumer", "1", "price-service").status == 409


@on_sqlite
def test_a_redirect_keeps_query_and_extension(api: Api) -> None:
    History(api).publish("Shop", "1", "Prices")
    rename(api, "Shop", "New/Shop")
    answer = api.get("/pacts/provider/Prices/consumer/Shop/latest/badge.svg?initials=true&label=a%20b")
    location = "http://localhost/pacts/provider/Prices/consumer/New%2FShop/latest/badge.svg?initials=true&label=a%20b"
    assert (answer.status, answer.headers["location"]) == (308, location)
    head = api.request("HEAD", "/pacticipants/Shop.json")
    assert (head.status, head.headers["location"]) == (308, "http://localhost/pacticipants/New%2FShop.json")
    page = api.get("/pacticipants/Shop?show=states", accept="text/html")
    assert (page.status, page.headers["location"]) == (308, "/pacticipants/New%2FShop?show=states")


# Tokens


def test_a_token_for_the_application_is_for_its_new_name_and_for_no_other(api: Api, accounts, database, clock) -> None:
    accounts(Role.ADMINISTRATOR)
    vault = get_vault(Settings(secret_key=Secret(SECRET_KEY)))

    def token(name: str, *applications: str) -> dict[str, str]:
        limits = build_limits([Scope.READ, Scope.PUBLISH_PACTS], applications)
        draft = credentials.TokenDraft(name=name, limits=limits)
        issued = database.write(
            lambda db: credentials.add_token(
                db, account_actions.get_account(db, "administrator"), draft, vault=vault, now=clock.now
            )
        )
        return {"authorization": f"Bearer {issued.text}"}

    everything = {"authorization": f"Bearer {accounts(Role.READ_WRITE).text}"}
    build, both, other = token("build", "Shop"), token("both", "Shop", "Till"), token("other", "Till")

    def publish(who: dict[str, str], name: str) -> Answer:
        return api.put(f"/pacts/provider/Prices/consumer/{name}/version/1", pact(name, "Prices"), headers=who)

    assert publish(build, "Shop").status == 201
    for limited in (build, both, other):
        assert api.post("/pacticipants/Shop/rename", {"name": "Store"}, headers=limited).status == 403
    waiting = token("for a later name", "Store")
    done = api.post("/pacticipants/Shop/rename", {"name": "Store"}, headers=everything)
    assert done.status == 200
    [warning] = done.json()["warnings"]
    assert warning.startswith("Tokens and system accounts that were limited to Store before (1 of them) can write")
    assert publish(waiting, "Store").status == 200
    for limited in (build, both):
        assert publish(limited, "Store").status == 200
        late = publish(limited, "Shop")
        assert (late.status, "'Shop' has been renamed to 'Store'" in late.text) == (409, True)
    assert publish(other, "Store").json()["missingApplications"] == ["Store"]
    assert publish(other, "Shop").json()["missingApplications"] == ["Shop"]
    # Another application takes the name: the tokens are not for it.
    assert api.post("/pacticipants", {"name": "Shop"}, headers=build).status == 403
    assert api.post("/pacticipants", {"name": "Shop"}, headers=everything).status == 201
    assert publish(build, "Shop").json()["missingApplications"] == ["Shop"]
    assert publish(both, "Till").status == 201


# Importing


@on_sqlite
def test_an_import_does_not_bring_a_former_name_back(api: Api) -> None:
    history = History(api)
    history.version("Shop", "1")
    rename(api, "Shop", "Store")
    times = {"createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-01-01T00:00:00Z"}
    facts = [
        {"kind": "pacticipant", "name": "Shop", **times},
        {"kind": "version", "pacticipant": "Shop", "number": "0", **times},
    ]
    sent = {"source": "https://old.example.org", "run": "1", "facts": facts}
    outcomes = api.post("/import", sent).json()["outcomes"]
    assert [outcome["outcome"] for outcome in outcomes] == ["refused", "refused"]
    assert "Shop was renamed to Store here" in outcomes[0]["reason"]
    assert api.get("/pacticipants/Shop").status == 308


# Other data that contains the name


def test_a_setting_of_the_clean_up_with_the_former_name_keeps_its_versions(api: Api, database, clock) -> None:
    history = History(api)
    for name in ("Shop", "Till"):
        for number in ("1", "2"):
            history.version(name, number)
    rename(api, "Shop", "Store")
    kept = [KeepVersions(pacticipant="Shop"), KeepVersions(pacticipant="Till", latest=True)]
    retention = Retention(versions=add_in_use_selectors(kept))
    Cleaner(database, retention, clock=lambda: clock.now, pause=lambda _: False).clean()
    numbers = {
        name: [
            version["number"] for version in api.get(f"/pacticipants/{name}/versions").json()["_embedded"]["versions"]
        ]
        for name in ("Store", "Till")
    }
    assert numbers == {"Store": ["2", "1"], "Till": ["2"]}


def test_a_queued_delivery_has_the_present_names(api: Api, database, clock) -> None:
    """Even if the facts were stored with it, because its version was removed."""
    ids = world(api)
    body = {**WEBHOOK, "request": {**REQUEST, "body": {"from": "${pactbroker.consumerName} ${pactbroker.pactUrl}"}}}
    assert api.put(f"/webhooks/{ids.webhook}", body).status == 200
    History(api).publish("Shop", "3", "Prices", "a third thing")
    assert api.delete("/pacticipants/Shop/versions/3").status == 204
    rename(api, "Shop", "Store")
    rename(api, "Prices", "Costs")
    settings = Settings(secret_key=Secret(SECRET_KEY))
    until = clock.now + timedelta(hours=1)
    claim = ClaimRequest(owner="test", now=until, until=until + timedelta(hours=1), limit=10)
    claimed = database.write(lambda db: deliveries.claim(db, claim))
    sent = [
        deliveries.build_request(delivery, settings=settings, parameter_urls=PARAMETER_URLS, at=clock.now).body.decode()
        for delivery in claimed
    ]
    assert sent
    assert all("Store http://localhost/pacts/provider/Costs/consumer/Store/" in body for body in sent)
