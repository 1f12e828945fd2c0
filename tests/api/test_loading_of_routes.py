"""Modules of routes are loaded when a request first matches one of their URLs."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import grimp

from tests.api import route_modules
from tests.docs.generated import ROOT
from treaty.settings import Settings
from treaty.web.hal import represent
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


def list_results(handler: Any) -> Iterator[Any]:
    """List the types that a handler returns, as its annotation names them, if they have representations."""
    result = get_type_hints(handler).get("return")
    yield from (each for each in (result, *get_args(result)) if each in represent.hal.registry)


ANSWER_WITH_ENVIRONMENT = """
import asyncio, sys
from dataclasses import replace
from datetime import UTC, datetime

from bench.recording import send_request
from treaty.model.deployments import Environment
from treaty.settings import Settings
from treaty.store.engine.database import open_database
from treaty.web import urls
from treaty.web.application import build_application
from treaty.web.routers import build_route_table

now = datetime.now(UTC)
environment = Environment(
    uuid="1", name="test", display_name="Test", is_production=False, contacts=None, created_at=now, updated_at=now
)
routes = build_route_table(Settings()).load(urls.HEARTBEAT.template).routes
routes["GET"] = replace(routes["GET"], handler=lambda request: environment)
assert "treaty.web.api.deployments" not in sys.modules
app = build_application(Settings(public_heartbeat=True), open_database("sqlite:///:memory:"))
request = b"GET /diagnostic/status/heartbeat HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n"
status, _, body = asyncio.run(send_request(app, request))
print(status, body.decode())
"""


def test_the_other_modules_are_loaded_for_a_result_without_a_representation() -> None:
    # In a process of its own, since this one has loaded all modules.
    script = [sys.executable, "-c", ANSWER_WITH_ENVIRONMENT]
    result = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False)
    assert '\n200 {"uuid":"1","name":"test"' in result.stdout, result.stdout + result.stderr
