"""Shared caches store no response that depends on the caller, and browsers that have used https continue to."""

from datetime import timedelta

import pytest

from tests.api.credentials import basic, bearer
from treaty.model.accounts.access import Role
from treaty.settings import Settings
from treaty.web import urls
from treaty.web.routers import list_routers

pytestmark = pytest.mark.slow_on_postgresql  # about headers

PUBLIC = {urls.STATIC, urls.SECURITY_TXT}
"""Routes whose responses are the same for all clients."""
BADGE = "/pacts/provider/Prices/consumer/Shop/latest/badge"
CAN_I_MERGE = "/pacticipants/Shop/main-branch/can-i-merge/badge"
HTTPS = "https://pacts.example.org"
VARIES = "Accept, Authorization, Cookie"


def paths():
    """List a path of every route that reads, with names that do not exist."""
    endpoints = [endpoint for router in list_routers(Settings()) for endpoint in router.endpoints.values()]
    readable = [endpoint.url for endpoint in endpoints if endpoint.page or "GET" in endpoint.routes]
    return [url.fill(**dict.fromkeys(url.names, "1")) for url in readable if url not in PUBLIC]


@pytest.mark.parametrize("accept", ["application/hal+json", "text/html", "image/svg+xml"])
def test_no_response_to_an_authenticated_caller_is_for_shared_caches(make_api, accounts, accept):
    api = make_api(enable_public_badge_access=True, security_contacts=("tel:1",))
    headers = bearer(accounts(Role.ADMINISTRATOR))
    assert len(paths()) > 100
    for path in paths():
        answer = api.get(path, accept=accept, headers=headers)
        cache_control = answer.headers.get("cache-control", "")
        assert cache_control.startswith(("private", "no-store")), (path, answer.status, cache_control)
        if cache_control != "no-store":
            assert answer.headers["vary"].startswith(VARIES), (path, answer.headers["vary"])


def test_a_response_that_the_client_has_is_private_too(make_api, accounts):
    api = make_api()
    headers = bearer(accounts(Role.READ_ONLY))
    etag = api.get("/", headers=headers).headers["etag"]
    answer = api.get("/", headers={**headers, "if-none-match": etag})
    assert (answer.status, answer.headers["cache-control"], answer.headers["vary"]) == (
        304,
        "private, no-cache",
        VARIES,
    )


def test_callers_with_other_permissions_have_other_tags(make_api, accounts):
    api = make_api()
    writer, reader = (bearer(accounts(role)) for role in (Role.READ_WRITE, Role.READ_ONLY))
    first = api.get("/", headers=writer)
    for _ in range(3):  # the second response may come from the cache
        answer = api.get("/", headers={**reader, "if-none-match": first.headers["etag"]})
        assert (answer.status, "pb:publish-contracts" in answer.text) == (200, False)
        assert api.get("/", headers={**writer, "if-none-match": first.headers["etag"]}).status == 304


def test_errors_and_changes_are_private(make_api, accounts):
    api = make_api()
    headers = bearer(accounts(Role.READ_WRITE))
    answers = [
        api.get("/"),
        api.get("/pacticipants/Missing", headers=headers),
        api.get("/settings/users", headers=headers),
        api.put("/pacticipants/New", {"name": "New"}, headers=headers),
        api.post("/pacticipants", {}, headers=headers),
    ]
    assert {answer.headers["cache-control"] for answer in answers} == {"private, no-cache"}


@pytest.mark.parametrize("settings", [{"enable_public_badge_access": True}, {"allow_public_read": True}])
def test_a_public_badge_may_be_stored_but_not_the_one_that_a_user_gets(make_api, accounts, settings):
    api = make_api(**settings, badge_default_cache_setting="max-age=5")
    headers = bearer(accounts(Role.READ_WRITE))
    api.put("/pacticipants/Shop", {"name": "Shop"}, headers=headers)
    for _ in range(3):
        public = api.get(CAN_I_MERGE, accept="*/*")
        own = api.get(CAN_I_MERGE, accept="*/*", headers=headers)
        assert (public.headers["cache-control"], public.headers["vary"]) == ("no-cache", "Accept")
        assert (own.headers["cache-control"], own.headers["vary"]) == ("private, no-cache", VARIES)
    assert api.get(BADGE, accept="*/*").headers["cache-control"] == "no-cache"


def test_style_sheets_and_scripts_may_be_stored_by_all_caches(api):
    answer = api.get("/static/treaty.css")
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert "Authorization" not in answer.headers["vary"]


@pytest.mark.parametrize("path", ["/", "/pacticipants/Missing", "/static/treaty.css", "/%E4", "/sign-in"])
@pytest.mark.parametrize("accept", ["application/hal+json", "text/html"])
def test_browsers_that_have_used_https_continue_to(make_api, path, accept):
    api = make_api(base_urls=(HTTPS,))
    assert api.get(path, accept=accept).headers["strict-transport-security"] == "max-age=31536000"
    api = make_api(base_urls=(HTTPS,), hsts_max_age=timedelta(minutes=5))
    assert api.get(path, accept=accept).headers["strict-transport-security"] == "max-age=300"


@pytest.mark.parametrize(
    ("settings", "headers", "is_sent"),
    [
        ({}, {}, False),
        ({}, {"x-forwarded-proto": "https"}, False),
        ({"trusted_proxies": ("127.0.0.1",)}, {"x-forwarded-proto": "https"}, True),
        ({"base_urls": ("http://pacts.example.org",)}, {}, False),
        ({"base_urls": (HTTPS,), "hsts_max_age": timedelta(0)}, {}, False),
        ({"base_urls": (HTTPS, "http://localhost")}, {}, False),
        ({"base_urls": (HTTPS, "http://localhost")}, {"host": "other"}, True),
    ],
)
def test_only_https_addresses_stay_https(make_api, settings, headers, is_sent):
    answer = make_api(**settings).get("/", headers=headers)
    assert ("strict-transport-security" in answer.headers) == is_sent


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_administrators_may_test_errors(make_api, accounts, method):
    api = make_api()
    statuses = {role: api.request(method, "/test/error", headers=bearer(accounts(role))).status for role in Role}
    assert statuses == {Role.ADMINISTRATOR: 500, Role.READ_WRITE: 403, Role.READ_ONLY: 403}
    assert api.request(method, "/test/error").status == 401
    assert make_api(allow_public_read=True).request(method, "/test/error").status == 401


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_administrators_the_writer_of_the_settings_may_test_errors(make_api, method):
    writer, reader = ("writer", "w-secret"), ("reader", "r-secret")
    names = ("basic_auth_username", "basic_auth_password")
    readers = ("basic_auth_read_only_username", "basic_auth_read_only_password")
    api = make_api(**dict(zip(names, writer, strict=True)), **dict(zip(readers, reader, strict=True)))
    assert [api.request(method, "/test/error", headers=basic(*user)).status for user in (writer, reader)] == [500, 403]
