"""Discovers the routers of the API and of the pages, so that a new module with a `router` needs no registration."""

import importlib
import pkgutil
from collections.abc import Iterable
from typing import Final

from treaty.settings import Settings
from treaty.web.http.router import Router

_PACKAGES: Final = ("treaty.web.api", "treaty.web.pages")


def list_routers(settings: Settings) -> Iterable[Router]:
    """List the routers that a server with these settings has."""
    for package in _PACKAGES:
        path = importlib.import_module(package).__path__
        for module_info in pkgutil.walk_packages(path, f"{package}."):
            if module_info.name.endswith(".diagnostics") and not settings.enable_diagnostic_endpoints:
                continue
            module = importlib.import_module(module_info.name)
            if isinstance(router := getattr(module, "router", None), Router):
                yield router
