"""Two concurrent writes have the same result as one after the other, in one of the two orders.

Each pair is sent to two applications on one database: one after the other in both orders, and then at once, some times
with a transaction in the way that lets both read before either may write. The responses, the stored rows,
and the audit log must be as in one of the orders.
"""

import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import combinations_with_replacement
from pprint import pformat
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import delete, select, text, update

from tests.api.client import SECRET_KEY, Answer, Api, pact, publication
from tests.api.credentials import PASSWORD, VAULT, hash_quickly
from tests.scale import choose
from treaty.actions.accounts import accounts, credentials
from treaty.actions.maintenance import key_rotation
from treaty.model.accounts import passwords
from treaty.model.accounts.access import Role
from treaty.model.webhooks.webhooks import EncryptedText
from treaty.store.accounts import accounts as stored
from treaty.store.engine import keys
from treaty.store.engine.database import Database, open_database
from treaty.store.engine.vault import Vault
from treaty.store.maintenance import encrypted_columns
from treaty.store.tables import (
    access,
    account,
    audit,
    deployed_version,
    environment,
    former_name,
    guess,
    label,
    pacticipant,
    released_version,
    session,
    tag,
    token,
    verification,
    version,
    webhook,
    webhook_event,
)
from treaty.store.tables import publication as publication_table

FORM = "application/x-www-form-urlencoded"
OTHER, THIRD = "one more battery, please", "the third of our passwords"
HASHES = {text: hash_quickly(text) for text in (PASSWORD, OTHER, THIRD)}
NEWER_KEY = "the key that follows the one of the tests"
WAIT_SECONDS = 60
HELD_SECONDS = 0.25
"""How long SQLite, which does not report waiting connections, is kept from writing."""
_COUNT_WAITING = text(  # in this database: other tests use the server, too
    "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE NOT granted AND datname = current_database()"
)
PEOPLE = {
    "root": (Role.ADMINISTRATOR, True),
    "ada": (Role.ADMINISTRATOR, True),
    "ben": (Role.READ_WRITE, True),
    "cat": (Role.READ_ONLY, False),
}


@dataclass
class World:
    """The data before the writes of a pair, and its names."""

    database: Database
    apis: list[Api]
    clock: Any
    uuids: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    bearer: str = ""

    def post_form(self, api: Api, user: str, path: str, **fields: str) -> Answer:
        """Send a form as a user who is signed in."""
        keyed = self.database.read(lambda db: keys.find(db, VAULT))
        assert keyed is not None
        secret = self.secrets[user]
        headers = {"cookie": f"treaty={secret}", "x-csrf-token": keyed.hash("csrf", secret)}
        return api.post(path, urlencode(fields).encode(), type=FORM, accept="text/html", headers=headers)

    def send(self, api: Api, method: str, path: str, body: object = None, **options: Any) -> Answer:
        headers = {"authorization": f"Bearer {self.bearer}"}
        return api.request(method, path, body, headers=headers, **options)


Write = Callable[[World, Api], object]
"""Returns the parts of the response that matter."""


def reset(world: World) -> None:
    """Restore the initial data, with the sessions and tokens of the users."""
    world.database.write(lambda db: _reset(db, world))


def _reset(db: Any, world: World) -> None:
    now = world.clock.now
    for table in (session, token, account, webhook, environment, pacticipant, guess, audit):
        db.execute(delete(table))
    for name, (role, is_active) in PEOPLE.items():
        draft = accounts.AccountDraft(name=name, role=role, password=HASHES[PASSWORD])
        added = accounts.add_account(db, draft, now=now - timedelta(days=1))
        world.uuids[name] = added.uuid
        who = credentials.SessionDraft(
            user=name, account=added.uuid, password=HASHES[PASSWORD], proof=None, address=None, agent=None
        )
        world.secrets[name] = credentials.open_session(db, who, vault=VAULT, now=now).secret
        if not is_active:
            accounts.disable_account(db, added, now=now)
    for user, name in (("root", "builds"), ("ben", "laptop")):
        owner = stored.find_by_name(db, user)
        assert owner is not None
        issued = credentials.add_token(db, owner, credentials.TokenDraft(name=name), vault=VAULT, now=now)
        world.tokens[name] = issued.token.uuid
        world.bearer = issued.text if name == "builds" else world.bearer
    db.execute(update(token).values(used_at=now))
    db.execute(delete(audit))


@pytest.fixture
def world(make_api: Callable[..., Api], database_url: str, clock: Any) -> Iterator[World]:
    database = open_database(database_url, connections=3)
    yield World(database, [make_api(), make_api()], clock)
    database.close()


# Accounts and permissions


def user_form(actor: str, user: str, **fields: str) -> Write:
    def write(world: World, api: Api) -> object:
        return _is_done(world.post_form(api, actor, f"/settings/users/{world.uuids[user]}", **fields))

    return write


def _is_done(answer: Answer) -> bool:
    """Whether a form was accepted. By which status it was refused depends on when the user is found to be another."""
    return answer.status == 200 or (answer.status == 303 and "/sign-in" not in answer.headers["location"])


def own_password(new: str) -> Write:
    def write(world: World, api: Api) -> object:
        fields = {"current": PASSWORD, "password": new, "again": new}
        return _is_done(world.post_form(api, "ben", "/settings/account", **fields))

    return write


def sign_in(_world: World, api: Api) -> object:
    page = api.get("/sign-in", accept="text/html")
    csrf = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    fields = {"csrf_token": csrf, "name": "ben", "password": PASSWORD}
    cookie = {"cookie": page.headers["set-cookie"].partition(";")[0]}
    return _is_done(api.post("/sign-in", urlencode(fields).encode(), type=FORM, accept="text/html", headers=cookie))


def sign_out_everywhere(world: World, api: Api) -> object:
    return world.post_form(api, "ben", "/settings/sessions/end").status in {200, 303}


def make_token(world: World, api: Api) -> object:
    return _is_done(world.post_form(api, "ben", "/settings/tokens/new", name="new", may="read-only", days="30"))


def renew_token(world: World, api: Api) -> object:
    return _is_done(world.post_form(api, "ben", f"/settings/tokens/{world.tokens['laptop']}/renew"))


def revoke_token(world: World, api: Api) -> object:
    return _is_done(world.post_form(api, "ben", f"/settings/tokens/{world.tokens['laptop']}/revoke"))


def add_user(world: World, api: Api) -> object:
    fields = {"name": "dan", "email": "", "role": "administrator", "kind": "system"}
    return _is_done(world.post_form(api, "ada", "/settings/users/new", **fields))


ACCOUNT_WRITES: dict[str, Write] = {
    "root demotes ada": user_form("root", "ada", do="role", role="read-write"),
    "ada demotes root": user_form("ada", "root", do="role", role="read-only"),
    "root disables ada": user_form("root", "ada", do="disable"),
    "ada disables root": user_form("ada", "root", do="disable"),
    "ada makes herself administrator": user_form("ada", "ada", do="role", role="administrator"),
    "ada adds a user": add_user,
    "root promotes ben": user_form("root", "ben", do="role", role="administrator"),
    "ada demotes ben": user_form("ada", "ben", do="role", role="read-only"),
    "root disables ben": user_form("root", "ben", do="disable"),
    "ada enables ben": user_form("ada", "ben", do="enable"),
    "root enables cat": user_form("root", "cat", do="enable"),
    "root sets ben's password": user_form("root", "ben", do="password", password=OTHER, again=OTHER),
    "ben changes his password": own_password(THIRD),
    "ben signs in": sign_in,
    "ben signs out everywhere": sign_out_everywhere,
    "ben makes a token": make_token,
    "ben renews his token": renew_token,
    "ben revokes his token": revoke_token,
}
ACCOUNT_FAULTS = [
    ("root disables ben", "ben changes his password"),
    ("ada demotes ben", "ben changes his password"),
    ("root sets ben's password", "ben changes his password"),
    ("root disables ben", "ben signs in"),
    ("root sets ben's password", "ben signs in"),
    ("root demotes ada", "ada demotes root"),
    ("root disables ada", "ada disables root"),
    ("root demotes ada", "ada makes herself administrator"),
    ("root disables ada", "ada adds a user"),
    ("root disables ben", "ada demotes ben"),
    ("root promotes ben", "root disables ben"),
    ("ben renews his token", "ben revokes his token"),
    ("root disables ben", "ben makes a token"),
]


def account_state(world: World) -> object:
    def read(db: Any) -> object:
        people = db.execute(select(account).order_by(account.c.name)).all()
        names = {person.id: person.name for person in people}
        sessions = Counter(names[row.account_id] for row in db.execute(select(session)))
        tokens = sorted((names[row.account_id], row.name, row.hash is None) for row in db.execute(select(token)))
        who = [(person.name, person.role, person.is_active, _password(person.password)) for person in people]
        return who, sorted(sessions.items()), tokens, audited(db)

    return world.database.read(read)


_KNOWN_HASHES = {its_hash: text for text, its_hash in HASHES.items()}


def _password(its_hash: str | None) -> str | None:
    if its_hash is None:
        return None
    if its_hash not in _KNOWN_HASHES:
        _KNOWN_HASHES[its_hash] = next(password for password in HASHES if passwords.is_correct(password, its_hash))
    return _KNOWN_HASHES[its_hash]


def audited(db: Any) -> list[tuple[str, ...]]:
    """The events of the audit log, without order, because events of the same time have none."""
    events = db.execute(select(audit).where(audit.c.status.is_(None))).all()
    return sorted((row.type, row.resource or "", row.other or "", _without_uuids(row.details)) for row in events)


def _without_uuids(details: str | None) -> str:
    return _UUID.sub("…", json.dumps(json.loads(details or "{}"), sort_keys=True))


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


# Webhooks, environments and pacticipants

WEBHOOK = "a-webhook-of-the-tests"
REQUEST: dict[str, object] = {"method": "POST", "url": "https://ci.example.org/a", "headers": {"X-Token": "first"}}


def put_webhook(*events: str, description: str | None = None, **request: object) -> Write:
    body: dict[str, object] = {"events": [{"name": event} for event in events], "request": {**REQUEST, **request}}
    if description is not None:
        body["description"] = description
    return api_write("PUT", f"/webhooks/{WEBHOOK}", body)


def api_write(method: str, path: str, body: object = None, **options: Any) -> Write:
    return lambda world, api: world.send(api, method, path, body, **options).status


def renew_secrets(world: World, _api: Api) -> object:
    """The statements of `treaty rotate-key` in one of its transactions."""
    vault = Vault(lambda: (NEWER_KEY, SECRET_KEY))
    for column in encrypted_columns.ENCRYPTED_COLUMNS[:3]:
        world.database.write(partial(key_rotation.reencrypt, column=column, vault=vault, after=None))
    return None


def prepare_webhook(world: World) -> None:
    first = put_webhook("contract_published", description="first", password="a password")  # noqa: S106 - of the tests
    assert first(world, world.apis[0]) == 201


WEBHOOK_WRITES: dict[str, Write] = {
    "describe": put_webhook("contract_published", description="second", headers={"X-Token": "********"}),
    "give a password": put_webhook("contract_published", password="another password"),  # noqa: S106 - of the tests
    "keep the password": put_webhook("contract_published", url="https://ci.example.org/b", password="**********"),  # noqa: S106 - of the tests
    "change the events": put_webhook("provider_verification_published", "contract_content_changed"),
    "delete": api_write("DELETE", f"/webhooks/{WEBHOOK}"),
    "create another": api_write("PUT", "/webhooks/another-of-the-tests", {"events": [], "request": REQUEST}),
    "rotate the key": renew_secrets,
}
WEBHOOK_FAULTS = [
    ("describe", "give a password"),
    ("keep the password", "rotate the key"),
    ("describe", "delete"),
    ("delete", "delete"),
    ("create another", "create another"),
]


def webhook_state(world: World) -> object:
    vault = Vault(lambda: (NEWER_KEY, SECRET_KEY))

    def opened(value: Any) -> object:
        if not isinstance(value, dict):
            return value
        text = EncryptedText(value["sealed"])
        return vault.decrypt(text), vault.get_key_status(text).name

    def read(db: Any) -> object:
        events = db.execute(select(webhook_event).order_by(webhook_event.c.id)).all()
        hooks = [
            (
                row.uuid,
                row.description,
                row.url,
                {name: opened(value) for name, value in json.loads(row.headers).items()},
                opened(json.loads(row.password)) if row.password else None,
                [event.name for event in events if event.webhook_id == row.id],
            )
            for row in db.execute(select(webhook).order_by(webhook.c.uuid))
        ]
        return hooks, [event for event in audited(db) if event[0] != "key_change"]

    return world.database.read(read)


def environment_write(method: str, body: object = None) -> Write:
    return lambda world, api: world.send(api, method, f"/environments/{world.uuids['live']}", body).status


def deployed_write(kind: str, body: object) -> Write:
    def write(world: World, api: Api) -> object:
        merge = "application/merge-patch+json"
        return world.send(api, "PATCH", f"/{kind}-versions/{world.uuids[kind]}", body, type=merge).status

    return write


def deploy(number: str) -> Write:
    def write(world: World, api: Api) -> object:
        path = f"/pacticipants/Shop/versions/{number}/deployed-versions/environment/{world.uuids['live']}"
        return world.send(api, "POST", path, {}).status

    return write


def release(world: World, api: Api) -> object:
    path = f"/pacticipants/Shop/versions/1/released-versions/environment/{world.uuids['live']}"
    return world.send(api, "POST", path, {}).status


def prepare_environment(world: World) -> None:
    api = world.apis[0]
    response = world.send(
        api, "POST", "/environments", {"name": "live", "production": True, "contacts": [{"name": "us"}]}
    )
    world.uuids["live"] = response.json()["uuid"]
    for number in ("1", "2"):
        assert world.send(api, "PUT", f"/pacticipants/Shop/versions/{number}", {}).status == 201
    for kind in ("deployed", "released"):
        path = f"/pacticipants/Shop/versions/1/{kind}-versions/environment/{world.uuids['live']}"
        world.uuids[kind] = world.send(api, "POST", path, {}).json()["uuid"]
    assert world.send(api, "PUT", "/pacticipants/Shop/labels/first", {}).status == 201


MERGE = {"type": "application/merge-patch+json"}
OTHER_WRITES: dict[str, Write] = {
    "rename the environment": environment_write("PUT", {"name": "prod", "production": True}),
    "describe the environment": environment_write("PUT", {"name": "live", "displayName": "L", "production": False}),
    "delete the environment": environment_write("DELETE"),
    "add an environment of that name": api_write("POST", "/environments", {"name": "prod", "production": False}),
    "deploy 2": deploy("2"),
    "deploy 1": deploy("1"),
    "end the deployment": deployed_write("deployed", {"currentlyDeployed": False}),
    "end support": deployed_write("released", {"currentlySupported": False}),
    "release again": release,
    "set a main branch": api_write("PATCH", "/pacticipants/Shop", {"mainBranch": "trunk"}, **MERGE),
    "set a URL": api_write("PATCH", "/pacticipants/Shop", {"repositoryUrl": "https://git.example.org"}, **MERGE),
    "replace the pacticipant": api_write("PUT", "/pacticipants/Shop", {"displayName": "The shop"}),
    "delete the pacticipant": api_write("DELETE", "/pacticipants/Shop"),
    "add a version on a branch": api_write("PUT", "/pacticipants/Shop/branches/main/versions/3", {}),
    "label": api_write("PUT", "/pacticipants/Shop/labels/second", {}),
    "unlabel": api_write("DELETE", "/pacticipants/Shop/labels/first"),
    "create a pacticipant": api_write("POST", "/pacticipants", {"name": "New", "displayName": "N"}),
    "patch what is new": api_write("PATCH", "/pacticipants/New", {"mainBranch": "main"}, **MERGE),
}
OTHER_FAULTS = [
    ("rename the environment", "add an environment of that name"),
    ("rename the environment", "describe the environment"),
    ("describe the environment", "delete the environment"),
    ("delete the environment", "delete the environment"),
    ("end the deployment", "end the deployment"),
    ("end the deployment", "deploy 2"),
    ("end support", "release again"),
    ("set a main branch", "set a URL"),
    ("replace the pacticipant", "delete the pacticipant"),
    ("unlabel", "unlabel"),
    ("create a pacticipant", "patch what is new"),
    ("set a main branch", "add a version on a branch"),
]


def other_state(world: World) -> object:
    def read(db: Any) -> object:
        def all_of(table: Any, *left_out: str) -> list[str]:
            kept = [
                column
                for column in table.c
                if column.name not in {"id", "uuid", *left_out} and "_id" not in column.name
            ]
            return sorted(str(tuple(row)) for row in db.execute(select(*kept)))

        return (
            all_of(environment),
            all_of(pacticipant),
            all_of(version),
            all_of(label),
            all_of(deployed_version),
            all_of(released_version),
            audited(db),
        )

    return world.database.read(read)


# Renaming


def result(world: World, api: Api) -> object:
    body = {"success": True, "providerApplicationVersion": "8"}
    return world.send(api, "POST", world.uuids["results"], body).status


def deploy_shop(world: World, api: Api) -> object:
    path = f"/pacticipants/Shop/versions/1/deployed-versions/environment/{world.uuids['live']}"
    return world.send(api, "POST", path, {}).status


def prepare_names(world: World) -> None:
    api = world.apis[0]
    world.uuids["live"] = world.send(api, "POST", "/environments", {"name": "live", "production": True}).json()["uuid"]
    assert world.send(api, "POST", "/contracts/publish", publication("Shop", "1", "Prices")).status == 200
    assert world.send(api, "POST", "/pacticipants", {"name": "Till"}).status == 201
    published = world.send(api, "GET", f"{OF_PAIR}/version/1")
    world.uuids["results"] = published.link("pb:publish-verification-results")


OF_PAIR = "/pacts/provider/Prices/consumer/Shop"
NAME_WRITES: dict[str, Write] = {
    "rename": api_write("POST", "/pacticipants/Shop/rename", {"name": "Store"}),
    "rename to another name": api_write("POST", "/pacticipants/Shop/rename", {"name": "Market"}),
    "rename the provider": api_write("POST", "/pacticipants/Prices/rename", {"name": "Costs"}),
    "rename another to it": api_write("POST", "/pacticipants/Till/rename", {"name": "Store"}),
    "publish": api_write("POST", "/contracts/publish", publication("Shop", "2", "Prices", "x", branch="main")),
    "publish under the new name": api_write("POST", "/contracts/publish", publication("Store", "2", "Prices")),
    "put a pact": api_write("PUT", f"{OF_PAIR}/version/3", pact("Shop", "Prices")),
    "publish a result": result,
    "tag": api_write("PUT", "/pacticipants/Shop/versions/1/tags/prod", {}),
    "label": api_write("PUT", "/pacticipants/Shop/labels/first", {}),
    "deploy": deploy_shop,
    "create a webhook": api_write(
        "PUT", f"/webhooks/{WEBHOOK}", {"consumer": {"name": "Shop"}, "events": [], "request": REQUEST}
    ),
    "create the old name": api_write("POST", "/pacticipants", {"name": "Shop"}),
    "describe": api_write("PATCH", "/pacticipants/Shop", {"mainBranch": "trunk"}, **MERGE),
    "delete": api_write("DELETE", "/pacticipants/Shop"),
    "delete the pact": api_write("DELETE", f"{OF_PAIR}/version/1"),
}
NAME_FAULTS = [
    ("rename", "publish"),
    ("rename", "put a pact"),
    ("rename", "publish a result"),
    ("rename the provider", "publish"),
    ("rename the provider", "publish a result"),
    ("rename", "create a webhook"),
    ("rename", "create the old name"),
    ("rename", "publish under the new name"),
    ("rename", "rename to another name"),
    ("rename", "rename another to it"),
    ("rename", "deploy"),
]


def name_state(world: World) -> object:
    def read(db: Any) -> object:
        of = {row.id: row.name for row in db.execute(select(pacticipant))}
        versions = {row.id: (of[row.pacticipant_id], row.number) for row in db.execute(select(version))}
        published = [
            (versions[row.consumer_version_id], of[row.provider_id], row.is_current)
            for row in db.execute(select(publication_table))
        ]
        results = [
            (of[row.consumer_id], versions[row.provider_version_id], row.is_latest)
            for row in db.execute(select(verification))
        ]
        return (
            sorted((row.name, row.display_name, row.main_branch) for row in db.execute(select(pacticipant))),
            sorted((row.name, of[row.pacticipant_id]) for row in db.execute(select(former_name))),
            sorted(versions.values()),
            sorted(published),
            sorted(results),
            sorted((versions[row.version_id], row.name) for row in db.execute(select(tag))),
            sorted((of[row.pacticipant_id], row.name) for row in db.execute(select(label))),
            sorted(versions[row.version_id] for row in db.execute(select(deployed_version))),
            [of.get(row.consumer_id) for row in db.execute(select(webhook))],
            [(*event[:3], re.sub('"number": [0-9]+', "…", event[3])) for event in audited(db)],
        )

    return world.database.read(read)


# Pairs of them


GROUPS: dict[
    str, tuple[dict[str, Write], list[tuple[str, str]], Callable[[World], None], Callable[[World], object]]
] = {
    "accounts": (ACCOUNT_WRITES, ACCOUNT_FAULTS, lambda _world: None, account_state),
    "webhooks": (WEBHOOK_WRITES, WEBHOOK_FAULTS, prepare_webhook, webhook_state),
    "others": (OTHER_WRITES, OTHER_FAULTS, prepare_environment, other_state),
    "names": (NAME_WRITES, NAME_FAULTS, prepare_names, name_state),
}
RANDOM_PAIRS = choose(2, slow=4, long=10)
BLOCKERS = choose((True, False), slow=(True, False), long=(True, True, False))
"""For each attempt of a pair at once, whether a transaction is in the way."""


def pairs(group: str, *, is_long: bool) -> list[tuple[str, str]]:
    """Those that went wrong once, and others at random, or all."""
    writes, faults, _, _ = GROUPS[group]
    others = [pair for pair in combinations_with_replacement(writes, 2) if not {pair, pair[::-1]} & {*faults}]
    chosen = others if is_long else random.Random(group).sample(others, RANDOM_PAIRS)  # noqa: S311 - only chooses
    return [*faults, *chosen]


@pytest.mark.parametrize("group", GROUPS)
def test_two_concurrent_writes_have_the_result_of_one_of_the_two_orders(world, group):
    differences = wrong(world, group, pairs(group, is_long=False))
    assert not differences, pformat(differences[:3], width=160)


@pytest.mark.long
@pytest.mark.parametrize("group", GROUPS)
def test_all_pairs_of_concurrent_writes_have_the_result_of_one_of_the_two_orders(world, group):
    differences = wrong(world, group, pairs(group, is_long=True))
    assert not differences, pformat(differences[:3], width=160)


ROUNDS = 8


def test_a_setup_link_makes_one_administrator(world):
    """Two people use the link at the same time; one of them learns that it has expired."""
    with ThreadPoolExecutor(1) as left, ThreadPoolExecutor(1) as right:
        for number in range(ROUNDS):
            reset(world)
            world.database.write(lambda db: db.execute(delete(account)))
            link = world.database.write(lambda db: credentials.create_setup_link(db, vault=VAULT, now=world.clock.now))
            writes = tuple(set_up(str(link), name) for name in ("ada", "eve"))
            statuses = at_once(world, (left, right), writes, has_blocker=number % 2 == 0)
            people = world.database.read(lambda db: [user.name for user in stored.list_all(db)])
            assert sorted(map(str, statuses)) == ["303", "404"]
            assert people == ["ada" if statuses[0] == 303 else "eve"]


def set_up(link: str, name: str) -> Write:
    def write(_world: World, api: Api) -> object:
        page = api.get("/setup", accept="text/html")
        csrf = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
        fields = {"csrf_token": csrf, "link": link, "name": name, "email": "", "password": OTHER, "again": OTHER}
        cookie = {"cookie": page.headers.get("set-cookie", "").partition(";")[0]}
        sent = urlencode(fields).encode()
        answer = api.post("/setup", sent, type=FORM, accept="text/html", headers=cookie)
        return answer.status if page.status == 200 else page.status

    return write


def wrong(world: World, group: str, chosen: list[tuple[str, str]]) -> list[object]:
    """List the pairs with an unexpected result, with that result."""
    writes, _, prepare, state = GROUPS[group]
    differences: list[object] = []
    with ThreadPoolExecutor(1) as left, ThreadPoolExecutor(1) as right:
        threads = (left, right)

        def begin() -> None:
            reset(world)
            prepare(world)

        for pair in chosen:
            first, second = (writes[name] for name in pair)
            allowed = []
            for order in (0, 1):
                begin()
                results: list[object] = [None, None]
                for index in (order, 1 - order):
                    write = (first, second)[index]
                    results[index] = threads[index].submit(write, world, world.apis[index]).result(WAIT_SECONDS)
                allowed.append((results, state(world)))
            for has_blocker in BLOCKERS:
                begin()
                outcome = (at_once(world, threads, (first, second), has_blocker=has_blocker), state(world))
                if outcome not in allowed:
                    differences.append(
                        {"pair": pair, "has_blocker": has_blocker, "at once": outcome, "allowed": allowed}
                    )
                    break
    return differences


def at_once(
    world: World, threads: tuple[ThreadPoolExecutor, ...], writes: tuple[Write, ...], *, has_blocker: bool
) -> list[object]:
    def start() -> list[Future[object]]:
        return [
            thread.submit(write, world, api) for thread, write, api in zip(threads, writes, world.apis, strict=True)
        ]

    if not has_blocker:
        return [future.result(WAIT_SECONDS) for future in start()]
    with blocked(world.database) as wait:
        started = start()
        wait(started)
    return [future.result(WAIT_SECONDS) for future in started]


@contextmanager
def blocked(database: Database) -> Iterator[Callable[[list[Future[object]]], None]]:
    """Keep others from changing anything, but not from reading, until both are done or wait for it."""
    with database.engine.connect() as connection:
        if database.is_local:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield lambda _started: time.sleep(HELD_SECONDS)
            connection.exec_driver_sql("ROLLBACK")
            return
        for table in (account, webhook, environment, pacticipant, access):
            connection.execute(select(table.c.id).with_for_update())

        def wait(started: list[Future[object]]) -> None:
            until = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < until:
                waiting = connection.scalar(_COUNT_WAITING)
                if waiting >= sum(not future.done() for future in started):
                    return
                time.sleep(0.005)

        yield wait
        connection.rollback()
