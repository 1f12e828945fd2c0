"""Discovers the routers of the API and of the pages, so that a new module with a `router` needs no registration."""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from treaty.loading import permanent_objects
from treaty.settings import Settings
from treaty.web.http.router import Router

_PACKAGES: Final = ("treaty.web.api", "treaty.web.pages")


def build_router(settings: Settings) -> Router:
    """Build the router of a server with these settings, with all routes. Callers share it, and must not change it."""
    return _build_router(has_diagnostics=settings.enable_diagnostic_endpoints)


def list_routers(settings: Settings) -> Sequence[Router]:
    """List the routers that a server with these settings has."""
    return _list_routers(has_diagnostics=settings.enable_diagnostic_endpoints)


@cache
def _build_router(*, has_diagnostics: bool) -> Router:
    whole = Router()
    for router in _list_routers(has_diagnostics=has_diagnostics):
        whole.include(router)
    return whole


@cache
def _list_routers(*, has_diagnostics: bool) -> Sequence[Router]:
    with permanent_objects():
        modules = [
            importlib.import_module(name)
            for name in find_modules()
            if has_diagnostics or not name.endswith(".diagnostics")
        ]
    return [module.router for module in modules if isinstance(getattr(module, "router", None), Router)]


def find_modules() -> Iterator[str]:
    """Find the names of all modules of the API and of the pages."""
    for package in _PACKAGES:
        path = importlib.import_module(package).__path__
        for module_info in pkgutil.walk_packages(path, f"{package}."):
            yield module_info.name
