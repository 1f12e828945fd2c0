"""Modules of routes are loaded when a request first matches one of their URLs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args, get_type_hints

import grimp
import pytest

from tests.api import route_modules
from treaty.settings import Settings
from treaty.web import responses, urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.routers import build_route_table, list_routers


def test_the_modules_of_all_urls_are_listed() -> None:
    assert route_modules.DOCUMENT.read_text("utf-8") == route_modules.part(), "regenerate them: ./run renew"


def test_a_url_has_the_routes_of_all_its_modules() -> None:
    table = build_route_table(Settings())
    routers = list_routers(Settings())
    for template in table.templates:
        endpoints = [router.endpoints[template] for router in routers if template in router.endpoints]
        whole = table.load(template)
        assert whole.routes == {method: route for endpoint in endpoints for method, route in endpoint.routes.items()}
        assert [whole.page] == [each.page for each in endpoints if each.page] or whole.page is None
        assert [whole.form] == [each.form for each in endpoints if each.form] or whole.form is None


def test_a_server_without_diagnostic_endpoints_has_no_url_of_them() -> None:
    assert build_route_table(Settings()).has_route("/diagnostic/status/heartbeat")
    without = build_route_table(Settings(enable_diagnostic_endpoints=False))
    assert not without.has_route("/diagnostic/status/heartbeat")
    assert without.has_route("/pacticipants")


def test_modules_of_routes_import_the_representations_of_results() -> None:
    graph = grimp.build_graph("treaty", exclude_type_checking_imports=True, cache_dir=None)
    missing = []
    for router in list_routers(Settings()):
        for endpoint in router.endpoints.values():
            for route in endpoint.routes.values():
                module = route.handler.__module__
                needed = {represent.hal.registry[each].__module__ for each in list_results(route.handler)} - {module}
                missing += [(module, name) for name in needed - graph.find_upstream_modules(module)]
    assert missing == []


def list_results(handler: Any) -> Iterator[type]:
    """List the types that a handler returns, as its annotation names them, if they have representations."""
    result = get_type_hints(handler).get("return")
    yield from (each for each in (result, *get_args(result)) if each in represent.hal.registry)


@dataclass(frozen=True)
class Late:
    """A result whose representation is in a module that the modules of its route do not import."""


def test_the_other_modules_are_loaded_for_a_result_without_a_representation(api: Any, monkeypatch: Any) -> None:
    routes = build_route_table(Settings()).load(urls.LABELS.template).routes
    monkeypatch.setitem(routes, "GET", replace(routes["GET"], handler=lambda _request: Late(), is_cacheable=False))

    def load(settings: Settings) -> object:
        represent.register(Late, lambda _late: Hal(links={"self": Link(urls.LABELS.fill())}, embedded={"labels": []}))
        return list_routers(settings)

    monkeypatch.setattr(responses, "list_routers", load)
    answer = api.get("/labels")
    assert (answer.status, answer.json()["_embedded"]) == (200, {"labels": []})


@pytest.fixture(autouse=True)
def unchanged_table() -> Iterator[None]:
    """Have other tests load the routes again."""
    yield
    build_route_table(Settings()).load(urls.LABELS.template)
