"""A broker without users: open to programs on its own machine, and closed to requests from elsewhere."""

import pytest

from tests.databases import on_sqlite
from treaty.model.accounts.access import Role

pytestmark = pytest.mark.slow_on_postgresql  # about requests, and not about data

PAGE = "text/html,application/xhtml+xml,*/*;q=0.8"
LOCAL = {"host": "localhost:9292"}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9292", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:9292"])
def test_it_is_open_under_the_names_of_its_own_machine(api, host):
    assert api.post("/pacticipants", {"name": "A"}, headers={"host": host}).status == 201
    assert api.get("/pacticipants/A", headers={"host": host}).status == 200


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"host": "broker.example"}, "this request is for the host broker.example; use localhost"),
        ({"host": "localhost.evil.example"}, "for the host localhost.evil.example"),
        ({"host": "evil.localhost"}, "for the host evil.localhost"),
        ({"host": "127.0.0.1.evil.example:9292"}, "for the host 127.0.0.1.evil.example"),
        ({"host": "127.0.0.2"}, "for the host 127.0.0.2"),
        ({"host": "0.0.0.0"}, "for the host 0.0.0.0"),  # noqa: S104 - a host that a client names
        ({"host": "[::ffff:127.0.0.1]"}, "for the host [::ffff:127.0.0.1]"),
        ({"host": "192.168.1.2:9292"}, "for the host 192.168.1.2"),
        ({"forwarded": "for=127.0.0.1"}, "came through a proxy, as its header Forwarded shows"),
        ({"via": "1.1 proxy"}, "as its header Via shows"),
        ({"x-forwarded-for": "127.0.0.1"}, "as its header X-Forwarded-For shows"),
        ({"x-forwarded-host": "localhost"}, "as its header X-Forwarded-Host shows"),
        ({"x-forwarded-proto": "http"}, "as its header X-Forwarded-Proto shows"),
        ({"x-forwarded-anything": ""}, "as its header X-Forwarded-Anything shows"),
        ({"x-real-ip": "127.0.0.1"}, "as its header X-Real-Ip shows"),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}, "of another site"),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, "of another site"),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, "of another site"),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, "of another site"),
    ],
)
def test_a_request_that_may_come_from_another_machine_needs_credentials(api, headers, reason):
    assert api.get("/pacticipants", headers=LOCAL).status == 200, "the request from the machine itself"
    for method, path in (("GET", "/pacticipants"), ("GET", "/no/such/path"), ("GET", "/audit"), ("GET", "/metrics")):
        refused = api.request(method, path, headers=headers)
        assert refused.status == 401, path
        assert reason in refused.json()["error"]
        assert "treaty user add NAME --role administrator" in refused.json()["error"]
        assert "TREATY_OPEN_ACCESS=true" in refused.json()["error"]
    written = api.put("/pacticipants/A/versions/1", {}, headers=headers)
    assert written.status == (403 if "sec-fetch-site" in headers else 401)
    assert api.get("/pacticipants/A", headers=LOCAL).status == 404


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"host": "0.0.0.0"}, "it listens on 0.0.0.0"),  # noqa: S104 - closed, as it shows
        ({"host": "::"}, "it listens on ::"),
        ({"host": "192.0.2.1"}, "it listens on 192.0.2.1"),
        ({"host": "broker.example"}, "it listens on broker.example"),
        ({"base_urls": ("https://pacts.example.org",)}, "its base URL https://pacts.example.org"),
        ({"base_urls": ("http://localhost:9292", "https://pacts.example.org")}, "its base URL https://pacts"),
        ({"base_urls": ("http://[nonsense",)}, "its base URL http://[nonsense"),
        ({"trusted_proxies": ("127.0.0.1",)}, "its setting trusted_proxies names a proxy"),
        ({"trusted_proxies": ("10.0.0.0/8",)}, "its setting trusted_proxies names a proxy"),
    ],
)
def test_settings_that_let_others_reach_it_close_it(make_api, settings, reason):
    api = make_api(**settings)
    for _ in range(2):
        refused = api.get("/pacticipants", headers=LOCAL)
        assert refused.status == 401
        assert reason in refused.json()["error"]
    assert api.post("/pacticipants", {"name": "A"}, headers=LOCAL).status == 401
    assert make_api(**settings, open_access=True).post("/pacticipants", {"name": "A"}).status == 201


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "::1"},
        {"host": "127.0.0.2"},
        {"host": "localhost"},
        {"base_urls": ("http://localhost:9292",)},
        {"base_urls": ("http://127.0.0.1:9292/broker", "http://[::1]:9292")},
    ],
)
def test_settings_that_keep_to_the_machine_leave_it_open(make_api, settings):
    assert make_api(**settings).get("/pacticipants", headers=LOCAL).status == 200


@on_sqlite
def test_a_request_from_another_machine_is_refused_whatever_it_claims(api, monkeypatch):
    for address in ("192.0.2.7", "::ffff:192.0.2.7", "10.0.0.1"):
        monkeypatch.setattr(api, "client", (address, 1))
        refused = api.get("/", headers=LOCAL)
        assert refused.status == 401
        assert f"this request comes from {address.removeprefix('::ffff:')}" in refused.json()["error"]
    for address in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"):
        monkeypatch.setattr(api, "client", (address, 1))
        assert api.get("/", headers=LOCAL).status == 200, address


def test_open_access_on_purpose_is_open_to_all(make_api):
    api = make_api(open_access=True, host="0.0.0.0", base_urls=("https://pacts.example.org",))  # noqa: S104 - on purpose
    headers = {"host": "pacts.example.org", "x-forwarded-for": "192.0.2.7", "via": "1.1 proxy"}
    assert api.post("/pacticipants", {"name": "A"}, headers=headers).status == 201
    assert api.get("/pacticipants/A", headers=headers).status == 200


def test_the_first_user_closes_it_and_the_reason_is_then_another(api, accounts):
    issued = accounts(Role.READ_WRITE)
    for headers in (LOCAL, {"host": "broker.example"}):
        refused = api.get("/", headers=headers)
        assert refused.status == 401
        assert "no users yet" not in refused.json()["error"]
        assert api.get("/", headers={**headers, "authorization": f"Bearer {issued.text}"}).status == 200


def test_credentials_of_an_unknown_user_return_401(api):
    for authorization in ("Bearer treaty_x", "Basic YTpi", "Digest x"):
        headers = {"host": "broker.example", "authorization": authorization}
        assert api.get("/", headers=headers).status == 401
        assert api.post("/pacticipants", {"name": "A"}, headers=headers).status == 401
    assert api.get("/pacticipants/A", headers=LOCAL).status == 404


# DNS rebinding: a page's own host name is made to lead to 127.0.0.1, so that its requests are of the same origin.


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_page_whose_name_leads_to_this_machine_neither_reads_nor_writes(api, method):
    assert api.post("/pacticipants", {"name": "A", "displayName": "A"}, headers=LOCAL).status == 201
    rebound = {"host": "evil.example:9292", "origin": "http://evil.example:9292", "sec-fetch-site": "same-origin"}
    refused = api.request(method, "/pacticipants/A", {"displayName": "evil"}, headers=rebound)
    assert refused.status == 401
    assert '"A"' not in refused.text
    assert api.get("/pacticipants/A", headers=LOCAL).json()["displayName"] == "A"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost:3000", "http://127.0.0.1:9292", "null", "http://[", "file://"]
)
def test_a_page_of_another_site_writes_nothing(api, origin):
    for headers in ({"origin": origin}, {"origin": origin, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}):
        for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
            refused = api.post("/pacticipants", {"name": "A"}, headers={**LOCAL, **headers}, type=kind)
            assert refused.status in {401, 403}
    assert api.get("/pacticipants/A", headers=LOCAL).status == 404


def test_no_answer_lets_another_site_read_it(api):
    answers = [api.get("/", headers={**LOCAL, "origin": "https://evil.example"})]
    answers.append(api.request("OPTIONS", "/", headers={**LOCAL, "origin": "https://evil.example"}))
    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control-allow-origin")]


def test_a_link_on_another_site_leads_to_a_page_here(api):
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert api.get("/", headers={**LOCAL, **followed}, accept=PAGE).status == 200


# Browsers


def test_a_browser_is_redirected_to_a_page_with_the_reason_and_the_next_step(api):
    led = api.get("/matrix", headers={"host": "broker.example"}, accept=PAGE)
    assert (led.status, led.headers["location"].partition("?")[0]) == (303, "http://broker.example/sign-in")
    page = api.get("/sign-in", headers={"host": "broker.example"}, accept=PAGE)
    assert page.status == 200
    assert "this request is for the host broker.example; use localhost" in page.text
    assert "treaty user add NAME --role administrator" in page.text


def test_the_page_to_sign_in_has_no_hint_once_there_are_users(api, accounts):
    accounts(Role.READ_WRITE)
    assert "no users yet" not in api.get("/sign-in", headers={"host": "broker.example"}, accept=PAGE).text
