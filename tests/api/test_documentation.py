"""The API can be read as pages, without scripts."""

import re

import pytest

from tests.api import examples
from tests.api.described import operations
from tests.databases import on_sqlite

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

pytestmark = on_sqlite


def test_documentation_needs_permission_to_read(make_api):
    api = make_api(basic_auth_username="mary", basic_auth_password="secret")  # noqa: S106 - the test's own
    for path in ("/openapi.json", "/docs", "/doc/pacticipant"):
        assert api.get(path, accept=BROWSER).status == 401


def test_the_page_shows_every_operation(api):
    page = api.get("/docs", accept=BROWSER)
    assert (page.status, page.headers["content-type"]) == (200, "text/html;charset=utf-8")
    shown = set(re.findall(r'<details id="([^"]+)"', page.text))
    document = api.get("/openapi.json", accept="*/*").json()
    assert shown == {
        operation["operationId"] for methods in document["paths"].values() for operation in operations(methods)
    }


def test_the_page_can_be_searched_without_scripts(api):
    page = api.get("/docs?q=DELETE+/environments", accept=BROWSER)
    assert re.findall(r'<details id="([^"]+)"', page.text) == ["remove_environment"]


def test_the_search_text_is_escaped(api):
    page = api.get("/docs?q=%3Cscript%3E", accept=BROWSER)
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text


@pytest.mark.parametrize("path", ["/docs", "/doc/pacticipant?context=index", "/doc/nothing"])
def test_pages_hold_nothing_that_their_policy_would_not_run(api, path):
    page = api.get(path, accept=BROWSER)
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "'unsafe" not in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", page.text)


def test_styles_and_scripts_of_the_page_exist(api):
    page = api.get("/docs", accept=BROWSER)
    for path in re.findall(r'<(?:link|script)[^>]* (?:href|src)="(/[^"]+)"', page.text):
        assert api.get(path, accept="*/*").status == 200


def test_a_relation_is_explained_to_browsers(api):
    page = api.get("/doc/pacticipants?context=index", accept=BROWSER)
    assert page.status == 200
    assert "Create a pacticipant" in page.text


def test_an_unknown_relation_has_a_page_without_an_explanation(api):
    page = api.get("/doc/nothing", accept=BROWSER)
    assert page.status == 200
    assert "No documentation exists for this relation yet." in page.text


def test_clients_of_the_api_are_shown_no_page(api):
    answer = api.get("/doc/pacticipants")
    assert (answer.status, answer.json()) == (404, {"error": "The requested document was not found on this server."})


def test_a_path_outside_the_static_folder_returns_404(api):
    assert api.get("/static/..%2Furls.py").status == 404


def test_no_path_fails_for_a_browser(database_url):
    with examples.broker(database_url) as api:
        parameters = examples.enrich(lambda method, path, body: api.request(method, path, body).json())
        paths = api.get("/openapi.json", accept="*/*").json()["paths"]
        answers = {path: api.get(examples.filled(path, parameters), accept=BROWSER).status for path in paths}
    assert {path: status for path, status in answers.items() if status >= 500} == {"/test/error": 500}
