"""The routers of the API and of the pages, each of which is loaded when a request first matches one of its URLs.

Most servers use a part of them, and loading all of them takes as long as the rest of the start. `route_modules.json`
maps the URLs to the modules; `./run renew` derives it from the routers.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import orjson

from treaty.loading import permanent_objects
from treaty.settings import Settings
from treaty.web.http.router import Endpoint, Router, RouteTable

ROUTE_MODULES: Final = Path(__file__).with_name("route_modules.json")
"""File with the names of the modules that have routes for a URL, by its template."""
_PACKAGES: Final = ("treaty.web.api", "treaty.web.pages")


def build_route_table(settings: Settings) -> RouteTable:
    """Build the table of the URLs that a server with these settings has. Callers share it."""
    return _build_route_table(has_diagnostics=settings.enable_diagnostic_endpoints)


def list_routers(settings: Settings) -> Sequence[Router]:
    """Load all routers that a server with these settings has."""
    return list(_load_routers(has_diagnostics=settings.enable_diagnostic_endpoints).values())


def find_route_modules() -> Mapping[str, Sequence[str]]:
    """Load all routers, and map the URL templates to the modules that have routes for them."""
    modules: dict[str, list[str]] = {}
    for name, router in _load_routers(has_diagnostics=True).items():
        for template in router.endpoints:
            modules.setdefault(template, []).append(name)
    return dict(sorted(modules.items()))


@cache
def _build_route_table(*, has_diagnostics: bool) -> RouteTable:
    modules: dict[str, list[str]] = {
        template: names
        for template, names in orjson.loads(ROUTE_MODULES.read_bytes()).items()
        if has_diagnostics or not any(map(_is_diagnostic, names))
    }
    return RouteTable(modules, lambda template: _load_endpoint(template, modules[template]))


def _load_endpoint(template: str, modules: Sequence[str]) -> Endpoint:
    whole = Router()
    with permanent_objects():
        for name in modules:
            whole.include(importlib.import_module(name).router.endpoints[template])
    return whole.endpoints[template]


@cache
def _load_routers(*, has_diagnostics: bool) -> Mapping[str, Router]:
    names = [name for name in find_modules() if has_diagnostics or not _is_diagnostic(name)]
    with permanent_objects():
        modules = {name: importlib.import_module(name) for name in names}
    return {
        name: module.router for name, module in modules.items() if isinstance(getattr(module, "router", None), Router)
    }


def _is_diagnostic(module: str) -> bool:
    return module.endswith(".diagnostics")


def find_modules() -> Iterator[str]:
    """Find the names of all modules of the API and of the pages."""
    for package in _PACKAGES:
        path = importlib.import_module(package).__path__
        for module_info in pkgutil.walk_packages(path, f"{package}."):
            yield module_info.name
