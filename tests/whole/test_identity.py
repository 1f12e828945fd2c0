"""Authentication and permissions in a browser, on the command line, and over HTTP."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from pyotp.totp import TOTP
from sqlalchemy import text

from tests.absence import unavailable
from tests.databases import on_sqlite
from tests.pages import browser as browsers
from tests.pages.browser import WIDTHS
from tests.whole import servers
from treaty.store.engine.database import open_database

pytestmark = pytest.mark.long_on_postgresql
PASSWORD, OTHER = "a stapled horse, correctly", "one more battery, please"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        browsers.find_program()
    except browsers.Unavailable as absence:
        unavailable(str(absence))
    with browsers.started() as browser:
        yield browser


@pytest.fixture
def server(database_url, tmp_path) -> Iterator[servers.Server]:
    with servers.running(database_url, cwd=tmp_path) as server:
        yield server


@pytest.fixture
def page(browser, server) -> Iterator[Page]:
    context = browser.new_context(base_url=server.address, permissions=["clipboard-read", "clipboard-write"])
    yield context.new_page()
    context.close()


def set_up(page: Page, server: servers.Server) -> None:
    """Create the first administrator with the link that the server has printed."""
    link = re.search(r"http://\S+/setup#\S+", server.log)
    assert link is not None
    page.goto(link[0])
    page.get_by_label("Name", exact=True).fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Create administrator").click()
    expect(page.get_by_role("status")).to_contain_text("You are the administrator")


def sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.locator("main").get_by_role("button", name="Sign in").click()


def make_token(page: Page, name: str) -> str:
    page.goto("/settings/tokens")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Permission").select_option("read-write")
    page.get_by_role("button", name="Create token").click()
    return page.locator("pre code").first.inner_text()


def get(address: str, token: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.get(address, headers={"accept": "application/hal+json", **headers})


def test_from_the_first_administrator_to_a_token_that_is_revoked(page, server, database_url, tmp_path):
    assert get(server.address).status_code == 200
    set_up(page, server)
    assert get(server.address).status_code == 401

    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert cookies["__Host-treaty"]["secure"]
    assert cookies["__Host-treaty"]["httpOnly"]

    token = make_token(page, "shop's build")
    page.get_by_role("button", name="Copy environment variables").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == f"export PACT_BROKER_BASE_URL={server.address}\nexport PACT_BROKER_TOKEN={token}"
    environ = dict(line.removeprefix("export ").split("=", 1) for line in copied.strip().splitlines())

    done = servers.run("pact-broker", "create-environment", "--name", "test", cwd=tmp_path, **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    refused = servers.run("pact-broker", "list-environments", cwd=tmp_path, PACT_BROKER_BASE_URL=server.address)
    assert refused.returncode == 1
    assert "401" in refused.stdout + refused.stderr

    with servers.running(database_url, cwd=tmp_path) as second:
        assert get(second.address, token).status_code == 200
        page.goto("/settings/tokens")
        expect(page.get_by_role("row", name="shop's build")).to_contain_text("from 127.0.0.1")
        page.get_by_role("button", name="Revoke shop's build").click()
        expect(page.get_by_role("status")).to_contain_text("Requests with it now fail")
        assert get(second.address, token).status_code == 401
        assert "revoked" in get(server.address, token).json()["error"]


def test_a_link_for_the_first_administrator_works_once(page, server):
    requested = []
    page.on("request", lambda request: requested.append(f"{request.url} {request.headers.get('referer')}"))
    set_up(page, server)
    link = re.search(r"http://\S+/setup#(\S+)", server.log)
    assert link is not None
    assert server.log.count(link[1]) == 1, "printed once, and not logged"
    assert requested
    assert not [line for line in requested if link[1] in line]
    page.go_back()
    assert link[1] not in page.url
    page.goto("/")
    assert page.goto(link[0]).status == 404
    assert "This link has expired" in page.locator("main").inner_text()


def code_of(secret: str, steps: int = 0) -> str:
    return TOTP(secret).at(datetime.now(UTC) + steps * timedelta(seconds=30))


@pytest.mark.slow  # tests/api has each step
@on_sqlite
def test_changing_users_takes_the_password_again_and_signing_in_a_code(page, server, database_url):
    def end_authentication() -> None:
        database = open_database(database_url, connections=1)
        database.write(lambda db: db.execute(text("UPDATE session SET authenticated_at = '2024-05-06T07:08:09+00:00'")))
        database.close()

    def enter_password() -> None:
        expect(page.get_by_role("heading", name="Enter your password again")).to_be_visible()
        faults.extend(browsers.hurdles(page))
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Continue").click()

    faults: list[str] = []
    set_up(page, server)
    end_authentication()
    page.goto("/settings/users")
    enter_password()
    expect(page.get_by_role("heading", name="Add a user")).to_be_visible()

    page.goto("/settings/tokens")
    end_authentication()
    page.get_by_label("Name", exact=True).fill("shop's build")
    page.get_by_role("button", name="Create token").click()
    enter_password()
    expect(page.get_by_role("heading", name="shop's build")).to_be_visible()

    page.goto("/settings/account")
    page.get_by_role("link", name="Set up a second factor").click()
    page.get_by_role("button", name="Set up a second factor").click()
    faults.extend(browsers.hurdles(page))
    secret = page.locator("pre code").inner_text()
    page.get_by_label("Code of the app").fill(code_of(secret))
    page.get_by_role("button", name="Require codes from now on").click()
    expect(page.get_by_role("status")).to_contain_text("Signing in requires a code from now on")
    faults.extend(browsers.hurdles(page))
    page.get_by_role("button", name="Sign out", exact=True).click()

    sign_in(page, "ada", PASSWORD)
    page.get_by_label("Code", exact=True).fill("000000")
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This code is wrong")
    faults.extend(browsers.hurdles(page))
    page.get_by_label("Code", exact=True).fill(code_of(secret, 1))
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
    page.goto("/settings/account/second-factor")
    faults.extend(browsers.hurdles(page))
    assert faults == []


def test_signing_in_continues_to_the_requested_page_after_signing_out(page, server):
    set_up(page, server)
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.goto("/matrix?q=1")
    assert "/sign-in?next=" in page.url
    sign_in_here = page.locator("main")
    sign_in_here.get_by_label("Name").fill("Ada")
    sign_in_here.get_by_label("Password").fill("wrong")
    sign_in_here.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("The name or the password is wrong.")
    sign_in_here.get_by_label("Password").fill(PASSWORD)
    sign_in_here.get_by_role("button", name="Sign in").click()
    assert page.url == f"{server.address}/matrix?q=1"


@pytest.mark.slow  # tests/api has each step
def test_a_password_that_is_changed_ends_other_sessions_and_signing_out_everywhere_ends_all(page, server, browser):
    set_up(page, server)
    elsewhere = browser.new_context(base_url=server.address)
    other = elsewhere.new_page()
    sign_in(other, "ada", PASSWORD)
    page.goto("/settings/account")
    assert page.get_by_role("row").count() == 3
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(OTHER)
    page.get_by_label("New password again").fill(OTHER)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("status")).to_contain_text("Password changed")
    other.goto("/")
    assert "/sign-in" in other.url
    sign_in(other, "ada", OTHER)
    page.goto("/settings/account")
    page.get_by_role("button", name="Sign out everywhere").click()
    assert "/sign-in" in page.url
    other.goto("/settings/account")
    assert "/sign-in" in other.url
    elsewhere.close()


@pytest.mark.slow  # tests/api has each step
def test_an_administrator_adds_a_user_with_fewer_permissions(page, server, browser):
    set_up(page, server)
    page.goto("/settings/users")
    page.get_by_label("Name", exact=True).fill("ben")
    page.get_by_label("Role", exact=True).select_option("read-only")
    page.get_by_label("Password", exact=True).fill("12345678901234")
    page.get_by_label("Password again").fill("12345678901234")
    page.get_by_role("button", name="Add user").click()
    expect(page.locator(".field.bad")).to_contain_text("easy to guess")
    page.get_by_label("Password", exact=True).fill(OTHER)
    page.get_by_label("Password again").fill(OTHER)
    page.get_by_role("button", name="Add user").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("ben")
    context = browser.new_context(base_url=server.address)
    his = context.new_page()
    sign_in(his, "ben", OTHER)
    assert his.goto("/settings/users").status == 403
    assert "ben may not manage users" in his.locator("main").inner_text()
    page.get_by_role("button", name="Disable ben").click()
    his.goto("/")
    assert "/sign-in" in his.url
    context.close()


@pytest.mark.slow
def test_these_pages_are_accessible_and_fit_every_width(page, server):
    set_up(page, server)
    make_token(page, "shop")
    page.goto("/settings/users")
    paths = ["/sign-in", "/settings/account", "/settings/tokens", "/settings/users"]
    paths.append(page.get_by_role("link", name="ada").last.get_attribute("href") or "")
    faults = []
    for path in paths:
        page.goto(path)
        faults += [f"{path}: {fault}" for fault in browsers.hurdles(page)]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            faults += [f"{path} is {beyond} pixels too wide at {width}"] if beyond else []
    assert faults == []


def test_a_browser_signs_in_by_basic_auth_where_the_settings_have_users(browser, tmp_path):
    environ = {"PACT_BROKER_BASIC_AUTH_USERNAME": "pact_workshop", "PACT_BROKER_BASIC_AUTH_PASSWORD": "pact_workshop"}
    with servers.running(f"sqlite:///{tmp_path / 'w.sqlite'}", environ=environ, cwd=tmp_path) as server:
        assert "/setup#" not in server.log
        credentials = {"username": "pact_workshop", "password": "pact_workshop"}
        context = browser.new_context(base_url=server.address, http_credentials=credentials)
        page = context.new_page()
        assert page.goto("/").status == 200
        context.close()
        reached = {"PACT_BROKER_BASE_URL": server.address, "PACT_BROKER_USERNAME": "pact_workshop"}
        for password, status in (("pact_workshop", 0), ("wrong", 1)):
            done = servers.run(
                "pact-broker", "list-environments", cwd=tmp_path, **reached, PACT_BROKER_PASSWORD=password
            )
            assert done.returncode == status, done.stdout + done.stderr


def test_a_server_on_all_interfaces_returns_401_until_it_has_users_or_open_access(tmp_path):
    url = f"sqlite:///{tmp_path / 't.sqlite'}"
    with servers.running(url, "--host", "0.0.0.0", cwd=tmp_path) as server:  # noqa: S104 - closed, as it shows
        address = server.address.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - likewise
        assert get(address).status_code == 401
        assert "There is no user yet" in server.log
    with servers.running(url, "--host", "0.0.0.0", cwd=tmp_path, environ={"TREATY_OPEN_ACCESS": "true"}) as server:  # noqa: S104 - on purpose
        assert get(server.address.replace("0.0.0.0", "127.0.0.1")).status_code == 200  # noqa: S104 - likewise


def test_the_explorer_writes_as_the_signed_in_user(page, server):
    set_up(page, server)
    page.goto("/explorer#POST /pacticipants")
    expect(page.get_by_label("Method")).to_have_value("POST")
    page.get_by_label("Body").fill('{"name": "Till"}')
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#explorer-document")).to_contain_text("201 Created")
