"""A broker below a path of its host, behind a proxy that keeps the path or removes it."""

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.browsers import PAGE, Browser
from tests.api.client import pact
from tests.api.credentials import PASSWORD, bearer
from tests.databases import on_sqlite
from treaty.app import warn_of_proxies
from treaty.errors import InvalidSetting
from treaty.model.accounts.access import Role
from treaty.settings import Settings, read_settings
from treaty.web.http.base_paths import BasePaths
from treaty.web.routers import build_route_table

BASE = "https://tools.example.org/pacts"
NAMES = ("pacts", "pacts/pacts", "pactsfoo", "team/app", "pacticipants", "a%2Fb", "ü/ü")
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(params=["/pacts", ""], ids=["kept", "removed"])
def prefix(request):
    """The part of the path that the proxy passes on."""
    return request.param


@pytest.fixture
def api(make_api):
    return make_api(open_access=True, base_urls=(BASE,))


def encoded(name):
    return quote(name, safe="")


@on_sqlite
@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_that_the_client_sent(api, prefix, name):
    path = f"/pacticipants/{encoded(name)}/branches/{encoded(name)}/versions/{encoded(name)}"
    created = api.put(prefix + path, {})
    assert created.status == 201
    assert created.json()["_links"]["self"]["href"] == BASE + path
    listed = api.get(f"{prefix}/pacticipants").json()["_embedded"]["pacticipants"]
    assert [each["name"] for each in listed] == [name]
    pair = f"/pacts/provider/{encoded(name)}/consumer/{encoded(name)}"
    published = api.put(f"{prefix}{pair}/version/{encoded(name)}", pact(name, name))
    assert published.status == 201
    assert api.get(f"{prefix}{pair}/latest").json()["_links"]["self"]["href"].startswith(BASE + pair)


@on_sqlite
@pytest.mark.parametrize("path", ["/pacts", "/pacts/", "/", "/p%61cts", "/pacts/?x=1"])
def test_the_index_is_at_the_path_itself(api, path):
    assert api.get(path).json()["_links"]["self"]["href"] == BASE


@on_sqlite
@pytest.mark.parametrize(
    "path", ["/pactsfoo/pacticipants", "/pact/pacticipants", "/pacts/pacts/pacticipants", "/pacts/no"]
)
def test_a_path_that_only_begins_alike_is_not_found(api, path):
    assert api.get(path).status == 404


@on_sqlite
def test_every_link_of_every_document_has_the_path(api, prefix):
    api.publish("Shop", "1", "Till", branch="main", tags=["prod"])
    visited: set[str] = set()
    queue = [f"{BASE}/"]
    while queue:
        url = queue.pop()
        assert url.startswith(BASE), url
        if url in visited or "{" in url or len(visited) > 60:
            continue
        visited.add(url)
        answer = api.get(prefix + (url.removeprefix(BASE) or "/"), headers={"x-forwarded-host": "evil.example"})
        assert answer.status in {200, 404, 405, 406}, url
        queue += re.findall(r'"href":"([^"]*)"', answer.text)
    assert len(visited) > 20


PAGES = (
    "/",
    "/pacticipants/Shop",
    "/pacticipants/Shop/network",
    "/pacts/provider/Till/consumer/Shop/latest",
    "/matrix",
    "/network",
    "/environments",
    "/webhooks",
    "/docs",
    "/docs/proxies",
    "/doc/pacticipant",
    "/explorer",
    "/search?q=other",
    "/sign-in",
    "/no/such/page",
)


@on_sqlite
def test_every_address_in_a_page_has_the_path(api, prefix):
    api.publish("Shop", "1", "Till", branch="main")
    for path in PAGES:
        text = api.get(prefix + path, accept=PAGE).text
        urls = re.findall(r'(?:href|src|action|data-(?:api|next|home|openapi|docs|doc|completes))="([^"]*)"', text)
        inside = [url for url in urls if not url.startswith(("#", "?", "data:"))]
        assert len(inside) > 10, path
        assert [url for url in inside if not url.startswith(BASE)] == []
        in_fragments = [url.partition("#")[2] for url in inside if "/explorer#" in url]
        assert [fragment for fragment in in_fragments if BASE not in fragment] == []


@on_sqlite
def test_static_files_and_the_openapi_document_are_below_the_path(api, prefix):
    text = api.get(f"{prefix}/", accept=PAGE).text
    (script,) = re.findall(r'src="([^"]*)"', text)
    assert api.get(prefix + script.removeprefix(BASE)).status == 200
    document = api.get(f"{prefix}/openapi.json", accept="application/json").json()
    assert document["servers"] == [{"url": BASE}]


@on_sqlite
def test_a_user_signs_in_with_cookies_for_the_path_only(make_api, accounts, prefix):
    accounts(Role.ADMINISTRATOR)
    api = make_api(base_urls=(BASE,))
    answer = api.get(f"{prefix}/settings/users", accept=PAGE)
    assert (answer.status, answer.headers["location"]) == (303, f"{BASE}/sign-in?next=%2Fsettings%2Fusers")
    browser = Browser(api, origin="https://tools.example.org")
    token = browser.token(f"{prefix}/sign-in")
    fields = {"csrf_token": token, "name": Role.ADMINISTRATOR.value, "password": PASSWORD, "next": "/settings/users"}
    done = browser.post(f"{prefix}/sign-in", **fields)
    assert (done.status, done.headers["location"]) == (303, f"{BASE}/settings/users")
    assert "; Path=/pacts; HttpOnly; SameSite=Lax; Secure" in done.headers["set-cookie"]
    assert set(browser.cookies) == {"__Secure-treaty-form", "__Secure-treaty"}
    assert browser.get(f"{prefix}/settings/users").status == 200
    out = browser.post(f"{prefix}/sign-out", csrf_token=browser.token(f"{prefix}/settings/users"))
    assert (out.status, out.headers["location"]) == (303, f"{BASE}/")
    assert browser.get(f"{prefix}/settings/users").status == 303


@on_sqlite
@pytest.mark.parametrize("base", [BASE, "https://Tools.example.org:443/pacts"])
def test_a_page_of_another_site_cannot_write(make_api, prefix, base):
    api = make_api(open_access=True, base_urls=(base,))
    for site, status in (("https://tools.example.org", 201), ("https://evil.example", 403)):
        assert api.post(f"{prefix}/pacticipants", {"name": "A"}, headers={"origin": site}).status == status


@on_sqlite
def test_the_audit_trail_has_the_path_within_treaty(make_api, accounts, prefix):
    api = make_api(base_urls=(BASE,))
    headers = bearer(accounts(Role.ADMINISTRATOR, token=Role.ADMINISTRATOR))
    api.post(f"{prefix}/pacticipants", {"name": "A"}, headers=headers)
    (event,) = api.get(f"{prefix}/audit?resource=A", headers=headers).json()["events"]
    assert event["payload"]["path"] == "/pacticipants"


PLAIN_PATHS = ("/pacts", "/pact", "/tools/pacts", "/a%20b/c")
ENCODED_NAMES = st.one_of(
    st.sampled_from([*NAMES, *PLAIN_PATHS, "pact", "latest", "provider", "..", "docs", "/", "tools"]),
    st.text(st.characters(exclude_characters="\0\t\n\r<", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8),
).map(encoded)


@given(data=st.data(), base_path=st.sampled_from(PLAIN_PATHS))
def test_every_url_is_found_with_and_without_the_path_whatever_the_names(data, base_path):
    table = build_route_table(Settings())
    template = data.draw(st.sampled_from(sorted(table.templates)))
    path = re.sub(r"\{\w+\}", lambda _: data.draw(ENCODED_NAMES), template)
    paths = BasePaths([f"https://tools.example.org{base}" for base in PLAIN_PATHS], table.has_route)
    assert paths.split(path) == (path, "")
    assert paths.split(base_path + path) == (path, base_path)


# Several base URLs


SEVERAL = (
    "https://tools.example.org/pacts",
    "https://tools.example.org/pacts/test",
    "https://tools.example.org:443/contracts",
    "http://pacts.internal:8080",
    "https://pacts.example.org",
)


@on_sqlite
@pytest.mark.parametrize(
    ("path", "headers", "base"),
    [
        ("/pacts/pacticipants", {}, SEVERAL[0]),
        ("/pacts/test/pacticipants", {}, SEVERAL[1]),
        ("/contracts/pacticipants", {}, SEVERAL[2]),
        ("/pacts/pacticipants", {"host": "pacts.example.org"}, SEVERAL[0]),
        ("/pacticipants", {"host": "pacts.internal:8080"}, SEVERAL[3]),
        ("/pacticipants", {"x-forwarded-host": "PACTS.example.org", "x-forwarded-proto": "https"}, SEVERAL[4]),
        ("/pacticipants", {"x-forwarded-host": "tools.example.org", "x-forwarded-proto": "https"}, SEVERAL[0]),
        (
            "/pacticipants",
            {
                "x-forwarded-host": "tools.example.org",
                "x-forwarded-proto": "https",
                "x-forwarded-prefix": "/pacts/test/",
            },
            SEVERAL[1],
        ),
        ("/pacticipants", {"x-forwarded-prefix": "/contracts"}, SEVERAL[2]),
        ("/pacticipants", {"x-forwarded-prefix": "/evil"}, SEVERAL[0]),
        ("/pacticipants", {"host": "evil.example"}, SEVERAL[0]),
    ],
)
def test_of_several_base_urls_the_one_that_the_request_used_is_chosen(make_api, path, headers, base):
    api = make_api(open_access=True, base_urls=SEVERAL, trusted_proxies=("127.0.0.1",))
    answer = api.get(path, headers=headers)
    assert answer.json()["_links"]["self"]["href"] == f"{base}/pacticipants"


@on_sqlite
def test_a_prefix_that_an_untrusted_client_reports_is_ignored(make_api):
    api = make_api(open_access=True, base_urls=SEVERAL)
    answer = api.get("/pacticipants", headers={"x-forwarded-prefix": "/contracts"})
    assert answer.json()["_links"]["self"]["href"] == f"{SEVERAL[0]}/pacticipants"


@on_sqlite
def test_a_path_that_treaty_has_itself_is_treatys(make_api):
    """The base path /matrix: the proxy has to remove it, and an application may have the name of any resource."""
    api = make_api(open_access=True, base_urls=("https://tools.example.org/pacticipants",))
    assert api.put("/pacticipants/matrix/versions/1", {}).status == 201
    assert api.get("/pacticipants/matrix").json()["name"] == "matrix"


@pytest.mark.parametrize(
    ("path", "conflict"),
    [
        ("/pacts", None),
        ("/pact", None),
        ("/pact-broker", None),
        ("/tools/pacts", None),
        ("/pacticipants", "/pacticipants)"),
        ("/network", "/network"),
        ("/doc", "/doc/{rel}"),
        ("/matrix", "/matrix"),
    ],
)
def test_a_path_that_a_proxy_has_to_remove_is_logged_at_the_start(capsys, path, conflict):
    warn_of_proxies(Settings(base_urls=(f"https://tools.example.org{path}",)))
    log = capsys.readouterr().out
    assert (f"also a path of Treaty itself ({conflict}" in log) is (conflict is not None), log


# Proxies that decode


DECODED = {
    "/pacticipants/C/branches/feature/a/b/versions/1": "PUT",
    "/pacticipants/team/app": "GET",
    "/pacts/provider/team/app/consumer/C/latest": "GET",
}


@on_sqlite
@pytest.mark.parametrize("path", DECODED)
def test_a_path_with_a_decoded_slash_is_not_found_with_the_reason(api, prefix, path):
    answer = api.request(DECODED[path], prefix + path, {})
    text = answer.json()["error"]
    assert answer.status == 404
    assert text.startswith("The requested document was not found on this server. ")
    assert path in text
    assert "a proxy in front of the broker has decoded it from %2F to /" in text
    assert ("while it removed /pacts" in text) is (prefix == "")
    assert "proxy_pass without a path" in text
    (link,) = re.findall(rf"{BASE}(/\S+)", text)
    page = api.get(prefix + link, accept=PAGE)
    assert page.status == 200
    assert "location ~ ^/pacts(/|$) {" in page.text
    problem = api.get(prefix + path, accept="application/problem+json").json()
    assert "%2F" in problem["detail"] or DECODED[path] == "PUT"
    assert "has decoded it" in api.get(prefix + path, accept=PAGE).text or DECODED[path] == "PUT"


@on_sqlite
@pytest.mark.parametrize(
    ("settings", "headers", "has_hint"),
    [
        ({}, {}, False),
        ({}, {"x-forwarded-for": "192.0.2.1"}, True),
        ({"trusted_proxies": ("10.0.0.1",)}, {}, True),
        ({"base_urls": ("https://pacts.example.org",)}, {}, True),
    ],
)
def test_the_hint_appears_only_where_a_proxy_may_be_the_reason(make_api, settings, headers, has_hint):
    api = make_api(open_access=True, **settings)
    assert ("%2F" in api.get("/pacticipants/team/app", headers=headers).text) is has_hint
    for path in ("/no/such/path", "/pacticipants/team%2Fapp/no", "/pacticipants/" + "a/" * 60):
        assert "%2F to" not in api.get(path, headers=headers).text


# The setting


@pytest.mark.parametrize(
    "url",
    [
        "https://tools.example.org/pacts?x=1",
        "https://tools.example.org/#pacts",
        "https://tools.example.org/a//b",
        "https://tools.example.org/a/../b",
        "https://tools.example.org/a/%2e%2E/b",
        "https://tools.example.org/%",
        "https://tools.example.org/a\\b",
    ],
)
def test_a_base_url_that_links_cannot_begin_with_is_refused(url):
    with pytest.raises(InvalidSetting, match=r"base_urls: .* must be a plain address, such as https://tools"):
        read_settings({"base_urls": (url,)}, {})


@on_sqlite
def test_the_path_of_a_base_url_is_encoded_as_clients_send_it(make_api):
    urls = read_settings({}, {"PACT_BROKER_BASE_URL": "https://tools.example.org/päcts%20x/(1)/"}).base_urls
    assert urls == ("https://tools.example.org/p%C3%A4cts%20x/(1)",)
    api = make_api(open_access=True, base_urls=urls)
    for path in ("/p%C3%A4cts%20x/(1)/pacticipants", "/p%c3%a4cts%20x/%281%29/pacticipants"):
        assert api.get(path).json()["_links"]["self"]["href"] == f"{urls[0]}/pacticipants"
