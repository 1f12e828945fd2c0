"""URLs that have a page and no resource of the API, requested by clients that are no browsers."""

import re
from collections import defaultdict

import pytest

from tests.pages.conftest import BROWSER
from treaty.settings import Settings
from treaty.web.routers import list_routers

pytestmark = pytest.mark.long_on_postgresql  # a matter of routing


def list_page_only_paths():
    """List the paths, with a text in place of each parameter."""
    methods: dict[str, set[str]] = defaultdict(set)
    for router in list_routers(Settings()):
        for template, endpoint in router.endpoints.items():
            methods[template] |= {*endpoint.routes, *(["page"] if endpoint.page else [])}
    return [re.sub(r"\{\w+\}", "x", template) for template, found in methods.items() if found == {"page"}]


def test_clients_that_accept_anything_get_the_page(api):
    paths = list_page_only_paths()
    assert {"/docs/guide", "/docs/guide/x", "/network", "/search"} <= set(paths)

    def request(path, accept):
        answer = api.get(path, accept=accept)
        return answer.status, answer.headers.get("content-type")

    wrong = [path for path in paths for accept in ("*/*", "") if request(path, accept) != request(path, BROWSER)]
    assert wrong == []


def test_clients_of_the_api_get_its_error(api):
    for accept in ("application/hal+json", "application/json, text/plain, */*"):
        answer = api.get("/docs/guide", accept=accept)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/json;charset=utf-8")
