"""A broker behind the proxies that docs/operations.md configures, whose headers clients cannot forge."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.waiting import PATIENCE
from tests.whole import proxies
from tests.whole.servers import Server, running

USER = ("broker", "a stapled horse, correctly")
CLIENT = "127.0.0.2"
"""Address of the clients of these tests. The proxy has another one, 127.0.0.1, and only this is trusted."""
SPOOFED = "192.0.2.66"
FORGED = {
    "forwarded": f"for={SPOOFED};host=evil.example;proto=gopher",
    "x-forwarded-for": f"{SPOOFED}, 127.0.0.1",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "gopher",
    "x-forwarded-port": "666",
    "x-forwarded-scheme": "gopher",
    "x-forwarded-ssl": "on",
    "x-forwarded-prefix": "/evil",
    "x-forwarded-server": "evil.example",
    "x-real-ip": SPOOFED,
    "client-ip": SPOOFED,
    "true-client-ip": SPOOFED,
    "via": "1.1 evil.example",
}
ATTACKS = [*({name: value} for name, value in FORGED.items()), FORGED]
Proxy = Callable[[str, Path], AbstractContextManager[str]]


@pytest.fixture(params=[proxies.nginx, proxies.caddy], ids=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest) -> Proxy:
    chosen: Proxy = request.param
    proxies.require(chosen.__name__)
    return chosen


@contextmanager
def behind(proxy: Proxy, folder: Path, **environ: str) -> Iterator[tuple[httpx.Client, Server]]:
    """Run a broker behind a proxy, and yield a client that connects to the proxy from another address."""
    broker = proxies.free_address()
    port = broker.rpartition(":")[2]
    with running(f"sqlite:///{folder}/treaty.sqlite", "--port", port, cwd=folder, environ=environ) as server:
        transport = httpx.HTTPTransport(local_address=CLIENT, verify=False)
        with proxy(broker, folder) as url, httpx.Client(base_url=url, transport=transport, timeout=PATIENCE) as client:
            yield client, server


TRUSTING = {"PACT_BROKER_TRUSTED_PROXIES": "127.0.0.1"}
WITH_USER = {"PACT_BROKER_BASIC_AUTH_USERNAME": USER[0], "PACT_BROKER_BASIC_AUTH_PASSWORD": USER[1]}


def test_a_client_chooses_neither_its_address_nor_where_links_lead(proxy, tmp_path):
    with behind(proxy, tmp_path, **TRUSTING, **WITH_USER) as (client, _):
        client.auth = USER
        for number, headers in enumerate(ATTACKS):
            created = client.post("/pacticipants", json={"name": f"App {number}"}, headers=headers)
            assert created.status_code == 201, headers
            assert created.headers["location"] == f"{str(client.base_url).rstrip('/')}/pacticipants/App%20{number}"
            assert "evil" not in client.get("/", headers=headers).text, headers
        addresses = {event["address"] for event in client.get("/audit").json()["events"]}
        assert addresses == {CLIENT}


def test_guessing_passwords_is_throttled_despite_forged_addresses(proxy, tmp_path):
    with behind(proxy, tmp_path, **TRUSTING, **WITH_USER) as (client, _):
        statuses = []
        for number in range(7):
            claimed = {name: value.replace(SPOOFED, f"192.0.2.{number}") for name, value in FORGED.items()}
            statuses.append(client.get("/", auth=("ada", f"guess {number}"), headers=claimed).status_code)
        assert statuses == [401] * 5 + [429] * 2


def test_names_with_slashes_pass_through(proxy, tmp_path):
    with behind(proxy, tmp_path, **TRUSTING, **WITH_USER) as (client, _):
        client.auth = USER
        path = "/pacticipants/Shop/branches/feat%2Flogin/versions/1"
        assert client.put(path, json={}).status_code == 201
        assert client.get(path).json()["_links"]["self"]["href"].endswith(path)


def test_the_documented_settings_give_links_with_the_base_url_and_a_working_setup_link(proxy, tmp_path):
    settings = {**TRUSTING, "PACT_BROKER_BASE_URL": f"https://{proxies.HOST}"}
    with behind(proxy, tmp_path, **settings) as (client, server):
        assert "There is no user yet, and requests need credentials: its setting trusted_proxies" in server.log
        assert client.get("/").status_code == 401
        (secret,) = re.findall(rf"https://{proxies.HOST}/setup#(\S+)", server.log)
        password = USER[1]
        page = client.get("/setup", headers={"accept": "text/html"})
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        fields |= {"link": secret, "name": "ada", "password": password, "again": password, "email": ""}
        cookie = page.headers["set-cookie"].partition(";")[0]
        headers = {"accept": "text/html", "cookie": cookie, "origin": f"https://{proxies.HOST}"}
        done = client.post("/setup", data=fields, headers=headers)
        assert (done.status_code, done.headers["location"].partition("?")[0]) == (
            303,
            f"https://{proxies.HOST}/settings/account",
        )
        index = client.get("/", auth=("ada", password))
        assert index.json()["_links"]["self"]["href"].startswith(f"https://{proxies.HOST}")


# Below a path


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_below_a_path_names_with_slashes_are_found_unless_the_proxy_decodes_them(kind, tmp_path):
    proxies.require(kind)
    base_urls = " ".join(f"http://{path}.example/pacts" for path in proxies.PATHS)
    settings = {**TRUSTING, **WITH_USER, "PACT_BROKER_BASE_URLS": base_urls}
    with behind(getattr(proxies, f"{kind}_with_paths"), tmp_path, **settings) as (client, _):
        client.auth = USER
        branch = "/pacticipants/team%2Fapp/branches/feature%2Fa%2Fb/versions/1%2F2"
        for path in ("kept", "removed"):
            host = {"host": f"{path}.example"}
            assert client.put(f"/pacts{branch}", json={}, headers=host).status_code in {200, 201}
            body = client.get(f"/pacts{branch}", headers=host).json()
            assert body["_links"]["self"]["href"] == f"http://{path}.example/pacts{branch}"
            branches = client.get("/pacts/pacticipants/team%2Fapp/branches", headers=host).json()["_embedded"][
                "branches"
            ]
            assert [each["name"] for each in branches] == ["feature/a/b"]
        for name in (branch, "/pacticipants/team%2Fapp"):
            refused = client.get(f"/pacts{name}", headers={"host": "decoded.example"})
            assert refused.status_code == 404
            assert "has decoded it from %2F to / while it removed /pacts" in refused.json()["error"]
            assert "See http://decoded.example/pacts/docs/proxies" in refused.json()["error"]


# Proxies that neither side configured for the other


PLAIN_NGINX = "server { listen ADDRESS; location / { proxy_pass http://127.0.0.1:9292; } }"


@contextmanager
def plain_nginx(broker: str, folder: Path) -> Iterator[str]:
    with proxies.nginx(broker, folder, PLAIN_NGINX) as url:
        yield url


@pytest.mark.parametrize(
    ("kind", "sign"), [(proxies.nginx, "X-Forwarded-"), (proxies.caddy, "X-Forwarded-"), (plain_nginx, "HTTP/1.0")]
)
def test_a_broker_that_knows_nothing_of_its_proxy_is_not_open_through_it(kind, sign, tmp_path):
    with behind(kind, tmp_path) as (client, server):
        assert httpx.get(server.address).status_code == 200, "on the machine itself it is open"
        for path in ("/", "/pacticipants", "/no/such/path"):
            refused = client.get(path)
            assert refused.status_code == 401
            assert sign in refused.json()["error"]
            assert "treaty user add" in refused.json()["error"]
        assert client.post("/pacticipants", json={"name": "A"}).status_code == 401
