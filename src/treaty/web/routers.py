"""Discovers the routers of the API and of the pages, so that a new module with a `router` needs no registration."""

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from typing import Final

from treaty.settings import Settings
from treaty.web.http.router import Router

_PACKAGES: Final = ("treaty.web.api", "treaty.web.pages")


def build_router(settings: Settings) -> Router:
    """Build the router of a server with these settings, with all routes. Callers share it, and must not change it."""
    return _build_router(has_diagnostics=settings.enable_diagnostic_endpoints)


@cache
def _build_router(*, has_diagnostics: bool) -> Router:
    whole = Router()
    for router in _list_routers(has_diagnostics=has_diagnostics):
        whole.include(router)
    return whole


def list_routers(settings: Settings) -> Iterable[Router]:
    """List the routers that a server with these settings has."""
    return _list_routers(has_diagnostics=settings.enable_diagnostic_endpoints)


def _list_routers(*, has_diagnostics: bool) -> Iterable[Router]:
    for package in _PACKAGES:
        path = importlib.import_module(package).__path__
        for module_info in pkgutil.walk_packages(path, f"{package}."):
            if module_info.name.endswith(".diagnostics") and not has_diagnostics:
                continue
            module = importlib.import_module(module_info.name)
            if isinstance(router := getattr(module, "router", None), Router):
                yield router
